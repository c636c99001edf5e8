"""Apply, suggest or refuse: what becomes of an edit that touches nothing protected, by the thresholds beside the models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from space.proofread.edits import Edit
from space.proofread.judge import calibrated
from space.proofread.words import likeness, read_list, word_set

PATH = Path(__file__).parents[1] / "models" / "thresholds.json"

_OPPOSITES = frozenset(frozenset(pair.split()) for (pair,) in read_list("opposites"))
_MODALS = word_set("grammar", "modals")
# Whose deed it is: a word of one row is never a correction of one of another.
_PERSONS = [frozenset(row.split()) for row in ("i me my mine", "we us our ours", "you your yours", "he him his", "she her hers", "they them their theirs")]  # fmt: skip
UNLIKELY = "not sure enough"  # the reason of an edit that is neither made nor offered, and need not be shown
BEYOND = "the change went beyond a correction, so we left it out"
_WORDS = 2  # that a correction may add or take out
_SHORT, _LONG = 5, 8  # letters: a word this short is grammar, which replaces it freely
_LIKENESS = 0.5  # that longer words must have


@dataclass(frozen=True)
class Thresholds:
    """What decides about edits and rewrites; `python -m training calibrate` writes them.

    `apply` and `suggest` are probabilities by kind of edit from which it is made, and offered; "default" is that of all other kinds,
    "llm" what an edit that the language model alone proposes needs at least.
    """

    apply: Mapping[str, float]
    suggest: Mapping[str, float]
    look: float  # the prior from which the language model is asked
    guide_gain: float  # logits that the language model's own edits must overcome while it writes
    politeness_margin: float  # P(polite) - P(impolite) that a rewrite may lose, and that free words must gain

    @classmethod
    def load(cls, path: Path = PATH) -> Thresholds:
        """UserError if the file is missing, or lacks a number."""
        with calibrated(path) as content:
            values = content["thresholds"]
            apply, suggest = (
                {kind: float(least) for kind, least in values[name].items()} for name in ("apply", "suggest")
            )
            numbers = (float(values[name]) for name in ("look", "guide_gain", "politeness_margin"))
            found = cls(apply, suggest, *numbers)
            found.apply["default"], found.suggest["default"]  # noqa: B018 (they must be there)
            return found

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def least(self, kind: str) -> float:
        """The probability from which an edit of this kind is made."""
        return self.apply.get(kind, self.apply["default"])

    def decide(self, edit: Edit, *, proposed: bool) -> Edit:
        """The edit with its status, by its score.

        What only the language model proposes must be of a correction's size, and is a suggestion at most if it says something else ("buy" for "sell", "you" for "we", "may" for "can").
        """
        if edit.status == "refused":
            return edit
        if not proposed and not is_modest(edit.before, edit.after):
            return replace(edit, status="refused", reason=BEYOND)
        alone = 0.0 if proposed else self.apply.get("llm", 0.0)
        if edit.score >= max(alone, self.least(edit.kind)):
            alike = proposed or not says_something_else(edit.before, edit.after)
            return replace(edit, status="applied" if alike else "suggested")
        if edit.score >= self.suggest.get(edit.kind, self.suggest["default"]):
            return replace(edit, status="suggested")
        return replace(edit, status="refused", reason=UNLIKELY)


def is_modest(before: str, after: str) -> bool:
    """Whether an edit is of the size of a correction: at most two words more or fewer, no word for an unlike one.

    >>> is_modest("recieved", "received"), is_modest("have", "has been"), is_modest("alcohol", "notice")
    (True, True, False)
    """
    old, new = before.lower().split(), after.lower().split()
    if abs(len(old) - len(new)) > _WORDS:
        return False
    return len(old) != len(new) or all(
        (min(len(a), len(b)) < _SHORT and max(len(a), len(b)) < _LONG) or likeness(a, b) >= _LIKENESS
        for a, b in zip(old, new, strict=True)
    )


def says_something_else(before: str, after: str) -> bool:
    """Whether words of other meaning take each other's place: opposites, another person, another modal verb.

    >>> [says_something_else(*pair) for pair in (("buy", "sell"), ("You", "We"), ("can", "may"), ("he", "him"), ("buys", "buy"))]
    [True, True, True, False, False]
    """
    old, new = (re.findall(r"[^\W\d_]+", text.lower()) for text in (before, after))
    gone, come = [word for word in old if word not in new], [word for word in new if word not in old]
    return any(_differ(a, b) for a in gone for b in come) or (
        sorted(old) == sorted(new) and _swaps_persons(old, new)
    )


def _differ(a: str, b: str) -> bool:
    if frozenset((a, b)) in _OPPOSITES or {a, b} <= _MODALS:
        return True
    persons = [next((i for i, row in enumerate(_PERSONS) if word in row), None) for word in (a, b)]
    return None not in persons and persons[0] != persons[1]


def _swaps_persons(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether the same words come in an order in which another person does it ("You owe us" -> "We owe you")."""
    people = set().union(*_PERSONS)
    return [word for word in old if word in people] != [word for word in new if word in people]
