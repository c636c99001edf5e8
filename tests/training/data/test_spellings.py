"""British and American spelling: pairs by rule and by list, one for each word."""

from __future__ import annotations

import gzip
from pathlib import Path

from space.proofread import dialect, lexicon
from training.data.spellings import dialects, save_dialects


def test_verbs_come_in_all_forms_and_the_rest_where_somebody_writes_it() -> None:
    found = {
        (british, american): way for british, american, way in dialects({"maximize", "maximization", "size"})
    }
    forms = ("e", "es", "ed", "ing")
    assert all(found["maximis" + form, "maximiz" + form] == "both" for form in forms)
    assert ("maximisation", "maximization") in found and ("maximisers", "maximizers") not in found
    assert ("sise", "size") not in found and not any("favour" in british for british, _ in found)
    assert found["cheque", "check"] == "american" and found["aesthetic", "esthetic"] == "british"


def shipped_words() -> set[str]:
    text = gzip.decompress(lexicon.PATH.read_bytes()).decode()
    return {line.split("\t")[0] for line in text.splitlines()}


def test_each_word_has_one_other_spelling_and_needs_no_second_look() -> None:
    pairs = dialects(shipped_words())
    for into, side in (("american", 0), ("british", 1)):
        of_way = [pair for pair in pairs if pair[2] in (into, "both")]
        words = [pair[side] for pair in of_way]
        assert len(words) == len(set(words))
        assert set(words).isdisjoint(pair[1 - side] for pair in of_way)


def test_the_shipped_list_is_what_the_rules_make_of_the_shipped_words(tmp_path: Path) -> None:
    save_dialects(dialects(shipped_words()), tmp_path / "dialects.tsv")
    assert (tmp_path / "dialects.tsv").read_bytes() == dialect.PATH.read_bytes()
