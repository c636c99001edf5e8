"""Scores a model through the same pipeline as the app, each figure with a bootstrap 95 % interval.

    python -m training evaluate --suite jfleg --data jfleg_dev.jsonl
    python -m training evaluate --suite clean --data emails_dev.jsonl
    python -m training evaluate --suite noise --data clean.jsonl

jfleg: GLEU (Napoles et al. 2015, 2016: n-grams to 4, mean over drawn references) of tokenised sentences with several
references; rows of `source`, `references`. clean: share of texts changed at all; rows of `text`. noise: share of texts
repaired exactly after a seeded corruption. JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from training.corpus import detokenize, read_rows
from training.corrupt import corrupt, wrong_words

_ORDER = 4
_REFERENCE_DRAWS = 500  # as in the published scorer: a reference is drawn per sentence, scores are averaged
_RESAMPLES = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--suite", choices=SUITES, required=True)
    parser.add_argument("--data", type=Path, required=True, help="evaluation set, JSON lines")
    parser.add_argument(
        "--model", help="a name, a GGUF path or a Hub repo id; 'none' scores the text as it is"
    )
    parser.add_argument("--mode", default="proofread")
    parser.add_argument("--limit", type=int, help="only the first rows")
    parser.add_argument("--samples", type=int, default=0, help="print so many changed texts to stderr")
    parser.add_argument("--seed", type=int, default=1)


def run(args: argparse.Namespace) -> None:
    rows = list(read_rows(args.data))[: args.limit]
    began = time.perf_counter()
    correct = _corrector(args)
    figures = SUITES[args.suite](rows, correct, args)
    print(json.dumps({"suite": args.suite, "rows": len(rows), "model": args.model or "default", **figures,
                      "seconds": round(time.perf_counter() - began, 1)}))  # fmt: skip


Corrector = Callable[[str], str]


def _corrector(args: argparse.Namespace) -> Corrector:
    if args.model == "none":
        return lambda text: text
    from space.proofreader import load_proofreader
    from space.settings import Settings

    proofreader = load_proofreader(Settings.from_env(), args.model)
    shown = 0

    def correct(text: str) -> str:
        nonlocal shown
        result = proofreader.proofread(text, args.mode)
        if shown < args.samples and (result.changed or result.kept):
            shown += 1
            print(
                f"- {text}\n+ {result.text}\n  {[(k.reason) for k in result.kept]} {result.prompts}",
                file=sys.stderr,
            )
        return result.text

    return correct


def _jfleg(rows: Sequence[dict[str, Any]], correct: Corrector, args: argparse.Namespace) -> dict[str, Any]:
    counts = []
    for row in rows:
        text = detokenize(row["source"])
        hypothesis = correct(text)
        # The references are tokenised: what the pipeline left alone must come back as it stood there.
        tokens = row["source"].split() if hypothesis == text else tokenize(hypothesis)
        counts.append([_gleu_counts(row["source"].split(), ref.split(), tokens) for ref in row["references"]])
    return {"gleu": _interval(counts, lambda sample: gleu(sample, args.seed))}


def gleu(counts: Sequence[Sequence[Sequence[int]]], seed: int, draws: int = _REFERENCE_DRAWS) -> float:
    """Corpus GLEU in percent; `counts[i][r]` are the counts of sentence i against its reference r."""
    import numpy as np

    rng = np.random.default_rng(seed)
    width = max(len(row) for row in counts)
    table = np.array(
        [[row[r % len(row)] for r in range(width)] for row in counts]
    )  # (sentences, references, counts)
    picks = rng.integers(0, width, size=(draws, len(counts)))
    totals = table[np.arange(len(counts))[None, :], picks].sum(axis=1)  # (draws, counts)
    return float(np.mean([_gleu_of(total) for total in totals])) * 100


def _gleu_counts(source: list[str], reference: list[str], hypothesis: list[str]) -> list[int]:
    """[len(hypothesis), len(reference), matches and totals for n = 1..4], as in Napoles et al. 2015, equation 3.

    Matches are n-grams shared with the reference, less those shared with the source that the reference has dropped.
    """
    found = [len(hypothesis), len(reference)]
    for n in range(1, _ORDER + 1):
        s, r, h = (
            Counter(zip(*(words[i:] for i in range(n)), strict=False))
            for words in (source, reference, hypothesis)
        )
        only_source = Counter({gram: count for gram, count in s.items() if gram not in r})
        found += [max((h & r).total() - (h & only_source).total(), 0), max(len(hypothesis) - n + 1, 0)]
    return found


def _gleu_of(total: Sequence[int]) -> float:
    length, reference_length, *pairs = (int(n) for n in total)
    matches, totals = pairs[0::2], pairs[1::2]
    if min(matches) == 0 or min(totals) == 0:
        return 0.0
    log_precision = sum(math.log(m / t) for m, t in zip(matches, totals, strict=True)) / _ORDER
    return math.exp(min(0.0, 1 - reference_length / length) + log_precision)


def _clean(rows: Sequence[dict[str, Any]], correct: Corrector, args: argparse.Namespace) -> dict[str, Any]:
    changed = [float(correct(row["text"]) != row["text"]) for row in rows]
    return {"changed_percent": _interval(changed, _mean_percent)}


def _noise(rows: Sequence[dict[str, Any]], correct: Corrector, args: argparse.Namespace) -> dict[str, Any]:
    rng = random.Random(args.seed)
    exact, nearer = [], []
    for row in rows:
        good = row["text"]
        bad = corrupt(good, rng, rate=0.08)
        fixed = correct(bad)
        exact.append(float(fixed == good))
        nearer.append(_errors(fixed, good) - _errors(bad, good))
    return {
        "exact_percent": _interval(exact, _mean_percent),
        "wrong_words_change": _interval(nearer, lambda sample: sum(sample) / len(sample)),
    }


def _errors(text: str, good: str) -> int:
    return sum(wrong for *_, wrong in wrong_words(text, good))


def tokenize(text: str) -> list[str]:
    """Words and marks apart, as in Penn Treebank text, so that a result can be compared with tokenised references."""
    text = re.sub(r"([;!?()\[\]{}\"%$&]|\.\.\.|[,:](?!\d)|(?<!\d)[,:])", r" \1 ", text)
    text = re.sub(r"(?<!\.)\.(?=\s*$|\s+[A-Z\"'])", " . ", text)
    text = re.sub(r"(?i)\b(ca)n't\b", r"\1 n't", text)
    text = re.sub(r"(?i)(\w)(n't)\b", r"\1 \2", text)
    text = re.sub(r"(?i)(\w)('(?:s|m|re|ve|ll|d))\b", r"\1 \2", text)
    return text.split()


def _mean_percent(sample: Sequence[float]) -> float:
    return 100 * sum(sample) / max(len(sample), 1)


def _interval(values: Sequence[Any], statistic: Callable[[Sequence[Any]], float]) -> dict[str, float]:
    """The statistic, and the 2.5 % and 97.5 % points of it over resampled rows."""
    rng = random.Random(0)
    resamples = _RESAMPLES if not isinstance(values[0], list) else 100
    drawn = sorted(statistic(rng.choices(values, k=len(values))) for _ in range(resamples))
    low, high = drawn[int(0.025 * resamples)], drawn[int(0.975 * resamples) - 1]
    return {"value": round(statistic(values), 2), "low": round(low, 2), "high": round(high, 2)}


SUITES: dict[str, Callable[[Sequence[dict[str, Any]], Corrector, argparse.Namespace], dict[str, Any]]] = {
    "jfleg": _jfleg,
    "clean": _clean,
    "noise": _noise,
}
