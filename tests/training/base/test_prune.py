"""Pruning: the layers and words that matter stay as they were, and what is left is a model like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from llama_cpp import Llama
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from conversion.__main__ import main as convert
from space.proofread.prompt import SPECIAL_TOKENS, Evidence, messages, render
from training.__main__ import main
from training.base.base import load_llama
from training.base.prune import _loss, keep_layers, keep_tokens
from training.data.pairs import load_texts

IDLE_LAYER = 1  # of `pretrained`


def words(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """The vocabulary without the tokens of chats."""
    special = set(tokenizer.all_special_tokens) | set(SPECIAL_TOKENS)
    return {token: i for token, i in tokenizer.get_vocab().items() if token not in special}


def test_the_layer_that_does_nothing_goes(
    pretrained: Path, half_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["prune", f"--model={pretrained}", f"--texts={half_corpus}", f"--out={tmp_path / 'base'}"]
    assert main([*arguments, "--num_hidden_layers=3", "--vocab_size=400"]) == 0
    reported = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert reported["layers"] == [i for i in range(4) if i != IDLE_LAYER]
    assert reported["nats_per_token_without_layers"] == reported["nats_per_token"]
    rises = reported["loss_rise_by_layer"]
    assert rises[str(IDLE_LAYER)] == 0 < min(rises[str(i)] for i in reported["layers"])

    assert main([*arguments, "--num_hidden_layers=1", "--vocab_size=400"]) == 0
    reported = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert reported["layers"] == [max(range(4), key=lambda i: rises[str(i)])]
    assert reported["nats_per_token_without_layers"] > reported["nats_per_token"]
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "base").config.num_hidden_layers == 1


def test_kept_layers_are_carried_over_and_compute_as_before(pretrained: Path, pruned: Path) -> None:
    old, small = (AutoModelForCausalLM.from_pretrained(folder).eval() for folder in (pretrained, pruned))
    kept = [layer for i, layer in enumerate(old.model.layers) if i != IDLE_LAYER]
    for before, after in zip(kept, small.model.layers, strict=True):
        theirs = before.state_dict()
        assert all(torch.equal(theirs[name], tensor) for name, tensor in after.state_dict().items())
    states = torch.randn(1, 5, old.config.hidden_size)
    with torch.no_grad():
        whole, part = (m.model(inputs_embeds=states).last_hidden_state for m in (old, small))
        # The cache numbers layers anew: a text in two pieces gives what it gives at once.
        first = small.model(inputs_embeds=states[:, :3], use_cache=True)
        rest = small.model(inputs_embeds=states[:, 3:], past_key_values=first.past_key_values)
    torch.testing.assert_close(part, whole)
    torch.testing.assert_close(rest.last_hidden_state, whole[:, 3:])


def test_a_skipped_layer_comes_back(pretrained: Path) -> None:
    model, tokenizer = load_llama(str(pretrained)), AutoTokenizer.from_pretrained(pretrained)
    rows = [tokenizer("Please send me the report.").input_ids]
    before = _loss(model, rows)
    assert _loss(model, rows, skipped=2) != before
    assert _loss(model, rows) == before and model.config.num_hidden_layers == 4
    keep_layers(model, [0, 3])
    assert model.config.num_hidden_layers == 2


def test_texts_of_kept_words_are_cut_as_before(pretrained: Path, pruned: Path, half_corpus: Path) -> None:
    old, small = (AutoTokenizer.from_pretrained(folder) for folder in (pretrained, pruned))
    assert len(small) <= 400 < len(old)
    assert [small.convert_ids_to_tokens(i) for i in range(len(SPECIAL_TOKENS))] == list(SPECIAL_TOKENS)
    assert all(small.tokenize(text) == old.tokenize(text) for text in load_texts(half_corpus))


def test_any_text_can_still_be_written(corpus: Path, pruned: Path) -> None:
    small = AutoTokenizer.from_pretrained(pruned)
    odd = ["naïve 🙂 你好\t\n  two  blanks", "x" * 90, "Order 4711 of 2024-05-12"]
    for text in [*load_texts(corpus / "clean.jsonl"), *odd]:
        assert small.decode(small(text).input_ids, clean_up_tokenization_spaces=False) == text


def test_rows_of_embeddings_are_carried_over(pretrained: Path, pruned: Path) -> None:
    old, small = (AutoTokenizer.from_pretrained(folder) for folder in (pretrained, pruned))
    before, after = (
        AutoModelForCausalLM.from_pretrained(folder).get_input_embeddings().weight
        for folder in (pretrained, pruned)
    )
    assert len(after) == len(small)
    theirs = old.get_vocab()
    for token, i in words(small).items():
        assert torch.equal(after[i], before[theirs[token]]), token
    ids = small.get_vocab()
    for mark in ("<|begin|>", "<|end|>", "<|pad|>"):
        assert torch.equal(after[ids[mark]], before[old.eos_token_id])
    assert torch.equal(after[ids["<|user|>"]], before[theirs["user"]])


def test_a_kept_token_keeps_the_tokens_that_it_is_made_of(pretrained: Path) -> None:
    old = AutoTokenizer.from_pretrained(pretrained)
    small, _ = keep_tokens(old, ["Please send the report", "Please send the report", "invoice"], 280)
    spec = json.loads(small.backend_tokenizer.to_str())["model"]
    made = {"".join(merge) for merge in spec["merges"]}
    assert all({a, b, a + b} <= spec["vocab"].keys() for a, b in spec["merges"])
    assert all(len(token) == 1 or token in made for token in words(small))
    assert len(small) <= 280


def test_what_was_pruned_keeps_its_marks_of_chats_when_it_is_pruned_again(pruned: Path) -> None:
    once = AutoTokenizer.from_pretrained(pruned)
    twice, old_ids = keep_tokens(once, ["Please send the report"], 300)
    assert old_ids[: len(SPECIAL_TOKENS)] == once.convert_tokens_to_ids(list(SPECIAL_TOKENS))
    assert len(twice) <= 300 and twice.tokenize("Please send") == once.tokenize("Please send")


def test_a_file_of_it_gives_the_same_tokens(
    pruned: Path, half_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.gguf"
    assert convert(["gguf", str(pruned), str(file)]) == 0
    small, llama = AutoTokenizer.from_pretrained(pruned), Llama(str(file), vocab_only=True, verbose=False)
    chat = render(messages("They goes home.", Evidence(("neutral", 0.5), ("polite", 0.9))))
    for text in [*load_texts(half_corpus), chat, "Order 4711, naïve 🙂"]:
        assert llama.tokenize(text.encode(), add_bos=False, special=True) == small(text).input_ids
    capsys.readouterr()
    options = ["--texts=40", "--prompts=4", "--tokens=8"]
    assert convert(["verify", str(file), str(pruned), *options]) == 0
    assert json.loads(capsys.readouterr().out)["passed"]


def test_a_gguf_can_be_pruned(
    small_gguf: Path, base_model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"--model={small_gguf}", f"--texts={corpus / 'clean.jsonl'}", f"--out={tmp_path / 'base'}"]
    assert main(["prune", *arguments, "--num_hidden_layers=2", "--vocab_size=512"]) == 0
    old, small = (AutoModelForCausalLM.from_pretrained(path) for path in (base_model, tmp_path / "base"))
    theirs = old.model.layers.state_dict()
    for name, tensor in small.model.layers.state_dict().items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-3, atol=1e-3)  # the file has 16 bits
    cut = [AutoTokenizer.from_pretrained(path).tokenize for path in (base_model, tmp_path / "base")]
    for text in load_texts(corpus / "clean.jsonl"):
        assert cut[0](text) == cut[1](text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--num_hidden_layers=5"], "has 4 layers: keep fewer, --num_hidden_layers"),
        (["--model=nothing.gguf"], "nothing.gguf does not exist: name a GGUF file"),
        (["--model=nothing"], "nothing"),
        (["--texts=nothing.jsonl"], "nothing.jsonl does not exist: name a file of JSON lines"),
    ],
)
def test_what_cannot_be_done_gets_one_line(
    pretrained: Path,
    half_corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [f"--model={pretrained}", f"--texts={half_corpus}", "--out=base"]
    assert main(["prune", *arguments, *changes]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "base").exists()


def test_a_model_without_tied_embeddings_gets_one_line(
    pretrained: Path, half_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = AutoModelForCausalLM.from_pretrained(pretrained, tie_word_embeddings=False)
    model.save_pretrained(tmp_path / "untied")
    AutoTokenizer.from_pretrained(pretrained).save_pretrained(tmp_path / "untied")
    capsys.readouterr()
    arguments = [f"--model={tmp_path / 'untied'}", f"--texts={half_corpus}", f"--out={tmp_path / 'base'}"]
    assert main(["prune", *arguments]) == 2
    assert "is no Llama with tied embeddings" in capsys.readouterr().err
