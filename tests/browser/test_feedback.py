"""Feedback from the page to a private dataset, to a journal alone, and to a disk that takes nothing."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from feedback.journal import records
from feedback.record import from_row
from feedback.redact import redact
from space.page import strings
from tests.browser.conftest import WAIT_SECONDS, App, running
from tests.feedback.conftest import REPO
from tests.feedback.hub_server import HubServer

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
ADDRESS = "jana.novak@example.com"
DRAFT = f"Hi Jana,\n\nI has recieved the report. It have to many mistakes, please write to {ADDRESS}.\n\nThanks,\nTom\n"
NOBODY = "http://127.0.0.1:9"  # the discard port
COMMENT = f"The second one is wrong, ask {ADDRESS}"
UNKNOWN = strings.THANKS.format(id="").strip()


@pytest.fixture
def loopback() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


def hub_settings(hub: HubServer, **changed: str) -> dict[str, str]:
    return {"FEEDBACK_DATASET": REPO, **hub.env, **changed}


def fill(page: Page, draft: str = DRAFT) -> None:
    """A proofread draft, its second change rejected, a verdict with reason and comment, and consent."""
    if "Done in" in page.locator("#status").inner_text():  # of the run before
        page.locator("#clear").click()
        expect(page.locator("#status")).not_to_contain_text("Done in")
    page.locator("#draft textarea").fill(draft)
    page.locator("#run").click()
    expect(page.locator("#status")).to_contain_text("Done in", timeout=60_000)
    page.locator("#result .pr-change[role=button]").nth(1).click()
    page.locator("#popover").get_by_role("button", name=strings.REJECT).click()
    expect(page.locator("#result .pr-change").nth(1)).to_have_attribute("aria-pressed", "false")
    page.locator("#verdict").get_by_text(strings.VERDICTS["bad"]).click()
    page.locator("#reasons").get_by_text(strings.REASONS["wrong correction"]).click()
    page.locator("#comment textarea").fill(COMMENT)
    page.locator("#comment textarea").blur()
    page.locator("#consent input").check()


def preview(page: Page) -> str:
    """The record as it is shown."""
    page.locator("#preview").get_by_text(strings.PREVIEW).click()
    expect(page.locator("#preview pre")).to_contain_text("[EMAIL_1]")
    return page.locator("#preview pre").inner_text()


def send(page: Page) -> Locator:
    page.locator("#send").click()
    return page.locator("#feedback-status")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def processes(folder: Path) -> list[int]:
    """The ids of the apps that this process started with their feedback in `folder`."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
            if f"FEEDBACK_DIR={folder}".encode() in environment:
                found.append(int(child))
    return found


def journaled(app: App) -> dict[str, Any]:
    (record,) = records(app.feedback)
    return record


def check(record: dict[str, Any]) -> None:
    """Everything that the user said, and nobody's address."""
    assert record["verdict"] == "bad" and record["reasons"] == ["wrong correction"]
    changes = record["changes"]
    assert all(c["verdict"] == "undecided" for c in changes if c["status"] == "suggested")
    verdicts = [change["verdict"] for change in changes if change["status"] == "applied"]
    assert len(verdicts) > 2 and verdicts == ["accepted", "rejected"] + ["accepted"] * (len(verdicts) - 2)
    assert all(record["draft"][c["start"] : c["end"]] == c["before"] for c in record["changes"])
    assert record["draft"] == redact([DRAFT]).texts[0] and "[EMAIL_1]" in record["draft"]
    assert record["comment"] == "The second one is wrong, ask [EMAIL_1]"
    assert set(record["versions"]) == {"app", "model", "prompt", "gguf_sha256"} and all(
        record["versions"].values()
    )
    assert record["consent"] == strings.CONSENT_VERSION and record["options"]["mode"] == "proofread"
    assert record["client"] and "127.0.0.1" not in json.dumps(record)


@pytest.mark.slow
def test_what_was_sent_from_the_page_is_in_the_private_dataset(
    loopback: HubServer, tmp_path: Path, open_page: Open
) -> None:
    with running(tmp_path, **hub_settings(loopback)) as app:
        page = open_page(app)
        fill(page)
        expect(page.locator("#consent")).to_contain_text(f"private dataset {REPO}")
        shown = preview(page)
        assert '"rejected"' in shown and '"redactions"' in shown
        assert ADDRESS not in shown and "Jana" not in shown
        line = send(page)
        expect(line).to_contain_text(UNKNOWN)
        name = journaled(app)["id"]
        assert name in line.inner_text()
        until(lambda: [row["id"] for row in loopback.rows(REPO)] == [name])  # in seconds, without being asked
        fill(page)  # a second one would wait for a minute
        expect(send(page)).to_contain_text(UNKNOWN)
        names = [record["id"] for record in records(app.feedback)]
    # The app was stopped by SIGTERM, as a Space is before its disk is wiped: what was thanked for has been sent.
    row, second = loopback.rows(REPO)
    assert [row["id"], second["id"]] == names and len(set(names)) == 2
    assert loopback.repos[REPO].private
    check(from_row(row))
    assert "| wrong correction | 2 |" in loopback.repos[REPO].files["README.md"].decode()
    everywhere = b"".join(
        [*loopback.repos[REPO].files.values(), *(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())]
    )
    for secret in (ADDRESS, loopback.token):
        assert secret.encode() not in everywhere
    assert app.contacted.read_text() == ""


@pytest.mark.slow
def test_without_a_hub_the_thanks_come_and_the_record_arrives_after_kill_9_and_a_restart(
    loopback: HubServer, tmp_path: Path, open_page: Open
) -> None:
    with running(tmp_path, **hub_settings(loopback, HF_ENDPOINT=NOBODY)) as app:
        page = open_page(app)
        fill(page)
        expect(send(page)).to_contain_text(UNKNOWN)
        check(journaled(app))
        (process,) = processes(app.feedback)
        os.kill(process, signal.SIGKILL)
    log = (tmp_path / "stderr").read_text()
    assert "could not be reached" in log and loopback.token not in log and ADDRESS not in log
    assert loopback.repos == {}
    with running(tmp_path, **hub_settings(loopback)) as again:
        assert journaled(again)
    assert [row["id"] for row in loopback.rows(REPO)] == [journaled(app)["id"]]


@pytest.mark.slow
def test_a_disk_that_is_full_is_reported_and_the_words_stay(tmp_path: Path, open_page: Open) -> None:
    """A file that may not grow is refused like one on a full disk: half way, by the system."""
    with running(tmp_path) as app:
        page = open_page(app)
        fill(page)
        (process,) = processes(app.feedback)
        unlimited = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (200, unlimited[1]))
        line = send(page)
        expect(line.get_by_role("alert")).to_contain_text("Feedback was not saved")
        expect(page.locator("#comment textarea")).to_have_value(COMMENT)
        expect(page.locator("#send")).to_be_enabled()
        assert list(records(app.feedback)) == []
        resource.prlimit(process, resource.RLIMIT_FSIZE, unlimited)
        expect(send(page)).to_contain_text(UNKNOWN)
        check(journaled(app))


@pytest.mark.slow
def test_a_disk_that_is_read_only_is_reported_and_the_words_stay(tmp_path: Path, open_page: Open) -> None:
    with running(tmp_path, FEEDBACK_DIR="/sys/feedback") as app:  # where even root can make no folder
        page = open_page(app)
        fill(page)
        line = send(page)
        expect(line.get_by_role("alert")).to_contain_text("Feedback was not saved in /sys/feedback")
        expect(line.get_by_role("alert")).to_contain_text("FEEDBACK_DIR")
        expect(page.locator("#comment textarea")).to_have_value(COMMENT)
        expect(page.locator("#send")).to_be_enabled()
