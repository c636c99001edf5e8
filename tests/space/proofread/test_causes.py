"""Which sentences make an email sound as it does."""

from __future__ import annotations

import pytest

from space.proofread.causes import AT_MOST, causes
from space.proofread.classifiers.tone import ToneClassifier
from space.proofread.units import spoken


@pytest.fixture(scope="module")
def tone() -> ToneClassifier:
    return ToneClassifier.load()


def blamed(draft: str, tone: ToneClassifier) -> list[str]:
    found = causes(draft, tone, tone.score([spoken(draft)])[0])
    assert [each.value for each in found] == sorted(each.value for each in found) and len(found) <= AT_MOST
    return [draft[each.start : each.end] for each in found]


def test_the_blunt_sentence_of_an_email_is_named(tone: ToneClassifier) -> None:
    draft = "Hi Tom,\n\nThe meeting is at ten in room four.\nFix the login page now.\n\n> Send me the file now.\n\nAnna\n"
    assert blamed(draft, tone) == ["Fix the login page now."]


def test_a_polite_email_has_none(tone: ToneClassifier) -> None:
    draft = "Hi Tom,\n\nThank you for the report. Could you please send me the figures as well?\n\nAnna\n"
    assert blamed(draft, tone) == blamed("", tone) == []


def test_at_most_three_are_named_the_strongest_first(tone: ToneClassifier) -> None:
    draft = "Send me the file now. You people never answer. Call me. Your work is a disgrace. Pay the invoice today."
    assert len(blamed(draft, tone)) == AT_MOST


def test_bad_news_counts_where_the_email_sounds_negative(tone: ToneClassifier) -> None:
    (bad,) = causes(
        "The service was terrible and I am very disappointed.",
        tone,
        tone.score(["The service was terrible and I am very disappointed."])[0],
    )
    assert bad.words[-1] in ("negative", "very negative")
