"""From a fine-tune to the served file: what is measured, when it is put in place, what is refused, and the way back."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from training.__main__ import main
from training.evaluation import evaluate
from training.evaluation.suites import Case, Report, main_figures
from training.release.release import draw, reasons
from training.runs import experiments

LIMIT = "--limit=20"


@pytest.fixture(scope="module")
def tuned(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of sft on `base_model` leaves: its record and a LoRA, here of random numbers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    run = tmp_path_factory.mktemp("runs") / "mine"
    record = experiments.Experiment.start(run, "sft", {"model": str(base_model)}, {}, tracker="none")
    torch.manual_seed(0)
    lora = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    model = AutoModelForCausalLM.from_pretrained(base_model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft 0.21.2 reads what transformers 5.23 deprecates
        get_peft_model(model, lora).save_pretrained(run / "adapter")
    record.finish({})
    return run


@pytest.fixture(scope="module")
def garbled(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A merged model that answers nonsense, which the checks refuse."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("garbled") / "model"
    shutil.copytree(base_model, folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=3.0)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def models(small_gguf: Path, tmp_path: Path) -> Path:
    """A folder in which `base_model` is served."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(small_gguf, folder / "proofreader.gguf")
    return folder


def release(*arguments: object) -> int:
    return main(["release", *map(str, arguments)])


def result(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.slow
def test_a_run_is_released_and_taken_back(
    tuned: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, out = models / "proofreader.gguf", tmp_path / "out"
    before = target.read_bytes()
    usual = [tuned, f"--out={out}", f"--models_dir={models}", LIMIT]
    assert release(*usual) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out.splitlines()[-1])
    assert found["verified"] and found["why"] == [] and not found["released"]
    assert f"would be put in the place of {target}: give --replace" in captured.err
    assert set(found["figures"]) == {"served", "new"}
    assert {each["verdict"] for each in found["verdicts"]["sentences"].values()} <= {"better", "undecided"}
    assert Path(found["picture"]).is_file() and target.read_bytes() == before

    # With --replace nothing is done again but the replacing, and then there is nothing to replace.
    assert release(*usual, "--replace") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[-1]) == {**found, "released": True}
    assert captured.err.count(": done before") == 5 and ": begins" not in captured.err
    assert target.read_bytes() == Path(found["file"]).read_bytes() != before
    assert release(*usual, "--replace") == 0
    again = result(capsys)
    assert not again["released"] and again["why"] == ["it is what is served already"]

    assert release("--roll_back", f"--models_dir={models}") == 0
    assert result(capsys) == {"target": str(target), "rolled_back": True}
    assert target.read_bytes() == before and list(models.iterdir()) == [target]
    assert release("--roll_back", f"--models_dir={models}") == 2
    assert "no file was kept that proofreader.gguf has replaced" in capsys.readouterr().err


@pytest.mark.slow
def test_a_worse_model_is_not_released(
    garbled: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (models / "proofreader.gguf").read_bytes()
    assert release(garbled, f"--out={tmp_path / 'out'}", f"--models_dir={models}", "--replace", LIMIT) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out.splitlines()[-1])
    assert not found["released"] and any(reason.startswith("worse on sentences, ") for reason in found["why"])
    assert "not released: worse on sentences" in captured.err
    assert (models / "proofreader.gguf").read_bytes() == before


# ---- the decision ------------------------------------------------------------------------------------------


def reports(served: list[int], new: list[int]) -> evaluate.Reports:
    """Of two models that mend the sentences marked 1."""

    def report(mended: list[int]) -> Report:
        cases = [Case(str(i), "", [], {"corrected": [each, 1]}) for i, each in enumerate(mended)]
        return Report(dict(main_figures(evaluate.SUITES["sentences"].measures, cases)), cases)

    return {"served": {"sentences": report(served)}, "new": {"sentences": report(new)}}


@pytest.mark.parametrize(
    ("served", "new", "verdict", "why"),
    [
        ([1, 0] * 30, [1, 1] * 30, "better", []),
        ([1, 0] * 30, [1, 0] * 29 + [0, 0], "undecided", []),
        ([1, 1] * 30, [1, 0] * 30, "worse", ["worse on sentences, corrected_percent: 50.0, the served model 100.0; "
                                            "difference -50.0 ("]),
        ([], [], "undecided", ["nothing to judge by"]),
    ],
    ids=["better", "undecided", "worse", "no rows"],
)  # fmt: skip
def test_what_is_surely_worse_is_a_reason(
    served: list[int], new: list[int], verdict: str, why: list[str], tmp_path: Path
) -> None:
    both = reports(served, new)
    verdicts = evaluate.paired_figures(both)["served", "new"]
    assert verdicts["sentences"]["corrected_percent"]["verdict"] == verdict
    found = reasons(both, verdicts)
    assert len(found) == len(why) and all(a.startswith(b) for a, b in zip(found, why, strict=True))
    assert draw(tmp_path / "comparison.png", both).is_file()


# ---- refusals ----------------------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, *arguments: object) -> str:
    """The one line that a command says which does nothing."""
    capsys.readouterr()
    assert release(f"--models_dir={tmp_path / 'models'}", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and not (tmp_path / "out").exists()
    return captured.err


def test_bad_input_is_one_line(
    tuned: Path, base_model: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = f"--out={tmp_path / 'out'}"
    mail = tmp_path / "mail.jsonl"
    mail.write_text('{"subject": "no text"}\n')
    for arguments, said in (
        ((), "name the folder of a run of sft or prefer that has ended"),
        ((tuned,), "--out is missing"),
        ((tmp_path, out), "holds neither a run nor a model"),
        ((tmp_path / "nowhere", out), "holds neither a run nor a model"),
        ((tuned, f"--out={tuned}"), "is the folder of a run: name another"),
        ((base_model, f"--out={base_model / 'out'}"), "lies in the model's folder"),
        ((base_model, out, f"--base={base_model}"), "is a merged model: leave --base out"),
        ((tuned, out, "--base=nowhere"), "the base nowhere is neither a folder nor in the cache"),
        ((tuned, out, "--type=Q3_X"), "--type Q3_X: choose one of"),
        ((tuned, out, "--limit=0"), "--limit 0: give 1 or more"),
        ((tuned, out, "--suite=jfleg"), "this suite needs --data"),
        ((tuned, out, f"--data={mail}"), "a row has no"),
        ((tuned, out, "--data=nowhere.jsonl"), "nowhere.jsonl"),
        ((tuned, out, "--served=nobody"), "no such model"),
        ((tuned, "--roll_back"), "leave RUN and --replace out"),
        (("--roll_back",), "no file was kept that proofreader.gguf has replaced"),
    ):
        assert said in refused(capsys, tmp_path, *arguments), arguments


def test_a_run_that_has_not_ended_is_one_line(
    tuned: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tuned, run)
    record = json.loads((run / "run.json").read_text())
    for status in ("running", "stopped", "failed"):
        (run / "run.json").write_text(json.dumps(record | {"status": status}))
        assert f"the run is {status}, not done" in refused(capsys, tmp_path, run, f"--out={tmp_path / 'out'}")


def test_a_lora_of_another_base_is_one_line(
    tuned: Path, garbled: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shapes of this one fit, so that merging would say nothing."""
    out = f"--out={tmp_path / 'out'}"
    assert f"and {garbled} is another model" in refused(capsys, tmp_path, tuned, out, f"--base={garbled}")


def test_a_full_disk_is_one_line(
    tuned: Path,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10**9, 10**9 - 9, 9))
    assert f"{tmp_path} has 0.0 GB free" in refused(capsys, tmp_path, tuned, f"--out={tmp_path / 'out'}")
