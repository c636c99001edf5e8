"""In which order words stand: pronouns and "off", adverbs, "enough", questions."""

from __future__ import annotations

from space.proofread.kinds import ARTICLES, AUXILIARIES
from space.proofread.lexicon import Lexicon
from space.proofread.reasons.classes import (
    ADVERBS,
    BEFORE_ADVERBS,
    PARTICLES,
    PREDETERMINERS,
    PRONOUNS,
    SUBJECTS,
    WH,
)
from space.proofread.reasons.context import Context


def rule(place: Context, lexicon: Lexicon) -> str | None:
    """The rule of two words that change places."""
    if len(place.now) != 2 or place.was != place.now[::-1]:
        return None
    first, second = place.now
    if first in PRONOUNS and second in PARTICLES:
        return f"A pronoun stands before '{second}': '{place.phrase(1, 0)}'."
    if second == "enough":
        return f"'enough' follows the word that it measures: '{place.after}'."
    if first in PREDETERMINERS and second in ARTICLES:
        return f"'{first}' stands before '{second}': '{place.phrase()}'."
    if second in ADVERBS and first in BEFORE_ADVERBS:
        return f"'{second}' stands behind '{first}': '{place.phrase(1)}'."
    if first in ADVERBS and second not in BEFORE_ADVERBS | AUXILIARIES:
        return f"'{first}' stands before the verb: '{place.phrase(1, 0)}'."
    if not {first, second} & AUXILIARIES or not {first, second} & SUBJECTS:
        return None
    if first in SUBJECTS and set(place.behind) & (WH | {"if", "whether"}):
        return f"A question inside a sentence keeps the order of a statement: '{place.after}'."
    if second in SUBJECTS and (not place.behind or place.behind[-1] in WH):
        return f"In a question the verb comes before the subject: '{place.after}'."
    return None
