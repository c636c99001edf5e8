"""The queue under the page and the endpoints: /health, limits for each client, and one line for a call that Gradio cannot place."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.data_classes import PredictBodyInternal
from gradio.route_utils import FnIndexInferError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from space.api import FLAG, MODEL
from space.clients import Buckets, client_key
from space.turns import NAME, TURNS, Turn

if TYPE_CHECKING:
    from space.proofread.llm.switcher import ModelSwitcher

MAX_WAITING = 32  # of a group of events; at about a second each the last of them waits half a minute
MAX_FLAGS_WAITING = 256  # a flag takes 50 ms, so the last of them waits 13 s
MAX_WAITING_EACH = 8  # emails of one client: three others always find a place
# Tokens a minute for one email a minute of RATE_LIMIT. A person who goes through the edits of an email makes the page measure and
# preview twice with each key; what is neither an email nor a flag shares one bucket.
FLAGS, OTHERS = 2, 10
# A client that calls opens the stream of events at once, and the page has one; what nobody listens to would take a place and both
# cores all the same. A result that is ready is kept longer: it costs only memory.
UNREAD_SECONDS = 10
RESULT_SECONDS = 600
SWEEP_SECONDS = 1
LOOK_SECONDS = 0.25  # between two looks whether who waits for a turn is still there
# Gradio keeps a copy of the page of each session, about 0.1 MB, for its last 10,000. A call is a session of its own: it is dropped
# with its last event, and that of a closed page once it would not find its state again. These are open pages, and clients that
# name their session.
MAX_SESSIONS = 1_000
CLOSED_SECONDS = 3600  # for which Gradio keeps its state

BUSY = "{count} requests are waiting already: try again in half a minute."
TOO_OFTEN = "Too many requests from this address: try again in {seconds} seconds."
TOO_MANY = "{count} emails from this address are waiting already: try again when one of them is done."
TOO_FEW = (
    "{name} takes {count} values in data, and got {given}; /gradio_api/call/v2/{name} takes them by name."
)
GONE, LOST = "Nobody waits for this any more.", "This was lost on its way: send it again."
NO_ENDPOINT = "There is no such endpoint: see /gradio_api/info."


def refuse_short_calls(page: gr.Blocks) -> None:
    """Answers a call with too few values in one line; Gradio's own check writes the values into the log."""

    def validate_inputs(function: Any, values: list[Any]) -> None:
        if len(values) < (count := len(function.inputs)):
            line = TOO_FEW.format(name=function.api_name, count=count, given=len(values))
            raise gr.Error(line, print_exception=False)

    page.validate_inputs = validate_inputs


def limit_queue(page: gr.Blocks, rate_limit: int, calls: set[str]) -> None:
    """Lets so many events wait, and so many of one client: to the others the queue answers 503 or 429, with Retry-After.

    `rate_limit` is emails a minute of one client, in bursts of as many; 0 is no limit of a client. Every way in comes here: the
    page, the endpoints and the MCP server. Gradio's own limit is one for all events, so emails would keep flags out. `calls` gains
    the events that are sessions of their own.
    """
    queue = page._queue
    push = queue.push
    buckets = {MODEL: Buckets(rate_limit), FLAG: Buckets(FLAGS * rate_limit)}
    others = Buckets(OTHERS * rate_limit)

    async def limited(body: Any, request: Request, username: str | None) -> Any:
        if function := page.fns.get(body.fn_index):  # else Gradio says what is wrong
            group, client = function.concurrency_id, _client(request)
            events = waiting(page, group)
            if len(events) >= (most := MAX_FLAGS_WAITING if group == FLAG else MAX_WAITING):
                raise HTTPException(503, BUSY.format(count=most), {"Retry-After": "30"})
            if rate_limit:
                own = sum(_client(event.request) == client for event in events) if group == MODEL else 0
                if own >= MAX_WAITING_EACH:
                    raise HTTPException(429, TOO_MANY.format(count=own), {"Retry-After": "10"})
                cost = TURNS.tokens(body.data[0]) if function.api_name == NAME and body.data else 1.0
                if seconds := buckets.get(group, others).take(client, cost):
                    line = TOO_OFTEN.format(seconds=seconds)
                    raise HTTPException(429, line, {"Retry-After": str(seconds)})
        is_call = not body.session_hash  # Gradio then gives it the event's id
        success, event_id, state = await push(body=body, request=request, username=username)
        if success and is_call:
            calls.add(event_id)
        return success, event_id, state

    queue.push = limited


def waiting(page: gr.Blocks, group: str) -> list[Any]:
    """The events of a group that have not begun."""
    line = page._queue.event_queue_per_concurrency_id.get(group)
    return line.queue if line else []


def is_known(page: gr.Blocks, call: str) -> bool:
    """Whether there are or will be events of a call that nobody has read."""
    queue = page._queue
    return call in queue.event_ids_to_events or any(
        call in ids for ids in queue.pending_event_ids_session.values()
    )


def expect(page: gr.Blocks, session: str) -> None:
    """Gives a page whose events were all read a place for those to come.

    A busy browser can learn that an event was queued when it has already read the answer. It then listens once more, and where
    there is no such place Gradio (6.31) breaks that stream off, after which the page hears nothing for ever.
    """
    if session in page.state_holder.session_data:
        page._queue.pending_messages_per_session.setdefault(session, asyncio.Queue())


async def in_turn(page: gr.Blocks, reading: Counter[str], request: Request, turn: Turn) -> Any:
    """What a turn's work returns, or raises, once the queue let it begin. HTTPException as of a call, or if the client goes away."""
    queue = page._queue
    if queue.server_app is None:  # as Gradio does with the first call
        queue.set_server_app(request.app)
    id_ = TURNS.add(turn)
    number = next(number for number, function in page.fns.items() if function.api_name == NAME)
    # Gradio takes the root of its own addresses from that of a request, and knows those that call it alone.
    called = Request({**request.scope, "path": "/gradio_api/queue/join"})
    body = PredictBodyInternal(fn_index=number, data=[id_], request=called)
    event, result = "", asyncio.wrap_future(turn.result)
    try:
        _, event, _ = await queue.push(body=body, request=called, username=None)
        reading[event] += 1
        while not (await asyncio.wait({result}, timeout=LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                raise HTTPException(499, GONE)
            if event not in queue.event_ids_to_events and not turn.result.done():
                raise HTTPException(500, LOST)
        return result.result()
    finally:
        TURNS.drop(id_)
        result.cancel()
        if event:
            reading.pop(event, None)
            await queue.clean_events(event_id=event)
            queue.pending_event_ids_session.pop(event, None)
            queue.pending_messages_per_session.pop(event, None)


def _client(request: Request) -> str:
    return client_key(request.client.host if request.client else "")


def drop_unread(
    page: gr.Blocks, reading: Counter[str], calls: set[str]
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan of the app in which an event that nobody listens to loses its place, its run and its result.

    `reading` has the sessions and calls on whose streams somebody listens. A flag stays: it is kept whether its answer is read
    or not. The sessions of `calls` that have ended and of pages that were closed are dropped, and what the queue holds of others
    that have no events.
    """
    unread: dict[str, float] = {}  # session -> since when

    async def sweep(now: float) -> None:
        queue = page._queue
        sessions = {
            session: ids
            for session, ids in queue.pending_event_ids_session.items()
            if ids and not reading.keys() & {session, *ids}
        }
        for session in unread.keys() - sessions.keys():
            del unread[session]
        for session, ids in sessions.items():
            seconds = now - unread.setdefault(session, now)
            events = [event for id in ids if (event := queue.event_ids_to_events.get(id))]
            if seconds < (UNREAD_SECONDS if events else RESULT_SECONDS):
                continue
            for event in events:
                if event.concurrency_id != FLAG:
                    await queue.clean_events(event_id=event._id)
                    ids.discard(event._id)
            if seconds >= RESULT_SECONDS:
                ids.clear()
        # Gradio (6.31) keeps an empty set of each session that ever was, and the messages of the last 2,000.
        kept = {*queue.pending_event_ids_session, *queue.pending_messages_per_session}
        for session in kept - reading.keys():
            if not queue.pending_event_ids_session.get(session):
                queue.pending_event_ids_session.pop(session, None)
                queue.pending_messages_per_session.pop(session, None)
        holder = page.state_holder
        ended = calls - queue.event_ids_to_events.keys()
        calls.difference_update(ended)
        long_ago = datetime.now() - timedelta(seconds=CLOSED_SECONDS)
        for session, state in list(holder.session_data.items()):
            if session in ended or (state.is_closed and holder.time_last_used[session] < long_ago):
                holder.session_data.pop(session, None)
                holder.time_last_used.pop(session, None)

    async def for_ever() -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await sweep(time.monotonic())

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        task = asyncio.create_task(for_ever())
        try:
            yield
        finally:
            task.cancel()

    return lifespan


def health(page: gr.Blocks, models: ModelSwitcher | None, problem: str) -> Route:
    """GET /health, for a load balancer: 200 while there is a model, 503 and why while there is none.

    While emails wait the status is "busy", with how many: still 200, for a process that is restarted would lose them, and one
    that reads the answer can send the next elsewhere. With `revision`, the commit of a model of the Hub, and a `note` if another model stands in for the one of the settings.
    It is answered beside the queue, so also while the model works.
    """

    async def answer(_: Request) -> JSONResponse:
        if why := problem if models is None else models.problem:
            return JSONResponse({"status": "no model", "problem": why}, 503)
        assert models is not None, "without models there is a problem"
        count = len(waiting(page, MODEL))
        status = {
            "status": "loading" if not models.loaded else "busy" if count else "ok",
            "model": models.versions()["model"],
        }
        known = {"waiting": count, "revision": models.revision, "note": models.note}
        return JSONResponse(status | {name: value for name, value in known.items() if value})

    return Route("/health", answer)


async def explain(request: Request, error: Exception) -> JSONResponse:
    """The answer to a call that Gradio cannot place, which would be a traceback in the log and a bare 500."""
    if "/gradio_api/call/" not in request.url.path:
        raise error
    if isinstance(error, TypeError):  # the wrong arguments
        return JSONResponse({"detail": str(error).partition(". ")[0]}, 400)
    return JSONResponse({"detail": NO_ENDPOINT}, 404)


HANDLERS = {TypeError: explain, KeyError: explain, FnIndexInferError: explain}
