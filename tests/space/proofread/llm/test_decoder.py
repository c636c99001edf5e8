"""Several answers from one context of a real, tiny model: each is what it would be alone, and nobody waits for nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.errors import UserError
from space.proofread.llm.decoder import MAX_ANSWERS, N_BATCH, Decoder
from space.proofread.llm.engine import Sampling
from space.proofread.llm.llama_cpp import LlamaCpp
from space.proofread.prompt import Evidence, messages
from tests.forced import Forced

N_CTX = 768
TEXTS = (
    "I am here.",
    "You was there.",
    "They has to go home now.",
    "We are late.",
    "It is.",
    "Please send it.",
)


class Noted(Forced):
    """Notes what the model thinks."""

    def __init__(self, prompt: Sequence[int], answer: Sequence[int], likely: Sequence[int] = ()) -> None:
        super().__init__(prompt, answer, likely)
        self.logits: list[np.ndarray] = []

    def adjust(self, logits: np.ndarray) -> None:
        self.logits.append(logits.copy())
        super().adjust(logits)


@pytest.fixture(scope="module")
def engine(small_gguf: Path) -> Iterator[LlamaCpp]:
    engine = LlamaCpp(small_gguf, n_ctx=N_CTX, n_threads=1)
    yield engine
    engine.close()


@pytest.fixture
def decoder(engine: LlamaCpp) -> Iterator[Decoder]:
    decoder = Decoder(engine._llama, N_CTX, 1)
    yield decoder
    decoder.close()


def assert_same(one: Noted, other: Noted) -> None:
    """That both met the same logits, as far as sums of another order are the same."""
    np.testing.assert_allclose(one.logits, other.logits, atol=0.01)


def prompt(engine: LlamaCpp, text: str) -> list[int]:
    return engine.tokens(messages(text, Evidence()))


def write_at_once(decoder: Decoder, writings: Sequence[Forced]) -> list[Forced]:
    """The writings in the order in which they ended."""
    threads = [threading.Thread(target=decoder.write, args=(each,)) for each in writings]

    def begin() -> None:
        for count, thread in enumerate(threads, 1):
            thread.start()
            while len(decoder._waiting) < count:
                pass

    decoder.alone(begin)
    for thread in threads:
        thread.join(60)
    return sorted(writings, key=lambda each: each.ended)


def test_answers_written_at_once_are_those_that_are_written_alone(engine: LlamaCpp, decoder: Decoder) -> None:
    def writings() -> list[Noted]:
        return [Noted(prompt(engine, text), engine._tokenized(text) * 3) for text in TEXTS]

    alone, together = writings(), writings()
    for each in alone:
        decoder.write(each)
    steps = decoder.counts.steps
    write_at_once(decoder, together)
    for one, other in zip(together, alone, strict=True):
        assert_same(one, other)
    assert decoder.counts.steps - steps < steps / 2


def test_an_answer_that_is_written_alone_is_the_same_to_the_last_bit_whatever_came_before(
    engine: LlamaCpp, decoder: Decoder
) -> None:
    def logits() -> Any:
        one = Noted(prompt(engine, TEXTS[2]), engine._tokenized("They have to go home now."), [9, 9])
        decoder.write(one)
        return np.array(one.logits)

    first = logits()
    decoder.write(Forced([5] * 300, [7] * 9))  # what has nothing in common with it
    assert (logits() == first).all()
    decoder.write(Forced(prompt(engine, TEXTS[0]), [7] * 50, [7] * 30))
    assert (logits() == first).all()
    write_at_once(decoder, [Forced(prompt(engine, text), [7] * 20) for text in TEXTS])
    assert (logits() == first).all()


tokens = st.lists(st.integers(10, 40), min_size=1, max_size=60)


@given(tokens, tokens)
def test_whatever_is_expected_the_answer_is_the_models(
    engine: LlamaCpp, answer: list[int], likely: list[int]
) -> None:
    """Of a random draft all that was read in vain is gone: the model chooses as if it had never been there."""
    plain, drafted = (
        Noted(prompt(engine, "It is."), answer),
        Noted(prompt(engine, "It is."), answer, likely),
    )
    engine._lanes[0].write(plain)
    engine._lanes[0].write(drafted)
    assert_same(drafted, plain)


def test_a_copy_with_a_few_changes_takes_few_steps(decoder: Decoder) -> None:
    text = [10 + i * i % 83 for i in range(300)]
    answer = [*text]
    for place in (20, 110, 200):
        answer[place] = 5  # one for another
    answer[150:152] = []  # two fall away
    answer[250:250] = [6, 7, 8]  # three come in
    decoder.write(Forced([1, 2, 3], answer, text))
    counts = decoder.counts
    assert counts.steps < 24 and counts.read < 1.5 * len(answer)
    assert counts.accepted > 0.9 * (len(answer) - counts.steps)


def test_what_prompts_begin_with_is_read_once(decoder: Decoder) -> None:
    system = [10 + i % 50 for i in range(200)]
    first = [Forced([*system, 3 + i, 5], [7, 8]) for i in range(6)]
    write_at_once(decoder, first)
    assert decoder.counts.shared == 5 * len(system) and decoder.counts.read < 2 * len(system)
    for i in range(2):
        before = decoder.counts.read
        decoder.write(Forced([*system, 9, i], [7, 8]))
    assert decoder.counts.read - before < 10


def test_a_long_prompt_is_read_bit_by_bit_while_others_are_written(decoder: Decoder) -> None:
    long, short = Forced([20 + i % 50 for i in range(2 * N_BATCH)], [7]), Forced([3, 4, 5], [7])
    assert write_at_once(decoder, [long, short]) == [short, long]


def test_what_does_not_fit_beside_the_others_waits_for_its_turn(decoder: Decoder) -> None:
    """Sixteen answers of which two fit at once, each with a beginning of its own."""
    writings = [Forced([10 + i, *range(20, 250)], [7] * 120) for i in range(2 * MAX_ANSWERS)]
    write_at_once(decoder, writings)
    assert not any(each.left for each in writings)
    with pytest.raises(ValueError, match="do not fit"):
        decoder.write(Forced([5] * N_CTX, [7]))


def test_an_answer_that_is_not_wanted_leaves_its_place(decoder: Decoder) -> None:
    class Unwanted(Forced):
        def stop(self) -> bool:
            return True

    unwanted = Unwanted([10] * 500, [7] * 200)
    decoder.write(unwanted)
    assert len(unwanted.left) == 200 and decoder.counts.read == 0
    decoder.write(Forced([11] * 500, [7] * 200))


def test_when_llama_cpp_fails_each_caller_hears_of_it_and_the_next_is_answered(decoder: Decoder) -> None:
    broken = [Forced([10**6 + i], [7]) for i in range(3)]  # no such token

    def said(writing: Any) -> str:
        with pytest.raises(RuntimeError) as caught:
            decoder.write(writing)
        return str(caught.value)

    with ThreadPoolExecutor(3) as pool:
        assert all("could not read" in line for line in pool.map(said, broken))
    decoder.write(Forced([10, 11], [7, 8]))


def test_what_goes_wrong_with_one_answer_is_its_own(decoder: Decoder) -> None:
    class Broken(Forced):
        def take(self, token: int) -> bool:
            raise KeyError("its own")

    whole, broken = Forced([3, 4, 5], [7] * 30), Broken([3, 4, 6], [7])
    with ThreadPoolExecutor(2) as pool:
        ran = pool.submit(decoder.write, broken)
        write_at_once(decoder, [whole])
        with pytest.raises(KeyError, match="its own"):
            ran.result()
    assert not whole.left


def test_work_done_alone_comes_between_two_steps(decoder: Decoder) -> None:
    writing = Forced([10, 11], [7] * 400)
    thread = threading.Thread(target=decoder.write, args=(writing,))
    thread.start()
    while not decoder.counts.steps:
        pass
    left = decoder.alone(lambda: len(writing.left))
    assert left  # the answer was not finished first
    thread.join(30)
    assert not writing.left


def test_a_model_that_is_closed_waits_for_its_answers_and_takes_no_more(small_gguf: Path) -> None:
    engine = LlamaCpp(small_gguf, n_ctx=512, n_threads=1)
    begun = threading.Event()

    def stop() -> bool:
        begun.set()
        return False

    chat = messages("I am here. " * 10, Evidence())
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(engine.complete, chat, Sampling(min_tokens=50, max_tokens=51), stop)
        begun.wait(30)
        engine.close()
        assert answer.result(0) is None
    with pytest.raises(UserError, match="has been closed"):
        engine.complete(chat, Sampling(), stop)
