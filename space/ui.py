"""The screen: layout and handlers. What it shows comes from the Proofread value through space.render."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from feedback.errors import FeedbackError
from feedback.journal import JournalError
from feedback.redact import ClientHash, redact_record
from feedback.schema import REASONS, Record
from space import render, texts
from space.errors import UserError
from space.proofreader import MAX_WORDS, Progress, Proofread, spoken

if TYPE_CHECKING:
    from feedback.journal import Journal
    from space.proofreader import Proofreader
    from space.tone import ToneClassifier

logger = logging.getLogger(__name__)

Updates = dict[Any, Any]  # component -> its new value or properties, as Gradio's handlers return them

UPDATE_SECONDS = 0.2  # between two looks at a run: clean sentences fly by, and each update sends the email
CSS = Path(__file__).with_name("ui.css")
SCRIPT = Path(__file__).with_name("ui.js")
# System fonts only: the page must look the same on a machine with no network.
THEME = gr.themes.Base(
    primary_hue="blue",
    secondary_hue="blue",
    neutral_hue="slate",
    font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
    font_mono=["ui-monospace", "Consolas", "Noto Sans Mono", "monospace"],
).set(  # the defaults that fall short of a contrast of 4.5 to 1
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    block_info_text_color="*neutral_600",
    block_label_text_color="*neutral_600",
    block_title_text_color="*neutral_600",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_300",
)


def head() -> str:
    """What goes into the page's head: the script must be there before the first key is pressed."""
    words = {
        "language": texts.LANGUAGE,
        "limit": MAX_WORDS,
        "count": texts.COUNT,
        "countOver": texts.COUNT_OVER,
        "copy": texts.COPY,
        "copied": texts.COPIED,
    }
    # The file begins with comments and is one arrow function.
    return (
        f"<script>(\n{SCRIPT.read_text('utf-8').rstrip().removesuffix(';')}\n)({json.dumps(words)});</script>"
    )


def build(
    proofreader: Proofreader | None,
    journal: Journal,
    tone: ToneClassifier | None,
    problem: str = "",
    where: str = "",
) -> gr.Blocks:
    """The page. Without a proofreader it still measures tone, and answers each request with `problem`.

    `where` says where feedback is kept, for the consent.
    """
    client_hash = ClientHash()
    stops: dict[str, threading.Event] = {}  # session -> set when the user of that page wants its run to end

    blank_result_tone = render.gauges(texts.RESULT_TONE, None, empty=texts.TONE_RESULT_EMPTY)

    def measured(text: str, title: str, empty: str) -> str:
        """The gauges of a text; a failure is told in their place, for tone is no reason to lose a rewrite."""
        if tone is None:
            return render.gauges(title, None, empty=texts.TONE_MISSING)
        try:
            measured = tone.score([spoken(text)])[0] if text.strip() else None
            return render.gauges(title, measured, empty=empty)
        except Exception as error:  # noqa: BLE001  the page must survive whatever a model does
            return render.gauges(title, None, empty=told(error, texts.UNEXPECTED_TONE))

    def measure(text: str) -> str:
        return measured(text, texts.DRAFT_TONE, texts.TONE_EMPTY)

    def begin(request: gr.Request) -> Updates:
        """Answers the click at once, before the queue: from here on Stop has something to stop."""
        stops[_session(request)] = threading.Event()
        return {
            run: gr.update(interactive=False),
            stop: gr.update(interactive=True),
            clear: gr.update(interactive=False),
            copy: gr.update(interactive=False),
            status: render.status(texts.WAITING, "busy"),
            last: None,
            result: "",
            notes: "",
            result_tone: blank_result_tone,
            details: gr.update(visible=False),
        }

    def work(text: str, chosen_mode: str, request: gr.Request) -> Iterator[Updates]:
        """One run, from click to result; whatever happens, the last update gives the buttons back."""
        asked = stops.setdefault(_session(request), threading.Event())
        finished: Updates = {}
        try:
            if not text.strip():
                raise UserError(texts.EMPTY_DRAFT)
            if proofreader is None:
                raise UserError(problem)
            started, first, shown_at, done, total = time.monotonic(), 0.0, 0.0, 0, 0
            outcome: Progress | Proofread | None = None
            yield {status: render.status(texts.READING, "busy")}
            for outcome in proofreader.run(text, mode=chosen_mode, stop=asked.is_set):
                if isinstance(outcome, Progress):
                    done, total = outcome.done, outcome.total
                    if time.monotonic() - shown_at < UPDATE_SECONDS:
                        continue
                    shown_at = time.monotonic()
                    first = first or shown_at
                    yield {
                        status: render.status(_progress(done, total, shown_at - first), "busy", done, total),
                        result: render.carried(outcome.text),
                    }
            assert isinstance(outcome, Proofread), "a run ends with its result"
            if asked.is_set() and done < total:
                line = texts.STOPPED.format(done=done, total=total) if done else texts.STOPPED_EARLY
            else:
                line = texts.DONE.format(seconds=time.monotonic() - started, model=outcome.model)
            finished = shown(outcome) | {status: render.status(line, "done")}
        except Exception as error:  # noqa: BLE001  no traceback ever reaches the screen
            finished = {status: render.status(told(error, texts.UNEXPECTED), "error")}
        finally:
            stops.pop(_session(request), None)
        yield finished | {
            run: gr.update(interactive=True),
            stop: gr.update(interactive=False),
            clear: gr.update(interactive=True),
            copy: gr.update(interactive=bool(finished.get(last))),
        }

    def shown(value: Proofread) -> Updates:
        return {
            last: value,
            result: render.carried(value.text),
            notes: render.notes(value.notes),
            draft_tone: render.gauges(texts.DRAFT_TONE, value.before, empty=texts.TONE_MISSING),
            result_tone: render.gauges(texts.RESULT_TONE, value.after, value.before, texts.TONE_MISSING),
            changes: render.changed(value.draft, value.changes, clean=not (value.notes or value.kept)),
            kept: render.kept(value.kept),
            prompts: render.prompts(value.prompts),
            prompts_panel: gr.update(label=texts.PROMPTS.format(count=len(value.prompts)), open=False),
            details: gr.update(visible=True),
            verdict: None,
            reasons: gr.update(value=[], visible=False),
            consent: False,
            send: gr.update(interactive=True),
            feedback_status: "",
        }

    def stop_run(request: gr.Request) -> None:
        if event := stops.get(_session(request)):
            event.set()

    def replace(text: str, new: str) -> Updates:
        """A new draft in place of the old one, which stays one click away if it is more than an example."""
        worth = bool(text.strip()) and text not in {new, *texts.EXAMPLE_EMAILS.values()}
        return {
            draft: new,
            replaced: text if worth else "",
            restore: gr.update(visible=worth),
            draft_tone: measure(new),
        }

    def clear_all(text: str) -> Updates:
        return replace(text, "") | {
            last: None,
            result: "",
            status: render.status(""),
            notes: "",
            result_tone: blank_result_tone,
            details: gr.update(visible=False),
            copy: gr.update(interactive=False),
        }

    def preview(
        value: Proofread | None, chosen: str | None, why: list[str], remark: str, request: gr.Request
    ) -> tuple[Record | None, str]:
        """The record that would be kept, personal data taken out, as a value and as the JSON that the user sees."""
        if value is None or chosen is None:
            return None, ""
        client = client_hash(request.client.host if request.client else "")
        would_be = redact_record(record(value, chosen, why, remark, client))
        return would_be, json.dumps(would_be.to_dict(), indent=2, ensure_ascii=False)

    def flag(
        value: Proofread | None, chosen: str | None, why: list[str], remark: str, agreed: bool,
        seen: Record | None, request: gr.Request,
    ) -> Updates:  # fmt: skip
        """Keeps one piece of feedback; no thanks, and no word cleared, before it is on the disk."""
        try:
            if value is None or chosen is None:
                raise UserError(texts.NEED_VERDICT)
            if not agreed:
                raise UserError(texts.NEED_CONSENT)
            kept_record, shown = preview(value, chosen, why, remark, request)
            assert kept_record is not None
            if seen is not None:  # the one on screen, with what was typed last
                kept_record = dataclasses.replace(kept_record, id=seen.id, time=seen.time)
            journal.append(kept_record.to_dict())
        except Exception as error:  # noqa: BLE001  no traceback ever reaches the screen
            return {feedback_status: render.status(told(error, texts.UNEXPECTED_FEEDBACK), "error")}
        return {
            comment: "",
            send: gr.update(interactive=False),
            feedback_status: render.status(texts.THANKS.format(id=kept_record.id), "done"),
        }

    with gr.Blocks(title=texts.TITLE, analytics_enabled=False) as page:
        last: gr.State = gr.State(None)  # the Proofread value on screen
        pending: gr.State = gr.State(None)  # the feedback record on screen
        replaced = gr.State("")  # the draft that Clear or an example took away

        gr.HTML(f"<h1>{texts.TITLE}</h1><p>{texts.TAGLINE}</p>", elem_id="head")
        with gr.Row(equal_height=True, elem_id="desk"):
            with gr.Column(min_width=320):
                draft = gr.Textbox(
                    label=texts.DRAFT,
                    placeholder=texts.DRAFT_PLACEHOLDER,
                    lines=14,
                    max_lines=24,
                    autofocus=True,
                    elem_id="draft",
                    html_attributes=gr.InputHTMLAttributes(spellcheck=False, lang="en"),
                )
                with gr.Row(elem_id="under-draft", elem_classes="pr-under"):
                    examples = [
                        (gr.Button(name, size="sm", scale=0, min_width=60), email)
                        for name, email in texts.EXAMPLE_EMAILS.items()
                    ]
                    restore = gr.Button(texts.RESTORE, visible=False, size="sm", scale=0, min_width=60)
                    count = gr.HTML(texts.COUNT.format(characters=0, words=0), elem_id="count")
                mode = gr.Radio(
                    [
                        (label, name)
                        for name, label in texts.MODES.items()
                        if proofreader is None or name in proofreader.engine.modes
                    ],
                    value="proofread",
                    label=texts.MODE,
                    elem_id="mode",
                )
                with gr.Row(elem_id="buttons"):
                    run = gr.Button(texts.RUN, variant="primary", scale=3, min_width=280, elem_id="run")
                    stop = gr.Button(texts.STOP, interactive=False, scale=1, min_width=80, elem_id="stop")
                    clear = gr.Button(texts.CLEAR, scale=1, min_width=80, elem_id="clear")
                status = gr.HTML(render.status(problem, "error" if problem else "quiet"), elem_id="status")
                draft_tone = gr.HTML(measure(""), elem_id="draft-tone")
                measure_now = gr.Button(visible="hidden", elem_id="measure")
            with gr.Column(min_width=320):
                result = gr.Textbox(
                    label=texts.RESULT,
                    placeholder=texts.RESULT_PLACEHOLDER,
                    lines=14,
                    max_lines=24,
                    interactive=False,
                    autoscroll=False,
                    elem_id="result",
                )
                with gr.Row(elem_classes="pr-under"):
                    copy = gr.Button(
                        texts.COPY, size="sm", scale=0, min_width=140, interactive=False, elem_id="copy"
                    )
                notes = gr.HTML(elem_id="notes")
                result_tone = gr.HTML(blank_result_tone, elem_id="result-tone")
        with gr.Column(visible=False, elem_id="details") as details:
            changes = gr.HTML(elem_id="changes")
            kept = gr.HTML(elem_id="kept")
            with gr.Accordion(texts.PROMPTS.format(count=0), open=False, elem_id="prompts") as prompts_panel:
                prompts = gr.HTML()
            with gr.Group(elem_id="feedback"):
                verdict = gr.Radio(
                    [(label, name) for name, label in texts.VERDICTS.items()],
                    label=texts.FEEDBACK,
                    elem_id="verdict",
                )
                reasons = gr.CheckboxGroup(
                    [(texts.REASONS[name], name) for name in REASONS],
                    label=texts.WHAT_WAS_WRONG,
                    visible=False,
                    elem_id="reasons",
                )
                comment = gr.Textbox(
                    label=texts.COMMENT, placeholder=texts.COMMENT_PLACEHOLDER, lines=2, elem_id="comment"
                )
                with gr.Accordion(texts.PREVIEW, open=False, elem_id="preview"):
                    record_shown = gr.Code(language="json", interactive=False, show_label=False, max_lines=24)
                consent = gr.Checkbox(
                    label=texts.CONSENT.format(where=where),
                    info=texts.CONSENT_NOTE,
                    elem_id="consent",
                )
            with gr.Row():
                send = gr.Button(texts.SEND, scale=0, min_width=180, elem_id="send")
                feedback_status = gr.HTML(elem_id="feedback-status")

        page.unload(stop_run)
        draft.change(None, draft, count, js="(text) => proofreader.count(text)")
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        measure_now.click(
            measure, draft, draft_tone, concurrency_id="tone", trigger_mode="always_last", **quiet
        )

        outputs = [
            last,
            result,
            status,
            notes,
            draft_tone,
            result_tone,
            changes,
            kept,
            prompts,
            prompts_panel,
        ]
        outputs += [details, run, stop, clear, copy, verdict, reasons, consent, send, feedback_status]
        # One run at a time: the model is one, and two at once would only share the same two cores.
        run.click(begin, None, outputs, queue=False, **quiet).then(
            work, [draft, mode], outputs, concurrency_limit=1, concurrency_id="model", **quiet
        )
        stop.click(stop_run, None, None, queue=False, **quiet)

        changed = [draft, replaced, restore, draft_tone]
        for button, email in examples:
            button.click(lambda text, email=email: replace(text, email), draft, changed, **quiet)
        restore.click(replace, [draft, replaced], changed, **quiet)
        clear.click(
            clear_all, draft, [*changed, last, result, status, notes, result_tone, details, copy], **quiet
        )
        copy.click(None, result, copy, js="(text) => proofreader.copy(text)").then(
            None, None, copy, js="() => proofreader.copyAgain()"
        )
        verdict.change(lambda chosen: gr.update(visible=chosen == "bad"), verdict, reasons, **quiet)
        said = [last, verdict, reasons, comment]
        for event in (verdict.change, reasons.change, comment.blur):
            event(preview, said, [pending, record_shown], **quiet)
        send.click(flag, [*said, consent, pending], [comment, send, feedback_status], **quiet)
    return page


def record(value: Proofread, verdict: str, reasons: list[str], comment: str, client: str = "") -> Record:
    """The feedback record of a result on screen; a good verdict drops reasons ticked before it."""
    return Record(
        client=client,
        draft=value.draft,
        rewrite=value.text,
        verdict=verdict,
        consent=texts.CONSENT_VERSION,
        reasons=tuple(reasons) if verdict == "bad" else (),
        comment=comment.strip(),
        versions={"model": value.model},
        before=value.before.to_dict(),
        after=value.after.to_dict(),
    )


def _session(request: gr.Request) -> str:
    """Names one open page; each tab has its own."""
    return request.session_hash or ""


def _progress(done: int, total: int, seconds: float) -> str:
    line = texts.PROGRESS.format(done=done, total=total)
    if 0 < done < total:
        left = round(seconds / done * (total - done))
        line += ", " + texts.TIME_LEFT.format(seconds=max(1, left))
    return line


def told(error: Exception, unexpected: str) -> str:
    """One line for the user; an error nobody planned is logged by its place, as its text may quote theirs."""
    if isinstance(error, (UserError, FeedbackError, JournalError)):
        return str(error)
    frames = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    logger.error("%s at %s", type(error).__name__, " > ".join(frames))
    return unexpected.format(name=type(error).__name__)
