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
    page.locator("#run").click()
    expect(status(page)).to_contain_text(DONE, timeout=60_000)
