"""The error synthesiser: clean English in, the same text with the mistakes people make out.

    >>> corrupt("She doesn't have their address.", random.Random(1))    # doctest: +SKIP
    "She don't have there adress."

Mistakes are drawn by kind with weights near published shares of learners' and native writers' edits (ErAConD, CWEB;
Yuan et al. 2022, Flachs et al. 2020). Where a mistake would leave correct English (a past tense for a present one), its
context is checked or its weight is low: a model trained on invisible mistakes learns to rewrite good text.
"""

from __future__ import annotations

import random
import re

from training.data.lists import table
from training.data.mistakes import MISTAKES, TOKEN

KINDS = tuple(MISTAKES)
_WEIGHTS = [weight for _, weight in MISTAKES.values()]
_PLACES = 12  # tried for a mistake before another is drawn: rare openings must not make a common mistake rare
_SOFTENERS = [(re.compile(pattern, re.IGNORECASE), plain) for pattern, plain in table("softeners.tsv")]


def corrupt(text: str, rng: random.Random, rate: float | None = None) -> str:
    """Puts mistakes into `text`; at least one is tried.

    `rate` is mistakes per word; by default it is drawn anew from 0.03 (a careful writer) to 0.3 (a beginner).
    """
    tokens = TOKEN.findall(text)
    if rate is None:
        rate = min(0.3, 0.03 + rng.expovariate(1 / 0.075))
    left = max(1, round(len(tokens) * rate + rng.uniform(-0.5, 0.5)))
    writer = rng.random()
    if writer < 0.04:  # never uses capitals
        tokens = [
            token if token.strip() in {"I"} and rng.random() < 0.3 else token.lower() for token in tokens
        ]
        left -= 1
    elif writer < 0.07:  # never uses apostrophes or commas
        tokens = [token.replace("'", "") for token in tokens if token.strip() != ","]
        left -= 1
    for _ in range(2 * left):
        if left <= 0 or not tokens:
            break
        kind = rng.choices(KINDS, _WEIGHTS)[0]
        mistake = MISTAKES[kind][0]
        places = 1 if kind == "phrase" else _PLACES
        left -= any(mistake(tokens, rng.randrange(len(tokens)), rng) for _ in range(places) if tokens)
    return "".join(tokens)


def blunt(text: str) -> str | None:
    """The same request or refusal without its courtesy; None if the sentence has none to lose.

    >>> blunt("Could you please send me the report?")
    'Send me the report.'
    """
    for pattern, form in _SOFTENERS:
        if pattern.match(text):
            plain = pattern.sub(form, text)
            return plain[:1].upper() + plain[1:]
    return None
