"""The word list: which words exist, and what a word that does not exist probably should have been.

The list is made by `python -m training corpus` (one `word<TAB>count` a line, most frequent first). Words that are
written with a capital wherever they stand (Monday, London) are listed that way only.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from space.proofread.misspelling import split_weight, weight, with_one_slip
from space.proofread.words import WORD, read_list, word_set

PATH = Path(__file__).parents[1] / "models" / "lexicon.txt.gz"

_MAX_DISTANCE = 2  # edits: a longer distance finds another word more often than the meant one
_LENGTHS = range(2, 25)  # of a word that others near it are looked for
_GUESSES = 8  # of an unknown word
_SURE = 6.0  # weight of what can be nothing else
_MISTAKEN = 6  # words that a known one may be typed for
_LIKELY = 0.01  # share from which a word is one of them
_WEIGHED = 24  # of the words within that distance, those that are near and frequent
_DISTANCE_COST = 5.5  # one more edit is paid for by e^5.5 more occurrences, to be one of those
_SHORT, _COMMON_COUNT = 6, 200  # letters of a word, and what one that is two edits from it must count
_SPLIT_COUNT = 100  # occurrences from which a word may be half of two that were run together
_LONGEST_SPLIT = 60  # characters: no two known words have more; to try all of a "word" of 100,000 takes 8 s
_PART_COUNT = 200  # occurrences from which a word may be half of a new one ("blackline")
_PREFIXES = re.compile(
    r"(?:anti|counter|de|dis|inter|mis|multi|non|over|post|pre|re|semi|sub|trans|un|under)(?=[a-z]{4})"
)

# Contractions without their apostrophe: no edit distance finds these first.
_CONTRACTIONS = {
    word.replace("'", ""): word
    for word in (
        "I'm I've aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mustn't shouldn't that's there's "
        "they're they've wasn't weren't what's won't wouldn't you're you've let's we've it'll I'll you'll"
    ).split()
    if word.replace("'", "") not in {"lets", "Ill", "its"}
}
_CONTRACTIONS |= {word.lower(): right for word, right in _CONTRACTIONS.items()}
# What people write in mail and no list of words holds.
_INFORMAL = frozenset(read_list("informal")[0][0].split())
_CALENDAR = word_set("names", "calendar")
_PARTICLES = word_set("grammar", "particles")  # with which verbs make nouns ("buildout", "setoff")
# Words that others are written together with by mistake ("infact", "alot", "thankyou").
_RUN_TOGETHER = word_set("grammar", "run_together")

# Of the words of a text so many are known, at least; a draft full of misspellings mostly has more.
_ENGLISH_SHARE = 0.55
_LOOKED_AT = 30  # words of a text that has fewer: suggestions take time
_COMMON = frozenset("i the this that and with you your they please would".split())  # hardly elsewhere
# A name is so much more frequent than the word that it makes with an s, or that may be a name too.
_OWNERS = 30

# What stands before the first word of a sentence: nothing, or an end that is not a title's.
_SENTENCE_START = re.compile(r"(?:^|(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bDr)[.!?])[\s\"'“‘(]*\Z")


class Guess(NamedTuple):
    """A known word that an unlisted one may be: its share of the chances of all of them, and its weight (misspelling.py), which says
    how likely any word is written so."""

    word: str
    share: float
    weight: float


class Lexicon:
    """Known words with their counts.

    >>> lexicon = Lexicon.load()
    >>> lexicon.knows("receive"), lexicon.knows("recieve")
    (True, False)
    >>> lexicon.suggest("recieve")
    'receive'
    """

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._total = sum(counts.values())
        self._capitalised = {word.lower(): word for word in counts if word[:1].isupper()}
        names = {word for word in counts if _is_name(word)}
        self._ordinary = {word.lower(): count for word, count in counts.items() if word not in names}
        self._always_capital = frozenset(name.lower() for name in names)
        self._of_length: dict[int, list[str]] = {}
        for word in counts:
            self._of_length.setdefault(len(word), []).append(word.lower())
        self._near_length = cache(self._within_distance)
        # a few known words that an unlisted one may be, the likeliest first
        self.guesses = lru_cache(maxsize=16384)(self._guesses)
        # and those that a listed one in small letters may be typed for, by one slip ("steam" for "stream")
        self.mistaken = lru_cache(maxsize=16384)(self._mistaken)

    @classmethod
    def load(cls, path: Path = PATH) -> Lexicon:
        """Reads a list written by `save`; the same file is read once."""
        return _read(path.resolve(), path.stat().st_mtime_ns)

    def count(self, word: str) -> int:
        """Occurrences of an ordinary word, capitals aside; -1 for a name, and for what is not listed."""
        return self._ordinary.get(word.casefold(), -1)

    def common(self, count: int) -> list[str]:
        """The most frequent words."""
        return sorted(self._counts, key=lambda word: -self._counts[word])[:count]

    def is_capitalised(self, word: str) -> bool:
        """Whether the word is listed with a capital alone (Monday, London)."""
        return word.lower() in self._always_capital

    def lists(self, word: str) -> bool:
        """Whether the word, its parts or its singular are listed in whatever case: less strict than `knows`."""
        key = word.casefold()
        if key in self._ordinary or key in self._always_capital or len(key) == 1:
            return True
        if "'" in key:
            head, _, tail = key.partition("'")
            known = head in self._ordinary or head in self._always_capital or head == "i"
            return known and tail in ("s", "d", "ll", "re", "ve", "m", "t", "")
        if "-" in key:
            return all(self.lists(part) for part in key.split("-"))
        return key.endswith("s") and (key[:-1] in self._ordinary or key[:-1] in self._always_capital)

    def knows(self, word: str) -> bool:
        """Whether the word is written as listed (a capital is always allowed on a lower-case word)."""
        word = word.replace("’", "'")
        stem = word.removesuffix("'s").removesuffix("'")
        return self.is_informal(word) or any(
            form in self._counts for form in (word, word.lower(), stem, stem.lower())
        )

    @staticmethod
    def is_informal(word: str) -> bool:
        """Whether it is an abbreviation of mail, which is written with capitals or without ("ok", "asap")."""
        return word.lower() in _INFORMAL

    def owner(self, word: str) -> str | None:
        """The name in a word that must be its possessive, the apostrophe forgotten.

        >>> Lexicon({"Sarah": 764, "Roberts": 363, "Robert": 2443}).owner("Sarahs")
        'Sarah'
        """
        name = word[:-1]
        is_name = name[:1].isupper() and name.lower() not in self._counts and name not in _CALENDAR
        if not is_name or not word.endswith("s"):
            return None
        own = self._counts.get(word, 0) + self._counts.get(word.lower(), 0)
        return name if self._counts.get(name, 0) > _OWNERS * own else None  # "Roberts" is a name too

    def is_coined(self, word: str, guess: str) -> bool:
        """Whether an unlisted word is made of listed ones, as trades make their words, and the guess takes it apart.

        So do a half of it, its halves written apart, and another word that differs in more than a letter.

        >>> lexicon = Lexicon({"black": 500, "line": 900, "lines": 300, "watering": 80, "complete": 300, "actual": 700})
        >>> [lexicon.is_coined(*pair) for pair in (("blackline", "black line"), ("dewatering", "watering"), ("actuals", "actual"))]
        [True, True, True]
        >>> lexicon.is_coined("blacklines", "blackline"), lexicon.is_coined("completly", "complete")
        (False, False)
        """
        word, guess = word.lower(), guess.lower()
        if not word.isalpha() or self.knows(word):
            return False
        if word == guess + "s" and guess.endswith(("al", "ble", "ive")):
            return True
        parts = self._parts(word)
        return bool(parts) and (
            guess in parts or guess.replace(" ", "") == word or OSA.distance(word, guess) > 1
        )

    def _parts(self, word: str) -> set[str]:
        """The listed words that a word may be made of; those that "in fact" or "a lot" are made of make none."""
        found = set()
        if prefix := _PREFIXES.match(word):
            stem = word[prefix.end() :]
            found |= {stem} if self._ordinary.get(stem, 0) >= _SPLIT_COUNT / 2 else set()
        for i in range(3, len(word) - 2):
            parts = word[:i], word[i:]
            if min(self._ordinary.get(part, 0) for part in parts) >= _PART_COUNT and (
                parts[0] not in _RUN_TOGETHER and (parts[1] not in _RUN_TOGETHER or parts[1] in _PARTICLES)
            ):
                found |= set(parts)
        return found

    def is_english(self, words: Sequence[str]) -> bool:
        """Whether the words of a text are English ones, misspelt as they may be; fewer than four tell nothing."""
        if len(words) < 4 or sum(map(self.knows, words)) >= _ENGLISH_SHARE * len(words):
            return True
        # A word that is one edit from a known one counts half. Other languages have as many, but no "the".
        words = words[:_LOOKED_AT]
        share, common = 0.0, False
        for word in words:
            meant = word if self.knows(word) else self.suggest(word)
            if meant is None or OSA.distance(word.lower(), meant.lower()) > 1:
                continue
            share += 1.0 if meant == word else 0.5 if len(word) > 3 else 0.0
            common |= meant.lower() in _COMMON
        return common and share >= len(words) / 2

    def unknown(self, text: str) -> list[tuple[str, str | None]]:
        """The words of `text` that are not listed, each with its suggestion; names (capitalised inside) are left out."""
        found = []
        for match in WORD.finditer(text):
            word = match.group()
            if self.knows(word) or (len(word) > 1 and word.isupper()) or any(c.isupper() for c in word[1:]):
                continue
            if word[0].isupper() and not _SENTENCE_START.search(text[: match.start()]):
                if self.suggest(word) not in _CALENDAR:
                    continue
            found.append((word, self.suggest(word)))
        return found

    def suggest(self, word: str) -> str | None:
        """The likeliest of `guesses`."""
        return next((guess.word for guess in self.guesses(word)), None)

    def _guesses(self, word: str) -> tuple[Guess, ...]:
        word = word.replace("’", "'")
        lower = word.lower()
        if sure := _CONTRACTIONS.get(word) or self._capitalised.get(lower):
            return (Guess(sure, 1.0, _SURE),)
        weights = {found: weight(lower, found, count) for found, count in self.near(lower)}
        weights |= {found: split_weight(log_count) for found, log_count in self.splits(lower)}
        if not weights:
            return ()
        most = max(weights.values())
        chances = {found: math.exp(value - most) for found, value in weights.items()}
        total = sum(chances.values())
        best = sorted(chances, key=lambda found: -chances[found])[:_GUESSES]
        return tuple(
            Guess(
                _in_case_of(word, self._capitalised.get(found, found)), chances[found] / total, weights[found]
            )
            for found in best
            if chances[found] >= _LIKELY * total
        )

    def _mistaken(self, word: str) -> tuple[str, ...]:
        near = with_one_slip(word) if len(word) < _LENGTHS.stop else ()
        counts = {found: self.count(found) for found in near if found != word}
        weights = {f: weight(word, f, count) for f, count in counts.items() if count >= _COMMON_COUNT}
        return tuple(sorted(weights, key=lambda found: (-weights[found], found))[:_MISTAKEN])

    def near(self, word: str) -> list[tuple[str, int]]:
        """Listed words within two edits of one in small letters, with their counts."""
        limit = 1 if len(word) < 4 else _MAX_DISTANCE
        near = process.extract(
            word, self._near_length(len(word)), scorer=OSA.distance, score_cutoff=limit, limit=None
        )
        counted = []
        for found, distance, _ in near:
            count = self._counts.get(found, 0) or self._counts.get(self._capitalised.get(found, ""), 0)
            if distance < 2 or len(word) >= _SHORT or count >= _COMMON_COUNT:
                counted.append((math.log(count + 1) - _DISTANCE_COST * distance, found, count))
        return [(found, count) for _, found, count in sorted(counted, reverse=True)[:_WEIGHED]]

    def splits(self, word: str) -> list[tuple[str, float]]:
        """Pairs of known words that the word may be, its blank forgotten, each with the logarithm of its expected occurrences."""
        if len(word) > _LONGEST_SPLIT:
            return []
        found = []
        for i in range(1, len(word) - 1):
            left, right = word[:i], word[i:]
            counts = [self._counts.get("I" if part == "i" else part, 0) for part in (left, right)]
            if min(counts) >= _SPLIT_COUNT and (i > 1 or left in "ai"):
                first = "I" if left == "i" else left
                found.append((f"{first} {right}", sum(map(math.log, counts)) - math.log(self._total)))
        return found

    def _within_distance(self, length: int) -> list[str]:
        lengths = range(length - _MAX_DISTANCE, length + _MAX_DISTANCE + 1) if length in _LENGTHS else ()
        return [word for each in lengths for word in self._of_length.get(each, ())]


def _in_case_of(word: str, found: str) -> str:
    if word.isupper() and len(word) > 3:
        return found.upper()
    return found.capitalize() if word[:1].isupper() else found


def _is_name(word: str) -> bool:
    return word[:1].isupper() and not word.startswith("I'") and word != "I"


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> Lexicon:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        pairs = (line.rstrip("\n").split("\t") for line in lines)
        return Lexicon({word: int(count) for word, count in pairs})


# How a word begins to the ear, where its letters say so without doubt: "user" but not "usher", "hour" but not "hotel".
_AN = re.compile(
    r"(?!eu|ew|one\b|once|oui)[aeio]|un(?!i|an)|u[lmpr](?![aeiou])|ush|utt|hour|honou?r|honest|heir"
)
_A = re.compile(r"[b-df-gj-np-tvwyz]|eu|one\b|once|uni(?![dmnrs])|us[aeu]|uten|util|utop|ubiq")
# Before these "a" is a letter.
_NO_NOUN = frozenset("all also among and any are each into its off our out unless until upon".split())


def article(word: str) -> str | None:
    """What stands before this word, "a" or "an"; None where that depends, or where neither can stand.

    >>> [article(word) for word in ("update", "useful", "hour", "historic", "NDA")]
    ['an', 'a', 'an', None, None]
    """
    if len(word) < 3 or not word[1:].islower() or not word.isalpha() or word in _NO_NOUN:
        return None  # letters, abbreviations, codes: who knows how they are read
    lower = word.lower()
    return "an" if _AN.match(lower) else "a" if _A.match(lower) else None


def save(counts: dict[str, int], path: Path) -> None:
    """Writes a list for `Lexicon.load`, most frequent word first."""
    lines = (
        f"{word}\t{count}\n" for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))  # the same list is the same file
