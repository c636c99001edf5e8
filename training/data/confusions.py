"""What mistakes are made of: words that are taken for each other, inflections, misspellings."""

from __future__ import annotations

import random
import re
from functools import cache, lru_cache

MODALS = frozenset(
    "can could may might must shall should will would to don't doesn't didn't can't won't let's".split()
)
HAVE = frozenset("have has had having haven't hasn't hadn't I've we've you've they've".split())
BE = frozenset(
    "be am is are was were been being isn't aren't wasn't weren't I'm we're they're you're".split()
)
PLURAL_SUBJECT = frozenset("I you we they these those people".split())
SINGULAR_SUBJECT = frozenset("he she it this that who everyone everything someone nobody".split())
ARTICLES = frozenset({"a", "an", "the"})
VOWELS = "aeiou"

PREPOSITIONS = {
    "in": "on at of for to", "on": "in at of to", "at": "in on to for", "for": "to of at since from",
    "to": "for at in into of", "of": "from for in about to", "from": "of since to at", "with": "by to of from",
    "by": "with from for until", "about": "of for in", "into": "to on", "since": "from for", "until": "to since",
    "during": "while at", "between": "among from", "through": "from", "over": "at", "after": "since", "before": "until",
}  # fmt: skip

# Words that sound or look alike; each is taken for the others of its group.
_CONFUSED = [group.split("|") for group in (
    "their|there|they're", "its|it's", "your|you're", "to|too", "than|then", "affect|effect", "lose|loose",
    "were|where|we're", "who's|whose", "accept|except", "quite|quiet", "advice|advise", "principal|principle",
    "weather|whether", "hear|here", "know|now", "passed|past", "buy|by", "write|right", "piece|peace", "brake|break",
    "week|weak", "our|are", "wait|weight", "meet|meat", "form|from", "though|through|thought", "of|off",
    "no|know", "two|too", "new|knew", "one|won", "some|sum", "would|wood", "which|witch", "complement|compliment",
    "device|devise", "personal|personnel", "stationary|stationery", "council|counsel",
    "ensure|insure", "loss|lost", "live|leave", "this|these", "that|those", "that|than", "as|has", "an|and", "on|one", "been|being",
    "choose|chose", "lead|led", "site|sight", "role|roll", "whole|hole", "steal|steel", "desert|dessert", "farther|father",
    "interesting|interested", "boring|bored", "exciting|excited", "tiring|tired", "confusing|confused",
    "disappointing|disappointed", "annoying|annoyed", "satisfying|satisfied", "worrying|worried", "surprising|surprised", "everyday|every day", "maybe|may be", "any more|anymore",
    "apart|a part", "into|in to", "altogether|all together", "each other|eachother", "a lot|alot", "in fact|infact",
    "as well|aswell", "at least|atleast", "of course|ofcourse", "in case|incase", "thank you|thankyou", "cannot|can not",
    "can't|cant", "sure|shure", "lets|let's", "there are|there is", "there is|there are", "have|has", "do|does", "was|were",
    "is|are", "am|is", "don't|doesn't", "much|many", "less|fewer", "little|few", "good|well", "make|do", "say|tell",
    "said|told", "borrow|lend", "learn|teach", "fun|funny", "other|another",
    "others|other", "also|too", "so|such", "like|as", "because|cause", "although|but", "me|I", "him|he",
    "myself|me", "them|they", "us|we", "who|which", "who|whom", "what|that", "hard|hardly",
    "near|nearly", "late|lately", "real|really", "quick|quickly", "slow|slowly", "careful|carefully", "easy|easily",
    "actual|actually", "bad|badly", "regular|regularly", "success|succeed", "important|importance", "different|difference",
    "difficult|difficulty", "possible|possibility", "economic|economical", "safe|safety", "health|healthy",
    "confident|confidence", "convenient|convenience", "available|availability", "able|ability", "beautiful|beautifull",
)]  # fmt: skip
CONFUSIONS: dict[str, list[str]] = {}
for _group in _CONFUSED:
    for _member in _group:
        CONFUSIONS.setdefault(_member, []).extend(other for other in _group if other != _member)
# Only in one direction: the left word is right, the right one never is.
CONFUSIONS |= {"have": [*CONFUSIONS["have"], "of"]}

UNCOUNTABLE = frozenset(
    "information advice equipment feedback furniture homework knowledge luggage software research progress evidence work "
    "news traffic training money help staff machinery hardware documentation correspondence clothing baggage".split()
)
EXTRA_PREPOSITION = {
    "discuss": "about", "contact": "with", "emphasize": "on", "request": "for", "answer": "to", "call": "to", "enter": "in",
    "reach": "to", "join": "to", "consider": "about", "mention": "about", "return": "back", "repeat": "again", "meet": "with",
    "ask": "to", "visit": "to", "phone": "to", "attend": "to", "lack": "of", "access": "to", "approach": "to", "marry": "with", "order": "for", "demand": "for", "investigate": "into",
}  # fmt: skip
# Words that leave a gap; "that", "not" or "would" may go and leave good English.
DROPPABLE = frozenset(
    "to of for in on at is are be am was were it a an and do with as been so you I we by".split()
)
# Nouns that stand without an article after a preposition.
BARE = {
    preposition: frozenset(nouns.split())
    for preposition, nouns in {
        "by": "email phone post mail train car bus hand default accident mistake",
        "on": "time behalf holiday vacation average purpose",
        "at": "home work night noon least present first last once",
        "in": "person advance general detail contact touch addition writing stock",
        "for": "example instance sale free now lunch dinner",
        "of": "course",
        "to": "bed work",
        "from": "home scratch memory",
        "under": "control pressure",
    }.items()
}
NUMBERS = frozenset("one two three four five six seven eight nine ten several many a an about".split())
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
