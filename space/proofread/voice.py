"""Whether a rewrite is one: of about the length of its text, without loops, and no word of the model's own to the user."""

from __future__ import annotations

import re
from collections import Counter

from space.proofread.edits import diff
from space.proofread.names import plain
from space.proofread.words import WORD, word_set

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_CONTROL = re.compile(
    r"<\|[^<>|\n]{0,60}\|?>?|\|>|</?s>|\[/?INST\]|<</?SYS>>"
    r"|</?(?:bos|eos|pad|unk|think|start_of_turn|end_of_turn)>"
    r"|###|\*\*|```|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_ANSWERS = [
    re.compile(pattern, re.I)
    for pattern in (
        r"^\W{0,3}(?:sure|certainly|of course|absolutely|got it|understood|no problem)\b\W",
        r"^\W{0,3}(?:assistant|user|system|output|input|answer|response|corrected|rewritten|revised)\b\s?:",
        r"\bhere(?:'s| is| are)\b.{0,20}\b(?:corrected|revised|improved|rewritten|polished|correction)\b",
        r"\b(?:corrected|revised|improved|rewritten|polished) (?:text|version|sentence|email|message|one)\b",
        r"\b(?:note|explanation|changes(?: made)?|corrections?)\s?:",
        r"\b(?:no (?:changes|corrections) (?:are |were )?(?:needed|necessary|required)|already correct)\b",
        r"\bas an? (?:ai|artificial|(?:large )?language model|assistant)\b",
        r"\bi (?:can't|cannot|am unable to|won't) (?:help|assist|comply|fulfil|proofread|rewrite)",
        r"\bi(?:'ve| have)? (?:corrected|rewritten|revised|proofread|fixed) (?:the|your|this) ",
        r"\b(?:grammatical|grammar|politeness|sentiment|proofread\w*)\b",
        r"\bi hope this helps\b|\blet me know if you'?d like (?:me to|any)\b",
    )
]
_MAY_DOUBLE = word_set("grammar", "may_double")
_TOKEN = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
# What a rewrite that is none was. Nobody who reads an email need be told: these are accidents of the model.
_KEPT = ", so we kept your sentence"
_STRAY = f"the rewrite held stray symbols{_KEPT}"
_EMPTY = f"the rewrite came back empty{_KEPT}"
_BROKEN = f"the rewrite lost a line break{_KEPT}"
_ANSWER = f"the rewrite was an answer, not a correction{_KEPT}"
_LONG = f"the rewrite was far too long{_KEPT}"
_LOST_MUCH = f"the rewrite lost too much{_KEPT}"
_LOOP = f"the rewrite repeated itself{_KEPT}"
UNLIKE = f"the rewrite was too different{_KEPT}"
ACCIDENTS = frozenset((_STRAY, _EMPTY, _BROKEN, _ANSWER, _LONG, _LOST_MUCH, _LOOP, UNLIKE))
_LOST = 0.45  # share of the words that a rewrite must keep, corrected ones among them


def objection(before: str, after: str) -> str | None:
    """Why this is no rewrite of the text, in one line for the user; None if it is one.

    >>> objection("Please send it.", "Sure, here is it: Please send it.")
    'the rewrite was an answer, not a correction, so we kept your sentence'
    """
    if before == after:
        return None
    if Counter(_CONTROL.findall(after)) - Counter(_CONTROL.findall(before)):
        return _STRAY
    if before.strip() and not after.strip():
        return _EMPTY
    if _LINE_BREAK.findall(before) != _LINE_BREAK.findall(after):
        return _BROKEN
    before, after = plain(before), plain(after)
    return _answer(before, after) or _length(before, after) or _loop(before, after) or _unlike(before, after)


def _answer(before: str, after: str) -> str | None:
    for pattern in _ANSWERS:
        found = pattern.search(after)
        # "I cant help" -> "I can't help": the words were the writer's own.
        if found and not pattern.search(before) and set(_bare(found.group())) - set(_bare(before)):
            return _ANSWER
    return None


def _bare(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("'", ""))


def _length(before: str, after: str) -> str | None:
    was, becomes = len(before.split()), len(after.split())
    if becomes > 1.5 * was + 6 or len(after) > 2 * len(before) + 60:
        return _LONG
    return _LOST_MUCH if becomes < 0.6 * was - 1 else None


def _loop(before: str, after: str) -> str | None:
    return _LOOP if _repeats(after) > _repeats(before) else None


def _repeats(text: str) -> int:
    """How often up to eight words follow themselves at once, and how often five words come back later."""
    words = [word.lower() for word in _TOKEN.findall(text)]
    found = 0
    for size in range(1, 9):
        for at in range(len(words) - 2 * size + 1):
            if words[at] == words[at + size] and words[at : at + size] == words[at + size : at + 2 * size]:
                thrice = words[at + 2 * size : at + 3 * size] == words[at : at + size]
                found += size > 1 or words[at].isalpha() and words[at] not in _MAY_DOUBLE or thrice
    runs = Counter(tuple(words[at : at + 5]) for at in range(len(words) - 4))
    return found + sum(count - 1 for count in runs.values())


def _unlike(before: str, after: str) -> str | None:
    words = len(WORD.findall(before))
    replaced = sum(
        len(WORD.findall(e.before)) for e in diff(before, after) if e.kind in ("other", "word choice")
    )
    return UNLIKE if words >= 5 and replaced > (1 - _LOST) * words else None
