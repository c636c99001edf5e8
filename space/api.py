"""What programs get of the app: named endpoints, which are also tools of its MCP server.

    from gradio_client import Client
    Client("http://127.0.0.1:7860").predict("I has a question.", api_name="/proofread")["text"]

`endpoints` adds them to a page. Bad input gets one line that says what to do; neither that line nor anything that
was sent is logged.
"""

import json
import logging
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr

from feedback.errors import FeedbackError
from feedback.flag import record_of
from feedback.journal import Journal, JournalError
from feedback.redact import ClientHash
from space.errors import UserError
from space.page import render, strings
from space.proofread.classifiers.tone import ToneClassifier
from space.proofread.dialect import DIALECTS
from space.proofread.llm.switcher import ModelSwitcher
from space.proofread.pipeline import Proofread, spoken
from space.turns import NAME, TURNS

# No `from __future__ import annotations`: Gradio reads what an endpoint returns, and no types as strings.

logger = logging.getLogger(__name__)

# Events of one group share workers and a limit: the page's and a program's emails, and what is kept.
MODEL, FLAG = "model", "flag"
MAX_RUNS = 4  # emails at once, a page's or a program's: the model reads them together, and a short one passes a long one
MAX_CHARACTERS = 100_000  # of one text; the words that are proofread are about 12,000 of them
MAX_COMMENT = 10_000  # characters
MAX_TERMS, MAX_TERM = 500, 200  # protected terms, and characters of one
MAX_WORD = 100  # characters of a mode, a verdict, a reason
UPDATE_SECONDS = 0.2  # between two signs of life of a run; at each, a client that went away is noticed

UNEXPECTED = "Something went wrong in the proofreader ({name}); nothing was kept. Please try again."
NOT_LOADED = "The tone models are not loaded: see /health."
NEED_CONSENT = "consent: send true if the writer agreed that this is kept; nothing was kept."


def endpoints(
    models: ModelSwitcher | None,
    journal: Journal,
    tone: ToneClassifier | None,
    problem: str,
    client_hash: ClientHash,
) -> None:
    """Adds /proofread, /tone and /flag to the `gr.Blocks` that is being built.

    Without models the first answers `problem`. `client_hash` is the page's: one sender, one hash.
    """
    for group, function, limit in (
        (MODEL, _proofread(models, problem), MAX_RUNS),
        ("tone", _tone(tone, problem), 1),
        (FLAG, _flag(journal, client_hash, models), 1),
    ):
        gr.api(function, api_name=function.__name__, concurrency_id=group, concurrency_limit=limit)
    gr.api(_turn, api_name=NAME, api_visibility="private", concurrency_id=MODEL, concurrency_limit=MAX_RUNS)


# Of these, names, docstrings and types are what programs and assistants read.


def _proofread(models: ModelSwitcher | None, problem: str) -> Callable[..., Any]:
    def proofread(
        text: str,
        mode: str = "proofread",
        protected_terms: list[str] = [],  # noqa: B006  what Gradio shows as the default; it is only read
        dialect: str = "",
        model: str = "",
    ) -> Iterator[dict[str, Any]]:
        """Proofreads an English email: corrects mistakes and changes nothing else.

        Parameters:
            text: the email, at most 100,000 characters, of which the first 2,000 words are proofread
            mode: "proofread" corrects mistakes; "polish" also makes blunt sentences polite, "friendly" warms stiff phrases too, "formal" writes contractions and chat words in full, "short" takes wordy phrases out
            protected_terms: words that are never changed, such as names and jargon
            dialect: "american" or "british" puts every word into that spelling; empty leaves each as it is
            model: one of the models that the page offers; empty takes the one that is loaded

        Returns:
            the new text, the changes and suggestions (offsets in the text sent), tone before and after, what was left alone and why,
            and what to look at again ("checks")
        """
        with _one_line_errors():
            check_text(text, "text")
            check_text(mode, "mode", MAX_WORD)
            _check_list(protected_terms, "protected_terms", MAX_TERMS, MAX_TERM)
            _check_choice(dialect, "dialect", DIALECTS)
            if not text.strip():
                raise UserError(strings.EMPTY_DRAFT)
            if models is None:
                raise UserError(problem)
            _check_choice(model, "model", models.names)
            # Gradio ends a run where it yields, and only there, if nobody waits for it any more.
            for _ in models.fetch(model):
                yield {"done": 0, "total": 0}
            shown_at = 0.0
            with models.use(model) as proofreader:
                for outcome in proofreader.run(
                    text,
                    mode,
                    protected_terms=protected_terms,
                    dialect=dialect or None,
                    stop=models.out_of_time(),
                ):
                    if isinstance(outcome, Proofread):
                        yield _carried(outcome.to_dict())
                    elif time.monotonic() - shown_at >= UPDATE_SECONDS:
                        shown_at = time.monotonic()
                        yield {"done": outcome.done, "total": outcome.total}

    proofread.__annotations__["return"] = dict  # what a client is given in the end
    return proofread


def _tone(classifier: ToneClassifier | None, problem: str) -> Callable[..., Any]:
    def tone(text: str) -> dict:
        """Measures how an English email sounds: its sentiment and its politeness, with probabilities.

        Parameters:
            text: the email, at most 100,000 characters; quoted replies, code and headers are not measured

        Returns:
            for sentiment and politeness the likeliest label, its probability and those of all labels
        """
        with _one_line_errors():
            check_text(text, "text")
            if classifier is None:
                raise UserError(problem or NOT_LOADED)
            return classifier.score([spoken(text)])[0].to_dict()

    return tone


def _flag(journal: Journal, client_hash: ClientHash, models: ModelSwitcher | None) -> Callable[..., Any]:
    def flag(
        draft: str,
        rewrite: str,
        verdict: str,
        reasons: list[str] = [],  # noqa: B006  as above
        comment: str = "",
        consent: bool = False,
        corrected: str = "",
        changes: list[dict] = [],  # noqa: B006
        mode: str = "",
        dialect: str = "",
        model: str = "",
        request: gr.Request = None,
    ) -> dict:
        """Keeps a person's verdict on a rewrite, with personal data replaced, if that person agreed to it.

        Parameters:
            draft: what was written
            rewrite: what the proofreader made of it
            verdict: "good" or "bad"
            reasons: what was wrong, of a bad rewrite
            comment: a remark, at most 10,000 characters
            consent: true if the writer agreed, and nobody else for them; otherwise nothing is kept
            corrected: what the person would have had instead
            changes: the changes and suggestions of /proofread, each with a verdict: accepted, rejected or undecided
            mode: that of the rewrite
            dialect: that of the rewrite
            model: what made the rewrite; empty is the model that is loaded

        Returns:
            the id of what is kept, by which it can be deleted
        """
        with _one_line_errors():
            if consent is not True:
                raise UserError(NEED_CONSENT)
            texts = {"draft": draft, "rewrite": rewrite, "corrected": corrected}
            words = {"verdict": verdict, "mode": mode, "dialect": dialect, "model": model}
            for values, limit in (
                (texts, MAX_CHARACTERS),
                ({"comment": comment}, MAX_COMMENT),
                (words, MAX_WORD),
            ):
                for name, value in values.items():
                    check_text(value, name, limit)
            _check_list(reasons, "reasons", MAX_TERMS, MAX_WORD)
            check_text(json.dumps(changes), "changes", 10 * MAX_CHARACTERS)
            sent = {**texts, **words, "comment": comment.strip(), "reasons": reasons, "changes": changes}
            record = record_of(
                sent, consent=strings.CONSENT_VERSION, via="api",
                client=client_hash(request.client.host if request.client else ""),
                versions=models.versions() if models else None,
            )  # fmt: skip
            journal.append(record.to_dict())
            return {"id": record.id}

    return flag


def _turn(turn: str) -> str:
    """Work from beside Gradio, at its turn."""
    TURNS.take(turn)
    return ""


def check_text(value: Any, name: str, limit: int = MAX_CHARACTERS) -> None:
    """UserError if it is no text, or a longer one; `name` is what the user knows it by."""
    if not isinstance(value, str):
        raise UserError(f"{name}: send a string.")
    if len(value) > limit:
        raise UserError(f"{name}: {len(value):,} characters are more than {limit:,}; send less at once.")


def _check_list(value: Any, name: str, most: int, limit: int) -> None:
    if not isinstance(value, list) or len(value) > most:
        raise UserError(f"{name}: send a list of at most {most} strings.")
    for each in value:
        check_text(each, name, limit)


def _check_choice(value: Any, name: str, choices: Sequence[str]) -> None:
    if value not in ("", *choices):
        raise UserError(f"{name}: send one of {', '.join(choices)}, or an empty string.")


def _carried(value: dict[str, Any]) -> dict[str, Any]:
    """The value with U+FFFD for each lone surrogate, which no UTF-8 can hold; offsets stay true."""
    return json.loads(render.carried(json.dumps(value, ensure_ascii=False)))


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turns what goes wrong into one line for the client."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  no traceback ever reaches a client, nor a text the log
        raise gr.Error(error_line(error, UNEXPECTED), print_exception=False) from None


def error_line(error: Exception, unexpected: str) -> str:
    """One line for the user; an error nobody planned is logged by its place, as its text may quote theirs."""
    if isinstance(error, (UserError, FeedbackError, JournalError)):
        return str(error)
    frames = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    logger.error("%s at %s", type(error).__name__, " > ".join(frames))
    return unexpected.format(name=type(error).__name__)
