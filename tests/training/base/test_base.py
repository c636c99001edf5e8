"""A folder out of a GGUF: what it was made from, as far as its type keeps that, and trainable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from conversion.__main__ import main as convert
from training.__main__ import main

TEXTS = ("Please recieve it.", "We’ve  two\n\nlines", "naïve 1234 <|end|>")


@pytest.mark.parametrize("kind", ["F16", pytest.param("Q8_0", marks=pytest.mark.slow)])
def test_the_folder_is_what_the_file_was_made_from(kind: str, pruned: Path, tmp_path: Path) -> None:
    half, file, out = tmp_path / "f16.gguf", tmp_path / "model.gguf", tmp_path / "base"
    assert convert(["gguf", str(pruned), str(half), "--type=F16"]) == 0
    if kind == "F16":
        file = half
    else:
        assert convert(["quantize", str(half), str(file), f"--type={kind}"]) == 0
    assert main(["base", f"--model={file}", f"--out={out}"]) == 0
    old, new = (AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in (pruned, out))
    assert old.keys() == new.keys()
    tolerance = 1e-3 if kind == "F16" else 1e-2
    for name, tensor in old.items():
        torch.testing.assert_close(new[name], tensor, rtol=tolerance, atol=tolerance, msg=name)
    before, after = (AutoTokenizer.from_pretrained(folder) for folder in (pruned, out))
    assert [after(text).input_ids for text in TEXTS] == [before(text).input_ids for text in TEXTS]
    assert after.chat_template == before.chat_template
    assert (after.bos_token, after.eos_token, after.pad_token) == (
        before.bos_token, before.eos_token, before.pad_token,
    )  # fmt: skip
    about = [json.loads((folder / "proofreader.json").read_text()) for folder in (pruned, out)]
    assert about[0] == about[1]


def test_what_cannot_be_taken_apart_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pruned: Path
) -> None:
    tagger = Path("space/models/tagger/encoder.gguf")
    for given, said in (
        ([f"--model={tagger}", f"--out={tmp_path / 'new'}"], "Llama-3's way of splitting"),
        ([f"--model={tmp_path / 'no.gguf'}", f"--out={tmp_path / 'new'}"], "no.gguf"),
        ([f"--out={pruned}"], "is not empty"),
    ):
        assert main(["base", *given]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
    assert not (tmp_path / "new").exists()
