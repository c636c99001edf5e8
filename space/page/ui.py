"""The screen: layout and handlers. What it shows comes from the Proofread value through space.page.render."""

from __future__ import annotations

import base64
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from feedback.record import REASONS, Change, Record
from feedback.redact import ClientHash, redact_record
from space.api import UPDATE_SECONDS, endpoints, told
from space.errors import UserError
from space.mail import Mail, open_mail, save_eml
from space.options import RANGES, Options
from space.page import render, strings
from space.proofread.edits import apply
from space.proofread.pipeline import MAX_WORDS, STOPPED, Progress, Proofread, spoken

# Gradio reads the annotations of handlers: what those of a handler with a request name must be imported for real.
if TYPE_CHECKING:
    from feedback.journal import Journal
    from space.proofread.classifiers.tone import Tone, ToneClassifier
    from space.proofread.llm.models import Shelf

Updates = dict[Any, Any]  # component -> its new value or properties, as Gradio's handlers return them

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
        "language": strings.LANGUAGE,
        "limit": MAX_WORDS,
        "count": strings.COUNT,
        "countOver": strings.COUNT_OVER,
        "hideMarks": strings.HIDE_MARKS,
        "showMarks": strings.SHOW_MARKS,
        "copy": strings.COPY,
        "copied": strings.COPIED,
        "chosen": strings.CHOSEN,
        "open": strings.HISTORY_OPEN,
        "fileName": strings.FILE_NAME,
    }
    # The file begins with comments and is one arrow function.
    return f"<script>(\n{SCRIPT.read_text('utf-8').rstrip()}\n)({json.dumps(words)});</script>"


def build(
    shelf: Shelf | None,
    journal: Journal,
    tone: ToneClassifier | None,
    problem: str = "",
    where: Callable[[], str] = str,
) -> gr.Blocks:
    """The page. Without a model it still measures tone, and answers each request with `problem`.

    `where` says where feedback is kept, for the consent; asked with every result, for the sync may have stopped by then.
    """
    client_hash = ClientHash()
    stops: dict[str, threading.Event] = {}  # session -> set when the user of that page wants its run to end

    blank_result_tone = render.gauges(strings.RESULT_TONE, None, empty=strings.TONE_RESULT_EMPTY)

    def measured(text: str, title: str, empty: str, before: Tone | None = None) -> str:
        """The gauges of a text; a failure is told in their place, for tone is no reason to lose a rewrite."""
        if tone is None:
            return render.gauges(title, None, empty=strings.TONE_MISSING)
        try:
            measured = tone.score([spoken(text)])[0] if text.strip() else None
            return render.gauges(title, measured, before, empty)
        except Exception as error:  # noqa: BLE001  the page must survive whatever a model does
            return render.gauges(title, None, empty=told(error, strings.UNEXPECTED_TONE))

    def measure(text: str) -> str:
        return measured(text, strings.DRAFT_TONE, strings.TONE_EMPTY)

    def measure_chosen(value: Proofread | None, choices: str) -> str:
        """The gauges of the email as it is with the changes that the user took."""
        if value is None:
            return blank_result_tone
        return measured(chosen_text(value, choices), strings.RESULT_TONE, strings.TONE_MISSING, value.before)

    def blank() -> Updates:
        """Nothing proofread yet."""
        return {
            last: None,
            result: render.marked(""),
            notes: "",
            result_tone: blank_result_tone,
            details: gr.update(visible=False),
            **{button: gr.update(interactive=False) for button in takers},
        }

    def begin(request: gr.Request) -> Updates:
        """Answers the click at once, before the queue: from here on Stop has something to stop."""
        stops[_session(request)] = threading.Event()
        return blank() | {
            details: gr.skip(),  # hidden by the style sheet, as their room stays
            run: gr.update(interactive=False),
            stop: gr.update(interactive=True),
            clear: gr.update(interactive=False),
            status: render.status(strings.WAITING, "busy"),
        }

    def work(
        text: str, mail: Mail | None, chosen_mode: str, request: gr.Request, *settings: Any
    ) -> Iterator[Updates]:
        """One run, from click to result; whatever happens, the last update gives the buttons back."""
        asked = stops.setdefault(_session(request), threading.Event())
        finished: Updates = {}
        try:
            if not text.strip():
                raise UserError(strings.EMPTY_DRAFT)
            if shelf is None:
                raise UserError(problem)
            options = Options(chosen_mode, *settings)
            started, first, shown_at, done, total = time.monotonic(), 0.0, 0.0, 0, 0
            outcome: Progress | Proofread | None = None
            if options.model != shelf.loaded:
                yield {status: render.status(strings.LOADING.format(model=options.model), "busy")}
                for came, of in shelf.fetch(options.model, asked.is_set):
                    line = strings.DOWNLOADING.format(model=options.model, came=came / 1e6, of=of / 1e6)
                    yield {status: render.status(line, "busy", came, of)}
            proofreader = shelf.take(options.model)
            units = strings.UNITS[proofreader.engine.unit]
            yield {status: render.status(strings.READING, "busy")}
            for outcome in proofreader.run(text, **options.arguments(), stop=asked.is_set):
                if isinstance(outcome, Progress):
                    done, total = outcome.done, outcome.total
                    if time.monotonic() - shown_at < UPDATE_SECONDS:
                        continue
                    shown_at = time.monotonic()
                    first = first or shown_at
                    line = _progress(units, done, total, shown_at - first)
                    yield {
                        status: render.status(line, "busy", done, total),
                        result: render.marked(
                            text, outcome.edits if isinstance(outcome, Progress) else outcome.applied
                        ),
                    }
            assert isinstance(outcome, Proofread), "a run ends with its result"
            if STOPPED in outcome.notes:
                line = (
                    strings.STOPPED.format(done=done, total=total, units=units)
                    if done
                    else strings.STOPPED_EARLY
                )
            else:
                line = strings.DONE.format(
                    seconds=time.monotonic() - started,
                    model=outcome.model,
                    changes=render.counted(
                        len(outcome.edits if isinstance(outcome, Progress) else outcome.applied)
                    ),
                )
            made = {"options": options.to_dict(), "versions": shelf.versions()}
            finished = shown(outcome) | {
                status: render.status(line, "done"),
                made_by: made,
                mail_of_last: mail,
            }
        except Exception as error:  # noqa: BLE001  no traceback ever reaches the screen
            finished = blank() | {status: render.status(told(error, strings.UNEXPECTED), "error")}
        finally:
            stops.pop(_session(request), None)
        yield finished | {
            run: gr.update(interactive=True),
            stop: gr.update(interactive=False),
            clear: gr.update(interactive=True),
        }

    def give_back(request: gr.Request) -> Updates:
        """The buttons, when the queue was full and no run has begun."""
        stops.pop(_session(request), None)
        return {
            status: render.status(strings.NOT_BEGUN, "error"),
            details: gr.update(visible=False),
            run: gr.update(interactive=True),
            stop: gr.update(interactive=False),
            clear: gr.update(interactive=True),
        }

    def stop_run(request: gr.Request) -> None:
        if event := stops.get(_session(request)):
            event.set()

    def leave(request: gr.Request) -> None:
        stop_run(request)
        stops.pop(_session(request), None)

    def shown(value: Proofread) -> Updates:
        return {
            last: value,
            result: render.marked(value.draft, value.applied, done=True),
            notes: render.notes(value.notes),
            draft_tone: render.gauges(strings.DRAFT_TONE, value.before, empty=strings.TONE_MISSING),
            result_tone: render.gauges(strings.RESULT_TONE, value.after, value.before, strings.TONE_MISSING),
            changes: render.changed(
                value.applied, clean=not value.notes and not any(each.refused for each in value.skipped)
            ),
            kept: render.kept(value.skipped),
            why: render.why(value.before, value.prompts),
            prompts: render.prompts(value.prompts),
            prompts_panel: gr.update(label=strings.PROMPTS.format(count=len(value.prompts)), open=False),
            details: gr.update(visible=True),
            verdict: None,
            reasons: [],
            corrected: "",
            comment: "",
            consent: gr.update(value=False, label=strings.CONSENT.format(where=where())),
            send: gr.update(interactive=True),
            feedback_status: "",
            **{button: gr.update(interactive=True) for button in takers},
        }

    def replace(text: str, old: Mail | None, new: str, mail: Mail | None = None) -> Updates:
        """A new draft in place of the old one, which stays one click away if it is more than an example."""
        worth = bool(text.strip()) and text not in {new, *strings.EXAMPLE_EMAILS.values()}
        return {
            draft: new,
            replaced: (text, old) if worth else ("", None),
            restore: gr.update(interactive=worth),
            opened: mail,
            file_notes: render.notes(_about(mail)),
        }

    def bring_back(text: str, old: Mail | None, away: tuple[str, Mail | None]) -> Updates:
        return replace(text, old, *away)

    def open_file(text: str, old: Mail | None, path: str) -> Updates:
        """The email of a file as the draft; the file itself is not kept."""
        file = Path(path)
        try:
            data = file.read_bytes()
            mail = open_mail(file.name, data)
            opened_line = render.status(strings.OPENED.format(name=file.name), "done")
            return replace(text, old, mail.body, mail) | {status: opened_line}
        except Exception as error:  # noqa: BLE001  no traceback ever reaches the screen
            return {status: render.status(told(error, strings.UNEXPECTED), "error")}
        finally:
            file.unlink(missing_ok=True)

    def clear_all(text: str, old: Mail | None) -> Updates:
        return replace(text, old, "") | blank() | {status: render.status("")}

    def as_mail(value: Proofread | None, mail: Mail | None, choices: str) -> str:
        """The chosen email as an .eml file, in base64."""
        if value is None:
            return ""
        return base64.b64encode(save_eml(mail, chosen_text(value, choices))).decode()

    def preview(
        value: Proofread | None, made: dict[str, Any] | None, chosen: str | None, why: list[str], own: str, remark: str,
        choices: str, request: gr.Request,
    ) -> tuple[Record | None, str]:  # fmt: skip
        """The record that would be kept, personal data taken out, as a value and as the JSON that the user sees."""
        if value is None or made is None or chosen is None:
            return None, ""
        client = client_hash(request.client.host if request.client else "")
        whole = record(value, made, chosen, why, own, remark, choices)
        would_be = redact_record(dataclasses.replace(whole, client=client))
        return would_be, json.dumps(would_be.to_dict(), indent=2, ensure_ascii=False)

    def flag(
        value: Proofread | None, made: dict[str, Any] | None, chosen: str | None, why: list[str], own: str, remark: str,
        agreed: bool, seen: Record | None, choices: str, request: gr.Request,
    ) -> Updates:  # fmt: skip
        """Keeps one piece of feedback; no thanks, and no word cleared, before it is on the disk."""
        try:
            if value is None or chosen is None:
                raise UserError(strings.NEED_VERDICT)
            if not agreed:
                raise UserError(strings.NEED_CONSENT)
            kept_record, _ = preview(value, made, chosen, why, own, remark, choices, request)
            assert kept_record is not None
            if seen is not None:  # the one on screen, with what was typed last
                kept_record = dataclasses.replace(kept_record, id=seen.id, time=seen.time)
            journal.append(kept_record.to_dict())
        except Exception as error:  # noqa: BLE001  no traceback ever reaches the screen
            return {feedback_status: render.status(told(error, strings.UNEXPECTED_FEEDBACK), "error")}
        return {
            comment: "",
            corrected: "",
            send: gr.update(interactive=False),
            feedback_status: render.status(strings.THANKS.format(id=kept_record.id), "done"),
        }

    with gr.Blocks(title=strings.TITLE, analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        last: gr.State = gr.State(None)  # the Proofread value on screen
        made_by: gr.State = gr.State(None)  # how it was made, as a feedback record says it
        pending: gr.State = gr.State(None)  # the feedback record on screen
        opened: gr.State = gr.State(None)  # the Mail that the draft was opened from
        mail_of_last: gr.State = gr.State(None)  # and that the result on screen was
        replaced = gr.State(("", None))  # the draft that Clear or an example took away, and its Mail
        picked = gr.Textbox(visible="hidden")  # a draft out of the browser's history
        pick = gr.Button(visible="hidden", elem_id="pick")
        chosen = gr.Textbox(
            "[]", visible="hidden"
        )  # which changes are taken: the script fills it in on the way
        mail_data = gr.Textbox(visible="hidden")  # an .eml on its way to the browser

        server = strings.SERVER.format(name=shelf.server) if shelf and shelf.server else ""
        gr.HTML(f"<h1>{strings.TITLE}</h1><p>{strings.TAGLINE} {render.escaped(server)}</p>", elem_id="head")
        with gr.Row(equal_height=True, elem_id="desk"):
            with gr.Column(min_width=320):
                draft = gr.Textbox(
                    label=strings.DRAFT,
                    placeholder=strings.DRAFT_PLACEHOLDER,
                    lines=14,
                    autofocus=True,
                    autoscroll=False,
                    elem_id="draft",
                    html_attributes=gr.InputHTMLAttributes(spellcheck=False, lang="en"),
                )
                with gr.Row(elem_id="under-draft", elem_classes="pr-under"):
                    small: dict[str, Any] = {"size": "sm", "scale": 0, "min_width": 60}
                    open_button = gr.UploadButton(
                        strings.OPEN, file_types=[".txt", ".eml"], elem_id="open", **small
                    )
                    examples = [
                        (gr.Button(name, **small), email) for name, email in strings.EXAMPLE_EMAILS.items()
                    ]
                    restore = gr.Button(strings.RESTORE, interactive=False, **small)
                    count = gr.HTML(strings.COUNT.format(characters=0, words=0), elem_id="count")
                file_notes = gr.HTML(elem_id="file-notes")
                mode = gr.Radio(
                    [(label, name) for name, label in strings.MODES.items()],
                    value="proofread",
                    label=strings.MODE,
                    elem_id="mode",
                )
                with gr.Row(elem_id="buttons"):
                    run = gr.Button(strings.RUN, variant="primary", scale=3, min_width=280, elem_id="run")
                    stop = gr.Button(strings.STOP, interactive=False, scale=1, min_width=80, elem_id="stop")
                    clear = gr.Button(strings.CLEAR, scale=1, min_width=80, elem_id="clear")
                status = gr.HTML(render.status(problem, "error" if problem else "quiet"), elem_id="status")
                draft_tone = gr.HTML(measure(""), elem_id="draft-tone")
                measure_now = gr.Button(visible="hidden", elem_id="measure")
            with gr.Column(min_width=320):
                result = gr.HTML(render.marked(""), elem_id="result")
                with gr.Row(elem_classes="pr-under"):
                    copy = gr.Button(
                        strings.COPY, interactive=False, elem_id="copy", **small | {"min_width": 140}
                    )
                    save_txt = gr.Button(strings.SAVE_TXT, interactive=False, elem_id="save-txt", **small)
                    save_mail = gr.Button(strings.SAVE_EML, interactive=False, elem_id="save-eml", **small)
                    hide = gr.Button(strings.HIDE_MARKS, interactive=False, elem_id="hide", **small)
                    takers = [copy, save_txt, save_mail, hide]
                notes = gr.HTML(elem_id="notes")
                result_tone = gr.HTML(blank_result_tone, elem_id="result-tone")
                rescore = gr.Button(visible="hidden", elem_id="rescore")
        with gr.Row():
            with gr.Column(min_width=320), gr.Accordion(strings.SETTINGS, open=False, elem_id="settings"):
                settings = _settings(shelf)
                reset = gr.Button(strings.RESET, **small)
            with gr.Column(min_width=320), gr.Accordion(strings.HISTORY, open=False, elem_id="history"):
                gr.HTML(f"<small>{strings.HISTORY_NOTE}</small><p>{strings.HISTORY_EMPTY}</p><ol></ol>")
                clear_history = gr.Button(strings.HISTORY_CLEAR, **small)
        with gr.Column(visible=False, elem_id="details") as details:
            changes = gr.HTML(elem_id="changes")
            kept = gr.HTML(elem_id="kept")
            why = gr.HTML(elem_id="why")
            with gr.Accordion(
                strings.PROMPTS.format(count=0), open=False, elem_id="prompts"
            ) as prompts_panel:
                prompts = gr.HTML()
            with gr.Group(elem_id="feedback"):
                verdict = gr.Radio(
                    [(label, name) for name, label in strings.VERDICTS.items()],
                    label=strings.FEEDBACK,
                    elem_id="verdict",
                )
                reasons = gr.CheckboxGroup(
                    [(strings.REASONS[name], name) for name in REASONS],
                    label=strings.WHAT_WAS_WRONG,
                    elem_id="reasons",
                )
                corrected = gr.Textbox(
                    label=strings.CORRECTED,
                    placeholder=strings.CORRECTED_PLACEHOLDER,
                    lines=2,
                    max_lines=12,
                    elem_id="corrected",
                )
                comment = gr.Textbox(
                    label=strings.COMMENT, placeholder=strings.COMMENT_PLACEHOLDER, lines=2, elem_id="comment"
                )
                with gr.Accordion(strings.PREVIEW, open=False, elem_id="preview"):
                    record_shown = gr.Code(
                        language="json", interactive=False, show_label=False, max_lines=24, wrap_lines=True
                    )
                consent = gr.Checkbox(
                    label=strings.CONSENT.format(where=where()),
                    info=strings.CONSENT_NOTE,
                    elem_id="consent",
                )
            with gr.Row(elem_classes="pr-under"):
                send = gr.Button(strings.SEND, scale=0, min_width=180, elem_id="send")
                feedback_status = gr.HTML(elem_id="feedback-status")

        page.unload(leave)
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        chosen_last: dict[str, Any] = quiet | {"js": "proofreader.withChoices"}
        draft.change(None, draft, count, js="(text) => proofreader.count(text)")
        tone_queue: dict[str, Any] = {"concurrency_id": "tone", "trigger_mode": "always_last"}
        measure_now.click(measure, draft, draft_tone, **tone_queue, **quiet)
        rescore.click(measure_chosen, [last, chosen], result_tone, **tone_queue, **chosen_last)

        outputs = [
            last, made_by, mail_of_last, result, status, notes, draft_tone, result_tone, changes, kept, why, prompts, prompts_panel, details,
            run, stop, clear, verdict, reasons, corrected, comment, consent, send, feedback_status, *takers,
        ]  # fmt: skip
        # One run at a time: the model is one, and two at once would only share the same two cores.
        worked = run.click(begin, None, outputs, queue=False, **quiet).then(
            work,
            [draft, opened, mode, *settings.values()],
            outputs,
            concurrency_limit=1,
            concurrency_id="model",
            **quiet,
        )
        worked.failure(give_back, None, outputs, queue=False, **quiet)
        worked.then(None, None, None, js="proofreader.arrived")
        endpoints(shelf, journal, tone, problem, client_hash)
        stop.click(stop_run, None, None, queue=False, **quiet)

        changed = [draft, replaced, restore, opened, file_notes]
        open_button.upload(open_file, [draft, opened, open_button], [*changed, status], **quiet)
        for button, email in examples:
            button.click(
                lambda text, old, email=email: replace(text, old, email), [draft, opened], changed, **quiet
            )
        restore.click(bring_back, [draft, opened, replaced], changed, **quiet)
        pick.click(replace, [draft, opened, picked], changed, js="proofreader.withPicked", **quiet)
        clear.click(
            clear_all,
            [draft, opened],
            [*changed, last, result, status, notes, result_tone, details, *takers],
            **quiet,
        )
        copy.click(None, None, copy, js="proofreader.copy").then(None, None, copy, js="proofreader.copyAgain")
        save_txt.click(None, None, None, js="proofreader.saveText")
        save_mail.click(as_mail, [last, mail_of_last, chosen], mail_data, **chosen_last).then(
            None, mail_data, None, js="proofreader.saveMail"
        )
        hide.click(None, None, hide, js="proofreader.hideMarks")

        kept_here = [settings["terms"], settings["dialect"]]
        page.load(None, None, kept_here, js="proofreader.recall")
        for each in kept_here:
            each.change(None, kept_here, None, js="proofreader.remember")
        usual = [each for name, each in settings.items() if name != "terms"]  # a person's own words stay
        reset.click(lambda: [each.value for each in usual], None, usual, **quiet)
        clear_history.click(None, None, None, js="proofreader.clearHistory")

        said = [last, made_by, verdict, reasons, corrected, comment]
        for event in (verdict.change, reasons.change, corrected.blur, comment.blur, rescore.click):
            event(preview, [*said, chosen], [pending, record_shown], **chosen_last)
        send.click(
            flag,
            [*said, consent, pending, chosen],
            [comment, corrected, send, feedback_status],
            **chosen_last,
        )
    return page


def _settings(shelf: Shelf | None) -> dict[str, Any]:
    """The controls of `Options`, in its order, after the mode."""
    usual = Options(model=shelf.loaded if shelf else "")

    def number(name: str, label: str, info: str = "") -> Any:
        low, high = RANGES[name]
        whole = 0 if isinstance(low, int) else None
        about = f"{strings.RANGE.format(low=low, high=high)} {info}"
        return gr.Number(getattr(usual, name), label=label, info=about, precision=whole, min_width=160)

    with gr.Row():
        model = gr.Dropdown(
            shelf.names if shelf else [], value=usual.model or None, label=strings.MODEL, elem_id="model"
        )
        dialect = gr.Dropdown(
            [(label, name) for name, label in strings.DIALECTS.items()],
            value="",
            label=strings.DIALECT,
            elem_id="dialect",
        )
        terms = gr.Textbox(
            "",
            label=strings.TERMS,
            placeholder=strings.TERMS_PLACEHOLDER,
            info=strings.TERMS_NOTE,
            lines=2,
            elem_id="terms",
        )
    with gr.Row():
        sampling = {
            "temperature": number("temperature", strings.TEMPERATURE, strings.TEMPERATURE_NOTE),
            "top_p": number("top_p", strings.TOP_P),
            "top_k": number("top_k", strings.TOP_K, strings.TOP_K_NOTE),
            "min_p": number("min_p", strings.MIN_P),
            "repeat_penalty": number("repeat_penalty", strings.REPEAT_PENALTY),
            "max_tokens": number("max_tokens", strings.MAX_TOKENS, strings.MAX_TOKENS_NOTE),
            "seed": number("seed", strings.SEED),
        }
    return {"model": model, "dialect": dialect, "terms": terms, **sampling}


def chosen_text(value: Proofread, choices: str) -> str:
    """The draft with the changes that were taken; `choices` is a JSON list of one truth for each change."""
    return apply(
        value.draft,
        [change for change, taken in zip(value.applied, _choices(value, choices), strict=True) if taken],
    )


def _choices(value: Proofread, choices: str) -> list[bool]:
    """As many as there are changes: what a page does not tell is taken."""
    told = [bool(taken) for taken in json.loads(choices)]
    return told if len(told) == len(value.applied) else [True] * len(value.applied)


def record(
    value: Proofread,
    made: Mapping[str, Any],
    verdict: str,
    reasons: list[str],
    corrected: str,
    comment: str,
    choices: str,
) -> Record:
    """The feedback record of a result on screen, made with `made`; a good verdict drops reasons ticked before it."""
    return Record(
        draft=value.draft,
        rewrite=value.text,
        corrected=corrected if corrected.strip() else "",
        verdict=verdict,
        consent=strings.CONSENT_VERSION,
        reasons=tuple(reasons) if verdict == "bad" else (),
        changes=tuple(
            Change(**change.to_dict(), verdict="accepted" if taken else "rejected")
            for change, taken in zip(value.applied, _choices(value, choices), strict=True)
        ),
        comment=comment.strip(),
        options=made["options"],
        versions=made["versions"],
        before=value.before.to_dict(),
        after=value.after.to_dict(),
    )


def _about(mail: Mail | None) -> list[str]:
    """What to tell of an opened file: its subject, and what was done to it."""
    if mail is None:
        return []
    return [*([strings.SUBJECT.format(subject=mail.subject)] if mail.subject else []), *mail.notes]


def _session(request: gr.Request) -> str:
    """Names one open page; each tab has its own."""
    return request.session_hash or ""


def _progress(units: str, done: int, total: int, seconds: float) -> str:
    line = strings.PROGRESS.format(done=done, total=total, units=units)
    if 0 < done < total:
        left = round(seconds / done * (total - done))
        line += ", " + strings.TIME_LEFT.format(seconds=max(1, left))
    return line
