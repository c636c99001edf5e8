"""Small words: articles, determiners, pronouns, prepositions, adverbs, and the phrases that they stand in."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import commonprefix

from space.proofread.kinds import ARTICLES, AUXILIARIES, PREPOSITIONS
from space.proofread.lexicon import Lexicon
from space.proofread.reasons.classes import (
    BE,
    DAYS,
    GOING,
    GOVERNED,
    MONTHS,
    NEVER_PLURAL,
    OBJECTS,
    PHRASES,
    POSSESSIVES,
    SENSES,
    SEVERAL,
    SUBJECTS,
    TIME,
    UNCOUNTABLE,
)  # fmt: skip
from space.proofread.reasons.context import Context, said, words_until_mark
from space.proofread.reasons.forms import BASE, PARTICIPLE, VERBS, forms, is_plural, is_verb, pair
from space.proofread.reasons.number import is_third_person, noun_phrase

_CASES = {
    subject: other
    for subject, other in (
        ("i", "me"),
        ("he", "him"),
        ("she", "her"),
        ("we", "us"),
        ("they", "them"),
        ("who", "whom"),
    )
}


# ---- articles and determiners -------------------------------------------------------------------------------------------


def article(place: Context, _: Lexicon) -> str | None:
    was, now, ahead = place.was, place.now, place.ahead
    if not set(was + now) <= ARTICLES or not was + now or len(was) > 1 or len(now) > 1:
        return None
    if {*was, *now} == {"a", "an"}:
        sound = "vowel" if now == ("an",) else "consonant"
        return f"'{place.after}' stands before a {sound} sound: '{place.phrase()}'."
    if phrase := _fixed(place):
        return phrase
    following = ahead[0] if ahead else ""
    noun = noun_phrase(place.right, 4)
    shown = said((*place.come, *noun))
    if now == ("the",) and noun:
        if _is_superlative(ahead):
            return f"A superlative takes 'the': '{shown}'."
        if following in ("same", "following", "first", "second", "third", "only", "whole", "entire"):
            return f"'{place.right[0]}' takes 'the': '{shown}'."
        contrast = "; 'a' would mean any one" if was else ""
        return f"'the' points to a particular one: '{shown}'{contrast}."
    if now:
        if not noun or any(
            is_plural(word.lower())
            for word in noun[:1] + (noun[1:] if not is_third_person(noun[-1].lower()) else ())
        ):
            return None
        contrast = "; 'the' would mean a particular one" if was else ""
        return (
            f"A single thing that can be counted takes 'a' or 'an' when it is any one: '{shown}'{contrast}."
        )
    return _no_article(place, was[0], following)


def _no_article(place: Context, article: str, following: str) -> str | None:
    if not following or following in ".,;:!?" or following in PREPOSITIONS | AUXILIARIES:
        return f"An article needs a noun behind it, so '{article}' goes."
    if following in POSSESSIVES | {"this", "that", "these", "those"}:
        return f"'{place.right[0]}' already says which one, so no article stands beside it."
    last = place.behind[-1] if place.behind else ""
    if last in POSSESSIVES | {"any", "this", "that", "these", "those", "no", "some", "each", "every"}:
        return f"'{place.left[-1]}' stands in place of an article, so no '{article}' follows it."
    if article == "the":
        if following in ("next", "last") and place.ahead[1:2] and place.ahead[1] in TIME | DAYS | MONTHS:
            return f"Counted from today, '{said(place.right[:2])}' takes no 'the'."
        if following in DAYS | MONTHS:
            return f"Days and months take no 'the': '{place.right[0]}'."
        noun = noun_phrase(place.right, 4)
        if not noun or noun[0].lower() in SEVERAL:
            return None
        if is_plural(noun[-1].lower()) or noun[-1].lower() in UNCOUNTABLE:
            return f"Without 'the', things are meant in general: '{said(noun)}'."
        if all(word[0].isupper() for word in noun):
            return f"A name mostly stands without 'the': '{said(noun)}'."
        return None
    if following in NEVER_PLURAL:
        return f"'{following}' cannot be counted, so it takes no '{article}'."
    noun = noun_phrase(place.right, 3)
    if (
        is_plural(following)
        or len(noun) > 1
        and is_plural(noun[1].lower())
        and not is_third_person(noun[1].lower())
    ):
        return f"'{article}' means one, so it does not go with the plural '{said(noun)}'."
    return None


def _is_superlative(ahead: Sequence[str]) -> bool:
    if not ahead:
        return False
    first = ahead[0]
    return first in ("best", "worst", "most", "least", "latest") or (
        len(first) > 5 and first.endswith("est") and first not in ("request", "interest", "honest", "forest", "invest", "suggest", "harvest", "manifest", "protest", "contest", "modest")
    )  # fmt: skip


def determiner(place: Context, _: Lexicon) -> str | None:
    was, now = place.was, place.now
    if not len(was) == len(now) == 1:
        return None
    pairs = {"this": "these", "that": "those"}
    following = place.ahead[0] if place.ahead else ""
    near = [word for word in words_until_mark(place.ahead, 2) if word.isalpha()]
    if now[0] in ("these", "those") and was[0] in pairs:
        noun = next((at for at, word in enumerate(near) if is_plural(word)), None)
        if noun is not None:
            return f"'{place.after}' goes with the plural: '{place.phrase(on=noun + 1)}'."
        return f"'{was[0]}' goes with one thing, '{now[0]}' with several."
    if was[0] in ("these", "those") and now[0] in pairs:
        shown = "" if is_plural(following) else f": '{place.phrase()}'"
        return f"'{was[0]}' goes with several things, '{now[0]}' with one{shown}."
    if {was[0], now[0]} in ({"much", "many"}, {"less", "fewer"}):
        many = now[0] in ("many", "fewer")
        if many != is_plural(following):
            return f"'{place.after}' goes with what {'can' if many else 'cannot'} be counted."
        return f"'{place.after}' goes with what {'can' if many else 'cannot'} be counted: '{place.phrase()}'."
    subjects, objects = POSSESSIVES, OBJECTS | SUBJECTS
    if now[0] in subjects and was[0] in objects and following.isalpha() and {was[0], now[0]} != {"her"}:
        return f"'{place.after}' says whose it is: '{place.phrase()}'."
    last = place.behind[-1] if place.behind else ""
    if was[0] in POSSESSIVES and now[0] in OBJECTS and was != now and (last in PREPOSITIONS or is_verb(last)):
        return f"'{now[0]}' is the object of '{place.left[-1]}'; '{was[0]}' says whose something is."
    return _case(place, was[0], now[0])


def _case(place: Context, was: str, now: str) -> str | None:
    """I or me, he or him."""
    last = place.behind[-1] if place.behind else ""
    if _CASES.get(was) == now:
        if last in PREPOSITIONS:
            return f"After '{place.left[-1]}' comes '{now}', not '{place.before}'."
        return f"'{place.before}' is the subject of a verb; as its object it becomes '{now}'."
    if _CASES.get(now) == was and was != "her":
        return f"As the subject of a verb it is '{place.after}', not '{was}'."
    return None


# ---- prepositions ---------------------------------------------------------------------------------------------------------


def preposition(place: Context, _: Lexicon) -> str | None:
    was, now, ahead = place.was, place.now, place.ahead
    words = set(was + now)
    if not words <= PREPOSITIONS | {"as", "than"} or len(was) > 1 or len(now) > 1 or not words:
        return None
    last = place.behind[-1] if place.behind else ""
    if not now:
        if (
            was[0] in ("on", "in", "at")
            and ahead[:1]
            and ahead[0] in ("next", "last", "this", "every")
            and ahead[1:2]
            and ahead[1] in TIME | DAYS | MONTHS | {"morning", "evening", "afternoon"}
        ):
            return f"Before '{said(place.right[:2])}' stands no preposition."
        if (
            was[0] in ("on", "in", "at", "to")
            and ahead[:1]
            and ahead[0] in ("tomorrow", "yesterday", "today", "abroad", "home", "here", "there")
        ):
            return f"Before '{place.right[0]}' stands no preposition."
        if "" in GOVERNED.get(last, ()):
            return f"'{place.left[-1]}' takes no preposition: '{said((*place.left[-1:], *place.right[:2]))}'."
        return None
    new = now[0]
    if (
        new == "by"
        and any(form == PARTICIPLE for _, form in forms(last))
        and not any(form == BASE and base in VERBS for base, form in forms(last))
        and BE & set(place.behind[-4:])
    ):
        return f"'by' names who or what does it: '{said((*place.left[-1:], *place.come, *noun_phrase(place.right, 3)))}'."
    found = _time(place, new) or _fixed(place)
    if found:
        return found
    if new in GOVERNED.get(last, ()) and not (was and was[0] in GOVERNED.get(last, ())):
        return f"'{place.left[-1]}' is followed by '{place.after}': '{said((*place.left[-1:], *place.come, *noun_phrase(place.right, 3)))}'."
    if new in ("to", "into") and was and was[0] in ("in", "at", "on") and set(place.behind[-3:]) & GOING:
        return f"'{place.after}' says where someone or something goes: '{place.phrase(on=2)}'."
    if new == "than" and (
        any(
            word in ("more", "less", "rather", "other", "fewer") or len(word) > 4 and word.endswith("er")
            for word in place.behind[-4:]
        )
    ):
        return f"A comparison goes on with 'than': '{place.phrase(back=1)}'."
    if new == "as" and {"as", "same", "such"} & set(place.behind[-4:]):
        return f"'as' or 'same' goes on with 'as': '{place.phrase(back=1)}'."
    return None


def _time(place: Context, new: str) -> str | None:
    ahead, was = place.ahead, place.was[0] if place.was else ""
    first, second = (*ahead[:2], "", "")[:2]
    phrase = place.phrase(on=2)
    number = first.isdigit() or first in SEVERAL or first in ("a", "an", "one")
    if new == "on" and (
        first in DAYS or first in MONTHS and second[:1].isdigit() or first[:1].isdigit() and second in MONTHS
    ):
        return f"Days and dates take 'on': '{phrase if first not in DAYS else place.phrase()}'."
    if new == "in" and (
        first in MONTHS
        and not second[:1].isdigit()
        or first.isdigit()
        and len(first) == 4
        and first[:2] in ("19", "20")
    ):
        return f"Months and years take 'in': '{place.phrase()}'."
    if new == "in" and first == "the" and second in ("morning", "afternoon", "evening"):
        return f"The parts of a day take 'in': '{phrase}'."
    if new == "at" and (
        first in ("noon", "midnight", "night")
        or first.isdigit()
        and len(first) < 3
        and second in ("am", "pm", "o'clock", "a", "p", ":")
    ):
        return (
            f"Times of the clock take 'at': '{phrase}'."
            if first.isdigit()
            else f"The word before '{first}' is 'at': '{place.phrase()}'."
        )
    if {new, was} in ({"by", "until"}, {"by", "till"}):
        if new == "by":
            return f"'by' names a deadline, '{was}' runs up to a moment: '{phrase}'."
        return f"'{new}' runs up to a moment, 'by' names a deadline: '{phrase}'."
    lasting = (
        number
        and TIME & set(ahead[1:3])
        or first == "the"
        and second in ("next", "last", "past", "first")
        and TIME & set(ahead[2:4])
    )
    if new == "for" and was and was != "within" and lasting:
        return f"'for' gives a length of time: '{place.phrase(on=2)}'."
    if new == "since" and was in ("for", "from") and not number:
        return f"'since' names the moment at which something began: '{phrase}'."
    if {new, was} == {"between", "among"}:
        return "'between' names the sides one by one, 'among' takes them as a group."
    return None


def _fixed(place: Context) -> str | None:
    """A phrase of the list that the edit completes."""
    low = (*place.behind, *place.now, *place.ahead)
    words = (*place.left, *place.come, *place.right)
    begin, end = len(place.left), len(place.left) + len(place.come)
    best: tuple[str, ...] = ()
    for start in range(
        max(0, begin - 5), begin + bool(place.come)
    ):  # of words that only go, a phrase that closes the gap
        for stop in range(max(end + (not place.come), start + 2), min(len(low), end + 5) + 1):
            before = (*low[start:begin], *place.was, *low[end:stop])
            if (
                low[start:stop] in PHRASES
                and not (place.was and before in PHRASES)
                and stop - start > len(best)
            ):
                best = words[start:stop]
    return f"The phrase is '{said(best)}'." if best else None


def phrase(place: Context, _: Lexicon) -> str | None:
    """A phrase that any other words complete."""
    return _fixed(place)


def sense(place: Context, _: Lexicon) -> str | None:
    """What a preposition says that has one sense, and the other that gives way."""
    if (
        not len(place.now) == len(place.was) == 1
        or not {*place.now, *place.was} <= {*SENSES}
        or not place.right
    ):
        return None
    new, old = place.now[0], place.was[0]
    return f"'{new}' {SENSES[new]}: '{said((*place.come, *noun_phrase(place.right, 4)))}'; '{old}' {SENSES[old]}."


# ---- adverbs, and words one by one -----------------------------------------------------------------------------------------


# Endings that tell what a word is.
_ENDINGS = (
    (("tion", "sion", "ment", "ness", "ity", "ance", "ence"), "the noun"),
    (("ful", "ous", "able", "ible", "ive", "less", "ical"), "the adjective, which describes a thing"),
)


def _by_ending(place: Context, lexicon: Lexicon) -> str | None:
    """A word of another class from the same stem: "succeed" -> "success" is none that ends so, "develop" -> "development" is."""
    was, now = place.was[0], place.now[0]
    stem = commonprefix([was, now])
    if pair(was, now, lexicon) or is_plural(was):
        return None
    for endings, what in _ENDINGS:
        if now.endswith(endings) and not was.endswith(endings) and len(stem) > 3 and 2 * len(stem) > len(now):
            return f"'{place.after}' is {what}: '{place.phrase()}'."
    return None


def adverb(place: Context, lexicon: Lexicon) -> str | None:
    was, now = place.was, place.now
    if len(was) == len(now) == 1:
        for short, long in ((was[0], now[0]), (now[0], was[0])):
            stems = {f"{short}ly", f"{short[:-1]}ily", f"{short[:-1]}y", f"{short}ally"}
            if long.endswith("ly") and long in stems and len(short) > 3:
                if long == now[0]:
                    return f"'{place.after}' is the adverb: it says how something is done or is; '{short}' describes a thing."
                return f"'{place.after}' describes a thing or person; the adverb '{long}' says how something is done."
    if len(was) == len(now) == 1 and (found := _by_ending(place, lexicon)):
        return found
    if (
        was in (("more",), ("most",))
        and not now
        and place.ahead[:1]
        and (place.ahead[0].endswith(("er", "est")) or place.ahead[0] in ("better", "worse"))
    ):
        return f"'{place.right[0]}' already compares, without '{place.before}'."
    if (
        set(was) == {"some"}
        and set(now) == {"any"}
        and ({"not", "no", "never"} & set(place.behind) or any(word.endswith("n't") for word in place.behind))
    ):
        return f"After a 'not' stands 'any': '{place.phrase()}'."
    return None
