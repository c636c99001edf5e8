"""The options of a command as components of the page, and what stands in them as values for its command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import gradio as gr

from training.studio.forms import Field

Controls = dict[str, gr.components.Component]  # by the name of the option


def controls(fields: Iterable[Field]) -> Controls:
    """A component for each, with its sentence and its range beneath the name; boxes to tick stand below the others."""
    ordered = sorted(fields, key=_is_ticked)
    made: Controls = {}
    for _, row in groupby(ordered, _is_ticked):
        with gr.Row():
            made |= {field.name: _control(field) for field in row}
    return made


def _is_ticked(field: Field) -> bool:
    return field.kind == "flag" and field.default is not None


def _control(field: Field) -> gr.components.Component:
    about: dict[str, Any] = {
        "min_width": 220,
        "label": field.name,
        "info": " ".join(filter(None, [field.help, _sentence(field.allowed())])),
    }
    if field.kind == "flag" and field.default is None:
        choices = [("as this machine is", None), ("yes", True), ("no", False)]
        return gr.Dropdown(choices, value=None, **about)
    if _is_ticked(field):
        return gr.Checkbox(field.default, **about)
    if field.kind == "choice":
        return gr.Dropdown(list(field.choices), value=field.default, **about)
    # A number that may be left out is a text: Gradio shows none as 0.
    if field.kind in ("integer", "number") and field.default is not None:
        return gr.Number(field.default, precision=0 if field.kind == "integer" else None, **about)
    return gr.Textbox(_text(field.default), **about)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _text(value: Any) -> str:
    """As a text box holds it: of a list one a line."""
    return (
        "\n".join(map(str, value))
        if isinstance(value, (list, tuple))
        else ""
        if value is None
        else str(value)
    )


def values(found: Mapping[Any, Any], chosen: Controls) -> dict[str, Any]:
    """What stands in the components, by the names of the options; `found` is what Gradio gives a handler."""
    return {name: found[component] for name, component in chosen.items()}


def filled(chosen: Controls, given: Mapping[str, Any]) -> dict[Any, Any]:
    """Updates that put these values into the components."""
    return {
        chosen[name]: _text(value) if isinstance(chosen[name], gr.Textbox) else value
        for name, value in given.items()
        if name in chosen
    }
