"""What a model answers: greedy texts for prompts, and a few held-out rows that are asked again while it is trained.

`training sft --samples N` appends to DIR/samples.jsonl, at each evaluation and at the end, a line for each of N held-out rows:
{"step", "row", "prompt", "expected", "answer", "loss"}. `row` counts the held-out rows, `prompt` is the last message, and `loss`
is that of the expected answer in nats per token.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.finetune.dataset import Row
from training.runs import atomic_write
from training.runs.atomic_write import write_errors

SAMPLES = "samples.jsonl"  # its file in the folder of the run
_MORE = 16  # tokens that an answer may have above what is expected
_AT_ONCE = 16  # texts


def answers(
    model: Any, tokenizer: Any, prompts: Sequence[list[dict[str, str]]], max_new_tokens: int
) -> list[str]:
    """What the model says to each chat, greedily."""
    import torch

    texts = [
        tokenizer.apply_chat_template(each, tokenize=False, add_generation_prompt=True) for each in prompts
    ]
    batch = tokenizer(
        texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
    ).to(model.device)
    with torch.inference_mode():
        made = model.generate(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], do_sample=False, use_cache=True,
            max_new_tokens=max_new_tokens, pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
    width = batch["input_ids"].shape[1]
    return [text.strip() for text in tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)]


def spread(rows: Sequence[Row], count: int) -> list[int]:
    """The indices of `count` rows from the shortest to the longest, at equal distances; all if there are no more.

    >>> rows = [{"prompt": [{"content": "a" * n}], "completion": [{"content": ""}]} for n in (5, 1, 4, 2, 3)]
    >>> spread(rows, 3)
    [1, 4, 0]
    """
    ordered = sorted(range(len(rows)), key=lambda i: _length(rows[i]))
    count = min(count, len(ordered))
    return [ordered[round(k * (len(ordered) - 1) / max(count - 1, 1))] for k in range(count)]


def _length(row: Row) -> int:
    return sum(len(message["content"]) for message in (*row["prompt"], *row["completion"]))


def callback(trainer: Any, tokenizer: Any, rows: Sequence[Row], count: int, folder: Path) -> Any:
    """A callback that asks at each evaluation; `write` asks once more, unless it has been asked at this step."""
    from transformers import TrainerCallback

    chosen, path = spread(rows, count), folder / SAMPLES

    class Samples(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:  # what a killed run wrote after its checkpoint is written again
                _keep_until(path, state.global_step)

        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.write()

        def write(self) -> None:
            step = trainer.state.global_step
            if not trainer.is_world_process_zero() or any(line["step"] == step for line in read(folder)):
                return
            lines = _asked(trainer, tokenizer, [rows[i] for i in chosen])
            text = "".join(
                json.dumps({"step": step, "row": i, **line}, ensure_ascii=False) + "\n"
                for i, line in zip(chosen, lines, strict=True)
            )
            with write_errors(path):
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                    out.write(text)

    return Samples()


def read(folder: Path) -> list[dict[str, Any]]:
    """The samples of a run, in the order in which they were written; a line that a kill has torn is left out."""
    try:
        text = (folder / SAMPLES).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    found = []
    for line in text.split("\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _keep_until(path: Path, step: int) -> None:
    if path.exists():
        lines = [
            json.dumps(line, ensure_ascii=False) + "\n" for line in read(path.parent) if line["step"] <= step
        ]
        atomic_write.write(path, "".join(lines), mode=0o600)


def _asked(trainer: Any, tokenizer: Any, rows: Sequence[Row]) -> list[dict[str, Any]]:
    model = trainer.accelerator.unwrap_model(trainer.model)
    learning = model.training
    model.eval()
    said: list[str] = []
    try:
        with trainer.accelerator.autocast():
            losses = [_loss(model, tokenizer, row, trainer.args.max_length) for row in rows]
            for start in range(0, len(rows), _AT_ONCE):
                part = rows[start : start + _AT_ONCE]
                longest = max(len(tokenizer(_expected(row))["input_ids"]) for row in part)
                said += answers(model, tokenizer, [row["prompt"] for row in part], longest + _MORE)
    finally:
        model.train(learning)
    return [
        {"prompt": row["prompt"][-1]["content"], "expected": _expected(row), "answer": text, "loss": loss}
        for row, text, loss in zip(rows, said, losses, strict=True)
    ]


def _expected(row: Row) -> str:
    return row["completion"][0]["content"]


def _loss(model: Any, tokenizer: Any, row: Row, max_length: int) -> float | None:
    """Of the expected answer, as far as a row of this length holds it; None if that is nothing of it."""
    import torch

    prompt, whole = (
        tokenizer(
            tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=ask),
            add_special_tokens=False,
        )["input_ids"]
        for chat, ask in ((row["prompt"], True), ([*row["prompt"], *row["completion"]], False))
    )
    whole = whole[:max_length]
    if len(whole) <= len(prompt):
        return None
    ids = torch.tensor([whole], device=model.device)
    labels = ids.clone()
    labels[:, : len(prompt)] = -100
    with torch.inference_mode():
        return round(model(input_ids=ids, labels=labels).loss.item(), 4)
