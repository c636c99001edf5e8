"""Which edits a user can take or leave, and the email that a choice of them makes."""

from __future__ import annotations

import json

from space.proofread.edits import Edit, apply
from space.proofread.pipeline import Proofread


def offered(value: Proofread) -> tuple[Edit, ...]:
    """The applied edits, and the suggested ones that overlap none before them, in order: any subset can be applied."""
    chosen = list(value.applied)
    for edit in value.suggested:
        if not any(edit.overlaps(other) for other in chosen):
            chosen.append(edit)
    return tuple(sorted(chosen, key=lambda edit: (edit.start, edit.end)))


def answers(value: Proofread, choices: str) -> list[bool | None]:
    """Of each offered edit whether it is taken, None of a suggestion that nobody has said yes or no to: a JSON list of them.

    Unless it fits, the applied edits are taken.
    """
    edits, given = offered(value), json.loads(choices)
    if len(given) != len(edits):
        return [True if edit.status == "applied" else None for edit in edits]
    return [None if each is None else bool(each) for each in given]


def chosen_text(value: Proofread, choices: str) -> str:
    """The draft with the edits that were taken."""
    edits = zip(offered(value), answers(value, choices), strict=True)
    return apply(value.draft, [edit for edit, is_taken in edits if is_taken])
