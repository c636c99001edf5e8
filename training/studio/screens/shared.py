"""What all screens have: the folder, the queue, and commands that are run at once or put into the queue."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gradio as gr

from space.errors import UserError
from training.studio import forms
from training.studio.jobs import Job, Queue
from training.studio.workspace import Workspace

Command = Sequence[str]  # what stands behind the interpreter: "-m", "training", "sft", ...
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
HIDDEN: dict[str, Any] = QUIET | {"show_progress": "hidden"}
_SECONDS = 1800  # that a command which is waited for may take


@dataclass(frozen=True)
class Studio:
    workspace: Workspace
    queue: Queue

    def answer(self, command: Command, stdin: str = "") -> Any:
        """The JSON that a command prints, whole or as its last line. UserError with its own line if it fails."""
        try:
            done = subprocess.run(
                [sys.executable, *command], input=stdin, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise UserError(
                f"This took longer than {_SECONDS // 60} minutes and was ended: take fewer rows."
            ) from None
        lines = done.stderr.strip().splitlines()
        if done.returncode:
            raise UserError(lines[-1] if lines else f"The command ended with code {done.returncode}.")
        for text in (done.stdout, (done.stdout.strip().splitlines() or [""])[-1]):
            with suppress(ValueError):
                return json.loads(text)
        raise UserError("The command printed no result.")


def told(handler: Callable[..., Any], status: gr.components.Component | None = None) -> Callable[..., Any]:
    """A handler whose bad input becomes one line on the page; what stands in `status`, of an earlier one, goes."""

    @functools.wraps(handler)
    def answered(*args: Any) -> Any:
        try:
            return handler(*args)
        except UserError as error:
            # Not gr.Error, which would write "Error" over every component that the handler may change.
            gr.Warning(str(error), duration=None, title="Not done")
            return {status: ""} if status else gr.skip()

    return answered


def command_box() -> gr.Code:
    """Where the command of a screen is shown, to be copied, once there is one."""
    return gr.Code("", language="shell", label="The same on a command line", interactive=False, visible=False)


def shown(commands: Sequence[Command]) -> Any:
    """The update of such a box."""
    return gr.update(value=forms.shown(commands), visible=True)


def queued(job: Job) -> str:
    return f"**{job.title}** is in the queue as {job.id}: see *3 Runs*."
