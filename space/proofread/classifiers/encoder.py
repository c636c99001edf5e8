"""The small encoder under tone scores and edit tags: a text as words and tokens, and llama.cpp's BERT over them.

Training renders its rows with `encode` and `features` of this file, so that training and serving cannot read a text
differently.
"""

from __future__ import annotations

import ctypes
import re
import threading
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from space.errors import UserError
from space.proofread.adapter import lay
from space.proofread.gguf_header import read_header

CONTEXT = 512  # tokens of a window at most: the encoder's positions
KEPT = 8000  # tokens whose states are kept, 12 MB: those of the longest email that is proofread
LONGEST_WORD = 100  # characters; BERT's own tokenizer gives up on longer words

# A word: a link, an address, a @name, letters and digits with inner apostrophes, hyphens or dots, or a mark.
_WORD = re.compile(
    r"(?P<link>(?:https?://|www\.)[^\s<>]+|<url>|<link>)"
    r"|(?P<address>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<person>@\w+|<(?:person|name)>)"
    r"|\w+(?:['’.\-]\w+)*"
    r"|[^\w\s]"
)
_STAND_IN = {"link": "link", "address": "email", "person": "someone", "name": "alex", "surname": "smith"}
_SENTENCE_END = frozenset(".!?…")


@dataclass(frozen=True)
class Encoded:
    """A text as the encoder reads it: token ids without [CLS] and [SEP], and each token's word by index."""

    spans: list[tuple[int, int]]
    ids: list[int]
    word_of: list[int]

    def ids_of(self, run: tuple[int, int]) -> list[int]:
        """The token ids of the words [first, last)."""
        return self.ids[bisect_left(self.word_of, run[0]) : bisect_left(self.word_of, run[1])]


def encode(text: str, tokenize: Callable[[str], Sequence[int]], names: Collection[str] = ()) -> Encoded:
    """Split a text into words and each word into WordPiece tokens.

    BERT's tokenizer never joins across blanks or punctuation, so word by word gives its own tokens. Links,
    addresses, @names and the `names` become one plain word each: which one it is says nothing about tone or grammar.
    """
    spans: list[tuple[int, int]] = []
    ids: list[int] = []
    word_of: list[int] = []
    kind = ""
    for match in _WORD.finditer(text):
        word = match.group().replace("’", "'")
        # A forgotten apostrophe shows only if the ending does.
        ending = next(
            (end for end in ("", "'s", "s") if word.endswith(end) and word.removesuffix(end) in names), None
        )
        if ending is not None:
            kind = "surname" if kind == "name" else "name"  # "Tom Brown" is no doubled word
        else:
            kind = match.lastgroup or ""
        tokens = tokenize(_STAND_IN[kind] + (ending or "") if kind else _plain(match.group()))
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


def windows(text: str, encoded: Encoded, limit: int) -> list[tuple[int, int]]:
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


class Encoder:
    """llama.cpp's BERT: token ids in, one hidden state per token out; a lock lets in one caller at a time.

    On one core: the others are the language model's, which writes meanwhile.
    """

    def __init__(self, path: Path, adapter: Path | None = None):
        """`adapter` is a GGUF that is laid over the encoder. UserError if a file is missing, damaged, or does not fit the other."""
        import llama_cpp

        if not path.is_file():
            raise UserError(
                f"the encoder {path} is missing: restore it with git checkout, or make it with python -m training"
            )
        self._api = llama_cpp
        try:
            read_header(path)
            self._llama = llama_cpp.Llama(
                str(path), embedding=True, pooling_type=llama_cpp.LLAMA_POOLING_TYPE_NONE,
                n_ctx=CONTEXT, n_batch=CONTEXT, n_ubatch=CONTEXT, n_threads=1, n_threads_batch=1, verbose=False,
            )  # fmt: skip
        except (ValueError, RuntimeError, UserError) as error:
            raise UserError(
                f"the encoder {path} cannot be read: replace it, the file may be cut short"
            ) from error
        if adapter:
            read_header(adapter)
            lay(self._llama.model, self._llama.ctx, adapter)
        self.width = self._llama.n_embd()
        self._lock = threading.Lock()
        self._seen: dict[tuple[int, ...], np.ndarray] = {}  # states of the windows read last, in that order
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
        """Hidden states (tokens + 2, width), float32, of each window of at most CONTEXT - 2 token ids.

        A draft is read at every pause of its writer, and once more when it is proofread: what did not change since is kept.
        Each window is read alone, so that its states are the same whatever stands around it; several at once are no faster.
        """
        with self._lock:
            return [self._states((self.cls, *ids, self.sep)) for ids in windows]

    def _states(self, ids: tuple[int, ...]) -> np.ndarray:
        found = self._seen.pop(ids, None)
        if found is None:
            found = self._run(ids)
            kept = len(ids) + sum(map(len, self._seen))
            while self._seen and kept > KEPT:
                oldest = next(iter(self._seen))
                del self._seen[oldest]
                kept -= len(oldest)
        self._seen[ids] = found
        return found

    def _run(self, ids: Sequence[int]) -> np.ndarray:
        batch = self._batch
        for position, token in enumerate(ids):
            batch.token[position], batch.pos[position], batch.logits[position] = token, position, 1
            batch.n_seq_id[position], batch.seq_id[position][0] = 1, 0
        batch.n_tokens = len(ids)
        if code := self._api.llama_encode(self._llama.ctx, batch):
            raise RuntimeError(f"llama.cpp could not encode {len(ids)} tokens (code {code})")
        out = ctypes.cast(self._api.llama_get_embeddings(self._llama.ctx), ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(out, (len(ids), self.width)).copy()
