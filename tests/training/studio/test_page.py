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
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, free_port

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 120  # for anything that must happen; the machine may be busy
TABS = ("1 Data", "2 Experiment", "3 Runs", "4 Search", "5 Compare", "6 Release")


class Studio:
    """`python -m training studio` on a folder, and a page of it."""

    def __init__(self, folder: Path, page: Page, **environment: str) -> None:
        self.folder, self.page, self._port = folder, page, free_port()
        self._environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"} | environment
        self.start()

    def start(self) -> None:
        with (self.folder / "studio.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "training", "studio", str(self.folder), f"--port={self._port}"],
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

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

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

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).locator("visible=true").click()

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
        if path.name != "reader":  # of the shipped model alone
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
