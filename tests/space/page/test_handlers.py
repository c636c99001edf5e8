"""What a click does, with the shipped models and no browser."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from feedback.journal import Journal
from feedback.redact import ClientHash
from space.page import strings
from space.page.feedback_form import FeedbackForm
from space.page.handlers import Handlers, Updates, outcome_line
from space.page.layout import Layout
from space.proofread.llm.switcher import ModelSwitcher
from space.proofread.pipeline import Progress, Proofread, load_proofreader
from space.settings import Settings
from tests.space.page.test_render import KIND, RUDE

REQUEST: Any = SimpleNamespace(session_hash="one page")
LONG = "\n".join(f"I has recieve the {number} reports." for number in range(40))


@dataclasses.dataclass
class OnePage:
    view: Layout
    handlers: Handlers

    def start(self, text: str) -> Iterator[Updates]:
        self.handlers.begin(REQUEST)
        settings = [component.value for component in self.view.settings.values()]
        return self.handlers.run("", text, None, "proofread", REQUEST, *settings)


def make_page(models: ModelSwitcher | None, folder: Path, problem: str = "") -> OnePage:
    with gr.Blocks():
        view = Layout(models, problem, "", FeedbackForm(Journal(folder), ClientHash(), str))
    return OnePage(view, Handlers(view, models, None, problem))


@pytest.fixture
def page(tmp_path: Path) -> OnePage:
    settings = dataclasses.replace(Settings.from_env(), n_threads=1)
    return make_page(ModelSwitcher(load_proofreader(settings), settings), tmp_path)


def test_what_is_longer_than_a_program_may_send_gets_one_line_on_the_page_too(
    page: OnePage, tmp_path: Path
) -> None:
    (last,) = page.start("a\n" * 50_001)
    assert (
        "Your draft: 100,002 characters are more than 100,000; send less at once." in last[page.view.status]
    )
    assert last[page.view.run]["interactive"]
    file = tmp_path / "long.txt"
    file.write_text("a\n" * 50_001)
    opened = page.handlers.open_file("", "mine", None, str(file))
    assert set(opened) == {page.view.status} and "long.txt: 100,00" in opened[page.view.status]


def test_a_run_ends_with_its_result_and_gives_the_buttons_back(page: OnePage) -> None:
    *_, last = page.start("I has recieved it.")
    value = last[page.view.last]
    assert value.draft == "I has recieved it." and value.changed
    assert "Done in" in last[page.view.status] and last[page.view.run]["interactive"]
    assert set(last[page.view.origin]["versions"]) == {"app", "model", "prompt", "gguf_sha256"}


def test_the_feedback_form_is_emptied_by_the_click_and_not_by_what_a_run_sends(page: OnePage) -> None:
    """Gradio sends the last update of a generator twice: by the second one a person may have begun to type."""
    view = page.view
    answers = {view.feedback.verdict, view.feedback.comment, view.feedback.corrected, view.feedback.consent}
    assert answers <= set(page.handlers.begin(REQUEST))
    assert not any(answers & set(update) for update in page.start("I has recieved it."))


def test_a_run_that_is_stopped_says_how_far_it_came(page: OnePage) -> None:
    run = page.start(LONG.replace("reports", "letters"))  # which no other test has read before
    for update in run:
        if re.search(r"[1-9]\d* of 40", update.get(page.view.status, "")):
            page.handlers.stop(REQUEST)
    assert update[page.view.last].stopped and not update[page.view.stop]["interactive"]
    assert re.search(r"Stopped: sentences \d+ to 40 were not checked", update[page.view.status])


def test_how_a_run_ended_does_not_hang_on_the_words_of_a_note() -> None:
    value = Proofread("Hi", (), RUDE, KIND, (), ("Angehalten.",), "m", {}, (), stopped=True)
    stopped = "Stopped: sentences 3 to 5 were not checked."
    assert outcome_line(value, Progress(2, 5, ()), "sentences", 1.0) == stopped
    assert outcome_line(value, Progress(0, 5, ()), "sentences", 1.0) == strings.STOPPED_EARLY


def test_without_models_a_run_answers_why(tmp_path: Path) -> None:
    page = make_page(None, tmp_path, "proofreader.gguf: no such model file")
    *_, last = page.start("I has recieved it.")
    assert "no such model file" in last[page.view.status] and last[page.view.run]["interactive"]
