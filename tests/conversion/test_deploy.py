"""The app on a Space, through the real client and a Hub on loopback: what is sent, what is set, what is said."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import conversion.deploy
import conversion.hub
from conversion import wheel
from conversion.__main__ import main
from tests.feedback.hub_server import CUT, DROP, Answer, Fault, HubServer, Repo

ROOT = Path(__file__).resolve().parents[2]
SPACE = "owner/app"
DATASET = "owner/flags"
MADE_UP = "hf_" + "a" * 34  # looks like a token
VERSION = wheel.PIN.search((ROOT / "requirements.txt").read_text()).group("version")  # type: ignore[union-attr]
WHEEL = f"wheels/llama_cpp_python-{VERSION}-py3-none-linux_x86_64.whl"
SENT = {
    WHEEL, "LICENSE", "README.md", "requirements.txt", "feedback/__init__.py", "space/app.py", "space/models/tiny.gguf",
}  # fmt: skip


def git(folder: Path, *arguments: str) -> None:
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=A change")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit: a small app under the real card, and rooms that no Space needs."""
    folder = tmp_path / "app"
    files = {
        "feedback/__init__.py": "",
        "space/app.py": "print(1)\n",
        "space/models/tiny.gguf": "GGUF",
        "training/sft.py": "",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name in ("LICENSE", "README.md", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / ".gitignore").write_text("__pycache__/\nwheels/\n")
    (folder / "wheels").mkdir()
    (folder / WHEEL).write_bytes(b"compiled")
    git(folder, "init", "--quiet")
    commit(folder)
    monkeypatch.setattr(conversion.deploy, "ROOT", folder)
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are hundredths of seconds."""
    monkeypatch.setattr(conversion.hub, "WAITS_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(conversion.deploy, "POLL_SECONDS", 0.01)


Said = pytest.CaptureFixture[str]


def error(said: Said, code: int, *arguments: str) -> str:
    """The one line that a command ends with."""
    assert main(["deploy", *arguments]) == code
    lines = said.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:], lines
    return lines[-1]


def commits(hub: HubServer) -> int:
    return len([path for method, path in hub.calls if "/commit/" in path])


# ---- what is sent ----


def test_the_app_is_small_enough_and_a_dry_run_asks_nobody(
    hub: HubServer, capsys: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("API_KEY", "of the owner")
    compiled = tmp_path / "llama_cpp_python.whl"
    compiled.write_bytes(bytes(9_200_000))  # as `make wheel` compiles it, in 10 minutes
    monkeypatch.setattr(wheel, "find", lambda root: compiled)
    arguments = [
        SPACE,
        "--dry_run",
        "--variable=N_THREADS=2",
        "--secret=API_KEY",
        "--secret=HF_TOKEN",
        f"--feedback_dataset={DATASET}",
    ]
    assert main(["deploy", *arguments]) == 0
    out = capsys.readouterr().out
    rows = re.findall(r"^ *([\d,]+)  (\S+)$", out, re.MULTILINE)
    names = {name for _, name in rows}
    assert {
        "space/app.py",
        "space/models/proofreader.gguf",
        "feedback/hub.py",
        "README.md",
        "LICENSE",
    } <= names
    assert {name.split("/")[0] for name in names} == {"wheels", *conversion.deploy.CONTENT}
    total = sum(int(size.replace(",", "")) for size, _ in rows)
    assert f"{total:,}  bytes in {len(rows)} files" in out and 100_000_000 < total <= 150 * 2**20
    assert "variable N_THREADS=2\n" in out and "variable FEEDBACK_DATASET=owner/flags\n" in out
    assert "secret API_KEY," in out and "of the owner" not in out and hub.token not in out
    assert hub.calls == []


def test_the_first_deployment(
    app: Path, hub: HubServer, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "of the owner")
    assert main(["deploy", SPACE, "--variable", "N_THREADS=2", "--secret", "API_KEY"]) == 0
    space = hub.repos[SPACE]
    assert set(space.files) == {*SENT, ".gitattributes"} and len(space.history) == 2 and not space.private
    assert all(space.files[name] == (app / name).read_bytes() for name in SENT - {"requirements.txt"})
    url = f"{hub.url}/spaces/{SPACE}/resolve/main/{WHEEL}"
    lines = (app / "requirements.txt").read_text().splitlines()
    pinned, digest = f"llama-cpp-python=={VERSION}", hashlib.sha256(b"compiled").hexdigest()
    assert space.files["requirements.txt"].decode().splitlines() == [
        f"llama-cpp-python @ {url}#sha256={digest}" if line == pinned else line for line in lines
    ]
    assert space.variables == {"N_THREADS": "2"} and space.secrets == {"API_KEY": "of the owner"}
    paths = [path for _, path in hub.calls]
    assert paths.index(f"/api/spaces/{SPACE}/secrets") < paths.index(f"/api/spaces/{SPACE}/commit/main")
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"{hub.url}/spaces/{SPACE}", "https://owner-app.hf.space"]
    assert "note: BUILDING" in said.err and "note: RUNNING" in said.err
    assert "of the owner" not in said.out + said.err
    assert not any(b"of the owner" in content for content in space.files.values())


def test_without_its_wheel_a_space_is_not_deployed(app: Path, hub: HubServer, capsys: Said) -> None:
    shutil.rmtree(app / "wheels")
    assert "make wheel" in error(capsys, 2, SPACE) and hub.calls == []


def test_a_private_space_compiles(app: Path, hub: HubServer, capsys: Said) -> None:
    assert main(["deploy", SPACE, "--private"]) == 0
    space = hub.repos[SPACE]
    assert space.private and set(space.files) == {*SENT, ".gitattributes"} - {WHEEL}
    assert space.files["requirements.txt"] == (app / "requirements.txt").read_bytes()
    assert "about 10 minutes" in capsys.readouterr().err


def test_an_update_is_one_commit_of_what_is_committed_here(app: Path, hub: HubServer, capsys: Said) -> None:
    assert main(["deploy", SPACE, "--private"]) == 0 and hub.repos[SPACE].private
    (app / "space" / "app.py").write_text("print(2)\n")
    (app / "space" / "models" / "tiny.gguf").write_text("GGUF, another")
    (app / "feedback" / "__init__.py").unlink()
    (app / "feedback" / "hub.py").write_text("")
    commit(app)
    (app / "LICENSE").write_text("not committed")
    (app / "space" / "draft.py").write_text("not committed")
    capsys.readouterr()
    assert main(["deploy", SPACE]) == 0
    space = hub.repos[SPACE]
    assert len(space.history) == 3 and space.private
    assert set(space.files) == {*SENT, ".gitattributes", "feedback/hub.py"} - {"feedback/__init__.py", WHEEL}
    assert space.files["space/app.py"] == b"print(2)\n"
    assert space.files["space/models/tiny.gguf"] == b"GGUF, another"
    assert space.files["LICENSE"] == (ROOT / "LICENSE").read_bytes()
    err = capsys.readouterr().err
    assert "note: 4 files sent" in err and "not committed, so not sent: LICENSE, space/draft.py" in err


def test_nothing_is_sent_when_nothing_changed(app: Path, hub: HubServer, capsys: Said) -> None:
    assert main(["deploy", SPACE, "--variable=A=1"]) == 0
    before, hub.calls[:] = commits(hub), []
    assert main(["deploy", SPACE, "--variable=A=1"]) == 0
    assert before == 1 and commits(hub) == 0 and all(method == "GET" for method, _ in hub.calls)
    assert "note: Nothing to send" in capsys.readouterr().err


def test_without_git_the_files_are_taken_as_they_are(app: Path, hub: HubServer) -> None:
    shutil.rmtree(app / ".git")
    (app / "space" / "__pycache__").mkdir()
    (app / "space" / "__pycache__" / "app.pyc").write_bytes(b"1")
    assert main(["deploy", SPACE]) == 0
    assert set(hub.repos[SPACE].files) == {*SENT, ".gitattributes"}


def test_without_a_commit_there_is_nothing_to_deploy(app: Path, hub: HubServer, capsys: Said) -> None:
    shutil.rmtree(app / ".git")
    git(app, "init", "--quiet")
    assert "There is no commit to deploy" in error(capsys, 2, SPACE)
    assert hub.calls == []


@pytest.mark.slow
def test_the_uploaded_files_alone_are_the_app(hub: HubServer, tmp_path: Path) -> None:
    """What a Space runs, `python space/app.py`, in a folder that holds the files of the Space and nothing else."""
    assert main(["deploy", SPACE, "--private"]) == 0
    folder = tmp_path / "space"
    for name, content in hub.repos[SPACE].files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = os.environ | {
        "PORT": str(port),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": "",
        "GRADIO_SERVER_NAME": "127.0.0.1",
    }
    process = subprocess.Popen(
        [sys.executable, "space/app.py"], cwd=folder, env=env, stdout=subprocess.PIPE, text=True
    )
    try:
        import httpx
        from gradio_client import Client

        assert process.stdout and "http://" in process.stdout.readline()
        health = httpx.get(f"http://127.0.0.1:{port}/health").json()
        assert health == {"status": "ok", "model": "proofreader"}
        answer = Client(f"http://127.0.0.1:{port}", verbose=False).predict(
            "I has recieved it.", api_name="/proofread"
        )
        assert answer["changed"] and answer["model"] == "proofreader" and "received" in answer["text"]
    finally:
        process.terminate()
        assert process.wait(30) == 0


# ---- what is refused before anything is sent ----


@pytest.mark.parametrize(
    ("line", "instead", "named"),
    [
        ("sdk: gradio", "sdk: docker", "sdk must be gradio"),
        ("sdk_version: .*", "sdk_version: 5.0.0", "sdk_version must be the gradio of requirements.txt"),
        ("app_file: .*", "app_file: app.py", "app_file must be a file that is sent"),
        ("app_file: .*", "app_file: training/sft.py", "app_file must be a file that is sent"),
        ("python_version: .*", "python_version: 3.10", 'like "3.11"'),
        ("license: .*\n", "", "license must be an id"),
        ("short_description: .*", f"short_description: {'x' * 61}", "short_description must have 1 to 60"),
        ("emoji: .*", "emoji: mail", "emoji must be one emoji"),
        ("colorTo: .*", "colorTo: teal", "colorTo must be one of red"),
        ("sdk: gradio", "sdk: [", "front matter cannot be read"),
        ("---\n", "", "sdk must be gradio"),
    ],
)
def test_a_wrong_card_is_refused(
    app: Path, hub: HubServer, capsys: Said, line: str, instead: str, named: str
) -> None:
    card = (app / "README.md").read_text()
    changed = re.sub(line, instead, card, count=1)
    assert changed != card
    (app / "README.md").write_text(changed)
    commit(app)
    assert named in error(capsys, 2, SPACE)
    assert hub.calls == []


@pytest.mark.parametrize("name", ["space/settings.py", "feedback/.env", "README.md"])
def test_a_file_that_may_hold_a_token_is_refused(app: Path, hub: HubServer, capsys: Said, name: str) -> None:
    with (app / name).open("a") as file:
        file.write(f"HF_TOKEN={MADE_UP}\n" if name != "feedback/.env" else "PASSWORD=x\n")
    commit(app)
    line = error(capsys, 2, SPACE)
    assert f"error: {name} looks like it holds a token" in line and MADE_UP not in line
    assert hub.calls == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["app"], "give owner/name"),
        (["owner/a b"], "give owner/name"),
        (["owner/../app"], "give owner/name"),
        ([SPACE, "--variable=A"], "--variable takes NAME=VALUE"),
        ([SPACE, f"--variable=A={MADE_UP}"], "--secret A"),
        ([SPACE, "--secret=NOT_SET"], "NOT_SET is not set"),
        ([SPACE, f"--secret=A={MADE_UP}"], "--secret takes a name alone"),
        ([SPACE, "--secret=HF_TOKEN", "--variable=HF_TOKEN=1"], "both a variable and a secret"),
        ([SPACE, f"--feedback_dataset={DATASET}"], "needs --secret HF_TOKEN"),
        ([SPACE, "--feedback_dataset=flags", "--secret=HF_TOKEN"], "give owner/name"),
    ],
)
def test_wrong_arguments(app: Path, hub: HubServer, capsys: Said, arguments: list[str], named: str) -> None:
    line = error(capsys, 2, *arguments)
    assert named in line and MADE_UP not in line
    assert hub.calls == []


def test_without_a_token(app: Path, hub: HubServer, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "")
    assert "No token: set HF_TOKEN" in error(capsys, 2, SPACE)
    assert hub.calls == []


# ---- feedback ----


def test_feedback_goes_to_a_private_dataset(app: Path, hub: HubServer) -> None:
    assert main(["deploy", SPACE, "--secret=HF_TOKEN", f"--feedback_dataset={DATASET}"]) == 0
    assert hub.repos[DATASET].private
    space = hub.repos[SPACE]
    assert space.variables == {"FEEDBACK_DATASET": DATASET} and space.secrets == {"HF_TOKEN": hub.token}


def test_a_public_dataset_is_refused_before_anything_is_sent(app: Path, hub: HubServer, capsys: Said) -> None:
    hub.repos[DATASET] = Repo(private=False, repo_type="dataset")
    hub.repos[DATASET].add({})
    assert f"{DATASET} is public" in error(
        capsys, 1, SPACE, "--secret=HF_TOKEN", f"--feedback_dataset={DATASET}"
    )
    assert SPACE not in hub.repos


# ---- the Hub refuses, or fails ----


def test_a_token_that_is_not_valid(
    app: Path, hub: HubServer, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "answered 401 for the Space owner/app: set HF_TOKEN to a valid token" in error(capsys, 1, SPACE)


def test_a_name_of_somebody_else(app: Path, hub: HubServer, capsys: Said) -> None:
    assert "answered 403 for the Space stranger/app: HF_TOKEN may not write there" in error(
        capsys, 1, "stranger/app"
    )


def test_a_plan_without_such_spaces(app: Path, hub: HubServer, capsys: Said) -> None:
    hub.faults = lambda method, path: 402 if path == "/api/repos/create" else None
    assert "answered 402 for the Space owner/app: the owner's plan" in error(capsys, 1, SPACE)


def test_a_name_that_something_else_has(app: Path, hub: HubServer, capsys: Said) -> None:
    hub.repos[SPACE] = Repo(private=False, repo_type="dataset")
    hub.repos[SPACE].add({})
    assert "answered 409 for the Space owner/app: the name is taken" in error(capsys, 1, SPACE)


def test_another_app_is_not_deleted(app: Path, hub: HubServer, capsys: Said) -> None:
    hub.repos[SPACE] = Repo(private=False, repo_type="space")
    hub.repos[SPACE].add({"README.md": b"", ".gitattributes": b"", "app.py": b"print('mine')"})
    assert "the Space owner/app holds another app (app.py)" in error(capsys, 2, SPACE)
    assert len(hub.repos[SPACE].history) == 1


def test_the_card_that_the_hub_refuses(app: Path, hub: HubServer, capsys: Said) -> None:
    def faults(method: str, path: str) -> Fault:
        errors = {"errors": [{"message": '"emoji" must be one'}], "warnings": []}
        return Answer(400, errors) if path == "/api/validate-yaml" else None

    hub.faults = faults
    assert 'Invalid metadata in README.md. - "emoji" must be one' in error(capsys, 1, SPACE)
    assert len(hub.repos[SPACE].history) == 1


@pytest.mark.parametrize("fault", [429, 503, DROP, CUT])
@pytest.mark.parametrize(
    "call", ["/api/repos/create", f"/api/spaces/{SPACE}/commit/main", f"/api/spaces/{SPACE}/secrets"]
)
def test_what_passes_is_tried_again(app: Path, hub: HubServer, call: str, fault: int | str) -> None:
    left = 2

    def faults(method: str, path: str) -> Fault:
        nonlocal left
        if path != call or not left:
            return None
        left -= 1
        return fault

    hub.faults = faults
    assert main(["deploy", SPACE, "--secret=HF_TOKEN"]) == 0
    assert left == 0 or fault == CUT  # what was done is not asked for again
    space = hub.repos[SPACE]
    assert len(space.history) == 2 and set(space.files) == {*SENT, ".gitattributes"}


def test_a_commit_of_somebody_else_in_between_is_compared_with_again(app: Path, hub: HubServer) -> None:
    def faults(method: str, path: str) -> Fault:
        if "/commit/" in path and len(space.history) == 2:
            space.add(space.files | {"space/other.py": b""})
        return None

    assert main(["deploy", SPACE]) == 0
    space = hub.repos[SPACE]
    (app / "LICENSE").write_text("another\n")
    commit(app)
    hub.faults = faults
    assert main(["deploy", SPACE]) == 0
    assert len(space.history) == 4 and set(space.files) == {*SENT, ".gitattributes"}


@pytest.mark.parametrize(
    ("fault", "named"), [(429, "answered 429"), (500, "answered 500"), (DROP, "could not be reached")]
)
def test_what_stays_ends_in_one_line(
    app: Path, hub: HubServer, capsys: Said, fault: int | str, named: str
) -> None:
    hub.faults = lambda method, path: fault if "/commit/" in path else None
    line = error(capsys, 1, SPACE)
    assert named in line and "Try again later" in line
    assert len(hub.repos[SPACE].history) == 1


def test_the_hub_says_how_long_to_wait(app: Path, hub: HubServer, capsys: Said) -> None:
    answers = [Answer(429, {}, Retry_After="1")]
    hub.faults = lambda method, path: answers.pop() if "/commit/" in path and answers else None
    begin = time.monotonic()
    assert main(["deploy", SPACE]) == 0
    assert time.monotonic() - begin >= 1 and "Next try in 1 s." in capsys.readouterr().err


@pytest.mark.parametrize("headers", [{"Retry_After": "3600"}, {"RateLimit": '"api";r=0;t=3600'}])
def test_it_does_not_wait_for_hours(app: Path, hub: HubServer, capsys: Said, headers: dict[str, str]) -> None:
    hub.faults = lambda method, path: Answer(429, {}, **headers) if "/commit/" in path else None
    assert "asks to wait 3600 s" in error(capsys, 1, SPACE)
    assert commits(hub) == 1


# ---- until it runs ----


def test_a_build_error_ends_with_the_last_lines_of_the_log(app: Path, hub: HubServer, capsys: Said) -> None:
    hub.stages = [
        {"stage": "BUILDING"},
        {"stage": "BUILD_ERROR", "errorMessage": "Job failed with exit code: 1"},
    ]
    hub.log = [f"line {number}" for number in range(50)]
    assert main(["deploy", SPACE]) == 1
    *before, last = capsys.readouterr().err.splitlines()
    count = conversion.deploy.LOG_LINES
    assert before[-count:] == hub.log[-count:] and hub.log[-count - 1] not in before
    assert last.startswith(
        "error: the Space owner/app ended with BUILD_ERROR (Job failed with exit code: 1): see http"
    )
    assert ("GET", f"/api/spaces/{SPACE}/logs/build") in hub.calls


@pytest.mark.parametrize("stage", ["RUNTIME_ERROR", "CONFIG_ERROR", "NO_APP_FILE", "PAUSED"])
def test_a_space_that_does_not_run(app: Path, hub: HubServer, capsys: Said, stage: str) -> None:
    hub.stages = [{"stage": "APP_STARTING"}, {"stage": stage}]
    assert stage in error(capsys, 1, SPACE)


def test_what_the_revision_before_does_is_not_believed(app: Path, hub: HubServer, capsys: Said) -> None:
    old = "0" * 40
    hub.stages = [
        {"stage": "RUNNING", "sha": old},
        {"stage": "BUILD_ERROR", "sha": old},
        {"stage": "BUILDING"},
        {"stage": "RUNNING"},
    ]
    assert main(["deploy", SPACE]) == 0
    assert hub.stages == [{"stage": "RUNNING"}]


def test_the_waiting_ends(app: Path, hub: HubServer, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion.deploy, "WAIT_SECONDS", 0.05)
    hub.stages = [{"stage": "BUILDING"}]
    assert "is BUILDING after" in error(capsys, 1, SPACE)


def test_a_space_that_sleeps_is_said_to(app: Path, hub: HubServer, capsys: Said) -> None:
    hub.stages = [{"stage": "SLEEPING"}]
    assert main(["deploy", SPACE]) == 0
    assert "It sleeps" in capsys.readouterr().err
