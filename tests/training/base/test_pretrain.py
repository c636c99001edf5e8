"""Pretraining: a run that was killed goes on exactly, and the loss is on the target alone."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from space.proofread.lexicon import Lexicon
from space.proofread.prompt import Evidence, messages, render
from training.__main__ import main
from training.base.loop import wsd
from training.base.pretrain import Pools, collate, target_loss, token_weights
from training.data.pairs import Pair, PairMaker, learner_pairs, load_texts, real_pairs

pytestmark = pytest.mark.usefixtures("small_pools")


def arguments(corpus: Path, out: Path, steps: int, model: Path | None = None) -> list[str]:
    data = [f"--{name}={corpus / name}.jsonl" for name in ("clean", "email", "plain")]
    start = f"--model={model}" if model else "--preset=test"
    return ["pretrain", *data, f"--out={out}", start, "--batch_tokens=512", f"--max_steps={steps}"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return AutoModelForCausalLM.from_pretrained(folder / "model").state_dict()


@pytest.mark.parametrize("start", ["scratch", "model"])
def test_a_resumed_run_equals_an_unbroken_one(
    corpus: Path, pruned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    # The schedule knows the run's whole length.
    monkeypatch.setattr("training.base.loop.wsd", lambda step, progress: 1.0)
    model = pruned if start == "model" else None
    assert main(arguments(corpus, tmp_path / "whole", 4, model)) == 0
    assert main(arguments(corpus, tmp_path / "broken", 2, model)) == 0
    half = weights(tmp_path / "broken")
    assert main(arguments(corpus, tmp_path / "broken", 4, model)) == 0
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert any(not torch.equal(whole[name], half[name]) for name in whole)


def test_a_run_goes_on_from_a_model(corpus: Path, pruned: Path, tmp_path: Path) -> None:
    assert main([*arguments(corpus, tmp_path / "still", 1, pruned), "--learning_rate=1e-9"]) == 0
    before = AutoModelForCausalLM.from_pretrained(pruned).state_dict()
    after = weights(tmp_path / "still")
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)

    assert main([*arguments(corpus, tmp_path / "moved", 25, pruned), "--learning_rate=2e-2"]) == 0
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "moved" / "model")
    assert tokenizer.get_vocab() == AutoTokenizer.from_pretrained(pruned).get_vocab()
    assert json.loads((tmp_path / "moved" / "model" / "proofreader.json").read_text())["unit"] == "sentence"
    texts = load_texts(corpus / "clean.jsonl")
    arrays = Pools(tokenizer, PairMaker(texts, texts), [], texts, Lexicon.load(), 7, 2048).pool(0)[0].arrays
    old, new = (AutoModelForCausalLM.from_pretrained(path) for path in (pruned, tmp_path / "moved" / "model"))
    with torch.no_grad():
        losses = [target_loss(model, *map(torch.from_numpy, arrays)).item() for model in (old, new)]
    assert losses[1] < 0.8 * losses[0]


def test_a_missing_model_is_one_line(
    tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(corpus, tmp_path / "out", 1, tmp_path / "nothing")) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / "nothing") in error and error.count("\n") == 1


def test_the_loss_is_on_the_target(base_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base_model)
    rows = [([7, 8, 9, 10, 11], [1.0, 1.0]), ([7, 8, 9], [1.0, 1.0])]
    input_ids, weights = map(torch.from_numpy, collate(rows, pad_token_id=2))
    assert weights.tolist() == [[0, 0, 0, 1, 1, 0, 0, 0], [0, 1, 1, 0, 0, 0, 0, 0]]
    labels = input_ids.long().masked_fill(weights == 0, -100)
    with torch.no_grad():
        mask = (input_ids != 2).long()
        expected = model(input_ids=input_ids.long(), attention_mask=mask, labels=labels).loss
        assert target_loss(model, input_ids, weights).item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_token_of_weight_four_counts_like_four(base_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base_model)

    def loss(*weights: float) -> float:
        with torch.no_grad():
            arrays = collate([([7, 8, 9, 10, 11], list(weights))], pad_token_id=2)
            return target_loss(model, *map(torch.from_numpy, arrays)).item()

    assert loss(1, 4) == pytest.approx((loss(1, 0) + 4 * loss(0, 1)) / 5, rel=1e-4)


@pytest.mark.parametrize(
    ("bad", "good", "changed"),
    [
        ("He go home.", "He goes home.", {"goes"}),
        ("He go to home.", "He goes home.", {"goes", "home"}),  # after "goes" it is decided that "to" goes
        ("He home.", "He goes home.", {"goes"}),
        ("He goes home.", "He goes home.", set()),
        ("he goes, home", "He goes home.", {"He", "home", "."}),
    ],
)
def test_words_that_change_count_four_times(bad: str, good: str, changed: set[str]) -> None:
    offsets = [match.span() for match in re.finditer(r" ?\w+|\.", good)]  # of a byte-level tokenizer
    weights = token_weights(bad, good, [*offsets, (len(good), len(good) + 5)])
    weighted = {good[a:b].strip() for (a, b), weight in zip(offsets, weights, strict=False) if weight == 4}
    assert weighted == changed and set(weights) <= {1, 4} and weights[-1] == 1


def test_a_tiny_model_learns_from_real_pairs(corpus: Path, pruned: Path, tmp_path: Path) -> None:
    """It repeats the correction of a word that no corrupted sentence has, and was trained on no pair held back."""
    pairs = [
        {
            "source": f"Please send me teh report {n}.",
            "target": f"Please send me the report {n}.",
            "rule": "teh",
        }
        for n in range(9)
    ]
    held = {"source": "Please sned it.", "target": "Please send it.", "rule": held_back_rule()}
    path = tmp_path / "real.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*pairs, held]))
    learner = tmp_path / "learner.jsonl"
    learner.write_text(json.dumps({"source": "She go .", "corrected": "She goes ."}) + "\n")
    given = [f"--real={path}", f"--learner={learner}", "--learning_rate=2e-2"]
    assert main([*arguments(corpus, tmp_path / "out", 25, pruned), *given]) == 0
    tokenizer = AutoTokenizer.from_pretrained(pruned)
    real, lexicon = [*real_pairs([path])[0], *learner_pairs(learner)], Lexicon.load()
    assert len(real) == 10
    texts = load_texts(corpus / "clean.jsonl")
    pools = Pools(tokenizer, PairMaker(texts, texts), real, texts, lexicon, 0, 512)
    drawn = [tokenizer.decode(row) for batch in pools.pool(0) for row in batch.arrays[0]]
    assert 5 < sum("teh report" in text for text in drawn) < 30 and not any("sned" in text for text in drawn)
    prompt = render(messages("Please send me teh report 1.", Evidence(None, None)))
    ids, target = (tokenizer(t, add_special_tokens=False) for t in (prompt, "Please send me the report 1."))
    arrays = collate([(ids.input_ids + target.input_ids, [1.0] * len(target.input_ids))], 0)
    old, new = (AutoModelForCausalLM.from_pretrained(each) for each in (pruned, tmp_path / "out" / "model"))
    with torch.no_grad():
        losses = [target_loss(model, *map(torch.from_numpy, arrays)).item() for model in (old, new)]
    assert losses[1] < 0.6 * losses[0]


def held_back_rule() -> str:
    rules = (f"rule {n}" for n in range(100))
    return next(rule for rule in rules if zlib.crc32(rule.encode()) % 100 < 15)


def test_a_pool_depends_on_seed_and_number_alone(corpus: Path, base_model: Path) -> None:
    texts = load_texts(corpus / "clean.jsonl")
    lexicon, tokenizer = Lexicon.load(), AutoTokenizer.from_pretrained(base_model)

    real = [Pair("He go home.", "He goes home.")]

    def pool(seed: int, number: int) -> list[list[list[int]]]:
        pools = Pools(tokenizer, PairMaker(texts, texts), real, texts, lexicon, seed, 512)
        return [[array.tolist() for array in batch.arrays] for batch in pools.pool(number)]

    assert pool(1, 3) == pool(1, 3)
    assert pool(1, 3) != pool(2, 3) and pool(1, 3) != pool(1, 2)


def test_a_row_is_the_prompt_that_is_served(base_model: Path) -> None:
    chat = messages("Hi.", Evidence(("neutral", 0.5), ("polite", 0.9)))
    tokenizer = AutoTokenizer.from_pretrained(base_model)
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == render(chat)


def test_the_schedule_warms_up_stays_and_decays() -> None:
    rates = [wsd(step, step / 1000) for step in range(1000)]
    assert 0 < rates[0] < 0.1 and rates[50] < rates[98] < 1 and rates[100] == rates[700] == 1.0
    assert rates[800] < 1.0 and 0 < rates[999] < 0.1


def test_a_run_that_is_made_longer_does_not_warm_up_again() -> None:
    assert wsd(300, progress=0.5) == wsd(300, progress=0.001) == 1.0


def test_a_missing_file_is_one_line(tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments(corpus, tmp_path, 1), "--clean=nowhere.jsonl"]) == 2
    assert capsys.readouterr().err == "nowhere.jsonl does not exist: name a file of JSON lines\n"


def test_the_model_says_what_it_is(base_model: Path) -> None:
    assert json.loads((base_model / "proofreader.json").read_text())["unit"] == "sentence"
