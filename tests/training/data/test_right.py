"""Sentences that are right and look wrong."""

from __future__ import annotations

import random

from training.data import right
from training.data.lists import column


def test_every_template_makes_a_sentence() -> None:
    rng = random.Random(0)
    made = {right.sentence(rng) for _ in range(4000)}
    assert len(made) > 1500
    assert all(text[0].isupper() and text[-1] in ".?!" and not set("[]|") & set(text) for text in made)


def test_templates_have_balanced_brackets() -> None:
    for template in column("right_english.txt"):
        assert template.count("[") == template.count("]") and "|" not in right._CHOICE.sub("", template)
