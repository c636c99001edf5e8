"""The shipped tagger: its files fit each other, every word has its place, and no text breaks it."""

from __future__ import annotations

import io
import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from space.errors import UserError
from space.proofread.classifiers.encoder import FEATURES, encode
from space.proofread.classifiers.tagger import Tagger, _read_twice
from space.proofread.classifiers.tags import KEEP, WRONG, TaggedWord, fix_of
from space.proofread.classifiers.tone import MODELS
from space.proofread.words import WORDS

FOLDER = MODELS / "tagger"


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load()


def test_wrong_words_stand_out(tagger: Tagger) -> None:
    bad, good = tagger.tag(
        ["She have recieved the the parcel yesterday .", "She received the parcel yesterday."]
    )
    assert max(d.wrong for d in bad) > 2 * max(d.wrong for d in good)
    assert max(bad, key=lambda d: d.wrong).text in {"have", "recieved", "the", "."}
    assert max(d.wrong for d in good) < 0.7


def test_spans_are_those_of_the_words_in_order(tagger: Tagger) -> None:
    text = "Hello\r\n  Zoë,\tsee https://example.com/a?b=c or mail me@example.com — thanks 😀!"
    [found] = tagger.tag([text])
    assert all(text[d.start : d.end] == d.text for d in found)
    assert [d.text for d in found][:6] == ["Hello", "Zoë", ",", "see", "https://example.com/a?b=c", "or"]
    spans = encode(text, lambda word: [0]).spans
    assert [(d.start, d.end) for d in found] == [span for span in spans if text[slice(*span)] != "😀"]


def test_probabilities_are_probabilities(tagger: Tagger) -> None:
    for found in tagger.tag(["He go home.", "i have recieve you're mail", "Kind regards,"]):
        assert all(0 <= d.score <= d.wrong + 1e-5 <= 1 + 2e-5 for d in found)


def test_a_batch_gives_what_each_text_gives_alone(tagger: Tagger) -> None:
    texts = ["Call me.", "", "She have a adress.", "The bus leave at nine. " * 40, "We lost the client."]
    for together, text in zip(tagger.tag(texts), texts, strict=True):
        [alone] = tagger.tag([text])
        assert [(d.start, d.end, d.text) for d in together] == [(d.start, d.end, d.text) for d in alone]
        for one, other in zip(together, alone, strict=True):
            assert one.wrong == pytest.approx(other.wrong, abs=0.05)
            assert one.after == other.after or max(one.score, other.score) < 0.5


def test_texts_that_follow_one_another_are_read_together(tagger: Tagger) -> None:
    texts = ["Hi Tom,", "She have a adress.", 'He said "no."', "", "Next steps", "We lost the client."]
    found = tagger.tag_run(texts)
    for text, tagged in zip(texts, found, strict=True):
        assert all(text[d.start : d.end] == d.text for d in tagged)
    # A greeting, a heading and an empty text end no sentence: what follows them is read anew.
    runs = ["Hi Tom,", 'She have a adress. He said "no." ', "Next steps", "We lost the client."]
    expected = [word for tagged in tagger.tag(runs) for word in tagged]
    for one, other in zip([word for tagged in found for word in tagged], expected, strict=True):
        assert one.text == other.text and one.wrong == pytest.approx(other.wrong, abs=0.05)
    assert tagger.tag_run([]) == []


def test_no_text_gives_no_words(tagger: Tagger) -> None:
    assert tagger.tag([]) == [] and tagger.tag(["", " \n", "\x00\x01"]) == [[], [], []]


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b \ud800 c\udfff",
        "😀" * 500,
        "x" * 5000,
        "é\u0301" * 300,
        "\u202eabc",
        "שלום עולם",
        "…!?",
        "_ _",
        "İstanbul ıssız ﬁle ŉ",
    ],
)
def test_odd_text_gets_tags(tagger: Tagger, text: str) -> None:
    [found] = tagger.tag([text])
    assert all(0 <= d.wrong <= 1 and text[d.start : d.end] == d.text for d in found)
    assert all(d.start < d.end <= after.start for d, after in zip(found, found[1:], strict=False))


def test_a_long_text_has_all_its_words(tagger: Tagger) -> None:
    [found] = tagger.tag(["The order is late and nobody answers. " * 200])
    assert [d.text for d in found] == ["The", "order", "is", "late", "and", "nobody", "answers", "."] * 200


def test_threads_share_a_tagger(tagger: Tagger) -> None:
    texts = ["He go home.", "Thank you so much for your help!", "The invoice are attached."] * 4
    expected = tagger.tag(texts)
    results: list[bool] = []
    work = [threading.Thread(target=lambda: results.append(tagger.tag(texts) == expected)) for _ in range(4)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert results == [True] * 4


def test_the_shipped_files_fit_each_other() -> None:
    about = json.loads((FOLDER / "tags.json").read_text("utf-8"))
    tags, head = about["tags"], np.load(FOLDER / "head.npz")
    assert len(set(tags)) == len(tags) and {KEEP, WRONG} <= set(tags)
    assert head["hidden"].shape == (len(head["hidden_bias"]), Tagger.load()._encoder.width + FEATURES)
    assert head["out"].shape == (len(tags), len(head["hidden_bias"])) and head["out_bias"].shape == (
        len(tags),
    )
    assert all(np.isfinite(head[name]).all() for name in head.files)
    for word in ("receive", "A", "3", ".", "don't"):
        assert all(isinstance(fix_of(word, tag), str | None) for tag in tags)


def test_missing_and_broken_files_get_one_line(tmp_path: Path) -> None:
    def load_error() -> str:
        with pytest.raises(UserError) as caught:
            Tagger.load(tmp_path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    for name, next_name in (("tags.json", "head.npz"), ("head.npz", "encoder.gguf")):
        assert f"{tmp_path / name} is missing" in load_error()
        shutil.copy(FOLDER / name, tmp_path)
        assert f"{tmp_path / next_name} is missing" in load_error()
    (tmp_path / "encoder.gguf").write_bytes((FOLDER / "encoder.gguf").read_bytes()[:100_000])
    assert "encoder.gguf cannot be read" in load_error()
    other = io.BytesIO()
    np.savez(other, hidden=np.zeros((2, 2)))
    for name, contents in (
        ("tags.json", (b"", b'{"tags": ["', b'{"tag": []}', b"[]", b"\xff")),
        ("head.npz", (b"", b"PK", (FOLDER / "head.npz").read_bytes()[:5000], other.getvalue())),
    ):
        for content in contents:
            (tmp_path / name).write_bytes(content)
            assert "tags.json or head.npz cannot be read" in load_error()
        shutil.copy(FOLDER / name, tmp_path)


def test_files_of_two_runs_are_not_mixed(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "tagger")
    about = json.loads((FOLDER / "tags.json").read_text("utf-8"))
    about["tags"] = about["tags"][:-1]
    (tmp_path / "tagger" / "tags.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(UserError, match="tags.json"):
        Tagger.load(tmp_path / "tagger")


def test_a_second_reading_mends_fixes_and_doubts_more_words() -> None:
    text = "He go too the the shop"
    words = [TaggedWord(match.start(), match.end(), match.group(), 0.0) for match in WORDS.finditer(text)]
    first = list(words)
    first[1] = replace(words[1], wrong=0.9, after="gos", score=0.8)  # wrong, but nearer
    first[2] = replace(words[2], wrong=0.3, after="to", score=0.2)  # not sure enough to be made
    sure = [each if each is first[1] else replace(each, after=None) for each in first]
    mended = "He gos too the the shop"
    second = [TaggedWord(match.start(), match.end(), match.group(), 0.0) for match in WORDS.finditer(mended)]
    second[1] = replace(second[1], wrong=0.95, after="goes", score=0.9)
    second[2] = replace(second[2], wrong=0.8, after="to", score=0.7)
    second[4] = replace(second[4], wrong=0.9, after="", score=0.9)
    read = _read_twice(text, first, sure, second)
    assert [(each.start, each.end, each.text) for each in read] == [
        (each.start, each.end, each.text) for each in words
    ]
    assert [each.after for each in read] == [None, "goes", "to", None, "", None]
    assert (read[1].wrong, read[2].wrong) == (0.9, 0.8)


def test_words_stand_where_they_are_whatever_is_mended(tagger: Tagger) -> None:
    texts = ["I recieved you're email yesturday and and i has an question about it's price .", "", "Fine."]
    for text, words in zip(texts, tagger.tag(texts), strict=True):
        assert [each.text for each in words] == [text[each.start : each.end] for each in words]
        assert [each.start for each in words] == sorted({each.start for each in words})
