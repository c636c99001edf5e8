"""A GGUF that llama.cpp runs in this process.

It may have an adapter for reading, under its own name in the folder `reader` beside it, and one for other wordings in `polish`.
It describes itself: its chat template says how a chat is put before it, and its `proofreader.*` keys say how it was trained. A file without them is
taken for a general instruct model that gets the general prompt and whole emails.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from space.cores import cores
from space.errors import UserError
from space.proofread.edits import Edit, apply
from space.proofread.gguf_header import read_header
from space.proofread.llm.chat_template import ChatTemplate
from space.proofread.llm.engine import Answer, Expected, Phrase, Sampling
from space.proofread.llm.guide import Guide
from space.proofread.llm.hub import ModelFile
from space.proofread.llm.lane import POLISH_CTX, Lane
from space.proofread.llm.loading import load, silence
from space.proofread.llm.memory import check, estimated, give_back
from space.proofread.llm.prompt_lookup import PromptLookup
from space.proofread.llm.trial import try_model
from space.proofread.prompt import GOALS, MODES, PROMPT_VERSION, Message
from space.settings import ROOT

# Of what is read sentence by sentence. Two of a core each do one and a half times as much as one of two cores, which small products
# keep waiting for each other: two batches of 28 tokens take 44 ms at once, and 66 one after the other (AMD EPYC, December 2026).
MAX_LANES = 2
_SHOWN_CHARS = 300  # of a path that is none
_LIKELY_BEGINNING = 3.0  # nats that another beginning of a wording may be less likely than the likeliest
_SHIPPED = ROOT / "models"  # what the repository carries needs no trial


class LlamaCpp:
    """A GGUF file.

    >>> engine = LlamaCpp(Path("space/models/proofreader.gguf"))
    >>> engine.unit
    'sentence'

    NotEnoughMemory if it would not fit, by estimate. To take another model without memory for both:

    >>> proofreader.engine.close()
    >>> proofreader = proofreader.with_engine(LlamaCpp(Path("larger.gguf")))
    """

    def __init__(
        self, path: Path, n_ctx: int = 2048, n_threads: int | None = None, file: ModelFile | None = None
    ) -> None:
        """`file` says what it is called and where it came from; without, it has the name of the path."""
        from llama_cpp import llama_supports_gpu_offload

        if not os.path.isfile(path):
            raise UserError(
                f"{str(path)[:_SHOWN_CHARS]}: no such model file. Put a GGUF there, or set MODEL to a name, a path or a Hub repo id."
            )
        about, n_threads = read_header(path), n_threads or cores()
        self.unit = about.text("proofreader.unit", "email")
        self.lanes = min(MAX_LANES, n_threads) if self.unit == "sentence" else 1
        self.needed_bytes = estimated(path, about, n_ctx, self.lanes)
        if not llama_supports_gpu_offload():
            check(path, self.needed_bytes)
        for_reading, self._for_polish = (_adapter(path, folder) for folder in ("reader", "polish"))
        if path.resolve().parent != _SHIPPED:
            try_model(path, about, n_ctx, for_reading)
            if self._for_polish:
                try_model(path, about, n_ctx, self._for_polish)
        version = about.metadata.get("proofreader.prompt_version")
        with _opening(path):
            header = load(path, vocab_only=True)
        # Before gigabytes are read for nothing.
        ends = (_piece(header, token) for token in (header.token_bos(), header.token_eos()))
        self._template = ChatTemplate(about.text("tokenizer.chat_template"), path, *ends)
        header.close()
        with _opening(path):
            # The binding's own context writes one answer at a time, and is as small as can be.
            self._llama = load(path, n_ctx=1, n_batch=1, n_threads=1, n_threads_batch=1, n_gpu_layers=-1)
        if version not in (None, PROMPT_VERSION):
            raise UserError(
                f"{path}: made for prompt version {version}, this app speaks {PROMPT_VERSION}; convert the model again."
            )
        self.file = file or ModelFile(path.stem, path)
        self.name, self.path = self.file.name, path
        self.general = version is None
        trained = about.text("proofreader.modes", ",".join(MODES)).split(",")
        self.modes = (*(mode for mode in trained if mode in MODES), *GOALS)
        self._lanes = [
            Lane(self._llama, n_ctx, n_threads // self.lanes, for_reading, self._for_polish)
            for _ in range(self.lanes)
        ]
        self._n_ctx = n_ctx
        self._left = threading.Condition()  # tells that one of those who use it is done
        self._closed = False

    def complete(
        self,
        chat: Sequence[Message],
        sampling: Sampling,
        stop: Callable[[], bool],
        expected: Expected | str | None = None,
    ) -> Answer | None:
        with self._lane() as lane:
            prompt = self.tokens(chat)
            room = self._n_ctx - len(prompt)
            if sampling.max_tokens is not None:
                max_tokens = min(sampling.max_tokens, room)
            else:
                # A correction is about as long as its text; an answer twice that long has lost its way.
                max_tokens = 2 * len(self._tokenized(chat[-1]["content"])) + 32
            if not 0 < max_tokens <= room:
                return None
            guide = self._guide(expected) if expected is not None else None
            answering = Answering(self._llama, prompt, sampling, max_tokens, stop, guide)
            lane.write(answering)
            return answering.answer

    def rephrased(self, chat: Sequence[Message], count: int, stop: Callable[[], bool]) -> list[Phrase]:
        with self._lane() as lane:
            prompt, max_tokens = self.tokens(chat), 2 * len(self._tokenized(chat[-1]["content"])) + 32
            if not self._for_polish or len(prompt) + max_tokens > POLISH_CTX:
                return []
            found: list[Phrase] = []
            used: list[int] = []
            for _ in range(count):
                writing = Otherwise(self._llama, prompt, max_tokens, stop, used)
                lane.reword(writing)
                if not writing.tokens:
                    break
                used.append(writing.tokens[0])
                if writing.answer:
                    found.append(Phrase(writing.answer.text.strip(), writing.likely))
            return found

    def gains(self, text: str, edits: Sequence[Edit]) -> list[float]:
        with self._lane() as lane:
            bos = self._llama.token_bos()
            versions = [
                [bos, *self._tokenized(version)] for version in (text, *(apply(text, [e]) for e in edits))
            ]
            return lane.gains(versions)

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        """One that no other uses, or few; meanwhile the model stays open."""
        with self._left:
            if self._closed:
                raise UserError(f"{self.name}: this model has been closed; open it again, or choose another.")
            lane = min(self._lanes, key=lambda each: each.users)
            lane.users += 1
        try:
            yield lane
        finally:
            with self._left:
                lane.users -= 1
                self._left.notify_all()

    def close(self) -> None:
        """Waits for the answers that are being written, if any, and frees the model's memory. Twice is as good as once."""
        with self._left:
            if self._closed:
                return
            self._closed = True
            self._left.wait_for(lambda: not any(lane.users for lane in self._lanes))
        for lane in self._lanes:
            lane.close()
        self._llama.close()
        give_back()

    def _guide(self, expected: Expected | str) -> Guide | PromptLookup:
        end = self._llama.token_eos()
        if isinstance(expected, str):
            return PromptLookup([*self._tokenized(expected), end])
        return Guide(expected, self._tokenized, lambda token: self._llama.detokenize([token]), end)

    def _tokenized(self, text: str) -> list[int]:
        return list(self._llama.tokenize(text.encode(), add_bos=False, special=False))

    def tokens(self, chat: Sequence[Message]) -> list[int]:
        """The prompt's token ids: control tokens only where the template puts them, never out of a message's text."""
        ids: list[int] = []
        for piece, is_template in self._template.pieces(chat):
            ids += self._llama.tokenize(piece.encode(), add_bos=False, special=is_template) if piece else []
        return ids


class Answering:
    """An answer on its way: held to its guide, given up when it is too long or `stop` says so. `answer` is there at its end."""

    def __init__(
        self, llama: Any, prompt: Sequence[int], sampling: Sampling, max_tokens: int, stop: Callable[[], bool],
        guide: Guide | PromptLookup | None = None,
    ) -> None:  # fmt: skip
        self.prompt, self.sampling, self.max_tokens, self.stop = prompt, sampling, max_tokens, stop
        self.answer: Answer | None = None
        self._llama, self._guide = llama, guide
        self.tokens: list[int] = []

    def ahead(self) -> Sequence[int]:
        return self._guide.ahead() if self._guide else ()

    def adjust(self, logits: Any) -> None:
        if self._guide:
            self._guide(None, logits)
        if len(self.tokens) < self.sampling.min_tokens:
            logits[self._all_ends] = -math.inf

    def take(self, token: int) -> bool:
        if self._guide:
            self._guide.follow(token, self._llama.detokenize([token]))
        if self._is_end(token):
            text = self._llama.detokenize(self.tokens).decode("utf-8", errors="replace")
            guide = self._guide
            self.answer = Answer(text, tuple(guide.judged), tuple(guide.own)) if guide else Answer(text)
            return False
        if len(self.tokens) >= self.max_tokens or self.stop():
            return False
        self.tokens.append(token)
        return True

    @cached_property
    def _all_ends(self) -> list[int]:
        return [token for token in range(self._llama.n_vocab()) if self._is_end(token)]

    def _is_end(self, token: int) -> bool:
        import llama_cpp

        return bool(llama_cpp.llama_vocab_is_eog(llama_cpp.llama_model_get_vocab(self._llama.model), token))


class Otherwise(Answering):
    """An answer that begins with another token than some, or is given up if no other beginning is at all likely."""

    def __init__(
        self,
        llama: Any,
        prompt: Sequence[int],
        max_tokens: int,
        stop: Callable[[], bool],
        used: Sequence[int],
    ) -> None:
        super().__init__(llama, prompt, Sampling(), max_tokens, stop)
        self._used, self._is_unlikely = used, False
        self._log_probabilities: list[float] = []

    @property
    def likely(self) -> float:
        """The geometric mean of the probabilities of its tokens; that of the first counts the others that were left."""
        return math.exp(sum(self._log_probabilities) / len(self._log_probabilities))

    def adjust(self, logits: Any) -> None:
        highest = logits.max()
        if not self.tokens and self._used:
            logits[list(self._used)] = -math.inf
            self._is_unlikely = logits.max() < highest - _LIKELY_BEGINNING
            highest = logits.max()
        self._log_probabilities.append(-float(np.log(np.exp(logits - highest).sum())))

    def take(self, token: int) -> bool:
        return not self._is_unlikely and super().take(token)


def _adapter(path: Path, folder: str) -> Path | None:
    """The adapter of a model in a folder beside it, if there is one. UserError if it is broken."""
    adapter = path.parent / folder / path.name
    if not adapter.is_file():
        return None
    read_header(adapter)
    return adapter


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        with silence():
            yield
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(f"{path}: not a complete GGUF model; download or convert it again.") from error


def _piece(llama: Any, token: int) -> str:
    return llama.detokenize([token], special=True).decode("utf-8", errors="replace") if token >= 0 else ""
