"""The chat template of a model's file, which may come from a stranger: how a chat is put before the model.

A template is a program. It is run in a process of its own with little time and memory (`render_chat.py`), once for chats of
the same roles, and never on a text: it is given marks in place of what is said. What it makes of them is kept, and the
texts are put where the marks stand. So no text makes a template slower, and no template sees one.
"""

from __future__ import annotations

import json
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from space.errors import UserError
from space.proofread.prompt import Message

# Templates of Llama, Mistral, Gemma, Qwen and the like take a few milliseconds, have up to 15,000 characters and
# write up to 2,000.
CPU_SECONDS = 1.0
DEADLINE_SECONDS = 20.0  # with the start of the process, on a machine that is busy with other things
MEMORY_BYTES = 256 * 2**20  # of which Python and jinja2 take 25 MB
MAX_TEMPLATE_CHARS = 200_000
MAX_CHARS = 30_000  # around the texts

_RENDER = Path(__file__).with_name("render_chat.py")
_CURE = "take another file of this model, or another model."


@dataclass(frozen=True)
class _Frame:
    """What a template writes, with numbers of messages where their texts go."""

    parts: tuple[str | int, ...]
    merged: bool  # the system's message stands in front of the next one, in one message


class ChatTemplate:
    """The chat template of the file `path`; UserError if it is none that can be used.

    >>> template = ChatTemplate("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", "a.gguf")
    >>> template.pieces([{"role": "system", "content": "Proofread."}, {"role": "user", "content": "I has it."}])
    [('<system>', True), ('Proofread.', False), ('<user>', True), ('I has it.', False)]
    """

    def __init__(self, source: str, path: Path | str, bos_token: str = "", eos_token: str = "") -> None:
        self._path = str(path)
        if not source:
            raise UserError(
                f"{path}: this GGUF has no chat template; use an instruct model, or convert it again."
            )
        size = len(source) + len(bos_token) + len(eos_token)
        if size > MAX_TEMPLATE_CHARS:
            raise self._refused(f"has {size:,} characters")
        self._source, self._tokens = source, (("bos_token", bos_token), ("eos_token", eos_token))
        self._frame(("system", "user"))

    def pieces(self, chat: Sequence[Message]) -> list[tuple[str, bool]]:
        """The chat up to where the answer begins, in pieces; True: written by the template, so it may hold control tokens."""
        contents = [message["content"] for message in chat]
        frame = self._frame(tuple(message["role"] for message in chat))
        if frame.merged:
            contents[:2] = ["\n\n".join(contents[:2])]
        return [(contents[part], False) if isinstance(part, int) else (part, True) for part in frame.parts]

    def text(self, chat: Sequence[Message]) -> str:
        return "".join(piece for piece, _ in self.pieces(chat))

    def _frame(self, roles: tuple[str, ...]) -> _Frame:
        # A template that writes the date writes today's.
        day = date.today().isoformat() if "strftime_now" in self._source else ""
        try:
            return _make_frame(self._source, self._tokens, roles, day)
        except _Unusable as error:
            raise self._refused(str(error)) from error

    def _refused(self, what: str) -> UserError:
        line = " ".join("".join(char if char.isprintable() else " " for char in what).split())
        return UserError(f"{self._path}: its chat template {line}; {_CURE}")


class _Unusable(Exception):
    """What is wrong with a template, as it goes on after "its chat template"."""


@lru_cache(maxsize=32)  # a process a time: 0.2 s
def _make_frame(source: str, tokens: tuple[tuple[str, str], ...], roles: tuple[str, ...], day: str) -> _Frame:
    """Of the chat as it is or, where the template has no use for a system's message, with that in front of the next one."""
    candidates = [roles, roles[1:]] if roles[0] == "system" and len(roles) > 1 else [roles]
    marks = [secrets.token_hex(16) for _ in roles]
    chats = [
        [{"role": role, "content": mark} for role, mark in zip(some, marks, strict=False)]
        for some in candidates
    ]
    answers = _run(source, tokens, chats)
    for chat, answer in zip(chats, answers, strict=True):
        parts = re.split(f"({'|'.join(marks)})", answer.get("text", ""))
        found = [marks.index(part) if part in marks else part for part in parts if part]
        if sorted(part for part in found if isinstance(part, int)) == list(range(len(chat))):
            return _Frame(tuple(found), merged=len(chat) < len(roles))
    raise _Unusable(answers[-1].get("wrong", "leaves out or repeats what it is given"))


def _run(
    source: str, tokens: tuple[tuple[str, str], ...], chats: list[list[Message]]
) -> list[dict[str, str]]:
    """What `render_chat.py` answers, one for each of the chats."""
    request = {
        "path": [str(folder) for folder in sys.path], "template": source, "tokens": dict(tokens), "chats": chats, "cpu_seconds": CPU_SECONDS,
        "memory_bytes": MEMORY_BYTES, "max_chars": MAX_CHARS,
    }  # fmt: skip
    try:
        ran = subprocess.run(
            [sys.executable, "-I", str(_RENDER)], input=json.dumps(request).encode(),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=DEADLINE_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _Unusable(f"runs for more than {DEADLINE_SECONDS:g} s") from error
    except OSError as error:
        raise _Unusable(f"cannot be tried ({error.strerror})") from error
    if ran.returncode:
        ended = ran.returncode == -getattr(signal, "SIGPROF", 0)  # Windows has none
        raise _Unusable(
            f"runs for more than {CPU_SECONDS:g} s" if ended else f"breaks off (exit status {ran.returncode})"
        )
    answers: list[dict[str, str]] = json.loads(ran.stdout)
    return answers
