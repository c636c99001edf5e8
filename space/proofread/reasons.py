"""Why a change was made, in one plain line.

    reason(Edit(0, 8, "recieved", "received", "spelling"))  # Spelling: 'recieved' is not a word we know.

A change knows its two texts and its kind, not its sentence. So a line names a rule only where these alone show it
("its" that becomes "it's"); everything else gets the general line of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from space.proofread.dialect import DIALECTS, Dialect
from space.proofread.edits import Edit, apart
from space.proofread.lexicon import Lexicon
from space.proofread.words import WORD

# Every line, so that a translation is this one place. {before} and {after} are the texts of the change, {word} a word of it.
TEXTS = {
    # words that are taken for each other
    "its": 'It\'s is short for "it is" or "it has"; its means belonging to it.',
    "their": 'Their means belonging to them, there is a place, and they\'re is short for "they are".',
    "your": 'You\'re is short for "you are"; your means belonging to you.',
    "whose": 'Who\'s is short for "who is" or "who has"; whose asks to whom something belongs.',
    "than": "Than compares; then is about time or what follows.",
    "too": "Too means also or more than enough; to is the preposition, and two is the number.",
    "affect": "Affect is mostly a verb, effect mostly a noun.",
    "lose": "Lose is the verb, the opposite of find; loose is the opposite of tight.",
    "advise": "Advise is the verb, advice the noun.",
    "accept": "Accept means to take or agree to; except means apart from.",
    "where": "Where is a place; were is a form of be.",
    "hear": "Hear is what ears do; here is this place.",
    "of": "The verb is have, as in should have; of only sounds like it.",
    # grammar
    "an": "An stands before a vowel sound, as in an hour.",
    "a": "A stands before a consonant sound, as in a unit.",
    "one": "'{word}' goes with he, she, it or one thing.",
    "several": "'{word}' goes with you, we, they or several things.",
    "plain": "'{word}' goes with I, you, we, they or several things.",
    "third person": "After he, she or it the verb ends in -s.",
    "these": "This and that go with one thing, these and those with several.",
    "many": "Many goes with things that can be counted, much with what cannot.",
    "base form": "After '{word}' the verb stands in its basic form.",
    # spelling
    "american": "'{after}' is the American spelling of '{before}'.",
    "british": "'{after}' is the British spelling of '{before}'.",
    "contraction": "The apostrophe in {after} stands for what is left out.",
    "apostrophe": "With an apostrophe here: {after}.",
    "no apostrophe": "Without an apostrophe here: {after}.",
    "one word": "'{after}' is written as one word here.",
    "two words": "'{after}' is written as separate words here.",
    "hyphen": "'{after}' is written with a hyphen here.",
    "unknown": "Spelling: '{before}' is not a word we know.",
    # capitals
    "I": "The word I is always written with a capital.",
    "calendar": "Days and months are written with a capital.",
    "sentence": "A sentence begins with a capital.",
    "capital": "'{after}' is written with a capital here.",
    "no capital": "'{after}' is written without a capital here.",
    # repetition and marks
    "doubled": "'{word}' was written twice.",
    "question": "A question ends with a question mark.",
    # marks, each by its name
    "mark added": "There should be {word} here.",
    "mark removed": "There is no need for {word} here.",
    "mark": "There should be {word} here, not {before}.",
    # in general, by kind: replaced, added, removed
    "agreement": "'{after}' agrees in number with the words around it.",
    "article": "'{after}' is the article that fits this noun.",
    "article added": "This noun needs '{after}' before it.",
    "article removed": "This noun stands without '{before}'.",
    "capitals": "'{after}' is written with these capitals.",
    "other": "'{after}' fits better here.",
    "preposition": "'{after}' is the preposition that is used here.",
    "preposition added": "The preposition '{after}' is missing here.",
    "preposition removed": "No preposition is used here.",
    "punctuation": "The sentence is punctuated like this.",
    "spacing": "The blanks are as they should be here.",
    "spelling": "'{after}' is the word that is meant here.",
    "tone": "'{after}' sounds more courteous.",
    "tone added": "'{after}' makes this more courteous.",
    "tone removed": "Without '{before}' this is more courteous.",
    "verb form": "'{after}' is the form of the verb that fits here.",
    "word choice": "'{after}' is the usual word here.",
    "word order": "In this order the sentence reads more naturally.",
    "added": "Without '{after}' something is missing here.",
    "removed": "The sentence is complete without '{before}'.",
}

_MARKS = {
    ",": "a comma", ".": "a full stop", "?": "a question mark", "!": "an exclamation mark", ":": "a colon",
    ";": "a semicolon", "-": "a hyphen",
}  # fmt: skip
_BESIDE = 40  # characters of a text in which the words beside a change are looked for
_LONGEST = 40  # characters of a text that a line quotes
_CONFUSED = {
    key: frozenset(words.split())
    for key, words in {
        "its": "its it's", "their": "their there they're", "your": "your you're", "whose": "whose who's",
        "than": "than then", "too": "to too two", "affect": "affect effect", "lose": "lose loose",
        "advise": "advise advice", "accept": "accept except", "where": "where were", "hear": "hear here",
        "many": "much many",
    }.items()
}  # fmt: skip
# Not was and were ("if I were"), nor what may also be the basic form of the verb (has -> have, does -> do).
_NUMBER = {
    key: frozenset(tuple(pair.split("/")) for pair in pairs.split())
    for key, pairs in {
        "one": "are/is have/has do/does aren't/isn't haven't/hasn't don't/doesn't",
        "several": "is/are isn't/aren't",
        "plain": "hasn't/haven't doesn't/don't",
    }.items()
}
_CALENDAR = frozenset(  # "May I ask" is no month
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august september "
    "october november december".split()
)
# A capital on one of these has no reason but the beginning of a sentence.
_NEVER_NAMES = frozenset(
    "also and are because but can could did do does for from has have he her his how if is it it's its just maybe my no not or our please she since so "
    "thank thanks that their there these they this those to we were what when where which while why would you your".split()
)
_MODALS = frozenset("to can could will would shall should may might must".split())
_BASE = {
    form: base
    for base, forms in {
        "be": "is are was were been", "do": "did done", "get": "got gotten", "give": "gave given", "go": "went gone",
        "know": "knew known", "make": "made", "meet": "met", "pay": "paid", "see": "saw seen", "send": "sent",
        "speak": "spoke spoken", "take": "took taken", "tell": "told", "write": "wrote written", "have": "has had",
    }.items()
    for form in forms.split()
}  # fmt: skip


def reason(change: Edit, lexicon: Lexicon | None = None, text: str = "") -> str:
    """One line on why the change was made; `lexicon` says which words are known, the shipped list unless given.

    `text` is that of the change, if it may say more: a word that was written twice.

    >>> from space.proofread.edits import Edit
    >>> reason(Edit(4, 10, "colour", "color", "spelling"))
    "'color' is the American spelling of 'colour'."
    """
    before, after = (" ".join(text.replace("’", "'").split()) for text in (change.before, change.after))
    key, word = _rule(change, before, after)
    if before and not after and _is_doubled(change, before, text):
        key, word = "doubled", before
    _, removed, added, _ = apart(before, after)
    if not key and not (removed.strip() and added.strip()):  # "new" -> "the new" adds a word
        before, after = removed.strip(), added.strip()
        key, word = _rule(change, before, after)
    if (
        not key
        and before
        and after
        and change.kind == "spelling"
        and _is_unknown(before, lexicon or Lexicon.load())
    ):
        key = "unknown"
    key = key or _general(change.kind, before, after)
    before = _MARKS.get(before, before) if key == "mark" else before
    return TEXTS[key].format(before=_shortened(before), after=_shortened(after), word=word)


def _rule(change: Edit, before: str, after: str) -> tuple[str, str]:
    return next((found for rule in _RULES if (found := rule(change, before, after))), ("", ""))


def _is_doubled(change: Edit, word: str, text: str) -> bool:
    behind = text[max(0, change.start - _BESIDE) : change.start]
    around = (WORD.findall(behind)[-1:], WORD.findall(text[change.end : change.end + _BESIDE])[:1])
    return any(words and words[0].lower() == word.lower() for words in around)


def _general(kind: str, before: str, after: str) -> str:
    """The key of the line of a kind; of what was only added or removed, that of the kind's own line for it, if it has one."""
    if before and after:
        return kind if kind in TEXTS else "other"
    if not before and not after:
        return "spacing"
    direction = "removed" if before else "added"
    return f"{kind} {direction}" if f"{kind} {direction}" in TEXTS else direction


def _is_unknown(text: str, lexicon: Lexicon) -> bool:
    return bool(WORD.fullmatch(text)) and not lexicon.knows(text)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


# --- rules ----------------------------------------------------------------------------------------
# Each gets the change and its texts in plain blanks and apostrophes, and gives a key of TEXTS and a {word}, or None.

_Found = tuple[str, str] | None


def _by_pair(change: Edit, before: str, after: str) -> _Found:
    pair = {before.lower(), after.lower()}
    if len(pair) < 2:
        return None
    if before.lower() in ("a", "an") and after.lower() in ("a", "an"):
        return after.lower(), ""
    if before.lower().split()[-1:] == ["of"] and re.fullmatch(
        rf"{re.escape(before.lower()[:-2])}(?:have|'ve)", after.lower()
    ):
        return "of", ""
    if len(pair & {"this", "that"}) == len(pair & {"these", "those"}) == 1:
        return "these", ""
    return next(((key, "") for key, words in _CONFUSED.items() if pair <= words), None)


def _by_number(change: Edit, before: str, after: str) -> _Found:
    """has or have, is or are; "he go" when the pronoun is part of the change."""
    for key, pairs in _NUMBER.items():
        if (before.lower(), after.lower()) in pairs:
            return key, after
    pronoun = re.fullmatch(r"(he|she|it) (\w+)", before.lower())
    if pronoun and after.lower() in (f"{before.lower()}s", f"{before.lower()}es"):
        return "third person", ""
    return None


def _by_base_form(change: Edit, before: str, after: str) -> _Found:
    """The verb after to or a modal, when that is part of the change: "can goes" -> "can go"."""
    old, new = before.lower().split(), after.lower().split()
    if not len(old) == len(new) == 2 or old[0] != new[0] or old[0] not in _MODALS:
        return None
    # "to customers" -> "to customer" is no verb, and its kind is agreement too.
    if change.kind not in (("verb form",) if old[0] == "to" else ("verb form", "agreement")):
        return None
    regular = re.fullmatch(rf"{re.escape(new[1].removesuffix('e'))}(?:e?s|ed|ing)", old[1])
    return ("base form", after.split()[0]) if regular or _BASE.get(old[1]) == new[1] else None


def _by_dialect(change: Edit, before: str, after: str) -> _Found:
    return next(((name, "") for name in DIALECTS if Dialect.load(name).spelling(before) == after), None)


def _by_capital(change: Edit, before: str, after: str) -> _Found:
    if before.lower() != after.lower() or before == after:
        # ", it" -> ". It": the mark shows where a sentence begins.
        begun = re.fullmatch(r"[,;]? ?(\w+)", before), re.fullmatch(r"[.!?] ([A-Z]\w*)", after)
        return ("sentence", "") if begun[0] and begun[1] and begun[0][1] == begun[1][1].lower() else None
    if not WORD.fullmatch(before):
        return None
    if re.fullmatch(r"I(?:'(?:m|ve|ll|d))?", after):
        return "I", ""
    if not before[0].islower() or not after.istitle():
        return ("no capital", "") if after.islower() else None
    if before in _CALENDAR:
        return "calendar", ""
    return ("sentence" if change.start == 0 or before in _NEVER_NAMES else "capital"), ""


def _by_join(change: Edit, before: str, after: str) -> _Found:
    """The same letters with an apostrophe, a blank or a hyphen more or fewer."""
    if "".join(filter(str.isalnum, before.lower())) != "".join(filter(str.isalnum, after.lower())):
        return None
    if "'" in after and "'" not in before and " " not in before + after:
        contracted = re.search(r"(?:n't|'(?:m|re|ve|ll))$", after.lower())
        return ("contraction" if contracted else "apostrophe"), ""
    if "'" in before and after.isalpha() and " " not in before:
        return "no apostrophe", ""
    if re.fullmatch(r"\w+(?:-\w+)+", after) and "-" not in before:
        return "hyphen", ""
    if after.isalpha() and re.fullmatch(r"\w+(?:[ -]\w+)+", before):
        return "one word", ""
    if before.isalpha() and re.fullmatch(r"\w+(?: \w+)+", after):
        return "two words", ""
    return None


def _by_repetition(change: Edit, before: str, after: str) -> _Found:
    words = before.split()
    doubled = len(words) == 2 and words[0].lower() == words[1].lower() and after.lower() == words[0].lower()
    return ("doubled", after) if doubled else None


def _by_mark(change: Edit, before: str, after: str) -> _Found:
    if after == "?" and before in ("", ".", ",", "!"):
        return "question", ""
    if after in _MARKS and (before in _MARKS or not before):
        return ("mark" if before else "mark added"), _MARKS[after]
    return ("mark removed", _MARKS[before]) if before in _MARKS and not after else None


_RULES: tuple[Callable[[Edit, str, str], _Found], ...] = (
    _by_pair,
    _by_number,
    _by_base_form,
    _by_dialect,
    _by_repetition,
    _by_capital,
    _by_join,
    _by_mark,
)
