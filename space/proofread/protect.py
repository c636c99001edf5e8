"""What no edit may touch: numbers, dates, amounts, links, names, code and quotations, found once in a draft.

    spans = protected_spans(draft, lexicon, terms)
    refusal(edit, draft, spans, lexicon)      # "a number would change: 1,250", or None

An edit that reaches into a span must leave what it says: "5pm" may become "5 p.m.", "Priyas team" "Priya's team". Nor may it
bring in a number, a link, a date or a name of its own, a word that no list knows, or a "not". In doubt it is refused: to keep a
small mistake costs less than to change an amount.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from space.proofread.code import markup, without_markup
from space.proofread.edits import Edit
from space.proofread.lexicon import Lexicon
from space.proofread.names import (
    DATES,
    OTHER_WORDS,
    Word,
    Words,
    dates,
    is_alike,
    name_words,
    near_dates,
    owner,
    plain,
)
from space.proofread.words import WORD, likeness, word_set

_NEGATIONS = word_set("grammar", "negations")
_NEGATION = re.compile(rf"(?i)\b(?:{'|'.join(sorted(_NEGATIONS))})\b|n?'t\b|nt'")
_NUMBER_WORDS = word_set("grammar", "numbers")
_SOUNDS_LIKE = {"two": {"to", "too", "tow"}, "four": {"for", "fore"}, "eight": {"ate"}, "three": {"tree"}}
_RARE = 200  # occurrences; a protected term that is an ordinary word ("Will") counts only as it is written
_OF_A_NAME = 8  # letters that it must have to be misspelt in more than one
UNKNOWN = "the rewrite had a word in it that no list knows, so we left it out"
_SHOWN = 60  # characters of a protected text that a reason quotes

# Endings that are also words ("it", "is", "in", "so", "me") are left out: "done.it" is a missing blank.
_TLD = "com|org|net|io|dev|app|co|edu|gov|info|biz|ai|uk|de|fr|eu|nl|tr|es|jp|cn|ru|br|au|ca|ch|se|pl|example"
_FILE_ENDINGS = (
    "pdf|docx?|xlsx?|pptx?|csv|tsv|txt|md|rtf|odt|ods|zip|tar|gz|rar|7z|png|jpe?g|gif|svg|webp|mp[34]|wav|"
    "mov|py|js|ts|java|cpp|c|h|rs|go|rb|php|html?|css|json|ya?ml|xml|sql|sh|bat|exe|dmg|log|ini|cfg|toml|"
    "ipynb|eml|ics|msg"
)
_QUOTES = (
    r"(?<!\w)\"(?=\S)[^\"]{1,500}(?<=\S)\"(?!\w)|“[^“”]{1,500}”|«[^«»]{1,500}»"
    r"|(?<![\w'])'(?=\w)[^'\n]{1,80}'(?![\w'])"
)
# What stays to the letter, each with its name for the user.
_LITERALS = [
    ("quoted text", _QUOTES),
    (
        "a link",
        r"(?:(?:https?|ftp)://|www\.|mailto:)[^\s<>\"]+"
        rf"|(?<![\w@.-])(?:[\w-]{{1,63}}\.){{1,5}}(?:{_TLD})(?![\w@])(?:/[^\s<>\"]*)?",
    ),
    ("an email address", r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}"),
    (
        "a placeholder",
        r"\{[\w .:-]{0,40}\}|\[[^\[\]\n]{1,60}\]"
        r"|<<?[A-Za-z_][\w ,.-]{0,40}>>?"
        r"|%\(\w{1,40}\)[sd]|%[sd](?!\w)|_{3,}",
    ),
    ("a file name", rf"(?<![\w.-])[\w-]{{1,80}}(?:\.[\w-]{{1,40}}){{0,3}}\.(?:{_FILE_ENDINGS})(?!\w)"),
    ("a path", r"(?<![\w.)])(?:[A-Za-z]:\\|\\\\|~/|\.{0,2}/)[\w.\\/@%+-]+"),
    ("a handle", r"(?<![\w.])@\w[\w.-]{0,63}"),
    ("a tag", r"(?<!\w)#\w{1,64}"),
    (
        "code",
        r"(?<!\w)[A-Za-z]\w{0,80}_\w{1,80}|(?<!\w)[A-Za-z_][\w.]{0,80}\(\)|(?<!\S)--[a-z][\w-]{1,40}"
        r"|(?<!\w)(?:[A-Z]\.){2,6}[A-Z]?|(?<![\w-])[A-Za-z]{1,20}[-_/.]?\d[\w./-]{0,60}",
    ),
    ("an emoji", r"[\u2600-\u27bf\U0001f000-\U0001faff][\ufe0f\u200d\u2600-\u27bf\U0001f000-\U0001faff]*"),
]  # fmt: skip
_LITERAL = re.compile("|".join(f"(?P<k{number}>{pattern})" for number, (_, pattern) in enumerate(_LITERALS)))
_DIGITS = re.compile(r"\d+(?:[.,:/]\d+)*")
_UNIT = re.compile(r"([ \u00a0-]?)([^\W\d_]{1,10}\b(?:\.m\b)?)")
_UNITS = {
    unit: names.split()[0]
    for names in (
        "am a.m|pm p.m|kg kgs kilo kilos|g|mg|km kms|m|cm|mm|l|ml|k|mn|bn|b|kb|mb|gb|tb|usd|eur|gbp|x|"
        "second seconds sec secs s|minute minutes min mins|hour hours hr hrs h|day days|week weeks wk wks|"
        "month months|year years yr yrs|percent|dollar dollars|euro euros|pound pounds|cent cents|hundred|"
        "thousand thousands|million millions|billion billions"
    ).split("|")
    for unit in names.split()
}
_FIGURE = re.compile(  # with the signs before it, of very many the last eight
    r"(?:(?<![\w.,)\]])[-−])?[$€£¥₹₺₽₩°<>≤≥±~=×÷^+]{0,8}\d+(?:[.,:/]\d+)*[$€£%‰°]*"
    rf"(?:[ \u00a0-]?(?:{'|'.join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))})\b|[^\W\d_]{{1,10}}\b)?",
    re.IGNORECASE,
)
_SPELT_UNITS = frozenset(unit for unit in _UNITS.values() if len(unit) > 2)
_ORDINAL_ENDINGS = frozenset(("st", "nd", "rd", "th"))
_SIGN = re.compile(r"[$€£¥₹₺₽₩%‰°<>≤≥±~=×÷^+]|[\"“”«»]|(?<![\w.,)\]])[-−](?=[$€£]?\d)")


_NO_MARK_AT_END = ("a link", "a file name", "a handle", "code")


@dataclass(frozen=True)
class Span:
    """The characters [start, end) of a text, protected as `what`."""

    start: int
    end: int
    what: str
    text: str


def protected_spans(
    text: str, lexicon: Lexicon, terms: Iterable[str] = (), names: Collection[str] = ()
) -> list[Span]:
    """What must stay in a text, in order; `terms` are words that the user protects, `names` were found around it.

    >>> [(span.what, span.text) for span in protected_spans("Pay $50 by 4 May, see x.io", Lexicon.load())]
    [('a number', '$50'), ('a number', '4'), ('a date or country', 'May'), ('a link', 'x.io')]
    """
    literals = _literals(text)
    rest = _blanked(plain_in_place(text), literals)
    words = Words(rest, lexicon)
    figures = [Span(*m.span(), "a number", m.group()) for m in _FIGURE.finditer(rest)]
    days = [Span(word.start, word.end, "a date or country", word.text) for word, _ in dates(words)]
    named = {word.text for word in name_words(words)} | set(names)
    people = [_name(word, named, lexicon) for word in words.words if word.text in named]
    own = [
        Span(*where, "a protected word", text[slice(*where)]) for where in occurrences(text, terms, lexicon)
    ]
    return sorted([*literals, *figures, *days, *people, *own], key=lambda span: (span.start, span.end))


def _name(word: Word, named: Collection[str], lexicon: Lexicon) -> Span:
    """The span of a name, without the s of one that owns something and lacks its apostrophe."""
    if bare := owner(word.text, named, lexicon):
        return Span(word.start, word.end - 1, "a name", bare)
    return Span(word.start, word.end, "a name", word.text)


def facts(text: str, lexicon: Lexicon) -> list[str]:
    """What a rewrite of this text must keep: links, digits, dates, quoted words, names and the like, in order."""
    return [_fact(span) for span in protected_spans(text, lexicon)]


def _fact(span: Span) -> str:
    if span.what == "a number":
        return _DIGITS.findall(span.text)[0]
    return span.text[1:-1] if span.what == "quoted text" else span.text


def plain_in_place(text: str) -> str:
    """`names.plain` where that keeps every character in its place, else one kind of apostrophe alone."""
    found = plain(text)
    return found if len(found) == len(text) else text.replace("’", "'")


def _literals(text: str) -> list[Span]:
    found = [Span(*span) for span in markup(text)]
    inside = {at for span in found for at in range(span.start, span.end)}
    quoted = (
        without_markup(text).count('"') % 2 == 0
    )  # an odd number of quotation marks says nothing about what is quoted
    for match in _LITERAL.finditer(text):
        what, item = _LITERALS[int((match.lastgroup or "k0")[1:])][0], match.group()
        if match.start() in inside and match.end() - 1 in inside:
            continue
        if what == "quoted text" and item[0] == '"' and not quoted:
            continue
        kept = item.rstrip(".,;:!?)'*") if what in _NO_MARK_AT_END else item
        end = match.start() + len(kept or item)
        found.append(Span(match.start(), end, what, text[match.start() : end]))
    return found


def _blanked(text: str, spans: Iterable[Span]) -> str:
    for span in spans:
        text = text[: span.start] + " " * (span.end - span.start) + text[span.end :]
    return text


def occurrences(text: str, terms: Iterable[str], lexicon: Lexicon) -> list[tuple[int, int]]:
    """Where the terms stand as words: (start, end). One that is also an ordinary word counts only as it is written."""
    longest_first = sorted({term.strip() for term in terms if term.strip()}, key=len, reverse=True)
    found: list[tuple[int, int]] = []
    for term in longest_first:
        flags = re.IGNORECASE if lexicon.count(term) < _RARE else 0
        pattern = rf"(?<!\w){re.escape(term)}(?!\w)"
        spans = [match.span() for match in re.finditer(pattern, text, flags)]
        found += [(a, b) for a, b in spans if not any(a < end and start < b for start, end in found)]
    return sorted(found)


# ---- one edit ----


def refusal(edit: Edit, text: str, spans: Sequence[Span], lexicon: Lexicon) -> str | None:
    """Why an edit of a text with these spans may not be made, in one line for the user; None if it may."""
    touched = [span for span in spans if _touches(edit, span)]
    start = min([edit.start, *(span.start for span in touched)])
    end = max([edit.end, *(span.end for span in touched)])
    before = plain(text[start:end])
    after = plain(text[start : edit.start] + edit.after + text[edit.end : end])
    old, new = Words(before, lexicon), Words(after, lexicon)
    return (
        _lost(touched, after)
        or _figures_differ(before, after)
        or _brought_in(old, new, lexicon)
        or _names_differ(old, new, touched, edit, lexicon)
        or _coined(old, new, lexicon)
        or _turned(edit, text, lexicon)
        or _undone(edit, text)
    )


def _touches(edit: Edit, span: Span) -> bool:
    if edit.start == edit.end:
        return span.start < edit.start < span.end
    return edit.start < span.end and span.start < edit.end


def _lost(spans: Sequence[Span], after: str) -> str | None:
    """The first span that does not stand in the new text, in its order."""
    position = 0
    for span in spans:
        if span.what == "a number":
            continue  # compared as figures
        found = _find(span, after, position)
        if found is None:
            return f"{span.what} would change: {span.text[:_SHOWN]}"
        position = found
    return None


def _find(span: Span, text: str, position: int) -> int | None:
    """Where the span ends in the text from `position` on; None if it is not there."""
    wanted = plain(span.text)
    if span.what == "a date or country":
        same = [form for form in DATES if DATES[form] == DATES.get(wanted.casefold())]
        pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(same, key=len, reverse=True)))})(?:'s)?(?!\w)"
        match = re.compile(pattern, re.IGNORECASE).search(text, position)
    elif span.what in ("a name", "a protected word"):
        forms = [re.escape(wanted)]
        if wanted.endswith("s"):
            forms.append(rf"{re.escape(wanted[:-1])}'s")  # "Priyas" -> "Priya's"
        if span.what == "a protected word":
            forms.append(f"(?i:{re.escape(wanted)})" if wanted.islower() else re.escape(wanted))
        match = re.compile(rf"(?<!\w)(?:{'|'.join(forms)})(?!\w)").search(text, position)
    elif span.what == "quoted text":
        inner = " ".join(wanted[1:-1].split()).rstrip(".,;!? ")
        match = re.compile(rf"[\"“«']\s*{re.escape(inner)}[.,;!?\s]*[\"”»']").search(text, position)
    else:
        match = re.compile(re.escape(wanted)).search(text, position)
    return match.end() if match else None


def _figures(text: str) -> list[tuple[str, str | None]]:
    """(digits, unit) of every number; "5pm", "5 pm" and "5 p.m." are the same."""
    found: list[tuple[str, str | None]] = []
    for match in _DIGITS.finditer(text):
        unit = None
        after = _UNIT.match(text, match.end())
        if after and after.group(2).lower() not in _ORDINAL_ENDINGS:
            attached = not after.group(1)
            unit = _UNITS.get(after.group(2).lower(), after.group(2).lower() if attached else None)
        found.append((match.group(), unit))
    return found


def _figures_differ(before: str, after: str) -> str | None:
    was, becomes = _figures(before), _figures(after)
    numbers = [number for number, _ in was], [number for number, _ in becomes]
    if reason := _difference("a number", *numbers):
        return reason
    for (number, unit), (_, new_unit) in zip(was, becomes, strict=True):
        if unit != new_unit and not (unit is None and new_unit in _SPELT_UNITS):
            return f"a number would change: {number} {unit or new_unit}"
    fractions = [
        [c for c in t if not c.isdecimal() and unicodedata.numeric(c, None) is not None]
        for t in (before, after)
    ]
    signs = [sorted(_SIGN.findall(text)) for text in (before, after)]
    return _difference("a number", *fractions) or _difference("a sign", *signs)


def _difference(what: str, before: list[str], after: list[str]) -> str | None:
    """The first item that is dropped, added or moved, as a reason."""
    if before == after:
        return None
    lost, added = Counter(before) - Counter(after), Counter(after) - Counter(before)
    if lost:
        return f"{what} would change: {next(iter(lost))[:_SHOWN]}"
    if added:
        return f"{what} would be added: {next(iter(added))[:_SHOWN]}"
    return f"{what} would move: {next(a for a, b in zip(before, after, strict=True) if a != b)[:_SHOWN]}"


def _brought_in(before: Words, after: Words, lexicon: Lexicon) -> str | None:
    """A link, code or the like, or a number in words, that the text did not have."""
    was = Counter(span.text for span in _literals(before.text))
    for span in _literals(after.text):
        if not was[span.text] and span.what != "quoted text":
            return f"{span.what} would be added: {span.text[:_SHOWN]}"
    old, new = Counter(_number_parts(before)), Counter(_number_parts(after))
    gone, come = old - new, new - old
    for word in gone.keys() & _NUMBER_WORDS:
        if not _SOUNDS_LIKE.get(word, set()) & come.keys():
            return f"a number would change: {word}"
    for word in come.keys() & _NUMBER_WORDS:
        misspelt = [key for key in gone if not lexicon.lists(key)]
        if not _SOUNDS_LIKE.get(word, set()) & gone.keys() and not is_alike(word, misspelt, 0.6):
            return f"a number would be added: {word}"
    return None


def _number_parts(text: Words) -> list[str]:
    parts = [part for word in text.words for part in word.key.split("-")]
    return [part[:-1] if part.endswith("s") and part[:-1] in _NUMBER_WORDS else part for part in parts]


def _names_differ(
    old: Words, new: Words, touched: Sequence[Span], edit: Edit, lexicon: Lexicon
) -> str | None:
    """A name, a date or an unknown word that would come in, and a word that may be a name and would go."""
    keys = {word.key for word in old.words}
    joined = "".join(word.key for word in old.words)
    names = Counter(span.text for span in touched if span.what == "a name")
    for word in new.words:
        meaning = DATES.get(word.key)
        if meaning and (word.capital or word.key not in OTHER_WORDS):
            if not _has_date(old, meaning) and word.key not in keys:
                return f"a date or country would be added: {word.text}"
            continue
        if word.text in names:
            names[word.text] -= 1
            if names[word.text] < 0:
                return f"a name would be added: {word.text[:_SHOWN]}"
            continue
        if word.key in keys or word.key in joined or word.owner and word.key + "s" in keys:
            continue
        if not (lexicon.lists(word.text) or word.owner and lexicon.lists(word.text + "'s")):
            return UNKNOWN
        misspelt = [key for key in keys if not lexicon.lists(key)]
        named = lexicon.is_capitalised(word.key) or word.capital and lexicon.count(word.key) < _RARE
        if named and word.capital and not is_alike(word.key, misspelt, 0.6):
            return f"a name would be added: {word.text[:_SHOWN]}"
    return _dropped_name(old, new, lexicon)


def _dropped_name(old: Words, new: Words, lexicon: Lexicon) -> str | None:
    """A capitalised word that no list knows may be corrected, not replaced."""
    keys = [word.key for word in new.words]
    together = "".join(keys)
    for word in old.words:
        if not word.capital or word.text.isupper() or old.shouting or lexicon.lists(word.text):
            continue
        dated = near_dates(word.key) and any(key in DATES for key in keys)
        if (
            word.key not in keys
            and word.key not in together
            and not dated
            and not is_alike(word.key, keys, 0.6)
        ):
            return f"a name would change: {word.text[:_SHOWN]}"
    return None


def _coined(old: Words, new: Words, lexicon: Lexicon) -> str | None:
    """An unlisted word that would give way and may be right: one that a trade made of others, or a name unlike the new one."""
    was, becomes = ({word.key for word in text.words} for text in (old, new))
    gone = [word for word in old.words if word.key not in becomes]
    come = [word for word in new.words if word.key not in was]
    if len(gone) != 1 or lexicon.knows(gone[0].text):
        return None
    word, instead = gone[0], " ".join(each.text for each in come)
    if lexicon.is_coined(word.text, instead):
        return f"it may be a word of your field: {word.text[:_SHOWN]}"
    is_name = (
        word.capital
        and len(come) == 1
        and lexicon.is_capitalised(instead)
        and instead.casefold() not in DATES
    )
    if is_name and len(word.text) < _OF_A_NAME and OSA.distance(word.key, come[0].key) > 1:
        return f"it may be another name: {word.text[:_SHOWN]}"
    return None


def _has_date(old: Words, meaning: str) -> bool:
    return any(
        DATES.get(word.key) == meaning or meaning in {DATES[form] for form in near_dates(word.key)}
        for word in old.words
    )


# ---- meaning ----


_A_SLIP = 0.6  # likeness of a misspelt word and the right one
_PERSONS = frozenset("i we you he she they me us who".split())
_SOUND_ALIKE = ({"no", "know"}, {"wont", "want"})
TURNS = "the meaning would turn"  # how the reason begins


def _turned(edit: Edit, text: str, lexicon: Lexicon) -> str | None:
    """Whether a "not" comes or goes in the sentence; a misspelt one ("dosent", "neber") may be spelt out, "let me no" be "let me know",
    and "I wont to" be "I want to"."""
    if not any(_NEGATION.search(plain(part)) for part in (edit.before, edit.after)):
        return None
    before, after = (
        Words(plain(text), lexicon),
        Words(plain(text[: edit.start] + edit.after + text[edit.end :]), lexicon),
    )
    was, becomes = _negated(before), _negated(after)
    if was == becomes:
        return None
    misspelt = any(
        word.key.endswith(("nt", "n't", "t")) and not lexicon.lists(word.text) for word in before.words
    )
    was_word, becomes_word = edit.before.strip().lower(), edit.after.strip().lower()
    slip = not lexicon.lists(was_word) and likeness(was_word, becomes_word) >= _A_SLIP  # "neber"
    if becomes and (misspelt or slip) or {was_word, becomes_word} in _SOUND_ALIKE:
        return None
    return f"{TURNS}: a “not” would be {'added' if becomes else 'lost'}"


def _undone(edit: Edit, text: str) -> str | None:
    """Whether an "I" or "we" goes that no other word beside it stands for ("please I finish at two"): the sentence would tell another to do it."""
    gone = edit.before.strip().lower()
    if edit.after.strip() or gone not in ("i", "we"):
        return None
    beside = (WORD.findall(text[: edit.start])[-1:], WORD.findall(text[edit.end :])[:1])
    if any(word.lower() in _PERSONS for words in beside for word in words):
        return None
    return f"{TURNS}: who does it would be left out"


def _negated(text: Words) -> bool:
    return any(word.key in _NEGATIONS or word.key.endswith(("'t", "nt'")) for word in text.words)
