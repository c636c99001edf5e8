"""Blunt sentences: what they could be instead, and which of them no wording makes kind."""

from __future__ import annotations

import pytest

from space.proofread.polish import ACCUSES, INSULTS, contempt, wordings


def texts(blunt: str, bad_news: bool = False) -> list[str]:
    return [each.text for each in wordings(blunt, bad_news)]


@pytest.mark.parametrize(
    ("blunt", "kind"),
    [
        ("Send me the report now.", "Could you please send me the report as soon as you can?"),
        ("Send me the list, I need it now.", "Please send me the list, I need it now."),
        ("And call the supplier!", "And could you please call the supplier?"),
        ("Fix the login page today, Karen.", "Could you please fix the login page today, Karen?"),
        ("Next time follow the instructions.", "Next time, could you please follow the instructions?"),
        ("Just answer yes or no.", "Could you please answer yes or no?"),
        ("Do not call me again.", "Please do not call me again."),
        ("Don't ever call me on a Sunday.", "Could I ask you not to call me on a Sunday?"),
        ("You must pay the invoice.", "Could you please pay the invoice?"),
        ("You have to send it back!", "Could you please send it back?"),
        ("I want you to fix it.", "Could you please fix it?"),
        ("We want our money back.", "We would like our money back."),
        ("I need the numbers by noon.", "Could I please have the numbers by noon?"),
        ("Can you answer my question?", "Could you please answer my question?"),
        ("You forgot the attachment!", "I believe you forgot the attachment."),
        ("Why is the order late?", "Could you tell me why the order is late?"),
        ("Why is invoice 20418 still not paid?", "Could you tell me why invoice 20418 is still not paid?"),
        ("Where is my invoice?", "Could you tell me where my invoice is?"),
        ("Why didn't you copy me?", "May I ask why you didn't copy me?"),
        ("Stop asking me stupid questions.", "Could you please stop asking me questions?"),
        ("Delete that ridiculous comment.", "Could you please delete that comment?"),
        ("Give me the keys and stop complaining.", "Could you please give me the keys?"),
        ("Remove me from your list, you spammers.", "Could you please remove me from your list?"),
        ("Move the car or I will have it towed.", "Please move the car or I will have it towed."),
    ],
)
def test_a_blunt_sentence_has_other_wordings(blunt: str, kind: str) -> None:
    assert kind in texts(blunt)


@pytest.mark.parametrize(
    "text",
    [
        "Please send me the report.",
        "Could you send me the report?",
        "I ordered the dishwasher on 3 October.",
        "The deadline is Friday.",
        "Order 4711 is late.",
        "Change is never easy.",
        "Call centres are noisy.",
        "Leave was approved.",
        "Use of the lift is free.",
        "Call me if you have any questions.",
        "Talk to you soon,",
        "SEND THE FILES TODAY.",
        "Why not?",
        "",
        "now",
        "Send",
    ],
)
def test_what_is_no_demand_or_kind_already_has_none(text: str) -> None:
    assert texts(text) == []
    assert contempt(text) is None


def test_regret_suits_bad_news_alone() -> None:
    assert texts("I can't tell you how much I admire you.") == []
    assert texts("We cannot accept this.", bad_news=True) == [
        "I am afraid we cannot accept this.",
        "Unfortunately, we cannot accept this.",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Your service is a joke.", ACCUSES),
        ("What is wrong with you?", ACCUSES),
        ("Tell your boss that he is an idiot.", INSULTS),
        ("Your team is useless and everybody knows it.", INSULTS),
        ("You never answer my emails.", ACCUSES),
        ("I don’t care about your excuses.", ACCUSES),
    ],
)
def test_no_opening_makes_an_insult_kind(text: str, why: str) -> None:
    assert contempt(text) == why
    assert texts(text, bad_news=True) == []


def test_what_is_left_out_is_said_and_half_a_complaint_is_the_writers_to_leave_out() -> None:
    asides = wordings("Send me the file and stop complaining.")
    assert asides[0].leaves_out == "stop complaining" and asides[0].safe
    assert "“stop complaining”" in asides[0].reason
    claims = wordings("Your service is a joke and I want my 250 euros back.")
    assert claims[0].text == "I would like my 250 euros back." and not claims[0].safe
    assert (
        wordings("Your 3 stupid mistakes cost us a day and I want my money back.") == []
    )  # a number would go


def test_a_warning_asks_for_nothing_and_a_promise_does() -> None:
    assert wordings("Touch my thermostat again and you can find another tenant.") == []
    assert wordings("Send me the plan and we will check it.")[0].text.startswith("Please send me the plan")
