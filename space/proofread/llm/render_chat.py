"""Renders chats by a chat template that may mean harm: a process of its own, whose time and memory are limited.

`chat_template.py` starts it. It reads one JSON object from stdin, writes one to stdout, and imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

_SHOWN_CHARS = 200  # of what the template, or jinja2 about it, says


def main() -> None:
    request = json.load(sys.stdin.buffer)
    sys.path[:] = request["path"]  # python -I leaves out a site of the user, in which jinja2 may be
    import jinja2.ext
    import jinja2.sandbox  # noqa: F401  imported before the clock starts

    _limit(request["cpu_seconds"], request["memory_bytes"])
    json.dump(_answers(request), sys.stdout)


def _limit(cpu_seconds: float, memory_bytes: int) -> None:
    """From here on this process is ended once it has computed too long, in C code too; more memory is a MemoryError."""
    try:
        import resource
        import signal
    except ImportError:  # Windows has neither: there the caller's deadline is all
        return
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):  # macOS starts with more than that
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _answers(request: dict[str, Any]) -> list[dict[str, str]]:
    """Of each chat its `text`, or what is `wrong`."""
    try:
        template = _environment().from_string(request["template"])
    except Exception as error:  # noqa: BLE001  jinja2 lets through whatever a template provokes
        return [{"wrong": f"cannot be read ({_reason(error)})"}] * len(request["chats"])
    return [_rendered(template, chat, request) for chat in request["chats"]]


def _rendered(template: Any, chat: list[dict[str, str]], request: dict[str, Any]) -> dict[str, str]:
    try:
        text = template.render(
            messages=chat, tools=None, documents=None, add_generation_prompt=True, **request["tokens"]
        )
        text.encode()  # half a surrogate pair is no text
    except Exception as error:  # noqa: BLE001
        return {"wrong": f"fails ({_reason(error)})"}
    if len(text) > request["max_chars"]:
        return {"wrong": f"writes {len(text):,} characters around a text"}
    return {"text": text}


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "too much memory"
    if isinstance(error, RecursionError):
        return "it calls itself without end"
    from jinja2 import TemplateError, TemplateSyntaxError

    said = str(error)[:_SHOWN_CHARS]
    if isinstance(error, TemplateSyntaxError):
        return f"line {error.lineno}: {said}"
    return said if isinstance(error, TemplateError) else f"{type(error).__name__}: {said}"


def _environment() -> Any:
    """That of transformers (5.23, utils/chat_template_utils.py), so that a template gives here what it gives there."""
    from datetime import datetime

    from jinja2 import TemplateError, nodes
    from jinja2.exceptions import SecurityError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import Namespace

    class Generation(Extension):
        """`{% generation %}` marks what an assistant wrote; in a prompt it changes nothing."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

        def _same(self, caller: Any) -> str:
            return str(caller())

    class SafeDict:
        """`dict` without the class itself, whose methods the sandbox does not know."""

        fromkeys = staticmethod(dict.fromkeys)

        def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
            return dict(*args, **kwargs)

    class SafeNamespace(Namespace):
        """`namespace` without names that mean something to Python."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__()
            for name, value in dict(*args, **kwargs).items():
                self[name] = value

        def __setitem__(self, name: str, value: Any) -> None:
            if str(name).startswith("_"):
                raise SecurityError(f"a namespace takes no name like {name!r}")
            super().__setitem__(name, value)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def strftime_now(form: str) -> str:
        return datetime.now().strftime(form)

    def tojson(
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        """jinja2's own writes <, > and & for HTML."""
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals |= {
        "raise_exception": raise_exception, "strftime_now": strftime_now, "dict": SafeDict(), "namespace": SafeNamespace
    }  # fmt: skip
    return environment


if __name__ == "__main__":
    main()
