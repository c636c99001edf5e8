"""The app as programs see it: served in this process with the shipped models, and asked over HTTP."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import gradio
import gradio_client
import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from feedback import export, journal
from feedback.record import Record
from space import api, app, server, web
from space.api import MAX_RUNS, error_line
from space.errors import UserError
from space.page import strings, ui
from space.proofread.llm import switcher
from space.proofread.llm.switcher import ModelSwitcher
from space.proofread.pipeline import Progress, Proofreader
from space.settings import Settings

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 60  # for anything that must happen; the machine may be busy
WAITING = 4  # requests that the queue takes here
SECRET = "Zanzibar"  # stands in what is sent, and must never be in what is logged
LONG = " ".join(f"She have recieved the {number} letters." for number in range(60))

Events = list[tuple[str, Any]]


@dataclasses.dataclass
class Run:
    """What became of one run of the proofreader."""

    draft: str
    seen: int = 0  # Progress values that were asked for
    total: int = 0
    end: str = ""  # "complete" or "cut"


@dataclasses.dataclass
class Served:
    """The app, and what it did."""

    url: str
    page: gradio.Blocks
    models_dir: Path
    models: ModelSwitcher
    feedback: Path
    runs: list[Run]
    gate: threading.Event  # while it is not set, runs wait between two sentences

    @property
    def proofreader(self) -> Proofreader:
        return self.models.proofreader


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(happened: Callable[[], Any]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@contextmanager
def serving(
    tmp_path_factory: pytest.TempPathFactory, max_runs: int = MAX_RUNS, **options: Any
) -> Iterator[Served]:
    """The whole app with these settings; each run of its proofreader is noted, and its limits are low enough to be reached."""
    runs: list[Run] = []
    gate = threading.Event()
    gate.set()
    original = Proofreader.run

    def noted(self: Proofreader, draft: str, *args: Any, **options: Any) -> Iterator[Any]:
        run = Run(draft)
        runs.append(run)
        try:
            for outcome in original(self, draft, *args, **options):
                if isinstance(outcome, Progress):
                    run.seen, run.total = run.seen + 1, outcome.total
                yield outcome
                gate.wait(WAIT_SECONDS)
            run.end = "complete"
        finally:
            run.end = run.end or "cut"

    with pytest.MonkeyPatch.context() as patch:
        for name in ("MODEL", "MODELS_DIR", "N_CTX", "N_THREADS", "PORT"):
            patch.delenv(name, raising=False)
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        patch.setattr(Proofreader, "run", noted)
        patch.setattr(server, "MAX_WAITING", WAITING)
        for module in (api, ui):
            patch.setattr(module, "MAX_RUNS", max_runs)
        patch.setattr(web, "MAX_FILE_BYTES", 1_000_000)
        patch.setenv("FORWARDED_ALLOW_IPS", "")  # which `launch` sets
        feedback, folder = tmp_path_factory.mktemp("feedback"), tmp_path_factory.mktemp("models")
        for path in (ROOT / "space" / "models").iterdir():
            (folder / path.name).symlink_to(path)
        (folder / "second.gguf").symlink_to(folder / "proofreader.gguf")
        (folder / "torn.gguf").write_bytes((folder / "proofreader.gguf").read_bytes()[:100_000])
        settings = dataclasses.replace(
            Settings.from_env(), feedback_dir=feedback, models_dir=folder, port=free_port(), **options
        )
        page, models, problem = app.build(settings, lambda: "on this machine")
        assert models is not None, problem
        with io.TextIOWrapper(io.BytesIO(), "ascii") as terminal, redirect_stdout(terminal):
            app.launch(page, settings, models, problem)
        yield Served(page.local_url.rstrip("/"), page, folder, models, feedback, runs, gate)
        page.close(verbose=False)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory, rate_limit=0) as served:  # every test is one client
        yield served


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=WAIT_SECONDS) as http:
        yield http


@pytest.fixture(scope="session")
def client(served: Served) -> gradio_client.Client:
    return gradio_client.Client(served.url, verbose=False)


def join(http: httpx.Client, name: str, **values: Any) -> str:
    """Puts a call into the queue; where its events are to be had."""
    answer = http.post(f"/gradio_api/call/v2/{name}", json=values)
    assert answer.status_code == 200, answer.text
    return f"/gradio_api/call/{name}/{answer.json()['event_id']}"


def events_of(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: ") and name != "heartbeat":
            yield name, json.loads(line.removeprefix("data: "))


def events(http: httpx.Client, path: str) -> Events:
    with http.stream("GET", path) as stream:
        return list(events_of(stream.iter_lines()))


def refusal(http: httpx.Client, name: str, **values: Any) -> str:
    ((kind, data),) = events(http, join(http, name, **values))
    assert kind == "error"
    return str(data["error"])


def untimed(value: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name != "timings"}


# ---- the endpoints ----


def test_programs_see_these_endpoints_and_none_of_the_page(client: gradio_client.Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/proofread", "/tone", "/flag"}
    assert all(end["description"] and end["returns"][0]["type"]["type"] == "object" for end in named.values())
    assert [each["parameter_name"] for each in named["/proofread"]["parameters"]] == [
        "text",
        "mode",
        "protected_terms",
        "dialect",
        "model",
    ]


def test_a_program_gets_what_the_proofreader_says(served: Served, client: gradio_client.Client) -> None:
    text = "Hi Tom,\n\nShe have recieved the letters.\n"
    answer = client.predict(text, api_name="/proofread")
    assert untimed(answer) == untimed(served.proofreader.proofread(text).to_dict())
    assert answer["changed"] and "received" in answer["text"]
    assert {text[change["start"] : change["end"]] for change in answer["changes"]} >= {"recieved"}


def test_mode_and_protected_terms_reach_the_proofreader(client: gradio_client.Client) -> None:
    text = "She have recieved the letters."
    answer = client.predict(text, "polish", ["recieved"], api_name="/proofread")
    assert "recieved" in answer["text"]


def test_a_dialect_reaches_the_proofreader(client: gradio_client.Client) -> None:
    spelt = [
        client.predict("Please organise the colors.", dialect=dialect, api_name="/proofread")["text"]
        for dialect in ("", "american", "british")
    ]
    assert spelt == [
        "Please organise the colors.",
        "Please organize the colors.",
        "Please organise the colours.",
    ]


def test_a_call_takes_the_model_that_is_loaded_unless_it_names_one(
    served: Served, client: gradio_client.Client
) -> None:
    engine = served.models.switch("second").engine  # as a page does
    try:
        assert client.predict("He have it.", api_name="/proofread")["model"] == "second"
        assert served.proofreader.engine is engine, "the model was loaded again"
        named = client.predict("He have it.", model="proofreader", api_name="/proofread")
        assert named["model"] == "proofreader" == served.models.loaded
    finally:
        served.models.switch("proofreader")


def test_calls_that_name_two_models_by_turns_load_each_once(
    served: Served, client: gradio_client.Client
) -> None:
    engines = []
    for name in ("proofreader", "second") * 4:
        answer = client.predict("He have it.", model=name, api_name="/proofread")
        assert answer["model"] == name
        engines.append(served.proofreader.engine)
    assert len(set(map(id, engines))) == 2
    served.models.switch("proofreader")


def test_health_says_when_no_model_could_be_loaded_and_when_one_is_again(
    served: Served, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switcher, "MAX_OPEN", 1)
    served.models.switch("proofreader")
    default = served.models_dir / "proofreader.gguf"
    away = default.rename(default.with_suffix(".away"))
    try:
        assert "torn.gguf: not a complete" in refusal(http, "proofread", text="He have it.", model="torn")
        sick = http.get("/health")
    finally:
        away.rename(default)
    assert sick.status_code == 503 and "no such model file" in sick.json()["problem"]
    assert events(http, join(http, "proofread", text="He have it."))[-1][0] == "complete"
    well = http.get("/health")
    assert (well.status_code, well.json()) == (200, {"status": "ok", "model": "proofreader"})


def test_a_run_reports_how_far_it_is(http: httpx.Client) -> None:
    seen = events(http, join(http, "proofread", text="She have recieved it. He have lost it."))
    assert seen[0] == ("generating", [{"done": 0, "total": 2}])
    assert seen[-1][0] == "complete"
    assert seen[-1][1][0]["changed"] is True


def test_tone_is_that_of_what_the_writer_says(http: httpx.Client) -> None:
    rude = "Send me the report now."
    ((kind, (alone,)),) = events(http, join(http, "tone", text=rude))
    ((_, (quoting,)),) = events(
        http, join(http, "tone", text=f"{rude}\n\n> Thank you so much, that is very kind!\n")
    )
    assert kind == "complete"
    assert alone["politeness"]["label"] == "impolite"
    assert alone == quoting


def test_half_a_character_comes_back_as_a_mark_of_its_own(http: httpx.Client) -> None:
    text = "She have \\ud83d recieved it. He have recieved it."
    answer = http.post(
        "/gradio_api/call/v2/proofread",
        content=f'{{"text": "{text}"}}',
        headers={"content-type": "application/json"},
    )
    _, (value,) = events(http, f"/gradio_api/call/proofread/{answer.json()['event_id']}")[-1]
    assert "\ufffd" in value["text"] and "received" in value["text"]


def test_a_call_that_is_done_leaves_no_session_behind(served: Served, http: httpx.Client) -> None:
    """Each kept a copy of the page, 0.1 MB, until there were 10,000."""
    sessions = served.page.state_holder.session_data
    served.gate.clear()
    try:
        path = join(http, "proofread", text="He have it. She have it.")
        call = path.rpartition("/")[2]
        until(lambda: call in sessions)
    finally:
        served.gate.set()
    until(lambda: call not in sessions)
    assert events(http, path)[-1][0] == "complete"


def test_a_call_that_was_read_leaves_nothing_in_the_queue(served: Served, http: httpx.Client) -> None:
    """Each left an empty set for ever, and its queue of messages until there were 2,000."""
    queue = served.page._queue
    path = join(http, "tone", text="Thank you.")
    call = path.rpartition("/")[2]
    assert call in queue.pending_event_ids_session
    assert events(http, path)[-1][0] == "complete"
    until(lambda: call not in {*queue.pending_event_ids_session, *queue.pending_messages_per_session})
    assert len(queue.event_analytics) == 1, "what Gradio's monitoring would show of each event"


def test_a_page_that_was_closed_leaves_no_session_behind(
    served: Served, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = served.page.state_holder.session_data
    answer = http.post("/gradio_api/call/tone", json={"data": ["Thank you."], "session_hash": "a page"})
    events(http, f"/gradio_api/call/tone/{answer.json()['event_id']}")
    with http.stream("GET", "/gradio_api/heartbeat/a page") as stream:
        next(stream.iter_lines())
    until(lambda: sessions["a page"].is_closed)
    monkeypatch.setattr(server, "CLOSED_SECONDS", 0)
    until(lambda: "a page" not in sessions)


def test_a_page_that_listens_when_all_was_read_hears_what_comes_next(
    served: Served, http: httpx.Client
) -> None:
    """A busy browser opens the stream of an event whose answer has come by another: it got an error, and then nothing for ever."""
    call = {"data": ["Thank you."], "session_hash": "a busy page"}
    answer = http.post("/gradio_api/call/tone", json=call)
    events(http, f"/gradio_api/call/tone/{answer.json()['event_id']}")
    until(lambda: "a busy page" not in served.page._queue.pending_messages_per_session)
    with http.stream("GET", "/gradio_api/queue/data?session_hash=a busy page") as stream:
        next_ = http.post("/gradio_api/call/tone", json=call).json()["event_id"]
        lines = [line for line in stream.iter_lines() if line]
    said = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [each["msg"] for each in said if each["event_id"] == next_][-1] == "process_completed"
    assert said[-1]["msg"] == "close_stream"


# ---- what is refused ----


def test_an_error_for_the_user_is_one_line_and_any_other_is_logged_without_the_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert error_line(UserError("no model: get one"), strings.UNEXPECTED) == "no model: get one"
    assert not caplog.records
    try:
        int("my secret email")
    except ValueError as error:
        assert error_line(error, strings.UNEXPECTED) == strings.UNEXPECTED.format(name="ValueError")
    assert "ValueError at test_api.py:" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("name", "values", "line"),
    [
        ("proofread", {"text": " \n"}, strings.EMPTY_DRAFT),
        ("proofread", {"text": {"of": SECRET}}, "text: send a string."),
        ("proofread", {"text": SECRET, "mode": "shout"}, "mode shout: choose one of proofread, polish, friendly, formal, short, which proofreader knows."),
        ("proofread", {"text": SECRET, "mode": [SECRET]}, "mode: send a string."),
        (
            "proofread",
            {"text": SECRET, "dialect": SECRET},
            "dialect: send one of american, british, or an empty string.",
        ),
        (
            "proofread",
            {"text": SECRET, "model": SECRET},
            "model: send one of proofreader, second, torn, or an empty string.",
        ),
        (
            "proofread",
            {"text": SECRET, "protected_terms": SECRET},
            "protected_terms: send a list of at most 500 strings.",
        ),
        ("proofread", {"text": SECRET, "protected_terms": [1]}, "protected_terms: send a string."),
        (
            "proofread",
            {"text": SECRET * 20_000},
            "text: 160,000 characters are more than 100,000; send less at once.",
        ),
        (
            "tone",
            {"text": "a" * 100_001},
            "text: 100,001 characters are more than 100,000; send less at once.",
        ),
        ("flag", {"draft": SECRET, "rewrite": SECRET, "verdict": "good"}, api.NEED_CONSENT),
        (
            "flag",
            {"draft": SECRET, "rewrite": SECRET, "verdict": "good", "consent": "true"},
            api.NEED_CONSENT,
        ),
        (
            "flag",
            {"draft": SECRET, "rewrite": SECRET, "verdict": "so so", "consent": True},
            "verdict 'so so' is none of: good, bad.",
        ),
        (
            "flag",
            {"draft": SECRET, "rewrite": "", "verdict": "bad", "consent": True},
            "rewrite: send the text; there is nothing in it.",
        ),
        (
            "flag",
            {"draft": SECRET, "rewrite": "x", "verdict": "bad", "consent": True,
             "changes": [{"start": 0, "end": 1, "before": SECRET[0], "after": "y"}]},
            "changes: those with the status applied must make the rewrite of the draft.",
        ),
        (
            "flag",
            {"draft": SECRET, "rewrite": "x", "verdict": "bad", "consent": True, "changes": [{"start": SECRET}]},
            "changes.0.start: input should be a valid integer, unable to parse string as an integer.",
        ),
        (
            "flag",
            {"draft": SECRET, "rewrite": "x", "verdict": "bad", "consent": True, "changes": [SECRET]},
            "changes: send a list of objects, as /proofread gives them.",
        ),
        (
            "flag",
            {"draft": SECRET, "rewrite": SECRET, "verdict": "bad", "comment": "a" * 10_001, "consent": True},
            "comment: 10,001 characters are more than 10,000; send less at once.",
        ),
    ],
)  # fmt: skip
def test_bad_input_gets_one_line_and_is_not_logged(
    http: httpx.Client, served: Served, name: str, values: dict[str, Any], line: str,
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    assert refusal(http, name, **values) == line
    logged = "".join(capfd.readouterr()) + caplog.text
    assert SECRET not in logged and "Traceback" not in logged
    assert not any(SECRET in json.dumps(record) for record in journal.records(served.feedback))


def test_the_python_client_raises_the_line(client: gradio_client.Client) -> None:
    with pytest.raises(gradio_client.exceptions.AppError, match="^There is no text to proofread yet"):
        client.predict("", api_name="/proofread")


@pytest.mark.parametrize(
    ("path", "body", "status", "line"),
    [
        ("call/v2/proofread", {}, 400, "No value provided for required argument: text"),
        (
            "call/v2/proofread",
            {"text": SECRET, "tone": 1},
            400,
            "Parameter `tone` is not a valid key-word argument",
        ),
        ("call/v2/nothing", {"text": SECRET}, 404, "There is no such endpoint: see /gradio_api/info."),
        ("call/nothing", {"data": [SECRET]}, 404, "There is no such endpoint: see /gradio_api/info."),
    ],
)
def test_a_call_of_the_wrong_form_gets_one_line(
    http: httpx.Client, path: str, body: Any, status: int, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = http.post(f"/gradio_api/{path}", json=body)
    assert (answer.status_code, answer.json()) == (status, {"detail": line})
    logged = "".join(capfd.readouterr())
    assert SECRET not in logged and "Traceback" not in logged


def test_a_call_with_too_few_values_learns_how_many_and_is_not_logged(
    http: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    posted = http.post("/gradio_api/call/proofread", json={"data": [SECRET]}).json()
    ((kind, data),) = events(http, f"/gradio_api/call/proofread/{posted['event_id']}")
    assert kind == "error"
    assert data["error"].startswith("proofread takes 5 values in data, and got 1; ")
    assert SECRET not in "".join(capfd.readouterr())


def test_no_call_goes_past_the_queue(http: httpx.Client, served: Served) -> None:
    before = len(served.runs)
    answer = http.post("/gradio_api/run/proofread", json={"data": ["She have it.", "proofread", []]})
    assert answer.status_code == 404
    assert len(served.runs) == before


@pytest.mark.parametrize("declared", [True, False])
def test_a_request_that_is_too_large_is_refused(http: httpx.Client, declared: bool) -> None:
    body = b"x" * 100_000
    content: Any = body * 61 if declared else (body for _ in range(61))
    answer = http.post(
        "/gradio_api/call/v2/proofread", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.json() == {"detail": "This request is larger than 6,000,000 bytes: send less at once."}


def test_files_are_limited_and_only_what_was_sent_can_be_read(http: httpx.Client, served: Served) -> None:
    small, large = (
        http.post("/gradio_api/upload", files={"files": ("a.txt", b"x" * size)})
        for size in (1_000, 1_050_000)
    )
    assert (small.status_code, large.status_code) == (200, 413)
    kept = served.feedback / "kept.jsonl"
    kept.write_text("{}")
    for path in (kept, ROOT / "README.md", ROOT / "space" / "models" / "lexicon.txt.gz"):
        assert http.get(f"/gradio_api/file={path}").status_code == 403
    kept.unlink()


# ---- feedback ----


def test_a_flag_is_kept_without_personal_data(served: Served, client: gradio_client.Client) -> None:
    draft = "Hi Jana,\n\nwrite to jana@example.com, she have it.\n"
    said = (draft, draft.replace("have", "has"), "bad", ["too formal"])
    one, other = (
        client.predict(*said, f"jana@example.com {turn}", True, api_name="/flag") for turn in range(2)
    )
    assert set(one) == {"id"} and one != other
    kept = {record["id"]: record for record in journal.records(served.feedback)}
    record, second = kept[one["id"]], kept[other["id"]]
    assert record["draft"] == "Hi [NAME_1],\n\nwrite to [EMAIL_1], she have it.\n"
    assert (record["comment"], record["verdict"], record["reasons"]) == ("[EMAIL_1] 0", "bad", ["too formal"])
    assert record["consent"] == strings.CONSENT_VERSION
    assert record["options"] == {"via": "api"}
    assert record["versions"]["model"] == "proofreader" and len(record["versions"]["gguf_sha256"]) == 64
    assert record["client"] == second["client"] != ""
    assert "127.0.0.1" not in json.dumps(record)


def test_a_flag_takes_all_that_the_page_asks_for_and_makes_the_same_rows(
    served: Served, client: gradio_client.Client
) -> None:
    draft = "She have recieved it at monday.\n"
    answer = client.predict(draft, api_name="/proofread")
    changes = [*answer["changes"], *answer["suggestions"]]
    verdicts = {
        change["before"]: "rejected" if change["before"] == "recieved" else "accepted" for change in changes
    }
    sent = [{**change, "verdict": verdicts[change["before"]]} for change in changes]
    kept = client.predict(
        draft, answer["text"], "bad", ["wrong correction"], consent=True, corrected="She had it on Monday.\n",
        changes=sent, mode="proofread", dialect="british", model="second", api_name="/flag",
    )  # fmt: skip
    (record,) = (each for each in journal.records(served.feedback) if each["id"] == kept["id"])
    assert record["corrected"] == "She had it on Monday.\n"
    assert {change["before"]: change["verdict"] for change in record["changes"]} == verdicts
    assert record["options"] == {"via": "api", "mode": "proofread", "dialect": "british"}
    assert record["versions"] == {"model": "second"}
    rows = dict(export.rows([Record.from_dict(record)]))
    assert rows["completions"]["completion"] == record["corrected"]
    assert rows["preferences"]["rejected"] == answer["text"]


# ---- more than one client ----


def test_clients_at_once_see_nothing_of_each_other(served: Served) -> None:
    """Each asks several times, in a session of its own, while the other does."""
    marks = ("Lisbon", "Nairobi")

    def ask(mark: str) -> list[Any]:
        own = gradio_client.Client(served.url, verbose=False)
        jobs = [own.submit(f"She have seen {mark} {turn} times.", api_name="/proofread") for turn in range(2)]
        return [[job.result(), job.outputs()] for job in jobs]

    with ThreadPoolExecutor(len(marks)) as pool:
        answers = list(pool.map(ask, marks))
    for mark, answer, other in zip(marks, answers, reversed(marks), strict=True):
        assert other not in json.dumps(answer)
        for turn, (result, _) in enumerate(answer):
            assert result["text"].startswith("She has seen") and f"{mark} {turn}" in result["text"]


def test_a_client_that_goes_away_frees_its_place(http: httpx.Client, served: Served) -> None:
    with http.stream("GET", join(http, "proofread", text=LONG)) as stream:
        for _, (progress,) in events_of(stream.iter_lines()):
            if progress["done"]:
                break
        run = next(run for run in served.runs if run.draft == LONG)
        assert httpx.get(f"{served.url}/health").json() == {"status": "ok", "model": "proofreader"}
        assert run.end == "", "the model was to be busy when it answered"
    answered = events(http, join(http, "proofread", text="He have it."))
    assert answered[-1][0] == "complete"
    until(lambda: run.end)
    assert run.end == "cut"
    assert 0 < run.seen < run.total == 60


def test_a_full_queue_says_so(http: httpx.Client, client: gradio_client.Client, served: Served) -> None:
    served.gate.clear()
    before = len(served.runs)
    try:
        waiting = [join(http, "proofread", text="He have it.") for _ in range(MAX_RUNS)]
        until(lambda: sum(run.seen > 0 and not run.end for run in served.runs[before:]) == MAX_RUNS)
        waiting += [join(http, "proofread", text="He have it.") for _ in range(WAITING)]
        full = http.post("/gradio_api/call/v2/proofread", json={"text": SECRET})
        assert full.status_code == 503
        assert full.json() == {
            "detail": f"{WAITING} requests are waiting already: try again in half a minute."
        }
        with pytest.raises(gradio_client.utils.QueueError, match="Queue is full"):
            client.predict(SECRET, api_name="/proofread")
    finally:
        served.gate.set()
    assert [events(http, path)[-1][0] for path in waiting] == ["complete"] * (WAITING + MAX_RUNS)
    assert SECRET not in {run.draft for run in served.runs[before:]}


# ---- assistants ----


def with_mcp(served: Served, ask: Callable[[ClientSession], Any]) -> Any:
    async def session() -> Any:
        async with streamable_http_client(f"{served.url}/gradio_api/mcp/") as (reader, writer, *_):
            async with ClientSession(reader, writer) as opened:
                await opened.initialize()
                return await ask(opened)

    with ThreadPoolExecutor(1) as other:  # a browser's test may have a loop in this one
        return other.submit(asyncio.run, session()).result()


def said(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def test_an_assistant_is_offered_what_programs_are_with_what_it_does(served: Served) -> None:
    tools = {tool.name: tool for tool in with_mcp(served, lambda session: session.list_tools()).tools}
    assert set(tools) == {"proofread", "tone", "flag"}
    ends = ('to look at again ("checks")', "all labels", "can be deleted")
    assert all((tool.description or "").endswith(ends) for tool in tools.values())
    schema = tools["proofread"].inputSchema
    assert schema["required"] == ["text"]
    assert all(each["description"] for each in schema["properties"].values())


def test_an_assistant_can_call_them(served: Served) -> None:
    text = "She have recieved the letters."
    answer = with_mcp(served, lambda session: session.call_tool("proofread", {"text": text}))
    # Gradio writes a dict as Python does, not as JSON.
    assert untimed(ast.literal_eval(said(answer))) == untimed(served.proofreader.proofread(text).to_dict())
    tone = with_mcp(served, lambda session: session.call_tool("tone", {"text": "Send it now."}))
    assert ast.literal_eval(said(tone))["politeness"]["label"] == "impolite"


def test_an_assistant_gets_the_same_line_for_bad_input(served: Served) -> None:
    answer = with_mcp(served, lambda session: session.call_tool("proofread", {"text": ""}))
    assert answer.isError and said(answer) == strings.EMPTY_DRAFT


def test_an_assistant_can_send_feedback_that_a_person_agreed_to(served: Served) -> None:
    values = {
        "draft": "She have it.",
        "rewrite": "She have it.",
        "verdict": "bad",
        "corrected": "She has it.",
    }
    answer = with_mcp(served, lambda session: session.call_tool("flag", values))
    assert answer.isError and said(answer) == api.NEED_CONSENT
    answer = with_mcp(served, lambda session: session.call_tool("flag", values | {"consent": True}))
    kept = {record["id"]: record for record in journal.records(served.feedback)}
    assert kept[ast.literal_eval(said(answer))["id"]]["corrected"] == "She has it."


# ---- the app without its parts ----


@pytest.mark.slow
def test_without_models_and_without_mcp_the_app_serves_and_health_says_what_is_wrong(tmp_path: Path) -> None:
    """A process of its own, in which no package is called mcp."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['mcp'] = None\n")
    (tmp_path / "models").mkdir()
    port = free_port()
    settings = {"PORT": str(port), "MODELS_DIR": str(tmp_path / "models"), "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "space/app.py"], cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_SECONDS) as http:
            until(lambda: process.poll() is not None or answers(port))
            health = http.get("/health")
            assert health.status_code == 503
            assert (
                health.json()["status"] == "no model"
                and "there are no models here" in health.json()["problem"]
            )
            assert http.get("/").status_code == 200
            assert http.post("/gradio_api/mcp/", json={}).status_code in {404, 405}
            assert refusal(http, "proofread", text="He have it.") == health.json()["problem"]
    finally:
        process.terminate()
        _, complaints = process.communicate(timeout=WAIT_SECONDS)
    assert complaints.strip() == health.json()["problem"]


def answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0
