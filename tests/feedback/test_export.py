"""Which flags become which rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from feedback.export import KINDS, export, fault, is_english, rows
from feedback.record import REASONS, Change, Record
from space.proofread.lexicon import WORD, Lexicon
from tests.feedback.conftest import record

DRAFT = "I has sent you the files, please check it before Monday."
GOOD = "I have sent you the files, please check them before Monday."
OTHER = "I sent you the files. Please check them before Monday."


def change(before: str, after: str, verdict: str, status: str = "applied") -> Change:
    start = DRAFT.index(before)
    return Change(start, start + len(before), before, after, verdict=verdict, status=status)


def changes(*verdicts: str) -> tuple[Change, ...]:
    words = (("has", "have"), ("it", "them"))
    return tuple(change(*pair, verdict) for pair, verdict in zip(words, verdicts, strict=True))


def flag(**fields: Any) -> Record:
    return record(**{"draft": DRAFT, "rewrite": GOOD} | fields)


def exported(*records: Record) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for kind, row in rows(records):
        found[kind].append(row)
    return found


def texts(row: dict[str, Any]) -> dict[str, str]:
    return {name: row[name] for name in ("prompt", "completion", "chosen", "rejected") if name in row}


def test_a_good_rewrite_is_a_completion() -> None:
    found = exported(each := flag(changes=changes("accepted", "undecided")))
    (row,) = found["completions"]
    assert texts(row) == {"prompt": DRAFT, "completion": GOOD}
    assert row["ids"] == [each.id] and row["source"] == "accepted" and found["preferences"] == []


def test_a_corrected_text_is_a_completion_and_preferred_to_the_rewrite() -> None:
    found = exported(flag(verdict="bad", reasons=("too formal",), corrected=OTHER))
    assert [texts(row) for row in found["completions"]] == [{"prompt": DRAFT, "completion": OTHER}]
    (row,) = found["preferences"]
    assert texts(row) == {"prompt": DRAFT, "chosen": OTHER, "rejected": GOOD} and row["source"] == "corrected"


@pytest.mark.parametrize(("verdict", "undecided"), [("good", "them"), ("bad", "it")])
def test_rejected_changes_make_a_preference_for_the_rest(verdict: str, undecided: str) -> None:
    target = f"I has sent you the files, please check {undecided} before Monday."
    found = exported(flag(verdict=verdict, changes=changes("rejected", "undecided")))
    assert found["completions"] == []
    assert [texts(row) for row in found["preferences"]] == [
        {"prompt": DRAFT, "chosen": target, "rejected": GOOD}
    ]


@pytest.mark.parametrize("verdict", ["good", "bad"])
def test_an_accepted_suggestion_makes_a_preference_for_the_text_with_it(verdict: str) -> None:
    applied = changes("accepted", "accepted")
    suggested = change("files", "slides", "accepted", "suggested")
    found = exported(flag(verdict=verdict, changes=(applied[0], suggested, applied[1])))
    assert found["completions"] == []
    assert [texts(row) for row in found["preferences"]] == [
        {"prompt": DRAFT, "chosen": GOOD.replace("files", "slides"), "rejected": GOOD}
    ]


@pytest.mark.parametrize("decision", ["rejected", "undecided"])
@pytest.mark.parametrize("status", ["suggested", "refused"])
def test_a_suggestion_that_was_not_taken_changes_nothing(decision: str, status: str) -> None:
    first, second = changes("accepted", "undecided")
    found = exported(flag(changes=(first, change("files", "slides", decision, status), second)))
    assert [texts(row) for row in found["completions"]] == [{"prompt": DRAFT, "completion": GOOD}]
    assert found["preferences"] == []


def test_changes_that_only_a_later_release_can_read_make_no_row() -> None:
    later = flag().to_dict() | {"v": 9, "changes": [{"from": 2, "to": 5, "verdict": "rejected"}]}
    assert not any(exported(Record.from_dict(later)).values())


@pytest.mark.parametrize("verdict", ["good", "bad"])
def test_changes_that_do_not_make_the_rewrite_make_no_row(verdict: str) -> None:
    """One of them is missing, and with it what the user said of it."""
    first = changes("accepted", "rejected")[:1]
    found = exported(
        flag(verdict=verdict, changes=first), flag(rewrite=OTHER) if verdict == "good" else flag()
    )
    assert found["preferences"] == [] and len(found["completions"]) == 1
    assert len(exported(flag(verdict=verdict, changes=first, corrected=OTHER))["completions"]) == 1


def test_a_verdict_of_a_later_release_makes_no_row() -> None:
    assert not any(exported(flag(verdict="mixed", v=9)).values())


def test_one_user_s_rejected_text_meets_another_s_target() -> None:
    records = bad, good, better = (
        flag(verdict="bad", reasons=("changed meaning",)),
        flag(rewrite=OTHER),
        flag(
            verdict="bad",
            rewrite="Files!",
            corrected="I have sent the files; please check them before Monday.",
        ),
    )
    paired = [row for row in exported(*records)["preferences"] if bad.id in row["ids"]]
    assert [row["ids"] for row in paired] == [[better.id, bad.id]]  # corrected wins over accepted
    assert [row["ids"] for row in exported(bad, good)["preferences"]] == [[good.id, bad.id]]


def test_a_bad_verdict_alone_makes_no_row() -> None:
    assert not any(exported(flag(verdict="bad")).values())


def test_slowness_says_nothing_about_the_text() -> None:
    found = exported(flag(verdict="bad", reasons=("too slow",)), flag(rewrite=OTHER))
    assert found["preferences"] == [] and len(found["completions"]) == 1


def test_repeats_are_left_out() -> None:
    assert len(exported(flag(), flag(), flag(rewrite=OTHER))["completions"]) == 2


@pytest.mark.parametrize("reason", [reason for reason in REASONS if "rude" in reason or "biased" in reason])
def test_abuse_is_quarantined_and_never_chosen(reason: str) -> None:
    found = exported(flag(verdict="bad", reasons=(reason,), corrected=OTHER), flag(verdict="bad"))
    assert found["completions"] == found["preferences"] == []
    assert {row["why"] for row in found["quarantine"]} == {f"reason: {reason}"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (GOOD, ""),
        ("", "empty"),
        ("No.", "length too far from the draft's"),
        (GOOD * 4, "length too far from the draft's"),
        ("Ich habe Ihnen die Dateien geschickt, bitte prüfen Sie sie vor Montag.", "not English"),
        ("Я отправил вам файлы, пожалуйста, проверьте их до понедельника.", "not English"),
    ],
)
def test_texts_that_are_not_fit_say_why(text: str, why: str) -> None:
    assert fault(DRAFT, text) == why


def test_very_long_texts_are_not_fit() -> None:
    assert fault("a word " * 1500, "a word " * 1500) == "longer than 2000 words"


def test_an_english_list_is_english_as_it_is_to_the_proofreader() -> None:
    draft = "- Budget approval\n- Hiring plan Q3\n- Office relocation\n- Vendor shortlst\n- Invoice numbers"
    better = draft.replace("shortlst", "shortlist")
    assert Lexicon.load().is_english(WORD.findall(draft)) and fault(draft, better) == ""
    assert exported(flag(draft=draft, rewrite=better))["quarantine"] == []


@pytest.mark.parametrize("text", ["Děkuji Петру за", "请检查附件，谢谢。", "[NAME_1], спасибо"])
def test_a_text_too_short_for_the_lexicon_is_judged_by_its_letters(text: str) -> None:
    assert not is_english(text)


def test_english_is_distinguished_from_other_languages() -> None:
    emails = sorted((Path(__file__).parents[1] / "emails").glob("*.txt"))
    assert len(emails) > 10 and all(is_english(path.read_text()) for path in emails)
    for other in (
        "Vážená paní Nováková, děkuji za Vaši zprávu a posílám požadované dokumenty v příloze.",
        "Je vous remercie de votre message et vous envoie les documents demandés en pièce jointe.",
        "Gracias por su mensaje, le envío los documentos solicitados como archivo adjunto hoy mismo.",
        "Grazie per il messaggio, le invio i documenti richiesti come allegato questa mattina stessa.",
    ):
        assert not is_english(other)


def test_a_first_export_that_was_killed_can_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "completions.jsonl.part").write_text('{"prompt": "half a r')
    assert export([flag()], tmp_path)["completions"] == 1
    assert not list(tmp_path.glob("*.part"))


def test_an_interrupted_export_leaves_the_last_one_complete(tmp_path: Path) -> None:
    export([flag()], tmp_path / "rows")
    before = {path.name: path.read_bytes() for path in (tmp_path / "rows").iterdir()}

    def broken() -> Any:
        yield flag(rewrite=OTHER)
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        export(broken(), tmp_path / "rows")
    after = {path.name: path.read_bytes() for path in (tmp_path / "rows").iterdir()}
    assert {name: after[name] for name in before} == before
    export([flag(rewrite=OTHER)], tmp_path / "rows")
    assert not list((tmp_path / "rows").glob("*.part"))
