"""The properties that are fuzzed, a few seconds long; `python -m tests.fuzz` goes on for hours, guided by coverage."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback.record import Record
from tests.fuzz import LONG, SECONDS, main, repeated, seconds
from tests.fuzz_targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_it_holds_of_what_nobody_thought_of(name: str) -> None:
    target = TARGETS[name]

    @given(st.lists(st.sampled_from(target.pieces) | st.binary(max_size=6), max_size=12).map(b"".join))
    @settings(max_examples=60, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
    def holds(data: bytes) -> None:
        target.check(data)

    holds()


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_long_takes_no_time_that_grows_with_its_square(name: str) -> None:
    target, chance = TARGETS[name], random.Random(1)
    target.check(b"")
    for _ in range(3):
        data = repeated(target, chance)
        assert len(data) == LONG and seconds(target, data) < 3 * SECONDS


def test_an_edit_in_a_link_without_end_is_judged_in_time() -> None:
    """It took 21 s."""
    text = b"https://a.example/x?y=1\xe2\x80\x9cq\xe2\x80\x9d" * 2_000
    TARGETS["protect"].check(b"")
    assert seconds(TARGETS["protect"], text) < 3 * SECONDS


def test_signs_without_a_figure_are_passed_over_in_time() -> None:
    """They took 57 s."""
    TARGETS["protect"].check(b"")
    assert seconds(TARGETS["protect"], b"- item\n\t" + b"<" * LONG) < 3 * SECONDS


def test_html_of_separators_alone_is_read_in_time() -> None:
    """It took 6.7 s."""
    mail = b"Content-Type: text/html; charset=utf-8\n\n" + b"/" * LONG
    TARGETS["mail"].check(b"")
    assert seconds(TARGETS["mail"], mail) < 3 * SECONDS


def test_a_header_that_ends_among_its_strings_is_cut_short() -> None:
    """Seven bytes in place of the next length had passed for all that were to come."""
    text = b"".join(struct.pack("<Q", len(word)) + word for word in (b"general.architecture", b"llama"))
    words = struct.pack("<Q", 21) + b"tokenizer.ggml.tokens" + struct.pack("<IIQ", 9, 8, 65_536)
    architecture = text[:28] + struct.pack("<I", 8) + text[28:]
    for left in range(9):
        TARGETS["gguf"].check(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + architecture + words + bytes(left))


def test_a_version_that_is_no_number_is_no_feedback_record() -> None:
    value = {
        "id": "1",
        "time": "2026-11-29T12:00:00+00:00",
        "verdict": "bad",
        "draft": "",
        "rewrite": "",
        "consent": "1",
    }
    with pytest.raises(ValueError, match="v: give the version"):
        Record.from_dict(value | {"v": "3"})  # fmt: skip


def test_a_target_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--target", "none"])
    assert caught.value.code == 2 and "invalid choice" in capsys.readouterr().err
