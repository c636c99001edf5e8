"""American or British spelling: the words of a draft that are spelt the other way, as changes.

    Dialect.load("american").respellings(draft, split(draft))

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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from space.errors import UserError
from space.proofread.edits import Edit, apply, classify
from space.proofread.email import EDITABLE, Part
from space.proofread.sentences import sentences
from space.proofread.words import WORDS, word_set

PATH = Path(__file__).parents[1] / "models" / "dialects.tsv"
DIALECTS = ("american", "british")

_SURNAMES = word_set(
    "names", "surnames_as_colours"
)  # more often a name than a colour when they begin a sentence
_ALWAYS_CAPITAL = re.compile(r"I(?:['’]\w+)?")


@dataclass(frozen=True)
class Dialect:
    """A spelling: words of the other one -> of this one, in small letters."""

    name: str
    words: Mapping[str, str] = field(repr=False)

    @classmethod
    def load(cls, name: str, path: Path = PATH) -> Dialect:
        """UserError when there is no such dialect or no list."""
        if name not in DIALECTS:
            raise UserError(f"dialect {name}: choose one of {', '.join(DIALECTS)}.")
        if not path.is_file():
            raise UserError(
                f"{path}: the list of spellings is missing; restore it with git checkout, or run python -m training corpus."
            )
        return cls(name, _read(name, path))

    def spelling(self, word: str) -> str | None:
        """The word as the dialect spells it, its capitals kept; None when it is right already or unknown.

        >>> [Dialect.load("american").spelling(word) for word in ("Colour", "COLOUR", "colour-coded", "centre's", "color")]
        ['Color', 'COLOR', 'color-coded', "center's", None]
        """
        pieces = re.split(r"([-'’])", word)
        if not word.isupper() and any(piece[:1].isupper() for piece in pieces[1:]):
            return None  # "Anne-Honor": a name
        respelt = "".join(self._piece(piece) or piece for piece in pieces)
        return respelt if respelt != word else None

    def _piece(self, word: str) -> str | None:
        right = self.words.get(word.lower())
        if right is None or word.islower():
            return right
        if word.isupper() and len(word) > 1:
            return right.upper()
        return right.capitalize() if word[1:].islower() else None

    def respelt(self, text: str) -> str:
        """A few words of running text in this spelling, wherever they stand."""
        return WORDS.sub(lambda match: self.spelling(match.group()) or match.group(), text)

    def respellings(self, draft: str, parts: Sequence[Part]) -> list[Edit]:
        """The words of the editable `parts` of the draft that are spelt otherwise, in order.

        >>> part = Part("sentence", "Grey is a colour.", 0)
        >>> [(edit.before, edit.after) for edit in Dialect.load("american").respellings(part.text, [part])]
        [('colour', 'color')]
        """
        literal = _Spans([*_quotations(draft), *_literals(draft)])
        found = []
        for part in parts:
            if part.kind not in EDITABLE:
                continue
            words = [match for match in WORDS.finditer(part.text) if match.group()[0].isalpha()]
            beginnings = _beginnings(part, words)
            shouted = sum(match.group().isupper() for match in words) > 0.6 * len(words)
            for index, match in enumerate(words):
                word, start = match.group(), part.start + match.start()
                right = self.spelling(word)
                if right is None or literal.touch(start, start + len(word)):
                    continue
                if not _may_be_name(words, index, beginnings, shouted):
                    found.append(Edit(start, start + len(word), word, right, "spelling", "dialect"))
        return found


@lru_cache(maxsize=4)
def _read(name: str, path: Path) -> dict[str, str]:
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        british, american, way = line.split("\t")
        if way in (name, "both"):
            wrong, right = (british, american) if name == "american" else (american, british)
            found[wrong] = right
    return found


def is_respelling(before: str, after: str) -> bool:
    """Whether one word became the other only as it is spelt elsewhere: neither is wrong, unless a dialect was asked for.

    >>> is_respelling("licence", "license"), is_respelling("Color", "Colour"), is_respelling("recieve", "receive")
    (True, True, False)
    """
    dialects = [Dialect.load(name) for name in DIALECTS]
    ways = ((before, after), (after, before))
    return any(dialect.spelling(wrong) == right for dialect in dialects for wrong, right in ways)


# --- beside a model -------------------------------------------------------------------------------


def in_dialect(edits: Iterable[Edit], respellings: Sequence[Edit], dialect: Dialect) -> list[Edit]:
    """Proposed edits with their words in the dialect; not those about nothing but a spelling.

    `respellings` are those of the same text.
    """
    found = []
    for edit in edits:
        after = dialect.respelt(edit.after)
        ours = next((each for each in respellings if edit.overlaps(each)), None)
        if after != edit.before and (ours is None or _says_more(ours, after)):
            found.append(replace(edit, after=after))
    return found


_GROUPS = "|".join(sorted(word_set("usage", "groups_of_people")))
_OF_A_GROUP = re.compile(
    rf"(?:^|[.,;:!?] |\b(?:and|but|so|that|because|if|when|as|since|whether) )(?:the|my|our|your|his|her|their|this|that) (?:\w+ )?(?:{_GROUPS}) (?:\w+ly |also |still |all )?$",
    re.IGNORECASE,
)


def takes_group_for_one(edit: Edit, text: str) -> bool:
    """Whether an edit makes the verb of a group of people singular, which is right as it stands in all Englishes but the American.

    >>> takes_group_for_one(Edit(11, 15, "have", "has", "agreement"), "The family have asked.")
    True
    """
    return (
        edit.kind == "agreement"
        and edit.after.endswith("s")
        and not edit.before.endswith("s")
        and _OF_A_GROUP.search(text[: edit.start]) is not None
    )


def with_respellings(edits: Sequence[Edit], respellings: Sequence[Edit]) -> list[Edit]:
    """The edits, and the respellings where no edit stands, in order."""
    others = [each for each in respellings if not any(each.overlaps(edit) for edit in edits)]
    return sorted([*edits, *others], key=lambda edit: (edit.start, edit.end))


def merged(
    before: str, edits: Sequence[Edit], respellings: Sequence[Edit], dialect: Dialect, is_protected: Callable[[str], bool]
) -> list[Edit]:  # fmt: skip
    """A model's edits with their words in the dialect, and the respellings where the model changed nothing.

    Ordered and disjoint. Where the model respelt a word in its own way, our respelling stands. `is_protected` says of a word
    that it stays as it is spelt.

    >>> edits, respellings = [Edit(2, 7, "likes", "like", "agreement")], [Edit(8, 14, "colour", "color", "spelling")]
    >>> american = Dialect.load("american")
    >>> [(e.before, e.after) for e in merged("I likes colour", edits, respellings, american, lambda word: False)]
    [('likes', 'like'), ('colour', 'color')]
    """
    rewrite = apply(before, edits)
    again = [
        each
        for each in dialect.respellings(rewrite, [Part("sentence", rewrite, 0)])
        if not is_protected(each.before)
    ]
    found, moved = [], 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        start = edit.start + moved
        moved += len(edit.after) - len(edit.before)
        inside = [
            replace(each, start=each.start - start, end=each.end - start)
            for each in again
            if start <= each.start and each.end <= start + len(edit.after)
        ]
        after = apply(edit.after, inside)
        ours = next((each for each in respellings if (each.start, each.end) == (edit.start, edit.end)), None)
        if after != edit.before and (ours is None or _says_more(ours, after)):
            found.append(replace(edit, after=after))
    return with_respellings(found, respellings)


def _says_more(respelling: Edit, after: str) -> bool:
    """Whether an edit of the same word does something else too, as "organizes" does where "organise" stood."""
    return after != respelling.after and classify(respelling.after, after) not in ("spelling", "word choice")


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
