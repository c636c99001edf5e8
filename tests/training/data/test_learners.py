"""Our own sentences of learners and of people in a hurry: what models may be trained on."""

from __future__ import annotations

import json
from pathlib import Path

from space.proofread.words import WORD
from training.data.lists import FOLDER
from training.data.pairs import real_pairs
from training.evaluation import suites

_RUN = 5  # words in a row that no sentence may share with one that is scored


def _runs(text: str) -> set[tuple[str, ...]]:
    words = [word.lower() for word in WORD.findall(text)]
    return {tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)}


def test_each_pair_differs_and_a_part_is_held_back() -> None:
    trained, held_back = real_pairs([FOLDER / "learners.jsonl"])
    wrong = [pair for pair in trained if pair.bad != pair.good]
    assert len(wrong) > 4000 and 0.1 < len(held_back) / (len(trained) + len(held_back)) < 0.2
    assert len({pair.bad for pair in wrong}) == len(wrong)
    # A right sentence is held back with its wrong one.
    assert not {pair.good for pair in trained} & {pair.good for pair in held_back}


def test_no_sentence_is_one_that_is_scored() -> None:
    lists = Path(suites.__file__).parent / "lists"
    rows = [
        json.loads(line)
        for name in ("sentences", "impolite")
        for line in (lists / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    texts = [
        text
        for row in rows
        for value in row.values()
        for text in ([value] if isinstance(value, str) else value)
    ]
    scored = set().union(*map(_runs, texts))
    for line in (FOLDER / "learners.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        assert not any(_runs(text) & scored for text in row.values()), row
