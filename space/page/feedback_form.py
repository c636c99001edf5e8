"""The feedback form: a verdict with reasons, the preview of what would be kept, consent, send.

Nothing is kept without consent, nor thanked for before it is on the disk.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

# Gradio reads the annotations of handlers with a request: what those name must be imported for real.
from feedback.journal import Journal
from feedback.record import REASONS, Change, Record
from feedback.redact import ClientHash, redact_record
from space.api import FLAG, MAX_COMMENT, check_text, error_line
from space.errors import UserError
from space.page import render, strings
from space.page.choices import judged, read_choices
from space.proofread.pipeline import Proofread

Origin = Mapping[str, Any]  # "options" and "versions" of a run, as a record names them
Updates = dict[Any, Any]  # component -> its new value or properties, as Gradio's handlers return them


class FeedbackForm:
    """`place` makes its components, `connect` what they do; `stored_where` is for the consent."""

    def __init__(self, journal: Journal, client_hash: ClientHash, stored_where: Callable[[], str]) -> None:
        self._journal, self._client_hash, self._stored_where = journal, client_hash, stored_where

    def place(self) -> None:
        self.pending = gr.State(None)  # the record on screen
        with gr.Group(elem_id="feedback"):
            verdicts = [(label, name) for name, label in strings.VERDICTS.items()]
            self.verdict = gr.Radio(verdicts, label=strings.FEEDBACK, elem_id="verdict")
            reasons = [(strings.REASONS[name], name) for name in REASONS]
            self.reasons = gr.CheckboxGroup(reasons, label=strings.WHAT_WAS_WRONG, elem_id="reasons")
            self.corrected = gr.Textbox(
                label=strings.CORRECTED,
                placeholder=strings.CORRECTED_PLACEHOLDER,
                lines=2,
                max_lines=12,
                elem_id="corrected",
            )
            self.comment = gr.Textbox(
                label=strings.COMMENT, placeholder=strings.COMMENT_PLACEHOLDER, lines=2, elem_id="comment"
            )
            with gr.Accordion(strings.PREVIEW, open=False, elem_id="preview"):
                self.shown = gr.HTML()
            self.consent = gr.Checkbox(
                label=self._consent_label(), info=strings.CONSENT_NOTE, elem_id="consent"
            )
        with gr.Row(elem_classes="pr-under"):
            self.send = gr.Button(strings.SEND, scale=0, min_width=180, elem_id="send")
            self.status = gr.HTML(elem_id="feedback-status")

    def reset(self) -> Updates:
        """The form for a new result."""
        return {
            self.verdict: None,
            self.reasons: [],
            self.corrected: "",
            self.comment: "",
            # Asked with every result, for the sync to the Hub may have stopped by then.
            self.consent: gr.update(value=False, label=self._consent_label()),
            self.send: gr.update(interactive=True),
            self.status: "",
        }

    def connect(self, last: Any, origin: Any, choices: Any, rescored: Callable[..., Any], **how: Any) -> None:
        """Events, given the page's states and the event of an edit that was taken or left."""
        answers = [last, origin, self.verdict, self.reasons, self.corrected, self.comment, choices]
        typed = (self.verdict.change, self.reasons.change, self.corrected.blur, self.comment.blur)
        for event in (*typed, rescored):
            event(self._preview, answers, [self.pending, self.shown], **how)
        outputs = [self.comment, self.corrected, self.send, self.status]
        inputs = [self.consent, self.pending, *answers]
        self.send.click(self._send, inputs, outputs, concurrency_id=FLAG, **how)

    def _preview(
        self, value: Proofread | None, origin: Origin, verdict: str | None, request: gr.Request, *answers: Any
    ) -> tuple[Record | None, str]:
        """The record that would be kept, as a value and as what the user sees of it."""
        if value is None or verdict is None:
            return None, ""
        try:
            found = self._redacted(record(value, origin, verdict, *answers), request)
        except UserError as error:
            return None, render.notes([str(error)])
        return found, render.record(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))

    def _send(
        self, agreed: bool, seen: Record | None, value: Proofread | None, origin: Origin, verdict: str | None,
        request: gr.Request, *answers: Any,
    ) -> Updates:  # fmt: skip
        """Keeps the record; what was typed is cleared only when it is on the disk."""
        try:
            if verdict is None:
                raise UserError(strings.NEED_VERDICT)
            if value is None:
                raise UserError(strings.GONE)
            if not agreed:
                raise UserError(strings.NEED_CONSENT)
            sent = self._redacted(record(value, origin, verdict, *answers), request)
            if seen is not None:  # the one on screen, with what was typed last
                sent = dataclasses.replace(sent, id=seen.id, time=seen.time)
            self._journal.append(sent.to_dict())
        except Exception as error:  # noqa: BLE001  no traceback ever reaches the screen
            return {self.status: render.status(error_line(error, strings.UNEXPECTED_FEEDBACK), "error")}
        return {
            self.comment: "",
            self.corrected: "",
            self.send: gr.update(interactive=False),
            self.status: render.status(strings.THANKS.format(id=sent.id), "done"),
        }

    def _redacted(self, full: Record, request: gr.Request) -> Record:
        client = self._client_hash(request.client.host if request.client else "")
        return redact_record(dataclasses.replace(full, client=client))

    def _consent_label(self) -> str:
        return strings.CONSENT.format(where=self._stored_where())


def record(
    value: Proofread, origin: Origin, verdict: str, reasons: list[str], corrected: str, comment: str, choices: str
) -> Record:  # fmt: skip
    """The feedback record of a result on screen; a good verdict drops reasons ticked before it."""
    check_text(corrected, strings.CORRECTED)
    check_text(comment, strings.COMMENT, MAX_COMMENT)
    chosen = read_choices(value, choices)
    return Record(
        draft=value.draft,
        rewrite=value.text,
        # What was typed in the result is how it should read, too.
        corrected=corrected if corrected.strip() else chosen.text or "",
        verdict=verdict,
        consent=strings.CONSENT_VERSION,
        reasons=tuple(reasons) if verdict == "bad" else (),
        changes=tuple(Change(**edit.to_dict(), verdict=said) for edit, said in judged(value, chosen)),
        comment=comment.strip(),
        options=origin["options"],
        versions=origin["versions"],
        before=value.before.to_dict(),
        after=value.after.to_dict(),
    )
