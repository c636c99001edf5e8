"""What mistakes are made of: words that are taken for each other, inflections, misspellings."""

from __future__ import annotations

import random
import re
from functools import cache, lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from space.proofread.lexicon import Lexicon
from training.data.lists import column, table, words

MODALS, HAVE, BE = (frozenset(words(name)) for name in ("modals", "have", "be"))
PLURAL_SUBJECT, SINGULAR_SUBJECT = (
    frozenset(words(f"{number} subjects")) for number in ("plural", "singular")
)
ARTICLES, POSSESSIVES = frozenset(words("articles")), frozenset(words("possessives"))
UNCOUNTABLE, NUMBERS = frozenset(words("uncountable")), frozenset(words("numbers"))
DROPPABLE = frozenset(
    words("droppable")
)  # leave a gap; "that", "not" or "would" may go and leave good English
VOWELS = "aeiou"
_COMMON = 2500  # words of the list that are common enough to be typed for another

PREPOSITIONS = {right: wrong.split() for right, wrong in table("prepositions.tsv")}
EXTRA_PREPOSITION: dict[str, str] = dict(table("extra_prepositions.tsv"))
BARE = {preposition: frozenset(nouns.split()) for preposition, nouns in table("bare_nouns.tsv")}

CONFUSIONS: dict[str, list[str]] = {}
for _group in (line.split("|") for line in column("confusions.txt")):
    for _member in _group:
        CONFUSIONS.setdefault(_member, []).extend(other for other in _group if other != _member)
CONFUSIONS["have"].append("of")  # in one direction: the left word is right, the right one never is

_KEYS: dict[str, str] = dict(table("keyboard.tsv"))
_SOUNDS = table("sounds.tsv")


@cache
def misspellings() -> dict[str, list[str]]:
    """Right word -> the misspellings that codespell's dictionary records for it."""
    from importlib.resources import files

    found: dict[str, list[str]] = {}
    for line in (files("codespell_lib") / "data" / "dictionary.txt").read_text(encoding="utf-8").splitlines():
        wrong, _, right = line.partition("->")
        if "," not in right:  # several candidates: too uncertain to learn from
            found.setdefault(right, []).append(wrong)
    return found


@lru_cache(maxsize=200_000)
def inflections(word: str) -> dict[str, str]:
    """Inflections by tag (NN, NNS, VB, VBZ, VBG, VBD, VBN, JJ, JJR, RB) of the lemma that `word` is a form of.

    >>> inflections("goes")["VBG"]
    'going'
    """
    from lemminflect import getAllInflections, getAllLemmas

    found: dict[str, str] = {}
    for upos, lemmas in getAllLemmas(word).items():
        if upos in ("NOUN", "VERB", "ADJ"):
            for tag, forms in getAllInflections(lemmas[0], upos=upos).items():
                found[tag] = forms[0]
            found[f"is-{upos}"] = word
    return found


@lru_cache(maxsize=20_000)
def neighbours(word: str) -> tuple[str, ...]:
    """Common words one letter away from a common word, and no form of it.

    >>> sorted({"then", "from", "forms"} & {*neighbours("the"), *neighbours("form")})
    ['from', 'then']
    """
    common = _common()
    if word not in common:
        return ()
    near = process.extract(word, common, scorer=OSA.distance, score_cutoff=1, limit=None)
    forms = {word, *inflections(word).values()}
    alike = [group for group in (MODALS, PREPOSITIONS.keys()) if word in group]  # perhaps as good
    return tuple(
        other for other, _, _ in near if other not in forms and not any(other in group for group in alike)
    )


@cache
def _common() -> tuple[str, ...]:
    counts = Lexicon.load().common(_COMMON)
    return tuple(
        word for word in counts if word.isalpha() and word.islower() and (len(word) > 1 or word == "a")
    )


def swap_case_like(model: str, word: str) -> str:
    return word[:1].upper() + word[1:] if model[:1].isupper() and model != "I" else word


def misspell(word: str, rng: random.Random) -> str | None:
    """A plausible misspelling, or None for words too short or not plain."""
    if len(word) < 3 or not word.isalpha() or word.isupper():
        return None
    known = misspellings().get(word.lower())
    roll = rng.random()
    if known and roll < 0.55:
        return swap_case_like(word, rng.choice(known))
    if roll < 0.75:
        options = [(a, b) for a, b in _SOUNDS if a in word[1:].lower()]
        if options:
            a, b = rng.choice(options)
            at = rng.choice([m.start() for m in re.finditer(a, word.lower()) if m.start() > 0] or [0])
            return word[:at] + b + word[at + len(a) :] if at else None
    doubles = [i for i in range(1, len(word)) if word[i] == word[i - 1]]
    if doubles and roll < 0.85:
        i = rng.choice(doubles)
        return word[:i] + word[i + 1 :]
    i = rng.randrange(1, len(word))
    edit = rng.random()
    if edit < 0.3 and i + 1 < len(word):
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if edit < 0.6:
        return word[:i] + word[i + 1 :] if len(word) > 3 else None
    if edit < 0.8:
        return word[:i] + word[i] + word[i:]
    near = _KEYS.get(word[i].lower())
    return word[:i] + rng.choice(near) + word[i + (edit < 0.9) :] if near else None
