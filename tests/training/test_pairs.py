"""Correction pairs, and the evidence that pretraining imitates."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from space.lexicon import Lexicon
from space.prompt import Evidence
from training.pairs import Pair, PairMaker, load_texts, simulated_evidence


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon.load()


def imitations(pair: Pair, lexicon: Lexicon, count: int = 300) -> list[Evidence]:
    rng = random.Random(0)
    return [simulated_evidence(pair, lexicon, rng) for _ in range(count)]


def test_pairs_hold_identities_and_both_modes(corpus: Path) -> None:
    texts = load_texts(corpus / "clean.jsonl")
    maker, rng = PairMaker(texts, texts), random.Random(0)
    pairs = [maker.draw(rng) for _ in range(600)]
    assert 0.15 < sum(pair.bad == pair.good for pair in pairs) / 600 < 0.35
    assert {pair.mode for pair in pairs} == {"proofread", "polish"}
    assert all(pair.good in texts or pair.good.endswith(",") for pair in pairs)


def test_imitated_evidence_suggests_what_the_word_list_does(lexicon: Lexicon) -> None:
    seen = imitations(Pair("I recieve it.", "I receive it."), lexicon)
    told = [doubt.fix for evidence in seen for doubt in evidence.doubts if doubt.text == "recieve"]
    assert set(told) == {"receive"} and 0.8 < len(told) / len(seen) < 1


def test_doubts_stand_where_their_words_do_in_order(lexicon: Lexicon) -> None:
    bad = "He go to the the office of  there boss on monday , it seem."
    good = "He goes to the office of their boss on Monday, it seems."
    for evidence in imitations(Pair(bad, good), lexicon):
        ends = [0, *(doubt.end for doubt in evidence.doubts)]
        assert all(end <= doubt.start for end, doubt in zip(ends, evidence.doubts, strict=False))
        assert all(bad[doubt.start : doubt.end] == doubt.text for doubt in evidence.doubts)


def test_a_mistake_is_mostly_found_and_often_known(lexicon: Lexicon) -> None:
    seen = imitations(Pair("They goes home.", "They go home."), lexicon)
    fixes = [doubt.fix for evidence in seen for doubt in evidence.doubts if doubt.text == "goes"]
    assert 0.3 < len(fixes) / len(seen) < 0.9
    assert 0.4 < fixes.count("go") / len(fixes) < 0.8


def test_right_words_are_rarely_doubted_and_advice_on_them_is_another_word(lexicon: Lexicon) -> None:
    text = "They went home to see their friends."
    doubts = [doubt for evidence in imitations(Pair(text, text), lexicon) for doubt in evidence.doubts]
    assert 0 < len(doubts) / (300 * 8) < 0.05
    assert None in {doubt.fix for doubt in doubts} and len({doubt.fix for doubt in doubts}) > 5
    assert all(doubt.fix != doubt.text for doubt in doubts)


def test_most_pairs_say_nothing_of_tone_unless_they_are_to_be_polished(lexicon: Lexicon) -> None:
    text = "Could you please send me the report?"
    proofread = imitations(Pair(text, text), lexicon)
    assert 0.2 < sum(evidence.sentiment is not None for evidence in proofread) / 300 < 0.4
    assert all((e.sentiment is None) == (e.politeness is None) for e in proofread)
    polished = imitations(Pair("Send me the report.", text, "polish"), lexicon)
    assert {e.politeness[0] for e in polished if e.politeness} == {"impolite", "neutral"}
    assert all(e.sentiment and e.politeness for e in polished)


def test_a_courteous_text_is_not_called_impolite_in_polish_mode(lexicon: Lexicon) -> None:
    text = "Could you please send me the report?"
    seen = imitations(Pair(text, text, "polish"), lexicon)
    assert {e.politeness[0] for e in seen if e.politeness} == {"neutral", "polite"}
