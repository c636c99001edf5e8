"""A result as JSON for the browser to keep, and back: for a reload of the page, and for its history."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from space.mail import Mail
from space.page.choices import offered
from space.proofread.pipeline import Proofread


@dataclass(frozen=True)
class Saved:
    """`origin` has the options and versions of the run, as a feedback record names them."""

    value: Proofread
    origin: dict[str, Any]
    mail: Mail | None


def save(saved: Saved) -> str:
    """Without the prompts, which repeat the email many times over."""
    kept = replace(saved, value=replace(saved.value, prompts=()))
    return json.dumps(_adapter().dump_python(kept, mode="json"))


def restore(content: str) -> Saved | None:
    """None if it is nothing that `save` made: an older version's, or changed by hand."""
    try:
        saved = _adapter().validate_python(json.loads(content))
    except (ValidationError, ValueError, RecursionError):
        return None
    draft, at = saved.value.draft, 0
    for edit in offered(saved.value):
        if not at <= edit.start <= edit.end or draft[edit.start : edit.end] != edit.before:
            return None
        at = edit.end
    return saved


@cache
def _adapter() -> TypeAdapter[Saved]:
    return TypeAdapter(Saved)
