"""Training of the tagger on a tiny BERT: it learns, goes on after a kill, and says the same in llama.cpp."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from conversion.__main__ import main as convert
from space.errors import UserError
from space.proofread.classifiers.encoder import FEATURES
from space.proofread.classifiers.tagger import Tagger as ShippedTagger
from space.proofread.classifiers.tags import KEEP, WRONG, fix_of
from training.__main__ import main
from training.base import loop, tagger
from training.data.pairs import Pair

pytestmark = pytest.mark.usefixtures("small_counts")

TEXTS = ("please send me the report", "Send thanks now.", "I seen the the report of monday , you is good!")


@pytest.fixture(scope="module")
def small_counts():
    """A vocabulary of tags counted on hundreds of pairs instead of a hundred thousand, and small pools."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tagger, "_COUNTED", 600)
        patch.setattr(tagger, "_RAREST", 2)
        patch.setattr(loop, "POOL", 64)
        yield


class Killed(Exception):
    pass


def clock(patch: pytest.MonkeyPatch, kill_at: int | None = None) -> None:
    """A clock that every look at moves on by a second, so that a run has as many steps everywhere; or a kill."""
    ticks = itertools.count()

    def monotonic() -> float:
        tick = next(ticks)
        if tick == kill_at:
            raise Killed
        return float(tick)

    patch.setattr(loop, "time", SimpleNamespace(monotonic=monotonic))


def arguments(bert: Path, corpus: Path, out: Path, steps: int) -> list[str]:
    data = [f"--clean={corpus / 'clean.jsonl'}", f"--email={corpus / 'email.jsonl'}"]
    return ["tagger", *data, f"--base={bert}", f"--out={out}", f"--max_minutes={steps / 60}",
            "--batch_tokens=512", "--vocab_size=60", "--learning_rate=3e-3"]  # fmt: skip


@pytest.fixture(scope="module")
def trained(bert: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 150 steps; log.txt holds what it printed."""
    out = tmp_path_factory.mktemp("tagger")
    log, out_lines = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out_lines),
        contextlib.redirect_stderr(log),
    ):
        clock(patch)
        assert main(arguments(bert, corpus, out, 150)) == 0
    (out / "log.txt").write_text(log.getvalue() + out_lines.getvalue())
    return out


def test_the_loss_falls(trained: Path) -> None:
    log = (trained / "log.txt").read_text()
    first, *_, last = map(float, re.findall(r"loss (\d+\.\d+)", log))
    assert last < 0.8 * first
    figures = json.loads(log.splitlines()[-1])
    assert figures["step"] == 150 and 0 < figures["precision"] <= 1 and 0 < figures["recall"] <= 1


def test_a_killed_run_goes_on_and_ends_as_an_unbroken_one(
    bert: Path,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(loop, "_CHECKPOINT_SECONDS", 5)
    clock(monkeypatch)
    assert main(arguments(bert, corpus, tmp_path / "whole", 40)) == 0
    clock(monkeypatch, kill_at=33)
    with pytest.raises(Killed):
        main(arguments(bert, corpus, tmp_path / "killed", 40))
    (tmp_path / "killed" / "checkpoint.tmp").write_bytes(b"half a file, as a kill leaves it")
    clock(monkeypatch)
    capsys.readouterr()
    assert main(arguments(bert, corpus, tmp_path / "killed", 40)) == 0
    assert "resumed at step 30" in capsys.readouterr().err
    whole, resumed = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=False) for name in ("whole", "killed")
    )
    assert whole["state"] == resumed["state"] and whole["state"]["pool"] > 1
    assert all(torch.equal(whole["model"][name], resumed["model"][name]) for name in whole["model"])


def test_embeddings_stay_and_the_rest_learns(bert: Path, trained: Path) -> None:
    torch.manual_seed(0)
    fresh, _ = tagger.build(str(bert), len(json.loads((trained / "tags.json").read_text())["tags"]))
    before, after = fresh.state_dict(), torch.load(trained / "checkpoint.pt", weights_only=False)["model"]
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]) == name.startswith("encoder.embeddings"), name


def test_tags_are_the_frequent_ones_of_corrupted_sentences(trained: Path) -> None:
    tags = json.loads((trained / "tags.json").read_text())["tags"]
    assert tags[:2] == [KEEP, WRONG] and len(set(tags)) == len(tags) <= 60
    assert {"-", "Aa", ">."} <= set(tags)


def test_held_out_texts_are_few_and_the_same_in_every_file() -> None:
    texts = [f"Text {i}." for i in range(5000)]
    train, held = tagger._hold_out(texts)
    assert sorted(train + held) == sorted(texts) and not set(train) & set(held)
    assert 0.01 < len(held) / len(texts) < 0.03
    assert tagger._hold_out(texts[::-1])[1] == held[::-1]
    assert tagger._hold_out(["One."]) == (["One."], ["One."])


def test_the_threshold_is_where_it_pays_most() -> None:
    keep, wrong, other = 0, 1, 2
    #          P(wrong), label, likeliest fix
    words = [
        (0.95, 3, 3),
        (0.9, 3, other),
        (0.7, wrong, 3),
        (0.62, keep, 3),
        (0.3, 3, 3),
        *[(0.33, keep, 3)] * 9,
    ]
    chances = torch.full((len(words), 5), 1e-6)
    for row, (chance, _, fix) in zip(chances, words, strict=True):
        row[keep], row[fix] = 1 - chance, chance
    labels = torch.tensor([label for _, label, _ in words])

    class Knowing(torch.nn.Linear):
        """A model that is given its answers."""

        def forward(self, said: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return said.clone(), right

    halves = [(chances[:4].log(), labels[:4]), (chances[4:].log(), labels[4:])]
    batches = [loop.Batch(tuple(array.numpy() for array in half), 1, 1) for half in halves]
    figures = tagger.measure(Knowing(1, 1), batches)
    assert figures == {"threshold": 0.65, "precision": 1.0, "recall": 0.75, "fixed": 0.3333}


def test_a_row_labels_the_words_of_the_wrong_side(bert: Path) -> None:
    _, tokenizer = tagger.build(str(bert), 5)

    def row_of(bad: str, good: str, tags: tuple[str, ...]) -> tagger.Row | None:
        number = {tag: i for i, tag in enumerate((KEEP, WRONG, *tags))}
        ids = tokenizer.cls_token_id, tokenizer.sep_token_id
        return tagger.row_of(
            Pair(bad, good), lambda w: tokenizer(w, add_special_tokens=False).input_ids, number, *ids
        )

    row = row_of("send the the report", "Send you the report.", ("Aa", "-", ">."))
    assert row and row.labels == [2, 1, 0, 4]  # "you" is no tag of this vocabulary
    assert row.marks.shape == (4, FEATURES) and row.word_of == sorted(row.word_of)
    assert row.ids == tokenizer("send the the report").input_ids and len(row.word_of) == len(row.ids) - 2

    odd = row_of("\x00 send \u0301 me", "send me", ())  # characters without a token have no label
    assert odd and len(odd.labels) == len(odd.marks) == odd.word_of[-1] + 1
    assert row_of("", "send", ()) is None and row_of("send " * 127, "send", ()) is None


def test_words_of_a_batch_have_the_logits_of_each_text_alone(trained: Path, bert: Path) -> None:
    model, rows = torch_tagger(trained, bert)
    with torch.inference_mode():
        together, labels = model(*arrays(rows))
        alone = torch.cat([model(*arrays([row]))[0] for row in rows])
    assert len(labels) == sum(len(row.labels) for row in rows)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def arrays(rows: list[tagger.Row]) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in tagger.collate(rows, pad_token_id=0)]


def torch_tagger(folder: Path, base: Path, lora_r: int | None = None):
    """The model of a finished run, and TEXTS as rows for it."""
    tags = json.loads((folder / "tags.json").read_text())["tags"]
    model, tokenizer = tagger.build(str(base), len(tags), lora_r)
    model.load_state_dict(torch.load(folder / "checkpoint.pt", weights_only=False)["model"])
    number = {tag: i for i, tag in enumerate(tags)}
    ids = tokenizer.cls_token_id, tokenizer.sep_token_id
    rows = [
        tagger.row_of(
            Pair(text, text), lambda w: tokenizer(w, add_special_tokens=False).input_ids, number, *ids
        )
        for text in TEXTS
    ]
    return model.eval(), rows


def served(trained: Path, out: Path) -> Path:
    """The files of a finished run as they are served, at full precision."""
    out.mkdir()
    assert convert(["gguf", str(trained / "encoder"), str(out / "encoder.gguf"), "--type=F32"]) == 0
    for name in ("tags.json", "head.npz"):
        shutil.copy(trained / name, out)
    return out


def doubts_as_torch(folder: Path, model: torch.nn.Module, rows: list[tagger.Row]) -> bool:
    """Whether llama.cpp gives what torch does, and to some word a fix."""
    tags = json.loads((folder / "tags.json").read_text())["tags"]
    seen = []
    for row, words in zip(rows, ShippedTagger.load(folder).tag(TEXTS), strict=True):
        with torch.inference_mode():
            chances = model(*arrays([row]))[0].softmax(1).numpy()
        wrong = 1 - chances[:, tags.index(KEEP)]
        assert [word.wrong for word in words] == pytest.approx(wrong, abs=0.02)
        chances[:, [tags.index(KEEP), tags.index(WRONG)]] = 0
        assert [word.score for word in words] == pytest.approx(chances.max(1), abs=0.02)
        for word, chance in zip(words, chances, strict=True):
            *_, second, first = np.sort(chance)
            if first > second + 0.02:
                assert word.after == fix_of(word.text, tags[chance.argmax()])
                seen.append(word)
    return bool(seen)


def test_llama_cpp_doubts_what_torch_does(trained: Path, bert: Path, tmp_path: Path) -> None:
    assert doubts_as_torch(served(trained, tmp_path / "served"), *torch_tagger(trained, bert))


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_an_adapter_learns_over_weights_that_stay(
    trained: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(monkeypatch)
    out = tmp_path / "adapter"
    assert main([*arguments(trained, corpus, out, 40), "--lora_r=4"]) == 0
    assert not (out / "encoder").exists() and not (out / "head.npz").exists()
    before, after = (
        torch.load(folder / "checkpoint.pt", weights_only=True)["model"] for folder in (trained, out)
    )
    for name, tensor in before.items():
        as_base = name.replace("encoder.", "encoder.base_model.model.", 1)
        kept = next(after[each] for each in (name, as_base, _with_adapter(as_base)) if each in after)
        assert torch.allclose(tensor, kept, atol=2e-3), name  # the head went through float16

    folder, laid = served(trained, tmp_path / "served"), tmp_path / "served" / "adapter.gguf"
    plain = ShippedTagger.load(folder).tag(TEXTS)
    assert convert(["adapter", str(out / "adapter"), str(laid), f"--base={trained / 'encoder'}"]) == 0
    assert doubts_as_torch(folder, *torch_tagger(out, trained, 4))
    assert ShippedTagger.load(folder).tag(TEXTS) != plain

    laid.write_bytes(laid.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"adapter\.gguf"):
        ShippedTagger.load(folder)


def _with_adapter(name: str) -> str:
    """What a matrix is called once an adapter stands beside it."""
    module, _, parameter = name.rpartition(".")
    return f"{module}.base_layer.{parameter}"


def test_an_adapter_needs_an_earlier_run(
    bert: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments(bert, corpus, tmp_path / "out", 1), "--lora_r=4"]) == 2
    assert "--lora_r goes on from an earlier --out" in capsys.readouterr().err


def test_a_missing_base_is_one_line(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(tmp_path / "nothing", corpus, tmp_path / "out", 1)) == 2
    *notes, error = capsys.readouterr().err.splitlines()
    assert len(notes) == 1 and "tags make" in notes[0]
    assert str(tmp_path / "nothing") in error and "give --base" in error


def test_runs_that_began_as_one_are_averaged(
    bert: Path, corpus: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copytree(trained, tmp_path / "other"))
    saved = torch.load(other / "checkpoint.pt", weights_only=False)
    saved["model"] = {name: tensor + 0.25 for name, tensor in saved["model"].items()}
    torch.save(saved, other / "checkpoint.pt")
    out = tmp_path / "mean"
    command = [*arguments(bert, corpus, out, 1), "--average", str(trained)]
    assert main([*command, str(other)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["averaged"] == 2
    assert (out / "tags.json").read_text() == (trained / "tags.json").read_text()
    mean, first = np.load(out / "head.npz"), np.load(trained / "head.npz")
    assert all(np.allclose(mean[name], first[name] + 0.125, atol=2e-3) for name in first.files)

    (other / "tags.json").write_text('{"tags": ["", "?"]}')
    assert main([*command, str(other)]) == 2
    assert main([*command, str(tmp_path / "nowhere")]) == 2
    tags, nowhere = capsys.readouterr().err.splitlines()
    assert "other tags" in tags and str(tmp_path / "nowhere") in nowhere
