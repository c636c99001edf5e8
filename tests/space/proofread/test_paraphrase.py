"""Wordings that a language model wrote: which of them say the same."""

from __future__ import annotations

import pytest

from space.proofread.paraphrase import rephrased


@pytest.mark.parametrize(
    ("text", "rewrite"),
    [
        ("Swap the chairs.", "Could you please swap the chairs?"),
        ("I expect an answer by noon.", "I would appreciate an answer by noon."),
        ("I have been billed twice.", "Unfortunately, I have been billed twice."),
        ("Your shipment never arrived!", "It seems that your shipment has not arrived yet."),
    ],
)
def test_another_wording_of_the_same_words_is_safe(text: str, rewrite: str) -> None:
    found = rephrased(text, rewrite, 0.9)
    assert found and found.safe


@pytest.mark.parametrize(
    ("text", "rewrite"),
    [
        ("This code is garbage.", "I am afraid this code is not very good."),
        ("Where are the March figures?", "Could you please let me have the March figures?"),
        ("Your mechanic lied to me about the brakes.", "Your mechanic fixed the brakes for me."),
        ("Move the meeting, I'm not coming at 7.", "Could you please move the meeting to 7?"),
    ],
)
def test_a_wording_that_leaves_something_out_or_brings_something_in_is_not_safe(
    text: str, rewrite: str
) -> None:
    found = rephrased(text, rewrite, 0.9)
    assert found and not found.safe


@pytest.mark.parametrize(
    ("text", "rewrite"),
    [
        ("You obviously didn't read my mail.", "Unfortunately, I did not read my mail."),
        ("No one in your shop knows anything about paint.", "I am afraid we do not know enough about paint."),
        (
            "Either you deliver by 5 May or we cancel the contract.",
            "Could you please send the goods by 5 May?",
        ),
        ("Are you serious?", "Could you please consider a solution for the customer?"),
        ("Buy the shares.", "Could you please sell the shares?"),
        ("Stop treating the van as a taxi.", "Could you please treat the van as a taxi?"),
        (
            "Lend my bike to Tom again and I'll tell him.",
            "Please lend my bike to Tom, as I would like to tell him.",
        ),
        ("You sold me a kayak with a crack.", "The kayak sold me a kayak with a crack."),
        ("You've had three years to learn it.", "We have had three years to learn it."),
        ("I'm reporting your trucks on Monday.", "Could you please report your trucks on Monday?"),
        ("You've been using my bike for a year.", "I have been using my bike for a year."),
        (
            "Touch the valve again and you're fired.",
            "It would be good if you could touch the valve again, and you are fired.",
        ),
        ("Do not delete the folder, I need it.", "Could you please do not delete the folder?"),
        ("Don't you ever check your spam folder?", "Would you mind not checking your spam folder?"),
    ],
)
def test_what_says_something_else_is_none(text: str, rewrite: str) -> None:
    assert rephrased(text, rewrite, 0.9) is None


def test_what_the_model_is_not_sure_of_is_offered_or_thrown_away() -> None:
    pair = ("Wash your dishes.", "Could you please wash your dishes?")
    sure, likely = rephrased(*pair, 0.9), rephrased(*pair, 0.75)
    assert sure and sure.safe and likely and not likely.safe and rephrased(*pair, 0.6) is None
