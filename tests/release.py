"""A release: `make release VERSION=0.2.0`, which lints and tests first.

Checks that the documents are of what is committed, then commits the version and its date, and tags it; the notes are the changelog's.
Nothing is pushed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

from conversion import space_card
from space.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
VERSION_FILE, CHANGELOG = Path("space/__init__.py"), Path("CHANGELOG.md")
_VERSION = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)
_UNRELEASED = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## )", re.DOTALL | re.MULTILINE)
_MEASURED = re.compile(r"^Measured on (\d{4}-\d\d-\d\d) ", re.MULTILINE)
_NUMBER = re.compile(r"\d+\.\d+")


def release(root: Path, version: str) -> str:
    """Commits and tags `v{version}` in the repository at `root`; returns the notes. UserError, and nothing done, if something disagrees."""
    before = _found(_VERSION, root / VERSION_FILE)
    if not re.fullmatch(r"\d+\.\d+\.\d+", version) or _parts(version) <= _parts(before):
        raise UserError(
            f"VERSION={version}: give three numbers above {before}, e.g. make release VERSION=0.2.0."
        )
    if _git(root, "status", "--porcelain"):
        raise UserError("There are changes that are not committed: git commit or git stash them first.")
    notes = _found(_UNRELEASED, root / CHANGELOG).strip()
    if not notes:
        raise UserError(f"{CHANGELOG} has nothing under [Unreleased]: say what a user notices.")
    space_card.check(root)
    check_figures(root)
    _replace(root / VERSION_FILE, f'__version__ = "{before}"', f'__version__ = "{version}"')
    _replace(root / CHANGELOG, "## [Unreleased]\n", f"## [Unreleased]\n\n## [{version}] - {date.today()}\n")
    _git(root, "commit", "--quiet", "--all", f"--message=Release {version}")
    _git(
        root,
        "tag",
        "--annotate",
        "--cleanup=verbatim",
        f"--message=Release {version}\n\n{notes}",
        f"v{version}",
    )
    return notes


def check_figures(root: Path) -> None:
    """UserError if README.md and docs/evaluation.md say different figures, or figures of other models than those committed."""
    readme = (root / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("\n## How well it works\n")[2].partition("\n## ")[0]
    measured = (
        (root / "docs/evaluation.md")
        .read_text(encoding="utf-8")
        .partition("\n## Figures\n")[2]
        .partition("\n## ")[0]
    )
    if strange := [number for number in _NUMBER.findall(shown) if number not in _NUMBER.findall(measured)]:
        raise UserError(f"README.md has figures that docs/evaluation.md has not: {', '.join(strange)}.")
    if (day := _MEASURED.findall(shown)) != _MEASURED.findall(measured) or not day:
        raise UserError("README.md and docs/evaluation.md do not say the same day of their figures.")
    changed = _git(root, "log", "-1", "--format=%cs", "--", "space/models", ":(exclude,glob)**/*.md")
    if changed > day[0]:
        raise UserError(
            f"The figures are of {day[0]}, and space/models changed on {changed}: evaluate again."
        )


def _found(pattern: re.Pattern[str], path: Path) -> str:
    found = pattern.search(path.read_text(encoding="utf-8"))
    if not found:
        raise UserError(f"{path.name} has no {pattern.pattern.partition('(')[0]!r}.")
    return found.group(1)


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _replace(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def _git(root: Path, *arguments: str) -> str:
    ran = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    if ran.returncode:
        raise UserError(f"git {arguments[0]}: {ran.stderr.strip()}")
    return ran.stdout.strip()


if __name__ == "__main__":
    try:
        print(release(ROOT, sys.argv[1]))
        print("\nCommitted and tagged. To publish: git push --follow-tags", file=sys.stderr)
    except UserError as error:
        sys.exit(f"error: {error}")
