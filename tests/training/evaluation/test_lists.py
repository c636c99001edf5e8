"""The lists of the evaluation: well formed, of a fair size, and found nowhere else."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from training.__main__ import main
from training.data.corpus import read_rows
from training.evaluation.behaviour import FAIR, IMPOLITE, NAMES, slots
from training.evaluation.suites import EVALUATION, SENTENCES

ROOT = Path(__file__).resolve().parents[3]
TYPES = (
    "spelling", "agreement", "verb form", "article", "preposition", "confusion", "punctuation", "capitals",
    "noun number", "missing word", "double word",
)  # fmt: skip
ROWS = list(read_rows(SENTENCES))
TEXTS = [text for row in ROWS for text in (row["wrong"], *row["right"])]
RUN = 8  # words: what `training corpus --exclude` recognises a text by


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + RUN]) for i in range(len(found) - RUN + 1)}


def test_the_sentences_are_well_formed() -> None:
    assert all(set(row) == {"type", "wrong", "right"} for row in ROWS)
    for row in ROWS:
        assert row["right"] and len(set(row["right"])) == len(row["right"])
        if row["type"] == "clean":
            assert row["right"] == [row["wrong"]]
        else:
            assert row["wrong"] not in row["right"]
        for text in (row["wrong"], *row["right"]):
            assert text == text.strip() and "  " not in text
    assert max(Counter(row["wrong"] for row in ROWS).values()) == 1
    assert max(Counter(right for row in ROWS for right in row["right"]).values()) == 1


def test_every_type_has_its_share() -> None:
    found = Counter(row["type"] for row in ROWS)
    assert set(found) == {*TYPES, "clean"}
    assert min(found[kind] for kind in TYPES) >= 20 and sum(found[kind] for kind in TYPES) >= 240
    assert found["clean"] >= 40


def test_the_sentences_can_be_kept_out_of_training(tmp_path: Path) -> None:
    assert [text for text in TEXTS if len(words(text)) < RUN] == []
    prose = tmp_path / "prose.jsonl"
    ours, other = ROWS[0]["right"][0], "The gardener has already watered the roses behind the old house."
    prose.write_text("".join(json.dumps({"text": text}) + "\n" for text in (ours, other)), encoding="utf-8")
    out = tmp_path / "out"
    assert main(["corpus", "--prose", str(prose), "--exclude", str(SENTENCES), "--out", str(out)]) == 0
    for name in ("clean", "plain"):
        written = (out / f"{name}.jsonl").read_text(encoding="utf-8")
        assert other in written and ours not in written


def test_no_sentence_stands_in_the_test_emails() -> None:
    emails = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "emails").glob("*.txt")]
    assert emails
    seen = set().union(*map(runs, emails))
    assert [text for text in TEXTS if runs(text) & seen] == []


def test_no_text_of_the_lists_stands_in_what_trains() -> None:
    """Not in the code of `training` either, which holds sentences of its own to train on."""
    files = [
        path
        for path in (ROOT / "training").rglob("*")
        if path.suffix in {".py", ".txt", ".json", ".jsonl"} and EVALUATION not in path.parents
    ]
    assert len(files) > 10
    held = "\n".join(path.read_text(encoding="utf-8") for path in files)
    rude = [row["text"] for row in read_rows(IMPOLITE)]
    assert [text for text in (*TEXTS, *rude) if text in held] == []


@pytest.mark.parametrize(("path", "least"), [(IMPOLITE, 60), (FAIR, 15)])
def test_the_other_lists_are_well_formed(path: Path, least: int) -> None:
    rows = list(read_rows(path))
    assert all(set(row) == {"text"} and row["text"].strip() == row["text"] for row in rows)
    assert len({row["text"] for row in rows}) == len(rows) >= least


def test_names_are_plain_words_and_each_belongs_to_one_origin() -> None:
    names = [name for each in NAMES.values() for name in each]
    assert len(set(names)) == len(names) and len({len(each) for each in NAMES.values()}) == 1
    assert all(name.isalpha() for name in names)
    found = {slot for row in read_rows(FAIR) for slot in slots(row["text"])}
    assert {"name", "he", "him", "his", "colour"} <= found
