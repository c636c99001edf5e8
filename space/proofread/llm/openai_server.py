"""The language model on a server that speaks OpenAI's chat API: llama.cpp's server, vLLM and others.

    ENGINE_URL=http://127.0.0.1:8000/v1 ENGINE_MODEL=qwen3-8b python -m space serve

A server does not say how its model was trained, so any model there is taken for a general instruct model that gets the
general prompt and whole emails. Whatever a server answers with an error is never quoted: it may repeat the text or the key.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from space.errors import UserError
from space.proofread.edits import Edit
from space.proofread.llm.engine import Answer, Expected, Phrase, Sampling
from space.proofread.prompt import GOALS, MODES, Message
from space.settings import Server

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0
READ_SECONDS = 120.0  # between two tokens; before the first, a large model on a CPU reads the whole prompt
RETRIES = 3
BACKOFF_SECONDS = 0.5  # before the first retry, twice as long before each that follows
_POLL_SECONDS = 0.1  # how often `stop` is asked
_BYTES_PER_TOKEN = (
    3  # English has over four: the server's own count is unknown, and a low guess would cut answers off
)
_MAX_ERROR_BYTES = 10_000  # what is read of an error's body


class Remote:
    """A model on a server.

    >>> engine = Remote(Server("http://127.0.0.1:8000/v1", "qwen3-8b"))
    >>> engine.unit
    'email'
    """

    unit = "email"
    modes: tuple[str, ...] = (*MODES, *GOALS)
    general = True
    lanes = 1  # a whole email is one answer

    def __init__(
        self,
        server: Server,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        backoff_seconds: float = BACKOFF_SECONDS,
    ) -> None:
        import httpx

        self.name = server.name
        self._server = server
        self._timeout = httpx.Timeout(read_seconds, connect=connect_seconds)
        self._backoff_seconds = backoff_seconds
        self._certificates = httpx.create_ssl_context()  # reading them takes longer than asking the server
        self._closed = False

    def complete(
        self,
        chat: Sequence[Message],
        sampling: Sampling,
        stop: Callable[[], bool],
        expected: Expected | str | None = None,
    ) -> Answer | None:
        """See Engine. `expected` is ignored: the API has no place for it. UserError if the server does not answer.

        Once `stop` says True this returns within a fraction of a second, also while the server is silent; the connection
        is closed, at which servers end decoding.
        """
        if self._closed:
            raise UserError(
                f"{self.name}: this engine has been closed; open it again, or choose another model."
            )
        ended = threading.Event()
        body = self._body(chat, sampling)
        # A thread of its own: the caller may have an event loop, and a read cannot be left from where it waits.
        pool = ThreadPoolExecutor(1, "remote-engine")
        answer = pool.submit(lambda: asyncio.run(_until(ended, self._retried(body))))
        try:
            while not stop():
                if wait([answer], _POLL_SECONDS).done:
                    text = answer.result()
                    return None if text is None else Answer(text)
            return None
        finally:
            ended.set()
            pool.shutdown(wait=False)

    def rephrased(self, chat: Sequence[Message], count: int, stop: Callable[[], bool]) -> list[Phrase]:
        """A general model words a sentence kindly when it is told to polish."""
        return []

    def gains(self, text: str, edits: Sequence[Edit]) -> None:
        """The API has no place for that."""

    def close(self) -> None:
        """Holds nothing between two calls, so there is nothing to free."""
        self._closed = True

    def served(self) -> list[str]:
        """The names of the models on the server, asked once. UserError if it does not answer or is none of this kind."""
        import httpx

        try:
            response = httpx.get(
                f"{self._server.url}/models",
                headers=self._headers(),
                timeout=self._timeout,
                verify=self._certificates,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UserError(str(self._unanswered(error))) from error
        if response.status_code != 200:
            raise UserError(str(self._refused(response.status_code)))
        try:
            return [str(model["id"]) for model in response.json()["data"]]
        except (ValueError, KeyError, TypeError) as error:
            raise self._no_json() from error

    def _body(self, chat: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
        max_tokens = sampling.max_tokens
        if max_tokens is None:  # as LlamaCpp does: an answer twice as long as its text has lost its way
            max_tokens = (
                2 * (len(chat[-1]["content"].encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1) + 32
            )
        body: dict[str, Any] = {
            "messages": list(chat), "stream": True, "max_tokens": max_tokens,
            "temperature": sampling.temperature, "top_p": sampling.top_p,
        }  # fmt: skip
        if self._server.model:
            body["model"] = self._server.model
        if sampling.temperature > 0:
            body["seed"] = sampling.seed
        # OpenAI's own API has none of these, and strict servers refuse a request for a field they do not know.
        for name in ("top_k", "min_p", "repeat_penalty", "min_tokens"):
            if getattr(sampling, name) != getattr(Sampling, name):
                body[name] = getattr(sampling, name)
        if "repeat_penalty" in body:  # vLLM has another name for it; each ignores the other's
            body["repetition_penalty"] = sampling.repeat_penalty
        return body

    def _headers(self) -> dict[str, str]:
        return {"Authorization": self._server.authorization} if self._server.authorization else {}

    async def _retried(self, body: dict[str, Any]) -> str | None:
        import httpx

        async with httpx.AsyncClient(
            headers=self._headers(), timeout=self._timeout, verify=self._certificates
        ) as client:
            for retry in range(RETRIES + 1):
                try:
                    return await self._answer(client, body)
                except _Passing as error:
                    if retry == RETRIES:
                        raise UserError(str(error)) from error
                # Jitter, so that the callers of a server that went down do not all come back at once.
                await asyncio.sleep(self._backoff_seconds * 2**retry * random.uniform(0.5, 1))
        raise AssertionError("unreachable")

    async def _answer(self, client: httpx.AsyncClient, body: dict[str, Any]) -> str | None:
        """One try. UserError if another would fare no better, _Passing if it might."""
        import httpx

        content = json.dumps(body)  # in ASCII, so there is no text that cannot be encoded
        try:
            async with client.stream(
                "POST",
                f"{self._server.url}/chat/completions",
                content=content,
                headers={"Content-Type": "application/json"},
            ) as response:
                if response.status_code != 200:
                    if response.status_code in (400, 413) and _is_too_long(await _start(response)):
                        return None
                    raise self._refused(response.status_code)
                if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                    raise self._no_json()
                return await self._read(response, body["max_tokens"])
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unanswered(error) from error

    async def _read(self, response: httpx.Response, max_tokens: int) -> str | None:
        """The answer out of a stream of `data: {...}` lines, https://platform.openai.com/docs/api-reference/chat-streaming"""
        pieces: list[str] = []
        reason = ""  # why the answer ended; what follows is read too, or the server takes it for a client that left
        async for line in _lines(response):
            field, _, data = line.partition(b":")
            data = data.strip()
            if field != b"data" or not data:  # blank lines, and comments that keep the connection open
                continue
            if data == b"[DONE]":
                break
            try:
                piece, ending, failed = _event(data)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise self._no_json() from error
            if failed:
                if _is_too_long(data):
                    return None
                raise self._refused(failed)
            reason = reason or ending
            if piece:
                pieces.append(piece)
            if len(pieces) > max_tokens:  # a piece is a token or more
                return None
        if reason:
            # A pair of surrogates may come in two pieces; one that is left alone is no text.
            text = "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            return None if reason in ("length", "content_filter") else text
        raise _Passing(
            f"{self._server.url}: the server broke off in mid-answer; try again, or look in its log:"
            " its context may be too small for the text."
        )

    def _no_json(self) -> UserError:
        return UserError(
            f"{self._server.url}: what answers is not JSON of an OpenAI-compatible server;"
            " ENGINE_URL must end where /chat/completions begins, mostly in /v1."
        )

    def _refused(self, status: int) -> UserError | _Passing:
        url = self._server.url
        if status >= 500:
            return _Passing(
                f"{url}: the server fails ({status}); it may still be loading its model: try again, or look in its log."
            )
        if status in (401, 403):
            return UserError(
                f"{url}: the server refuses the key ({status}); set ENGINE_API_KEY to one that it accepts."
            )
        if status == 404:
            return UserError(
                f"{url}: no such address or model (404); ENGINE_URL must end where /chat/completions begins, mostly in"
                " /v1, and ENGINE_MODEL be a name that the server lists under /models."
            )
        if status == 429:
            return UserError(
                f"{url}: too many requests, or the quota is used up (429); wait a minute, or raise the limit."
            )
        if 300 <= status < 400:
            return UserError(
                f"{url}: the server sends elsewhere ({status}); set ENGINE_URL to the address it sends to."
            )
        return UserError(
            f"{url}: the server does not take the request ({status}); set sampling back to the defaults,"
            " and ENGINE_MODEL to a model that it lists under /models."
        )

    def _unanswered(self, error: Exception) -> UserError | _Passing:
        import httpx

        url = self._server.url
        if isinstance(error, httpx.ConnectTimeout):
            return _Passing(
                f"{url}: no answer within {self._timeout.connect:g} s; check that the server runs, and ENGINE_URL."
            )
        if isinstance(error, httpx.TimeoutException):
            return UserError(
                f"{url}: silent for {self._timeout.read:g} s; the server has too much to do: try again later,"
                " or serve a smaller model."
            )
        if "CERTIFICATE" in str(error):
            return UserError(
                f"{url}: the server's certificate is not trusted; correct ENGINE_URL, or name its authority in SSL_CERT_FILE."
            )
        if isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError)):
            return _Passing(
                f"{url}: the server cannot be reached, or went away; start it, or correct ENGINE_URL."
            )
        return UserError(
            f"{url}: not an address that can be called ({type(error).__name__}); correct ENGINE_URL."
        )


class _Passing(Exception):
    """A failure that may be over at the next try; its text is a UserError's."""


async def _until(ended: threading.Event, answer: Coroutine[Any, Any, str | None]) -> str | None:
    """The answer, which is cancelled as soon as the event is set: then its connection closes."""
    task = asyncio.ensure_future(answer)
    while not ended.is_set():
        if (await asyncio.wait({task}, timeout=_POLL_SECONDS))[0]:
            return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """Lines that end in LF or CRLF: a text line may hold what httpx's own reader takes for the end of one (U+2028)."""
    rest = b""
    async for block in response.aiter_bytes():
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r")
    yield rest


async def _start(response: httpx.Response) -> bytes:
    start = b""
    async for block in response.aiter_bytes():
        start += block
        if len(start) >= _MAX_ERROR_BYTES:
            break
    return start


def _event(data: bytes) -> tuple[str, str, int]:
    """Of one event: the text that it adds, why the answer ends, and the status of an error; each may be nothing."""
    event = json.loads(data)
    if error := event.get("error"):
        code = error.get("code") if isinstance(error, dict) else None
        return "", "", code if isinstance(code, int) else 500
    choices = event.get("choices")
    if not choices:  # counts of tokens
        return "", "", 0
    piece = (choices[0].get("delta") or {}).get("content") or ""
    if not isinstance(piece, str):
        raise TypeError(type(piece))
    return piece, choices[0].get("finish_reason") or "", 0


def _is_too_long(error: bytes) -> bool:
    """Whether an error says that prompt and answer exceed the context: llama.cpp, OpenAI, vLLM in turn."""
    return any(
        words in error
        for words in (b"exceed_context_size_error", b"context_length_exceeded", b"maximum context length")
    )
