"""What stands in the fields of the page, in the folder of the studio: a page that is loaded again finds it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from training.runs import atomic_write
from training.runs.steps import read_json

_FILE = Path(".studio") / "form.json"


class SavedForm:
    """`fields` are the components by names that stay the same. Nothing secret and no text of an email may be among them."""

    def __init__(self, folder: Path, fields: Mapping[str, gr.components.Component]) -> None:
        self._path, self._fields = folder / _FILE, fields

    def save(self, found: Mapping[Any, Any]) -> None:
        """`found` is what Gradio gives a handler. On a full disk the fields are as they were saved last."""
        values = {name: found[component] for name, component in self._fields.items()}
        with suppress(OSError):
            atomic_write.write(self._path, json.dumps(values))

    def restored(self, updates: Mapping[Any, Any]) -> dict[Any, Any]:
        """The updates of a page that is loaded, with the saved values; one that no longer fits its field is left out."""
        values, merged = read_json(self._path), dict(updates)
        for name, component in self._fields.items():
            update = merged.get(component) or gr.update()
            if name in values and _fits(values[name], component, update.get("choices")):
                merged[component] = update | {"value": values[name]}
        return merged


def _fits(value: Any, component: gr.components.Component, choices: list[Any] | None) -> bool:
    if isinstance(component, gr.Checkbox):
        return isinstance(value, bool)
    if isinstance(component, gr.Number):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not isinstance(component, gr.Dropdown):
        return isinstance(value, str)
    chosen = value if component.multiselect else [value]
    if not isinstance(chosen, list) or not all(isinstance(each, (str, bool, type(None))) for each in chosen):
        return False
    if component.allow_custom_value:
        return True
    known = [each[1] if isinstance(each, tuple) else each for each in choices or component.choices or ()]
    return all(each is None or each in known for each in chosen)
