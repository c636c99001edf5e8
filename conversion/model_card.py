"""The card of a published model: metadata for the Hub, what it is for, how it was made, its scores and its files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from space.errors import UserError

# Assumed, as no run measures it: servers take 5 to 15 W a busy core, a training GPU its limit of 300 to 700 W.
WATTS_PER_CORE, WATTS_PER_GPU = 10, 500
PARAMETERS = (
    "task", "lora_r", "lora_alpha", "lora_dropout", "target_modules", "learning_rate", "lr_scheduler_type", "warmup_steps",
    "per_device_train_batch_size", "gradient_accumulation_steps", "num_train_epochs", "max_steps", "max_length",
    "packing", "neftune_noise_alpha", "load_in_4bit", "load_in_8bit", "bf16", "seed",
)  # fmt: skip

PROOFREADS = (
    "Correcting the English of emails inside the email proofreader, which splits them into sentences, keeps numbers, names and "
    "links as they were, and shows each change to the writer.",
    "English only, one sentence at a time. It can change what was meant, so its changes are for a person to look at. It is no "
    "judge of people's language, and no use for texts other than correspondence has been measured.",
)
CHATS = (
    "What it was fine-tuned on; see below. It was not trained as a proofreader.",
    "No use outside its training data has been measured. It can be wrong, and repeats what its data and its base hold.",
)

CARD = """\
---
{metadata}
---

# {name}

{what}

## Intended use

{use}

## Limits

{limits}

## How to use it

With the email proofreader:

    MODEL={revision} make run

With llama.cpp:

    llama-cli --hf-repo {repo_id} --hf-file {smallest}

`adapter/` is the LoRA adapter alone, for peft. A private repository needs `HF_TOKEN`.

## How it was trained

{training}

## Scores

{scores}

## Files

{files}

Each GGUF file was compared with the merged model (`python -m conversion verify`): tokens, chat template, metadata, and the next
token after each prompt; the whole reports are in `verify.json`. `SHA256SUMS` has the checksum of every file here.
"""


@dataclass(frozen=True)
class About:
    """What a person or the record of the run says of the model."""

    repo_id: str
    tag: str | None
    base_model: str | None  # its repo id on the Hub
    license: str | None
    datasets: Sequence[str]  # those that are on the Hub
    record: Mapping[str, Any]
    proofreads: bool


@dataclass(frozen=True)
class File:
    """A GGUF file with its report by `verify`."""

    name: str
    size: int
    report: Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """A figure of a suite with its 95 % interval."""

    suite: str
    rows: int
    figure: str
    value: float
    low: float
    high: float


def card(about: About, files: Sequence[File], scores: Sequence[Score]) -> ModelCard:
    """The card as the Hub shows it."""
    name = about.repo_id.rpartition("/")[2]
    base = (
        f"[{about.base_model}](https://huggingface.co/{about.base_model})" if about.base_model else "a Llama"
    )
    use, limits = PROOFREADS if about.proofreads else CHATS
    content = CARD.format(
        metadata=_metadata(about, name, scores).to_yaml(), name=name, use=use, limits=limits, repo_id=about.repo_id,
        what=f"A LoRA fine-tune of {base}, merged and converted to GGUF.",
        revision=f"{about.repo_id}@{about.tag}" if about.tag else about.repo_id,
        smallest=min(files, key=lambda file: file.size).name,
        training=_training(about), scores=_scores(scores), files=_files(files),
    )  # fmt: skip
    return ModelCard(content)


def _metadata(about: About, name: str, scores: Sequence[Score]) -> ModelCardData:
    results = [
        EvalResult(
            task_type="text-generation", dataset_type=score.suite, dataset_name=f"{score.suite} ({score.rows} rows)",
            metric_type=score.figure, metric_value=score.value,
            metric_name=f"{score.figure} (95 % interval {score.low} to {score.high})",
            metric_args={"low": score.low, "high": score.high},
        )
        for score in scores
    ]  # fmt: skip
    return ModelCardData(
        base_model=about.base_model,
        base_model_relation="finetune" if about.base_model else None,
        datasets=list(about.datasets) or None,
        eval_results=results or None,
        language="en",
        library_name="gguf",
        license=about.license,
        model_name=name if results else None,
        pipeline_tag="text-generation",
        tags=[
            "gguf",
            "llama-cpp",
            "lora",
            *(["grammar-correction", "proofreading"] if about.proofreads else []),
        ],
    )


def _training(about: About) -> str:
    record = about.record
    if not record:
        return "There is no record of its training."
    data, machine, minutes = record["data"], record["hardware"], record["seconds"] / 60
    parameters = {
        name: value
        for name, value in record["parameters"].items()
        if name in PARAMETERS and value is not None
    }
    gpus = int(machine["gpu"].partition(" x ")[0]) if machine["gpu"] else 0
    watts = gpus * WATTS_PER_GPU or machine["cores"] * WATTS_PER_CORE
    device = machine["gpu"] or f"{machine['cores']} x {machine['cpu']}"
    assumed = f"{WATTS_PER_GPU} W a GPU" if gpus else f"{WATTS_PER_CORE} W a core"
    dirty = " with changes that were not committed" if record["code"].get("dirty") else ""
    rows = [
        ("command", f"`python -m training {record['command']}`, commit {record['code']['commit'] or 'unknown'}{dirty}"),
        ("data", ", ".join(f"{name} {value}" for name, value in data.items() if isinstance(value, int))),
        ("SHA-256 of the data", data.get("fingerprint")),
        ("options", ", ".join(f"{name} {_text(value)}" for name, value in parameters.items())),
        ("results", ", ".join(f"{name} {_text(value)}" for name, value in record["scores"].items() if value is not None)),
        ("versions", ", ".join(f"{name} {value}" for name, value in record["versions"].items())),
        ("machine", f"{device}, {machine['ram_gib']} GiB of memory"),
        ("time", f"{minutes:.1f} minutes"),
        ("energy, an estimate", f"{minutes / 60 * watts / 1000:.3f} kWh: the time at an assumed {assumed}, not measured"),
    ]  # fmt: skip
    return (
        _table(("", ""), [row for row in rows if row[1]])
        + "\n\nThe whole record and the log are in `training/`."
    )


def _scores(scores: Sequence[Score]) -> str:
    if not scores:
        return "It has not been scored."
    rows = [
        (each.suite, each.rows, each.figure, f"{each.value} ({each.low} to {each.high})") for each in scores
    ]
    table = _table(("suite", "rows", "figure", "value (95 % interval)"), rows)
    return (
        f"{table}\n\nBy `python -m training evaluate`: the whole pipeline of the app with this model in it."
    )


def _files(files: Sequence[File]) -> str:
    rows = []
    for file in files:
        greedy = next((each for each in file.report["checks"] if each["name"] == "greedy tokens"), None)
        agreed = f"{greedy['equal']} of {greedy['total']}" if greedy else ""
        rows.append((f"`{file.name}`", f"{file.size / 1e6:.1f} MB", agreed, f"`{file.report['sha256']}`"))
    return _table(("file", "size", "next tokens as the model's", "SHA-256"), rows)


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *cells])


# ---- scores ----


def read_scores(path: Path, names: Sequence[str]) -> list[Score]:
    """The figures in what `python -m training evaluate` printed; of several models those of the file that is published.

    UserError when the file is none of those, or does not say which of its models this is.
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        own = [row for row in rows if "paired" not in row and row["model"] != "none"]
        models = {row["model"] for row in own}
        if len(models) > 1:
            own = [row for row in own if Path(row["model"]).name in names]
        found = [score for row in own for score in _figures(row)]
    except OSError as error:
        raise UserError(f"--scores {path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"--scores {path}: give what `python -m training evaluate` printed, JSON lines"
        ) from error
    if not found:
        raise UserError(
            f"--scores {path} has no figure of this model (of {', '.join(sorted(models)) or 'none'}): evaluate one of the files"
        )
    return found


def _figures(row: Mapping[str, Any]) -> Iterator[Score]:
    """The main figures of a suite: those with an interval that are in no group."""
    for name, figure in row.items():
        if isinstance(figure, dict) and figure.get("value") is not None and "low" in figure:
            yield Score(row["suite"], row["rows"], name, figure["value"], figure["low"], figure["high"])
