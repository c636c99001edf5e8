"""Words of few kinds, and what else may stand in their place: articles, forms of one verb, words that sound alike, joined ones.

    alternatives(words, lexicon)      # of "He explained me of it": me -> to me, of -> on, of -> from, ...

No classifier need have doubted a word: the language model, which reads on anyway, is asked about each. Only regular forms, which
every verb and noun has, are those of a doubted word and of one behind an auxiliary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from space.proofread.classifiers.tags import TaggedWord
from space.proofread.kinds import (
    ARTICLES,
    AUXILIARIES,
    DETERMINERS,
    PREPOSITIONS,
    REGULARISED,
    VERBS,
    is_slip,
    taken_for,
)
from space.proofread.lexicon import Lexicon, article
from space.proofread.policy import says_something_else
from space.proofread.words import read_list, word_set

_GROUPS: dict[str, list[str]] = {}
for _, _group in read_list("word_forms"):
    for _word in _group.split():
        _GROUPS.setdefault(_word, []).extend(other for other in _group.split() if other != _word)
for _verb in VERBS:
    for _word in set(_verb):
        _GROUPS.setdefault(_word, []).extend(sorted(set(_verb) - {_word}))
_TAKEN_FOR = {row[0]: row[1].split() for row in read_list("prepositions")}
_COMPOUND = re.compile(r"-(\w{2,7}[^s\W])s(?=$|-)")
_DOUBTED = 0.02  # of being wrong
# From what doubt a word may be one typed for another, and from what doubt one that is so many times as rare as a word one slip away
# ("tree" for "three"): 95 in 100 sentences with such a slip have such a word, 14 in 100 right ones (training/LOG.md, 2026-12-01).
_SLIPPED, _SUSPECTED, _RARER = 0.05, 0.002, 20
_COMMON = 100  # times that a derived word is
# Endings of words of one family, each of which may be put in the place of another ("safety" for "safe", "quick" for "quickly").
_ENDINGS = [tuple(ending.strip("-") for ending in row[0].split()) for row in read_list("endings")]
_USUAL = 20  # times that a word is in the corpora
_PARTICLES = word_set("grammar", "particles")
_BETWEEN = frozenset("not never just already also yet always".split())
_PERFECT = frozenset(
    "have has had having be been being am is are was were haven't hasn't hadn't isn't aren't wasn't weren't".split()
)
_SHORT_PERFECT = ("'ve", "'s", "'m", "'re")
_PERSONS = frozenset("me us him her them you".split())
# Words that no noun begins with: before them no article is missing.
NO_NOUN = (
    PREPOSITIONS | AUXILIARIES | DETERMINERS | word_set("grammar", "run_together")
    | word_set("grammar", "connectors") | word_set("grammar", "light") | word_set("grammar", "numbers")
)  # fmt: skip


def alternatives(tagged: Sequence[TaggedWord], lexicon: Lexicon) -> Iterator[tuple[int, str]]:
    """The number of a word, and what may take its place."""
    words = [each.text for each in tagged]
    for i, word in enumerate(words):
        before = words[i - 1].lower() if i else ""
        if not i and word[1:].islower() and word[0].isupper():
            others = (*_GROUPS.get(word.lower(), ()), *taken_for(word.lower()))
            yield from ((i, other.capitalize()) for other in others)
        if before == "dear":  # "Dear Costumer"
            yield from ((i, other.capitalize()) for other in taken_for(word.lower()))
        if not word.islower():
            continue
        doubted = tagged[i].wrong >= _DOUBTED or _follows_auxiliary(words, i)
        if doubted and word not in NO_NOUN:
            yield from ((i, form) for form in _regular_forms(word, lexicon))
            yield from ((i, other) for other in sorted(_derived(word, lexicon)))
            if word.endswith("s") and i + 1 < len(words) and words[i + 1].isalpha():
                yield i, f"{word[:-1]}'s"
        if slipped(tagged[i], lexicon):
            yield from ((i, other) for other in _typed_for(word, lexicon))
        if word in REGULARISED and lexicon.count(word) < _COMMON:  # "payed" is seldom meant
            yield from ((i, form) for form in REGULARISED[word][1:])
        for other in (*_GROUPS.get(word, ()), *_TAKEN_FOR.get(word, ())):
            yield i, other
        if doubted or word not in NO_NOUN:  # elsewhere the groups are enough
            yield from ((i, other) for other in taken_for(word))
        if _COMPOUND.search(word):  # "a five-days course"
            yield i, _COMPOUND.sub(r"-\1", word)
        for particle in _PARTICLES:  # "setup" -> "set up"
            if word.endswith(particle) and lexicon.count(word.removesuffix(particle)) >= _USUAL:
                yield i, f"{word.removesuffix(particle)} {particle}"
        if before and (word in ARTICLES or word in _TAKEN_FOR):
            yield i, ""
        if word in ARTICLES and i + 1 < len(words):
            yield i, (article(words[i + 1]) or "a") if word == "the" else "the"
        if word in _PERSONS and before.isalpha() and before not in PREPOSITIONS:
            yield from ((i, f"{preposition} {word}") for preposition in ("to", "for"))
        if before.isalpha() and before not in DETERMINERS and word not in NO_NOUN and lexicon.knows(word):
            if not word.endswith("ly"):
                yield i, f"the {word}"
                if sound := article(word):
                    yield i, f"{sound} {word}"


def slipped(word: TaggedWord, lexicon: Lexicon) -> bool:
    """Whether a known word may well be typed for another: it is in doubt, or much rarer than a word that is one slip away."""
    text = word.text
    if word.wrong < _SUSPECTED or not (text.islower() and text.isalpha()):
        return False
    least = 0 if word.wrong >= _SLIPPED else _RARER * max(1, lexicon.count(text))
    return any(lexicon.count(other) >= least for other in _typed_for(text, lexicon))


def _typed_for(word: str, lexicon: Lexicon) -> list[str]:
    """The words that one may be typed for, but none of another person ("his" for "her"): the writer alone knows that."""
    return [
        each for each in lexicon.mistaken(word) if is_slip(word, each) and not says_something_else(word, each)
    ]


def _follows_auxiliary(words: Sequence[str], i: int) -> bool:
    """Whether the form of a word hangs on the one before, or on that before a "not": "has not arrive"."""
    behind = [word.lower() for word in words[max(0, i - 2) : i]]
    if behind and behind[-1] in _BETWEEN:
        behind.pop()
    return bool(behind) and (behind[-1] in AUXILIARIES or behind[-1].endswith("n't"))


def irregular(words: Sequence[str], i: int, lexicon: Lexicon) -> str | None:
    """What a word must be that is no word, but the regular past of a verb that has none: "has stealed" -> "stolen"."""
    verb = REGULARISED.get(words[i])
    if not verb or lexicon.knows(words[i]):
        return None
    base, past, participle = verb
    behind = next((word.lower() for word in reversed(words[max(0, i - 3) : i]) if word not in _BETWEEN), "")
    if behind in _PERFECT or behind.endswith(_SHORT_PERFECT):
        return participle
    return base if behind == "to" or behind in AUXILIARIES or behind.endswith("n't") else past


def joined(tagged: Sequence[TaggedWord], lexicon: Lexicon) -> Iterator[tuple[int, str]]:
    """The number of a word, and the one word that it may make together with the next: "in to" -> "into", "all ready" -> "already"."""
    for i, (first, second) in enumerate(pairwise(tagged)):
        opens = not i and first.text[:1].isupper()
        begin = first.text[0].lower() + first.text[1:] if opens else first.text
        whole = begin + second.text
        apart = second.start - first.end == 1 and first.text != second.text
        if not (apart and whole.isalpha() and whole.islower()):
            continue
        found = [whole] if lexicon.count(whole) >= _USUAL else []
        found += [one for one in taken_for(f"{begin} {second.text}") if one != whole]
        yield from ((i, one.capitalize() if opens else one) for one in found)


def _derived(word: str, lexicon: Lexicon) -> set[str]:
    """The listed words of a word's family, another part of speech each.

    >>> sorted(_derived("differently", Lexicon({"different": 900, "difference": 900, "differed": 900})))
    ['difference', 'different']
    """
    found = set()
    for endings in _ENDINGS:
        for ending in endings:
            stem = word.removesuffix(ending)
            if word.endswith(ending) and len(stem) > 2:
                found |= {stem + other for other in endings}
    return {each for each in found if each != word and lexicon.count(each) >= _COMMON}


def _regular_forms(word: str, lexicon: Lexicon) -> set[str]:
    """The listed words that a verb or noun becomes, or comes from, by -s, -ed and -ing.

    >>> lexicon = Lexicon({"ship": 90, "ships": 60, "shipped": 50, "shipping": 40, "book": 80, "booked": 30})
    >>> sorted(_regular_forms("shipping", lexicon)), _regular_forms("book", lexicon)
    (['ship', 'shipped', 'ships'], {'booked'})
    """
    stems = {word}
    for ending in ("s", "es", "ed", "ing"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word.removesuffix(ending)
            stems |= {
                stem,
                stem + "e",
                stem.removesuffix("i") + "y",
                stem[:-1] if stem[-1:] == stem[-2:-1] else stem,
            }
    forms = {
        begin + ending
        for stem in stems
        if lexicon.count(stem) > 0
        for begin in (stem, stem.removesuffix("e"), stem + stem[-1], stem[:-1] + "i")
        for ending in ("", "s", "es", "ed", "ing")
    }
    return {form for form in forms if form != word and lexicon.count(form) > 0 and form not in NO_NOUN}
