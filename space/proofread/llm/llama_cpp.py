"""A GGUF that llama.cpp runs in this process.

It may have an adapter for reading, under its own name in the folder `reader` beside it. It describes itself: its chat
template says how a chat is put before it, and its `proofreader.*` keys say how it was trained. A file without them is
taken for a general instruct model that gets the general prompt and whole emails.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.edits import Edit, apply
from space.proofread.gguf_header import read_header
from space.proofread.llm.chat_template import ChatTemplate
from space.proofread.llm.engine import Answer, Expected, Sampling
from space.proofread.llm.guide import Guide
from space.proofread.llm.hub import ModelFile
from space.proofread.llm.memory import check, estimated, give_back
from space.proofread.llm.reading import Reader
from space.proofread.llm.trial import try_model
from space.proofread.prompt import GOALS, MODES, PROMPT_VERSION, Message
from space.settings import ROOT

_SHOWN_CHARS = 300  # of a path that is none
_SHIPPED = ROOT / "models"  # what the repository carries needs no trial


class LlamaCpp:
    """A GGUF file.

    >>> engine = LlamaCpp(Path("space/models/proofreader.gguf"))
    >>> engine.unit
    'sentence'

    NotEnoughMemory if it would not fit, by estimate. To take another model without memory for both:

    >>> proofreader.engine.close()
    >>> proofreader.engine = LlamaCpp(Path("larger.gguf"))
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
        self._following: Guide | None = None
        self._reader: Reader | None = None
        about = read_header(path)
        self.needed_bytes = estimated(path, about, n_ctx)
        if not llama_supports_gpu_offload():
            check(path, self.needed_bytes)
        adapter = path.parent / "reader" / path.name
        self._adapter = adapter if adapter.is_file() else None
        if self._adapter:
            read_header(self._adapter)
        if path.resolve().parent != _SHIPPED:
            try_model(path, about, n_ctx, self._adapter)
        version = about.metadata.get("proofreader.prompt_version")
        with _opening(path):
            header = load(path, vocab_only=True)
        # Before gigabytes are read for nothing.
        ends = (_piece(header, token) for token in (header.token_bos(), header.token_eos()))
        self._template = ChatTemplate(about.text("tokenizer.chat_template"), path, *ends)
        header.close()
        with _opening(path):
            self._llama = load(
                path, n_ctx=n_ctx, n_batch=min(n_ctx, 512), n_threads=n_threads, n_threads_batch=n_threads,
                n_gpu_layers=-1, draft_model=None if version is None else self._draft,
            )  # fmt: skip
        if version not in (None, PROMPT_VERSION):
            raise UserError(
                f"{path}: made for prompt version {version}, this app speaks {PROMPT_VERSION}; convert the model again."
            )
        self.file = file or ModelFile(path.stem, path)
        self.name, self.path = self.file.name, path
        self.general = version is None
        self.unit = about.text("proofreader.unit", "email")
        trained = about.text("proofreader.modes", ",".join(MODES)).split(",")
        self.modes = (*(mode for mode in trained if mode in MODES), *GOALS)
        self._lock = threading.Lock()  # a llama.cpp context serves one caller at a time
        self._closed = False

    def complete(
        self,
        chat: Sequence[Message],
        sampling: Sampling,
        stop: Callable[[], bool],
        expected: Expected | None = None,
    ) -> Answer | None:
        with self._lock:
            self._check_open()
            prompt = self.tokens(chat)
            room = self._llama.n_ctx() - len(prompt)
            if sampling.max_tokens is not None:
                max_tokens = min(sampling.max_tokens, room)
            else:
                # A correction is about as long as its text; an answer twice that long has lost its way.
                source = self._llama.tokenize(chat[-1]["content"].encode(), add_bos=False, special=False)
                max_tokens = 2 * len(source) + 32
            if not 0 < max_tokens <= room:
                return None
            self._llama.set_seed(sampling.seed)
            answer: list[int] = []
            guide = self._following = self._guide(expected) if expected else None
            processors: list[Any] = [guide] if guide else []
            if sampling.min_tokens:
                processors.append(self._no_end_before(sampling.min_tokens, answer))
            for token in self._llama.generate(
                prompt, temp=sampling.temperature, top_p=sampling.top_p, top_k=sampling.top_k, min_p=sampling.min_p,
                repeat_penalty=sampling.repeat_penalty, logits_processor=processors or None,
            ):  # fmt: skip
                if guide:
                    guide.follow(token, self._llama.detokenize([token]))
                if self._ends(token):
                    text = self._llama.detokenize(answer).decode("utf-8", errors="replace")
                    return Answer(text, tuple(guide.judged), tuple(guide.own)) if guide else Answer(text)
                if len(answer) >= max_tokens or stop():
                    return None
                answer.append(token)
        return None

    def gains(self, text: str, edits: Sequence[Edit]) -> list[float]:
        def tokenize(version: str) -> list[int]:
            return [
                self._llama.token_bos(),
                *self._llama.tokenize(version.encode(), add_bos=False, special=False),
            ]

        with self._lock:
            self._check_open()
            if not self._reader:
                with silence():
                    self._reader = Reader(self._llama.model, self._llama.n_threads, self._adapter)
            return self._reader.gains(tokenize(text), [tokenize(apply(text, [edit])) for edit in edits])

    def _check_open(self) -> None:
        if self._closed:
            raise UserError(f"{self.name}: this model has been closed; open it again, or choose another.")

    def close(self) -> None:
        """Waits for the answer that is being written, if any, and frees the model's memory. Twice is as good as once."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if self._reader:
                    self._reader.close()
                self._llama.close()
                # The logits of a whole context: the binding is in a cycle with itself (0.3.36), so it stays for a while.
                self._llama.scores = None
                del self._llama
                give_back()

    def _draft(self, input_ids: Any, **_: Any) -> Any:
        """What the answer is expected to go on with: llama.cpp checks those tokens in one batch."""
        import numpy as np

        return np.array(self._following.ahead() if self._following else [], dtype=np.intc)

    def _guide(self, expected: Expected) -> Guide:
        def tokenize(text: str) -> list[int]:
            return list(self._llama.tokenize(text.encode(), add_bos=False, special=False))

        return Guide(
            expected, tokenize, lambda token: self._llama.detokenize([token]), self._llama.token_eos()
        )

    def tokens(self, chat: Sequence[Message]) -> list[int]:
        """The prompt's token ids: control tokens only where the template puts them, never out of a message's text."""
        ids: list[int] = []
        for piece, is_template in self._template.pieces(chat):
            ids += self._llama.tokenize(piece.encode(), add_bos=False, special=is_template) if piece else []
        return ids

    def _no_end_before(self, min_tokens: int, answer: Sequence[int]) -> Any:
        """What keeps an answer from ending before it has so many tokens."""
        ends = [token for token in range(self._llama.n_vocab()) if self._ends(token)]

        def process(_: Any, logits: Any) -> Any:
            if len(answer) < min_tokens:
                logits[ends] = -math.inf
            return logits

        return process

    def _ends(self, token: int) -> bool:
        import llama_cpp

        return bool(llama_cpp.llama_vocab_is_eog(llama_cpp.llama_model_get_vocab(self._llama.model), token))


def load(path: Path, **options: Any) -> Any:
    """A file in llama-cpp-python, with `about`: its keys. Raises ValueError, RuntimeError or OSError if it is broken."""
    from llama_cpp import Llama

    class Model(Llama):
        """Llama would compile each chat template that its metadata has (0.3.36), in this process and without limits."""

        @property
        def metadata(self) -> dict[str, str]:
            return {
                key: value
                for key, value in self.about.items()
                if not key.startswith("tokenizer.chat_template")
            }

        @metadata.setter
        def metadata(self, keys: dict[str, str]) -> None:
            self.about = keys

    return Model(str(path), verbose=False, **options)


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        with silence():
            yield
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(f"{path}: not a complete GGUF model; download or convert it again.") from error


def _piece(llama: Any, token: int) -> str:
    return llama.detokenize([token], special=True).decode("utf-8", errors="replace") if token >= 0 else ""


class silence:
    """Keeps llama.cpp's C code from writing to stderr while a model loads (its own switch misses some lines)."""

    def __enter__(self) -> None:
        self._saved = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._saved, 2)
        os.close(self._saved)
