"""A fine-tune becomes a model repository that can be served back, whole or not at all, and every refusal is one line."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import ModelCard, constants, snapshot_download
from huggingface_hub.utils import _http
from transformers import LlamaForCausalLM

import conversion.hub
from conversion import fine_tune
from conversion.__main__ import main
from space.proofread.llm.hub import fetch
from space.proofread.llm.llama_cpp import LlamaCpp
from tests.conversion.conftest import save_adapter
from tests.feedback.hub_server import CUT, DROP, HubServer, Repo

# peft 0.21.2 reads what transformers 5.23 deprecates
pytestmark = pytest.mark.filterwarnings("default::FutureWarning")

REPO = "owner/tuned"
TEXT = "She have recieved the the report."
FIGURE = {"value": 75.0, "low": 25.0, "high": 100.0}
SCORES = (
    {"suite": "sentences", "rows": 5, "model": "none", "corrected_percent": {"value": 0.0, "low": 0.0, "high": 0.0}},
    {"suite": "sentences", "rows": 5, "model": "runs/tuned-Q8_0.gguf", "corrected_percent": FIGURE, "seconds": 1.5},
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of `training sft` that ended."""
    from training.finetune import recipes, sft

    folder = tmp_path_factory.mktemp("someone") / "run"
    rows = folder.with_name("rows.jsonl")
    pairs = [{"draft": f"She have {n} report.", "corrected": f"She has {n} reports."} for n in range(24)]
    rows.write_text("".join(json.dumps(row) + "\n" for row in pairs))
    given = {
        "model": base_model, "dataset": str(rows), "output_dir": folder, "tracker": "none", "lora_r": 4, "max_steps": 3,
        "learning_rate": 0.01, "per_device_train_batch_size": 8, "logging_steps": 1, "validation_share": 0,
    }  # fmt: skip
    sft.fine_tune(recipes.arguments(given))
    return folder


@pytest.fixture(scope="module")
def made(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `publish --dry_run` makes of it."""
    out = tmp_path_factory.mktemp("published") / "out"
    scores = out.with_name("scores.jsonl")
    scores.write_text("".join(json.dumps(row) + "\n" for row in SCORES))
    assert main(command(finished, out, "--dry_run", f"--scores={scores}")) == 0
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """A copy of that, to damage or to send."""
    return Path(shutil.copytree(made, tmp_path / "out", copy_function=os.link))


@pytest.fixture
def hub(hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubServer:
    """The server, with a client that waits for nothing and an empty cache of downloads."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    # A clock for that one module: create_commit cannot be given another wait.
    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(conversion.hub, "WAITS_SECONDS", (0.01,))
    return hub


def command(source: Path, out: Path, *more: str) -> list[str]:
    return ["publish", str(source), f"--repo_id={REPO}", f"--out={out}", "--license=apache-2.0", "--type=F16",
            "--type=Q8_0", "--base_model=team/base", *more]  # fmt: skip


def refusal(capsys: pytest.CaptureFixture[str], argv: list[str], code: int = 2) -> str:
    """The one line of a command that must be refused, or that the Hub lets down (code 1)."""
    capsys.readouterr()
    assert main(argv) == code
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert captured.out == "" and len(lines) == 1, captured
    return lines[0].removeprefix("error: ")


def fails(status: int | str, part: str, times: int = 1000) -> Callable[[str, str], int | str | None]:
    """A fault in the first calls whose path holds `part`."""
    left = iter(range(times))
    return lambda method, path: status if part in path and next(left, None) is not None else None


def sent(hub: HubServer) -> list[str]:
    """SHA-256 of the large files that were sent."""
    return [path.rpartition("/")[2] for method, path in hub.calls if method == "PUT"]


def continued(path: Path) -> list[int]:
    """The tokens that a model goes on with, greedily."""
    engine = LlamaCpp(path)
    tokens = engine._llama.tokenize(TEXT.encode())
    out = [token for token, _ in zip(engine._llama.generate(tokens, temp=0.0), range(12), strict=False)]
    engine.close()
    return out


# ---- the folder ----


def test_a_dry_run_lists_every_file_and_the_card(
    made: Path, out: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in (out / "upload").glob("*.gguf")}
    capsys.readouterr()
    assert main(command(finished, out, "--dry_run")) == 0
    listed = capsys.readouterr().out
    files = {
        path.relative_to(out / "upload").as_posix(): path
        for path in (out / "upload").rglob("*")
        if path.is_file()
    }
    assert set(files) >= {
        "README.md", "SHA256SUMS", "verify.json", "tuned-F16.gguf", "tuned-Q8_0.gguf", "training/run.json",
        "training/log.jsonl", "adapter/adapter_model.safetensors", "adapter/adapter_config.json", "adapter/tokenizer.json",
    }  # fmt: skip
    assert all(f"{path.stat().st_size:,}  {name}" in listed for name, path in files.items())
    assert "## Intended use" in listed and "kWh" in listed
    # What is there is not made again.
    assert before == {path.name: path.stat().st_mtime_ns for path in (out / "upload").glob("*.gguf")}


def test_no_folder_of_this_machine_is_in_it(made: Path, finished: Path) -> None:
    said = [
        path.read_text() for path in (made / "upload").rglob("*") if path.suffix in {".json", ".jsonl", ".md"}
    ]
    assert str(finished) in (finished / "run.json").read_text()
    assert not [text for text in said if str(finished.parents[1]) in text]
    record = json.loads((made / "upload" / "training" / "run.json").read_text())
    assert record["parameters"]["output_dir"] == "run" and record["data"]["datasets"] == ["rows.jsonl"]
    adapter = json.loads((made / "upload" / "adapter" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "team/base"


def test_the_card_is_what_the_client_reads(made: Path, hub: HubServer) -> None:
    card = ModelCard.load(made / "upload" / "README.md")
    card.validate()
    assert ("POST", "/api/validate-yaml") in hub.calls
    data = card.data
    assert (data.base_model, data.base_model_relation, data.license) == (
        "team/base",
        "finetune",
        "apache-2.0",
    )
    assert (data.library_name, data.pipeline_tag, data.language) == ("gguf", "text-generation", "en")
    (result,) = data.eval_results
    assert (result.dataset_type, result.metric_type, result.metric_value) == (
        "sentences",
        "corrected_percent",
        75.0,
    )
    assert result.metric_args == {"low": 25.0, "high": 100.0}
    assert f"MODEL={REPO} make run" in card.text and "max_steps 3" in card.text
    sums = (made / "upload" / "SHA256SUMS").read_text().splitlines()
    reports = json.loads((made / "upload" / "verify.json").read_text())
    for name in ("tuned-F16.gguf", "tuned-Q8_0.gguf"):
        assert f"{reports[name]['sha256']}  {name}" in sums and reports[name]["passed"]
        assert f"`{reports[name]['sha256']}`" in card.text


def test_the_base_says_its_name_and_licence(hub: HubServer, adapter: Path) -> None:
    repo = hub.repos["team/base"] = Repo(private=False)
    repo.add({"config.json": b"{}", "README.md": b"---\nlicense: llama3.2\n---\n"})
    cached = Path(snapshot_download("team/base"))
    hub.calls.clear()
    base, name = fine_tune.base("team/base", adapter)
    assert (base, name, fine_tune.license_of(base)) == (cached, "team/base", "llama3.2") and not hub.calls
    named = {"data": {"datasets": ["team/pairs", "team/more:en", "/data/own.jsonl", "data/own.csv"]}}
    assert fine_tune.datasets(named) == ["team/pairs", "team/more"]


def test_what_retrain_judged_is_what_is_published(made: Path, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "retrain"
    shutil.copytree(finished, folder / "sft")
    shutil.copytree(made / "merged", folder / "merge" / "model")
    (folder / "gguf").mkdir()
    for name, kind in (("f16", "F16"), ("proofreader", "Q8_0")):
        shutil.copy(made / "upload" / f"tuned-{kind}.gguf", folder / "gguf" / f"{name}.gguf")
    record = json.loads((finished / "run.json").read_text())
    record |= {"command": "retrain", "data": {"pairs": 3}, "parameters": {"min_pairs": 9, "type": "Q8_0"}}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "result.json").write_text(json.dumps({"released": True, "model": "models/proofreader.gguf"}))
    out = tmp_path / "out"
    assert main(command(folder, out, "--dry_run")) == 0
    for kind in ("F16", "Q8_0"):
        name = f"tuned-{kind}.gguf"
        assert (out / "upload" / name).read_bytes() == (made / "upload" / name).read_bytes()
    assert not (out / "merged").exists() and (out / "upload" / "training" / "sft" / "log.jsonl").is_file()
    card = (out / "upload" / "README.md").read_text()
    assert "`python -m training retrain`" in card and "max_steps 3" in card


# ---- the Hub ----


def test_what_is_published_is_served_back(
    hub: HubServer, out: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(finished, out, "--tag=v1")) == 0
    repo = hub.repos[REPO]
    assert repo.private and repo.repo_type == "model" and repo.tags == {"v1": repo.head}
    assert capsys.readouterr().out.splitlines()[-1] == f"{hub.url}/{REPO}/tree/v1"
    there = {
        path.relative_to(out / "upload").as_posix() for path in (out / "upload").rglob("*") if path.is_file()
    }
    assert set(repo.files) == there | {".gitattributes"}
    served = fetch(f"{REPO}@v1")
    assert served.path.name == "tuned-Q8_0.gguf" and served.revision == repo.head
    assert continued(served.path) == continued(out / "upload" / "tuned-Q8_0.gguf") != []
    whole = fetch(f"{REPO}@v1:tuned-F16.gguf").path
    assert whole.read_bytes() == (out / "upload" / "tuned-F16.gguf").read_bytes()


def test_it_goes_on_after_a_cut_connection(
    hub: HubServer, out: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (last,) = (
        line.split()[0] for line in (out / "upload" / "SHA256SUMS").read_text().splitlines() if "F16" in line
    )
    hub.faults = fails(DROP, last)
    said = refusal(capsys, command(finished, out, "--tag=v1"), code=1)
    assert said.startswith("The Hub could not be reached (RemoteProtocolError)"), said
    came = set(hub.repos[REPO].lfs)
    assert came and last not in came and len(hub.repos[REPO].history) == 1, "no half of a revision is seen"
    hub.faults = fails(DROP, "none")
    hub.calls.clear()
    assert main(command(finished, out, "--tag=v1")) == 0
    assert sent(hub) == [last]
    hub.calls.clear()
    assert main(command(finished, out, "--tag=v1")) == 0, "and once more changes nothing"
    assert not sent(hub) and len(hub.repos[REPO].history) == 2


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        *((CUT, part) for part in ("/repos/create", "/refs", "/preupload/", "/commit/", "/tag/")),
        (429, "/commit/"),
        (503, "/tag/"),
    ],
)
def test_one_fault_is_passed_over(
    hub: HubServer, out: Path, finished: Path, part: str, fault: int | str
) -> None:
    hub.faults = fails(fault, part, 1)
    assert main(command(finished, out, "--tag=v1")) == 0
    repo = hub.repos[REPO]
    assert repo.tags == {"v1": repo.head} and len(repo.history) == 2 and len(sent(hub)) == len(set(sent(hub)))


@pytest.mark.parametrize(
    ("fault", "part", "line"),
    [
        (401, "/models/", "The Hub answered 401 for the model owner/tuned: set HF_TOKEN to a valid token"),
        (403, "/preupload/", "The Hub answered 403 for the model owner/tuned: HF_TOKEN may not write there"),
        (409, "/commit/", "The Hub answered 409 for the model owner/tuned. Try again later"),
        (429, "/commit/", "The Hub answered 429 for the model owner/tuned. Try again later"),
        (503, "/lfs/", "The Hub answered 503 for the model owner/tuned. Try again later"),
        (DROP, "/refs", "The Hub could not be reached (RemoteProtocolError). Try again later"),
    ],
)
def test_a_fault_that_stays_is_one_line(
    hub: HubServer,
    out: Path,
    finished: Path,
    capsys: pytest.CaptureFixture[str],
    fault: int | str,
    part: str,
    line: str,
) -> None:
    hub.faults = fails(fault, part)
    assert refusal(capsys, command(finished, out, "--tag=v1"), code=1).startswith(line)
    hub.faults = fails(DROP, "none")
    assert main(command(finished, out, "--tag=v1")) == 0


def test_only_what_is_asked_for_becomes_public(
    hub: HubServer, out: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(finished, out, "--public")) == 0
    assert not hub.repos[REPO].private
    assert refusal(capsys, command(finished, out)).startswith(f"{REPO} is public: give --public")
    hub.repos[REPO].private = True
    assert main(command(finished, out, "--public")) == 0
    assert hub.repos[REPO].private and "is private and stays so" in capsys.readouterr().err


def test_a_tag_stays_where_it_is_and_old_files_go(
    hub: HubServer, out: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = hub.repos[REPO] = Repo(private=True)
    repo.tags["v1"] = old = repo.add({"old-Q4_0.gguf": b"GGUF", "notes.txt": b"Mine.", ".gitattributes": b""})
    said = refusal(capsys, command(finished, out, "--tag=v1"))
    assert said == f"{REPO} has a tag v1 on another commit: choose another --tag"
    assert repo.head == old and not sent(hub)
    assert main(command(finished, out, "--tag=v2")) == 0
    assert repo.tags == {"v1": old, "v2": repo.head}
    assert "notes.txt" in repo.files and "old-Q4_0.gguf" not in repo.files


# ---- refusals ----


def test_what_the_hub_would_refuse_is_refused_first(
    hub: HubServer,
    out: Path,
    finished: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("tuned", "a/b/c", "owner/na me", "owner/-x", "owner/x.git"):
        assert refusal(capsys, [*command(finished, out), f"--repo_id={name}"]).startswith(
            f"{name!r} is no name of a repository: give owner/name"
        )
    assert refusal(capsys, command(finished, out, "--tag=v 1")).startswith("--tag v 1: give letters")
    monkeypatch.setenv("HF_TOKEN", "")
    assert refusal(capsys, command(finished, out)).startswith("No token: set HF_TOKEN")
    assert not hub.calls
    monkeypatch.setenv("HF_TOKEN", hub.token)
    hub.repos[REPO] = Repo(private=True, repo_type="dataset")
    hub.repos[REPO].add({})
    assert "the name is taken, choose another" in refusal(capsys, command(finished, out), code=1)
    said = refusal(capsys, [*command(finished, out), "--repo_id=else/tuned"], code=1)
    assert said.startswith("The Hub answered 403 for the model else/tuned: HF_TOKEN may not write there")


def test_a_file_that_says_something_else_is_refused(
    out: Path,
    finished: Path,
    base_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gguf, folder = out / "upload" / "tuned-Q8_0.gguf", Path(shutil.copytree(base_model, tmp_path / "random"))
    model = LlamaForCausalLM.from_pretrained(base_model)
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    gguf.unlink()
    assert main(["gguf", str(folder), str(gguf)]) == 0
    reports = json.loads((out / "upload" / "verify.json").read_text())
    assert reports[gguf.name]["passed"], "of other bytes, so it does not count"
    said = refusal(capsys, command(finished, out, "--dry_run"))
    assert said.startswith(f"{gguf} differs from the model (greedy tokens), so nothing is published")


@pytest.mark.slow
def test_files_made_by_hand_are_verified_like_others(
    llama: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gguf, out = tmp_path / "by hand.gguf", tmp_path / "out"
    assert main(["gguf", str(llama), str(gguf)]) == 0
    given = [f"--base={llama}", f"--gguf={gguf}", "--dry_run"]
    assert "differs from the model (greedy tokens)" in refusal(capsys, command(adapter, out, *given))
    given.append(f"--merged={llama}")
    assert "holds something else" in refusal(capsys, command(adapter, out, *given))
    shutil.rmtree(out)
    assert main(command(adapter, out, *given)) == 0


def test_what_is_no_finished_fine_tune_is_refused(
    out: Path, finished: Path, base_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "has no adapter_config.json" in refusal(capsys, command(base_model, out, "--dry_run"))
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"status": "stopped"}))
    for folder in (run, run / "adapter"):
        assert "the run is stopped, not done" in refusal(capsys, command(folder, out, "--dry_run"))
    (run / "run.json").write_text(json.dumps(record | {"command": "retrain"}))
    (run / "result.json").write_text(json.dumps({"released": False, "why": ["it is worse"]}))
    assert "retrain did not release this model (it is worse)" in refusal(
        capsys, command(run, out, "--dry_run")
    )
    other = save_adapter(base_model, tmp_path / "other")
    assert "holds something else" in refusal(capsys, command(other, out, f"--base={base_model}", "--dry_run"))
    for option, line in (
        ("--type=Q9", "--type Q9: choose of"),
        ("--license=", "--license is missing"),
        ("--base=team/none", "the base team/none is neither a folder nor in the cache"),
        (f"--scores={finished / 'run.json'}", "give what `python -m training evaluate` printed"),
    ):
        assert line in refusal(capsys, command(finished, out, option, "--dry_run"))


def test_a_full_disk_is_one_line(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file may become larger than a few kilobytes: the system refuses what comes after, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        said = refusal(capsys, command(finished, tmp_path / "out", "--dry_run"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "cannot be written" in said or "cannot write" in said
