"""LoRA fine-tuning on (corrupted -> clean) pairs that carry measured evidence, with trl's SFTTrainer.

    python -m training sft --model DIR/model --email email.jsonl --clean clean.jsonl --out DIR/sft

`--model` is a folder or a Hub repo id of a Llama with a chat template: the base made by `training pretrain`, or
meta-llama/Llama-3.2-1B-Instruct. The evidence is what `space` measures on the corrupted text with the shipped
classifiers, through the same code. Rows are trl's prompt-completion type; the loss is on the completion alone. A run
that was killed goes on from its last checkpoint in --out.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

from space.lexicon import Lexicon
from space.prompt import evidence, messages
from space.tagger import Tagger
from space.tone import MODELS, ToneClassifier
from training.corpus import detokenize, read_rows
from training.pairs import Pair, PairMaker, load_texts
from training.pretrain import save_about

_MEASURED_AT_ONCE = 256  # texts per call of the classifier
_LEARNER_SHARE = 0.06  # of the rows, real mistakes of learners


def add_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "--email",
        type=Path,
        required=True,
        help="clean sentences of business mail, JSON lines with a text column",
    )
    data.add_argument("--clean", type=Path, required=True, help="clean sentences of other prose, the same")
    data.add_argument("--learner", type=Path, help="tokenised source and corrected columns (ErAConD)")
    data.add_argument("--rows", type=int, default=16_000, help="pairs to make")
    parser.add_argument("--model", required=True, help="base: a folder or a Hub repo id")
    parser.add_argument(
        "--tagger", type=Path, default=MODELS / "tagger", help="folder of the tagger that gives evidence"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the adapter")
    lora = parser.add_argument_group("LoRA")
    lora.add_argument("--lora_r", type=int, default=32)
    lora.add_argument("--lora_alpha", type=int, default=64)
    lora.add_argument("--lora_dropout", type=float, default=0.0)
    optimisation = parser.add_argument_group("optimisation")
    optimisation.add_argument("--learning_rate", type=float, default=1e-3)
    optimisation.add_argument("--per_device_train_batch_size", type=int, default=32)
    optimisation.add_argument("--gradient_accumulation_steps", type=int, default=1)
    optimisation.add_argument("--num_train_epochs", type=float, default=1.0)
    optimisation.add_argument("--max_steps", type=int, default=-1)
    optimisation.add_argument("--max_length", type=int, default=384, help="tokens")
    optimisation.add_argument("--save_steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
    from trl import SFTConfig, SFTTrainer

    rows = make_rows(args.email, args.clean, args.learner, args.rows, args.seed, Tagger.load(args.tagger))
    print(f"{len(rows):,} rows; the first prompt: {rows[0]['prompt'][0]['content']}")
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(args.out / "checkpoints"),
            learning_rate=args.learning_rate,
            per_device_train_batch_size=args.per_device_train_batch_size,
            gradient_accumulation_steps=args.gradient_accumulation_steps,
            num_train_epochs=args.num_train_epochs,
            max_steps=args.max_steps,
            max_length=args.max_length,
            save_steps=args.save_steps,
            save_total_limit=2,
            seed=args.seed,
            completion_only_loss=True,
            lr_scheduler_type="cosine",
            warmup_steps=0.03,
            train_sampling_strategy="group_by_length",  # less padding: half of the time on a CPU
            bf16=True,
            use_cpu=not torch.cuda.is_available(),
            gradient_checkpointing=False,
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(args.model),
        peft_config=LoraConfig(
            r=args.lora_r, lora_alpha=args.lora_alpha, lora_dropout=args.lora_dropout, target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
        callbacks=[_progress()],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)  # ours prints the same and more
    checkpoints = sorted(
        (args.out / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1])
    )
    result = trainer.train(resume_from_checkpoint=str(checkpoints[-1]) if checkpoints else None)
    adapter = args.out / "adapter"
    trainer.save_model(str(adapter))
    save_about(adapter)
    print(
        json.dumps(
            {"adapter": str(adapter), "steps": result.global_step, "loss": round(result.training_loss, 4)}
        )
    )


def make_rows(
    email: Path, clean: Path, learner: Path | None, count: int, seed: int, tagger: Tagger
) -> list[dict[str, Any]]:
    """trl prompt-completion rows (`prompt` and `completion` are chats), with evidence measured on the corrupted side."""
    rng = random.Random(seed)
    maker = PairMaker(load_texts(clean), load_texts(email))
    pairs = [maker.draw(rng) for _ in range(count)]
    if learner:
        real = learner_pairs(learner)
        for _ in range(int(count * _LEARNER_SHARE)):
            pairs[rng.randrange(count)] = rng.choice(real)
    tone, lexicon = ToneClassifier.load(), Lexicon.load()
    rows = []
    for start in range(0, count, _MEASURED_AT_ONCE):
        batch = pairs[start : start + _MEASURED_AT_ONCE]
        texts = [pair.bad for pair in batch]
        for pair, scored, tagged in zip(batch, tone.score(texts), tagger.tag(texts), strict=True):
            told = evidence(pair.bad, scored, tagged, lexicon)
            completion = [{"role": "assistant", "content": pair.good}]
            rows.append({"prompt": messages(pair.bad, told, pair.mode), "completion": completion})
    return rows


def learner_pairs(path: Path) -> list[Pair]:
    """Pairs of a file with tokenised `source` and `corrected` columns, as plain text."""
    return [Pair(detokenize(row["source"]), detokenize(row["corrected"])) for row in read_rows(path)]


def _progress() -> Any:
    """A callback that prints loss, tokens/s and time left every 20 steps (transformers' own bar goes to stderr)."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.began, self.first = time.monotonic(), state.global_step

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_log = state.global_step % 20 == 0

        def on_log(
            self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
        ) -> None:
            if not logs or "loss" not in logs:
                return
            done, seconds = state.global_step - self.first, time.monotonic() - self.began
            left = (state.max_steps - state.global_step) * seconds / max(done, 1) / 60
            speed = logs.get("num_tokens", 0.0) / max(seconds, 1e-9)
            print(
                f"step {state.global_step:,}/{state.max_steps:,}  loss {float(logs['loss']):.4f}  "
                f"{speed:,.0f} tokens/s  {left:.1f} minutes left",
                flush=True,
            )

    return Progress()
