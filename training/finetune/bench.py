"""Speed of LoRA fine-tuning on this machine: the defaults of `training sft` against trl's, same data, same run.

    python -m training bench                   a model of the shape of Llama-3.2-1B with random weights, on a GPU
    python -m training bench --size tiny       a look at whether it runs, on any machine

Three contenders train the same adapter (rank, alpha, all linear layers) on the same rows for one epoch, in turns, each
round in the opposite order of the last: `ours` is `training sft`; `trl` is SFTTrainer with the settings that it has when
none are given; `trl script` has those of the LoRA example in the docstring of trl/scripts/sft.py (packing, 8 batches of
2 rows a step). One line of JSON on stdout, a table on stderr. Figures are medians over the rounds:

    tokens per second   without padding, from the first step's beginning to the last one's end; saving is left out
    MFU                 model FLOPs over the card's peak for dense bf16. A matrix weight costs 2 FLOPs per token forward,
                        2 backward to the activations and 2 to the weight (Kaplan et al. 2020, arXiv:2001.08361, table 1:
                        6N in all). LoRA leaves out the last for frozen weights: 4N + 6A with A weights of the adapter.
                        The output head counts for tokens with a label alone. Attention's products and what gradient
                        checkpointing computes again are not counted, so the figure is low rather than high
                        (PaLM, arXiv:2204.02311, appendix B, counts the former).
    peak memory         GiB that torch had allocated on the GPU

The rows look like ours: sentences of an email, with a line of evidence, that come back with a word changed.

Notes. With several GPUs choose one (CUDA_VISIBLE_DEVICES=0). No weights and no data are fetched. A machine without a
network that has torch, transformers, peft, accelerate and matplotlib needs the wheels of the rest. Elsewhere:

    python -m pip download --no-deps --only-binary=:all: -d wheels "trl==1.16.*" "datasets==5.2.*" \\
        dill==0.4.1 multiprocess==0.70.19 xxhash "lemminflect==0.2.*"

with --python-version and --platform if that machine is another kind, and with transformers and pyarrow if it has older
ones than training/requirements.txt. There:

    python -m pip install --no-index --no-deps --target site wheels/*.whl
    PYTHONPATH=site python -m training bench
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.base.hardware import peak_flops
from training.finetune import recipes

SIZES: dict[str, dict[str, Any]] = {
    # meta-llama/Llama-3.2-1B, config.json
    "1b": {
        "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
        "head_dim": 64, "intermediate_size": 8192, "vocab_size": 128256, "rope_theta": 500000.0,
    },
    "tiny": {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 64, "vocab_size": 512,
    },
}  # fmt: skip

CONTENDERS = ("ours", "trl", "trl script")
SCRIPT = {"packing": True, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 8}

_ROWS = {"1b": 4096, "tiny": 64}
_NEVER = 10**9  # steps between saves
_WARM_UP = 3  # steps
_WORDS = "the report order please send we have received your answer about invoice meeting on Monday thank you".split()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", choices=SIZES, default="1b", help="of the model")
    parser.add_argument("--ours", type=Path, help="recipe of `ours` in place of the defaults (YAML)")
    parser.add_argument("--rows", type=int, help="of the epoch (4096; 64 for tiny)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak_tflops", type=float, help="of a card that is not in the table, dense bf16")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    if args.rounds < 1 or (args.rows is not None and args.rows < 16):
        raise UserError("give --rounds of 1 or more and --rows of 16 or more")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        print(json.dumps(measure(args, Path(name))))


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Runs all rounds and returns the figures of every contender, with the speed of ours over theirs."""
    import torch

    options = recipes.arguments(recipes.read(args.ours) if args.ours else {})
    torch.manual_seed(args.seed)
    with redirect_stderr(io.StringIO()):  # a progress bar
        tokenizer = save_model(folder / "model", SIZES[args.size])
    rows = make_rows(args.rows or _ROWS[args.size], args.seed)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tokens, labelled = count_tokens(rows, tokenizer)
    card = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    peak = args.peak_tflops * 1e12 if args.peak_tflops else peak_flops(card)
    flops = lora_flops(weights(folder / "model", options.lora_r), tokens, labelled)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
    train = {"ours": _ours, "trl": _trl({}), "trl script": _trl(SCRIPT)}
    for number in range(
        -1, args.rounds
    ):  # the first, of a few steps, does not count: libraries load, kernels compile
        for name in CONTENDERS if number % 2 else reversed(CONTENDERS):
            clock = _Clock()
            max_steps = -1 if number >= 0 else _WARM_UP
            _quietly(train[name], options, folder, tokenizer, rows, max_steps, clock.callback())
            if number >= 0:
                runs[name].append(clock.figures(tokens, flops, peak))
                print(
                    f"round {number + 1}, {name}: {runs[name][-1]['tokens_per_second']:,} tokens/s",
                    file=sys.stderr,
                )
    figures = {name: _medians(each) for name, each in runs.items()}
    print(_table(figures), file=sys.stderr)
    return {
        "size": args.size, "device": card or "cpu", "torch": torch.__version__, "rows": len(rows), "tokens": tokens,
        "labelled_tokens": labelled, "rounds": args.rounds, "peak_tflops": peak and peak / 1e12, **figures,
        "ours_over": {
            name: round(figures["ours"]["tokens_per_second"] / figures[name]["tokens_per_second"], 3)
            for name in CONTENDERS[1:]
        },
    }  # fmt: skip


# ---- what is trained, and on what --------------------------------------------------------------------------


def save_model(folder: Path, shape: Mapping[str, Any]) -> Any:
    """Writes a Llama with random weights (bf16, as Llama 3.2 has them) and the tokenizer below, and returns that. A
    vocabulary of which 256 are used costs as much as one that is used entirely."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    tokenizer = letters()
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        **shape, tie_word_embeddings=True, max_position_embeddings=8192, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    with torch.device(
        "cuda" if torch.cuda.is_available() else "cpu"
    ):  # a GPU draws a billion numbers at once
        AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    return tokenizer


def letters() -> Any:
    """A tokenizer that reads bytes, with our chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from space.proofread.prompt import BEGIN, CHAT_TEMPLATE, END, PAD, SPECIAL_TOKENS

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=BEGIN, eos_token=END, pad_token=PAD
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """trl rows: a line of evidence and a draft of 8 to 150 letters (median 60), and the draft with a word changed."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        length = min(150, max(8, round(60 * math.exp(rng.gauss(0, 0.7)))))
        words = rng.choices(_WORDS, k=2 + length // 5)
        draft = " ".join(words)[:length].strip() + "."
        system = f"Proofread. Sentiment neutral {rng.randrange(50, 99)}%. Check: {words[0]} = {words[1]}."
        prompt = [{"role": "system", "content": system}, {"role": "user", "content": draft}]
        better = draft.replace(words[0], words[1], 1)
        rows.append({"prompt": prompt, "completion": [{"role": "assistant", "content": better}]})
    return rows


def count_tokens(rows: Sequence[Mapping[str, Any]], tokenizer: Any) -> tuple[int, int]:
    """Tokens of all rows, and those of their completions, which have a label."""

    def length(chat: Sequence[Any], ask: bool) -> int:
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=ask)
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    total = sum(length([*row["prompt"], *row["completion"]], False) for row in rows)
    return total, total - sum(length(row["prompt"], True) for row in rows)


# ---- FLOPs -------------------------------------------------------------------------------------------------


def weights(model: Path, rank: int) -> dict[str, int]:
    """Matrix weights inside the layers, of the output head, and of an adapter on all linear layers."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        built = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(model))
    head = built.get_output_embeddings()
    inside = [each for each in built.modules() if isinstance(each, torch.nn.Linear) and each is not head]
    return {
        "layers": sum(each.weight.numel() for each in inside),
        "head": head.weight.numel(),
        "adapter": sum(rank * (each.in_features + each.out_features) for each in inside),
    }


def lora_flops(counts: Mapping[str, int], tokens: int, labelled: int) -> float:
    """FLOPs of training on so many tokens: 4 for a frozen weight and 6 for one of the adapter, per token that it sees.

    >>> lora_flops({"layers": 100, "head": 50, "adapter": 10}, tokens=3, labelled=2)
    1780
    """
    return tokens * (4 * counts["layers"] + 6 * counts["adapter"]) + labelled * 4 * counts["head"]


# ---- the contenders ----------------------------------------------------------------------------------------


def _ours(
    options: argparse.Namespace, folder: Path, tokenizer: Any, rows: Any, max_steps: int, callback: Any
) -> None:
    from training.finetune import sft

    own = {
        "model": str(folder / "model"), "dataset": [str(folder / "rows.jsonl")], "task": "chat", "tracker": "none",
        "validation_share": 0.0, "num_train_epochs": 1.0, "max_steps": max_steps, "save_steps": _NEVER,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(dir=folder) as out:
        sft.fine_tune(argparse.Namespace(**{**vars(options), **own, "output_dir": out}), [callback])


def _trl(settings: Mapping[str, Any]) -> Callable[..., None]:
    """SFTTrainer as its documentation shows it, with nothing set but these and what the measurement needs."""

    def train(
        options: argparse.Namespace, folder: Path, tokenizer: Any, rows: Any, max_steps: int, callback: Any
    ) -> None:
        import torch
        from datasets import Dataset
        from peft import LoraConfig
        from trl import SFTConfig, SFTTrainer

        with tempfile.TemporaryDirectory(dir=folder) as out:
            SFTTrainer(
                model=str(folder / "model"),
                args=SFTConfig(
                    output_dir=out, num_train_epochs=1, max_steps=max_steps, save_strategy="no", report_to="none", disable_tqdm=True,
                    use_cpu=not torch.cuda.is_available(), **settings,
                ),
                train_dataset=Dataset.from_list(rows),
                processing_class=tokenizer,
                peft_config=LoraConfig(
                    r=options.lora_r, lora_alpha=options.lora_alpha, lora_dropout=options.lora_dropout,
                    target_modules="all-linear", task_type="CAUSAL_LM",
                ),
                callbacks=[callback],
            ).train()  # fmt: skip

    return train


def _quietly(train: Callable[..., None], *args: Any) -> None:
    """Calls it without its output, and leaves no memory taken."""
    import torch

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        train(*args)
    gc.collect()
    torch.cuda.empty_cache()


class _Clock:
    """Seconds from the beginning of the first step to the end of the last, and the memory that was taken meanwhile."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0
        self.steps = 0
        self.memory: int | None = None  # bytes

    def callback(self) -> Any:
        import torch
        from transformers import TrainerCallback

        clock, on_gpu = self, torch.cuda.is_available()

        class Timed(TrainerCallback):
            def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if on_gpu:
                    torch.cuda.reset_peak_memory_stats()

            def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if not clock.began:
                    if on_gpu:
                        torch.cuda.synchronize()
                    clock.began = time.perf_counter()

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                clock.steps = state.global_step
                if state.global_step == state.max_steps:
                    if on_gpu:
                        torch.cuda.synchronize()
                        clock.memory = torch.cuda.max_memory_allocated()
                    clock.ended = time.perf_counter()

        return Timed()

    def figures(self, tokens: int, flops: float, peak: float | None) -> dict[str, Any]:
        seconds = self.ended - self.began
        return {
            "tokens_per_second": round(tokens / seconds),
            "mfu_percent": round(100 * flops / seconds / peak, 1) if peak else None,
            "peak_memory_gib": round(self.memory / 2**30, 2) if self.memory else None,
            "seconds": round(seconds, 3),
            "steps": self.steps,
        }


# ---- figures -----------------------------------------------------------------------------------------------


def _medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The median of each figure (the lower one of two in the middle), and the speeds of all rounds."""
    known = {name: [each[name] for each in runs if each[name] is not None] for name in runs[0]}
    medians = {name: statistics.median_low(values) if values else None for name, values in known.items()}
    return {**medians, "rounds_tokens_per_second": known["tokens_per_second"]}


def _table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [f"{'':<12}{'tokens/s':>12}{'MFU %':>8}{'peak GiB':>10}{'steps':>8}"]
    for name, each in figures.items():
        cells = [each["mfu_percent"], each["peak_memory_gib"], each["steps"]]
        mfu, memory, steps = ("-" if cell is None else f"{cell:g}" for cell in cells)
        lines.append(f"{name:<12}{each['tokens_per_second']:>12,.0f}{mfu:>8}{memory:>10}{steps:>8}")
    return "\n".join(lines)
