"""What a request passes before Gradio sees it: host, origin, size and time of the body; and the headers of its answer."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from space.mail import MAX_FILE_BYTES

# A flag with all three texts at their longest, each character escaped in JSON as two surrogates, needs 3.8 MB, its changes 1 MB.
MAX_BODY_BYTES = 6_000_000
_FORM_BYTES = 100_000  # what a form adds to the file in it
BODY_SECONDS = (
    60  # for 6 MB over a line of 1 Mbit/s; one that trickles for ever would hold its memory as long
)
UPLOAD_SECONDS = 300  # for 25 MB over the same line

CHECKS = "/v2/"  # where LanguageTool's protocol is spoken
ADD_ONS = ("moz-extension://", "chrome-extension://", "safari-web-extension://")

TOO_LARGE = "This request is larger than {limit:,} bytes: send less at once."
TOO_SLOW = "This request was not there after {seconds} seconds: send it faster, or less at once."
OTHER_HOST = "This app does not go by that name: open it by its address, or add the name to ALLOWED_HOSTS."
NO_CALL = "There is no such call, or its events were read, or nobody came for them in time."
OTHER_ORIGIN = (
    "A web page of another origin may not call this app: call it from a program, or embed it in an iframe."
)

# Gradio's page holds its configuration as a script in the page, runs the functions of `js=` from text, and styles in attributes:
# so these three are unsafe. What is left: nothing is loaded from or sent to another host, whatever an email brings along.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co https://*.hf.space",  # a Space is shown in a frame
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class SecurityHeaders:
    """ASGI middleware: puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)


class Hosts:
    """ASGI middleware: a Host that is not ours gets a 421.

    A page of another site whose name was made to lead here (DNS rebinding) is of our origin to the browser, but its Host
    gives it away. It is always a name: so where other machines may connect, `any_address` lets all addresses pass.
    Starlette's TrustedHostMiddleware knows no addresses, and its refusal does not say what to do.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str], any_address: bool) -> None:
        self._app, self._names, self._any_address = app, names, any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_ours(Headers(scope=scope).get("host", "")):
            return await JSONResponse({"detail": OTHER_HOST}, 421)(scope, receive, send)
        await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[\w.-]+)(:\d+)?", host.lower())
        if match is None:
            return False
        name = match[1]
        domains = [name[i:] for i, c in enumerate(name) if c == "."]
        return (
            name in self._names
            or any(f"*{domain}" in self._names for domain in domains)
            or (self._any_address and is_address(name))
        )


def is_address(name: str) -> bool:
    """Whether a host is written as an address, with brackets if of IPv6, and not as a name."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


class OneOrigin:
    """ASGI middleware: what a page of another origin sends gets a 403, also where no CORS preflight would ask.

    A browser says by itself where a request comes from, in Sec-Fetch-Site, or, over plain HTTP to another machine, in
    Origin alone. Programs send neither. What only reads passes: there is nothing of anybody's to read. A check makes the model
    work, by GET too.

    An add-on of the browser is its user's own program, and no page can take its origin: it may call what speaks LanguageTool's
    protocol, and read the answer (Firefox asks for that header, Chromium not). Nothing else is open to it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        if scope["path"].startswith(CHECKS) and origin.startswith(ADD_ONS):
            return await self._app(scope, receive, _allowing(origin, send))
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") or scope["path"].startswith(f"{CHECKS}check"):
            if _is_foreign(headers):
                return await JSONResponse({"detail": OTHER_ORIGIN}, 403)(scope, receive, send)
        await self._app(scope, receive, send)


def _allowing(origin: str, send: Send) -> Send:
    async def with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            headers.add_vary_header("Origin")
        await send(message)

    return with_header


def _is_foreign(headers: Headers) -> bool:
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


class RequestLimit:
    """ASGI middleware: a body over `MAX_BODY_BYTES` (an upload: `MAX_FILE_BYTES`) gets a 413, one that takes too long a 408."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        upload = scope["path"].endswith("/upload")
        limit = MAX_FILE_BYTES + _FORM_BYTES if upload else MAX_BODY_BYTES
        seconds = UPLOAD_SECONDS if upload else BODY_SECONDS
        too_large = JSONResponse({"detail": TOO_LARGE.format(limit=limit)}, 413)
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "0")
        if not re.fullmatch(r"[0-9]{1,12}", declared) or int(declared) > limit:
            return await too_large(scope, receive, send)
        received, end = 0, time.monotonic() + seconds
        complete = declared == "0" and "transfer-encoding" not in headers

        async def counted() -> Message:
            nonlocal received, complete
            if complete:  # what is awaited now is that the client goes away
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), end - time.monotonic())
            except asyncio.TimeoutError:  # noqa: UP041  another class before Python 3.11
                line = TOO_SLOW.format(seconds=seconds)
                raise HTTPException(408, line, {"Connection": "close"}) from None
            received += len(message.get("body", b""))
            if received > limit:  # sent in chunks, without saying how much
                raise HTTPException(413, TOO_LARGE.format(limit=limit))
            complete = not message.get("more_body", False)
            return message

        await self._app(scope, counted, send)


class Readers:
    """ASGI middleware that counts, in `reading`, the connections on which somebody waits for the events of a session or a call.

    Events of a call that is not known any more get a 404; Gradio's own answer is one too, with a traceback in the log. Those of a
    session are first announced to `expect`.
    """

    def __init__(
        self,
        app: ASGIApp,
        reading: Counter[str],
        is_known: Callable[[str], bool],
        expect: Callable[[str], None],
    ) -> None:
        self._app, self._reading, self._is_known, self._expect = app, reading, is_known, expect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session, call = _events_of(scope)
        if call and not self._is_known(call):
            return await JSONResponse({"detail": NO_CALL}, 404)(scope, receive, send)
        if not (name := session or call):
            return await self._app(scope, receive, send)
        self._reading[name] += 1
        if session:
            self._expect(session)
        try:
            await self._app(scope, receive, send)
        finally:
            self._reading[name] -= 1
            if not self._reading[name]:
                del self._reading[name]


def _events_of(scope: Scope) -> tuple[str, str]:
    """The session or the call whose events a request asks for; empty if it asks for something else."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return "", ""
    if scope["path"].endswith("/queue/data"):
        return parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0], ""
    call = re.search(r"/gradio_api/call/(?:v2/)?[^/]+/([^/]+)$", scope["path"])
    return "", call[1] if call else ""


class McpCallers:
    """ASGI middleware that keeps who called a tool.

    Gradio's MCP server calls the app's own endpoints over HTTP, with the headers of the call that it got: so every assistant
    would be one client, at 127.0.0.1. One header more carries the address, with a secret of this process.
    """

    _HEADER = b"x-proofreader-client"

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._secret = app, secrets.token_hex(16)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        said = Headers(scope=scope).get(self._HEADER.decode(), "")
        headers = [(name, value) for name, value in scope["headers"] if name != self._HEADER]
        secret, _, address = said.partition(" ")
        client = scope["client"]
        if address and secrets.compare_digest(secret.encode(), self._secret.encode()):
            client = (address, 0)
        if client and "/gradio_api/mcp" in scope["path"]:
            headers.append((self._HEADER, f"{self._secret} {client[0]}".encode("latin-1")))
        await self._app({**scope, "headers": headers, "client": client}, receive, send)
