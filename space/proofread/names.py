"""The one rule for "is this a name": capitals that no rule of grammar explains, weighed by how common the word is.

    names("Hi Tom, did Priya's team call Ms. O'Neil?", lexicon)     # ['Tom', 'Priya', "O'Neil"]

Not covered: a name that opens a sentence and is also a word ("Marek will", "Will came"), unless it stands elsewhere too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from space.proofread.kinds import taken_for
from space.proofread.lexicon import Lexicon
from space.proofread.sentences import sentences
from space.proofread.words import likeness, read_list, word_set

# Occurrences in the word list: of words so rare that a capital inside a sentence makes a name, and of words so common that it
# means nothing; two letters are mostly also somebody's initials.
_RARE, _EVERYDAY, _ACRONYM_RARE = 200, 30_000, 5000
_ALSO_NAMES, _TITLES = word_set("names", "also_names"), word_set("names", "titles")
_SHORT_WORDS, _ACRONYMS = word_set("names", "short_words"), word_set("names", "acronyms")
_COURTESIES = word_set("names", "courtesies")  # words of greetings and sign-offs
# Days, months and countries, each with what it means: "mon" and "monday" are one.
DATES = {form: group.split()[0] for (group,) in read_list("calendar") for form in group.split()}
OTHER_WORDS = word_set("names", "other_than_dates")  # in lower case, unless a number stands beside them
_BESIDE_NUMBER = re.compile(r"\d(?:st|nd|rd|th)?(?: of)?[ ,.]{1,2}$")
_SLIP = 0.8  # likeness from which a word may be a misspelt one of these
_SURE = 0.9  # of what a word is likely to be that no list knows, the share of one guess
_I = re.compile("i(?:'.*|m|ve)?")  # with or without its apostrophe
_LETTERS = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")


def names(text: str, lexicon: Lexicon) -> list[str]:
    """The names in a text, each once, titles left out; a name that owns something without its apostrophe ends before the s."""
    found = dict.fromkeys(word.text for word in name_words(Words(plain(text), lexicon)))
    bare = (owner(name, found, lexicon) or name for name in found if name.casefold() not in _TITLES)
    return list(dict.fromkeys(bare))


def owner(name: str, others: Collection[str], lexicon: Lexicon) -> str | None:
    """The name in one that must be its possessive, the apostrophe forgotten: as the word list knows it, or as it stands elsewhere
    ("Vexos offices" beside "Vexo"). Acronyms have plurals."""
    if known := lexicon.owner(name):
        return known
    bare = name.removesuffix("s")
    return bare if bare != name and bare in others and not bare.isupper() else None


def people(text: str, lexicon: Lexicon) -> frozenset[str]:
    """The names that may be a person's, a place's or a firm's: no acronym."""
    return frozenset(name for name in names(text, lexicon) if not name.isupper())


def plain(text: str) -> str:
    """One character per accented letter and one kind of apostrophe; what has as many characters stays in its place."""
    return unicodedata.normalize("NFC", text).replace("’", "'")


@dataclass(frozen=True)
class Word:
    """A word of a text, `text` without the possessive ending; `first` if it begins a sentence, so that its capital says nothing."""

    text: str
    start: int
    end: int
    first: bool
    owner: bool  # had the possessive ending

    @property
    def key(self) -> str:
        return self.text.casefold()

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()


class Words:
    """The words of a text, with what the word list says of them."""

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        self.text, self.lexicon = text, lexicon
        starts = {match.start() for span in sentences(text) if (match := _LETTERS.search(text, *span))}
        self.words = [word for match in _LETTERS.finditer(text) for word in self._words(match, starts)]
        letters = [word for word in self.words if len(word.text) > 1]
        capitals = sum(word.text.isupper() for word in letters)
        self.shouting = len(letters) >= 3 and capitals > 0.6 * len(letters)

    def _words(self, match: re.Match[str], starts: set[int]) -> list[Word]:
        # "Anne-Marie" is one name; "API-based" and "follow-up" are words that may be joined or parted.
        parts = [(match.group(), match.start())]
        if "-" in match.group() and not self._is_double_name(match.group()):
            parts = [(m.group(), match.start() + m.start()) for m in re.finditer("[^-]+", match.group())]
        found = []
        for word, start in parts:
            stem = word[:-2] if word.endswith("'s") and len(word) > 2 else word
            if stem.endswith("s") and stem[:-1].isupper() and len(stem) > 2:
                stem = stem[:-1]  # "KPIs"
            found.append(Word(stem, start, start + len(word), start in starts, word.endswith("'s")))
        return found

    def _is_double_name(self, word: str) -> bool:
        parts = word.split("-")
        return all(part[:1].isupper() for part in parts) and any(
            not part.isupper() and self.lexicon.count(part) < _RARE for part in parts
        )


def name_words(text: Words) -> list[Word]:
    """The words that are names, in order, acronyms and words like GitHub among them."""
    words, marked = text.words, [_is_name(text, at) for at in range(len(text.words))]
    places = range(1, len(marked))
    for at in [*places, *reversed(places)]:
        # "Bob Hall", "New York": a capitalised neighbour belongs to the name.
        a, b = words[at - 1], words[at]
        if marked[at - 1] != marked[at] and a.capital and b.capital and text.text[a.end : b.start] == " ":
            name, other = (a, b) if marked[at - 1] else (b, a)
            joins = not (other.first or other.text.isupper() or name.text.isupper() or other.key in DATES)
            if joins and (text.lexicon.count(other.key) < _EVERYDAY or other.key == "new"):
                marked[at - 1] = marked[at] = True
    certain = {word.text for word, mark in zip(words, marked, strict=True) if mark}
    return [word for word in words if word.text in certain]


def _is_name(text: Words, at: int) -> bool:
    word, lexicon = text.words[at], text.lexicon
    if _is_mixed(word, lexicon) or _is_acronym(word, text):
        return True
    if not word.capital or word.key in DATES or _I.fullmatch(word.key):
        return False
    if text.shouting or word.text.isupper():
        return False
    if not lexicon.lists(word.key) and _is_misspelt_courtesy(word.key):
        return False  # "Good Mornig,"
    if not _COURTESIES.isdisjoint(taken_for(word.key)):
        return False  # "Dear Costumer,"
    if _is_slip(word, lexicon):
        return False
    listed = lexicon.is_capitalised(word.key)
    if not word.first:
        # "We had a Meating in Septembre": a slip of a day, month or country is no name.
        if not lexicon.lists(word.key) and near_dates(word.key):
            return False
        titled = at > 0 and text.words[at - 1].key in _TITLES
        bare = word.key.split("'")[0]
        count = max(lexicon.count(word.key), lexicon.count(bare) if "'" in word.key else -1)
        return titled or listed or word.key in _ALSO_NAMES or count < _RARE
    if listed:
        return True
    if lexicon.count(word.key) >= 0 or ("'" in word.key or "-" in word.key) and lexicon.lists(word.key):
        return False
    return _opens_as_a_name(text, at)


def _opens_as_a_name(text: Words, at: int) -> bool:
    """Whether an unknown word at the beginning of a sentence is a name: by its form, or by what follows."""
    word = text.words[at]
    inner = re.split("[-']", word.text)[1:]
    if word.owner or any(part[:1].isupper() for part in inner) or not word.text.isascii():
        return True
    following = text.words[at + 1] if at + 1 < len(text.words) else None
    between = text.text[word.end : following.start] if following else text.text[word.end :]
    if following is None:
        return between.strip() in (",", ":", "")
    rare = text.lexicon.count(following.key) < _RARE
    return between == " " and following.capital and not following.first and rare


def _is_acronym(word: Word, text: Words) -> bool:
    bare = word.text[:-1] if len(word.text) > 2 and word.text[-1] == "s" else word.text
    key = bare.casefold()
    if len(bare) < 2 or not bare.isupper() or text.shouting or key == "am":
        return False
    rare = text.lexicon.count(key) < (_RARE if len(key) > 2 else _ACRONYM_RARE)
    return key in _ACRONYMS or (key not in _SHORT_WORDS and rare)


def _is_mixed(word: Word, lexicon: Lexicon) -> bool:
    """iPhone, GitHub, McDonald; not "THe", which is a slip of the shift key."""
    inner = [part[1:] for part in re.split("[-']", word.text)]
    if word.text.isupper() or not any(c.isupper() for part in inner for c in part):
        return False
    slip = re.fullmatch(r"[A-Z]{2}[a-z]+", word.text) and lexicon.count(word.key) >= 0
    return not slip and not (word.text[:-1].isupper() and word.text[-1] == "s")


# ---- days, months, countries ----


def dates(text: Words) -> list[tuple[Word, str]]:
    """The words that are surely a day, a month or a country, each with its meaning."""
    found = []
    for word in text.words:
        if meaning := DATES.get(word.key):
            before, after = (
                text.text[max(0, word.start - 12) : word.start],
                text.text[word.end : word.end + 4],
            )
            beside = _BESIDE_NUMBER.search(before) or re.match(r"\.?[ ,]{1,2}\d", after)
            if word.key not in OTHER_WORDS or beside or (word.capital and not word.first):
                found.append((word, meaning))
    return found


@lru_cache(maxsize=4096)
def near_dates(key: str) -> tuple[str, ...]:
    """What a misspelt day, month or country may have been."""
    return tuple(
        form
        for form in DATES
        if len(form) > 3 and len(key) > 3 and form[0] == key[0] and likeness(key, form) >= _SLIP
    )


def _is_slip(word: Word, lexicon: Lexicon) -> bool:
    """Whether an unknown word that opens a sentence is a slip of one that opens many ("Shoud AEP be told?"), or of two ("Thankyou")."""
    if not word.first or len(word.key) < 5 or lexicon.lists(word.key):
        return False
    best = max(lexicon.guesses(word.text), key=lambda guess: guess.share, default=None)
    if best is None or best.share < _SURE:
        return False
    return all(lexicon.count(part) >= _EVERYDAY for part in best.word.lower().split())


@lru_cache(maxsize=4096)
def _is_misspelt_courtesy(key: str) -> bool:
    alike = (likeness(key, word) for word in _COURTESIES if word[0] == key[0])
    return max(alike, default=0.0) > _SLIP


def is_alike(a: str, words: Sequence[str], least: float) -> bool:
    """Whether the word is as like one of these as that."""
    return any(len(a) + len(b) < 120 and likeness(a, b) >= least for b in words)
