"""How many flags, by verdict, reason, model and week: as numbers, as text, as charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from feedback.errors import FeedbackError
from feedback.record import REASONS, VERDICTS, Record

GROUPS = ("verdict", "reason", "model", "week")
CHARTS = ("reason", "model", "week")


def week(time: str) -> str:
    """The ISO week of a record's time, as 2026-W47."""
    year, number, _ = datetime.fromisoformat(time).isocalendar()
    return f"{year}-W{number:02d}"


def count(records: Iterable[Record]) -> dict[str, Any]:
    """Counts of the records: total, and by verdict, reason, model and week."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in GROUPS}
    total = 0
    for record in records:
        total += 1
        counts["verdict"][record.verdict] += 1
        counts["reason"].update(record.reasons)
        counts["model"][str(record.versions.get("model") or "unknown")] += 1
        counts["week"][week(record.time)] += 1
    order = {"verdict": VERDICTS, "reason": REASONS}
    return {"records": total} | {
        # What a later release added comes after what this one knows.
        name: {key: found[key] for key in dict.fromkeys((*order.get(name, ()), *sorted(found))) if found[key]}
        for name, found in counts.items()
    }


def table(counts: dict[str, Any]) -> str:
    """The counts as lines of text, a heading above each group."""
    lines = [f"{counts['records']} records"]
    for name in GROUPS:
        if counts[name]:
            lines.append(f"by {name}")
            lines.extend(f"{number:8d}  {key}" for key, number in counts[name].items())
    return "\n".join(lines)


def charts(counts: dict[str, Any], folder: Path) -> list[Path]:
    """Draws a bar chart (PNG) for each of `CHARTS` that has anything to show; returns their paths.

    Raises FeedbackError without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise FeedbackError("Charts need matplotlib: pip install matplotlib") from error

    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name in CHARTS:
        bars = counts[name]
        if not bars:
            continue
        figure = Figure(figsize=(8, 1 + 0.4 * len(bars)), layout="constrained")
        axes = figure.add_subplot()
        drawn_bars = axes.barh([_short(key) for key in bars], list(bars.values()), color="#1d4ed8")
        axes.bar_label(drawn_bars, padding=3)
        axes.margins(x=0.1)
        axes.invert_yaxis()
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(f"Feedback by {name} ({counts['records']} records)")
        axes.spines[["top", "right"]].set_visible(False)
        path = folder / f"feedback_by_{name}.png"
        FigureCanvasAgg(figure).print_png(str(path))
        drawn.append(path)
    return drawn


def _short(text: str, length: int = 60) -> str:
    """A label that fits, with nothing that matplotlib would read as a formula."""
    return (text if len(text) <= length else text[: length - 1] + "…").replace("$", r"\$")
