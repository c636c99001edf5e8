"""Which rule of grammar an edit follows, as far as its sentence shows it; None where it does not.

    rule(context(edit, draft), lexicon)      # After 'have' comes the past participle: 'have received'.

Each rule looks at closed classes of words around the edit. In doubt whose number or form is at stake, a weaker line is said that
is true of the words alone, or none.
"""

from __future__ import annotations

from collections.abc import Callable

from space.proofread.lexicon import Lexicon
from space.proofread.reasons import number, order, small_words, verbs
from space.proofread.reasons.context import Context


def rule(place: Context, lexicon: Lexicon) -> str | None:
    """The rule that the edit follows, in one line; None if none can be seen."""
    return next((found for each in _RULES if (found := each(place, lexicon))), None)


_RULES: tuple[Callable[[Context, Lexicon], str | None], ...] = (
    order.rule, small_words.determiner, number.rule, verbs.lasting, verbs.form, verbs.helper, small_words.article, small_words.preposition,
    small_words.adverb, small_words.phrase, small_words.sense,
)  # fmt: skip
