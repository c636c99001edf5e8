"""Forms of verbs: what an auxiliary, a preposition or a time calls for, and the small words that a verb needs beside it."""

from __future__ import annotations

from collections.abc import Sequence

from space.proofread.kinds import DETERMINERS, PREPOSITIONS
from space.proofread.lexicon import Lexicon
from space.proofread.reasons.classes import (
    ADVERBS,
    BARE_AFTER,
    BE,
    CLAUSE_OPENERS,
    CLOSED,
    DAYS,
    DO,
    GERUND_TO,
    GERUND_VERBS,
    HAVE,
    MODALS,
    MONTHS,
    OBJECTS,
    SPEECH,
    SUBJECTS,
    TIME,
    TO_VERBS,
    WH,
)  # fmt: skip
from space.proofread.reasons.context import Context, said
from space.proofread.reasons.forms import BASE, ING, PARTICIPLE, PAST, VERBS, forms, is_plural, pair
from space.proofread.words import is_word

_SUBJECT_ALWAYS = frozenset(("i", "we", "they", "he", "she"))
_FINITE_BE = frozenset(("am", "is", "are", "was", "were"))


def form(place: Context, lexicon: Lexicon) -> str | None:
    """A verb in another form."""
    was, now = place.was, place.now
    last = place.behind[-1] if place.behind else ""
    if (
        len(was) == 2
        and was[0] == "to"
        and len(now) == 1
        and now[0].endswith("ing")
        and last in GERUND_VERBS | PREPOSITIONS
    ):
        return (
            f"After '{place.left[-1]}' the verb ends in '-ing', without 'to': '{place.phrase(back=1, on=0)}'."
        )
    if len(was) == 1 and was[0].endswith("ing") and len(now) == 2 and now[0] == "to" and last in TO_VERBS:
        return f"After '{place.left[-1]}' comes 'to' and the basic form: '{place.phrase(back=1, on=0)}'."
    if not len(was) == len(now) == 1 or was == now:
        return None
    found = pair(was[0], now[0], lexicon)
    if not found:  # "have bee" -> "have been": a slip, in the place of a form
        new = frozenset(form for base, form in forms(now[0]) if base in VERBS)
        return after_auxiliary(place, new - {BASE}) if new and now[0] not in CLOSED - {"been"} else None
    new = found.after - found.before
    if said_so := after_auxiliary(
        place, new, sure=bool({ING, PAST, PARTICIPLE} & found.before), participle=PARTICIPLE in found.before
    ):
        return said_so
    last, second, third = (*place.behind[:-4:-1], "", "", "")[:3]
    if ING in new:
        if last in PREPOSITIONS - {"to"} | {"than"} or last in GERUND_VERBS:
            return f"After '{place.left[-1]}' the verb ends in '-ing': '{place.phrase(back=1, on=0)}'."
        if last == "to" and second in GERUND_TO:
            back = 3 if third.startswith("look") else 2
            return f"After '{said(place.left[-back:])}' the verb ends in '-ing': '{place.phrase(back=back, on=0)}'."
    if ING in found.before and ING not in found.after and last in SUBJECTS and new & {BASE, PAST}:
        return f"After '{place.left[-1]}' a verb in '-ing' needs a form of 'be'; alone it is '{place.after}'."
    if BASE in new:
        if last in OBJECTS and second in BARE_AFTER:
            return f"After '{said(place.left[-2:])}' the verb stands in its basic form: '{place.phrase(back=2, on=0)}'."
        if last in ("please", "help"):
            return (
                f"After '{place.left[-1]}' the verb stands in its basic form: '{place.phrase(back=1, on=0)}'."
            )
    if PAST in new and (time := _past_time(place)):
        return f"'{time}' is over, so the verb stands in the past: '{place.after}'."
    return None


def lasting(place: Context, lexicon: Lexicon) -> str | None:
    """The perfect of what is not over: "are here since May" -> "have been"."""
    now, since = place.now, {"since", "for", "yet", "already"}
    have = now[0].removesuffix("n't") if len(now) == 2 else ""
    if have not in ("have", "has") or HAVE & set(place.was) or not since & {*place.behind, *place.ahead}:
        return None
    if now[1] != "been" and PARTICIPLE not in {form for _, form in forms(now[1])}:
        return None
    return f"What began earlier and goes on until now takes '{have}': '{place.phrase(1)}'."


def after_auxiliary(
    place: Context, new: frozenset[str], sure: bool = False, participle: bool = False
) -> str | None:
    """The form that the verb must have after an auxiliary, or behind the subject of a question.

    `new` are the forms that the word has now and had not before; `sure`, that it is a verb also where a noun may
    follow "to"; `participle`, that it was one ("confused" or "confusing" is a matter of meaning).
    """
    behind = without_adverbs(place.behind)
    at = len(behind) - 1
    if at < 0:
        return None
    if behind[at] in SUBJECTS | {"anyone", "someone"} and at and behind[at - 1] in MODALS | DO | HAVE | BE:
        if at == 1 or behind[at - 2] in WH | {"and", "but", "or"} or not is_word(behind[at - 2]):
            at -= 1  # "did you received"
    helper, shown = behind[at], place.left[at]
    phrase = said((*(place.left[at:] if len(place.left) - at < 4 else (shown, "…")), place.after))
    if BASE in new and (
        helper in MODALS | DO
        or helper == "to"
        and sure
        and behind[at - 1 : at] not in [(g,) for g in GERUND_TO]
    ):
        return f"After '{shown}' the verb stands in its basic form: '{phrase}'."
    if PARTICIPLE in new and helper in HAVE:
        return f"After '{shown}' comes the past participle: '{phrase}'."
    if helper in BE and ING in new and helper != "being" and not participle:
        return f"After '{shown}' the '-ing' form tells what is going on or planned: '{phrase}'."
    if helper in BE and PARTICIPLE in new:
        return f"After '{shown}' the past participle tells what is or was done: '{phrase}'."
    return None


def without_adverbs(words: Sequence[str]) -> tuple[str, ...]:
    left = list(words)
    while len(left) > 1 and left[-1] in ADVERBS:
        left.pop()
    return tuple(left)


def _past_time(place: Context) -> str:
    words = (*place.left, *place.right)
    low = [word.lower() for word in words]
    if {"if", "since", "will", "would"} & set(low):
        return ""
    for at, word in enumerate(low):
        if word == "yesterday":
            return words[at]
        if word == "last" and low[at + 1 : at + 2] and low[at + 1] in TIME | DAYS | MONTHS | {"night"}:
            return said(words[at : at + 2])
        if word == "ago" and at > 1:
            return said(words[at - 2 : at + 1])
    return ""


def helper(place: Context, lexicon: Lexicon) -> str | None:
    """An auxiliary, "to", a subject or "that", which comes in or goes."""
    following = place.ahead[0] if place.ahead else ""
    last = place.behind[-1] if place.behind else ""
    if place.was == ("to",) and not place.now and last in MODALS:
        return f"After '{place.left[-1]}' the verb follows without 'to': '{place.phrase(back=1)}'."
    made_to = place.behind[-2:-1] and place.behind[-2] in ("let", "lets", "make", "makes", "made")
    if place.was == ("to",) and not place.now and last in OBJECTS and made_to:
        return f"After '{said(place.left[-2:])}' the verb follows without 'to': '{place.phrase(back=2)}'."
    if (
        place.was == ("will",)
        and not place.now
        and last in SUBJECTS
        and place.behind[-2:-1]
        and place.behind[-2] in ("if", "when", "until", "unless")
    ):
        return f"A clause with '{place.left[-2]}' speaks of the future without 'will': '{said((*place.left[-2:], *place.right[:1]))}'."
    if (
        place.was
        and place.was[0] in BE
        and len(place.was) == 1
        and not place.now
        and last in SUBJECTS
        and following in VERBS
    ):
        return f"'{place.right[0]}' is a full verb and takes no '{place.before}' before it: '{said((*place.left[-1:], *place.right[:1]))}'."
    if place.was or len(place.now) != 1:
        return None
    new = place.now[0]
    parts = {form for base, form in forms(following) if base in VERBS or lexicon.count(base) > 0}
    if new in SUBJECTS and last in MODALS | DO and len(place.behind) == 1:
        return f"In a question the subject stands behind '{place.left[-1]}': '{place.phrase(back=1)}'."
    if new in ("and", "or") and last.isalpha() and following.isalpha():
        return f"'{new}' joins what stands on both sides of it: '{place.phrase(back=1)}'."
    if new in _FINITE_BE and following.endswith("ing") and ING in parts:
        return f"'{place.right[0]}' needs a form of 'be' before it: '{place.phrase()}'."
    if (
        new == "been"
        and PARTICIPLE in parts
        and without_adverbs(place.behind)[-1:]
        and without_adverbs(place.behind)[-1] in HAVE
    ):
        return f"What is done to something takes 'been' before the past participle: '{place.phrase(back=1)}'."
    if new in ("have", "has", "had") and PARTICIPLE in parts:
        return f"'{place.after}' and the past participle go together: '{place.phrase()}'."
    if new == "be" and not (MODALS | {"to"}).isdisjoint(without_adverbs(place.behind)[-1:]):
        return f"After '{place.left[-1]}' a verb is needed: '{place.phrase(back=1)}'."
    if new in ("do", "does", "did") and following == "not":
        return f"A verb with 'not' takes a form of 'do': '{place.phrase()}'."
    if new in _FINITE_BE:
        return f"A sentence needs its verb: '{place.phrase(back=1)}'."
    if (
        new == "to"
        and last in TO_VERBS
        and following.isalpha()
        and following not in CLOSED - {"be", "have", "do"}
        and not is_plural(following)
    ):
        return f"Between '{place.left[-1]}' and the next verb stands 'to': '{place.phrase(back=1)}'."
    if new in _SUBJECT_ALWAYS or new in ("it", "you", "there") and following in MODALS | BE | HAVE | DO:
        return (
            f"A verb needs its subject: '{place.phrase()}'."
            if following.isalpha() and following not in DETERMINERS
            else None
        )
    if new in SUBJECTS and last in CLAUSE_OPENERS and following in VERBS:
        return f"A verb needs its subject: '{place.phrase()}'."
    if new == "that" and last in SPEECH:
        return f"'that' brings in what is said or thought: '{place.phrase(back=1)}'."
    return None
