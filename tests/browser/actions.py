"""What a person does on the page, and what they see of it."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

DONE = re.compile(r"Done in")


def draft(page: Page) -> Locator:
    return page.locator("#draft textarea")


def result(page: Page) -> str:
    """The email as it would be copied: with the changes that are accepted."""
    return str(page.evaluate("proofreader.text()"))


def status(page: Page) -> Locator:
    return page.locator("#status")


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
