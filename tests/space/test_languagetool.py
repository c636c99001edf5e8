"""LanguageTool's protocol: as values, over HTTP against the app as it is served, and by clients that speak it."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from space import languagetool, languagetool_server, turns, web
from space.api import MAX_RUNS
from space.errors import UserError
from space.languagetool import Annotated, Request, answer, rule_id
from space.proofread.edits import KINDS, SOURCES, Edit
from space.proofread.passages import Reading
from tests.space.test_api import LONG, ROOT, WAIT_SECONDS, Served, join, served, until
from tests.space.test_web import client_at, limited

__all__ = ["limited", "served"]

WRONG = "She have recieved the letters."


def asked(text: str, **fields: str) -> Request:
    return Request.read({"text": text, "language": "en", **fields})


def marked(text: str, annotation: list[dict[str, str]], **fields: str) -> Request:
    request = Request.read({"data": json.dumps({"annotation": annotation}), "language": "en", **fields})
    assert request.text.plain == text
    return request


def matches(request: Request, *edits: Edit) -> list[dict[str, Any]]:
    reading = Reading(edits, ((0, len(request.text.plain)),), (), 0)
    found: list[dict[str, Any]] = answer(request, reading)["matches"]
    return found


def edit(
    text: str, before: str, after: str, kind: str = "other", status: str = "applied", **values: Any
) -> Edit:
    """Of the place where `before` stands alone, with a | in front of what is only put in."""
    start = text.index(before) if before else values.pop("at")
    return Edit(
        start, start + len(before), before, after, kind, "tagger", 0.9, status, f"Why {after}.", **values
    )


def cut(text: str, match: dict[str, Any]) -> str:
    """What a match marks, by UTF-16 code units, as clients in Java and JavaScript count."""
    units = text.encode("utf-16-le")
    return units[2 * match["offset"] : 2 * (match["offset"] + match["length"])].decode("utf-16-le")


# ---- edits as matches ----


def test_offsets_count_utf_16_code_units() -> None:
    text = "😀🎉 I has it 😀."
    (match,) = matches(asked(text), edit(text, "has", "have"))
    assert (match["offset"], match["length"], cut(text, match)) == (7, 3, "has")
    context = match["context"]
    assert cut(context["text"], context) == "has"


@pytest.mark.parametrize(
    ("text", "at", "before", "after", "shown", "replacement"),
    [
        ("Open door.", 5, "", "the ", "door", "the door"),
        ("In Berlin we met.", 9, "", ",", "Berlin", "Berlin,"),
        ("We met Monday.", 6, "", " on", "met", "met on"),
        ("It is the the end.", 9, " the", "", "the the", "the"),
        ("The London is big.", 0, "The ", "", "The London", "London"),
        ("One ,two", 3, " ", "", "One ", "One"),
        ("One  two", 3, "  ", " ", "  ", " "),
        ("It is done", 10, "", ".", "done", "done."),
        ("done", 0, "", "It is ", "done", "It is done"),
        ("!", 0, "", "No", "!", "No!"),
    ],
)  # fmt: skip
def test_a_client_has_something_to_mark_and_to_put_there(
    text: str, at: int, before: str, after: str, shown: str, replacement: str
) -> None:
    (match,) = matches(asked(text), Edit(at, at + len(before), before, after))
    assert cut(text, match) == shown
    (value,) = (each["value"] for each in match["replacements"])
    assert value == replacement
    made = text[: match["offset"]] + value + text[match["offset"] + match["length"] :]
    assert made == text[:at] + after + text[at + len(before) :]


def test_edits_in_one_place_are_one_match() -> None:
    text = "She see leter now."
    (match,) = matches(
        asked(text), edit(text, "", "the ", "article", at=8), edit(text, "leter", "letter", "spelling")
    )
    assert cut(text, match) == "leter" and match["replacements"] == [{"value": "the letter"}]
    assert match["message"] == "Why the . Why letter."


def test_suggestions_are_for_those_who_want_more() -> None:
    text = "She have go to London, he say."
    edits = (
        edit(text, "have", "has", "agreement"),
        edit(text, "have", "had", "verb form", "suggested"),
        edit(text, "have go", "has gone", "verb form", "suggested"),
        edit(text, "say", "says", "agreement", "suggested"),
        edit(text, "London", "Paris", "word choice", "refused"),
    )
    assert [cut(text, match) for match in matches(asked(text), *edits)] == ["have"]
    have, say = matches(asked(text, level="picky"), *edits)
    assert have["replacements"] == [{"value": "has"}, {"value": "had"}], "one place, two ways"
    assert cut(text, say) == "say"


def test_offsets_are_of_the_text_with_its_markup() -> None:
    parts = [
        {"text": "She "}, {"markup": "<b>"}, {"text": "have"}, {"markup": "</b>"}, {"text": " a "},
        {"markup": "<img>", "interpretAs": "Dummy"}, {"text": " cat"},
    ]  # fmt: skip
    text, whole = "She have a Dummy cat", "She <b>have</b> a <img> cat"
    request = marked(text, parts)
    assert request.text.whole == whole
    inside, across, made_up = (
        matches(request, edit(text, *pair))
        for pair in (("have", "has"), ("have a", "has the"), ("Dummy", "x"))
    )
    assert (cut(whole, inside[0]), inside[0]["replacements"]) == ("have", [{"value": "has"}])
    assert cut(whole, across[0]) == "have</b> a" and across[0]["replacements"] == [], (
        "it would delete the markup"
    )
    assert made_up == [], "nobody wrote that"


def test_what_was_read_stands_where_it_was() -> None:
    parts = [
        {"markup": "<p>"},
        {"text": "ab"},
        {"markup": "</p><p>", "interpretAs": "\n\n"},
        {"text": "c\ud83d"},
    ]
    text = Annotated.of(parts)
    assert text.plain == "ab\n\nc\ufffd"
    assert [text.range(i, i + 1) for i in range(6)] == [(3, 4), (4, 5), None, None, (12, 13), (13, 14)]


def test_rules_and_categories_can_be_switched_off() -> None:
    text = "She have recieved it."
    edits = edit(text, "have", "has", "agreement"), edit(text, "recieved", "received", "spelling")
    grammar, spelling = (rule_id(each) for each in edits)
    assert (grammar, spelling) == ("TAGGER_AGREEMENT_RULE", "TAGGER_SPELLER_RULE")

    def left(**fields: str) -> list[str]:
        return [match["rule"]["id"] for match in matches(asked(text, **fields), *edits)]

    assert left() == left(enabledOnly="false") == [grammar, spelling]
    assert left(disabledRules=f"OTHER,{grammar}") == [spelling]
    assert left(disabledCategories="TYPOS") == [grammar]
    assert left(disabledCategories="TYPOS", enabledRules=spelling) == [grammar, spelling]
    assert left(enabledOnly="true", enabledRules=grammar) == [grammar]
    assert left(enabledOnly="true", enabledCategories="TYPOS, STYLE") == [spelling]


def test_every_kind_has_a_rule_of_its_own_for_each_source() -> None:
    assert set(languagetool._KINDS) == set(KINDS)
    assert {kind.category for kind in languagetool._KINDS.values()} == set(languagetool.CATEGORIES)
    ids = {rule_id(Edit(0, 0, "", "x", kind, source)) for kind in KINDS for source in SOURCES}
    assert len(ids) == len(KINDS) * len(SOURCES)


@pytest.mark.parametrize(
    ("language", "variants", "code", "dialect"),
    [
        ("en", "", "en", None),
        ("en-us", "", "en-US", "american"),
        ("en-GB", "", "en-GB", "british"),
        ("en-AU", "", "en-AU", None),
        ("auto", "", "en", None),
        ("auto", "de-DE, en-GB", "en-GB", "british"),
    ],
)
def test_the_language_says_which_spelling(
    language: str, variants: str, code: str, dialect: str | None
) -> None:
    request = Request.read({"text": "", "language": language, "preferredVariants": variants})
    assert (request.language, request.dialect) == (code, dialect)


BAD: list[tuple[dict[str, str], str]] = [
    ({"language": "en"}, languagetool.NO_TEXT),
    ({"language": "en", "text": "", "data": "{}"}, languagetool.BOTH),
    ({"text": ""}, "language: send one of en, "),
    ({"text": "", "language": "de-DE"}, "language 'de-DE': this server reads English alone; "),
    ({"text": "", "language": "x" * 99}, f"language '{'x' * 20}': this server"),
    ({"text": "", "language": "en", "enabledOnly": "true"}, languagetool.ONLY_NOTHING),
    (
        {"text": "", "language": "en", "enabledOnly": "true", "enabledRules": "A", "disabledRules": "B"},
        languagetool.NOT_ONLY,
    ),
    *[
        ({"language": "en", "data": data}, languagetool.BAD_DATA)
        for data in (
            "", "{", "[]", "{}", '{"text": 1}', '{"annotation": 1}', '{"annotation": [1]}', '{"annotation": [{}]}',
            '{"annotation": [{"text": 1}]}', '{"annotation": [{"text": "a", "markup": "b"}]}', "[" * 100_000,
            '{"annotation": [{"markup": "a", "interpretAs": 1}]}',
        )
    ],
]  # fmt: skip


@pytest.mark.parametrize(("fields", "line"), BAD, ids=lambda value: str(value)[:40])
def test_a_bad_request_gets_one_line(fields: dict[str, str], line: str) -> None:
    with pytest.raises(UserError) as raised:
        Request.read(fields)
    assert str(raised.value).startswith(line) and "\n" not in str(raised.value)


# ---- over HTTP ----


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=WAIT_SECONDS) as http:
        yield http


def check(http: httpx.Client, text: str, language: str = "en-US", **fields: str) -> httpx.Response:
    return http.post("/v2/check", data={"text": text, "language": language, **fields})


def corrected(text: str, answered: httpx.Response) -> str:
    assert answered.status_code == 200, answered.text
    for match in reversed(answered.json()["matches"]):
        text = (
            text[: match["offset"]]
            + match["replacements"][0]["value"]
            + text[match["offset"] + match["length"] :]
        )
    return text


def test_a_check_is_what_the_proofreader_says(served: Served, http: httpx.Client) -> None:
    kept = [*served.page._queue.pending_messages_per_session]
    answered = check(http, WRONG)
    assert [*served.page._queue.pending_messages_per_session] == kept, "the queue keeps nothing of it"
    result = served.proofreader.proofread(WRONG, dialect="american")
    assert corrected(WRONG, answered) == result.text != WRONG
    value = answered.json()
    assert value["language"]["code"] == "en-US" and value["sentenceRanges"] == [[0, len(WRONG)]]
    first = value["matches"][0]
    assert (first["offset"], first["length"], first["sentence"]) == (4, 4, WRONG)
    assert first["rule"] == {
        "id": "TAGGER_AGREEMENT_RULE", "description": "Agreement", "issueType": "grammar",
        "category": {"id": "GRAMMAR", "name": "Grammar"},
    }  # fmt: skip
    assert first["message"] == result.applied[0].reason


def test_forms_come_as_clients_send_them(served: Served, http: httpx.Client) -> None:
    """A query, LTeX's form that calls itself JSON, and that of LibreOffice 7.4, where nothing is encoded."""
    by_get = http.get("/v2/check", params={"text": WRONG, "language": "en-US"})
    data = {
        "language": "en-US",
        "data": json.dumps({"annotation": [{"text": WRONG}]}),
        "motherTongue": "de-DE",
    }
    as_json = http.post("/v2/check", content=urlencode(data), headers={"Content-Type": "application/json"})
    add_on = http.post(
        "/v2/check?c=1&instanceId=1%3A2&v=8", data={"text": WRONG, "language": "en-US", "textSessionId": "1"}
    )
    assert {corrected(WRONG, each) for each in (by_get, as_json, add_on)} == {"She has received the letters."}
    text = "A 50% rise & 2+2 “quoted”: she have recieved it 😀."
    raw = http.post("/v2/check", content=f"text={text}&language=en-US&username=a&apiKey=b".encode())
    assert [cut(text, match) for match in raw.json()["matches"]] == ["have", "recieved"]


def test_what_cannot_be_checked_gets_a_line_of_text(served: Served, http: httpx.Client) -> None:
    for fields, line in BAD[:4]:
        answered = http.post("/v2/check", data=fields)
        assert answered.status_code == 400 and answered.text.startswith(f"Error: {line}")
        assert answered.headers["content-type"] == "text/plain; charset=utf-8"
    long = check(http, "x" * 100_001)
    assert long.status_code == 400 and long.text.startswith("Error: text: 100,001 characters are more than ")
    for path in ("words", "words/add", "nothing"):
        answered = http.post(f"/v2/{path}")
        assert answered.status_code == 404 and answered.text.startswith(f"Error: /v2/{path} is not here: ")
    many = http.post("/v2/check", content="&".join(f"f{i}=1" for i in range(101)))
    assert many.status_code == 400 and many.text.startswith("Error: This form has more than 100 fields")


def test_another_language_is_left_alone_and_the_answer_says_so(served: Served, http: httpx.Client) -> None:
    value = check(http, "Wir brauchen den Vertrag noch vor dem Wochenende, bitte.", "auto").json()
    assert value["matches"] == [] and value["language"]["detectedLanguage"]["confidence"] == 0
    assert (
        value["warnings"]["incompleteResults"] and "English" in value["warnings"]["incompleteResultsReason"]
    )
    assert check(http, "").json()["matches"] == []


@contextmanager
def every_place_taken(served: Served, http: httpx.Client, text: str) -> Iterator[None]:
    """A block in which this email is proofread as often as there are runs at once."""
    before = len(served.runs)
    with ExitStack() as stack:
        for _ in range(MAX_RUNS):
            stack.enter_context(http.stream("GET", join(http, "proofread", text=text)))
        until(lambda: sum(run.seen > 0 for run in served.runs[before:]) == MAX_RUNS)
        yield


def test_what_is_known_is_answered_while_the_model_works_and_the_rest_waits(
    served: Served, http: httpx.Client
) -> None:
    email = "He have four. She have five."
    check(http, WRONG)
    served.gate.clear()
    try:
        with every_place_taken(served, http, email), ThreadPoolExecutor(1) as pool:
            start = time.monotonic()
            assert corrected(WRONG, check(http, WRONG)) == "She has received the letters."
            assert time.monotonic() - start < 1
            new = pool.submit(check, http, "He have seen them all.")
            until(lambda: http.get("/health").json().get("waiting") == 1)
            assert not new.done()
            served.gate.set()
            assert corrected("He have seen them all.", new.result()) == "He has seen them all."
    finally:
        served.gate.set()


def test_a_check_that_nobody_waits_for_loses_its_turn(served: Served, http: httpx.Client) -> None:
    text = "She have gone before it was read."
    served.gate.clear()
    try:
        with every_place_taken(served, http, LONG):
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{served.url}/v2/check", data={"text": text, "language": "en"}, timeout=0.5)
            until(lambda: not http.get("/health").json().get("waiting"))
    finally:
        served.gate.set()
    assert check(http, "It have come.").status_code == 200
    assert served.proofreader.edits(text, stop=lambda: True).unread_words == 7 and turns.TURNS._turns == {}


def test_a_text_that_is_known_costs_nothing_and_a_new_one_by_its_words(
    limited: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RATE is 3 emails a minute: here of two words each."""
    monkeypatch.setattr(turns, "WORDS_A_TOKEN", 2)
    with client_at(limited, "192.0.2.40") as http:
        assert check(http, "It was.").status_code == 200
        assert {check(http, "It was.").status_code for _ in range(20)} == {200}
        statuses = [check(http, text) for text in ("It was so.", "It was not so at all.")]
        assert [each.status_code for each in statuses] == [200, 429]
        assert statuses[1].text.startswith("Error: Too many requests from this address: try again in ")
        assert 20 <= int(statuses[1].headers["Retry-After"]) <= 60
        assert check(http, "It was so.").status_code == 200
    monkeypatch.setattr(languagetool_server, "CHARACTERS_A_TOKEN", 0.1)
    with client_at(limited, "192.0.2.41") as http:
        statuses = [check(http, "It was so.") for _ in range(2)]
    assert [each.status_code for each in statuses] == [200, 429], "what is known is not free of all limits"


# ---- browsers ----


@pytest.mark.parametrize(
    "origin", ["moz-extension://6a1b", "chrome-extension://oldc", "safari-web-extension://A-B"]
)
@pytest.mark.parametrize("site", ["cross-site", "none", ""])
def test_an_add_on_may_check_and_nothing_else(served: Served, origin: str, site: str) -> None:
    by = {"Origin": origin} | ({"Sec-Fetch-Site": site} if site else {})
    with httpx.Client(base_url=served.url, headers=by, timeout=WAIT_SECONDS) as http:
        for answered in (check(http, WRONG), http.get("/v2/languages"), check(http, WRONG, "xx")):
            assert answered.headers["Access-Control-Allow-Origin"] == origin
            assert "Origin" in answered.headers["Vary"]
        flag = http.post("/gradio_api/call/v2/flag", json={})
        assert "Access-Control-Allow-Origin" not in flag.headers
        if site != "none":  # which only a browser says, of its own
            assert flag.status_code == 403


@pytest.mark.parametrize(
    "by",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://moz-extension.example"},
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_a_page_of_another_origin_cannot_check(served: Served, by: dict[str, str]) -> None:
    with httpx.Client(base_url=served.url, headers=by, timeout=WAIT_SECONDS) as http:
        for answered in (check(http, WRONG), http.get("/v2/check", params={"text": WRONG, "language": "en"})):
            assert (answered.status_code, answered.json()) == (403, {"detail": web.OTHER_ORIGIN})
            assert "Access-Control-Allow-Origin" not in answered.headers


# ---- clients ----

CLIENTS = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")


def block(begin: str) -> str:
    """The lines of code in docs/clients.md that begin so."""
    found = re.search(rf"^    {re.escape(begin)}.*?(?=^\S|\Z)", CLIENTS, re.MULTILINE | re.DOTALL)
    assert found
    return textwrap.dedent(found[0])


def test_language_tool_python_corrects_a_text(served: Served) -> None:
    import language_tool_python

    text = "Hi 😀 Tom,\n\nShe have recieved the letters. I like the colour.\n"
    with language_tool_python.LanguageTool("en-US", remote_server=served.url) as tool:
        assert [text[m.offset : m.offset + m.error_length] for m in tool.check(text)] == [
            "have",
            "recieved",
            "colour",
        ]
        assert tool.correct(text) == "Hi 😀 Tom,\n\nShe has received the letters. I like the color.\n"
        tool.disable_spellchecking()
        assert [match.category for match in tool.check(text)] == ["GRAMMAR"]
        tool.language = "en-GB"
        assert [match.replacements for match in tool.check("I like the color.")] == []
        tool.enable_spellchecking()
        assert [match.replacements for match in tool.check("I like the color.")] == [["colour"]]
    with pytest.raises(ValueError, match="unsupported language"):
        language_tool_python.LanguageTool("de-DE", remote_server=served.url)


def test_the_line_for_curl_in_the_documents_does_what_it_says(served: Served) -> None:
    command = block("curl -s http").replace("http://127.0.0.1:7860", served.url)
    ran = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True, timeout=WAIT_SECONDS
    )
    assert [match["replacements"][0]["value"] for match in json.loads(ran.stdout)["matches"]] == [
        "has",
        "received",
    ]


@pytest.mark.parametrize("runs", [True, False])
def test_the_hook_in_the_documents_prints_what_it_would_correct_and_lets_the_commit_be(
    served: Served, tmp_path: Path, runs: bool
) -> None:
    identity = {
        f"GIT_{who}_{what}": "anna@example.com"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    environment = {
        **os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
        "PROOFREADER": served.url if runs else "http://127.0.0.1:1",
    }  # fmt: skip

    def git(*arguments: str) -> str:
        ran = subprocess.run(
            ["git", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=WAIT_SECONDS,
        )
        return ran.stdout + ran.stderr

    git("init", "--quiet")
    hook = tmp_path / ".git" / "hooks" / "commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(block("#!/bin/sh"))
    hook.chmod(0o755)
    printed = git("commit", "--allow-empty", "--message", "Tests of the queue\n\n🎉 She have recieved them.")
    lines = [line for line in printed.splitlines() if "->" in line]
    assert [line.partition(" (")[0] for line in lines] == (
        ["have -> has", "recieved -> received"] if runs else []
    )
    assert "🎉 She have recieved them." in git("log") and "Traceback" not in printed


@pytest.mark.slow
@pytest.mark.browser
def test_the_bookmarklet_opens_the_selection_in_the_app_and_sends_it_nowhere(
    served: Served, chromium: str
) -> None:
    code = (
        block("javascript:").strip().removeprefix("javascript:").replace("http://127.0.0.1:7860", served.url)
    )
    text = "She have recieved\n50% & more 😀 #1."
    sent: list[tuple[str, str]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context()
        context.on("request", lambda request: sent.append((request.url, request.post_data or "")))
        policy = {"Content-Security-Policy": "default-src 'none'", "Content-Type": "text/html; charset=utf-8"}
        context.route(
            "http://mail.example/",
            lambda route: route.fulfill(headers=policy, body=f"<pre>{html.escape(text)}</pre>"),
        )
        page = context.new_page()
        page.goto("http://mail.example/")
        page.locator("pre").select_text()
        with context.expect_page() as opened:
            page.evaluate(f"() => {code}")
        draft = opened.value.locator("#draft textarea")
        expect(draft).to_have_value(text, timeout=WAIT_SECONDS * 1000)
        assert opened.value.url == f"{served.url}/"
        leaks = [
            url for url, body in sent
            if "recieved" in url.partition("#")[0] or ("recieved" in body and not url.startswith(served.url))
        ]  # fmt: skip
        assert sent and leaks == []
        browser.close()


@pytest.mark.slow
def test_libreoffice_writer_marks_the_mistakes_of_a_paragraph(served: Served, tmp_path: Path) -> None:
    """Writer's own way, from its LanguageTool setting to what it would underline; UNO needs the system's Python."""
    office, python = shutil.which("soffice"), "/usr/bin/python3"
    if office is None or subprocess.run([python, "-c", "import uno"], capture_output=True).returncode:
        pytest.skip("no LibreOffice: sudo apt-get install libreoffice-writer python3-uno")
    command = [
        python,
        str(ROOT / "tests" / "space" / "libreoffice.py"),
        office,
        f"{served.url}/v2",
        str(tmp_path),
    ]
    text = "A 50% rise & 2+2 “quoted” 😀: she have recieved it."
    ran = subprocess.run([*command, text], capture_output=True, text=True, timeout=3 * WAIT_SECONDS)
    assert ran.returncode == 0, ran.stderr
    marked = [(cut(text, error), error["suggestions"]) for error in json.loads(ran.stdout.splitlines()[-1])]
    assert marked == [("have", ["has"]), ("recieved", ["received"])]
