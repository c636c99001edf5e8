"""American or British spelling: the words of a draft that are spelt the other way, as changes.

    respellings(draft, split(draft), "american")

`models/dialects.tsv` is made by `python -m training corpus`; a line is `british<TAB>american<TAB>way`. The way says
into which spelling the word may be put: american, british or both. "cheque" is only British, but a British "check"
is a word of its own, so that line says american.

Left alone: quotations, code, links, placeholders, and what may be a name: a word with a capital, unless it begins a
sentence and a word without one follows. Not covered: names in capitals, words that differ (lift, elevator),
punctuation, and the same word written in two ways in one country (Oxford's organize counts as American).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from space.errors import UserError
from space.proofread.classifiers.tags import Doubt
from space.proofread.edits import Edit, apply, classify
from space.proofread.email import EDITABLE, Part, sentences
from space.proofread.prompt import WORDS

PATH = Path(__file__).parents[1] / "models" / "dialects.tsv"
DIALECTS = ("american", "british")

_SURNAMES = frozenset(("gray", "grey"))  # more often a name than a colour when they begin a sentence
_ALWAYS_CAPITAL = re.compile(r"I(?:['’]\w+)?")


@lru_cache(maxsize=2)
def spellings(dialect: str) -> dict[str, str]:
    """Words of the other spelling -> of this one, in small letters. UserError when there is no such dialect or no list."""
    if dialect not in DIALECTS:
        raise UserError(f"dialect {dialect}: choose one of {', '.join(DIALECTS)}.")
    if not PATH.is_file():
        raise UserError(
            f"{PATH}: the list of spellings is missing; restore it with git checkout, or run python -m training corpus."
        )
    found = {}
    for line in PATH.read_text(encoding="utf-8").splitlines():
        british, american, way = line.split("\t")
        if way in (dialect, "both"):
            wrong, right = (british, american) if dialect == "american" else (american, british)
            found[wrong] = right
    return found


def spelling(word: str, dialect: str) -> str | None:
    """The word as the dialect spells it, its capitals kept; None when it is right already or unknown.

    >>> [spelling(word, "american") for word in ("Colour", "COLOUR", "colour-coded", "centre's", "color")]
    ['Color', 'COLOR', 'color-coded', "center's", None]
    """
    pieces = re.split(r"([-'’])", word)
    if not word.isupper() and any(piece[:1].isupper() for piece in pieces[1:]):
        return None  # "Anne-Honor": a name
    respelt = "".join(_spelling(piece, dialect) or piece for piece in pieces)
    return respelt if respelt != word else None


def _spelling(word: str, dialect: str) -> str | None:
    right = spellings(dialect).get(word.lower())
    if right is None or word.islower():
        return right
    if word.isupper() and len(word) > 1:
        return right.upper()
    return right.capitalize() if word[1:].islower() else None


def respelt(text: str, dialect: str) -> str:
    """A few words of running text in the dialect's spelling, wherever they stand."""
    return WORDS.sub(lambda match: spelling(match.group(), dialect) or match.group(), text)


def respellings(draft: str, parts: Sequence[Part], dialect: str) -> list[Edit]:
    """The words of the editable `parts` of the draft that the dialect spells otherwise, in order.

    >>> [(c.before, c.after) for c in respellings("Grey is a colour.", [Part("sentence", "Grey is a colour.", 0)], "american")]
    [('colour', 'color')]
    """
    spellings(dialect)  # a wrong name is an error even where there is nothing to respell
    literal = _Spans([*_quotations(draft), *_literals(draft)])
    found = []
    for part in parts:
        if part.kind not in EDITABLE:
            continue
        words = [match for match in WORDS.finditer(part.text) if match.group()[0].isalpha()]
        beginnings = _beginnings(part, words)
        shouted = sum(match.group().isupper() for match in words) > 0.6 * len(words)
        for index, match in enumerate(words):
            word = match.group()
            if (right := spelling(word, dialect)) is None:
                continue
            start = part.start + match.start()
            if not literal.touch(start, start + len(word)) and not _may_be_name(
                words, index, beginnings, shouted
            ):
                found.append(Edit(start, start + len(word), word, right, "spelling"))
    return found


def occurrences(draft: str, terms: Iterable[str]) -> list[tuple[int, int]]:
    """Where the terms stand in the draft as words, whatever their capitals: (start, end) in characters."""
    longest_first = sorted({term.strip() for term in terms if term.strip()}, key=len, reverse=True)
    if not longest_first:
        return []
    pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"
    return [match.span() for match in re.finditer(pattern, draft, re.I)]


def is_held(change: Edit, spans: Iterable[tuple[int, int]], names: Collection[str]) -> bool:
    """Whether a respelling would touch a name, or a protected term at one of the `spans`."""
    return change.before in names or any(start < change.end and change.start < end for start, end in spans)


# --- beside a model -------------------------------------------------------------------------------


def in_dialect(doubts: Iterable[Doubt], wanted: Sequence[Edit], dialect: str) -> tuple[Doubt, ...]:
    """The doubts with their fixes in the dialect; not those about nothing but a spelling.

    `wanted` are the respellings of the same text.
    """
    kept = []
    for doubt in doubts:
        fix = None if doubt.fix is None else respelt(doubt.fix, dialect)
        ours = next((change for change in wanted if _overlap(doubt, change)), None)
        if fix != doubt.text and (ours is None or fix is not None and _says_more(ours, fix)):
            kept.append(replace(doubt, fix=fix))
    return tuple(kept)


def with_respellings(doubts: Sequence[Doubt], wanted: Sequence[Edit]) -> tuple[Doubt, ...]:
    """The doubts and the respellings as doubts that are sure of their fix, in order."""
    told = [
        Doubt(change.start, change.end, change.before, fix=change.after, confidence=1.0)
        for change in wanted
        if not any(_overlap(doubt, change) for doubt in doubts)
    ]
    return tuple(sorted([*doubts, *told], key=lambda doubt: doubt.start))


def merged(
    before: str, changes: Sequence[Edit], wanted: Sequence[Edit], dialect: str, protected_terms: Iterable[str] = (),
    names: Collection[str] = (),
) -> list[Edit]:  # fmt: skip
    """A model's changes with their words in the dialect, and what is wanted where the model changed nothing.

    Ordered and disjoint. Where the model respelt a wanted word in its own way, the wanted respelling stands.

    >>> changes = [Edit(2, 7, "likes", "like", "agreement")]
    >>> wanted = [Edit(8, 14, "colour", "color", "spelling")]
    >>> [(c.before, c.after) for c in merged("I likes colour", changes, wanted, "american")]
    [('likes', 'like'), ('colour', 'color')]
    """
    rewrite = apply(before, changes)
    spans = occurrences(rewrite, protected_terms)
    again = [
        each
        for each in respellings(rewrite, [Part("sentence", rewrite, 0)], dialect)
        if not is_held(each, spans, names)
    ]
    found, moved = [], 0
    for change in sorted(changes, key=lambda c: (c.start, c.end)):
        start = change.start + moved
        moved += len(change.after) - len(change.before)
        inside = [
            replace(each, start=each.start - start, end=each.end - start)
            for each in again
            if start <= each.start and each.end <= start + len(change.after)
        ]
        after = apply(change.after, inside)
        ours = next((each for each in wanted if (each.start, each.end) == (change.start, change.end)), None)
        if after != change.before and (ours is None or _says_more(ours, after)):
            found.append(replace(change, after=after))
    left = [change for change in wanted if not any(_overlap(change, each) for each in found)]
    return sorted([*found, *left], key=lambda c: (c.start, c.end))


def _says_more(wanted: Edit, fix: str) -> bool:
    """Whether a fix of the same word mends something else too, as "organizes" does where "organise" stood for it."""
    return fix != wanted.after and classify(wanted.after, fix) not in ("spelling", "word choice")


def _overlap(one: Doubt | Edit, other: Edit) -> bool:
    return one.start < other.end and other.start < one.end


# --- names ----------------------------------------------------------------------------------------


def _beginnings(part: Part, words: Sequence[re.Match[str]]) -> frozenset[int]:
    """Which of the words begin a sentence, by their index; none in a greeting: "Honor," is a name there."""
    if part.kind in ("greeting", "closing"):
        return frozenset()
    starts = [match.start() for match in words]
    first = (bisect_right(starts, start - 1) for start, _ in sentences(part.text))
    return frozenset(index for index in first if index < len(words))


def _may_be_name(
    words: Sequence[re.Match[str]], index: int, beginnings: frozenset[int], shouted: bool
) -> bool:
    word = words[index].group()
    if not word[0].isupper():
        return False
    following = words[index + 1].group() if index + 1 < len(words) else ""
    if word.isupper():  # one word that is stressed, or all of a sentence that is shouted
        around = [match.group() for match in words[max(0, index - 1) : index + 2]]
        return not shouted and sum(each.isupper() and len(each) > 1 for each in around) > 1
    named = following[:1].isupper() and not _ALWAYS_CAPITAL.fullmatch(following)
    return index not in beginnings or named or word.lower() in _SURNAMES


# --- what is not the writer's own running text ----------------------------------------------------

_MARK = re.compile(r"\n\s*\n|[\"“”„«»]")
# Single quotes (as far as they may reach: an apostrophe looks the same), code, placeholders. Bounded, so that a lone mark
# costs little.
_ENCLOSED = re.compile(
    r"(?<![\w'’])'(?=\w)(?:[^']|'(?=\w)){1,200}'(?!\w)"
    r"|‘[^‘]{1,200}’(?!\w)"
    r"|`[^`\n]{1,300}`|\[[^\[\]\n]{1,80}\]|\{[^{}\n]{1,80}\}|<[^<>\n]{1,80}>"
)
_LITERAL = re.compile(r"[@\\_=<>{}#`\d]|//|\w\.\w|^\W?/|/.*/")  # in an address, a link, a path, a code


class _Spans:
    """Stretches of a text."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        joined: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        self._starts, self._ends = [start for start, _ in joined], [end for _, end in joined]

    def touch(self, start: int, end: int) -> bool:
        index = bisect_right(self._starts, end - 1) - 1
        return index >= 0 and self._ends[index] > start


def _quotations(draft: str) -> Iterator[tuple[int, int]]:
    """What stands between quotation marks; one that is never closed ends with its paragraph."""
    opened: int | None = None
    for match in _MARK.finditer(draft):
        mark, at = match.group(), match.start()
        if opened is not None and (mark[0] in '\n"”»' or mark == "“" and draft[opened] == "„"):
            yield opened, match.end()
            opened = None
        elif opened is None and mark in '"“„«' and not (mark == '"' and draft[at - 1 : at].isdigit()):
            opened = at  # 5" is a length
    if opened is not None:
        yield opened, len(draft)


def _literals(draft: str) -> Iterator[tuple[int, int]]:
    for match in _ENCLOSED.finditer(draft):
        yield match.span()
    for match in re.finditer(r"\S+", draft):
        if _LITERAL.search(match.group()):
            yield match.span()
