"""What each event of the page does, apart from the feedback form."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from space.api import UPDATE_SECONDS, check_text, error_line
from space.errors import UserError

# Gradio reads the annotations of handlers with a request: what those name must be imported for real.
from space.mail import Mail, headers_of, open_mail, save_eml, with_subject, without_subject
from space.options import Options
from space.page import render, strings
from space.page.choices import chosen_text
from space.page.feedback_form import Updates
from space.page.layout import Layout
from space.page.saved import Saved, restore, save
from space.proofread.causes import causes
from space.proofread.pipeline import Progress, Proofread, Proofreader, spoken

if TYPE_CHECKING:
    from space.proofread.classifiers.tone import Tone, ToneClassifier
    from space.proofread.llm.switcher import ModelSwitcher


@dataclass(frozen=True)
class Draft:
    """What a person wrote, and the file that it was opened from."""

    subject: str = ""
    text: str = ""
    mail: Mail | None = None


class Handlers:
    """Each takes values of components and returns updates of them. Without models each run answers `problem`."""

    def __init__(
        self, view: Layout, models: ModelSwitcher | None, tone: ToneClassifier | None, problem: str
    ) -> None:
        self._view, self._models, self._tone, self._problem = view, models, tone, problem
        self._stops: dict[str, threading.Event] = {}  # session -> set when the user wants its run to end

    # ---- a run ----

    def begin(self, request: gr.Request) -> Updates:
        """Answers the click at once, before the queue: from here on Stop has something to stop.

        The form is emptied here: the last update of a generator reaches the page twice, and would take with it what
        was typed in between.
        """
        self._stops[_session(request)] = threading.Event()
        return (
            self._blank()
            | self._view.feedback.reset()
            | self._busy(True)
            | {
                # Hidden by the style sheet, as their room stays.
                self._view.changes: gr.skip(),
                self._view.details: gr.skip(),
                self._view.status: render.status(strings.WAITING, "busy"),
            }
        )

    def run(
        self, subject: str, text: str, mail: Mail | None, mode: str, request: gr.Request, *settings: Any
    ) -> Iterator[Updates]:
        """One run, from click to result; whatever happens, the last update gives the buttons back."""
        stop = self._stops.setdefault(_session(request), threading.Event())
        try:
            draft, options = whole(subject, text), Options(mode, *settings)
            result = yield from self._proofread(draft, options, mail, stop.is_set)
        except Exception as error:  # noqa: BLE001  no traceback ever reaches the screen
            line = render.status(error_line(error, strings.UNEXPECTED), "error")
            result = self._blank() | {self._view.status: line}
        finally:
            self._stops.pop(_session(request), None)
        yield result | self._busy(False)

    def not_begun(self, request: gr.Request) -> Updates:
        """Gives the buttons back when the queue was full and no run has begun."""
        self._stops.pop(_session(request), None)
        line = render.status(strings.NOT_BEGUN, "error")
        return self._blank() | self._busy(False) | {self._view.status: line}

    def stop(self, request: gr.Request) -> None:
        if event := self._stops.get(_session(request)):
            event.set()

    def leave(self, request: gr.Request) -> None:
        """The page was closed."""
        self.stop(request)
        self._stops.pop(_session(request), None)

    def _proofread(
        self, text: str, options: Options, mail: Mail | None, stop: Callable[[], bool]
    ) -> Generator[Updates, None, Updates]:
        """Yields how far it is, and returns the result."""
        began, view = time.monotonic(), self._view
        if not text.strip():
            raise UserError(strings.EMPTY_DRAFT)
        check_text(text, strings.DRAFT)
        check_text(options.terms, strings.TERMS)
        if self._models is None:
            raise UserError(self._problem)
        for line in self._fetched(self._models, options.model, stop):
            yield {view.status: line}
        with self._models.use(options.model) as proofreader:
            late = self._models.out_of_time()
            yield {view.status: render.status(strings.READING, "busy")}
            return (yield from self._run(proofreader, text, options, mail, lambda: stop() or late(), began))

    def _run(
        self, proofreader: Proofreader, text: str, options: Options, mail: Mail | None, stop: Callable[[], bool],
        began: float,
    ) -> Generator[Updates, None, Updates]:  # fmt: skip
        assert self._models
        view = self._view
        units = strings.UNITS[proofreader.engine.unit]
        progress, first, shown_at = Progress(0, 0, ()), 0.0, 0.0
        headers = headers_of(mail) if mail else None
        headers = headers and replace(headers, subject=without_subject(text)[0])
        for outcome in proofreader.run(text, **options.arguments(), headers=headers, stop=stop):
            if isinstance(outcome, Proofread):
                line = outcome_line(outcome, progress, units, time.monotonic() - began)
                origin = {"options": options.to_dict(), "versions": self._models.versions(proofreader)}
                said = {view.status: render.status(line, "done")}
                return self._shown(Saved(outcome, origin, mail), self._models.note_of(proofreader)) | said
            progress = outcome
            if time.monotonic() - shown_at >= UPDATE_SECONDS:
                shown_at = time.monotonic()
                first = first or shown_at
                line = progress_line(progress, units, shown_at - first)
                yield {
                    view.status: render.status(line, "busy", progress.done, progress.total),
                    view.result: render.marked(text, progress.edits),
                }
        raise AssertionError("a run ends with its result")

    def _fetched(self, models: ModelSwitcher, name: str, stop: Callable[[], bool]) -> Iterator[str]:
        """Status lines until the model is on this machine; none if it is loaded."""
        if name == models.loaded:
            return
        yield render.status(strings.LOADING.format(model=name), "busy")
        for received, total in models.fetch(name, stop):
            line = strings.DOWNLOADING.format(model=name, received=received / 1e6, total=total / 1e6)
            yield render.status(line, "busy", received, total)

    def _busy(self, busy: bool) -> Updates:
        """The buttons while a run is on, or when it is over."""
        return {
            self._view.run: gr.update(interactive=not busy),
            self._view.stop: gr.update(interactive=busy),
            self._view.clear: gr.update(interactive=not busy),
        }

    def _blank(self) -> Updates:
        """Nothing proofread yet."""
        view = self._view
        return {
            view.last: None,
            view.saved: "",
            view.result: render.marked(""),
            view.notes: "",
            view.changes: render.no_result(),
            view.skipped: "",
            view.result_tone: render.blank_result_tone(),
            view.details: gr.update(visible=False),
            **{button: gr.update(interactive=False) for button in view.result_buttons},
        }

    def _shown(self, saved: Saved, note: str = "") -> Updates:
        """The result; `note` is about the model."""
        view, value = self._view, saved.value
        return {
            view.last: value,
            view.origin: saved.origin,
            view.mail_of_last: saved.mail,
            view.saved: save(saved),
            view.result: render.result(value),
            view.notes: render.notes([*([note] if note else []), *value.notes]) + render.checks(value.checks),
            view.draft_tone: render.gauges(
                strings.DRAFT_TONE,
                value.before,
                empty=strings.TONE_MISSING,
                causes=value.causes,
                text=value.draft,
            ),
            view.result_tone: render.gauges(
                strings.RESULT_TONE, value.after, value.before, causes=value.causes_after, text=value.text
            ),
            view.changes: render.changes(value),
            view.skipped: render.skipped(value),
            view.why: render.why(value),
            view.prompts: render.prompts(value.prompts),
            view.prompts_panel: gr.update(label=strings.PROMPTS.format(count=len(value.prompts)), open=False),
            view.details: gr.update(visible=True),
            **{button: gr.update(interactive=True) for button in view.result_buttons},
        }

    def recall(self, saved: str) -> Updates:
        """A result that the browser kept, as it was after its run."""
        found = restore(saved) if saved else None
        if found is None:
            return {self._view.saved: ""}
        shown = self._shown(found) | self._view.feedback.reset()
        return shown | {self._view.status: render.status(strings.RECALLED, "done")}

    # ---- tone, and what is underlined ----

    def underline(self, text: str, terms: str, dialect: str) -> str:
        """What the classifiers alone doubt in a draft that is being written, as JSON: the draft in pieces.

        Nothing is underlined when anything goes wrong: a run will say what it is.
        """
        if self._models is None:
            return "[]"
        try:
            check_text(text, strings.DRAFT)
            how = Options(dialect=dialect, terms=terms).arguments()
            found = self._models.proofreader.doubts(
                text, protected_terms=how["protected_terms"], dialect=how["dialect"]
            )
        except UserError:
            return "[]"
        parts = render.pieces(text, found)
        parts[1::2] = [[edit.before, edit.after, edit.reason] for edit in found]
        return json.dumps(parts)

    def measure(self, text: str) -> str:
        """The gauges of the draft."""
        return self._gauges(text, strings.DRAFT_TONE, strings.TONE_EMPTY)

    def measure_chosen(self, value: Proofread | None, choices: str) -> str:
        """The gauges of the email with the edits that the user took."""
        if value is None:
            return render.blank_result_tone()
        text = chosen_text(value, choices)
        return self._gauges(text, strings.RESULT_TONE, strings.TONE_MISSING, value.before)

    def _gauges(self, text: str, title: str, empty: str, before: Tone | None = None) -> str:
        """A failure is shown in place of the gauges, for tone is no reason to lose a rewrite."""
        if self._tone is None:
            return render.gauges(title, None, empty=strings.TONE_MISSING)
        try:
            check_text(text, title)
            measured = self._tone.score([spoken(text)])[0] if text.strip() else None
            blamed = causes(text, self._tone, measured) if measured else ()
            return render.gauges(title, measured, before, empty, blamed, text)
        except Exception as error:  # noqa: BLE001  the page must survive whatever a model does
            return render.gauges(title, None, empty=error_line(error, strings.UNEXPECTED_TONE))

    # ---- the draft, and files ----

    def replace(self, subject: str, text: str, mail: Mail | None, new: Draft) -> Updates:
        """A new draft in place of the old one, which stays one click away if it is more than an example."""
        view = self._view
        is_own = bool(text.strip()) and text not in {new.text, *strings.EXAMPLE_EMAILS.values()}
        return {
            view.subject: new.subject,
            view.draft: new.text,
            view.replaced: Draft(subject, text, mail) if is_own else Draft(),
            view.restore: gr.update(interactive=is_own),
            view.opened: new.mail,
            view.file_notes: render.notes(new.mail.notes if new.mail else ()),
        }

    def clear(self, subject: str, text: str, mail: Mail | None) -> Updates:
        blank = self._blank() | {self._view.status: render.status("")}
        return self.replace(subject, text, mail, Draft()) | blank

    def pick(
        self, subject: str, text: str, mail: Mail | None, picked_subject: str, picked: str, saved: str
    ) -> Updates:
        """A draft of the browser's history with its result, if that was kept."""
        new = self.replace(subject, text, mail, Draft(picked_subject, picked))
        return new | self._blank() | self.recall(saved)

    def open_file(self, subject: str, text: str, old: Mail | None, path: str) -> Updates:
        """The email of a file as the draft; the uploaded file is deleted."""
        file = Path(path)
        try:
            mail = open_mail(file.name, file.read_bytes())
            check_text(mail.body, file.name)
            line = render.status(strings.OPENED.format(name=file.name), "done")
            # As a text area has it; with other line ends the draft would not be the one that the result is of.
            new = Draft(mail.subject or "", re.sub(r"\r\n?", "\n", mail.body), mail)
            return self.replace(subject, text, old, new) | {self._view.status: line}
        except Exception as error:  # noqa: BLE001  no traceback ever reaches the screen
            return {self._view.status: render.status(error_line(error, strings.UNEXPECTED), "error")}
        finally:
            file.unlink(missing_ok=True)


def whole(subject: str, text: str) -> str:
    """What is proofread: a subject is the first line of it, as in a mail."""
    return with_subject(subject, text) if subject.strip() and text.strip() else text


def as_eml(value: Proofread | None, mail: Mail | None, choices: str) -> str:
    """The chosen email as an .eml file, in base64."""
    if value is None:
        return ""
    subject, body = without_subject(chosen_text(value, choices))
    return base64.b64encode(save_eml(mail, body, subject)).decode()


def progress_line(progress: Progress, units: str, seconds: float) -> str:
    line = strings.PROGRESS.format(done=progress.done, total=progress.total, units=units)
    if 0 < progress.done < progress.total:
        left = round(seconds / progress.done * (progress.total - progress.done))
        line += ", " + strings.TIME_LEFT.format(seconds=max(1, left))
    return line


def outcome_line(value: Proofread, progress: Progress, units: str, seconds: float) -> str:
    """How a run ended; `progress` is the last that it reported."""
    if not value.stopped:
        changes = render.counted(len(value.applied))
        return strings.DONE.format(seconds=seconds, model=value.model, changes=changes)
    if not progress.done:
        return strings.STOPPED_EARLY
    return strings.STOPPED.format(first=progress.done + 1, total=progress.total, units=units)


def _session(request: gr.Request) -> str:
    """Names one open page; each tab has its own."""
    return request.session_hash or ""
