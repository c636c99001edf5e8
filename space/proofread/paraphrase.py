"""Whether a wording that a language model wrote of a blunt sentence still says what the sentence says.

    wording = rephrased("Where are the numbers?", "Could you please let me have the numbers?", likely=0.85)    # or None

A small model invents: it makes the writer do what the reader did, drops half a sentence, takes sarcasm literally. How sure it was tells
most of it; words tell the rest. Facts are compared elsewhere (`space.proofread.protect`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from space.proofread.kinds import AUXILIARIES, DETERMINERS, PREPOSITIONS
from space.proofread.policy import says_something_else
from space.proofread.polish import WARNING, Wording, contempt
from space.proofread.words import WORD, word_set

_SAYS = "Says it more kindly."
_DIFFERS = "Says it more kindly, in other words: check that it still says what you mean."
# The mean probability of a token from which a wording is made, and from which it is offered (training/LOG.md, 2026-12-01).
_SURE, _LIKELY = 0.8, 0.74
_KIND, _HARSH = word_set("tone", "kind_words"), word_set("tone", "harsh_words")
_SMALL = PREPOSITIONS | DETERMINERS | AUXILIARIES | word_set("tone", "small_words")
_FRAME = re.compile(
    r"\b(?:I am afraid|(?:I am|we are) sorry to (?:say|tell you)|(?:I|we) would (?:be (?:very )?(?:grateful|glad|happy) if|ask you(?: not)? to|appreciate it if|prefer it if|rather|like)|"
    r"it would (?:be (?:good|nice|better|great|kind)|help)(?: us)? if|(?:could|would|can) you(?: please| mind| kindly)?|(?:may|might|could) I (?:please )?ask(?: you not to)?|"
    r"(?:could|may) (?:I|we) please|(?:I|we) (?:think|believe|feel|hope|wonder|noticed|had hoped|have noticed|have the (?:impression|feeling)|do not think|do not find|did not find|regret to say)|"
    r"(?:I|we) (?:am|was|were|are) (?:very |rather |a little )?(?:upset|disappointed|worried|concerned|surprised|not (?:sure|happy)))\b(?: that| whether)?",
    re.IGNORECASE,
)
_PEOPLE = {
    word: row[0]
    for row in ("I me my mine myself", "we us our ours ourselves", "you your yours yourself yourselves")
    for word in row.lower().split()
}
_JOINTS = frozenset("and or but if because unless until before after when so since while".split())
_SAME_JOINT = {
    "or": {"otherwise", "if"},
    "because": {"as", "since"},
    "since": {"as"},
    "so": {"and", "as"},
    "and": {"but"},
}
_STEM = 4  # letters that forms of one word share
_MOST_NEW = 2  # words that are neither the writer's nor a courtesy


def rephrased(text: str, rewrite: str, likely: float) -> Wording | None:
    """The language model's wording of a sentence, whose tokens had this mean probability; None if it insults, or says something else.

    It is safe if the model was sure of it, people and things come in the order of the text, and nothing but courtesy is new and nothing
    but harshness gone.

    >>> rephrased("Your team never sent the numbers!", "I am afraid your team never sent the numbers.", 0.9).safe
    True
    >>> rephrased("Where are the numbers?", "Could you please let me have the numbers?", 0.9).safe
    False
    >>> rephrased("You obviously lost my file.", "I am afraid I lost my file.", 0.9) is None
    True
    """
    old, new = ([word.lower() for word in WORD.findall(each.replace("’", "'"))] for each in (text, rewrite))
    said = [word.lower() for word in WORD.findall(_FRAME.sub("", rewrite))]
    brought = [word for word in new if not _is_small(word) and word not in _KIND and not _is_among(word, old)]
    left = [word for word in old if not _is_small(word) and word not in _HARSH and not _is_among(word, new)]
    content = [word for word in old if not _is_small(word) and word not in _HARSH]
    if (
        likely < _LIKELY
        or contempt(rewrite)
        or len(brought) > _MOST_NEW
        or 3 * len(left) > len(content) + 1
        or _is_of_another(old, said)
        or _asks_wrongly(text, rewrite)
        or any(said.count(word) > max(1, old.count(word)) for word in said if not _is_small(word))
        or any(joint not in new and not _SAME_JOINT.get(joint, set()) & {*new} for joint in _JOINTS & {*old})
        or says_something_else(" ".join(left), " ".join(brought))
        or (_denies(text) != _denies(rewrite) and not denies_other_things(text, rewrite))
    ):
        return None
    safe = (
        likely >= _SURE
        and not (brought or left or contempt(text))
        and _denies(text) == _denies(rewrite)
        and _order(old) == _order(said)
    )
    return Wording(rewrite, _SAYS if safe else _DIFFERS, safe=safe, source="llm")


def _order(words: Sequence[str]) -> list[str]:
    """Who and what a text speaks of, courtesy and harshness aside, in its order."""
    people = [(word, _PEOPLE.get(word.partition("'")[0])) for word in words]
    return [
        who or word[:_STEM]
        for word, who in people
        if who or not (_is_small(word) or word in _KIND or word in _HARSH)
    ]


def _is_of_another(old: Sequence[str], said: Sequence[str]) -> bool:
    """Whether somebody else does the deed: "we" for "I", or the writer what was the reader's."""
    was, now = ({_PEOPLE.get(word.partition("'")[0]) for word in words} for words in (old, said))
    deeds = [{who.lower() for who in _DOES.findall(" ".join(words))} for words in (old, said)]
    return bool({"I", "w"} & now - was) and bool({"I", "w"} & was) or bool(deeds[1] - deeds[0])


# Who writes did it, and it did not happen to him: "I have been billed".
_DOES = re.compile(
    r"\b(i|we)\b(?! (?:am|was|were|are|have been|had been|have not been|was not|were not)\b(?! \w+ing\b))",
    re.IGNORECASE,
)
_OWN_DEED = re.compile(r"\b(?:I|we)(?:['’](?:m|re|ll|d)| am| are| will| have to| must)? (\w+)", re.IGNORECASE)
_ASKED_DEED = re.compile(
    r"(?:\b(?:could|would|can) you(?: please| mind| kindly)?|\byou could|^please) (\w+)", re.IGNORECASE
)
_NO_ENGLISH = re.compile(
    r"\b(?:could|would|can) you (?:please |kindly )?(?:do not|don['’]t)\b", re.IGNORECASE
)


def _asks_wrongly(text: str, rewrite: str) -> bool:
    """Whether it asks the reader for what the writer does ("I am reporting it.") or warns him of ("Do it again and you're fired."), or
    not in English."""
    asked = [deed.lower() for deed in _ASKED_DEED.findall(rewrite)]
    own = [deed.lower() for deed in _OWN_DEED.findall(text)]
    swapped = any(_is_among(deed, own) for deed in asked if not _is_small(deed))
    warned = bool(asked and WARNING.search(text) and not _DENIES.search(rewrite))
    return swapped or warned or _NO_ENGLISH.search(rewrite) is not None


_DENIES = re.compile(
    r"\b(?:not|never|no|nobody|nothing|cannot|stop|quit|avoid|\w+n['’]t)\b(?:\s+((?:\w+\W+){0,2}\w+))?",
    re.IGNORECASE,
)


_RHETORICAL = re.compile(
    r"\b\w+n['’]t (?=(?:you|we|they|he|she|it|there|anybody|anyone)\b)(?=.*\?)", re.IGNORECASE
)


def _denies(text: str) -> bool:
    """Whether it says that something is not so; "Didn't you read it?" does not."""
    return _DENIES.search(_RHETORICAL.sub("", _FRAME.sub("", text))) is not None


def denies_other_things(text: str, rewrite: str) -> bool:
    """Whether what one of two wordings denies the other does not speak of, so that a "not" fewer or more need not turn the meaning.

    >>> denies_other_things("I need the numbers, not your excuses.", "I would appreciate the numbers.")
    True
    >>> denies_other_things("This code is garbage.", "I am afraid this code is not very good.")
    True
    >>> denies_other_things("I will not come on Monday.", "I will come on Monday.")
    False
    """
    sides = [[word.lower() for word in WORD.findall(each)] for each in (text, rewrite)]
    denied = [
        [
            word.lower()
            for found in _DENIES.findall(_FRAME.sub("", each))
            for word in WORD.findall(found)
            if not _is_small(word.lower())
        ]
        for each in (text, rewrite)
    ]
    return any(denied) and not any(_is_among(word, sides[1 - i]) for i in (0, 1) for word in denied[i])


def _is_small(word: str) -> bool:
    return word in _SMALL or len(word) < 3


def _is_among(word: str, words: Sequence[str]) -> bool:
    """Whether a text has the word, in this form or another."""
    return any(word == other or len(word) > _STEM and word[:_STEM] == other[:_STEM] for other in words)
