"""What looks like markup in an email makes no element and no attribute anywhere on the page, to two parsers of HTML."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from playwright.sync_api import BrowserContext

from space.page import render
from space.proofread.causes import Cause
from space.proofread.checks import Check
from space.proofread.edits import STATUSES, Edit
from space.proofread.pipeline import Skipped
from tests.space.page.test_render import proofread

XSS = [
    "<script>alert(1)</script>", "<ScRiPt >alert(1)</sCrIpT>", "<script/src=//x.example>", "<<script>alert(1)//<</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>", "</script><script>alert(1)</script>", "<script>/*", "*/alert(1)</script>",
    "<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)//", "<img/src='x'/onerror=alert`1`>", '<img """><b onclick=a()>">',
    "<svg onload=alert(1)>", "<svg><script>alert(1)</script></svg>", "<svg><a xlink:href=javascript:alert(1)>x</a>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", "<body onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>", "<iframe src=javascript:alert(1)>", "<object data=x></object>", "<embed src=x>",
    "<a href='javascript:alert(1)'>x</a>", "<a href='&#106;avascript:alert(1)'>x</a>", "<form action=//x.example><input name=a>",
    "<details open ontoggle=alert(1)>", "<video><source onerror=alert(1)>", "<marquee onstart=alert(1)>", "<input autofocus onfocus=a()>",
    '"><script>alert(1)</script>', "'><script>alert(1)</script>", '" onmouseover="alert(1)', "' onfocus='alert(1)' autofocus='", "` onclick=a() `",
    "</span></div></section></li></ol><b>out</b>", "</textarea></title></style></noscript><b>out</b>", "]]></pre><b>out</b>",
    "<!--<b>--><b>out</b>", "--><b>out</b><!--", "<![CDATA[<b>out</b>]]>", "<?xml version='1.0'?><b>out</b>", "<!doctype html><b>out</b>",
    "<style>*{display:none}</style>", "<link rel=stylesheet href=//x.example>", "<meta http-equiv=refresh content='0;//x.example'>", "<base href=//x.example>",
    "<template><b>out</b></template>", "<plaintext>", "<b\tonclick\n=\ralert(1)>", "<b\0onclick=a()>", "<\0b>out", "z\u2028<b>out</b>\u2029z", "\ufeff<b>out</b>",
    "&lt;b&gt;&#60;b&#62;", "&#x3c;script&#x3e;", "\uff1cscript\uff1e", "\ud800<b>", "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "#{alert(1)}", "<%= alert(1) %>",
]  # fmt: skip
ELEMENTS = "[...new DOMParser().parseFromString(html, 'text/html').querySelectorAll('*')].map(e => [e.localName, ...e.getAttributeNames()])"


def page_of(text: str) -> str:
    """Everything that the page renders from an email, with the text wherever it may stand in it."""
    rewrites = [f"x {text}", f"{text} x", "x"]
    edits = [
        Edit(0, len(text), text, after, text, text, 0.5, status, text, (text, f"{text} y"))
        for status in STATUSES
        for after in rewrites
    ]
    value = proofread(text, *edits, skipped=(Skipped(text, text),), model=text)
    parts = [
        render.result(value), render.marked(f"{text}.{text}", [Edit(len(text), len(text) + 1, ".", "!")], done=True), *(render.marked(text, [edit]) for edit in edits), render.changes(value), render.skipped(value), render.why(value),
        render.notes([text]), render.checks([Check(0, 1, text, text)]), render.gauges(text, value.before, causes=[Cause(0, len(text), (text,), -1.0)], text=text), render.prompts([text]), render.status(text, "error"),
        render.status(text, "busy", 1, 2), render.gauges(text, value.before, value.after), render.gauges(text, None, empty=text),
    ]  # fmt: skip
    return "\n".join(parts)


class Elements(HTMLParser):
    """The elements of a page, each with the names of its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[list[str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append([tag, *(name for name, _ in attrs)])

    def handle_comment(self, data: str) -> None:
        self.found.append(["comment"])

    def unknown_decl(self, data: str) -> None:
        self.found.append(["declaration"])

    def handle_decl(self, decl: str) -> None:
        self.unknown_decl(decl)

    def handle_pi(self, data: str) -> None:
        self.unknown_decl(data)


PLAIN = "plain words"


@pytest.mark.parametrize("text", XSS)
def test_the_page_has_the_elements_that_it_has_for_plain_words(text: str) -> None:
    assert Elements(page_of(text)).found == Elements(page_of(PLAIN)).found


def test_a_browser_finds_no_other_elements_either(profile: Callable[[bool], BrowserContext]) -> None:
    blank = profile(False).new_page()
    pages = [render.carried(page_of(text)) for text in (PLAIN, *XSS)]
    plain, *others = blank.evaluate(f"pages => pages.map(html => {ELEMENTS})", pages)
    blank.close()
    assert len(plain) > 50
    assert [text for text, found in zip(XSS, others, strict=True) if found != plain] == []
