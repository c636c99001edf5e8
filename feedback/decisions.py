"""What a person decided about rows in quarantine: kept beside the journal, durable, and found again by `forget`.

A decision is about one text as what becomes of one draft, in whichever rows the two stand together. It is kept in a
journal of its own, a folder in the journal's, which the journal's readers and the Hub never see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback.journal import Journal, erase, records
from feedback.record import new_id, now
from feedback.source import key

FOLDER = "reviews"  # in the journal's folder
DECISIONS = ("accept", "reject", "edit")

Row = dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """One of DECISIONS; `text` is what an edit puts in the target's place."""

    decision: str
    text: str = ""


def target_column(row: Row) -> str:
    """The column of a row that holds the text to be learnt."""
    return "completion" if "completion" in row else "chosen"


def target(row: Row) -> str:
    return row[target_column(row)]


def name(row: Row) -> str:
    """What a decision is kept by: a hash of the draft and the target."""
    return key(row["prompt"], target(row)).hex()


def journal(folder: Path) -> Journal:
    """Where the decisions about the records of a journal are written."""
    return Journal(folder / FOLDER)


def entry(rows: Sequence[Row], decision: Decision) -> dict[str, Any]:
    """A decision about rows of one text as it is written: with the id of the record that the text is of, the first in a row.

    An edit may say again what is in any text that the person saw, so it has the ids of all of them.
    """
    first = rows[0]
    about = {"id": new_id(), "time": now(), "row": name(first), "decision": decision.decision}
    if decision.decision == "edit":
        ids = list(dict.fromkeys(each for row in rows for each in row["ids"]))
        return {**about, "ids": ids, "text": decision.text}
    return {**about, "ids": first["ids"][:1]}


def read(folder: Path) -> dict[str, Decision]:
    """The decisions about the records of a journal, by name; the last about a text counts."""
    return {
        each["row"]: Decision(each["decision"], each.get("text", ""))
        for each in records(folder / FOLDER)
        if each.get("decision") in DECISIONS  # not of a later release
    }


def forget(folder: Path, ids: Iterable[str]) -> int:
    """Overwrites the decisions about these records; returns how many.

    An edit that is lost for the sake of another record becomes a rejection: what was edited was not right as it stood.
    """
    unwanted, found, kept = set(ids), set(), journal(folder)
    for each in records(folder / FOLDER):
        if unwanted & set(each["ids"]):
            found.add(each["id"])
            if (own := each["ids"][0]) not in unwanted:
                about = {"id": new_id(), "time": now(), "row": each["row"]}
                kept.append({**about, "decision": "reject", "ids": [own]})
    kept.close()
    return len(erase(folder / FOLDER, found)) if found else 0
