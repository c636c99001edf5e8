"""What a suite of the evaluation is: who is scored, on which rows, and what is reported.

A suite is a function (rows, subject, seed) -> Report; `training.corrections` and `training.behaviour` hold
them. Rows are checked where they are read, so that a file of the wrong kind is refused in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from space.errors import UserError
from training.corpus import detokenize, read_rows

if TYPE_CHECKING:
    from space.tone import Tone

EVALUATION = Path(__file__).resolve().parent / "evaluation"
SENTENCES = EVALUATION / "sentences.jsonl"

Rows = Sequence[dict[str, Any]]


class Subject:
    """What is scored: a proofreader under its name, or nothing at all ("none").

    Every text is proofread once per mode, however many suites ask for it.
    """

    def __init__(self, name: str, mode: str) -> None:
        from space.settings import Settings

        self.name, self._mode = name, mode
        self._settings = Settings.from_env()
        self._done: dict[tuple[str, str], str] = {}
        self._proofreader: Any = None
        if name != "none":
            from space.proofreader import load_proofreader

            self._proofreader = load_proofreader(self._settings, None if name == "default" else name)

    def correct(self, text: str, mode: str | None = None) -> str:
        """The text as the pipeline returns it in this mode (the command's own by default)."""
        if self._proofreader is None:
            return text
        key = (text, mode or self._mode)
        if key not in self._done:
            self._done[key] = self._proofreader.proofread(*key).text
        return self._done[key]

    def tones(self, texts: Sequence[str]) -> list[Tone]:
        """The tone of each text, by the same classifier for every model."""
        if not hasattr(self, "_tone"):
            from space.tone import ToneClassifier

            self._tone = ToneClassifier.load(self._settings.models_dir / "tone", self._settings.n_threads)
        return self._tone.score(texts)


@dataclass(frozen=True)
class Case:
    """One text with what came back and what may come back."""

    source: str
    output: str
    references: list[str]

    @property
    def right(self) -> bool:
        return self.output in self.references


@dataclass(frozen=True)
class Report:
    """Figures by name (groups of figures nest), and the cases that they were counted on."""

    figures: dict[str, Any]
    cases: list[Case]


@dataclass(frozen=True)
class Suite:
    """`data` is the name of its file in a folder of corpora, or the suite's own list."""

    run: Callable[[Rows, Subject, int], Report]
    data: str | Path

    def rows(self, data: Path | None, limit: int | None) -> list[dict[str, Any]]:
        """The rows of the file or folder, else of the own list. Raises UserError when there are none to be
        had."""
        if isinstance(self.data, Path):
            path = data if data is not None and data.is_file() else self.data
        elif data is None:
            raise UserError(f"this suite needs --data: a file, or a folder that holds {self.data}")
        else:
            path = data / self.data if data.is_dir() else data
        rows = list(read_rows(path))[:limit]
        if not rows or not all(isinstance(row, dict) for row in rows):
            raise UserError(f"{path} holds no rows: give JSON lines with one object each")
        return rows


# ---- rows --------------------------------------------------------------------------------------------------


def texts_of(rows: Rows) -> list[str]:
    """Clean texts: `text`, the `right` of our own list's clean rows, or sentences that every annotator left
    alone."""
    if "text" in rows[0]:
        return [column(row, "text", str) for row in rows]
    found = [source for source, references in pairs_of(rows) if all(r == source for r in references)]
    if not found:
        raise UserError("no clean text among the rows: each has a correction")
    return found


def pairs_of(rows: Rows) -> list[tuple[str, list[str]]]:
    """(text, accepted corrections) as they are written: tokenised files are detokenised.

    Columns are `source` and `references`, `source` and `corrected`, or our own `wrong` and `right`.
    """
    keys = next((pair for pair in _COLUMNS if pair[0] in rows[0] and pair[1] in rows[0]), _COLUMNS[0])
    written: Callable[[str], str] = detokenize if is_tokenised(rows, keys[0]) else str
    pairs = []
    for row in rows:
        references = row.get(keys[1])
        references = [references] if isinstance(references, str) else column(row, keys[1], list)
        pairs.append((written(column(row, keys[0], str)), [written(str(each)) for each in references]))
    return pairs


_COLUMNS = (("source", "references"), ("source", "corrected"), ("wrong", "right"))


def column(row: dict[str, Any], key: str, kind: type) -> Any:
    """The value of a column. Raises UserError when it is missing, empty or of another kind."""
    value = row.get(key)
    if not isinstance(value, kind) or not value:
        what = "a text" if kind is str else "a list of texts"
        raise UserError(f"a row has no {key!r} ({what}): its keys are {', '.join(row)}")
    return value


def is_tokenised(rows: Rows, key: str) -> bool:
    """Whether most texts that end in a mark have a blank before it, as in Penn Treebank text."""
    ends = [str(row.get(key, ""))[-2:] for row in rows]
    marked = [end for end in ends if end[-1:] in {".", "?", "!"}]
    return 2 * sum(end[:1] == " " for end in marked) > len(marked)
