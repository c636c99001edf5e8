"""A search for settings: halving, random draws or one at a time; how its rungs fill up, and the winner as a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from space.errors import UserError
from training.finetune.search import METHODS, RANKED
from training.studio import forms, views
from training.studio.screens import data, experiment
from training.studio.screens.shared import HIDDEN, QUIET, Studio, command_box, queued, shown, told

_EVERY = 3  # seconds


class Screen:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        shipped = studio.workspace.recipes()
        gr.Markdown(
            "Every trial of a rung reads as many tokens as the others; the better half goes on to the next. Rows and model are those "
            "of *1 Data* and *2 Experiment*."
        )
        with gr.Row():
            self._name = gr.Textbox("", label="name", info="of the search and of its folder")
            self._method = gr.Dropdown(
                list(METHODS),
                value="halving",
                label="method",
                info="halving compares recipes; random draws from ranges; factor changes one option at a time",
            )
            self._recipes = gr.Dropdown(
                shipped,
                value=[],
                multiselect=True,
                label="recipes",
                info="of halving: the trials (six if you name none); else one, to start from",
            )
        with gr.Row():
            self._vary = gr.Textbox(
                "", lines=3, label="vary", info="a line each: lora_r=4,8,16 or learning_rate=1e-5:1e-3:log"
            )
            self._rungs = gr.Textbox(
                "80 160",
                label="rungs",
                info="steps of the first trial; as many tokens for each of the others",
            )
            self._trials = gr.Number(8, precision=0, label="trials", info="random draws")
            self._rank = gr.Dropdown(
                list(RANKED),
                value=["loss"],
                multiselect=True,
                label="rank_by",
                info="held-out loss; GLEU; clean texts changed",
            )
        start = gr.Button("Start the search", variant="primary")
        self._command = command_box()
        self._status = gr.Markdown("", elem_classes="st-status")
        self._shown = gr.Dropdown(
            studio.workspace.searches(), value=None, label="search", info="whose rungs are shown"
        )
        self._rungs_html = gr.HTML("")
        self._button = start
        self.fields = {
            "name": self._name, "method": self._method, "recipes": self._recipes, "vary": self._vary, "rungs": self._rungs,
            "trials": self._trials, "rank_by": self._rank, "search": self._shown,
        }  # fmt: skip
        self.listed = [self._recipes, self._shown]
        timer = gr.Timer(_EVERY)
        for event in (timer.tick, self._shown.change):
            event(self._look, self._shown, self._rungs_html, **HIDDEN)

    def connect(self, rows: data.Screen, trained: experiment.Screen) -> None:
        self._rows, self._model = rows, trained.model
        asked = {
            self._name,
            self._method,
            self._recipes,
            self._vary,
            self._rungs,
            self._trials,
            self._rank,
            trained.model,
            *rows.inputs,
        }
        outputs = [self._command, self._status, self._shown]
        self._button.click(told(self._start, self._status), asked, outputs, **QUIET)

    def refreshed(self) -> list[Any]:
        workspace = self._studio.workspace
        return [gr.update(choices=workspace.recipes()), gr.update(choices=workspace.searches())]

    def _start(self, found: Mapping[Any, Any]) -> dict[Any, Any]:
        workspace = self._studio.workspace
        if not found[self._model]:
            raise UserError("Choose the model first, on the screen 2 Experiment.")
        folder = workspace.path(found[self._name])
        options = self._rows.chosen(found) | {
            "model": workspace.source(found[self._model]), "output_dir": str(folder), "method": found[self._method],
            "recipes": [workspace.recipe(name) for name in found[self._recipes]],
            "vary": found[self._vary], "rungs": "\n".join(found[self._rungs].split()), "rank_by": found[self._rank],
            "trials": found[self._trials],
        }  # fmt: skip
        command = forms.command("search", options)
        job = self._studio.queue.add(f"Search {found[self._name]}", [command], str(folder))
        shown_now = gr.update(choices=[*workspace.searches(), found[self._name]], value=found[self._name])
        return {self._command: shown([command]), self._status: queued(job), self._shown: shown_now}

    def _look(self, name: str | None) -> str:
        return views.rungs(self._studio.workspace.path(name)) if name else ""
