"""Rows to learn from: which files, which columns, what is left out, how long they are, and what they share with evaluation sets."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from matplotlib.image import imread

from space.errors import UserError
from training.studio import forms, views
from training.studio.controls import controls, values
from training.studio.screens.shared import QUIET, Studio, command_box, queued, shown, told
from training.studio.workspace import DATA

_GROUPS = ("data", "held-out rows", "selection of rows")
_CHOSEN = (
    "dataset",
    "validation",
    "task",
    "mixture_weights",
    "input_column",
    "output_column",
)  # placed by hand
_FROM_FILE = "from the file"  # a column that is found by its name


class Screen:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        fields = {field.name: field for field in forms.fields("sft") if field.group in _GROUPS}
        listed = studio.workspace.data_sets()
        gr.Markdown(
            "Choose files of rows (CSV, JSON lines, Parquet), Hub data sets, or what users of the proofreader sent in."
        )
        with gr.Row():
            self.dataset = gr.Dropdown(
                listed, value=[], multiselect=True, allow_custom_value=True, label="dataset", scale=3,
                info="files in the folder of the studio, or Hub repo ids; several are mixed",
            )  # fmt: skip
            with gr.Column(scale=1, min_width=200):
                self._upload = gr.UploadButton("Open a file", file_count="single")
                self._feedback = gr.Button("Take in the feedback")
        with gr.Row():
            self.task = gr.Dropdown(
                list(fields["task"].choices), value="proofread", label="task", info=fields["task"].help
            )
            self.input = gr.Dropdown(
                [], value=[], multiselect=True, allow_custom_value=True, label="input_column",
                info="the draft or the question; guessed if you name none",
            )  # fmt: skip
            self.output = gr.Dropdown(
                [_FROM_FILE],
                value=_FROM_FILE,
                allow_custom_value=True,
                label="output_column",
                info="the text to learn",
            )
            self.base = gr.Dropdown(
                studio.workspace.bases(), value=None, allow_custom_value=True, label="model",
                info="whose tokens are counted: a folder or a Hub repo id; may stay empty",
            )  # fmt: skip
        with gr.Accordion("Mixture, held-out rows, selection", open=False):
            self.weights = gr.Textbox(
                "", label="mixture_weights", info="a share for each data set, such as 2 1"
            )
            self.validation = gr.Dropdown(
                [None, *listed], value=None, allow_custom_value=True, label="validation",
                info="own rows to be held out; without, a share of the others",
            )  # fmt: skip
            self.more = controls(
                field for name, field in fields.items() if name not in (*_CHOSEN, "tagger", "split", "validation_split")
            )  # fmt: skip
            self.against = gr.Dropdown(
                listed, value=[], multiselect=True, allow_custom_value=True, label="against",
                info="evaluation sets: rows that share eight words in a row with one of their texts are listed",
            )  # fmt: skip
        look = gr.Button("Look at the rows", variant="primary")
        self._command = command_box()
        self._status = gr.Markdown("", elem_classes="st-status")
        with gr.Row():
            self._lengths = gr.Image(
                label="Tokens of the training rows",
                visible=False,
                interactive=False,
                buttons=["fullscreen"],
                min_width=320,
            )
            self._dropped = gr.HTML("")
        self._preview = gr.Dataframe(
            headers=["prompt", "completion"],
            visible=False,
            label="The first rows",
            wrap=True,
            interactive=False,
        )
        self._doubles = gr.HTML("")

        asked = {self.dataset, self.task, self.input, self.output, self.base, self.weights, self.validation, self.against,
                 *self.more.values()}  # fmt: skip
        self.inputs = asked - {self.against}
        self.fields = {
            "dataset": self.dataset, "task": self.task, "input_column": self.input, "output_column": self.output,
            "model": self.base, "mixture_weights": self.weights, "validation": self.validation, "against": self.against,
            **self.more,
        }  # fmt: skip
        outputs = [
            self._command,
            self._status,
            self._lengths,
            self._dropped,
            self._preview,
            self._doubles,
            self.input,
            self.output,
        ]
        look.click(told(self._look, self._status), asked, outputs, **QUIET | {"show_progress": "full"})
        self._upload.upload(
            told(self._take_in),
            [self._upload, self.dataset],
            [self.dataset, self.validation, self.against],
            **QUIET,
        )
        self._feedback.click(told(self._export, self._status), None, [self._command, self._status], **QUIET)
        self.listed = [self.dataset, self.validation, self.against, self.base]

    # ---- for other screens ----

    def chosen(self, found: Mapping[Any, Any]) -> dict[str, Any]:
        """The options of the rows as they stand; UserError where something is missing."""
        source, output = self._studio.workspace.source, found[self.output]
        if not found[self.dataset]:
            raise UserError("Choose the rows first, on the screen 1 Data.")
        return values(found, self.more) | {
            "dataset": [source(each) for each in found[self.dataset]],
            "task": found[self.task],
            "input_column": found[self.input],
            "output_column": "" if output == _FROM_FILE else output,
            "mixture_weights": "\n".join(found[self.weights].split()),
            "validation": found[self.validation] and source(found[self.validation]),
        }

    def refreshed(self) -> list[Any]:
        sets, bases = self._studio.workspace.data_sets(), self._studio.workspace.bases()
        return [
            gr.update(choices=sets),
            gr.update(choices=[None, *sets]),
            gr.update(choices=sets),
            gr.update(choices=bases),
        ]

    # ---- events ----

    def _take_in(self, path: str, chosen: list[str]) -> list[Any]:
        name = self._studio.workspace.take_in(Path(path))
        sets = self._studio.workspace.data_sets()
        return [
            gr.update(choices=sets, value=[*chosen, name]),
            gr.update(choices=[None, *sets]),
            gr.update(choices=sets),
        ]

    def _export(self) -> list[Any]:
        target = self._studio.workspace.folder / DATA / "feedback"
        commands = [("-m", "feedback", "export", "--output", str(target))]
        return [shown(commands), queued(self._studio.queue.add("Feedback as rows", commands))]

    def _look(self, found: Mapping[Any, Any]) -> dict[Any, Any]:
        source = self._studio.workspace.source
        options = self.chosen(found) | {"against": [source(each) for each in found[self.against]]}
        command = forms.command("inspect", options | {"model": found[self.base] and source(found[self.base])})
        # Lengths are in tokens, and those are a model's.
        with tempfile.TemporaryDirectory(prefix="studio-") as folder:
            picture = Path(folder) / "lengths.png"
            report = self._studio.answer([*command, *([f"--picture={picture}"] if found[self.base] else [])])
            # Its pixels, not its path: Gradio would have to be allowed to serve the folder that a path is in.
            drawn = (255 * imread(picture)).astype("uint8") if picture.is_file() else None
        columns = report["columns"]
        return {
            self._command: shown([command]),
            self._status: views.rows_line(report),
            self._lengths: gr.update(value=drawn, visible=drawn is not None),
            self._dropped: views.dropped(report),
            self._preview: gr.update(value=views.preview(report), visible=True),
            self._doubles: views.doubles(report),
            self.input: gr.update(choices=columns),
            self.output: gr.update(choices=[_FROM_FILE, *columns]),
        }
