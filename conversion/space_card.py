"""The card of a Space, checked before anything is sent: the front matter of README.md, which the Hub runs the app by."""

from __future__ import annotations

import re
import unicodedata
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from space.errors import UserError

# https://huggingface.co/docs/hub/spaces-config-reference
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
DESCRIPTION_CHARACTERS = 60


def check(folder: Path) -> None:
    """UserError, in one line, with all that is wrong with the card of the app in a folder."""
    from huggingface_hub import SpaceCard

    try:
        card = SpaceCard((folder / "README.md").read_text(encoding="utf-8")).data.to_dict()
    except Exception as error:  # noqa: BLE001  the client hands on what its YAML reader raises
        raise UserError(f"README.md: its front matter cannot be read ({type(error).__name__}).") from error
    pins = re.findall(
        r"^gradio==(\S+)", (folder / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    if wrong := [text for text, right in _checks(card, folder, pins) if not right]:
        raise UserError(f"README.md, front matter: {'; '.join(wrong)}.")


def _checks(card: dict[str, Any], folder: Path, pins: list[str]) -> list[tuple[str, bool]]:
    """What the card must be, in words, each with whether it is."""

    def value(name: str) -> str:
        return (
            found if isinstance(found := card.get(name), str) else ""
        )  # 3.10 without quotes is a number, 3.1

    return [
        ("title must be there", bool(value("title"))),
        ("sdk must be gradio", value("sdk") == "gradio"),
        (
            f"sdk_version must be the gradio of requirements.txt ({' '.join(pins) or 'none is pinned'})",
            any(fnmatch(value("sdk_version"), pin) for pin in pins),
        ),
        ("app_file must be a file that is sent", bool(value("app_file")) and (folder / value("app_file")).is_file()),
        ('python_version must be in quotes, like "3.11"', bool(re.fullmatch(r"3\.\d+(\.\d+)?", value("python_version")))),
        ("license must be an id like apache-2.0", bool(re.fullmatch(r"[a-z0-9][a-z0-9.-]*", value("license")))),
        (
            f"short_description must have 1 to {DESCRIPTION_CHARACTERS} characters",
            1 <= len(value("short_description")) <= DESCRIPTION_CHARACTERS,
        ),
        ("emoji must be one emoji", _is_emoji(value("emoji"))),
        *((f"{name} must be one of {', '.join(COLOURS)}", value(name) in COLOURS) for name in ("colorFrom", "colorTo")),
    ]  # fmt: skip


def _is_emoji(text: str) -> bool:
    """A symbol, perhaps of several parts: a flag is two, and a selector or joiner may stand behind one."""
    return len(text) <= 8 and unicodedata.category(text[:1] or "x") == "So" and not re.search(r"[\s\w]", text)
