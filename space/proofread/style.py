"""Wordings for a goal other than politeness: more formal, shorter, friendlier, phrase by phrase from lists.

    [(edit.before, edit.after) for edit in restyled("I'm writing to inform you that it's done.", "formal")]
    # [("I'm", "I am"), ("it's", "it is")]

A list knows no sentence: so it has phrases that mean the same wherever they stand, and a contraction of two meanings stays
unless the next word tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from space.proofread.edits import Edit
from space.proofread.words import read_list

_LISTS = {"formal": "formal", "short": "wordy", "friendly": "friendly"}
_REASONS = {
    "formal": "A letter has “{after}” for “{before}”.",
    "short": "Says the same in fewer words than “{before}”.",
    "friendly": "Sounds friendlier than “{before}”.",
}
_IN_FULL = "Formal English writes “{before}” in full."
_BEFORE_NAME = r"(?= (?-i:[A-Z]))"
_ASKED = r"(?! (?:I|you|he|she|it|we|they|this|that|these|those|there|the|my|our|your|his|her|their|not)\b)"  # "Don't you think"
# "It's" is short for "it has" too, "I'd" for "I had": what follows may tell.
_TWO_MEANINGS = (
    (re.compile(r"\b(he|she|it|that|there|here|what|who|where)['’]s(?= (?:been|got|had)\b)", re.IGNORECASE), " has"),
    (
        re.compile(
            r"\b(he|she|it|that|there|here|what|who|where)['’]s"
            r"(?= (?:a|an|the|my|our|your|not|no|too|very|so|still|also|only|just|in|on|at|for|from|to|up|available|fine|good|great|late|likely|"
            r"important|possible|ready|true|why|what|how|[a-z]+ing)\b)",
            re.IGNORECASE,
        ),
        " is",
    ),
    (re.compile(r"\b(I|you|he|she|it|we|they)['’]d(?= (?:like|love|prefer|be|appreciate|need|suggest|recommend)\b)", re.IGNORECASE), " would"),
)  # fmt: skip


def restyled(text: str, goal: str) -> list[Edit]:
    """Disjoint edits of a sentence that bring it nearer to the goal: formal, short or friendly.

    >>> [(edit.before, edit.after) for edit in restyled("In order to pay, we need it prior to May.", "short")]
    [('In order to', 'To'), ('prior to', 'before')]
    """
    found: list[Edit] = []
    for edit in _proposed(text, goal):
        if not any(edit.overlaps(other) for other in found):
            found.append(edit)
    return sorted(found, key=lambda edit: edit.start)


def _proposed(text: str, goal: str) -> Iterator[Edit]:
    for pattern, after in _phrases(_LISTS[goal]):
        for match in pattern.finditer(text):
            yield _edit(text, match.start(), match.end(), after, _REASONS[goal])
    if goal == "formal":
        for pattern, after in _phrases("contractions", _ASKED):
            for match in pattern.finditer(text):
                yield _edit(text, match.start(), match.end(), after, _IN_FULL)
        for pattern, verb in _TWO_MEANINGS:
            for match in pattern.finditer(text):
                yield _edit(text, match.start(), match.end(), match[1] + verb, _IN_FULL)


@cache
def _phrases(name: str, condition: str = "") -> list[tuple[re.Pattern[str], str]]:
    """The rows of a list as patterns, the longest phrase first."""
    rows = sorted(read_list(name), key=lambda row: -len(row[0]))
    return [
        (_pattern(before, _BEFORE_NAME if after == "Dear" else condition), "" if after == "-" else after)
        for before, after in rows
    ]


def _pattern(phrase: str, condition: str) -> re.Pattern[str]:
    begin = "^" if phrase.startswith("^") else r"(?<![\w'’-])"
    words = re.escape(phrase.removeprefix("^")).replace("'", "['’]")
    end = "" if phrase.endswith(",") else r"(?![\w'’-])"
    return re.compile(begin + words + end + condition, re.IGNORECASE)


def _edit(text: str, start: int, end: int, after: str, reason: str) -> Edit:
    """The edit, with the capital that the first word had; what is left out takes its blank along, and hands on its capital."""
    before = text[start:end]
    why = reason.format(before=before, after=after)
    capital = before[:1].isupper() and (start == 0 or not before.isupper())
    if not after:
        rest = re.match(r" ?\w?", text[end:])
        end += rest.end() if rest else 0
        after = text[end - 1 : end].upper() if capital else text[end - 1 : end]
    elif capital:
        after = after[:1].upper() + after[1:]
    return Edit(start, end, text[start:end], after, "tone", "polish", reason=why)
