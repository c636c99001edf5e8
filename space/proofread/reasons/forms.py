"""Forms of verbs and nouns: what two words are of one verb, what looks like a plural."""

from __future__ import annotations

from dataclasses import dataclass

from space.proofread.lexicon import Lexicon
from space.proofread.words import read_list, word_set

BASE, S, PAST, PARTICIPLE, ING = "base", "s", "past", "participle", "ing"
# What goes with one, and with several.
MANY = {"is": "are", "was": "were", "has": "have", "does": "do", "isn't": "aren't", "wasn't": "weren't", "hasn't": "haven't", "doesn't": "don't"}  # fmt: skip
ONE_OF = {many: one for one, many in MANY.items()}
_VOWELS = "aeiou"
_IRREGULAR: dict[str, set[tuple[str, str]]] = {}
_PARTS: dict[str, dict[str, tuple[str, ...]]] = {}
for _base, *_parts in read_list("verbs"):
    _PARTS[_base] = {
        form: tuple(words.split("/")) for form, words in zip((PAST, PARTICIPLE), _parts, strict=True)
    }
    for _words, _form in zip((_base, *_parts), (BASE, PAST, PARTICIPLE), strict=True):
        for _word in _words.split("/"):
            _IRREGULAR.setdefault(_word, set()).add((_base, _form))
for _base, _words in (("be", "am is are"), ("have", "has"), ("do", "does"), ("go", "goes")):
    for _word in _words.split():
        _IRREGULAR.setdefault(_word, set()).add((_base, S))
_WITHOUT_ED = frozenset(base for base, *_ in read_list("verbs"))
VERBS = word_set("usage", "common_verbs") | _WITHOUT_ED
_SINGULAR_IN_S, _PLURALS = word_set("usage", "singular_in_s"), word_set("usage", "plural_nouns")


@dataclass(frozen=True)
class Pair:
    """Two words of one verb (or noun: -s is the ending of both), with what form of `base` each is."""

    base: str
    before: frozenset[str]
    after: frozenset[str]


def pair(before: str, after: str, lexicon: Lexicon) -> Pair | None:
    """What the words are of one verb; None if they are of none.

    >>> lexicon = Lexicon({"send": 9, "ship": 9, "shipped": 9})
    >>> found = pair("shipping", "shipped", lexicon)
    >>> found.base, sorted(found.after), pair("ship", "sheep", lexicon)
    ('ship', ['participle', 'past'], None)
    """
    was, becomes = forms(before), forms(after)
    shared = {base for base, _ in was} & {base for base, _ in becomes}
    known = [base for base in shared if base in VERBS] or [
        base for base in shared if lexicon.count(base) >= 0
    ]
    if not known or before == after:
        return None
    base = max(known, key=lambda each: (lexicon.count(each), len(each)))
    of_base = (frozenset(form for each, form in found if each == base) for found in (was, becomes))
    return Pair(base, *of_base)


def forms(word: str) -> set[tuple[str, str]]:
    """(base, form) for every verb that the word may be a form of."""
    found = set(_IRREGULAR.get(word, ()))
    found.add((word, BASE))
    found |= {(base, S) for base in _without(word, "s")}
    found |= {(base, ING) for base in _without(word, "ing")}
    regular = {base for base in _without(word, "ed") if base not in _WITHOUT_ED}
    return found | {(base, form) for base in regular for form in (PAST, PARTICIPLE)}


def _without(word: str, ending: str) -> set[str]:
    stem = word.removesuffix(ending)
    if stem == word or len(stem) < 2:
        return set()
    if ending == "s":
        found = {stem} if not stem.endswith("s") else set()
        if stem.endswith("ie"):
            found.add(stem[:-2] + "y")
        elif stem.endswith(("se", "xe", "ze", "che", "she", "oe", "sse")):
            found.add(stem[:-1])
        return found
    found = {stem, stem + "e"}
    if ending == "ed" and stem.endswith("i"):
        found = {stem[:-1] + "y", stem + "e"}  # "carried", "died"
    if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in _VOWELS:
        found.add(stem[:-1])
    return found


def is_verb(word: str) -> bool:
    """Whether the word is a form of a verb that everybody knows."""
    return any(base in VERBS for base, _ in forms(word))


def is_plural(word: str) -> bool:
    """Whether the word has the look of a plural noun.

    >>> [is_plural(word) for word in ("reports", "people", "address", "report")]
    [True, True, False, False]
    """
    if word in _PLURALS:
        return True
    return (
        len(word) > 3
        and word.endswith("s")
        and not word.endswith(("ss", "us", "is", "'s"))
        and word not in _SINGULAR_IN_S
    )


def inflected(base: str, form: str, lexicon: Lexicon) -> tuple[str, ...]:
    """How a verb is written in a form: as the list of irregular ones has it, or by rule, as far as the word list knows it.

    >>> lexicon = Lexicon({"stop": 9, "stopping": 9, "stopped": 9, "stops": 9})
    >>> inflected("stop", ING, lexicon), inflected("write", PARTICIPLE, lexicon), inflected("table", ING, lexicon)
    (('stopping',), ('written',), ())
    """
    if form in (PAST, PARTICIPLE) and base in _PARTS:
        return _PARTS[base][form]
    ending = {S: "s", ING: "ing", PAST: "ed", PARTICIPLE: "ed"}[form]
    stems = {base, base.removesuffix("e"), base + base[-1:], base.removesuffix("y") + "i", base + "e"}
    spelt = {stem + ending for stem in stems} | ({base.removesuffix("y") + "ies"} if form == S else set())
    return tuple(sorted(word for word in spelt if (base, form) in forms(word) and lexicon.count(word) > 0))
