"""The engine on a server: llama-cpp-python's own with the shipped model, and one that answers as it is told."""

from __future__ import annotations

import itertools
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from space.errors import UserError
from space.proofread.edits import apply
from space.proofread.llm import engine as engine_module
from space.proofread.llm.engine import Sampling
from space.proofread.llm.llama_cpp import LlamaCpp
from space.proofread.llm.models import open_engine
from space.proofread.llm.openai_server import RETRIES, Remote
from space.proofread.pipeline import Proofreader, load_proofreader
from space.proofread.prompt import Evidence, messages
from space.settings import Server, Settings

MODEL = Path(__file__).parents[4] / "space" / "models" / "proofreader.gguf"
KEY = "sk-hush-7f3a"
EVIDENCE = Evidence(("neutral", 0.5), ("polite", 0.9))
CHAT = messages("I recieved you're mail on monday.", EVIDENCE)
WRONG = "Hi Tom,\n\nI recieved you're mail on monday and i dont agree with it.\n\nBest regards,\nAnna\n"


def text_of(answer: engine_module.Answer | None) -> str | None:
    return answer.text if answer else None


def never() -> bool:
    return False


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of whoever runs the tests stands between them and this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


WAIT = 60  # seconds; two busy cores are slow


def wait_for(true: Callable[[], bool], seconds: float = WAIT) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# ---- a real server ----


@dataclass(frozen=True)
class Real:
    server: Server
    log: Path


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """`python -m llama_cpp.server` with the shipped model, and a key."""
    port, log = free_port(), tmp_path_factory.mktemp("server") / "log"
    arguments = {
        "model": MODEL, "model_alias": "small", "api_key": KEY, "host": "127.0.0.1", "port": port, "n_ctx": 1024,
        "n_threads": 1,
    }  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "llama_cpp.server"]
            + [word for name, value in arguments.items() for word in (f"--{name}", str(value))],
            stdout=out, stderr=out, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
    try:
        wait_for(lambda: b"Uvicorn running" in log.read_bytes() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield Real(Server(f"http://127.0.0.1:{port}/v1", "small", f"Bearer {KEY}"), log)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def proofreader() -> Proofreader:
    return load_proofreader(Settings.from_env())


def test_a_server_gives_what_the_model_gives_in_this_process(real: Real) -> None:
    engine = LlamaCpp(MODEL, n_ctx=1024, n_threads=1)
    # That server's own default, which a request without the field gets.
    here = engine.complete(CHAT, Sampling(repeat_penalty=1.1), never)
    engine.close()
    assert here and Remote(real.server).complete(CHAT, Sampling(), never) == here
    assert Remote(replace(real.server, model="")).complete(CHAT, Sampling(), never) == here


def test_an_email_is_proofread_there(
    real: Real, proofreader: Proofreader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_URL", real.server.url + "/")
    monkeypatch.setenv("ENGINE_API_KEY", f"{KEY}\n")
    monkeypatch.setenv("ENGINE_MODEL", "small")
    settings = Settings.from_env()
    assert settings.server == real.server
    engine = open_engine(settings.model, settings.models_dir, 512, 1, settings.server)
    assert isinstance(engine, Remote) and (engine.unit, engine.general) == ("email", True)
    result = Proofreader(engine, proofreader.classifiers).proofread(WRONG)
    assert result.model == "small" and apply(WRONG, result.applied) == result.text
    assert len(result.prompts) == 1 and "Return only the corrected text" in result.prompts[0]
    assert result.text.count("\n") == WRONG.count("\n")
    # The served model is small and knows only our prompt: given that, it corrects.
    engine.unit, engine.general = "sentence", False
    result = Proofreader(engine, proofreader.classifiers).proofread(WRONG)
    assert result.text != WRONG and "Monday" in result.text


def test_the_models_it_serves(real: Real) -> None:
    assert Remote(real.server).served() == ["small"]


def test_what_is_cut_off_is_no_answer(real: Real) -> None:
    assert Remote(real.server).complete(CHAT, Sampling(max_tokens=2), never) is None


def test_stop_ends_decoding_there(real: Real) -> None:
    def left() -> int:
        """How many clients did not wait for the end."""
        return real.log.read_text().count("Disconnected from client")

    before = left()
    assert Remote(real.server).complete(CHAT, Sampling(), never)
    assert left() == before
    long = messages("I recieved you're mail on monday. " * 40, EVIDENCE)

    def stopped(seed: int) -> bool:
        asked = itertools.count()
        sampling = Sampling(temperature=2.0, max_tokens=500, seed=seed)
        Remote(real.server).complete(long, sampling, lambda: next(asked) > 4)
        with suppress(AssertionError):  # an answer may have ended by itself before the server looked
            wait_for(lambda: left() > before, 5)
        return left() > before

    assert any(stopped(seed) for seed in range(10))


def test_a_bad_key_and_a_wrong_path(real: Real) -> None:
    for authorization in ("", "Bearer sk-other"):
        engine = Remote(replace(real.server, authorization=authorization))
        for ask in (engine.served, partial(engine.complete, CHAT, Sampling(), never)):
            assert told(ask) == (
                f"{real.server.url}: the server refuses the key (401); set ENGINE_API_KEY to one that it accepts."
            )
    engine = Remote(replace(real.server, url=real.server.url + "/v1"))
    assert "no such address or model (404); ENGINE_URL must end" in told(engine.served)
    assert "(404)" in told(lambda: engine.complete(CHAT, Sampling(), never))


def told(ask: Callable[[], object]) -> str:
    """The one line of the UserError that is raised; neither it nor its traceback holds the key."""
    with pytest.raises(UserError) as caught:
        ask()
    line = str(caught.value)
    assert "\n" not in line and line.endswith(".") and line.startswith("http")
    assert "hush" not in "".join(traceback.format_exception(caught.value))
    return line


# ---- a server that answers as it is told ----


def event(content: str | None = None, finish_reason: str | None = None) -> bytes:
    delta = {} if content is None else {"content": content}
    value = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}
    return b"data: " + json.dumps(value, ensure_ascii=False).encode("utf-8") + b"\n\n"


@dataclass(frozen=True)
class Answer:
    """`body` is all of it; a silent server sends the body and then nothing, but keeps the connection."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/event-stream; charset=utf-8"
    silent: bool = False


GOOD = Answer(body=event("Fine.") + event(finish_reason="stop") + b"data: [DONE]\n\n")


@dataclass
class Told:
    """The server: its answers in order, the last of them for ever, and what it was sent."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)  # by a client that did not wait

    def engine(self, *answers: Answer, authorization: str = f"Bearer {KEY}", model: str = "m") -> Remote:
        self.answers = list(answers)
        self.bodies.clear()
        return Remote(Server(self.url, model, authorization), read_seconds=30, backoff_seconds=0.001)

    def complete(self, *answers: Answer, sampling: Sampling = Sampling()) -> str | None:  # noqa: B008 (frozen)
        return text_of(self.engine(*answers).complete(CHAT, sampling, never))


@pytest.fixture
def server() -> Iterator[Told]:
    script = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            script.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.do_GET()

        def do_GET(self) -> None:
            script.authorizations.append(self.headers["Authorization"])
            answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()
            if answer.silent and self.connection.recv(1) == b"":
                script.left.set()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        script.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        yield script
        http.shutdown()
        thread.join()


def test_what_is_asked(server: Told) -> None:
    assert server.complete(GOOD) == "Fine."
    text = len(CHAT[-1]["content"].encode())
    (body,) = server.bodies
    assert text / 2 < body.pop("max_tokens") < text + 40
    assert body == {"messages": CHAT, "stream": True, "model": "m", "temperature": 0.0, "top_p": 1.0}
    assert server.authorizations == [f"Bearer {KEY}"]


def test_sampling_is_passed_on(server: Told) -> None:
    sampling = Sampling(
        0.7, 0.9, top_k=20, min_p=0.1, repeat_penalty=1.2, min_tokens=3, max_tokens=77, seed=5
    )
    server.complete(GOOD, sampling=sampling)
    (body,) = server.bodies
    del body["messages"], body["stream"], body["model"]
    assert body == {
        "temperature": 0.7, "top_p": 0.9, "top_k": 20, "min_p": 0.1, "repeat_penalty": 1.2, "repetition_penalty": 1.2,
        "min_tokens": 3, "max_tokens": 77, "seed": 5,
    }  # fmt: skip


def test_without_a_key_or_a_model_none_is_sent(server: Told) -> None:
    engine = server.engine(GOOD, authorization="", model="")
    assert text_of(engine.complete(CHAT, Sampling(), never)) == "Fine."
    assert server.authorizations == [None] and "model" not in server.bodies[0]
    assert engine.name == server.url.split("/")[2]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (event("A\u2028B\x85") + event(" C") + event(None, "stop"), "A\u2028B\x85 C"),
        (b": ping\r\n\r\n" + event("A").replace(b"\n", b"\r\n") + event("B", "stop"), "AB"),
        (b'data: {"choices": []}\n\n' + event("A", "stop"), "A"),
        (event("A").replace(b'"A"', b'"\\ud83d"') + event("A", "stop").replace(b'"A"', b'"\\ude42"'), "🙂"),
        (event("A", "stop").replace(b'"A"', b'"\\ud83d"'), "\N{REPLACEMENT CHARACTER}"),
        (event("A") + event(None, "length"), None),
        (event("A") + event(None, "content_filter"), None),
        (event("A ") * 500, None),
        (b'data: {"error": {"code": 400, "type": "exceed_context_size_error"}}\n\n', None),
        (event(None, "stop"), ""),
    ],
)
def test_a_stream(server: Told, body: bytes, answer: str | None) -> None:
    assert server.complete(Answer(body=body)) == answer
    assert len(server.bodies) == 1


def test_what_does_not_fit_is_no_answer(server: Told) -> None:
    error = b'{"error": {"code": "context_length_exceeded", "message": "..."}}'
    assert server.complete(Answer(400, error, "application/json")) is None


@pytest.mark.parametrize(
    "passing",
    [
        Answer(500),
        Answer(503, b"<html>busy</html>", "text/html"),
        Answer(body=event("Fi")),
        Answer(body=b'data: {"error": {"message": "slot gone"}}\n\n'),
    ],
)
def test_what_passes_is_tried_again(server: Told, passing: Answer) -> None:
    assert server.complete(*[passing] * RETRIES, GOOD) == "Fine."
    assert len(server.bodies) == RETRIES + 1
    engine = server.engine(passing)
    line = told(lambda: engine.complete(CHAT, Sampling(), never))
    assert len(server.bodies) == RETRIES + 1 and "try again" in line


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (400, "sampling back to the defaults"),
        (401, "ENGINE_API_KEY"),
        (403, "ENGINE_API_KEY"),
        (404, "ENGINE_URL must end"),
        (422, "sampling back to the defaults"),
        (429, "wait a minute"),
        (301, "the address it sends to"),
    ],
)
def test_a_refusal_is_final(server: Told, status: int, cure: str) -> None:
    engine = server.engine(Answer(status, f"{KEY} {CHAT[-1]['content']}".encode(), "text/plain"), GOOD)
    line = told(lambda: engine.complete(CHAT, Sampling(), never))
    assert cure in line and f"({status})" in line and line.startswith(f"{server.url}: ")
    assert "recieved" not in line and len(server.bodies) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"<html>Welcome</html>", content_type="text/html"),
        Answer(body=b"data: <html>\n\n"),
        Answer(body=b"data: [1]\n\n"),
        Answer(body=b'data: {"choices": [{"delta": {"content": 7}}]}\n\n'),
        Answer(body=b"data: \xff\n\n"),
    ],
)
def test_what_is_not_json(server: Told, answer: Answer) -> None:
    engine = server.engine(answer)
    assert "not JSON of an OpenAI-compatible server" in told(lambda: engine.complete(CHAT, Sampling(), never))
    assert len(server.bodies) == 1
    assert "not JSON of an OpenAI-compatible server" in told(engine.served)


def test_a_server_that_is_gone() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    engine = Remote(Server(url, "m", f"Bearer {KEY}"), backoff_seconds=0.001)
    expected = f"{url}: the server cannot be reached, or went away; start it, or correct ENGINE_URL."
    assert told(lambda: engine.complete(CHAT, Sampling(), never)) == told(engine.served) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses connections")
def test_a_server_that_does_not_accept() -> None:
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())  # fills the queue
        engine = Remote(
            Server(f"http://127.0.0.1:{listener.getsockname()[1]}/v1"), connect_seconds=0.1, backoff_seconds=0
        )
        for ask in (partial(engine.complete, CHAT, Sampling(), never), engine.served):
            assert "no answer within 0.1 s; check that the server runs, and ENGINE_URL." in told(ask)


def test_a_silent_server(server: Told) -> None:
    server.answers = [Answer(body=event("A"), silent=True)]
    engine = Remote(Server(server.url), read_seconds=0.2)
    assert f"{server.url}: silent for 0.2 s; " in told(lambda: engine.complete(CHAT, Sampling(), never))
    assert len(server.bodies) == 1


@pytest.mark.parametrize("body", [b"", event("A")])
def test_stop_leaves_a_silent_server(server: Told, body: bytes) -> None:
    engine = server.engine(Answer(body=body, silent=True))
    assert engine.complete(CHAT, Sampling(), lambda: bool(server.bodies)) is None
    assert server.left.wait(WAIT), "the connection is still open"


def test_stop_ends_the_wait_before_a_retry(server: Told) -> None:
    server.answers = [Answer(500)]
    engine = Remote(Server(server.url), backoff_seconds=3600)
    assert engine.complete(CHAT, Sampling(), lambda: bool(server.bodies)) is None
    assert len(server.bodies) == 1


def test_a_closed_engine_says_so(server: Told) -> None:
    engine = server.engine(GOOD)
    engine.close()
    with pytest.raises(UserError, match="has been closed"):
        engine.complete(CHAT, Sampling(), never)
    assert server.bodies == []


# ---- settings ----


def test_no_key_is_shown(
    server: Told, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx")  # which an app that ran before in this process may have silenced
    for key, login, sent in (
        (KEY, "", f"Bearer {KEY}"),
        ("", "me:hu%40sh-hush@", "Basic bWU6aHVAc2gtaHVzaA=="),
    ):
        monkeypatch.setenv("ENGINE_URL", server.url.replace("http://", f"http://{login}"))
        monkeypatch.setenv("ENGINE_API_KEY", key)
        settings = Settings.from_env()
        assert settings.server
        engine = Remote(settings.server, backoff_seconds=0.001)
        for answer in (GOOD, Answer(401), Answer(500), Answer(body=b"data: <html>\n\n")):
            server.answers = [answer]
            if answer is GOOD:
                assert text_of(engine.complete(CHAT, Sampling(), never)) == "Fine."
            else:
                told(partial(engine.complete, CHAT, Sampling(), never))
        assert set(server.authorizations) == {sent}
        server.authorizations.clear()
        shown = f"{settings!r} {engine!r} {engine.name} {settings.model}"
        assert not {word for word in ("hush", sent.split()[1]) if word in shown}
    assert server.url in caplog.text, "the client logged nothing: this proves nothing"
    assert "hush" not in caplog.text and "bWU6" not in caplog.text and "recieved" not in caplog.text


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8000/v1", "ftp://hush/v1", "http://", "http:///v1", "http://a:hush@h:0x/v1", "http://h:99999/v1",
     "http://h/v1?key=hush", "http://h/v1#hush", "http://h ost/v1", "http://[::1/v1"],
)  # fmt: skip
def test_what_is_no_address(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_URL", url)
    with pytest.raises(UserError, match="^ENGINE_URL is no address of a server: ") as caught:
        Settings.from_env()
    assert "hush" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("url", ["https://h/v1", "http://[::1]:8000/v1", "http://h:1"])
def test_an_address_is_kept(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_URL", f" {url}/ ")
    assert Server.from_env() == Server(url)


@pytest.mark.parametrize("key", ["hush hush", "hush\r\nX: y", "hüsh"])
def test_a_key_that_no_header_can_carry(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_URL", "http://h/v1")
    monkeypatch.setenv("ENGINE_API_KEY", key)
    with pytest.raises(UserError, match="^ENGINE_API_KEY holds ") as caught:
        Settings.from_env()
    assert key[:3] not in str(caught.value)


def test_another_model_than_the_servers_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_URL", "http://h/v1")
    settings = Settings.from_env()
    assert settings.model == "h"
    with pytest.raises(UserError, match="no such model file"):
        open_engine("proofreader", tmp_path, 512, 1, settings.server)
