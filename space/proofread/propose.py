"""Edits that the classifiers propose: the tagger's fixes and the word list's suggestions that are likely enough to be told.

    propose(text, tagged, lexicon, thresholds)      # of "She recieve it": recieve -> receives

What should stand in a word's place may be known to the tagger, which has seen the sentence, or to the word list, which knows
how words are spelt. A word that looks wrong without anybody knowing what should stand there is not proposed: a small language
model then guesses, and most often wrongly.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from rapidfuzz.distance import OSA

from space.proofread.classifiers.tags import TaggedWord, replacement
from space.proofread.edits import Edit, classify
from space.proofread.lexicon import Lexicon, article
from space.proofread.policy import Thresholds
from space.proofread.words import WORD, likeness, word_set

_LONG = 8  # letters; of codespell's misspellings with one letter wrong in such a word the list corrects 96 %
_LIKENESS = 0.5  # of an unlisted word and the tagger's fix, that beats the list's
_ARTICLES = word_set("grammar", "articles")
_PREPOSITIONS = word_set("grammar", "common_prepositions")
_NEVER_TWICE = word_set(
    "grammar", "never_twice"
)  # as good English may have "had had", "that that" or "is is"
_NOTHING_OWNED = word_set("grammar", "nothing_owned")  # what may follow a name with an s that owns nothing
_ABBREVIATION = re.compile(r"[^\Waeiouy\d_]{1,4}")  # "dth", "pd": no misspelling has no vowel
# Addresses, links, file names and codes, and what English borrows whole: never in doubt.
_LITERAL = re.compile(
    r"\S*(?:[@/\\_=<>{}]|\w\.\w|\d)\S*"
    r"|\b(?:et al|ad hoc|bona fide|de facto|de jure|en route|ex parte|force majeure|in lieu|inter alia|mutatis mutandis|per annum|"
    r"per capita|per diem|per se|pro forma|pro rata|pro bono|quid pro quo|status quo|vice versa|a priori|carte blanche)\b",
    re.IGNORECASE,
)


def propose(text: str, tagged: Sequence[TaggedWord], lexicon: Lexicon, thresholds: Thresholds) -> list[Edit]:
    """The edits of one text, in order and disjoint; `tagged` are all its words as the tagger sees them."""
    guesses = {word: guess for word, guess in lexicon.unknown(text) if not lexicon.owner(word)}
    literal = [match.span() for match in _LITERAL.finditer(text)]
    words = _with_participles(tagged, lexicon)
    words = _with_owners(words, lexicon, thresholds)
    words = _with_articles(words, thresholds)
    edits: list[Edit] = []
    for word in _once(words):
        if any(low <= word.start and word.end <= high for low, high in literal) or _is_terse(word):
            continue
        if word.text in guesses:
            found = _of_unlisted(word, guesses[word.text], lexicon, thresholds)
        else:
            found = _of_listed(word, lexicon, thresholds)
        if found:
            after, source, score = found
            edits.append(_edit(text, word, after, source, score, edits))
    return edits


def _edit(text: str, word: TaggedWord, after: str, source: str, score: float, before: Sequence[Edit]) -> Edit:
    start, end = replacement(text, word.start, word.end, after)
    start = max(start, before[-1].end if before else 0)
    was = text[start:end]
    return Edit(start, end, was, after, classify(was, after), source, score)


_Found = tuple[str, str, float]  # what should stand there, who says so, and how likely it is


def _of_listed(word: TaggedWord, lexicon: Lexicon, thresholds: Thresholds) -> _Found | None:
    after = _known(word, lexicon)
    if after is None or (after.lower() == word.text.lower() and lexicon.is_informal(word.text)):
        return None
    return (after, "tagger", word.score) if word.score >= _least(word, thresholds) else None


def _of_unlisted(
    word: TaggedWord, guess: str | None, lexicon: Lexicon, thresholds: Thresholds
) -> _Found | None:
    after = _known(word, lexicon)
    if (after or "").lower() == word.text.lower() and lexicon.is_informal(word.text):
        return None
    if word.wrong < (thresholds.unlisted_slip if _is_slip(word.text, guess) else thresholds.unlisted):
        return None
    if _ABBREVIATION.fullmatch(word.text) or _may_be_name(word, guess, thresholds):
        return None
    if (
        after
        and word.score >= thresholds.fix_of_unlisted
        and (guess is None or likeness(word.text, after) >= _LIKENESS)
    ):
        return after, "tagger", word.score
    return (guess, "lexicon", thresholds.listed) if guess is not None else None


def _known(word: TaggedWord, lexicon: Lexicon) -> str | None:
    """The tagger's fix, if it changes the word and is made of known words."""
    if word.after is None or word.after == word.text:
        return None
    return word.after if all(map(lexicon.knows, WORD.findall(word.after))) else None


def kind_of_fix(word: TaggedWord) -> str | None:
    """Which threshold decides about the fix of a listed word, by its name in `Thresholds`; None: it is never proposed."""
    before, after = word.text.lower(), (word.after or "").lower()
    if cut := re.match(r"[.,;:!?]+ ", after):  # before the word: at the beginning there is nothing to part
        return None if word.start == 0 else "sentence_end" if "." in cut[0] else "fix"
    if before == after:
        return "capitals"
    if before in _ARTICLES and after in _ARTICLES:
        return "article"
    return "preposition" if before in _PREPOSITIONS and after in _PREPOSITIONS else "fix"


def _least(word: TaggedWord, thresholds: Thresholds) -> float:
    """The score that the fix of a listed word needs; inf means never."""
    kind = kind_of_fix(word)
    if kind is None:
        return math.inf
    if (
        kind == "fix"
        and word.wrong >= thresholds.surely_wrong
        and not re.match(r"[.,;:!?]+ ", word.after or "")
    ):
        return thresholds.fix_of_surely_wrong  # the likeliest fix can hardly be worse than what stands there
    return float(getattr(thresholds, kind))


def _is_slip(word: str, guess: str | None) -> bool:
    """Whether one letter of a long unlisted word is wrong."""
    return guess is not None and len(word) >= _LONG and " " not in guess and OSA.distance(word, guess) == 1


def _may_be_name(word: TaggedWord, guess: str | None, thresholds: Thresholds) -> bool:
    """Whether an unlisted word is a name or a unit, most likely: it has a capital or should, and the list thinks of another."""
    capital = word.score >= thresholds.fix_of_unlisted and (word.after or "").lower() == word.text.lower()
    return (word.text[0].isupper() or capital) and word.after != guess


def _is_terse(word: TaggedWord) -> bool:
    """Whether only an article is missing before the first word: in notes that is a style ("Catering costs rose")."""
    first, _, rest = (word.after or "").lower().partition(" ")
    return word.start == 0 and first in _ARTICLES and rest == word.text.lower()


# ---- what the tagger knows only in part ----


def _with_articles(tagged: Sequence[TaggedWord], thresholds: Thresholds) -> list[TaggedWord]:
    """The words, each "a" that must be "an" surely wrong, and the other way round: the next word's sound decides."""
    words = list(tagged)
    for i, (word, following) in enumerate(pairwise(tagged)):
        opens = i == 0 or tagged[i - 1].text in ".!?"  # elsewhere "A" is a name: "Plan A", "Team A"
        right = article(following.text)
        if word.text not in (("A", "An", "a", "an") if opens else ("a", "an")) or not right:
            continue
        if right != word.text.lower() and max(word.wrong, following.wrong) < thresholds.unlisted:
            right = right.capitalize() if word.text[0].isupper() else right
            words[i] = replace(word, wrong=1.0, after=right, score=1.0)
    return words


def _with_participles(tagged: Sequence[TaggedWord], lexicon: Lexicon) -> list[TaggedWord]:
    """The words; of a verb after "have" that should be "to check", as the tagger has it too often, "checked"."""
    words = list(tagged)
    for i, (before, word) in enumerate(pairwise(tagged), 1):
        if before.text.lower() in ("have", "has", "had") and word.after == f"to {word.text}":
            words[i] = replace(word, after=lexicon.participle(word.text) or word.after)
    return words


def _with_owners(tagged: Sequence[TaggedWord], lexicon: Lexicon, thresholds: Thresholds) -> list[TaggedWord]:
    """The words, each name that must own what follows and lacks its apostrophe ("Sarahs invoice") surely wrong."""
    words = list(tagged)
    for i, (word, following) in enumerate(pairwise(tagged)):
        thing = following.text
        if (
            word.wrong < thresholds.possessive
            or not (thing.isalpha() and thing.islower())
            or thing.endswith("ed")
        ):
            continue
        name = lexicon.owner(word.text)
        if name and thing not in _NOTHING_OWNED:
            words[i] = replace(word, wrong=1.0, after=f"{name}'s", score=1.0)
    return words


def _once(tagged: Iterable[TaggedWord]) -> Iterator[TaggedWord]:
    """The words, of a doubled one the first as right: to take out either is the same, so their chances add up."""
    left = list(tagged)
    for i, word in enumerate(left):
        following = left[i + 1] if i + 1 < len(left) else None
        if following and word.text.isalpha() and word.text.lower() == following.text.lower():
            deleted = [each for each in (word, following) if each.after == ""]
            if word.text.lower() in _NEVER_TWICE:
                left[i + 1] = replace(following, wrong=1.0, after="", score=1.0)
            elif deleted:
                wrong, score = (
                    min(1.0, sum(getattr(each, name) for each in deleted)) for name in ("wrong", "score")
                )
                left[i + 1] = replace(following, wrong=wrong, after="", score=score)
            word = replace(word, wrong=0.0, after=None)
        yield word
