"""The reader: versions of a text in one row are read as they would be alone, and an adapter learns from labelled edits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from conversion.__main__ import main as convert
from space.proofread.edits import apply
from training.__main__ import main
from training.base import loop, reader
from training.base.pretrain import pretrained
from training.data.pairs import Pair

# peft 0.21.2 reads what transformers 5.23 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
PAIR = Pair(
    "She have recieved it at Monday morning, as we said.",
    "She has received it on Monday morning, as we said.",
)


def test_edits_are_labelled_by_the_correction() -> None:
    made = dict((edit.after, right) for edit, right in reader.labelled(PAIR, real=True))
    assert made["received"] and made["has"] and made["on"]
    assert not all(made.values())
    clean = Pair(PAIR.good, PAIR.good)
    assert not any(right for _, right in reader.labelled(clean, real=True))
    # Beside its corrections a real text may hold mistakes that nobody mended; one with mistakes put in has no others.
    partly = Pair(PAIR.bad, PAIR.bad.replace("have", "has"))
    afters = [edit.after for edit, _ in reader.labelled(partly, real=True)]
    assert "has" in afters and "received" not in afters
    assert "received" in [edit.after for edit, right in reader.labelled(partly, real=False) if not right]


def test_a_row_is_read_as_its_versions_one_by_one(pruned: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(pruned)
    pools = reader.Pools(tokenizer, None, [PAIR], 0, 512)  # type: ignore[arg-type]
    edits = [edit for edit, _ in reader.labelled(PAIR, real=True)]
    text, *versions = (
        pools._tokens(each) for each in (PAIR.bad, *(apply(PAIR.bad, [edit]) for edit in edits))
    )
    short = reader.row_of(text[:12], [[*text[:5], 7, *text[6:12]]], [True], [0])
    row = reader.row_of(text, versions, [True] * len(versions), [0] * len(versions))
    model = reader._reading(pretrained(pruned)[0], 4).eval()
    *read, _, _ = map(torch.from_numpy, reader.collate([short, row], tokenizer.pad_token_id))
    with torch.no_grad():
        together = model(*read)[1:]
    alone = AutoModelForCausalLM.from_pretrained(
        pruned, dtype=torch.float32, attn_implementation="eager"
    ).eval()

    def likelihood(tokens: list[int], end: int) -> float:
        with torch.no_grad():
            chances = alone(torch.tensor([tokens])).logits[0].log_softmax(-1)
        return sum(chances[i - 1, tokens[i]].item() for i in range(1, end))

    for gain, version in zip(together, versions, strict=True):
        place = reader.version_of(text, version)
        expected = likelihood(version, place.end) - likelihood(text, place.end_of_text)
        assert gain.item() == pytest.approx(expected, abs=0.01)


def test_an_adapter_learns_which_edits_are_right(
    pruned: Path,
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "POOL", 24)
    out = tmp_path / "reader"
    arguments = [
        f"--model={pruned}", f"--clean={corpus / 'clean.jsonl'}", f"--email={corpus / 'clean.jsonl'}", f"--out={out}",
        "--lora_r=4", "--batch_tokens=1024", "--max_steps=20", "--learning_rate=0.01",
    ]  # fmt: skip
    assert main(["reader", *arguments]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[-1])["step"] == 20
    losses = [
        float(line.split("loss ")[1].split()[0]) for line in said.err.splitlines() if line.startswith("step ")
    ]
    assert len(losses) == 2 and losses[1] < losses[0]
    assert convert(["adapter", str(out / "adapter"), str(tmp_path / "a.gguf"), f"--base={pruned}"]) == 0


def test_without_a_model_it_says_what_to_give(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"--clean={corpus / 'clean.jsonl'}", f"--email={corpus / 'clean.jsonl'}"]
    assert main(["reader", f"--model={tmp_path / 'no'}", *texts, f"--out={tmp_path / 'out'}"]) == 2
    assert "training base" in capsys.readouterr().err
