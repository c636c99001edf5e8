"""Word lists: each names its source, and phrases are read as their module says."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from training.data import lists
from training.data.phrases import TURNS, mistake, replaced

FILES = [
    path for room in ("data", "base") for path in (lists.FOLDER.parents[1] / room / "lists").glob("*.t*")
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_list_names_its_source_and_has_rows_of_one_width(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ") and text.endswith("\n") and not text.endswith("\n\n")
    rows = lists.table(path.name, path.parent)
    assert rows and all(field and field == field.strip() for row in rows for field in row)
    assert path.name == "phrases.tsv" or len({len(row) for row in rows}) == 1


@pytest.mark.parametrize(
    ("pattern", "text", "change", "wrong"),
    [
        (r"\bI (agree)\b", "I agree", r"I am \1", "I am agree"),
        (r"(he) (went)", "he went", "@2:VBN:VBD:has {}", "he has gone"),
        (r"(he) (\w+)", "he gone", "@2:VBN:VBD:has {}", None),  # no past tense
        (r"(the) (\w+)", "the table lamp", "@2:VBZ::{}", "the tables"),
        (r"(one of the) (\w+)", "one of the managers", "@2:NN::{}", "one of the manager"),
        (r"\b(easier)\b", "easier", "@1:JJ::more {}", "more easy"),
        (r"(know) (where) (he) (\w+)", "know where he lives", "@base:{1} {2} does {3} {base}", "know where does he live"),
        (r"(know) (where) (he) (\w+)", "know where he is", "@base:{1} {2} does {3} {base}", None),
    ],
)  # fmt: skip
def test_a_change_is_a_replacement_a_form_or_a_base(
    pattern: str, text: str, change: str, wrong: str | None
) -> None:
    match = re.search(pattern, text)
    assert match and replaced(match, change) == wrong


def test_every_turn_can_be_read() -> None:
    """A replacement names no group that its pattern lacks, and a form one of the tags of lemminflect."""
    for pattern, wrong in TURNS:
        for change in wrong:
            if form := re.fullmatch(r"@(\d):(NNS?|JJ|VB[ZDGN]?):((?:NNS?|VB[ZDGN]?)?):(.*\{\}.*)", change):
                assert int(form[1]) <= pattern.groups
            else:
                named = re.findall(r"\\(\d)|\{(\d)\}", change)
                assert all(int(a or b) <= pattern.groups for a, b in named)
                assert not change.startswith("@") or change.startswith("@base:")


def test_a_turn_goes_wrong_in_a_sentence() -> None:
    found = {mistake("I agree, but please explain it to me.", random.Random(seed)) for seed in range(500)}
    assert {"I am agree, but please explain it to me.", "I agree, but please explain me it."} <= found
