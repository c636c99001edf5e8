"""Speed: arithmetic on numbers made by hand, and the contenders on a tiny model."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest

from training.__main__ import main
from training.base import hardware
from training.finetune import bench

# peft 0.21.2 reads what transformers 5.23 deprecates
pytestmark = pytest.mark.filterwarnings("default::FutureWarning")


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(bench)
    assert result.attempted and not result.failed


def test_weights_of_a_llama_of_the_shape_of_llama_3_2_1b(tmp_path: Path) -> None:
    """Counted by hand: q and o 2048 x 2048, k and v 2048 x 512, three of 2048 x 8192, in 16 layers."""
    from transformers import LlamaConfig

    LlamaConfig(
        **bench.SIZES["1b"], tie_word_embeddings=True, architectures=["LlamaForCausalLM"]
    ).save_pretrained(tmp_path)
    counts = bench.weights(tmp_path, rank=2)
    assert counts == {
        "layers": 16 * (2 * 2048 * 2048 + 2 * 2048 * 512 + 3 * 2048 * 8192),
        "head": 128256 * 2048,
        "adapter": 16 * 2 * (2 * (2048 + 2048) + 2 * (2048 + 512) + 3 * (2048 + 8192)),
    }
    assert counts["layers"] + counts["head"] == pytest.approx(1.236e9, rel=1e-3)  # as its card says: 1.23B


def test_lora_costs_two_thirds_of_a_full_fine_tuning() -> None:
    """With an adapter of no size, and a label on every token: 4N of 6N."""
    counts = {"layers": 900, "head": 100, "adapter": 0}
    assert bench.lora_flops(counts, tokens=10, labelled=10) == 4 * 1000 * 10
    assert bench.lora_flops(counts, tokens=10, labelled=0) == 4 * 900 * 10


@pytest.mark.parametrize(
    ("card", "tflops"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A10", 125),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
    ],
)
def test_the_peak_of_a_card_is_found_by_its_name(card: str, tflops: int) -> None:
    assert hardware.peak_flops(card) == tflops * 1e12


def test_a_card_that_is_not_known_has_no_peak() -> None:
    assert hardware.peak_flops("Riva TNT2") is None
    assert hardware.peak_flops("NVIDIA RTX A1000") is None  # and no A100


def test_mfu_is_flops_over_seconds_and_peak() -> None:
    clock = bench._Clock()
    clock.began, clock.ended, clock.steps, clock.memory = 10.0, 14.0, 7, 3 * 2**30
    figures = clock.figures(tokens=8000, flops=2e12, peak=1e12)
    assert figures == {
        "tokens_per_second": 2000,
        "mfu_percent": 50.0,
        "peak_memory_gib": 3.0,
        "seconds": 4.0,
        "steps": 7,
    }


def test_tokens_are_those_that_training_sees(tmp_path: Path) -> None:
    """Counted one by one: a byte is a token, and so is each mark of the template."""
    tokenizer = bench.save_model(tmp_path, bench.SIZES["tiny"])
    row = {
        "prompt": [{"role": "system", "content": "abc"}, {"role": "user", "content": "de"}],
        "completion": [{"role": "assistant", "content": "fghi"}],
    }
    # begin, system abc end, user de end, assistant fghi end
    assert bench.count_tokens([row, row], tokenizer) == (2 * (1 + 5 + 4 + 6), 2 * 5)


def test_rows_are_the_same_again_and_fit() -> None:
    rows = bench.make_rows(200, 1)
    assert rows == bench.make_rows(200, 1) != bench.make_rows(200, 2)
    drafts = [row["prompt"][1]["content"] for row in rows]
    assert max(map(len, drafts)) <= 151 and sorted(map(len, drafts))[100] in range(45, 75)
    assert any(row["completion"][0]["content"] != draft for row, draft in zip(rows, drafts, strict=True))


@pytest.mark.slow
def test_all_contenders_train_the_same_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--size=tiny", "--rows=16", "--rounds=1"]) == 0
    out, err = capsys.readouterr()
    reported = json.loads(out)
    assert (
        reported["size"] == "tiny"
        and reported["rows"] == 16
        and reported["tokens"] > reported["labelled_tokens"] > 0
    )
    for name in bench.CONTENDERS:
        figures = reported[name]
        assert figures["tokens_per_second"] > 0
        # rounded seconds: the epoch's tokens over the time of its steps
        assert figures["tokens_per_second"] * figures["seconds"] == pytest.approx(
            reported["tokens"], rel=0.01
        )
    assert [reported[name]["steps"] for name in bench.CONTENDERS] == [1, 2, 1]  # 32, 8 and packed rows a step
    assert reported["ours_over"]["trl"] == pytest.approx(
        reported["ours"]["tokens_per_second"] / reported["trl"]["tokens_per_second"], abs=1e-3
    )
    assert [line.split()[0] for line in err.splitlines()[-3:]] == ["ours", "trl", "trl"]


@pytest.mark.parametrize("given", [["--rounds=0"], ["--rows=2"]])
def test_bad_input_is_one_line(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--size=tiny", *given]) == 2
    assert capsys.readouterr().err == "give --rounds of 1 or more and --rows of 16 or more\n"


@pytest.mark.gpu
def test_a_gpu_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    assert main(["bench", "--size=tiny", "--rows=64", "--rounds=1", "--peak_tflops=100"]) == 0
    reported = json.loads(capsys.readouterr().out)
    assert all(
        reported[name]["peak_memory_gib"] > 0 and reported[name]["mfu_percent"] > 0
        for name in bench.CONTENDERS
    )
