"""How an email sounds: one small encoder, a head for sentiment and one for politeness.

The encoder is a fine-tuned all-MiniLM-L6-v2 in GGUF, run by llama.cpp; the heads are two matrices in `heads.json`,
applied with numpy. `python -m training tone` makes both.

    tone = ToneClassifier.load()
    tone.score(["Send me the report now."])[0].politeness.label      # "impolite"

A text longer than one window (`WINDOW` tokens) is cut at sentence ends into windows that are scored on their
own. The whole then gets their mean, weighted by length and by how far from neutral each window is: five plain
sentences do not hide one complaint, yet one "thanks" does not outweigh four complaints.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from space.errors import UserError
from space.proofread.classifiers.encoder import Encoded, Encoder, encode, windows
from space.proofread.lexicon import Lexicon
from space.proofread.names import people

MODELS = Path(__file__).resolve().parents[2] / "models"
LABELS = {
    "sentiment": ("negative", "neutral", "positive"),
    "politeness": ("impolite", "neutral", "polite"),
}

WINDOW = 64  # tokens; training texts are one or two sentences, so longer ones are cut to that length
# How much a wholly neutral window counts against a wholly non-neutral one of the same length.
NEUTRAL_WEIGHT = 0.15

# The words of a gauge, each from its value on: word and dot are one number, so that they cannot disagree.
SCALES = {
    "sentiment": ((-1.0, "very negative"), (-0.6, "negative"), (-0.2, "neutral"), (0.2, "positive"), (0.6, "very positive")),
    "politeness": ((-1.0, "rude"), (-0.6, "blunt"), (-0.2, "neutral"), (0.2, "polite"), (0.6, "very polite")),
}  # fmt: skip
LOW = -0.2  # below it a text sounds blunt, or negative


@dataclass(frozen=True)
class Score:
    """The likeliest label, its probability, and the probability of every label (they sum to 1)."""

    label: str
    score: float
    scores: dict[str, float]

    @property
    def value(self) -> float:
        """Where the text is on the scale: the expected value, from -1 (impolite, negative) to 1 (polite, positive)."""
        first, *_, last = _labels(self.scores)
        return round(self.scores[last] - self.scores[first], 4)

    @property
    def word(self) -> str:
        """The word of that value in SCALES."""
        scale = SCALES["politeness" if "polite" in self.scores else "sentiment"]
        return next(word for least, word in reversed(scale) if self.value >= least)

    @property
    def is_low(self) -> bool:
        """Whether it is blunt or rude, or negative."""
        return self.value < LOW

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"value": self.value, "word": self.word}


def _labels(scores: Mapping[str, float]) -> Sequence[str]:
    return LABELS["politeness" if "polite" in scores else "sentiment"]


@dataclass(frozen=True)
class Tone:
    """Sentiment and politeness of one text."""

    sentiment: Score
    politeness: Score

    def to_dict(self) -> dict[str, Any]:
        return {"sentiment": self.sentiment.to_dict(), "politeness": self.politeness.to_dict()}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    exp = np.exp(logits - logits.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


class Heads:
    """The two heads over the encoder's hidden states, read from `heads.json`."""

    def __init__(self, data: Mapping[str, Any]):
        self._tone = {
            name: (
                np.array(head["weight"], np.float32),
                np.array(head["bias"], np.float32),
                float(head["temperature"]),
            )
            for name, head in data["tone"].items()
        }

    def fit(self, width: int) -> bool:
        """Whether there is each head, for hidden states of this width."""
        fitting = {
            name
            for name, (w, b, t) in self._tone.items()
            if w.shape == (3, width) and b.shape == (3,) and t > 0
        }
        return fitting == set(LABELS)

    def tone(self, hidden: np.ndarray) -> dict[str, np.ndarray]:
        """Probabilities per head of one window's hidden states (tokens, width), [CLS] and [SEP] included."""
        pooled = hidden.mean(0)
        return {name: softmax((w @ pooled + b) / t) for name, (w, b, t) in self._tone.items()}


class HubClassifier:
    """Somebody else's tone head: a text classifier from the Hub or a folder, run by transformers."""

    # What published classifiers call our labels, in lower case; "LABEL_0" and so on go by their number.
    NAMES = {
        "sentiment": {
            "negative": ("negative", "neg", "very negative", "1 star", "2 stars", "sadness", "anger"),
            "neutral": ("neutral", "neu", "mixed", "3 stars"),
            "positive": ("positive", "pos", "very positive", "4 stars", "5 stars", "joy"),
        },
        "politeness": {
            "impolite": ("impolite", "not polite", "non-polite", "rude", "somewhat impolite", "negative"),
            "neutral": ("neutral",),
            "polite": ("polite", "somewhat polite", "very polite", "positive"),
        },
    }

    def __init__(self, name: str, repo: str):
        try:
            from transformers import pipeline
            from transformers.utils import logging
        except ImportError as error:
            raise UserError(f"{repo} needs transformers and torch: pip install transformers torch") from error
        logging.disable_progress_bar()
        try:
            self._classify = pipeline("text-classification", model=repo, top_k=None, truncation=True)
        except (OSError, ValueError) as error:
            raise UserError(
                f"no {name} classifier at {repo}: check the name, or unset {name.upper()}_MODEL"
            ) from error
        found = self._classify.model.config.id2label
        self._index = {label: self._ours(name, repo, label, len(found)) for label in found.values()}

    @classmethod
    def _ours(cls, name: str, repo: str, label: str, count: int) -> int:
        """The index in LABELS of a label of theirs."""
        plain = label.lower().replace("_", " ").strip()
        for i, ours in enumerate(LABELS[name]):
            by_number = {2: (0, None, 1), 3: (0, 1, 2)}.get(count, (None,) * 3)[i]
            if plain in cls.NAMES[name][ours] or plain == f"label {by_number}":
                return i
        raise UserError(
            f"{repo} has a label {label!r} that is no {name}: choose a model with {', '.join(LABELS[name])}"
        )

    def scores(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Probabilities (3,) of each text; their labels that mean the same are added up."""
        made = []
        for answers in self._classify([text.encode("utf-8", "replace").decode() for text in texts]):
            chances = np.zeros(3)
            for answer in answers:
                chances[self._index[answer["label"]]] += answer["score"]
            made.append(chances / chances.sum())
        return made


class ToneClassifier:
    """Scores of texts. Safe to share between threads."""

    def __init__(
        self, encoder: Encoder, heads: Heads, lexicon: Lexicon, hub: Mapping[str, HubClassifier] | None = None
    ):
        self._encoder, self._lexicon = encoder, lexicon
        self._heads = heads
        self._hub = dict(hub or {})

    @classmethod
    def load(
        cls,
        path: Path = MODELS / "tone",
        hub: Mapping[str, str] | None = None,
        lexicon: Lexicon | None = None,
    ) -> ToneClassifier:
        """Read `encoder.gguf` and `heads.json`; `hub` replaces heads, {"sentiment": repo_id or folder}.

        `lexicon`, the shipped one by default, tells names from words.

        Without `hub`, SENTIMENT_MODEL and POLITENESS_MODEL are asked. UserError when a model is missing.
        """
        if hub is None:
            hub = {name: repo for name in LABELS if (repo := os.environ.get(f"{name.upper()}_MODEL", ""))}
        try:
            heads = Heads(json.loads((path / "heads.json").read_text("utf-8")))
        except FileNotFoundError as error:
            raise UserError(
                f"{path / 'heads.json'} is missing: restore it, or make it with python -m training tone"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{path / 'heads.json'} cannot be read: restore it, the file may be cut short"
            ) from error
        encoder = Encoder(path / "encoder.gguf")
        if not heads.fit(encoder.width):
            raise UserError(f"{path}: encoder.gguf and heads.json are not of one run: restore both")
        return cls(
            encoder,
            heads,
            lexicon or Lexicon.load(),
            {name: HubClassifier(name, repo) for name, repo in hub.items()},
        )

    def score(self, texts: Sequence[str], names: Collection[str] | None = None) -> list[Tone]:
        """The tone of each text; a text without words is neutral.

        `names` have no tone, and all are read as the same one; by default those that each text shows to be names.
        """
        encoded = [
            encode(text, self._encoder.tokenize, people(text, self._lexicon) if names is None else names)
            for text in texts
        ]
        runs = [windows(text, code, WINDOW) for text, code in zip(texts, encoded, strict=True)]
        return [self._read(*one) for one in zip(texts, encoded, runs, strict=True)]

    def _read(self, text: str, code: Encoded, runs: Sequence[tuple[int, int]]) -> Tone:
        if not runs:
            return Tone(_score(LABELS["sentiment"], (0, 1, 0)), _score(LABELS["politeness"], (0, 1, 0)))
        ids = [code.ids_of(run) for run in runs]
        sizes = np.array([len(window) for window in ids])
        read = [self._heads.tone(states) for states in self._encoder.hidden(ids)]
        scores = {name: [tone[name] for tone in read] for name in LABELS}
        for name, other in self._hub.items():
            scores[name] = other.scores([text[code.spans[a][0] : code.spans[b - 1][1]] for a, b in runs])
        tone = {
            name: _score(LABELS[name], _combine(np.stack(chances), sizes)) for name, chances in scores.items()
        }
        return Tone(**tone)


def _combine(chances: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """One distribution from those of the windows, (windows, 3): see the file's docstring."""
    weights = sizes * (1 + NEUTRAL_WEIGHT - chances[:, 1])
    return np.asarray(weights @ chances / weights.sum())


def _score(labels: Sequence[str], chances: Iterable[float]) -> Score:
    scores = {label: round(float(p), 4) for label, p in zip(labels, chances, strict=True)}
    best = max(scores, key=lambda label: scores[label])
    return Score(best, scores[best], scores)
