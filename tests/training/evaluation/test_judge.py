"""The judge: real servers on this machine, one with a model and some that judge by a rule, and figures known before."""

from __future__ import annotations

import json
import math
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from space.proofread.llm.openai_server import Remote
from space.settings import Server
from training.__main__ import main
from training.evaluation import judge
from training.evaluation.judge import ask, verdict
from training.evaluation.win_rate import Judged, Pair, length_controlled, summary

MODEL = Path(__file__).parents[3] / "space" / "models" / "proofreader.gguf"


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of whoever runs the tests stands between them and this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


# ---- a server that judges by a rule ----


@dataclass
class Rule:
    """`judge(a, b)` is what it answers about two versions."""

    url: str = ""
    judge: Callable[[str, str], str] = lambda a, b: "[[tie]]"  # noqa: E731
    asked: list[str] = field(default_factory=list)

    def summary(self, rule: Callable[[str, str], str], pairs: list[Pair], **options: Any) -> dict[str, Any]:
        self.judge = rule
        return summary(ask(pairs, Remote(Server(self.url, "judge")), **options))


@pytest.fixture
def rule() -> Iterator[Rule]:
    script = Rule()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            message = body["messages"][-1]["content"]
            script.asked.append(message)
            a, b = (re.findall(rf"<{name}>\n(.*)\n</{name}>", message, re.DOTALL)[0] for name in "AB")
            choice = {"index": 0, "delta": {"content": script.judge(a, b)}, "finish_reason": "stop"}
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\ndata: [DONE]\n\n")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        script.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        yield script
        http.shutdown()
        thread.join()


def good(a: str, b: str) -> str:
    return (
        "[[A]]"
        if "good" in a and "good" not in b
        else "[[B]]"
        if "good" in b and "good" not in a
        else "[[tie]]"
    )


def longer(a: str, b: str) -> str:
    return "Long. [[A]]" if len(a) > len(b) else "Long. [[B]]"


PAIRS = [
    *[Pair(f"text {k}", f"bad {k}", f"good {k}") for k in range(6)],
    *[Pair(f"text {k}", f"good {k}", f"bad {k}") for k in range(6, 8)],
    Pair("text 8", "bad 8", "so bad"),
    Pair("text 9", "the same", "the same"),
]


def test_a_fair_judge(rule: Rule) -> None:
    found = rule.summary(good, PAIRS)
    assert len(rule.asked) == 18  # nine pairs in both orders: equal answers are not asked about
    counts = ("pairs", "equal", "bad_answers", "judged", "wins", "ties", "losses")
    assert [found[name] for name in counts] == [10, 1, 0, 10, 6, 2, 2]
    assert found["win_rate_percent"]["value"] == 70  # (6 + 2 / 2) of 10
    assert found["position"]["first_preferred_percent"] == {"value": 50.0, "low": 50.0, "high": 50.0}
    assert found["position"]["consistent_percent"]["value"] == 100
    assert (found["position"]["always_first"], found["position"]["always_second"]) == (0, 0)


def test_both_orders_are_asked(rule: Rule) -> None:
    rule.summary(good, [Pair("I recieved it.", "one", "two")], criterion="Which?")
    assert len(rule.asked) == 2
    for message, (a, b) in zip(rule.asked, (("one", "two"), ("two", "one")), strict=True):
        assert f"<A>\n{a}\n</A>" in message and f"<B>\n{b}\n</B>" in message
        assert "I recieved it." in message and "Which?" in message


@pytest.mark.parametrize(("mark", "place", "percent"), [("A", "first", 100.0), ("B", "second", 0.0)])
def test_a_judge_that_goes_by_position_decides_nothing(
    rule: Rule, mark: str, place: str, percent: float
) -> None:
    found = rule.summary(lambda a, b: f"[[{mark}]]", PAIRS[:8])
    assert (found["wins"], found["ties"], found["losses"]) == (0, 8, 0)
    assert found["win_rate_percent"] == {"value": 50.0, "low": 50.0, "high": 50.0}
    assert found["position"]["first_preferred_percent"]["value"] == percent
    assert found["position"]["consistent_percent"]["value"] == 0
    assert found["position"][f"always_{place}"] == 8


def test_a_judge_that_goes_by_length_is_seen_through(rule: Rule) -> None:
    """The second answers are longer in 30 of 40 pairs, and win those alone."""
    pairs = [
        Pair(f"text {k}", "x" * (20 if k < 30 else 40), "y" * (40 if k < 30 else 20)) for k in range(40)
    ]  # fmt: skip
    found = rule.summary(longer, pairs, parallel=4)
    assert found["win_rate_percent"]["value"] == 75
    assert found["longer_by_characters"]["value"] == 10  # (30 x 20 - 10 x 20) / 40
    # With phi growing, 30 e^-(theta + phi x) = 10 e^(theta - phi x): e^(2 theta) = 3, of which s(theta) is 63.4 %.
    controlled = found["length_controlled_percent"]
    assert controlled["value"] == pytest.approx(100 * math.sqrt(3) / (1 + math.sqrt(3)), abs=0.5)
    assert controlled["low"] <= controlled["value"] <= controlled["high"] < 75


def test_bad_answers_are_counted_and_left_out(rule: Rule) -> None:
    def moody(a: str, b: str) -> str:
        return "Hard to say." if "bad 0" in (a, b) else good(a, b) if "bad 1" != a else "A or B"

    found = rule.summary(moody, PAIRS[:8])
    # Pair 0 has no verdict at all, pair 1 none where its bad answer is shown first.
    assert (found["bad_answers"], found["judged"], found["wins"], found["losses"]) == (3, 6, 4, 2)
    assert found["position"]["consistent_percent"]["value"] == 100
    nothing = rule.summary(lambda a, b: "?", PAIRS[:2])
    assert (nothing["bad_answers"], nothing["judged"], nothing["wins"]) == (4, 0, 0)
    assert nothing["win_rate_percent"]["value"] is nothing["length_controlled_percent"]["value"] is None


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_command_and_its_answers_are_stored(
    rule: Rule, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule.judge = good
    answers = write(tmp_path / "answers.jsonl", *(vars(pair) for pair in PAIRS))
    stored = tmp_path / "verdicts.jsonl"
    arguments = ["judge", "--answers", str(answers), "--url", rule.url, "--verdicts", str(stored)]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    found = json.loads(line)
    assert (found["wins"], found["ties"], found["losses"]) == (6, 2, 2)
    assert "win_rate_percent" in printed.err and "ENGINE_URL" not in os.environ
    assert "bad 1" not in stored.read_text() and stored.read_text().count("\n") == 18
    with stored.open("a") as out:
        out.write('{"question": "torn')
    rule.asked.clear()
    assert main([*arguments, "--limit=9"]) == 0
    assert rule.asked == [] and json.loads(capsys.readouterr().out)["wins"] == 6
    rule.judge = lambda *_: "It is hard to say"  # cut off: asked again when there is more room
    cut = write(tmp_path / "cut.jsonl", {"source": "cut", "first": "bad", "second": "good"})
    for _ in range(2):
        rule.asked.clear()
        assert main([word if word != str(answers) else str(cut) for word in arguments]) == 0
        assert len(rule.asked) == 2
    rule.judge = good
    more = write(tmp_path / "more.jsonl", {"source": "new", "first": "bad", "second": "good"})
    for asked in (2, 0):
        rule.asked.clear()
        assert main([word if word != str(answers) else str(more) for word in arguments]) == 0
        assert len(rule.asked) == asked


def test_outputs_of_two_models_are_judged(
    rule: Rule, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule.judge = lambda a, b: "[[A]]" if "received" in a else "[[B]]"
    data = write(tmp_path / "rows.jsonl", {"text": "I recieved the report."}, {"text": "Thank you."})
    models = ["--model", "none", "--model", "proofreader"]
    assert main(["judge", *models, "--data", str(data), "--url", rule.url]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["first"], found["second"]) == ("none", "proofreader")
    assert (found["wins"], found["ties"], found["equal"]) == (1, 1, 1)


# ---- a real model ----


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`python -m llama_cpp.server` with the shipped model, which has not learnt to judge."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    arguments = {"model": MODEL, "model_alias": "small", "host": "127.0.0.1", "port": port, "n_ctx": 1024,
                 "n_threads": 1}  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "llama_cpp.server"]
            + [word for name, value in arguments.items() for word in (f"--{name}", str(value))],
            stdout=out, stderr=out, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while b"Uvicorn running" not in log.read_bytes():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1", process
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_a_real_server(
    real: tuple[str, subprocess.Popen[bytes]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, process = real
    rows = [{"source": "I recieved it.", "first": "I recieved it.", "second": "I received it."},
            {"source": "Thank you.", "first": "Thank you.", "second": "Thank you."}]  # fmt: skip
    answers, stored = write(tmp_path / "answers.jsonl", *rows), tmp_path / "verdicts.jsonl"
    arguments = ["judge", "--answers", str(answers), "--url", url, "--judge_model", "small", "--max_tokens", "60",
                 "--verdicts", str(stored), "--criterion", "Which?"]  # fmt: skip
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["judge"], found["pairs"], found["equal"]) == ("small", 2, 1)
    # Whatever so small a model says, each of the two questions has a verdict or counts as bad.
    assert found["judged"] == (2 if found["bad_answers"] == 0 else 1)
    assert found["wins"] + found["ties"] + found["losses"] == found["judged"]
    process.terminate()
    process.wait()
    assert main(arguments) == (0 if stored.read_text().count("\n") == 2 else 2)


# ---- figures ----


def test_equal_lengths_change_nothing() -> None:
    outcomes = np.array([1, 1, 0.5, 0, 1])
    assert length_controlled(outcomes, np.zeros(5)) == pytest.approx(70)
    assert length_controlled(outcomes, np.full(5, 30.0)) == pytest.approx(70)
    assert length_controlled(np.ones(4), np.zeros(4)) == pytest.approx(100)


def test_length_control_by_hand() -> None:
    """At x = +t 8 of 10 are won, at x = -t 4 of 10: theta + phi t = ln 4 and theta - phi t = ln 2/3, so theta is half of
    ln 8/3, and the win rate at equal lengths is sqrt(8/3) / (1 + sqrt(8/3))."""
    outcomes = np.array([1] * 8 + [0] * 2 + [1] * 4 + [0] * 6, dtype=float)
    lengths = np.array([50.0] * 10 + [-50.0] * 10)
    by_hand = 100 * math.sqrt(8 / 3) / (1 + math.sqrt(8 / 3))
    assert length_controlled(outcomes, lengths)[0] == pytest.approx(by_hand, abs=0.02)
    assert length_controlled(1 - outcomes, -lengths)[0] == pytest.approx(100 - by_hand, abs=0.02)
    # Every pair twice, or with a weight of two, is the same.
    assert length_controlled(outcomes, lengths, np.full((1, 20), 2.0))[0] == pytest.approx(by_hand, abs=0.02)


def test_the_regression_finds_what_answers_were_drawn_with() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.normal(40, 100, 4000)
    x = np.tanh(lengths / lengths.std())
    won = rng.random(4000) < 1 / (1 + np.exp(-(0.4 + 1.5 * x)))
    controlled = length_controlled(won.astype(float), lengths)[0]
    assert controlled == pytest.approx(100 / (1 + math.exp(-0.4)), abs=2.5)  # 59.9 %
    assert 100 * won.mean() > controlled + 4  # the longer answers had flattered it


def test_the_interval_of_the_win_rate() -> None:
    """300 won and 100 lost: 75 % with a standard error of sqrt(.75 x .25 / 400) = 2.17 points."""
    judged = [Judged(Pair("", "a", "b"), float(k < 300), float(k < 300)) for k in range(400)]
    rate = summary(judged)["win_rate_percent"]
    assert rate["value"] == 75
    assert rate["low"] == pytest.approx(75 - 1.96 * 2.17, abs=0.8)
    assert rate["high"] == pytest.approx(75 + 1.96 * 2.17, abs=0.8)
    assert summary(judged)["length_controlled_percent"]["value"] == pytest.approx(75, abs=0.01)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("[[A]]", 1.0), ("[[ b ]]", 0.0), ("[[TIE]]", 0.5), ("First [[A]], on reflection [[B]].", 0.0), ("A", 1.0),
        ("**B**.", 0.0), (" tie\n", 0.5), ("A is better", None), ("", None), (None, None), ("[[C]]", None),
        ("[[A and B]]", None),
    ],
)  # fmt: skip
def test_what_an_answer_says(answer: str | None, found: float | None) -> None:
    assert verdict(answer) == found


def test_one_order_is_not_enough() -> None:
    pair = Pair("", "a", "b")
    outcomes = {(1.0, 1.0): 1.0, (0.0, 0.0): 0.0, (1.0, 0.0): 0.5, (1.0, 0.5): 0.5, (None, 1.0): None}
    for (forward, backward), outcome in outcomes.items():
        assert Judged(pair, forward, backward).outcome == outcome


# ---- refusals ----


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        ([{"source": "a", "first": "b"}], ["--url=http://127.0.0.1:9/v1"], "'second'"),
        ([], ["--url=http://127.0.0.1:9/v1"], "holds no rows"),
        ([{"source": "a", "first": "b", "second": "c"}], [], "no judge: name"),
        ([{"source": "a", "first": "b", "second": "c"}], ["--url=nonsense"], "no address of a server"),
        ([{"source": "a", "first": "b", "second": "c"}], ["--url=http://127.0.0.1:9/v1", "--limit=0"], "--limit 0"),
        (None, ["--url=http://127.0.0.1:9/v1", "--model=none"], "nothing to judge"),
        ([{"source": "a", "first": "b", "second": "c"}],
         ["--url=http://127.0.0.1:9/v1", "--verdicts=/no/folder/file"], "cannot be written"),
    ],
)  # fmt: skip
def test_bad_input_is_reported_in_one_line(
    rows: list[Any] | None,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [] if rows is None else ["--answers", str(write(tmp_path / "rows.jsonl", *rows))]
    assert main(["judge", *given, *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err


def test_a_server_that_is_away_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    rows = write(tmp_path / "rows.jsonl", {"source": "a", "first": "b", "second": "c"})
    assert main(["judge", "--answers", str(rows), "--url", f"http://127.0.0.1:{port}/v1"]) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_a_server_that_is_away_is_reported_before_any_text_is_corrected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write(tmp_path / "rows.jsonl", {"text": "a"})
    models = ["--model", str(tmp_path / "missing.gguf"), "--model", "none"]
    assert main(["judge", *models, "--data", str(rows), "--url", "http://127.0.0.1:9/v1"]) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_the_docstring_holds() -> None:
    import doctest

    result = doctest.testmod(judge)
    assert result.attempted and not result.failed
