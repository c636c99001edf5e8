"""How a blunt sentence may be put more kindly: what could stand in place of an order or a demand, or open a complaint.

    softened("Send me the report now.")     # Send = Could you please send; now = as soon as you can; . = ?

The model is told of it as of any other edit, and decides. A small model that is left alone to be polite invents: so a
rewrite of its own is held to `is_faithful`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from space.proofread.edits import Edit
from space.proofread.words import WORD, word_set

_TERM = re.compile(rf"{WORD.pattern}|\d+")

# Verbs that open an order: what can be asked for, and what sounds better with "please".
_FAVOURS = (
    "add|answer|approve|arrange|ask|attach|book|bring|call|cancel|change|check|clarify|come|complete|confirm|contact|correct|"
    "deliver|email|explain|extend|find|finish|fix|forward|get|give|help|inform|let|look|make|move|order|organi[sz]e|pay|prepare|"
    "print|provide|refund|remind|remove|replace|reply|reschedule|resend|return|review|schedule|send|share|show|sign|submit|"
    "take|tell|transfer|update|upload|write"
)
_OTHERS = "be|consider|do|don't|follow|go|hurry|keep|leave|listen|meet|never|put|read|remember|stop|think|try|use|wait"
# After these a word like "order", "change" or "call" is a verb.
_OBJECT = r"(?= (?:me|us|him|her|them|it|the|an?|this|that|these|those|my|our|your|his|their|all|both|each|every|some|somebody|someone)\b)"
_PLACE = r"(?= (?:to|at|into|for|back|with|by|up|out|on|over|down|here)\b)"
_ORDER = rf"(?:(?:{_FAVOURS}){_OBJECT}|(?:come|get|look|move|reply){_PLACE}|let me know\b)"
_PLEA = rf"(?:{_OTHERS}|just (?:{_FAVOURS}|{_OTHERS}))\b(?! (?:you|of|is|are|was|were|times?)\b)"
_LEAD = r"(?P<lead>(?:(?:and|then|so|also|but|now),? )?)"
_DEED = rf"(?!be\b)(?:{_FAVOURS}|{_OTHERS})\b"

# What opens a blunt sentence, and what could: the first that fits is taken. "?" makes a question of it.
_OPENINGS = tuple(
    (re.compile(pattern, re.IGNORECASE), kinder, asks)
    for pattern, kinder, asks in (
        (rf"{_LEAD}(?P<said>)(?P<rest>{_ORDER})", "could you please ", True),
        (rf"{_LEAD}(?P<said>)(?P<rest>{_PLEA})", "please ", False),
        (rf"{_LEAD}(?P<said>(?:I|we) (?:want|need) you to )(?P<rest>\w)", "could you please ", True),
        (rf"{_LEAD}(?P<said>you (?:must|have to|need to|had better|should) )(?P<rest>{_DEED})", "please ", False),
        (rf"{_LEAD}(?P<said>(?:can|will) you )(?P<rest>{_DEED})", "could you please ", True),
        (r"(?P<lead>)(?P<said>I want )(?P<rest>\w)", "I would like ", False),
        (r"(?P<lead>)(?P<said>We want )(?P<rest>\w)", "we would like ", False),
    )
)  # fmt: skip
# A complaint, in at least four words: it can be regretted. The first of these that the email has not yet had is taken.
REGRETS = ("I am afraid", "Unfortunately,")
_COMPLAINT = re.compile(
    r"(?P<first>I|we|you|he|she|they|it|this|that|these|those|there|the|my|our|your|his|her|their|nobody|nothing|no one)"
    r"(?= (?:\S+ ){2})[^?]*$",
    re.IGNORECASE,
)
_WHY = re.compile(
    r"Why (?P<verb>is|are|was|were|has|have) (?P<subject>(?:this|that|it|(?:the|my|our|your) \w+))\b", re.IGNORECASE
)  # fmt: skip
_HASTE = re.compile(r"(?<= )(?:right now|immediately|at once|now|asap)(?=[.!?]*$)", re.IGNORECASE)
_END = re.compile(r"(?:[.!]+)?$")
_COURTEOUS = re.compile(r"\b(?:please|kindly|would you|could you|thanks?|sorry)\b", re.IGNORECASE)


def softened(text: str, edits: Sequence[Edit] = (), regret: str | None = REGRETS[0]) -> list[Edit] | None:
    """The edits and, in place of those in its way, what could soften the sentence; None if we know of nothing.

    `regret` opens a complaint; without one that stays.

    >>> [(each.before, each.after) for each in softened("You must send me the list!")]
    [('You must', 'Please'), ('!', '.')]
    """
    text = text.rstrip()
    found = [] if _COURTEOUS.search(text) else list(_fixes(text, regret))
    kinder = [Edit(start, end, text[start:end], after, "tone", "polish") for start, end, after in found]
    others = [each for each in edits if not any(each.overlaps(other) for other in kinder)]
    return sorted([*kinder, *others], key=lambda each: each.start) if kinder else None


def _fixes(text: str, regret: str | None) -> Iterator[tuple[int, int, str]]:
    opening, asks = _opening(text, regret)
    if opening is None:
        return
    yield opening
    haste = _HASTE.search(text, opening[1])
    if haste and "," not in text:
        yield haste.start(), haste.end(), "as soon as you can"
    end = _END.search(text)
    mark = "?" if asks else "."
    if end and end.group() and end.group() != mark:
        yield end.start(), end.end(), mark


def _opening(text: str, regret: str | None) -> tuple[tuple[int, int, str] | None, bool]:
    """What should stand at the beginning, and whether that makes a question."""
    if why := _WHY.match(text):
        moved = f"Could you tell me why {_lower(why['subject'])} {why['verb'].lower()}"
        return (0, why.end(), moved), True
    for pattern, kinder, asks in _OPENINGS:
        if found := pattern.match(text):
            asks = asks and not re.search("[,;:]", text)  # a question that goes on is none
            kinder = kinder if asks or kinder != "could you please " else "please "
            end, first = found.end("said"), ""
            if not found["said"]:  # the verb has lost the first place, and its capital
                word = _TERM.match(text, end)
                first, end = (_lower(word.group()), word.end()) if word else (first, end)
            made = (found["lead"] + kinder + first).strip()
            return (0, len(text[:end].rstrip()), made[:1].upper() + made[1:]), asks
    if regret and (complaint := _COMPLAINT.match(text)):
        return (0, complaint.end("first"), f"{regret} {_lower(complaint['first'])}"), False
    return None, False


def _lower(text: str) -> str:
    return text if text == "I" else text[:1].lower() + text[1:]


# ---- what a polite rewrite of the model's own may do ------------------------------------------------------------------

# Words that may come or go: grammar, courtesies, and what makes a sentence hasty.
_LIGHT = word_set("grammar", "light")


def is_faithful(before: str, after: str) -> bool:
    """Whether a rewrite says what the text said: no word of weight is new, and none is gone.

    >>> is_faithful("Send me the list now.", "Could you please send me the list?")
    True
    >>> is_faithful("Stop sending me these reports.", "Could you please send me these reports?")
    False
    """
    old, new = ({_stem(word) for word in _TERM.findall(text.lower())} for text in (before, after))
    light = {_stem(word) for word in _LIGHT}
    return not (old ^ new) - light


def _stem(word: str) -> str:
    """The word without the commonest endings, for comparing."""
    word = word.replace("’", "'")
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)]
    return word
