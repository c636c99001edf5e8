"""One calibrated probability for an edit: what classifiers know of it, what the language model thinks, how the text reads.

    judge = Judge.load()
    before = judge.prior(prior_features(word, "goes", 0.8, "tagger", guesses={}, is_listed=True, elsewhere=0.03))
    after = judge.posterior(edit, Odds(log_odds=3.2, log_probability=-4.1))
    last = judge.reread({replace(edit, score=after): 2.5})  # if `contested` says so

Three logistic regressions, each upon the one before: an engine that shows no probabilities has the first alone. What nothing but
reading tells ("tree" for "three", "is here since May") has a third one of its own. `python -m training calibrate` fits them on real
corrections held back from training.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.classifiers.tags import TaggedWord
from space.proofread.edits import Edit, apart, classify
from space.proofread.kinds import is_slip, takes_words
from space.proofread.lexicon import Guess
from space.proofread.words import likeness

PATH = Path(__file__).parents[1] / "models" / "judge.json"
_LEAST = 1e-4  # probabilities are kept this far from 0 and 1
_MOST_ODDS = 12.0  # nats; more says nothing more
_OPEN = (0.1, 0.85)  # reading more changes little (training/LOG.md, 2026-11-29)
# A word typed for another, or a wrong tense, is copied by the language model as it stands; the words behind it tell
# (training/LOG.md, 2026-12-01).
_SLIPPED, _CONSTRUED = 0.01, 0.003
_EACH = 2  # for one place that are read
_MOST_GAIN = 40.0  # nats that such an edit makes a text likelier

Features = Mapping[str, float]


@dataclass(frozen=True)
class Odds:
    """What a language model thinks where an edit begins, in nats.

    `log_odds` is how much likelier it finds the first token with the edit than without, `log_probability` that of the token
    without.
    """

    log_odds: float
    log_probability: float


@dataclass(frozen=True)
class Judge:
    """Weights by the name of their feature: of the probability by classifiers alone, of that with a language model, and of that once
    the text was read, apart for what nothing else tells."""

    classifiers: Features
    language_model: Features
    reading: Features
    quiet: Features

    @classmethod
    def load(cls, path: Path = PATH) -> Judge:
        """UserError if the file is missing, or is none."""
        with calibrated(path) as content:
            parts = (content["weights"][part] for part in PARTS)
            return cls(*({name: float(weight) for name, weight in part.items()} for part in parts))

    def prior(self, features: Features) -> float:
        """The probability of an edit with these `prior_features`."""
        return _sigmoid(self.classifiers, features)

    def posterior(self, edit: Edit, odds: Odds) -> float:
        """The probability of an edit whose score is its prior."""
        return _sigmoid(self.language_model, posterior_features(edit, odds))

    def reread(self, read: Mapping[Edit, float]) -> dict[Edit, float]:
        """The probabilities of edits whose scores are their posteriors, and which make their text likelier by so many nats."""
        return {
            edit: _sigmoid(self.quiet if is_unnoticed(edit) else self.reading, features_once_read(edit, read))
            for edit in read
        }


PARTS = ("classifiers", "language_model", "reading", "quiet")


def contested(edits: Sequence[Edit]) -> list[Edit]:
    """The edits that it is worth the time to read the text with, the likeliest first.

    Those in doubt, as reading changes little of others, and of those that stand in one place each: "any unecessary ones" is about
    "necessary" or "unnecessary", and to the one the other's odds say nothing.
    """
    likely = [edit for edit in edits if edit.score >= _OPEN[0]]
    found = [edit for edit in likely if edit.score <= _OPEN[1] or _rivals(edit, likely)]
    return sorted([*found, *_quiet(edits)], key=lambda edit: -edit.score)


def _quiet(edits: Iterable[Edit]) -> list[Edit]:
    """What nothing but reading tells, where no other edit is sure: the likeliest words that each word may be typed for, and grammar."""
    sure = [edit for edit in edits if edit.score > _OPEN[1]]
    found: dict[tuple[int, int], list[Edit]] = {}
    for edit in sorted(edits, key=lambda edit: -edit.score):
        if is_unnoticed(edit) and _may_be_quiet(edit) and not _rivals(edit, sure):
            found.setdefault((edit.start, edit.end), []).append(edit)
    return [edit for some in found.values() for edit in some[:_EACH]]


def _may_be_quiet(edit: Edit) -> bool:
    if takes_words(edit.before, edit.after):
        return edit.source in ("grammar", "tagger") and edit.score >= _CONSTRUED
    return edit.source != "lexicon" and edit.score >= _SLIPPED and is_slip(edit.before, edit.after)


def is_unnoticed(edit: Edit) -> bool:
    """Whether it is read, if at all, for what it is, and not for what its posterior says."""
    return edit.score < _OPEN[0]


def _rivals(edit: Edit, others: Iterable[Edit]) -> list[Edit]:
    return [other for other in others if other is not edit and edit.overlaps(other)]


@contextmanager
def calibrated(path: Path) -> Iterator[Any]:
    """The content of a file that `python -m training calibrate` wrote. UserError if it is missing, or not as it must be."""
    try:
        yield json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{path} is missing: restore it with git checkout, or make it with python -m training calibrate."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: restore it with git checkout.") from error


def prior_features(
    word: TaggedWord,
    after: str,
    score: float,
    source: str,
    *,
    guesses: Mapping[str, Guess],
    is_listed: bool,
    elsewhere: float,
) -> dict[str, float]:
    """What is known of a fix of one word.

    `score` is the tagger's of this fix, 0 if the word list alone has it; `guesses` are what the list takes a word for that it lacks
    (not `is_listed`); `elsewhere` is the share of the other words that is probably wrong, more than 0: who errs often has
    probably erred here too.
    """
    wrong, score, guess = _within(word.wrong), _within(score), guesses.get(after)
    another = max((each.weight for each in guesses.values()), default=0.0)  # "weekend" of "weekand" -> "week"
    return {
        "bias": 1.0,
        "fix": logit(score),
        "wrong": logit(wrong),
        "elsewhere": math.log(elsewhere),
        "share": max(-6.0, math.log(min(1.0, score / wrong))),
        "listed": float(is_listed),
        "letters": 0.0 if is_listed else min(10.0, len(word.text)) / 10,  # a short word is like many others
        "name": float(not is_listed and word.start > 0 and word.text[:1].isupper()),
        "unlike": 0.0 if is_listed else 1 - likeness(word.text.lower(), after.lower()),
        "guessed": float(guess is not None),
        "share of guesses": math.log(guess.share) if guess else 0.0,
        "weight of guess": guess.weight / 4 if guess else 0.0,
        "weight of another": 0.0 if guess else another / 4,
        f"by {source}": 1.0,
        **_sort(classify(word.text, after), word.text, after),
    }


def posterior_features(edit: Edit, odds: Odds) -> dict[str, float]:
    """What is known of an edit, whose score is its prior, once a language model was asked."""
    log_odds = _within_odds(odds.log_odds)
    return {
        "bias": 1.0,
        "prior": logit(edit.score),
        "odds": log_odds,
        "odds for it": max(0.0, log_odds),
        "unexpected": max(-_MOST_ODDS, odds.log_probability),
        "expected": max(-_MOST_ODDS, odds.log_odds + odds.log_probability),
        f"by {edit.source}": 1.0,
        **_sort(edit.kind, edit.before, edit.after),
    }


def features_once_read(edit: Edit, read: Mapping[Edit, float]) -> dict[str, float]:
    """What is known of an edit, whose score is its posterior, once its text was read with it and with others: how much likelier (nats)
    each made it."""
    if not is_unnoticed(edit):
        return _reading_features(edit, read) | _beside_rivals(edit, read)
    sort = "words" if takes_words(edit.before, edit.after) else "typed"
    own = _quiet_features(edit, read[edit]) | _beside_rivals(edit, read)
    return {"bias": 1.0, sort: 1.0} | {f"{name} {sort}": value for name, value in own.items()}


def _reading_features(edit: Edit, read: Mapping[Edit, float]) -> dict[str, float]:
    gain = _within_odds(read[edit])
    return {
        "bias": 1.0,
        "posterior": logit(edit.score),
        f"gain {edit.kind}": gain,
        f"gain {_way(edit.before, edit.after)}": gain,
        f"likelier {edit.kind}": max(0.0, gain),
        f"by {edit.source}": 1.0,
        **_sort(edit.kind, edit.before, edit.after),
    }


def _quiet_features(edit: Edit, gain: float) -> dict[str, float]:
    """Here a large gain tells more than a fair one, whatever the kind."""
    return {
        "posterior": logit(edit.score),
        "gain": _within_odds(gain),
        "likelier": max(0.0, min(_MOST_GAIN, gain)),
        f"by {edit.source}": 1.0,
        f"kind {edit.kind}": 1.0,
    }


def _beside_rivals(edit: Edit, read: Mapping[Edit, float]) -> dict[str, float]:
    rivals = [other for other in _rivals(edit, read) if not is_unnoticed(other)]
    if not rivals:
        return {}
    before = logit(edit.score) - max(logit(other.score) for other in rivals)
    ahead = read[edit] - max(read[other] for other in rivals)
    return {"rivalled": 1.0, "ahead before": _within_odds(before), "ahead": _within_odds(ahead)}


def _within_odds(nats: float) -> float:
    return max(-_MOST_ODDS, min(_MOST_ODDS, nats))


def _sort(kind: str, before: str, after: str) -> Features:
    """An edit's kind, and whether it adds, removes or replaces: "a" for "the" is another risk than either put in."""
    return {f"kind {kind}": 1.0, f"{kind} {_way(before, after)}": 1.0}


def _way(before: str, after: str) -> str:
    _, was, becomes, _ = apart(before, after)
    return "removed" if not becomes.strip() else "replaced" if was.strip() else "added"


def logit(probability: float) -> float:
    probability = _within(probability)
    return math.log(probability / (1 - probability))


def _within(probability: float) -> float:
    return max(_LEAST, min(1 - _LEAST, probability))


def _sigmoid(weights: Features, features: Features) -> float:
    return 1 / (1 + math.exp(-sum(weights.get(name, 0.0) * value for name, value in features.items())))
