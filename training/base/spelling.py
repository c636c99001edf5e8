"""What slips of spelling cost: of the words that an unlisted one may be, the meant one gets most of the chances.

    python -m training spelling --words toefl_spell.tsv --pairs mined_pairs.jsonl --out space/proofread/lists/slips.tsv

A conditional logit (McFadden 1974) over the known words within two slips, of misspellings that were recorded: `--words` are lines of
misspelling, correction and count by tabs (TOEFL-Spell, Flor et al. 2019), `--pairs` rows of source and target, of which those that are
held back are scored alone; some of codespell's dictionary is added. space/proofread/misspelling.py says what the slips are.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from space.errors import UserError
from space.proofread.edits import diff
from space.proofread.lexicon import Lexicon
from space.proofread.misspelling import slips
from training.data.confusions import misspellings
from training.data.pairs import Pair, real_pairs
from training.runs import atomic_write

_RECORDED = 2500  # of codespell's misspellings: many are made up, and would outnumber what people wrote
_MOST = 5  # times that one misspelling counts
_RIDGE = 1e-3
_NOTE = """\
# The slips of which misspellings are made, and the logarithms of their chances up to a constant. Written by python -m training spelling, of TOEFL-Spell
# (ETS, CC BY-SA 4.0), corrections in commits of openly licensed repositories, and codespell's dictionary (CC BY-SA 3.0)."""

Misspelling = tuple[str, str, int]  # what was written, what was meant, how often


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--words", type=Path, help="misspelling, correction and count, by tabs")
    parser.add_argument("--pairs", type=Path, nargs="*", default=[], help="rows of source and target")
    parser.add_argument("--out", type=Path, required=True, help="the list to write")


def run(args: argparse.Namespace) -> None:
    lexicon = Lexicon.load()
    real, held_back = real_pairs(args.pairs)
    given = [*(_listed(args.words) if args.words else ()), *_misspelt(real), *_recorded()]
    choices = list(_choices(given, lexicon))
    costs = fitted(choices)
    lines = [_NOTE, *(f"{slip}\t{cost:.3f}" for slip, cost in sorted(costs.items()))]
    atomic_write.write(args.out, "\n".join(lines) + "\n")
    unseen = list(_choices(_misspelt(held_back), lexicon))
    right = sum(_likeliest(each, costs) == each.meant for each in unseen)
    figures = {"misspellings": len(choices), "held_back": len(unseen), "right_first": right}
    print(json.dumps({"out": str(args.out), **figures}))


@dataclass(frozen=True)
class Choice:
    """A misspelling: the slips that make it of each word that it may be, which of these was meant, and how often it was seen."""

    options: list[dict[str, float]]
    meant: int
    times: int


def _listed(path: Path) -> Iterator[Misspelling]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        written, _, rest = line.partition("\t")
        meant, _, times = rest.partition("\t")
        if not times.isdigit():
            raise UserError(f"{path}: line {number} needs a misspelling, its correction and a count, by tabs")
        yield written, meant, int(times)


def _misspelt(pairs: Iterable[Pair]) -> Iterator[Misspelling]:
    for pair in pairs:
        yield from (
            (edit.before, edit.after, 1) for edit in diff(pair.bad, pair.good) if edit.kind == "spelling"
        )


def _recorded() -> list[Misspelling]:
    every = [(wrong, right, 1) for right, some in sorted(misspellings().items()) for wrong in some]
    return random.Random(0).sample(every, _RECORDED)


def _choices(given: Iterable[Misspelling], lexicon: Lexicon) -> Iterator[Choice]:
    for written, meant, times in given:
        written = written.lower()
        if lexicon.knows(written) or not written.isalpha():
            continue
        options = {
            word: {**Counter(slips(written, word)), "frequent": math.log(count + 1)}
            for word, count in lexicon.near(written)
        }
        options |= {
            pair: {"joined": 1.0, "frequent": log_count} for pair, log_count in lexicon.splits(written)
        }
        if meant.lower() in options:
            yield Choice(list(options.values()), list(options).index(meant.lower()), min(times, _MOST))


def fitted(choices: Sequence[Choice]) -> dict[str, float]:
    """The costs with which the words that were meant are likeliest, by L-BFGS, with a ridge penalty."""
    import torch

    names = sorted({name for choice in choices for option in choice.options for name in option})
    slots = max(len(choice.options) for choice in choices)
    x = torch.zeros(len(choices), slots, len(names))
    missing = torch.ones(len(choices), slots, dtype=torch.bool)
    for i, choice in enumerate(choices):
        missing[i, : len(choice.options)] = False
        for j, option in enumerate(choice.options):
            for name, value in option.items():
                x[i, j, names.index(name)] = value
    meant = torch.tensor([choice.meant for choice in choices])
    times = torch.tensor([float(choice.times) for choice in choices])
    costs = torch.zeros(len(names), requires_grad=True)
    optimizer = torch.optim.LBFGS([costs], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        log_chances = (x @ costs).masked_fill(missing, -math.inf).log_softmax(1)
        of_meant = log_chances.gather(1, meant[:, None])[:, 0]
        value = -(of_meant * times).sum() / times.sum() + _RIDGE * costs.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return dict(zip(names, costs.tolist(), strict=True))


def _likeliest(choice: Choice, costs: Mapping[str, float]) -> int:
    weights = [
        sum(costs.get(name, 0.0) * value for name, value in option.items()) for option in choice.options
    ]
    return weights.index(max(weights))
