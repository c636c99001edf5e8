"""Which of several wordings is made, and the one edit that it becomes."""

from __future__ import annotations

from collections.abc import Sequence

from space.proofread.edits import Edit, apply
from space.proofread.email import Part
from space.proofread.polish import Wording
from space.proofread.rewording import as_one, best, by_sentence, opening
from space.proofread.units import Unit

ORDER = "Please send it.", "Could you please send it?", "I would be grateful if you could send it."
FOUND = [Wording(text, "") for text in ORDER]


def chosen(values: Sequence[float], gains: Sequence[float] | None, *used: str) -> list[str]:
    def read(texts: list[str]) -> list[float] | None:
        return None if gains is None else [dict(zip(ORDER, gains, strict=True))[text] for text in texts]

    return [each.text for each in best(FOUND, values, read, 0.0, used)]


def test_the_politest_is_first_and_of_these_the_one_that_reads_best() -> None:
    assert chosen([0.1, 0.9, 0.95], [5, 1, -4]) == [ORDER[1], ORDER[2], ORDER[0]]
    assert chosen([0.1, 0.9, 0.95], None) == [ORDER[1], ORDER[2], ORDER[0]]


def test_what_is_not_politer_or_no_english_is_not_offered() -> None:
    assert chosen([-0.1, 0.9, 0.95], [5, 1, -30]) == [ORDER[1]]
    assert chosen([-0.1, -0.2, -0.3], [5, 1, -30]) == []


def test_a_construction_gives_way_to_a_likelier_one_with_the_same_opening() -> None:
    found = [
        Wording(f"Could you tell me why {rest}?", "")
        for rest in ("the new is printer broken", "the new printer is broken")
    ]
    assert best(found, [0.9, 0.9], lambda texts: [-9.0, 1.0], 0.0, ()) == [found[1]]


def test_an_opening_that_the_email_has_had_comes_last() -> None:
    assert chosen([0.1, 0.9, 0.95], [5, 1, -4], opening(ORDER[1]))[0] == ORDER[2]


DRAFT = "Send me the raport\nthat I recieved now. Teh end."


def unit(draft: str) -> Unit:
    return Unit(Part("sentence", draft, 0))


def test_a_rewrite_is_one_edit_that_keeps_the_line_break_behind_its_word() -> None:
    text = unit(DRAFT).text
    edits = [
        Edit(12, 18, "raport", "report"),
        Edit(26, 34, "recieved", "received"),
        Edit(40, 43, "Teh", "The"),
    ]
    rewrites = [
        "Could you please send me the report that I received as soon as you can? The end.",
        "Please send me the report that I received now. The end.",
    ]
    made = as_one(unit(DRAFT), edits, rewrites)
    assert made and apply(text, edits).startswith("Send me the report that")
    edit, outside = made
    assert outside == [edits[2]]
    assert (edit.start, edit.end) == (0, DRAFT.index(" Teh")) and edit.before == DRAFT[: edit.end]
    assert edit.after == "Could you please send me the report\nthat I received as soon as you can?"
    assert edit.alternatives == ("Please send me the report\nthat I received now.",)
    assert "“raport” → “report”" in edit.reason and "Teh" not in edit.reason
    assert apply(DRAFT, [edit, *outside]).endswith("The end.")


def test_a_rewrite_at_one_end_leaves_the_rest_of_the_sentence_alone() -> None:
    text = "You forgot the file that we recieved."
    correction = Edit(28, 36, "recieved", "received")
    made = as_one(unit(text), [correction], ["I believe you forgot the file that we received."])
    assert made == (Edit(0, 3, "You", "I believe you", "tone", "polish"), [correction])


def test_what_a_model_says_in_other_words_is_one_edit_a_sentence_and_corrections_stay_apart() -> None:
    text = "Send me teh file now. I recieved teh other."
    edits = [
        Edit(0, 4, "Send", "Could you please send", "tone"),
        Edit(8, 11, "teh", "the", "spelling"),
        Edit(17, 21, "now.", "today?", "word choice"),
        Edit(24, 32, "recieved", "received", "spelling"),
        Edit(33, 36, "teh", "the", "spelling"),
    ]
    made = by_sentence(text, edits)
    assert [(e.start, e.end, e.kind) for e in made] == [
        (0, 21, "tone"),
        (24, 32, "spelling"),
        (33, 36, "spelling"),
    ]
    assert apply(text, made) == apply(text, edits)
