"""A sentence in other words as one edit: which of several wordings is best, and what of the draft it takes the place of.

    chosen = best(found, values, gains, least, used)
    edit, apart = as_one(unit, corrections, [wording.text for wording in chosen])

`space.proofread.polish` and `space.proofread.style` propose the words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from space.proofread.edits import KINDS, Edit, apart, apply, diff
from space.proofread.polish import Wording
from space.proofread.sentences import sentences
from space.proofread.units import BREAK, Unit
from space.proofread.words import WORD

_OFFERED = 3  # wordings of a sentence, the one that is made among them
_READ = 4  # that the language model reads: each is a sentence, and takes a tenth of a second
_UNREADABLE = -26.0  # nats that a wording may cost: an unusual opening alone costs up to 22
_WORSE = 6.0  # nats less than another with the same opening: the wrong one of two constructions
_OPENING = 3  # words
_STEPS = (0.6, 0.2, -0.2)  # politeness that differs by less than such a step is the same


def best(
    found: Sequence[Wording],
    values: Sequence[float],
    gains: Callable[[list[str]], Sequence[float] | None],
    least: float,
    used: Sequence[str],
) -> list[Wording]:
    """The wordings that are as polite as `least` and read as English, the best first, safe ones before others.

    `values` are their politeness; `gains` says how much likelier than the text the language model finds each, in nats, or None
    if it cannot tell; what it wrote itself it was asked about. `used` are openings that the email has had: another one is better.
    """
    polite = [(value, wording) for value, wording in zip(values, found, strict=True) if value >= least]
    polite = sorted(polite, key=lambda pair: _step(pair[0]))[:_READ]
    read = gains([wording.text for _, wording in polite]) if polite else []
    read = [0.0] * len(polite) if read is None else read
    likeliest: dict[str, float] = {}
    for gain, (_, wording) in zip(read, polite, strict=True):
        likeliest[opening(wording.text)] = max(gain, likeliest.get(opening(wording.text), gain))
    ranked = [
        (not wording.safe, opening(wording.text) in used, _step(value), -gain, wording)
        for gain, (value, wording) in zip(read, polite, strict=True)
        if wording.source == "llm" or gain >= max(_UNREADABLE, likeliest[opening(wording.text)] - _WORSE)
    ]
    found = [wording for *_, wording in sorted(ranked, key=lambda each: each[:4])]
    return [wording for wording in found if wording.safe or not found[0].safe][:_OFFERED]


def _step(value: float) -> int:
    return sum(value < least for least in _STEPS)


def opening(text: str) -> str:
    """How a sentence begins: a second one that begins so sounds like a machine.

    >>> opening("Unfortunately, your order is late."), opening("I am afraid your order is late.")
    ('unfortunately', 'i am afraid')
    """
    return " ".join(WORD.findall(text.partition(",")[0])[:_OPENING]).lower()


def as_one(unit: Unit, edits: Sequence[Edit], rewrites: Sequence[str]) -> tuple[Edit, list[Edit]] | None:
    """One edit of the draft for all that the first of the rewrites changes, and the corrections that stay apart from it.

    `edits` are corrections of the unit's text, `rewrites` other wordings of the text with these made; those but the first are
    alternatives. A correction that the edit reaches into is part of it. None if a line break would be lost.
    """
    text, corrected = unit.text, apply(unit.text, edits)
    sides = [apart(corrected, rewrite) for rewrite in rewrites]
    start, tail = min(len(head) for head, *_ in sides), min(len(end) for *_, end in sides)
    end = len(corrected) - tail
    placed = _shifted(edits)
    while grown := [
        each
        for each in placed
        if each.start < end and start < each.end and not (start <= each.start and each.end <= end)
    ]:
        start, end = min(start, *(each.start for each in grown)), max(end, *(each.end for each in grown))
    inside = [
        edit for edit, there in zip(edits, placed, strict=True) if start <= there.start and there.end <= end
    ]
    outside = [edit for edit in edits if edit not in inside]
    first = start - sum(
        len(e.after) - len(e.before)
        for e, there in zip(edits, placed, strict=True)
        if there.end <= start and e in outside
    )
    last = first + end - start - sum(len(e.after) - len(e.before) for e in inside)
    afters = [
        _with_breaks(unit, first, last, rewrite[start : len(rewrite) - (len(corrected) - end)])
        for rewrite in rewrites
    ]
    if afters[0] is None:
        return None
    (whole,) = unit.place([Edit(first, last, text[first:last], text[first:last], "tone", "polish")])
    others = tuple(dict.fromkeys(each for each in afters[1:] if each is not None))
    return replace(whole, after=afters[0], reason=_also(inside), alternatives=others), outside


def _shifted(edits: Sequence[Edit]) -> list[Edit]:
    """The edits where they stand in the text with all of them made."""
    shift, placed = 0, []
    for edit in edits:
        placed.append(replace(edit, start=edit.start + shift, end=edit.start + shift + len(edit.after)))
        shift += len(edit.after) - len(edit.before)
    return placed


def _with_breaks(unit: Unit, start: int, end: int, after: str) -> str | None:
    """The new text of a stretch with the line breaks of the draft behind the same words; None if one would be lost."""
    changes = diff(unit.text[start:end], after, start)
    (whole,) = unit.place([Edit(start, end, unit.text[start:end], unit.text[start:end])])
    placed = list(unit.place(changes))
    made = apply(
        whole.before, [replace(e, start=e.start - whole.start, end=e.end - whole.start) for e in placed]
    )
    return made if BREAK.sub(" ", made) == BREAK.sub(" ", after) else None


def _also(edits: Sequence[Edit]) -> str:
    """What else an edit corrects, for its reason."""
    named = [
        f"“{edit.before.strip()}” → “{edit.after.strip()}”" if edit.before.strip() and edit.after.strip()
        else f"{'adds' if edit.after.strip() else 'takes out'} “{(edit.after + edit.before).strip()}”"
        for edit in edits if edit.before.lower() != edit.after.lower()
    ]  # fmt: skip
    return f"Also corrects it: {', '.join(named)}." if named else ""


_CORRECTIONS = frozenset(KINDS) - {"tone", "word choice", "word order", "other"}


def by_sentence(text: str, edits: Sequence[Edit]) -> list[Edit]:
    """The edits, but one for all that is applied in a sentence that says it in other words: half of them would make no sense."""
    made: list[Edit] = []
    left = sorted((edit for edit in edits if edit.status == "applied"), key=lambda edit: edit.start)
    for begin, end in sentences(text):
        own = [edit for edit in left if begin <= edit.start and edit.end <= end]
        left = [edit for edit in left if edit not in own]
        if len(own) > 1 and not _CORRECTIONS.issuperset(edit.kind for edit in own):
            first, last = own[0].start, own[-1].end
            moved = [replace(edit, start=edit.start - first, end=edit.end - first) for edit in own]
            own = [Edit(first, last, text[first:last], apply(text[first:last], moved), "tone", own[0].source)]
        made += own
    others = [edit for edit in edits if edit.status != "applied"]
    kept = [
        each for each in others if each.status == "refused" or not any(each.overlaps(edit) for edit in made)
    ]
    return sorted([*made, *left, *kept], key=lambda edit: (edit.start, edit.end))
