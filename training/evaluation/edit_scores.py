"""The smallest edits between two texts, matched against those of references: precision, recall and F0.5, by kind.

found = best_match(edits(draft, corrected), [edits(draft, reference) for reference in references])
found.counts()    # [true positives, false positives, false negatives]
"""

from __future__ import annotations

import difflib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from space.proofread.edits import Edit, classify, diff
from space.proofread.words import WORDS
from training.evaluation.metrics import f_half, interval, precision, recall

_Piece = tuple[
    int, list[str], list[str]
]  # the number of its first word, its words, and those that come there


def edits(source: str, target: str) -> list[Edit]:
    """The smallest edits that turn the words and marks of one text into those of the other, in order.

    Blanks do not count: an edit begins and ends with a word, its new words stand one blank apart, and words that are
    only put in come right behind the word before. The changes that the app would show are cut further, into single
    words where words pair off, so that a text that corrects one of two neighbouring mistakes is given credit for it.

    >>> [(edit.start, edit.after, edit.kind) for edit in edits("He go to school.", "He goes to the school.")]
    [(3, 'goes', 'agreement'), (8, 'the', 'article')]
    """
    spans = [match.span() for match in WORDS.finditer(source)]
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    old, new = WORDS.findall(source), WORDS.findall(target)

    def edit(piece: _Piece) -> Edit:
        at, gone, come = piece
        end = ends[at + len(gone) - 1] if at + len(gone) else 0
        start = starts[at] if gone else end
        return Edit(start, end, source[start:end], " ".join(come), _kind(gone, come))

    pieces: list[_Piece] = []
    for change in diff(source, target):
        first, last = bisect_right(ends, change.start), bisect_left(starts, change.end)
        pieces += _pieces(first, old[first:last], WORDS.findall(change.after))
    found = [edit(piece) for piece in pieces]
    if words_after(source, found) != new:  # a change ends inside a word as WORDS has them ("e" and an accent)
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        opcodes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
        found = [edit((i, old[i:i_end], new[j:j_end])) for _, i, i_end, j, j_end in opcodes]
    return found


def words_after(text: str, found: Iterable[Edit], start: int = 0, end: int | None = None) -> list[str]:
    """The words of text[start:end] with these edits made, which are ordered and disjoint."""
    pieces: list[str] = []
    for edit in found:
        pieces += text[start : edit.start], edit.after
        start = edit.end
    return WORDS.findall(" ".join([*pieces, text[start:end]]))


def _pieces(at: int, old: list[str], new: list[str]) -> list[_Piece]:
    """One change as smaller ones, cut where its words pair off or a mark stands at its edge."""
    while old and new and old[0] == new[0]:
        at, old, new = at + 1, old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    if not old or not new:
        return [(at, old, new)] if old or new else []
    if len(old) != len(new):
        if _is_mark(new[0]) and not _is_mark(old[0]):
            return [(at, [], new[:1]), *_pieces(at, old, new[1:])]
        if _is_mark(old[0]) and not _is_mark(new[0]):
            return [(at, old[:1], []), *_pieces(at + 1, old[1:], new)]
        if _is_mark(new[-1]) and not _is_mark(old[-1]):
            return [*_pieces(at, old, new[:-1]), (at + len(old), [], new[-1:])]
        if _is_mark(old[-1]) and not _is_mark(new[-1]):
            return [*_pieces(at, old[:-1], new), (at + len(old) - 1, old[-1:], [])]
        return [(at, old, new)]
    singles: list[_Piece] = [
        (at + k, [a], [b]) for k, (a, b) in enumerate(zip(old, new, strict=True)) if a != b
    ]
    # A word moved, or words for other words: that is one edit.
    apart = sorted(old) != sorted(new) and all(_kind(a, b) != "word choice" for _, a, b in singles)
    return singles if apart else [(at, old, new)]


def _kind(old: Sequence[str], new: Sequence[str]) -> str:
    return classify(" ".join(old), " ".join(new))


def _is_mark(word: str) -> bool:
    return not any(c.isalnum() for c in word)


# ---- matching ----------------------------------------------------------------------------------------------


def key(edit: Edit) -> tuple[int, int, str]:
    """What two edits of a text must share to count as the same, whatever their kind is called: place and new words."""
    return edit.start, edit.end, " ".join(edit.after.split())


@dataclass(frozen=True)
class Match:
    """The edits of one sentence against those of one reference."""

    true_positives: list[Edit]
    false_positives: list[Edit]
    false_negatives: list[Edit]

    @classmethod
    def of(cls, found: Sequence[Edit], reference: Sequence[Edit]) -> Match:
        ours, theirs = {key(edit) for edit in found}, {key(edit) for edit in reference}
        return cls(
            [edit for edit in reference if key(edit) in ours],
            [edit for edit in found if key(edit) not in theirs],
            [edit for edit in reference if key(edit) not in ours],
        )

    def counts(self, kind: str | None = None) -> list[int]:
        """[true positives, false positives, false negatives], of one kind or of all."""
        groups = (self.true_positives, self.false_positives, self.false_negatives)
        return [sum(kind in (None, edit.kind) for edit in group) for group in groups]


def best_match(found: Sequence[Edit], references: Sequence[Sequence[Edit]]) -> Match:
    """Against the reference that gives the sentence the best F0.5; of equals, the one with the fewest edits."""

    def rank(reference: Sequence[Edit]) -> tuple[float, int]:
        score = float(f_half(np.array(Match.of(found, reference).counts())))
        return 100.0 if np.isnan(score) else score, -len(reference)  # nothing to do, nothing done: 100

    return Match.of(found, max(references, key=rank))


def edit_figures(matches: Sequence[Match]) -> dict[str, Any]:
    """Precision, recall and F0.5 in percent, over all edits and by their kind.

    `reference_edits` counts those of the chosen references, so it differs a little between models.
    """

    def figures(kind: str | None) -> dict[str, Any]:
        counts = np.array([match.counts(kind) for match in matches])
        return {
            "precision": interval(counts, precision),
            "recall": interval(counts, recall),
            "f0.5": interval(counts, f_half),
            "reference_edits": int(counts[:, 0].sum() + counts[:, 2].sum()),
        }

    frequent = Counter(
        edit.kind
        for match in matches
        for edit in (*match.true_positives, *match.false_negatives, *match.false_positives)
    )
    return {**figures(None), "by_type": {kind: figures(kind) for kind, _ in frequent.most_common()}}


# ---- repairs of injected errors ----------------------------------------------------------------------------


def repairs(noisy: str, output: str, injected: Sequence[Edit]) -> tuple[list[bool], list[bool]]:
    """For each injected error whether it was repaired, and for each edit made whether it repaired one.

    `injected` are the edits that repair the noisy text. An edit that overlaps one of them without being the very same
    ("the the": which of the two goes?) is judged by whether the words there are now the original ones; an edit that
    overlaps none is needless.
    """
    injected = [_without_blanks(noisy, edit) for edit in injected]
    made = edits(noisy, output)
    ours, theirs = {key(edit) for edit in made}, {key(edit) for edit in injected}
    repaired = [key(edit) in ours for edit in injected]
    useful = [key(edit) in theirs for edit in made]
    for i, edit in enumerate(injected):
        if repaired[i]:
            continue
        others = [each for each, done in zip(made, useful, strict=True) if not done]
        own, inside = _around(noisy, edit, others, injected)
        start = min(each.start for each in (*own, *inside))
        end = max(each.end for each in (*own, *inside))
        if own and words_after(noisy, own, start, end) == words_after(noisy, inside, start, end):
            repaired = [done or each in inside for done, each in zip(repaired, injected, strict=True)]
            useful = [done or each in own for done, each in zip(useful, made, strict=True)]
    return repaired, useful


def _without_blanks(text: str, edit: Edit) -> Edit:
    """The edit where `edits` has it: with no blank at its ends, and right behind a word if it only puts words in."""
    start = edit.start + len(edit.before) - len(edit.before.lstrip())
    end = edit.start + len(edit.before.rstrip())
    if end <= start:
        start = end = len(text[:start].rstrip())
    return replace(edit, start=start, end=end, before=text[start:end], after=edit.after.strip())


def _around(
    text: str, edit: Edit, made: Sequence[Edit], injected: Sequence[Edit]
) -> tuple[list[Edit], list[Edit]]:
    """The edits made, and those injected, that overlap an injected one or each other."""
    # Counted in letters and marks, so that what ends before a blank touches what begins behind it.
    at = list(accumulate((not c.isspace() for c in text), initial=0))
    start, end = at[edit.start], at[edit.end]
    while True:
        own = [each for each in made if _overlap(at[each.start], at[each.end], start, end)]
        covered = [
            *own,
            *(
                each
                for each in injected
                if each is edit or _overlap(at[each.start], at[each.end], start, end)
            ),
        ]
        grown = min(at[each.start] for each in covered), max(at[each.end] for each in covered)
        if grown == (start, end):
            return own, [each for each in injected if start <= at[each.start] and at[each.end] <= end]
        start, end = grown


def _overlap(start: int, end: int, first: int, last: int) -> bool:
    """Whether [start, end) shares a character with [first, last); an empty place belongs to both of its neighbours."""
    if first == last:
        return start <= first <= end
    return start < last and first < end


def wrong_words(text: str, reference: str) -> int:
    """How many words and marks of the text must change to give the reference.

    For a missing word counts the one that it should stand before, at the end the one that it should stand behind.

    >>> wrong_words("He go home", "He goes home.")
    2
    """
    words = WORDS.findall(text)
    wrong: set[int] = set()
    matcher = difflib.SequenceMatcher(None, words, WORDS.findall(reference), autojunk=False)
    for tag, start, end, _, _ in matcher.get_opcodes():
        if tag == "insert" and words:
            wrong.add(min(start, len(words) - 1))
        elif tag != "equal":
            wrong.update(range(start, end))
    return len(wrong)
