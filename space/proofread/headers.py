"""What an .eml knows beside its text: light enough for what only reads files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Headers:
    """The headers that a text is checked against. `to` are the (name, address) of To and Cc."""

    subject: str | None = None
    to: tuple[tuple[str, str], ...] = ()
    attachments: int = 0  # files and pictures
    written: date | None = None
