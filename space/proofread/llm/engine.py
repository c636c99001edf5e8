"""The language model: a GGUF run by llama.cpp in this process, or a server that runs one (space/proofread/llm/openai_server.py).

A GGUF describes itself: its chat template is used as it is, and its `proofreader.*` keys say how it was trained. A file
without them is taken for a general instruct model that gets the general prompt and whole emails.
"""

from __future__ import annotations

import bisect
import datetime
import itertools
import os
import re
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from space.errors import UserError
from space.proofread.prompt import MODES, PROMPT_VERSION, Message
from space.settings import REPO_ID, Server

_FIND_AGAIN = 6  # tokens; more words than that are rarely dropped on purpose
_DRAFT = 16  # expected tokens that are checked at once


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen, under llama.cpp's names; the default is greedy: the same draft gives the same result.

    `max_tokens` is of one answer; None: twice what its text has, and 32.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    max_tokens: int | None = None
    seed: int = 0


class Engine(Protocol):
    """What the proofreader needs of a model."""

    name: str
    unit: str  # "sentence" or "email": what it was trained to be given at a time
    modes: tuple[str, ...]
    general: bool  # an instruct model that was not made here

    def complete(
        self,
        chat: Sequence[Message],
        sampling: Sampling,
        stop: Callable[[], bool],
        expected: Sequence[tuple[str, float]] = (),
    ) -> str | None:
        """The answer to the last message; None if it does not fit, ran on without an end, or `stop` said so.

        `expected` is the likely answer in pieces, each with what its tokens gain in logits while the answer follows it.
        """

    def close(self) -> None:
        """Frees what the model holds; after that `complete` raises UserError."""


class LlamaCpp:
    """A GGUF file.

    >>> engine = LlamaCpp(Path("space/models/proofreader.gguf"))
    >>> engine.unit
    'sentence'

    To take another model without memory for both:

    >>> proofreader.engine.close()
    >>> proofreader.engine = LlamaCpp(Path("larger.gguf"))
    """

    def __init__(self, path: Path, n_ctx: int = 2048, n_threads: int | None = None) -> None:
        from llama_cpp import Llama

        if not path.is_file():
            raise UserError(
                f"{path}: no such model file. Put a GGUF there, or set MODEL to a name, a path or a Hub repo id."
            )
        self._following: _Guide | None = None
        try:
            with silence():
                about = Llama(str(path), vocab_only=True, verbose=False).metadata
                version = about.get("proofreader.prompt_version")
                self._llama = Llama(
                    str(path), n_ctx=n_ctx, n_batch=min(n_ctx, 512), n_threads=n_threads, n_threads_batch=n_threads,
                    n_gpu_layers=-1, verbose=False, draft_model=None if version is None else self._draft,
                )  # fmt: skip
        except (ValueError, RuntimeError, OSError) as error:
            raise UserError(f"{path}: not a complete GGUF model; download or convert it again.") from error
        if version not in (None, PROMPT_VERSION):
            raise UserError(
                f"{path}: made for prompt version {version}, this app speaks {PROMPT_VERSION}; convert the model again."
            )
        self.name, self.path = path.stem, path
        self.general = version is None
        self.unit = about.get("proofreader.unit", "email")
        self.modes = tuple(
            mode for mode in about.get("proofreader.modes", ",".join(MODES)).split(",") if mode in MODES
        )
        self._template = _template(about.get("tokenizer.chat_template", ""), path)
        self._bos, self._eos = (self._piece(t) for t in (self._llama.token_bos(), self._llama.token_eos()))
        self._lock = threading.Lock()  # a llama.cpp context serves one caller at a time
        self._closed = False

    def complete(
        self,
        chat: Sequence[Message],
        sampling: Sampling,
        stop: Callable[[], bool],
        expected: Sequence[tuple[str, float]] = (),
    ) -> str | None:
        with self._lock:
            if self._closed:
                raise UserError(f"{self.name}: this model has been closed; open it again, or choose another.")
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
            for token in self._llama.generate(
                prompt, temp=sampling.temperature, top_p=sampling.top_p, top_k=sampling.top_k, min_p=sampling.min_p,
                repeat_penalty=sampling.repeat_penalty, logits_processor=guide and [guide],
            ):  # fmt: skip
                if guide:
                    guide.follow(self._llama.detokenize([token]))
                if self._ends(token):
                    return self._llama.detokenize(answer).decode("utf-8", errors="replace")
                if len(answer) >= max_tokens or stop():
                    return None
                answer.append(token)
        return None

    def close(self) -> None:
        """Waits for the answer that is being written, if any, and frees the model's memory. Twice is as good as once."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._llama.close()
                del self._llama  # it also holds the logits of a whole context

    def _draft(self, input_ids: Any, **_: Any) -> Any:
        """What the answer is expected to go on with: llama.cpp checks those tokens in one batch."""
        import numpy as np

        return np.array(self._following.ahead() if self._following else [], dtype=np.intc)

    def _guide(self, expected: Sequence[tuple[str, float]]) -> _Guide:
        ends = list(itertools.accumulate(len(text.encode()) for text, _ in expected))
        tokens = self._llama.tokenize(
            "".join(text for text, _ in expected).encode(), add_bos=False, special=False
        )
        pieces = [self._llama.detokenize([token]) for token in tokens]
        gains, at = [], 0
        for piece in pieces:
            at += len(piece)  # a token belongs where it ends: the space it begins with is the piece before
            gains.append(expected[bisect.bisect_left(ends, at)][1])
        return _Guide([*tokens, self._llama.token_eos()], [*gains, gains[-1]], pieces)

    def tokens(self, chat: Sequence[Message]) -> list[int]:
        """The prompt's token ids: control tokens only where the template puts them, never out of a message's text."""
        marks = [f"\x02{secrets.token_hex(8)}\x03" for _ in chat]
        rendered = self._template.render(
            messages=[message | {"content": mark} for message, mark in zip(chat, marks, strict=True)],
            add_generation_prompt=True, bos_token=self._bos, eos_token=self._eos,
            strftime_now=lambda form: datetime.datetime.now().strftime(form),
        )  # fmt: skip
        contents = dict(zip(marks, (message["content"] for message in chat), strict=True))
        ids: list[int] = []
        for piece in re.split("(\x02[0-9a-f]{16}\x03)", rendered):
            text = contents.get(piece, piece).encode()
            ids += self._llama.tokenize(text, add_bos=False, special=piece not in contents) if text else []
        return ids

    def _ends(self, token: int) -> bool:
        import llama_cpp

        return bool(llama_cpp.llama_vocab_is_eog(llama_cpp.llama_model_get_vocab(self._llama.model), token))

    def _piece(self, token: int) -> str:
        return (
            self._llama.detokenize([token], special=True).decode("utf-8", errors="replace")
            if token >= 0
            else ""
        )


class _Guide:
    """Makes the next token of the expected answer likelier than the model finds it: a change must be worth more than that.

    It follows the answer along the expected one: a token that is the next one, capitals aside, moves on; any other begins a
    change, which ends at the first token that is found again among the next few.
    """

    def __init__(self, tokens: list[int], gains: list[float], pieces: list[bytes]) -> None:
        self._tokens, self._gains = tokens, gains
        self._pieces = [piece.lower() for piece in pieces]
        self._next = 0
        self._in_change = False

    def __call__(self, _: Any, logits: Any) -> Any:
        if not self._in_change and self._next < len(self._tokens):
            logits[self._tokens[self._next]] += self._gains[self._next]
        return logits

    def ahead(self) -> list[int]:
        """The next expected tokens; none while the answer is somewhere else."""
        return [] if self._in_change else self._tokens[self._next : self._next + _DRAFT]

    def follow(self, piece: bytes) -> None:
        """Takes note of the token that was chosen, as text."""
        ahead = self._pieces[self._next : self._next + _FIND_AGAIN]
        self._in_change = piece.lower() not in ahead
        if not self._in_change:
            self._next += ahead.index(piece.lower()) + 1


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


def open_engine(
    model: str, models_dir: Path, n_ctx: int, n_threads: int, server: Server | None = None
) -> Engine:
    """The engine for the server's name, a name in `models_dir`, a path, or a Hub repo id. UserError says what to do.

    A server is not called before there is something to complete, so it may start later than this process.
    """
    if server is not None and model == server.name:
        from space.proofread.llm.openai_server import Remote

        return Remote(server)
    return LlamaCpp(locate(model, models_dir), n_ctx, n_threads)


Told = Callable[[int, int], None]  # bytes that have come, of how many; what it raises ends the download


def locate(model: str, models_dir: Path, told: Told | None = None) -> Path:
    """The file of a model, downloaded if it is a Hub repo id that is not here yet. UserError says what to do."""
    path = models_dir / f"{model}.gguf"
    if not path.is_file() and (model.endswith(".gguf") and ":" not in model or Path(model).exists()):
        path = Path(model)
    elif not path.is_file() and REPO_ID.fullmatch(model):
        path = _download(told, *model.split(":"))
    return path


def available(models_dir: Path, extra: Sequence[str] = ()) -> list[str]:
    """What `open_engine` can be asked for: the names of the GGUF files in `models_dir`, in order, then `extra`, each once."""
    return [*dict.fromkeys([*sorted(path.stem for path in models_dir.glob("*.gguf")), *extra])]


def _download(told: Told | None, repo_id: str, filename: str = "") -> Path:
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        if not filename:
            files = sorted(f for f in HfApi().list_repo_files(repo_id) if f.endswith(".gguf"))
            if not files:
                raise UserError(
                    f"{repo_id}: no GGUF file in this repository; make one with python -m conversion."
                )
            # Of several quantisations, the usual compromise for a CPU.
            filename = next((f for f in files if "q4_k_m" in f.lower()), files[0])
        return Path(hf_hub_download(repo_id, filename, tqdm_class=_teller(told) if told else None))
    except RepositoryNotFoundError as error:
        raise UserError(
            f"{repo_id}: no such repository on the Hub, or it is private; check the name and HF_TOKEN."
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise UserError(
            f"{repo_id}: the Hub cannot be reached; use MODEL=proofreader, the embedded model."
        ) from error


def _teller(told: Told) -> Any:
    """A progress bar that is not shown: it tells how far a download has come."""
    from tqdm import tqdm

    class Teller(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **(options | {"disable": True}))
            self._came, self._of = options.get("initial") or 0, options.get("total") or 0

        def update(self, n: float | None = 1) -> None:
            self._came += int(n or 0)
            told(self._came, self._of)

    return Teller


def _template(source: str, path: Path) -> Any:
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    if not source:
        raise UserError(
            f"{path}: this GGUF has no chat template; use an instruct model, or convert it again."
        )
    try:
        return ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(source)
    except TemplateError as error:
        raise UserError(
            f"{path}: its chat template cannot be read ({type(error).__name__}); convert the model again."
        ) from error
