"""A .txt or .eml file as text to proofread, and a proofread text as an .eml that mail programs open as a draft.

    mail = open_mail("reply.eml", Path("reply.eml").read_bytes())
    subject, body = without_subject(proofread(with_subject(mail.subject, mail.body), headers=headers_of(mail)))
    Path("new.eml").write_bytes(save_eml(mail, body, subject))

Mail comes from strangers: work is linear in its size but for bounded stretches, nothing is fetched or run, and what
cannot be read ends in a UserError.

Not covered: decryption, signatures, Outlook's .msg and winmail.dat.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import Header, decode_header
from email.message import EmailMessage
from email.quoprimime import body_encode
from email.utils import formataddr, getaddresses, parsedate_to_datetime
from itertools import islice
from pathlib import PurePosixPath

from space.errors import UserError
from space.html_text import SURROGATE, UNPRINTABLE, html_text, printable
from space.proofread.headers import Headers

MAX_BYTES = 1_000_000  # bytes of the text in UTF-8, attachments left out
MAX_FILE_BYTES = 25_000_000  # bytes of the file: what mail servers commonly take
MAX_TEXT_LINES = 100_000  # of a text; the page takes a second to sort so many
MAX_HTML = 4_000_000  # characters of HTML source; a text of MAX_BYTES rarely takes more
# A newsletter has some 5,000 tags, a pasted sheet of 1,000 rows 60,000. At worst, in a deep table, 40,000 of them take a second.
MAX_TAGS = 80_000
# Words and attributes of HTML: a text of MAX_BYTES has 180,000 words. The parser takes 700 bytes of memory for each attribute of a tag.
MAX_WORDS = 300_000
MAX_HEADERS = 50_000  # characters of all headers; beyond, fields are left out
MAX_HEADER_LINES = 10_000  # of the mail; a hundred is a lot
# The email package takes a step per line, and one more per multipart around it. A file of MAX_FILE_BYTES in base64
# has 330,000 lines; mail programs nest three or four multiparts.
MAX_LINES = 600_000
MAX_STEPS = 20_000_000
MAX_PARTS = 10_000

# A reply or an unsent draft goes on being one: who it is to, and which thread it belongs to.
SAVED_HEADERS = ("From", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "In-Reply-To", "References")
_ADDRESSES = frozenset({"From", "Reply-To", "To", "Cc", "Bcc"})
_SUBJECT = "Subject: "


@dataclass(frozen=True)
class Mail:
    r"""What was opened. `body` has the file's line ends if it was a .txt, "\n" if it was an .eml.

    `headers` are (name, value) in order, decoded for display; `notes` say in one line each what was left out or
    guessed. `fields` are the headers that `save_eml` keeps, unfolded, as (name, value). `attachments` are how many
    files and pictures were left out.
    """

    body: str
    subject: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    attachments: int = 0


def open_mail(name: str, data: bytes) -> Mail:
    """The mail in a file; the ending of `name` says of which kind.

    Raises UserError for a file that is empty, too large, of another kind, binary, or without text.

    >>> open_mail("note.txt", b"Hi Tom,\\r\\nit is done.").body
    'Hi Tom,\\r\\nit is done.'
    """
    shown = _shown(name)
    kind = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if kind not in (".txt", ".eml") or data.startswith(_OTHER_KINDS):
        raise UserError(f"{shown}: files of this kind cannot be opened; save it as .eml or .txt.")
    if len(data) > MAX_FILE_BYTES:
        raise UserError(f"{shown} is larger than {MAX_FILE_BYTES // 1_000_000} MB; save its text as .txt.")
    if not data.strip():
        raise UserError(f"{shown} is empty; choose a file with text in it.")
    mail = _open_txt(data) if kind == ".txt" else _open_eml(shown, data)
    controls = len(_CONTROL.findall(mail.body))
    if controls > _CONTROL_SHARE * len(mail.body):
        raise UserError(
            f"{shown} does not look like text; save the email as .eml, or its text as .txt in UTF-8."
        )
    body, notes = _CONTROL.sub("", mail.body), mail.notes
    if len(_LINE_BREAK.findall(body)) > MAX_TEXT_LINES:
        raise UserError(f"{shown} has more than {MAX_TEXT_LINES:,} lines of text; open it in smaller pieces.")
    if len(body.encode("utf-8", "replace")) > MAX_BYTES:
        raise UserError(
            f"{shown} has more than {MAX_BYTES // 1_000_000} MB of text; open it in smaller pieces."
        )
    if not body.strip():
        raise UserError(f"{shown} has no text in it; choose a file with text, or paste the text.")
    if controls:
        notes += (_count(controls, "control character was taken out.", "control characters were taken out."),)
    return replace(mail, body=body, notes=notes)


def headers_of(mail: Mail) -> Headers | None:
    """What a mail's headers say that its text is checked against; None of a .txt, which has none."""
    if not mail.headers:
        return None
    fields = dict(mail.fields)
    try:
        found = getaddresses([fields[name] for name in ("To", "Cc") if name in fields])
    except RecursionError:  # brackets without end
        found = []
    to = tuple((_decode_words(name), address) for name, address in found if "@" in address)
    return Headers(mail.subject, to, mail.attachments, _day(fields.get("Date", "")))


def with_subject(subject: str | None, body: str) -> str:
    r"""One draft of both, as `split` of space/proofread/email.py knows it; the body alone where there is no subject.

    >>> without_subject(with_subject("Plan", "Hi Tom,"))
    ('Plan', 'Hi Tom,')
    """
    return body if subject is None else f"{_SUBJECT}{' '.join(subject.split())}\n\n{body}"


def without_subject(draft: str) -> tuple[str | None, str]:
    """The subject of a draft that begins with one and a blank line, and the body; None and the draft if it does not."""
    first, blank, body = draft.partition("\n\n")
    if not blank or not first.startswith(_SUBJECT) or "\n" in first:
        return None, draft
    return first.removeprefix(_SUBJECT), body


def save_eml(mail: Mail | None, body: str, subject: str | None = None) -> bytes:
    r"""An unsent .eml with the new body, the headers of `mail` that are in SAVED_HEADERS, and `subject` if there is one.

    `open_mail` gives the same body back, except: "\r\n" and "\r" come back as "\n", lone surrogates as U+FFFD, and
    a byte order mark at the start and ASCII control characters other than tab, line feed, vertical tab and form
    feed do not come back. A body of blanks alone, of over MAX_BYTES, mostly of control characters, or of thousands
    of lines that name multiparts or begin like a part of one is saved, but `open_mail` refuses it. Runs of blanks in a subject come back as one.
    """
    fields = list(mail.fields) if mail else []
    if subject is not None:
        fields = [(name, value) for name, value in fields if name != "Subject"]
        fields.append(("Subject", subject))
    lines = [line for name, value in fields if name in SAVED_HEADERS and (line := _field(name, value))]
    lines += [
        "X-Unsent: 1",  # mail programs open it for writing
        "MIME-Version: 1.0",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: quoted-printable",
    ]
    text = SURROGATE.sub("\ufffd", _LINE_END.sub("\n", body))
    # body_encode takes bytes as characters. A soft line break at the end says that the text had no line end there.
    encoded = body_encode(text.encode("utf-8").decode("latin-1"), eol="\r\n")
    encoded += "" if encoded.endswith("\r\n") else "=\r\n"
    return "\r\n".join([*lines, "", encoded]).encode("ascii")


# --- plain text -----------------------------------------------------------------------------------

# %PDF, Office files and other archives, Outlook's .msg and old Office files, RTF, pictures: whatever they are called.
_OTHER_KINDS = (
    b"%PDF-", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf",
    b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a",
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_CONTROL_SHARE = 0.05  # of the characters; random bytes have twice as many
_LINE_END = re.compile(r"\r\n?")
_LINE_BREAK = re.compile(r"\r\n?|\n")
_WINDOWS = "It was read as Windows-1252."
_DAMAGED = "Some characters could not be read."
# Codecs for other things than texts that people send; some take time that grows with the square of the length.
_NOT_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"})  # fmt: skip


def _shown(name: str) -> str:
    """A file's name for an error: one short line without its folder."""
    last = " ".join(re.sub(r"[^\w .()+@-]", " ", name.replace("\\", "/").rpartition("/")[2]).split())
    return (last if len(last) <= 60 else f"{last[:40]}...{last[-15:]}") or "The file"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _open_txt(data: bytes) -> Mail:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    body, note = _decode(data, "utf-16" if wide else None)
    return Mail(body, notes=(note,) if note else ())


def _decode(data: bytes, charset: str | None) -> tuple[str, str]:
    """The text, and a note if it had to be guessed. Without a charset, or with a wrong one: UTF-8 or Windows-1252."""
    codec = ""
    try:
        codec = codecs.lookup(charset.strip(" '\"")).name if charset else ""
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        pass
    if codec in _NOT_CHARSETS or codec == "ascii":
        codec = ""
    if codec in ("iso8859-1", "cp1252"):  # senders who say Latin-1 mean Windows-1252, as browsers know
        return data.decode("cp1252", "replace"), ""
    for name in (codec, "utf-8"):
        try:
            if name:
                return data.decode(name).removeprefix("\ufeff"), ""
        except (LookupError, ValueError):  # LookupError: a codec from bytes to bytes
            pass
    if codec in ("utf-8", "utf-16", "utf-16-le", "utf-16-be"):
        # One bad byte in a text that is otherwise as declared must not cost every other letter.
        text = data.decode(codec, "replace").removeprefix("\ufeff")
        strange = sum(character > "\x7f" for character in text)
        if codec != "utf-8" or 2 * text.count("\ufffd") < strange:
            return text, _DAMAGED
    return data.decode("cp1252", "replace"), _WINDOWS


# --- .eml: headers --------------------------------------------------------------------------------

# Fields stay text: the default policy parses them into objects, for minutes if they are hostile, and fails on some.
_POLICY = policy.default.clone(header_factory=lambda name, value: value[:2_000])


def _read_fields(
    message: EmailMessage,
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], int]:
    """The headers for display, those to save, and how many were left out because they are too long."""
    shown: list[tuple[str, str]] = []
    saved: dict[str, str] = {}
    room, too_long = MAX_HEADERS, 0
    names = {name.lower(): name for name in SAVED_HEADERS}
    for name, raw in message.raw_items():
        if len(name) + len(raw) > room:
            too_long += 1
            continue
        room -= len(name) + len(raw)
        # Bytes above 127 are surrogates here.
        text = _decode(str(raw).encode("utf-8", "surrogateescape"), None)[0]
        text = " ".join(re.split(r"\s*[\r\n]+\s*", text.strip()))
        decoded = _decode_words(text)
        shown.append((name, printable(decoded)))
        if saved_name := names.get(name.lower()):
            encoded = text.isascii() and saved_name != "Subject" and not UNPRINTABLE.search(decoded + text)
            saved.setdefault(saved_name, text if encoded else printable(decoded))
    return tuple(shown), tuple(saved.items()), too_long


def _decode_words(text: str) -> str:
    """A header with its encoded words (RFC 2047) read; those that cannot be read stay as they are."""
    if "=?" not in text or not text.isascii():
        return text
    try:
        chunks = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    return "".join(
        chunk if isinstance(chunk, str) else _decode(chunk, (charset or "").partition("*")[0])[0]
        for chunk, charset in chunks
    )


def _day(sent: str) -> date | None:
    """The day of a Date header; None if it names none."""
    try:
        return parsedate_to_datetime(sent).date()
    except (ValueError, OverflowError):
        return None


def _field(name: str, value: str) -> str:
    """A header as it is written: folded, in ASCII; empty if it has no value or cannot be written."""
    value = printable(value)
    if name == "Subject":
        value = " ".join(value.split())
    if not value:
        return ""
    charset = "us-ascii" if value.isascii() and not (name == "Subject" and "=?" in value) else "utf-8"
    if charset == "utf-8" and name in _ADDRESSES:
        try:
            addresses = ", ".join(formataddr(pair) for pair in getaddresses([value]) if pair[1])
            value, charset = (addresses, "us-ascii") if addresses else (value, charset)
        except (
            UnicodeError,
            RecursionError,
        ):  # an address beyond ASCII, or brackets without end: shown as a text
            pass
    try:
        folded = Header(value, charset, header_name=name).encode(linesep="\r\n")
    except HeaderParseError:
        return ""
    line = f"{name}: {folded}"
    # RFC 5322, 2.1.1: no line is longer than 998 characters. A word that is cannot be folded.
    return "" if max(map(len, line.split("\r\n"))) > 998 else line


# --- .eml: bodies ---------------------------------------------------------------------------------

_SIGNATURES = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})  # fmt: skip
_ENCRYPTED = frozenset({"application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})
_HEADER_BLOCK = re.compile(
    rb"(?:From [^\r\n]*+(?:\r\n?|\n))?+(?:(?:[!-9;-~]++:|[ \t])[^\r\n]*+(?:\r\n?|\n)){%d}"
    % (MAX_HEADER_LINES + 1)
)
_HTML_WORD = re.compile(r"(?<![\s/'\"])[\s/'\"]++[^\s/'\">]")  # looked for once in a run of separators
_BOUNDARY = re.compile(rb"^--([\w'()+,./:=?-]{1,70})[ \t]*\r?\nContent-", re.MULTILINE | re.IGNORECASE)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([\w:-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True)
class _Text:
    """A text part as it was sent, decoded; `note` is _decode's."""

    source: str
    note: str
    is_html: bool


def _open_eml(shown: str, data: bytes) -> Mail:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    data = data.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    too_many = f"{shown} has more {{}} than can be read; save its text as .txt."
    lines = max(data.count(b"\n"), data.count(b"\r"))
    low = data.lower()
    nested = low.count(b"multipart/") + low.count(b"message/")
    parts = data.count(b"\n--") if nested else 0  # elsewhere a line that begins like that is text
    if lines > MAX_LINES or lines * nested > MAX_STEPS or parts > MAX_PARTS:
        raise UserError(too_many.format("parts"))
    if _HEADER_BLOCK.match(data):
        raise UserError(too_many.format("headers"))
    left: Counter[str] = Counter()
    try:
        message = message_from_bytes(data, policy=_POLICY)
        headers, fields, too_long = _read_fields(message)
        texts = [text for text in _collect(message, left, top=True) if text.source.strip()]
        if _is_too_much("".join(text.source for text in texts if text.is_html)):
            raise UserError(too_many.format("HTML"))
        bodies = [html_text(text.source) if text.is_html else text.source for text in texts]
    except UserError:
        raise
    except RecursionError as error:  # the email package calls itself for a part within a part
        raise UserError(too_many.format("parts")) from error
    except Exception as error:  # noqa: BLE001  the email package fails on damaged mail in more ways than it names
        raise UserError(f"{shown} is damaged and cannot be read; save its text as .txt.") from error
    if not any(body.strip() for body in bodies) and left["encrypted"]:
        raise UserError(f"{shown} is encrypted; open it in your mail program and save its text as .txt.")
    body = bodies[0] if len(bodies) == 1 else "\n\n".join(part.strip("\n") for part in bodies if part.strip())
    subject = next((value for name, value in headers if name.lower() == "subject"), None)
    notes = tuple(_notes(texts, left, too_long, bool(headers)))
    return Mail(body, subject, headers, notes, fields, left["attachment"] + left["picture"])


def _is_too_much(source: str) -> bool:
    """Whether HTML would take seconds, or hundreds of megabytes, to read."""
    return (
        len(source) > MAX_HTML
        or source.count("<") > MAX_TAGS
        or sum(1 for _ in islice(_HTML_WORD.finditer(source), MAX_WORDS + 1)) > MAX_WORDS
    )


def _notes(texts: list[_Text], left: Counter[str], too_long: int, has_headers: bool) -> Iterator[str]:
    if not has_headers and not too_long:
        yield "It has no headers."
    if left["repaired"]:
        yield "Its parts were not marked as they should be; check that nothing is missing."
    yield from dict.fromkeys(text.note for text in texts if text.note)
    if any(text.is_html for text in texts):
        yield "The HTML body was turned to text."
    if left["attachment"]:
        yield _count(left["attachment"], "attachment is left out.", "attachments are left out.")
    if left["picture"]:
        yield _count(left["picture"], "picture is left out.", "pictures are left out.")
    if left["signature"]:
        yield "The digital signature is left out: it would not fit a changed text."
    if too_long:
        yield _count(too_long, "header is too long and left out.", "headers are too long and left out.")


def _collect(part: EmailMessage, left: Counter[str], top: bool = False) -> list[_Text]:
    """The texts to read in a part, in order; what is not among them is counted in `left`."""
    kind = part.get_content_type()
    payload = part.get_payload()
    if kind.startswith("multipart/"):
        if not isinstance(payload, list):
            return _repair(part, left)
        found = [_collect(child, left) for child in payload if isinstance(child, EmailMessage)]
        if kind != "multipart/alternative":
            return [text for texts in found for text in texts]
        filled = [texts for texts in found if any(text.source.strip() for text in texts)]
        # The sender's last version is the richest: the order of RFC 2046, 5.1.4.
        plain = [texts for texts in filled if not any(text.is_html for text in texts)]
        return (plain[:1] or filled[-1:] or [[]])[0]
    is_apart = part.get_content_disposition() == "attachment" or part.get_filename() is not None
    if kind in ("text/plain", "text/html") and (top or not is_apart):
        return [_read_text(part, kind == "text/html")]
    if kind in _SIGNATURES:
        left["signature"] = 1
    elif kind in _ENCRYPTED:
        left["encrypted"] += 1
    elif (
        kind.startswith("image/")
        and "Content-ID" in part
        and not part.get_content_disposition() == "attachment"
    ):
        left["picture"] += 1
    else:
        left["attachment"] += 1
    return []


def _repair(part: EmailMessage, left: Counter[str]) -> list[_Text]:
    """The texts of a multipart whose boundary is missing or wrong: found by the look of its parts, once in a mail."""
    data = str(part.get_payload() or "").encode("utf-8", "surrogateescape")
    left["repaired"] += 1
    boundary = _BOUNDARY.search(data)
    if boundary is None or left["repaired"] > 1:
        return [_Text(*_plain(data, None), is_html=False)]
    head = f'Content-Type: {part.get_content_type()}; boundary="{boundary.group(1).decode()}"\n\n'
    return _collect(message_from_bytes(head.encode() + data, policy=_POLICY), left)


def _plain(data: bytes, charset: str | None) -> tuple[str, str]:
    text, note = _decode(data, charset)
    return _LINE_END.sub("\n", text), note


def _read_text(part: EmailMessage, is_html: bool) -> _Text:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return _Text("", "", is_html)
    charset = part.get_content_charset()
    if is_html and charset is None and (meta := _META_CHARSET.search(data[:4_000])):
        charset = meta.group(1).decode("ascii", "replace")
    text, note = _plain(data, charset)
    if not is_html and _parameter(part, "format") == "flowed":
        text = _unflow(text, _parameter(part, "delsp") == "yes")
    return _Text(text, note, is_html)


def _parameter(part: EmailMessage, name: str) -> str:
    value = part.get_param(name)
    return value.strip().lower() if isinstance(value, str) else ""


def _unflow(text: str, delete_space: bool) -> str:
    """The paragraphs of format=flowed in one line each (RFC 3676, 4); quotes keep their depth.

    >>> _unflow("It is \\ndone.\\n> so \\n> what\\n-- \\nTom", False)
    'It is done.\\n> so what\\n-- \\nTom'
    """
    out: list[str] = []
    open_depth = -1  # of the paragraph that goes on in the next line
    pieces: list[str] = []
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")  # space-stuffed, 4.4
        is_rule = content == "-- "  # ends a paragraph and is none, 4.3
        if open_depth >= 0 and (depth != open_depth or is_rule):
            out.append("".join(pieces))
            pieces, open_depth = [], -1
        if open_depth < 0:
            pieces = [">" * depth + " " if depth and content else ">" * depth]
        flows = content.endswith(" ") and not is_rule
        pieces.append(content[:-1] if flows and delete_space else content)
        open_depth = depth if flows else -1
        if not flows:
            out.append("".join(pieces))
            pieces = []
    return "\n".join([*out, "".join(pieces)] if pieces else out)
