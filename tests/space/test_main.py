"""The command line, as a shell uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def space(*arguments: str, text: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "space", *arguments], input=text, cwd=ROOT, capture_output=True,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_the_email_alone_is_on_stdout() -> None:
    ran = space("proofread", text=b"Hi Tom,\r\n\r\nI recieved it.\r\n")
    assert ran.stdout == b"Hi Tom,\r\n\r\nI received it.\r\n" and ran.stderr == b"" and ran.returncode == 0


def test_json_holds_offsets_and_scores() -> None:
    draft = "I recieved it. Thank you!"
    ran = space("proofread", "--json", text=draft.encode())
    value = json.loads(ran.stdout)
    assert value["changed"] and value["text"] == "I received it. Thank you!"
    assert all(draft[c["start"] : c["end"]] == c["before"] for c in value["changes"])
    assert sum(value["after"]["politeness"]["scores"].values()) == pytest.approx(1, abs=0.01)
    assert {"kept", "model", "timings", "before", "checks"} <= value.keys()


def test_checks_are_lines_on_stderr() -> None:
    data = b"Dear [NAME],\n\nAll is well.\n"
    ran = space("proofread", text=data, PYTHONIOENCODING="utf-8")
    assert (ran.stdout, ran.stderr.decode()) == (data, "“[NAME]” still has to be filled in.\n")


def test_lines_stay_in_order() -> None:
    ran = space(
        "proofread",
        "--lines",
        text=b"I recieved it.\n\nAll is well.\nDrei Worte sind es hier nicht\n",
    )
    assert ran.stdout.decode().split("\n") == [
        "I received it.",
        "",
        "All is well.",
        "Drei Worte sind es hier nicht",
        "",
    ]


def test_tone_lines() -> None:
    ran = space("tone", "--lines", text=b"Thank you so much!\nThis is awful.\n")
    first, second = map(json.loads, ran.stdout.splitlines())
    assert first["politeness"]["label"] == "polite" and second["sentiment"]["label"] == "negative"


def test_bytes_that_are_no_text_come_back() -> None:
    data = b"A caf\xe9 here, \xff\xfe and there.\n"
    assert space("proofread", text=data).stdout == data


@pytest.mark.parametrize(
    ("arguments", "environment", "line"),
    [
        (("proofread", "--model", "nowhere.gguf"), {}, "no such model file"),
        (("proofread",), {"N_CTX": "many"}, "N_CTX=many"),
        (("serve",), {"PORT": "99999999"}, "PORT=99999999"),
        (("proofread",), {"MODELS_DIR": "/nowhere"}, "/nowhere: there are no models here; unset MODELS_DIR"),
        (("tone",), {"MODELS_DIR": "/etc/passwd"}, "/etc/passwd: there are no models here; unset MODELS_DIR"),
        (("proofread",), {"MODEL": "team/none"}, "team/none: the Hub is not asked, as HF_HUB_OFFLINE is set"),
    ],
)
def test_bad_settings_are_one_line(
    arguments: tuple[str, ...], environment: dict[str, str], line: str
) -> None:
    ran = space(*arguments, text=b"Hi.", **environment)
    assert ran.returncode == 2 and ran.stderr.decode().count("\n") == 1 and line in ran.stderr.decode()


@pytest.mark.parametrize("command", ["proofread", "tone", "doctor"])
def test_an_empty_folder_of_models_is_one_line(command: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = space(command, text=b"Hi.", MODELS_DIR=str(empty))
    lines = [line for line in (ran.stdout + ran.stderr).decode().splitlines() if str(empty) in line]
    assert [line for line in lines if not line.startswith("MODELS_DIR=")] == [
        "problem: " * (command == "doctor")
        + f"{empty}: there are no models here; unset MODELS_DIR, or take the repository's own again: git checkout -- space/models"
    ]
    assert ran.returncode == (1 if command == "doctor" else 2)


def test_an_unknown_mode_is_refused() -> None:
    assert space("proofread", "--mode", "shout").returncode == 2
