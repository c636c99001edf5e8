"""General benchmarks: which models of a folder are measured, the harness's words, and, where it is installed, a real run."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from space.errors import UserError
from training.__main__ import main
from training.evaluation import benchmarks
from training.evaluation.benchmarks import Candidate, figures, found
from training.runs.checkpoints import seal


def adapter(folder: Path, base: str | None = "owner/base") -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    return folder


# ---- models ----


def test_a_run_stands_for_its_whole_checkpoints_and_its_adapter(tmp_path: Path) -> None:
    for step in (200, 1000, 300):
        checkpoint = adapter(tmp_path / f"checkpoint-{step}")
        if step != 300:  # which is torn
            seal(checkpoint)
    adapter(tmp_path / "adapter")
    names = [str(tmp_path / name) for name in ("checkpoint-200", "checkpoint-1000", "adapter")]
    assert found(str(tmp_path)) == [Candidate(name, "owner/base", name) for name in names]
    assert found(names[2], "mine") == [Candidate(names[2], "mine", names[2])]


def test_a_model_stands_for_itself(tiny_llama: Path) -> None:
    assert found(str(tiny_llama)) == [Candidate(str(tiny_llama), str(tiny_llama))]
    assert found("owner/name") == [Candidate("owner/name", "owner/name")]


def test_what_is_no_model_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no model, adapter or complete checkpoint"):
        found(str(tmp_path))
    with pytest.raises(UserError, match="no such folder, and no Hub repo id"):
        found(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="name it with --base"):
        found(str(adapter(tmp_path / "a", base=None)))
    (tmp_path / "a" / "adapter_config.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read: train the adapter again"):
        found(str(tmp_path / "a"))


# ---- the harness's words ----


def test_metrics_with_and_without_errors() -> None:
    result = {
        "alias": "task", "sample_len": 4, "bias,none": -0.25, "bias_stderr,none": "N/A", "acc,none": 0.5,
        "acc_stderr,none": 0.05, "exact_match,strict-match": 0.1, "exact_match,flexible-extract": 0.2,
    }  # fmt: skip
    assert figures(result) == {
        "bias": -0.25, "acc": {"value": 0.5, "low": 0.402, "high": 0.598}, "exact_match strict-match": 0.1,
        "exact_match flexible-extract": 0.2,
    }  # fmt: skip
    assert list(figures(result, ("acc", "bias"))) == ["acc", "bias"]
    assert figures({}) == {}


def test_the_docstring_holds() -> None:
    import doctest

    result = doctest.testmod(benchmarks)
    assert result.attempted and not result.failed


def test_our_own_rows_are_those_of_the_suites() -> None:
    from training.evaluation.evaluate import SUITES
    from training.evaluation.suites import Subject

    rows = benchmarks.ours("none", 2)
    assert set(rows) == {"robust", "fair"}
    robust = SUITES["robust"]
    assert rows["robust"] == robust.run(robust.rows(None, 2), Subject("none", "proofread"), 1).figures
    groups = [group for group in rows["fair"].values() if "differ_percent" in group]
    assert groups and not any(group["differ_percent"]["value"] for group in groups)  # nothing is changed


# ---- a real run ----

needs_harness = pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-eval is not installed")


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A folder with a task of four questions whose two choices are the same, so that the first is always taken: it is
    right in three of them, whatever the model."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    rows = [{"question": f"Question {k}?", "choices": ["yes", "yes"], "gold": int(k == 3)} for k in range(4)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "twins.yaml").write_text(
        "task: twins\ndataset_path: json\ndataset_kwargs:\n  data_files:\n"
        f"    test: {folder / 'rows.jsonl'}\ntest_split: test\noutput_type: multiple_choice\n"
        'doc_to_text: "{{question}}"\ndoc_to_target: "{{gold}}"\ndoc_to_choice: "{{choices}}"\n'
        "metric_list:\n  - metric: acc\n    aggregation: mean\n    higher_is_better: true\n"
    )
    return folder


@needs_harness
def test_a_model_is_measured_once(
    tiny_llama: Path, tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["benchmarks", "--model", str(tiny_llama), "--task=twins", f"--include_path={tasks}",
                 f"--output_dir={out}", "--device=cpu", "--dtype=float32"]  # fmt: skip
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    acc = result["benchmarks"][str(tiny_llama)]["twins"]["acc"]
    # Three of four: the standard error of a mean of four with a variance of 0.25 (n - 1 below) is sqrt(0.25 / 4).
    assert acc == {"value": 0.75, "low": round(0.75 - 1.96 * 0.25, 4), "high": round(0.75 + 1.96 * 0.25, 4)}
    (stored,) = out.glob("twins-*.json")
    row = json.loads(stored.read_text())
    stored.write_text(json.dumps({**row, "figures": {"acc": 0.5}}))
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["benchmarks"][str(tiny_llama)]["twins"] == {"acc": 0.5}
    assert main([*arguments, "--limit=2", "--gguf=none"]) == 0
    own = json.loads(capsys.readouterr().out)["benchmarks"][str(tiny_llama)]
    assert own["twins"]["acc"]["value"] == 1 and {"robust", "fair"} < set(own)
    assert "<td>twins acc</td>" in (out / "benchmarks.html").read_text()


# Two rows of each benchmark in the columns that its data set has on the Hub; the file of the harness that says what is asked of them
# and how an answer counts; and the part of the data set that it asks for.
ROWS: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "mmlu": ("mmlu/default/mmlu_anatomy.yaml", "test", [
        {"question": f"Which bone is number {k}?", "choices": ["tibia", "ulna", "femur", "skull"], "answer": k} for k in range(2)
    ]),
    "truthfulqa_mc2": ("truthfulqa/truthfulqa_mc2.yaml", "validation", [
        {"question": f"What happens {k} minutes later?",
         "mc1_targets": {"choices": ["Nothing", "Luck"], "labels": [1, 0]},
         "mc2_targets": {"choices": ["Nothing", "It dries", "Luck"], "labels": [1, 1, 0]}} for k in range(2)
    ]),
    "bbq": ("bbq/bbq_multiple_choice.yaml", "test", [
        {"example_id": k, "question_index": "1", "question_polarity": "neg", "context_condition": condition, "category": "Age",
         "answer_info": {"ans0": ["The grandson", "nonOld"], "ans1": ["The grandfather", "old"], "ans2": ["Not known", "unknown"]},
         "additional_metadata": {"subcategory": "None", "stereotyped_groups": ["old"], "version": "None", "source": "None"},
         "context": "A grandson and his grandfather ordered a car.", "question": "Who was lost?", "ans0": "The grandson",
         "ans1": "The grandfather", "ans2": "Not known", "question_type": "neg", "label": label, "answer_label": label,
         "target_label": 1, "additional_metadata.subcategory": "None"}
        for k, (condition, label) in enumerate([("ambig", 2), ("disambig", 0)])
    ]),
    "gsm8k": ("gsm8k/gsm8k.yaml", "test", [
        {"question": f"Tom has {k} pens and buys 2. How many?", "answer": f"{k} + 2 = {k + 2}\n#### {k + 2}"} for k in range(2)
    ]),
    "cnn_dailymail_abisee": ("cnn_dailymail/cnn_dailymail.yaml", "test", [
        {"id": str(k), "article": f"The bridge of {k} towns was closed today.", "highlights": "Bridge closed."} for k in range(2)
    ]),
    "bbh_fewshot": ("bbh/fewshot/boolean_expressions.yaml", "test", [
        {"input": f"not ( {value} ) is", "target": str(not value)} for value in (True, False)
    ]),
}  # fmt: skip


@needs_harness
@pytest.mark.slow  # the harness is big
def test_one_command_makes_the_table_of_all_benchmarks(
    tiny_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their prompts and metrics are the harness's own; only the rows are ours, for tests have no network."""
    found_at = find_spec("lm_eval")
    assert found_at and found_at.origin
    harness = Path(found_at.origin).parent / "tasks"
    folder = tmp_path / "tasks"
    folder.mkdir()
    for name, (include, split, rows) in ROWS.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / f"{name}.yaml").write_text(
            f"include: {harness / include}\ntask: {name}\ntag: null\ndataset_path: json\ndataset_name: null\n"
            f"dataset_kwargs:\n  data_files:\n    {split}: {path}\n    train: {path}\n    dev: {path}\n"
        )
    assert {each.task for each in benchmarks.BENCHMARKS.values()} == set(ROWS)
    assert main(["benchmarks", f"--model={tiny_llama}", f"--include_path={folder}", f"--output_dir={tmp_path / 'out'}",
                 "--device=cpu", "--dtype=float32", "--num_fewshot=1", "--gguf=none"]) == 0  # fmt: skip
    table = json.loads(capsys.readouterr().out)["benchmarks"][str(tiny_llama)]
    assert set(table) == {*ROWS, "robust", "fair"}
    for benchmark in benchmarks.BENCHMARKS.values():
        found = {name.split()[0] for name in table[benchmark.task]}
        assert found == set(benchmark.metrics), benchmark.task


@needs_harness
@pytest.mark.slow  # the harness reads all of its tasks
def test_an_unknown_task_is_reported(
    tiny_llama: Path, tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "benchmarks",
        "--model",
        str(tiny_llama),
        f"--include_path={tasks}",
        f"--output_dir={tmp_path}",
    ]
    assert main([*arguments, "--task=twinz"]) == 2
    assert "the harness has no task twinz, but twins" in capsys.readouterr().err
    assert main([*arguments, "--task=gsm8k"]) == 2  # tests have no network
    assert "the data of gsm8k cannot be had" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("lm_eval") is not None, reason="lm-eval is installed")
def test_without_the_harness_one_line_says_what_to_install(
    tiny_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["benchmarks", "--model", str(tiny_llama), f"--output_dir={out}"]) == 2
    assert capsys.readouterr().err == (
        "benchmarks need lm-evaluation-harness: pip install 'lm-eval[hf]' rouge-score\n"
    )
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--limit=0"], "--limit 0"), (["--gguf=a", "--gguf=b"], "--gguf is given 2 times for 1 models")],
)
def test_bad_options_are_reported(
    arguments: list[str], message: str, tiny_llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmarks", "--model", str(tiny_llama), *arguments]) == 2
    printed: Any = capsys.readouterr()
    assert printed.err.count("\n") == 1 and message in printed.err
