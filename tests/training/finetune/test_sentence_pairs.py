"""Drafts cut into sentences, with what texts make of each."""

from __future__ import annotations

import doctest

import pytest

from training.finetune import sentence_pairs as module
from training.finetune.sentence_pairs import by_sentence, units


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


@pytest.mark.parametrize(
    ("draft", "text", "expected"),
    [
        (
            "Hi Tom,\n\nI has recieved the\r\nfile. Send it\n\nBest regards,\nAnna",
            "Hi Tom,\n\nI have received the\nfile. Send it.\n\nBest regards,\nAnna",
            [("Hi Tom,", "Hi Tom,"), ("I has recieved the file.", "I have received the file."), ("Send it", "Send it.")],
        ),
        # One sentence cut in two is still a correction; a new one is not, nor one made of two.
        ("I came, I was late.", "I came. I was late.", [("I came, I was late.", "I came. I was late.")]),
        ("I slept. It work.", "I slept. It works. Good night.", [("I slept.", "I slept."), ("It work.", "")]),
        ("It work. I sleeps.", "It works and I sleep.", [("It work.", ""), ("I sleeps.", "I sleep.")]),
        ("It work. I sleeps.", "I sleep.", [("It work.", ""), ("I sleeps.", "I sleep.")]),
        # What is nobody's to correct makes no row.
        ("> it work\n\nIt work.", "> it works\n\nIt works.", [("It work.", "It works.")]),
    ],
)  # fmt: skip
def test_a_text_is_cut_where_the_draft_is(draft: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert list(units(draft, [text])) == expected


def test_the_spelling_that_was_asked_for_is_not_learnt() -> None:
    draft, text = "The colour is nice. I has it.", "The color is nice. I have it."
    assert list(units(draft, [text], "american")) == [
        ("The colour is nice.", "The colour is nice."),
        ("I has it.", "I have it."),
    ]
    assert list(units(draft, [text]))[0] == ("The colour is nice.", "The color is nice.")


def test_a_pair_of_emails_becomes_the_sentences_in_which_they_differ() -> None:
    row = {
        "prompt": "I has it. It work. He go.",
        "chosen": "I have it. It works. He goes.",
        "rejected": "I have it. It worked. He go.",
        "mode": "polish",
        "ids": ["a"],
    }
    assert list(by_sentence(row)) == [
        {
            "prompt": "It work.",
            "chosen": "It works.",
            "rejected": "It worked.",
            "mode": "polish",
            "ids": ["a"],
            "email": row["prompt"],
        },
        {
            "prompt": "He go.",
            "chosen": "He goes.",
            "rejected": "He go.",
            "mode": "polish",
            "ids": ["a"],
            "email": row["prompt"],
        },
    ]
