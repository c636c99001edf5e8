"""Writes several answers at once with one context of llama.cpp.

Each answer is a sequence of its own. In a step all that is to be read next is one batch: the rest of a prompt, or the token that
an answer chose last and those that it is expected to go on with, which are checked by that for little more than the one costs.
What two prompts begin with is read once.

An answer that is written alone is the same whatever came before. Beside others its keys and values lie elsewhere in memory, sums
are of another order, and the odds of a token differ in the second or third digit.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from space.errors import UserError
from space.proofread.adapter import lay
from space.proofread.llm.engine import Sampling

MAX_ANSWERS = 8  # written at once; more wait, the first to come first
N_BATCH = 256  # tokens of a step: a longer prompt is read in several, and keeps no other answer waiting
_SHORT = 16  # tokens that are read twice rather than waited for
_LAST_N = 64  # tokens that a repeat penalty looks back, as in llama.cpp

T = TypeVar("T")


class Writing(Protocol):
    """An answer that is being written."""

    prompt: Sequence[int]
    sampling: Sampling
    max_tokens: int

    def stop(self) -> bool:
        """Whether it is not wanted any more; asked while its prompt waits and is read."""

    def ahead(self) -> Sequence[int]:
        """The tokens that it is expected to go on with."""

    def adjust(self, logits: np.ndarray) -> None:
        """Changes the logits of the next token, (n_vocab,), in place."""

    def take(self, token: int) -> bool:
        """Takes the token that was chosen; whether the answer goes on."""


@dataclass
class Counts:
    """What was done so far: calls of llama.cpp, and tokens."""

    steps: int = 0
    read: int = 0
    shared: int = 0  # not read, as another prompt began with them
    drafted: int = 0
    accepted: int = 0  # of those


class _Sequence:
    """A writing in the context: what has been read of it, and what is to be read next."""

    def __init__(self, writing: Writing) -> None:
        self.writing = writing
        self.needed = len(writing.prompt) + writing.max_tokens  # tokens at the end, as if nothing were shared
        self.read: list[int] = []
        self.next = list(writing.prompt)
        self.is_answering = False  # the prompt has been read
        self.left = writing.max_tokens
        self.id = -1
        self.done = False
        self.error: Exception | None = None
        self.sampler: Any = None


class Decoder:
    """Safe to share between threads; what they ask for is done together."""

    def __init__(self, llama: Any, n_ctx: int, n_threads: int, adapter: Path | None = None) -> None:
        """`llama` holds the model; `n_ctx` tokens are for all answers together, and at most for one.

        `adapter` is a GGUF that is laid over the model. UserError if memory is short or the two do not fit.
        """
        import llama_cpp

        model, self._api, self._n_ctx = llama.model, llama_cpp, n_ctx
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = n_ctx
        params.n_batch = params.n_ubatch = min(n_ctx, N_BATCH)
        params.n_seq_max, params.kv_unified = MAX_ANSWERS + 1, True
        params.n_threads = params.n_threads_batch = n_threads
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._context = llama_cpp.llama_init_from_model(model, params)
        if not self._context:
            raise UserError("there is not enough memory for the language model; close other programs")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._n_batch = int(params.n_batch)
        self._batch = llama_cpp.llama_batch_init(self._n_batch, 0, 1)
        # Until then the model stays, also for an engine that nobody closed.
        self.close = weakref.finalize(self, _free, llama, self._context, self._batch)
        self.close.atexit = False
        if adapter:
            try:
                lay(model, self._context, adapter)
            except UserError:
                self.close()
                raise
        self._n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        # A state that sums up all that was read cannot be cut back to an earlier token.
        self._can_cut = not (
            llama_cpp.llama_model_is_recurrent(model) or llama_cpp.llama_model_is_hybrid(model)
        )
        self.counts = Counts()
        self._turn = threading.Condition()
        self._busy = False  # a thread is in llama.cpp
        self._callers = 0  # of `alone`, who wait
        self._waiting: list[_Sequence] = []
        self._active: list[_Sequence] = []
        self._last: _Sequence | None = None  # answered; stays for what the next prompt begins with
        self._is_mixed = False  # keys and values do not lie in the order of their tokens
        self._free = list(range(params.n_seq_max))

    def write(self, writing: Writing) -> None:
        """Returns when the answer has been written. RuntimeError if llama.cpp fails."""
        own = _Sequence(writing)
        if own.needed > self._n_ctx:
            raise ValueError(f"{own.needed} tokens do not fit into {self._n_ctx}")
        self._waiting.append(own)
        while True:  # whoever waits takes the next step, which is one for all
            with self._turn:
                self._turn.wait_for(lambda: own.done or not (self._busy or self._callers))
                if own.done:
                    break
                self._busy = True
            self._take_turn(self._step)
        if own.error:
            raise own.error

    def alone(self, work: Callable[[], T]) -> T:
        """What `work` returns, done between two steps: at once they would share the same cores."""
        with self._turn:
            self._callers += 1
            try:
                self._turn.wait_for(lambda: not self._busy)
            finally:
                self._callers -= 1
            self._busy = True
        return self._take_turn(work)

    def _take_turn(self, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            with self._turn:
                self._busy = False
                self._turn.notify_all()

    # ---- a step ----

    def _step(self) -> None:
        for sequence in (*self._waiting, *self._active):
            if not sequence.is_answering and sequence.writing.stop():
                self._end(sequence)
        self._admit()
        if not self._active:
            return
        try:
            rows = self._read()
        except Exception as error:  # noqa: BLE001  each caller gets it
            for sequence in list(self._active):
                self._end(sequence, error)
            self._forget()
            return
        for sequence, first, count in rows:
            try:
                self._choose(sequence, first, count)
            except Exception as error:  # noqa: BLE001  its caller gets it, and the others go on
                self._end(sequence, error)

    def _admit(self) -> None:
        """Begins with as many of those that wait as there is room for."""
        while self._waiting and len(self._active) < MAX_ANSWERS:
            new = self._waiting[0]
            if sum(each.needed for each in self._active) + new.needed > self._n_ctx:
                return
            source, shared = self._source(new)
            if source and shared > len(source.read) + _SHORT:  # it is being read just now
                return
            self._waiting.remove(new)
            if self._active:
                self._begin_beside(new, source)
            else:
                self._begin_alone(new, source)
            self._active.append(new)
            new.sampler = self._sampler(new.writing.sampling)

    def _source(self, new: _Sequence) -> tuple[_Sequence | None, int]:
        """Of what is in memory, or soon will be, that which begins like a prompt for longest, and for how many tokens."""
        if not self._can_cut or (self._is_mixed and not self._active):
            return None, 0
        prompt = new.next[:-1]  # the last one is read anyway: its logits are asked for
        known = [*self._active, *([self._last] if self._last else [])]
        found = [(_common(prompt, [*each.read, *each.next]), i, each) for i, each in enumerate(known)]
        shared, _, source = max(found, default=(0, 0, None))
        return (source, shared) if shared else (None, 0)

    def _begin_alone(self, new: _Sequence, source: _Sequence | None) -> None:
        """In place of what was answered last, whose beginning stays if it is the same."""
        if source:
            new.id, self._last = source.id, None
            self._share(new, source)
            self._cut(new)
        else:
            self._forget()
            self._api.llama_memory_clear(self._memory, False)
            self._is_mixed = False
            new.id = self._free.pop()

    def _begin_beside(self, new: _Sequence, source: _Sequence | None) -> None:
        new.id, self._is_mixed = self._free.pop(), True
        if source:
            self._share(new, source)
            self._api.llama_memory_seq_cp(self._memory, source.id, new.id, 0, len(new.read))
        needed = sum(each.needed for each in (*self._active, new))
        if self._last and len(self._last.read) + needed > self._n_ctx:
            self._forget()

    def _share(self, new: _Sequence, source: _Sequence) -> None:
        shared = _common(new.next[:-1], source.read)
        new.read, new.next = new.next[:shared], new.next[shared:]
        self.counts.shared += shared

    def _cut(self, sequence: _Sequence) -> None:
        """Takes out of memory what was read beyond."""
        self._api.llama_memory_seq_rm(self._memory, sequence.id, len(sequence.read), -1)

    def _read(self) -> list[tuple[_Sequence, int, int]]:
        """Reads what is next; gives for each sequence the row of its first logits, and how many it has."""
        rows = []
        self._batch.n_tokens = 0
        order = sorted(self._active, key=lambda each: len(each.next))
        for place, sequence in enumerate(order):
            first = self._batch.n_tokens
            room = (self._n_batch - first) // (len(order) - place)
            tokens, sequence.next = sequence.next[:room], sequence.next[room:]
            last = len(tokens) - 1  # from there on it is asked what follows
            if not sequence.next:
                if self._can_cut:
                    tokens += sequence.writing.ahead()[: min(sequence.left, room - len(tokens))]
                sequence.is_answering = True
                rows.append((sequence, first + last, len(tokens) - last))
                self.counts.drafted += len(tokens) - last - 1
            for i, token in enumerate(tokens):
                self._add(sequence, len(sequence.read) + i, token, sequence.is_answering and i >= last)
            sequence.read += tokens
        if code := self._api.llama_decode(self._context, self._batch):
            raise RuntimeError(f"llama.cpp could not read {self._batch.n_tokens} tokens (code {code})")
        self.counts.steps += 1
        self.counts.read += self._batch.n_tokens
        return rows

    def _add(self, sequence: _Sequence, position: int, token: int, logits: bool) -> None:
        batch, n = self._batch, self._batch.n_tokens
        batch.token[n], batch.pos[n], batch.logits[n] = token, position, logits
        batch.n_seq_id[n], batch.seq_id[n][0] = 1, sequence.id
        batch.n_tokens = n + 1

    def _choose(self, sequence: _Sequence, first: int, count: int) -> None:
        """Chooses the next tokens, as long as they are those that were expected, and so have been read."""
        begin = len(sequence.read) - count
        for i in range(count):
            token = self._next_token(sequence, first + i)
            sequence.left -= 1
            if not sequence.writing.take(token):
                del sequence.read[begin + i + 1 :]
                self._end(sequence)
                return
            if i + 1 == count or token != sequence.read[begin + i + 1]:
                del sequence.read[begin + i + 1 :]
                sequence.next = [token]
                break
            self.counts.accepted += 1
        if self._can_cut:
            self._cut(sequence)

    def _next_token(self, sequence: _Sequence, row: int) -> int:
        pointer = self._api.llama_get_logits_ith(self._context, row)
        logits = np.ctypeslib.as_array(pointer, (self._n_vocab,))
        sequence.writing.adjust(logits)
        if sequence.sampler:
            return int(self._api.llama_sampler_sample(sequence.sampler, self._context, row))
        return int(logits.argmax())

    def _sampler(self, sampling: Sampling) -> Any:
        """llama.cpp's samplers in its own order; None where the likeliest token is taken."""
        api = self._api
        if sampling.temperature == 0 and sampling.repeat_penalty == 1:
            return None
        chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        api.llama_sampler_chain_add(
            chain, api.llama_sampler_init_penalties(self._n_vocab, _LAST_N, sampling.repeat_penalty, 0.0, 0.0)
        )
        if sampling.temperature == 0:
            api.llama_sampler_chain_add(chain, api.llama_sampler_init_greedy())
            return chain
        for each in (
            api.llama_sampler_init_top_k(sampling.top_k),
            api.llama_sampler_init_top_p(sampling.top_p, 1),
            api.llama_sampler_init_min_p(sampling.min_p, 1),
            api.llama_sampler_init_temp(sampling.temperature),
            api.llama_sampler_init_dist(sampling.seed),
        ):
            api.llama_sampler_chain_add(chain, each)
        return chain

    # ---- what is in memory ----

    def _end(self, sequence: _Sequence, error: Exception | None = None) -> None:
        """The answer is there, or not wanted any more; what was read of it is kept for a while."""
        sequence.done, sequence.error = True, error
        if sequence in self._waiting:
            self._waiting.remove(sequence)
            return
        self._active.remove(sequence)
        if sequence.sampler:
            self._api.llama_sampler_free(sequence.sampler)
        sequence.next = []
        self._forget()
        self._last = sequence
        if self._can_cut and not error:
            self._cut(sequence)
        else:
            self._forget()

    def _forget(self) -> None:
        """What was answered last leaves memory."""
        if self._last:
            self._api.llama_memory_seq_rm(self._memory, self._last.id, -1, -1)
            self._free.append(self._last.id)
            self._last = None


def _free(llama: Any, context: Any, batch: Any) -> None:
    import llama_cpp

    llama_cpp.llama_batch_free(batch)
    llama_cpp.llama_free(context)


def _common(tokens: Sequence[int], others: Sequence[int]) -> int:
    """How many tokens both begin with."""
    least = min(len(tokens), len(others))
    return next((i for i in range(least) if tokens[i] != others[i]), least)
