"""From flags to a model: what is trained on, what is held out, when a model is released, and a run that was killed."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from feedback.__main__ import main as feedback
from feedback.hub import Dataset, Sync
from feedback.journal import Journal
from feedback.record import Record
from space.errors import UserError
from space.proofread.edits import diff
from tests.feedback.conftest import REPO, dataset, hub  # noqa: F401 (fixtures, which pytest finds by name)
from tests.feedback.hub_server import HubServer
from tests.training.release import shuffled_flags
from training.__main__ import main
from training.release import retrain
from training.release.feedback_rows import is_held_out, make_rows
from training.runs import experiments
from training.runs.steps import fingerprint

ROOT = Path(__file__).parents[3]
NAMES = ("Tom", "Anna", "Priya", "Marek", "Chloe", "Wei")
SLIPS = (
    ("I has recieved the {}.", "I have received the {}."),
    ("Please send me teh {}.", "Please send me the {}."),
    ("We was late with the {}.", "We were late with the {}."),
    ("The {} are broken again.", "The {} is broken again."),
    ("She have seen the {}.", "She has seen the {}."),
)
THINGS = (
    "report",
    "invoice",
    "contract",
    "printer",
    "order",
    "letter",
    "folder",
    "ticket",
    "offer",
    "parcel",
)


def email(number: int) -> tuple[str, str, str]:
    """A draft, what it should be, and a rewrite that mends half of it; each number has its own."""
    name, first, second = NAMES[number % 6], SLIPS[number % 5], SLIPS[(number // 5) % 5]
    one, two = THINGS[(number // 25) % 10], f"{THINGS[(number // 6) % 10]} of week {number}"
    bad, good, half = (
        [first[i].format(one), second[j].format(two), "I hope that you are well today."]
        for i, j in ((0, 0), (1, 1), (1, 0))
    )
    return tuple(f"Hi {name},\n\n{' '.join(text)}" for text in (bad, good, half))  # type: ignore[return-value]


def flag(number: int, **fields: Any) -> Record:
    """Half of them are corrected, some accepted, some accepted in part, a few unfair."""
    draft, good, half = email(number)
    own: dict[str, Any] = {"draft": draft, "rewrite": half, "consent": "1", "options": {"mode": "proofread"}}
    match number % 6:
        case 0:
            own |= {"rewrite": good, "verdict": "good"}
        case 1:
            verdicts = ["rejected", "accepted"]
            changes = [each.to_dict() for each in diff(draft, half)]
            own |= {"verdict": "good", "changes": tuple(
                change | {"verdict": verdicts[k % 2]} for k, change in enumerate(changes))}  # fmt: skip
        case 2 if number % 30 == 2:
            own |= {"verdict": "bad", "corrected": good, "reasons": ("rude",)}
        case _:
            own |= {"verdict": "bad", "corrected": good, "reasons": ("missed mistake",)}
    return Record(**(own | fields))


def journal(folder: Path, records: list[Record]) -> Path:
    journal = Journal(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for record in records:
        journal.append(record.to_dict())
    journal.close()
    return folder


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    retrain.add_arguments(parser)
    return parser.parse_args(["--base=none", "--output_dir=none", *arguments])


# ---- rows --------------------------------------------------------------------------------------------------


def rows_of(tmp_path: Path, records: list[Record], *arguments: str) -> tuple[dict[str, Any], Path]:
    folder = tmp_path / "rows"
    flags = journal(tmp_path / "flags", records)
    replayed = any(argument.startswith("--replay") for argument in arguments)
    alone = [] if replayed else ["--replay_share=0"]
    return make_rows(options(f"--folder={flags}", *alone, *arguments), folder), folder


def test_what_is_held_out_is_not_trained_on(tmp_path: Path) -> None:
    counts, folder = rows_of(tmp_path, [flag(number) for number in range(60)])
    train, pairs = (read(folder / "train" / f"{kind}.jsonl") for kind in ("completions", "preferences"))
    held_out = read(folder / "held_out" / "completions.jsonl")
    assert counts == {
        "sentences": len(train),
        "replay": 0,
        "pairs": len(pairs),
        "held_out": len(held_out),
    }
    assert 4 <= len(held_out) <= 20 and len(train) > 40 and len(pairs) > 20
    seen = {row["draft"] for row in train} | {row["prompt"] for row in pairs}
    for row in held_out:
        assert not any(sentence in seen for sentence in row["prompt"].split("\n\n")[1].split(". "))
        assert not any(draft in row["prompt"] for draft in seen)
    # Sentences, not emails; mistakes, and no more right ones than the base was trained on.
    assert all("\n" not in row["draft"] for row in train)
    same = sum(row["draft"] == row["corrected"] for row in train)
    assert same <= 0.23 * len(train)
    assert all(row["chosen"] != row["rejected"] for row in pairs)


def test_the_share_that_is_held_out_stays_the_same() -> None:
    drafts = [email(number)[0] for number in range(300)]
    small = {draft for draft in drafts if is_held_out(draft, 0.1)}
    large = {draft for draft in drafts if is_held_out(draft, 0.3)}
    assert small < large
    assert 15 <= len(small) <= 45 and 65 <= len(large) <= 115
    assert all(is_held_out("  " + draft.upper().replace("\n", "\r\n"), 0.1) for draft in small)


def test_a_held_out_draft_has_what_is_best_known_of_it(tmp_path: Path) -> None:
    """Three people say something of each draft: one took the rewrite, one sorted its changes, one wrote the text anew."""
    numbers = [number for number in range(200) if is_held_out(email(number)[0], 0.2)][:3]
    accepted = [flag(number, rewrite=email(number)[1], verdict="good", corrected="", changes=(), reasons=())
                for number in numbers]  # fmt: skip
    sorted_ = []
    for number in numbers[:2]:
        draft, good, _ = email(number)
        changes = [each.to_dict() | {"verdict": "accepted"} for each in diff(draft, good)]
        changes[0]["verdict"] = "rejected"
        sorted_.append(
            flag(number, rewrite=good, verdict="good", corrected="", changes=tuple(changes), reasons=())
        )
    wrote = [
        flag(number, verdict="bad", corrected=f"{email(number)[1]} Bye.", changes=(), reasons=("other",))
        for number in numbers[:1]
    ]
    _, folder = rows_of(tmp_path, [*accepted, *sorted_, *wrote, *(flag(number) for number in (3, 4, 9))])
    rows = {row["prompt"]: row for row in read(folder / "held_out" / "completions.jsonl")}
    first, second, third = (rows[email(number)[0]] for number in numbers)
    assert (first["source"], first["references"], first["rejected"]) == (
        "corrected",
        [wrote[0].corrected],
        [],
    )
    assert (second["source"], second["rejected"]) == ("changes", [email(numbers[1])[1]])
    assert second["references"][0] not in (email(numbers[1])[0], email(numbers[1])[1])
    assert (third["source"], third["references"]) == ("accepted", [email(numbers[2])[1]])
    assert [row["ids"] for row in (first, second, third)] == [
        [wrote[0].id],
        [sorted_[1].id],
        [accepted[2].id],
    ]


def test_replay_and_evaluation(tmp_path: Path) -> None:
    records = [flag(number) for number in range(30) if number % 6]  # none accepted
    clean = [{"draft": f"Row {k} are here.", "corrected": f"Row {k} is here."} for k in range(200)]
    replay = written(tmp_path / "replay.jsonl", clean)
    judged = written(
        tmp_path / "judged.jsonl",
        [{"source": row["draft"], "references": [row["corrected"]]} for row in clean[:195]],
    )
    counts, folder = rows_of(
        tmp_path, records, f"--replay={replay}", f"--evaluation={judged}", "--replay_share=0.25"
    )
    replayed = [row for row in read(folder / "train" / "completions.jsonl") if row["draft"].startswith("Row")]
    assert counts["replay"] == len(replayed) <= 5  # the rest is judged by
    (tmp_path / "judged.jsonl").write_text("\n")
    counts, _ = rows_of(tmp_path, [], f"--replay={replay}", "--replay_share=0.25")
    assert counts["replay"] == round(counts["sentences"] / 3)


def test_an_answer_that_is_judged_by_is_not_learnt_from_another_draft(tmp_path: Path) -> None:
    judged = written(
        tmp_path / "judged.jsonl", [{"source": "We has a plan.", "references": ["We have a plan."]}]
    )
    replay = written(
        tmp_path / "replay.jsonl",
        [
            {"draft": "We had has a plan.", "corrected": "We have a plan."},
            {"draft": "A has.", "corrected": "A had."},
        ],
    )
    draft = "Hi Tom,\n\nWe haves a plan. Teh end is near."
    records = [
        Record(draft=draft, rewrite=draft, verdict="bad", corrected="Hi Tom,\n\nWe have a plan. The end is near.",
               consent="1", options={"mode": "proofread"})
    ]  # fmt: skip
    _, folder = rows_of(
        tmp_path, records, f"--evaluation={judged}", f"--replay={replay}", "--held_out_share=0", "--replay_share=0.9"
    )  # fmt: skip
    train = {row["draft"] for row in read(folder / "train" / "completions.jsonl")}
    assert "Teh end is near." in train and "A has." in train
    assert not train & {"We haves a plan.", "We had has a plan."}
    pairs = read(folder / "train" / "preferences.jsonl")
    assert [row["prompt"] for row in pairs] == ["Teh end is near."]


def test_without_a_file_generated_mail_is_replayed(tmp_path: Path) -> None:
    records = [flag(number) for number in range(24) if number % 6]
    counts, folder = rows_of(tmp_path, records, "--replay_share=0.5")
    replayed = [row for row in read(folder / "train" / "completions.jsonl") if not row["ids"]]
    assert len(replayed) == counts["replay"] == counts["sentences"] > 10
    changed = sum(row["draft"] != row["corrected"] for row in replayed)
    assert 0 < changed < len(replayed) and all(len(row["corrected"].split()) > 1 for row in replayed)


def test_what_was_accepted_is_replayed_and_what_was_written_or_sorted_is_learnt(tmp_path: Path) -> None:
    records = [flag(number) for number in range(120)]
    sources = {
        record.id: "accepted" if number % 6 == 0 else "learnt" for number, record in enumerate(records)
    }
    counts, folder = rows_of(tmp_path, records, "--replay_share=0.5", "--held_out_share=0.1")
    rows = [
        (sources[row["ids"][0]], row) for row in read(folder / "train" / "completions.jsonl") if row["ids"]
    ]
    accepted = sum(source == "accepted" for source, _ in rows)
    assert 0 < accepted <= counts["replay"] / 2 and len(rows) - accepted == counts["sentences"]
    of_sorted = {record.id for number, record in enumerate(records) if number % 6 == 1}
    assert any(row["ids"][0] in of_sorted for _, row in rows)


def test_accepted_rewrites_alone_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no text to train on: every draft is held out, was accepted"):
        rows_of(tmp_path, [flag(number) for number in range(0, 60, 6)])


def test_a_replay_file_without_the_columns_is_one_line(tmp_path: Path) -> None:
    replay = written(tmp_path / "replay.jsonl", [{"text": "a"}])
    with pytest.raises(UserError, match="row 1: it needs draft and corrected, its columns are text"):
        rows_of(tmp_path, [flag(3), flag(4)], f"--replay={replay}")


def test_mode_and_spelling_of_the_flag_count(tmp_path: Path) -> None:
    polish = flag(3, options={"mode": "polish"})
    british = Record(
        draft="Hi Tom,\n\nThe color of it are nice.", rewrite="Hi Tom,\n\nThe colour of it are nice.", verdict="bad",
        corrected="Hi Tom,\n\nThe colour of it is nice.", consent="1", options={"dialect": "british"},
    )  # fmt: skip
    formal = flag(4, options={"mode": "formal"})  # what lists change is nothing for a model to learn
    _, folder = rows_of(tmp_path, [polish, british, formal], "--held_out_share=0")
    rows = {row["draft"]: row for row in read(folder / "train" / "completions.jsonl")}
    assert rows["The color of it are nice."]["corrected"] == "The color of it is nice."
    assert {row["mode"] for row in rows.values() if row["ids"] == [polish.id]} == {"polish"}
    assert not any(formal.id in row["ids"] for row in rows.values())


def test_what_is_forgotten_is_forgotten_here_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [flag(number) for number in range(40)]
    _, folder = rows_of(tmp_path, records)
    train = folder / "train" / "completions.jsonl"
    gone, before = read(train)[0]["ids"], fingerprint(train)
    ids = [argument for each in gone for argument in ("--id", each)]
    assert feedback(["forget", f"--folder={tmp_path / 'flags'}", *ids]) == 0
    left = "".join(path.read_text() for path in folder.rglob("*.jsonl"))
    assert gone[0] not in left and records[1].id in left
    assert fingerprint(train) != before  # so that what follows is done again


def test_the_dataset_on_the_hub_is_pulled(hub: HubServer, dataset: Dataset, tmp_path: Path) -> None:  # noqa: F811
    records = [flag(number) for number in range(20)]
    Sync(journal(tmp_path / "elsewhere", records), dataset).step()
    counts = make_rows(options(f"--dataset={REPO}"), tmp_path / "rows")
    assert counts["sentences"] > 10
    ids = {each for row in read(tmp_path / "rows" / "train" / "completions.jsonl") for each in row["ids"]}
    assert ids <= {record.id for record in records}


def test_an_export_is_taken_as_it_is(tmp_path: Path) -> None:
    flags = journal(tmp_path / "flags", [flag(number) for number in range(20)])
    assert feedback(["export", f"--folder={flags}", f"--output={tmp_path / 'export'}"]) == 0
    here = make_rows(options(f"--export={tmp_path / 'export'}"), tmp_path / "rows")
    assert here == make_rows(options(f"--folder={flags}"), tmp_path / "others")


def test_copies_of_an_export_are_forgotten_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = journal(tmp_path / "flags", [flag(number) for number in range(20)])
    monkeypatch.setenv("FEEDBACK_DIR", str(flags))
    assert feedback(["export", f"--folder={flags}", f"--output={tmp_path / 'export'}"]) == 0
    make_rows(options(f"--export={tmp_path / 'export'}", "--replay_share=0"), tmp_path / "rows")
    train = tmp_path / "rows" / "train" / "completions.jsonl"
    (gone, *_) = read(train)[0]["ids"]
    assert feedback(["forget", f"--folder={flags}", "--id", gone]) == 0
    assert gone not in train.read_text()


# ---- refusals ----------------------------------------------------------------------------------------------


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with something under the served name: it is not opened before there is a model to hold against it."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "proofreader.gguf").touch()
    return tmp_path / "models"


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "has no feedback that makes a training row yet"),
        ([flag(number, reasons=("rude",), verdict="bad", corrected="", changes=()) for number in (0, 3)],
         "has no feedback that makes a training row yet"),
        ([flag(number, reasons=("rude",), verdict="bad", corrected=email(number)[1]) for number in (0, 3)],
         "rows are in quarantine: go through them with python -m feedback review"),
    ],
    ids=["empty", "useless", "quarantined"],
)  # fmt: skip
def test_feedback_without_a_row_is_one_line(
    records: list[Record], said: str, pruned: Path, models: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    flags = journal(tmp_path / "flags", records)
    assert main(["retrain", f"--base={pruned}", f"--models_dir={models}", f"--folder={flags}",
                 f"--output_dir={tmp_path / 'run'}", "--tracker=none"]) == 2  # fmt: skip
    lines = [line for line in capsys.readouterr().err.splitlines() if line != "rows: begins"]
    assert len(lines) == 1 and said in lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--base=nowhere"], "--base nowhere is no folder"),
        (["--served=nobody"], "no such model"),
        (["--type=Q3_X"], "--type Q3_X: choose one of"),
        (["--held_out_share=1.5"], "--held_out_share 1.5: give 0 to 0.9"),
        (["--held_out_share=0"], "leaves nothing to judge by"),
        (["--limit=0"], "--limit 0: give 1 or more"),
        (["--min_pairs=0"], "--min_pairs 0: give 1 or more"),
        (["--margin=nan"], "--margin nan: give 0 to 100"),
        (["--replay=none.jsonl"], "none.jsonl does not exist"),
        (["--evaluation=/dev/null"], "/dev/null does not exist"),
        (["--sft_recipe=nowhere.yaml"], "there is no recipe nowhere.yaml"),
        (["--folder=nowhere"], "There is no feedback folder nowhere"),
        (["--export=nowhere"], "nowhere is no export"),
    ],
)
def test_bad_settings_are_one_line(
    arguments: list[str], said: str, pruned: Path, models: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    usual = [
        f"--base={pruned}",
        f"--models_dir={models}",
        f"--output_dir={tmp_path / 'run'}",
        "--tracker=none",
    ]
    assert main(["retrain", *usual, *arguments]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line != "rows: begins"]
    assert len(lines) == 1 and said in lines[0]


def test_what_would_fail_after_hours_is_said_before_feedback_is_read(
    pruned: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, recipe = tmp_path / "base", tmp_path / "four_bits.yaml"
    shutil.copytree(pruned, base)
    recipe.write_text("load_in_4bit: true\n")
    usual = [
        f"--models_dir={models}",
        f"--output_dir={tmp_path / 'run'}",
        "--tracker=none",
        "--folder=nowhere",
    ]
    assert main(["retrain", f"--base={base}", f"--sft_recipe={recipe}", *usual]) == 2
    assert "needs bitsandbytes" in capsys.readouterr().err
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    tokenizer["model"]["ignore_merges"] = False
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert main(["retrain", f"--base={base}", *usual]) == 2
    assert "ignore_merges" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_what_does_not_fit_is_said_before_feedback_is_read(
    pruned: Path, giant: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    usual = [
        f"--models_dir={models}",
        f"--output_dir={tmp_path / 'run'}",
        "--tracker=none",
        "--folder=nowhere",
    ]
    assert main(["retrain", f"--base={giant}", *usual]) == 2
    assert "does not fit: about" in capsys.readouterr().err
    texts = written(tmp_path / "texts.jsonl", [{"text": "I has it."}])
    assert main(["retrain", f"--base={pruned}", f"--evaluation={texts}", *usual]) == 2
    assert f"{texts}: a row has no 'references'" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10**9, 10**9 - 9, 9))
    assert main(["retrain", f"--base={pruned}", *usual]) == 2
    assert f"{tmp_path} has 0.0 GB free" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# ---- all of it ---------------------------------------------------------------------------------------------


@pytest.fixture
def garbler(base_model: Path, tmp_path: Path) -> Path:
    """A GGUF of a model that answers nonsense, which the checks refuse: any model that follows its evidence beats it."""
    import torch
    from transformers import AutoModelForCausalLM

    from conversion.__main__ import main as convert

    folder = tmp_path / "garbler"
    shutil.copytree(base_model, folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=3.0)
    model.save_pretrained(folder)
    path = tmp_path / "served" / "proofreader.gguf"
    path.parent.mkdir()
    assert convert(["gguf", str(folder), str(path)]) == 0
    return path


def killed_at(line: str, arguments: list[str]) -> list[str]:
    """What a run says until it says the line, at which it is killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "training", *arguments], stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stderr is not None
        said = []
        for each in process.stderr:
            said.append(each.rstrip())
            if said[-1] == line:
                break
        process.send_signal(signal.SIGKILL)
    assert said[-1] == line, "\n".join(said)
    return said


@pytest.mark.slow
@pytest.mark.filterwarnings("default::FutureWarning")  # peft 0.21.2 reads what transformers 5.23 deprecates
def test_300_flags_become_a_model_that_is_served(
    base_model: Path, garbler: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from space.proofread.pipeline import load_proofreader
    from space.settings import Settings

    flags = journal(tmp_path / "flags", [flag(number) for number in range(300)])
    recipe = tmp_path / "sft.yaml"
    recipe.write_text("max_steps: 6\nper_device_train_batch_size: 8\nlora_r: 4\n")
    prefer = tmp_path / "prefer.yaml"
    prefer.write_text("max_steps: 3\nper_device_train_batch_size: 4\n")
    out, before = tmp_path / "run", garbler.read_bytes()
    arguments = [
        "retrain", f"--base={base_model}", f"--folder={flags}", f"--models_dir={garbler.parent}", f"--output_dir={out}",
        f"--sft_recipe={recipe}", f"--prefer_recipe={prefer}", "--min_pairs=20", "--held_out_share=0.1", "--tracker=none",
    ]  # fmt: skip

    # Killed at each step; the next run goes on with what the one before left.
    steps = ["rows", "sft", "prefer", "merge", "gguf", "verify", "candidate", "served"]
    for number, step in enumerate(steps):
        lines = killed_at(f"{step}: begins", arguments)
        assert [line for line in lines if line.endswith(": done before")] == [
            f"{each}: done before" for each in steps[: max(0, number - 1)]
        ]
        assert garbler.read_bytes() == before

    # What changes nothing is fair to everybody: whoever mends something may be surely less so, which is no reason here.
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert not result["released"] and all(reason.startswith("less fair to") for reason in result["why"])
    assert garbler.read_bytes() == before
    arguments.append("--margin=50")
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["released"] and result["why"] == [] and result["model"] == str(garbler)
    assert result["figures"]["held_out"]["verdict"] == "better"
    assert [path.name for path in garbler.parent.iterdir()] == ["proofreader.gguf"]
    assert garbler.read_bytes() != before
    assert experiments.read(out)["scores"]["released"] is True and (out / "comparison.png").is_file()
    proofread = load_proofreader(Settings.from_env(), str(garbler)).proofread("Please send me teh invoice.")
    assert proofread.text == "Please send me the invoice."

    # Once more, against itself now: nothing is better, and it says so.
    assert main(arguments) == 0
    output = capsys.readouterr()
    result = json.loads(output.out.splitlines()[-1])
    assert not result["released"] and len(result["why"]) == 1
    assert "not released: it is what is served already" in output.err
    assert "sft: done before" in output.err and "candidate: done before" in output.err


@pytest.mark.slow
@pytest.mark.filterwarnings("default::FutureWarning")  # peft 0.21.2 reads what transformers 5.23 deprecates
def test_flags_that_mean_something_make_a_model_and_shuffled_ones_do_not(tmp_path: Path) -> None:
    assert shuffled_flags.retrained(tmp_path, 0, "true")["why"] == []
    shuffled = shuffled_flags.retrained(tmp_path, 0, "shuffled")
    assert not shuffled["released"] and "better on" in shuffled["why"][0]
    assert shuffled_flags.retrained(tmp_path, 0, "hostile")["obeyed"] == 0
