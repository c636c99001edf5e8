"""The routes of LanguageTool's protocol, beside the page: POST and GET /v2/check, GET /v2/languages."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from space.api import UNEXPECTED, check_text, error_line
from space.clients import Buckets, client_key
from space.errors import UserError
from space.languagetool import Request, answer, languages
from space.proofread.passages import Reading
from space.server import OTHERS, TOO_OFTEN
from space.turns import Turn
from space.web import CHECKS

if TYPE_CHECKING:
    from space.proofread.llm.switcher import ModelSwitcher

MAX_FIELDS = 100  # of a form; clients send ten
# LibreOffice 7.4 puts a paragraph into its form as it is: read as a form it would end at an "&", and lose each "+". What no
# encoder leaves in one gives it away.
_UNENCODED = re.compile(r"[^!-~]")
_AS_IT_IS = re.compile(r"text=(.*)&language=([\w-]*)(?:&username=[^&]*&apiKey=[^&]*)?", re.DOTALL)

# To find that a text is known takes 12 ms a thousand characters. Of what one client may ask beside its emails a token is so many:
# at the default an email of 2,000 words every second, or a document of 500 paragraphs when it is opened.
CHARACTERS_A_TOKEN = 2_000

NOT_HERE = "{path} is not here: this server has /v2/check and /v2/languages."


def routes(
    models: ModelSwitcher | None,
    problem: str,
    rate_limit: int,
    in_turn: Callable[[HttpRequest, Turn], Awaitable[Any]],
) -> list[Route]:
    """Without models each check answers `problem`. `in_turn` does work that needs the model when it is its turn.

    Clients ask at every pause of their writer. A text whose passages were all read before is answered beside the queue and
    takes nothing of its client's emails; what is new in one waits like an email, for as long as the client does.
    """
    asks = Buckets(OTHERS * rate_limit)

    async def check(request: HttpRequest) -> Response:
        fields = dict(request.query_params) | _form(await request.body())
        asked = await run_in_threadpool(Request.read, fields)
        for text in (asked.text.whole, asked.text.plain):
            check_text(text, "text")
        client = client_key(request.client.host if request.client else "")
        if rate_limit and (seconds := asks.take(client, len(asked.text.whole) / CHARACTERS_A_TOKEN)):
            raise HTTPException(429, TOO_OFTEN.format(seconds=seconds), {"Retry-After": str(seconds)})
        if models is None or models.problem:
            raise HTTPException(503, problem if models is None else models.problem)
        reading = await run_in_threadpool(_recalled, models, asked)
        if reading.unread_words:
            turn = Turn(lambda is_over: _read(models, asked, is_over), reading.unread_words)
            reading = await in_turn(request, turn)
        return JSONResponse(await run_in_threadpool(answer, asked, reading))

    async def list_languages(_: HttpRequest) -> Response:
        return JSONResponse(languages())

    async def nothing(request: HttpRequest) -> Response:
        raise HTTPException(404, NOT_HERE.format(path=request.url.path[:50]))

    return [
        Route(f"{CHECKS}check", _in_one_line(check), methods=["GET", "POST"]),
        Route(f"{CHECKS}languages", _in_one_line(list_languages)),
        Route(f"{CHECKS}{{rest:path}}", _in_one_line(nothing), methods=["GET", "POST", "DELETE"]),
    ]


def _form(body: bytes) -> dict[str, str]:
    """The fields of a form, whatever its content type says: LTeX sends one as application/json."""
    text = body.decode("utf-8", "replace")
    if _UNENCODED.search(text) and (match := _AS_IT_IS.fullmatch(text)):
        return {"text": match[1], "language": match[2]}
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise UserError(f"This form has more than {MAX_FIELDS} fields: send fewer.") from None


def _recalled(models: ModelSwitcher, asked: Request) -> Reading:
    return models.proofreader.edits(asked.text.plain, dialect=asked.dialect, stop=lambda: True)


def _read(models: ModelSwitcher, asked: Request, is_over: Callable[[], bool]) -> Reading:
    late = models.out_of_time()
    with models.use() as proofreader:
        return proofreader.edits(asked.text.plain, dialect=asked.dialect, stop=lambda: is_over() or late())


def _in_one_line(
    handler: Callable[[HttpRequest], Awaitable[Response]],
) -> Callable[[HttpRequest], Awaitable[Response]]:
    """What goes wrong as LanguageTool's clients know it: one line of plain text."""

    async def answered(request: HttpRequest) -> Response:
        headers = None
        try:
            return await handler(request)
        except HTTPException as error:
            status, line, headers = error.status_code, str(error.detail), error.headers
        except UserError as error:
            status, line = 400, str(error)
        except Exception as error:  # noqa: BLE001  no traceback ever reaches a client, nor a text the log
            status, line = 500, error_line(error, UNEXPECTED)
        return PlainTextResponse(f"Error: {line}", status, headers)

    return answered
