"""How good tone scores are: accuracy, macro-recall, calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from space.proofread.classifiers.tone import LABELS, ToneClassifier
from training.base.tone_rows import Row, judged

Prediction = dict[str, np.ndarray]  # of one text: per head the probabilities of its labels (3,)


def measure_shipped(folder: Path, parts: dict[str, list[Row]]) -> dict[str, Any]:
    """The same figures, through the code and the files that serve."""
    rows = parts["held-out"]
    classifier = ToneClassifier.load(folder)
    made = []
    for first in range(0, len(rows), 64):
        for tone in classifier.score([row.text for row in rows[first : first + 64]]):
            made.append({name: np.array(list(getattr(tone, name).scores.values())) for name in LABELS})
    return figures_of(made, rows)


def figures_of(predictions: Sequence[Prediction], rows: Sequence[Row]) -> dict[str, Any]:
    """Accuracy, macro-recall and calibration error per head and source."""
    figures: dict[str, Any] = {}
    for name, labels in LABELS.items():
        known = [
            (p[name], labels.index(row.labels[name]), row)
            for p, row in zip(predictions, rows, strict=True)
            if name in row.labels
        ]
        for source in sorted({row.source for _, _, row in known}):
            pairs = [(p, label) for p, label, row in known if row.source == source]
            figures[f"{name}, {source}"] = tone_figures(pairs)
        pairs = [(p, i) for p, i, row in known if judged(row, name) and not row.source.startswith("emails")]
        figures[name] = tone_figures(pairs)
    return figures


def tone_figures(pairs: Sequence[tuple[np.ndarray, int]]) -> dict[str, Any]:
    """For 3-way probabilities with true indices; `ends` is accuracy of the outer labels, neutral dropped."""
    if not pairs:
        return {"texts": 0}
    table, truth = np.stack([chances for chances, _ in pairs]), np.array([label for _, label in pairs])
    guess = table.argmax(1)
    confusion = [[int(((truth == a) & (guess == b)).sum()) for b in range(3)] for a in range(3)]
    outer = truth != 1
    return {
        "texts": len(truth),
        "accuracy": round(float((guess == truth).mean()), 4),
        "macro_recall": round(
            float(np.mean([(guess[truth == c] == c).mean() for c in sorted(set(truth.tolist()))])), 4
        ),
        "ends": round(float(((table[:, 2] > table[:, 0]) == (truth == 2))[outer].mean()), 4)
        if outer.any()
        else None,
        "calibration_error": calibration_error(
            [(float(p.max()), float(p.argmax() == t)) for p, t in zip(table, truth, strict=True)]
        ),
        "confusion": confusion,
    }


def calibration_error(pairs: Sequence[tuple[float, float]], bins: int = 15) -> float:
    """Expected calibration error: the gap between probability and outcome in equal bins, weighted by size."""
    chances, outcome = np.array([p for p, _ in pairs]), np.array([o for _, o in pairs])
    index = np.minimum((chances * bins).astype(int), bins - 1)
    gaps = [
        abs(chances[index == b].mean() - outcome[index == b].mean()) * (index == b).mean()
        for b in set(index.tolist())
    ]
    return round(float(sum(gaps)), 4)
