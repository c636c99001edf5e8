"""Apply, suggest or refuse: what becomes of an edit that touches nothing protected, by the thresholds beside the models."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from space.errors import UserError
from space.proofread.edits import Edit, canonical
from space.proofread.words import likeness, read_list, word_set

PATH = Path(__file__).parents[1] / "models" / "thresholds.json"

_OPPOSITES = frozenset(frozenset(pair.split()) for (pair,) in read_list("opposites"))
_MODALS = word_set("grammar", "modals")
# Whose deed it is: a word of one row is never a correction of one of another.
_PERSONS = [frozenset(row.split()) for row in ("i me my mine", "we us our ours", "you your yours", "he him his", "she her hers", "they them their theirs")]  # fmt: skip
_WORDS = 2  # that a correction may add or take out
_SHORT, _LONG = 5, 8  # letters: a word this short is grammar, which replaces it freely
_LIKENESS = 0.5  # that longer words must have


@dataclass(frozen=True)
class Thresholds:
    """Probabilities, 0 to 1, from which a proposal goes to the language model, and what decides about its answer.

    `python -m training calibrate` writes them.
    """

    # Of the tagger's fix of a listed word: in general, and where both readings are often good.
    fix: float = 1.0
    preposition: float = 1.0
    sentence_end: float = 1.0
    capitals: float = 1.0
    article: float = 1.0
    # A word is surely wrong; then a fix this likely will do.
    surely_wrong: float = 1.0
    fix_of_surely_wrong: float = 1.0
    # An unlisted word is wrong: any, and a long one with one letter wrong.
    unlisted: float = 1.0
    unlisted_slip: float = 1.0
    # The tagger's fix of an unlisted word goes before the word list's, whose own suggestions have a score of this.
    fix_of_unlisted: float = 1.0
    listed: float = 1.0
    # A name lacks its apostrophe.
    possessive: float = 1.0
    # Logits that the language model's own edits must overcome while it writes.
    guide_gain: float = 0.0
    # The score of an edit that the language model alone proposes.
    llm: float = 0.0
    # P(polite) - P(impolite) that a rewrite may lose, and that free words must gain.
    politeness_margin: float = 0.0

    @classmethod
    def load(cls, path: Path = PATH) -> Thresholds:
        """UserError if the file is missing, or lacks a number."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))["thresholds"]
            return cls(**{each.name: float(values[each.name]) for each in fields(cls)})
        except OSError as error:
            raise UserError(
                f"{path} is missing: restore it with git checkout, or make it with python -m training calibrate."
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} cannot be read: restore it with git checkout.") from error

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def decide(
    text: str,
    edits: Sequence[Edit],
    proposals: Sequence[Edit],
    thresholds: Thresholds,
    *,
    corrections_only: bool,
) -> list[Edit]:
    """The language model's edits of a text with their status; one that somebody else proposed too takes over source and score.

    With `corrections_only` an edit that nobody proposed must be of a correction's size. What nobody proposed and says something
    else ("buy" for "sell", "you" for "we", "may" for "can") is a suggestion at most.
    """
    proposed = {canonical(each, text): each for each in proposals}
    found = []
    for edit in edits:
        agreed = proposed.get(canonical(edit, text))
        edit = edit if agreed else replace(edit, score=thresholds.llm)
        if edit.status == "refused":
            pass
        elif agreed:
            edit = replace(edit, source=agreed.source, score=agreed.score)
        elif corrections_only and not is_modest(edit.before, edit.after):
            edit = replace(edit, status="refused", reason="a change would go beyond a correction")
        elif says_something_else(edit.before, edit.after):
            edit = replace(edit, status="suggested")
        found.append(edit)
    return found


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
