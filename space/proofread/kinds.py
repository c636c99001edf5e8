"""What sort of correction an edit is, by simple rules over its two texts."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

from rapidfuzz.distance import OSA

from space.proofread.words import WORDS, is_word, likeness, read_list, word_set

ARTICLES, DETERMINERS = word_set("grammar", "articles"), word_set("grammar", "determiners")
PREPOSITIONS, AUXILIARIES = word_set("grammar", "prepositions"), word_set("grammar", "auxiliaries")
_CONNECTORS = word_set("grammar", "connectors")  # alike, yet other words
SOFTENERS, _INTENSIFIERS = word_set("grammar", "softeners"), word_set("grammar", "intensifiers")
_CONTRACTION_ENDS = ("n't", "'m", "'s", "'re", "'ve", "'ll", "'d")


def _groups(name: str) -> list[frozenset[str]]:
    return [frozenset(words.split()) for key, words in read_list("word_forms") if key == name]


# Words that are taken for each other, by themselves, each with what it is.
_CONFUSED: dict[tuple[str, str], tuple[str, str]] = {}
for _row in read_list("confused"):
    _words = dict(zip(_row[::2], _row[1::2], strict=True))
    for _was, _is in _words.items():
        for _becomes, _means in _words.items():
            if _was != _becomes:
                _CONFUSED.setdefault((_was.lower(), _becomes.lower()), (_means, _is))
CONFUSED = "confused word"
_FORMS = ("s", "ed", "ing")  # endings that words taken for each other both have
_SHORTEST_STEM = 3  # letters
_TAKEN_FOR: dict[str, list[str]] = {}
for _was, _becomes in _CONFUSED:
    _TAKEN_FOR.setdefault(_was, []).append(_becomes)
_OF_GRAMMAR = frozenset(("agreement", "verb form", "article"))
_MAY_BE_CONFUSED = frozenset(("spelling", "word choice", "other"))
_AGREEMENT = _groups("agreement")
_SOUNDALIKES: set[frozenset[str]] = set()
for _group in _groups("soundalike"):
    for _was, _becomes in permutations(sorted(_group), 2):
        _SOUNDALIKES.add(frozenset((_was, _becomes)))
        _TAKEN_FOR.setdefault(_was, []).append(_becomes)
# Base, past and participle of the verbs that have no regular past, and what rules make of them all the same ("freezed", "sitted").
VERBS = [tuple(part.split("/")[0] for part in row) for row in read_list("verbs")]
REGULARISED = {
    made: verb for verb in VERBS for made in (f"{verb[0].removesuffix('e')}ed", f"{verb[0]}{verb[0][-1]}ed")
}
_IRREGULAR = [
    *_groups("irregular"),
    *(frozenset("/".join(row).split("/")) for row in read_list("verbs")),
    *(frozenset((made, *verb)) for made, verb in REGULARISED.items()),
]


def classify(before: str, after: str) -> str:
    """What sort of correction this is, by simple rules; "other" when none fits.

    >>> classify("dont", "don't"), classify("go", "goes"), classify("", "the "), classify("monday", "Monday")
    ('spelling', 'agreement', 'article', 'capitals')
    """
    a, b = before.strip(), after.strip()
    if a == b:
        return "spacing"
    old = [w.casefold().replace("’", "'") for w in WORDS.findall(a) if is_word(w)]
    new = [w.casefold().replace("’", "'") for w in WORDS.findall(b) if is_word(w)]
    letters_old = "".join(c for c in a if c.isalnum())
    letters_new = "".join(c for c in b if c.isalnum())
    if letters_old == letters_new:
        return _kind_of_marks(a, b, old, new)
    if letters_old.casefold() == letters_new.casefold():
        if old == new and _marks(a) == _marks(b):
            return "capitals"
        return (
            "spelling"
            if "'" in "".join([*old, *new]) and old != new
            else "punctuation"
            if old == new
            else "spelling"
        )
    if sorted(old) == sorted(new) and len(old) > 1:
        return "word order"
    gone, come = _without(old, new), _without(new, old)
    words = set(gone) | set(come)
    if words & SOFTENERS and not set(gone) & SOFTENERS or set(gone) & _INTENSIFIERS and not come:
        return "tone"
    if words <= ARTICLES:
        return "article"
    if words <= DETERMINERS and not any(words == pair for pair in _AGREEMENT):
        return "article" if words & ARTICLES else "word choice"
    if words <= PREPOSITIONS | ARTICLES:
        return "preposition"
    if len(gone) == len(come) == 1:
        return kind_of_pair(gone[0], come[0])
    if len(gone) == len(come):
        kinds = {kind_of_pair(x, y) for x, y in zip(gone, come, strict=True)}
        if len(kinds) == 1 or words & AUXILIARIES and "word choice" not in kinds:
            return kinds.pop() if len(kinds) == 1 else "verb form"
    if "".join(old) == "".join(new) or likeness("".join(old), "".join(new)) >= 0.85 and len(old) != len(new):
        return "verb form" if words & AUXILIARIES else "spelling"
    content = [w for w in [*gone, *come] if w not in AUXILIARIES | {"to", "not"}]
    if words & (AUXILIARIES | {"to"}) and (
        not content or len(content) == 1 or len(content) == 2 and _same_verb(*content)
    ):
        return "verb form"
    return "word choice" if gone and come else "other"


def confused(before: str, after: str) -> tuple[str, str] | None:
    """What the new word is and what the old one, if one is taken for the other; None if they are not known for that.

    >>> confused("Weather", "whether")
    ("brings in a choice, as 'if' does", 'is sun, wind and rain')
    """
    old, new = (" ".join(text.lower().replace("’", "'").split()) for text in (before, after))
    return _CONFUSED.get((old, new))


def taken_for(word: str) -> list[str]:
    """The words that one in small letters may have been taken for, in its own form too, and those that two written apart may be.

    >>> taken_for("costumer"), taken_for("all ready"), taken_for("reined")
    (['customer'], ['already'], ['rained', 'reigned'])
    """
    found = list(_TAKEN_FOR.get(word, ()))
    for ending in _FORMS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _SHORTEST_STEM:
            found += [other + ending for other in _TAKEN_FOR.get(stem, ()) if other.isalpha()]
    return list(dict.fromkeys(found))


def sounds_like(before: str, after: str) -> bool:
    """Whether a word is listed as taken for another by its sound or letters, in its own form too.

    >>> sounds_like("pear", "pair"), sounds_like("reined", "reigned"), sounds_like("pear", "apple")
    (True, True, False)
    """
    was, becomes = before.lower(), after.lower()
    stems = ((was.removesuffix(ending), becomes.removesuffix(ending)) for ending in ("", *_FORMS))
    return any(frozenset(pair) in _SOUNDALIKES for pair in stems)


def is_slip(before: str, after: str) -> bool:
    """Whether a word may be typed for another that is a word too: its neighbour by one letter, or by its sound.

    Forms of one word are none: they are a matter of grammar.

    >>> is_slip("tree", "three"), is_slip("where", "wear"), is_slip("days", "day"), is_slip("by", "until")
    (True, True, False, False)
    """
    was, becomes = before.strip().lower(), after.strip().lower()
    return (
        (OSA.distance(was, becomes, score_cutoff=1) == 1 or sounds_like(was, becomes))
        and was.isalpha()
        and becomes.isalpha()
        and kind_of_pair(was, becomes) not in _OF_GRAMMAR
    )


def takes_words(before: str, after: str) -> bool:
    """Whether it takes several words on either side: no word beside one that stays, and no blank alone.

    >>> takes_words("is", "has been"), takes_words("off it", "it off"), takes_words("car", "the car"), takes_words("a part", "apart")
    (True, True, False, False)
    """
    was, becomes = before.strip(), after.strip()
    beside = becomes.endswith(f" {was}") or becomes.startswith(f"{was} ")
    joined = was.replace(" ", "") == becomes.replace(" ", "")
    return (" " in was or " " in becomes) and not beside and not joined


def shown_kind(kind: str, before: str, after: str) -> str:
    """The kind as the user reads it, which the judge, fitted without it, never sees: of a word taken for another "confused word",
    of a slip in a kind word what that is ("plese" for "please" is no matter of tone).

    >>> shown_kind("spelling", "its", "it's"), shown_kind("spelling", "recieve", "receive")
    ('confused word', 'spelling')
    """
    if kind == "tone" and is_word(before) and len(before.split()) == len(after.split()) == 1:
        kind = kind_of_pair(before.strip().casefold(), after.strip().casefold())
    taken = confused(before, after) or sounds_like(before.strip(), after.strip())
    return CONFUSED if kind in _MAY_BE_CONFUSED and taken else kind


def _marks(text: str) -> list[str]:
    return [c for c in text if not c.isalnum() and not c.isspace()]


def _kind_of_marks(a: str, b: str, old: list[str], new: list[str]) -> str:
    if _marks(a) == _marks(b):
        return (
            "spacing"
            if "".join(a.split()) == "".join(b.split()) and not old
            else "spelling"
            if old != new
            else "spacing"
        )
    apostrophes = [c for c in _marks(a) if c in "'’-"] != [c for c in _marks(b) if c in "'’-"]
    return "spelling" if old and apostrophes and old != new else "punctuation"


def _without(words: list[str], others: list[str]) -> list[str]:
    left = Counter(others)
    kept = []
    for word in words:
        if left[word]:
            left[word] -= 1
        else:
            kept.append(word)
    return kept


def kind_of_pair(a: str, b: str) -> str:
    pair = frozenset((a, b))
    if pair in _SOUNDALIKES and not (a in PREPOSITIONS and b in PREPOSITIONS):
        return "spelling"
    if any(pair == group for group in _AGREEMENT):
        return "agreement"
    if a in PREPOSITIONS and b in PREPOSITIONS:
        return "preposition"
    if pair <= DETERMINERS:
        return "article" if pair & ARTICLES else "word choice"
    if a.endswith("ys") and b == a[:-2] + "ies":
        return "spelling"
    if _number_or_person(a, b):
        return "agreement"
    if any(pair <= group for group in _IRREGULAR):
        return "verb form"
    if a.replace("'", "") == b.replace("'", "") or b.endswith(_CONTRACTION_ENDS) and a == b.replace("'", ""):
        return "spelling"
    if _same_verb(a, b):
        return "verb form"
    if pair <= _CONNECTORS:
        return "word choice"
    return "spelling" if sorted(a) == sorted(b) or likeness(a, b) >= 0.7 else "word choice"


def _number_or_person(a: str, b: str) -> bool:
    """go/goes, mail/mails, company/companies."""
    short, long = sorted((a, b), key=len)
    return long in (short + "s", short + "es") or short.endswith("y") and long == short[:-1] + "ies"


def _same_verb(a: str, b: str) -> bool:
    if any({a, b} <= group for group in _IRREGULAR):
        return True
    return _stem(a) == _stem(b) and a != b


def _stem(word: str) -> str:
    for ending in ("ying", "ied", "ies"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + "y"
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    return word
