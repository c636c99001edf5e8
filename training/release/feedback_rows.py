"""Feedback as rows for `retrain`: sentences to train on, pairs, and drafts that are held out to judge by.

    counts = make_rows(args, folder)     args as `retrain` has them

Whether a draft is held out depends on its text alone, so that it is held out the next time too. What is judged by is left
out of all rows to train on, as texts and by sentence.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from space.errors import UserError
from space.proofread.prompt import GOALS, MODES
from training.data.corpus import read_rows
from training.data.pairs import generated_pairs
from training.evaluation.suites import SENTENCES, objects, pairs_of, sampled, texts_of
from training.finetune.sentence_pairs import by_sentence, mode_of, units
from training.runs.atomic_write import write_errors
from training.runs.steps import read_json

_SOURCES = (
    "reviewed",
    "corrected",
    "changes",
    "accepted",
)  # of a text, as the export calls them, best known first
_IDENTITY_SHARE = 0.22  # of the sentences are right as they are: as many as the base was trained on

Row = dict[str, Any]
T = TypeVar("T")


def make_rows(args: argparse.Namespace, folder: Path) -> Row:
    """Writes train/completions.jsonl, train/preferences.jsonl and held_out/completions.jsonl; returns how many.

    A text that somebody wrote, or made by sorting changes, is learnt from. One that was accepted as it was is what the served
    model can do already: it is replayed.

    They have the names and the `ids` of an export and are known to the journal as one, so that `python -m feedback
    forget` reaches them. Raises UserError when nothing is left to train on.
    """
    completions, preferences = _feedback(args, folder)
    held_out = _held_out(completions, preferences, args)
    excluded = _excluded([*held_out, *evaluation(args)], clean_texts(args))
    completions, preferences = (
        [row for row in rows if not is_held_out(row["prompt"], args.held_out_share)]
        for rows in (completions, preferences)
    )
    accepted = [row for row in completions if row.get("source") == "accepted"]
    written = [row for row in completions if row.get("source") != "accepted"]
    written += [row | {"completion": row["chosen"]} for row in preferences if row.get("source") == "changes"]
    train = _by_sentence(written, excluded, args.seed)
    if not train:
        raise UserError(
            "no text to train on: every draft is held out, was accepted or came back as it was, or changed beyond its "
            "sentences; wait for more feedback"
        )
    replay = _replayed(args, len(train), _by_sentence(accepted, excluded, args.seed), excluded)
    pairs = [
        pair
        for row in preferences
        for pair in by_sentence(row)
        if _is_allowed(excluded, pair["prompt"], pair["chosen"])
    ]
    mixed = [*train, *replay]
    _write(folder / "train" / "completions.jsonl", random.Random(args.seed).sample(mixed, len(mixed)))
    _write(folder / "train" / "preferences.jsonl", pairs)
    _write(folder / "held_out" / "completions.jsonl", held_out)
    return {"sentences": len(train), "replay": len(replay), "pairs": len(pairs), "held_out": len(held_out)}


def _feedback(args: argparse.Namespace, folder: Path) -> tuple[list[Row], list[Row]]:
    """Completions and preferences, each with the mode and the dialect that its drafts were proofread in.

    Raises UserError for feedback that cannot be read, or that has no row to train on.
    """
    from feedback import decisions, export, source
    from feedback.__main__ import require
    from feedback.dataset import Dataset
    from feedback.dataset import rows as dataset_rows
    from feedback.errors import FeedbackError

    repo_id = args.dataset or ("" if args.folder else os.environ.get("FEEDBACK_DATASET", "").strip())
    journal = args.folder or Path(os.environ.get("FEEDBACK_DIR") or "flagged")
    where = args.export or folder / "feedback"
    try:
        if args.export:
            counts = read_json(args.export / export.MANIFEST)
            if not counts:
                raise UserError(
                    f"{args.export} is no export: give a folder that python -m feedback export wrote"
                )
        else:
            if repo_id:
                token = os.environ.get("HF_TOKEN", "").strip()
                records = source.once(dataset_rows(Dataset(repo_id, token)))
            else:
                require(journal)
                records = source.journal(journal)
            export.prepare(where)
            export.register(journal, where)
            counts = export.export(records, where, decisions.read(journal))
        if not args.export or journal.is_dir():
            for each in (folder / "train", folder / "held_out"):
                export.register(journal, each)
    except (FeedbackError, OSError) as error:
        raise UserError(str(error)) from error
    if not counts.get("completions") and not counts.get("preferences"):
        place = args.export or repo_id or journal
        if counts.get("quarantine"):
            raise UserError(
                f"{place}: all {counts['quarantine']} rows are in quarantine: go through them with python -m feedback review"
            )
        raise UserError(
            f"{place} has no feedback that makes a training row yet: come back when there is some"
        )
    # What other goals change is the work of lists: as corrections it would teach the model to rewrite what is right.
    completions, preferences = (
        [row for row in _read(where / f"{kind}.jsonl") if row.get("mode") not in GOALS]
        for kind in ("completions", "preferences")
    )
    return completions, preferences


def is_held_out(draft: str, share: float) -> bool:
    """Whether a draft belongs to the share that is never trained on; blanks and capitals make no difference."""
    value = int.from_bytes(hashlib.sha256(_normal(draft).encode("utf-8", "replace")).digest()[:8], "big")
    return value < share * 2**64


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()


def _held_out(completions: Iterable[Row], preferences: Iterable[Row], args: argparse.Namespace) -> list[Row]:
    """The drafts that are held out, each with what people would have had of it and how that is known (`source`).

    What somebody wrote themselves ("corrected") counts more than a rewrite of which they rejected changes ("changes", with
    all of it in `rejected`), and that more than one that they took as it was ("accepted"): of these a draft has the
    first that there is. A draft that was put into another spelling is left out: how well a word is spelt is not the
    model's merit.
    """
    known = [
        *((row.get("source", _SOURCES[0]), row, row["completion"], []) for row in completions),
        *((row.get("source"), row, row["chosen"], [row["rejected"]]) for row in preferences),
    ]
    # A preference is a text that somebody wrote or took, which is among the completions, or changes that they sorted.
    usable = [each for each in known if each[0] in _SOURCES and (not each[3] or each[0] == "changes")]
    found: dict[tuple[str, str], Row] = {}
    for source, row, reference, rejected in sorted(usable, key=lambda each: _SOURCES.index(each[0])):
        if not is_held_out(row["prompt"], args.held_out_share) or row.get("dialect"):
            continue
        about = {"prompt": row["prompt"], "mode": mode_of(row), "source": source}
        entry = found.setdefault(
            (_normal(row["prompt"]), mode_of(row)), {**about, "references": [], "rejected": [], "ids": []}
        )
        if entry["source"] == source:
            entry["references"].append(reference)
            entry["rejected"] += rejected
            entry["ids"] += row["ids"]
    return list(found.values())


def evaluation(args: argparse.Namespace) -> list[Row]:
    found = []
    for path in args.evaluation:
        found += [
            {"prompt": text, "references": references, "mode": MODES[0], "ids": []}
            for text, references in _read_by(pairs_of, path)
        ]
    return found


def clean_texts(args: argparse.Namespace) -> list[str]:
    return sampled(_read_by(texts_of, args.clean or SENTENCES), args.limit)


def _read_by(reader: Callable[[list[Row]], list[T]], path: Path) -> list[T]:
    """What a reader makes of the rows of a file; its UserError names the file, of which there may be several."""
    rows = objects(path)
    try:
        return reader(rows)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _excluded(rows: Iterable[Row], clean: Iterable[str]) -> set[str]:
    """What may not be trained on: the texts to judge by, and each of their sentences."""
    texts = [*clean, *(text for row in rows for text in (row["prompt"], *row["references"]))]
    return {
        _normal(each) for text in texts for each in (text, *(sentence for (sentence,) in units(text, ())))
    }


def _is_allowed(excluded: set[str], draft: str, target: str) -> bool:
    """Whether a row may be trained on: neither what it asks nor what it answers is judged by."""
    return _normal(draft) not in excluded and _normal(target) not in excluded


def _by_sentence(completions: Iterable[Row], excluded: set[str], seed: int) -> list[Row]:
    """The sentences of drafts with what became of them; of those left as they were only `_IDENTITY_SHARE`."""
    changed: dict[tuple[str, ...], Row] = {}
    same: dict[tuple[str, ...], Row] = {}
    for row in completions:
        for draft, corrected in units(row["prompt"], (row["completion"],), row.get("dialect")):
            if corrected and _is_allowed(excluded, draft, corrected):
                about = {"mode": mode_of(row), "ids": row["ids"], "email": row["prompt"]}
                unit = {"draft": draft, "corrected": corrected, **about}
                (same if draft == corrected else changed)[draft, corrected, unit["mode"]] = unit
    count = round(len(changed) * _IDENTITY_SHARE / (1 - _IDENTITY_SHARE))
    return [*changed.values(), *random.Random(seed).sample(list(same.values()), min(count, len(same)))]


def _replayed(args: argparse.Namespace, fresh: int, accepted: list[Row], excluded: set[str]) -> list[Row]:
    """What the base can do already, `--replay_share` of all rows or as many as there are: half of it at most what people
    accepted, the rest from --replay, or generated mail."""
    count, rng = round(fresh * args.replay_share / (1 - args.replay_share)), random.Random(args.seed)
    accepted = rng.sample(accepted, min(count // 2, len(accepted)))
    count -= len(accepted)
    if args.replay:
        given = list(objects(args.replay))
    else:
        pairs = generated_pairs(count, rng)
        given = [{"draft": pair.bad, "corrected": pair.good, "mode": pair.mode} for pair in pairs]
    rows = []
    for number, row in enumerate(given, 1):
        if not all(isinstance(row.get(name), str) and row[name].strip() for name in ("draft", "corrected")):
            raise UserError(
                f"--replay {args.replay}, row {number}: it needs draft and corrected, its columns are {', '.join(row)}"
            )
        if _is_allowed(excluded, row["draft"], row["corrected"]):
            rows.append(
                {"draft": row["draft"], "corrected": row["corrected"], "mode": mode_of(row), "ids": []}
            )
    return [*accepted, *rng.sample(rows, min(count, len(rows)))]


def held_out_rows(folder: Path) -> list[Row]:
    """The rows that `make_rows` held out: prompt, references, mode, source and rejected."""
    return _read(folder / "held_out" / "completions.jsonl")


def _read(path: Path) -> list[Row]:
    return list(read_rows(path)) if path.exists() else []


def _write(path: Path, rows: Iterable[Row]) -> None:
    """Readable by this user alone: it holds what people wrote."""
    with write_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
