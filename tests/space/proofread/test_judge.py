"""The probability of an edit: a file that says how to weigh what is known, and what comes of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from space.errors import UserError
from space.proofread.classifiers.tags import TaggedWord
from space.proofread.edits import Edit, classify
from space.proofread.judge import (
    Judge,
    Odds,
    contested,
    features_once_read,
    logit,
    posterior_features,
    prior_features,
)
from space.proofread.policy import Thresholds


def test_the_shipped_judge_trusts_who_is_surer_and_a_model_that_agrees() -> None:
    judge = Judge.load()
    word = TaggedWord(0, 2, "go", 0.9)
    priors = [
        judge.prior(prior_features(word, "goes", score, "tagger", guesses={}, is_listed=True, elsewhere=0.1))
        for score in (0.1, 0.5, 0.85)
    ]
    assert priors == sorted(priors) and priors[0] < 0.5 < priors[-1]
    edit = Edit(0, 2, "go", "goes", "agreement", "tagger", 0.5)
    chances = [judge.posterior(edit, Odds(odds, -2.0)) for odds in (-8.0, 0.0, 4.0)]
    assert chances == sorted(chances) and chances[0] < 0.2 and chances[-1] > 0.6


def test_who_errs_elsewhere_has_probably_erred_here() -> None:
    judge, word = Judge.load(), TaggedWord(0, 2, "go", 0.6)
    few, many = (
        judge.prior(prior_features(word, "goes", 0.4, "tagger", guesses={}, is_listed=True, elsewhere=wrong))
        for wrong in (0.01, 0.2)
    )
    assert few < many


def test_features_are_finite_whatever_the_models_say() -> None:
    word = TaggedWord(0, 2, "go", 0.0)
    prior = prior_features(word, "", 1.0, "tagger", guesses={}, is_listed=True, elsewhere=0.03)
    posterior = posterior_features(Edit(0, 2, "go", "", score=1.0), Odds(1e9, -1e9))
    assert all(abs(value) < 20 for value in [*prior.values(), *posterior.values()])
    assert logit(0.5) == 0.0 and logit(0.0) == pytest.approx(-logit(1.0))


def test_an_edit_is_weighed_by_names() -> None:
    judge = Judge(
        {"bias": 1.0, "kind article": -3.0},
        {"prior": 1.0, "by lexicon": 2.0},
        {"posterior": 1.0, "gain other": 0.5},
        {"likelier typed": 0.1},
    )
    assert judge.prior({"bias": 1.0, "kind article": 1.0}) == pytest.approx(0.1192, abs=1e-4)
    assert judge.prior({"bias": 1.0, "kind unheard of": 1.0}) == pytest.approx(0.7311, abs=1e-4)
    edit = Edit(0, 2, "so", "thus", source="lexicon", score=0.5)
    assert judge.posterior(edit, Odds(0.0, 0.0)) == pytest.approx(0.8808, abs=1e-4)
    slip = Edit(3, 7, "tree", "three", "spelling", "grammar", 0.01)
    assert judge.reread({edit: 2.0, slip: 20.0}) == {
        edit: pytest.approx(0.7311, abs=1e-4),
        slip: pytest.approx(0.8808, abs=1e-4),
    }


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"weights": {"classifiers": {}}}', '{"weights": {"classifiers": 1}}']
)
def test_a_file_that_is_none_is_said_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "judge.json"
    with pytest.raises(UserError, match="is missing: restore it"):
        Judge.load(path)
    path.write_text(content)
    with pytest.raises(UserError, match="cannot be read"):
        Judge.load(path)
    path.write_text(
        json.dumps(
            {"weights": {"classifiers": {"bias": 1}, "language_model": {}, "reading": {}, "quiet": {}}}
        )
    )
    assert Judge.load(path) == Judge({"bias": 1.0}, {}, {}, {})


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("a", "the", "article replaced"),
        ("new", "the new", "article added"),
        ("the ", "", "article removed"),
        (" we", ", we", "punctuation added"),
    ],
)
def test_to_add_to_remove_and_to_replace_are_apart(before: str, after: str, name: str) -> None:
    edit = Edit(0, len(before), before, after, classify(before, after), score=0.5)
    for features in (posterior_features(edit, Odds(1.0, -1.0)), features_once_read(edit, {edit: 2.0})):
        assert features[name] == 1.0
    assert features_once_read(edit, {edit: 2.0})[f"gain {name.split()[-1]}"] == 2.0


def test_what_is_in_doubt_or_has_a_likely_rival_is_read() -> None:
    sure, other, unlikely = (
        Edit(0, 4, "word", new, score=score) for new, score in (("a", 0.97), ("b", 0.4), ("c", 0.05))
    )
    alone, open_ = Edit(9, 12, "two", "too", score=0.95), Edit(20, 23, "its", "it's", score=0.5)
    assert contested([alone, other, unlikely, open_, sure]) == [sure, open_, other]
    assert contested([replace(sure, score=0.97)]) == []


def test_a_word_that_may_be_typed_for_another_is_read_however_unlikely_that_seems() -> None:
    three, free, true, trees, other = (
        Edit(4, 8, "tree", after, classify("tree", after), score=score)
        for after, score in (("three", 0.02), ("free", 0.01), ("true", 0.004), ("trees", 0.05), ("oak", 0.09))
    )
    assert contested([three, free, true, trees, other]) == [three, free]  # of one word the likeliest two
    assert contested([replace(three, score=0.002)]) == []  # not that unlikely
    assert contested([three, Edit(4, 8, "tree", "thirteen", score=0.9)]) == []  # its place is taken


def test_grammar_of_several_words_is_read_however_unlikely_that_seems() -> None:
    been, other, slight, beside = (
        Edit(4, 6, "is", after, "verb form", "grammar", score)
        for after, score in (("has been", 0.01), ("has had", 0.004), ("had been", 0.001), ("it is", 0.09))
    )
    assert contested([been, other, slight, beside]) == [been, other]
    assert contested([replace(been, source="llm")]) == []
    assert contested([been, Edit(4, 6, "is", "are", score=0.9)]) == []  # its place is taken
    features = features_once_read(been, {been: 20.0})
    assert features["words"] == 1.0 and features["gain words"] == 12.0 and features["likelier words"] == 20.0


def test_of_rivals_each_is_weighed_against_the_best_other() -> None:
    first, second = (Edit(0, 4, "word", new, score=score) for new, score in (("a", 0.8), ("b", 0.5)))
    alone = Edit(9, 12, "two", "too", score=0.5)
    read = {first: 2.0, second: 5.0, alone: 99.0}
    features = [features_once_read(edit, read) for edit in read]
    assert [each.get("ahead") for each in features] == [-3.0, 3.0, None]
    assert features[0]["ahead before"] == pytest.approx(math.log(4)) and features[0]["rivalled"] == 1.0
    assert all(abs(value) <= 40 for value in features[2].values())


def test_what_the_language_model_alone_proposes_must_be_surer() -> None:
    thresholds = Thresholds({"default": 0.6, "article": 0.9, "llm": 0.8}, {"default": 0.2}, 0.0, 0.0, 0.0)
    likely = Edit(0, 4, "goes", "went", "verb form", score=0.7)
    assert thresholds.decide(likely, proposed=True).status == "applied"
    assert thresholds.decide(likely, proposed=False).status == "suggested"
    assert thresholds.decide(replace(likely, score=0.8), proposed=False).status == "applied"
    assert (
        thresholds.decide(replace(likely, kind="article", score=0.85), proposed=False).status == "suggested"
    )
