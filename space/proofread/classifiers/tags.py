"""Edit tags: what a word of a text should become, in a small vocabulary that a tagger can choose from.

    keep ""         delete "-"        wrong, nobody knows how "?"
    "=their"        the word becomes "their"
    "~2+ies"        its last two letters become "ies"
    "<the"          "the" is missing before it
    ">."            a full stop is missing after it
    "Aa" "aa" "AA"  it is written with a capital, without, in capitals

Tags know no case but their own: a replacement takes over the capital of the word that it replaces.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

KEEP, DELETE, WRONG = "", "-", "?"
_CASES = {"Aa": lambda word: word[:1].upper() + word[1:], "aa": str.lower, "AA": str.upper}
_STEM = 3  # letters that an ending must leave


@dataclass(frozen=True)
class TaggedWord:
    """What the tagger says of the word at [start, end) of a text: a measurement, of which `propose` makes edits.

    `wrong` is the probability that the word is wrong, `after` the likeliest replacement (None if unknown), and `score` the
    probability that the word is wrong and the replacement right, all in [0, 1]; `others` are the next likeliest, each with
    its own.
    """

    start: int
    end: int
    text: str
    wrong: float = 1.0
    after: str | None = None
    score: float = 0.0
    others: tuple[tuple[str, float], ...] = ()


def tag_of(word: str, fix: str | None) -> str:
    """The tag that makes `fix` of `word`; None means that the word is right.

    >>> [tag_of("walks", fix) for fix in (None, "", "walk", "he walks", "Walks", "went")]
    ['', '-', '~1+', '<he', 'Aa', '=went']
    """
    if fix is None or fix == word:
        return KEEP
    if not fix:
        return DELETE
    low, fixed = word.lower(), fix.lower()
    if low == fixed:
        return next((tag for tag, change in _CASES.items() if change(word) == fix), WRONG)
    before = fixed[: -len(low)]
    if fixed.endswith(low) and before == before.strip() + " ":
        return "<" + before.strip()
    if fixed.startswith(low) and re.fullmatch(r"[^\w\s]+", fixed[len(low) :]):
        return ">" + fixed[len(low) :]
    stem = len(os.path.commonprefix([low, fixed]))
    if (
        stem >= _STEM
        and low.isalpha()
        and fixed.isalpha()
        and len(low) - stem <= 3
        and len(fixed) - stem <= 4
    ):
        return f"~{len(low) - stem}+{fixed[stem:]}"
    return "=" + fixed


def fix_of(word: str, tag: str) -> str | None:
    """What `tag` makes of `word`: the inverse of `tag_of`; None for KEEP, WRONG and a tag that does not fit the word."""
    if tag in (KEEP, WRONG):
        return None
    if tag == DELETE:
        return ""
    if tag in _CASES:
        return _CASES[tag](word)
    kind, text = tag[0], tag[1:]
    if kind == "<":
        if text.isalpha() and word[:1].isupper() and word[1:].islower():
            return f"{text.capitalize()} {word.lower()}"
        return f"{text} {word}"
    if kind == ">":
        return word + text
    if kind == "~":
        cut, ending = text.split("+", 1)
        if len(word) - int(cut) < _STEM or not word.isalpha():
            return None
        return word[: len(word) - int(cut)] + ending
    capital = (word[:1].isupper() and word != "I") or text in ("i", "i'm", "i've", "i'll", "i'd")
    return text[:1].upper() + text[1:] if capital else text


def replacement(text: str, start: int, end: int, after: str) -> tuple[int, int]:
    """The characters that give way when `after` takes the place of the word at [start, end).

    No blank stands before a mark or before nothing, and a text does not begin with one.

    >>> text = "I goes to to ."
    >>> [text[slice(*replacement(text, *word))] for word in ((2, 6, "go"), (10, 12, ""), (0, 1, ""))]
    ['goes', ' to', 'I ']
    """
    if after == "" or after[0] in ",.;:!?":
        start = len(text[:start].rstrip(" "))
    if start == 0 and not after:
        end += len(text[end:]) - len(text[end:].lstrip(" "))
    return start, end


def pieces(text: str, words: Iterable[TaggedWord]) -> Iterator[tuple[str, TaggedWord | None]]:
    """The text with the replacements of `words` in place, in pieces: what stands between two words comes with None.

    >>> goes, to = TaggedWord(2, 6, "goes", after="go"), TaggedWord(10, 12, "to", after="")
    >>> [piece for piece, _ in pieces("I goes to to .", [goes, to])]
    ['I ', 'go', ' to', '', ' .']
    """
    at, begun = 0, False
    for word in words:
        after = word.text if word.after is None else word.after
        start = word.start if word.after is None else replacement(text, word.start, word.end, after)[0]
        yield text[at : max(at, start)], None
        yield after, word
        begun = begun or bool(text[at : max(at, start)] or after)
        at = word.end
        if not begun:  # a text does not begin with a blank
            at += len(text[at:]) - len(text[at:].lstrip(" "))
    yield text[at:], None
