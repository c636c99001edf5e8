"""Both directions: what is code comes back byte for byte, and text with a stray mark of it is text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.proofread.classifiers.tags import TaggedWord
from space.proofread.edits import Edit, apply
from space.proofread.email import EDITABLE, split
from space.proofread.lexicon import Lexicon
from space.proofread.pipeline import Proofreader, load_proofreader
from space.proofread.propose import candidates
from space.proofread.protect import protected_spans, refusal
from space.proofread.words import WORDS
from space.settings import Settings

LEXICON = Lexicon.load()
WITHIN = "Please uses {} befor we go there."  # two mistakes around the code

MARKUP = [
    "{% for i in range(9) %}", "{% endfor %}", "{%- if user.is_admin -%}", "{# i has a coment #}", "{% include 'a. B.html' %}",
    "{{ name }}", "{{ customer.name|title }}", "{{ 'i has' if x > 1 else \"it are\" }}", "{{{ i }}}", "{{#if user}}", "{{/if}}",
    "${user.firstName}", "#{name}", "@{user}", "*|FNAME|*", "%%FIRST%%",
    "<%= order.id %>", "<% i has %>", "<%- include('heder') %>", "<?php echo $i; ?>", "<?= $i ?>",
    "&amp;", "&nbsp;", "&#163;", "&#x20AC;",
    "`i`", '`git comit -m "i has"`', "``i has a `tick` ``", "`a. But then`",
    "<br/>", "</td>", '<a href="https://x.example/teh?i=1">', "<img src='i.png' alt='i has'>", "<td width=10>", "<!-- i has -->",
    "<|im_end|>", "[INST]", "<<SYS>>",
]  # fmt: skip
LINES = [
    "{% for i in range(9) %}", "{{ content }}", "<%= x %>", "</div>", '<a href="x">teh link</a>', "x += 1;", "price = 5 * 3",
    "if (a < b) {", "});", "public void run() {", "class Foo(Bar):", "class Foo extends Bar {", "let x = 3", "const { a } = b;",
    "import java.util.List;", 'import { a } from "b"', "from a.b import c, d", "return foo(x);", "#include <stdio.h>", '"name": "x",',
    "[ERROR] it fail", "WARN com.acme.Foo - it fail", "    print(x)", "    x = {1: 2}", "    a != b", "    // a coment", "    <p>teh</p>",
]  # fmt: skip
TEXT = [
    "Please,Dear <x", "I has 3 < 5 apples and its late.", "We has 5 > 3 peoples.", "If a<b then c are bigger.",
    "Click <here to see you're order.", "I love you <3 and i miss you.", "The price is <10 euros and its to low.",
    "I has a { in my text.", "So i said {wait for it... that its wrong.", "He said a -> b are wrong.",
    "AT&T have recieved it.", "R&D; we has it.", "Salt&pepper; it are good.", "Fish & chips is good.", "It are 50% off & 20 % more.",
    "We is at 20% %left of it.", "The variable ` are wrong.", "It`s late and i can`t come.", "Its $5 {about}.",
    "    Please,Dear <x", "    I has 3 < 5 apples and its late.", "    See https://x.example becuase it work.",
    "    We offers {hotel and lunch for the peoples.", "    return to the office are not possible.",
    "    The profit = what we has earned.", "    Our team(s) is here for $5.",
    "Total = five dollars and it are late.", "Deadline = monday, please dont forget", "x=1 are wrong i think",
    "<YOUR NAME> has recieved you're mail.", "<b>Very</b> importent: the meeting are late.",
    "let me know the following:", "let me knows if you comes (or not)", "return the books to me, please:",
    "import duties are as follow:", "public holidays are as follow:", "from monday import taxes is higher.",
    "class starts at nine (it are full)", "using the train are cheaper;", "we has seen it (and it are good);",
    '"Plan": we has recieved it.', "WARNING the meeting are late",
]  # fmt: skip


@pytest.fixture(scope="module")
def proofreader() -> Proofreader:
    return load_proofreader(Settings.from_env())


@pytest.mark.parametrize("code", MARKUP)
def test_no_edit_changes_markup_in_a_sentence(code: str) -> None:
    text = WITHIN.format(code)
    (part,) = split(text)
    assert (part.kind, part.text) == ("sentence", text)
    spans, start = protected_spans(text, LEXICON), text.index(code)
    for at in range(start, start + len(code)):
        taken = Edit(at, at + 1, text[at], "")
        assert refusal(taken, text, spans, LEXICON), taken
    assert refusal(Edit(7, 11, "uses", "use"), text, spans, LEXICON) is None


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_code_is_left_alone(line: str) -> None:
    kinds = [part.kind for part in split(f"Here is it.\n\n{line}\n\nPlease fix this.") if part.kind != "gap"]
    assert [kind for kind in kinds if kind != "code"] == ["sentence", "sentence"]


@pytest.mark.parametrize("line", TEXT)
def test_text_with_a_stray_mark_is_text(line: str) -> None:
    parts = [part for part in split(f"Here is it.\n\n{line}\n\nPlease fix this.") if part.kind != "gap"]
    assert len(parts) >= 3 and all(part.kind in EDITABLE for part in parts)
    held = {span.what for span in protected_spans(line, LEXICON)}
    assert not held & {"code", "a template tag", "an HTML entity"}


def test_a_sentence_does_not_end_within_markup() -> None:
    texts = [part.text for part in split("Run `a. Then b` now. It are late. {{ x. Y }} is it.") if part.kind == "sentence"]  # fmt: skip
    assert texts == ["Run `a. Then b` now.", "It are late.", "{{ x. Y }} is it."]


@pytest.mark.parametrize(
    "draft", ["&amp;", "{{ i }}", "{% for i in range(9) %}x{% endfor %}", "Teh total is &amp;"]
)
def test_nothing_is_put_behind_markup_that_ends_a_text(proofreader: Proofreader, draft: str) -> None:
    assert proofreader.proofread(draft).text.endswith(draft.split(" ")[-1])


def test_a_word_beside_markup_is_in_doubt_and_one_within_it_is_not() -> None:
    text = "Open the <b>invoyce</b> and {{x}}recieve `teh lsit` of {% endfro %} &amp; it."
    words = [TaggedWord(*match.span(), match.group(), 0.0) for match in WORDS.finditer(text)]
    proposed = {each.word.text for each in candidates(text, words, LEXICON) if each.source == "lexicon"}
    assert proposed == {"invoyce", "recieve"}


def test_the_models_leave_markup_alone_and_mend_what_is_around_it(proofreader: Proofreader) -> None:
    pieces = MARKUP[::3]
    draft = "\n\n".join(WITHIN.format(code) for code in pieces)
    result = proofreader.proofread(draft)
    lines = result.text.split("\n\n")
    assert [code for code, line in zip(pieces, lines, strict=True) if code not in line] == []
    assert not [edit for edit in result.refused if edit.source == "llm"]  # it did not even try


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([*MARKUP, *TEXT, "{%", "%}", "`", "{{", "}}", "<", "&", ";", " ", "\n"]), max_size=12
    )
)
def test_any_mixture_is_split_and_protected(pieces: list[str]) -> None:
    draft = "".join(pieces)
    assert "".join(part.text for part in split(draft)) == draft
    spans = protected_spans(draft, LEXICON)
    assert all(draft[span.start : span.end] == span.text for span in spans if span.what != "a name")
    assert apply(draft, []) == draft


@pytest.mark.parametrize(
    "piece",
    [
        "{%",
        "{{",
        "<%",
        "<?p",
        "<a b=",
        "<a b='",
        "`",
        "``a",
        "&a",
        "<!--",
        "*|",
        "%%a",
        "a = ",
        "let a",
        "class a(",
    ],
)
def test_marks_that_are_never_closed_are_text(piece: str) -> None:
    """Each looks a bounded stretch ahead: with the square of the length this would take minutes."""
    draft = "I has " + piece * (100_000 // len(piece))
    assert "".join(part.text for part in split(draft)) == draft
    assert protected_spans(draft, LEXICON) is not None
