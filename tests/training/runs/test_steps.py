"""Steps: done once, gone on with, begun again with other inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from training.runs.steps import Steps, fingerprint


def test_a_stage_is_done_once_goes_on_and_begins_again_with_other_inputs(tmp_path: Path) -> None:
    steps = Steps(tmp_path)

    def work(folder: Path) -> dict[str, Any]:
        marks = folder / "marks"
        marks.write_text((marks.read_text() if marks.exists() else "") + "x")
        if stop:
            raise KeyboardInterrupt
        return {"marks": marks.read_text()}

    stop = True
    with pytest.raises(KeyboardInterrupt):
        steps.run("a", {"data": 1}, work)
    stop = False
    assert steps.run("a", {"data": 1}, work) == {"marks": "xx"}  # it went on in its folder
    assert steps.run("a", {"data": 1}, work) == {"marks": "xx"}  # it was not run again
    (tmp_path / "a.json").write_text('{"inputs": ')  # torn
    assert steps.run("a", {"data": 1}, work) == {"marks": "x"}
    assert steps.run("a", {"data": 2}, work) == {"marks": "x"}


@pytest.mark.slow
def test_a_stage_whose_folder_was_moved_begins_again(tmp_path: Path) -> None:
    def work(folder: Path) -> dict[str, Any]:
        (folder / "result").write_text("")
        return {"file": str(folder / "result")}

    Steps(tmp_path / "a").run("x", {}, work)
    (tmp_path / "a").rename(tmp_path / "b")
    assert Path(Steps(tmp_path / "b").run("x", {}, work)["file"]).exists()


def test_a_fingerprint_knows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = fingerprint(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = fingerprint(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, fingerprint(tmp_path), fingerprint(tmp_path / "none")}) == 4
