"""The suite about mail whose changes were judged one by one: how many sentences are changed, and how many of them wrongly.

    python -m training evaluate --suite adjudicated --data email.jsonl.zst --limit 300

lists/verdicts.tsv has the verdict on each change with its reason, found by a digest: no mail is kept here. A change that has none yet
is printed as a line to be judged and added.
"""

from __future__ import annotations

import hashlib
import sys
from functools import cache

from space.proofread.edits import Edit
from space.proofread.sentences import sentences
from training.evaluation.metrics import percent
from training.evaluation.suites import (
    EVALUATION,
    Case,
    Measure,
    Report,
    Rows,
    Subject,
    Suite,
    main_figures,
    texts_of,
)

# The verdicts: a careful reader would make a change, it spoils the text, or readers would differ and not mind.
RIGHT, WRONG, UNSURE = "right", "wrong", "unsure"
_AROUND = 30  # characters on both sides of a change that make it one place

_MEASURES = {
    "wrongly_changed_percent": Measure("wrong", percent, higher=False),
    "changed_percent": Measure("changed", percent, higher=False),
}


def adjudicated(rows: Rows, subject: Subject, seed: int) -> Report:
    """The shares of the sentences of mail that are changed, and that are changed wrongly; `without_verdict` are changes."""
    known, cases, unjudged = verdicts(), [], 0
    for text in texts_of(rows):
        edits = subject.edits(text)
        spans = sentences(text)
        wrong: set[int] = set()
        for edit in edits:
            unjudged += ask(text, edit)
            if known.get(digest(text, edit)) == WRONG:
                wrong.add(_sentence(spans, edit))
        changed = {_sentence(spans, edit) for edit in edits}
        counts = {"wrong": [len(wrong), len(spans)], "changed": [len(changed), len(spans)]}
        cases.append(Case(text, subject.correct(text), [text], counts))
    figures = main_figures(_MEASURES, cases)
    return Report({**figures, "texts": len(cases), "without_verdict": unjudged}, cases)


@cache
def verdicts() -> dict[str, str]:
    """The verdict by the digest of a change."""
    lines = (EVALUATION / "verdicts.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {digest: verdict for digest, verdict, *_ in rows}


def ask(text: str, edit: Edit) -> bool:
    """Whether a change has no verdict; then prints the line that it needs."""
    if digest(text, edit) in verdicts():
        return False
    print(f"{digest(text, edit)}\t\t{_in_words(edit)}\t{_place(text, edit)!r}", file=sys.stderr)
    return True


def digest(text: str, edit: Edit) -> str:
    """What stands for a change and the words around it."""
    return hashlib.sha256(f"{_place(text, edit)}\0{edit.after}".encode()).hexdigest()[:12]


def _place(text: str, edit: Edit) -> str:
    return f"{text[max(0, edit.start - _AROUND) : edit.start]}[{edit.before}]{text[edit.end : edit.end + _AROUND]}"


def _in_words(edit: Edit) -> str:
    return f"{edit.before.strip() or '-'} -> {edit.after.strip() or '-'}"


def _sentence(spans: list[tuple[int, int]], edit: Edit) -> int:
    return next((i for i, (_, end) in enumerate(spans) if edit.start < end), len(spans) - 1)


# Of the first mails there are verdicts.
SUITES = {"adjudicated": Suite(adjudicated, "email.jsonl", _MEASURES, in_order=True)}
