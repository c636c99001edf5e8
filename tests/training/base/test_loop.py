"""The loop of pretraining and the tagger: a stopped run has saved, and neither workers nor compiling change what it learns."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from training.__main__ import main
from training.base import loop

pytestmark = pytest.mark.usefixtures("small_pools")


def arguments(corpus: Path, out: Path, *more: str) -> list[str]:
    data = [f"--{name}={corpus / name}.jsonl" for name in ("clean", "email", "plain")]
    return ["pretrain", *data, f"--out={out}", "--preset=test", "--batch_tokens=512", *more]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return torch.load(out / loop.CHECKPOINT, weights_only=False)["model"]


@pytest.mark.slow
def test_sigterm_saves_first(corpus: Path, tmp_path: Path) -> None:
    small = (
        "import sys; from training import __main__; from training.base import loop; loop.POOL = 64; "
        "sys.exit(__main__.main())"
    )
    command = [sys.executable, "-c", small, *arguments(corpus, tmp_path, "--max_minutes=60")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr
        while not (line := run.stderr.readline()).startswith("step 50 "):
            assert line
        run.send_signal(signal.SIGTERM)
        _, error = run.communicate(timeout=60)
    stopped = re.search(r"Stopped at step (\d+) and saved; the same command goes on from there\.\n\Z", error)
    assert run.returncode == 143 and stopped, error
    state = torch.load(tmp_path / loop.CHECKPOINT, weights_only=False)["state"]
    assert state["step"] == int(stopped[1]) >= 50


def test_a_checkpoint_of_another_model_is_one_line(
    corpus: Path, pruned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(corpus, tmp_path, "--max_steps=1")) == 0
    capsys.readouterr()
    assert main(arguments(corpus, tmp_path, "--max_steps=2", f"--model={pruned}")) == 2
    said = capsys.readouterr().err.splitlines()
    assert (
        said[-1]
        == f"{tmp_path / loop.CHECKPOINT} is of another model, or damaged: delete it or choose another --out"
    )


def test_workers_change_nothing(corpus: Path, tmp_path: Path) -> None:
    for workers in ("1", "3"):
        steps = ("--max_steps=12", f"--workers={workers}")
        assert main(arguments(corpus, tmp_path / workers, *steps)) == 0
    one, three = weights(tmp_path / "1"), weights(tmp_path / "3")
    assert all(torch.equal(one[name], three[name]) for name in one)


def test_checkpoints_come_by_steps_too(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, save = [], torch.save

    def noted(kept: dict[str, Any], path: Path) -> None:
        saved.append(kept["state"]["step"])
        save(kept, path)

    monkeypatch.setattr(torch, "save", noted)
    assert main(arguments(corpus, tmp_path, "--max_steps=7", "--save_steps=3")) == 0
    assert saved == [3, 6, 7]


@pytest.mark.parametrize("option", ["--workers=0", "--save_steps=0", "--max_steps=0", "--learning_rate=nan"])
def test_an_option_out_of_range_is_one_line(
    option: str, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(corpus, tmp_path, option)) == 2
    assert capsys.readouterr().err == f"{option.replace('=', ' ')}: give more than 0\n"


@pytest.mark.slow
def test_a_compiled_model_learns_the_same(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    losses = {}
    for how in ("--compile", "--no-compile"):
        assert main(arguments(corpus, tmp_path / how, "--max_steps=20", how)) == 0
        losses[how] = [float(loss) for loss in re.findall(r"loss (\S+)", capsys.readouterr().err)]
    assert len(losses["--compile"]) == 2
    assert losses["--compile"] == pytest.approx(losses["--no-compile"], abs=0.02)
    assert weights(tmp_path / "--compile").keys() == weights(tmp_path / "--no-compile").keys()


def test_batches_are_length_bucketed_and_full() -> None:
    lengths = [5, 1, 9, 3, 30, 2]
    batches = loop.length_bucketed("abcdef", lengths, batch_tokens=24)
    assert batches == [["b", "f", "d"], ["a"], ["c"], ["e"]]
