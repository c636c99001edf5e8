"""What the users of tests/soak.py do, one call after another, and what must hold of each answer."""

from __future__ import annotations

import json
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

# Three, as two stay in memory: each switch but the first loads a file.
MODELS = ("proofreader", "second", "third")
SWITCH_SECONDS = 60.0
# Of a user between two calls, on average: the queue of one core is seldom empty and seldom full.
PAUSE_SECONDS = 6.0
ANSWER_SECONDS = 600.0
# A mistake, what it must become, and a sentence with a number for it.
MISTAKES = {
    "recieved": ("received", "We have recieved the {} letters from the new office."),
    "definately": ("definitely", "The meeting will definately take place in room {}."),
    "seperate": ("separate", "Please send me a seperate invoice for order {}."),
    "acommodate": ("accommodate", "I hope that the hotel can acommodate all {} guests."),
}
LONG_WORDS = 1_500
TOO_LONG = "a" * 100_001
FLAG = {"draft": "He have it.", "rewrite": "He has it.", "verdict": "good", "consent": True}
BAD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("proofread", {"text": ""}),
    ("proofread", {"text": TOO_LONG}),
    ("proofread", {"text": "He have it.", "mode": "shout"}),
    ("proofread", {"text": "He have it.", "model": "nobody"}),
    ("proofread", {"text": "He have it.", "protected_terms": "it"}),
    ("proofread", {"text": 5}),
    ("proofread", {"text": None}),
    ("proofread", {}),
    ("tone", {"text": {"of": "it"}}),
    ("tone", {"text": TOO_LONG}),
    ("flag", FLAG | {"consent": False}),
    ("flag", FLAG | {"verdict": "perhaps"}),
    ("flag", FLAG | {"reasons": 7}),
    ("nothing", {"text": "He have it."}),
)
MARK = re.compile(r"mark[a-z]{16}")


@dataclass
class Tally:
    """What happened so far; users write to it under the lock."""

    calls: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)  # seconds
    errors: list[str] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)  # mark -> id
    waits: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def error(self, line: str) -> None:
        with self.lock:
            self.errors.append(line)
        print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


class Refused(Exception):
    """Too many wait: no error, the user comes again later."""


class User:
    """Calls the app, one call after another."""

    def __init__(self, url: str, tally: Tally, seed: int) -> None:
        self.tally, self.chance = tally, random.Random(seed)
        self.http = httpx.Client(base_url=url, timeout=ANSWER_SECONDS)

    def run(self) -> None:
        kinds = {self.short: 40.0, self.long: 0.5, self.bad: 19.0, self.tone: 18.0, self.flag: 18.0, self.leave: 4.0}  # fmt: skip
        while not self.tally.stop.wait(self.chance.expovariate(1 / PAUSE_SECONDS)):
            (kind,) = self.chance.choices(list(kinds), list(kinds.values()))
            self.time(kind.__name__, kind)

    def switch_models(self) -> None:
        number = 0
        while not self.tally.stop.wait(SWITCH_SECONDS):
            number += 1
            self.time("switch", lambda: self.short(MODELS[number % len(MODELS)]))  # noqa: B023

    def time(self, kind: str, call: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            call()
        except Refused:
            return
        except Exception as error:  # noqa: BLE001  whatever it is, it is counted
            if self.tally.stop.is_set():  # the app ends
                return
            self.tally.error(f"{kind}: {type(error).__name__}: {str(error)[:300]}")
        with self.tally.lock:
            self.tally.calls[kind] += 1
            self.tally.slowest[kind] = max(self.tally.slowest.get(kind, 0.0), time.monotonic() - began)

    def short(self, model: str = "") -> None:
        sentences = self.chance.choices(list(MISTAKES.values()), k=self.chance.randint(1, 4))
        answer = self.proofread(" ".join(each.format(self.number()) for _, each in sentences), model)
        assert answer["model"] == model or not model, f"{answer['model']} answered for {model}"

    def long(self) -> None:
        text = ""
        while len(text.split()) < LONG_WORDS:
            text += " ".join(each.format(self.number()) for _, each in MISTAKES.values()) + "\n\n"
        self.proofread(text)

    def proofread(self, text: str, model: str = "") -> dict[str, Any]:
        answer = self.answer("proofread", text=text, model=model)
        for wrong, (right, _) in MISTAKES.items():
            got, expected = answer["text"].count(right), text.count(wrong)
            assert got == expected, f"{wrong} was corrected {got} times of {expected}: {answer['notes']}"
        return answer

    def tone(self) -> None:
        assert self.answer("tone", text="Send me the report now.")["politeness"]["label"] == "impolite"

    def flag(self) -> None:
        mark = "mark" + "".join(self.chance.choices("abcdefghijklmnopqrstuvwxyz", k=16))
        answer = self.answer("flag", **FLAG | {"draft": f"He have it, {mark}."})
        with self.tally.lock:
            self.tally.flags[mark] = answer["id"]

    def bad(self) -> None:
        name, values = self.chance.choice(BAD)
        event, data = self.call(name, values)
        line = data if isinstance(data, str) else (data or {}).get("error")
        told = isinstance(line, str) and line and "\n" not in line and "went wrong" not in line
        assert event in ("error", "400", "404") and told, f"{name} of {str(values)[:60]}: {event}, {data}"

    def leave(self) -> None:
        """Sends drafts that nobody waits for, or goes away when the answer has begun."""
        for _ in range(self.chance.randint(1, 12)):
            path = self.post("proofread", {"text": " ".join(each for _, each in MISTAKES.values())})
        if self.chance.random() < 0.5:
            with self.http.stream("GET", path) as stream:
                next(stream.iter_lines())

    def answer(self, name: str, **values: Any) -> dict[str, Any]:
        event, data = self.call(name, values)
        assert event == "complete", f"{event}: {data}"
        return data[0]

    def call(self, name: str, values: Mapping[str, Any]) -> tuple[str, Any]:
        """The last event of a call; of one that was refused at once, the status and why."""
        try:
            path = self.post(name, values)
        except httpx.HTTPStatusError as error:
            assert error.response.status_code != 500, error.response.text
            return str(error.response.status_code), error.response.json()["detail"]
        answer = self.http.get(path).raise_for_status()
        lines = [line for line in answer.text.splitlines() if line.startswith(("event: ", "data: "))]
        return lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: "))

    def post(self, name: str, values: Mapping[str, Any]) -> str:
        """Puts a call into the queue; where its events are."""
        answer = self.http.post(f"/gradio_api/call/v2/{name}", json=values)
        if answer.status_code in (429, 503):
            with self.tally.lock:
                self.tally.waits += 1
            self.tally.stop.wait(float(answer.headers["Retry-After"]))
            raise Refused
        return f"/gradio_api/call/{name}/{answer.raise_for_status().json()['event_id']}"

    def number(self) -> int:
        return self.chance.randint(11, 999)
