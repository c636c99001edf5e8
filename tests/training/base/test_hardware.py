"""Which numbers a machine is fastest with, and training with either."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.__main__ import main
from training.base import hardware

pytestmark = pytest.mark.usefixtures("small_pools")


def test_the_faster_type_is_taken() -> None:
    taken = hardware.dtype("cpu")
    other = torch.bfloat16 if taken == torch.float32 else torch.float32
    # Half of it: on a machine where both are alike, either may be measured as the faster one.
    assert hardware.products_per_second(taken, "cpu") > 0.5 * hardware.products_per_second(other, "cpu")
    assert hardware.dtype("cpu") is taken  # measured once


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_run_trains_in_either_type(
    dtype: torch.dtype, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "dtype", lambda device: dtype)
    layer = torch.nn.Linear(4, 4)
    with hardware.autocast("cpu"):
        assert layer(torch.ones(1, 4)).dtype == dtype
    data = [f"--{name}={corpus / name}.jsonl" for name in ("clean", "email", "plain")]
    given = ["--preset=test", "--batch_tokens=512", "--max_steps=2"]
    assert main(["pretrain", *data, f"--out={tmp_path}", *given]) == 0
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=False)
    assert state["state"]["step"] == 2
    assert all(weight.dtype == torch.float32 for weight in state["model"].values())
