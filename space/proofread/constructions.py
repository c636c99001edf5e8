"""Corrections of grammar that take more than one word: what follows a verb, tenses, questions, degrees.

    list(constructions(words, lexicon))      # of "She suggested to wait": to wait -> waiting

Many are proposed that are wrong where they stand; the language model reads the text with each that may be likely.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from space.proofread.kinds import DETERMINERS, PREPOSITIONS
from space.proofread.lexicon import Lexicon
from space.proofread.reasons.classes import (
    ADVERBS,
    BEFORE_ADVERBS,
    CLAUSE_OPENERS,
    CLOSED,
    DAYS,
    DO,
    GOVERNED,
    HAVE,
    MODALS,
    MONTHS,
    OBJECTS,
    PARTICLES,
    PREDETERMINERS,
    PRONOUNS,
    SUBJECTS,
    TIME,
    TO_VERBS,
    WH,
)
from space.proofread.reasons.forms import BASE, ING, PARTICIPLE, PAST, S, forms, inflected, is_verb
from space.proofread.words import word_set

Change = tuple[int, int, str]  # the first and the last word, and what takes their place

_EITHER = word_set("usage", "gerund_or_to")  # verbs that take both, each with a meaning of its own
_TELLING = word_set("usage", "telling")
_BE = ("am", "is", "are", "was", "were")
_OPENERS = frozenset("when until if before after once unless soon while".split())
_LASTING = frozenset("since until yet already".split())
_SEVERAL = frozenset(
    "both most many some several all each every last next mr mrs ms my our your his her their".split()
)
_FINITE = frozenset("is was has had will would can seems takes costs".split())
_DOUBLE = {"although": ("but",), "though": ("but",), "because": ("so",), "since": ("so",), "even": ("but",)}
_SINGULAR = frozenset("he she it".split())
_HOW = frozenset(("how", "what", "which"))
_FORM_BEHIND = {"do": BASE, "does": S, "did": PAST}  # of the verb that the auxiliary gives its form back to
_WITHOUT_WILL: dict[tuple[str, str], tuple[str, ...]] = {
    ("will", "be"): ("is", "are", "am"),
    ("will", "have"): ("have", "has"),
    ("would", "be"): ("were", "was"),
    ("would", "have"): ("had",),
}
_SEASONS = frozenset("night spring summer autumn winter time".split())
_SO_FAR = ("for a long time", "so far", "first time", "second time", "third time")
_YEAR = re.compile(r"(?:19|20)\d\d")
_AFTER_OBJECTS = PARTICLES - {"in", "over"}
_BEFORE_VERBS = frozenset("always never usually".split())
_MIDDLE = frozenset(
    "also always already never often usually still just hardly rarely seldom nearly almost".split()
)
_LONGEST = 8  # words that an auxiliary is moved over


def constructions(words: Sequence[str], lexicon: Lexicon) -> Iterator[Change]:
    """What may take the place of some words of a text that follow one another."""
    low = [word.lower() for word in words]
    for rule in (_patterns, _over, _going_on, _clauses, _asked_within, _asked, _degrees, _left_out, _swapped):
        yield from rule(words, low, lexicon)


def _patterns(words: Sequence[str], low: Sequence[str], lexicon: Lexicon) -> Iterator[Change]:
    """What follows a verb: "suggested to wait" -> "suggested waiting", "offered helping" -> "offered to help"."""
    for i, verb in enumerate(low[:-1]):
        if (
            verb.isalpha()
            and verb not in MODALS | HAVE | SUBJECTS
            and low[i + 1] == "to"
            and i + 2 < len(low)
        ):
            for form in inflected(low[i + 2], ING, lexicon) if is_verb(low[i + 2]) else ():
                yield i + 1, i + 2, form
                yield from (
                    (i + 1, i + 2, f"{preposition} {form}") for preposition in sorted(GOVERNED.get(verb, ()))
                )
        if verb in TO_VERBS | _EITHER and low[i + 1].endswith("ing"):
            yield from ((i + 1, i + 1, f"to {base}") for base in _bases(low[i + 1], ING, lexicon))
        if verb in TO_VERBS and is_verb(low[i + 1]) and low[i + 1] not in HAVE | DO:
            yield i + 1, i + 1, f"to {low[i + 1]}"
        if verb == "for" and low[i + 1].endswith("ing"):
            yield from ((i, i + 1, f"to {base}") for base in _bases(low[i + 1], ING, lexicon))


def _over(words: Sequence[str], low: Sequence[str], lexicon: Lexicon) -> Iterator[Change]:
    """The past: "have sent it yesterday" -> "sent it yesterday"."""
    for i, word in enumerate(low if _is_over(low) else ()):
        at = _behind_adverbs(low, i + 1)
        if word in ("have", "has") and at < len(low):
            for base in _bases(low[at], PARTICIPLE, lexicon):
                yield from (
                    (i, at, _phrase(words[i + 1 : at], past)) for past in inflected(base, PAST, lexicon)
                )


def _going_on(words: Sequence[str], low: Sequence[str], lexicon: Lexicon) -> Iterator[Change]:
    """The perfect: "am here since May" -> "have been", "work here since May" -> "have worked", "didn't see" -> "haven't seen"."""
    for i, word in enumerate(low if _goes_on(low) else ()):
        before, following = low[i - 1] if i else "", low[i + 1] if i + 1 < len(low) else ""
        have = ("has",) if before in _SINGULAR else ("have",) if before in SUBJECTS else ("have", "has")
        if word in ("am", "is", "are"):
            yield i, i, f"{'has' if word == 'is' else 'have'} been"
        elif word in ("don't", "didn't", "doesn't") and is_verb(following):
            done = list(inflected(following, PARTICIPLE, lexicon))
            yield from ((i, i + 1, f"{each}n't {form}") for each in have for form in done)
        elif (
            before
            and is_verb(word)
            and word not in HAVE | DO
            and before not in HAVE | DO | MODALS | {"to", *_BE}
        ):
            bases = dict.fromkeys(base for form in (BASE, S, PAST) for base in _bases(word, form, lexicon))
            done = [form for base in bases for form in inflected(base, PARTICIPLE, lexicon)]
            yield from ((i, i, f"{each} {form}") for each in have for form in done)


def _clauses(words: Sequence[str], low: Sequence[str], lexicon: Lexicon) -> Iterator[Change]:
    """Of a time or a condition: "when I will arrive" -> "when I arrive", "if I would have known" -> "if I had known"."""
    for i, word in enumerate(low[:-1]):
        if word not in ("will", "would") or not _OPENERS & set(low[max(0, i - 5) : i]):
            continue
        verb = low[i + 1]
        regular = (verb, *inflected(verb, S if word == "will" else PAST, lexicon)) if is_verb(verb) else ()
        yield from ((i, i + 1, form) for form in _WITHOUT_WILL.get((word, verb), regular))


def _asked_within(words: Sequence[str], low: Sequence[str], lexicon: Lexicon) -> Iterator[Change]:
    """Questions in a sentence: "know what is the price" -> "know what the price is", "when will it come" -> "when it will come"."""
    for i in range(1, len(low) - 2):
        if low[i] in WH and low[i - 1].isalpha():
            yield from _moved(words, low, i + 1, lexicon)
            if low[i] in _HOW and low[i + 1] not in SUBJECTS:  # "how much is it"
                yield from _moved(words, low, i + 2, lexicon)


def _moved(words: Sequence[str], low: Sequence[str], at: int, lexicon: Lexicon) -> Iterator[Change]:
    """The auxiliary there behind its subject."""
    helper, start = low[at], at + 1
    if helper in _BE:
        end = _end_of_phrase(low, start)
        cut = next((k for k in range(start + 1, end) if low[k] in PREPOSITIONS), end)
        yield from ((at, k - 1, _phrase(words[start:k], helper)) for k in sorted({end, cut}) if k > start)
    for k in range(start + 1, min(start + 4, len(low))):
        if not is_verb(low[k]) and low[k] != "be":
            continue
        if helper in MODALS | HAVE | set(_BE):
            yield at, k - 1, _phrase(words[start:k], helper)
        elif helper in _FORM_BEHIND:
            form = _FORM_BEHIND[helper]
            found = (low[k],) if form == BASE else inflected(low[k], form, lexicon)
            yield from ((at, k, _phrase(words[start:k], verb)) for verb in found)


def _asked(words: Sequence[str], low: Sequence[str], lexicon: Lexicon) -> Iterator[Change]:
    """Questions: "Why you did not call?" -> "Why did you not call?", "How much it costs?" -> "How much does it cost?"."""
    if not low or low[-1] != "?" or low[0] not in WH:
        return
    begin = 2 if low[0] in _HOW and len(low) > 2 and low[1] not in SUBJECTS else 1
    for start in sorted({1, begin}):
        for at in range(start + 1, min(start + 5, len(low) - 1)):
            if low[at] in MODALS | HAVE | set(_BE) | {"do", "does", "did"}:
                yield start, at, _phrase((low[at],), *words[start:at])
                break
            if is_verb(low[at]) and not {*_BE, *MODALS, *DO} & set(low[:at]):
                for form, helper in ((BASE, "do"), (S, "does"), (PAST, "did"), (BASE, "did")):
                    yield from (
                        (start, at, _phrase((helper,), *words[start:at], base))
                        for base in _bases(low[at], form, lexicon)
                    )
                break


def _degrees(words: Sequence[str], low: Sequence[str], lexicon: Lexicon) -> Iterator[Change]:
    """Comparatives: "more cheaper" -> "cheaper", "most cheap" -> "cheapest"."""
    for i, word in enumerate(low[:-1]):
        if word not in ("more", "most"):
            continue
        ending, adjective = ("er" if word == "more" else "est"), low[i + 1]
        if adjective.endswith(("er", "est")):
            yield i, i + 1, words[i + 1]
        yield from ((i, i + 1, each) for each in _with_ending(adjective, ending, lexicon))


def _left_out(words: Sequence[str], low: Sequence[str], lexicon: Lexicon) -> Iterator[Change]:
    """Small words: "told that" -> "told me that", "we be glad" -> "we will be glad"; "The most of us" -> "Most of us"."""
    if len(low) > 1 and low[0] == "the" and low[1] in _SEVERAL:
        yield 0, 1, words[1].capitalize()
    first = low[0] if low else ""
    for i, (word, following) in enumerate(zip(low, low[1:], strict=False)):
        if following in _DOUBLE.get(first, ()) and word == ",":  # "Although it rained, but we went"
            yield i + 1, i + 1, ""
        if following in SUBJECTS and word.isalpha() and word not in CLOSED:  # "our guests they enjoyed it"
            yield i + 1, i + 1, ""
        if following in _FINITE and (word in CLAUSE_OPENERS or word == ","):  # "because is far"
            yield from ((i + 1, i + 1, f"{each} {following}") for each in ("it", "there"))
        if word in _TELLING and following in ("that", "to"):
            yield from ((i + 1, i + 1, f"{each} {following}") for each in ("me", "us"))
        if following == "be" and word not in MODALS | DO | {"to", "not"} | OBJECTS and word.isalpha():
            yield from ((i + 1, i + 1, f"{each} be") for each in ("will", "would"))


def _swapped(words: Sequence[str], low: Sequence[str], lexicon: Lexicon) -> Iterator[Change]:
    """Two words the other way round: "turn off it" -> "turn it off", "enough warm" -> "warm enough", "always is" -> "is always"."""
    for i, (word, following) in enumerate(zip(low, low[1:], strict=False)):
        before = low[i - 1] if i else ""
        if (
            (word in _AFTER_OBJECTS and following in PRONOUNS and before.isalpha() and before not in CLOSED)
            or (word == "enough" and following not in CLOSED and _has_degrees(following, lexicon))
            or (i and word in _MIDDLE and following in BEFORE_ADVERBS)
            or (is_verb(word) and word not in BEFORE_ADVERBS | DO and following in _BEFORE_VERBS)
            or (word in ("a", "the") and following in PREDETERMINERS)
        ):
            yield i, i + 1, _phrase((words[i + 1],), words[i])


# ---- what the rules look at ----


def _with_ending(adjective: str, ending: str, lexicon: Lexicon) -> list[str]:
    """The listed words that an adjective becomes by "er" or "est"."""
    stems = (adjective, adjective.removesuffix("e"), adjective[:-1] + "i", adjective + adjective[-1:])
    return [stem + ending for stem in dict.fromkeys(stems) if lexicon.count(stem + ending) > 0]


def _has_degrees(word: str, lexicon: Lexicon) -> bool:
    """Whether a word is an adjective as far as its family shows: "warm" by "warmest", "confident" by "confidently"."""
    return bool(_with_ending(word, "est", lexicon)) or lexicon.count(f"{word}ly") > 0


def _bases(word: str, form: str, lexicon: Lexicon) -> list[str]:
    """The listed verbs that a word may be that form of."""
    found = {base for base, each in forms(word) if each == form and lexicon.count(base) > 0}
    return sorted(base for base in found if form in (PAST, PARTICIPLE, ING) or is_verb(base))


def _phrase(first: Sequence[str], *others: str) -> str:
    return " ".join((*first, *others))


def _behind_adverbs(low: Sequence[str], at: int) -> int:
    while at < len(low) and low[at] in ADVERBS:
        at += 1
    return at


def _end_of_phrase(low: Sequence[str], start: int) -> int:
    """Where the next mark stands, or the text ends, within some words."""
    end = start
    while end < len(low) and end - start < _LONGEST and (low[end].isalpha() or low[end] in DETERMINERS):
        end += 1
    return end


def _is_over(low: Sequence[str]) -> bool:
    """Whether a text speaks of a time that is over: "yesterday", "last week", "on Monday", "in 2018"."""
    beside = zip(low, low[1:], strict=False)
    return not {"yesterday", "ago"}.isdisjoint(low) or any(
        a == "last"
        and b in TIME | DAYS | MONTHS | _SEASONS
        or a == "on"
        and b in DAYS
        or a == "in"
        and b in MONTHS
        or a == "in"
        and _YEAR.fullmatch(b)
        for a, b in beside
    )


def _goes_on(low: Sequence[str]) -> bool:
    """Whether it speaks of one that goes on: "since May", "for three years", "so far"."""
    text = " ".join(low)
    return (
        bool(_LASTING & set(low))
        or any(a == "for" and b in TIME for a, b in zip(low, low[2:], strict=False))
        or any(each in text for each in _SO_FAR)
    )
