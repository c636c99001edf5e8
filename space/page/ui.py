"""The page: its components and what each event does with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from feedback.redact import ClientHash
from space.api import MAX_RUNS, MODEL, endpoints
from space.page import render, strings
from space.page.feedback_form import FeedbackForm
from space.page.handlers import Draft, Handlers, as_eml
from space.page.layout import Layout

if TYPE_CHECKING:
    from feedback.journal import Journal
    from space.proofread.classifiers.tone import ToneClassifier
    from space.proofread.llm.switcher import ModelSwitcher

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_WITH_CHOICES: dict[str, Any] = _QUIET | {"js": "proofreader.withChoices"}  # fills in the last input
_AT_ONCE: dict[str, Any] = _QUIET | {"queue": False}


def build(
    models: ModelSwitcher | None,
    journal: Journal,
    tone: ToneClassifier | None,
    problem: str = "",
    stored_where: Callable[[], str] = str,
) -> gr.Blocks:
    """The page and the endpoints beside it. Without models it still measures tone, and answers each request with `problem`.

    `stored_where` says where feedback is kept, for the consent.
    """
    client_hash = ClientHash()
    with gr.Blocks(
        title=strings.TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)
    ) as page:
        empty = strings.TONE_EMPTY if tone else strings.TONE_MISSING
        draft_tone = render.gauges(strings.DRAFT_TONE, None, empty=empty)
        view = Layout(models, problem, draft_tone, FeedbackForm(journal, client_hash, stored_where))
        handlers = Handlers(view, models, tone, problem)
        page.unload(handlers.leave)
        _connect_run(view, handlers)
        endpoints(models, journal, tone, problem, client_hash)
        _connect_tone(view, handlers)
        _connect_draft(view, handlers)
        _connect_result(view)
        _connect_settings(page, view, handlers)
        view.feedback.connect(view.last, view.origin, view.choices, view.rescore.click, **_WITH_CHOICES)
    return page


def _connect_run(view: Layout, handlers: Handlers) -> None:
    outputs = [
        *_results(view), view.run, view.stop, view.clear,
    ]  # fmt: skip
    inputs = [view.subject, view.draft, view.opened, view.mode, *view.settings.values()]
    some = {"concurrency_limit": MAX_RUNS, "concurrency_id": MODEL}
    begun = view.run.click(handlers.begin, None, outputs, **_AT_ONCE)
    begun.then(None, None, None, js="proofreader.judge")
    ended = begun.then(handlers.run, inputs, outputs, **some, **_QUIET)
    ended.failure(handlers.not_begun, None, outputs, **_AT_ONCE)
    ended.then(None, view.saved, None, js="proofreader.arrived")
    view.stop.click(handlers.stop, None, None, **_AT_ONCE)


def _results(view: Layout) -> list[Any]:
    """What shows a result, or that there is none."""
    return [
        view.last, view.origin, view.mail_of_last, view.saved, view.result, view.status, view.notes, view.draft_tone,
        view.result_tone, view.changes, view.skipped, view.why, view.prompts, view.prompts_panel, view.details,
        *view.result_buttons, *view.feedback.reset(),
    ]  # fmt: skip


def _connect_tone(view: Layout, handlers: Handlers) -> None:
    queue = {"concurrency_id": "tone", "trigger_mode": "always_last"}
    view.subject.change(None, view.draft, view.count, js="(text) => proofreader.count(text)")
    typed = [view.draft, view.settings["terms"], view.settings["dialect"]]
    seen = view.live.click(handlers.underline, typed, view.doubts, **queue, **_QUIET)
    seen.then(None, view.doubts, None, js="proofreader.underline")
    view.draft.change(None, view.draft, view.count, js="(text) => proofreader.count(text)")
    view.measure.click(handlers.measure, view.draft, view.draft_tone, **queue, **_QUIET)
    chosen = [view.last, view.choices]
    view.rescore.click(handlers.measure_chosen, chosen, view.result_tone, **queue, **_WITH_CHOICES)


def _connect_draft(view: Layout, handlers: Handlers) -> None:
    old = [view.subject, view.draft, view.opened]
    changed = [view.subject, view.draft, view.replaced, view.restore, view.opened, view.file_notes]
    view.open.upload(handlers.open_file, [*old, view.open], [*changed, view.status], **_QUIET)
    for button, email in view.examples:
        button.click(partial(handlers.replace, new=Draft(text=email)), old, changed, **_QUIET)
    view.restore.click(handlers.replace, [*old, view.replaced], changed, **_QUIET)
    picked = [*old, view.picked_subject, view.picked, view.saved]
    again = view.pick.click(
        handlers.pick, picked, [*changed, *_results(view)], js="proofreader.withPicked", **_QUIET
    )
    again.then(None, view.saved, None, js="proofreader.arrived")
    cleared = view.clear.click(handlers.clear, old, [*changed, *_results(view)], **_QUIET)
    cleared.then(None, view.saved, None, js="proofreader.arrived")


def _connect_result(view: Layout) -> None:
    copied = view.copy.click(None, None, view.copy, js="proofreader.copy")
    copied.then(None, None, view.copy, js="proofreader.copyAgain")
    view.save_txt.click(None, None, None, js="proofreader.saveText")
    chosen = [view.last, view.mail_of_last, view.choices]
    encoded = view.save_eml.click(as_eml, chosen, view.eml, **_WITH_CHOICES)
    encoded.then(None, view.eml, None, js="proofreader.saveMail")
    view.hide.click(None, None, view.hide, js="proofreader.hideMarks")


def _connect_settings(page: gr.Blocks, view: Layout, handlers: Handlers) -> None:
    remembered = [view.settings["terms"], view.settings["dialect"]]
    recalled = page.load(None, None, [*remembered, view.saved], js="proofreader.recall")
    recalled = recalled.then(handlers.recall, view.saved, _results(view), **_QUIET)
    recalled.then(None, view.saved, None, js="proofreader.arrived")
    terms = view.settings["terms"]
    view.ignore.click(None, terms, terms, js="proofreader.withIgnored")
    for each in remembered:
        each.change(None, remembered, None, js="proofreader.remember")
    usual = [each for name, each in view.settings.items() if name != "terms"]  # a person's own words stay
    view.reset.click(lambda: [each.value for each in usual], None, usual, **_QUIET)
    view.clear_history.click(None, None, None, js="proofreader.clearHistory")
