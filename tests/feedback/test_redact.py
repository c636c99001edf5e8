"""Recall of the redactor over hard cases, kind by kind, and what it must leave alone."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.record import Change, Record, rebuilt
from feedback.redact import SALT_SECONDS, STRUCTURED, ClientHash, redact, redact_record
from tests.feedback.conftest import record

CASES = Path(__file__).with_name("redaction_cases.txt")


def cases() -> list[tuple[str, str, list[str]]]:
    """(kind, text, parts): the parts that must not survive, or with kind "keep" those that must."""
    rows = [line for line in CASES.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    split = [[cell.strip() for cell in row.rsplit(" | ", 2)] for row in rows]
    split = [[row[0].split(" | ")[0], *row[1:]] if " | " not in row[0] else row for row in split]
    return [(kind, unescaped(text), unescaped(parts).split("¦")) for kind, text, parts in split]


def unescaped(cell: str) -> str:
    return re.sub(r"\\(?:n|t|u[0-9a-f]{4})", lambda match: json.loads(f'"{match.group()}"'), cell)


def recall() -> tuple[dict[str, float], list[str]]:
    """Share of the parts that are gone, by kind, and the ones that are not."""
    hidden: dict[str, list[bool]] = defaultdict(list)
    survivors = []
    for kind, text, parts in cases():
        if kind == "keep":
            continue
        (redacted,) = redact([text]).texts
        for part in parts:
            hidden[kind].append(part not in redacted)
            if part in redacted:
                survivors.append(f"{kind}: {part!r} in {redacted!r}")
    return {kind: sum(each) / len(each) for kind, each in hidden.items()}, survivors


def test_there_are_enough_cases() -> None:
    kinds = [kind for kind, *_ in cases()]
    assert sum(kind in STRUCTURED for kind in kinds) >= 150
    assert {kind: kinds.count(kind) >= 15 for kind in set(kinds)} == dict.fromkeys(set(kinds), True)


def test_recall_is_at_least_95_percent_of_each_structured_kind() -> None:
    shares, survivors = recall()
    assert {kind: share for kind, share in shares.items() if share < 0.95} == {}, survivors


@pytest.mark.parametrize(("kind", "text", "parts"), [case for case in cases() if case[0] == "keep"])
def test_what_is_no_personal_data_stays(kind: str, text: str, parts: list[str]) -> None:
    (redacted,) = redact([text]).texts
    assert all(part in redacted for part in parts), redacted


def test_every_region_s_example_number_written_for_abroad_is_found() -> None:
    """Numbers and forms that this project did not choose: the library's own, of every region it knows."""
    import phonenumbers

    forms = (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.E164)
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    numbers = [
        phonenumbers.format_number(number, form)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in kinds
        if (number := phonenumbers.example_number_for_type(region, kind))
        for form in forms
    ]
    assert len(numbers) > 900
    redacted = redact([f"I am at {number}, on Monday." for number in numbers]).texts
    assert [text for text in redacted if "[PHONE_" not in text or sum(map(str.isdigit, text)) > 4] == []


def test_the_same_thing_written_otherwise_gets_the_same_placeholder() -> None:
    texts = [
        "jana@example.com +420 601 234 567",
        "JANA＠example.com +420\u00a0601\u2011234\u2011567",
        "ja\u200bna@example.com",
    ]
    assert redact(texts).texts == ["[EMAIL_1] [PHONE_1]", "[EMAIL_1] [PHONE_1]", "[EMAIL_1]"]


def test_both_sides_get_the_same_placeholders() -> None:
    draft = "hi jana,\nwrite to Petr@example.com or call +420 601 234 567\n\nthanks\nTom"
    rewrite = "Hi Jana,\n\nPlease write to petr@example.com or call 601 234 567. Jana knows.\n\nThanks,\nTom"
    old, new = redact([draft, rewrite]).texts
    assert old == "hi [NAME_1],\nwrite to [EMAIL_1] or call [PHONE_1]\n\nthanks\n[NAME_2]"
    assert new == (
        "Hi [NAME_1],\n\nPlease write to [EMAIL_1] or call [PHONE_1]. [NAME_1] knows.\n\nThanks,\n[NAME_2]"
    )


def test_redacting_again_changes_nothing_and_numbers_go_on() -> None:
    for _, text, _ in cases():
        once = redact([text])
        again = redact(once.texts)
        assert again.texts == once.texts and again.redactions() == ()
    assert redact(["[EMAIL_7] and a@example.com"]).texts == ["[EMAIL_7] and [EMAIL_8]"]


def change(start: int, end: int, before: str, after: str, **more: Any) -> Change:
    return Change(start, end, before, after, **{"verdict": "accepted"} | more)


def edited(draft: str, rewrite: str, *words: tuple[str, str], verdicts: str = "") -> Record:
    """A record of changes given as (before, after), in order; r in `verdicts` marks one that was rejected."""
    changes, last = [], 0
    for number, (before, after) in enumerate(words):
        start = draft.index(before, last)
        last = start + len(before)
        verdict = "rejected" if verdicts[number : number + 1] == "r" else "accepted"
        changes.append(change(start, last, before, after, verdict=verdict))
    flag = record(draft=draft, rewrite=rewrite, changes=tuple(changes))
    assert flag.is_consistent
    return flag


def shown(stored: Record) -> list[tuple[str, str, str]]:
    assert all(stored.draft[c.start : c.end] == c.before for c in stored.changes)
    assert rebuilt(stored.draft, stored.applied) == stored.rewrite
    return [(c.before, c.after, c.verdict) for c in stored.changes]


def test_a_record_is_redacted_everywhere_and_its_changes_move_along() -> None:
    flag = edited(
        "Hi Jana,\nmy mail is jana@example.com. I has time, ask petr@example.com.\n",
        "Hi Jana,\nMy mail is Jana@example.com. I have time, ask Jana or petr@example.com.\n",
        ("my", "My"),
        ("jana", "Jana"),
        ("has", "have"),
        ("ask", "ask Jana or"),
        verdicts="aara",
    )
    stored = redact_record(
        replace(flag, corrected="Hi Jana, ask petr@example.com", comment="tell Jana at jana@example.com")
    )
    assert "jana" not in str(stored.to_dict()).lower() and "petr@" not in str(stored.to_dict())
    assert stored.draft == "Hi [NAME_1],\nmy mail is [EMAIL_1]. I has time, ask [EMAIL_2].\n"
    assert stored.comment == "tell [NAME_1] at [EMAIL_1]"
    assert shown(stored) == [
        ("my", "My", "accepted"), ("has", "have", "rejected"), ("ask", "ask [NAME_1] or", "accepted"),
    ]  # fmt: skip
    found = {each["placeholder"]: each["count"] for each in stored.redactions}
    assert found == {"[NAME_1]": 5, "[EMAIL_1]": 3, "[EMAIL_2]": 3}


def test_a_change_that_reaches_into_a_name_grows_to_the_whole_of_it() -> None:
    flag = edited(
        "dear jana novak\nplease call tomorow",
        "Dear Ms Jana Novak,\nPlease call tomorrow",
        ("dear", "Dear"),
        ("", " Ms"),
        ("jana", "Jana"),
        ("novak\nplease", "Novak,\nPlease"),
        ("tomorow", "tomorrow"),
        verdicts="aarrr",
    )
    stored = redact_record(flag)
    assert stored.draft == "dear [NAME_1] [NAME_2]\nplease call tomorow"
    assert shown(stored) == [
        ("dear", "Dear", "accepted"),
        ("", " Ms", "accepted"),
        ("[NAME_2]\nplease", "[NAME_2],\nPlease", "rejected"),
        ("tomorow", "tomorrow", "rejected"),
    ]


def test_changes_within_one_thing_that_is_taken_out_become_one_and_are_undecided_if_they_disagree() -> None:
    flag = edited(
        "see https://example.com/?token=aaa1&x=ccc2 now",
        "see https://example.com/?token=bbb1&x=ddd2 now",
        ("aaa1", "bbb1"),
        ("ccc2", "ddd2"),
        verdicts="ar",
    )
    assert shown(redact_record(flag)) == [("[URL_1]", "[URL_2]", "undecided")]


def test_what_one_text_shows_to_be_a_secret_is_taken_out_of_the_other() -> None:
    flag = edited(
        "passwrd: hunter2, mobil 601 234 567, hi jana",
        "Password: hunter2, mobile 601 234 567, hi Jana",
        ("passwrd", "Password"),
        ("mobil", "mobile"),
        ("jana", "Jana"),
    )
    stored = redact_record(replace(flag, comment="My name is Jana."))
    assert stored.draft == "passwrd: [SECRET_1], mobil [PHONE_1], hi [NAME_1]"
    assert shown(stored) == [("passwrd", "Password", "accepted"), ("mobil", "mobile", "accepted")]


def test_changes_that_do_not_make_the_rewrite_are_not_kept() -> None:
    flag = record(draft="helo jana", rewrite="Hello", changes=(change(0, 4, "helo", "Hi"),))
    assert redact_record(flag).changes == ()


def test_suggestions_and_reasons_are_redacted_too() -> None:
    draft = "Hi Jana,\nask petr@example.com about the ofer of jana before tomorow.\n"
    at = draft.index
    suggested = {"status": "suggested", "verdict": "undecided", "source": "llm", "score": 0.4}
    flag = record(
        draft=draft,
        rewrite=draft.replace("ofer", "offer"),
        changes=(
            change(at("ask"), at("ask") + 3, "ask", "ask Jana or", **suggested, reason="Jana was greeted."),
            change(at("petr"), at("petr") + 4, "petr", "paul", **suggested, reason="petr is misspelt."),
            change(at("ofer"), at("ofer") + 4, "ofer", "offer", reason="It is what Jana offers."),
            change(at("ofer"), at("ofer") + 4, "ofer", "over", **suggested | {"status": "refused"}),
            change(at("jana"), at("jana") + 4, "jana", "Jana", **suggested, reason="'jana' is a name."),
            change(at("tomorow"), at("tomorow") + 7, "tomorow", "tomorrow", **suggested, reason="a typo"),
        ),
    )
    stored = redact_record(flag)
    assert not re.search("jana|petr|paul", str(stored.to_dict()), re.IGNORECASE)
    assert stored.draft == "Hi [NAME_1],\nask [EMAIL_1] about the ofer of [NAME_1] before tomorow.\n"
    assert shown(stored) == [
        ("ask", "ask [NAME_1] or", "undecided"), ("[EMAIL_1]", "[EMAIL_2]", "undecided"),
        ("ofer", "offer", "accepted"), ("ofer", "over", "undecided"), ("tomorow", "tomorrow", "undecided"),
    ]  # fmt: skip
    reasons = ["", "", "It is what [NAME_1] offers.", "", "a typo"]
    assert [each.reason for each in stored.changes] == reasons
    assert {each["placeholder"]: each["count"] for each in stored.redactions} == {
        "[NAME_1]": 4,
        "[EMAIL_1]": 2,
    }


def test_alternatives_are_redacted_and_go_where_the_change_grew() -> None:
    draft = "Hi Jana,\nsend it now. call jana now.\n"
    offered = ("Please send it, Jana.", "Could you send it?")
    at = draft.index
    flag = record(
        draft=draft,
        rewrite=draft.replace("send it now", "please send it").replace("jana", "Jana K"),
        changes=(
            replace(change(at("send"), at(". call"), "send it now", "please send it"), alternatives=offered),
            replace(change(at("jana"), at("jana") + 4, "jana", "Jana K"), alternatives=offered),
        ),
    )
    first, *others = redact_record(flag).changes
    assert first.alternatives == ("Please send it, [NAME_1].", "Could you send it?")
    assert all(each.alternatives == () for each in others)


words = st.sampled_from(
    ["hi", "jana", "Jana", "x", ",", "\n", "a@b.co", "601234567", "Best", "regards", "tel", "", " "]
)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(words, words, st.sampled_from(["", "applied", "suggested"])), max_size=9))
def test_whatever_is_taken_out_the_changes_make_the_rewrite_or_none_is_kept(
    parts: list[tuple[str, str, str]],
) -> None:
    """Each part is a word that stays or one that becomes another; some changes are only suggested."""
    draft, rewrite = "", ""
    changes: list[Change] = []
    for before, after, status in parts:
        if status and before != after:
            end = len(draft) + len(before)
            changes.append(change(len(draft), end, before, after, status=status, reason=f"{after} is right."))
        draft, rewrite = draft + before + " ", rewrite + (after if status == "applied" else before) + " "
    stored = redact_record(record(draft=draft, rewrite=rewrite, changes=tuple(changes)))
    assert not stored.changes or rebuilt(stored.draft, stored.applied) == stored.rewrite
    assert all(stored.draft[each.start : each.end] == each.before for each in stored.changes)
    assert "a@b.co" not in str(stored.to_dict())


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "1-",
        "a.",
        "a@",
        "0/",
        "\t",
        "Hi ",
        "thanks\n",
        "A b ",
        "with ",
        "a.bc/,",
        "4111 ",
        "&#64;",
        "a:",
        "x_at_",
        "1\xa0",
        "u@b.co ",
        "\u200b",
    ],
)
def test_hostile_texts_come_back(unit: str) -> None:
    (text,) = redact([unit * 500]).texts
    assert text


def test_a_sender_s_hash_lasts_a_day_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("feedback.redact.time.monotonic", lambda: clock)
    hashed = ClientHash()
    first = hashed("203.0.113.7")
    assert len(first) == 16 and hashed("203.0.113.7") == first != hashed("203.0.113.8")
    assert ClientHash()("203.0.113.7") != first and hashed("") == ""
    clock += SALT_SECONDS
    assert hashed("203.0.113.7") != first
