"""Records as training rows, streamed: one record in memory at a time, the rest in a scratch file.

`completions.jsonl`   prompt, completion            corrected texts, and rewrites accepted as a whole
`preferences.jsonl`   prompt, chosen, rejected      what a user wanted against what was rejected
`quarantine.jsonl`    the rows that a person must look at first, each with `why`
`manifest.json`       how many of each

The names of the columns are trl's. Each row carries `ids`, the records that it was made from, so that `forget` finds
it; `source`, how its text is known to be right; the record's `reasons`; and the `mode` and `dialect` it was asked for in.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from feedback.errors import FeedbackError
from feedback.record import VERDICTS, Record, made_of
from feedback.source import Seen, key, scratch

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
ENGLISH_SHARE = 0.15  # of the words of an English text are among `_ENGLISH`; in prose it is about half
MIN_WORDS = 8  # fewer tell no language apart

Row = dict[str, Any]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_PLACEHOLDER = re.compile(r"\[[A-Z]+_\d+\]")
_ENGLISH = frozenset(
    "the be to of and a in that have i it for not on with he as you do at this but his by from they we "
    "say her she or an will my one all would there their what so up out if about who get which go me when "
    "make can like time no just him know take into your some could them see other than then now only its "
    "over also back after use two how our work first well even want because any these give us is are was "
    "were been has had please thank thanks dear hi hello regards best am i'm it's don't here more very".split()
)


def rows(records: Iterable[Record]) -> Iterator[tuple[str, Row]]:
    """(kind, row) for each training row, without repeats; pairs across records come last."""
    seen = Seen()
    drafts = _Drafts()
    for record in records:
        for row in _rows(record, drafts):
            kind, row = _judged(row, record.reasons)
            if seen.add(kind, *_texts(row)):
                yield kind, row
    for row in drafts.pairs():
        kind, row = _judged(row, row["reasons"])
        if seen.add(kind, *_texts(row)):
            yield kind, row


def _rows(record: Record, drafts: _Drafts) -> Iterator[Row]:
    """The rows that one record makes by itself; what needs another record is left with `drafts`."""
    about = {"ids": [record.id], "reasons": list(record.reasons), **_asked(record)}
    if record.verdict not in VERDICTS:  # of a later release
        return
    wanted, source = _wanted(record)
    if source in ("corrected", "accepted"):
        yield {"prompt": record.draft, "completion": wanted, "source": source, **about}
        if not ABUSE & set(record.reasons):
            drafts.accepted(record, wanted, source)
    reasons = set(record.reasons)
    if source == "accepted" or reasons and reasons <= NOT_THE_TEXT:
        return
    if wanted and wanted != record.rewrite:
        row = {"prompt": record.draft, "chosen": wanted, "rejected": record.rewrite, "source": source}
        yield row | about
    elif not wanted and record.verdict == "bad":
        drafts.rejected(record)


def _asked(record: Record) -> dict[str, str | None]:
    return {name: record.options.get(name) for name in ("mode", "dialect")}


def _wanted(record: Record) -> tuple[str, str]:
    """The text that the user would have had, and how it is known; two times nothing if it is not."""
    if record.corrected.strip():
        return record.corrected, "corrected"
    verdicts = {change.get("verdict") for change in record.changes}
    # What cannot be put together again was changed by hand or by a later release: it says nothing.
    whole = not record.changes or made_of(record.draft, record.changes) == record.rewrite
    if record.verdict == "good" and "rejected" not in verdicts:
        return (record.rewrite, "accepted") if whole else ("", "")
    if "rejected" in verdicts and whole:
        taken = {"accepted"} if record.verdict == "bad" else {"accepted", "undecided"}
        return made_of(record.draft, record.changes, taken) or "", "changes"
    return "", ""


class _Drafts:
    """What users wanted and what they rejected for the same draft, kept on disk until all records are read."""

    def __init__(self) -> None:
        self._database = scratch()
        self._database.execute("CREATE TABLE wanted (draft BLOB PRIMARY KEY, id, text, source) WITHOUT ROWID")
        self._database.execute("CREATE TABLE rejected (draft BLOB, id, prompt, text, about)")

    def accepted(self, record: Record, text: str, source: str) -> None:
        """The first text wins, but a corrected one over an accepted one."""
        verb = "REPLACE" if source == "corrected" else "IGNORE"
        values = (_alike(record), record.id, json.dumps(text), source)
        self._database.execute(f"INSERT OR {verb} INTO wanted VALUES (?, ?, ?, ?)", values)

    def rejected(self, record: Record) -> None:
        about = {"reasons": list(record.reasons), **_asked(record)}
        values = (_alike(record), record.id, *map(json.dumps, (record.draft, record.rewrite, about)))
        self._database.execute("INSERT INTO rejected VALUES (?, ?, ?, ?, ?)", values)

    def pairs(self) -> Iterator[Row]:
        """A text rejected by one user against one wanted by another, in the order in which they came."""
        joined = self._database.execute(
            "SELECT r.id, r.prompt, r.text, r.about, w.id, w.text, w.source FROM rejected r"
            " CROSS JOIN wanted w ON w.draft = r.draft WHERE w.text != r.text ORDER BY r.rowid"
        )
        for bad, prompt, rejected, about, good, chosen, source in joined:
            yield {
                "prompt": json.loads(prompt),
                "chosen": json.loads(chosen),
                "rejected": json.loads(rejected),
                "source": source,
                "ids": [good, bad],
                **json.loads(about),
            }


def _alike(record: Record) -> bytes:
    """The same for records of the same draft that asked for the same."""
    return key(json.dumps([record.draft, _asked(record)]))


def _texts(row: Mapping[str, Any]) -> list[str]:
    return [row[name] for name in ("prompt", "completion", "chosen", "rejected") if name in row]


def _judged(row: Row, reasons: Sequence[str]) -> tuple[str, Row]:
    """Which file a row goes to."""
    abuse = [reason for reason in reasons if reason in ABUSE]
    why = (
        f"reason: {abuse[0]}"
        if abuse
        else fault(row["prompt"], row.get("completion") or row.get("chosen", ""))
    )
    if why:
        return "quarantine", {**row, "why": why}
    return ("completions" if "completion" in row else "preferences"), row


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


def is_english(text: str) -> bool:
    """By the share of common English words; a text of less than `MIN_WORDS` words by its letters alone."""
    words = [word.casefold().replace("’", "'") for word in _WORD.findall(_PLACEHOLDER.sub(" ", text))]
    letters = "".join(words)
    if sum(letter < "\u0250" for letter in letters) < 0.9 * len(letters):  # not the Latin alphabet
        return False
    return len(words) < MIN_WORDS or sum(word in _ENGLISH for word in words) >= ENGLISH_SHARE * len(words)


# ---- files ----


def prepare(folder: Path) -> None:
    """Makes the folder; FeedbackError if it is there and holds something that is no export."""
    if folder.is_dir() and {path.name for path in folder.iterdir()} - {*FILES, *UNFINISHED}:
        raise FeedbackError(f"{folder} holds other things: name an empty or a new folder with --output.")
    folder.mkdir(parents=True, exist_ok=True)


def export(records: Iterable[Record], folder: Path) -> dict[str, int]:
    """Writes the rows into a folder, every file whole or none; returns how many of each kind.

    Raises FeedbackError as `prepare` does.
    """
    prepare(folder)
    counts = Counter(dict.fromkeys(KINDS, 0))
    with ExitStack() as stack:
        files: dict[str, TextIO] = {
            kind: stack.enter_context(_private(folder / f"{kind}.jsonl.part")) for kind in KINDS
        }
        for kind, row in rows(records):
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
        return [
            Path(line)
            for line in (journal / REGISTRY).read_text("utf-8", "surrogateescape").split("\n")
            if line
        ]
    except FileNotFoundError:
        return []


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
            kept = dropped = 0
            with path.open() as old, _private(folder / f"{kind}.jsonl.part") as new:
                for line in old:
                    if any(name in line for name in ids) and ids & set(json.loads(line)["ids"]):
                        dropped += 1
                        continue
                    kept += 1
                    new.write(line)
            (folder / f"{kind}.jsonl.part").replace(path)
            counts[kind] = kept
            removed += dropped
        (folder / MANIFEST).write_text(json.dumps(counts))
    return removed, gone
