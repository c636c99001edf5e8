"""The page's components and looks. What they do is in handlers.py and feedback_form.py, what they show in render.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from space.mail import with_subject
from space.options import RANGES, Options
from space.page import render, strings
from space.page.feedback_form import FeedbackForm
from space.proofread.pipeline import MAX_WORDS

if TYPE_CHECKING:
    from space.proofread.llm.switcher import ModelSwitcher

CSS = Path(__file__).with_name("ui.css")
SCRIPTS = [
    Path(__file__).parent / "script" / f"{name}.js"
    for name in ("store", "draft", "review", "popover", "history", "page")
]
_SCRIPT_WORDS = (
    "LANGUAGE", "COUNT", "COUNT_OVER", "HIDE_MARKS", "SHOW_MARKS", "COPY", "COPIED", "STALE", "GONE", "CHOSEN", "HISTORY_OPEN", "FILE_NAME",
    "IGNORE", "CHANGE", "REMOVE", "PREVIOUS", "NEXT", "PLACE",
)  # fmt: skip
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
_SMALL: dict[str, Any] = {"size": "sm", "scale": 0, "min_width": 60}  # a button


def head() -> str:
    """What goes into the page's head: the script must be there before the first key is pressed."""
    words = {name: getattr(strings, name) for name in _SCRIPT_WORDS} | {
        "MAX_WORDS": MAX_WORDS,
        "WITH_SUBJECT": with_subject("{subject}", "{body}"),
    }
    body = "\n".join(
        path.read_text("utf-8") for path in SCRIPTS
    )  # one function's, each part with names of its own
    return f"<script>((words) => {{\n{body}}})({json.dumps(words)});</script>"


class Layout:
    """The components, top to bottom, made in the `gr.Blocks` that is open; `feedback` is the form at its end."""

    def __init__(
        self, models: ModelSwitcher | None, problem: str, draft_tone: str, feedback: FeedbackForm
    ) -> None:
        self.feedback = feedback
        self._hidden()
        server = strings.SERVER.format(name=models.server) if models and models.server else ""
        gr.HTML(f"<h1>{strings.TITLE}</h1><p>{strings.TAGLINE} {render.escaped(server)}</p>", elem_id="head")
        with gr.Row(equal_height=True, elem_id="desk"):
            with gr.Column(min_width=320):
                self._draft(problem or (models.stands_in if models else ""))
            with gr.Column(min_width=320):
                self._result(draft_tone)
            with gr.Column(min_width=320, elem_id="review"):
                self.changes = gr.HTML(render.no_result(), elem_id="changes")
        with gr.Row():
            with gr.Column(min_width=320), gr.Accordion(strings.SETTINGS, open=False, elem_id="settings"):
                self.settings = _settings(models)
                with gr.Accordion(strings.ADVANCED, open=False, elem_id="advanced"):
                    self.settings |= _sampling()
                    with gr.Accordion(
                        strings.PROMPTS.format(count=0), open=False, elem_id="prompts"
                    ) as panel:
                        self.prompts = gr.HTML(render.prompts(()))
                    self.prompts_panel = panel
                self.reset = gr.Button(strings.RESET, **_SMALL)
            with gr.Column(min_width=320), gr.Accordion(strings.HISTORY, open=False, elem_id="history"):
                gr.HTML(f"<small>{strings.HISTORY_NOTE}</small><p>{strings.HISTORY_EMPTY}</p><ol></ol>")
                self.clear_history = gr.Button(strings.HISTORY_CLEAR, **_SMALL)
        with gr.Column(visible=False, elem_id="details") as self.details:
            self._details()
            feedback.place()

    def _hidden(self) -> None:
        """What the page remembers, and what the script and the server hand each other."""
        self.last = gr.State(None)  # the Proofread value on screen
        self.origin = gr.State(None)  # its options and versions, as a feedback record names them
        self.opened = gr.State(None)  # the Mail that the draft was opened from
        self.mail_of_last = gr.State(None)  # the Mail that the result on screen was opened from
        self.replaced = gr.State(None)  # the Draft that Clear or an example took away
        self.picked_subject = gr.Textbox(
            visible="hidden"
        )  # of the draft that was picked out of the browser's history
        self.picked = gr.Textbox(visible="hidden")
        self.pick = gr.Button(visible="hidden", elem_id="pick")
        self.saved = gr.Textbox(visible="hidden")  # the result as the browser keeps it
        self.choices = gr.Textbox(
            "{}", visible="hidden"
        )  # what the user made of the result: the script fills it in
        self.doubts = gr.Textbox(visible="hidden")  # what is underlined in the draft
        self.live = gr.Button(visible="hidden", elem_id="live")
        self.ignore = gr.Button(visible="hidden", elem_id="ignore")
        self.eml = gr.Textbox(visible="hidden")  # an .eml on its way to the browser

    def _draft(self, problem: str) -> None:
        self.subject = gr.Textbox(label=strings.SUBJECT, max_lines=1, elem_id="subject")
        self.draft = gr.Textbox(
            label=strings.DRAFT,
            placeholder=strings.DRAFT_PLACEHOLDER,
            lines=14,
            autofocus=True,
            autoscroll=False,
            elem_id="draft",
            html_attributes=gr.InputHTMLAttributes(spellcheck=False, lang="en"),
        )
        with gr.Row(elem_id="under-draft", elem_classes="pr-under"):
            self.open = gr.UploadButton(strings.OPEN, file_types=[".txt", ".eml"], elem_id="open", **_SMALL)
            examples = strings.EXAMPLE_EMAILS.items()
            self.examples = [(gr.Button(name, **_SMALL), email) for name, email in examples]
            self.restore = gr.Button(strings.RESTORE, interactive=False, **_SMALL)
            self.count = gr.HTML(strings.COUNT.format(characters=0, words=0), elem_id="count")
        self.file_notes = gr.HTML(elem_id="file-notes")
        modes = [(label, name) for name, label in strings.MODES.items()]
        self.mode = gr.Radio(
            modes, value="proofread", label=strings.MODE, info=strings.MODES_NOTE, elem_id="mode"
        )
        with gr.Row(elem_id="buttons"):
            self.run = gr.Button(strings.RUN, variant="primary", scale=3, min_width=180, elem_id="run")
            self.stop = gr.Button(strings.STOP, interactive=False, scale=0, min_width=80, elem_id="stop")
            self.clear = gr.Button(strings.CLEAR, scale=0, min_width=80, elem_id="clear")
        self.status = gr.HTML(render.status(problem, "error" if problem else "quiet"), elem_id="status")
        self.measure = gr.Button(visible="hidden", elem_id="measure")

    def _result(self, draft_tone: str) -> None:
        self.result = gr.HTML(render.marked(""), elem_id="result")
        gr.HTML('<p class="pr-note" role="status"></p>', elem_id="stale")  # the script says it
        with gr.Row(elem_classes="pr-under"):
            off = {**_SMALL, "interactive": False}
            self.copy = gr.Button(strings.COPY, elem_id="copy", **off | {"min_width": 140})
            self.save_txt = gr.Button(strings.SAVE_TXT, elem_id="save-txt", **off)
            self.save_eml = gr.Button(strings.SAVE_EML, elem_id="save-eml", **off)
            self.hide = gr.Button(strings.HIDE_MARKS, elem_id="hide", **off)
        self.result_buttons = [self.copy, self.save_txt, self.save_eml, self.hide]
        self.notes = gr.HTML(elem_id="notes")
        self.draft_tone = gr.HTML(draft_tone, elem_id="draft-tone")
        self.result_tone = gr.HTML(render.blank_result_tone(), elem_id="result-tone")
        self.rescore = gr.Button(visible="hidden", elem_id="rescore")

    def _details(self) -> None:
        self.skipped = gr.HTML(elem_id="skipped")
        self.why = gr.HTML(elem_id="why")


def _settings(models: ModelSwitcher | None) -> dict[str, Any]:
    """The controls of `Options`, in its order, after the mode; `_sampling` has those at its end."""
    usual = Options(model=models.loaded if models else "")
    with gr.Row():
        names = models.names if models else []
        dialects = [(label, name) for name, label in strings.DIALECTS.items()]
        return {
            "model": gr.Dropdown(names, value=usual.model or None, label=strings.MODEL, elem_id="model"),
            "dialect": gr.Dropdown(dialects, value="", label=strings.DIALECT, elem_id="dialect"),
            "terms": gr.Textbox(
                "",
                label=strings.TERMS,
                placeholder=strings.TERMS_PLACEHOLDER,
                info=strings.TERMS_NOTE,
                lines=2,
                elem_id="terms",
            ),
        }


def _sampling() -> dict[str, Any]:
    def number(name: str, label: str, info: str = "") -> Any:
        low, high = RANGES[name]
        precision = 0 if isinstance(low, int) else None
        about = f"{strings.RANGE.format(low=low, high=high)} {info}"
        return gr.Number(
            getattr(Options(), name), label=label, info=about, precision=precision, min_width=160
        )

    with gr.Row():
        return {name: number(name, *texts) for name, texts in strings.SAMPLING.items()}
