"""A draft and texts made of it, cut into the sentences that the model is given one at a time.

list(units("I has it. It work.", ["I have it. It works."]))  # two pairs of a sentence and what it became
by_sentence({"prompt": ..., "chosen": ..., "rejected": ...})  # the sentences in which the two texts differ
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from feedback.export import fault
from space.proofread.dialect import Dialect
from space.proofread.edits import Edit, apply, diff
from space.proofread.email import EDITABLE, Part, split
from space.proofread.prompt import MODES
from space.proofread.sentences import sentences
from space.proofread.words import WORD

Row = dict[str, Any]

_ENDS = tuple(".!?…:")  # of a sentence


def by_sentence(row: Mapping[str, Any]) -> Iterator[Row]:
    """The sentences of a row of drafts in which the chosen and the rejected text differ."""
    about = {"mode": mode_of(row), "ids": row.get("ids", []), "email": row["prompt"]}
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
        (edit.start, edit.end, edit.after) for edit in Dialect.load(dialect).respellings(draft, parts)
    } if dialect else set()  # fmt: skip
    changes = [
        [each for each in diff(draft, text) if (each.start, each.end, each.after) not in spelt]
        for text in texts
    ]
    for part in parts:
        if part.kind in EDITABLE and WORD.search(part.text):
            yield (_flat(part.text), *(_flat(_rewritten(part, each)) for each in changes))


def _rewritten(part: Part, changes: Iterable[Edit]) -> str:
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


def _belongs(change: Edit, part: Part) -> bool:
    """Whether something put in at the edge of a part is the part's: a mark or a word, but no further sentence."""
    if "\n" in change.after:
        return False
    longer = part.text + change.after if change.start > part.start else change.after + part.text
    return len(sentences(longer)) == len(sentences(part.text))


def _moved(change: Edit, by: int) -> Edit:
    return Edit(change.start + by, change.end + by, change.before, change.after, change.kind)


def _flat(text: str) -> str:
    """In one line, as the pipeline gives a sentence to the model."""
    return re.sub(r"[ \t]*\r?\n[ \t]*", " ", text).strip()
