"""Chat templates of families of models: chat_templates.txt as a table."""

from __future__ import annotations

from pathlib import Path

_FILE = Path(__file__).with_name("chat_templates.txt")
_SECTIONS = [part.partition("\n") for part in _FILE.read_text(encoding="utf-8").split("\n## ")[1:]]
FAMILIES = {heading.removesuffix(", no system"): text.rstrip("\n") for heading, _, text in _SECTIONS}
NO_SYSTEM = {
    heading.removesuffix(", no system") for heading, *_ in _SECTIONS if heading.endswith("no system")
}
