"""How an email sounds, and which of its words look wrong: one small encoder, three heads.

The encoder is a fine-tuned all-MiniLM-L6-v2 in GGUF, run by llama.cpp; the heads are a few matrices in
`heads.json`, applied with numpy. `python -m training tone` makes both and renders its rows with `encode` and
`features` of this file, so that training and serving cannot read a text differently.

    tone = ToneClassifier.load()
    tone.score(["Send me the report now."])[0].politeness.label      # "impolite"

A text longer than one window (`WINDOW` tokens) is cut at sentence ends into windows that are scored on their
own. The whole then gets their mean, weighted by length and by how far from neutral each window is: five plain
sentences do not hide one complaint, yet one "thanks" does not outweigh four complaints.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import threading
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from space.errors import UserError

MODELS = Path(__file__).resolve().parent / "models"
LABELS = {
    "sentiment": ("negative", "neutral", "positive"),
    "politeness": ("impolite", "neutral", "polite"),
}

WINDOW = 64  # tokens; training texts are one or two sentences, so longer ones are cut to that length
CONTEXT = 512  # tokens in one llama.cpp batch, several windows at once; also the encoder's positions
LONGEST_WORD = 100  # characters; BERT's own tokenizer gives up on longer words
# How much a wholly neutral window counts against a wholly non-neutral one of the same length.
NEUTRAL_WEIGHT = 0.15

# A word: a link, an address, a @name, letters and digits with inner apostrophes, hyphens or dots, or a mark.
_WORD = re.compile(
    r"(?P<link>(?:https?://|www\.)[^\s<>]+|<url>|<link>)"
    r"|(?P<address>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<person>@\w+|<(?:person|name)>)"
    r"|\w+(?:['’.\-]\w+)*"
    r"|[^\w\s]"
)
_STAND_IN = {"link": "link", "address": "email", "person": "someone"}
_SENTENCE_END = frozenset(".!?…")


@dataclass(frozen=True)
class Score:
    """The likeliest label, its probability, and the probability of every label (they sum to 1)."""

    label: str
    score: float
    scores: dict[str, float]


@dataclass(frozen=True)
class Tone:
    """Sentiment and politeness of one text."""

    sentiment: Score
    politeness: Score

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Doubt:
    """The probability that the word at [start, end) of the text is wrong."""

    start: int
    end: int
    text: str
    probability: float


@dataclass(frozen=True)
class Analysis:
    """Everything one pass of the encoder says about a text."""

    tone: Tone
    doubts: list[Doubt]


@dataclass(frozen=True)
class Encoded:
    """A text as the encoder reads it: token ids without [CLS] and [SEP], and each token's word by index."""

    spans: list[tuple[int, int]]
    ids: list[int]
    word_of: list[int]

    def ids_of(self, run: tuple[int, int]) -> list[int]:
        """The token ids of the words [first, last)."""
        return self.ids[bisect_left(self.word_of, run[0]) : bisect_left(self.word_of, run[1])]


def encode(text: str, tokenize: Callable[[str], Sequence[int]]) -> Encoded:
    """Split a text into words and each word into WordPiece tokens.

    BERT's tokenizer never joins across blanks or punctuation, so word by word gives its own tokens. Links,
    addresses and @names become one plain word each: which link it is says nothing about tone or grammar.
    """
    spans: list[tuple[int, int]] = []
    ids: list[int] = []
    word_of: list[int] = []
    for match in _WORD.finditer(text):
        tokens = tokenize(_STAND_IN.get(match.lastgroup or "", "") or _plain(match.group()))
        ids.extend(tokens)
        word_of.extend([len(spans)] * len(tokens))
        spans.append(match.span())
    return Encoded(spans, ids, word_of)


def _plain(word: str) -> str:
    """Lower case without accents, as BERT's uncased tokenizer has it (llama.cpp keeps combining marks)."""
    word = word[:LONGEST_WORD].encode("utf-8", "ignore").decode("utf-8")  # drops lone surrogates
    decomposed = unicodedata.normalize("NFD", word.lower())
    return "".join(c for c in decomposed if unicodedata.category(c) not in ("Mn", "Cc", "Cf"))


FEATURES = 9


def features(text: str, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """What the uncased encoder cannot see of each word, as 0/1: (words, FEATURES), float32.

    Capitals, digits, the blanks around the word, and whether it opens or closes a sentence.
    """
    table = np.zeros((len(spans), FEATURES), np.float32)
    opens = True
    for row, (start, end) in zip(table, spans, strict=True):
        word = text[start:end]
        after = text[end : end + 2]
        row[:] = (
            word[0].isupper(),
            word[0].islower(),
            len(word) > 1 and word.isupper(),
            any(c.isdigit() for c in word),
            start > 0 and text[start - 1].isspace(),
            start > 1 and text[start - 2 : start].isspace(),
            after[:1].isspace(),
            opens,
            not after.strip(),
        )
        if any(c.isalnum() for c in word):
            opens = False
        elif word in _SENTENCE_END:
            opens = True
    return table


def windows(text: str, encoded: Encoded, limit: int = WINDOW) -> list[tuple[int, int]]:
    """Cut a text into runs of words, [first, last), of at most `limit` tokens, best at sentence ends.

    None for a text without tokens; a single word longer than the limit has a run of its own.
    """
    if not encoded.ids:
        return []
    sizes = np.bincount(encoded.word_of, minlength=len(encoded.spans)).tolist()
    runs: list[tuple[int, int]] = []
    first = tokens = cut = 0  # cut: after the last sentence end of this run
    for i, size in enumerate(sizes):
        while i > first and tokens + size > limit:
            cut = cut if cut > first else i
            runs.append((first, cut))
            first, tokens = cut, sum(sizes[cut:i])
        tokens += size
        end = encoded.spans[i][1]
        if (text[end - 1] in _SENTENCE_END and not text[end : end + 1].strip()) or "\n" in text[
            end : end + 2
        ]:
            cut = i + 1
    return [*runs, (first, len(sizes))]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    exp = np.exp(logits - logits.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


class Heads:
    """The three heads over the encoder's hidden states, read from `heads.json`."""

    def __init__(self, data: Mapping[str, Any]):
        self.threshold = float(data["doubts"]["threshold"])
        self._tone = {
            name: (
                np.array(head["weight"], np.float32),
                np.array(head["bias"], np.float32),
                float(head["temperature"]),
            )
            for name, head in data["tone"].items()
        }
        doubts = data["doubts"]
        self._doubts = [
            np.array(doubts[key], np.float32) for key in ("hidden", "hidden_bias", "out", "out_bias")
        ]
        self._doubt_temperature = float(doubts["temperature"])

    def tone(self, hidden: np.ndarray) -> dict[str, np.ndarray]:
        """Probabilities per head of one window's hidden states (tokens, width), [CLS] and [SEP] included."""
        pooled = hidden.mean(0)
        return {name: softmax((w @ pooled + b) / t) for name, (w, b, t) in self._tone.items()}

    def doubts(self, words: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """Probability per word of being wrong, from its mean hidden state (words, width) and `features`."""
        weight, bias, out, out_bias = self._doubts
        inner = np.maximum(np.concatenate([words, marks], 1) @ weight.T + bias, 0)
        logits = (inner @ out + out_bias) / self._doubt_temperature
        return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


class Encoder:
    """llama.cpp's BERT: token ids in, one hidden state per token out; a lock lets in one caller at a time."""

    def __init__(self, path: Path, n_threads: int):
        import llama_cpp

        if not path.is_file():
            raise UserError(
                f"the tone encoder {path} is missing: restore it, or make it with python -m training tone"
            )
        self._api = llama_cpp
        try:
            self._llama = llama_cpp.Llama(
                str(path), embedding=True, pooling_type=llama_cpp.LLAMA_POOLING_TYPE_NONE,
                n_ctx=CONTEXT, n_batch=CONTEXT, n_ubatch=CONTEXT, n_threads=n_threads,
                n_threads_batch=n_threads, verbose=False,
            )  # fmt: skip
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"the tone encoder {path} cannot be read: replace it, the file may be cut short"
            ) from error
        self.width = self._llama.n_embd()
        self._lock = threading.Lock()
        self._batch = llama_cpp.llama_batch_init(CONTEXT, 0, 1)
        self.cls, self.sep = self._special()
        self.tokenize = lru_cache(maxsize=50_000)(self._tokenize)

    def _special(self) -> tuple[int, int]:
        both = self._llama.tokenize(b"", add_bos=True, special=False)
        return both[0], both[-1]

    def _tokenize(self, word: str) -> tuple[int, ...]:
        with self._lock:
            return tuple(self._llama.tokenize(word.encode(), add_bos=False, special=False)) if word else ()

    def hidden(self, windows: Iterable[Sequence[int]]) -> list[np.ndarray]:
        """Hidden states (tokens + 2, width), float32, of each window of at most CONTEXT - 2 token ids."""
        states: list[np.ndarray] = []
        group: list[list[int]] = []
        with self._lock:
            for ids in windows:
                ids = [self.cls, *ids, self.sep]
                if sum(map(len, group)) + len(ids) > CONTEXT:
                    states.extend(self._run(group))
                    group = []
                group.append(ids)
            if group:
                states.extend(self._run(group))
        return states

    def _run(self, group: Sequence[Sequence[int]]) -> list[np.ndarray]:
        batch, n = self._batch, 0
        for sequence, ids in enumerate(group):
            for position, token in enumerate(ids):
                batch.token[n], batch.pos[n], batch.logits[n] = token, position, 1
                batch.n_seq_id[n], batch.seq_id[n][0] = 1, sequence
                n += 1
        batch.n_tokens = n
        if code := self._api.llama_encode(self._llama.ctx, batch):
            raise RuntimeError(f"llama.cpp could not encode {n} tokens (code {code})")
        out = ctypes.cast(self._api.llama_get_embeddings(self._llama.ctx), ctypes.POINTER(ctypes.c_float))
        table = np.ctypeslib.as_array(out, (n, self.width)).copy()
        return np.split(table, np.cumsum([len(ids) for ids in group])[:-1])


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
    """Scores of texts, and doubts about their words. Safe to share between threads."""

    def __init__(self, encoder: Encoder, heads: Heads, hub: Mapping[str, HubClassifier] | None = None):
        self._encoder = encoder
        self._heads = heads
        self._hub = dict(hub or {})
        self.threshold = heads.threshold  # a word at or above it is worth a correction

    @classmethod
    def load(
        cls, path: Path = MODELS / "tone", n_threads: int | None = None, hub: Mapping[str, str] | None = None
    ) -> ToneClassifier:
        """Read `encoder.gguf` and `heads.json`; `hub` replaces heads, {"sentiment": repo_id or folder}.

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
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path / 'heads.json'} cannot be read: restore it, the file may be cut short"
            ) from error
        encoder = Encoder(path / "encoder.gguf", n_threads or os.cpu_count() or 1)
        return cls(encoder, heads, {name: HubClassifier(name, repo) for name, repo in hub.items()})

    def score(self, texts: Sequence[str]) -> list[Tone]:
        """The tone of each text; a text without words is neutral."""
        return [analysis.tone for analysis in self.analyse(texts)]

    def doubts(self, texts: Sequence[str]) -> list[list[Doubt]]:
        """Every word of each text with its probability of being wrong, in order."""
        return [analysis.doubts for analysis in self.analyse(texts)]

    def analyse(self, texts: Sequence[str]) -> list[Analysis]:
        """Tone and doubts of each text from one pass of the encoder."""
        encoded = [encode(text, self._encoder.tokenize) for text in texts]
        runs = [windows(text, code) for text, code in zip(texts, encoded, strict=True)]
        states = iter(
            self._encoder.hidden(
                code.ids_of(run) for code, some in zip(encoded, runs, strict=True) for run in some
            )
        )
        return [self._read(*one, states) for one in zip(texts, encoded, runs, strict=True)]

    def _read(
        self, text: str, code: Encoded, runs: Sequence[tuple[int, int]], states: Iterator[np.ndarray]
    ) -> Analysis:
        if not runs:
            return Analysis(_neutral(), [])
        own = [next(states) for _ in runs]
        sizes = np.array([len(state) - 2 for state in own])
        tones = [self._heads.tone(state) for state in own]
        scores = {name: [tone[name] for tone in tones] for name in LABELS}
        for name, other in self._hub.items():
            scores[name] = other.scores([text[code.spans[a][0] : code.spans[b - 1][1]] for a, b in runs])
        tone = {
            name: _score(LABELS[name], _combine(np.stack(chances), sizes)) for name, chances in scores.items()
        }
        hidden = np.concatenate([state[1:-1] for state in own])
        words, first, count = np.unique(code.word_of, return_index=True, return_counts=True)
        means = np.add.reduceat(hidden, first) / count[:, None]
        chances = self._heads.doubts(means, features(text, code.spans)[words])
        spans = [code.spans[i] for i in words]
        return Analysis(
            Tone(**tone), [Doubt(a, b, text[a:b], float(p)) for (a, b), p in zip(spans, chances, strict=True)]
        )


def _combine(chances: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """One distribution from those of the windows, (windows, 3): see the file's docstring."""
    weights = sizes * (1 + NEUTRAL_WEIGHT - chances[:, 1])
    return np.asarray(weights @ chances / weights.sum())


def _score(labels: Sequence[str], chances: Iterable[float]) -> Score:
    scores = {label: round(float(p), 4) for label, p in zip(labels, chances, strict=True)}
    best = max(scores, key=lambda label: scores[label])
    return Score(best, scores[best], scores)


def _neutral() -> Tone:
    return Tone(_score(LABELS["sentiment"], (0, 1, 0)), _score(LABELS["politeness"], (0, 1, 0)))
