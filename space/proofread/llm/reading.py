"""Reads a text as it is and with each of some edits, and says how much likelier an edit makes it.

Without a prompt the model does what it was first trained to do: tell English from what is none, with the words that follow
before its eyes. An adapter that `python -m training reader` made sharpens that, and leaves alone what the model writes. All versions are one batch: what they begin with is read once, and each is read on from where it differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from space.errors import UserError
from space.proofread.adapter import lay

MAX_VERSIONS = 15  # of a text that are read at once; the text itself is one more sequence
_N_CTX = 512  # tokens of all versions
_N_UBATCH = 128  # fewer logits at a time, which take most of the memory
_READ_ON = 8  # tokens behind a change: what it does to the rest shows soon


@dataclass(frozen=True)
class Version:
    """Where a version leaves the text, and where both come together again, in tokens of each; they are read up to there."""

    tokens: Sequence[int]
    head: int
    end: int
    end_of_text: int


class Reader:
    """A second context of a loaded model, for reading alone. Not safe to share between threads."""

    def __init__(self, model: Any, n_threads: int, adapter: Path | None = None) -> None:
        """`adapter` is a GGUF that is laid over the model for reading. UserError if memory is short or the two do not fit."""
        import llama_cpp

        self._api = llama_cpp
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = _N_CTX
        params.n_ubatch = _N_UBATCH
        params.n_seq_max, params.kv_unified = MAX_VERSIONS + 1, True
        params.n_threads = params.n_threads_batch = n_threads
        self._context = llama_cpp.llama_init_from_model(model, params)
        if not self._context:
            raise UserError("there is not enough memory for the language model; close other programs")
        if adapter:
            try:
                lay(model, self._context, adapter)
            except UserError:
                llama_cpp.llama_free(self._context)
                raise
        self._n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        self._batch = llama_cpp.llama_batch_init(_N_CTX, 0, MAX_VERSIONS + 1)

    def close(self) -> None:
        self._api.llama_batch_free(self._batch)
        self._api.llama_free(self._context)

    def gains(self, text: Sequence[int], versions: Sequence[Sequence[int]]) -> list[float]:
        """Log-likelihood (nats) of each version less that of the text, up to a few tokens behind the change.

        Both begin with the token that opens a text. 0 for what is no other text, or does not fit.
        """
        gains = [0.0] * len(versions)
        chosen: dict[int, Version] = {}
        room = _N_CTX - len(text)
        for i, tokens in enumerate(versions[:MAX_VERSIONS]):
            if list(tokens) == list(text):
                continue
            version = version_of(text, tokens)
            if version.end - version.head <= room:
                room -= version.end - version.head
                chosen[i] = version
        if not chosen:
            return gains
        of_text, of_versions = self._read(text, list(chosen.values()))
        for (i, version), own in zip(chosen.items(), of_versions, strict=True):
            gains[i] = own - sum(of_text[version.head : version.end_of_text])
        return gains

    def _read(self, text: Sequence[int], versions: Sequence[Version]) -> tuple[list[float], list[float]]:
        """Log-probability of each token of the text from the first head on, and of what each version has of its own."""
        first = min(version.head for version in versions)
        length = max(version.end_of_text for version in versions)
        batch, self._batch.n_tokens = self._batch, 0
        for i, token in enumerate(text[:length]):
            with_it = [0, *(k for k, version in enumerate(versions, 1) if version.head > i)]
            self._add(token, i, with_it, i >= first - 1)
        rows = []  # of each version, where its own tokens begin in the batch
        for k, version in enumerate(versions, 1):
            rows.append(batch.n_tokens)
            for i in range(version.head, version.end):
                self._add(version.tokens[i], i, [k], True)
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), False)
        if code := self._api.llama_decode(self._context, batch):
            raise RuntimeError(f"llama.cpp could not read {batch.n_tokens} tokens (code {code})")
        of_text = [0.0] * first + [self._log_probability(i - 1, text[i]) for i in range(first, length)]
        of_versions = []
        for version, row in zip(versions, rows, strict=True):
            before = [version.head - 1, *range(row, row + version.end - version.head - 1)]
            own = version.tokens[version.head : version.end]
            of_versions.append(sum(map(self._log_probability, before, own)))
        return of_text, of_versions

    def _add(self, token: int, position: int, sequences: Sequence[int], logits: bool) -> None:
        batch, n = self._batch, self._batch.n_tokens
        batch.token[n], batch.pos[n], batch.logits[n] = token, position, logits
        batch.n_seq_id[n] = len(sequences)
        for at, sequence in enumerate(sequences):
            batch.seq_id[n][at] = sequence
        batch.n_tokens = n + 1

    def _log_probability(self, row: int, token: int) -> float:
        """Of a token behind that of this row of the batch."""
        pointer = self._api.llama_get_logits_ith(self._context, row)
        logits = np.ctypeslib.as_array(pointer, (self._n_vocab,))
        highest = logits.max()
        return float(logits[token] - highest - np.log(np.exp(logits - highest).sum()))


def version_of(text: Sequence[int], tokens: Sequence[int]) -> Version:
    """Where another version of a text is read, both in tokens."""
    least = min(len(text), len(tokens))
    head = next((i for i in range(least) if text[i] != tokens[i]), least)
    tail = next((i for i in range(least - head) if text[-1 - i] != tokens[-1 - i]), least - head)
    read_on = min(tail, _READ_ON)
    return Version(tokens, head, len(tokens) - tail + read_on, len(text) - tail + read_on)
