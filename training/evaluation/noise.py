"""Mistakes injected into clean email text for scoring, each known by its kind and its place.

    noisy, repairs = inject_errors("Please send it by Friday.", random.Random(1))
    apply(noisy, repairs)   # the clean text again

Independent of what models are trained on: rules, lists (lists/noise_*.tsv) and weights are written for this file alone
and none of them come from `training.data`, so that a model cannot score by having learnt the generator. (Common
misspellings are common, so the two do overlap there.) Each mistake covers whole words or marks, and at least one
untouched word stands between two mistakes. A slip of the finger may happen to give another English word.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from space.proofread.edits import Edit
from space.proofread.words import WORDS

_LISTS = Path(__file__).resolve().parent / "lists"


def inject_errors(text: str, rng: random.Random, rate: float = 0.08) -> tuple[str, list[Edit]]:
    """The text with about `rate` mistakes per word, at least one where any fits, and the edits that repair it, in order.

    An edit's kind is that of the mistake, a key of FINDERS. Kinds are drawn by weight first and places second, so that
    rare openings (a fixed phrase) are used as well.
    """
    words = [match.span() for match in WORDS.finditer(text)]
    openings = {kind: list(find(text, rng)) for kind, find in FINDERS.items()}
    taken: list[tuple[_Opening, str]] = []
    for _ in range(max(1, round(rate * len(words)))):
        while kinds := [kind for kind, left in openings.items() if left]:
            kind = rng.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
            opening = openings[kind].pop(rng.randrange(len(openings[kind])))
            if all(_apart(opening, other, words) for other, _ in taken):
                taken.append((opening, kind))
                break
    return _injected(text, sorted(taken, key=lambda each: each[0].start))


def typo(text: str, rng: random.Random) -> str:
    """The text with one slip of a finger, or as it is where no word is long enough for one."""
    openings = list(_typo(text, rng))
    if not openings:
        return text
    slip = rng.choice(openings)
    return text[: slip.start] + slip.wrong + text[slip.end :]


@dataclass(frozen=True)
class _Opening:
    """A place [start, end) of the clean text and the wrong text that may stand there."""

    start: int
    end: int
    wrong: str


def _apart(a: _Opening, b: _Opening, words: list[tuple[int, int]]) -> bool:
    low, high = sorted((a, b), key=lambda opening: opening.start)
    return any(low.end <= start and end <= high.start for start, end in words)


def _injected(text: str, openings: list[tuple[_Opening, str]]) -> tuple[str, list[Edit]]:
    noisy, at, repairs = "", 0, []
    for opening, kind in openings:
        noisy += text[at : opening.start]
        start, at = len(noisy), opening.end
        noisy += opening.wrong
        repairs.append(Edit(start, len(noisy), opening.wrong, text[opening.start : opening.end], kind))
    return noisy + text[at:], repairs


# ---- the inventory -----------------------------------------------------------------------------------------


def _table(name: str) -> list[list[str]]:
    """The rows of a list of cells between tabs; its first line says where it is from."""
    _, *lines = (_LISTS / f"noise_{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines]


# Rows of a keyboard: a finger slips to a neighbour in its row.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

MISSPELT = {right: wrong for right, wrong in _table("misspelt")}
_HOMOPHONES = _table("homophones")
_VERBS = _table("verbs")  # base, third person, past, participle, -ing
_PHRASES = _table("phrases")  # right, wrong
_CLASSES = {name: words for name, *words in _table("words")}


# ---- finders: where in a text each kind of mistake fits -------------------------------------------------------

_Finder = Callable[[str, random.Random], Iterator[_Opening]]


def _any_of(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def _like(model: str, word: str) -> str:
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def _words(text: str, pattern: str, flags: int = 0) -> Iterator[re.Match[str]]:
    """Matches of whole words as `WORDS` cuts them: none inside a hyphenated word or an address."""
    return re.finditer(rf"(?<![\w@./'’-])(?:{pattern})(?![\w@/'’-]|\.\w)", text, flags)


def _typo(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _words(text, r"[a-z]{4,}"):
        word = match.group()
        i = rng.randrange(1, len(word) - 1)
        row = next(row for row in _ROWS if word[i] in row)
        at = row.index(word[i])
        near = rng.choice([row[k] for k in (at - 1, at + 1) if 0 <= k < len(row)])
        wrong = rng.choice(
            (
                word[:i] + near + word[i + 1 :],
                word[:i] + near + word[i:],
                word[:i] + word[i + 1] + word[i] + word[i + 2 :],
                word[:i] + word[i + 1 :],
            )
        )
        if wrong != word:
            yield _Opening(*match.span(), wrong)


def _spelling(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _words(text, "[A-Za-z]+"):
        if wrong := MISSPELT.get(match.group().lower()):
            yield _Opening(*match.span(), _like(match.group(), wrong))


def _homophone(text: str, rng: random.Random) -> Iterator[_Opening]:
    for group in _HOMOPHONES:
        for match in _words(text, _any_of(group), re.IGNORECASE):
            if match.group() != match.group().upper():
                wrong = rng.choice([word for word in group if word != match.group().lower()])
                yield _Opening(*match.span(), _like(match.group(), wrong))


def _agreement(text: str, rng: random.Random) -> Iterator[_Opening]:
    singular = {
        "is": "are",
        "was": "were",
        "has": "have",
        "does": "do",
        "doesn't": "don't",
        "isn't": "aren't",
    }
    singular |= {third: base for base, third, *_ in _VERBS if base not in ("be", "have", "do")}
    plural = {wrong: right for right, wrong in singular.items()}
    for subjects, swaps in (
        ("he|she|it|that|this|everyone|nobody|which", singular),
        ("we|they|you|these|those|I", plural),
    ):
        for match in _words(text, rf"(?P<subject>{subjects}) (?P<verb>{_any_of(swaps)})", re.I):
            yield _Opening(*match.span("verb"), swaps[match["verb"].lower()])


def _verb_form(text: str, rng: random.Random) -> Iterator[_Opening]:
    bases = _any_of(row[0] for row in _VERBS)
    of = {row[0]: row for row in _VERBS}
    for match in _words(
        text, rf"(?P<before>to|will|would|can|could|should|must|may|might) (?P<verb>{bases})"
    ):
        _, third, past, participle, ing = of[match["verb"]]
        wrong = rng.choice([past, ing, third] if match["before"] == "to" else [third, participle, ing])
        if wrong != match["verb"]:
            yield _Opening(*match.span("verb"), wrong)
    for column, before in (
        (3, "have|has|had|I've|we've|haven't|hasn't"),
        (4, "am|are|is|I'm|we're|been|by|for|without"),
    ):
        bases_of = {row[column]: row[0] for row in _VERBS if row[column] != row[0]}
        for match in _words(text, rf"(?:{before}) (?P<verb>{_any_of(bases_of)})"):
            yield _Opening(*match.span("verb"), bases_of[match["verb"]])


def _article(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _words(text, r"(?P<article>a|an|the) (?=[a-z])"):
        yield _Opening(*match.span(), "")
        if match["article"] != "the":
            yield _Opening(*match.span("article"), "an" if match["article"] == "a" else "a")
    for match in _words(text, rf"(?:for|with|of|on) (?P<noun>{_any_of(_CLASSES['uncountable'])})"):
        yield _Opening(match.start("noun"), match.start("noun"), "an " if match["noun"][0] in "aei" else "a ")
    for match in _words(text, rf"on (?P<day>{_any_of(_CLASSES['capitals'])})"):
        yield _Opening(match.start("day"), match.start("day"), "the ")


def _preposition(text: str, rng: random.Random) -> Iterator[_Opening]:
    for right, wrong in _PHRASES:
        for match in _words(text, re.escape(right), re.IGNORECASE):
            yield _Opening(*match.span(), _like(match.group(), wrong))


def _apostrophe(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in re.finditer(r"(?<![\w'’-])[A-Za-z]+['’](?:t|s|m|re|ve|ll|d)(?![\w'’-])", text):
        yield _Opening(*match.span(), re.sub("['’]", "", match.group()))


def _capital(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _words(text, rf"{_any_of(_CLASSES['capitals'])}|I"):
        yield _Opening(*match.span(), match.group().lower())
    for match in re.finditer(r"(?<=[a-z][.?!] )[A-Z][a-z]+(?=[ ,])", text):
        yield _Opening(*match.span(), match.group().lower())


def _punctuation(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in re.finditer(r"(?<=[a-z]{2})[.?](?=\s*\Z|\n)", text):
        yield _Opening(*match.span(), "")
    for match in re.finditer(rf"(?<=\b)(?:{_any_of(_CLASSES['openers'])})(?P<comma>,)(?= )", text):
        yield _Opening(*match.span("comma"), "")


def _doubled(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _words(text, "the|to|is|of|and|that|you|a|in|for|we|with|have|on|be"):
        yield _Opening(*match.span(), f"{match.group()} {match.group()}")


def _joined(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _words(text, _any_of(_CLASSES["joined"]), re.IGNORECASE):
        yield _Opening(*match.span(), match.group().replace(" ", ""))


def _number(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _words(
        text, rf"(?:{_any_of(_CLASSES['counted'])}) (?P<noun>[a-z]{{3,}}[^s\W])s", re.IGNORECASE
    ):
        yield _Opening(match.start("noun"), match.end(), match["noun"])


FINDERS: dict[str, _Finder] = {
    "typo": _typo, "spelling": _spelling, "homophone": _homophone, "agreement": _agreement,
    "verb form": _verb_form, "article": _article, "preposition": _preposition, "apostrophe": _apostrophe,
    "capitals": _capital, "punctuation": _punctuation, "doubled word": _doubled, "run together": _joined,
    "noun number": _number,
}  # fmt: skip
WEIGHTS = {
    "typo": 3, "spelling": 3, "homophone": 2, "agreement": 2, "verb form": 2, "article": 3, "preposition": 2,
    "apostrophe": 2, "capitals": 2, "punctuation": 2, "doubled word": 1, "run together": 1, "noun number": 2,
}  # fmt: skip
