"""The kinds of mistakes that `training.data.corrupt` makes, each at a place in the tokens of a text."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from training.data import phrases
from training.data.confusions import (
    ARTICLES,
    BARE,
    BE,
    CONFUSIONS,
    DROPPABLE,
    EXTRA_PREPOSITION,
    HAVE,
    MODALS,
    NUMBERS,
    PLURAL_SUBJECT,
    POSSESSIVES,
    PREPOSITIONS,
    SINGULAR_SUBJECT,
    UNCOUNTABLE,
    VOWELS,
    inflections,
    misspell,
    neighbours,
    swap_case_like,
)  # fmt: skip
from training.data.lists import table, words

_OTHER_NUMBER: dict[str, str] = dict(table("agreement.tsv"))
_BEFORE_GERUND, _BEFORE_PARTICIPLE = words("before a gerund"), words("before a participle")
_BETWEEN = words("between auxiliary and verb")
_PRONOUNS = ("I", "we", "they", "he", "she", "it")
_OBJECT = ARTICLES | POSSESSIVES | {"to", "us", "it", "me", "them", "this", "that", "all"}
_OF_ONE = words("of one")
_OWNERS = POSSESSIVES | {"the", "any", "some", "no"}
_UNIQUE = words("unique")  # what makes "the" needed whatever the noun
_OPENERS = words("openers")  # what opens a sentence and is parted from it by a comma

# Tokens keep the whitespace before them, so that joining them gives back the text.
TOKEN = re.compile(r"\s*(?:[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]|_)|\s+\Z")


def _split_space(token: str) -> tuple[str, str]:
    word = token.lstrip()
    return token[: len(token) - len(word)], word


# Takes (tokens, position, rng), changes the tokens in place and says whether it did.
Mistake = Callable[[list[str], int, random.Random], bool]


def _word(tokens: list[str], i: int) -> str:
    return tokens[i].strip() if 0 <= i < len(tokens) else ""


def _put(tokens: list[str], i: int, word: str | None) -> bool:
    space, old = _split_space(tokens[i])
    if not word or word == old:
        return False
    tokens[i] = space + word
    return True


def _spelling(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    if word[:1].isupper() and i > 0:  # names stay
        return False
    wrong = misspell(word, rng) or ""
    if inflections(wrong.lower()) or wrong.lower() in CONFUSIONS:  # another word, perhaps as good
        return False
    return _put(tokens, i, wrong)


def _slip(tokens: list[str], i: int, rng: random.Random) -> bool:
    """A common word for another that is one letter away: "then" for "the", "form" for "from"."""
    word = _word(tokens, i)
    others = neighbours(word) if word.islower() else ()
    return bool(others) and _put(tokens, i, rng.choice(others))


def _governor(tokens: list[str], i: int) -> str:
    """The word that decides about the form of the verb at i: "could" in "Could you send", "has" in "has not arrived"."""
    at = i - 1
    while _word(tokens, at).lower() in _BETWEEN:
        at -= 1
    inverted = (
        _word(tokens, at) in (*_PRONOUNS, "you") and _word(tokens, at - 1).lower() in MODALS | HAVE | BE
    )
    return _word(tokens, at - 1).lower() if inverted else _word(tokens, at)


def _verb_form(tokens: list[str], i: int, rng: random.Random) -> bool:
    word, before = _word(tokens, i), _governor(tokens, i)
    forms = inflections(word.lower())
    if "VB" not in forms or word.lower() in BE | HAVE | {"do", "does", "did"} or not word.islower():
        return False
    if before in MODALS and word == forms["VB"]:
        wrong = [forms.get("VBZ"), forms.get("VBD"), forms.get("VBG"), forms.get("VBN")]
    elif before in HAVE and word == forms.get("VBN"):
        wrong = [forms["VB"], forms.get("VBD"), forms.get("VBZ")]
    elif before in BE and word in (forms.get("VBG"), forms.get("VBN")):
        wrong = [forms["VB"], forms.get("VBZ"), forms.get("VBD")]
    elif before.lower() in _BEFORE_GERUND and word == forms.get("VBG"):
        wrong = [forms["VB"], "to " + forms["VB"]]
    elif before == "to" and word == forms.get("VBG"):
        wrong = [forms["VB"]]
    elif before in _PRONOUNS and word == forms.get("VBD") != forms.get("VBN"):
        wrong = [forms.get("VBN"), forms.get("VBG")]
    elif before in _PRONOUNS and before != "it" and word == forms.get("VBD") and rng.random() < 0.3:
        wrong = [forms.get("VBG")]
    else:
        return False
    return _put(tokens, i, rng.choice([w for w in wrong if w and w != word] or [word]))


def _agreement(tokens: list[str], i: int, rng: random.Random) -> bool:
    word, before = _word(tokens, i), _word(tokens, i - 1)
    if word in _OTHER_NUMBER and (before.isalpha() or before in {",", '"'}) and before not in MODALS:
        if word in {"do", "have"} and before in BE | HAVE:
            return False
        return _put(tokens, i, _OTHER_NUMBER[word])
    forms = inflections(word.lower())
    if "VB" not in forms or not word.islower() or before in MODALS or before in ARTICLES:
        return False
    subject = inflections(before)
    if word == forms.get("VBZ"):
        is_verb = word != forms.get("NNS") or before in SINGULAR_SUBJECT
        is_verb |= before[:1].isupper() and before.isalpha()
        is_verb |= subject.get("NN") == before and _word(tokens, i + 1) in _OBJECT  # "the report needs a"
        if is_verb:
            return _put(tokens, i, forms["VB"])
    plural = before.islower() and before == subject.get("NNS") != subject.get("NN")
    plural &= before != subject.get("VBZ") and "NN" not in forms
    if word == forms["VB"] and (before in PLURAL_SUBJECT or plural):
        return _put(tokens, i, forms.get("VBZ"))
    return False


def _regular(tokens: list[str], i: int, rng: random.Random) -> bool:
    """An irregular form as a beginner builds it: childs, mans, goed, teached."""
    word, found = _word(tokens, i), inflections(_word(tokens, i).lower())
    if not word.islower():
        return False
    if word == found.get("NNS") and not word.endswith("s"):
        return _put(tokens, i, rng.choice([found["NN"] + "s", word + "s"]))
    is_past = "VB" in found and word in (found.get("VBD"), found.get("VBN"))
    if is_past and not word.endswith("ed") and word not in BE | HAVE:
        return _put(tokens, i, found["VB"] + ("d" if found["VB"].endswith("e") else "ed"))
    return False


def _noun_number(tokens: list[str], i: int, rng: random.Random) -> bool:
    word, before = _word(tokens, i), _word(tokens, i - 1).lower()
    if word in UNCOUNTABLE:
        return _put(tokens, i, word + "s") if word not in {"news", "money", "staff"} else False
    forms = inflections(word.lower())
    if not word.islower() or "NN" not in forms or len(word) < 4:
        return False
    after = _word(tokens, i + 1)
    if word == forms.get("NNS") and word != forms["NN"]:
        either = before in _OWNERS and after not in {"are", "were", "have"}  # "our report" is as good
        return _put(tokens, i, forms["NN"]) if not either or rng.random() < 0.1 else False
    if word == forms["NN"] and (before in _OF_ONE or after in {"is", "was", "has"}):
        return "is-VERB" not in forms and _put(tokens, i, forms.get("NNS"))
    return False


def _article(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    lower = word.lower()
    if lower == "the":  # "a" for it may be as good, but not before a plural
        if _needs_the(tokens, i + 1):
            return _delete(tokens, i)
        return rng.random() < 0.3 and _put(tokens, i, swap_case_like(word, "a"))
    if lower in ARTICLES:
        other = "an" if lower == "a" else "a"
        return _delete(tokens, i) if rng.random() < 0.75 else _put(tokens, i, swap_case_like(word, other))
    before = _word(tokens, i - 1).lower()
    if lower in UNCOUNTABLE and i > 0 and before not in ARTICLES and rng.random() < 0.5:
        return _insert(tokens, i, "an" if word[0] in VOWELS else "a")
    if lower in BARE.get(before, ()) or (lower in POSSESSIVES and rng.random() < 0.05):
        return _insert(tokens, i, "the")
    forms = inflections(lower)
    plural = word.islower() and word == forms.get("NNS") != forms.get("NN") and "is-VERB" not in forms
    if plural and before in {*PREPOSITIONS, "are", "and", "have", "has", "need", "like"}:
        roll = rng.random()  # "the" before a plural is seldom wrong
        return roll < 0.3 and _insert(tokens, i, "the" if roll < 0.07 else "an" if word[0] in VOWELS else "a")
    return False


def _needs_the(tokens: list[str], i: int) -> bool:
    """Whether the words at i cannot do without "the": "office" cannot, "costs" and "information" can."""
    if _word(tokens, i) in _UNIQUE:
        return True
    head = ""
    while _word(tokens, i).islower() and {"is-NOUN", "is-ADJ"} & inflections(_word(tokens, i)).keys():
        head, i = _word(tokens, i), i + 1
    forms = inflections(head)
    return "NN" in forms and head != forms.get("NNS") and head not in UNCOUNTABLE


def _preposition(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    lower = word.lower()
    extra = EXTRA_PREPOSITION.get(inflections(lower).get("VB", lower))
    if extra and _word(tokens, i + 1).isalpha() and _word(tokens, i + 1) not in PREPOSITIONS:
        return _insert(tokens, i + 1, extra)
    options = PREPOSITIONS.get(lower)
    before_verb = lower == "to" and "is-VERB" in inflections(_word(tokens, i + 1).lower())
    if not options or (before_verb and rng.random() < 0.7):
        return False
    roll, before, after = rng.random(), _word(tokens, i - 1), _word(tokens, i + 1)
    if roll < 0.3 and word.islower():
        optional = before in {"all", "both", "half", "inside", "outside", "off"} or after in NUMBERS
        optional |= after[:1].isdigit() or (lower == "on" and after.endswith("day"))  # "we meet Monday"
        return not optional and _delete(tokens, i)
    return _put(tokens, i, swap_case_like(word, rng.choice(options)))


def _confusion(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    pair = f"{word} {_word(tokens, i + 1)}".lower()
    if pair in CONFUSIONS:
        other = swap_case_like(word, rng.choice(CONFUSIONS[pair]))
        space, _ = _split_space(tokens[i])
        tokens[i : i + 2] = [space + other]
        return True
    options = CONFUSIONS.get(word) or CONFUSIONS.get(word.lower())
    if not options:
        return False
    other = rng.choice(options)
    if other == "of" and not (_word(tokens, i - 1) in MODALS and "VBN" in inflections(_word(tokens, i + 1))):
        return False
    return _put(tokens, i, swap_case_like(word, other))


def _is_needed(tokens: list[str], i: int) -> bool:
    """Whether the comma at i is one that most writers put: after an opening, before "please" or "which"."""
    begin = i
    while begin > 0 and _word(tokens, begin - 1) not in {".", "!", "?", ";"}:
        begin -= 1
    first = "," not in (_word(tokens, j) for j in range(begin, i))
    opening = first and (_word(tokens, begin).lower() in _OPENERS or i - begin == 1)
    return opening or _word(tokens, i + 1) in {"please", "which", "but"}


def _punctuation(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    if word == ",":
        return _comma(tokens, i, rng)
    if word in {".", "?", "!"} and i == len(tokens) - 1:
        if word == "?":
            return _put(tokens, i, ".") if rng.random() < 0.6 else _delete(tokens, i)
        return _delete(tokens, i) if rng.random() < 0.75 else _put(tokens, i, rng.choice([",", word * 2]))
    if word in {".", "?", "!"} and re.match(r"\s+[A-Z]", tokens[i + 1]):  # two sentences run together
        space, following = _split_space(tokens[i + 1])
        if following != "I" and not following.startswith("I'"):
            tokens[i + 1] = space + following[0].lower() + following[1:]
        return _put(tokens, i, ",") if rng.random() < 0.6 else _delete(tokens, i)
    if "'" in word and len(word) > 2:
        return _put(tokens, i, word.replace("'", "") if rng.random() < 0.85 else word.replace("'", " "))
    is_plain = word.isalpha() and word.islower()
    is_long_plural = is_plain and word.endswith("s") and len(word) > 4
    if is_long_plural and rng.random() < 0.25 and "is-NOUN" in inflections(word):
        return _put(tokens, i, word[:-1] + "'s")
    if word in {";", ":", "-"} and rng.random() < 0.5:
        return _put(tokens, i, ",")
    if "-" in word and len(word) > 3 and word[0].isalpha() and rng.random() < 0.3:
        return _put(tokens, i, word.replace("-", " ", 1))
    between_words = 0 < i < len(tokens) - 2 and _word(tokens, i + 1).isalpha()
    if is_plain and between_words and rng.random() < 0.05:
        tokens.insert(i + 1, ",")
        return True
    return False


def _comma(tokens: list[str], i: int, rng: random.Random) -> bool:
    before_and = _word(tokens, i + 1) in {"and", "or", "but", "so"}
    if before_and and rng.random() < 0.8:  # often a matter of taste
        return False
    if rng.random() < 0.15:
        return _put(tokens, i, rng.choice([";", "."]))
    return (_is_needed(tokens, i) or rng.random() < 0.3) and _delete(tokens, i)


def _capitals(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    if word == "I" or word.startswith("I'"):
        return _put(tokens, i, "i" + word[1:])
    if word[:1].isupper() and word[1:].islower():
        return _put(tokens, i, word.lower())
    if word.islower() and "is-NOUN" in inflections(word) and len(word) > 3 and rng.random() < 0.05:
        return _put(tokens, i, word.capitalize())
    return False


def _spacing(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    if word in {",", "?", "!"} and i + 1 < len(tokens):
        if tokens[i + 1][:1] == " " and rng.random() < 0.5:
            tokens[i + 1] = tokens[i + 1].lstrip()
            return True
        tokens[i] = " " + word
        return True
    before = _word(tokens, i - 1)
    if not tokens[i].startswith(" ") or not (word + before).isalpha() or len(word + before) >= 9:
        return False
    tokens[i] = word
    return bool(word and before)


def _missing(tokens: list[str], i: int, rng: random.Random) -> bool:
    return _word(tokens, i) in DROPPABLE and i > 0 and _delete(tokens, i)


def _doubled(tokens: list[str], i: int, rng: random.Random) -> bool:
    return _word(tokens, i) in DROPPABLE and i > 0 and _insert(tokens, i, _word(tokens, i))


def _swapped(tokens: list[str], i: int, rng: random.Random) -> bool:
    a, b = _word(tokens, i), _word(tokens, i + 1)
    if not (a.isalpha() and b.isalpha() and a.islower() and b.islower() and a != b):
        return False
    return _put(tokens, i, b) and _put(tokens, i + 1, a)


def _derivation(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    if not word.islower() or len(word) < 4:
        return False
    forms = inflections(word)
    if word == forms.get("JJR"):
        return "JJ" in forms and _put(tokens, i, rng.choice(["more " + word, "more " + forms["JJ"]]))
    for ending, others in (("ly", [""]), ("ness", [""]), ("tion", ["te", "ting"]), ("ment", [""]), ("ful", ["", "full"]),
                           ("ence", ["ent"]), ("ance", ["ant"]), ("ity", ["e", ""]), ("ally", ["al"]), ("ed", ["ing"])):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            if ending == "ed" and _word(tokens, i - 1) not in _BEFORE_PARTICIPLE:
                continue
            return _put(tokens, i, word[: -len(ending)] + rng.choice(others))
    return False


def _delete(tokens: list[str], i: int) -> bool:
    if len(tokens) < 4:
        return False
    space, word = _split_space(tokens[i])
    del tokens[i]
    if i == 0:  # the next word takes the place and the capital
        following = tokens[0].lstrip()
        tokens[0] = space + (
            following.capitalize() if word[:1].isupper() and following.islower() else following
        )
    return True


def _insert(tokens: list[str], i: int, word: str) -> bool:
    if not 0 < i < len(tokens):
        return False
    tokens.insert(i, " " + word)
    return True


def _phrase(tokens: list[str], i: int, rng: random.Random) -> bool:
    changed = phrases.mistake("".join(tokens), rng)
    if changed is not None:
        tokens[:] = TOKEN.findall(changed)
    return changed is not None


# Each kind with its share of the mistakes, in percent.
MISTAKES: dict[str, tuple[Mistake, float]] = {
    "spelling": (_spelling, 14.0),
    "slip": (_slip, 4.0),
    "punctuation": (_punctuation, 12.0),
    "capitals": (_capitals, 5.0),
    "article": (_article, 12.0),
    "preposition": (_preposition, 10.0),
    "agreement": (_agreement, 9.0),
    "verb form": (_verb_form, 8.0),
    "noun number": (_noun_number, 7.0),
    "confusion": (_confusion, 9.0),
    "phrase": (_phrase, 13.0),
    "regular": (_regular, 1.0),
    "missing": (_missing, 5.0),
    "doubled": (_doubled, 1.5),
    "swapped": (_swapped, 1.0),
    "spacing": (_spacing, 2.5),
    "derivation": (_derivation, 3.0),
}
