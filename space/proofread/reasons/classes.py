"""Closed classes of words that the rules of reasons look at."""

from __future__ import annotations

from space.proofread.kinds import AUXILIARIES, DETERMINERS, PREPOSITIONS
from space.proofread.words import read_list, word_set


def _of(name: str) -> frozenset[str]:
    return word_set("usage", name)


ADVERBS, SUBJECTS, CLAUSE_OPENERS = _of("adverbs"), _of("subject_pronouns"), _of("clause_openers")
INDEFINITE, COLLECTIVES, UNCOUNTABLE = _of("indefinite"), _of("collectives"), _of("uncountable")
SEVERAL, ONE, AMOUNTS, NEVER_PLURAL = (
    _of("plural_only"),
    _of("singular_only"),
    _of("amount_words"),
    _of("never_plural"),
)
OBJECTS, DAYS, MONTHS, TIME = _of("object_pronouns"), _of("days"), _of("months"), _of("units_of_time")
TO_VERBS, GERUND_VERBS, GERUND_TO = _of("to_verbs"), _of("gerund_verbs"), _of("gerund_to")
BARE_AFTER, SPEECH = _of("bare_after"), _of("speech")
OPENERS, SUBORDINATORS, CONJUNCTIONS = _of("openers"), _of("subordinators"), _of("conjunctions")
GREETINGS, SINGULAR_IN_S, NO_NOUNS = _of("greetings"), _of("singular_in_s"), _of("no_nouns")
MODALS = word_set("grammar", "modals") | _of("short_modals")
HAVE, BE, DO, WH = _of("have"), _of("be"), _of("do"), _of("question_words")
PARTICLES, PRONOUNS = word_set("grammar", "particles"), OBJECTS | {"it", "you"}
PREDETERMINERS = frozenset("such quite half all both".split())
BEFORE_ADVERBS = MODALS | HAVE | frozenset("am is are was were".split())
POSSESSIVES, GOING = _of("possessives"), _of("going")
# After these no noun phrase goes on.
CLOSED = (
    PREPOSITIONS | AUXILIARIES | DETERMINERS | CLAUSE_OPENERS | SUBJECTS | OBJECTS | WH | ADVERBS | MODALS
)
PHRASES = frozenset(
    tuple(row[0].split()) for name in ("phrases", "closings") for row in read_list(name) if " " in row[0]
)
SENSES = {preposition: sense for preposition, sense in read_list("preposition_senses")}
GOVERNED: dict[str, set[str]] = {}
for _preposition, _words in read_list("governed"):
    for _word in _words.split():
        GOVERNED.setdefault(_word, set()).add(_preposition.replace("-", ""))
