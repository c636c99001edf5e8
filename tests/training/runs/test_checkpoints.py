"""Checkpoints: complete or torn, and pushed to a Hub that answers, fails, or has one from a machine that is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from space.errors import UserError
from tests.feedback.hub_server import DROP, HubServer
from training.runs import checkpoints

REPO = "owner/run"


def checkpoint(folder: Path, step: int) -> Path:
    """A sealed folder like those that a trainer writes."""
    path = folder / f"checkpoint-{step}"
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "weights.bin").write_bytes(bytes(range(256)) * step)
    (path / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    checkpoints.seal(path)
    return path


def test_the_newest_is_that_of_the_highest_step(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path) is None and checkpoints.newest(tmp_path / "none") is None
    for step in (20, 100, 9):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-7.txt").write_text("")
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-100"


@pytest.mark.parametrize(
    "how", ["no seal", "cut seal", "odd seal", "cut file", "changed file", "lost file", "empty"]
)
def test_torn_ones_are_skipped_and_named(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(tmp_path, 1)
    torn = checkpoint(tmp_path, 2)
    seal, file = torn / checkpoints.SEAL, torn / "inner" / "weights.bin"
    if how == "no seal":
        seal.unlink()
    elif how == "cut seal":
        seal.write_text(seal.read_text()[:-9])
    elif how == "odd seal":
        seal.write_text("[1]")
    elif how == "cut file":
        file.write_bytes(file.read_bytes()[:-1])
    elif how == "changed file":
        file.write_bytes(b"\1" + file.read_bytes()[1:])
    elif how == "lost file":
        file.unlink()
    else:
        seal.write_text("{}")
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-1"
    assert f"{torn} is torn and was skipped" in capsys.readouterr().err


# ---- the Hub ----


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    from huggingface_hub import constants

    with HubServer() as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield server


def test_a_checkpoint_arrives_and_comes_back_complete(hub: HubServer, tmp_path: Path) -> None:
    folder = checkpoints.HubFolder(REPO)
    for step in (1, 2):
        folder.push(checkpoint(tmp_path / "here", step), checkpoints.PUSHED, f"Step {step}", wait=True)
    pushed = {name for name in hub.repos[REPO].files if name.startswith("last-checkpoint/")}
    assert pushed == {
        f"last-checkpoint/{name}" for name in ("complete.json", "inner/weights.bin", "trainer_state.json")
    }
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["checkpoint-1", "checkpoint-2"]
    there = tmp_path / "there"
    there.mkdir()
    checkpoints.HubFolder(REPO).fetch(there)
    assert checkpoints.newest(there) == there / "checkpoint-2"
    assert [path.name for path in there.iterdir()] == ["checkpoint-2"]


def test_what_is_here_is_not_fetched(hub: HubServer, tmp_path: Path) -> None:
    folder = checkpoints.HubFolder(REPO)
    folder.push(checkpoint(tmp_path / "here", 5), checkpoints.PUSHED, "Step 5", wait=True)
    checkpoint(tmp_path / "there", 3)
    folder.fetch(tmp_path / "there")
    assert checkpoints.newest(tmp_path / "there") == tmp_path / "there" / "checkpoint-3"


def test_a_push_that_fails_is_reported_once(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = checkpoints.HubFolder(REPO)
    hub.faults = lambda method, path: 403 if "/commit/" in path else None
    for step in (1, 2):
        folder.push(checkpoint(tmp_path, step), checkpoints.PUSHED, f"Step {step}", wait=True)
    lines = capsys.readouterr().err.splitlines()
    assert (
        len([line for line in lines if "could not be reached" in line and "the training goes on" in line])
        == 1
    )
    hub.faults = lambda method, path: None
    folder.push(tmp_path / "checkpoint-2", checkpoints.PUSHED, "Step 2", wait=True)
    assert "last-checkpoint/complete.json" in hub.repos[REPO].files


def test_a_repo_that_cannot_be_written_is_one_line(hub: HubServer) -> None:
    with pytest.raises(UserError, match="hub:someone/else cannot be written .* check the name") as error:
        checkpoints.HubFolder("someone/else")
    assert "\n" not in str(error.value)
    hub.faults = lambda method, path: DROP
    with pytest.raises(UserError, match="cannot be written"):
        checkpoints.HubFolder(REPO)


@pytest.mark.filterwarnings("default::FutureWarning")  # peft 0.21.2 reads what transformers 5.23 deprecates
def test_a_run_in_a_repo_goes_on_on_another_machine(
    hub: HubServer, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.finetune import recipes, sft
    from training.runs import experiments

    (tmp_path / "rows.csv").write_text("input,output\n" + "".join(f"{n}?,{n}!\n" for n in range(20)))
    given = {
        "model": tiny_llama, "dataset": tmp_path / "rows.csv", "task": "chat", "output_dir": f"hub:{REPO}",
        "per_device_train_batch_size": 4, "lora_r": 2, "save_steps": 2, "logging_steps": 1, "tracker": "none",
    }  # fmt: skip
    for name, steps in (("first", 2), ("second", 4)):
        if name == "second":  # its machine knows nothing of the first but what the repo says
            (tmp_path / "other").mkdir()
            monkeypatch.chdir(tmp_path / "other")
            with pytest.raises(UserError, match="holds a run with other learning_rate"):
                sft.fine_tune(recipes.arguments(given | {"max_steps": steps, "learning_rate": 0.5}))
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        result = sft.fine_tune(recipes.arguments(given | {"max_steps": steps}))
        assert result["steps"] == steps
    assert [step for step, _ in experiments.curve(Path("runs/run"), "loss")] == [3, 4]
    files = hub.repos[REPO].files
    assert json.loads(files["last-checkpoint/trainer_state.json"])["global_step"] == 4
    assert {"adapter/adapter_model.safetensors", "adapter/adapter_config.json"} <= set(files)
    assert not list(Path("runs").glob("**/.push-*"))
