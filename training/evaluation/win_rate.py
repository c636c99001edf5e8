"""How often the second of two answers wins, plain and at equal lengths, and what a judge's leaning to a position adds.

At equal lengths by a logistic regression of the outcome, P(second wins) = s(theta + phi tanh(d / std d)), where s is the
logistic function and d the characters of the second answer less those of the first: the win rate is 100 s(theta). It is
that of length-controlled AlpacaEval (Dubois et al. 2024, arXiv:2404.04475, section 3) without its term for the difficulty
of an instruction, which takes many models to estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation.metrics import interval, mean, percent, resampled

_RIDGE = 1e-3  # on phi, which has no finite estimate where the longer answer always wins
_STEPS, _LARGEST = 60, 20.0  # of Newton's method; s(20) is 1 to eight digits


@dataclass(frozen=True)
class Pair:
    """Two answers to one text."""

    source: str
    first: str
    second: str


@dataclass(frozen=True)
class Judged:
    """A pair with how much its second answer was preferred in either order: 1, 0, 0.5 for a tie, None for no verdict.

    `forward` is with the first answer shown first, `backward` with the second one first.
    """

    pair: Pair
    forward: float | None
    backward: float | None

    @property
    def asked(self) -> bool:
        return self.pair.first != self.pair.second

    @property
    def outcome(self) -> float | None:
        """Of the second answer: 1 won, 0 lost, 0.5 tie; None where a verdict is missing."""
        if self.forward is None or self.backward is None:
            return None
        return self.forward if self.forward == self.backward else 0.5


def summary(judged: Sequence[Judged]) -> dict[str, Any]:
    """Counts, the win rate of the second answers, plain and at equal lengths, and the judge's leaning to a position.

    Figures without anything to count are None.
    """
    known = [(each, each.outcome) for each in judged if each.outcome is not None]
    outcomes = np.array([outcome for _, outcome in known])
    lengths = np.array([len(each.pair.second) - len(each.pair.first) for each, _ in known], dtype=float)
    asked = [each for each in judged if each.asked]
    return {
        "pairs": len(judged),
        "equal": len(judged) - len(asked),
        "bad_answers": sum(answer is None for each in asked for answer in (each.forward, each.backward)),
        "judged": len(known),
        "wins": int((outcomes == 1).sum()),
        "ties": int((outcomes == 0.5).sum()),
        "losses": int((outcomes == 0).sum()),
        "win_rate_percent": interval([[outcome, 1] for outcome in outcomes], percent),
        "length_controlled_percent": resampled(
            len(known), lambda weights: length_controlled(outcomes, lengths, weights)
        ),
        "longer_by_characters": interval([[length, 1] for length in lengths], mean),
        "position": _position(asked),
    }


def _position(asked: Sequence[Judged]) -> dict[str, Any]:
    """Of the questions that were decided, the share in which the version shown first was preferred; of the pairs with two
    verdicts, the share in which both are the same; and how often a pair's verdict went with the position alone."""
    shown_first, same, always = [], [], {"first": 0, "second": 0}
    for each in asked:
        votes = [
            preferred
            for preferred in (None if each.forward is None else 1 - each.forward, each.backward)
            if preferred is not None
        ]
        decided = [vote for vote in votes if vote != 0.5]
        if decided:
            shown_first.append([sum(decided), len(decided)])
        if len(votes) == 2:
            same.append([each.forward == each.backward, 1])
            if votes[0] == votes[1] != 0.5:
                always["first" if votes[0] == 1 else "second"] += 1
    return {
        "first_preferred_percent": interval(shown_first, percent),
        "consistent_percent": interval(same, percent),
        "always_first": always["first"],
        "always_second": always["second"],
    }


def length_controlled(
    outcomes: np.ndarray, lengths: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """(resamples,) of the win rate in percent at equal lengths, for `weights` (resamples, pairs); one of all by default.

    `outcomes` are of the second answer, 0 to 1, `lengths` its characters less those of the first. Maximum likelihood by
    Newton's method, with a ridge of 0.001 on phi.
    """
    spread = lengths.std()
    x = np.tanh(lengths / spread) if spread > 0 else np.zeros_like(lengths)
    w = np.ones((1, len(outcomes))) if weights is None else weights
    theta, phi = np.zeros(len(w)), np.zeros(len(w))
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(theta[:, None] + phi[:, None] * x)))
        off, curved = w * (outcomes - p), w * p * (1 - p)
        slope_theta, slope_phi = off.sum(axis=1), (off * x).sum(axis=1) - _RIDGE * phi
        tt, tp = curved.sum(axis=1) + 1e-12, (curved * x).sum(axis=1)
        pp = (curved * x * x).sum(axis=1) + _RIDGE
        determinant = tt * pp - tp * tp
        step_theta = np.clip((pp * slope_theta - tp * slope_phi) / determinant, -1, 1)
        step_phi = np.clip((tt * slope_phi - tp * slope_theta) / determinant, -1, 1)
        theta, phi = np.clip(theta + step_theta, -_LARGEST, _LARGEST), phi + step_phi
        if max(np.abs(step_theta).max(), np.abs(step_phi).max()) < 1e-9:
            break
    return 100 / (1 + np.exp(-theta))
