"""Lanes: sentences of one email are answered at once, and come out as if one had been answered after the other."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from space.proofread.evidence import Evidence
from space.proofread.llm.engine import Sampling
from space.proofread.llm.llama_cpp import MAX_LANES, LlamaCpp
from space.proofread.llm.loading import silence
from space.proofread.pipeline import Proofread, Proofreader, load_classifiers
from space.proofread.prompt import messages
from space.settings import ROOT

MODEL = ROOT / "models" / "proofreader.gguf"
EMAIL = """\
Dear Ms Novak,

Thank you for you're email. The samples has arrived on monday, but two of them is broken. I am agree with the price.

Could you please sent new ones? Your courier never listens. We needs them before the fair, which beginn on 3 May.

Best regards,
Jana
"""


@pytest.fixture(scope="module")
def two() -> LlamaCpp:
    return LlamaCpp(MODEL, n_threads=2)


def never() -> bool:
    return False


def meeting(barrier: threading.Barrier) -> Callable[[], bool]:
    """Whether to stop: no, and that only when somebody else is asked at the same time, at first."""
    met: list[int] = []

    def stop() -> bool:
        if not met:
            met.append(barrier.wait(60))
        return False

    return stop


def test_two_answers_are_written_at_once_and_are_those_of_one_alone(two: LlamaCpp) -> None:
    chats = [messages(text, Evidence(("neutral", 0.9))) for text in ("He go home.", "They was late again.")]
    alone = [two.complete(chat, Sampling(), never) for chat in chats]
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(two.complete, chat, Sampling(), meeting(barrier)) for chat in chats]
        assert [each.result() for each in asked] == alone


def test_a_lane_has_a_core_and_what_it_takes_is_counted(two: LlamaCpp) -> None:
    one = LlamaCpp(MODEL, n_threads=1)
    assert (one.lanes, two.lanes) == (1, MAX_LANES) and two.needed_bytes > one.needed_bytes
    one.close()


@pytest.mark.parametrize("mode", ["proofread", "friendly"])
def test_an_email_comes_out_the_same_in_one_lane_and_in_two(two: LlamaCpp, mode: str) -> None:
    classifiers, one = load_classifiers(), LlamaCpp(MODEL, n_threads=1)
    results = [Proofreader(engine, classifiers).proofread(EMAIL, mode) for engine in (one, two)]
    one.close()
    assert of(results[0]) == of(results[1]) and len(results[0].applied) > 4
    places = [EMAIL.find(prompt.split("user: ")[1][:12]) for prompt in results[1].prompts]
    assert places == sorted(places)


def of(result: Proofread) -> tuple[Any, ...]:
    return result.edits, result.prompts, result.before, result.after, result.causes_after


def test_sentences_of_one_email_are_answered_at_once(two: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier, complete = threading.Barrier(2), LlamaCpp.complete
    asked: list[None] = []

    def meet(engine: LlamaCpp, *rest: Any) -> Any:
        asked.append(None)
        if len(asked) <= 2:
            barrier.wait(60)
        return complete(engine, *rest)

    monkeypatch.setattr(LlamaCpp, "complete", meet)
    assert Proofreader(two, load_classifiers()).proofread(EMAIL).changed


def test_a_run_that_is_left_leaves_nobody_waiting(two: LlamaCpp) -> None:
    run: Any = Proofreader(two, load_classifiers()).run(EMAIL)
    assert next(run) and next(run)
    run.close()
    assert not any(lane.users for lane in two._lanes)
    assert two.complete(messages("He go home.", Evidence()), Sampling(), never)


def test_silence_of_two_threads_ends() -> None:
    before, never_set = os.fstat(2).st_ino, threading.Event()

    def quiet() -> None:
        with silence():
            never_set.wait(0.05)

    threads = [threading.Thread(target=quiet) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.fstat(2).st_ino == before
