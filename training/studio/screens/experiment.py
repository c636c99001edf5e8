"""A fine-tuning before it begins: recipe, settings, what it will need, and the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from space.errors import UserError
from training.studio import forms, views
from training.studio.controls import controls, filled, values
from training.studio.screens import data
from training.studio.screens.shared import QUIET, Studio, command_box, queued, shown, told

_OWN = "own settings"
# Groups of the command as a person looks for them, and which are open.
_GROUPS = (
    ("LoRA", ("LoRA (of a new adapter)",), True),
    ("Optimisation", ("optimisation",), True),
    ("Model", ("model",), False),
    ("Training", ("training", "options"), False),
    ("Checkpoints and log", ("steps between", "experiment log"), False),
)


class Screen:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        fields = forms.fields("sft")
        gr.Markdown(
            "A recipe fills in the settings below; each may be changed. The rows are those of the screen *1 Data*."
        )
        with gr.Row():
            self.name = gr.Textbox("", label="name", info="of the run and of its folder")
            self.model = gr.Dropdown(
                studio.workspace.bases(), value=None, allow_custom_value=True, label="model",
                info="base: a folder of the studio or a Hub repo id",
            )  # fmt: skip
            self.recipe = gr.Dropdown(
                [_OWN, *studio.workspace.recipes()], value=_OWN, label="recipe", info="a set of settings"
            )
        self.settings: dict[str, Any] = {}
        for title, groups, is_open in _GROUPS:
            own = [
                field
                for field in fields
                if field.group in groups and field.name not in ("output_dir", "recipe", "model")
            ]
            with gr.Accordion(title, open=is_open):
                self.settings |= controls(own)
        with gr.Row():
            fore = gr.Button("Forecast memory, time and cost")
            start = gr.Button("Start", variant="primary")
        self._command = command_box()
        self._status = gr.Markdown("", elem_classes="st-status")
        self._forecast = gr.HTML("")
        self._buttons = fore, start
        # A dropdown says `input` whenever it is left, and a page that is loaded again fires `change`: a recipe that was taken
        # before is not taken again, which would undo what was set besides.
        self._taken = gr.State(_OWN)
        self.recipe.input(
            told(self._take), [self.recipe, self._taken], [*self.settings.values(), self._taken],
            trigger_mode="always_last", **QUIET,
        )  # fmt: skip
        self.fields = {
            "name": self.name, "model": self.model, "recipe": self.recipe, "recipe taken": self._taken, **self.settings,
        }  # fmt: skip
        self.listed = [self.model, self.recipe]

    def connect(self, rows: data.Screen) -> None:
        self._rows = rows
        asked = {self.name, self.model, self.recipe, *self.settings.values(), *rows.inputs}
        outputs = [self._command, self._status, self._forecast]
        fore, start = self._buttons
        fore.click(told(self._look_ahead, self._status), asked, outputs, **QUIET | {"show_progress": "full"})
        start.click(told(self._start, self._status), asked, outputs, **QUIET)

    def chosen(self, found: Mapping[Any, Any]) -> dict[str, Any]:
        """The options of `sft`, without a place for the run."""
        workspace = self._studio.workspace
        if not found[self.model]:
            raise UserError("Choose the model to fine-tune: a folder of the studio or a Hub repo id.")
        options = {
            "model": workspace.source(found[self.model]),
            **values(found, self.settings),
            **self._rows.chosen(found),
        }
        if found[self.recipe] not in (None, _OWN):
            options["recipe"] = workspace.recipe(found[self.recipe])
        return options

    def refreshed(self) -> list[Any]:
        workspace = self._studio.workspace
        return [gr.update(choices=workspace.bases()), gr.update(choices=[_OWN, *workspace.recipes()])]

    # ---- events ----

    def _take(self, name: str, taken: str) -> dict[Any, Any]:
        """The settings of a recipe; what it says nothing of goes back to its default."""
        if name == taken:
            return {self._taken: taken}
        recipe = None if name == _OWN else self._studio.workspace.recipe(name)
        settings = {field.name: field.default for field in forms.fields("sft", recipe)}
        return filled(self.settings, settings) | {self._taken: name}

    def _look_ahead(self, found: Mapping[Any, Any]) -> dict[Any, Any]:
        command = forms.command("forecast", self.chosen(found))
        ahead = self._studio.answer(command)
        return {
            self._command: shown([command]),
            self._status: views.forecast_line(ahead),
            self._forecast: views.forecast(ahead),
        }

    def _start(self, found: Mapping[Any, Any]) -> dict[Any, Any]:
        folder = self._studio.workspace.new(found[self.name])
        command = forms.command("sft", self.chosen(found) | {"output_dir": str(folder)})
        job = self._studio.queue.add(f"Fine-tuning {found[self.name]}", [command], str(folder))
        return {self._command: shown([command]), self._status: queued(job), self._forecast: ""}
