"""Corpora: clean units come out, evaluation text does not, and the word list knows its words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from space.proofread.lexicon import Lexicon
from training.__main__ import main
from training.data.corpus import is_clean, renumber, sentences

HELD_OUT = "The annual figures of the northern branch will be published in the second week of March."
PROSE = f"""Mr. Smith met Dr. Jones at 5 p.m. on Friday. {HELD_OUT} They agreed on a price.
1. Open the door.
1. Close the door.

The plan was good, and the team liked it. this line has no capital. See http://example.com for more."""


def write(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_evaluation_text_stays_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prose = write(tmp_path / "prose.jsonl", {"text": PROSE.replace("\n", "\n\n"), "source": "a/handbook"})
    held_out = write(tmp_path / "held.jsonl", {"source": HELD_OUT.lower(), "references": [HELD_OUT]})
    out = tmp_path / "out"
    assert main(["corpus", "--prose", str(prose), "--exclude", str(held_out), "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out)["documents_with_evaluation_text_removed"] == 1
    units = [json.loads(line)["text"] for line in (out / "clean.jsonl").open()]
    assert units and not any("northern branch" in unit for unit in units)
    assert "northern branch" not in (out / "plain.jsonl").read_text()
    assert not any("http" in unit or unit.startswith("this") for unit in units)
    assert Lexicon.load(out / "lexicon.txt.gz").knows("figures")
    assert "colour\tcolor\tboth\n" in (out / "dialects.tsv").read_text()


def test_sentences_end_where_they_end() -> None:
    assert sentences("Mr. Smith met Dr. Jones at 5 p.m. on Friday. They agreed. Did they?") == [
        "Mr. Smith met Dr. Jones at 5 p.m. on Friday.",
        "They agreed.",
        "Did they?",
    ]


def test_lists_are_numbered_again() -> None:
    assert renumber("1. One\n1. Two\n\n1. Three\nText\n1. New") == "1. One\n2. Two\n\n3. Three\nText\n1. New"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("The offer is good.", True),
        ("the offer is good.", False),
        ("The offr is good.", False),
        ("The offer is", False),
        ('He said "yes.', False),
        ("See www.example.com for this.", False),
    ],
)
def test_only_clean_sentences_are_targets(text: str, clean: bool) -> None:
    known = dict.fromkeys("the offer is good he said yes see for this".split(), 1)
    assert is_clean(text, known) is clean
