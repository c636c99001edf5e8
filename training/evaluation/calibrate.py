"""The judge of edits and its thresholds, fitted on real corrections that no model was trained on.

    python -m training calibrate --pairs pairs.jsonl --clean mail.jsonl --out runs/calibrated
    cp runs/calibrated/judge.json runs/calibrated/thresholds.json space/models/

`--pairs` are rows of source and target, or of a text that is right, of which only those held back from training are read; `--clean` are
texts with hardly a mistake, some of which are read a second time with a word typed for another. An edit is right if the target has it, and
wrong if the target has another one in its place or the text is right; elsewhere in a corrected text nobody knows, as who mends one mistake
may leave others, and it is left out. So it is with what a right text has wrong after all: lists/verdicts.tsv says what is known of it, and
what has no verdict is printed. Three logistic regressions are fitted, each upon the one before, the last with weights of its own for what
nothing but reading tells (space/proofread/judge.py), with the models that space/models holds. The kind of an edit is part of what is known,
so one threshold serves most kinds. reliability.json says how often edits of a probability were right, out of fold: five folds by text.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.edits import JUDGED_KINDS, Edit, canonical, diff
from space.proofread.evidence import Classifiers, Evidence, is_looked_at
from space.proofread.judge import (
    PARTS,
    Judge,
    Odds,
    contested,
    features_once_read,
    is_unnoticed,
    posterior_features,
)
from space.proofread.lexicon import Lexicon
from space.proofread.llm.engine import Engine, Expected, Sampling
from space.proofread.pipeline import load_proofreader
from space.proofread.policy import Thresholds
from space.proofread.prompt import messages
from space.proofread.propose import candidates, prior_of, propose, word_edit
from space.settings import Settings
from training.data.answers import Answers
from training.data.pairs import Pair, calibration_texts, load_texts, real_pairs
from training.data.slips import with_slip
from training.evaluation.adjudicated import RIGHT, UNSURE, ask, digest, verdicts
from training.runs import atomic_write
from training.runs.tables import in_columns

# From which probability an edit is made, and offered: on training mail whose changes were judged by hand. What the language
# model writes by itself is as often wrong as right, so it is offered.
_APPLY: dict[str, float] = {"default": 0.6, "llm": 0.995}
_SUGGEST: dict[str, float] = {"default": 0.2}
_FOLDS = 5
_RIDGE = 3.0  # strength of the penalty on squared weights, in observations
_MADE = 0.5  # a prior from which an edit stands in the text before the model is asked about those that follow
_SLIPPED = 10  # of so many clean texts one has a word typed for another
_OFTENER = 3.0  # than in mail: their odds are corrected for it (King and Zeng 2001, section 4.1)
_BINS = 10  # of the reliability diagram


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs",
        type=Path,
        nargs="+",
        required=True,
        help="JSON lines of source and target, or of right text",
    )
    parser.add_argument("--clean", type=Path, help="texts without mistakes, JSON lines with a text column")
    parser.add_argument(
        "--clean_texts", type=int, default=2000, help="of those, drawn at random (default 2000)"
    )
    for name, least, done in (("apply", _APPLY, "made"), ("suggest", _SUGGEST, "offered")):
        words = " ".join(
            f"{kind}={value}" if kind != "default" else f"{value}" for kind, value in least.items()
        )
        parser.add_argument(
            f"--{name}", type=_probability, nargs="+", metavar="PROBABILITY", default=[],
            help=f"from which an edit is {done}; of one kind as kind=probability (default {words})",
        )  # fmt: skip
    parser.add_argument("--limit", type=int, help="texts to read, for a trial")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for judge.json, thresholds.json and reliability.json"
    )


@dataclass(frozen=True)
class Observation:
    """One edit that was proposed: its text's number, what is known of it, and whether it is right; None if nobody knows."""

    text: int
    edit: Edit
    features: dict[str, float]
    right: bool | None


def _probability(given: str) -> tuple[str, float]:
    """The kind of edits, "default" if none is named, and its probability."""
    kind, _, value = given.rpartition("=")
    try:
        if kind and kind not in (*JUDGED_KINDS, *_APPLY):
            raise ValueError
        return kind or "default", float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{given}: give a probability, or kind=probability of an edit's kind"
        ) from None


def run(args: argparse.Namespace) -> None:
    apply, suggest = _APPLY | dict(args.apply), _SUGGEST | dict(args.suggest)
    for kind in apply | suggest:
        least, offered = (values.get(kind, values["default"]) for values in (apply, suggest))
        if not 0 < offered <= least < 1:
            raise UserError(
                f"--apply {least}, --suggest {offered}: give probabilities, the second no higher than the first"
            )
    pairs = real_pairs(args.pairs)[1]
    texts = calibration_texts(load_texts(args.clean), args.clean_texts) if args.clean else []
    lexicon, rng = Lexicon.load(), random.Random(0)
    pairs += [Pair(text, text) for text in texts]
    pairs += [Pair(bad, text) for text in texts[::_SLIPPED] if (bad := with_slip(text, lexicon, rng))]
    pairs = pairs[:: max(1, -(-len(pairs) // args.limit))] if args.limit else pairs
    if not pairs:
        raise UserError("--pairs: none of these corrections is held back from training; give more files")
    reader = load_proofreader(Settings.from_env())
    before = reader.classifiers.thresholds
    first = list(_by_classifiers(pairs, reader.classifiers))
    judge = Judge(fitted(first), {}, {}, {})
    classifiers = replace(reader.classifiers, judge=judge)
    second = list(_by_language_model(pairs, classifiers, reader.engine, before))
    if not second:
        raise UserError("--pairs: no edit was likely enough to ask the language model; give more corrections")
    chances = out_of_fold(second)
    third = list(_by_reading(second, chances, pairs, reader.engine))
    posteriors = {(each.text, each.edit): chance for each, chance in zip(second, chances, strict=True)}
    quiet, others = (
        [e for e in third if is_unnoticed(replace(e.edit, score=posteriors[e.text, e.edit])) == kind]
        for kind in (True, False)
    )
    judge = replace(
        judge,
        language_model=fitted(second),
        reading=fitted(others) or {"posterior": 1.0},
        quiet=_rarer(fitted(quiet)) or {"posterior": 1.0},
    )
    reread = {
        (each.text, each.edit): chance
        for some in (quiet, others)
        for each, chance in zip(some, out_of_fold(some), strict=True)
    }
    known = [(each, chance) for each, chance in zip(second, chances, strict=True) if each.right is not None]
    second = [each for each, _ in known]
    chances = [reread.get((each.text, each.edit), chance) for each, chance in known]
    thresholds = replace(before, apply=apply, suggest=suggest)
    args.out.mkdir(parents=True, exist_ok=True)
    atomic_write.write(args.out / "judge.json", _as_json("weights", {p: getattr(judge, p) for p in PARTS}))
    atomic_write.write(args.out / "thresholds.json", _as_json("thresholds", thresholds.to_dict()))
    bins, error = reliability([bool(each.right) for each in second], chances)
    kinds = by_kind(second, chances, apply["default"])
    clean = {number for number, pair in enumerate(pairs) if pair.bad == pair.good}
    levels = by_threshold(second, chances, clean)
    for each, chance in zip(second, chances, strict=True):
        if each.text in clean and chance >= suggest["default"]:
            ask(pairs[each.text].bad, each.edit)
    figures = {"pairs": len(pairs), "edits": len(second), "right": sum(bool(each.right) for each in second),
               "calibration_error": round(error, 4)}  # fmt: skip
    atomic_write.write(
        args.out / "reliability.json",
        json.dumps({**figures, "bins": bins, "kinds": kinds, "thresholds": levels}, indent=2) + "\n",
    )
    print(in_columns(bins), in_columns(kinds), in_columns(levels), sep="\n\n", file=sys.stderr)
    print(json.dumps({"out": str(args.out), **figures, **thresholds.to_dict()}))


def _as_json(name: str, values: Mapping[str, Any]) -> str:
    rounded = {
        key: {k: round(v, 4) for k, v in value.items()} if isinstance(value, Mapping) else value
        for key, value in values.items()
    }
    return json.dumps({"written_by": "python -m training calibrate", name: rounded}, indent=2) + "\n"


# ---- what is observed ----


def _by_classifiers(pairs: Sequence[Pair], classifiers: Classifiers) -> Iterator[Observation]:
    """Every fix of a word that tagger or word list knows of."""
    for number, pair in enumerate(pairs):
        (tagged,) = classifiers.tagger.tag([pair.bad])
        answers = Answers(pair)
        for candidate in candidates(pair.bad, tagged, classifiers.lexicon):
            edit = word_edit(pair.bad, candidate.word.start, candidate.word.end, candidate.after)
            if (right := is_right(answers, edit)) is not None:
                yield Observation(number, edit, candidate.features, right)


def _by_language_model(
    pairs: Sequence[Pair], classifiers: Classifiers, engine: Engine, thresholds: Thresholds
) -> Iterator[Observation]:
    """What the language model is asked about, and what it writes on its own."""
    for number, pair in enumerate(pairs):
        (tagged,) = classifiers.tagger.tag([pair.bad])
        proposed = propose(pair.bad, tagged, classifiers.lexicon, classifiers.judge)
        if not is_looked_at(proposed, tagged, classifiers):
            continue
        answers = Answers(pair)
        asked: list[tuple[Edit, Odds]] = []
        (tone,) = classifiers.tone.score([pair.bad])
        sentiment, politeness = ((score.label, score.score) for score in (tone.sentiment, tone.politeness))
        answer = engine.complete(
            messages(pair.bad, Evidence(sentiment, politeness)), Sampling(), _never,
            Expected(pair.bad, proposed, _recorder(asked), thresholds.guide_gain),
        )  # fmt: skip
        for edit, odds in asked:
            yield Observation(number, edit, posterior_features(edit, odds), is_right(answers, edit))
        known = {canonical(edit, pair.bad) for edit, _ in asked}
        if answer is None:
            continue
        for edit in diff(pair.bad, answer.text.strip()) if answer.own else ():
            odds_of_own = answer.odds_of(edit)
            if odds_of_own and canonical(edit, pair.bad) not in known:
                own = replace(edit, source="llm", score=prior_of(edit, tagged, classifiers.judge))
                features = posterior_features(own, odds_of_own)
                yield Observation(number, own, features, is_right(answers, own))


def _by_reading(
    observations: Sequence[Observation], chances: Sequence[float], pairs: Sequence[Pair], engine: Engine
) -> Iterator[Observation]:
    """What is in doubt or rivalled, and what only reading tells, once their text was read with them."""
    of_text: dict[int, dict[Edit, Observation]] = {}
    for each, chance in zip(observations, chances, strict=True):
        of_text.setdefault(each.text, {})[replace(each.edit, score=chance)] = each
    for number, some in of_text.items():
        edits = contested(list(some))
        gains = engine.gains(pairs[number].bad, edits) if edits else None
        read = dict(zip(edits, gains or (), strict=False))
        yield from (replace(some[edit], features=features_once_read(edit, read)) for edit in read)


def _recorder(asked: list[tuple[Edit, Odds]]) -> Callable[[Edit, Odds], Edit]:
    def choose(edit: Edit, odds: Odds) -> Edit:
        asked.append((edit, odds))
        return replace(edit, status="applied" if edit.score >= _MADE else "refused")

    return choose


def is_right(answers: Answers, edit: Edit) -> bool | None:
    """Whether an edit is right; in a text that is right, as far as its verdict says. None if nobody knows."""
    if answers.edits:
        return answers.right(edit)
    verdict = verdicts().get(digest(answers.text, edit))
    return None if verdict == UNSURE else verdict == RIGHT


def _never() -> bool:
    return False


# ---- the fit ----


def fitted(observations: Sequence[Observation]) -> dict[str, float]:
    """The weights of a logistic regression with a ridge penalty, by Newton's method (Hastie et al. 2009, section 4.4.1)."""
    import numpy as np

    observations = [each for each in observations if each.right is not None]
    if not observations:  # of a handful of texts nothing is left open
        return {}
    names = sorted({name for each in observations for name in each.features})
    x = np.array([[each.features.get(name, 0.0) for name in names] for each in observations])
    y = np.array([each.right for each in observations], float)
    penalty = np.full(len(names), _RIDGE)
    penalty[names.index("bias")] = 1e-6
    weights = np.zeros(len(names))
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (p - y) + penalty * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return {name: float(weight) for name, weight in zip(names, weights, strict=True)}


def _rarer(weights: dict[str, float]) -> dict[str, float]:
    """The weights, for texts in which words typed for others are rarer than in those that they were fitted on."""
    return weights | {"typed": weights["typed"] - math.log(_OFTENER)} if "typed" in weights else weights


def out_of_fold(observations: Sequence[Observation]) -> list[float]:
    """The probability of each edit by weights that were fitted on other texts."""
    chances = [0.0] * len(observations)
    for fold in range(_FOLDS):
        judge = Judge(fitted([each for each in observations if _fold(each) != fold]), {}, {}, {})
        for i, each in enumerate(observations):
            if _fold(each) == fold:
                chances[i] = judge.prior(each.features)
    return chances


def _fold(observation: Observation) -> int:
    return zlib.crc32(str(observation.text).encode()) % _FOLDS


def by_kind(
    observations: Sequence[Observation], chances: Sequence[float], least: float
) -> list[dict[str, Any]]:
    """A row for each kind: edits, right ones, the sum of their probabilities, and precision and recall from `least` on."""
    rows = []
    for kind in sorted({each.edit.kind for each in observations}):
        own = [
            (chance, bool(each.right))
            for each, chance in zip(observations, chances, strict=True)
            if each.edit.kind == kind
        ]
        made = [right for chance, right in own if chance >= least]
        right = sum(right for _, right in own)
        rows.append({
            "kind": kind, "edits": len(own), "right": right, "expected": round(sum(chance for chance, _ in own), 1),
            "made": len(made), "precision": round(sum(made) / max(1, len(made)), 3),
            "recall": round(sum(made) / max(1, right), 3),
        })  # fmt: skip
    return rows


def by_threshold(
    observations: Sequence[Observation], chances: Sequence[float], clean: Collection[int]
) -> list[dict[str, float]]:
    """A row for each threshold: precision and recall of the edits of wrong texts, and the share of clean texts that change.

    `clean` are the numbers of the texts that should stay; recall is of the right edits that were proposed.
    """
    rows = []
    right = sum(bool(each.right) for each in observations)
    for step in range(5, 19):
        least = step / 20
        made = [each for each, chance in zip(observations, chances, strict=True) if chance >= least]
        wrong_texts = [bool(each.right) for each in made if each.text not in clean]
        changed = {each.text for each in made if each.text in clean}
        rows.append({
            "threshold": least, "precision": round(sum(wrong_texts) / max(1, len(wrong_texts)), 3),
            "recall": round(sum(wrong_texts) / max(1, right), 3),
            "clean_changed_percent": round(100 * len(changed) / max(1, len(clean)), 2),
        })  # fmt: skip
    return rows


def reliability(right: Sequence[bool], chances: Sequence[float]) -> tuple[list[dict[str, float]], float]:
    """Bins of probabilities with the share that is right in each, and the expected calibration error (Guo et al. 2017)."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(_BINS)]
    for chance, good in zip(chances, right, strict=True):
        bins[min(_BINS - 1, int(chance * _BINS))].append((chance, good))
    rows, error = [], 0.0
    for some in filter(None, bins):
        mean, share = (sum(values) / len(some) for values in zip(*some, strict=True))
        rows.append({"edits": len(some), "probability": round(mean, 3), "right": round(share, 3)})
        error += abs(mean - share) * len(some) / len(chances)
    return rows, error
