"""An email as parts: what may be rewritten, and everything else that must come back untouched.

Lines are sorted into blocks (headers, quoted replies, code, tables, lists, greeting, signature, paragraphs),
then paragraphs and list items into sentences. Every character of the draft lands in exactly one part. Work is
linear in the length of the draft: no pattern looks beyond its line, and what could backtrack is bounded.

Not covered: HTML mail, and code without fences, indentation or any of the usual marks of code.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from space.proofread.code import is_code, looks_like_code, markup, without_markup
from space.proofread.sentences import OUTER_ABBREVIATIONS, sentences
from space.proofread.words import likeness, read_list, word_set

EDITABLE = frozenset({"subject", "greeting", "sentence", "item", "closing"})


@dataclass(frozen=True)
class Part:
    """One stretch of the draft; `start` is its offset in characters.

    `kind` is one of subject, greeting, sentence, item, closing, quote, signature, code, header, gap; tables
    count as code. A closing is a sign-off that resembles a known one ("Best regard,"); known ones are
    signatures. A subject is what stands behind the first "Subject: Re:" on top.
    """

    kind: str
    text: str
    start: int


def split(draft: str) -> list[Part]:
    r"""Parts of any string, in order; joined they are the draft again.

    >>> [(p.kind, p.text) for p in split("Hi Tom,\n\nIt is done.")]
    [('greeting', 'Hi Tom,'), ('gap', '\n\n'), ('sentence', 'It is done.')]
    """
    parts: list[Part] = []
    position = 0
    for kind, start, end in _spans(_lines(draft)):
        while start < end and draft[start].isspace():
            start += 1
        while end > start and draft[end - 1].isspace():
            end -= 1
        if start == end:
            continue
        if position < start:
            parts.append(Part("gap", draft[position:start], position))
        parts.append(Part(kind, draft[start:end], start))
        position = end
    if position < len(draft):
        parts.append(Part("gap", draft[position:], position))
    return parts


def join(parts: Iterable[Part]) -> str:
    """The text of the parts, in the order given."""
    return "".join(part.text for part in parts)


# --- lines and blocks -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    text: str  # without its line break
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def blank(self) -> bool:
        # A rule of dashes, a lone smiley, a zero byte: nothing in them to correct.
        return not any(c.isalnum() for c in self.text)


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_HEADER_NAMES = (
    r"from|to|cc|bcc|subject|date|sent|reply-to|attachments?|importance|priority|message-id|in-reply-to|references|"
    r"received|return-path|delivered-to|organization|content-type|content-transfer-encoding|mime-version|user-agent|"
    r"x-[\w-]{1,40}|list-[\w-]{1,40}"
)
_HEADER = re.compile(rf"\s{{0,3}}\*{{0,2}}(?:{_HEADER_NAMES})\s?:\*{{0,2}}(?:\s|$)", re.I)
# With what mail programs put before the subject of a reply.
SUBJECT_LINE = re.compile(
    r"^\s{0,3}\*{0,2}subject\s?:\*{0,2}[ \t]*(?:(?:re|fwd?|aw|wg|sv|tr|antw)(?:\[\d{1,3}\])?:[ \t]*){0,9}",
    re.IGNORECASE | re.MULTILINE,
)
_FROM = re.compile(r"\s{0,3}\*{0,2}(?:from|von|de)\s?:", re.I)
_QUOTED = re.compile(r"\s{0,3}(?:>|&gt;)")
_WROTE = re.compile(
    r".{0,300}\b(?:wrote|writes|said|schrieb[^:]{0,80}|a écrit|escribió|ha scritto|schreef[^:]{0,80}"
    r"|yazdı|escreveu)\s{0,2}:\s{0,3}$"
)
_WROTE_START = re.compile(
    r"\s{0,3}(?:On|Am|Le|El|Il|Op|Em)\s[^\n]{0,40}?\d|\s{0,3}\d{1,4}[-/.]\d"
    r"|\s{0,3}(?:On) (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)|\S.{0,80}<[^>]{3,80}>"
)
# Without one of these, "On 4 May he wrote:" is the writer's own sentence.
_STAMP = re.compile(r"@|<|\d{1,2}[:.h]\d\d|\d{4}")
_THREAD = re.compile(
    r"\s{0,3}(?:[-_]{2,}\s?(?:Original|Forwarded|Reply|Ursprüngliche|Weitergeleitete)\s?(?:Message|Appointment|message"
    r"|Nachricht)?.{0,40}[-_]{0,}|Begin forwarded message:|Forwarded message from .{1,80}:)\s*$",
    re.I,
)
_FENCE = re.compile(r" {0,3}(```|~~~)")
_DASHES = re.compile(r"(?:--|—|–|__|_{3,}|-{3,})\s*$")
_INDENTED = re.compile(r"(?: {4}|\t)\s*\S")
_TRACE_HEAD = re.compile(
    r"Traceback \(most recent call last\):"
    r"|(?:Caused by: |Exception in thread .{0,80}|[\w.$]{0,200}(?:Exception|Error)\b)"
)
_TRACE_LINE = re.compile(r"\s+(?:at \S|File \"|\.{3} \d+ more|in \S+ at )|Caused by: ")
_CELL_GAP = re.compile(r"[^\s.!?:](?: {3,}|\s?\t\s*)\S")
_MARKER = re.compile(
    r"\s*(?:(?:[-*+•‣◦▪●○·–—»✓✔☐☑]|\[[ xX]?\])\s+(?:\[[ xX]?\]\s+)?"
    r"|(\(?(\d{1,2}|[a-z]|[ivx]{2,4})[.)]|\(?[A-Z]\))\s+)(?=\S)"
)
_GREETING = re.compile(
    r"\s*(?:hi+|hello+|helo|hallo|hey+|hiya|dear|dears|dera|deer|greetings|"
    r"good\s?(?:morning|afternoon|evening|day)|morning|afternoon|evening|welcome back|"
    r"to whom it may concerns?|attn|ladies and gentlemen|gentlemen|all|team|everyone|folks)\b",
    re.I,
)
_NAME_COMMA = re.compile(r"\s*(?:[A-Z][\w.'’-]{0,30}(?: (?:and|&) | ?)){1,4}(?:[,:]| ?[-–—]{1,2})\s*$")
_NO_GREETING = word_set("email", "no_greeting")
_CLOSINGS = frozenset(line for (line,) in read_list("closings"))
_LIKE_CLOSING = 0.8  # likeness of a misspelt one
_DEVICE = re.compile(
    r"\s*(?:Sent (?:from|via|with) (?:my |the )?\S|Get Outlook for |Gesendet von |Envoyé de )", re.I
)
_DISCLAIMER = re.compile(
    r"\b(?:confidential|privileged|intended recipient|disclaimer|do not print|before printing|unsubscribe)\b",
    re.I,
)
_CELL = re.compile(r"\s[|•·–—/-]\s|,\s")
_POSTSCRIPT = re.compile(r"\s*p\.?\s?p?\.?s\b", re.I)
WRAP_WIDTH = 45  # characters; lines of a paragraph that never gets this wide were broken on purpose
_WRAP_WORDS = 4  # words; shorter lines that go on in small letters may be a list without bullets
_SIGNATURE_LINES = 12  # non-blank lines after a sign-off that may still be name, title, telephone
_LONG_LINE = 110  # characters; nobody wraps later, so a line break after this is a paragraph's end
_LINKING = word_set("email", "linking")


def _lines(draft: str) -> list[_Line]:
    return [_Line(m.group().rstrip("\r\n"), m.start()) for m in _LINE.finditer(draft) if m.group()]


def _spans(lines: list[_Line]) -> Iterator[tuple[str, int, int]]:
    """(kind, start, end) of everything that is not a gap, in order."""
    end = _thread_start(lines)
    own = lines[:end]
    quiet = _fences(own)
    signed = _signature_lines(own, quiet)
    body_seen = subject_seen = False
    index = 0
    while index < len(own):
        line = own[index]
        if index in quiet:
            stop = quiet[index]
            yield "code", line.start, own[stop - 1].end
        elif index in signed:
            kind, stop = signed[index]
            yield kind, line.start, own[stop - 1].end
        elif line.blank and not _QUOTED.match(line.text) and not _is_table(own, index):
            index += 1
            continue
        elif not body_seen and _HEADER.match(line.text):
            stop = index + 1
            while stop < len(own) and (
                _HEADER.match(own[stop].text) or (own[stop].text[:1] in (" ", "\t") and not own[stop].blank)
            ):
                stop += 1
            found = list(_header_spans(own[index:stop], subject_seen))
            subject_seen = subject_seen or len(found) > 1
            yield from found
            index = stop
            continue
        elif stop := _quote_end(own, index):
            yield "quote", line.start, own[stop - 1].end
            index = stop
            continue
        elif stop := _code_end(own, index):
            yield "code", line.start, own[stop - 1].end
        elif _is_greeting(own, index):
            stop = index + 1
            yield "greeting", line.start, line.end
        else:
            stop = _block_end(own, index, quiet, signed)
            yield from _text_spans(own[index:stop])
        body_seen = True
        index = stop
    if end < len(lines):
        yield "quote", lines[end].start, lines[-1].end


def _header_spans(lines: list[_Line], subject_seen: bool) -> Iterator[tuple[str, int, int]]:
    """A block of headers, parted where the value of its first subject stands."""
    start, end = lines[0].start, lines[-1].end
    for index, line in enumerate(lines):
        if not subject_seen and (match := SUBJECT_LINE.match(line.text)):
            stop = index + 1
            while stop < len(lines) and not _HEADER.match(lines[stop].text):
                stop += 1  # a folded one
            first, last = line.start + match.end(), lines[stop - 1].end
            if any(c.isalnum() for c in line.text[match.end() :]):
                yield "header", start, first
                yield "subject", first, last
                start = last
            break
    yield "header", start, end


def _thread_start(lines: list[_Line]) -> int:
    """Index of the line from which on everything is somebody else's message; len(lines) if there is none."""
    body_seen = False
    for index, line in enumerate(lines):
        if _THREAD.match(line.text):
            return index
        if body_seen and _FROM.match(line.text):
            block = [follower for follower in lines[index + 1 : index + 6] if not follower.blank]
            if sum(bool(_HEADER.match(follower.text)) for follower in block) >= 2:
                rule = index - 1
                while rule > 0 and not lines[rule].text.strip():
                    rule -= 1
                return rule if rule > 0 and _DASHES.match(lines[rule].text.strip()) else index
        if stop := _wrote_end(lines, index):
            following = next((f for f in lines[stop : stop + 5] if f.text.strip()), None)
            if following is not None and not _QUOTED.match(following.text):
                return index
        body_seen = body_seen or not (line.blank or _HEADER.match(line.text) or line.text[:1] in (" ", "\t"))
    return len(lines)


def _wrote_end(lines: list[_Line], index: int) -> int:
    """Line after an "On 4 May ... wrote:" that begins at `index` and may be wrapped; 0 if none does."""
    if not _WROTE_START.match(lines[index].text):
        return 0
    for stop in range(index + 1, min(index + 4, len(lines)) + 1):
        text = lines[stop - 1].text
        if _WROTE.match(text[-320:]):
            stamp = " ".join(line.text[-320:] for line in lines[index:stop])
            return stop if _STAMP.search(stamp) else 0
        if not text.strip() or text.rstrip().endswith((".", "!", "?")):
            return 0
    return 0


def _quote_end(lines: list[_Line], index: int) -> int:
    stop = index if _QUOTED.match(lines[index].text) else _wrote_end(lines, index)
    if stop == index or stop:
        while stop < len(lines) and _QUOTED.match(lines[stop].text):
            stop += 1
        return stop if stop > index else 0
    return 0


def _fences(lines: list[_Line]) -> dict[int, int]:
    """First line -> line after the last, of every fenced block that is closed."""
    blocks: dict[int, int] = {}
    opened: tuple[int, str] | None = None
    for index, line in enumerate(lines):
        match = _FENCE.match(line.text)
        if match and opened is None:
            opened = (index, match.group(1))
        elif match and opened and match.group(1) == opened[1]:
            blocks[opened[0]] = index + 1
            opened = None
    return blocks


def _is_table(lines: list[_Line], index: int) -> bool:
    def row(at: int) -> bool:
        if not 0 <= at < len(lines):
            return False
        text = lines[at].text
        text = text[match.end() :] if (match := _MARKER.match(text)) else text.strip()
        return (
            text.count("|") >= 2
            or bool(_CELL_GAP.search(text))
            or bool(text)
            and not text.strip("|+-=: ")
            and "-" in text
            and "|" in text
        )

    return row(index) and (row(index + 1) or row(index - 1))


def _code_end(lines: list[_Line], index: int) -> int:
    """Line after a stack trace, a table or a run of code lines that begins at `index`; 0 if none does."""
    text = lines[index].text
    stop = index
    if _TRACE_HEAD.match(text) and index + 1 < len(lines) and _TRACE_LINE.match(lines[index + 1].text):
        python = text.startswith("Traceback")
        stop = index + 1
        while stop < len(lines) and (
            _TRACE_LINE.match(lines[stop].text)
            or python
            and _INDENTED.match(lines[stop].text[:1] * 2 + lines[stop].text)
        ):
            stop += 1
        if python and stop < len(lines) and not lines[stop].blank:
            stop += 1  # "ValueError: ...", the line that says what happened
        return stop
    while stop < len(lines) and _is_table(lines, stop):
        stop += 1
    if stop > index:
        return stop
    while stop < len(lines) and (
        is_code(lines[stop].text) or stop > index and _INDENTED.match(lines[stop].text)
    ):
        stop += 1
    if stop > index:
        return stop
    # Some people indent prose: a block counts as code only when most of its lines look like it.
    while stop < len(lines) and _INDENTED.match(lines[stop].text):
        stop += 1
    block = lines[index:stop]
    marked = sum(looks_like_code(line.text[:400]) for line in block)
    return stop if block and 2 * marked >= len(block) and not _MARKER.match(text) else 0


def _is_greeting(lines: list[_Line], index: int) -> bool:
    text = lines[index].text.strip()
    if len(text) > 80 or index and not lines[index - 1].blank and not _HEADER.match(lines[index - 1].text):
        return False
    words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text)
    if text.lower().startswith("to whom it may concern"):
        return len(words) == 5
    if len(words) > 9 or any(word.lower() in _NO_GREETING for word in words):
        return False
    ended = text.endswith((",", ":", "!", ";", "-", "–", "—")) or len(words) <= 3 and text.endswith(".")
    if not _GREETING.match(text):
        first = not any(
            not line.blank and not _HEADER.match(line.text) for line in lines[max(0, index - 6) : index]
        )
        return first and len(words) <= 4 and bool(_NAME_COMMA.match(text))
    if ended:
        return len(words) >= 2 or text[:-1].lower() not in ("welcome back",)
    return len(words) <= 5 and not text.endswith("?")


def _signature_lines(lines: list[_Line], quiet: dict[int, int]) -> dict[int, tuple[str, int]]:
    """First line -> (kind, line after the last) of sign-offs with their names, "-- " blocks, device lines."""
    found: dict[int, tuple[str, int]] = {}
    filled = [i for i, line in enumerate(lines) if line.text.strip() and not _QUOTED.match(line.text)]
    last = filled[-1] if filled else -1
    near_end = set(filled[-_SIGNATURE_LINES - 2 :])
    skip_until = 0
    for index, line in enumerate(lines):
        if index in quiet:
            skip_until = quiet[index]
        if index < skip_until:
            continue
        text = line.text.strip()
        if text == "--":
            stop = index + 1
            while stop < len(lines) and not _QUOTED.match(lines[stop].text):
                stop += 1
            found[index] = ("signature", stop)
        elif _DEVICE.match(text) and len(text) < 80:
            found[index] = ("signature", index + 1)
        elif kind := _closing(lines, index, index in near_end):
            stop = _names_end(lines, index + 1)
            if stop == index + 1 and not _can_end_mail(lines, stop):
                continue
            if kind == "closing":
                if stop == index + 1:
                    continue
                found[index] = ("closing", index + 1)
                first = next(i for i in range(index + 1, stop) if lines[i].text.strip())
                found[first] = ("signature", stop)
            else:
                found[index] = ("signature", stop)
        elif index in near_end and index > filled[0] and _is_name(text) and _is_set_apart(lines, index):
            # A name alone at the end signs as well, with or without a title under it.
            stop = _names_end(lines, index)
            if stop <= last or any(lines[at].blank for at in range(index, last)):
                continue
            found[index] = ("signature", stop)
        if index in found:
            skip_until = (
                max(stop for at, (_, stop) in found.items() if at >= index)
                if len(found) < 50
                else found[index][1]
            )
    return found


def _is_set_apart(lines: list[_Line], index: int) -> bool:
    before = lines[index - 1]
    return (before.blank or before.text.rstrip().endswith(",")) and not _is_table(lines, index)


def _closing(lines: list[_Line], index: int, near_end: bool) -> str:
    """What a sign-off line is: "signature" when known, "closing" when close to a known one, else ""."""
    text = lines[index].text.strip()
    if not text or len(text) > 60:
        return ""
    phrase, comma, name = text.partition(",")
    if comma and name.strip() and not _is_name(name.strip().rstrip(".")):
        return ""
    phrase = " ".join(phrase.lower().rstrip(" .!-–—").split())
    if phrase in _CLOSINGS:
        return "signature"
    if not near_end or len(phrase) < 4 or phrase.count(" ") > 3 or index and not lines[index - 1].blank:
        return ""
    return "closing" if any(likeness(phrase, known) > _LIKE_CLOSING for known in _CLOSINGS) else ""


def _names_end(lines: list[_Line], index: int) -> int:
    """Line after the name, title and address lines that begin at `index`; blank lines may part them."""
    stop = index
    taken = 0
    for at in range(index, min(len(lines), index + 3 * _SIGNATURE_LINES)):
        text = lines[at].text.strip()
        if not text:
            continue
        gap = at > stop
        if _QUOTED.match(text) or _POSTSCRIPT.match(text) or taken >= _SIGNATURE_LINES:
            break
        if taken and _DISCLAIMER.search(text[:2000]):
            stop = at + 1
            continue
        words = text.split()
        is_sentence = (
            text.endswith((".", "!", "?")) and words[-1].rstrip(".").lower() not in OUTER_ABBREVIATIONS
        )
        if len(words) > 9 or len(text) > 90 or len(words) > 3 and is_sentence:
            break
        if _MARKER.match(text) and not _is_name(text.lstrip("-–—~ ")):
            break
        if taken == 0 and not (
            _is_name(_CELL.split(text.strip("-–—~/ ."))[0])
            or len(words) <= 2
            and not text.endswith(("?", "!", ":"))
        ):
            break
        if gap and taken and _GREETING.match(text):
            break
        stop = at + 1
        taken += 1
    return stop


def _can_end_mail(lines: list[_Line], index: int) -> bool:
    """Whether nothing but quotes, postscripts or device lines follow."""
    for line in lines[index : index + 8]:
        if line.text.strip():
            return bool(
                _QUOTED.match(line.text)
                or _POSTSCRIPT.match(line.text)
                or _DEVICE.match(line.text)
                or line.text.strip() == "--"
            )
    return True


def _is_name(text: str) -> bool:
    words = text.split()
    if not 1 <= len(words) <= 5 or len(text) > 50 or text[-1:] in "!?:;":
        return False
    if _GREETING.match(text) or any(word.lower().strip(".,") in _NO_GREETING for word in words):
        return False
    particles = (
        "de",
        "van",
        "der",
        "von",
        "bin",
        "al",
        "da",
        "di",
        "la",
        "le",
        "and",
        "&",
        "the",
        "del",
        "dos",
        "ter",
        "ten",
    )
    return all(w[:1].isupper() or w.lower() in particles or w[:1] in '("“' for w in words) and not any(
        c.isdigit() for c in text
    )


def _block_end(
    lines: list[_Line], index: int, quiet: dict[int, int], signed: dict[int, tuple[str, int]]
) -> int:
    """Line after the paragraph or list item that begins at `index`."""
    item = bool(_MARKER.match(lines[index].text))
    stop = index + 1
    while stop < len(lines):
        line = lines[stop]
        if (
            line.blank
            or stop in quiet
            or stop in signed
            or _QUOTED.match(line.text)
            or _starts_item(lines, stop, item)
        ):
            break
        if (
            _is_table(lines, stop)
            or is_code(line.text)
            or _TRACE_HEAD.match(line.text)
            and _code_end(lines, stop)
        ):
            break
        if _wrote_end(lines, stop):
            break
        if (
            item
            and not line.text[:1].isspace()
            and len(lines[stop - 1].text) < WRAP_WIDTH
            and not line.text[:1].islower()
        ):
            break
        stop += 1
    return stop


def _starts_item(lines: list[_Line], index: int, in_list: bool) -> bool:
    match = _MARKER.match(lines[index].text)
    if not match:
        return False
    if match.group(1) is None or in_list:
        return True
    # "... on May\n4. After that" is a wrapped line, not the fourth item.
    before = lines[index - 1].text.rstrip()
    return match.group(2) in ("1", "a", "i", "A", None) or before.endswith((".", ":", ";", "!", "?", ","))


def _text_spans(lines: list[_Line]) -> Iterator[tuple[str, int, int]]:
    """Sentences of one paragraph or list item; a line break inside a sentence stays in it."""
    match = _MARKER.match(lines[0].text)
    kind = "item" if match else "sentence"
    start = lines[0].start + (match.end() if match else 0)
    width = max(len(line.text.rstrip()) for line in lines)
    runs: list[list[_Line]] = [[lines[0]]]
    for line in lines[1:]:
        hanging = kind == "item" and line.text[:1].isspace() and line.text.strip()[0].islower()
        if hanging or _is_wrapped(runs[-1][-1].text, line.text, width):
            runs[-1].append(line)
        else:
            runs.append([line])
    for number, run in enumerate(runs):
        begin = start if number == 0 else run[0].start
        # Blanks stand in for the line breaks (one or two characters), so offsets stay those of the draft.
        text = ""
        for line in run:
            text = text.ljust(line.start - run[0].start) if text else text
            text += line.text
        skipped = begin - run[0].start
        text = text[skipped:]
        words = without_markup(text)
        for first, last in _uncut(text, sentences(text)):
            if any(c.isalnum() for c in words[first:last]):
                yield kind, begin + first, begin + last


def _uncut(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans of sentences; those that end within markup ("`a. B`") go on."""
    inside = {at for span in markup(text) for at in range(span.start + 1, span.end)}
    begun: int | None = None
    for start, end in spans:
        begun = start if begun is None else begun
        if end not in inside:
            yield begun, end
            begun = None
    if begun is not None:
        yield begun, len(text.rstrip())


def _is_wrapped(line: str, following: str, width: int) -> bool:
    """Whether the line break between two lines of a paragraph is only a wrap."""
    text, next_text = line.rstrip(), following.strip()
    if not text or not next_text:
        return False
    continues = next_text[0].islower() and text[-1] not in ".!?:;"
    first_word, last_word = next_text.split(None, 1)[0], text.split()[-1].lower()
    linked = last_word in _LINKING or (continues and text[-1] == ",")
    if width > _LONG_LINE:
        return linked
    if linked or (continues and len(text.split()) >= _WRAP_WORDS):
        return True
    return width >= WRAP_WIDTH and len(text) + 1 + len(first_word) > width - 2
