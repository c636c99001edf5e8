"""The server under the page and the endpoints: /health, limits, and one line for a call that Gradio cannot place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.route_utils import FnIndexInferError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from space.mail import MAX_FILE_BYTES

if TYPE_CHECKING:
    from space.proofread.llm.switcher import ModelSwitcher

MAX_WAITING = 32  # requests, a page's included; at about a second each the last of them waits half a minute
# A flag with all three texts at their longest, each character escaped in JSON as two surrogates, needs 3.8 MB, its changes 1 MB.
MAX_BODY_BYTES = 6_000_000
_FORM_BYTES = 100_000  # what a form adds to the file in it

BUSY = "{count} requests are waiting already: try again in half a minute."
TOO_LARGE = "This request is larger than {limit:,} bytes: send less at once."
TOO_FEW = (
    "{name} takes {count} values in data, and got {given}; /gradio_api/call/v2/{name} takes them by name."
)
NO_ENDPOINT = "There is no such endpoint: see /gradio_api/info."


def refuse_short_calls(page: gr.Blocks) -> None:
    """Answers a call with too few values in one line; Gradio's own check writes the values into the log."""

    def validate_inputs(function: Any, values: list[Any]) -> None:
        if len(values) < (count := len(function.inputs)):
            line = TOO_FEW.format(name=function.api_name, count=count, given=len(values))
            raise gr.Error(line, print_exception=False)

    page.validate_inputs = validate_inputs


def health(models: ModelSwitcher | None, problem: str) -> Route:
    """GET /health, for a load balancer: 200 while there is a model, 503 and why while there is none.

    With `revision`, the commit of a model of the Hub, and a `note` if another model stands in for the one of the settings.
    It is answered beside the queue, so also while the model works.
    """

    async def answer(_: Request) -> JSONResponse:
        if why := problem if models is None else models.problem:
            return JSONResponse({"status": "no model", "problem": why}, 503)
        assert models is not None, "without models there is a problem"
        status = {"status": "ok" if models.loaded else "loading", "model": models.versions()["model"]}
        known = {"revision": models.revision, "note": models.note}
        return JSONResponse(status | {name: value for name, value in known.items() if value})

    return Route("/health", answer)


async def explain(request: Request, error: Exception) -> JSONResponse:
    """The answer to a call that Gradio cannot place, which would be a traceback in the log and a bare 500."""
    if "/gradio_api/call/" not in request.url.path:
        raise error
    if isinstance(error, TypeError):  # the wrong arguments
        return JSONResponse({"detail": str(error).partition(". ")[0]}, 400)
    return JSONResponse({"detail": NO_ENDPOINT}, 404)


async def busy(_: Request, error: Exception) -> JSONResponse:
    """The answer when the queue is full; Gradio's page and client show a line of their own for the status."""
    assert isinstance(error, HTTPException)
    full = error.detail.startswith("Queue is full")
    return JSONResponse(
        {"detail": BUSY.format(count=MAX_WAITING) if full else error.detail}, error.status_code
    )


HANDLERS = {503: busy, TypeError: explain, KeyError: explain, FnIndexInferError: explain}


class RequestLimit:
    """ASGI middleware: a body over `MAX_BODY_BYTES`, or of an upload over `MAX_FILE_BYTES`, gets a 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        upload = scope["path"].endswith("/upload")
        limit = MAX_FILE_BYTES + _FORM_BYTES if upload else MAX_BODY_BYTES
        line = TOO_LARGE.format(limit=limit)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            return await JSONResponse({"detail": line}, 413)(scope, receive, send)
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:  # sent in chunks, without saying how much
                raise HTTPException(413, line)
            return message

        await self._app(scope, counted, send)
