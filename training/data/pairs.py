"""Correction pairs made on the fly: corrupted text, the evidence that goes with it, and the clean text.

    python -m training pairs --clean clean.jsonl --email email.jsonl --rows 2600 --out pairs.jsonl

writes rows of draft, corrected and mode, for `training sft --task proofread --dataset pairs.jsonl`. In pretraining every pool of pairs is drawn from (seed, pool number) alone: a run that resumes sees exactly the pairs it would have seen,
and no pair twice.
"""

from __future__ import annotations

import argparse
import json
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.classifiers.tags import replacement
from space.proofread.edits import Edit
from space.proofread.evidence import Evidence
from space.proofread.lexicon import Lexicon
from training.data import right as right_english
from training.data.align import fixes
from training.data.corpus import detokenize, read_rows, sentences
from training.data.corrupt import blunt, corrupt
from training.data.emails import distinct_emails
from training.data.lists import column, words
from training.runs import atomic_write

_LEARNER_SHARE = 0.06  # of the rows of the command, real mistakes of learners
_EMAIL_SHARE = 0.3  # of the units, from business mail: scarce, so each is seen often, with other mistakes
_RUN_SHARE = 0.5  # of the pairs of a maker of runs: several units that follow one another, from one writer
_RUN_CHARACTERS = (120, 480)
_RATE_OF_RUNS = 0.06  # mistakes a word, on average
_SINGLE_SHARE = 0.35  # of the sentences with mistakes, those with one alone
_GREETING_SHARE = 0.03  # units that are a greeting or a closing line, which no corpus of sentences holds
_RIGHT_SHARE = 0.03  # units that are right and look wrong
_POLISH_SHARE = 0.12  # pairs in polish mode

# A measured classifier misses some mistakes and flags some good words; pretraining imitates one of unknown quality.
_RECALL = (0.4, 0.98)
_FALSE_ALARM = (0.0, 0.03)
_KNOWS = (0.2, 0.95)  # share of the flagged mistakes whose suggestion is right
_NO_EVIDENCE = 0.5  # what a model finds by itself is worth most
_NO_TONE = (
    0.7  # the scores say nothing of mistakes: most pairs do without them, which saves a sixth of the tokens
)

_LEAST_WORDS = 4  # of a generated sentence; shorter lines are greetings and signatures
_HELD_BACK = 15  # percent of the origins of real pairs

_SENTIMENTS = ("negative", "neutral", "positive")
_POLITENESS = ("impolite", "neutral", "polite")
_GREETINGS, _NAMES = column("greetings.txt"), words("names")


@dataclass(frozen=True)
class Pair:
    """`bad` is what a person typed, `good` what it should have been."""

    bad: str
    good: str
    mode: str = "proofread"


class PairMaker:
    """Draws pairs from clean units.

    `general` and `email` are texts of one or two sentences. `identity_share` of the pairs are left as they are, so that
    the model learns to leave good text alone; a model that is given doubtful text only needs fewer. With `runs` some
    texts are paragraphs, in which one writer errs often and another hardly ever: who reads them learns that a
    text without mistakes so far has few.
    """

    def __init__(
        self,
        general: Sequence[str],
        email: Sequence[str],
        identity_share: float = 0.22,
        *,
        runs: bool = False,
    ) -> None:
        self._general, self._email, self._identity_share = general, email, identity_share
        self._runs = runs
        self._courteous = [text for text in email if blunt(text)]

    def draw(self, rng: random.Random) -> Pair:
        """One pair; some are identities, about a tenth lose their courtesy instead or as well."""
        if self._courteous and rng.random() < _POLISH_SHARE:
            return self._polish(rng)
        if rng.random() < _GREETING_SHARE:
            good = rng.choice(_GREETINGS).format(rng.choice(_NAMES)) + ","
            return Pair(corrupt(good, rng, 0.0) if rng.random() < 0.4 else good, good)
        if rng.random() < _RIGHT_SHARE:
            good = right_english.sentence(rng)
            return Pair(good, good)
        texts = self._email if self._email and rng.random() < _EMAIL_SHARE else self._general
        if self._runs and rng.random() < _RUN_SHARE:
            return self._run(texts, rng)
        good = rng.choice(texts)
        if rng.random() < self._identity_share:
            return Pair(good, good)
        return Pair(corrupt(good, rng, 0.0 if rng.random() < _SINGLE_SHARE else None), good)

    def _run(self, texts: Sequence[str], rng: random.Random) -> Pair:
        at, length = rng.randrange(len(texts)), rng.uniform(*_RUN_CHARACTERS)
        good = texts[at]
        while (at := at + 1) < len(texts) and len(good) + len(texts[at]) < length:
            good += " " + texts[at]
        rate = min(0.3, rng.expovariate(1 / _RATE_OF_RUNS))
        return Pair(good if rng.random() < self._identity_share else corrupt(good, rng, rate), good)

    def _polish(self, rng: random.Random) -> Pair:
        if rng.random() < 0.4:  # nothing to soften: only mistakes, or nothing at all
            good = rng.choice(self._email)
            return Pair(good if rng.random() < 0.4 else corrupt(good, rng), good, "polish")
        good = rng.choice(self._courteous)
        bad = blunt(good) or good
        return Pair(corrupt(bad, rng) if rng.random() < 0.5 else bad, good, "polish")


def simulated_evidence(pair: Pair, lexicon: Lexicon, rng: random.Random) -> Evidence:
    """Evidence as a classifier of drawn quality would give it, plus the word list's real suggestions.

    A proofread text is corrected without being told where it may be wrong, so that what the model finds is news.
    """
    sentiment, politeness = _simulated_tone(pair, rng)
    if pair.mode == "proofread" or rng.random() < _NO_EVIDENCE:
        return Evidence(sentiment, politeness)
    recall, false_alarm, knows = rng.uniform(*_RECALL), rng.uniform(*_FALSE_ALARM), rng.uniform(*_KNOWS)
    listed = dict(lexicon.unknown(pair.bad))
    edits: list[Edit] = []
    for start, end, right in fixes(pair.bad, pair.good):
        word = pair.bad[start:end]
        guess = listed.get(word)
        if right is not None and (word in listed or rng.random() < recall):
            after = right if rng.random() < knows else guess
        elif word in listed:
            after = guess
        else:
            after = _bad_advice(word, lexicon, rng) if rng.random() < false_alarm else None
        if after is not None and after != word:
            first, last = replacement(pair.bad, start, end, after)
            first = max(first, edits[-1].end if edits else 0)
            edits.append(Edit(first, last, pair.bad[first:last], after))
    return Evidence(sentiment, politeness, tuple(edits))


_Scored = tuple[str, float]


def _simulated_tone(pair: Pair, rng: random.Random) -> tuple[_Scored | None, _Scored | None]:
    if pair.mode == "proofread" and rng.random() < _NO_TONE:
        return None, None
    blunted = pair.mode == "polish" and blunt(pair.good) is not None and pair.bad != pair.good
    labels = _POLITENESS[:2] if blunted else _POLITENESS[1:] if pair.mode == "polish" else _POLITENESS
    return (rng.choice(_SENTIMENTS), rng.uniform(0.4, 1.0)), (rng.choice(labels), rng.uniform(0.4, 1.0))


def _bad_advice(word: str, lexicon: Lexicon, rng: random.Random) -> str | None:
    """A suggestion for a right word as a classifier errs: another word that exists, one too many, or none."""
    if rng.random() < 0.4:
        return None
    if rng.random() < 0.3:
        return rng.choice(
            ["", f"the {word}", f"a {word}", f"to {word}", f", {word}", f"is {word}", f"of {word}"]
        )
    other = corrupt(f"We {word} it", rng, 0.3)[3:-3]  # at least one mistake, most often in the word
    return other if other != word and lexicon.knows(other) else None


def load_texts(path: Path) -> list[str]:
    """The `text` column of a file of JSON lines. UserError if it has none, or cannot be read."""
    return [row["text"] for row in _rows(path, ("text",))]


def learner_pairs(path: Path) -> list[Pair]:
    """Pairs of a file with tokenised `source` and `corrected` columns, as plain text. UserError if it has none."""
    return [
        Pair(detokenize(row["source"]), detokenize(row["corrected"]))
        for row in _rows(path, ("source", "corrected"))
    ]


def real_pairs(paths: Sequence[Path]) -> tuple[list[Pair], list[Pair]]:
    """Real corrections to train on, and those held back: 15 % of the repositories or rules that they come from.

    Files of JSON lines with `source` and `target`, or with a `text` that must stay as it is, and `rule` or `repository`; a
    row with neither is its own origin.
    """
    parts: tuple[list[Pair], list[Pair]] = ([], [])
    for path in paths:
        for row in _rows(path, ("source", "target"), ("text",)):
            pair = Pair(row["source"], row["target"]) if "target" in row else Pair(row["text"], row["text"])
            parts[is_held_back(row)].append(pair)
    return parts


def calibration_texts(texts: Sequence[str], count: int = 2000) -> list[str]:
    """The clean texts that the judge is fitted on, drawn at random: what its features come from does not learn from them."""
    return random.Random(0).sample(texts, min(len(texts), count))


def is_held_back(row: dict[str, Any]) -> bool:
    """Whether a row of real corrections is never trained on, by the rule or repository that it comes from."""
    origin = row.get("rule") or row.get("repository") or row.get("target") or row.get("text")
    return zlib.crc32(str(origin).encode()) % 100 < _HELD_BACK


def _rows(path: Path, *choices: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows of a file, which have text in the columns of one of these choices. UserError if one has not, or there is none."""
    found = []
    try:
        for number, row in enumerate(read_rows(path), 1):
            if not isinstance(row, dict) or not any(_has_text(row, columns) for columns in choices):
                needed = ", or in ".join(", ".join(columns) for columns in choices)
                raise UserError(f"{path}: row {number} needs text in these columns: {needed}")
            found.append(row)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not found:
        raise UserError(f"{path} has no row")
    return found


def _has_text(row: dict[str, Any], columns: Sequence[str]) -> bool:
    return all(isinstance(row.get(name), str) for name in columns)


def generated_pairs(count: int, rng: random.Random) -> list[Pair]:
    """Pairs without a corpus: generated mail with mistakes put in, some of it left as it is."""
    emails = distinct_emails(max(40, count // 4), rng)
    units = [sentence for text in emails for line in text.split("\n") for sentence in sentences(line)]
    maker = PairMaker(whole := [unit for unit in units if len(unit.split()) >= _LEAST_WORDS], whole)
    return [maker.draw(rng) for _ in range(count)]


# ---- the command ----


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--clean", type=Path, required=True, help="clean sentences: JSON lines with a text column"
    )
    parser.add_argument(
        "--email", type=Path, required=True, help="clean sentences of business mail, the same"
    )
    parser.add_argument("--learner", type=Path, help="tokenised source and corrected columns (ErAConD)")
    parser.add_argument("--rows", type=int, default=16_000, help="pairs to make (default 16000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="file of JSON lines: draft, corrected, mode")


def run(args: argparse.Namespace) -> None:
    if args.rows < 1:
        raise UserError(f"--rows {args.rows}: give 1 or more")
    pairs = make_pairs(args.email, args.clean, args.learner, args.rows, args.seed)
    rows = ({"draft": pair.bad, "corrected": pair.good, "mode": pair.mode} for pair in pairs)
    atomic_write.write(args.out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    print(json.dumps({"rows": len(pairs), "unchanged": sum(pair.bad == pair.good for pair in pairs)}))


def make_pairs(email: Path, clean: Path, learner: Path | None, count: int, seed: int) -> list[Pair]:
    """`count` pairs from clean sentences, a few of them replaced by real ones of learners."""
    rng = random.Random(seed)
    maker = PairMaker(load_texts(clean), load_texts(email))
    pairs = [maker.draw(rng) for _ in range(count)]
    if learner:
        real = learner_pairs(learner)
        for _ in range(int(count * _LEARNER_SHARE)):
            pairs[rng.randrange(count)] = rng.choice(real)
    return pairs
