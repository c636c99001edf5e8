"""The studio in a real browser: from a file of rows to a model that the proofreader loads, and what it says of bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import gradio as gr
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect, sync_playwright

from space.errors import UserError
from tests.browser.conftest import ARGUMENTS, free_port
from training.studio.jobs import Queue
from training.studio.page import build
from training.studio.screens import compare, runs, shared
from training.studio.studio import _launch
from training.studio.workspace import Workspace

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 120  # for anything that must happen; the machine may be busy
TABS = ("1 Data", "2 Experiment", "3 Runs", "4 Search", "5 Compare", "6 Release")


class Studio:
    """`python -m training studio` on a folder, and a page of it."""

    def __init__(self, folder: Path, page: Page, within: Sequence[str] = (), **environment: str) -> None:
        """`within` is a command that the studio's is put behind."""
        self.folder, self.page, self._port, self._within = folder, page, free_port(), within
        self._environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"} | environment
        self.start()

    def start(self) -> None:
        with (self.folder / "studio.log").open("a") as log:
            self._process = subprocess.Popen(
                [*self._within, sys.executable, "-m", "training", "studio", str(self.folder), f"--port={self._port}"],
                cwd=ROOT, env=self._environment, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + SECONDS
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < end, (
                self.folder / "studio.log"
            ).read_text()
            time.sleep(0.2)
        self.open()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/", timeout=5):
                return True
        except OSError:
            return False

    def open(self) -> None:
        self.page.goto(f"http://127.0.0.1:{self._port}/")
        expect(self.page.get_by_role("tab", name=TABS[0])).to_be_visible(timeout=SECONDS * 1000)

    @property
    def id(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def restart(self, **environment: str) -> None:
        self.kill()
        self._environment |= environment
        self.start()

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    # ---- what a person does ----

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(re.compile(rf"^\s*{label}\b")).locator("visible=true").first

    def fill(self, **values: str) -> None:
        for label, value in values.items():
            self.field(label).fill(value)

    def pick(self, **values: str) -> None:
        for label, value in values.items():
            box = self.page.get_by_label(label, exact=True).locator("visible=true").first
            box.click()
            box.fill(value)
            self.page.get_by_role("option", name=value).first.click()
            self.page.keyboard.press("Escape")

    def enter(self, **values: str) -> None:
        """What a list does not offer."""
        for label, value in values.items():
            box = self.page.get_by_label(label, exact=True).locator("visible=true").first
            box.fill(value)
            box.press("Enter")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).locator("visible=true").click()

    def value(self, label: str) -> str:
        return self.field(label).input_value()

    def unfold(self, name: str) -> None:
        self.page.get_by_role("button", name=re.compile(f"^{name}")).locator("visible=true").first.click()

    def shows(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_text(text).locator("visible=true").first).to_be_visible(
            timeout=SECONDS * 1000
        )


@pytest.fixture(scope="session")
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 1440, "height": 1000})
        browser.close()


def serious_faults(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']} {each['nodes'][0]['html'][:300]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.slow
def test_every_screen_is_accessible_and_bad_input_gets_one_line(page: Page, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "torn.jsonl").write_text('{"draft": "a", "corr')
    studio = Studio(tmp_path, page)
    try:
        studio.press("Look at the rows")
        studio.shows("Choose the rows first, on the screen 1 Data.")
        studio.pick(dataset="data/torn.jsonl")
        studio.press("Look at the rows")
        studio.shows(re.compile("torn.jsonl line 1 is not JSON"))
        for scheme, width in (("light", 1440), ("dark", 390)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 1000})
            studio.open()
            for tab in TABS:
                if width == 1440:  # on a phone those that do not fit are in a menu
                    studio.tab(tab)
                    page.wait_for_timeout(300)
                assert serious_faults(page) == [], (scheme, tab)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1440, "height": 1000})
        studio.open()
        studio.tab("2 Experiment")
        studio.fill(name="../elsewhere")
        studio.press("Start")
        studio.shows(re.compile("give a name within"))
        studio.tab("6 Release")
        studio.press("Build and measure")
        studio.shows("Choose the run to release.")
    finally:
        studio.end()
    assert not list(tmp_path.glob(".studio/jobs/0*"))


def test_no_file_of_the_folder_is_served(tmp_path: Path) -> None:
    """Neither what the page has not shown, nor the repository that it was started in."""
    folder, port = tmp_path / "studio", free_port()
    for name in (".env", "data/rows.csv", ".studio/form.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("secret")
    blocks = build(Workspace(folder), Queue(folder))
    try:
        _launch(blocks, "127.0.0.1", port, "")
        paths = [
            folder / ".env",
            folder / "data" / "rows.csv",
            folder / ".studio" / "form.json",
            ROOT / "Makefile",
        ]
        for path in paths:
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/gradio_api/file={path}", timeout=SECONDS)
    finally:
        blocks.close()


def test_a_judge_is_refused_in_one_line_before_it_is_queued(tmp_path: Path) -> None:
    """A key in its address would be shown and stored with the command."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "texts.jsonl").write_text('{"text": "I has it."}\n')
    queue = Queue(tmp_path)
    with gr.Blocks():
        screen = compare.Screen(shared.Studio(Workspace(tmp_path), queue))
    models, texts = ["proofreader", "none"], "data/texts.jsonl"
    for models_, url, line in (
        (models[:1], "http://127.0.0.1:9/v1", "needs two models"),
        (models, "http://me:secret@127.0.0.1:9/v1", "ENGINE_API_KEY"),
        (models, "127.0.0.1:9", "is no address"),
    ):
        with pytest.raises(UserError, match=line):
            screen._judge(models_, texts, "", url, "")
    assert not queue.jobs()
    screen._judge(models, texts, "", "http://127.0.0.1:9/v1", "small")
    (job,) = queue.jobs()
    assert "--judge_model=small" in job.commands[0] and "--url=http://127.0.0.1:9/v1" in job.commands[0]


def test_the_list_of_jobs_is_left_alone_until_it_changes(tmp_path: Path) -> None:
    """What is typed into a dropdown is lost when its choices are set."""
    queue = Queue(tmp_path)
    with gr.Blocks():
        screen = runs.Screen(shared.Studio(Workspace(tmp_path), queue))
    queue.add("first", [["-c", "pass"]])
    found = screen._look(None, "learning_rate", None)
    assert screen._job in found
    queue.stop("0001")
    found = screen._look(None, "learning_rate", found[screen._last])
    assert "stopped" in found[screen._status] and screen._job not in found
    queue.add("second", [["-c", "pass"]])
    assert screen._job in screen._look(None, "learning_rate", found[screen._last])


def test_a_failed_job_says_that_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(tmp_path)
    with gr.Blocks():
        screen = runs.Screen(shared.Studio(Workspace(tmp_path), queue))
    job = queue.add("first", [["-c", "pass"]])
    state = tmp_path / ".studio" / "jobs" / job.id / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"status": "failed", "returncode": -9}))
    assert "memory" in screen._look(None, "learning_rate", None)[screen._status]
    monkeypatch.setattr(Workspace, "is_full", lambda _: True)
    assert (
        f"The disk of {tmp_path} is full: make room"
        in screen._look(None, "learning_rate", None)[screen._status]
    )


def test_another_host_asks_for_a_token(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "training", "studio", str(tmp_path), "--host=0.0.0.0", f"--port={port}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=SECONDS)
        finally:
            process.terminate()
    assert re.search("Sign in as studio with the token: .{20}", lines[1])


ROWS = "draft,corrected\n" + "".join(f"I has {n} letter.,I have {n} letters.\n" for n in range(2, 60))


@pytest.mark.slow
def test_what_was_filled_in_outlives_a_reload_and_the_studio(
    page: Page, tiny_llama: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.csv").write_text(ROWS)
    shutil.copytree(tiny_llama, tmp_path / "tiny")
    studio = Studio(tmp_path, page)
    saved = tmp_path / ".studio" / "form.json"
    try:
        studio.pick(dataset="data/mine.csv")
        studio.enter(output_column="corrected")
        studio.tab("2 Experiment")
        studio.pick(model="tiny", recipe="high_rank")
        expect(studio.field("lora_r")).to_have_value("64", timeout=SECONDS * 1000)
        studio.fill(name="first", lora_r="5", max_steps="7")
        until(lambda: saved.is_file() and 'max_steps": 7' in saved.read_text())
        for again in (studio.open, studio.restart):
            again()
            studio.shows("data/mine.csv")
            assert studio.value("output_column") == "corrected"
            studio.tab("2 Experiment")
            page.wait_for_timeout(1000)  # in which a recipe would fill the settings in again
            names = ("name", "model", "recipe", "lora_r", "lora_alpha", "max_steps")
            assert [studio.value(name) for name in names] == ["first", "tiny", "high_rank", "5", "128", "7"]
        saved.write_text('{"2 Experiment: lora_r": "many", "2 Experiment: na')
        studio.open()
        studio.tab("2 Experiment")
        assert studio.value("name") == "" and studio.value("lora_r") == "32"
    finally:
        studio.end()


@pytest.mark.slow
def test_a_full_disk_ends_a_run_in_one_line_and_it_goes_on_when_there_is_room(
    page: Page, tiny_llama: Path, tmp_path: Path
) -> None:
    """On a file system of its own of a few MB, which goes with the studio."""
    within = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    made = [
        'mount -t tmpfs -o size=6m studio $0 && cp -r $1 $0/tiny && mkdir $0/data && cp $2 $0/data && shift 2 && exec "$@"'
    ]
    if (
        not shutil.which("unshare")
        or subprocess.run([*within, "mount -t tmpfs t /tmp"], check=False).returncode
    ):
        pytest.skip("no file system can be mounted here")
    folder, rows = tmp_path / "studio", tmp_path / "mine.csv"
    folder.mkdir()
    rows.write_text(ROWS)
    studio = Studio(folder, page, within=[*within, *made, str(folder), str(tiny_llama), str(rows)])
    seen = Path(f"/proc/{studio.id}/root{folder}")  # from without
    filler, log = seen / "filler", seen / "first" / "log.jsonl"
    try:
        studio.pick(dataset="data/mine.csv")
        studio.tab("2 Experiment")
        studio.fill(name="first", max_steps="60", lora_r="4", per_device_train_batch_size="8")
        studio.pick(model="tiny")
        studio.unfold("Checkpoints and log")
        studio.fill(logging_steps="2", save_steps="20")
        studio.press("Start")
        studio.shows(re.compile("is in the queue as 0001"))
        until(lambda: log.is_file() and log.read_text().count("\n") > 1)
        with pytest.raises(OSError, match="No space left"), filler.open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
        studio.tab("3 Runs")
        studio.shows(re.compile("Fine-tuning first: failed. The disk of .* is full: make room"))
        assert not list((seen / "first").glob("checkpoint-*")) and not (seen / "first" / "adapter").exists()
        studio.tab("2 Experiment")
        studio.fill(name="second")
        studio.press("Start")
        studio.shows(re.compile("cannot be written: No space left on device; free some space"))
        filler.unlink()
        studio.tab("3 Runs")
        studio.press("Resume")
        studio.shows(re.compile("Fine-tuning first: done"))
        assert json.loads((seen / "first" / "run.json").read_text())["status"] == "done"
        assert [path.name for path in (seen / ".studio" / "jobs").glob("0*")] == ["0001"]
    finally:
        studio.end()


@pytest.mark.slow
def test_two_models_are_judged(page: Page, tmp_path: Path) -> None:
    """By the shipped model behind llama.cpp's server, which has not learnt to judge: what it answers is what is told."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "texts.jsonl").write_text('{"text": "I has recieved it."}\n{"text": "Thank you."}\n')
    port, key = free_port(), "a-key-of-this-test"
    model = ROOT / "space" / "models" / "proofreader.gguf"
    command = [sys.executable, "-m", "llama_cpp.server", f"--model={model}", "--host=127.0.0.1", f"--port={port}",
               "--n_ctx=1024", "--n_threads=1", f"--api_key={key}"]  # fmt: skip
    studio = Studio(tmp_path, page)
    with (
        (tmp_path / "server.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        try:
            studio.tab("5 Compare")
            studio.enter(models="none")
            studio.pick(data="data/texts.jsonl")
            studio.fill(url=f"http://127.0.0.1:{free_port()}/v1")
            studio.press("Have two of them judged")
            studio.shows(re.compile("Judge .*: failed. .* the server cannot be reached"))
            until(lambda: "Uvicorn running" in (tmp_path / "server.log").read_text())
            studio.fill(url=f"http://127.0.0.1:{port}/v1")
            studio.press("Have two of them judged")
            studio.shows(re.compile(r"Judge .*: failed. .* the server refuses the key \(401\)"))
            studio.restart(ENGINE_API_KEY=key)
            studio.tab("5 Compare")
            until(lambda: studio.value("data") == "data/texts.jsonl")  # what was filled in is there again
            assert studio.value("url") == ""
            studio.fill(url=f"http://127.0.0.1:{port}/v1")
            studio.press("Have two of them judged")
            studio.shows(re.compile("none against proofreader: (better|worse|undecided)"))
        finally:
            server.terminate()
            studio.end()
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and key in path.read_text(errors="replace")
    ]


@pytest.mark.slow
def test_from_a_file_of_rows_to_a_model_that_the_proofreader_loads(
    page: Page, base_model: Path, small_gguf: Path, tmp_path: Path
) -> None:
    """The studio is killed in the middle of the training, which goes on; the page finds it again."""
    rows = [{"draft": f"I has {n} letter.", "corrected": f"I have {n} letters."} for n in range(2, 60)]
    given = tmp_path / "mine.csv"
    given.write_text(
        "draft,corrected\n" + "".join(f"{row['draft']},{row['corrected']}\n" for row in rows) + "no answer,\n"
    )
    shutil.copytree(base_model, tmp_path / "studio" / "base")
    models = tmp_path / "models"  # in which the base itself is served
    models.mkdir()
    for path in (ROOT / "space" / "models").iterdir():
        if path.name not in ("reader", "polish"):  # of the shipped model alone
            (models / path.name).symlink_to(path)
    (models / "proofreader.gguf").unlink()
    shutil.copy(small_gguf, models / "proofreader.gguf")
    studio = Studio(tmp_path / "studio", page, MODELS_DIR=str(models))
    try:
        with page.expect_file_chooser() as chooser:
            studio.press("Open a file")
        chooser.value.set_files(given)
        studio.shows("data/mine.csv")
        studio.pick(model="base")
        studio.press("Look at the rows")
        studio.shows(re.compile(r"59 rows read .*46 to learn from, 12 held out, 1 left out"))
        studio.shows("no text in 'corrected'")

        studio.tab("2 Experiment")
        studio.fill(
            name="first", max_steps="40", lora_r="4", per_device_train_batch_size="8", learning_rate="0.01"
        )
        studio.pick(model="base")
        for name, values in (
            ("Training", {"eval_steps": "10", "samples": "2"}),
            ("Checkpoints and log", {"logging_steps": "2", "save_steps": "5"}),
        ):
            studio.unfold(name)
            studio.fill(**values)
        studio.press("Start")
        studio.shows(re.compile("is in the queue as 0001"))
        studio.shows(re.compile("training sft"))
        run = tmp_path / "studio" / "first"
        until(lambda: (run / "log.jsonl").is_file() and len((run / "log.jsonl").read_text().splitlines()) > 3)
        studio.kill()
        studio.start()
        studio.tab("3 Runs")
        studio.shows(re.compile("Fine-tuning first: (running|done)"))
        until(lambda: json.loads((run / "run.json").read_text())["status"] == "done")
        studio.shows(re.compile("Fine-tuning first: done"))
        studio.shows("answer now")

        studio.open()
        studio.tab("6 Release")
        studio.pick(run="first", base="base")
        studio.fill(limit="5")
        studio.press("Build and measure")
        studio.shows(re.compile("is in the queue as 0002"))
        made = tmp_path / "studio" / "release" / "first"
        until(lambda: list(made.rglob("proofreader.gguf")) and (made / "served.json").is_file())
        studio.shows(re.compile("It is not in place"))
    finally:
        studio.end()
    (file,) = [path for path in made.rglob("proofreader.gguf")]
    command = [sys.executable, "-m", "space", "proofread", f"--model={file}", "--json"]
    environment = os.environ | {"MODELS_DIR": str(models)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, input="I has recieved it.", capture_output=True, text=True, check=True
    )  # fmt: skip
    assert json.loads(done.stdout)["model"] == "proofreader"


def until(happened: object) -> None:
    assert callable(happened)
    end = time.monotonic() + 2 * SECONDS
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.3)
