"""What runs, what waits and what has ended: curves, answers of now, log; stop and resume."""

from __future__ import annotations

import signal
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from space.errors import UserError
from training.studio import views
from training.studio.jobs import Job
from training.studio.screens.shared import HIDDEN, QUIET, Studio, command_box, shown, told

_EVERY = 2  # seconds between looks at the folder
_Seen = tuple[str, list[tuple[str, str]]]  # all that was shown, and the jobs to choose from
_LOSSES = {"loss": "training", "eval_loss": "held out"}
_OTHERS = {
    "learning_rate": "learning rate",
    views.SPEED: "tokens/s",
    "memory_gb": "memory, GB",
    "grad_norm": "gradient norm",
}


class Screen:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        timer = gr.Timer(_EVERY)
        self._jobs = gr.Dataframe(
            headers=["number", "what", "how it is", "since (UTC)"], value=[], interactive=False, label="Queue: one at a time, the newest on top"
        )  # fmt: skip
        with gr.Row():
            self._job = gr.Dropdown(
                [], value=None, label="job", info="whose figures are shown; without, the one that runs"
            )
            stop = gr.Button("Stop (a checkpoint is saved)", variant="stop")
            resume = gr.Button("Resume")
        self._status = gr.HTML("")
        with gr.Row():
            self._loss = gr.LinePlot(
                x="step",
                y="value",
                color="line",
                title="Loss",
                y_title="nats per token",
                height=260,
                visible=False,
            )
            self._other = gr.LinePlot(x="step", y="value", title="", height=260, visible=False)
        self._which = gr.Dropdown(
            [(title, name) for name, title in _OTHERS.items()], value="learning_rate", label="second picture"
        )
        self._samples = gr.HTML("")
        with gr.Accordion("Commands and log", open=False):
            self._command = command_box()
            self._log = gr.Textbox(
                "", label="log", lines=12, max_lines=12, interactive=False, autoscroll=True
            )
        self._last = gr.State(None)
        self.listed = [self._jobs, self._job]
        self.fields = {"second picture": self._which}
        outputs = [
            self._jobs,
            self._job,
            self._status,
            self._loss,
            self._other,
            self._samples,
            self._command,
            self._log,
            self._last,
        ]
        asked = [self._job, self._which, self._last]
        timer.tick(self._look, asked, outputs, **HIDDEN)
        for each in (self._job, self._which):
            each.change(self._look, asked, outputs, **HIDDEN)
        stop.click(told(self._stop), self._job, self._status, **QUIET)
        resume.click(told(self._resume), self._job, self._status, **QUIET)

    def refreshed(self) -> list[Any]:
        found = self._studio.queue.jobs()
        return [views.jobs(found), gr.update(choices=self._choices(found))]

    def _choices(self, found: list[Job]) -> list[tuple[str, str]]:
        return [(f"{job.id} {job.title}", job.id) for job in found]

    def _shown(self, chosen: str | None) -> Job | None:
        """The chosen job, or the one that runs, or the newest."""
        found = self._studio.queue.jobs()
        picked = (
            [job for job in found if job.id == chosen]
            or [job for job in found if job.status == "running"]
            or found
        )
        return picked[0] if picked else None

    def _needed(self, chosen: str | None) -> Job:
        job = self._shown(chosen)
        if job is None:
            raise UserError("Nothing was started yet: see 2 Experiment.")
        return job

    # ---- events ----

    def _look(self, chosen: str | None, which: str, last: _Seen | None) -> dict[Any, Any]:
        """What has changed since the last look: a page on which nothing changes does not flicker, and what is typed into the
        list of jobs stays while the list is the same."""
        found, job = self._studio.queue.jobs(), self._shown(chosen)
        if job is None:
            return {self._last: None}
        folder, log = Path(job.folder), self._studio.queue.log(job.id)
        problem = self._studio.queue.problem
        if job.status in ("failed", "interrupted") and self._studio.workspace.is_full():
            problem = f"The disk of {self._studio.workspace.folder} is full: make room, then press Resume."
        now = repr((found, job, which, len(log), log[-200:], _size(folder / "log.jsonl"), problem))
        choices = self._choices(found)
        if last and now == last[0]:
            return {self._last: last}
        is_run = bool(job.folder) and (folder / "log.jsonl").is_file()
        share, words = views.progress(folder) if is_run else (0.0, "")
        other = views.points(folder, {which: _OTHERS[which]}) if is_run else None
        listed = {} if last and choices == last[1] else {self._job: gr.update(choices=choices)}
        return listed | {
            self._jobs: views.jobs(found),
            self._status: _line(job, share, words, log, problem),
            self._loss: gr.update(value=views.points(folder, _LOSSES) if is_run else None, visible=is_run),
            self._other: gr.update(
                value=other, title=_OTHERS[which], visible=other is not None and len(other) > 0
            ),
            self._samples: views.samples(folder) if is_run else "",
            self._command: shown(job.commands),
            self._log: log,
            self._last: (now, choices),
        }

    def _stop(self, chosen: str | None) -> str:
        job = self._needed(chosen)
        self._studio.queue.stop(job.id)
        return (
            f"<p>{escape(job.title)} is asked to stop; it saves first. Asked again it is ended at once.</p>"
        )

    def _resume(self, chosen: str | None) -> str:
        job = self._studio.queue.resume(self._needed(chosen).id)
        return f"<p>{escape(job.title)} is in the queue again as {job.id}.</p>"


def _line(job: Job, share: float, words: str, log: str, problem: str | None) -> str:
    printed = log.strip().splitlines()
    said = words or (printed or [""])[-1]
    if job.status in ("failed", "interrupted"):  # the last line says why
        said = (printed or [f"It ended with code {job.returncode}."])[-1]
        if job.returncode == -signal.SIGKILL:
            said = "Its process was killed, as the system does when memory runs out: try a smaller model or smaller batches."
    said = problem or said
    step = f" ({job.position + 1} of {len(job.commands)})" if len(job.commands) > 1 else ""
    return (
        f'<p class="st-status" role="status">{escape(job.title)}{step}: {escape(views.SAID.get(job.status, job.status))}. {escape(said[:300])}</p>'
        + (views.bar(share) if job.status == "running" and share else "")
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
