"""LoRA training on preferences, by trl: what users wanted against what they rejected.

    python -m training prefer --model DIR/model --adapter runs/sft/adapter --dataset rows/preferences.jsonl \\
        --output_dir runs/prefer

`--dataset` is the preferences.jsonl of `python -m feedback export` (prompt, chosen, rejected), or that export's folder;
repeat it for more. The prompt there is a whole draft, but the model is given one sentence at a time: the three texts are
cut into the draft's sentences, those that were chosen and rejected alike are left out, and each prompt gets the evidence
that `space` measures on it. `--adapter` goes on with that adapter, which is also what the policy is held to; without it
a new one begins on the base. DPO (Rafailov et al. 2023, arXiv:2305.18290) by default, KTO (Ethayarajh et al. 2024,
arXiv:2402.01306) with --method kto. A run that was stopped goes on from its newest whole checkpoint in --output_dir.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from feedback.export import fault
from space.changes import Change, apply, diff
from space.dialect import respellings
from space.draft import EDITABLE, Part, sentences, split
from space.errors import UserError
from space.lexicon import WORD, Lexicon
from space.prompt import MODES, evidence, messages
from space.tagger import Tagger
from space.tone import MODELS, ToneClassifier
from training import checkpoints, experiments
from training.data import Repeated, read

METHODS = ("dpo", "kto")
COLUMNS = ("prompt", "chosen", "rejected")
_FILE = "preferences.jsonl"  # of an export's folder
_MEASURED_AT_ONCE = 256  # texts per call of the classifiers
_ENDS = tuple(".!?…:")  # of a sentence
_FEWEST_HELD_OUT = 10  # pairs; fewer say nothing of the others

# What cannot change when a run goes on; how long it is and how often it reports can.
_FIXED = (
    "model", "adapter", "task", "method", "beta", "sft_weight", "seed", "lora_r", "lora_alpha", "lora_dropout",
    "target_modules", "max_length", "per_device_train_batch_size", "gradient_accumulation_steps",
)  # fmt: skip

Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recipe", metavar="FILE", help="YAML with any of these options, or a name in training/recipes"
    )
    parser.add_argument("--model", help="base: a folder or a Hub repo id")
    parser.add_argument("--adapter", type=Path, help="LoRA adapter of that base to go on with (from sft)")
    parser.add_argument("--output_dir", type=Path, help="folder for checkpoints, log and adapter")
    data = parser.add_argument_group("data")
    data.add_argument(
        "--dataset", action=Repeated, metavar="FILE|FOLDER|REPO",
        help="rows with prompt, chosen and rejected, or an export's folder; repeat for more",
    )  # fmt: skip
    data.add_argument(
        "--task", choices=("proofread", "chat"), default="proofread",
        help="proofread: prompts are drafts; chat: they are what a user says, or chats",
    )  # fmt: skip
    data.add_argument(
        "--tagger", type=Path, default=MODELS / "tagger", help="folder of the tagger that gives evidence"
    )
    data.add_argument(
        "--validation_share", type=float, default=0.1, help="of the pairs, to measure and not to train on"
    )
    data.add_argument("--max_length", type=int, default=512, help="tokens; what is longer is cut")
    loss = parser.add_argument_group("loss")
    loss.add_argument("--method", choices=METHODS, default="dpo")
    loss.add_argument(
        "--beta", type=float, default=0.1, help="how firmly the policy is held to its beginning"
    )
    loss.add_argument(
        "--sft_weight", type=float, default=0.2,
        help="of the likelihood of the chosen text beside the DPO loss: a chosen and a rejected text that differ in a word "
        "or two would both become unlikely without it (Pal et al. 2024, arXiv:2402.13228)",
    )  # fmt: skip
    lora = parser.add_argument_group("LoRA (of a new adapter)")
    lora.add_argument("--lora_r", type=int, default=16)
    lora.add_argument("--lora_alpha", type=int, default=32)
    lora.add_argument("--lora_dropout", type=float, default=0.0)
    lora.add_argument(
        "--target_modules", nargs="+", default=["all-linear"], help="names of layers, or all-linear"
    )
    optimisation = parser.add_argument_group("optimisation")
    optimisation.add_argument(
        "--learning_rate", type=float, default=1e-5,
        help="ten times trl's 1e-6 for DPO of all weights: LoRA takes ten times as much",
    )  # fmt: skip
    optimisation.add_argument("--per_device_train_batch_size", type=int, default=8, help="pairs")
    optimisation.add_argument("--gradient_accumulation_steps", type=int, default=1)
    optimisation.add_argument("--num_train_epochs", type=float, default=1.0)
    optimisation.add_argument("--max_steps", type=int, default=-1, help="instead of epochs, if above 0")
    optimisation.add_argument("--lr_scheduler_type", default="cosine")
    optimisation.add_argument("--warmup_steps", type=float, default=0.1, help="steps, or a share below 1")
    optimisation.add_argument("--weight_decay", type=float, default=0.0)
    optimisation.add_argument(
        "--gradient_checkpointing", action=argparse.BooleanOptionalAction, default=False
    )
    optimisation.add_argument("--logging_steps", type=int, default=10)
    optimisation.add_argument("--save_steps", type=int, default=100)
    optimisation.add_argument("--seed", type=int, default=0)
    experiments.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    result = prefer(args)
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(result))


def prefer(args: argparse.Namespace) -> Row:
    """Trains the adapter and returns where it is, the pairs, steps and seconds, and how the held-out pairs came out.

    `margin` is the mean of beta times the log-ratio by which the chosen text gained on the rejected one since the
    beginning (nats times beta), `accuracy` the share of pairs in which it gained; None without held-out pairs. Raises
    UserError for what cannot be trained on, checkpoints.Stopped when SIGTERM ended it.
    """
    from transformers import PrinterCallback

    _check(args)
    began = time.monotonic()
    pairs = [pair for name in args.dataset for pair in load(name, args.task)]
    if not pairs:
        named = ", ".join(args.dataset)
        raise UserError(f"{named}: no pair of texts differs inside a sentence, so there is nothing to learn")
    train, validation = _divided(pairs, args.validation_share, args.seed)
    digest = hashlib.sha256(json.dumps(pairs, sort_keys=True).encode()).hexdigest()
    data = {"fingerprint": digest, "train": len(train), "validation": len(validation)}
    newest = checkpoints.newest(args.output_dir)
    if newest:
        _require_same_run(args, data)
    try:
        # The base first, or a wrong name would be told after all pairs have been measured.
        trainer = _trainer(args, *_policy(args), chats(train, args), chats(validation, args))
    except ValueError as error:  # transformers, trl and peft say so of options that cannot be
        raise UserError(" ".join(str(error).split())) from error
    trainer.remove_callback(PrinterCallback)  # ours prints the same and more
    experiment = experiments.Experiment.start(
        args.output_dir, "prefer", _parameters(args), data, price_per_hour=args.price_per_hour, tracker=args.tracker,
        resumed=newest is not None, name=args.run_name,
    )  # fmt: skip
    trainer.add_callback(_logged(experiment))
    trainer.add_callback(stop := checkpoints.save_on_sigterm())
    try:
        outcome = trainer.train(resume_from_checkpoint=str(newest) if newest else None)
        if stop.stopped:
            raise checkpoints.Stopped(
                f"Stopped at step {outcome.global_step} and saved; the same command goes on from there."
            )
    except BaseException as error:
        ended = isinstance(error, (checkpoints.Stopped, KeyboardInterrupt))
        experiment.finish({}, "stopped" if ended else "failed")
        raise
    finally:
        stop.release()
    adapter = args.output_dir / "adapter"
    if trainer.is_world_process_zero():
        _save(trainer, adapter)
    measured = trainer.evaluate() if validation else {}
    result = {
        "adapter": str(adapter),
        "pairs": len(pairs),
        "steps": outcome.global_step,
        "loss": _loss(trainer.state.log_history),
        "margin": _rounded(measured.get("eval_rewards/margins")),
        "accuracy": _rounded(measured.get("eval_rewards/accuracies")),
        "seconds": round(time.monotonic() - began, 1),
    }
    experiment.finish({name: result[name] for name in ("loss", "margin", "accuracy")})
    return result


def _check(args: argparse.Namespace) -> None:
    for option in ("model", "dataset", "output_dir"):
        if not getattr(args, option):
            raise UserError(f"--{option} is missing: see --help")
    positive = ("beta", "lora_r", "lora_alpha", "learning_rate", "per_device_train_batch_size",
                "gradient_accumulation_steps", "max_length", "logging_steps", "save_steps")  # fmt: skip
    for option in positive:
        if not getattr(args, option) > 0:
            raise UserError(f"--{option} {getattr(args, option)}: give more than 0")
    if args.max_steps <= 0 and args.num_train_epochs <= 0:
        raise UserError("nothing to do: give --max_steps or --num_train_epochs more than 0")
    if args.method == "kto" and args.per_device_train_batch_size < 2:
        raise UserError(
            "--method kto compares the texts of a batch: give --per_device_train_batch_size 2 or more"
        )


def _loss(history: Sequence[Mapping[str, Any]]) -> float:
    """The mean of what was logged, before the run was stopped too; of a run that logged nothing, that of its steps."""
    losses = [line["loss"] for line in history if "loss" in line]
    losses = losses or [line["train_loss"] for line in history if "train_loss" in line]
    return round(sum(losses) / len(losses), 4)


def _require_same_run(args: argparse.Namespace, data: Row) -> None:
    """UserError if the run in the folder had other pairs, or options without which it cannot be gone on with."""
    if not (args.output_dir / experiments.RECORD).exists():
        return
    record = experiments.read(args.output_dir)
    differ = [name for name in _FIXED if str(record["parameters"].get(name)) != str(getattr(args, name))]
    if record["data"] != data:
        differ.append("data")
    if differ:
        named = ", ".join(differ)
        raise UserError(
            f"{args.output_dir} holds a run with other {named}: give what it had, or another --output_dir"
        )


# ---- pairs -------------------------------------------------------------------------------------------------


def load(name: str, task: str = "proofread") -> list[Row]:
    """Rows of prompt, chosen, rejected and mode: of drafts one for each sentence that was chosen otherwise than rejected.

    Raises UserError when there is no such file, folder or data set, or a row lacks a column.
    """
    path = str(Path(name, _FILE)) if Path(name).is_dir() else name
    kinds = str if task == "proofread" else (str, list)
    found: list[Row] = []
    for number, row in enumerate(read(path), 1):
        missing = [name for name in COLUMNS if not isinstance(row.get(name), kinds) or not row[name]]
        if missing:
            there = ", ".join(row)
            what = "" if task == "chat" else " that is a text"
            raise UserError(f"{path}, row {number} has no {missing[0]!r}{what}; its columns are: {there}")
        found += by_sentence(row) if task == "proofread" else [row]
    return found


def by_sentence(row: Mapping[str, Any]) -> Iterator[Row]:
    """The sentences of a row of drafts in which the chosen and the rejected text differ."""
    about = {"mode": mode_of(row), "ids": row.get("ids", [])}
    for draft, chosen, rejected in units(row["prompt"], (row["chosen"], row["rejected"]), row.get("dialect")):
        if chosen and rejected and chosen != rejected:
            yield {"prompt": draft, "chosen": chosen, "rejected": rejected, **about}


def mode_of(row: Mapping[str, Any]) -> str:
    """The mode that a row was made in, proofread where it does not say or names one that the app does not know."""
    return row["mode"] if row.get("mode") in MODES else MODES[0]


def units(draft: str, texts: Sequence[str], dialect: str | None = None) -> Iterator[tuple[str, ...]]:
    """Each sentence, greeting or item of a draft as the model is given it, and what each text makes of it.

    "" stands for a text in which it has no counterpart: where it was left out, or written anew together with others.
    Words that are only put into the spelling of `dialect` count as they were, for that is not the model's to do.

    >>> list(units("Hi Tom,\\n\\nI has it. It work.", ["Hi Tom,\\n\\nI have it. It works."]))
    [('Hi Tom,', 'Hi Tom,'), ('I has it.', 'I have it.'), ('It work.', 'It works.')]
    """
    parts = split(draft)
    spelt = {
        (change.start, change.end, change.after) for change in respellings(draft, parts, dialect)
    } if dialect else set()  # fmt: skip
    changes = [
        [each for each in diff(draft, text) if (each.start, each.end, each.after) not in spelt]
        for text in texts
    ]
    for part in parts:
        if part.kind in EDITABLE and WORD.search(part.text):
            yield (_flat(part.text), *(_flat(_rewritten(part, each)) for each in changes))


def _rewritten(part: Part, changes: Iterable[Change]) -> str:
    """The part with the changes of the draft that lie in it; "" if one of them reaches out of it."""
    end = part.start + len(part.text)
    own = []
    for change in changes:
        if change.end < part.start or change.start > end:
            continue
        if change.start == change.end and change.start in (part.start, end) and not _belongs(change, part):
            continue
        if change.start < part.start or change.end > end:
            if change.end == part.start or change.start == end:  # it only touches
                continue
            return ""
        own.append(change)
    text = apply(part.text, [_moved(change, -part.start) for change in own])
    alone = not _adds_a_sentence(part.text, text) and not (
        part.kind == "sentence" and _runs_on(part.text, text)
    )
    return text if alone and not fault(part.text, text) else ""


def _adds_a_sentence(before: str, after: str) -> bool:
    """Whether the text has a sentence more and new words for it; one that is only cut in two has not."""
    if len(sentences(after)) <= len(sentences(before)):
        return False
    return len(WORD.findall(after)) > len(WORD.findall(before)) + 1


def _runs_on(before: str, after: str) -> bool:
    """Whether the mark at the end is gone: the text then goes on in the next sentence."""
    return before[-1:] in _ENDS and after[-1:] not in _ENDS


def _belongs(change: Change, part: Part) -> bool:
    """Whether something put in at the edge of a part is the part's: a mark or a word, but no further sentence."""
    if "\n" in change.after:
        return False
    longer = part.text + change.after if change.start > part.start else change.after + part.text
    return len(sentences(longer)) == len(sentences(part.text))


def _moved(change: Change, by: int) -> Change:
    return Change(change.start + by, change.end + by, change.before, change.after, change.kind)


def _flat(text: str) -> str:
    """In one line, as the pipeline gives a sentence to the model."""
    return re.sub(r"[ \t]*\r?\n[ \t]*", " ", text).strip()


def _divided(pairs: list[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Pairs to train on and pairs to measure; those of one prompt stay together. With few pairs none are measured."""
    if not 0 <= share < 1:
        raise UserError(f"--validation_share {share}: give 0 or more, and less than 1")
    prompts = sorted({json.dumps(pair["prompt"]) for pair in pairs})
    random.Random(seed).shuffle(prompts)
    held_out = set(prompts[: round(len(prompts) * share)])
    sides: tuple[list[Row], list[Row]] = ([], [])
    for pair in pairs:
        sides[json.dumps(pair["prompt"]) in held_out].append(pair)
    return sides if len(sides[1]) >= _FEWEST_HELD_OUT else (pairs, [])


def chats(rows: Sequence[Row], args: argparse.Namespace) -> list[Row]:
    """trl's preference rows: chats, of drafts with the evidence that is measured on them."""
    prompts = _measured(rows, args.tagger) if args.task == "proofread" else map(_asked, rows)
    return [
        {"prompt": prompt, **{name: _answered(row[name]) for name in COLUMNS[1:]}}
        for row, prompt in zip(rows, prompts, strict=True)
    ]


def _measured(rows: Sequence[Row], folder: Path) -> Iterator[list[dict[str, str]]]:
    tone, tagger, lexicon = ToneClassifier.load(), Tagger.load(folder), Lexicon.load()
    for start in range(0, len(rows), _MEASURED_AT_ONCE):
        batch = rows[start : start + _MEASURED_AT_ONCE]
        texts = [row["prompt"] for row in batch]
        for row, scored, tagged in zip(batch, tone.score(texts), tagger.tag(texts), strict=True):
            yield messages(row["prompt"], evidence(row["prompt"], scored, tagged, lexicon), row["mode"])


def _asked(row: Row) -> Any:
    prompt = row["prompt"]
    return prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]


def _answered(text: Any) -> Any:
    return text if isinstance(text, list) else [{"role": "assistant", "content": text}]


# ---- training ----------------------------------------------------------------------------------------------


def _trainer(
    args: argparse.Namespace, model: Any, tokenizer: Any, train: list[Row], validation: list[Row]
) -> Any:
    import torch
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    on_gpu = torch.cuda.is_available()
    common = {
        "output_dir": str(args.output_dir),
        "learning_rate": args.learning_rate,
        "per_device_train_batch_size": args.per_device_train_batch_size,
        "per_device_eval_batch_size": args.per_device_train_batch_size,
        "gradient_accumulation_steps": args.gradient_accumulation_steps,
        "num_train_epochs": args.num_train_epochs,
        "max_steps": args.max_steps,
        "lr_scheduler_type": args.lr_scheduler_type,
        "warmup_steps": args.warmup_steps,
        "weight_decay": args.weight_decay,
        "activation_checkpointing": args.gradient_checkpointing,  # transformers 5.23 calls it so
        "max_length": args.max_length,
        "beta": args.beta,
        "logging_steps": args.logging_steps,
        "save_steps": args.save_steps,
        "save_total_limit": 2,
        "seed": args.seed,
        "bf16": on_gpu
        and torch.cuda.is_bf16_supported(),  # a margin is the difference of two sums of logs: on a CPU it is not worth the rounding
        "use_cpu": not on_gpu,
        "report_to": "none",
        "disable_tqdm": True,
    }
    if args.method == "dpo":
        losses = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, args.sft_weight]}
        config: Any = DPOConfig(**common, **(losses if args.sft_weight else {}))
    else:
        config = KTOConfig(**common)
    return checkpoints.resumable(DPOTrainer if args.method == "dpo" else KTOTrainer)(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(train),
        eval_dataset=Dataset.from_list(validation) if validation else None,
        processing_class=tokenizer,
        peft_config=None if args.adapter else _lora(args),
    )


def _policy(args: argparse.Namespace) -> tuple[Any, Any]:
    """The base, with the adapter to go on with if there is one, and the tokenizer."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(args.model)
        model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--model {args.model} cannot be loaded: {reason}") from error
    if not tokenizer.chat_template:
        raise UserError(f"--model {args.model} has no chat template: give an instruct model")
    if args.adapter is None:
        return model, tokenizer
    if not (args.adapter / "adapter_config.json").is_file():
        raise UserError(
            f"{args.adapter} has no adapter_config.json: give the folder of a trained LoRA adapter"
        )
    try:
        return PeftModel.from_pretrained(model, str(args.adapter), is_trainable=True), tokenizer
    except (RuntimeError, ValueError, KeyError) as error:
        raise UserError(
            f"{args.adapter} does not fit {args.model}: give the base that it was trained on"
        ) from error


def _lora(args: argparse.Namespace) -> Any:
    from peft import LoraConfig

    modules = args.target_modules
    return LoraConfig(
        r=args.lora_r, lora_alpha=args.lora_alpha, lora_dropout=args.lora_dropout, task_type="CAUSAL_LM",
        target_modules=modules[0] if modules == ["all-linear"] else modules,
    )  # fmt: skip


def _save(trainer: Any, adapter: Path) -> None:
    """The trained adapter alone, without the copy that trl keeps beside it as reference; whole or not at all."""
    from training.pretrain import save_about

    part = adapter.with_name("adapter.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(
            str(part), selected_adapters=["default"]
        )
        trainer.processing_class.save_pretrained(str(part))
        save_about(part)
        shutil.rmtree(adapter, ignore_errors=True)
        part.replace(adapter)
    except OSError as error:
        raise UserError(f"cannot write {adapter}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _logged(experiment: experiments.Experiment) -> Any:
    """A callback that keeps the figures and prints the telling ones."""
    from transformers import TrainerCallback

    class Logged(TrainerCallback):
        def on_log(
            self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
        ) -> None:
            if not logs or "loss" not in logs:
                return
            figures = {name: float(value) for name, value in logs.items() if isinstance(value, (int, float))}
            experiment.log(state.global_step, figures)
            print(
                f"step {state.global_step:,}/{state.max_steps:,}  loss {figures['loss']:.4f}  "
                f"margin {figures.get('rewards/margins', float('nan')):.4f}",
                file=sys.stderr,
                flush=True,
            )

    return Logged()


def _parameters(args: argparse.Namespace) -> Row:
    return {name: value for name, value in vars(args).items() if name not in ("run", "command")}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
