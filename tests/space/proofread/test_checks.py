"""Notes of what belongs to an email: each case of checks.tsv, and never a false one on clean emails."""

from __future__ import annotations

import os
import random
import re
import time
from datetime import date
from email.utils import parseaddr
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.proofread.checks import MOST, NAMES, Check, check
from space.proofread.headers import Headers
from space.proofread.lexicon import Lexicon
from space.proofread.units import Email
from training.data.corpus import read_rows

EMAILS = sorted((Path(__file__).parents[2] / "emails").glob("*.txt"))
TODAY = date(2026, 11, 29)
ROWS = [
    line.split("\t")
    for line in (Path(__file__).parent / "checks.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
CASES = [row for row in ROWS if ":" in row[0]]
NEAR_MISSES = [row for row in ROWS if ":" not in row[0]]


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon.load()


def headers(text: str) -> Headers | None:
    """What an .eml would know: "to=Ann <ann@x.example>; subject=Plan; attachments=1"; None for a pasted draft."""
    if not text:
        return None
    fields = [field.strip().partition("=")[::2] for field in text.split(";")]
    known = {"subject": "Plan", "attachments": "0", **dict(fields)}
    to = tuple(parseaddr(value) for name, value in fields if name == "to")
    return Headers(known["subject"], to, int(known["attachments"]))


def checks(draft: str, lexicon: Lexicon, about: str = "", today: date = TODAY) -> tuple[Check, ...]:
    return check(Email.read(draft, lexicon), lexicon, headers(about), today)


@pytest.mark.parametrize(("expected", "about", "draft"), CASES, ids=lambda text: text[:60])
def test_what_is_amiss_is_said_and_nothing_else(
    expected: str, about: str, draft: str, lexicon: Lexicon
) -> None:
    found = checks(draft.replace("\\n", "\n"), lexicon, about)
    assert [f"{each.name}: {each.message}" for each in found] == [expected]


@pytest.mark.parametrize(("name", "about", "draft"), NEAR_MISSES, ids=lambda text: text[:60])
def test_near_misses_are_left_alone(name: str, about: str, draft: str, lexicon: Lexicon) -> None:
    assert name in NAMES
    assert checks(draft.replace("\\n", "\n"), lexicon, about) == ()


def test_each_check_has_cases_of_both_sorts() -> None:
    assert {row[0].partition(":")[0] for row in CASES} == {row[0] for row in NEAR_MISSES} == set(NAMES)
    assert min(len(CASES), len(NEAR_MISSES)) >= 60


@pytest.mark.parametrize(
    "path", [p for p in EMAILS if p.stem.startswith("clean")], ids=lambda path: path.stem
)
def test_clean_emails_get_no_note_but_of_what_they_attach(path: Path, lexicon: Lexicon) -> None:
    draft = path.read_text(encoding="utf-8")
    names = [each.name for each in checks(draft, lexicon, today=date(2024, 10, 1))]
    assert names == ["attachment"] * ("attached" in draft)


def test_a_day_without_a_year_fits_the_year_in_which_an_eml_was_written(lexicon: Lexicon) -> None:
    email = Email.read("The launch is on Monday, 3 June.", lexicon)
    (found,) = check(email, lexicon, None, TODAY)
    assert found.message == "In 2026, 3 June is a Wednesday, not a Monday."
    assert check(email, lexicon, Headers("Plan", written=date(2019, 5, 2)), TODAY) == ()


def test_a_check_points_at_what_it_speaks_of(lexicon: Lexicon) -> None:
    draft = "Subject: Offer\r\n\r\nHi  Ann,\r\n\r\nthe meeting about the new crane will be on Monday,\r\n3 March 2026. The price of [NAME] follows."
    assert [(each.name, draft[each.start : each.end]) for each in checks(draft, lexicon)] == [
        ("weekday", "Monday,\r\n3 March 2026"),
        ("placeholder", "[NAME]"),
    ]


def test_another_language_is_not_checked(lexicon: Lexicon) -> None:
    draft = (
        "Hallo Anna,\n\nwir sehen uns am Friday, 3 March 2026. Ich habe die Rechnung für [NAME] noch nicht."
    )
    assert checks(draft, lexicon) == ()


_BITS = (
    "Monday 3 March 2026|, |$1,250|1,520 EUR|Lindqvist|Lindquist| Anna |[NAME]|XXXX|TBD|attached is|I attach |Subject: A!!\n"
    '|\n\n|\r\n|Hi Tom,|invoice 48213 |\0|ﬁ|é|é|"|`|> |. | to |<insert date>|1 111 111 111 111|a.a.a.a.| {{x}}'
).split("|")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(_BITS), max_size=40).map("".join) | st.text(max_size=200))
def test_of_any_text_offsets_are_in_it(lexicon: Lexicon, draft: str) -> None:
    about = Headers("A", (("Anna Berg", "a@x.example"),))
    for found in check(Email.read(draft, lexicon), lexicon, about, TODAY):
        assert 0 <= found.start <= found.end <= len(draft)
        assert found.name in NAMES and found.message and found.message.isprintable()


@pytest.mark.parametrize(
    "bit", ["1", "$1,250 ", "1 111 ", "a.a.", "Aabcd Aabce Aabde ", "find attached to ", "Monday 3 March "]
)
def test_time_is_bounded_on_repeated_text(bit: str, lexicon: Lexicon) -> None:
    email = Email.read(f"Hi Tom,\n\nthis is the text of the day. {bit * (10_000 // len(bit))}", lexicon)
    began = time.process_time()
    found = check(email, lexicon, None, TODAY)
    assert time.process_time() - began < 1.0
    assert len(found) <= MOST


# ---- emails that people sent ----

# A folder with email.jsonl.zst: a sample of the messages that most training emails are from, sent from 1999 to 2002.
DATA = os.environ.get("DATA", "")


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="DATA=FOLDER names no emails")
def test_hardly_a_real_email_gets_a_false_note(lexicon: Lexicon, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints every note of 300 emails for a person to judge.

    Of an email that says nothing of an attachment any note counts as false, of the others any but that reminder.
    """
    rows = [row["text"] for row in read_rows(Path(DATA) / "email.jsonl.zst")]
    drafts = random.Random(29).sample(rows, 300)
    noted = [(draft, checks(draft, lexicon, today=date(2001, 6, 1))) for draft in drafts]
    with capsys.disabled():
        for draft, found in noted:
            for each in found:
                print(
                    f"\n{each.name}\t{each.message}\t{draft[max(0, each.start - 60) : each.end + 40]!r}",
                    end="",
                )
    speaking = [re.search("attach|enclos", draft, re.IGNORECASE) is not None for draft in drafts]
    false = [
        [each for each in found if each.name != "attachment" or not speaks]
        for (_, found), speaks in zip(noted, speaking, strict=True)
    ]
    assert sum(map(bool, false)) <= 3
    asked = sum(any(each.name == "attachment" for each in found) for _, found in noted)
    assert asked >= sum(speaking) / 2
