"""What the screen is made of: every character of an email must be text, whatever it looks like."""

import json
import re
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedback.record import REASONS, VERDICTS
from space.page import render, strings
from space.page.choices import chosen_text, offered
from space.proofread.causes import Cause
from space.proofread.checks import Check
from space.proofread.classifiers.tone import LABELS, SCALES, Score, Tone
from space.proofread.edits import SOURCES, STATUSES, Edit, apply, diff
from space.proofread.pipeline import Proofread, Skipped


class Shown(HTMLParser):
    """What a reader sees of a piece of HTML, and which tags and attributes made it."""

    def __init__(self, html: str):
        super().__init__()
        self.text, self.tags, self.attributes, self.skipped = "", set[str](), set[str](), 0
        self.by_tag: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._open.append(tag)
        self.by_tag.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data
        for tag in set(self._open):
            self.by_tag[tag][-1] += data


def score(labels: tuple[str, ...], *chances: float) -> Score:
    scores = dict(zip(labels, chances, strict=True))
    best = max(scores, key=lambda label: scores[label])
    return Score(best, scores[best], scores)


def tone(sentiment: tuple[float, ...], politeness: tuple[float, ...]) -> Tone:
    return Tone(score(LABELS["sentiment"], *sentiment), score(LABELS["politeness"], *politeness))


RUDE = tone((0.7, 0.2, 0.1), (0.8, 0.15, 0.05))
KIND = tone((0.1, 0.3, 0.6), (0.0, 0.1, 0.9))


def proofread(draft: str, *edits: Edit, **fields: Any) -> Proofread:
    empty = {"skipped": (), "notes": (), "model": "m", "timings": {}, "prompts": ()}
    return Proofread(draft, edits, RUDE, KIND, **empty | fields)


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "</textarea></pre><b>bold</b>",
    "&lt;b&gt; &amp; &#60;",
    "{{name}} {{{html}}} ${1+1} `tick` @children",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_in_an_email_is_shown_as_text(text: str) -> None:
    shown = Shown(render.escaped(text))
    assert shown.text == text
    assert not shown.tags


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_is_text_in_every_part_of_the_screen(text: str) -> None:
    edits = [
        Edit(0, len(text), text, text + "!", text, source=text, status=status, reason=text)
        for status in STATUSES
    ]
    value = proofread(text, *edits, skipped=(Skipped(text, text),))
    parts = [
        render.result(value),
        render.result(proofread(text, edits[1])),
        render.changes(value),
        render.changes(proofread(text, edits[1])),
        render.skipped(value),
        render.why(value),
        render.notes([text]),
        render.prompts([text]),
        render.status(text, "error"),
        render.gauges("Tone", None, empty=text),
    ]
    for part in parts:
        shown = Shown(part)
        assert text in shown.text
        assert not shown.tags & {"script", "img", "svg", "textarea"}
        assert not {name for name in shown.attributes if name.startswith("on")}


@given(st.text(st.characters()))
@example("half an emoji: \ud83d and \udc00")
@example("NUL \x00, bell \x07, delete \x7f, escape \x1b[31m")
@example("שלום\u202e abc \u2066")
def test_whatever_an_email_holds_can_be_sent_to_the_page_and_back_out_of_it(text: str) -> None:
    shown = Shown(render.escaped(text)).text
    shown.encode("utf-8")  # JSON in UTF-8 is how it travels
    assert len(shown) == len(text.replace("\r\n", "\n"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", shown)


def test_the_result_to_copy_changes_only_what_cannot_travel() -> None:
    assert render.carried("a\r\n\x00\t b\ud83d 😀\n") == "a\r\n\x00\t b\ufffd 😀\n"


def email_of(html: str) -> str:
    """The marked email without its heading, as it is shown."""
    return Shown(html).text.removeprefix(strings.RESULT)


def test_marks_show_the_draft_with_a_sign_before_each_side_of_a_change() -> None:
    draft, text = "I recieve mail at morning.\nBye", "I receive mail in the morning.\nBye"
    html = render.marked(draft, diff(draft, text))
    assert email_of(html) == "I −recieve+receive mail −at+in the morning.\nBye"
    assert Shown(html).by_tag["del"] == ["−recieve", "−at"]
    assert Shown(html).by_tag["ins"] == ["+receive", "+in the"]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (" I", ", I", "+, I"),
        ("new", "the new", "+the new"),
        ("to explain", "explain", "−to explain"),
        ("dont", "don't", "−dont+don't"),
        ("Sarah", "Sarah's", "−Sarah+Sarah's"),
        ("go go go", "go go", "go go− go"),
    ],
)
def test_words_that_both_sides_share_are_not_marked(before: str, after: str, shown: str) -> None:
    assert email_of(render.marked(before, [Edit(0, len(before), before, after)])) == shown


@given(st.text("ab .\n\r<&\ud800é\"'", max_size=40), st.text("ab .\n\r<&\ud800é\"'", max_size=40), st.data())
def test_any_choice_of_changes_rebuilds_exactly_from_the_pieces(
    draft: str, text: str, data: st.DataObject
) -> None:
    changes = diff(draft, text)
    taken = data.draw(st.lists(st.booleans(), min_size=len(changes), max_size=len(changes)))
    (attribute,) = re.findall(r' data-pieces="([^"]*)"', render.marked(draft, changes, done=True))
    pieces, choices = json.loads(unescape(attribute)), iter(taken)
    chosen = "".join(piece if isinstance(piece, str) else piece[next(choices)] for piece in pieces)
    value = proofread(draft, *changes)
    assert chosen == render.carried(chosen_text(value, json.dumps({"sides": list(map(int, taken))})))


@given(st.text("ab .\n\r<&\ud800é", max_size=40), st.text("ab .\n\r<&\ud800é", max_size=40))
def test_marks_hold_the_draft_and_the_rewrite_whole(draft: str, text: str) -> None:
    def plain(value: str) -> str:
        return re.sub(r"[␣⇥↵\s]", "", render.carried(value).replace("\r", ""))

    html = render.marked(draft, diff(draft, text))
    without_added = re.sub(r"<ins>.*?</ins>", "", html, flags=re.DOTALL)
    without_removed = re.sub(r"<del>.*?</del>", "", html, flags=re.DOTALL)
    assert plain(email_of(without_added).replace("−", "")) == plain(
        draft or strings.RESULT_PLACEHOLDER * (not text)
    )
    assert plain(email_of(without_removed).replace("+", "")) == plain(
        text or strings.RESULT_PLACEHOLDER * (not draft)
    )


def test_a_change_of_blanks_alone_can_be_seen() -> None:
    changes = [Edit(1, 3, "  ", " ", "spacing"), Edit(4, 4, "", "\n", "spacing")]
    assert email_of(render.marked("a  b", changes)) == "a−␣␣+␣b+↵\n"
    assert "␣␣ → ␣; +↵." in Shown(render.why(proofread("a  b", *changes))).text


def test_a_change_is_a_switch_with_a_name_once_the_run_is_over() -> None:
    change = Edit(0, 4, "dont", "don't", "spelling")
    switch = render.marked("dont", [change], done=True)
    assert 'role="button" tabindex="0"' in switch and 'data-side="1" aria-pressed="true"' in switch
    assert 'aria-label="1: removed dont, added don&#x27;t, spelling"' in switch
    assert "aria-pressed" not in render.marked("dont", [change])


def test_each_change_has_a_card_with_its_kind_and_reason_and_kinds_are_counted() -> None:
    kinds = ("capitals", "spelling", "spelling")
    edits = [Edit(2 * i, 2 * i + 1, "abc"[i], "x", kind, reason=f"<{i}>") for i, kind in enumerate(kinds)]
    html = render.changes(proofread("a b c", *edits))
    text = Shown(html).text
    assert "3 changes" in text and text.index("spelling 2") < text.index("capitals 1")
    assert html.count('class="pr-card"') == 3 and all(escape(edit.reason) in html for edit in edits)
    assert html.count('data-accept="true"') == html.count('data-accept="false"') == 3
    assert "1 change" in Shown(render.changes(proofread("a b c", edits[0]))).text
    assert [render.counted(count) for count in (0, 1, 2)] == ["no changes", "1 change", "2 changes"]


def test_a_reason_that_an_edit_carries_is_the_one_that_is_shown() -> None:
    html = render.changes(proofread("It have", Edit(3, 7, "have", "has", reason="'has' agrees with 'it'")))
    assert "'has' agrees with 'it'" in Shown(html).text


SUGGESTED = Edit(7, 9, "on", "at", "preposition", "tagger", 0.6, "suggested")
REFUSED = Edit(10, 12, "5", "6", "other", "llm", 0.3, "refused", "it would change a number")


def test_a_suggestion_is_a_switch_that_is_off_with_a_card_of_its_own() -> None:
    value = proofread(
        "It have on 5", Edit(3, 7, "have", "has", "agreement"), replace(SUGGESTED, start=8, end=10)
    )
    marks = re.findall(
        r'<span class="([^"]+)" data-change="\d" [^>]*aria-pressed="(\w+)"', render.result(value)
    )
    assert marks == [("pr-change", "true"), ("pr-change pr-suggestion", "false")]
    html = render.changes(value)
    assert "Suggestion: preposition" in Shown(html).text and "1 change" in Shown(html).text
    assert re.findall(r'data-kind="(\w+)" aria-pressed="(\w+)"', html) == [
        ("agreement", "true"),
        ("Suggestion", "false"),
    ]
    assert re.findall(r'data-accept="(\w+)" aria-pressed="(\w+)"', html)[2:] == [
        ("true", "false"),
        ("false", "false"),
    ]
    assert chosen_text(value, "{}") == value.text == "It has on 5"
    assert chosen_text(value, '{"sides": [0, 1]}') == "It have at 5"


@given(st.text("ab ", max_size=12), st.data())
def test_any_choice_of_what_is_offered_can_be_made(draft: str, data: st.DataObject) -> None:
    """Suggestions may overlap each other and what is applied."""
    place = st.tuples(*[st.integers(0, len(draft))] * 2).map(sorted)
    edits = [
        Edit(start, end, draft[start:end], "x", status="suggested")
        for start, end in data.draw(st.lists(place, max_size=5))
    ]
    value = proofread(draft, *diff(draft, draft.replace("a", "b")), *edits)
    found = offered(value)
    assert [edit for edit in found if edit.status == "applied"] == list(value.applied)
    assert set(found) <= set(value.edits) and (not edits or len(found) > 0)
    assert chosen_text(value, json.dumps({"sides": [1] * len(found)})) == apply(draft, found)


def test_a_refused_edit_stands_among_what_was_left_alone_with_its_reason() -> None:
    shown = Shown(
        render.skipped(proofread("It have on 5", REFUSED, skipped=(Skipped("> hi", "a quoted reply"),)))
    )
    assert "5 → 6 it would change a number" in shown.text and "> hi a quoted reply" in shown.text


def test_a_rewrite_that_was_refused_as_a_whole_is_shown_by_its_sentence() -> None:
    unmade = Edit(0, 6, "It go.", "It go.", status="refused", reason="the rewrite would be less polite")
    value = proofread("It go.", unmade)
    assert "It go. the rewrite would be less polite" in Shown(render.skipped(value)).text
    assert "It go." not in Shown(render.why(value)).text


def test_praise_is_only_for_an_email_in_which_nothing_was_found() -> None:
    assert strings.NO_CHANGES in Shown(render.changes(proofread("Hi"))).text
    for found in (proofread("It have on 5", REFUSED), proofread("Hi", notes=("Not English.",))):
        assert strings.NOTHING_CHANGED in Shown(render.changes(found)).text


def test_why_says_what_was_measured_and_who_proposed_each_edit() -> None:
    """Out of values: a prompt that was sent says something else here, with marks that cannot be parsed back."""
    edits = [
        Edit(0, 1, ";", ",", "punctuation", "tagger", 0.91),
        Edit(2, 5, "teh", "the"),
        SUGGESTED,
        REFUSED,
    ]
    prompts = ("system: Proofread. Check: ; = ,; cat = dog.\nuser: Hi", "system: Proofread.\nuser: Hi")
    line = Shown(render.why(proofread("; teh s on 5", *edits, prompts=prompts))).text
    assert "measured: negative, and rude." in line and "asked 2 times" in line
    assert "Proposed by the tagger: ; → , (91%); on → at (60%, suggested)." in line
    assert "Proposed by the language model: teh → the; 5 → 6 (30%, refused)." in line
    assert "cat" not in line and "''" not in line
    assert strings.WHY_NOT_ASKED in Shown(render.why(proofread("Hi"))).text


def test_gauges_say_one_thing_in_word_face_and_place() -> None:
    html = render.gauges(strings.DRAFT_TONE, RUDE)
    shown = Shown(html)
    for part in ("🙁", "negative", "😠", "rude", strings.SENTIMENT, strings.POLITENESS):
        assert part in shown.text
    assert re.findall(r'aria-valuenow="(\d+)" aria-valuetext="([^"]+)"', html) == [
        ("20", "negative"),
        ("12", "rude"),
    ]


def test_gauges_name_the_sentences_that_make_it_so() -> None:
    text = "Hi Tom,\n\nFix <b>this</b>\nnow."
    cause = Cause(9, len(text), ("rude", "negative"), -0.9)
    shown = Shown(render.gauges("Tone", RUDE, causes=[cause], text=text))
    assert "Sounds rude and negative because of: “Fix <b>this</b> now.”" in shown.text


def test_gauges_of_a_result_show_where_the_draft_was() -> None:
    html = render.gauges(strings.RESULT_TONE, KIND, RUDE)
    assert "draft: rude" in Shown(html).text
    assert 'class="pr-was" style="left:12%"' in html
    assert 'style="left:95%"' in html


def test_gauges_without_a_measurement_say_so() -> None:
    assert strings.TONE_MISSING in Shown(render.gauges("Tone", None, empty=strings.TONE_MISSING)).text


def test_a_check_is_shown_with_a_way_to_dismiss_it() -> None:
    html = render.checks([Check(0, 3, "placeholder", 'TBC is "left" & <b>')])
    assert 'TBC is "left" & <b>' in Shown(html).text and strings.DISMISS in Shown(html).text
    assert html.count("data-dismiss") == 1 and not {"b"} & Shown(html).tags


def test_an_error_is_announced_and_progress_has_a_bar() -> None:
    assert 'role="alert"' in render.status("no", "error")
    assert 'role="status"' in render.status("yes", "done")
    assert '<progress value="2" max="5"' in render.status("2 of 5", "busy", 2, 5)


def test_what_was_left_alone_is_shown_by_its_beginning() -> None:
    skipped = (Skipped("<b>" * 100, "a quoted reply"), Skipped(" Acme\n", "a name"))
    html = render.skipped(proofread("", skipped=skipped))
    assert Shown(html).text.count("<b>") == 53
    assert "…" in html and "Acme" in html and not {"b"} & Shown(html).tags


def test_every_label_verdict_reason_source_and_status_has_a_text() -> None:
    assert set(strings.FACES) == {word for scale in SCALES.values() for _, word in scale}
    assert tuple(strings.REASONS) == REASONS
    assert tuple(strings.VERDICTS) == VERDICTS
    assert tuple(strings.SOURCES) == SOURCES
    assert tuple(strings.STATUSES) == STATUSES
