"""What the studio may read and write, and what it offers to choose from."""

from __future__ import annotations

from pathlib import Path

import pytest

from space.errors import UserError
from training.runs.experiments import Experiment
from training.studio.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "runs")


@pytest.mark.parametrize(
    "name", ["", " ", "..", "../x", "a/../../x", "/etc/passwd", "space/models", "README.md"]
)
def test_a_path_outside_of_the_folder_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(UserError, match="within|first"):
        workspace.source(name)
    with pytest.raises(UserError, match="within"):
        workspace.path(name)


def test_a_link_leads_nowhere_else(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("draft,corrected\n")
    (workspace.folder / "data" / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(UserError, match="within"):
        workspace.source("data/link.csv")


def test_what_is_not_here_is_asked_of_the_hub(workspace: Workspace) -> None:
    (workspace.folder / "mine").mkdir()
    assert workspace.source("mine") == str(workspace.folder / "mine")
    assert workspace.source(" owner/name ") == "owner/name"


def test_runs_and_files_are_found_and_checkpoints_are_not(workspace: Workspace) -> None:
    Experiment.start(workspace.folder / "mine", "sft", {}, {}, tracker="none").finish({})
    (workspace.folder / "mine" / "adapter").mkdir()
    for file in ("base/config.json", "base/model.safetensors", "mine/checkpoint-2/config.json",
                 "mine/checkpoint-2/model.safetensors", "release/mine/new.gguf", "search/winner.yaml",
                 "search/plan.json", "data/rows.csv", "data/feedback/train/rows.jsonl", "mine/log.jsonl"):  # fmt: skip
        (workspace.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (workspace.folder / file).touch()
    assert workspace.runs() == workspace.fine_tunes() == ["mine"]
    assert workspace.bases() == ["base"] and workspace.models() == ["release/mine/new.gguf"]
    assert workspace.data_sets() == ["data/feedback/train/rows.jsonl", "data/rows.csv"]
    assert workspace.searches() == ["search"] and "search/winner.yaml" in workspace.recipes()
    assert workspace.recipe("proofreader") == "proofreader"
    assert workspace.recipe("search/winner.yaml") == str(workspace.folder / "search" / "winner.yaml")


def test_a_file_of_rows_is_copied_under_a_name_of_its_own(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("draft,corrected\n")
    assert [workspace.take_in(file) for _ in range(3)] == [
        "data/rows.csv",
        "data/rows-2.csv",
        "data/rows-3.csv",
    ]
    with pytest.raises(UserError, match=r"rows\.exe is no file of rows"):
        workspace.take_in(tmp_path / "rows.exe")


def test_a_run_is_not_written_over(workspace: Workspace) -> None:
    Experiment.start(workspace.folder / "mine", "sft", {}, {}, tracker="none").finish({})
    with pytest.raises(UserError, match="holds a run already"):
        workspace.new("mine")
    assert workspace.new("yours") == workspace.folder / "yours"
