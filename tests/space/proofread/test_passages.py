"""What is read again, and what is remembered: the same words for less work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from space.proofread import passages as module
from space.proofread.edits import Edit
from space.proofread.llm.engine import Sampling
from space.proofread.passages import Passages, Read
from space.proofread.pipeline import STOPPED, Proofread, Proofreader, load_proofreader
from space.proofread.units import AT_A_TIME, Email
from space.settings import Settings

WRONG = "She have recieved the letters."
EMAIL = f"Dear Tom,\n\n{WRONG}\n\nHe dont know it yet. It is a answer to you.\n\nBest regards,\nAnna"


@pytest.fixture(scope="module")
def shared() -> Proofreader:
    return load_proofreader(Settings.from_env())


@pytest.fixture
def proofreader(shared: Proofreader) -> Proofreader:
    """With nothing in its memory."""
    return Proofreader(shared.engine, shared.classifiers)


@pytest.fixture
def asked(proofreader: Proofreader, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sentences that the language model was asked about."""
    texts: list[str] = []
    original = type(proofreader.engine).complete

    def noted(engine: Any, chat: Any, *rest: Any) -> Any:
        texts.append(chat[-1]["content"].splitlines()[-1])
        return original(engine, chat, *rest)

    monkeypatch.setattr(type(proofreader.engine), "complete", noted)
    return texts


def of(result: Proofread) -> tuple[Any, ...]:
    """All but the scores, which llama.cpp rounds otherwise in another batch."""
    edits = [replace(edit, score=0.0) for edit in result.edits]
    return edits, result.prompts, result.before, result.after, result.notes


def test_an_email_that_is_proofread_again_costs_no_model(proofreader: Proofreader, asked: list[str]) -> None:
    first = proofreader.proofread(EMAIL)
    assert first.changed and len(asked) == len(first.prompts) > 1
    asked.clear()
    assert of(proofreader.proofread(EMAIL)) == of(first)
    assert asked == []


@pytest.mark.parametrize("mode", ["proofread", "polish"])
def test_only_the_passage_that_changed_is_read_again(
    proofreader: Proofreader, asked: list[str], mode: str
) -> None:
    draft = EMAIL.replace("It is a answer to you.", "It is a answer to you. Send me the signed form today!")
    proofreader.proofread(draft, mode)
    asked.clear()
    longer = "I has a question.\n\n" + draft.replace("Dear Tom", "Dear Thomas")
    again = proofreader.proofread(longer, mode)
    assert len(asked) == 1 and "question" in asked[0]
    fresh = Proofreader(proofreader.engine, proofreader.classifiers)
    assert of(again) == of(fresh.proofread(longer, mode)), "memory changes nothing"


def test_what_was_asked_for_is_told_apart(proofreader: Proofreader, asked: list[str]) -> None:
    text = "Please organise the colors because he have it."
    results = [
        proofreader.proofread(text, mode, dialect=dialect, protected_terms=terms).text
        for mode, dialect, terms in (
            ("proofread", None, ()), ("proofread", "american", ()), ("proofread", "british", ()),
            ("formal", "british", ()), ("proofread", None, ("have",)),
        )
    ]  # fmt: skip
    assert len(asked) >= 4 and len(set(results)) == 4  # `formal` has nothing to do here
    seen = len(asked)
    warm = Sampling(temperature=0.7)
    for _ in range(2):
        proofreader.proofread(text, sampling=warm)
    assert len(asked) == seen + 2, "what is drawn by chance is drawn anew"


def test_what_is_underlined_is_remembered_too(
    proofreader: Proofreader, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = proofreader.doubts(EMAIL)
    assert {edit.before for edit in found} >= {"recieved", "have"} and asked == []
    monkeypatch.setattr(proofreader, "_doubted", None)  # to be asked again would be an error
    moved = proofreader.doubts(f"Hello.\n\n{EMAIL}"[8:])
    assert moved == found


def test_a_reading_that_is_stopped_keeps_what_it_has(
    proofreader: Proofreader, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofreader.engine, "lanes", 1)  # else the second is asked before the first is done
    stopped = proofreader.edits(EMAIL, stop=lambda: len(asked) > 1)
    assert STOPPED in stopped.notes and stopped.unread_words == 11
    assert {EMAIL[each.start : each.end] for each in stopped.edits} >= {"have", "recieved"}
    whole = proofreader.edits(EMAIL)
    assert whole.unread_words == 0 and STOPPED not in whole.notes
    assert proofreader.edits(EMAIL, stop=lambda: True) == whole, "nothing new is read, and nothing need be"
    assert sum("recieved" in text for text in asked) == 1
    assert of(proofreader.proofread(EMAIL))[0] == [replace(edit, score=0.0) for edit in whole.edits]


def test_passages_are_the_email_in_pieces(proofreader: Proofreader) -> None:
    text = "Subject: A answer\nHe have it. " + "She has it. " * AT_A_TIME + "\n\nIt is so.\nAnna has it.\n"
    email = Email.read(text, proofreader.classifiers.lexicon)
    pieces = list(email.passages())
    assert [unit.start for piece in pieces for unit in piece.units] == [unit.start for unit in email.units]
    assert [len(piece.units) for piece in pieces] == [1, AT_A_TIME, 1, 2]
    assert [len(list(piece.passages())) for piece in pieces] == [1, 1, 1, 1]


def test_memory_is_bounded_and_forgets_what_was_used_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(length: int) -> Read:
        return Read((Edit(0, 1, "a" * length, ""),))

    few, names = Passages(max_passages=2), [b"a", b"b", b"a", b"c"]
    for name in names:
        if few.get(name) is None:
            few.put(name, read(1))
    assert [few.get(name) is not None for name in (b"a", b"b", b"c")] == [True, False, True]
    tight = Passages(max_characters=10)
    for name, length in ((b"a", 6), (b"b", 4), (b"c", 1), (b"d", 11)):
        tight.put(name, read(length))
        assert (tight.get(name) is not None) == (length <= 10)
    now = module.time.monotonic()
    few.put(b"d", read(1))
    monkeypatch.setattr(module.time, "monotonic", lambda: now + module.MAX_SECONDS + 60)
    assert few.get(b"d") is None
