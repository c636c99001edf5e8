"""Runs and models side by side: settings that differ, curves, scores with verdicts, texts that gain and lose most."""

from __future__ import annotations

from typing import Any

import gradio as gr

from space.errors import UserError
from training.evaluation.evaluate import SUITES
from training.studio import forms, views
from training.studio.screens.shared import HIDDEN, QUIET, Studio, command_box, queued, shown, told

FOLDER = "compare"  # where comparisons are kept, a folder each
_SERVED = "proofreader"
_EVERY = 3  # seconds


class Screen:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        gr.Markdown("### Runs\nWhat was set otherwise, how the losses went, scores, minutes and cost.")
        self._runs = gr.Dropdown(
            studio.workspace.runs(), value=[], multiselect=True, label="runs", info="two or more"
        )
        compare = gr.Button("Compare the runs", variant="primary")
        gr.Markdown(
            "### Models\nMeasured on the same texts: better, worse or undecided, by a paired bootstrap interval. Suites with an own list "
            "need no file."
        )
        with gr.Row():
            self._models = gr.Dropdown(
                self._known(),
                value=[_SERVED],
                multiselect=True,
                allow_custom_value=True,
                label="models",
                info="the served one and files of the studio",
            )
            self._suites = gr.Dropdown(list(SUITES), value=["sentences"], multiselect=True, label="suites")
            self._texts = gr.Dropdown(
                [None, *studio.workspace.data_sets()],
                value=None,
                allow_custom_value=True,
                label="data",
                info="texts for suites without an own list",
            )
            self._limit = gr.Textbox("", label="limit", info="only so many texts; empty for all")
        with gr.Row():
            self._url = gr.Textbox(
                "",
                label="url",
                min_width=320,
                info="of a language model that judges two models, such as http://127.0.0.1:8000/v1: the texts go there; its key is taken from ENGINE_API_KEY",
            )
            self._judge_model = gr.Textbox(
                "",
                label="judge_model",
                info="as that server calls it; may stay empty where it serves one alone",
            )
        with gr.Row():
            measure = gr.Button("Measure the models", variant="primary")
            judge = gr.Button("Have two of them judged")
        self._command = command_box()
        self._status = gr.Markdown("", elem_classes="st-status")
        self._judgement = gr.HTML("")
        self._page = gr.Dropdown(
            self._pages(), value=None, label="comparison", info="that was made; the newest on top"
        )
        self._shown = gr.HTML("")
        told_of = [self._command, self._status]
        compare.click(
            told(self._compare, self._status),
            self._runs,
            [*told_of, self._page, self._shown],
            **QUIET | {"show_progress": "full"},
        )
        asked = [self._models, self._suites, self._texts, self._limit]
        measure.click(told(self._measure, self._status), asked, told_of, **QUIET)
        asked = [self._models, self._texts, self._limit, self._url, self._judge_model]
        judge.click(told(self._judge, self._status), asked, told_of, **QUIET)
        timer, seen = gr.Timer(_EVERY), gr.State("")
        timer.tick(self._look_at_judge, seen, [self._judgement, seen], **HIDDEN)
        self._page.change(told(self._look), self._page, self._shown, **QUIET)
        self.listed = [self._runs, self._models, self._texts, self._page]
        # Without the url, which may hold a password.
        self.fields = {
            "runs": self._runs, "models": self._models, "suites": self._suites, "data": self._texts, "limit": self._limit,
            "judge_model": self._judge_model,
        }  # fmt: skip

    def refreshed(self) -> list[Any]:
        workspace = self._studio.workspace
        lists = (workspace.runs(), self._known(), [None, *workspace.data_sets()], self._pages())
        return [gr.update(choices=each) for each in lists]

    def _known(self) -> list[str]:
        return [_SERVED, *self._studio.workspace.models()]

    def _pages(self) -> list[str]:
        found = (self._studio.workspace.folder / FOLDER).glob("*/compare.html")
        return [path.parent.name for path in sorted(found, key=lambda path: -path.stat().st_mtime)]

    def _new(self) -> str:
        """The name of the next comparison."""
        taken = [int(name) for name in self._pages() if name.isdigit()]
        queued_too = sum(job.status in ("queued", "running") for job in self._studio.queue.jobs())
        return f"{max(taken, default=0) + queued_too + 1:03d}"

    # ---- events ----

    def _compare(self, runs: list[str]) -> list[Any]:
        if len(runs) < 2:
            raise UserError("Choose two runs or more.")
        workspace, name = self._studio.workspace, self._new()
        values = {
            "folders": [str(workspace.path(run)) for run in runs],
            "output_dir": str(workspace.folder / FOLDER / name),
        }
        command = forms.command("compare", values)
        self._studio.answer(command)
        return [shown([command]), "", gr.update(choices=self._pages(), value=name), self._look(name)]

    def _measure(self, models: list[str], suites: list[str], texts: str | None, limit: str) -> list[Any]:
        if not models or not suites:
            raise UserError("Choose a model and a suite at least.")
        workspace = self._studio.workspace
        values = {
            "suite": suites, "model": [workspace.source(model) for model in models], "samples": 5, "limit": limit,
            "data": texts and workspace.source(texts), "output_dir": str(workspace.folder / FOLDER / self._new()),
        }  # fmt: skip
        command = forms.command("compare", values)
        return [shown([command]), queued(self._studio.queue.add(f"Measure {', '.join(models)}", [command]))]

    def _judge(self, models: list[str], texts: str | None, limit: str, url: str, name: str) -> list[Any]:
        if len(models) != 2 or not texts or not url.strip():
            raise UserError("A judge needs two models, texts under data, and the url of a language model.")
        if not url.strip().startswith(("http://", "https://")):
            raise UserError(f"url: {url.strip()!r} is no address: give one such as http://127.0.0.1:8000/v1")
        if "@" in url:
            raise UserError(
                "The command is shown and stored: start the studio with the key in ENGINE_API_KEY, and give the url without it."
            )
        source = self._studio.workspace.source
        values = {
            "model": [source(each) for each in models],
            "data": source(texts),
            "limit": limit,
            "url": url.strip(),
            "judge_model": name.strip(),
        }
        command = forms.command("judge", values)
        return [shown([command]), queued(self._studio.queue.add(f"Judge {' and '.join(models)}", [command]))]

    def _look_at_judge(self, seen: str) -> list[Any]:
        """What became of the job that had models judged last."""
        queue = self._studio.queue
        job = next((job for job in queue.jobs() if "judge" in job.commands[0]), None)
        said = views.judged(job, queue.output(job.id), queue.log(job.id)) if job else ""
        return [gr.skip(), seen] if said == seen else [said, said]

    def _look(self, name: str | None) -> str:
        return views.comparison(self._studio.workspace.path(f"{FOLDER}/{name}/compare.html")) if name else ""
