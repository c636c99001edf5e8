"""What the screen is made of: every character of an email must be text, whatever it looks like."""

import json
import re
from html import escape, unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedback.record import REASONS, VERDICTS
from space.api import told
from space.errors import UserError
from space.options import Options
from space.page import render, strings, ui
from space.page.reasons import reason
from space.proofread.classifiers.tone import LABELS, Score, Tone
from space.proofread.edits import Edit, diff
from space.proofread.pipeline import Skipped, Proofread


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
    change = Edit(0, len(text), text, text + "!", text)
    parts = [
        render.marked(text, [change], done=True),
        render.changed([change]),
        render.why(RUDE, [f"system: Proofread. Check: {text}.\nuser: hello"]),
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


@given(st.text("ab .\n\r<&\ud800é\"'", max_size=40), st.text("ab .\n\r<&\ud800é\"'", max_size=40), st.data())
def test_any_choice_of_changes_rebuilds_exactly_from_the_pieces(
    draft: str, text: str, data: st.DataObject
) -> None:
    changes = diff(draft, text)
    taken = data.draw(st.lists(st.booleans(), min_size=len(changes), max_size=len(changes)))
    (attribute,) = re.findall(r' data-pieces="([^"]*)"', render.marked(draft, changes, done=True))
    pieces, choices = json.loads(unescape(attribute)), iter(taken)
    chosen = "".join(piece if isinstance(piece, str) else piece[next(choices)] for piece in pieces)
    value = Proofread(draft, tuple(changes), RUDE, KIND, (), (), "m", {}, ())
    assert chosen == render.carried(ui.chosen_text(value, json.dumps(taken)))


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


def test_a_change_is_a_switch_with_a_name_once_the_run_is_over() -> None:
    change = Edit(0, 4, "dont", "don't", "spelling")
    switch = render.marked("dont", [change], done=True)
    assert 'role="button" tabindex="0" aria-pressed="true"' in switch
    assert 'aria-label="1: removed dont, added don&#x27;t, spelling"' in switch
    assert "aria-pressed" not in render.marked("dont", [change])


def test_each_change_has_a_card_with_its_kind_and_reason_and_kinds_are_counted() -> None:
    kinds = ("capitals", "spelling", "spelling")
    changes = [Edit(2 * i, 2 * i + 1, "abc"[i], "x", kind) for i, kind in enumerate(kinds)]
    html = render.changed(changes)
    text = Shown(html).text
    assert "3 changes" in text and text.index("spelling 2") < text.index("capitals 1")
    assert html.count('class="pr-card"') == 3 and all(escape(reason(change)) in html for change in changes)
    assert html.count('data-accept="true"') == html.count('data-accept="false"') == 3
    assert "1 change" in Shown(render.changed(changes[:1])).text
    assert [render.counted(count) for count in (0, 1, 2)] == ["no changes", "1 change", "2 changes"]
    assert strings.NO_CHANGES in Shown(render.changed([])).text


def test_why_tells_what_was_measured_and_every_hint() -> None:
    prompts = [
        "system: Proofread. Sentiment neutral 81%, politeness polite 60%. Check: recieved = received; the = -.\nuser: Check: x.",
        "system: Proofread. Sentiment neutral 80%, politeness polite 60%.\nuser: Hi",
    ]
    line = Shown(render.why(RUDE, prompts)).text
    assert (
        "sentiment negative 70%, politeness impolite 80%" in line
        and "2 sentences" in line
        and "recieved → received; the → (nothing)" in line
        and "x" not in line[-20:]
    )
    assert strings.WHY_NOTHING in Shown(render.why(RUDE, [])).text


def test_gauges_name_the_label_with_its_emoji_and_number() -> None:
    html = render.gauges(strings.DRAFT_TONE, RUDE)
    shown = Shown(html)
    for part in ("🙁", "negative 70%", "😠", "impolite 80%", strings.SENTIMENT, strings.POLITENESS):
        assert part in shown.text
    assert re.findall(r'aria-valuenow="(\d+)" aria-valuetext="([^"]+)"', html) == [
        ("20", "negative, 70 percent"),
        ("12", "impolite, 80 percent"),
    ]


def test_gauges_of_a_result_show_where_the_draft_was() -> None:
    html = render.gauges(strings.RESULT_TONE, KIND, RUDE)
    assert "draft: impolite 80%" in Shown(html).text
    assert 'class="pr-was" style="left:12%"' in html
    assert 'style="left:95%"' in html


def test_gauges_without_a_measurement_say_so() -> None:
    assert strings.TONE_MISSING in Shown(render.gauges("Tone", None, empty=strings.TONE_MISSING)).text


def test_an_error_is_announced_and_progress_has_a_bar() -> None:
    assert 'role="alert"' in render.status("no", "error")
    assert 'role="status"' in render.status("yes", "done")
    assert '<progress value="2" max="5"' in render.status("2 of 5", "busy", 2, 5)


def test_an_error_for_the_user_is_one_line_and_any_other_is_logged_without_the_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert told(UserError("no model: get one"), strings.UNEXPECTED) == "no model: get one"
    assert not caplog.records
    try:
        int("my secret email")
    except ValueError as error:
        assert told(error, strings.UNEXPECTED) == strings.UNEXPECTED.format(name="ValueError")
    assert "ValueError at test_ui.py:" in caplog.text
    assert "secret" not in caplog.text


def test_feedback_carries_every_choice_and_a_good_verdict_no_reasons() -> None:
    changes = (Edit(0, 1, "a", "b", "spelling"), Edit(2, 3, "c", "d", "other"))
    value = Proofread("a c", changes, RUDE, KIND, (), (), "proofreader", {}, ())
    made = {"options": Options(terms="Zyx", temperature=0.5).to_dict(), "versions": {"model": "proofreader"}}
    bad = ui.record(value, made, "bad", ["rude"], "a d", " why? ", "[false, true]").to_dict()
    assert (bad["draft"], bad["rewrite"], bad["reasons"], bad["comment"]) == ("a c", "b d", ["rude"], "why?")
    assert (bad["corrected"], [change["verdict"] for change in bad["changes"]]) == (
        "a d",
        ["rejected", "accepted"],
    )
    assert bad["before"]["politeness"]["label"] == "impolite"
    assert bad["versions"] == {"model": "proofreader"}
    assert bad["options"]["temperature"] == 0.5 and "Zyx" not in json.dumps(bad)
    assert ui.record(value, made, "good", ["rude"], " ", "", "[]").to_dict()["reasons"] == []


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", -1.0), ("top_p", None), ("seed", 2**40), ("max_tokens", "many")]
)
def test_a_number_out_of_range_is_told_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=name.replace("_", " ")):
        Options(**{name: value})


def test_protected_terms_are_one_a_line_or_between_commas() -> None:
    assert Options(terms=" Acme\n\nKubernetes, teh;x ").arguments()["protected_terms"] == (
        "Acme",
        "Kubernetes",
        "teh",
        "x",
    )


def test_what_was_left_alone_is_shown_by_its_beginning() -> None:
    html = render.kept([Skipped("<b>" * 100, "a quoted reply"), Skipped(" Acme\n", "a name")])
    assert (
        Shown(html).text.count("<b>") == 53
        and "…" in html
        and "Acme" in html
        and not {"b"} & Shown(html).tags
    )


def test_every_label_verdict_and_reason_has_a_text() -> None:
    assert tuple(strings.SENTIMENT_SCALE) == LABELS["sentiment"]
    assert tuple(strings.POLITENESS_SCALE) == LABELS["politeness"]
    assert tuple(strings.REASONS) == REASONS
    assert tuple(strings.VERDICTS) == VERDICTS
