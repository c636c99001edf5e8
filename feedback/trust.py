"""Which rows may be trained on: repeats merged, no client too often, and contradictions left to a person.

Drafts that differ only in case, blanks, digits or marks are one draft. Of a draft

- the same target stays once: the first, but one that a person wrote over one that was only accepted;
- a correction wins over an accepted rewrite made with the same mode and dialect;
- corrections that differ wait in quarantine, each with one of the others as `other`.

Rows that a person decided about come before all others and are never held back. All rows lie in a scratch file until
the last has come; memory does not grow with their number, and the order is that in which they came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from feedback.decisions import Decision, Row, name, target, target_column
from feedback.source import key, scratch
from space.proofread.edits import diff

MAX_ROWS = (
    30  # for one client, whose name is of a day: more than a person sends, too few to teach a model much
)
VIAS = ("page", "cli", "api")  # how a record came, the most trusted first
CONFIRMED_VIAS = ("page", "cli")  # where a good verdict is a person's

UNCONFIRMED = "accepted by API: confirm it"
TOO_MANY = f"more than {MAX_ROWS} rows from one client"
CONTRADICTION = "another correction of the same draft differs"

# Requests that lead to other texts; any other name, as /flag lets everybody send, is read as none.
_REQUESTS = {"mode": ("polish", "friendly", "formal", "short"), "dialect": ("american", "british")}
_DECIDED, _CORRECTED, _OTHERS, _WAITING = range(4)  # the order in which rows are judged
_NUMBER = re.compile(r"\d+")
_NO_LETTERS = re.compile(r"[\W\d_]+")
_BLANKS_AND_MARKS = re.compile(r"[^\w\0]+|_+")


def most_doubtful(*vias: str) -> str:
    """How a row of several records came; a way that is not known is the most doubtful.

    >>> most_doubtful("page", "api", "cli")
    'api'
    """
    return max(vias, key=lambda via: VIAS.index(via) if via in VIAS else len(VIAS))


def is_unconfirmed(row: Row) -> bool:
    """Whether a program alone says that the text is right."""
    return row["source"] == "accepted" and row["via"] not in CONFIRMED_VIAS


def letters(text: str) -> str:
    """A text without case, blanks, digits and marks; as it is if nothing else is in it.

    >>> letters("Invoice 7:  pay it!") == letters("invoice 12, pay it")
    True
    """
    return _NO_LETTERS.sub("", text.casefold()) or " ".join(text.split())


def _numbered(draft: str, text: str) -> str:
    """A text with each number of the draft as its place there: a copied number is none of the text's own, a changed one is."""
    places: dict[str, str] = {}
    for number in _NUMBER.findall(draft):
        places.setdefault(number, f"\0{len(places)}\0")
    return " ".join(_NUMBER.sub(lambda found: places.get(found[0], found[0]), text).split())


def _meaning(draft: str, text: str) -> str:
    """What is left of a text without case, blanks, marks, and the numbers of its draft."""
    return _BLANKS_AND_MARKS.sub("", _numbered(draft, text).casefold())


def _edits(draft: str, text: str) -> str:
    """What a text changes in its draft, the same in drafts that are one."""
    changes = diff(draft, text)
    return json.dumps([[len(letters(draft[: c.start])), letters(c.before), c.after] for c in changes])


def _request(row: Row) -> str:
    return json.dumps([row[each] if row[each] in known else None for each, known in _REQUESTS.items()])


def _plain(text: str) -> str:
    return " ".join(text.split())


def _compared(row: Row) -> tuple[bytes, bytes, bytes]:
    """By what two corrections of a draft are compared: the target's meaning, the exact draft, the exact target."""
    prompt, text = row["prompt"], target(row)
    return key(_meaning(prompt, text)), key(_plain(prompt)), key(_plain(text))


class _Entry(NamedTuple):
    """A row in the scratch file."""

    n: int
    rank: int
    is_rejected: int
    kind: str  # the column of its target
    draft: bytes  # the same for drafts that are one
    exact: bytes  # the same for drafts that differ in blanks alone
    same: bytes  # the same for rows of one draft with the same texts
    clients: str
    row: str


class Spool:
    """Takes rows, each with the `clients` of its records and, if it must wait anyway, `why`; gives them back judged."""

    def __init__(self, decisions: Mapping[str, Decision]) -> None:
        self._decisions = decisions
        self._database = scratch()
        for statement in (
            f"CREATE TABLE rows ({', '.join(_Entry._fields)}, PRIMARY KEY (rank, n)) WITHOUT ROWID",
            "CREATE UNIQUE INDEX by_n ON rows (n)",
            "CREATE INDEX by_draft ON rows (draft, kind, exact)",
            "CREATE TABLE taken (name PRIMARY KEY) WITHOUT ROWID",
            "CREATE TABLE counts (client PRIMARY KEY, rows) WITHOUT ROWID",
            # What people wrote for a draft, and the first row with it.
            "CREATE TABLE corrected (draft, meaning, exact, text, request, n,"
            " PRIMARY KEY (draft, meaning, exact, text, request)) WITHOUT ROWID",
            "CREATE TABLE judged (n INTEGER PRIMARY KEY, why)",
        ):
            self._database.execute(statement)
        self._count = 0

    def add(self, row: Row) -> None:
        clients = sorted({each for each in row.pop("clients") if each})
        decision = self._decisions.get(name(row))
        if decision:
            row.pop("why", None)
        if decision and decision.decision == "edit":
            row = {**row, target_column(row): decision.text, "source": "reviewed"}
            if row.get("rejected") == decision.text:
                return
        rank = (
            _DECIDED if decision
            else _WAITING if "why" in row
            else _CORRECTED if row["source"] == "corrected"
            else _OTHERS
        )  # fmt: skip
        draft, kind = letters(row["prompt"]), target_column(row)
        texts = (_numbered(row["prompt"], row[each]) for each in (kind, "rejected") if each in row)
        self._count += 1
        entry = _Entry(
            self._count, rank, decision is not None and decision.decision == "reject", kind, key(draft),
            key(_plain(row["prompt"])), key(kind, draft, *texts), json.dumps(clients), json.dumps(row),
        )  # fmt: skip
        self._database.execute(f"INSERT INTO rows VALUES ({', '.join('?' * len(entry))})", entry)

    def judged(self) -> Iterator[Row]:
        """The rows that stay, in the order in which they came; those to look at first have `why`."""
        self._judge()
        found = self._database.execute(
            "SELECT rows.*, why FROM rows LEFT JOIN judged USING (n) WHERE why NOTNULL OR rank = ? ORDER BY n",
            (_WAITING,),
        )
        for *values, why in found:
            entry = _Entry(*values)
            row = json.loads(entry.row)
            if why:
                row["why"] = why
            if "why" in row:
                if not self._is_beaten(entry.draft, row) and self._take(entry, row):
                    yield row
            elif entry.rank != _CORRECTED or (other := self._contradicting(entry.draft, row)) is None:
                yield row
            else:
                ids = list(dict.fromkeys([*row["ids"], *other["ids"]]))  # it holds a text of theirs
                yield {**row, "ids": ids, "why": CONTRADICTION, "other": target(other)}

    def _judge(self) -> None:
        """Notes for each row that is neither merged, beaten nor rejected why it waits, or that it does not."""
        for values in self._database.execute(
            "SELECT * FROM rows WHERE rank < ? ORDER BY rank, n", (_WAITING,)
        ):
            entry = _Entry(*values)
            row, clients = json.loads(entry.row), json.loads(entry.clients)
            if entry.rank == _OTHERS and self._is_beaten(entry.draft, row):
                continue
            if entry.rank != _DECIDED and self._is_full(clients):
                if not self._is_known(self._names(entry, row)):
                    self._database.execute("INSERT INTO judged VALUES (?, ?)", (entry.n, TOO_MANY))
                continue
            if not self._take(entry, row) or entry.is_rejected:
                continue
            self._database.execute("INSERT INTO judged VALUES (?, '')", (entry.n,))
            if entry.rank != _DECIDED:
                self._database.executemany(
                    "INSERT INTO counts VALUES (?, 1) ON CONFLICT DO UPDATE SET rows = rows + 1",
                    [(key(each),) for each in clients],
                )
            if row["source"] in ("corrected", "reviewed"):
                values = (entry.draft, *_compared(row), _request(row), entry.n)
                self._database.execute("INSERT OR IGNORE INTO corrected VALUES (?, ?, ?, ?, ?, ?)", values)

    def _is_full(self, clients: list[str]) -> bool:
        query = "SELECT 1 FROM counts WHERE client = ? AND rows >= ?"
        return any(self._database.execute(query, (key(each), MAX_ROWS)).fetchone() for each in clients)

    def _is_beaten(self, draft: bytes, row: Row) -> bool:
        """Whether somebody corrected the draft of a row that was only accepted."""
        if row["source"] != "accepted":
            return False
        query = "SELECT 1 FROM corrected WHERE draft = ? AND request = ?"
        return self._database.execute(query, (draft, _request(row))).fetchone() is not None

    def _take(self, entry: _Entry, row: Row) -> bool:
        """Notes a row as one that stays; was it new?"""
        names = self._names(entry, row)
        if self._is_known(names):
            return False
        self._database.executemany("INSERT INTO taken VALUES (?)", [(each,) for each in names])
        return True

    def _is_known(self, names: list[bytes]) -> bool:
        query = "SELECT 1 FROM taken WHERE name = ?"
        return any(self._database.execute(query, (each,)).fetchone() for each in names)

    def _names(self, entry: _Entry, row: Row) -> list[bytes]:
        """By what a row is known again: its texts, and its edits where drafts that are one differ, as do their targets then."""
        if self._is_known([entry.same]) or not self._has_variants(entry):
            return [entry.same]
        edits = (_edits(row["prompt"], row[each]) for each in (entry.kind, "rejected") if each in row)
        return [entry.same, key("edits", entry.kind, entry.draft.hex(), *edits)]

    def _has_variants(self, entry: _Entry) -> bool:
        values = (entry.draft, entry.kind, entry.exact)
        query = "SELECT 1 FROM rows WHERE draft = ? AND kind = ? AND exact {} ?"  # twice: != would read all that are equal
        return any(self._database.execute(query.format(sign), values).fetchone() for sign in "<>")

    def _contradicting(self, draft: bytes, row: Row) -> Row | None:
        """A correction of the draft that contradicts a row's, if there is one.

        Where drafts that are one differ it must differ in more than case, blanks and marks, in which they do.
        """
        meaning, exact, text = _compared(row)
        found = self._database.execute(
            "SELECT row FROM (SELECT n FROM corrected WHERE draft = ? AND (meaning != ? OR exact = ? AND text != ?)"
            " ORDER BY meaning, exact, text LIMIT 1) JOIN rows USING (n)",
            (draft, meaning, exact, text),
        ).fetchone()
        return json.loads(found[0]) if found else None
