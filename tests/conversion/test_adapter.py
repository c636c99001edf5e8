"""An adapter as a GGUF: laid over its base it reads as the merged model does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from conversion.__main__ import main
from space.errors import UserError
from space.proofread.edits import Edit
from space.proofread.llm.llama_cpp import LlamaCpp
from tests.conversion.conftest import save_adapter, save_llama

TEXT = "Please find attached the report that we discussed last week."
EDITS = [Edit(21, 24, "the", "a"), Edit(0, 6, "Please", "Do"), Edit(51, 51, "", ", we hope,")]


def served(folder: Path, out: Path) -> Path:
    """A model folder as a file of the name that is served, at full precision."""
    out.mkdir(exist_ok=True)
    assert main(["gguf", str(folder), str(out / "model.gguf"), "--type=F32"]) == 0
    return out / "model.gguf"


@pytest.fixture(scope="module")
def versioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for the prompt that the app speaks."""
    folder = save_llama(tmp_path_factory.mktemp("versioned") / "llama", num_key_value_heads=1)
    about = json.loads((folder / "proofreader.json").read_text()) | {"prompt_version": "2"}
    (folder / "proofreader.json").write_text(json.dumps(about))
    return folder


def test_it_reads_as_the_merged_model_does(versioned: Path, tmp_path: Path) -> None:
    adapter = save_adapter(versioned, tmp_path / "adapter")
    assert main(["merge", f"--base={versioned}", f"--adapter={adapter}", f"--out={tmp_path / 'merged'}"]) == 0
    plain, merged = served(versioned, tmp_path / "plain"), served(tmp_path / "merged", tmp_path / "whole")
    laid = tmp_path / "laid" / "reader" / "model.gguf"
    laid.parent.mkdir(parents=True)
    shutil.copy(plain, tmp_path / "laid")
    assert main(["adapter", str(adapter), str(laid), f"--base={versioned}"]) == 0
    engines = [LlamaCpp(path) for path in (plain, merged, laid.parents[1] / "model.gguf")]
    without, whole, over = (engine.gains(TEXT, EDITS) for engine in engines)
    assert over == pytest.approx(whole, abs=0.05)
    assert all(abs(one - other) > 0.2 for one, other in zip(without, over, strict=True))
    for engine in engines:
        engine.close()


def test_what_is_no_adapter_of_the_model_is_refused(
    versioned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = save_llama(tmp_path / "other", hidden_size=32, num_hidden_layers=3)
    adapter = save_adapter(other, tmp_path / "adapter")
    for changes, base, said in (
        ({}, versioned, "has no place for"),
        ({"use_dora": True}, other, "uses use_dora"),
        ({"peft_type": "IA3"}, other, "is a IA3 adapter"),
    ):
        config = json.loads((adapter / "adapter_config.json").read_text())
        (adapter / "adapter_config.json").write_text(json.dumps(config | changes))
        assert main(["adapter", str(adapter), str(tmp_path / "a.gguf"), f"--base={base}"]) == 2
        assert said in capsys.readouterr().err
        (adapter / "adapter_config.json").write_text(json.dumps(config))
    served(versioned, tmp_path)
    (tmp_path / "reader").mkdir()
    assert main(["adapter", str(adapter), str(tmp_path / "reader" / "model.gguf"), f"--base={other}"]) == 0
    with pytest.raises(UserError, match="reader/model.gguf: no adapter of this model"):
        LlamaCpp(tmp_path / "model.gguf")
