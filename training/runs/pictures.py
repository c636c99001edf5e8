"""Pictures of training runs and scores as PNG, and pages of HTML that hold tables and pictures in one file.

    curves("loss.png", {"train": [(1, 2.5), (2, 2.1)]}, "Loss", "step", "loss")
    bars("gleu.png", {"served": (47.1, 45.3, 48.9)}, "GLEU", "GLEU")
    histogram("lengths.png", lengths, "Training rows", "tokens")
    html("runs.html", "Runs", {"Scores": [{"run": "a", "GLEU": 47.1}]}, ["loss.png"])

matplotlib draws without a screen. A folder that does not exist is made; UserError when a file cannot be written.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.runs.atomic_write import replacing, write, write_errors
from training.runs.tables import cell

Bar = float | tuple[float, float, float]  # a value, or a value with the ends of its interval

_DPI = 120
_LONG_LABEL = 12  # characters; longer ones stand beside lying bars
_MARKED = 40  # points of a curve up to which each is marked


def curves(
    path: str | Path,
    lines: Mapping[str, Sequence[tuple[float, float]]],
    title: str,
    x_label: str,
    y_label: str,
) -> Path:
    """A line through each list of (x, y), with a legend where there is more than one. Gaps are left at NaN."""
    with _axes(path, title) as axes:
        for name, points in lines.items():
            x, y = [point[0] for point in points], [point[1] for point in points]
            axes.plot(
                x, y, marker="o" if len(points) <= _MARKED else None, markersize=3, linewidth=1.4, label=name
            )
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(alpha=0.25)
        if len(lines) > 1:
            axes.legend(fontsize=8, frameon=False)
    return Path(path)


def bars(path: str | Path, values: Mapping[str, Bar], title: str, y_label: str) -> Path:
    """One bar per name, with a whisker where there is an interval. Long names turn the picture on its side."""
    heights = [value[0] if isinstance(value, tuple) else value for value in values.values()]
    errors = [
        (value[0] - value[1], value[2] - value[0]) if isinstance(value, tuple) else (0.0, 0.0)
        for value in values.values()
    ]
    # Rounding can put a value a hair outside of its interval, which matplotlib refuses.
    whiskers = [[max(pair[side], 0.0) for pair in errors] for side in (0, 1)]
    lying = any(len(name) > _LONG_LABEL for name in values) or len(values) > 8
    style = {"color": "#4477aa", "ecolor": "#222222", "capsize": 3}
    places = range(len(values))  # two names may be the same when they are cut
    with _axes(path, title, height=max(3.0, 0.4 * len(values) + 1.2) if lying else 3.6) as axes:
        if lying:
            axes.barh(places, heights, xerr=whiskers, **style)
            axes.set_yticks(places, list(values), fontsize=8)
            axes.invert_yaxis()
            axes.set_xlabel(y_label)
            axes.grid(axis="x", alpha=0.25)
        else:
            axes.bar(places, heights, yerr=whiskers, **style)
            axes.set_xticks(places, list(values))
            axes.set_ylabel(y_label)
            axes.grid(axis="y", alpha=0.25)
    return Path(path)


def histogram(path: str | Path, values: Sequence[float], title: str, x_label: str) -> Path:
    """How often each value occurs; a dashed line marks the median."""
    numbers = sorted(float(value) for value in values)
    with _axes(path, title) as axes:
        if numbers:
            axes.hist(numbers, bins=min(40, max(5, math.isqrt(len(numbers)))), color="#4477aa")
            median = (numbers[(len(numbers) - 1) // 2] + numbers[len(numbers) // 2]) / 2
            axes.axvline(median, color="#222222", linestyle="--", linewidth=1, label=f"median {median:g}")
            axes.legend(fontsize=8, frameon=False)
        axes.set_xlabel(x_label)
        axes.set_ylabel("count")
    return Path(path)


@contextmanager
def _axes(path: str | Path, title: str, height: float = 3.6) -> Iterator[Any]:
    """Axes to draw on, which are saved at the end. Figures are made without pyplot, which keeps them all."""
    if find_spec("matplotlib") is None:
        raise UserError("pictures need matplotlib: pip install matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    yield axes
    with write_errors(Path(path)), replacing(Path(path)) as part:
        figure.savefig(part, dpi=_DPI, format="png")


# ---- pages -------------------------------------------------------------------------------------------------

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2330; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-size: 13px; margin: .5rem 0 1.5rem }
th, td { border-bottom: 1px solid #d5d9e0; padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top }
td { white-space: pre-wrap; overflow-wrap: anywhere } div { overflow-x: auto } img { max-width: 100% }
@media (prefers-color-scheme: dark) { body { background: #14171d; color: #e4e7ec } th, td { border-color: #363c47 } }
"""


def html(
    path: str | Path,
    title: str,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    pictures: Sequence[str | Path] = (),
) -> Path:
    """One page: each table under its heading, a row per mapping, then the pictures, which are put into the file."""
    body = [f"<h1>{escape(title)}</h1>"]
    for heading, rows in tables.items():
        body.append(f"<h2>{escape(heading)}</h2>\n{_table(rows)}")
    for picture in pictures:
        coded = base64.b64encode(Path(picture).read_bytes()).decode("ascii")
        body.append(f'<p><img alt="{escape(Path(picture).stem)}" src="data:image/png;base64,{coded}"></p>')
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body>\n{chr(10).join(body)}\n</body></html>\n"
    )
    with write_errors(Path(path)):
        write(Path(path), page)
    return Path(path)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in names)
    lines = [
        "<tr>" + "".join(f"<td>{escape(cell(row.get(name)))}</td>" for name in names) + "</tr>"
        for row in rows
    ]
    return f"<div><table>\n<tr>{head}</tr>\n{chr(10).join(lines)}\n</table></div>"
