"""What a person does on the page, and what they see of it."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

DONE = re.compile(r"Done in")


def draft(page: Page) -> Locator:
    return page.locator("#draft textarea")


def result(page: Page) -> str:
    """The email as it would be copied: with the changes that are accepted."""
    return str(page.evaluate("proofreader.text()"))


def status(page: Page) -> Locator:
    return page.locator("#status")


def click(button: Locator, done: Callable[[], bool]) -> None:
    """Clicks, and again after five seconds without effect: on a busy machine the page may have moved away under the pointer."""
    for _ in range(6):
        button.click()
        for _ in range(20):
            if done():
                return
            button.page.wait_for_timeout(250)
    raise AssertionError("the click has no effect")


def proofread(page: Page, text: str) -> None:
    draft(page).fill(text)
    proofread_again(page)


def proofread_again(page: Page) -> None:
    """Presses Proofread, and waits for the result."""
    now = page.evaluate("Date.now()")
    page.locator("#run").click()
    # An earlier result and its status line stay on screen for a moment: only the time of the new one tells it is there.
    kept = "JSON.parse(sessionStorage.getItem('proofreader.result'))"
    page.wait_for_function(f"now => {kept}?.time >= now", arg=now, timeout=60_000)
    expect(status(page)).to_contain_text(DONE)
