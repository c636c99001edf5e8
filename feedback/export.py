"""Records as training rows, streamed: one record in memory at a time, the rest in scratch files.

`completions.jsonl`   prompt, completion            corrected texts, and rewrites accepted in full
`preferences.jsonl`   prompt, chosen, rejected      what a user would have had against what was rejected
`quarantine.jsonl`    the rows that a person must look at first, each with `why`
`manifest.json`       how many of each

The names of the columns are trl's. Each row carries `ids`, the records that it was made from, so that `forget` finds
it; `source`, how its text is known to be right (corrected, changes, accepted, or reviewed: written by who looked through
the quarantine); `via`, how its records came (page, cli, api; of two the more doubtful); the record's `reasons`; and the
`mode` and `dialect` of the request.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from feedback.decisions import Decision, Row, target
from feedback.errors import FeedbackError
from feedback.record import VERDICTS, Change, Record, rebuilt
from feedback.source import key, scratch
from feedback.trust import CONFIRMED_VIAS, UNCONFIRMED, Spool, is_unconfirmed, most_doubtful
from space.proofread.lexicon import WORD, Lexicon

KINDS = ("completions", "preferences", "quarantine")
MANIFEST = "manifest.json"
FILES = (*(f"{kind}.jsonl" for kind in KINDS), MANIFEST)
UNFINISHED = tuple(f"{name}.part" for name in FILES)
REGISTRY = "exports.txt"  # in the journal's folder: where its exports are, for `forget`

ABUSE = {"rude", "biased or unfair to a person or group"}
NOT_THE_TEXT = {"too slow"}  # says nothing about what was written
MAX_WORDS = 2000  # the proofreader reads no more of an email
LENGTH_RATIO = (0.5, 2.0)  # of a rewrite to its draft, in characters
LENGTH_SLACK = 20  # characters: short texts change more
LATIN_SHARE = 0.9  # of the letters of an English text, at least

_LATIN_END = "\u0250"  # the first character after the Latin alphabets
_PLACEHOLDER = re.compile(r"\[[A-Z]+_\d+\]")


def rows(
    records: Iterable[Record], decisions: Mapping[str, Decision] | None = None
) -> Iterator[tuple[str, Row]]:
    """(kind, row) for each training row that `trust` leaves, once all records are read; pairs across records come last."""
    spool, drafts = Spool(decisions or {}), _Drafts()
    for row in chain((row for record in records for row in _rows(record, drafts)), drafts.pairs()):
        why = _why(row)
        spool.add({**row, "why": why} if why else row)
    for row in spool.judged():
        yield "quarantine" if "why" in row else "completions" if "completion" in row else "preferences", row


def _rows(record: Record, drafts: _Drafts) -> Iterator[Row]:
    """The rows that one record makes by itself; what needs another record is left with `drafts`."""
    if record.verdict not in VERDICTS:  # of a later release
        return
    about = {"ids": [record.id], "clients": [record.client], "via": _via(record), **_about(record)}
    target, source = _target(record)
    if source in ("corrected", "accepted"):
        yield {"prompt": record.draft, "completion": target, "source": source, **about}
        if not ABUSE & set(record.reasons):
            drafts.add_target(record, target, source)
    reasons = set(record.reasons)
    if source == "accepted" or reasons and reasons <= NOT_THE_TEXT:
        return
    if target and target != record.rewrite:
        yield {
            "prompt": record.draft,
            "chosen": target,
            "rejected": record.rewrite,
            "source": source,
            **about,
        }
    elif not target and record.verdict == "bad":
        drafts.add_rejected(record)


def _via(record: Record) -> str:
    return str(record.options.get("via") or "page")


def _about(record: Record) -> dict[str, Any]:
    return {"reasons": list(record.reasons), **_request(record)}


def _request(record: Record) -> dict[str, Any]:
    return {name: record.options.get(name) for name in ("mode", "dialect")}


def _target(record: Record) -> tuple[str, str]:
    """The text that the user would have had, and how that is known; two empty strings if it is not."""
    if record.corrected.strip():
        return record.corrected, "corrected"
    if not record.is_consistent:
        return "", ""
    if any(
        each.verdict == ("rejected" if each.status == "applied" else "accepted") for each in record.changes
    ):
        return rebuilt(
            record.draft, [each for each in record.changes if _is_target(each, record)]
        ) or "", "changes"
    return (record.rewrite, "accepted") if record.verdict == "good" else ("", "")


def _is_target(change: Change, record: Record) -> bool:
    """Whether the user would make the change: what a good verdict leaves undecided, it accepts as it stands."""
    undecided = change.verdict == "undecided" and change.status == "applied"
    return change.verdict == "accepted" or (undecided and record.verdict == "good")


class _Drafts:
    """The text users would have had and those they rejected for the same draft, on disk until all records are read."""

    def __init__(self) -> None:
        self._database = scratch()
        self._database.execute(
            "CREATE TABLE targets (draft BLOB PRIMARY KEY, rank, id, text, source, via, client) WITHOUT ROWID"
        )
        self._database.execute("CREATE TABLE rejected (draft BLOB, id, prompt, text, via, client, about)")

    def add_target(self, record: Record, text: str, source: str) -> None:
        """The first text wins, but a corrected one over an accepted one, and any over one that a program accepted."""
        rank = 2 if source == "corrected" else int(_via(record) in CONFIRMED_VIAS)
        self._database.execute(
            "INSERT INTO targets VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET (rank, id, text, source, via, client)"
            " = (excluded.rank, excluded.id, excluded.text, excluded.source, excluded.via, excluded.client)"
            " WHERE excluded.rank > rank",
            (
                _draft_key(record),
                rank,
                record.id,
                *map(json.dumps, (text, source, _via(record), record.client)),
            ),
        )

    def add_rejected(self, record: Record) -> None:
        values = (record.draft, record.rewrite, _via(record), record.client, _about(record))
        self._database.execute(
            "INSERT INTO rejected VALUES (?, ?, ?, ?, ?, ?, ?)",
            (_draft_key(record), record.id, *map(json.dumps, values)),
        )

    def pairs(self) -> Iterator[Row]:
        """A text rejected by one user against the target of another, in the order in which they came."""
        joined = self._database.execute(
            "SELECT t.id, r.id, r.prompt, r.text, r.via, r.client, r.about, t.text, t.source, t.via, t.client FROM rejected r"
            " CROSS JOIN targets t ON t.draft = r.draft WHERE t.text != r.text ORDER BY r.rowid"
        )
        for good, bad, *values in joined:
            prompt, rejected, via, client, about, chosen, source, good_via, good_client = map(
                json.loads, values
            )
            yield {
                "prompt": prompt,
                "chosen": chosen,
                "rejected": rejected,
                "source": source,
                "ids": [good, bad],
                "clients": [good_client, client],
                "via": most_doubtful(good_via, via),
                **about,
            }


def _draft_key(record: Record) -> bytes:
    """The same for records of the same draft with the same request."""
    return key(json.dumps([record.draft, _request(record)]))


def _why(row: Row) -> str:
    """Why a person must look at a row first, whatever other rows there are; or nothing."""
    if abuse := [reason for reason in row["reasons"] if reason in ABUSE]:
        return f"reason: {abuse[0]}"
    return fault(row["prompt"], target(row)) or (UNCONFIRMED if is_unconfirmed(row) else "")


def fault(draft: str, text: str) -> str:
    """Why a text is not fit to train on beside its draft, or nothing."""
    if not draft.strip() or not text.strip():
        return "empty"
    if max(len(draft.split()), len(text.split())) > MAX_WORDS:
        return f"longer than {MAX_WORDS} words"
    low, high = LENGTH_RATIO
    if not len(draft) * low - LENGTH_SLACK <= len(text) <= len(draft) * high + LENGTH_SLACK:
        return "length too far from the draft's"
    if not (is_english(draft) and is_english(text)):
        return "not English"
    return ""


@functools.lru_cache(256)  # the texts of one record are asked for in several rows
def is_english(text: str) -> bool:
    """By the lexicon, as the proofreader itself decides; a text too short for it by its letters alone."""
    plain = _PLACEHOLDER.sub(" ", text)
    if not plain.isascii():
        letters = "".join(filter(str.isalpha, plain))
        if sum(letter < _LATIN_END for letter in letters) < LATIN_SHARE * len(letters):
            return False
    return _lexicon().is_english(WORD.findall(plain))


@functools.cache
def _lexicon() -> Lexicon:
    return Lexicon.load()


# ---- files ----


def prepare(folder: Path) -> None:
    """Makes the folder; FeedbackError if it is there and holds something that is no export."""
    if folder.is_dir() and {path.name for path in folder.iterdir()} - {*FILES, *UNFINISHED}:
        raise FeedbackError(f"{folder} holds other things: name an empty or a new folder with --output.")
    folder.mkdir(parents=True, exist_ok=True)


def export(
    records: Iterable[Record], folder: Path, decisions: Mapping[str, Decision] | None = None
) -> dict[str, int]:
    """Writes the rows into a folder, every file in full or none; returns how many of each kind.

    `decisions` are those of `decisions.read`.

    Raises FeedbackError as `prepare` does.
    """
    prepare(folder)
    counts = Counter(dict.fromkeys(KINDS, 0))
    with ExitStack() as stack:
        files: dict[str, TextIO] = {
            kind: stack.enter_context(_private(folder / f"{kind}.jsonl.part")) for kind in KINDS
        }
        for kind, row in rows(records, decisions):
            files[kind].write(json.dumps(row) + "\n")
            counts[kind] += 1
    with _private(folder / f"{MANIFEST}.part") as manifest:
        json.dump(dict(counts), manifest)
    for name in FILES:
        (folder / f"{name}.part").replace(folder / name)
    return dict(counts)


def _private(path: Path) -> TextIO:
    """A new file that this user alone can read: it holds what people wrote."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w")


def register(journal: Path, folder: Path) -> None:
    """Notes with the journal that an export lies in this folder."""
    journal.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = exports(journal)
    if folder.resolve() not in known:
        with (journal / REGISTRY).open("a", encoding="utf-8", errors="surrogateescape") as registry:
            registry.write(f"{folder.resolve()}\n")


def exports(journal: Path) -> list[Path]:
    """The folders of the exports made from a journal."""
    try:
        text = (journal / REGISTRY).read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return []
    return [Path(line) for line in text.split("\n") if line]


def forget(journal: Path, ids: set[str]) -> tuple[int, list[Path]]:
    """Takes the rows made from these records out of every export; returns how many, and the folders that are gone."""
    removed, gone = 0, []
    for folder in exports(journal):
        for name in UNFINISHED:  # a crash left them
            (folder / name).unlink(missing_ok=True)
        paths = {kind: path for kind in KINDS if (path := folder / f"{kind}.jsonl").exists()}
        if not paths:
            gone.append(folder)
            continue
        counts = {}
        for kind, path in paths.items():
            rest = dropped = 0
            with path.open() as old, _private(folder / f"{kind}.jsonl.part") as new:
                for line in old:
                    if any(name in line for name in ids) and ids & set(json.loads(line)["ids"]):
                        dropped += 1
                        continue
                    rest += 1
                    new.write(line)
            (folder / f"{kind}.jsonl.part").replace(path)
            counts[kind] = rest
            removed += dropped
        (folder / MANIFEST).write_text(json.dumps(counts))
    return removed, gone
