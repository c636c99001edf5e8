"""The tone classifier's rows: texts with their labels, and which of them are held out.

Politeness rows carry a score; the bottom quarter is impolite, the top quarter polite. The label of a row near
a border is uncertain, so training targets are the probabilities that a noisy score falls in each class, while
held-out rows are judged by their plain label. Reviews have no neutral class: their target for it is `NEVER`.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.classifiers.tone import LABELS
from training.data.corpus import read_rows
from training.data.lists import column, table

SENTIMENT, POLITENESS = LABELS["sentiment"], LABELS["politeness"]
# Shares of the rows, drawn by a hash of the text: the same ones on every run.
HELD_OUT, CALIBRATION = 0.12, 0.08
SCORE_NOISE = 0.25  # standard deviation of a mean politeness score, for soft targets
_LISTS = Path(__file__).parent / "lists"
NEVER = -1.0  # a target that takes no part in the loss


@dataclass(frozen=True)
class Row:
    """One text and what is known of it; `targets` are probabilities per label, `labels` the plain ones."""

    text: str
    source: str
    targets: dict[str, tuple[float, ...]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


def load_rows(args: argparse.Namespace) -> list[Row]:
    """All rows of the data files and of our own email sentences."""
    rows = politeness_rows(read_rows(args.politeness))
    rated = sentiment_rows(read_rows(args.sentiment))
    reviews = [row for row in rated if row.source == "reviews"]
    rows += [row for row in rated if row.source != "reviews"]
    rows += random.Random(args.seed).sample(reviews, min(args.review_rows, len(reviews)))
    for name in ("train", "check"):
        for text, sentiment, politeness in email_rows(name):
            labels = {"sentiment": sentiment, "politeness": politeness}
            targets = {
                "sentiment": one_hot(sentiment, SENTIMENT),
                "politeness": one_hot(politeness, POLITENESS),
            }
            rows.append(Row(text, f"emails {name}", targets, labels))
    return rows + list(own_rows())


def own_rows() -> Iterator[Row]:
    """Short texts of mail and of posts, of every pair of tones: kind words for bad news, good news told rudely, irony, bare facts."""
    for politeness, sentiment, text in table("tone_texts.tsv", _LISTS):
        labels = {"politeness": politeness, "sentiment": sentiment}
        labels = {name: label for name, label in labels.items() if label != "-"}
        targets = {name: one_hot(label, LABELS[name]) for name, label in labels.items()}
        yield Row(text, "own", targets, labels)


def email_rows(part: str) -> Iterator[tuple[str, str, str]]:
    """(text, sentiment, politeness) of our own email sentences: of the part "train" or "check".

    Requests on forums and tweets miss what business mail is full of: plain statements, bare orders, cold refusals,
    courteous complaints. A bare order counts as impolite, "Please send it." as neutral, a softened request as polite.
    Those to train on also cross everyday tasks with ways to ask, because politeness there lies in the frame alone.
    """
    for own_part, politeness, sentiment, text in table("tone_emails.tsv", _LISTS):
        if own_part == part:
            yield text, sentiment, politeness
    if part != "train":
        return
    frames: dict[str, list[str]] = {}
    for politeness, frame in table("tone_frames.tsv", _LISTS):
        frames.setdefault(politeness, []).append(frame)
    for i, task in enumerate(column("tone_tasks.txt", _LISTS)):
        for politeness, ways in frames.items():
            for k in range(3):  # three of the ways to ask, other ones for each task
                frame = ways[(i + 3 * k) % len(ways)]
                yield frame.format(task=task, Task=task[0].upper() + task[1:]), "neutral", politeness


def one_hot(label: str, labels: Sequence[str]) -> tuple[float, ...]:
    if label not in labels:
        raise UserError(f"label {label!r} is not one of {', '.join(labels)}")
    return tuple(float(label == one) for one in labels)


def politeness_rows(rows: Iterable[dict[str, Any]]) -> list[Row]:
    """Labels by quartile of the score; targets soft near the borders."""
    rows = list(rows)
    scores = sorted(row["score"] for row in rows)
    low, high = scores[len(scores) // 4], scores[3 * len(scores) // 4]
    made = []
    for row in rows:
        impolite, polite = (
            normal((low - row["score"]) / SCORE_NOISE),
            normal((row["score"] - high) / SCORE_NOISE),
        )
        label = POLITENESS[1 + (row["score"] >= high) - (row["score"] <= low)]
        targets = (impolite, max(0.0, 1 - impolite - polite), polite)
        made.append(Row(row["text"], "politeness", {"politeness": targets}, {"politeness": label}))
    return made


def normal(z: float) -> float:
    """The share of a standard normal distribution below z."""
    return (1 + math.erf(z / math.sqrt(2))) / 2


def sentiment_rows(rows: Iterable[dict[str, Any]]) -> list[Row]:
    made = []
    for row in rows:
        target = one_hot(row["label"], SENTIMENT)
        if row["split"] == "reviews":
            target = (target[0], NEVER, target[2])
        made.append(
            Row(
                row["text"],
                "reviews" if row["split"] == "reviews" else "tweets",
                {"sentiment": target},
                {"sentiment": row["label"]},
            )
        )
    return made


def split_rows(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by part. A hash of the text decides, so that a text in two files is never on both sides, in whatever run."""
    parts: dict[str, list[Row]] = {"train": [], "calibration": [], "held-out": []}
    for row in rows:
        if row.source.startswith("emails") or row.source == "own":
            parts["held-out" if row.source == "emails check" else "train"].append(row)
            continue
        key = " ".join(row.text.lower().split())
        digest = hashlib.sha256(f"0:{key}".encode("utf-8", "replace")).digest()
        share = int.from_bytes(digest[:6], "big") / 2**48
        name = (
            "held-out" if share < HELD_OUT else "calibration" if share < HELD_OUT + CALIBRATION else "train"
        )
        parts[name].append(row)
    return parts


def judged(row: Row, name: str) -> bool:
    """Whether a row's label counts for calibration and totals; that of a review had no neutral to choose."""
    return name in row.labels and row.source != "reviews"
