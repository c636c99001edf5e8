"""Flags as users would leave them, made from real corrections that the models were not trained on.

    python -m tests.training.release.real_flags --pairs mined_pairs.jsonl harper_pairs.jsonl --out runs/flags

What the served model leaves wrong is divided: `--flags` of these texts become flags.jsonl, for `python -m feedback flag`, the others
unseen.jsonl, for `python -m training retrain --evaluation`. Half of the flags hold the corrected text, half a verdict on each edit:
accepted if the correction makes it, rejected if it does not, which takes a text of which a right edit was only suggested or a wrong
one was made.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from space.proofread.pipeline import Proofread, load_proofreader
from space.settings import Settings
from training.data.answers import Answers
from training.data.pairs import Pair, real_pairs


def flag_of(result: Proofread, pair: Pair, sorted_edits: bool) -> dict[str, Any]:
    """The flag of somebody who would have had `pair.good`."""
    flag = {
        "draft": result.draft,
        "rewrite": result.text,
        "verdict": "bad",
        "reasons": ["missed mistake"],
        "model": result.model,
    }
    return flag | ({"changes": _sorted(result, pair)} if sorted_edits else {"corrected": pair.good})


def _sorted(result: Proofread, pair: Pair) -> list[dict[str, Any]]:
    answers = Answers(pair)
    return [
        edit.to_dict() | {"verdict": "accepted" if answers.right(edit) else "rejected"}
        for edit in (*result.applied, *result.suggested)
    ]


def _has_news(result: Proofread, pair: Pair) -> bool:
    """Whether sorting the edits would make another text."""
    answers = Answers(pair)
    offered = any(answers.right(edit) for edit in result.suggested)
    return offered or not all(answers.right(edit) for edit in result.applied)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pairs", type=Path, nargs="+", required=True, help="JSON lines with source and target"
    )
    parser.add_argument("--flags", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    args = parser.parse_args(arguments)
    proofreader = load_proofreader(Settings.from_env())
    pairs = [pair for pair in real_pairs(args.pairs)[1] if pair.bad != pair.good]
    random.Random(args.seed).shuffle(pairs)
    missed = []
    for number, pair in enumerate(pairs, 1):
        result = proofreader.proofread(pair.bad)
        if result.text != pair.good:
            missed.append((result, pair))
        if number % 100 == 0:
            print(f"{number} of {len(pairs)} texts, {len(missed)} left wrong", file=sys.stderr)
    sortable = [each for each in missed if _has_news(*each)][: args.flags // 2]
    taken = {result.draft for result, _ in sortable}
    rest = [each for each in missed if each[0].draft not in taken]
    corrected, unseen = rest[: args.flags - len(sortable)], rest[args.flags - len(sortable) :]
    flags = [flag_of(*each, sorted_edits=True) for each in sortable]
    flags += [flag_of(*each, sorted_edits=False) for each in corrected]
    args.out.mkdir(parents=True, exist_ok=True)
    _write(args.out / "flags.jsonl", flags)
    _write(args.out / "unseen.jsonl", ({"source": pair.bad, "references": [pair.good]} for _, pair in unseen))
    print(
        json.dumps({"texts": len(pairs), "flags": len(flags), "sorted": len(sortable), "unseen": len(unseen)})
    )


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
