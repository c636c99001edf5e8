r"""What is code and no text: whole lines of it, and within a line markup, template tags, entities and inline code.

    is_code("x += 1;"), looks_like_code("print(x)")           # a line; one of an indented block
    [span.text for span in markup("Fish &amp; `ls`")]         # ['&amp;', '`ls`']

People write "<", "&", "{" and "=" too: what counts as code has its end, its name or its shape. No pattern looks further than
a few hundred characters, so that a mark that is never closed costs little.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

# ---- within a line ----


class Markup(NamedTuple):
    """The characters [start, end) of a text that must come back byte for byte; `what` is their name for the user."""

    start: int
    end: int
    what: str
    text: str


_ATTRIBUTE = r"[\w:@.-]{1,60}(?:\s?=\s?(?:\"[^\"<>]{0,300}\"|'[^'<>]{0,300}'|[^\s\"'<>=]{1,200}))"
_TAGS = "a|b|i|u|s|p|br|hr|em|strong|small|sub|sup|div|span|h[1-6]|ul|ol|li|dl|dt|dd|table|thead|tbody|tr|td|th|pre|code|html|head|body"
_MARKUP = {
    # A backtick within a word is an apostrophe ("it`s").
    "code": r"(?<![\w`])(?P<ticks>`{1,3})(?!`)[^\n]{1,300}?(?<!`)(?P=ticks)(?!`)",
    # Jinja, Liquid, ERB, EJS, PHP; then Handlebars, JavaScript, Ruby, Mailchimp, the longer brackets first.
    "template_tag": r"\{%.{1,300}?%\}|\{#.{1,300}?#\}|<%.{1,300}?%>|<\?(?=[a-z=]).{1,300}?\?>",
    "placeholder": r"\{\{\{[^{}]{1,300}\}\}\}|\{\{[^{}]{1,300}\}\}|[$#@]\{[^{}\n]{1,80}\}|\*\|[\w:.-]{1,60}\|\*|%%[\w.]{1,60}%%",
    # A tag of HTML has an attribute with a value, a slash, or a name that all know; another is a placeholder ("<name>",
    # protect.py), and "a <b" is neither. Tokens of chat models are written like tags.
    "markup": rf"<!--.{{0,300}}?-->|<!doctype[^<>]{{0,200}}>|</[A-Za-z][\w:-]{{0,40}}\s?>|<[A-Za-z][\w:-]{{0,40}}\s?/>"
    rf"|<[A-Za-z][\w:-]{{0,40}}(?:\s{{1,3}}{_ATTRIBUTE}){{1,12}}\s?/?>|<(?:{_TAGS})>|<\|[^<>|\n]{{1,60}}\|>|\[/?INST\]|<</?SYS>>",
    "entity": r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});",
}
_SPAN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _MARKUP.items()), re.DOTALL)


def markup(text: str) -> Iterator[Markup]:
    """What is code within a text, in order.

    >>> [tuple(span) for span in markup("Use {% if x %} & R&D;")]
    [(4, 14, 'a template tag', '{% if x %}')]
    """
    for match in _SPAN.finditer(text):
        name, item = match.lastgroup or "", match.group()
        if name == "entity" and html.unescape(item) == item:
            continue  # "salt&pepper;" names no character
        yield Markup(*match.span(), _WHAT[name], item)


_WHAT = {
    "code": "code",
    "template_tag": "a template tag",
    "placeholder": "a placeholder",
    "markup": "markup",
    "entity": "an HTML entity",
}
MARKUP = frozenset(_WHAT.values())


def without_markup(text: str) -> str:
    """The text with blanks in the place of its markup, so that every other character keeps its place.

    >>> without_markup("a {{b}} &lt; c")
    'a            c'
    """
    pieces, at = [], 0
    for span in markup(text):
        pieces += [text[at : span.start], " " * (span.end - span.start)]
        at = span.end
    return "".join([*pieces, text[at:]])


# ---- lines ----

# Four words in a row, with nothing of a program around them: "Total = five dollars and it is late".
_PROSE = re.compile(r"(?<![\w\"'`(\[{.])(?:[^\W\d_]+(?:['’][^\W\d_]+)?,?\s){3}[^\W\d_]+(?![\w\"'`)\]}(])")
_ASSIGNED = re.compile(r"\s*[\w.$\[\]\"']{1,80}\s?(?:[-+*/|&:]?=)\s?[^\s=].{0,400}$")
_LEVELS = "DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL"
_CODE = re.compile(
    r"\s*[{}\[\]();,]+\s*$"
    r"|.{0,400}[;}]\s*;\s*$|.{0,200}\w[(\[].{0,300}\)\s*;\s*$|.{0,400}\)\s*\{\s*$"
    r"|\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|ALTER TABLE)\s"
    r".{0,400}\b(?:FROM|VALUES|SET|WHERE|TABLE)\b"
    r"|\s*\$ [a-z./]"
    r"|\s*\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d"
    rf"|\s*\[(?:{_LEVELS})\]|\s*(?:{_LEVELS}) {{1,5}}\[?[\w$-]{{0,60}}[.:=/(\[]\s?\w"
    # Markup from end to end; with text behind its last tag it is a text that holds some.
    r"|\s*</?[a-zA-Z][\w-]{0,30}(?:\s[^<>]{0,200})?/?>(?:.{0,400}>)?\s*$"
    r"|\s*\"[\w.-]{1,60}\"\s?:\s*(?:[\"\[{\d-]|true\b|false\b|null\b)"
    r"|\s*(?:async )?(?:def|function|func|fn)\s[\w.]{0,60}\s?\(.{0,200}[;:{)]\s*$"
    r"|\s*class\s\w{1,60}\s?(?:\([^()]{0,120}\)|(?:extends|implements)\s[\w., ]{1,120})?\s?[:{]\s*$"
    r"|\s*(?:public|private|protected|static)\s(?:[\w<>\[\]]{1,60}\s){0,4}?\w{1,60}\s?(?:\(.{0,200}[;{)]|=.{0,200};|[;{])\s*$"
    r"|\s*(?:const|var|let)\s(?:\w{1,60}|[{\[][^=]{0,120}[}\]])\s?(?:=[^=]|:\s?\w+;?\s*$|;\s*$)"
    r"|\s*return\s(?:[^\s;]{1,80}|.{0,200}[()=<>+*/{}\[\]&|\"].{0,200});\s*$"
    r"|\s*#include\s?[<\"]|\s*(?:package|using(?: namespace)?|import(?: static)?)\s[\w.:*]{1,80};\s*$"
    r"|\s*import\s[\w*{}, ]{1,120}\sfrom\s[\"']"
    r"|\s*import [\w.]{1,60}$|\s*from [\w.]{1,60} import (?:\(|[\w*]{1,60}(?:(?:,| as) ?[\w*]{1,60}){0,20})\s*$"
)
_CODE_IN_BLOCK = re.compile(
    r"[{};]\s*$|</?\w[^<>]{0,200}>|\{[^{}]{1,200}\}|[=!<>+]=|=>|&&|\|\||\w\((?!s\))|\);|::|->|(?<!:)//|\$[A-Za-z_]|\\"
    r"|^\s*(?:at \S{1,80}\(|#[A-Za-z]|def\s|(?:import|return)\s[\w.\[\]]+$|return$)"
)


def is_code(line: str) -> bool:
    """Whether a line is code wherever it stands.

    >>> is_code("let x = 3"), is_code("{% endfor %}"), is_code("let me know the following:")
    (True, True, False)
    """
    return (
        bool(_CODE.match(line))
        or _is_assignment(line)
        or bool(line.strip())
        and not without_markup(line).strip()
    )


def looks_like_code(line: str) -> bool:
    """Whether a line is code if those around it are, as in an indented block."""
    return bool(_CODE_IN_BLOCK.search(line)) or _is_assignment(line)


def _is_assignment(line: str) -> bool:
    return bool(_ASSIGNED.match(line)) and not _PROSE.search(line)
