"""From a finished run, or from feedback, to a file that is measured, tried on an email, and put where it is served."""

from __future__ import annotations

from typing import Any

import gradio as gr

from space.errors import UserError
from training.studio import forms, views
from training.studio.screens.shared import HIDDEN, QUIET, Studio, command_box, queued, shown, told

_SERVED = "proofreader"
_TYPES = ("Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "F16")
_EMAIL = "Hi Tom,\n\nI has recieved you're mail on monday. Could you sent it again?\n\nBest regards,\nAnna\n"
_EVERY = 3  # seconds


class Screen:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        workspace = studio.workspace
        gr.Markdown(
            "### A finished run\nMerged, converted, quantised, verified, then measured against the model that is served."
        )
        with gr.Row():
            self._run = gr.Dropdown(
                workspace.fine_tunes(), value=None, label="run", info="with an adapter at its end"
            )
            self._base = gr.Dropdown(
                workspace.bases(),
                value=None,
                allow_custom_value=True,
                label="base",
                info="what it was trained on; empty: as its record says",
            )
            self._type = gr.Dropdown(
                list(_TYPES),
                value="Q8_0",
                label="type",
                info="of the file: smaller ones are faster and say a little less well",
            )
            self._limit = gr.Textbox(
                "", label="limit", info="only so many texts of each suite; empty for all"
            )
        with gr.Row():
            build = gr.Button("Build and measure", variant="primary")
            place = gr.Button("Put it in place, if it is not worse")
            back = gr.Button("Put the old one back", variant="stop")
        gr.Markdown(
            "### Feedback\nWhat users sent in becomes rows, the rows a model, which is put in place only if it is better."
        )
        with gr.Row():
            self._name = gr.Textbox(
                "", label="name", info="of the folder of all steps; the same name goes on with it"
            )
            self._dataset = gr.Textbox(
                "",
                label="dataset",
                info="owner/name on the Hub; empty: FEEDBACK_DATASET, else the journal on this machine",
            )
            retrain = gr.Button("Retrain from feedback")
        self._command = command_box()
        self._status = gr.Markdown("", elem_classes="st-status")
        self._job = gr.Dropdown([], value=None, label="result", info="of what was built or retrained")
        self._result = gr.HTML("")
        gr.Markdown("### Try it\nThe same email by two models.")
        with gr.Row():
            self._first = gr.Dropdown(self._known(), value=_SERVED, allow_custom_value=True, label="first")
            self._second = gr.Dropdown(self._known(), value=None, allow_custom_value=True, label="second")
        self._email = gr.Textbox(_EMAIL, lines=6, label="email")
        tried = gr.Button("Proofread by both")
        self._both = gr.HTML("")
        gr.Markdown(
            "### The Hub\nWith a token in HF_TOKEN that may write there. A dry run makes the files and lists them."
        )
        with gr.Row():
            self._repo = gr.Textbox("", label="repo_id", info="owner/name of the model, or of the Space")
            self._tag = gr.Textbox("", label="tag", info="of the revision, such as v1")
            self._license = gr.Textbox(
                "",
                label="license",
                info="as the Hub calls it, such as apache-2.0; empty: as the base's card says",
            )
            self._public = gr.Checkbox(False, label="public", info="all may read it", min_width=120)
            self._dry = gr.Checkbox(True, label="dry_run", info="upload nothing", min_width=120)
            publish = gr.Button("Publish the run")
            deploy = gr.Button("Deploy the app")

        told_of = [self._command, self._status]
        built = [self._run, self._base, self._type, self._limit]
        build.click(told(self._build, self._status), built, told_of, **QUIET)
        place.click(told(self._place, self._status), built, told_of, **QUIET)
        back.click(told(self._back, self._status), None, told_of, **QUIET)
        retrain.click(
            told(self._retrain, self._status),
            [self._name, self._base, self._type, self._dataset],
            told_of,
            **QUIET,
        )
        publish.click(
            told(self._publish, self._status),
            [self._run, self._base, self._repo, self._tag, self._license, self._public, self._dry],
            told_of,
            **QUIET,
        )
        deploy.click(told(self._deploy, self._status), [self._repo, self._dry], told_of, **QUIET)
        tried.click(
            told(self._try),
            [self._first, self._second, self._email],
            [self._both, self._command],
            **QUIET | {"show_progress": "full"},
        )
        timer, seen = gr.Timer(_EVERY), gr.State(None)
        for event in (timer.tick, self._job.change):
            event(self._look, [self._job, seen], [self._job, self._result, seen], **HIDDEN)
        self.listed = [self._run, self._base, self._first, self._second]
        self.fields = {
            "run": self._run, "base": self._base, "type": self._type, "limit": self._limit, "name": self._name,
            "dataset": self._dataset, "first": self._first, "second": self._second, "repo_id": self._repo,
            "tag": self._tag, "license": self._license,
        }  # fmt: skip

    def refreshed(self) -> list[Any]:
        workspace = self._studio.workspace
        lists = (workspace.fine_tunes(), workspace.bases(), self._known(), self._known())
        return [gr.update(choices=each) for each in lists]

    def _known(self) -> list[str]:
        return [_SERVED, *self._studio.workspace.models()]

    # ---- events ----

    def _options(self, run: str | None, base: str | None) -> dict[str, Any]:
        if not run:
            raise UserError("Choose the run to release.")
        source = self._studio.workspace.source
        return {"run_folder": source(run), "base": base and source(base)}

    def _released(self, run: str | None, base: str | None, kind: str, limit: str, replace: bool) -> list[Any]:
        out = str(self._studio.workspace.path(f"release/{run}"))
        values = self._options(run, base) | {"out": out, "type": kind, "limit": limit, "replace": replace}
        command = forms.command("release", values)
        title = f"Put {run} in place" if replace else f"Release of {run}"
        return [shown([command]), queued(self._studio.queue.add(title, [command]))]

    def _build(self, run: str | None, base: str | None, kind: str, limit: str) -> list[Any]:
        return self._released(run, base, kind, limit, replace=False)

    def _place(self, run: str | None, base: str | None, kind: str, limit: str) -> list[Any]:
        return self._released(run, base, kind, limit, replace=True)

    def _back(self) -> list[Any]:
        command = ("-m", "training", "release", "--roll_back")
        return [shown([command]), queued(self._studio.queue.add("Put the old model back", [command]))]

    def _retrain(self, name: str, base: str | None, kind: str, dataset: str) -> list[Any]:
        if not base:
            raise UserError(
                "Choose the base above: the folder that the served model was taken apart into (python -m training base)."
            )
        workspace = self._studio.workspace
        values = {
            "base": workspace.source(base),
            "output_dir": str(workspace.path(name)),
            "type": kind,
            "dataset": dataset.strip(),
        }
        command = forms.command("retrain", values)
        return [
            shown([command]),
            queued(self._studio.queue.add(f"Retrain {name}", [command], str(workspace.path(name)))),
        ]

    def _publish(
        self, run: str | None, base: str | None, repo: str, tag: str, license_: str, public: bool, dry: bool
    ) -> list[Any]:
        options = self._options(run, base)
        command = ["-m", "conversion", "publish", options["run_folder"], f"--repo_id={_repo(repo)}"]
        command += [f"--out={self._studio.workspace.path(f'publish/{run}')}"]
        command += [f"--base={options['base']}"] if options["base"] else []
        command += [f"--tag={tag.strip()}"] if tag.strip() else []
        command += [f"--license={license_.strip()}"] if license_.strip() else []
        command += [*(["--public"] if public else []), *(["--dry_run"] if dry else [])]
        return [shown([command]), queued(self._studio.queue.add(f"Publish {run}", [command]))]

    def _deploy(self, repo: str, dry: bool) -> list[Any]:
        command = ["-m", "conversion", "deploy", _repo(repo), *(["--dry_run"] if dry else [])]
        return [shown([command]), queued(self._studio.queue.add(f"Deploy to {repo}", [command]))]

    def _try(self, first: str, second: str | None, email: str) -> list[Any]:
        if not email.strip() or not second:
            raise UserError("Choose two models and give an email.")
        commands = [
            ["-m", "space", "proofread", "--json", f"--model={self._studio.workspace.source(name)}"]
            for name in (first, second)
        ]
        answers = {
            name: self._studio.answer(command, email)
            for name, command in zip((first, second), commands, strict=True)
        }
        return [views.side_by_side(email, answers), shown(commands)]

    def _look(self, chosen: str | None, seen: Any) -> list[Any]:
        """The list of jobs only when it is another than the page has: what is typed into it would be lost."""
        made = [
            job
            for job in self._studio.queue.jobs()
            if "release" in job.commands[0] or "retrain" in job.commands[0]
        ]
        job = next((job for job in made if job.id == chosen), made[0] if made else None)
        result = self._studio.queue.output(job.id) if job and job.status == "done" else None
        choices = [(f"{each.id} {each.title}", each.id) for each in made]
        result_now = views.released(job, result) if job else ""
        if seen == (choices, result_now):
            return [gr.skip()] * 3
        listed = gr.skip() if seen and seen[0] == choices else gr.update(choices=choices)
        return [listed, result_now, (choices, result_now)]


def _repo(name: str) -> str:
    name = name.strip()
    if name.count("/") != 1 or name.startswith("-"):
        raise UserError("Give the Hub's name for it under repo_id, as owner/name.")
    return name
