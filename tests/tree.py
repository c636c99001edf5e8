"""The file trees in README.md and docs/architecture.md, made of the first lines of docstrings.

    python -m tests.tree             names the documents whose tree is out of date
    python -m tests.tree --write     puts it right

What is under its mark in a document is never written by hand.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("space", "feedback", "training", "conversion")
# Folders without Python modules of the app: nothing in them could say what they are.
OTHERS = {
    "space/models": "The embedded models, the word lists and thresholds beside them, and their cards.",
    "tests": "Mirrors the rooms; tests/bench.py is `make bench`.",
    "docs": "A page each: architecture, deployment, clients, training, experiments, evaluation, feedback.",
}
_TREE = re.compile(
    r"(?<=<!-- tree: python -m tests\.tree --write -->\n```\n).*?(?=^```$)", re.DOTALL | re.MULTILINE
)


def summary(path: Path) -> str:
    """The first line of a module's docstring; empty without one."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def rooms() -> str:
    """Every package with what it is, and the folders beside them."""
    found = {
        str(path.parent.relative_to(ROOT)): summary(path)
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
    }
    for name, what in OTHERS.items():
        found.setdefault(name, what)
    order = {name: number for number, name in enumerate((*ROOMS, *OTHERS))}
    names = sorted(found, key=lambda name: (order[name.partition("/")[0]], name))
    return _lines((name.count("/"), f"{name.rpartition('/')[2]}/", found[name]) for name in names)


def modules() -> str:
    """Every package with its modules, each with what it is."""
    return _lines(line for room in ROOMS for line in _package(ROOT / room, 0))


def _package(folder: Path, depth: int) -> Iterator[tuple[int, str, str]]:
    yield depth, f"{folder.name}/", summary(folder / "__init__.py")
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield depth + 1, path.name, summary(path)
    for inner in sorted(folder.glob("*/__init__.py")):
        yield from _package(inner.parent, depth + 1)


def _lines(entries: Iterator[tuple[int, str, str]]) -> str:
    """An indented line for each (depth, name, what it is), the last in one column."""
    named = [("  " * depth + name, what) for depth, name, what in entries]
    width = max(len(name) for name, _ in named) + 2
    return "".join(f"{name:{width}}{what}".rstrip() + "\n" for name, what in named)


TREES: dict[str, Callable[[], str]] = {"README.md": rooms, "docs/architecture.md": modules}


def outdated() -> dict[Path, str]:
    """The documents whose tree is not what the files say, with the text that they should have."""
    found = {}
    for name, tree in TREES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        if not _TREE.search(text):
            raise ValueError(f"{name} has lost the mark of its tree")
        new = _TREE.sub(lambda _, tree=tree: tree(), text)  # type: ignore[misc]
        if new != text:
            found[ROOT / name] = new
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.tree", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write them")
    write = parser.parse_args(argv).write
    found = outdated()
    for path, text in found.items():
        if write:
            path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {'written' if write else 'its tree is out of date'}")
    return 0 if write or not found else 1


if __name__ == "__main__":
    sys.exit(main())
