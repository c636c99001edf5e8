"""The result in a person's hands: choices, typing, undo, what is remembered, and what is underlined before a run."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from space.page import strings
from tests.browser.actions import DONE, draft, proofread, result, status

pytestmark = pytest.mark.browser

DRAFT = "I has recieved it.\n\nShe go to work at Monday."
MIXED = "The code is \x01.\nI has recieved it.\nHe go home."


def test_a_click_on_a_mark_says_why_and_lets_choose(page: Page) -> None:
    proofread(page, DRAFT)
    everything, popover = result(page), page.locator("#popover")
    mark = page.locator("#result .pr-change", has_text="recieved")
    mark.click()
    reason = page.locator("#changes .pr-card", has_text="recieved").locator("p").inner_text()
    expect(popover).to_contain_text(reason)
    assert result(page) == everything  # to look is not to choose
    popover.get_by_role("button", name=strings.REJECT).click()
    expect(popover).to_have_count(0)
    expect(mark).to_be_focused()
    assert result(page) == everything.replace("received", "recieved")
    mark.click()
    page.keyboard.press("Escape")
    expect(popover).to_have_count(0)
    mark.click()
    popover.get_by_role("button", name=strings.NEXT).click()
    expect(popover).not_to_contain_text("recieved")
    page.locator("#head").click()
    expect(popover).to_have_count(0)


def test_a_word_that_is_ignored_for_good_is_a_protected_one(page: Page) -> None:
    proofread(page, DRAFT)
    page.locator("#result .pr-change", has_text="recieved").click()
    page.get_by_role("button", name=strings.IGNORE.format(word="recieved")).click()
    assert "recieved" in result(page)
    page.wait_for_function("localStorage.getItem('proofreader.settings').includes('recieved')")
    proofread(page, DRAFT + " Thank you.")
    assert "recieved" in result(page)
    expect(page.locator("#result .pr-change", has_text="recieved")).to_have_count(0)


def test_choices_and_typing_can_be_undone_and_redone(page: Page) -> None:
    proofread(page, DRAFT)
    everything = result(page)
    page.get_by_role("button", name=strings.REJECT_ALL).click()
    assert result(page) == DRAFT
    page.locator("#result .pr-email").click(position={"x": 12, "y": 12})
    page.keyboard.press("Control+End")
    page.keyboard.type(" Bye!")
    assert result(page).rstrip("\n") == DRAFT + " Bye!"
    page.keyboard.press("Control+z")
    assert result(page) == DRAFT
    page.keyboard.press("Control+z")
    assert result(page) == everything
    page.get_by_role("button", name=strings.REDO).click()
    assert result(page) == DRAFT
    page.get_by_role("button", name=strings.UNDO, exact=False).last.click()
    assert result(page) == everything


def test_what_is_typed_in_the_result_leaves_later_changes_in_their_places(page: Page) -> None:
    proofread(page, MIXED)
    everything = result(page)
    assert "code is \x01." in everything  # a character that no screen can show is kept
    page.locator("#result .pr-email").click(position={"x": 12, "y": 12})
    page.keyboard.press("Control+Home")
    page.keyboard.type("Well, ")
    assert result(page).startswith("Well, ") and result(page).endswith(everything)
    page.locator("#result .pr-change", has_text="go").first.click()
    page.locator("#popover").get_by_role("button", name=strings.REJECT).click()
    assert "He go home" in result(page) and "received" in result(page) and result(page).startswith("Well, ")
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_text(strings.COPIED)
    assert page.evaluate("navigator.clipboard.readText()").replace("\r", "").startswith("Well, ")


def test_what_was_rejected_stays_rejected_in_the_next_run(page: Page) -> None:
    proofread(page, DRAFT)
    page.locator("#result .pr-change", has_text="recieved").click()
    page.locator("#popover").get_by_role("button", name=strings.REJECT).click()
    draft(page).fill(DRAFT + "\nHe have three.")
    page.locator("#run").click()
    expect(page.locator("#result")).to_contain_text("three")
    expect(status(page)).to_contain_text(DONE)
    expect(page.locator("#result .pr-change", has_text="recieved")).to_have_attribute("aria-pressed", "false")
    assert "recieved" in result(page) and "He has three" in result(page)


def test_a_reload_brings_the_result_back_as_it_was_left(page: Page) -> None:
    proofread(page, DRAFT)
    page.locator("#result .pr-change", has_text="recieved").click()
    page.locator("#popover").get_by_role("button", name=strings.REJECT).click()
    page.locator("#result .pr-email").click(position={"x": 12, "y": 12})
    page.keyboard.press("Control+Home")
    page.keyboard.type("Well, ")
    left = result(page)
    page.wait_for_function("JSON.stringify(sessionStorage).includes('Well')")
    page.reload()
    expect(status(page)).to_contain_text(strings.RECALLED)
    expect(page.locator("#changes .pr-card").first).to_be_visible()
    page.wait_for_function("proofreader.text().startsWith('Well')")
    assert result(page) == left
    page.locator("#clear").click()
    page.reload()
    expect(draft(page)).to_be_visible()
    expect(page.locator("#result .pr-change")).to_have_count(0)


def test_a_run_that_is_faster_than_the_opening_of_the_page_is_kept(page: Page) -> None:
    proofread(page, DRAFT)
    everything = result(page)
    page.evaluate("proofreader.arrived('')")  # what comes of a page with nothing to bring back, late
    page.reload()
    expect(status(page)).to_contain_text(strings.RECALLED)
    assert result(page) == everything


def test_the_history_has_the_results_too(page: Page) -> None:
    proofread(page, DRAFT)
    kept = result(page)
    page.wait_for_function("localStorage.getItem('proofreader.history')?.includes('recieved')")
    page.locator("#clear").click()
    expect(page.locator("#result .pr-change")).to_have_count(0)
    page.locator("#history").get_by_text(strings.HISTORY).first.click()
    page.locator("#history li").first.get_by_role("button").click()
    expect(page.locator("#result .pr-change").first).to_be_visible()
    expect(draft(page)).to_have_value(DRAFT)
    page.wait_for_function("(kept) => proofreader.text() === kept", arg=kept)
    page.get_by_role("button", name=strings.HISTORY_CLEAR).click()


def test_doubtful_words_are_underlined_while_the_draft_is_typed_and_mended_by_a_click(page: Page) -> None:
    draft(page).press_sequentially("I has recieved it.")
    lines = page.locator("#underlined u")
    expect(lines).to_have_text(["has", "recieved"])
    word, box = lines.nth(1).bounding_box(), draft(page).bounding_box()
    assert word and box
    page.mouse.click(word["x"] + word["width"] / 2, word["y"] + word["height"] / 2)
    page.locator("#popover").get_by_role("button", name="received").click()
    expect(draft(page)).to_have_value("I has received it.")
    expect(lines).to_have_text(["has"])
    page.keyboard.press("Control+z")
    expect(draft(page)).to_have_value("I has recieved it.")


def test_an_underline_lies_under_its_word(page: Page) -> None:
    """A copy of the draft holds it, so every line of both must break alike, with a scroll bar too."""
    text = "The parcel has arrived today and all is well with it so far. " * 60 + "I has recieved it."
    draft(page).fill(text)
    expect(page.locator("#underlined u").last).to_have_text("recieved")
    heights = page.evaluate("""() => {
        const [box, copy] = [document.querySelector("#draft textarea"), document.querySelector("#underlined")];
        box.scrollTop = 1e6;
        return [box.scrollHeight, copy.scrollHeight, box.clientWidth, copy.clientWidth];
    }""")
    assert abs(heights[0] - heights[1]) <= 2 and heights[2] == heights[3]
    page.wait_for_function(
        """() => Math.abs(document.querySelector("#draft textarea").scrollTop - document.querySelector("#underlined").scrollTop) <= 2"""
    )


def test_a_subject_is_proofread_and_is_no_part_of_what_is_copied(page: Page) -> None:
    page.locator("#subject").get_by_role("textbox").fill("Urgent questoin")
    proofread(page, "I has recieved it.")
    assert result(page) == "Subject: Urgent question\n\nI have received it."
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_text(strings.COPIED)
    assert page.evaluate("navigator.clipboard.readText()") == "I have received it."


def test_both_panes_show_the_same_part_of_a_long_email(page: Page) -> None:
    proofread(page, "\n".join(f"Week {n}." for n in range(60)))
    assert draft(page).bounding_box()["y"] < 900
    draft(page).evaluate("(area) => { area.scrollTop = area.scrollHeight; }")
    page.wait_for_function(
        """() => { const email = document.querySelector("#result .pr-email");
        return email.scrollTop + email.clientHeight >= email.scrollHeight - 2; }"""
    )


@pytest.mark.parametrize("width", [1440, pytest.param(390, marks=pytest.mark.slow)])
def test_cards_stand_beside_the_email_where_there_is_room(app: Any, open_page: Any, width: int) -> None:
    page = open_page(app, width, 900)
    proofread(page, DRAFT)
    email, cards = page.locator("#result .pr-email").bounding_box(), page.locator("#changes").bounding_box()
    assert (cards["x"] >= email["x"] + email["width"]) == (width == 1440)
    if width == 390:  # there, the popover is a sheet at the foot of the window
        page.locator("#result .pr-change").first.click()
        box = page.locator("#popover").bounding_box()
        assert box["x"] == 0 and box["width"] == width and round(box["y"] + box["height"]) == 900


def test_targets_are_large_enough_for_a_finger(app: Any, profile: Any) -> None:
    context = profile(False).browser.new_context(
        has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}
    )
    page = context.new_page()
    page.goto(app.url)
    proofread(page, DRAFT)
    page.locator("#result .pr-change").first.tap()
    expect(page.locator("#popover")).to_be_visible()
    small = page.evaluate("""() => [...document.querySelectorAll("button, summary, label:has(input[type=radio], input[type=checkbox])")]
        .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height > 0 && each.getBoundingClientRect().height < 43.5)
        .map((each) => `${each.outerHTML.slice(0, 80)} ${each.getBoundingClientRect().height}`)""")
    assert small == []
    assert not re.search(r"Ctrl", page.locator("body").inner_text())
    context.close()


def test_a_check_can_be_dismissed_for_good(page: Page) -> None:
    text = "Hi Tom,\n\nWe meet on Monday, 3 March 2026. I will bring the [NAME] folder.\n"
    proofread(page, text)
    checks = page.locator("#notes .pr-check")
    expect(checks).to_have_count(2)
    page.get_by_role("button", name=strings.DISMISS).first.click()
    expect(checks.first).to_be_hidden()
    expect(checks.last).to_be_visible()
    proofread(page, text + "\nAnna\n")
    expect(checks.last).to_be_visible()
    expect(checks.first).to_be_hidden()


def test_the_sentences_that_make_an_email_blunt_are_named(page: Page) -> None:
    draft(page).fill("Hi Tom,\n\nFix this now, you idiot.\n")
    expect(page.locator("#draft-tone")).to_contain_text("because of: “Fix this now, you idiot.”")


def test_a_blunt_sentence_is_one_edit_with_wordings_to_choose_from(page: Page) -> None:
    draft(page).fill("Send me the signed form today.")
    page.locator("#mode").get_by_text(strings.MODES["polish"]).click()
    page.locator("#run").click()
    mark = page.locator("#result .pr-change")
    expect(mark).to_have_count(1)
    kinder = result(page)
    mark.click()
    wordings = page.locator("#popover [data-wording]")
    assert wordings.count() in (2, 3)
    wordings.nth(1).click()
    other = result(page)
    assert other != kinder and "signed form today" in other
    mark.click()
    page.locator("#popover").get_by_role("button", name=strings.REJECT).click()
    assert result(page) == "Send me the signed form today."
    page.keyboard.press("Control+z")
    assert result(page) == other


def test_a_file_with_windows_line_ends_is_no_other_draft_than_its_result(page: Page) -> None:
    file = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"Hi Tom,\r\n\r\nI has recieved it.\r\n"}
    with page.expect_file_chooser() as chooser:
        page.locator("#open").click()
    chooser.value.set_files(file)
    expect(page.locator("#underlined u").first).to_have_text("has")
    page.locator("#run").click()
    expect(page.locator("#result .pr-change").first).to_be_visible()
    expect(page.locator("#stale")).to_have_text("")


def test_what_is_deleted_is_gone_from_what_is_kept_too(page: Page) -> None:
    """A stretch between two changes that goes as a whole leaves no typed text behind."""
    proofread(page, "I has recieved it, and he go home")
    page.evaluate("""() => document.querySelector("#result [data-piece='4']").remove()""")
    sent = json.loads(page.evaluate("proofreader.withChoices('')")[-1])
    assert sent["text"] == result(page) and ", and" not in result(page)


def test_the_correction_of_an_underlined_word_is_within_reach_of_the_keyboard(page: Page) -> None:
    draft(page).fill("I has recieved it.")
    expect(page.locator("#underlined u")).to_have_count(2)
    draft(page).evaluate("(area) => area.setSelectionRange(8, 8)")
    draft(page).press("Alt+Enter")
    expect(page.locator("#popover")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(draft(page)).to_have_value("I has received it.")
