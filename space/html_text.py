"""The HTML body of an email as plain text, as a mail program shows it: what is hidden is left out, quotes begin with "> ".

Mail comes from strangers: work is linear in its size, nothing is fetched or run. The libraries that turn HTML to text
either bring lxml and requests with them, or sit on the same parser and leave quotes, hidden text and tables to us.
Not covered: style sheets (hidden is what a tag itself says is hidden).
"""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, unquote, urlsplit

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
SURROGATE = re.compile(r"[\ud800-\udfff]")
# Declarations too; what is never closed goes on to the end, as in browsers.
_COMMENT = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?][^>]*(?:>|\Z)", re.DOTALL)
_BLANKS = re.compile(r"[ \t\n\r\f]+")
# Fillers of previews, soft hyphens; the joiners inside emoji stay.
_INVISIBLE = re.compile("[\u00ad\u034f\u200b\u2060\ufeff]")
_SPACED = re.compile(r"[ \u00a0]+")
_SKIPPED = frozenset(
    "script style title template svg object iframe audio video canvas select textarea".split()
)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_APART = frozenset(
    "p h1 h2 h3 h4 h5 h6 ul ol dl blockquote pre table figure".split()
)  # blank lines around them
_BLOCKS = _APART | frozenset(
    "address article aside body caption center dd details dialog div dt fieldset figcaption footer form header "
    "hr html legend li main nav section summary tbody td tfoot th thead tr".split()
)
# What a start tag ends without an end tag, and what shelters it from that.
_IMPLIED = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol", "table"})),
    "dt": (frozenset({"dt", "dd"}), frozenset({"dl", "table"})),
    "dd": (frozenset({"dt", "dd"}), frozenset({"dl", "table"})),
    "td": (frozenset({"td", "th"}), frozenset({"table"})),
    "th": (frozenset({"td", "th"}), frozenset({"table"})),
    "tr": (frozenset({"td", "th", "tr"}), frozenset({"table"})),
    "a": (frozenset({"a"}), _BLOCKS),
}
_PARAGRAPH = (frozenset({"p"}), _BLOCKS - {"p"})
_HIDING = re.compile(
    r"(?:^|;)(?:display:none|visibility:hidden|(?:max-height|opacity):0(?:px|pt|em|%)?(?=[;!]|$))"
)
_PREHEADER = re.compile(r"pre-?header|preview-?text", re.IGNORECASE)
_NO_MARGIN = re.compile(r"(?:^|;)margin(?:-bottom)?:0(?:px|pt|in|cm|em)?(?=[;!]|$)")
_TIGHT = re.compile(
    r"\bMso(?:Normal|PlainText|ListParagraph)"
)  # Outlook: margins are paragraphs of their own
_DEPTH = 256  # tags; deeper ones are read for their text alone
_INDENTS = 10  # quotes and lists in each other that are still marked
_CELL_WIDTH = 80  # characters; a cell with more holds prose, and its table is a layout


def html_text(source: str) -> str:
    """What a mail program shows of an HTML body, as plain text.

    >>> html_text("<p>See <a href='https://a.example/x'>this</a>:</p><blockquote>Yes.</blockquote>")
    'See this (https://a.example/x):\\n\\n> Yes.'
    """
    reader = _Reader()
    reader.feed(_COMMENT.sub("", source.replace("\0", "")))
    # Not close(): without the fix of 2025 (CVE-2025-6069) it takes time that grows with the square of what is left.
    # What is left is a tag that is never closed, and stands as it is.
    reader.handle_data(html.unescape(reader.rawdata))
    return reader.text()


def printable(text: str) -> str:
    return SURROGATE.sub("\ufffd", UNPRINTABLE.sub(" ", text)).strip()


class _Flow:
    """The lines of the page, a quote, a list item or a table cell."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.pieces: list[str] = []
        self.apart = False  # whether a blank line is due

    def write(self, text: str) -> None:
        if text[:1] == " " and (not self.pieces or self.pieces[-1].endswith(" ")):
            text = text[1:]
        if text:
            self.pieces.append(text)

    def end_line(self, always: bool = False, keep_blanks: bool = False) -> None:
        if not self.pieces and not always:
            return
        line = _INVISIBLE.sub("", "".join(self.pieces))
        line = line.rstrip() if keep_blanks else _SPACED.sub(" ", line).strip()
        self.pieces = []
        self.add([line], keep_blanks)

    def add(self, lines: list[str], keep_blanks: bool = False) -> None:
        for line in lines:
            is_second_blank = not line and not (self.lines and self.lines[-1])
            if self.apart and line and self.lines and self.lines[-1]:
                self.lines.append("")
            self.apart = self.apart and not line
            if keep_blanks or not is_second_blank:
                self.lines.append(line)

    def finish(self) -> list[str]:
        self.end_line()
        first, last = 0, len(self.lines)
        while first < last and not self.lines[first]:
            first += 1
        while last > first and not self.lines[last - 1]:
            last -= 1
        return self.lines[first:last]


@dataclass
class _Open:
    """A tag that is open, and what its end has to put in place."""

    tag: str
    is_hidden: bool = False
    is_apart: bool = False  # blank lines around it
    flow: _Flow | None = None  # of its own
    mark: str = ""  # before its first line, as wide on the others
    address: str = ""
    said: list[str] = field(default_factory=list)  # the text of a link
    rows: list[list[list[str]]] | None = None
    is_layout: bool = False
    number: int = 0  # of the list's next item; 0 for bullets


class _Reader(HTMLParser):
    """HTML to lines of text, in one pass."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.flows = [_Flow()]
        self.stack: list[_Open] = []
        self.open: Counter[str] = Counter()
        self.hidden = 0
        self.indents = 0

    # what the parser calls

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}  # the first of two counts
        if tag == "body":  # an unclosed title must not take the mail with it
            self._close_to(0)
        if tag in _BLOCKS:
            self._imply(*_PARAGRAPH)
        if tag in _IMPLIED:
            self._imply(*_IMPLIED[tag])
        if tag in _VOID:
            if not self.hidden:
                self._void(tag, given)
            return
        is_hidden = tag in _SKIPPED or _is_hidden(given)
        matters = tag in _BLOCKS or tag == "a" or is_hidden or self.hidden
        if len(self.stack) >= _DEPTH or not matters:
            return
        opened = _Open(tag, is_hidden)
        self.hidden += is_hidden
        if not self.hidden:
            self._begin(opened, given)
        self.stack.append(opened)
        self.open[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        if not self.open[tag]:
            return
        # A stray </div> in a table cell does not end what is around the table.
        shelters = frozenset() if tag in ("table", "tbody", "tr", "body", "html") else {"table"}
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index].tag == tag:
                self._close_to(index)
                return
            if self.stack[index].tag in shelters:
                return

    def handle_data(self, data: str) -> None:
        if self.hidden:
            return
        if self.open["a"]:
            for opened in reversed(self.stack):
                if opened.tag == "a":
                    opened.said.append(data)
                    break
        flow = self.flows[-1]
        if not self.open["pre"]:
            flow.write(_BLANKS.sub(" ", data))
            return
        first, *others = data.split("\n")
        flow.pieces.append(first)
        for line in others:
            flow.end_line(always=True, keep_blanks=True)
            flow.pieces.append(line)

    def text(self) -> str:
        self._close_to(0)
        return "\n".join(self.flows[0].finish())

    # what they are made of

    def _imply(self, names: frozenset[str], shelters: frozenset[str]) -> None:
        if not any(self.open[name] for name in names):
            return
        found = None
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index].tag in names:
                found = index
            elif self.stack[index].tag in shelters:
                break
        if found is not None:
            self._close_to(found)

    def _close_to(self, index: int) -> None:
        while len(self.stack) > index:
            opened = self.stack.pop()
            self.open[opened.tag] -= 1
            if not self.hidden:
                self._end(opened)
            self.hidden -= opened.is_hidden

    def _void(self, tag: str, given: dict[str, str]) -> None:
        flow = self.flows[-1]
        if tag == "br":
            flow.end_line(always=True, keep_blanks=bool(self.open["pre"]))
        elif tag == "hr":
            flow.end_line()
            flow.add(["---"])
        elif tag == "img" and _is_emoji(given.get("alt", "")) and not _is_hidden(given):
            flow.write(given["alt"])

    def _begin(self, opened: _Open, given: dict[str, str]) -> None:
        tag, style = opened.tag, _style(given)
        flow = self.flows[-1]
        if tag in _BLOCKS:
            flow.end_line()
        is_tight = tag == "p" and (_TIGHT.search(given.get("class", "")) or _NO_MARGIN.search(style))
        is_inner_list = tag in ("ul", "ol") and self.open["li"]
        opened.is_apart = tag in _APART and not is_tight and not is_inner_list
        flow.apart = flow.apart or opened.is_apart
        # Gmail indents the writer's own words with a blockquote that has no border.
        is_quote = tag == "blockquote" and not (
            "border:none" in style and "cite" not in given.get("type", "")
        )
        if tag == "a":
            opened.address = given.get("href", "")
        elif tag == "ol":
            start = given.get("start", "")
            opened.number = int(start) if re.fullmatch(r"[0-9]{1,4}", start) else 1
        elif tag == "table":
            opened.rows, opened.is_layout = [], given.get("role") == "presentation"
        elif tag == "tr" and (table := self._table()) is not None:
            table.append([])
        elif (is_quote or tag == "li") and self.indents < _INDENTS:
            self.indents += 1
            opened.mark = "> " if is_quote else self._bullet()
            opened.flow = _Flow()
        elif tag in ("td", "th") and self._table() is not None:
            opened.flow = _Flow()
        if opened.flow is not None:
            self.flows.append(opened.flow)

    def _table(self) -> list[list[list[str]]] | None:
        if self.open["table"]:
            for opened in reversed(self.stack):
                if opened.tag == "table":
                    return opened.rows
        return None

    def _bullet(self) -> str:
        for opened in reversed(self.stack):
            if opened.tag in ("ul", "ol"):
                opened.number += bool(opened.number)
                return f"{opened.number - 1}. " if opened.number else "- "
        return "- "

    def _end(self, opened: _Open) -> None:
        if opened.flow is not None:
            lines = self.flows.pop().finish()
            if opened.mark:
                self.indents -= 1
                rest = opened.mark if opened.tag == "blockquote" else "  "
                lines = [
                    ((opened.mark if number == 0 else rest) + line).rstrip()
                    for number, line in enumerate(lines)
                ]
                self.flows[-1].add(lines)
            elif (rows := self._table()) is not None:
                if not rows:
                    rows.append([])
                rows[-1].append(lines)
        flow = self.flows[-1]
        if opened.rows is not None:
            flow.add(_table_lines(opened.rows, opened.is_layout))
        if opened.tag == "a" and (address := _link(opened.address, "".join(opened.said))):
            if flow.pieces or not (flow.lines and flow.lines[-1]):
                blank_after = bool(flow.pieces) and flow.pieces[-1].endswith(" ")
                flow.write(f"({address}) " if blank_after else f" ({address})")
            else:
                flow.lines[-1] += f" ({address})"
        elif opened.tag in _BLOCKS:
            flow.end_line(keep_blanks=opened.tag == "pre")
            flow.apart = flow.apart or opened.is_apart


def _style(given: dict[str, str]) -> str:
    return _BLANKS.sub("", given.get("style", "")[:2_000].lower())


def _is_hidden(given: dict[str, str]) -> bool:
    named = f"{given.get('class', '')} {given.get('id', '')}"
    return "hidden" in given or bool(_PREHEADER.search(named[:500]) or _HIDING.search(_style(given)))


def _is_emoji(text: str) -> bool:
    return 0 < len(text) <= 8 and not text.isascii() and not any(character.isalnum() for character in text)


def _link(address: str, text: str) -> str:
    """The address to show behind a link's text; empty if it says nothing that the text does not."""
    address, text = UNPRINTABLE.sub("", address).strip().replace(" ", "%20"), text.strip()
    scheme, _, rest = address.partition(":")
    scheme = scheme.lower()
    if not text:
        return ""
    if scheme == "mailto":
        to = unquote(rest.partition("?")[0])
        return "" if to.lower() in text.lower() else printable(to)
    if scheme == "tel":
        return "" if re.sub(r"\D", "", unquote(rest))[-6:] in re.sub(r"\D", "", text) else unquote(rest)
    if scheme not in ("http", "https", "ftp"):
        return ""
    if ".safelinks.protection.outlook.com/" in address[:100].lower():  # Outlook's wrapping of every link
        try:
            address = parse_qs(urlsplit(address).query).get("url", [address])[0]
        except ValueError:
            pass
    return "" if _bare(address) == _bare(text) else printable(address)


def _bare(address: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", address.lower()).rstrip("/")


def _table_lines(rows: list[list[list[str]]], is_layout: bool) -> list[str]:
    """A line per row with bars between the cells, which space.proofread.email takes for a table; a layout's cells below each other."""
    out: list[str] = []
    for row in rows:
        filled = [cell for cell in row if cell]
        is_line = len(filled) > 1 and all(len(cell) == 1 and len(cell[0]) <= _CELL_WIDTH for cell in filled)
        if is_line and not is_layout:
            out.append("| " + " | ".join(cell[0] if cell else "" for cell in row) + " |")
            continue
        for cell in filled:
            if out:
                out.append("")
            out += [*cell]
        if filled:
            out.append("")
    return out
