"""A person decides in the terminal about the rows in quarantine: one text after the other, by a letter a line.

What is shown was written by anybody: characters that would steer a terminal, or turn the order of letters, are shown as
escapes.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from feedback import decisions
from feedback.decisions import Decision, Row, target
from feedback.source import scratch
from space.proofread.edits import diff

KEYS = {"a": "accept", "r": "reject", "e": "edit", "s": "skip", "q": "quit"}
QUESTION = "a accept, r reject, e edit, s skip, q quit: "
NO_EDITOR = "This text has several lines: set VISUAL or EDITOR to an editor for it, or choose another letter."
NO_TEXT = "Nothing was changed: the editor failed, or the text is empty."


def review(rows: Iterable[Row], folder: Path) -> Counter[str]:
    """Asks about each text that waits and keeps each answer at once; returns how often accept, reject, edit and wait.

    A text that stands in several rows is asked about once; skipped texts and those after `q` wait.
    """
    waiting = _Waiting(rows)
    counts = Counter(dict.fromkeys(decisions.DECISIONS, 0))
    kept = decisions.journal(folder)
    for number, same in enumerate(waiting.texts(), 1):
        print(f"\n{number} of {waiting.count}: {shown(same)}", flush=True)
        answer, decision = _ask(target(same[0]))
        if answer == "quit":
            break
        if decision:
            kept.append(decisions.entry(same, decision))
            counts[answer] += 1
    kept.close()
    return counts + Counter(wait=waiting.count - counts.total())


class _Waiting:
    """Rows by their text, on disk."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._database = scratch()
        self._database.execute("CREATE TABLE waiting (n INTEGER PRIMARY KEY, name, row)")
        self._database.execute("CREATE INDEX by_name ON waiting (name, n)")
        for row in rows:
            values = (decisions.name(row), json.dumps(row))
            self._database.execute("INSERT INTO waiting (name, row) VALUES (?, ?)", values)
        (self.count,) = self._database.execute("SELECT COUNT(DISTINCT name) FROM waiting").fetchone()

    def texts(self) -> Iterator[list[Row]]:
        """The rows of each text, in the order in which the texts came."""
        names = self._database.execute("SELECT name FROM waiting GROUP BY name ORDER BY MIN(n)")
        for (name,) in names:
            found = self._database.execute("SELECT row FROM waiting WHERE name = ? ORDER BY n", (name,))
            yield [json.loads(row) for (row,) in found]


def shown(same: Sequence[Row]) -> str:
    """The rows of one text as lines: where it came from, what it changes, what it was preferred to, and why it waits."""
    first = same[0]
    origin = [
        first["source"],
        f"via {first['via']}",
        *(str(first[each]) for each in ("mode", "dialect") if first[each]),
    ]
    ids = dict.fromkeys(each for row in same for each in row["ids"])
    lines = [f"{', '.join(origin)}; {' '.join(ids)}", marked(first["prompt"], target(first))]
    for name, what in (("rejected", "preferred to"), ("other", "other correction")):
        for text in dict.fromkeys(row[name] for row in same if name in row):
            lines += [f"---- {what}:", marked(first["prompt"], text)]
    return _visible(
        "\n".join([*lines, *(f"---- {why}" for why in dict.fromkeys(row["why"] for row in same))])
    )


def marked(draft: str, text: str) -> str:
    """The draft with what is removed from it and added to it.

    >>> marked("I has it", "I have it.")
    'I [-has-]{+have+} it{+.+}'
    """
    parts, end = [], 0
    for change in diff(draft, text):
        removed = f"[-{change.before}-]" if change.before else ""
        added = f"{{+{change.after}+}}" if change.after else ""
        parts += [draft[end : change.start], removed, added]
        end = change.end
    return "".join([*parts, draft[end:]])


def _visible(text: str) -> str:
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode()
        for each in text
    )


def _ask(text: str) -> tuple[str, Decision | None]:
    """The answer about a text, one of KEYS' words, and the decision that it is, if it is one."""
    while True:
        answer = KEYS.get(_line(QUESTION, "q").strip().lower(), "")
        if answer in ("skip", "quit"):
            return answer, None
        if answer in ("accept", "reject"):
            return answer, Decision(answer)
        if answer == "edit" and (new := _edited(text)).strip():
            return answer, Decision(answer, new)


def _line(question: str, at_end: str) -> str:
    """A line of stdin without its end; `at_end` if there is none any more, or the person interrupts."""
    print(question, end="", flush=True)
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        line = ""
    if not line:
        print()
        return at_end
    return line.rstrip("\r\n")


def _edited(text: str) -> str:
    """What the person puts in a text's place; empty, and said why, if that is nothing."""
    if "\n" not in text:
        return _line("the text as it should be: ", "")
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        print(NO_EDITOR)
        return ""
    new = _from_editor(shlex.split(editor), text)
    if not new.strip():
        print(NO_TEXT)
    return new


def _from_editor(command: list[str], text: str) -> str:
    """The text as an editor leaves it; empty if the editor fails. The file is this user's alone, and gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="review-") as folder:  # with what an editor leaves beside it
        path = Path(folder) / "target.txt"
        path.touch(0o600)
        path.write_text(text, encoding="utf-8", errors="replace", newline="")
        try:
            if subprocess.run([*command, str(path)]).returncode:
                return ""
        except OSError:
            return ""
        new = path.read_bytes().decode("utf-8", "replace")
    # Editors end a file with a line's end.
    return new if text.endswith("\n") else new.removesuffix("\n")
