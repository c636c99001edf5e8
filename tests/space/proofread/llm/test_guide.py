"""The guide on a real, tiny model: what it asks, what is written, and that drafting changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.proofread.edits import Edit, apply
from space.proofread.judge import Odds
from space.proofread.llm.engine import Answer, Expected, Sampling
from space.proofread.llm.guide import Guide
from space.proofread.llm.llama_cpp import LlamaCpp
from space.proofread.llm.loading import load
from space.proofread.prompt import Evidence, messages

TEXT = "He go to to the office at monday, it is late."
EDITS = [
    Edit(3, 5, "go", "goes", score=0.9), Edit(3, 5, "go", "went", score=0.3), Edit(8, 11, " to", "", score=0.8),
    Edit(23, 25, "at", "on", score=0.2), Edit(26, 32, "monday", "Monday", score=0.9), Edit(32, 33, ",", ".", score=0.5),
    Edit(44, 45, ".", "!", score=0.4), Edit(0, 2, "He", "So he", score=0.1), Edit(44, 45, ".", "", score=0.1),
]  # fmt: skip
FIRM = 1e5  # logits: nothing of the model's own comes through


@pytest.fixture(scope="module")
def engine(small_gguf: Path) -> LlamaCpp:
    return LlamaCpp(small_gguf, n_ctx=512, n_threads=1)


def ask(
    engine: LlamaCpp, text: str, edits: list[Edit], made: Callable[[Edit], bool], gain: float = FIRM
) -> tuple[Answer, list[tuple[Edit, Odds]]]:
    asked: list[tuple[Edit, Odds]] = []

    def choose(edit: Edit, odds: Odds) -> Edit:
        asked.append((edit, odds))
        return replace(edit, status="applied" if made(edit) else "refused")

    answer = engine.complete(
        messages(text, Evidence()), Sampling(), lambda: False, Expected(text, edits, choose, gain)
    )
    assert answer is not None
    return answer, asked


def test_an_edit_that_is_chosen_is_written_and_no_other(engine: LlamaCpp) -> None:
    for edit in EDITS:
        beside = [each for each in EDITS if each is edit or not each.overlaps(edit)]
        answer, asked = ask(engine, TEXT, beside, {edit}.__contains__)
        assert answer.text == apply(TEXT, [edit]), edit
        assert [each for each in answer.judged if each.status == "applied"] == [
            replace(edit, status="applied")
        ]
        assert not answer.own
    answer, asked = ask(engine, TEXT, EDITS, lambda edit: False)
    assert answer.text == TEXT and {edit for edit, _ in asked} == set(EDITS)


def test_of_two_edits_of_one_word_the_likelier_is_written(engine: LlamaCpp) -> None:
    answer, _ = ask(engine, TEXT, EDITS, lambda edit: edit.before in ("go", "at", "monday", " to"))
    assert answer.text == "He goes to the office on Monday, it is late."
    assert {(e.before, e.after) for e in answer.judged if e.status == "applied"} == {
        ("go", "goes"), (" to", ""), ("at", "on"), ("monday", "Monday"),
    }  # fmt: skip


def test_two_edits_of_one_word_are_never_both_written(engine: LlamaCpp) -> None:
    office = Edit(16, 22, "office", "offices", score=0.9), Edit(16, 22, "office", "office,", score=0.8)
    answer, _ = ask(engine, TEXT, list(office), lambda _: True)
    assert [edit.after for edit in answer.judged if edit.status == "applied"] == ["offices"]
    assert answer.text == apply(TEXT, office[:1])


def test_odds_are_the_models_own(engine: LlamaCpp) -> None:
    """The odds of a word against another are those of two answers that differ in it alone."""
    edit = Edit(23, 25, "at", "on")
    _, asked = ask(engine, TEXT, [edit], lambda _: False)
    (_, odds), llama = asked[0], load(engine.path, n_ctx=512, n_batch=512, n_threads=1, logits_all=True)
    plain, changed = (llama.tokenize(text.encode(), add_bos=False) for text in (TEXT, apply(TEXT, [edit])))
    head = next(i for i, pair in enumerate(zip(plain, changed, strict=False)) if len(set(pair)) > 1)
    llama.eval([*engine.tokens(messages(TEXT, Evidence())), *plain[:head]])
    logits = np.array(llama.scores[llama.n_tokens - 1], dtype=np.float64)
    before, after = logits[plain[head]], logits[changed[head]]
    assert odds.log_odds == pytest.approx(after - before, abs=0.05)
    assert odds.log_probability == pytest.approx(before - np.log(np.exp(logits).sum()), abs=0.05)


def by_letter(expected: Expected) -> Guide:
    return Guide(expected, lambda text: [ord(c) for c in text], lambda token: chr(token).encode(), 0)


def test_a_change_of_the_models_own_is_told_with_its_place() -> None:
    guide = by_letter(Expected("He go.", [], lambda edit, _: edit, 2.0))
    for letter in "He went.":
        logits = np.zeros(256)
        logits[ord(letter)] = 5.0
        assert guide(None, logits).argmax() == ord(letter)
        guide.follow(ord(letter), letter.encode())
    (at, odds), *others = guide.own
    assert (at, others) == (3, []) and odds.log_odds == 5.0 and odds.log_probability < -5.0
    assert guide.ahead() == [0]  # it is back in the text


words = st.lists(
    st.sampled_from(["we", "go", "goes", "at", "the", "office", "naïve", "é", "🙂", "1,250"]),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=60)
@given(words, st.data())
def test_any_choice_of_edits_is_written(engine: LlamaCpp, some: list[str], data: st.DataObject) -> None:
    text = " ".join(some) + "."
    spans = [match.span() for match in re.finditer(r"\S+(?=[ .])", text)]
    edits = [
        Edit(a, b, text[a:b], after, score=data.draw(st.floats(0, 1)))
        for (a, b) in spans
        if (after := data.draw(st.sampled_from([text[a:b], "went", "a new", "the"]))) != text[a:b]
    ]
    chosen = {edit for edit in edits if data.draw(st.booleans())}
    answer, _ = ask(engine, text, edits, chosen.__contains__)
    assert answer.text == apply(text, chosen)


def test_what_is_drafted_is_what_the_likely_edits_make_of_the_text() -> None:
    def guide(edits: list[Edit]) -> Guide:
        return by_letter(Expected("He go to it", edits, lambda edit, _: edit, 1.0))

    likely, unlikely = Edit(3, 5, "go", "goes", score=0.6), Edit(6, 8, "to", "at", score=0.4)
    assert guide([likely, unlikely]).ahead() == [*map(ord, "He goes to it"), 0]
    assert guide([unlikely]).ahead() == [*map(ord, "He go to it"), 0]


def test_what_is_to_be_copied_is_copied_whatever_the_model_would_write() -> None:
    text = "Hi {{x}}, it are."
    guide = by_letter(Expected(text, [], lambda edit, _: edit, 2.0, [(3, 8)]))
    for at, letter in enumerate(text):
        logits = np.zeros(256)
        logits[ord("0" if 2 <= at < 8 else letter)] = 5.0  # the blank before it too
        written = chr(guide(None, logits).argmax())
        assert written == letter
        guide.follow(ord(written), written.encode())
    assert not guide.own
