"""Training of the tone classifier on a tiny BERT: rows, splits, losses, and going on after a kill."""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from space.errors import UserError
from space.proofread.classifiers.tone import LABELS, Heads
from training.base import hardware, loop, tone, tone_figures, tone_model, tone_rows


@pytest.fixture
def args(bert: Path, tmp_path: Path) -> argparse.Namespace:
    """Arguments of a run of seconds, on rows that differ in a word."""

    def file(name: str, rows: list[dict[str, Any]]) -> str:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(tmp_path / name)

    rng = random.Random(0)
    politeness = [
        {"text": f"send me the report {'now' if i % 2 else 'please thanks'} {i}",
         "score": (-1 if i % 2 else 1) * rng.uniform(0.1, 2)} for i in range(120)
    ]  # fmt: skip
    labels = LABELS["sentiment"]
    words = ("bad", "the", "good")
    sentiment = [
        {"text": f"{words[i % 3]} report {i}", "label": labels[i % 3], "split": "test"} for i in range(90)
    ]
    sentiment += [
        {"text": f"{words[2 * (i % 2)]} film {i}", "label": labels[2 * (i % 2)], "split": "reviews"}
        for i in range(40)
    ]
    parser = argparse.ArgumentParser()
    tone.add_arguments(parser)
    return parser.parse_args(
        ["--politeness", file("p.jsonl", politeness), "--sentiment", file("s.jsonl", sentiment),
         "--base", str(bert), "--out", str(tmp_path / "out"), "--epochs", "6", "--frozen-layers", "0",
         "--checkpoint-every", "4", "--threads", "1", "--email-repeats", "1", "--learning-rate", "3e-3"]
    )  # fmt: skip


class Killed(Exception):
    pass


def trained(args: argparse.Namespace) -> dict[str, torch.Tensor]:
    torch.set_num_threads(1)
    model, tokenizer = tone.build(args.base, args.seed)
    args.out.mkdir(exist_ok=True)
    rows = tone_rows.split_rows(tone_rows.load_rows(args))["train"]
    tone.train(model, tokenizer, rows, args)
    return model.state_dict()


def test_a_killed_run_goes_on_and_ends_as_an_unbroken_one(
    args: argparse.Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(args)
    args.out = tmp_path / "killed"
    steps, loss_of = iter(range(100)), tone.loss_of

    def killed_at_ten(*given: Any) -> torch.Tensor:
        if next(steps) == 10:
            raise Killed
        return loss_of(*given)

    monkeypatch.setattr(tone, "loss_of", killed_at_ten)
    with pytest.raises(Killed):
        trained(args)
    monkeypatch.setattr(tone, "loss_of", loss_of)
    assert torch.load(args.out / loop.CHECKPOINT, weights_only=False)["state"]["step"] == 8
    (args.out / "checkpoint.tmp").write_bytes(b"half a file, as a kill leaves it")
    resumed = trained(args)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_run_leaves_an_encoder_heads_and_figures(
    args: argparse.Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    tone.run(args)
    figures = json.loads(capsys.readouterr().out)
    assert figures == json.loads((args.out / "figures.json").read_text())
    assert {"sentiment", "politeness", "politeness, emails check", "sentiment, reviews"} <= set(figures)
    assert figures["politeness"]["ends"] > 0.8  # one word tells them apart
    assert not (args.out / loop.CHECKPOINT).exists()

    from transformers import AutoModel, AutoTokenizer

    encoder, tokenizer = (
        AutoModel.from_pretrained(args.out / "encoder").eval(),
        AutoTokenizer.from_pretrained(args.out / "encoder"),
    )
    written = json.loads((args.out / "heads.json").read_text())
    text = "send me the report now"
    with torch.inference_mode():
        hidden = encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()
    assert Heads(written).tone(hidden)["politeness"].sum() == pytest.approx(1, abs=1e-5)

    model, _ = tone.build(str(args.out), seed=1)  # an earlier --out is a base with its heads
    for name in LABELS:
        expected = torch.tensor(written["tone"][name]["weight"])
        torch.testing.assert_close(model.tone[name].weight.detach(), expected)


def test_the_numpy_heads_say_what_the_trained_ones_say(args: argparse.Namespace) -> None:
    model, tokenizer = tone.build(args.base, 0)
    rows = [tone_rows.Row("please send it", "emails", labels={name: "neutral" for name in LABELS})]
    data = tone.calibrate(model, tokenizer, rows)
    items = tone.examples(rows, tokenizer)
    [logits] = tone.logits_of(model, items, tokenizer.pad_token_id)
    with torch.inference_mode(), hardware.autocast("cpu"):
        hidden = model.encoder(input_ids=torch.tensor([items[0].ids])).last_hidden_state[0].float().numpy()
    heads = Heads(data)
    [predicted] = tone.predict(model, tokenizer, rows, data)
    for name in LABELS:
        expected = (logits[name] / data["tone"][name]["temperature"]).softmax(0).numpy()
        assert heads.tone(hidden)[name] == pytest.approx(expected, abs=1e-4)
        assert predicted[name] == pytest.approx(expected)


def test_politeness_labels_are_quartiles_of_the_score() -> None:
    made = tone_rows.politeness_rows({"text": f"{i}", "score": float(i)} for i in range(20))
    labels = [row.labels["politeness"] for row in made]
    assert labels == ["impolite"] * 6 + ["neutral"] * 9 + ["polite"] * 5
    assert all(sum(row.targets["politeness"]) == pytest.approx(1) for row in made)
    assert made[0].targets["politeness"][0] > 0.99
    assert made[5].targets["politeness"] == pytest.approx((0.5, 0.5, 0), abs=1e-6)


def test_reviews_do_not_touch_the_neutral_logit(args: argparse.Namespace) -> None:
    model, tokenizer = tone.build(args.base, 0)
    rows = tone_rows.sentiment_rows([{"text": "good", "label": "positive", "split": "reviews"}])
    arrays = [torch.from_numpy(array) for array in tone.collate(tone.examples(rows, tokenizer), 0)]
    tone.loss_of(model, arrays, tone.class_weights(rows)).backward()
    gradient = model.tone["sentiment"].weight.grad
    assert gradient[1].abs().max() == 0
    assert gradient[0].abs().max() > 0 and gradient[2].abs().max() > 0
    assert model.tone["politeness"].weight.grad.abs().max() == 0


def test_equal_texts_are_never_on_two_sides() -> None:
    rows = [
        tone_rows.Row(text, source)
        for source in ("tweets", "reviews")
        for text in (f"Text {i}" for i in range(300))
    ]
    rows += [tone_rows.Row(f"text  {i}", "wikipedia") for i in range(300)]
    parts = tone_rows.split_rows(rows)
    sides = [{" ".join(row.text.lower().split()) for row in part} for part in parts.values()]
    assert not sides[0] & sides[1] and not sides[1] & sides[2] and not sides[0] & sides[2]
    assert 0.06 < len(parts["held-out"]) / len(rows) < 0.18


def test_email_sentences_are_balanced_and_apart() -> None:
    train, check = (list(tone_rows.email_rows(part)) for part in ("train", "check"))
    assert not {text.lower() for text, *_ in train} & {text.lower() for text, *_ in check}
    assert len({text for text, *_ in train}) == len(train) > 250
    for rows in (train, check):
        for place, name in ((1, "sentiment"), (2, "politeness")):
            for label in LABELS[name]:
                assert sum(row[place] == label for row in rows) > len(rows) / 10


def test_own_texts_have_every_pair_of_tones_and_are_never_held_out() -> None:
    rows = list(tone_rows.own_rows())
    pairs = Counter((row.labels.get("politeness"), row.labels.get("sentiment")) for row in rows)
    assert all(pairs[one, other] > 100 for one in LABELS["politeness"] for other in LABELS["sentiment"])
    assert all(row.targets.keys() == row.labels.keys() for row in rows)
    assert tone_rows.split_rows(rows)["train"] == rows
    held_out = {text.lower() for text, *_ in tone_rows.email_rows("check")}
    assert len({row.text.lower() for row in rows} - held_out) == len(rows) > 2_000


def test_teachers_are_half_of_what_a_corpus_says(args: argparse.Namespace) -> None:
    args.epochs = 1
    tone.run(args)
    target: dict[str, tuple[float, ...]] = {"politeness": (1.0, 0.0, 0.0)}
    rows = [tone_rows.Row("send me the report please", source, target) for source in ("politeness", "own")]
    model, tokenizer = tone.build(str(args.out), 0)
    logits = tone.logits_of(model, tone.examples(rows, tokenizer), tokenizer.pad_token_id)
    said = logits[0]["politeness"].softmax(0).tolist()
    taught, own = tone.taught(rows, [args.out, args.out])
    assert own == rows[1] and tone.taught(rows, []) == rows
    assert taught.targets["politeness"] == pytest.approx(((1 + said[0]) / 2, said[1] / 2, said[2] / 2))


def test_batches_hold_every_text_once_within_the_budget(args: argparse.Namespace) -> None:
    _, tokenizer = tone.build(args.base, 0)
    items = tone.examples([tone_rows.Row("word " * (1 + i % 30), "x") for i in range(200)], tokenizer)
    made = tone.batches(items, random.Random(0))
    assert sorted(i for batch in made for i in batch) == list(range(200))
    assert all(
        len(batch) * max(len(items[i].ids) for i in batch) <= tone_model.BATCH_TOKENS * 1.2 for batch in made
    )


def test_calibration_error_of_honest_and_boastful_probabilities() -> None:
    honest = [(0.75, 1.0)] * 75 + [(0.75, 0.0)] * 25
    assert tone_figures.calibration_error(honest) == 0
    assert tone_figures.calibration_error([(0.99, 0.0)] * 10) == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "s.jsonl",
            '{"text": "a", "label": "meh", "split": "test"}\n',
            "label 'meh' is not one of negative, neutral, positive",
        ),
        ("p.jsonl", "{\n", "p.jsonl line 1 is not JSON"),
        ("p.jsonl", None, "p.jsonl does not exist"),
    ],
)
def test_bad_data_gets_one_line(
    args: argparse.Namespace, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        tone.run(args)


def test_a_missing_base_gets_one_line(args: argparse.Namespace, tmp_path: Path) -> None:
    args.base = str(tmp_path / "nothing")
    with pytest.raises(UserError, match="no encoder at .*give --base"):
        tone.run(args)
