"""Number: which verb goes with which subject, and where a noun stands in the plural."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from space.proofread.kinds import ARTICLES, AUXILIARIES, DETERMINERS, PREPOSITIONS
from space.proofread.lexicon import Lexicon
from space.proofread.reasons.classes import (
    AMOUNTS,
    CLAUSE_OPENERS,
    CLOSED,
    COLLECTIVES,
    INDEFINITE,
    NEVER_PLURAL,
    NO_NOUNS,
    OBJECTS,
    ONE,
    POSSESSIVES,
    SEVERAL,
    SINGULAR_IN_S,
    SUBJECTS,
    TO_VERBS,
    WH,
)  # fmt: skip
from space.proofread.reasons.context import Context, said, words_until_mark
from space.proofread.reasons.forms import BASE, MANY, ONE_OF, PAST, VERBS, S, forms, is_plural, pair
from space.proofread.reasons.verbs import after_auxiliary, without_adverbs
from space.proofread.words import is_word

_NUMBERS_OF = frozenset("lots number couple dozens variety series range lot hundreds thousands".split())
_POINTERS = frozenset(("this", "that", "these", "those"))
_BEFORE_NOUNS = (DETERMINERS | frozenset("of for with from about at by on without between in".split())) - {
    "that"
}
_OF_ADJECTIVES = ("al", "ary", "able", "ant", "ed", "ent", "ful", "ible", "ic", "ive", "less", "ous")
_PLACED = frozenset(
    ("below", "above", "attached", "enclosed", "here", "there")
)  # they follow a noun, or open a sentence


def rule(place: Context, lexicon: Lexicon) -> str | None:
    if not len(place.was) == len(place.now) == 1 or place.was == place.now:
        return None
    return _auxiliary(place) or _ending_s(place, lexicon)


# ---- the verb and its subject -------------------------------------------------------------------------------------------


def _auxiliary(place: Context) -> str | None:
    """is or are, has or have, and the like."""
    was, verb = place.was[0], place.now[0]
    if verb == "am" and was in ("is", "are"):
        return "'am' goes with 'I' alone." if "i" in (*place.behind[-1:], *place.ahead[:1]) else None
    if MANY.get(was) != verb and MANY.get(verb) != was and (was, verb) not in (("am", "is"), ("am", "are")):
        return None
    if verb in ("have", "do") and (found := after_auxiliary(place, frozenset([BASE]))):
        return found
    if verb == "were" and {"if", "wish", "though"} & set(place.behind):
        # "if I were" is no matter of number.
        imagined = (
            place.behind[-1:]
            and place.behind[-1] in ("i", "he", "she", "it")
            and place.behind[-2:-1] in (("if",), ("wish",))
        )
        return f"What is only imagined takes 'were': '{place.phrase(back=2, on=0)}'." if imagined else None
    several = verb in ONE_OF
    one, many = (ONE_OF[verb], verb) if several else (verb, MANY[verb])
    first = "'I', " if many in ("have", "do", "haven't", "don't") else ""
    alone = "'I' or " if many.startswith("were") else ""
    general = f"'{many}' goes with {first}'you', 'we', 'they' or several things, '{one}' with {alone}one."
    return _agreement(place, several, place.after) or general


def _agreement(place: Context, several: bool, verb: str) -> str | None:
    """What the verb agrees with, if that can be seen and is of its number."""
    behind = without_adverbs(place.behind)
    left = place.left[: len(behind)]
    last = behind[-1] if behind else ""
    if last == "there" and verb.lower() in AUXILIARIES:
        thing = _thing_ahead(place, several)
        amount = "several things" if several else "one thing"
        return f"'{said(('there', verb.lower()))}' goes with {amount}: '{thing}'." if thing else None
    fronted = len(behind) == 1 and last in _PLACED
    if not behind or fronted or not is_word(last) or last in (WH - {"who", "which"}) | {"and", "but", "so"}:
        return _subject_ahead(place, several, verb)
    if last in SUBJECTS | (_POINTERS - {"that"}) or last == "that" and len(behind) == 1:
        return _pronoun_subject(left, several, verb)
    if last in ("who", "which", "that"):
        return _relative(left, several, verb)
    if last in INDEFINITE and not several:
        return f"'{left[-1]}' takes the form for one: '{said((left[-1], verb))}'."
    return noun_subject(left, several, verb)


def _pronoun_subject(left: Sequence[str], several: bool, verb: str) -> str | None:
    low = [word.lower() for word in left]
    last = low[-1]
    plural = last in ("you", "we", "they", "i", "these", "those")
    opens = len(low) < 2 or low[-2] in CLAUSE_OPENERS or not is_word(low[-2])
    sure = last in ("i", "he", "she", "we", "they") or opens  # "the file I sent you is"
    if plural != several or not sure or last == "i" and verb.lower() in ("are", "were", "aren't"):
        return None
    return f"The subject '{left[-1]}' takes '{verb.lower()}'."


def _relative(left: Sequence[str], several: bool, verb: str) -> str | None:
    """A verb behind "that" or "which", and the noun that this stands for."""
    at = len(left) - 2
    if at >= 0 and left[at] == ",":
        at -= 1
    if at >= 0 and several and left[at].lower() in ("those", "these", "people"):
        return f"'{left[-1]}' stands for '{left[at]}', so the verb is '{verb}'."
    if (
        at < 0
        or not left[at].isalpha()
        or left[at].lower() in CLOSED | COLLECTIVES
        or is_plural(left[at].lower()) != several
    ):
        return None
    if not several and left[at].lower().endswith("s"):
        return None
    return f"'{left[-1]}' stands for '{left[at]}', so the verb is '{verb}'."


def noun_subject(left: Sequence[str], several: bool, verb: str) -> str | None:
    """The line of a noun phrase that ends where the verb begins, if it has a head of its number."""
    phrase = _phrase_behind(left)
    while len(phrase) > 1 and phrase[-1].lower() in _PLACED:
        phrase.pop()
    low = [word.lower() for word in phrase]
    if (
        not phrase
        or len(phrase) > 9
        or low[0] in PREPOSITIONS
        or (WH | OBJECTS - {"her"}) & set(low)
        or "that" in low[1:]
    ):
        return None
    end = next((at for at, word in enumerate(low) if word in PREPOSITIONS), len(low))
    core, head = low[:end], low[end - 1]
    if not (core[0] in DETERMINERS | SEVERAL | ONE or end < 3):
        return None
    if "and" in core:
        joined = several and "or" not in core and not {"each", "every"} & set(core)
        return (
            f"Two subjects with 'and' between them take '{verb}': '{said(phrase[:end])}'." if joined else None
        )
    if core[0] in INDEFINITE | {"one", "every"} or head in INDEFINITE:
        return None if several else f"The subject is '{phrase[0]}', which is one, so the verb is '{verb}'."
    doubtful = (
        set(core) & COLLECTIVES
        or head.endswith(("ed", "ing", "ly"))
        or head in CLOSED | {"much", "many", "more", "most"}
        or "or" in core
    )
    if doubtful or is_plural(head) != several or any(map(_is_verb_only, core[1:-1])):
        return None
    if not several and (core[0] in SEVERAL or head.endswith("s") and head not in SINGULAR_IN_S):
        return None
    elsewhere = end < len(low) and low[-1] not in CLOSED and is_plural(low[-1]) != several
    not_that = f", not '{phrase[-1]}'" if elsewhere else ""
    return f"The subject is '{said(phrase[:end])}'{not_that}: {'several' if several else 'one'}, so the verb is '{verb}'."


def _phrase_behind(left: Sequence[str]) -> list[str]:
    """The words from the beginning of the clause on; none if it begins with something else."""
    phrase: list[str] = []
    for word in reversed(left):
        low = word.lower()
        if (
            not is_word(word)
            or low in CLAUSE_OPENERS - {"and", "or", "than"}
            or low in AUXILIARIES | SUBJECTS
        ):
            break
        phrase.insert(0, word)
    before = left[len(left) - len(phrase) - 1] if len(phrase) < len(left) else ""
    if before and is_word(before) and before.lower() not in CLAUSE_OPENERS:
        return []
    while phrase and phrase[0].lower() in ("and", "or"):
        phrase.pop(0)
    return phrase


def _is_verb_only(word: str) -> bool:
    """Whether the word can hardly be a noun: an auxiliary, or a verb in the past."""
    return word in AUXILIARIES or any(base in VERBS and form == PAST for base, form in forms(word))


def _subject_ahead(place: Context, several: bool, verb: str) -> str | None:
    """The subject of a question, or of what begins like one ("Attached is a copy"), behind its verb."""
    ahead, right = place.ahead, place.right
    if not ahead:
        return None
    if ahead[0] in SUBJECTS:
        plural = ahead[0] in ("you", "we", "they", "i")
        return f"The subject '{right[0]}' takes '{verb.lower()}'." if plural == several else None
    thing = _thing_ahead(place, several)
    known = several or ahead[0] in DETERMINERS | SEVERAL | ONE
    return (
        f"The subject is '{thing}': {'several' if several else 'one'}, so the verb is '{verb}'."
        if thing and known
        else None
    )


def _thing_ahead(place: Context, several: bool) -> str:
    """The noun phrase behind the verb, if its number can be told by its form."""
    words = noun_phrase(place.right, plural=several)
    low = [word.lower() for word in words]
    if not words or {*low} & COLLECTIVES - {low[-1]}:
        return ""
    if several:
        return said(words) if is_plural(low[-1]) and low[0] not in ONE else ""
    return said(words) if low[0] in ("a", "an", "another", "one") and not is_plural(low[-1]) else ""


def noun_phrase(words: Sequence[str], most: int = 6, plural: bool = False) -> tuple[str, ...]:
    """The first words, with their determiner, up to a mark or a word that no noun phrase goes on with.

    What ends in -s may be the verb ("the application needs"), unless the phrase is to be `plural`.
    """
    near = words_until_mark(words, most)
    end = next(
        (
            at
            for at, word in enumerate(near)
            if word.lower() in CLOSED and (at or word.lower() not in DETERMINERS)
        ),
        len(near),
    )
    if plural:
        return near[: next((at + 1 for at, word in enumerate(near[:end]) if is_plural(word.lower())), end)]
    verb = next((at for at, word in enumerate(near[:end]) if at and is_third_person(word.lower())), end)
    return near[: max(verb, min(2, end))]


def is_third_person(word: str) -> bool:
    return any(base in VERBS and form == S for base, form in forms(word))


# ---- nouns, and the -s of verbs ----------------------------------------------------------------------------------------


def _ending_s(place: Context, lexicon: Lexicon) -> str | None:
    """report or reports: a noun's number, or a verb's."""
    found = pair(place.was[0], place.now[0], lexicon)
    if not found or ({S} not in (found.before, found.after)) or BASE not in found.before | found.after:
        return None
    added = S in found.after
    if not added and (
        said_so := after_auxiliary(
            place,
            frozenset([BASE]),
            sure=_takes_object(place) or not TO_VERBS.isdisjoint(place.behind[-2:-1]),
        )
    ):
        return said_so
    return (
        _called_for(place, added) or _verb(place, found.base, added) or _before_its_verb(place, added)
        or _describing(place, added) or _more_than_one(place, added)
    )  # fmt: skip


def _called_for(place: Context, added: bool) -> str | None:
    """A word before that goes with one, or with several: two, these, each, a."""
    now, behind = place.now[0], place.behind
    if place.was[0] == f"{now}s" and now in NEVER_PLURAL:
        return f"'{now}' has no plural in English."
    if added:
        for at in range(max(0, len(behind) - 5), len(behind) - 1):
            if (
                behind[at : at + 2] == ("one", "of")
                and behind[at + 2 : at + 3]
                and behind[at + 2] in DETERMINERS
            ):
                return f"After '{said(place.left[at : at + 3])}' comes the plural: '{place.after}'."
        if behind[-1:] == ("of",) and behind[-2:-1] and behind[-2] in _NUMBERS_OF:
            return (
                f"After '{said(place.left[-2:])}' what can be counted stands in the plural: '{place.after}'."
            )
    for back in (1, 2, 3):
        between = behind[len(behind) - back + 1 :]
        if len(behind) < back or any(
            not w.isalpha() or w in CLOSED or _is_verb_only(w) or is_plural(w) for w in between
        ):
            break
        word, shown = behind[-back], place.left[-back]
        counted = (
            word in SEVERAL
            or back == 1
            and word.isdigit()
            and 1 < int(word) < 1000
            and behind[-2:-1] != ("page",)
        )
        if added and counted:
            return f"'{shown}' calls for the plural: '{place.phrase(back=back, on=0)}'."
        if added and word in AMOUNTS:
            return (
                f"With '{shown}' what can be counted stands in the plural: '{place.phrase(back=back, on=0)}'."
            )
        if not added and word in ("a", "an", "each", "every", "another", "this", "one"):
            return f"'{shown}' goes with one thing: '{place.phrase(back=back, on=0)}'."
    return None


def _verb(place: Context, base: str, added: bool) -> str | None:
    """The -s of a verb whose subject can be seen."""
    behind = without_adverbs(place.behind)
    left = place.left[: len(behind)]
    last = behind[-1] if behind else ""
    if last in SUBJECTS:
        opens = len(behind) < 2 or behind[-2] in CLAUSE_OPENERS or not is_word(behind[-2])
        if added != (last in ("he", "she", "it")) or last in ("it", "you") and not opens:
            return None
        ending = "the verb ends in '-s'" if added else "the verb has no '-s'"
        return f"After '{left[-1]}' {ending}: '{said((left[-1], place.after))}'."
    if not (base in VERBS or _takes_object(place)) or place.ahead[:1] and place.ahead[0] in AUXILIARIES:
        return None
    if last in ("who", "which", "that") and (relative := _relative(left, not added, place.after)):
        return relative
    if last == "and" and added and (first := _verb_before(place)):
        return f"Two verbs of one subject have the same form: '{first} … and {place.after}'."
    if last in DETERMINERS | SEVERAL | ONE:
        return None
    if last == "what" and added:
        return f"'{left[-1]}' takes the form for one: '{said((left[-1], place.after))}'."
    goes_on = _takes_object(place) or place.ahead[:1] == ("to",) and place.now[0] in TO_VERBS
    return noun_subject(left, not added, place.after) if goes_on else None


def _verb_before(place: Context) -> str:
    """A verb in -s before an "and", with its object."""
    for word, following in pairwise(place.behind[:-1]):
        is_s = is_third_person(word)
        if is_s and following in ARTICLES | POSSESSIVES:
            return word
    return ""


def _takes_object(place: Context) -> bool:
    """Whether what follows shows that the word is a verb."""
    return (
        bool(place.ahead[:1])
        and place.ahead[0] in ARTICLES | POSSESSIVES | OBJECTS | _POINTERS | SEVERAL | ONE | AMOUNTS
    )


def _before_its_verb(place: Context, added: bool) -> str | None:
    """A noun that is the subject of the verb behind it: "The agents is" -> "The agent is"."""
    verb = place.ahead[0] if place.ahead else ""
    if verb not in (ONE_OF if added else MANY):
        return None
    phrase = (*place.left, place.after)
    away = not PREPOSITIONS.isdisjoint(word.lower() for word in _phrase_behind(phrase))
    if away or noun_subject(phrase, added, verb) is None:
        return None
    return f"'{verb}' goes with {'several' if added else 'one'}, so the noun stands in the {'plural' if added else 'singular'}: '{place.phrase()}'."


def _describing(place: Context, added: bool) -> str | None:
    """A word that describes the noun behind it: "customers service" -> "customer service"."""
    noun = place.ahead[0] if place.ahead else ""
    last = place.behind[-1] if place.behind else ""
    if (
        added
        or len(noun) < 3
        or not noun.isalpha()
        or noun in CLOSED | NO_NOUNS
        or noun.endswith("ly")
        or last in SUBJECTS | {"to"}
    ):
        return None
    if any(base in VERBS and form != BASE for base, form in forms(noun)) and not is_plural(noun):
        return None
    after = place.ahead[1] if len(place.ahead) > 1 else "."
    if noun in VERBS and is_word(after) and after not in AUXILIARIES or not _in_noun_phrase(place):
        return None  # "the curves look like this"
    return f"A word that describes the noun behind it has no plural '-s': '{place.phrase()}'."


def _more_than_one(place: Context, added: bool) -> str | None:
    """Where only the words before show that it is a noun."""
    if not added or place.now[0] in COLLECTIVES or not place.behind:
        return None
    back = _in_noun_phrase(place)
    if (
        not back
        or back > 1
        and _takes_object(place)
        or {"a", "an", "another", "this", "that"} & set(place.behind[-back:])
    ):
        return None
    surely = place.behind[-1].endswith(_OF_ADJECTIVES)
    if back > 1 and not surely and any(base in VERBS for base, _ in forms(place.now[0])):
        return None
    return f"The plural fits here, as more than one is meant: '{place.phrase(back=back, on=0)}'."


def _in_noun_phrase(place: Context) -> int:
    """How many words before stands a determiner or preposition that a noun must follow, 0 if none does."""
    for back, word in enumerate(place.behind[:-4:-1], 1):
        if word in _BEFORE_NOUNS:
            return back
        if not word.isalpha() or word in CLOSED or _is_verb_only(word) or is_plural(word):
            return 0
    return 0
