"""The error synthesiser: clean English in, the same text with the mistakes people make out.

    >>> corrupt("She doesn't have their address.", random.Random(1))    # doctest: +SKIP
    "She don't have there adress."

Mistakes are drawn by kind with weights near published shares of learners' and native writers' edits (ErAConD, CWEB;
Yuan et al. 2022, Flachs et al. 2020). Where a mistake would leave correct English (a past tense for a present one), its
context is checked or its weight is low: a model trained on invisible mistakes learns to rewrite good text.
"""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Callable
from functools import cache, lru_cache

from space.prompt import WORDS

# Tokens keep the whitespace before them, so that joining them gives back the text.
_TOKEN = re.compile(r"\s*(?:[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]|_)|\s+\Z")

_MODALS = frozenset(
    "can could may might must shall should will would to don't doesn't didn't can't won't let's".split()
)
_HAVE = frozenset("have has had having haven't hasn't hadn't I've we've you've they've".split())
_BE = frozenset(
    "be am is are was were been being isn't aren't wasn't weren't I'm we're they're you're".split()
)
_PLURAL_SUBJECT = frozenset("I you we they these those people".split())
_SINGULAR_SUBJECT = frozenset("he she it this that who everyone everything someone nobody".split())
_ARTICLES = frozenset({"a", "an", "the"})
_VOWELS = "aeiou"

_PREPOSITIONS = {
    "in": "on at into of for", "on": "in at of about upon", "at": "in on to for", "for": "to of at since from",
    "to": "for at in into of", "of": "from for in about to", "from": "of by since to", "with": "by to of from",
    "by": "with from for until", "about": "on of for in", "into": "in to", "since": "from for", "until": "by to",
    "during": "in while", "between": "among", "through": "by over", "over": "above on", "after": "since", "before": "until",
}  # fmt: skip

# Words that sound or look alike; each is taken for the others of its group.
_CONFUSED = [group.split("|") for group in (
    "their|there|they're", "its|it's", "your|you're", "to|too", "than|then", "affect|effect", "lose|loose",
    "were|where|we're", "who's|whose", "accept|except", "quite|quiet", "advice|advise", "principal|principle",
    "weather|whether", "hear|here", "know|now", "passed|past", "buy|by", "write|right", "piece|peace", "brake|break",
    "week|weak", "our|are", "wait|weight", "meet|meat", "form|from", "though|through|thought", "of|off",
    "no|know", "two|too", "new|knew", "one|won", "some|sum", "would|wood", "which|witch", "complement|compliment",
    "device|devise", "practice|practise", "personal|personnel", "stationary|stationery", "council|counsel",
    "ensure|insure", "loss|lost", "live|leave", "this|these", "that|than", "as|has", "an|and", "on|one", "been|being",
    "choose|chose", "lead|led", "site|sight", "role|roll", "whole|hole", "steal|steel", "desert|dessert", "farther|father",
    "interesting|interested", "boring|bored", "exciting|excited", "everyday|every day", "maybe|may be", "any more|anymore",
    "apart|a part", "into|in to", "altogether|all together", "each other|eachother", "a lot|alot", "in fact|infact",
    "as well|aswell", "at least|atleast", "of course|ofcourse", "in case|incase", "thank you|thankyou", "cannot|can not",
    "can't|cant", "sure|shure", "lets|let's", "there are|there is", "there is|there are", "have|has", "do|does", "was|were",
    "is|are", "am|is", "don't|doesn't", "much|many", "less|fewer", "little|few", "good|well", "make|do", "say|tell",
    "said|told", "borrow|lend", "learn|teach", "fun|funny", "job|work", "look|see|watch", "bring|take", "other|another",
    "others|other", "every|all", "also|too", "so|such", "like|as", "because|cause", "although|but", "me|I", "him|he",
    "myself|me", "them|they", "us|we", "who|which", "who|whom", "what|that", "when|if", "how|what", "hard|hardly",
    "near|nearly", "late|lately", "real|really", "quick|quickly", "slow|slowly", "careful|carefully", "easy|easily",
    "actual|actually", "bad|badly", "regular|regularly", "success|succeed", "important|importance", "different|difference",
    "difficult|difficulty", "possible|possibility", "economic|economical", "safe|safety", "health|healthy",
    "confident|confidence", "convenient|convenience", "available|availability", "able|ability", "beautiful|beautifull",
)]  # fmt: skip
_CONFUSIONS: dict[str, list[str]] = {}
for _group in _CONFUSED:
    for _member in _group:
        _CONFUSIONS.setdefault(_member, []).extend(other for other in _group if other != _member)
# Only in one direction: the left word is right, the right one never is.
_CONFUSIONS |= {"have": [*_CONFUSIONS["have"], "of"]}

_UNCOUNTABLE = frozenset(
    "information advice equipment feedback furniture homework knowledge luggage software research progress evidence work "
    "news traffic training money help staff machinery hardware documentation correspondence clothing baggage".split()
)
_EXTRA_PREPOSITION = {
    "discuss": "about", "contact": "with", "emphasize": "on", "request": "for", "answer": "to", "call": "to", "enter": "in",
    "reach": "to", "join": "to", "consider": "about", "mention": "about", "return": "back", "repeat": "again", "meet": "with",
    "ask": "to", "visit": "to", "approach": "to", "marry": "with", "order": "for", "demand": "for", "investigate": "into",
}  # fmt: skip
_DROPPABLE = frozenset(
    "to of for in on at is are be am was were have has had will would that it the a an and do not with as been so you I we by".split()
)
_KEYS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl", "p": "ol",
    "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "huk", "k": "jil", "l": "kop",
    "z": "asx", "x": "zsc", "c": "xdv", "v": "cfb", "b": "vgn", "n": "bhm", "m": "njk",
}  # fmt: skip
_SOUNDS = [
    ("ie", "ei"), ("ei", "ie"), ("ph", "f"), ("ence", "ance"), ("ance", "ence"), ("able", "ible"), ("ible", "able"),
    ("ent", "ant"), ("ant", "ent"), ("tion", "sion"), ("sion", "tion"), ("ous", "us"), ("ough", "ouh"), ("wh", "w"),
    ("ck", "k"), ("c", "s"), ("s", "c"), ("y", "i"), ("i", "e"), ("e", "i"), ("e", "a"), ("a", "e"), ("o", "u"), ("u", "o"),
    ("ea", "ee"), ("ee", "ea"), ("ai", "ei"), ("ary", "ery"), ("ery", "ary"), ("ful", "full"), ("lly", "ly"), ("ely", "ly"),
    ("gh", "g"), ("kn", "n"), ("wr", "r"), ("qu", "kw"), ("sc", "s"), ("ch", "tch"), ("dge", "ge"), ("que", "k"), ("er", "or"),
    ("or", "er"), ("our", "or"), ("ic", "ick"), ("al", "el"), ("el", "al"), ("le", "el"), ("re", "er"), ("tho", "to"),
]  # fmt: skip


# ---- words ---------------------------------------------------------------------------------------------------------


@cache
def _misspellings() -> dict[str, list[str]]:
    """Right word -> the misspellings that codespell's dictionary records for it."""
    from importlib.resources import files

    found: dict[str, list[str]] = {}
    for line in (files("codespell_lib") / "data" / "dictionary.txt").read_text(encoding="utf-8").splitlines():
        wrong, _, right = line.partition("->")
        if "," not in right:  # several candidates: too uncertain to learn from
            found.setdefault(right, []).append(wrong)
    return found


@lru_cache(maxsize=200_000)
def _forms(word: str) -> dict[str, str]:
    """Inflections by tag (NN, NNS, VB, VBZ, VBG, VBD, VBN, JJ, JJR, RB) of the lemma that `word` is a form of.

    >>> _forms("goes")["VBG"]
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


def _swap_case_like(model: str, word: str) -> str:
    return word[:1].upper() + word[1:] if model[:1].isupper() and model != "I" else word


def _misspell(word: str, rng: random.Random) -> str | None:
    """A plausible misspelling, or None for words too short or not plain."""
    if len(word) < 3 or not word.isalpha() or word.isupper():
        return None
    known = _misspellings().get(word.lower())
    roll = rng.random()
    if known and roll < 0.55:
        return _swap_case_like(word, rng.choice(known))
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


# ---- mistakes: each takes (tokens, position, rng), changes the tokens in place and says whether it did ---------------


def _split_space(token: str) -> tuple[str, str]:
    word = token.lstrip()
    return token[: len(token) - len(word)], word


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
    return _put(tokens, i, _misspell(word, rng))


def _verb_form(tokens: list[str], i: int, rng: random.Random) -> bool:
    word, before = _word(tokens, i), _word(tokens, i - 1)
    forms = _forms(word.lower())
    if "VB" not in forms or word.lower() in _BE | _HAVE | {"do", "does", "did"} or not word.islower():
        return False
    if before in _MODALS and word == forms["VB"]:
        wrong = [forms.get("VBZ"), forms.get("VBD"), forms.get("VBG"), forms.get("VBN")]
    elif before in _HAVE and word == forms.get("VBN"):
        wrong = [forms["VB"], forms.get("VBD"), forms.get("VBZ")]
    elif before in _BE and word in (forms.get("VBG"), forms.get("VBN")):
        wrong = [forms["VB"], forms.get("VBZ"), forms.get("VBD")]
    elif before.lower() in {
        "for",
        "of",
        "by",
        "without",
        "after",
        "before",
        "from",
        "in",
        "forward",
    } and word == forms.get("VBG"):
        wrong = [forms["VB"], "to " + forms["VB"]]
    elif before == "to" and word == forms.get("VBG"):
        wrong = [forms["VB"]]
    elif (
        before in {"I", "we", "they", "he", "she", "it"}
        and word == forms.get("VBD")
        and word != forms.get("VBN")
    ):
        wrong = [forms.get("VBN"), forms.get("VBG")]
    elif before in {"I", "we", "they", "he", "she"} and word == forms.get("VBD") and rng.random() < 0.3:
        wrong = [forms.get("VBG"), "did " + forms["VB"]]
    elif word == forms.get("VBD") and word.endswith("ed") and rng.random() < 0.3:
        wrong = [forms["VB"]]
    else:
        return False
    return _put(tokens, i, rng.choice([w for w in wrong if w and w != word] or [word]))


def _agreement(tokens: list[str], i: int, rng: random.Random) -> bool:
    word, before = _word(tokens, i), _word(tokens, i - 1)
    swaps = {"is": "are", "are": "is", "was": "were", "were": "was", "has": "have", "have": "has", "does": "do", "do": "does",
             "doesn't": "don't", "don't": "doesn't", "isn't": "aren't", "aren't": "isn't", "am": "is", "wasn't": "weren't",
             "weren't": "wasn't", "hasn't": "haven't", "haven't": "hasn't"}  # fmt: skip
    if word in swaps and (before.isalpha() or before in {",", '"'}) and before not in _MODALS:
        if word in {"do", "have"} and before in _BE | _HAVE:
            return False
        return _put(tokens, i, swaps[word])
    forms = _forms(word.lower())
    if "VB" not in forms or not word.islower() or before in _MODALS or before in _ARTICLES:
        return False
    if word == forms.get("VBZ") and word != forms.get("NNS"):
        return _put(tokens, i, forms["VB"])
    if word == forms.get("VBZ") and (
        before in _SINGULAR_SUBJECT or (before[:1].isupper() and before.isalpha())
    ):
        return _put(tokens, i, forms["VB"])
    if word == forms["VB"] and before in _PLURAL_SUBJECT:
        return _put(tokens, i, forms.get("VBZ"))
    return False


def _noun_number(tokens: list[str], i: int, rng: random.Random) -> bool:
    word, before = _word(tokens, i), _word(tokens, i - 1).lower()
    if word in _UNCOUNTABLE:
        return _put(tokens, i, word + "s") if word not in {"news", "money", "staff"} else False
    forms = _forms(word.lower())
    if not word.islower() or "NN" not in forms or len(word) < 4:
        return False
    if word == forms.get("NNS") and word != forms["NN"]:
        return _put(tokens, i, forms["NN"])
    if word == forms["NN"] and (
        before in {"a", "an", "this", "that", "each", "every", "another", "one"} or rng.random() < 0.15
    ):
        return "is-VERB" not in forms and _put(tokens, i, forms.get("NNS"))
    return False


def _article(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    lower = word.lower()
    if lower in _ARTICLES:
        roll = rng.random()
        if roll < 0.6:
            return _delete(tokens, i)
        other = {"a": "an", "an": "a", "the": "a"}[lower]
        if roll < 0.8 and lower == "the":
            return False
        return _put(
            tokens, i, _swap_case_like(word, other if roll < 0.9 else "the" if lower != "the" else other)
        )
    before = _word(tokens, i - 1).lower()
    forms = _forms(lower)
    noun = "is-NOUN" in forms and word.islower() and (word == forms.get("NNS") or "is-VERB" not in forms)
    if (
        noun
        and i > 0
        and before in {*_PREPOSITIONS, "is", "are", "and", "have", "has", "need", "like", "about"}
        and rng.random() < 0.5
    ):
        return _insert(
            tokens,
            i,
            "the" if rng.random() < 0.75 or word == forms.get("NNS") else "an" if word[0] in _VOWELS else "a",
        )
    return False


def _preposition(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    lower = word.lower()
    if (
        lower in _EXTRA_PREPOSITION
        and _word(tokens, i + 1).isalpha()
        and _word(tokens, i + 1) not in _PREPOSITIONS
    ):
        return _insert(tokens, i + 1, _EXTRA_PREPOSITION[lower])
    options = _PREPOSITIONS.get(lower)
    if not options or (
        lower == "to" and "is-VERB" in _forms(_word(tokens, i + 1).lower()) and rng.random() < 0.7
    ):
        return False
    roll = rng.random()
    if roll < 0.25 and word.islower():
        return _delete(tokens, i)
    return _put(tokens, i, _swap_case_like(word, rng.choice(options.split())))


def _confusion(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    pair = f"{word} {_word(tokens, i + 1)}".lower()
    if pair in _CONFUSIONS:
        other = _swap_case_like(word, rng.choice(_CONFUSIONS[pair]))
        space, _ = _split_space(tokens[i])
        tokens[i : i + 2] = [space + other]
        return True
    options = _CONFUSIONS.get(word) or _CONFUSIONS.get(word.lower())
    if not options:
        return False
    other = rng.choice(options)
    if other == "of" and not (_word(tokens, i - 1) in _MODALS and "VBN" in _forms(_word(tokens, i + 1))):
        return False
    return _put(tokens, i, _swap_case_like(word, other))


def _punctuation(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    if word == ",":
        return _delete(tokens, i) if rng.random() < 0.85 else _put(tokens, i, rng.choice([";", "."]))
    if word in {".", "?", "!"}:
        if i == len(tokens) - 1:
            return (
                _delete(tokens, i)
                if rng.random() < 0.75
                else _put(tokens, i, rng.choice([",", ".", "?"] if word != "." else [",", ".."]))
            )
        if re.match(r"\s+[A-Z]", tokens[i + 1]):  # two sentences run together
            space, following = _split_space(tokens[i + 1])
            tokens[i + 1] = space + (
                following
                if following in {"I"} or following.startswith("I'")
                else following[0].lower() + following[1:]
            )
            return _put(tokens, i, ",") if rng.random() < 0.6 else _delete(tokens, i)
    if "'" in word and len(word) > 2:
        return _put(tokens, i, word.replace("'", "") if rng.random() < 0.85 else word.replace("'", " "))
    if (
        word.isalpha()
        and word.endswith("s")
        and word.islower()
        and len(word) > 4
        and rng.random() < 0.15
        and "is-NOUN" in _forms(word)
    ):
        return _put(tokens, i, word[:-1] + "'s")
    if word in {";", ":", "-"} and rng.random() < 0.5:
        return _put(tokens, i, ",")
    if "-" in word and len(word) > 3 and word[0].isalpha():
        return _put(tokens, i, word.replace("-", " ", 1))
    if (
        word.islower()
        and word.isalpha()
        and 0 < i < len(tokens) - 2
        and _word(tokens, i + 1).isalpha()
        and rng.random() < 0.12
    ):
        tokens.insert(i + 1, ",")
        return True
    return False


def _capitals(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    if word == "I" or word.startswith("I'"):
        return _put(tokens, i, "i" + word[1:])
    if word[:1].isupper() and word[1:].islower():
        return _put(tokens, i, word.lower())
    if word.islower() and "is-NOUN" in _forms(word) and len(word) > 3 and rng.random() < 0.15:
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
    if (
        tokens[i].startswith(" ")
        and word.isalpha()
        and _word(tokens, i - 1).isalpha()
        and len(word) + len(_word(tokens, i - 1)) < 9
    ):
        tokens[i] = word
        return True
    return False


def _missing(tokens: list[str], i: int, rng: random.Random) -> bool:
    return _word(tokens, i) in _DROPPABLE and i > 0 and _delete(tokens, i)


def _doubled(tokens: list[str], i: int, rng: random.Random) -> bool:
    return _word(tokens, i) in _DROPPABLE and i > 0 and _insert(tokens, i, _word(tokens, i))


def _swapped(tokens: list[str], i: int, rng: random.Random) -> bool:
    a, b = _word(tokens, i), _word(tokens, i + 1)
    if not (a.isalpha() and b.isalpha() and a.islower() and b.islower() and a != b):
        return False
    return _put(tokens, i, b) and _put(tokens, i + 1, a)


def _derivation(tokens: list[str], i: int, rng: random.Random) -> bool:
    word = _word(tokens, i)
    if not word.islower() or len(word) < 4:
        return False
    forms = _forms(word)
    if word == forms.get("JJR"):
        return (
            _put(tokens, i, rng.choice(["more " + word, "more " + forms["JJ"]])) if "JJ" in forms else False
        )
    for ending, others in (("ly", [""]), ("ness", [""]), ("tion", ["te", "ting"]), ("ment", [""]), ("ful", ["", "full"]),
                           ("ence", ["ent"]), ("ance", ["ant"]), ("ity", ["e", ""]), ("ally", ["al"]), ("ed", ["ing"])):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            if ending == "ed" and _word(tokens, i - 1) not in {
                "is",
                "are",
                "was",
                "were",
                "am",
                "feel",
                "very",
            }:
                continue
            return _put(tokens, i, word[: -len(ending)] + rng.choice(others))
    return False


def _delete(tokens: list[str], i: int) -> bool:
    if len(tokens) < 4:
        return False
    space, word = _split_space(tokens[i])
    del tokens[i]
    if i == 0 and tokens:  # the next word takes the place and the capital
        tokens[0] = space + (
            tokens[0].lstrip().capitalize()
            if word[:1].isupper() and tokens[0].strip().islower()
            else tokens[0].lstrip()
        )
    return True


def _insert(tokens: list[str], i: int, word: str) -> bool:
    if not 0 < i < len(tokens):
        return False
    tokens.insert(i, " " + word)
    return True


_MISTAKES: dict[str, tuple[Mistake, float]] = {
    "spelling": (_spelling, 26.0),
    "punctuation": (_punctuation, 16.0),
    "capitals": (_capitals, 8.0),
    "article": (_article, 11.0),
    "preposition": (_preposition, 7.0),
    "agreement": (_agreement, 8.0),
    "verb form": (_verb_form, 9.0),
    "noun number": (_noun_number, 9.0),
    "confusion": (_confusion, 11.0),
    "missing": (_missing, 4.0),
    "doubled": (_doubled, 2.0),
    "swapped": (_swapped, 1.0),
    "spacing": (_spacing, 3.0),
    "derivation": (_derivation, 3.0),
}
KINDS = tuple(_MISTAKES)
_WEIGHTS = [weight for _, weight in _MISTAKES.values()]


def corrupt(text: str, rng: random.Random, rate: float | None = None) -> str:
    """Puts mistakes into `text`; at least one is tried.

    `rate` is mistakes per word; by default it is drawn anew from 0.03 (a careful writer) to 0.3 (a beginner).
    """
    tokens = _TOKEN.findall(text)
    if rate is None:
        rate = min(0.3, 0.03 + rng.expovariate(1 / 0.075))
    wanted = max(1, round(len(tokens) * rate + rng.uniform(-0.5, 0.5)))
    writer = rng.random()
    if writer < 0.04:  # never uses capitals
        tokens = [
            token if token.strip() in {"I"} and rng.random() < 0.3 else token.lower() for token in tokens
        ]
        wanted -= 1
    elif writer < 0.07:  # never uses apostrophes or commas
        tokens = [token.replace("'", "") for token in tokens if token.strip() != ","]
        wanted -= 1
    done = tries = 0
    while done < wanted and tries < 12 * wanted and tokens:
        tries += 1
        mistake = _MISTAKES[rng.choices(KINDS, _WEIGHTS)[0]][0]
        done += mistake(tokens, rng.randrange(len(tokens)), rng)
    return "".join(tokens)


# ---- tone ------------------------------------------------------------------------------------------------------------

_SOFTENERS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern, re.IGNORECASE), blunt)
    for pattern, blunt in (
        (
            r"^(?:Could|Would|Can|Will) you (?:please |kindly |possibly )?(\w+)\b([^?]*?)(?: please)?\?$",
            r"\1\2.",
        ),
        (r"^(?:Please|Kindly) (?:do )?(\w+)\b([^.!?]*)[.!?]$", r"\1\2."),
        (r"^Would you mind (\w+)ing\b([^?]*)\?$", r"\1\2."),
        (r"^(?:I|We) would (?:really )?appreciate it if you (?:could|would) (\w+)\b([^.]*)\.$", r"\1\2."),
        (r"^(?:I|We) would be grateful if you (?:could|would) (\w+)\b([^.]*)\.$", r"\1\2."),
        (r"^I would like to (\w+)\b([^.]*)\.$", r"I want to \1\2."),
        (r"^I'd like to (\w+)\b([^.]*)\.$", r"I want to \1\2."),
        (r"^I was wondering if you could (\w+)\b([^.?]*)[.?]$", r"\1\2."),
        (r"^I'm afraid (?:that )?(\w+)\b([^.]*)\.$", r"\1\2."),
        (r"^(?:Unfortunately|I am sorry, but|I'm sorry, but|Sorry, but),? (\w+)\b([^.]*)\.$", r"\1\2."),
        (r"^(.{20,}), please([.?!])$", r"\1\2"),
        (r"^(.{15,}) (?:when|whenever) you (?:have|get) (?:a moment|a chance|time)([.?!])$", r"\1 now\2"),
    )
]


def blunt(text: str, rng: random.Random) -> str | None:
    """The same request or refusal without its courtesy; None if the sentence has none to lose.

    >>> blunt("Could you please send me the report?", random.Random(0))
    'Send me the report.'
    """
    for pattern, form in _SOFTENERS:
        if pattern.match(text):
            plain = pattern.sub(form, text)
            return plain[:1].upper() + plain[1:]
    return None


# ---- labels ----------------------------------------------------------------------------------------------------------


def wrong_words(bad: str, good: str) -> list[tuple[int, int, bool]]:
    """Spans (start, end) of the words and marks of `bad`, each with whether it must change to give `good`.

    A word that is missing marks the word it should stand before (the last one if it should stand at the end).

    >>> wrong_words("He go home", "He goes home.")
    [(0, 2, False), (3, 5, True), (6, 10, True)]
    """
    spans = [match.span() for match in WORDS.finditer(bad)]
    a, b = [bad[i:j] for i, j in spans], WORDS.findall(good)
    wrong = [False] * len(a)
    for tag, i1, i2, _, _ in difflib.SequenceMatcher(a=a, b=b, autojunk=False).get_opcodes():
        if tag == "insert" and a:
            wrong[min(i1, len(a) - 1)] = True
        elif tag != "equal":
            wrong[i1:i2] = [True] * (i2 - i1)
    return [(i, j, label) for (i, j), label in zip(spans, wrong, strict=True)]
