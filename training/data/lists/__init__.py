"""Word lists: files of tab-separated columns, each with a first line that names its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


def table(name: str, folder: Path = FOLDER) -> list[list[str]]:
    """The rows of a list, without its comments (#) and empty lines."""
    lines = (folder / name).read_text(encoding="utf-8").split("\n")
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def column(name: str, folder: Path = FOLDER) -> list[str]:
    """The rows of a list with one column."""
    return [row[0] for row in table(name, folder)]


@cache
def words(name: str) -> tuple[str, ...]:
    """One of the sets of word_sets.tsv."""
    return tuple(dict(table("word_sets.tsv"))[name].split())
