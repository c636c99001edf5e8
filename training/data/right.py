"""Good English that a checker takes for mistakes, from templates: subjunctives, collective nouns, inversions, clipped words.

Who learns corrections from such sentences as they are learns what to leave alone.
"""

from __future__ import annotations

import random
import re

from training.data.lists import column

_CHOICE = re.compile(r"\[([^\]]+)\]")
_TEMPLATES = column("right_english.txt")


def sentence(rng: random.Random) -> str:
    """One sentence of a template drawn at random."""
    return _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), rng.choice(_TEMPLATES))
