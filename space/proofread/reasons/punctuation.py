"""Which rule a mark follows that comes in, goes or changes, as far as its sentence shows it; None where it does not."""

from __future__ import annotations

from collections.abc import Callable

from space.proofread.kinds import AUXILIARIES, DETERMINERS, PREPOSITIONS
from space.proofread.reasons.classes import (
    CLAUSE_OPENERS,
    CONJUNCTIONS,
    DAYS,
    GREETINGS,
    MODALS,
    MONTHS,
    OPENERS,
    PHRASES,
    SPEECH,
    SUBJECTS,
    SUBORDINATORS,
)  # fmt: skip
from space.proofread.reasons.context import Context, said, words_until_mark
from space.proofread.reasons.forms import ING, VERBS, forms, is_verb
from space.proofread.words import is_word, read_list

NAMES = {
    ",": "a comma", ".": "a full stop", "?": "a question mark", "!": "an exclamation mark", ":": "a colon",
    ";": "a semicolon", "-": "a hyphen", "–": "a dash", "—": "a dash", "'": "an apostrophe", '"': "a quotation mark",
    "(": "a bracket", ")": "a bracket", "/": "a slash", "…": "three dots",
}  # fmt: skip
_CLOSINGS = frozenset(tuple(row[0].split()) for row in read_list("closings"))
_ASIDES = (("for", "example"), ("for", "instance"), ("of", "course"), ("however",), ("therefore",), ("too",), ("though",), ("then",), ("in", "fact"), ("in", "particular"), ("by", "the", "way"), ("as", "well"), ("please",), ("perhaps",), ("indeed",), ("instead",), ("etc",), ("respectively",))  # fmt: skip
_SHOWN = 4  # words of an opening phrase that a line quotes


def rule(place: Context) -> str | None:
    """The rule that the mark follows, in one line; None if none can be seen, or no mark alone is changed."""
    gone, come = place.before, place.after
    if any(map(is_word, (*place.gone, *place.come))):
        return None
    if come == "," and not gone:
        return next((found for each in _COMMA if (found := each(place))), None)
    if gone == "," and not come:
        return _no_comma(place)
    if come == "?" and gone in ("", ".", "!", ","):
        return f"A question ends with a question mark: '{_end(place)}?'."
    if come in (".", "!", "?") and gone and set(gone) <= set(".!?,;") and len(gone) > 1:
        return "One mark ends a sentence."
    if come == "." and not place.right:
        if gone == "?":
            return "What is no question ends with a full stop."
        return f"A sentence ends with a full stop: '{_end(place)}.'."
    if come == "." and place.right and gone in ("", ",", ";"):
        alone = (
            "A comma alone does not join two sentences"
            if gone == ","
            else "Two sentences need a mark between them"
        )
        return f"{alone}: '… {said(place.left[-1:])}. {said(words_until_mark(place.right, 1))}'."
    if come == ";" and gone == ",":
        return "A semicolon joins two sentences; a comma is too weak for that."
    if come == ":" and not place.right:
        return "A colon announces what follows."
    if not come and gone in (".", "?", "!") and place.left and not is_word(place.left[-1]):
        return "One mark ends a sentence."
    return None


def sentence_begins(place: Context) -> str | None:
    """A comma that becomes a full stop, with the capital behind it."""
    if (
        place.come[:1]
        and place.come[0] in (".", "?", "!")
        and len(place.come) == 2
        and len(place.gone) in (1, 2)
    ):
        word, was = place.come[1], place.gone[-1]
        if word.lower() == was.lower() and word[0].isupper():
            return f"A new sentence begins here, with a capital: '{said((word, *words_until_mark(place.right, 1)))}'."
    return None


def _end(place: Context) -> str:
    words = [word for word in place.left[-3:] if is_word(word)]
    return ("… " if len(place.left) > len(words) else "") + said(words)


# ---- a comma that comes in ----------------------------------------------------------------------------------------------


def _greeting(place: Context) -> str | None:
    words = place.behind
    if place.right or not words or len(words) > 4:
        return None
    if words[0] in GREETINGS or words[:2] in (
        ("good", "morning"),
        ("good", "afternoon"),
        ("good", "evening"),
    ):
        return f"A comma ends the greeting: '{said(place.left)},'."
    return f"A comma ends the closing: '{said(place.left)},'." if words in _CLOSINGS else None


def _name_spoken_to(place: Context) -> str | None:
    ends = not place.right[1:2] or not is_word(place.right[1])
    if (
        place.behind in (("thanks",), ("thank", "you"), ("hi",), ("hello",), ("yes",), ("no",), ("sorry",))
        and place.right
    ):
        if place.right[0].istitle() and ends and place.ahead[0] not in SUBJECTS:
            return f"A comma stands before the name of the person spoken to: '{said((*place.left, ',', place.right[0]))}'."
    return None


def _opening(place: Context) -> str | None:
    """An opening word, phrase or clause, with the main clause behind it."""
    left, behind, ahead = place.left, place.behind, place.ahead
    begins = len(left) - next((at for at, word in enumerate(reversed(left)) if not is_word(word)), len(left))
    if not behind[begins:] or not ahead or begins > 2 and left[begins - 1] not in (";", ":"):
        return None
    if behind[begins] in CONJUNCTIONS and len(left) - begins > 2:
        begins += 1
    first, opening = behind[begins], left[begins:]
    rest = said(words_until_mark(place.right, 1))
    if len(opening) == 1 and (first in OPENERS or len(first) > 4 and first.endswith("ly")):
        return f"A comma stands after an opening '{opening[0]}': '{opening[0]}, {rest}'."
    if len(opening) > 1 and behind[begins:] in PHRASES:
        return f"A comma stands after an opening '{said(opening)}': '{said(opening)}, {rest}'."
    begun = ahead[0].split("'")[0]
    main = (
        begun in SUBJECTS | DETERMINERS | {"please", "there", "here", "let", "what"}
        or place.right[0].istitle()
    )
    main = main or ahead[0] in MODALS | AUXILIARIES and len(ahead) > 1 and ahead[1] in SUBJECTS
    if not main or len(opening) < 2:
        return None
    shown = said(opening) if len(opening) <= _SHOWN else f"{said(opening[:_SHOWN])} …"
    subjects = any(word in SUBJECTS | AUXILIARIES for word in behind[begins:])
    if first in SUBORDINATORS - PREPOSITIONS or first in SUBORDINATORS and subjects:
        return f"A comma stands between an opening clause with '{opening[0]}' and the main one: '{shown}, {rest}'."
    if first in PREPOSITIONS | {"as", "due", "according"} and not subjects:
        what = "part" if any(map(is_verb, behind[begins + 1 :])) else "phrase"
        return f"A comma stands after an opening {what}: '{shown}, {rest}'."
    return None


def _second_clause(place: Context) -> str | None:
    """and, but or so before a clause with a subject of its own."""
    ahead = place.ahead
    if len(ahead) < 3 or ahead[0] not in CONJUNCTIONS or ahead[:2] == ("so", "that") or not _has_verb(place):
        return None
    clause = ahead[1] in SUBJECTS | {
        "there",
        "please",
        "i'm",
        "i'll",
        "i've",
        "i'd",
        "it's",
        "that's",
        "we'll",
        "we're",
        "we've",
        "they're",
    }
    clause = clause or ahead[1] in ("this", "that", "these", "those") and ahead[2] in AUXILIARIES
    clause = clause or ahead[1] in DETERMINERS and len(ahead) > 3 and ahead[3] in AUXILIARIES
    if ahead[0] == "but" and not clause:
        return f"A comma stands before a 'but' that sets a contrast: ', {said(words_until_mark(place.right, 3))}'."
    if clause:
        return f"A comma stands before '{place.right[0]}' where a second clause begins: ', {said(words_until_mark(place.right, 3))}'."
    return None


def _contrast(place: Context) -> str | None:
    if (
        place.ahead[:1]
        and place.ahead[0] in ("although", "though", "whereas")
        and _has_verb(place)
        and len(place.ahead) > 3
    ):
        return f"A comma stands before a clause with '{place.right[0]}' that sets a contrast."
    return None


def _has_verb(place: Context) -> bool:
    return any(word in AUXILIARIES or is_verb(word) for word in place.behind)


def _list(place: Context) -> str | None:
    """The items of a list: another comma in reach and an "and" or "or" before the last."""
    behind, ahead = place.behind, place.ahead
    if ahead[:1] and ahead[0] in ("and", "or") and "," in behind[-5:]:
        return f"Commas part the items of a list, also before '{place.right[0]}': '{said((*place.left[-1:], ',', *words_until_mark(place.right, 2)))}'."
    near = ahead[:4]
    if (
        "," in near
        and near.index(",") > 0
        and any(word in ("and", "or") for word in ahead[near.index(",") : near.index(",") + 4])
    ):
        return f"Commas part the items of a list: '{said((*place.left[-1:], ',', *words_until_mark(place.right, 1)))}'."
    return None


def _aside(place: Context) -> str | None:
    behind, ahead = place.behind, place.ahead
    for words in _ASIDES:
        stops = (
            len(ahead) == len(words) or not is_word(ahead[len(words)]) if len(ahead) >= len(words) else False
        )
        if ahead[: len(words)] == words and stops:
            return f"A comma parts '{said(words)}' from the rest: ', {said(words)}'."
        if behind[-len(words) :] == words and len(behind) > len(words) and behind[-len(words) - 1] == ",":
            return f"Commas stand on both sides of '{said(words)}'."
    if (
        ahead[:1]
        and ahead[0] in ("which", "where", "who")
        and behind
        and behind[-1] not in PREPOSITIONS | AUXILIARIES | CONJUNCTIONS
    ):
        return f"A comma before '{place.right[0]}' makes what follows a remark, beside the point."
    return None


def _date(place: Context) -> str | None:
    behind, ahead = place.behind[-1:], place.ahead
    if not behind or not ahead:
        return None
    if behind[0].isdigit() and len(ahead[0]) == 4 and ahead[0].isdigit():
        return f"A comma parts the day from the year: '{said((*place.left[-2:], ',', place.right[0]))}'."
    if behind[0] in DAYS and (ahead[0] in MONTHS or ahead[0].isdigit()):
        return f"A comma parts the day of the week from the date: '{said((*place.left[-1:], ',', *place.right[:2]))}'."
    return None


def _added(place: Context) -> str | None:
    """What an -ing form or the like adds to a finished clause."""
    first = place.ahead[0] if place.ahead else ""
    adds = first.endswith("ing") and any(base in VERBS and form == ING for base, form in forms(first))
    if (
        adds
        and _has_verb(place)
        and place.behind[-1] not in PREPOSITIONS | DETERMINERS | AUXILIARIES | CLAUSE_OPENERS
    ):
        return f"A comma parts what '{place.right[0]}' adds from the clause before it: ', {said(words_until_mark(place.right, 2))}'."
    return None


_COMMA: tuple[Callable[[Context], str | None], ...] = (
    _greeting, _name_spoken_to, _date, _second_clause, _list, _opening, _aside, _contrast, _added,
)  # fmt: skip


# ---- a comma that goes -----------------------------------------------------------------------------------------------------


def _no_comma(place: Context) -> str | None:
    behind, ahead = place.behind, place.ahead
    last, following = behind[-1] if behind else "", ahead[0] if ahead else ""
    if last in CONJUNCTIONS and not place.right[:1] == ("however",):
        return f"No comma stands after '{place.left[-1]}': '{said((*place.left[-1:], *place.right[:1]))}'."
    if (
        last in PREPOSITIONS
        and following
        and last
        not in ("before", "after", "since", "on", "in", "up", "out", "over", "through", "by", "down", "off")
    ):
        return f"No comma parts '{place.left[-1]}' from its noun: '{said((*place.left[-1:], *place.right[:2]))}'."
    if following == "that" and last in SPEECH:
        return f"No comma stands before 'that' when it brings in what is said or thought: '{said((*place.left[-1:], *place.right[:1]))}'."
    if (
        following in ("because", "if", "until", "unless")
        and _has_verb(place)
        and "," not in behind
        and behind[0] not in SUBORDINATORS
    ):
        return f"No comma is needed before '{following}' when its clause comes second."
    if (
        following in ("and", "or")
        and "," not in behind
        and len(ahead) > 1
        and ahead[1] not in SUBJECTS
        and not {"there", "please"} & {ahead[1]}
    ):
        return f"No comma is needed between two parts that '{following}' joins."
    opens = behind[0] in PREPOSITIONS | SUBORDINATORS | OPENERS if behind else True
    if following in AUXILIARIES and "," not in behind and not opens and not SUBJECTS & set(behind):
        return f"No comma parts the subject from its verb: '{said((*place.left[-1:], *place.right[:2]))}'."
    if (
        following in ("at", "in", "on", "to", "from", "by", "for", "with")
        and "," not in (*behind, *ahead[:6])
        and _has_verb(place)
    ):
        return f"A phrase with '{following}' mostly follows its verb without a comma: '{said((*place.left[-1:], *place.right[:2]))}'."
    if following == "of":
        return f"A phrase with 'of' follows its word without a comma: '{said((*place.left[-1:], *place.right[:2]))}'."
    if last in ("please", "dear") and following:
        return (
            f"No comma stands after '{place.left[-1]}' here: '{said((*place.left[-1:], *place.right[:1]))}'."
        )
    return None
