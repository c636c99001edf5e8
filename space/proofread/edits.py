"""The difference between two texts as a person would list it: whole words, exact to rebuild.

Words and marks are aligned; what stands between two aligned words becomes one change, which falls apart again
where each replaced word plainly has its own correction. Blanks are compared where they are, never rewritten.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from os.path import commonprefix
from typing import Any

from space.proofread.kinds import AUXILIARIES, CONFUSED, classify, kind_of_pair
from space.proofread.words import WORDS, is_word, likeness

# What edits are judged, fitted and trained by; the last of KINDS is one that only the user reads (`kinds.shown_kind`).
JUDGED_KINDS = (
    "spelling", "capitals", "punctuation", "spacing", "article", "preposition", "agreement", "verb form", "word choice",
    "word order", "tone", "other",
)  # fmt: skip
KINDS = (*JUDGED_KINDS, CONFUSED)
SOURCES = ("tagger", "lexicon", "grammar", "harper", "dialect", "llm", "polish", "user")
STATUSES = ("applied", "suggested", "refused")
_TOKEN = re.compile(rf"\s+|{WORDS.pattern}")


@dataclass(frozen=True)
class Edit:
    """`before`, the characters [start, end) of a text, becomes `after`: the one value for a change, proposed or made.

    `kind` is one of KINDS, `source` says who proposed it (SOURCES), `score` is the probability that a careful reader would
    make it, 0 to 1, `status` what became of it (STATUSES), `reason` is one line for the user: why it was made or refused,
    and `alternatives` are other texts that may stand in place of `after`.
    """

    start: int
    end: int
    before: str
    after: str
    kind: str = "other"
    source: str = "llm"
    score: float = 1.0
    status: str = "applied"
    reason: str = ""
    alternatives: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON, in the notation of the command line, the endpoints and feedback."""
        return asdict(self) | {"alternatives": list(self.alternatives)}

    def overlaps(self, other: Edit) -> bool:
        """Whether the two change a character of the same place; two insertions at one place do."""
        return (self.start < other.end and other.start < self.end) or (self.start, self.end) == (
            other.start,
            other.end,
        )


def among(edit: Edit, made: Iterable[Edit]) -> Edit:
    """The same edit of the text in which others are made that it leaves room."""
    shift = sum(len(each.after) - len(each.before) for each in made if each.end <= edit.start)
    return replace(edit, start=edit.start + shift, end=edit.end + shift)


def apart(before: str, after: str) -> tuple[str, str, str, str]:
    """What both sides share at the front, what only each of them has, and what they share at the end, in whole words.

    >>> apart("new", "the new"), apart("dont", "don't")
    (('', '', 'the ', 'new'), ('', 'dont', "don't", ''))
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    head = len(commonprefix([old, new]))
    tail = len(commonprefix([old[head:][::-1], new[head:][::-1]]))
    was, becomes = ("".join(side[head : len(side) - tail]) for side in (old, new))
    return "".join(old[:head]), was, becomes, "".join(old[len(old) - tail :])


def canonical(edit: Edit, text: str) -> tuple[int, int, str]:
    """Where an edit of a text begins and ends and what comes in, the same for all edits with the same result.

    What both sides share at their edges is left out, and what only comes or only goes stands as far left as it can.

    >>> text = "We go to to work"
    >>> canonical(Edit(8, 11, " to", ""), text) == canonical(Edit(6, 9, "to ", ""), text)
    True
    """
    head = len(commonprefix([edit.before, edit.after]))
    before, after = edit.before[head:], edit.after[head:]
    tail = len(commonprefix([before[::-1], after[::-1]]))
    start, before, after = edit.start + head, before[: len(before) - tail], after[: len(after) - tail]
    while start and not (before and after) and (before or after)[-1:] == text[start - 1]:
        before, after = ((text[start - 1] + part)[:-1] if part else "" for part in (before, after))
        start -= 1
    return start, start + len(before), after


def diff(before: str, after: str, offset: int = 0) -> list[Edit]:
    """Ordered, disjoint changes that turn `before` into `after`; `offset` is where `before` starts.

    >>> changes = diff("I recieve mail at morning", "I receive mail in the morning")
    >>> [(c.start, c.before, c.after, c.kind) for c in changes]
    [(2, 'recieve', 'receive', 'spelling'), (15, 'at', 'in the', 'preposition')]
    """
    old, new = _words(before), _words(after)
    pairs = _align([word.text for word in old], [word.text for word in new])
    regions: list[tuple[int, int, int, int]] = []
    i = j = 0
    for a, b in [*pairs, (len(old), len(new))]:
        gap_before = _between(before, old, i, a)
        gap_after = _between(after, new, j, b)
        if before[slice(*gap_before)] != after[slice(*gap_after)]:
            regions.extend(_pieces(before, after, gap_before, gap_after, old[i:a], new[j:b]))
        i, j = a + 1, b + 1
    changes = []
    for start, end, from_, to in _joined(before, after, regions):
        was, becomes = before[start:end], after[from_:to]
        kind = classify(was, becomes)
        changes.append(Edit(offset + start, offset + end, was, becomes, kind))
    return changes


def apply(draft: str, changes: Iterable[Edit]) -> str:
    """The draft with these changes made; any subset of one diff, in any order.

    Raises ValueError when a change does not fit the draft or two of them overlap.
    """
    pieces: list[str] = []
    position = 0
    for change in sorted(changes, key=lambda c: (c.start, c.end)):
        fits = change.end == change.start + len(change.before) and draft.startswith(
            change.before, change.start
        )
        if change.start < position or not fits:
            raise ValueError(
                f"The change at {change.start} does not fit this draft; compare the two texts again."
            )
        pieces += draft[position : change.start], change.after
        position = change.end
    return "".join([*pieces, draft[position:]])


# --- alignment ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Word:
    text: str
    start: int
    end: int


# A letter is whatever is neither blank nor a mark, so that accents written as separate characters stay in
# their word; the ranges are punctuation, arrows and signs, CJK marks, emoji.
_LETTER = (
    r"[^\s!-/:-@\[-^`{-~\x00-\x1f\u00a1\u00a6-\u00a9\u00ab\u00ac\u00ae-\u00b1\u00b4-\u00b9\u00bb-\u00bf"
    r"\u2000-\u2bff\u3000-\u303f\ufe0f\U0001f000-\U0001faff]"
)
_WORD = re.compile(
    r"(?:https?://|www\.)\S+"
    r"|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}"
    r"|\d+(?:[.,:/]\d+)+"
    rf"|{_LETTER}+(?:['’\u2010\u2011-]{_LETTER}+)*"
    r"|[\u2190-\u2bff\U0001f000-\U0001faff\ufe0f\u200d]+"
    r"|\.{2,}|[^\S\r\n]|\r\n|\S"
)
_SMALL = (
    60_000  # cells of the alignment table that are filled in full; larger texts are cut at unique words first
)
_HUGE = 4_000_000


def _words(text: str) -> list[_Word]:
    return [_Word(m.group(), m.start(), m.end()) for m in _WORD.finditer(text) if not m.group().isspace()]


def _between(text: str, words: list[_Word], first: int, last: int) -> tuple[int, int]:
    """Span from the end of the aligned word before `first` to the start of the aligned word `last`."""
    start = words[first - 1].end if first > 0 else 0
    end = words[last].start if last < len(words) else len(text)
    return start, end


def _align(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Index pairs of the words that stay; the stack holds stretches still to be aligned."""
    pairs: list[tuple[int, int]] = []
    stack = [(0, len(old), 0, len(new))]
    while stack:
        i, i_end, j, j_end = stack.pop()
        while i < i_end and j < j_end and old[i] == new[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        while i < i_end and j < j_end and old[i_end - 1] == new[j_end - 1]:
            i_end, j_end = i_end - 1, j_end - 1
            pairs.append((i_end, j_end))
        cells = (i_end - i) * (j_end - j)
        if cells == 0:
            continue
        if cells <= _SMALL:
            pairs.extend((i + a, j + b) for a, b in _table(old[i:i_end], new[j:j_end]))
            continue
        anchors = _anchors(old, new, i, i_end, j, j_end)
        if anchors:
            for (a, b), (a_next, b_next) in zip(
                [(i - 1, j - 1), *anchors], [*anchors, (i_end, j_end)], strict=True
            ):
                stack.append((a + 1, a_next, b + 1, b_next))
            pairs.extend(anchors)
        elif cells <= _HUGE:
            matcher = difflib.SequenceMatcher(None, old[i:i_end], new[j:j_end], autojunk=True)
            for block in matcher.get_matching_blocks():
                pairs.extend((i + block.a + k, j + block.b + k) for k in range(block.size))
        # Beyond that two texts have nothing in common that is worth the wait: one change.
    return sorted(pairs)


def _anchors(old: list[str], new: list[str], i: int, i_end: int, j: int, j_end: int) -> list[tuple[int, int]]:
    """Words that occur once on both sides, as the longest run in the same order."""
    count_old, count_new = Counter(old[i:i_end]), Counter(new[j:j_end])
    where = {word: at for at, word in enumerate(new[j:j_end], j) if count_new[word] == 1}
    candidates = [
        (at, where[word]) for at, word in enumerate(old[i:i_end], i) if count_old[word] == 1 and word in where
    ]
    tails: list[int] = []
    tail_at: list[int] = []
    previous = [-1] * len(candidates)
    for index, (_, b) in enumerate(candidates):
        k = bisect_left(tails, b)
        previous[index] = tail_at[k - 1] if k else -1
        tails[k:] = [b, *tails[k + 1 :]] if k < len(tails) else [b]
        tail_at[k:] = [index, *tail_at[k + 1 :]] if k < len(tail_at) else [index]
    run: list[tuple[int, int]] = []
    index = tail_at[-1] if tail_at else -1
    while index >= 0:
        run.append(candidates[index])
        index = previous[index]
    return run[::-1]


def _table(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Cheapest alignment; like words cost less than strangers, so corrections find the words they correct."""
    rows, columns = len(old) + 1, len(new) + 1
    price: dict[tuple[str, str], float] = {}
    cost = [[float(j) for j in range(columns)]]
    for i in range(1, rows):
        above, row = cost[i - 1], [float(i)]
        for j in range(1, columns):
            a, b = old[i - 1], new[j - 1]
            if a == b:
                swap = above[j - 1]
            else:
                if (a, b) not in price:
                    price[a, b] = _price(a, b)
                swap = above[j - 1] + price[a, b]
            row.append(min(swap, above[j] + 1, row[j - 1] + 1))
        cost.append(row)
    pairs = []
    i, j = rows - 1, columns - 1
    while i and j:
        a, b = old[i - 1], new[j - 1]
        if a == b and cost[i][j] == cost[i - 1][j - 1]:
            pairs.append((i - 1, j - 1))
            i, j = i - 1, j - 1
        elif a != b and abs(cost[i][j] - cost[i - 1][j - 1] - price[a, b]) < 1e-9:
            i, j = i - 1, j - 1
        elif cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return pairs


def _price(a: str, b: str) -> float:
    """Cost of turning one word into another: 0.2 for capitals, 1.9 for strangers, 2 for word and mark."""
    if a.casefold() == b.casefold():
        return 0.2
    if a[0].isalnum() != b[0].isalnum():
        return 2.0
    if not a[0].isalnum():
        return 0.9
    return 1.9 - 1.5 * likeness(a, b)


# --- grouping -------------------------------------------------------------------------------------

_MOVE_WORDS = 5  # a word that moved further reads as one removed and another added
_Region = tuple[int, int, int, int]  # start and end in the draft, start and end in the rewrite


def _pieces(
    before: str,
    after: str,
    span: tuple[int, int],
    new_span: tuple[int, int],
    old: list[_Word],
    new: list[_Word],
) -> list[_Region]:
    """One region between aligned words, cut where the words pair off and each pair stands for itself."""
    cuts: list[tuple[int, int]] = [(0, 0)]
    if old and new and len(old) == len(new):
        for k in range(1, len(old)):
            left, right = (old[k - 1].text, new[k - 1].text), (old[k].text, new[k].text)
            apart = _stands_alone(*left) and _stands_alone(*right)
            # "are usefull" -> "is useful": the misspelling has nothing to do with the verb beside it.
            apart = (
                apart
                or (_is_grammar(*left) and _is_misspelt(*right))
                or (_is_misspelt(*left) and _is_grammar(*right))
            )
            if apart and _same_gap(before, after, old, new, k):
                cuts.append((k, k))
    elif old and new:
        # A mark or a word that came or went at the edge ("tomorow" -> "tomorrow,") is a change of its own.
        marks_old = [k for k, word in enumerate(old) if not is_word(word.text)]
        marks_new = [k for k, word in enumerate(new) if not is_word(word.text)]
        if (
            not marks_old
            and marks_new == [len(new) - 1]
            and len(new) - 1 == len(old)
            and _pairs_off(old, new)
        ):
            if before[old[-1].end : span[1]] == after[new[-1].end : new_span[1]]:
                cuts.extend((k, k) for k in range(1, len(old)) if _same_gap(before, after, old, new, k))
                cuts.append((len(old), len(old)))
        elif (
            not marks_new
            and marks_old == [len(old) - 1]
            and len(old) - 1 == len(new)
            and _pairs_off(old, new)
        ):
            cuts.append((len(new), len(new)))
    regions = []
    for (a, b), (a_next, b_next) in zip(cuts, [*cuts[1:], (len(old), len(new))], strict=True):
        start = span[0] if (a, b) == (0, 0) else old[a - 1].end
        from_ = new_span[0] if (a, b) == (0, 0) else new[b - 1].end
        end = span[1] if a_next == len(old) and b_next == len(new) else old[a_next - 1].end
        to = new_span[1] if a_next == len(old) and b_next == len(new) else new[b_next - 1].end
        region = _trimmed(before, after, start, end, from_, to)
        if before[region[0] : region[1]] != after[region[2] : region[3]]:
            regions.append(region)
    return regions


def _same_gap(before: str, after: str, old: list[_Word], new: list[_Word], k: int) -> bool:
    return before[old[k - 1].end : old[k].start] == after[new[k - 1].end : new[k].start]


def _pairs_off(old: list[_Word], new: list[_Word]) -> bool:
    return all(_stands_alone(a.text, b.text) for a, b in zip(old, new, strict=False) if is_word(a.text))


def _stands_alone(a: str, b: str) -> bool:
    if not is_word(a) or not is_word(b):
        return False
    return a.casefold() == b.casefold() or likeness(a, b) >= 0.6


def _is_grammar(a: str, b: str) -> bool:
    return {a.casefold(), b.casefold()} <= AUXILIARIES


def _is_misspelt(a: str, b: str) -> bool:
    return _stands_alone(a, b) and kind_of_pair(a.casefold(), b.casefold()) == "spelling"


def _trimmed(before: str, after: str, start: int, end: int, from_: int, to: int) -> _Region:
    """The region without the blanks that both sides share at its edges."""
    while start < end and from_ < to and before[start] == after[from_] and before[start].isspace():
        start, from_ = start + 1, from_ + 1
    while start < end and from_ < to and before[end - 1] == after[to - 1] and before[end - 1].isspace():
        end, to = end - 1, to - 1
    return start, end, from_, to


def _joined(before: str, after: str, regions: list[_Region]) -> list[_Region]:
    """Joins what only makes sense together: a full stop and the capital after it, a word that moved."""
    joined: list[_Region] = []
    for region in regions:
        if joined:
            start, end, from_, to = joined[-1]
            gap, new_gap = before[end : region[0]], after[to : region[2]]
            mark = not is_word(before[start:end]) and not is_word(after[from_:to])
            capital = (
                region[0] < region[1]
                and before[region[0] : region[1]].casefold() == after[region[2] : region[3]].casefold()
            )
            stop = any(c in ".!?" for c in before[start:end] + after[from_:to])
            same_place = start == end == region[0] == region[1]
            moved = _is_move(before, after, joined[-1], region) and len(gap.split()) <= _MOVE_WORDS
            if same_place or moved or (mark and stop and capital and gap == new_gap and not gap.strip()):
                joined[-1] = (start, region[1], from_, region[3])
                continue
        joined.append(region)
    return joined


def _is_move(before: str, after: str, first: _Region, second: _Region) -> bool:
    """Whether the words that one of the two regions drops are those that the other adds."""
    gone, added = before[first[0] : first[1]], after[second[2] : second[3]]
    if after[first[2] : first[3]].strip() or before[second[0] : second[1]].strip():
        gone, added = before[second[0] : second[1]], after[first[2] : first[3]]
        if after[second[2] : second[3]].strip() or before[first[0] : first[1]].strip():
            return False
    return is_word(gone) and likeness(gone.strip(), added.strip()) >= 0.8
