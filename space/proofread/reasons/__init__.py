"""Why a change was made: the rule, with the words of its sentence; where no rule can be known, plainly what fits better.

    reason(edit, lexicon, draft)      # "After 'have' comes the past participle: 'have received'."

An editor's line teaches: it says what holds in general and shows it in the words at hand. A rule is named only where the two texts
and the sentence around show that it is this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rapidfuzz.distance import OSA

from space.proofread.dialect import DIALECTS, Dialect
from space.proofread.edits import Edit
from space.proofread.kinds import SOFTENERS, confused, sounds_like
from space.proofread.lexicon import Lexicon
from space.proofread.reasons import grammar, punctuation
from space.proofread.reasons.classes import CLOSED
from space.proofread.reasons.context import Context, context, plain, said, words_until_mark
from space.proofread.reasons.forms import pair
from space.proofread.words import WORD, is_word, read_list, word_set

_LONGEST = 48  # characters of a text that a line quotes
_LONGEST_LINE = 240
_RARE = 500  # occurrences in the word list; a rarer word was hardly meant
_DAYS, _MONTHS = word_set("usage", "days"), word_set("usage", "months")
_COUNTRIES = frozenset(word for (row,) in read_list("calendar") for word in row.split()) - _DAYS - _MONTHS - frozenset(
    "mon tue tues wed thu thur thurs fri sat sun jan feb mar apr jun jul aug sep sept oct nov dec today todays tomorrow "
    "tomorrows yesterday yesterdays tonight noon midnight christmas easter".split()
)  # fmt: skip
_HOLIDAYS = frozenset(("christmas", "easter"))
_CONTRACTED = {"n't": "not", "'re": "are", "'ve": "have", "'ll": "will", "'m": "am"}
_WHOLE = {"can't": "cannot", "won't": "will not", "shan't": "shall not", "let's": "let us", "ain't": "am not"}
_MAY_BE = frozenset("he here how it she that there what where who".split())  # before "is" or "has", cut short
_PREFIXES = frozenset("co re pre non ex self multi anti semi mid".split())


def reason(change: Edit, lexicon: Lexicon | None = None, text: str = "", others: Iterable[Edit] = ()) -> str:
    """One line on why the change of `text` was made; the shipped `lexicon` says which words are known, unless one is given.

    `others` are the changes that are made beside it.

    >>> reason(Edit(4, 10, "colour", "color", "spelling"))
    "'color' is the American spelling of 'colour'."
    """
    lexicon = lexicon or Lexicon.load()
    place = context(change, text, others)
    line = " ".join((_rule(change, place, lexicon) or _plainly(place, lexicon)).split())
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1].rstrip() + "…"


def _rule(change: Edit, place: Context, lexicon: Lexicon) -> str | None:
    if max(len(place.before), len(place.after)) > _LONGEST:
        return _kinder(change)
    of_grammar = change.kind in ("agreement", "verb form")  # "will sent" is no matter of 'send' and 'sent'
    return (
        _kinder(change)
        or _spaces(place)
        or _repeated(place)
        or _dialect(place)
        or _capital(place, lexicon)
        or (grammar.rule(place, lexicon) if of_grammar else None)
        or _confused(place)
        or _joined(place)
        or punctuation.rule(place)
        or punctuation.sentence_begins(place)
        or _misspelt(change, place, lexicon)
        or grammar.rule(place, lexicon)
        or _slip(change, place, lexicon)
        or _word_by_word(change, place, lexicon)
    )


def _word_by_word(change: Edit, place: Context, lexicon: Lexicon) -> str | None:
    """The rules of words that changed together, of as many as there were: "report was" to "reports were"."""
    if not 1 < len(place.gone) == len(place.come) < 4:
        return None
    found = []
    for at, (was, becomes) in enumerate(zip(place.gone, place.come, strict=True)):
        if was != becomes:
            left, right = (*place.left, *place.come[:at]), (*place.come[at + 1 :], *place.right)
            found.append(_rule(change, Context((was,), (becomes,), left, right), lexicon))
    return " ".join(filter(None, dict.fromkeys(found))) if found and all(found) else None


# ---- what no rule explains ----------------------------------------------------------------------------------------------


def _plainly(place: Context, lexicon: Lexicon) -> str:
    """What was changed, and the words as they now stand."""
    before, after = _short(place.before), _short(place.after)
    beside = " ".join(map(_short, (said(place.left[-1:]), after, said(words_until_mark(place.right, 1)))))
    if not place.gone and not place.come:
        return "Fits better here with these blanks."
    if not place.come:
        if before == ",":
            return f"No comma stands between words that belong together: '{said((*place.left[-1:], *place.right[:1]))}'."
        name = punctuation.NAMES.get(before)
        return f"No need for {name} here." if name else f"Reads better without '{before}'."
    if not place.gone:
        if after == "," and place.left and place.right:
            return f"A comma marks where another part of the sentence begins: '{said((*place.left[-1:], ',', *place.right[:1]))}'."
        name = punctuation.NAMES.get(after)
        if name:
            last = _short(said(place.left[-1:]))
            return f"Reads better with {name} after '{last}'." if last else f"Reads better with {name}."
        return f"'{after}' was missing: '{said(beside.split())}'."
    name = punctuation.NAMES.get(after)
    if name:
        return f"Fits better here: {name}."
    form = _form(place, lexicon)
    if form:
        return f"Fits this sentence better: {form}."
    return f"Fits this sentence better: '{said(beside.split())}'."


def _form(place: Context, lexicon: Lexicon) -> str:
    """Of two forms of one verb that look like nothing else, what the new one is."""
    if not len(place.was) == len(place.now) == 1:
        return ""
    found = pair(place.was[0], place.now[0], lexicon)
    names = {"past": "the past", "participle": "the past participle", "ing": "the '-ing' form"}
    new = sorted(found.after - found.before) if found else []
    if not found or not new or new[0] not in names or found.base == place.now[0]:
        return ""
    what = "the past form" if new == ["participle", "past"] else names[new[0]]
    return f"'{place.after}', {what} of '{found.base}'"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


# ---- tone, blanks, words written twice --------------------------------------------------------------------------------------


def _kinder(change: Edit) -> str | None:
    after = " ".join(change.after.split())
    low = after.lower()
    polite = set(low.split()) & SOFTENERS and not change.before.strip()
    if change.source != "polish" and not polite:
        return None
    if "could you" in low or "would you" in low:
        return f"A question asks more kindly than an order: '{_short(after)}'."
    if "please" in low:
        return f"A 'please' makes an order a request: '{_short(after)}'."
    if "as soon as you can" in low:
        return "'as soon as you can' leaves the reader time; an order to hurry does not."
    if "unfortunately" in low or "afraid" in low:
        return f"'{_short(after)}' shows regret before it complains."
    if "would like" in low:
        return f"'{_short(after)}' wishes; 'want' demands."
    if after in (".", "?") or not after:
        return "Without an exclamation mark it sounds calmer." if "!" in change.before else _softer(change)
    return _softer(change)


def _softer(change: Edit) -> str:
    after = " ".join(change.after.split())
    return (
        f"Sounds kinder: '{_short(after)}'."
        if after
        else f"Sounds kinder without '{_short(' '.join(change.before.split()))}'."
    )


def _spaces(place: Context) -> str | None:
    if place.gone or place.come:
        return None
    ahead = place.right[0] if place.right else ""
    last = place.left[-1] if place.left else ""
    if ahead in (",", ".", ";", ":", "?", "!"):
        return f"No blank stands before {punctuation.NAMES[ahead]}."
    if last in (",", ".", ";", ":", "?", "!"):
        return f"One blank follows {punctuation.NAMES[last]}."
    return "One blank stands between two words."


def _repeated(place: Context) -> str | None:
    """A word that was written twice."""
    if place.come or len(place.gone) != 1 or not is_word(place.gone[0]):
        return None
    word = place.was[0]
    twice = place.behind[-1:] == (word,) or place.ahead[:1] == (word,)
    return f"'{place.before}' was written twice." if twice else None


# ---- spelling ---------------------------------------------------------------------------------------------------------------


def _dialect(place: Context) -> str | None:
    before, after = place.before, place.after
    for name in DIALECTS:
        if before and Dialect.load(name).spelling(before) == after:
            return f"'{after}' is the {name.title()} spelling of '{before}'."
    return None


def _confused(place: Context) -> str | None:
    """Words that are taken for each other, each with what it is."""
    found = confused(place.before, place.after)
    phrase = place.phrase()
    shown = f": '{phrase}'" if phrase != place.after else ""
    if not found:
        if not sounds_like(place.before, place.after):
            return None
        return f"'{place.before}' is easily taken for '{place.after}', which fits here{shown}."
    is_now, was = found
    return f"'{place.after}' {is_now}{shown}; '{place.before}' {was}."


def _misspelt(change: Edit, place: Context, lexicon: Lexicon) -> str | None:
    before, after = place.before, place.after
    if after.lower() == f"{before.lower()}'s" and before.lower() in _MAY_BE:
        return f"A sentence needs its verb: '{after}' is short for '{before} is'."
    if before.lower().endswith("ies") and after.lower() == f"{before.lower()[:-3]}y's":
        return _owner(place)
    if not after or not WORD.fullmatch(before) or not all(map(is_word, place.come)):
        return None
    if lexicon.knows(before):
        return None
    return _wrongly_spelt(change, place)


def _wrongly_spelt(change: Edit, place: Context) -> str:
    is_name = place.after[0].isupper() and place.before[0].islower()
    if change.status == "suggested" or is_name:  # it may be a name, or a word of a field
        return f"'{place.before}' is in no word list; perhaps '{place.after}' is meant."
    return f"Misspelling of '{place.after}'."


def _slip(change: Edit, place: Context, lexicon: Lexicon) -> str | None:
    """A word of its own that stands for another of nearly the same letters ("ant" for "and"), no form of the same verb."""
    before, after = place.before, place.after
    if not (len(place.was) == len(place.now) == 1 and WORD.fullmatch(before) and WORD.fullmatch(after)):
        return None
    was, now = place.was[0], place.now[0]
    if (
        was == now
        or pair(was, now, lexicon)
        or OSA.distance(was, now) > 1 + (len(now) > 5)
        or abs(len(was) - len(now)) > 1
        or {was, now} <= CLOSED
        or "'" in now
    ):
        return None
    if lexicon.count(was) < _RARE:
        return _wrongly_spelt(change, place)
    shown = said((*place.come, *words_until_mark(place.right, 1)))
    return f"'{before}' is a word too, but a slip away from '{after}', which fits here: '{shown}'."


def _joined(place: Context) -> str | None:
    """The same letters with an apostrophe, a blank or a hyphen more or fewer."""
    before, after = place.before, place.after
    if _letters(before) != _letters(after) or not before or not after:
        return None
    low = after.lower()
    if "'" in after and "'" not in before and " " not in before + after:
        if low in _WHOLE:
            return f"'{after}' is short for '{_WHOLE[low]}': the apostrophe stands for what is left out."
        for ending, word in _CONTRACTED.items():
            if low.endswith(ending):
                whole = f"{after[: -len(ending)]} {word}"
                return f"'{after}' is short for '{whole}': the apostrophe stands for what is left out."
        return _owner(place)
    if "'" in before and after.isalpha() and " " not in before:
        if low.endswith("s") and plain(before).lower() == f"{low[:-1]}'s":
            return f"The apostrophe shows an owner or stands for letters left out; '{after}' needs none."
        return f"'{after}' is written without an apostrophe."
    if "'" in before and "'" in after and {before.lower()[-2:], low[-2:]} == {"'s", "s'"}:
        which = "several owners" if low.endswith("s'") else "one owner"
        return f"The apostrophe shows {which}: '{place.phrase()}'."
    if re.fullmatch(r"\w+(?:-\w+)+", after) and "-" not in before:
        return _hyphen(place)
    if after.isalpha() and re.fullmatch(r"\w+(?:[ -]\w+)+", before):
        return f"'{after}' is one word{', without a hyphen' if '-' in before else ''}."
    if re.fullmatch(r"\w+", before) and re.fullmatch(r"\w+(?: \w+)+", after):
        count = {2: "two", 3: "three"}.get(len(after.split()), "several")
        return f"'{after}' is {count} words."
    if "-" in before and "-" not in after:
        return f"'{after}' is written without a hyphen."
    return None


def _owner(place: Context) -> str:
    after, low = place.after, place.after.lower()
    following = words_until_mark(place.right, 1)
    if low.endswith("'s") and low[:-2] in _MAY_BE:
        return f"'{after}' is short for '{after[:-2]} is' or '{after[:-2]} has': the apostrophe stands for what is left out."
    if low.endswith("'d"):
        return f"'{after}' is short for '{after[:-2]} would' or '{after[:-2]} had': the apostrophe stands for what is left out."
    if following and low.endswith(("'s", "s'")):
        return f"The apostrophe shows whose it is: '{said((after, *following))}'."
    if low.endswith(("'s", "s'")):
        return f"The apostrophe shows an owner: '{after}'."
    return f"'{after}' is written with an apostrophe."


def _hyphen(place: Context) -> str:
    after = place.after
    first = after.split("-")[0]
    following = words_until_mark(place.right, 1)
    if first.lower() in _PREFIXES:
        return f"A hyphen joins '{first}' to its word: '{after}'."
    if following and len(after.split("-")) > 1 and first[0].isdigit():
        return f"A hyphen joins a number and its unit before a noun: '{said((after, *following))}'."
    return f"'{after}' is written with a hyphen here."


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


# ---- capitals -----------------------------------------------------------------------------------------------------------------


def _capital(place: Context, lexicon: Lexicon) -> str | None:
    before, after = place.before, place.after
    if before.lower() != after.lower() or before == after or not any(map(str.isalpha, after)):
        return None
    low = after.lower()
    bare = low.removesuffix("'s").rstrip("'")
    if re.fullmatch(r"I(?:'(?:m|ve|ll|d))?", after):
        return "The word 'I' is always a capital."
    if after[0].isupper() and before[0].islower():
        for words, what in (
            (_DAYS, "Days of the week"),
            (_MONTHS - {"may", "march"}, "Months"),
            (_COUNTRIES, "Countries, their peoples and languages"),
            (_HOLIDAYS, "Holidays"),
        ):
            if bare in words:
                return f"{what} have a capital: '{after}'."
        if bare in ("may", "march") and (
            place.ahead[:1]
            and place.ahead[0][:1].isdigit()
            or place.behind[-1:]
            and (
                place.behind[-1][:1].isdigit()
                or place.behind[-1] in ("in", "of", "last", "next", "since", "until", "by")
            )
        ):
            return f"Months have a capital: '{after}'."
        if (
            not place.left
            or place.left[-1] in (".", "?", "!")
            or all(not is_word(word) for word in place.left)
        ):
            return f"A sentence begins with a capital: '{place.phrase()}'."
        if after.isupper() and len(after) > 1:
            return f"'{after}' is an abbreviation, written in capitals."
        if lexicon.is_capitalised(bare):
            return f"'{after}' is a name, and names have a capital."
        if place.left[-1] == ":":
            return "A sentence behind a colon may begin with a capital."
        if low in CLOSED:
            return f"The first word of a sentence has a capital: '{place.phrase()}'."
        return f"Names have a capital; '{after}' is written as one, or as part of one."
    if after.islower():
        return f"Only names and the first word of a sentence have a capital, so '{after}' has none."
    if after.isupper():
        return f"'{after}' is an abbreviation, written in capitals."
    return None
