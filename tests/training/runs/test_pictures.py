"""Pictures and pages: what is drawn can be seen, and what is written can be read."""

from __future__ import annotations

import base64
import math
import re
import resource
import signal
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from space.errors import UserError
from training.runs import pictures

BLUE = np.array([0x44, 0x77, 0xAA]) / 255


def blue_columns(path: Path) -> np.ndarray:
    """How many pixels of each column of the picture have the colour of bars."""
    return (np.abs(imread(path)[..., :3] - BLUE).max(axis=2) < 0.02).sum(axis=0)


def test_curves_are_drawn(tmp_path: Path) -> None:
    one = pictures.curves(tmp_path / "new" / "one.png", {"a": [(1, 2.0), (2, 1.0)]}, "Loss", "step", "loss")
    both = pictures.curves(
        tmp_path / "two.png", {"a": [(1, 2.0), (2, 1.0)], "b": [(1, math.nan), (2, 3.0), (3, 1.0)]}, "Loss", "s", "l"
    )  # fmt: skip
    assert one.exists() and imread(one).shape == imread(both).shape
    assert not np.array_equal(imread(one), imread(both))
    assert pictures.curves(tmp_path / "none.png", {}, "Loss", "step", "loss").exists()


def test_a_bar_twice_as_high_has_twice_the_pixels(tmp_path: Path) -> None:
    columns = blue_columns(pictures.bars(tmp_path / "bars.png", {"a": 20.0, "b": 40.0}, "GLEU", "GLEU"))
    places = np.flatnonzero(columns > 20)
    gap = places[np.flatnonzero(np.diff(places) > 5)[0]]
    low, high = np.median(columns[places[places <= gap]]), np.median(columns[places[places > gap]])
    assert high == pytest.approx(2 * low, rel=0.03)


def test_intervals_and_long_names(tmp_path: Path) -> None:
    plain = pictures.bars(tmp_path / "plain.png", {"a": 47.1}, "t", "y")
    whiskers = pictures.bars(tmp_path / "whiskers.png", {"a": (47.1, 45.3, 48.9)}, "t", "y")
    assert not np.array_equal(imread(plain), imread(whiskers))
    pictures.bars(tmp_path / "rounded.png", {"a": (47.1, 47.2, 48.9)}, "t", "y")
    names = {f"a model with a long name {k}": float(k) for k in range(12)}
    assert imread(pictures.bars(tmp_path / "lying.png", names, "t", "y")).shape[0] > imread(plain).shape[0]


def test_a_histogram(tmp_path: Path) -> None:
    assert blue_columns(pictures.histogram(tmp_path / "h.png", [1, 2, 2, 3] * 30, "t", "tokens")).sum() > 500
    assert pictures.histogram(tmp_path / "empty.png", [], "t", "tokens").exists()


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


def test_a_page_is_one_file_that_holds_all(tmp_path: Path) -> None:
    picture = pictures.histogram(tmp_path / "h.png", [1, 2], "t", "x")
    rows: list[dict[str, object]] = [{"run": "<b>a</b> & b", "GLEU": 47.1}, {"run": "c", "new": None}]
    page = pictures.html(tmp_path / "page.html", "Runs <1>", {"Scores": rows}, [picture]).read_text()
    text = Text()
    text.feed(page)
    assert {"Runs <1>", "Scores", "run", "GLEU", "new", "<b>a</b> & b", "47.1", "c", "-"} <= set(text.cells)
    assert "<b>" not in page
    (coded,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert base64.b64decode(coded) == picture.read_bytes()
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    pictures.html(tmp_path / "page.html", "old", {})
    pictures.histogram(tmp_path / "h.png", [1, 2], "t", "x")
    old = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # as on a full disk: a write stops halfway
    try:
        for write in (
            lambda: pictures.histogram(tmp_path / "h.png", [1, 2, 3], "t", "x"),
            lambda: pictures.html(tmp_path / "page.html", "new", {"t": [{"a": 1}]}),
        ):
            with pytest.raises(UserError, match="cannot be written"):
                write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_what_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write in (
        lambda: pictures.histogram(tmp_path / "file" / "h.png", [1], "t", "x"),
        lambda: pictures.html(tmp_path / "file" / "page.html", "t", {}),
    ):
        with pytest.raises(UserError, match="cannot be written"):
            write()
