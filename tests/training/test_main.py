"""The shell of the training room: one module a command, either spelling of an option, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from training.__main__ import COMMANDS, main
from training.data import pairs

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0 and capsys.readouterr().out.startswith(f"usage: python -m training {command}")


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = (
        "import sys\nfrom training.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.startswith('training.')), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stderr.strip() == "['training.__main__', 'training.runs', 'training.runs.checkpoints']"
    assert all(f"  {command}" in ran.stdout for command in COMMANDS)


@pytest.mark.parametrize("option", ["--max-steps=x", "--max_steps=x"])
def test_options_are_known_by_either_spelling(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sft", option])
    assert "argument --max_steps: invalid int value: 'x'" in capsys.readouterr().err


def test_a_value_keeps_its_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sft", "--recipe", "no-such_recipe.yaml"]) == 2
    assert "there is no recipe no-such_recipe.yaml" in capsys.readouterr().err


def test_memory_that_ran_out_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pairs, "run", lambda args: torch.empty(2**60, dtype=torch.uint8))
    assert main(["pairs", "--clean=a", "--email=b", "--out=c"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "Memory ran out: try smaller batches, shorter rows or a smaller model."
    ]


def test_a_file_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "We will see."}\n')
    assert (
        main(["pairs", f"--clean={texts}", f"--email={texts}", "--rows=1", f"--out={texts}/pairs.jsonl"]) == 1
    )
    assert capsys.readouterr().err == f"{texts}: File exists\n"


def test_a_bad_recipe_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("lora_rank: 4\n")
    assert main(["sft", f"--recipe={recipe}"]) == 2
    assert capsys.readouterr().err == f"{recipe}: there is no option 'lora_rank'; did you mean 'lora_r'?\n"
