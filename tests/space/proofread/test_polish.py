"""Blunt sentences, what could stand in place of their demands, and what a polite rewrite may not do."""

from __future__ import annotations

import pytest

from space.proofread.edits import Edit, apply
from space.proofread.polish import REGRETS, is_faithful, softened


def kinder(text: str, *edits: Edit) -> str:
    return apply(text, softened(text, edits) or [])


@pytest.mark.parametrize(
    ("blunt", "kind"),
    [
        ("Send me the report now.", "Could you please send me the report as soon as you can?"),
        ("Send me the list, I need it now.", "Please send me the list, I need it now."),
        ("And call the supplier!", "And could you please call the supplier?"),
        ("Do not call me again.", "Please do not call me again."),
        ("Don't ask.", "Please don't ask."),
        ("Just do what I told you.", "Please just do what I told you."),
        ("You must pay the invoice.", "Please pay the invoice."),
        ("You have to send it back!", "Please send it back."),
        ("I want you to fix it.", "Could you please fix it?"),
        ("We want our money back.", "We would like our money back."),
        ("Can you answer my question?", "Could you please answer my question?"),
        ("You forgot the attachment!", "I am afraid you forgot the attachment."),
        ("This is a stupid idea.", "I am afraid this is a stupid idea."),
        ("I have no time for this.", "I am afraid I have no time for this."),
        ("Why is the order late?", "Could you tell me why the order is late?"),
        ("Get it done!!", "Could you please get it done?"),
    ],
)
def test_a_demand_is_made_kinder(blunt: str, kind: str) -> None:
    assert kinder(blunt) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Please send me the report.",
        "Could you send me the report?",
        "Order 4711 is late.",
        "Change is never easy.",
        "Call centres are noisy.",
        "Leave was approved.",
        "Use of the lift is free.",
        "What is wrong with you?",
        "Is this a joke?",
        "No excuses for this any more.",
        "You are late.",
        "Why not?",
        "",
        "now",
        "Send",
    ],
)
def test_what_is_no_demand_or_kind_already_stays(text: str) -> None:
    assert softened(text) is None


def test_a_complaint_is_regretted_in_words_that_can_be_chosen() -> None:
    made = [softened("Your team is too slow.", (), regret) for regret in REGRETS]
    assert [each and each[0].after for each in made] == ["I am afraid your", "Unfortunately, your"]
    assert softened("Your team is too slow.", (), None) is None


def test_mistakes_are_mended_beside_it_and_give_way_where_they_meet() -> None:
    mistake, mark = Edit(12, 18, "raport", "report"), Edit(18, 19, ".", "!")
    assert kinder("Send me the raport.", mistake, mark) == "Could you please send me the report?"


@pytest.mark.parametrize(
    ("before", "after", "faithful"),
    [
        ("Send me the list now.", "Could you please send me the list?", True),
        ("I want an answer.", "I would appreciate an answer.", True),
        ("Reply today.", "I would be grateful if you could reply today.", True),
        (
            "Stop sending me these reports.",
            "I would appreciate it if you could send me these reports.",
            False,
        ),
        ("I told you I am busy.", "I was wondering if you could send you the project plan.", False),
        ("Answer me.", "I was wondering if you could order me.", False),
        ("I already explained this.", "I'm sorry for the problem.", False),
        ("Pay by 4 May.", "Could you please pay by 5 May?", False),
        ("Do not call me.", "Could you please call me?", False),
        ("Never call me.", "Please call me.", False),
    ],
)
def test_a_polite_rewrite_says_the_same(before: str, after: str, faithful: bool) -> None:
    assert is_faithful(before, after) is faithful
