"""Pretraining: a run that was killed goes on exactly, and the loss is on the target alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from space.proofread.lexicon import Lexicon
from space.proofread.prompt import Evidence, messages, render
from training.__main__ import main
from training.base.loop import wsd
from training.base.pretrain import Pools, collate, target_loss
from training.data.pairs import PairMaker, load_texts

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
    monkeypatch.setattr(
        "training.base.loop.wsd", lambda progress: 1.0
    )  # the schedule knows the run's whole length
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

    assert main([*arguments(corpus, tmp_path / "moved", 25, pruned), "--learning_rate=3e-3"]) == 0
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "moved" / "model")
    assert tokenizer.get_vocab() == AutoTokenizer.from_pretrained(pruned).get_vocab()
    assert json.loads((tmp_path / "moved" / "model" / "proofreader.json").read_text())["unit"] == "sentence"
    texts = load_texts(corpus / "clean.jsonl")
    arrays = Pools(tokenizer, PairMaker(texts, texts), texts, Lexicon.load(), 7, 2048).pool(0)[0].arrays
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
    rows = [([7, 8, 9, 10, 11], 3), ([7, 8, 9], 1)]
    input_ids, labels = map(torch.from_numpy, collate(rows, pad_token_id=2))
    assert labels.tolist()[0][:6] == [-100, -100, -100, 10, 11, -100]
    with torch.no_grad():
        mask = (input_ids != 2).long()
        expected = model(input_ids=input_ids.long(), attention_mask=mask, labels=labels.long()).loss
        assert target_loss(model, input_ids, labels).item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_pool_depends_on_seed_and_number_alone(corpus: Path, base_model: Path) -> None:
    texts = load_texts(corpus / "clean.jsonl")
    lexicon, tokenizer = Lexicon.load(), AutoTokenizer.from_pretrained(base_model)

    def pool(seed: int, number: int) -> list[list[list[int]]]:
        pools = Pools(tokenizer, PairMaker(texts, texts), texts, lexicon, seed, 512)
        return [[array.tolist() for array in batch.arrays] for batch in pools.pool(number)]

    assert pool(1, 3) == pool(1, 3)
    assert pool(1, 3) != pool(2, 3) and pool(1, 3) != pool(1, 2)


def test_a_row_is_the_prompt_that_is_served(base_model: Path) -> None:
    chat = messages("Hi.", Evidence(("neutral", 0.5), ("polite", 0.9)))
    tokenizer = AutoTokenizer.from_pretrained(base_model)
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == render(chat)


def test_the_schedule_warms_up_stays_and_decays() -> None:
    rates = [wsd(i / 100) for i in range(100)]
    assert rates[0] < 0.1 and rates[50] == 1.0 and rates[99] < 0.1


def test_a_missing_file_is_one_line(tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments(corpus, tmp_path, 1), "--clean=nowhere.jsonl"]) == 2
    assert capsys.readouterr().err == "nowhere.jsonl does not exist: name a file of JSON lines\n"


def test_the_model_says_what_it_is(base_model: Path) -> None:
    assert json.loads((base_model / "proofreader.json").read_text())["unit"] == "sentence"
