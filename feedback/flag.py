"""A verdict as a program sends it, as a record: checked, and without personal data.

    record_of({"draft": "She have it.", "rewrite": "She has it.", "verdict": "good"}, consent="1", via="api")

`changes` are those of `/proofread` or `python -m space proofread --json`, `changes` and `suggestions` together, each with a `verdict` of
CHANGE_VERDICTS; what has none is undecided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feedback.errors import FeedbackError
from feedback.record import Record
from feedback.redact import redact_record

_TEXTS = ("draft", "rewrite", "corrected", "comment", "verdict")
_OPTIONS = ("mode", "dialect")
FIELDS = (*_TEXTS, "reasons", "changes", *_OPTIONS, "model")


def record_of(
    sent: Mapping[str, Any],
    *,
    consent: str,
    via: str,
    client: str = "",
    versions: Mapping[str, str] | None = None,
) -> Record:
    """The record of what was sent, by the names of FIELDS; FeedbackError in one line that quotes no text of it.

    `versions` is what makes rewrites here; a `model` that was sent stands for what it says of the model.
    """
    if unknown := sorted(sent.keys() - set(FIELDS)):
        raise FeedbackError(f"{unknown[0][:40]}: there is no such field; send {', '.join(FIELDS)}.")
    given = {name: value for name, value in sent.items() if value not in (None, "", [])}
    for name in ("draft", "rewrite"):
        if not isinstance(given.get(name), str) or not given[name].strip():
            raise FeedbackError(f"{name}: send the text; there is nothing in it.")
    changes = given.get("changes", [])
    if not isinstance(changes, list) or not all(isinstance(each, Mapping) for each in changes):
        raise FeedbackError("changes: send a list of objects, as /proofread gives them.")
    if not isinstance(given.get("reasons", []), list):
        raise FeedbackError("reasons: send a list of strings.")
    made_by = {"model": given["model"]} if "model" in given else dict(versions or {})
    placed: Any = tuple(sorted(changes, key=_place))  # the record makes Changes of them
    try:
        record = Record(
            **{"verdict": "", **{name: given[name] for name in _TEXTS if name in given}},
            reasons=tuple(given.get("reasons", ())),
            changes=placed,
            options={"via": via, **{name: given[name] for name in _OPTIONS if name in given}},
            versions=made_by, consent=consent, client=client,
        )  # fmt: skip
    except ValueError as error:  # names the field, quotes no text
        raise FeedbackError(f"{error}.") from None
    if not record.is_consistent:
        raise FeedbackError("changes: those with the status applied must make the rewrite of the draft.")
    return redact_record(record)


def _place(change: Mapping[str, Any]) -> tuple[int, int]:
    """Where a change begins and ends; 0 for what is no number, which the record refuses."""
    start, end = (change.get(name) for name in ("start", "end"))
    return (start if isinstance(start, int) else 0, end if isinstance(end, int) else 0)
