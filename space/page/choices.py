"""What a user made of a result: which wording of each edit stands, and what was typed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from space.proofread.edits import Edit, apply
from space.proofread.pipeline import Proofread


@dataclass(frozen=True)
class Choices:
    """Of each offered edit the wording that stands: 0 is the writer's, 1 the edit's, then its alternatives.

    None is that of a suggestion that nobody has said yes or no to. `text` is the whole email if something was typed in it.
    """

    sides: tuple[int | None, ...]
    text: str | None = None


def offered(value: Proofread) -> tuple[Edit, ...]:
    """The applied edits, and the suggested ones that overlap none before them, in order: any subset can be applied."""
    chosen = list(value.applied)
    for edit in value.suggested:
        if not any(edit.overlaps(other) for other in chosen):
            chosen.append(edit)
    return tuple(sorted(chosen, key=lambda edit: (edit.start, edit.end)))


def wordings(edit: Edit) -> tuple[str, ...]:
    """What may stand in its place, by side."""
    return (edit.before, edit.after, *edit.alternatives)


def read_choices(value: Proofread, content: str) -> Choices:
    """The page's JSON, {"sides": [...], "text": ...}; what does not fit the result is as it was before any choice."""
    edits, given = offered(value), json.loads(content)
    sides = given.get("sides") if isinstance(given, dict) else None
    if not isinstance(sides, list) or len(sides) != len(edits):
        return Choices(tuple(1 if edit.status == "applied" else None for edit in edits))
    typed = given.get("text")
    return Choices(tuple(map(_side, edits, sides)), typed if isinstance(typed, str) else None)


def _side(edit: Edit, given: Any) -> int | None:
    return given if isinstance(given, int) and 0 <= given < len(wordings(edit)) else None


def chosen_text(value: Proofread, content: str) -> str:
    """The email as it stands on the page."""
    choices = read_choices(value, content)
    return apply(value.draft, _taken(value, choices)) if choices.text is None else choices.text


def _taken(value: Proofread, choices: Choices) -> Iterator[Edit]:
    for edit, side in zip(offered(value), choices.sides, strict=True):
        if side:
            yield replace(edit, after=wordings(edit)[side])


def judged(value: Proofread, choices: Choices) -> Iterator[tuple[Edit, str]]:
    """Every edit with the user's verdict; one whose alternative was taken has that as its text.

    A suggestion that nobody touched may not have been looked at.
    """
    side_of = dict(zip(offered(value), choices.sides, strict=True))
    for edit in value.edits:
        side = side_of.get(edit)
        if side is None:
            yield edit, "undecided"
        elif side == 0:
            yield edit, "rejected"
        else:
            yield replace(edit, after=wordings(edit)[side]), "accepted"
