"""Words: the one tokenizer that serving, training and scoring share, and how alike two words are."""

from __future__ import annotations

import re
from pathlib import Path

from rapidfuzz.distance import Indel

# Words and marks, one by one: what the tagger labels, evidence speaks of, and metrics count.
WORDS = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]|_")
# Words of letters alone: what a dictionary may know.
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

LISTS = Path(__file__).parent / "lists"


def likeness(a: str, b: str) -> float:
    """How alike two words are, 0 to 1, capitals aside: 1 less the share of letters to take out and put in (Indel).

    >>> round(likeness("recieve", "Receive"), 2), likeness("buy", "sell")
    (0.86, 0.0)
    """
    return Indel.normalized_similarity(a.casefold(), b.casefold())


def is_word(text: str) -> bool:
    """Whether it holds a letter or a digit; marks and blanks do not."""
    return any(c.isalnum() for c in text)


def read_list(name: str) -> list[tuple[str, ...]]:
    """The rows of `lists/NAME.tsv`, cells by tabs; lines that begin with # say where the list is from."""
    lines = (LISTS / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t")) for line in lines if line and not line.startswith("#")]


def word_set(name: str, key: str) -> frozenset[str]:
    """The words of the row that begins with `key`, separated by blanks in its second cell.

    >>> "the" in word_set("grammar", "articles")
    True
    """
    return frozenset(next(row[1] for row in read_list(name) if row[0] == key).split())
