"""What is fuzzed: for each target the property that must hold of any bytes, and pieces to build inputs of.

A property raises AssertionError, or whatever the code raises that it must not.
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from space.errors import UserError


@dataclass(frozen=True)
class Target:
    """`pieces` are parts of real inputs, which a fuzzer puts together; `modules` are those whose coverage guides it."""

    check: Callable[[bytes], None]
    modules: tuple[str, ...]
    pieces: tuple[bytes, ...]


def _text(data: bytes) -> str:
    """As the command line reads a draft: what is not UTF-8 stays as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def zones(data: bytes) -> None:
    """The parts of an email cover the draft, each character once."""
    from space.proofread.email import join, split

    draft = _text(data)
    parts = split(draft)
    assert join(parts) == draft
    at = 0
    for part in parts:
        assert part.start == at and part.text
        at += len(part.text)


def edits(data: bytes) -> None:
    """The difference of two texts makes the one of the other, whichever of the changes are made, and back."""
    from space.proofread.edits import KINDS, apply, canonical, diff

    before, _, after = _text(data).partition("\0")
    changes = diff(before, after)
    assert apply(before, changes) == after and apply(after, diff(after, before)) == before
    assert diff(before, before) == []
    assert all(one.end <= other.start for one, other in zip(changes, changes[1:], strict=False))
    half = apply(before, changes[::2])
    assert apply(half, diff(half, after)) == after
    for change in changes[:20]:
        assert change.kind in KINDS and before[change.start : change.end] == change.before != change.after
        start, end, new = canonical(change, before)
        assert before[:start] + new + before[end:] == apply(before, [change])


def mail(data: bytes) -> None:
    """A file is opened or refused in a line; what is saved of it opens as it was."""
    from space.mail import open_mail, save_eml

    name, _, content = data.partition(b"\n")
    for shown in (_text(name), "mail.eml"):
        try:
            opened = open_mail(shown, content)
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 300
            continue
        try:
            again = open_mail("again.eml", save_eml(opened, opened.body, opened.subject))
        except UserError as error:
            assert "more parts" in str(error) and ("multipart/" in opened.body or "message/" in opened.body)
            continue
        expected = opened.body.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
        assert again.body == "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in expected)


def gguf(data: bytes) -> None:
    """A header is read or refused in a line, and nothing of it is believed that is not there."""
    from space.proofread.gguf_header import MAX_TEXT_BYTES, read_header

    with NamedTemporaryFile(suffix=".gguf") as file:
        file.write(data)
        file.flush()
        try:
            header = read_header(Path(file.name))
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 400
            return
    assert sum(header.lengths.values()) <= len(data)
    assert all(len(value) <= MAX_TEXT_BYTES for value in header.metadata.values() if isinstance(value, str))


def record(data: bytes) -> None:
    """A record with other fields, "name=JSON" a line, is one or none; one comes back from its JSON and from its row."""
    from feedback.record import Record, from_row, to_row

    value: dict[str, Any] = dict(_RECORD)
    for line in data.split(b"\n"):
        name, _, text = line.partition(b"=")
        try:
            value[_text(name)] = json.loads(text)
        except (ValueError, RecursionError):
            value.pop(_text(name), None)
    try:
        kept = Record.from_dict(value)
    except ValueError:
        return
    assert Record.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept
    Record.from_dict(from_row(to_row(kept)))


def html_text(data: bytes) -> None:
    """A page has a text, without what is no text."""
    from space.html_text import SURROGATE, html_text

    text = html_text(data.decode("utf-8", "replace"))
    assert isinstance(text, str) and "\0" not in text and not SURROGATE.search(text)


def code(data: bytes) -> None:
    """Markup stands where it is said to, in order; without it every other character keeps its place."""
    from space.proofread.code import is_code, looks_like_code, markup, without_markup

    text = _text(data)
    at = 0
    for span in markup(text):
        assert at <= span.start < span.end and text[span.start : span.end] == span.text
        at = span.end
    assert len(without_markup(text)) == len(text)
    for line in text.split("\n"):
        is_code(line), looks_like_code(line)


@functools.cache
def _lexicon() -> Any:
    from space.proofread.lexicon import Lexicon

    return Lexicon.load()


def protect(data: bytes) -> None:
    """Protected spans are inside the text, in order; an edit is refused or not, and one of nothing is not."""
    from space.proofread.edits import Edit
    from space.proofread.protect import protected_spans, refusal

    lexicon, text = _lexicon(), _text(data)
    spans = protected_spans(text, lexicon, ("Acme",))
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
    assert spans == sorted(spans, key=lambda span: (span.start, span.end))
    for span in spans[:5]:
        before = text[span.start : span.end]
        refusal(Edit(span.start, span.end, before, before.lower()), text, spans, lexicon)
        refusal(Edit(span.start, span.end, before, "a"), text, spans, lexicon)
    assert refusal(Edit(0, 0, "", ""), text, spans, lexicon) is None


def _field(key: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value


_ARCHITECTURE = _field(b"general.architecture", 8, struct.pack("<Q", 5) + b"llama")
_ONE_TENSOR = struct.pack("<Q", 1) + b"w" + struct.pack("<IQIQ", 1, 4, 0, 0)
_RECORD = {
    "id": "20261129T120000Z-0123456789abcdef", "time": "2026-11-29T12:00:00+00:00", "verdict": "bad", "draft": "I has it.",
    "rewrite": "I have it.", "consent": "1", "v": 3, "changes": [{"start": 2, "end": 5, "before": "has", "after": "have"}],
}  # fmt: skip
_WORDS = (
    "Hi Tom,\n", "I has it. ", "\n\n", "Best regards,\nAnn\n", "> quoted\n", "On 4 May 2026 at 10:00, Ann <a@b.example> wrote:\n",
    "-- \n", "```\n", "    x = f(1);\n", "| a | b |\n", "- item\n", "1) item\n", "From: a\nTo: b\n", "\t", "\r\n", "’", "\u2028",
    "e\u0301", "你好", "🙂", "https://a.example/x?y=1", "a.b@c.example", "$1,250.00", "12/05/2026", "5pm", "Acme Ltd", "“q”", "\"q\" ",
    "<b class=\"x\">", "</b>", "{{ x }}", "{% if %}", "&amp;", "`ls`", "not ", "can't ", "SELECT * FROM a;", "\x85", "_", "'", "<", ".",
)  # fmt: skip
_TEXTS = tuple(word.encode() for word in _WORDS) + (b"\xff", b"\x00", b"a" * 40)
_HTML = (
    b"<p>", b"</p>", b"<table>", b"<tr>", b"<td>", b"</td>", b"<ul>", b"<li>", b"<ol start=3>", b"<blockquote>", b"</blockquote>", b"<pre>",
    b"<a href='https://a.example'>", b"</a>", b"<!--", b"-->", b"<style>", b"</style>", b"<script>", b"<br>", b"&nbsp;", b"&#x110000;", b"<![CDATA[",
    b"<?", b"<!", b"<div style='display:none'>", b"</div>", b"<title>", b"<textarea>", b"<img alt=x>", b" ", b"text", b"\n", b"<", b"\"", b"=", b"/>",
)  # fmt: skip
_MAIL = (
    b"a.txt\n", b"../x.eml\n", b"Subject: =?utf-8?q?a=0Ab?=\n", b"Subject: Plan\r\n", b"From: Ann <a@b.example>\n", b"To: (\n", b"\n\n", b"\r\n",
    b"Content-Type: text/html; charset=utf-8\n", b"Content-Type: text/plain; charset=utf-7\n", b"Content-Type: multipart/mixed; boundary=b\n",
    b"Content-Type: multipart/alternative; boundary=\"b\"\n", b"--b\n", b"--b--\n", b"Content-Transfer-Encoding: base64\n", b"SGk=", b"=C3=BC=\n",
    b"Content-Transfer-Encoding: quoted-printable\n", b"Content-Type: message/rfc822\n", b"Content-Disposition: attachment; filename*=utf-8''a\n",
    b"Content-Type: text/plain; format=flowed; delsp=yes\n", b" folded\n", b"\xfc", b"Hi ", b"<p>Hi</p>", b"=?utf-8?b?", b"?=", b"begin 644 a\n",
)  # fmt: skip
_FIELDS = tuple(
    f"{name}={json.dumps(value)}\n".encode()
    for name, value in (
        ("v", "x"), ("v", 1), ("v", 99), ("new", [1]), ("changes", [{}]), ("changes", [{"start": 2, "end": 5, "before": "has", "after": "have"}]),
        ("time", "x"), ("time", "2026-11-29"), ("redactions", [{"kind": "name"}]), ("before", {"sentiment": {"label": "neutral", "score": 1}}),
        ("after", {"politeness": []}), ("versions", {"app": 1}), ("options", {"mode": None}), ("draft", "\ud800"), ("draft", ""), ("verdict", "good"),
        ("reasons", ["tone"]), ("extra", {}), ("extra", 1), ("id", "1"), ("consent", ""), ("client", 1), ("comment", None), ("corrected", "I have it."),
    )
) + (b"{", b"}", b"[", b"]", b":", b",", b"null", b"1e999", b"-1", b"\"v\"", b"NaN", b"99999999999999999999", b"v=", b"changes=", b"true")  # fmt: skip

TARGETS = {
    "zones": Target(zones, ("space.proofread.email", "space.proofread.sentences"), _TEXTS),
    "edits": Target(edits, ("space.proofread.edits", "space.proofread.kinds"), _TEXTS),
    "mail": Target(mail, ("space.mail", "space.html_text", "email"), _MAIL),
    "gguf": Target(
        gguf, ("space.proofread.gguf_header",),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + _ARCHITECTURE + _ONE_TENSOR + bytes(99), b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + _ARCHITECTURE,
         _field(b"general.alignment", 4, struct.pack("<I", 32)), _field(b"a", 9, struct.pack("<IQ", 8, 2) + bytes(16)),
         _field(b"tokenizer.ggml.tokens", 9, struct.pack("<IQQ", 8, 1, 1) + b"a"), struct.pack("<Q", 2**63), _ONE_TENSOR, _ARCHITECTURE),
    ),
    "record": Target(record, ("feedback.record",), _FIELDS),
    "html_text": Target(html_text, ("space.html_text",), _HTML),
    "code": Target(code, ("space.proofread.code",), _TEXTS),
    "protect": Target(protect, ("space.proofread.protect", "space.proofread.names"), _TEXTS),
}  # fmt: skip
