"""Rows to fine-tune on, from any data set: columns found by name, faulty rows left out, mixed, split and selected.

    args = parser.parse_args(["--dataset", "pairs.jsonl", "--task", "proofread"])
    rows = load(args, tokenizer)  # rows.train, rows.validation

A data set is a file (.csv, .json, .jsonl, .jsonl.zst, .parquet), or a Hub repo id, with ":config" behind it if it has
several. Its rows become trl's prompt-completion type. A prompt that is a chat already is taken as it is; of a column of
messages the last answer is the completion. In the task "proofread" a draft is rendered by space/proofread/prompt.py with evidence
that the shipped classifiers measure on it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from space.errors import UserError
from space.proofread.prompt import MODES, Evidence, messages
from training.data.corpus import read_rows
from training.finetune.prompts import Draft, prompts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]  # {"prompt": chat, "completion": chat}
Dropped = tuple[str, int, str]  # data set, index of the row in it, why

# The names that such columns have in common data sets, best first.
_CHATS = ("messages", "conversations")
_INPUTS = (
    ("prompt",), ("draft",), ("instruction", "input"), ("instruction", "context"), ("instruction",), ("input",),
    ("question",), ("source",), ("incorrect",), ("wrong",), ("before",), ("sentence",), ("text",),
)  # fmt: skip
_OUTPUTS = (
    "completion", "corrected", "output", "response", "answer", "target", "correction", "correct", "right", "after", "location",
)  # fmt: skip
_SPEAKERS = {"human": "user", "gpt": "assistant"}  # roles in chats of from and value, as ShareGPT has them
_SUFFIXES = (".csv", ".json", ".jsonl", ".zst", ".parquet")

_LISTED = 20  # indices of dropped rows in one message


@dataclass(frozen=True)
class Data:
    """Rows for trl; `lengths` are those of the training rows in tokens, prompt and completion together."""

    train: list[Row]
    validation: list[Row]
    fingerprint: str
    dropped: list[Dropped]
    lengths: list[int]


@dataclass
class Item:
    """One row on its way: `prompt` is a chat, or a draft that has no evidence yet."""

    source: str
    index: int
    prompt: list[dict[str, str]] | str
    completion: str
    mode: str
    keys: tuple[str, ...]  # rows that share one never stand on both sides of a split
    email: str = ""  # that the draft is a sentence of, if it is known
    tokens: int = 0  # of prompt and completion
    answer: int = 0  # of the completion

    @property
    def asked(self) -> str:
        """What the prompt says, without a system message."""
        if isinstance(self.prompt, str):
            return self.prompt
        return "\n\n".join(each["content"] for each in self.prompt if each["role"] != "system")


@dataclass(frozen=True)
class Source:
    """A data set as it was read: its columns, those that were taken, and its usable rows."""

    name: str
    rows: int
    columns: list[str]
    inputs: list[str]
    output: str | None  # None where `inputs` is a column of messages
    items: list[Item]
    dropped: list[Dropped]


@dataclass(frozen=True)
class Chosen:
    """Rows before drafts get their evidence."""

    train: list[Item]
    validation: list[Item]
    dropped: list[Dropped]


class UnknownColumns(UserError):
    """No name of a data set's columns says what it is for; `columns` are all of its `rows` rows."""

    def __init__(self, message: str, columns: Sequence[str], rows: int = 0) -> None:
        super().__init__(message)
        self.columns, self.rows = list(columns), rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `load`, which reads `args.seed` besides."""
    data = parser.add_argument_group("data")
    data.add_argument(
        "--dataset",
        "--dataset_name",
        action=Repeated,
        metavar="FILE|REPO",
        help="to learn from; may be given again for a mixture",
    )
    data.add_argument("--split", default="train", help="of a Hub data set (default train)")
    data.add_argument(
        "--mixture_weights", type=float, nargs="+", metavar="WEIGHT",
        help="share of each --dataset; as many rows as the shares allow without taking one twice",
    )  # fmt: skip
    data.add_argument(
        "--task", choices=("proofread", "chat"), default="proofread",
        help="proofread: drafts and corrected texts; chat: anything else (default proofread)",
    )  # fmt: skip
    data.add_argument(
        "--input_column",
        "--input_column_name",
        nargs="+",
        metavar="NAME",
        help="several are put together; found by name if not given",
    )
    data.add_argument(
        "--output_column",
        "--output_column_name",
        metavar="NAME",
        help="or a column of messages; found by name if not given",
    )
    data.add_argument(
        "--tagger", type=Path, help="folder of the tagger that gives evidence (default: the shipped one)"
    )
    held = parser.add_argument_group("held-out rows")
    held.add_argument("--validation", metavar="FILE|REPO", help="own rows for it; without, a random share")
    held.add_argument(
        "--validation_split", default="validation", help="of a Hub data set (default validation)"
    )
    held.add_argument(
        "--validation_share", type=float, default=0.2,
        help="of the rows, drawn with --seed; 0 for none (default 0.2)",
    )  # fmt: skip
    selected = parser.add_argument_group("selection of rows")
    selected.add_argument("--min_tokens", type=int, default=0, help="a row shorter than this is left out")
    selected.add_argument("--max_tokens", type=int, help="a row longer than this is left out")
    selected.add_argument(
        "--top_k_longest", type=int, metavar="K", help="to learn from the K rows with the longest completions"
    )
    selected.add_argument("--random_k", type=int, metavar="K", help="to learn from K rows, drawn with --seed")


class Repeated(argparse.Action):
    """Gathers the values of an option that may be given again; the first takes the place of the default."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        given = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [values] if given is self.default else [*given, values])


def load(args: argparse.Namespace, tokenizer: PreTrainedTokenizerBase, folder: Path | None = None) -> Data:
    """Reads, cleans, mixes, splits and selects what the options name.

    In the task "proofread" rows longer than `args.max_length` are left out, where there is such an option: half of a
    corrected text teaches to stop in the middle. What is measured on drafts is stored in `folder`, if there is one, and found
    there again. UserError for data that cannot be read or has no usable row.
    """
    chosen = choose(args, tokenizer)
    train, validation = with_evidence(
        (chosen.train, chosen.validation), args, tokenizer, chosen.dropped, folder
    )
    _report(chosen.dropped)
    if not train:
        raise UserError("no row is left to learn from: they were all too long, or held out")
    learnt, held = as_rows(train), as_rows(validation)
    digest = hashlib.sha256()
    for part in (learnt, held):
        digest.update(json.dumps(part, ensure_ascii=False, sort_keys=True).encode())
    return Data(learnt, held, digest.hexdigest(), chosen.dropped, [item.tokens for item in train])


def choose(
    args: argparse.Namespace,
    tokenizer: PreTrainedTokenizerBase | None,
    sources: Sequence[Source] | None = None,
) -> Chosen:
    """The first half of `load`: all but evidence. `sources` are those of `args.dataset`, if they were read already.

    Without a tokenizer no row is too long or too short, and the longest completions are those with the most characters.
    """
    check(args)
    dropped: list[Dropped] = []
    if sources is None:
        sources = [survey(name, args.split, args) for name in args.dataset]
    train = _mixed(
        [_usable(each, args, tokenizer, dropped) for each in sources], args.mixture_weights, args.seed
    )
    if args.validation:
        own = survey(args.validation, args.validation_split, args)
        validation = _usable(own, args, tokenizer, dropped)
        train = _without(train, {key for item in validation for key in item.keys}, dropped)
    else:
        train, validation = _split(train, args.validation_share, args.seed)
    return Chosen(_selected(train, args), validation, dropped)


def with_evidence(
    parts: Sequence[list[Item]],
    args: argparse.Namespace,
    tokenizer: PreTrainedTokenizerBase,
    dropped: list[Dropped],
    folder: Path | None = None,
) -> list[list[Item]]:
    """The items with evidence for their drafts, without those that it makes too long."""
    drafts = [item for part in parts for item in part if isinstance(item.prompt, str)]
    if not drafts:  # evidence takes time, so only what was selected gets it
        return list(parts)
    chats = prompts([Draft(str(item.prompt), item.mode, item.email) for item in drafts], args.tagger, folder)
    for item, chat in zip(drafts, chats, strict=True):
        item.prompt = chat
    return [_bounded(part, args, tokenizer, dropped) for part in parts]


def as_rows(items: Sequence[Item]) -> list[Row]:
    return [
        {"prompt": item.prompt, "completion": [{"role": "assistant", "content": item.completion}]}
        for item in items
    ]


def check(args: argparse.Namespace) -> None:
    """UserError for options out of their range, before anything is read."""
    if not args.dataset:
        raise UserError("no data: name a file or a Hub repo id with --dataset")
    weights = args.mixture_weights
    if weights and (len(weights) != len(args.dataset) or min(weights) < 0 or not sum(weights)):
        raise UserError(
            f"--mixture_weights needs one number of 0 or more for each --dataset: {len(weights)} for {len(args.dataset)}"
        )
    if not 0 <= args.validation_share < 1:
        raise UserError(f"--validation_share {args.validation_share}: give 0 or more and less than 1")
    for name in ("top_k_longest", "random_k"):
        if (count := getattr(args, name)) is not None and count < 1:
            raise UserError(f"--{name} {count}: give 1 or more")


# ---- from a data set to clean items ----


def survey(name: str, split: str, args: argparse.Namespace) -> Source:
    """Reads one data set and finds its columns. UserError if it cannot be read, UnknownColumns if none is found."""
    rows = read(name, split)
    if not rows:
        raise UserError(f"{name} has no row")
    # csv puts what is beyond the last column under None
    columns = list(dict.fromkeys(column for row in rows for column in row if column is not None))
    try:
        inputs, output = _columns(name, columns, args)
    except UnknownColumns as error:
        error.rows = len(rows)
        raise
    items: list[Item] = []
    dropped: list[Dropped] = []
    for index, row in enumerate(rows):
        made = _item(name, index, row, inputs, output, args.task)
        if isinstance(made, Item):
            items.append(made)
        else:
            dropped.append((name, index, made))
    return Source(name, len(rows), columns, inputs, output, items, dropped)


def _usable(
    source: Source,
    args: argparse.Namespace,
    tokenizer: PreTrainedTokenizerBase | None,
    dropped: list[Dropped],
) -> list[Item]:
    """The usable rows of one data set, with their lengths; what is not usable goes to `dropped`."""
    before = len(dropped)
    dropped += source.dropped
    items = _bounded(source.items, args, tokenizer, dropped)
    if not items:
        _report(dropped[before:])
        left_out = len(dropped) - before
        raise UserError(f"{source.name} has no usable row: {source.rows:,} read, {left_out:,} left out")
    return items


def read(name: str, split: str = "train") -> list[dict[str, Any]]:
    """The rows of a file, or of one split of a Hub data set. UserError if it cannot be read."""
    path = Path(name)
    if path.suffix not in _SUFFIXES:
        if path.is_file():
            raise UserError(f"{name} is no file of rows: they are read from {', '.join(_SUFFIXES)}")
        return _from_hub(name, split)
    if not path.is_file():
        raise UserError(f"{name} does not exist: name a file ({', '.join(_SUFFIXES)}) or a Hub repo id")
    try:
        if path.suffix == ".csv":
            csv.field_size_limit(2**31 - 1)
            with path.open(encoding="utf-8-sig", newline="") as lines:
                return list(csv.DictReader(lines))
        if path.suffix == ".parquet":
            import pyarrow.parquet

            return pyarrow.parquet.read_table(path).to_pylist()
        rows = (
            json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else list(read_rows(path))
        )
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{name} cannot be read: {_line(error)}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{name} is not a list of rows: each must be an object with named columns")
    return rows


def _from_hub(name: str, split: str) -> list[dict[str, Any]]:
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    repo, _, config = name.partition(":")
    try:
        return load_dataset(repo, config or None, split=split).to_list()
    except DatasetGenerationError as error:  # it says no more than that; its cause says what
        raise UserError(f"data set {name} cannot be read: {_line(error.__cause__ or error)}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"data set {name}, split {split}, cannot be loaded: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _columns(name: str, columns: Sequence[str], args: argparse.Namespace) -> tuple[list[str], str | None]:
    """The columns of input and of output; of a column of messages, its name and None."""
    given = [args.input_column] if isinstance(args.input_column, str) else list(args.input_column or ())
    listed = ", ".join(columns) or "none"
    for column in (*given, *filter(None, [args.output_column])):
        if column not in columns:
            raise UserError(f"{name} has no column {column!r}; its columns are: {listed}")
    if not given and not args.output_column and (chats := [each for each in _CHATS if each in columns]):
        return chats[:1], None
    if args.output_column in _CHATS:
        return [args.output_column], None
    free = {*columns} - {args.output_column}
    inputs = given or next((list(names) for names in _INPUTS if free.issuperset(names)), [])
    outputs = [column for column in _OUTPUTS if column in columns and column not in inputs]
    output = args.output_column or (outputs[0] if outputs else None)
    for option, found in (("input_column", inputs), ("output_column", output)):
        if not found:
            raise UnknownColumns(
                f"{name}: say with --{option} which column it is; its columns are: {listed}", columns
            )
    return inputs, output


def _item(
    name: str, index: int, row: Mapping[str, Any], inputs: Sequence[str], output: str | None, task: str
) -> Item | str:
    """The row, or why it is left out."""
    if output is None:
        chat = chat_of(row.get(inputs[0]))
        if len(chat) < 2 or chat[-1]["role"] != "assistant":
            return f"{inputs[0]!r} is no chat that ends with an answer"
        return _chat_item(name, index, chat[:-1], chat[-1]["content"], task)
    values = [row.get(column) for column in inputs]
    chat = chat_of(values[0])
    if not chat and not _text(values[0]):
        return f"no text in {inputs[0]!r}"
    answer = row.get(output)
    completion = chat_of(answer)[-1]["content"] if chat_of(answer) else _text(answer)
    if not completion:
        return f"no text in {output!r}"
    if chat:
        return _chat_item(name, index, chat, completion, task)
    draft = "\n\n".join(filter(None, map(_text, values)))
    if task == "chat":
        return _chat_item(name, index, [{"role": "user", "content": draft}], completion, task)
    mode = _text(row.get("mode")) or MODES[0]
    if mode not in MODES:
        return f"unknown mode {mode!r}"
    return Item(name, index, draft, completion, mode, (draft, completion), _text(row.get("email")))


def _chat_item(name: str, index: int, chat: list[dict[str, str]], completion: str, task: str) -> Item:
    keys = (chat[-1]["content"], completion) if task == "proofread" else (json.dumps(chat),)
    return Item(name, index, chat, completion, "", keys)


def _text(value: Any) -> str:
    """What is written there; nothing for a missing value, of whatever kind (None, NaN, a list)."""
    return value if isinstance(value, str) and value.strip() else ""


def chat_of(value: Any) -> list[dict[str, str]]:
    """A list of messages with role and content, or with from and value; else nothing."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return []
    chat = []
    for each in value:
        role, said = each.get("role") or each.get("from"), each.get("content") or each.get("value")
        chat.append({"role": _SPEAKERS.get(_text(role), _text(role)), "content": _text(said)})
    return chat if all(each["role"] and each["content"] for each in chat) else []


def _bounded(
    items: Sequence[Item],
    args: argparse.Namespace,
    tokenizer: PreTrainedTokenizerBase | None,
    dropped: list[Dropped],
) -> list[Item]:
    """Counts the tokens of each item (of a draft still without evidence) and leaves out the too long and too short."""
    from jinja2 import TemplateError

    if tokenizer is None:
        for item in items:
            item.answer = len(item.completion)
        return list(items)
    limit = getattr(args, "max_length", None)
    longest = min(filter(None, [args.max_tokens, limit if args.task == "proofread" else None]), default=None)
    usable = []
    for item in items:
        prompt = item.prompt
        if isinstance(prompt, str):
            prompt = messages(prompt, Evidence(None, None), item.mode)
        try:
            asked = count_tokens(tokenizer, prompt, ask=True)
            answer = {"role": "assistant", "content": item.completion}
            item.tokens = count_tokens(tokenizer, [*prompt, answer])
        except TemplateError as error:  # Gemma's has no system role, Mistral's wants two speakers in turns
            dropped.append((item.source, item.index, f"the chat template refuses it: {_line(error)}"))
            continue
        item.answer = item.tokens - asked
        if item.tokens < args.min_tokens:
            dropped.append((item.source, item.index, f"shorter than {args.min_tokens} tokens"))
        elif longest and item.tokens > longest:
            dropped.append((item.source, item.index, f"longer than {longest} tokens"))
        elif limit and asked >= limit:
            dropped.append((item.source, item.index, f"its prompt alone has {limit} tokens or more"))
        else:
            usable.append(item)
    return usable


def count_tokens(tokenizer: PreTrainedTokenizerBase, chat: list[dict[str, str]], *, ask: bool = False) -> int:
    """Of a chat, or of one that `ask`s for an answer. Raises jinja2's TemplateError where the template refuses it."""
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=ask)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def _report(dropped: Sequence[Dropped]) -> None:
    """Says on stderr how many rows of which data set were left out, which and why."""
    reasons: dict[tuple[str, str], list[int]] = defaultdict(list)
    for name, index, why in dropped:
        reasons[name, why].append(index)
    for (name, why), indices in reasons.items():
        listed = ", ".join(map(str, indices[:_LISTED])) + (", ..." if len(indices) > _LISTED else "")
        print(f"{name}: {len(indices):,} rows left out ({why}): {listed}", file=sys.stderr)


# ---- mixing, splitting, selecting ----


def _mixed(sets: Sequence[list[Item]], weights: Sequence[float] | None, seed: int) -> list[Item]:
    """All rows, or of each data set its share: as many as there are without taking a row twice."""
    if not weights:
        return [item for items in sets for item in items]
    rng = random.Random(seed)
    total = min(len(items) / weight for items, weight in zip(sets, weights, strict=True) if weight)
    return [
        item
        for items, weight in zip(sets, weights, strict=True)
        for item in rng.sample(items, min(len(items), round(total * weight)))
    ]


def _split(items: list[Item], share: float, seed: int) -> tuple[list[Item], list[Item]]:
    """Training rows and held-out rows, `share` of all; what belongs together stays on one side."""
    groups = _groups(items)
    random.Random(seed).shuffle(groups)
    held: set[int] = set()
    size = round(share * len(items))
    for group in groups:
        if len(held) + len(group) <= size:
            held.update(group)
    sides: tuple[list[Item], list[Item]] = ([], [])
    for i, item in enumerate(items):
        sides[i in held].append(item)
    return sides


def _groups(items: Sequence[Item]) -> list[list[int]]:
    """Indices of items that share a key, be it by way of others."""
    import networkx  # type: ignore[import-untyped]

    graph = networkx.Graph((i, key) for i, item in enumerate(items) for key in item.keys)
    return [sorted(i for i in group if isinstance(i, int)) for group in networkx.connected_components(graph)]


def _without(items: Sequence[Item], held: set[str], dropped: list[Dropped]) -> list[Item]:
    usable = []
    for item in items:
        if held.isdisjoint(item.keys):
            usable.append(item)
        else:
            dropped.append((item.source, item.index, "it is among the held-out rows"))
    return usable


def _selected(items: list[Item], args: argparse.Namespace) -> list[Item]:
    """The rows with the longest answers, a random choice, or all, in the order that they had."""
    chosen = range(len(items))
    if args.top_k_longest:
        longest = sorted(chosen, key=lambda i: -items[i].answer)[: args.top_k_longest]
        chosen = sorted(longest)  # type: ignore[assignment]
    if args.random_k and args.random_k < len(chosen):
        chosen = sorted(random.Random(args.seed).sample(list(chosen), args.random_k))  # type: ignore[assignment]
    return [items[i] for i in chosen]
