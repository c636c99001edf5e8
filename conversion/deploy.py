"""This app on a Hugging Face Space: what it runs on of the last commit, its settings, and the wait until it runs.

    python -m conversion deploy user/name --dry_run

What is not committed stays here. No value of a secret is printed, and none is sent as a file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conversion import space_card, wheel
from conversion.hub import Repository, check_name, patiently
from feedback.dataset import Dataset
from feedback.hub_errors import HubError
from space import __version__
from space.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
# What `python space/app.py` reads, and what a repository shows. It imports nothing of training or conversion.
CONTENT = ("space", "feedback", "requirements.txt", "README.md", "LICENSE")
OF_THE_SPACE = (".gitattributes",)  # the Hub makes it: it says which files are stored as large ones
TOKEN = re.compile(rb"\bhf_[A-Za-z0-9]{30,}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

POLL_SECONDS = 5.0
# To build, of which compiling llama.cpp takes most, and to start.
WAIT_SECONDS = 3600.0
SETTLE_SECONDS = 60.0  # after a commit the Hub may still say how the revision before it does
LOG_LINES = 20
UNDER_WAY = {"BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING"}
FAILED = {"BUILD_ERROR", "RUNTIME_ERROR", "CONFIG_ERROR", "NO_APP_FILE"}


@dataclass(frozen=True)
class Settings:
    """What a Space is told: variables, which everybody may read, and secrets, which only the app may."""

    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    feedback_dataset: str = ""

    @classmethod
    def parse(cls, variables: Sequence[str], secrets: Sequence[str], feedback_dataset: str) -> Settings:
        """From NAME=VALUE, and names whose values are in the environment; UserError says what is wrong."""
        given = dict(_variable(text) for text in variables)
        if feedback_dataset:
            check_name(feedback_dataset)
            if "HF_TOKEN" not in secrets:
                raise UserError(
                    "--feedback_dataset needs --secret HF_TOKEN too: without a token that may write there the app does not start."
                )
            given["FEEDBACK_DATASET"] = feedback_dataset
        hidden = {name: _from_environment(name) for name in secrets}
        if both := sorted({*given} & {*hidden}):
            raise UserError(f"{both[0]} is both a variable and a secret: the Hub takes a name once.")
        return cls(given, hidden, feedback_dataset)


def _variable(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not NAME.fullmatch(name):
        raise UserError("--variable takes NAME=VALUE, e.g. --variable N_THREADS=2.")
    if TOKEN.search(value.encode()):
        raise UserError(
            f"The value of {name} looks like a token, and everybody may read variables: --secret {name}."
        )
    return name, value


def _from_environment(name: str) -> str:
    if not NAME.fullmatch(name):  # perhaps a token, so it is not repeated
        raise UserError(
            "--secret takes a name alone: the value comes from the environment variable of that name."
        )
    if not (value := os.environ.get(name, "").strip()):
        raise UserError(f"--secret {name}: the environment variable {name} is not set.")
    return value


# ---- what is sent ----


@contextmanager
def snapshot(root: Path) -> Iterator[tuple[Path, dict[str, Path], str]]:
    """A folder with what a Space needs, its files by their names there, and what it is a snapshot of.

    That is the last commit, or without git, as in an unpacked archive, the folder as it is.
    """
    if not (root / ".git").exists():
        yield root, _files(root), f"version {__version__}"
        return
    commit = _git(root, "rev-parse", "--short", "HEAD").strip()
    if changed := _git(root, "status", "--porcelain", "--", *CONTENT).splitlines():
        print(f"note: not committed, so not sent: {', '.join(line[3:] for line in changed)}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        archive, content = Path(folder, "archive.tar"), Path(folder, "content")
        _git(root, "archive", f"--output={archive}", "HEAD", "--", *CONTENT)
        shutil.unpack_archive(archive, content)
        yield content, _files(content), f"commit {commit}"


def _git(root: Path, *arguments: str) -> str:
    try:
        ran = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    except FileNotFoundError as error:
        raise UserError("git is not installed, and only it can say what the last commit holds.") from error
    if ran.returncode:
        said = ran.stderr.strip().splitlines()[-1:]
        raise UserError(f"There is no commit to deploy (git: {' '.join(said)}): git commit first.")
    return ran.stdout


def _files(folder: Path) -> dict[str, Path]:
    """The files to send; UserError if one of them holds what nobody should see."""
    found: dict[str, Path] = {}
    for path in sorted(path for name in CONTENT for path in [folder / name, *(folder / name).rglob("*")]):
        if path.is_file() and "__pycache__" not in path.parts:
            found[path.relative_to(folder).as_posix()] = path
    for name, path in found.items():
        if path.name.startswith(".env") or TOKEN.search(path.read_bytes()):
            raise UserError(
                f"{name} looks like it holds a token, so nothing is sent: take it out and commit."
            )
    return found


def _with_wheel(files: Mapping[str, Path], repo_id: str, folder: Path) -> dict[str, Path]:
    """The files with llama.cpp's wheel, and requirements, made in `folder`, that install it from the Space's own repository."""
    from huggingface_hub import hf_hub_url

    built = wheel.find(ROOT)
    name, requirements = f"{wheel.FOLDER}/{built.name}", folder / "requirements.txt"
    text = files["requirements.txt"].read_text(encoding="utf-8")
    requirements.write_text(wheel.requirements(text, built, hf_hub_url(repo_id, name, repo_type="space")))
    return {**files, "requirements.txt": requirements, name: built}


# ---- the Space ----


def deploy(repo_id: str, settings: Settings, *, private: bool = False, dry_run: bool = False) -> None:
    """Puts the last commit on a Space and waits until it runs; prints its addresses. UserError, HubError: one line."""
    check_name(repo_id)
    with snapshot(ROOT) as (folder, files, source), tempfile.TemporaryDirectory() as made:
        space_card.check(folder)
        sent = files if private else _with_wheel(files, repo_id, Path(made))
        if dry_run:
            return _list(repo_id, sent, source, settings)
        space = Repository(repo_id, "space")
        if settings.feedback_dataset:  # refused if public, before anything is sent
            dataset = Dataset(settings.feedback_dataset, settings.secrets["HF_TOKEN"])
            patiently(dataset.head)
        if not space.create(space_sdk="gradio", private=private or None):
            _refuse_another_app(space, files)
        if space.call(space.api.space_info).private:  # its builder could not fetch the wheel
            sent = files
            _note(
                "Llama.cpp is compiled in a private Space, for the machine that builds it: about 10 minutes."
            )
        _set(space, settings)
        revision, changed = space.commit(sent, f"Email proofreader, {source}", keep=OF_THE_SPACE)
    _note(f"{changed} files sent ({source})." if changed else f"Nothing to send: the Space holds {source}.")
    info = space.call(space.api.space_info)
    with suppress(KeyboardInterrupt):  # ends the waiting, and nothing on the Hub
        _wait(space, revision, settled=not changed)
    print(f"{space.api.endpoint}/spaces/{repo_id}")
    print(info.host or f"https://{re.sub('[^a-z0-9]+', '-', repo_id.lower())}.hf.space")


def _list(repo_id: str, files: Mapping[str, Path], source: str, settings: Settings) -> None:
    sizes = {name: path.stat().st_size for name, path in files.items()}
    for name, size in sizes.items():
        print(f"{size:>11,}  {name}")
    print(f"{sum(sizes.values()):>11,}  bytes in {len(sizes)} files of {source}, for the Space {repo_id}")
    for name, value in settings.variables.items():
        print(f"variable {name}={value}")
    for name in settings.secrets:
        print(f"secret {name}, from the environment")
    if settings.feedback_dataset:
        print(f"dataset {settings.feedback_dataset}, private, made if there is none")


def _refuse_another_app(space: Repository, files: Mapping[str, Path]) -> None:
    """A commit deletes what is not of this app: not where another one is."""
    held = {*space.held()}
    others = held - {*files, *OF_THE_SPACE}
    if others and "space/app.py" not in held:
        raise UserError(
            f"{space.named} holds another app ({min(others)}), which would be deleted: name another Space, or empty it first."
        )


def _set(space: Repository, settings: Settings) -> None:
    """Before the commit, so that the first start has them. Secrets cannot be read back, so they are set each time."""
    held = space.call(space.api.get_space_variables) if settings.variables else {}
    for name, value in settings.variables.items():
        if name not in held or held[name].value != value:
            space.call(space.api.add_space_variable, name, value)
            _note(f"Variable {name} is set.")
    for name, value in settings.secrets.items():
        space.call(space.api.add_space_secret, name, value)
        _note(f"Secret {name} is set.")


def _wait(space: Repository, revision: str, settled: bool) -> None:
    """Returns when the revision runs; HubError, after the last lines of its log, when it does not get there."""
    page = f"{space.api.endpoint}/spaces/{space.repo_id}"
    begin, before = time.monotonic(), ""
    while True:
        runtime = space.call(space.api.get_space_runtime)
        stage, seconds = runtime.stage, time.monotonic() - begin
        if stage != before:
            _note(f"{stage}, after {seconds:.0f} s")
        before = stage
        # Not every answer names the revision; a build that was begun is another stage.
        if stage not in UNDER_WAY and (
            settled or runtime.raw.get("sha") == revision or seconds > SETTLE_SECONDS
        ):
            if stage == "RUNNING":
                return None
            if stage == "SLEEPING":
                return _note("It sleeps, and wakes when somebody opens it.")
            if stage in FAILED:
                log = "build" if stage == "BUILD_ERROR" else "container"
                _print_log(space, build=log == "build")
                raise HubError(
                    f"{space.named} ended with {stage}{_reason(runtime.raw)}: see {page}?logs={log}.",
                    retry=False,
                )
            raise HubError(f"{space.named} is {stage}: restart it in {page}/settings.", retry=False)
        if seconds > WAIT_SECONDS:
            raise HubError(
                f"{space.named} is {stage} after {seconds / 60:.0f} minutes: see {page}?logs=build.",
                retry=False,
            )
        time.sleep(POLL_SECONDS)


def _reason(raw: Mapping[str, Any]) -> str:
    """What the Hub says of a failure, in brackets."""
    said = " ".join(str(raw.get("errorMessage") or "").split())
    return f" ({said[:300]})" if said else ""


def _print_log(space: Repository, build: bool) -> None:
    lines: deque[str] = deque(maxlen=LOG_LINES)
    with suppress(Exception):  # a log is a help: that it failed is said without it
        for text in space.api.fetch_space_logs(space.repo_id, build=build):
            lines.extend(text.splitlines())
    for line in lines:
        print(line, file=sys.stderr)


def _note(line: str) -> None:
    print(f"note: {line}", file=sys.stderr)
