"""Rows as text in columns, and figures as rows.

A figure is a number or, with its interval, {"value", "low", "high"}; figures nest in groups by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Rows = list[dict[str, Any]]


def in_columns(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as text, under the names of their columns, four blanks apart.

    >>> print(in_columns([{"run": "a", "minutes": 1.5}, {"run": "long name"}]))
    run          minutes
    a            1.5
    long name    -
    """
    heads = list(dict.fromkeys(name for row in rows for name in row))
    lines = [heads, *([cell(row.get(name)) for name in heads] for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(heads))]
    return "\n".join(
        "    ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def side_by_side(columns: Mapping[str, Mapping[str, Any]], heading: str = "") -> Rows:
    """{column: figures} as a row per figure, whose whole name stands under `heading`.

    >>> side_by_side({"a": {"clean": {"changed": 1.5}}, "b": {"clean": {"changed": 0.5}}})
    [{'': 'clean changed', 'a': 1.5, 'b': 0.5}]
    """
    cells = {column: dict(flat(figures)) for column, figures in columns.items()}
    names = dict.fromkeys(name for own in cells.values() for name in own)
    return [{heading: name, **{column: own.get(name) for column, own in cells.items()}} for name in names]


def flat(figures: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Figures that nest, by their whole names."""
    for name, value in figures.items():
        if isinstance(value, Mapping) and "low" not in value:
            yield from flat(value, (*path, name))
        else:
            yield " ".join((*path, name)), value


def cell(value: Any) -> str:
    """A value as text: a figure with its interval, and a dash for none.

    >>> cell({"value": 1.5, "low": 0.0, "high": 3.0}), cell(0.1 + 0.2), cell(None)
    ('1.5 (0.0 to 3.0)', '0.3', '-')
    """
    if isinstance(value, Mapping):
        return "-" if value["value"] is None else f"{value['value']} ({value['low']} to {value['high']})"
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
