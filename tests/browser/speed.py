"""How fast the page is in Chromium: its first paint, underlines, a choice, and how far things jump when a result comes.

python -m tests.browser.speed        (needs the tools of `make test`)
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from space.page import strings
from tests.bench import EMAIL
from tests.browser.conftest import ARGUMENTS, running

SHIFT = """() => {
  window.shift = 0;
  new PerformanceObserver((list) => { for (const each of list.getEntries()) window.shift += each.value; })
    .observe({ type: "layout-shift" });
}"""
# From the last letter of a sentence that is typed before the closing until the lines under it are drawn.
UNDERLINE = """async () => {
  const area = document.querySelector("#draft textarea");
  const began = performance.now();
  area.value = area.value.replace("\\n\\nKind regards", " Please sent it to Petr.$&");
  area.dispatchEvent(new Event("input", { bubbles: true }));
  const drawn = () => document.querySelector("#underlined")?.textContent === `${area.value}\\n`;
  while (!drawn()) await new Promise((later) => setTimeout(later, 5));
  return performance.now() - began;
}"""
CHOICE = """async () => {
  const began = performance.now();
  document.querySelector("#changes [data-accept=false]").click();
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  return performance.now() - began;
}"""


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is not installed: sudo apt-get install chromium")
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as app,
        sync_playwright() as playwright,
    ):
        page = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS).new_page()
        paints = []
        for _ in range(2):  # the first visit fills the browser's cache
            page.goto(app.url)
            page.wait_for_selector("#draft textarea")
            paints.append(
                page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            )
        page.fill("#draft textarea", EMAIL)
        page.wait_for_selector("#underlined u")
        page.wait_for_timeout(2000)
        typed = sorted(page.evaluate(UNDERLINE) for _ in range(5))
        print(f"| {len(EMAIL.split())} words, a sentence typed: until doubtful words are underlined, median (slowest) | "
              f"{typed[2]:.0f} ms ({typed[-1]:.0f} ms) |")  # fmt: skip
        page.evaluate(SHIFT)
        page.fill("#draft textarea", list(strings.EXAMPLE_EMAILS.values())[0] * 4)
        page.click("#run")
        page.wait_for_function("document.querySelector('#status').innerText.includes('Done')")
        page.wait_for_timeout(500)
        print(
            f"| the page's first paint: first visit, next | {paints[0] / 1000:.2f} s, {paints[1] / 1000:.2f} s |"
        )
        print(f"| of {page.locator('#changes .pr-card').count()} changes one is rejected: until it shows | "
              f"{page.evaluate(CHOICE):.0f} ms |")  # fmt: skip
        print(f"| cumulative layout shift from click to result | {page.evaluate('window.shift'):.3f} |")


if __name__ == "__main__":
    main()
