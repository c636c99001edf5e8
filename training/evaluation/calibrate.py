"""The thresholds of what is proposed: for each kind of fix the lowest score at which it is right often enough.

    python -m training calibrate --pairs pairs.jsonl --clean clean.jsonl --out runs/thresholds.json
    cp runs/thresholds.json space/models/

`--pairs` are real corrections (rows of source and target) of which only those held back from training are read, `--clean`
texts without mistakes. A fix of the tagger is right if it is what the target has in that place; in a clean text none is. What
the data cannot decide (fewer than --least_fixes of a kind) keeps the value in force, as do the thresholds that are not scores of
the tagger's fixes of listed words.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from space.errors import UserError
from space.proofread.classifiers.tagger import Tagger
from space.proofread.lexicon import Lexicon
from space.proofread.policy import Thresholds
from space.proofread.propose import kind_of_fix
from training.data.align import fixes
from training.data.pairs import Pair, load_texts, real_pairs
from training.runs import atomic_write
from training.runs.tables import in_columns

KINDS = ("fix", "preposition", "sentence_end", "capitals", "article")
_AT_ONCE = 64  # texts per call of the tagger
_LOWEST = 0.2  # a fix with a lower score is never looked at

Scored = tuple[float, bool]  # the score of a fix, and whether it is right


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs", type=Path, nargs="+", required=True, help="JSON lines of source and target"
    )
    parser.add_argument("--clean", type=Path, help="texts without mistakes, JSON lines with a text column")
    parser.add_argument(
        "--precision", type=float, default=0.85, help="share of right fixes to reach (default 0.85)"
    )
    parser.add_argument(
        "--least_fixes", type=int, default=40, help="of a kind, or it keeps its value (default 40)"
    )
    parser.add_argument("--limit", type=int, help="pairs and clean texts to read")
    parser.add_argument(
        "--out", type=Path, required=True, help="file to write, as space/models/thresholds.json"
    )


def run(args: argparse.Namespace) -> None:
    if not 0 < args.precision < 1:
        raise UserError(f"--precision {args.precision}: give a share between 0 and 1")
    pairs = real_pairs(args.pairs)[1][: args.limit]
    pairs += [Pair(text, text) for text in (load_texts(args.clean)[: args.limit] if args.clean else [])]
    if not pairs:
        raise UserError("--pairs: none of these corrections is held back from training; give more files")
    found = scored_fixes(pairs, Tagger.load(), Lexicon.load())
    before = Thresholds.load()
    after = replace(before, **{kind: lowest(found[kind], args.precision) or getattr(before, kind)
                               for kind in KINDS if len(found[kind]) >= args.least_fixes})  # fmt: skip
    rows = [
        {
            "kind": kind, "fixes": len(found[kind]), "right": sum(good for _, good in found[kind]),
            "before": getattr(before, kind), "now": getattr(after, kind),
        }
        for kind in KINDS
    ]  # fmt: skip
    print(in_columns(rows), file=sys.stderr)
    atomic_write.write(args.out, as_json(after))
    print(json.dumps({"out": str(args.out), "pairs": len(pairs), **after.to_dict()}))


def as_json(thresholds: Thresholds) -> str:
    """The file that `Thresholds.load` reads."""
    content = {"written_by": "python -m training calibrate", "thresholds": thresholds.to_dict()}
    return json.dumps(content, indent=2) + "\n"


def scored_fixes(pairs: Sequence[Pair], tagger: Tagger, lexicon: Lexicon) -> Mapping[str, list[Scored]]:
    """The tagger's fixes of listed words in the wrong sides of the pairs, by kind."""
    found: dict[str, list[Scored]] = defaultdict(list)
    for first in range(0, len(pairs), _AT_ONCE):
        some = pairs[first : first + _AT_ONCE]
        for pair, words in zip(some, tagger.tag([pair.bad for pair in some]), strict=True):
            right = dict(_right(pair, [(word.start, word.end) for word in words]))
            for word in words:
                kind = kind_of_fix(word)
                if kind and word.after is not None and word.score >= _LOWEST and lexicon.knows(word.text):
                    found[kind].append((word.score, word.after == right.get(word.start)))
    return found


def _right(pair: Pair, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    """Where a word of the wrong side begins, and what should stand there; not of right words."""
    yield from ((start, after) for start, _, after in fixes(pair.bad, pair.good, spans) if after is not None)


def lowest(scored: Sequence[Scored], precision: float) -> float | None:
    """The lowest score from which on at least this share is right; None if there is none.

    >>> lowest([(0.9, True), (0.8, True), (0.6, False), (0.5, False)], 0.6)
    0.6
    """
    best, right = None, 0
    for count, (score, good) in enumerate(sorted(scored, reverse=True), 1):
        right += good
        if right >= precision * count:
            best = round(score, 4)
    return best
