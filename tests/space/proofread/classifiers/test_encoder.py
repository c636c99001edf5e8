"""Texts as words and tokens, windows of them, and the encoder of the shipped models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.errors import UserError
from space.proofread.classifiers.encoder import (
    FEATURES,
    KEPT,
    LONGEST_WORD,
    Encoder,
    encode,
    features,
    windows,
)
from space.proofread.classifiers.tone import MODELS

FILE = MODELS / "tone" / "encoder.gguf"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(FILE)


def letters(word: str) -> list[int]:
    return [ord(c) for c in word]


# ---- text ----


@given(st.text(max_size=60))
def test_words_are_in_order_and_hold_all_but_blanks(text: str) -> None:
    code = encode(text, letters)
    ends = [0, *(end for _, end in code.spans)]
    assert all(end <= start < stop for end, (start, stop) in zip(ends, code.spans, strict=False))
    assert "".join(text[a:b] for a, b in code.spans) == "".join(text.split())
    assert code.word_of == sorted(code.word_of) and len(code.word_of) == len(code.ids)


def test_links_addresses_and_names_are_one_plain_word() -> None:
    code = encode("@ann see <url> or a.b@c.org", letters)
    assert "".join(map(chr, code.ids)) == "someoneseelinkoremail"
    assert len(code.spans) == 5


def test_the_ending_of_a_name_is_read() -> None:
    text = "Tom’s list, Tom's list, Toms list, Tom Brown, Tomas"
    words = encode(text, letters, {"Tom", "Brown"})
    assert "".join(map(chr, words.ids)) == "alex'slist,alex'slist,alexslist,alexsmith,tomas"


def test_words_are_plain_and_not_endless() -> None:
    assert "".join(map(chr, encode("Crème BRÛLÉE \u200b", letters).ids)) == "cremebrulee"
    assert len(encode("x" * 5000, letters).ids) == LONGEST_WORD


@given(st.text(max_size=60))
def test_every_word_has_its_marks(text: str) -> None:
    spans = encode(text, letters).spans
    table = features(text, spans)
    assert table.shape == (len(spans), FEATURES) and np.isin(table, (0, 1)).all()


def test_features_see_capitals_and_blanks() -> None:
    text = "i met Bob , HERE."
    spans = encode(text, letters).spans
    table = {
        text[a:b]: row.astype(int).tolist() for (a, b), row in zip(spans, features(text, spans), strict=True)
    }
    #            upper, lower, CAPITALS, digit, blank before, two blanks, blank after, opens, closes
    assert table["i"] == [0, 1, 0, 0, 0, 0, 1, 1, 0]
    assert table["Bob"] == [1, 0, 0, 0, 1, 0, 1, 0, 0]
    assert table[","] == [0, 0, 0, 0, 1, 0, 1, 0, 0]
    assert table["HERE"] == [1, 0, 1, 0, 1, 0, 0, 0, 0]
    assert table["."] == [0, 0, 0, 0, 0, 0, 0, 0, 1]


# ---- windows ----


def test_windows_end_at_sentences_and_lose_nothing() -> None:
    text = "One two three. Four five six! Seven eight nine ten"
    code = encode(text, letters)
    cut = windows(text, code, limit=16)
    assert [text[code.spans[a][0] : code.spans[b - 1][1]] for a, b in cut] == [
        "One two three.", "Four five six!", "Seven eight nine", "ten",
    ]  # fmt: skip
    assert [token for run in cut for token in code.ids_of(run)] == code.ids


@given(st.text("ab .!\n", max_size=80), st.integers(1, 12))
def test_windows_join_to_the_text_and_keep_the_limit(text: str, limit: int) -> None:
    code = encode(text, letters)
    cut = windows(text, code, limit)
    assert [token for run in cut for token in code.ids_of(run)] == code.ids
    assert all(len(code.ids_of((a, b))) <= limit or b == a + 1 for a, b in cut)
    assert all(a < b for a, b in cut)


# ---- llama.cpp ----


def test_many_windows_have_the_states_of_each_alone(encoder: Encoder) -> None:
    texts = ["Thanks.", "Please pay the invoice.", "word " * 300, "The train leaves at nine.", ""]
    ids = [encode(text, encoder.tokenize).ids for text in texts]
    together = encoder.hidden(ids * 2)
    other = Encoder(FILE)
    for one, both in zip(ids * 2, together, strict=True):
        assert both.shape == (len(one) + 2, encoder.width)
        np.testing.assert_array_equal(both, other.hidden([one])[0])


@pytest.mark.slow
def test_states_are_kept_and_their_number_is_bounded(encoder: Encoder) -> None:
    [first] = encoder.hidden([[2000, 2001]])
    assert encoder.hidden([[2000, 2001]])[0] is first
    encoder.hidden([[token] * 400 for token in range(2000, 2000 + KEPT // 400 + 1)])
    assert sum(map(len, encoder._seen)) <= KEPT
    assert encoder.hidden([[2000, 2001]])[0] is not first


@pytest.mark.parametrize("text", ["", "\x00", "a\x00b \ud800 c\udfff", "😀" * 50, "\u202eabc", "שלום", "…!?"])
def test_odd_text_has_tokens_or_none(encoder: Encoder, text: str) -> None:
    ids = encode(text, encoder.tokenize).ids
    assert all(np.isfinite(states).all() for states in encoder.hidden([ids]))


def test_a_missing_or_broken_file_gets_one_line(tmp_path: Path) -> None:
    file = tmp_path / "encoder.gguf"
    with pytest.raises(UserError, match=r"encoder\.gguf is missing: restore it"):
        Encoder(file)
    for content in (b"", b"GGUF", FILE.read_bytes()[:100_000]):
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"encoder\.gguf cannot be read: replace it"):
            Encoder(file)
