"""What clients can do to the app and to each other: limits, hosts, origins; over HTTP against the app as it is served."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import gradio_client
import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from feedback import journal
from space import clients, server, web
from space.clients import Buckets, client_key
from space.errors import UserError
from space.proofread.pipeline import STOPPED
from space.settings import Settings
from tests.space.test_api import (
    LONG,
    SECRET,
    WAIT_SECONDS,
    Served,
    events,
    events_of,
    join,
    served,
    serving,
    until,
)  # fmt: skip

RATE = 3  # emails a minute of one client; each test is clients of its own, by addresses that a proxy names
FLAG = {"draft": "She have it.", "rewrite": "She has it.", "verdict": "bad", "consent": True}

__all__ = ["served"]


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app behind a proxy that it trusts, with what takes seconds or minutes taking none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "UNREAD_SECONDS", WAIT_SECONDS)
        patch.setattr(server, "SWEEP_SECONDS", 0.1)
        with serving(
            tmp_path_factory, max_runs=1, rate_limit=RATE, forwarded_allow_ips=("127.0.0.1",)
        ) as limited:
            yield limited


def client_at(served: Served, address: str, **headers: str) -> httpx.Client:
    return httpx.Client(
        base_url=served.url, timeout=WAIT_SECONDS, headers={"X-Forwarded-For": address, **headers}
    )


def call(http: httpx.Client, name: str, **values: Any) -> httpx.Response:
    return http.post(f"/gradio_api/call/v2/{name}", json=values)


def spend(http: httpx.Client) -> None:
    """Takes all the tokens for emails that this client has."""
    for _ in range(RATE):
        assert events(http, join(http, "proofread", text=""))[-1][0] == "error"  # it is empty


def began(served: Served, draft: str) -> Any:
    until(lambda: any(run.draft == draft and run.seen for run in served.runs))
    return next(run for run in served.runs if run.draft == draft)


# ---- what nobody listens to ----


def test_a_call_that_nobody_reads_loses_its_place_and_its_run(
    limited: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited.gate.clear()
    with client_at(limited, "192.0.2.1") as idle, client_at(limited, "192.0.2.2") as reading:
        try:
            call(idle, "proofread", text=LONG)
            run = began(limited, LONG)
            for turn in range(2):
                assert call(idle, "proofread", text=f"It wait {turn}.").status_code == 200
            with reading.stream("GET", join(reading, "proofread", text="He have it.")) as stream:
                busy = {"status": "busy", "model": "proofreader", "waiting": 3}
                assert httpx.get(f"{limited.url}/health").json() == busy
                monkeypatch.setattr(server, "UNREAD_SECONDS", 0)
                until(lambda: httpx.get(f"{limited.url}/health").json().get("waiting") == 1)
                limited.gate.set()
                assert list(events_of(stream.iter_lines()))[-1][0] == "complete"
        finally:
            limited.gate.set()
    assert run.end == "cut" and run.seen < run.total
    assert not any(run.draft.startswith("It wait") for run in limited.runs)


def test_a_result_waits_longer_for_its_reader_than_a_place_and_then_goes(
    limited: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client_at(limited, "192.0.2.3") as http:
        late, never = (join(http, "flag", **FLAG, comment=f"{name} read") for name in ("late", "never"))
        until(lambda: said(limited, "never read"))
        monkeypatch.setattr(server, "UNREAD_SECONDS", 0)
        time.sleep(1)  # a few sweeps
        assert events(http, late)[-1][0] == "complete"
        monkeypatch.setattr(server, "RESULT_SECONDS", 0)
        time.sleep(1)
        gone = http.get(never)
        assert (gone.status_code, gone.json()) == (404, {"detail": web.NO_CALL})


def test_a_run_ends_when_its_time_is_over_and_says_so(
    limited: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = LONG + " The end."
    with client_at(limited, "192.0.2.4") as http, ThreadPoolExecutor(1) as pool:
        limited.gate.clear()
        try:
            answered = pool.submit(events, http, join(http, "proofread", text=text))
            began(limited, text)
            over = dataclasses.replace(limited.models._settings, max_seconds=0)
            monkeypatch.setattr(limited.models, "_settings", over)
        finally:
            limited.gate.set()
        kind, (answer,) = answered.result()[-1]
    assert kind == "complete"
    assert STOPPED in answer["notes"] and answer["text"].endswith("the 59 letters. The end.")


# ---- how much of it one client may have ----


def test_one_client_is_told_when_it_may_go_on_and_others_never_notice(limited: Served) -> None:
    with client_at(limited, "192.0.2.5") as eager, client_at(limited, "192.0.2.6") as other:
        spend(eager)
        refused = call(eager, "proofread", text="")
        seconds = int(refused.headers["Retry-After"])
        assert refused.status_code == 429 and 0 < seconds <= 60 / RATE
        assert refused.json() == {"detail": server.TOO_OFTEN.format(seconds=seconds)}
        assert call(other, "proofread", text="").status_code == 200
        assert call(eager, "tone", text="Thanks.").status_code == 200
        eager_client = gradio_client.Client(
            limited.url, verbose=False, headers={"X-Forwarded-For": "192.0.2.5"}
        )
        with pytest.raises(httpx.HTTPStatusError, match="429 Too Many Requests") as raised:
            eager_client.predict("", api_name="/proofread")
        assert raised.value.response.json()["detail"].startswith("Too many requests from this address")


def test_one_client_does_not_fill_the_queue(limited: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_WAITING_EACH", 2)
    limited.gate.clear()
    with client_at(limited, "192.0.2.7") as eager, client_at(limited, "192.0.2.8") as other:
        try:
            call(eager, "proofread", text="He have one.")
            began(limited, "He have one.")
            answers = [call(eager, "proofread", text="He have three.") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]
            assert answers[2].headers["Retry-After"] == "10"
            assert answers[2].json() == {"detail": server.TOO_MANY.format(count=2)}
            assert call(other, "proofread", text="He have three.").status_code == 200
        finally:
            limited.gate.set()
    until(lambda: sum(run.end == "complete" for run in limited.runs if run.draft == "He have three.") == 3)


def test_flags_are_kept_or_refused_and_never_lost(limited: Served) -> None:
    """Also those whose answer nobody reads, and while emails fill their queue."""
    limited.gate.clear()
    with client_at(limited, "192.0.2.9") as http:
        try:
            call(http, "proofread", text="He have two.")
            began(limited, "He have two.")
            answers = [call(http, "flag", **FLAG, comment=f"silent {turn}") for turn in range(20)]
        finally:
            limited.gate.set()
    codes = [answer.status_code for answer in answers]
    assert codes[: 2 * RATE] == [200] * 2 * RATE and set(codes[2 * RATE :]) <= {200, 429}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 429)
    until(lambda: said(limited, "silent") == codes.count(200))


def said(served: Served, comment: str) -> int:
    return sum(record["comment"].startswith(comment) for record in journal.records(served.feedback))


@pytest.mark.slow
def test_two_hundred_flags_in_a_row_are_all_kept(served: Served) -> None:
    with httpx.Client(base_url=served.url, timeout=WAIT_SECONDS) as http:
        codes = Counter(call(http, "flag", **FLAG, comment=f"row {turn}").status_code for turn in range(200))
    assert codes == {200: 200}
    until(lambda: said(served, "row") == 200)


def test_buckets_forget_who_asked_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "MAX_CLIENTS", 3)
    buckets = Buckets(1)
    assert [buckets.take(name) for name in "abc"] == [0, 0, 0]
    assert buckets.take("a") == 60 and buckets.take("d") == 0
    assert buckets.take("b") == 0 and buckets.take("a") == 60, "b was the one to go, not a"


# ---- who a client is ----


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unix:" + "x" * 100, "unix:" + "x" * 59),
        ("", ""),
    ],
)
def test_a_client_is_an_address_or_half_of_one(host: str, key: str) -> None:
    assert client_key(host) == key


def test_a_client_cannot_name_itself(limited: Served, served: Served) -> None:
    """The proxy adds the address that it sees at the end; without one that is trusted the header is nothing."""
    with client_at(limited, "192.0.2.10") as http:
        spend(http)
    with client_at(limited, "203.0.113.1, 192.0.2.10") as http:
        assert call(http, "proofread", text="").status_code == 429
    hashes = {flagged(served, f"203.0.113.{turn}") for turn in range(2)}
    assert len(hashes) == 1


def test_page_endpoint_and_tool_know_a_client_by_the_same_address(limited: Served) -> None:
    one, other = flagged(limited, "192.0.2.11"), flagged(limited, "192.0.2.12")
    assert one == flagged(limited, "192.0.2.11") != other
    answer = tool(limited, "192.0.2.11", "flag", FLAG)
    assert client_hash(limited, ast.literal_eval(answer.content[0].text)["id"]) == one


def flagged(served: Served, address: str) -> str:
    """The hash of the client in a flag that is sent from there."""
    with client_at(served, address) as http:
        kind, (kept,) = events(http, join(http, "flag", **FLAG))[-1]
    assert kind == "complete"
    return client_hash(served, kept["id"])


def client_hash(served: Served, id_: str) -> str:
    return next(str(each["client"]) for each in journal.records(served.feedback) if each["id"] == id_)


def tool(served: Served, address: str, name: str, values: dict[str, Any], **headers: str) -> Any:
    """What an assistant at that address gets."""

    async def ask() -> Any:
        http = httpx.AsyncClient(headers={"X-Forwarded-For": address, **headers}, timeout=WAIT_SECONDS)
        async with http, streamable_http_client(f"{served.url}/gradio_api/mcp/", http_client=http) as streams:
            async with ClientSession(*streams[:2]) as session:
                await session.initialize()
                return await session.call_tool(name, values)

    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, ask()).result()


def test_an_assistant_has_the_limits_of_its_own_address(limited: Served) -> None:
    with client_at(limited, "192.0.2.13") as http:
        spend(http)
    refused = tool(limited, "192.0.2.13", "proofread", {"text": "He have it."})
    assert refused.isError and "429 Too Many Requests" in refused.content[0].text
    forged = tool(
        limited, "192.0.2.13", "proofread", {"text": "He have it."}, **{"x-proofreader-client": "0 1.2.3.4"}
    )
    assert forged.isError
    assert not tool(limited, "192.0.2.14", "proofread", {"text": "He have it."}).isError


# ---- hosts ----


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("LOCALHOST", 200),
        ("[::1]:{port}", 200),
        ("evil.example", 421),
        ("evil.example:{port}", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil@localhost", 421),
        ("192.168.1.5", 421),
        ("[::2]", 421),
        ("", 421),
    ],
)
def test_a_name_that_was_made_to_lead_here_gets_nothing(served: Served, host: str, status: int) -> None:
    headers = {"Host": host.format(port=served.url.rpartition(":")[2])}
    with httpx.Client(base_url=served.url, headers=headers, timeout=WAIT_SECONDS) as http:
        answers = [
            http.get("/"),
            http.get("/health"),
            call(http, "proofread", text=""),
            http.post("/gradio_api/upload", files={"files": ("a.txt", b"x")}),
        ]
        assert [answer.status_code for answer in answers] == [status] * 4
        mcp = http.post("/gradio_api/mcp/", json={})
        assert (mcp.status_code == 421) == (status == 421)
    if status == 421:
        assert mcp.json() == {"detail": web.OTHER_HOST}


def test_settings_say_what_the_names_of_the_app_are(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"localhost", "127.0.0.1", "[::1]"}
    settings = Settings.from_env()
    assert (settings.host_names, settings.is_open) == (here, False)
    assert settings.forwarded_allow_ips == ()
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("ALLOWED_HOSTS", "Mail.example.com, *.lan")
    settings = Settings.from_env()
    assert settings.is_open
    assert settings.host_names >= here | {"mail.example.com", "*.lan", socket.gethostname().lower()}
    monkeypatch.setenv("SPACE_ID", "user/name")
    monkeypatch.setenv("SPACE_HOST", "user-name.hf.space,mail.example.org")
    settings = Settings.from_env()
    assert settings.host_names >= {"user-name.hf.space", "mail.example.org"}
    assert "10.0.0.0/8" in settings.forwarded_allow_ips


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("ALLOWED_HOSTS", "http://a", "ALLOWED_HOSTS: http://a is no name of a host; give names like "),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS: * is no name of a host; "),
        ("FORWARDED_ALLOW_IPS", "*", "FORWARDED_ALLOW_IPS: * is no address; give those of your proxies, "),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1/8", "FORWARDED_ALLOW_IPS: 10.0.0.1/8 is no address; "),
        ("RATE_LIMIT", "many", "RATE_LIMIT=many: give a whole number from 0 to 100000."),
        ("MAX_SECONDS", "0", "MAX_SECONDS=0: give a whole number from 1 to 86400."),
    ],
)
def test_a_wrong_setting_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="^" + re.escape(line)):
        Settings.from_env()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("192.168.1.5:7860", 200),
        ("[2001:db8::1]", 200),
        ("mail.example.com", 200),
        ("a.b.lan", 200),
        (socket.gethostname(), 200),
        ("evil.example", 421),
        ("lan", 421),
    ],
)
def test_where_other_machines_may_connect_any_address_and_the_names_of_the_settings_will_do(
    opened: Served, host: str, status: int
) -> None:
    assert httpx.get(f"{opened.url}/health", headers={"Host": host}).status_code == status


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    names = ("mail.example.com", "*.lan")
    with serving(tmp_path_factory, gradio_server_name="0.0.0.0", allowed_hosts=names) as opened:
        yield opened


# ---- origins ----

OTHER = "http://evil.example"
SIMPLE = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
PLACES = (
    "/gradio_api/call/v2/flag", "/gradio_api/call/v2/proofread", "/gradio_api/call/flag", "/gradio_api/queue/join",
    "/gradio_api/run/predict", "/gradio_api/upload", "/gradio_api/mcp/", "/gradio_api/cancel", "/health",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["application/json", *SIMPLE])
@pytest.mark.parametrize(
    "by",
    [
        {"Origin": OTHER},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},  # another app of this machine
        {"Sec-Fetch-Site": "cross-site", "Origin": OTHER},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_page_of_another_origin_can_do_nothing(served: Served, by: dict[str, str], kind: str) -> None:
    body = json.dumps({**FLAG, "comment": f"forged {SECRET}"})
    with httpx.Client(
        base_url=served.url, headers={**by, "Content-Type": kind}, timeout=WAIT_SECONDS
    ) as http:
        for place in PLACES:
            answer = http.post(place, content=body)
            assert (answer.status_code, answer.json()) == (403, {"detail": web.OTHER_ORIGIN}), place
            assert "Access-Control-Allow-Origin" not in answer.headers or by["Origin"] != OTHER
    assert not said(served, "forged")


def test_our_own_page_and_programs_are_let_in(served: Served) -> None:
    for by in (
        {"Origin": served.url},
        {"Origin": served.url, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {},
    ):
        with httpx.Client(base_url=served.url, headers=by, timeout=WAIT_SECONDS) as http:
            assert events(http, join(http, "tone", text="Thanks."))[-1][0] == "complete"


def test_a_preflight_of_another_origin_is_not_granted(served: Served) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for place in PLACES:
        other = httpx.options(served.url + place, headers={"Origin": OTHER, **asked})
        assert "Access-Control-Allow-Origin" not in other.headers
    read = httpx.get(f"{served.url}/health", headers={"Origin": OTHER})
    assert read.status_code == 200 and "Access-Control-Allow-Origin" not in read.headers


# ---- headers, and bodies ----


def test_every_answer_of_ours_says_what_a_browser_may_do_with_it(served: Served) -> None:
    with httpx.Client(base_url=served.url, timeout=WAIT_SECONDS) as http:
        answers = {
            200: [http.get("/"), http.get("/health"), http.get("/gradio_api/info"), http.get("/config")],
            404: [http.get("/nothing"), http.get("/gradio_api/call/proofread/nothing")],
            403: [http.post("/gradio_api/upload", headers={"Origin": OTHER})],
            413: [http.post("/gradio_api/call/v2/tone", content=b"x" * 6_000_001)],
            421: [http.get("/", headers={"Host": "evil.example"})],
        }
        with http.stream("GET", join(http, "tone", text="Thanks.")) as stream:
            answers[200].append(stream)
            assert stream.headers["content-type"].startswith("text/event-stream")
    for status, some in answers.items():
        for answer in some:
            assert answer.status_code == status
            assert {name: answer.headers[name] for name in web.HEADERS} == web.HEADERS, answer.url


@pytest.mark.parametrize("path", ["/gradio_api/call/v2/tone", "/gradio_api/upload", "/gradio_api/mcp/"])
def test_a_body_that_trickles_is_not_waited_for(
    served: Served, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "BODY_SECONDS", 0.5)
    monkeypatch.setattr(web, "UPLOAD_SECONDS", 0.5)
    kind = "multipart/form-data; boundary=x" if path.endswith("upload") else "application/json"
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as caller:
        accept = "application/json, text/event-stream"
        caller.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nAccept: {accept}\r\n"
            "Content-Length: 1000\r\n\r\n".encode()
        )
        caller.sendall(b"--x" if path.endswith("upload") else b"{")
        answer = caller.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 408 ") and b"was not there after" in answer


@pytest.mark.slow
def test_a_connection_that_was_idle_for_a_while_is_still_open(served: Served) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    connection = HTTPConnection(host, int(port), timeout=WAIT_SECONDS)
    for pause in (6, 0):  # uvicorn would close it after five seconds, and the next request be lost
        connection.request("GET", "/health")
        assert b"ok" in connection.getresponse().read()
        time.sleep(pause)
    connection.close()
