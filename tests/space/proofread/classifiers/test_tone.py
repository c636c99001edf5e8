"""The shipped classifier: what it says of plain business sentences, and that no text breaks it."""

from __future__ import annotations

import json
import math
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.errors import UserError
from space.proofread.classifiers.encoder import encode, windows
from space.proofread.classifiers.tone import LABELS, LOW, MODELS, SCALES, WINDOW, Score, ToneClassifier


@pytest.fixture(scope="module")
def tone() -> ToneClassifier:
    return ToneClassifier.load()


@pytest.mark.parametrize(
    ("text", "sentiment", "politeness"),
    [
        ("Send me the report now.", None, "impolite"),
        ("Your work is a disgrace. Fix it or we are done.", "negative", "impolite"),
        ("Could you please send me the report when you have a moment? Thanks!", None, "polite"),
        ("The meeting is at 3 pm.", "neutral", "neutral"),
        ("I am very disappointed with the service.", "negative", None),
        ("Great work, thank you so much!", "positive", "polite"),
    ],
)
def test_plain_cases(tone: ToneClassifier, text: str, sentiment: str | None, politeness: str | None) -> None:
    scored = tone.score([text])[0]
    assert sentiment in (None, scored.sentiment.label)
    assert politeness in (None, scored.politeness.label)


def test_a_batch_gives_what_each_text_gives_alone(tone: ToneClassifier) -> None:
    texts = [
        "Call me.",
        "",
        "Thank you for the lovely dinner!",
        "The bus leaves at nine. " * 40,
        "We lost the client.",
    ]
    other = ToneClassifier.load()  # which remembers nothing of the batch
    for together, text in zip(tone.score(texts), texts, strict=True):
        [alone] = other.score([text])
        for head in LABELS:
            for label, p in getattr(together, head).scores.items():
                assert p == pytest.approx(getattr(alone, head).scores[label], abs=0.01)


def test_probabilities_are_probabilities(tone: ToneClassifier) -> None:
    for scored in tone.score(["Hm.", "I hate this, thanks.", "Please pay by Friday."]):
        for score in (scored.sentiment, scored.politeness):
            assert sum(score.scores.values()) == pytest.approx(1, abs=1e-3)
            assert score.score == max(score.scores.values()) == score.scores[score.label]


@given(
    st.sampled_from(sorted(LABELS)), st.lists(st.tuples(*[st.integers(0, 100)] * 3), min_size=2, max_size=6)
)
def test_word_and_dot_are_one_number(head: str, counts: list[tuple[int, ...]]) -> None:
    """Of any two scores that with the higher value has no lower word, and a word is low where the value is."""
    scores = []
    for each in counts:
        chances = [count / (sum(each) or 1) for count in each] if sum(each) else [0, 1, 0]
        named = dict(zip(LABELS[head], chances, strict=True))
        best = max(named, key=lambda label: named[label])
        scores.append(Score(best, named[best], named))
    words = [word for _, word in SCALES[head]]
    ranked = sorted(scores, key=lambda score: score.value)
    assert [words.index(score.word) for score in ranked] == sorted(
        words.index(score.word) for score in ranked
    )
    for score in scores:
        assert -1 <= score.value <= 1
        assert score.is_low == (words.index(score.word) < 2) == (score.value < LOW)
        assert (score.word == "neutral") == (-0.2 <= score.value < 0.2)


def test_the_dot_does_not_rise_while_the_word_falls() -> None:
    """Negative 52 % may be nearer to positive than negative 54 %: the label says nothing of that, value and word do."""
    draft = Score("negative", 0.52, {"negative": 0.52, "neutral": 0.48, "positive": 0.0})
    result = Score("negative", 0.54, {"negative": 0.54, "neutral": 0.0, "positive": 0.46})
    assert draft.value < result.value
    assert (draft.word, result.word) == ("negative", "neutral")
    assert result.to_dict() == {
        "label": "negative", "score": 0.54, "scores": result.scores, "value": -0.08, "word": "neutral",
    }  # fmt: skip


def test_one_complaint_shows_in_a_long_plain_email(tone: ToneClassifier) -> None:
    plain = (
        "The report covers the period from April to June. The meeting is on Tuesday at ten in room four. " * 3
    )
    angry = "You never answer and your work is terrible. I am furious about this stupid mess."
    before = tone.score([plain])[0].sentiment.scores["negative"]
    after = tone.score([plain + angry])[0].sentiment.scores["negative"]
    assert after > before + 0.15


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "\x00",
        "a\x00b \ud800 c\udfff",
        "😀" * 500,
        "x" * 5000,
        "é\u0301" * 300,
        "\u202eabc",
        "שלום עולם",
        "…!?",
        "_ _",
    ],
)
def test_odd_text_gets_a_tone(tone: ToneClassifier, text: str) -> None:
    [scored] = tone.score([text])
    assert math.isfinite(scored.sentiment.score) and math.isfinite(scored.politeness.score)


def test_no_text_is_neutral(tone: ToneClassifier) -> None:
    for scored in tone.score(["", "\x00\x01"]):
        assert (scored.sentiment.label, scored.politeness.label) == ("neutral", "neutral")


@pytest.mark.slow
def test_twenty_thousand_words(tone: ToneClassifier) -> None:
    [one], [many] = (tone.score(["The order is late and nobody answers. " * n]) for n in (1, 2900))
    assert many.sentiment.label == one.sentiment.label == "negative"


def test_threads_share_a_classifier(tone: ToneClassifier) -> None:
    texts = [
        ["Send it now.", "Thank you so much for your help!", f"Invoice {n} is attached."] for n in range(4)
    ]
    results: dict[int, list[str]] = {}

    def score(n: int) -> None:
        results[n] = [scored.politeness.label for scored in tone.score(texts[n] * 4)]

    work = [threading.Thread(target=score, args=[n]) for n in range(4)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    alone = ToneClassifier.load()  # which remembers nothing of them
    assert results == {n: [scored.politeness.label for scored in alone.score(texts[n] * 4)] for n in range(4)}


def test_a_corrected_email_is_read_again_only_where_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    email = " ".join(
        f"The invoice of item {n} was paid in full by the finance team last week." for n in range(40)
    )
    changed = email.replace("item 20 was", "item 20 were")
    classifier = ToneClassifier.load()
    read: list[Sequence[int]] = []
    run = classifier._encoder._run

    def counted(ids: Sequence[int]) -> np.ndarray:
        read.append(ids)
        return run(ids)

    monkeypatch.setattr(classifier._encoder, "_run", counted)
    before, after = classifier.score([email, changed])
    whole = len(read)
    assert classifier.score([changed]) == [after] != [before] and len(read) == whole
    classifier.score([email.replace("item 30 was", "item 30 were")])
    assert 0 < len(read) - whole <= 2 < whole
    assert ToneClassifier.load().score([changed]) == [after]  # whatever was read before


def test_the_packed_classifier_is_small() -> None:
    assert sum(path.stat().st_size for path in (MODELS / "tone").iterdir()) <= 25_000_000


def test_missing_and_broken_files_get_one_line(tmp_path: Path) -> None:
    def load_error() -> str:
        with pytest.raises(UserError) as caught:
            ToneClassifier.load(tmp_path)
        return str(caught.value)

    assert "heads.json is missing" in load_error()
    shutil.copy(MODELS / "tone" / "heads.json", tmp_path)
    assert "encoder.gguf is missing" in load_error()
    (tmp_path / "encoder.gguf").write_bytes((MODELS / "tone" / "encoder.gguf").read_bytes()[:100_000])
    assert "cannot be read" in load_error()
    (tmp_path / "heads.json").write_text('{"tone": {')
    assert "heads.json cannot be read" in load_error()


def save_hub_model(folder: Path, labels: list[str]) -> None:
    """A tiny random text classifier as the Hub holds them."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(0)
    backend = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "good": 2, "bad": 3}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(
        folder
    )
    config = BertConfig(
        vocab_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=64, pad_token_id=1, id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)


@pytest.mark.parametrize(
    ("setting", "labels", "ours"),
    [
        ("SENTIMENT_MODEL", ["LABEL_0", "LABEL_1", "LABEL_2"], ["negative", "neutral", "positive"]),
        ("SENTIMENT_MODEL", ["POS", "NEG"], ["positive", "negative"]),
        ("SENTIMENT_MODEL", ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"],
         ["negative", "negative", "neutral", "positive", "positive"]),
        ("POLITENESS_MODEL", ["polite", "somewhat polite", "neutral", "impolite"],
         ["polite", "polite", "neutral", "impolite"]),
    ],
)  # fmt: skip
def test_a_hub_classifier_takes_over_its_head(
    tone: ToneClassifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    labels: list[str],
    ours: list[str],
) -> None:
    from transformers import pipeline

    save_hub_model(tmp_path, labels)
    monkeypatch.setenv(setting, str(tmp_path))
    head = setting.removesuffix("_MODEL").lower()
    other = "politeness" if head == "sentiment" else "sentiment"
    scored = ToneClassifier.load().score(["good bad good"])[0]
    [answers] = pipeline("text-classification", str(tmp_path), top_k=None)(["good bad good"])
    raw = {answer["label"]: answer["score"] for answer in answers}
    for label, p in getattr(scored, head).scores.items():
        assert p == pytest.approx(
            sum(raw[theirs] for theirs, mine in zip(labels, ours, strict=True) if mine == label), abs=1e-3
        )
    assert getattr(scored, other) == getattr(tone.score(["good bad good"])[0], other)


def test_an_unknown_label_of_a_hub_classifier_gets_one_line(tmp_path: Path) -> None:
    save_hub_model(tmp_path, ["spam", "ham"])
    with pytest.raises(UserError, match="label 'spam' that is no politeness"):
        ToneClassifier.load(hub={"politeness": str(tmp_path)})


def test_a_missing_hub_classifier_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no sentiment classifier at .*unset SENTIMENT_MODEL"):
        ToneClassifier.load(hub={"sentiment": str(tmp_path / "nothing")})


def test_the_shipped_heads_are_ours_and_finite() -> None:
    heads = json.loads((MODELS / "tone" / "heads.json").read_text("utf-8"))
    assert [head["labels"] for head in heads["tone"].values()] == [list(labels) for labels in LABELS.values()]
    assert all(np.isfinite(head["weight"]).all() for head in heads["tone"].values())


def test_windows_fit_the_training_texts() -> None:
    text = "Please send the invoice to the office in Leeds. " * 30
    code = encode(text, lambda word: [ord(c) for c in word])
    runs = windows(text, code, WINDOW)
    assert len(runs) > 1 and all(len(code.ids_of(run)) <= WINDOW for run in runs)
