"""Which words of a text look wrong, and what should stand in their place: an encoder that gives every word a tag.

The encoder is a fine-tuned all-MiniLM-L6-v2 in GGUF, run by llama.cpp with the LoRA adapter beside it, if there is one; the head is
a small network in `head.npz` over the tags of `tags.json` (space/proofread/classifiers/tags.py says what they mean). `python -m training tagger` makes them all.

    tagger = Tagger.load()
    [d for d in tagger.tag(["He go home."])[0] if d.wrong > 0.5]      # go, 0.99, "goes"
"""

from __future__ import annotations

import json
import re
import unicodedata
import zipfile
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from space.errors import UserError
from space.proofread.classifiers.encoder import FEATURES, Encoded, Encoder, encode, features, windows
from space.proofread.classifiers.tags import KEEP, WRONG, TaggedWord, fix_of, pieces
from space.proofread.classifiers.tone import MODELS, softmax
from space.proofread.lexicon import Lexicon
from space.proofread.names import people

WINDOW = 126  # tokens; the longest text it was trained on
_BEST, _LEAST = 12, 0.001  # tags of a word that are looked at, and how likely they must be
_ENDS = re.compile(r"[.!?…][\"”’')\]]*\s*$")
_SURE, _SURE_OF_FIX = 0.7, 0.2  # `wrong` and `score` of a replacement that is made before the second reading


class Tagger:
    """Safe to share between threads."""

    def __init__(self, encoder: Encoder, tags: Sequence[str], head: Sequence[np.ndarray], lexicon: Lexicon):
        self._encoder, self._tags, self._head, self._lexicon = encoder, tags, head, lexicon

    @classmethod
    def load(cls, path: Path = MODELS / "tagger", lexicon: Lexicon | None = None) -> Tagger:
        """Reads encoder.gguf, head.npz, tags.json and adapter.gguf of a folder, which may lack the last. UserError when one is missing or
        cut short.

        `lexicon`, the shipped one by default, tells names from words.
        """
        try:
            about = json.loads((path / "tags.json").read_text("utf-8"))
            arrays = np.load(path / "head.npz", allow_pickle=False)
            head = [arrays[name].astype(np.float32) for name in ("hidden", "hidden_bias", "out", "out_bias")]
            tags = about["tags"]
        except FileNotFoundError as error:
            raise UserError(
                f"{error.filename} is missing: restore it with git checkout, or make it with python -m training tagger"
            ) from error
        except (ValueError, KeyError, TypeError, EOFError, RecursionError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{path}: tags.json or head.npz cannot be read: restore them, a file may be cut short"
            ) from error
        adapter = path / "adapter.gguf"
        encoder = Encoder(path / "encoder.gguf", adapter if adapter.is_file() else None)
        n_hidden = head[1].size
        n_tags = len(tags) if isinstance(tags, list) and {KEEP, WRONG} <= {*map(str, tags)} else 0
        shapes = [(n_hidden, encoder.width + FEATURES), (n_hidden,), (n_tags, n_hidden), (n_tags,)]
        if [each.shape for each in head] != shapes:
            raise UserError(
                f"{path}: encoder.gguf, head.npz and tags.json are not of one run: restore all three with git checkout"
            )
        return cls(encoder, tags, head, lexicon or Lexicon.load())

    def tag(self, texts: Sequence[str], names: Collection[str] | None = None) -> list[list[TaggedWord]]:
        """Every word of each text with the probability that it is wrong and the likeliest fix, in order.

        `names` are all read as the same one, so that nobody is corrected otherwise than another; by default those that
        each text shows to be names. A text with sure fixes is read once more with them in place, for a mistake hides
        others (Omelianchuk et al. 2020).
        """
        found = self._tag(texts, names)
        sure = [
            [word if _is_sure(word) else replace(word, after=None) for word in tagged] for tagged in found
        ]
        corrected = ["".join(piece for piece, _ in pieces(*each)) for each in zip(texts, sure, strict=True)]
        again = [i for i, text in enumerate(texts) if corrected[i] != text]
        for i, second in zip(again, self._tag([corrected[i] for i in again], names), strict=True):
            found[i] = _read_twice(texts[i], found[i], sure[i], second)
        return found

    def tag_run(self, texts: Sequence[str], names: Collection[str] | None = None) -> list[list[TaggedWord]]:
        """`tag` of texts that follow one another, each read with those around it: they tell how this writer writes.

        What follows a text that ends no sentence (a greeting, a heading, an item) would look like the rest of it, so it
        is read anew.
        """
        runs: list[list[str]] = []
        for text in texts:
            if runs and _ENDS.search(runs[-1][-1]):
                runs[-1].append(text)
            else:
                runs.append([text])
        found = []
        for run, tagged in zip(runs, self.tag([" ".join(run) for run in runs], names), strict=True):
            at = 0
            for text in run:
                inside = [word for word in tagged if at <= word.start < at + len(text)]
                found.append([replace(word, start=word.start - at, end=word.end - at) for word in inside])
                at += len(text) + 1
        return found

    def _tag(self, texts: Sequence[str], names: Collection[str] | None) -> list[list[TaggedWord]]:
        encoded = [
            encode(text, self._tokens, people(text, self._lexicon) if names is None else names)
            for text in texts
        ]
        runs = [windows(text, code, WINDOW) for text, code in zip(texts, encoded, strict=True)]
        states = iter(
            self._encoder.hidden(
                code.ids_of(r) for code, some in zip(encoded, runs, strict=True) for r in some
            )
        )
        return [
            self._read(text, code, [next(states)[1:-1] for _ in some])
            for text, code, some in zip(texts, encoded, runs, strict=True)
        ]

    def _tokens(self, word: str) -> Sequence[int]:
        """A word's tokens; none for an emoji, which training texts never held and which would make its neighbours doubtful."""
        return (
            () if not word or unicodedata.category(word[0]) in ("So", "Sk") else self._encoder.tokenize(word)
        )

    def _read(self, text: str, code: Encoded, states: Sequence[np.ndarray]) -> list[TaggedWord]:
        if not states:
            return []
        words, first, count = np.unique(code.word_of, return_index=True, return_counts=True)
        means = np.add.reduceat(np.concatenate(states), first) / count[:, None]
        weight, bias, out, out_bias = self._head
        marks = features(text, code.spans)[words]
        inner = np.maximum(np.concatenate([means, marks], 1) @ weight.T + bias, 0)
        chances = softmax(inner @ out.T + out_bias)
        wrong = 1 - chances[:, self._tags.index(KEEP)]
        chances[:, [self._tags.index(KEEP), self._tags.index(WRONG)]] = 0
        found = []
        for row, word in enumerate(words):
            start, end = code.spans[word]
            fixes = self._fixes(text[start:end], chances[row])
            after, score = fixes[0] if fixes else (None, 0.0)
            found.append(
                TaggedWord(start, end, text[start:end], float(wrong[row]), after, score, tuple(fixes[1:]))
            )
        return found

    def _fixes(self, word: str, chances: np.ndarray) -> list[tuple[str, float]]:
        """The likeliest replacements of a word, best first."""
        best = [tag for tag in np.argsort(-chances)[:_BEST] if chances[tag] >= _LEAST]
        fixes = ((fix_of(word, self._tags[tag]), float(chances[tag])) for tag in best)
        return [(fix, chance) for fix, chance in fixes if fix is not None and fix != word]


def _is_sure(word: TaggedWord) -> bool:
    return word.after is not None and word.wrong >= _SURE and word.score >= _SURE_OF_FIX


def _read_twice(
    text: str, first: Sequence[TaggedWord], sure: Sequence[TaggedWord], second: Sequence[TaggedWord]
) -> list[TaggedWord]:
    """The words as first read, but where the second reading improves a replacement or doubts a word more.

    `sure` are those of `first`, without the fixes that were not made before the second reading.
    """
    left, at, found = deque(second), 0, []
    words = iter(first)
    for piece, made in pieces(text, sure):
        inside = []
        while left and left[0].end <= at + len(piece):
            each = left.popleft()
            if each.start >= at:
                inside.append(replace(each, start=each.start - at, end=each.end - at))
        at += len(piece)
        if made is None:
            continue
        word = next(words)
        if made.after is not None:
            again = [each if _is_sure(each) else replace(each, after=None) for each in inside]
            word = replace(word, after="".join(part for part, _ in pieces(piece, again)))
        elif [each.text for each in inside] == [word.text] and inside[0].wrong > word.wrong:
            word = replace(inside[0], start=word.start, end=word.end)
        found.append(word)
    return found
