"""Pretraining: a run that was killed goes on exactly, and the loss is on the target alone."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from space.lexicon import Lexicon
from space.prompt import Evidence, messages, render
from training.__main__ import main
from training.pairs import Pair, PairMaker, load_texts, simulated_evidence
from training.pretrain import Batches, collate, target_loss, wsd

pytestmark = pytest.mark.usefixtures("small_pools")


def arguments(corpus: Path, out: Path, steps: int) -> list[str]:
    data = [f"--{name}={corpus / name}.jsonl" for name in ("clean", "email", "plain")]
    return ["pretrain", *data, f"--out={out}", "--preset=test", "--batch_tokens=512", f"--max_steps={steps}"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return AutoModelForCausalLM.from_pretrained(folder / "model").state_dict()


def test_a_resumed_run_equals_an_unbroken_one(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "training.pretrain.wsd", lambda progress: 1.0
    )  # the schedule knows the run's whole length
    assert main(arguments(corpus, tmp_path / "whole", 4)) == 0
    assert main(arguments(corpus, tmp_path / "broken", 2)) == 0
    half = weights(tmp_path / "broken")
    assert main(arguments(corpus, tmp_path / "broken", 4)) == 0
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert any(not torch.equal(whole[name], half[name]) for name in whole)


def test_the_loss_is_on_the_target(base_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base_model)
    rows = [([7, 8, 9, 10, 11], 3), ([7, 8, 9], 1)]
    input_ids, labels = collate(rows, pad_token_id=2)
    assert labels.tolist()[0][:6] == [-100, -100, -100, 10, 11, -100]
    with torch.no_grad():
        mask = (input_ids != 2).long()
        expected = model(input_ids=input_ids, attention_mask=mask, labels=labels).loss
        assert target_loss(model, input_ids, labels).item() == pytest.approx(expected.item(), rel=1e-4)


def test_batches_depend_on_seed_and_number_alone(corpus: Path, base_model: Path) -> None:
    texts = load_texts(corpus / "clean.jsonl")
    lexicon, tokenizer = Lexicon.load(), AutoTokenizer.from_pretrained(base_model)

    def batches(seed: int) -> Batches:
        return Batches(tokenizer, PairMaker(texts, texts), texts, lexicon, seed, 512)

    assert batches(1).pool(3) == batches(1).pool(3) != batches(2).pool(3)
    assert next(batches(1).starting_at(3, 2, workers=1)) == (3, 2, batches(1).pool(3)[2])


def test_a_row_is_the_prompt_that_is_served(base_model: Path) -> None:
    chat = messages("Hi.", Evidence(("neutral", 0.5), ("polite", 0.9)))
    tokenizer = AutoTokenizer.from_pretrained(base_model)
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == render(chat)


def test_pairs_hold_identities_and_both_modes(corpus: Path) -> None:
    texts = load_texts(corpus / "clean.jsonl")
    maker, rng = PairMaker(texts, texts), random.Random(0)
    pairs = [maker.draw(rng) for _ in range(600)]
    assert 0.15 < sum(pair.bad == pair.good for pair in pairs) / 600 < 0.35
    assert {pair.mode for pair in pairs} == {"proofread", "polish"}
    assert all(pair.good in texts or pair.good.endswith(",") for pair in pairs)


def test_imitated_evidence_suggests_what_the_word_list_does() -> None:
    lexicon, rng = Lexicon.load(), random.Random(0)
    seen = {
        simulated_evidence(Pair("I recieve it.", "I receive it."), lexicon, rng).doubts for _ in range(50)
    }
    assert (("recieve", "receive"),) in seen


def test_the_schedule_warms_up_stays_and_decays() -> None:
    rates = [wsd(i / 100) for i in range(100)]
    assert rates[0] < 0.1 and rates[50] == 1.0 and rates[99] < 0.1


def test_a_missing_file_is_one_line(tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments(corpus, tmp_path, 1), "--clean=nowhere.jsonl"]) == 2
    assert capsys.readouterr().err == "nowhere.jsonl does not exist: name a file of JSON lines\n"


def test_the_model_says_what_it_is(base_model: Path) -> None:
    assert json.loads((base_model / "proofreader.json").read_text())["unit"] == "sentence"
