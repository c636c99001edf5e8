"""Edits and their scores agree with values worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.proofread.edits import Edit
from space.proofread.words import WORDS
from training.data.gleu import gleu_counts, tokenize
from training.evaluation.edit_scores import best_match, edit_figures, edits, key, words_after
from training.evaluation.metrics import gleu_interval


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("I go home.", "I go home.", []),
        ("I  go home.", "I go home.", []),  # blanks are no edit
        ("We discussed about it.", "We discussed it.", [(13, 18, "", "preposition")]),
        ("send it tomorow", "Send it tomorrow.",
         [(0, 4, "Send", "capitals"), (8, 15, "tomorrow", "spelling"), (15, 15, ".", "punctuation")]),
        ("We left early i slept.", "We left early. I slept.",
         [(13, 13, ".", "punctuation"), (14, 15, "I", "capitals")]),
        ("I like very much it.", "I like it very much.", [(7, 19, "it very much", "word order")]),
        ("She has alot of time.", "She has a lot of time.", [(8, 12, "a lot", "spelling")]),
    ],
)  # fmt: skip
def test_edits_by_hand(before: str, after: str, expected: list[tuple]) -> None:
    assert [(edit.start, edit.end, edit.after, edit.kind) for edit in edits(before, after)] == expected


text = st.text(alphabet="ab AB'-.,3é\u0301_\n", max_size=40)


@given(text, text)
def test_edits_always_give_the_words_of_the_target(before: str, after: str) -> None:
    found = edits(before, after)
    assert words_after(before, found) == WORDS.findall(after)
    assert all(edit.before == before[edit.start : edit.end] for edit in found)
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))
    assert all(edit.before or edit.after for edit in found)


def test_the_reference_that_suits_best_is_taken() -> None:
    source = "He go to school by foot."
    small, large = "He goes to school by foot.", "He walks to the school every day."
    references = [edits(source, reference) for reference in (large, small)]
    assert best_match(edits(source, small), references).counts() == [1, 0, 0]
    assert best_match([], references).counts() == [0, 0, 1]  # both score 0: the one with fewer edits
    # Nothing to do for one annotator, and nothing done.
    assert best_match([], [*references, []]).counts() == [0, 0, 0]
    harmful = edits(source, "She go to school by foot.")
    assert best_match(harmful, [*references, []]).counts() == [0, 1, 0]


def test_edit_figures_by_hand() -> None:
    cases = [
        ("He go home.", "He goes home.", "He goes home."),  # right
        ("I recieve mail.", "I recieve mail.", "I receive mail."),  # missed
        ("They are good.", "They are the good.", "They are good."),  # needless
    ]
    found = edit_figures(
        [best_match(edits(bad, output), [edits(bad, reference)]) for bad, output, reference in cases]
    )
    # tp 1, fp 1, fn 1.
    assert [found[name]["value"] for name in ("precision", "recall", "f0.5")] == [50, 50, 50]
    assert found["reference_edits"] == 2
    by_type = found["by_type"]
    assert by_type["agreement"]["f0.5"]["value"] == 100
    assert by_type["spelling"]["recall"]["value"] == 0 and by_type["spelling"]["precision"]["value"] is None
    assert by_type["article"]["precision"]["value"] == 0 and by_type["article"]["reference_edits"] == 0


def test_a_reference_corrects_everything() -> None:
    source = "She go to office by the bus every days"
    texts = ["She goes to the office by bus every day.", "Every day she takes the bus to the office."]
    references = [edits(source, text) for text in texts]
    found = edit_figures([best_match(each, references) for each in references])
    assert found["f0.5"] == {"value": 100.0, "low": 100.0, "high": 100.0}


def test_edits_are_the_same_by_place_and_new_words_alone() -> None:
    edit = Edit(8, 12, "alot", "a lot", "spelling", "tagger", 0.7)
    assert key(edit) == key(Edit(8, 12, "alot", " a  lot ", "word choice"))
    assert len({key(edit), key(Edit(8, 12, "alot", "alots")), key(Edit(8, 13, "alot ", "a lot"))}) == 3


# (draft, corrected, references), then [true positives, false positives, false negatives]
SCORED = [
    (("She go to office by the bus every days", "She goes to the office by bus every days.",
      ["She goes to the office by bus every day.", "Every day she takes the bus to the office."]), [3, 0, 1]),
    (("we discussed about it in  the meeting", "We discussed it in the meeting.",
      ["We discussed it in the meeting."]), [3, 0, 0]),
    (("I has alot of informations , thank you", "I have a lot of information, thank you!",
      ["I have a lot of information, thank you.", "I have lots of information. Thank you."]), [2, 1, 1]),
    (("Please sned the the raport untill friday", "Please send the report by Friday.",
      ["Please send the report by Friday.", "Please send the report until Friday."]), [3, 0, 0]),
    (("Its to late,we can not wait no more.", "It's too late; we cannot wait any more.",
      ["It's too late, we can't wait any more.", "It is too late. We cannot wait any longer."]), [3, 2, 1]),
    (("I like very much it", "I very much like it.", ["I like it very much."]), [0, 2, 2]),
    (("Thanks for you're help", "Thanks for you're help", ["Thanks for your help."]), [0, 0, 2]),
    (("All is well.", "All is good.", ["All is well."]), [0, 1, 0]),
]  # fmt: skip


def test_scores_stay_comparable_with_those_of_earlier_releases() -> None:
    """Counted by the code before, whose edits were places and tuples of words."""
    matches = [
        best_match(edits(draft, corrected), [edits(draft, reference) for reference in references])
        for (draft, corrected, references), _ in SCORED
    ]
    assert [match.counts() for match in matches] == [counts for _, counts in SCORED]
    found = edit_figures(matches)
    assert found["precision"] == {"value": 70.0, "low": 44.43, "high": 90.0}
    assert found["recall"] == {"value": 66.67, "low": 40.0, "high": 85.71}
    assert found["f0.5"] == {"value": 69.31, "low": 43.2, "high": 87.16}
    counts = [
        [gleu_counts(tokenize(draft), tokenize(reference), tokenize(corrected)) for reference in references]
        for (draft, corrected, references), _ in SCORED
    ]
    assert gleu_interval(counts, 1) == {"value": 46.16, "low": 26.78, "high": 65.47}
