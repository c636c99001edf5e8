"""Checks on a rewrite: facts stay, the voice stays the writer's, and nothing of the model's own gets in.

Everything is compared in order, so that a name that is dropped, doubled or swapped with another is seen as
well as one that is altered. Corrections stay possible: a new word must be one the word list knows. In doubt
the rewrite is refused, because keeping a small mistake costs less than changing an amount.

Not covered: a name that opens a sentence and resembles a word ("Marek will" -> "Market will"). Passing the
names of the whole email closes that gap where the name occurs again: check(before, after, names(email)).
"""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from os.path import commonprefix

from space.proofread.email import sentences
from space.proofread.lexicon import PATH


def check(before: str, after: str, protected_terms: Iterable[str] = ()) -> str | None:
    """None when the rewrite may replace the text, else one short reason for a person.

    >>> check("Pay $1,250 untill monday.", "Pay $1,250 until Monday.")
    >>> check("Pay $1,250 until Monday.", "Pay $1,520 until Monday.")
    'a number would change: 1,250'
    """
    if before == after:
        return None
    if reason := _control(before, after):
        return reason
    if _LINE_BREAK.findall(before) != _LINE_BREAK.findall(after):
        return "a line break would change"
    # One character per accented letter, one kind of apostrophe: neither is a change worth refusing.
    before, after = (unicodedata.normalize("NFC", text).replace("’", "'") for text in (before, after))
    if reason := _answer(before, after) or _length(before, after) or _loop(before, after):
        return reason
    if reason := _terms(before, after, protected_terms):
        return reason
    with_quotes = before.count('"') % 2 == 0
    fixed_before, rest_before = _fixed(before, with_quotes)
    fixed_after, rest_after = _fixed(after, with_quotes)
    for label in dict.fromkeys(kind for kind, _ in [*fixed_before, *fixed_after]):
        was, becomes = (
            [text for kind, text in items if kind == label] for items in (fixed_before, fixed_after)
        )
        if reason := _difference(label, was, becomes):
            return reason
    old, new = _Text(rest_before), _Text(rest_after)
    return (
        _numbers(old, new)
        or _calendar(old, new)
        or _names(old, new)
        or _meaning(old, new)
        or _likeness(old, new)
    )


def protected(text: str) -> list[str]:
    """What a rewrite of this text must keep: links, amounts, dates, quoted words, names and the like.

    >>> protected("Priya pays $50 to Tom by 4 May, see https://x.io")
    ['https://x.io', '50', '4', 'May', 'Tom']
    """
    text = unicodedata.normalize("NFC", text).replace("’", "'")
    fixed, rest = _fixed(text, text.count('"') % 2 == 0)
    parsed = _Text(rest)
    dates = [parsed.words[at].text for at, _, sure in _dates(parsed) if sure]
    return [
        *(item for _, item in fixed),
        *(number for number, _ in _figures(rest)),
        *dates,
        *_hard_names(parsed),
    ]


def is_modest(before: str, after: str) -> bool:
    """Whether one change is of the size of a correction: at most two words more or fewer, no word for an unlike one.

    >>> is_modest("recieved", "received"), is_modest("have", "has been"), is_modest("alcohol", "notice")
    (True, True, False)
    """
    old, new = before.lower().split(), after.lower().split()
    if abs(len(old) - len(new)) > 2:
        return False
    # Short words are grammar, which replaces them freely; a long word is replaced by one that looks like it.
    return len(old) != len(new) or all(
        (min(len(a), len(b)) < 5 and max(len(a), len(b)) < 8)
        or difflib.SequenceMatcher(None, a, b).ratio() >= 0.5
        for a, b in zip(old, new, strict=True)
    )


def names(text: str) -> list[str]:
    """The names in a text, each once: `protected_terms` for checking the sentences of an email one by one.

    >>> names("Hi Tom, did Priya's team call Ms. O'Neil?")
    ['Tom', 'Priya', "O'Neil"]
    """
    text = unicodedata.normalize("NFC", text).replace("’", "'")
    found = dict.fromkeys(_hard_names(_Text(_fixed(text, False)[1])))
    return [name for name in found if name.casefold() not in _TITLES]


def people(text: str) -> frozenset[str]:
    """The names that may be a person's, a place's or a firm's: no acronym.

    >>> sorted(people("Hi Tom, Maria sent the PDF ASAP."))
    ['Maria', 'Tom']
    """
    return frozenset(name for name in names(text) if not name.isupper())


def _difference(what: str, before: list[str], after: list[str]) -> str | None:
    """The first item that is dropped, added or moved, as a reason."""
    if before == after:
        return None
    lost, added = Counter(before) - Counter(after), Counter(after) - Counter(before)
    if lost:
        return f"{what} would change: {next(iter(lost))[:60]}"
    if added:
        return f"{what} would be added: {next(iter(added))[:60]}"
    return f"{what} would move: {next(a for a, b in zip(before, after, strict=True) if a != b)[:60]}"


# --- the model's own voice ------------------------------------------------------------------------

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_CONTROL = re.compile(
    r"<\|[^<>|\n]{0,60}\|?>?|\|>|</?s>|\[/?INST\]|<</?SYS>>"
    r"|</?(?:bos|eos|pad|unk|think|start_of_turn|end_of_turn)>"
    r"|###|\*\*|```|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
)
_ANSWERS = [
    re.compile(pattern, re.I)
    for pattern in (
        r"^\W{0,3}(?:sure|certainly|of course|absolutely|got it|understood|no problem)\b\W",
        r"^\W{0,3}(?:assistant|user|system|output|input|answer|response|corrected|rewritten|revised)\b\s?:",
        r"\bhere(?:'s| is| are)\b.{0,20}\b(?:corrected|revised|improved|rewritten|polished|correction)\b",
        r"\b(?:corrected|revised|improved|rewritten|polished) (?:text|version|sentence|email|message|one)\b",
        r"\b(?:note|explanation|changes(?: made)?|corrections?)\s?:",
        r"\b(?:no (?:changes|corrections) (?:are |were )?(?:needed|necessary|required)|already correct)\b",
        r"\bas an? (?:ai|artificial|(?:large )?language model|assistant)\b",
        r"\bi (?:can't|cannot|am unable to|won't) (?:help|assist|comply|fulfil|proofread|rewrite)",
        r"\bi(?:'ve| have)? (?:corrected|rewritten|revised|proofread|fixed) (?:the|your|this) ",
        r"\b(?:grammatical|grammar|politeness|sentiment|proofread\w*)\b",
        r"\bi hope this helps\b|\blet me know if you'?d like (?:me to|any)\b",
    )
]
_MAY_DOUBLE = frozenset("that had very so no bye".split())
_ANY_TOKEN = re.compile(r"\w+(?:'\w+)?|[^\w\s]")


def _control(before: str, after: str) -> str | None:
    added = Counter(_CONTROL.findall(after)) - Counter(_CONTROL.findall(before))
    if (
        added
        or any(0xD800 <= ord(c) < 0xE000 for c in after)
        and not any(0xD800 <= ord(c) < 0xE000 for c in before)
    ):
        return "control text from the model"
    if before.strip() and not after.strip():
        return "the model returned nothing"
    return None


def _answer(before: str, after: str) -> str | None:
    for pattern in _ANSWERS:
        found = pattern.search(after)
        # "I cant help" -> "I can't help": the words were the writer's own.
        if (
            found
            and not pattern.search(before)
            and set(_bare_words(found.group())) - set(_bare_words(before))
        ):
            return "the model answered instead of correcting"
    return None


def _bare_words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("'", ""))


def _length(before: str, after: str) -> str | None:
    was, becomes = len(before.split()), len(after.split())
    if becomes > 1.5 * was + 6 or len(after) > 2 * len(before) + 60:
        return "too long"
    if becomes < 0.6 * was - 1:
        return "too much would be lost"
    return None


def _loop(before: str, after: str) -> str | None:
    return "the model repeated itself" if _repeats(after) > _repeats(before) else None


def _repeats(text: str) -> int:
    """How often up to eight words follow themselves at once, and how often five words come back later."""
    words = [word.lower() for word in _ANY_TOKEN.findall(text)]
    found = 0
    for size in range(1, 9):
        for at in range(len(words) - 2 * size + 1):
            if words[at] == words[at + size] and words[at : at + size] == words[at + size : at + 2 * size]:
                thrice = words[at + 2 * size : at + 3 * size] == words[at : at + size]
                found += size > 1 or words[at].isalpha() and words[at] not in _MAY_DOUBLE or thrice
    runs = Counter(tuple(words[at : at + 5]) for at in range(len(words) - 4))
    return found + sum(count - 1 for count in runs.values())


def _terms(before: str, after: str, terms: Iterable[str]) -> str | None:
    """The caller's own words: as often as before, and never written worse than before.

    A term that is also an ordinary word ("Will") counts only where it is written as given.
    """
    for term in dict.fromkeys(unicodedata.normalize("NFC", t).replace("’", "'").strip() for t in terms):
        if not term or term.casefold() not in before.casefold():
            continue
        pattern = rf"(?<!\w){re.escape(term)}(?!\w)"
        was, becomes = len(re.findall(pattern, before)), len(re.findall(pattern, after))
        was_any, becomes_any = (len(re.findall(pattern, text, re.I)) for text in (before, after))
        dropped = was_any != becomes_any and _count(term) < _RARE
        if was_any and (dropped or not was <= becomes <= was_any):
            return f"a protected word would change: {term[:60]}"
    return None


# --- spans that stay to the letter ----------------------------------------------------------------

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
_FIXED = [
    ("code", r"`[^`\n]{1,300}`"),
    ("quoted text", _QUOTES),
    (
        "a link",
        r"(?:(?:https?|ftp)://|www\.|mailto:)[^\s<>\"]+"
        rf"|(?<![\w@.-])(?:[\w-]{{1,63}}\.){{1,5}}(?:{_TLD})(?![\w@])(?:/[^\s<>\"]*)?",
    ),
    ("an email address", r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}"),
    (
        "a placeholder",
        r"\{\{[^{}\n]{1,80}\}\}|\$\{[^{}\n]{1,80}\}|\{[\w .:-]{0,40}\}|\[[^\[\]\n]{1,60}\]"
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
]
_FIXED_PATTERN = re.compile(
    "|".join(f"(?P<k{number}>{pattern})" for number, (_, pattern) in enumerate(_FIXED))
)
_UNQUOTED_PATTERN = re.compile(
    "|".join(
        f"(?P<k{number}>{pattern})" for number, (kind, pattern) in enumerate(_FIXED) if kind != "quoted text"
    )
)


def _fixed(text: str, with_quotes: bool) -> tuple[list[tuple[str, str]], str]:
    """(kind, text) of every span that must come back to the letter, and the text with those blanked out.

    An odd number of quotation marks says nothing about what is quoted: then quotes are left out.
    """
    found: list[tuple[str, str]] = []

    def blank(match: re.Match[str]) -> str:
        kind = _FIXED[int((match.lastgroup or "k0")[1:])][0]
        item = match.group()
        if kind == "quoted text":
            item = " ".join(item[1:-1].split()).rstrip(".,;!? ")
        else:
            kept = item.rstrip(".,;:!?)'*" if kind != "code" or item[0] != "`" else "")
            item = kept if kept else item
            if kind == "code" and item[0] != "`" and any(c.isdigit() for c in item):
                item = item.casefold().rstrip("-/")
        found.append((kind, item))
        tail = (
            match.group()[len(match.group().rstrip(".,;:!?")) :]
            if kind in ("a link", "code", "a file name")
            else ""
        )
        return " " * (len(match.group()) - len(tail)) + tail

    rest = (_FIXED_PATTERN if with_quotes else _UNQUOTED_PATTERN).sub(blank, text)
    return found, rest


# --- words ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Word:
    text: str  # without the possessive ending
    start: int
    end: int
    first: bool  # begins a sentence, so that its capital says nothing
    owner: bool  # had the possessive ending

    @property
    def key(self) -> str:
        return self.text.casefold()

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()


_LETTERS = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")


def _double_name(word: str) -> bool:
    return all(part[:1].isupper() for part in word.split("-")) and any(
        not part.isupper() and _count(part) < _RARE for part in word.split("-")
    )


class _Text:
    """A text with its words, the fixed spans already blanked out."""

    def __init__(self, text: str) -> None:
        self.text = text
        starts = {match.start() for span in sentences(text) if (match := _LETTERS.search(text, *span))}
        self.words = []
        for match in _LETTERS.finditer(text):
            # "Anne-Marie" is one name; "API-based" and "follow-up" are words that may be joined or parted.
            parts = [(match.group(), match.start())]
            if "-" in match.group() and not _double_name(match.group()):
                parts = [(m.group(), match.start() + m.start()) for m in re.finditer("[^-]+", match.group())]
            for word, start in parts:
                stem = word[:-2] if word.endswith("'s") and len(word) > 2 else word
                if stem.endswith("s") and stem[:-1].isupper() and len(stem) > 2:
                    stem = stem[:-1]  # "KPIs"
                first = start in starts
                self.words.append(_Word(stem, start, start + len(word), first, word.endswith("'s")))
        self.keys = {word.key for word in self.words}
        letters = [word for word in self.words if len(word.text) > 1]
        self.shouting = len(letters) >= 3 and sum(word.text.isupper() for word in letters) > 0.6 * len(
            letters
        )

    @cached_property
    def joined(self) -> frozenset[str]:
        """Neighbouring words written as one."""
        return frozenset(a.key + b.key for a, b in zip(self.words, self.words[1:], strict=False))


@lru_cache(maxsize=1)
def _counts() -> tuple[dict[str, int], frozenset[str]]:
    """Occurrences of ordinary words, and the lower-case forms of those that are always capitalised."""
    counts: dict[str, int] = {}
    capitals = set()
    for line in PATH.read_text(encoding="utf-8").splitlines():
        word, _, count = line.partition("\t")
        if word[:1].isupper() and not word.startswith("I'") and word != "I":
            capitals.add(word.lower())
        else:
            counts[word.lower()] = int(count)
    return counts, frozenset(capitals)


def _count(word: str) -> int:
    """Occurrences of an ordinary word; -1 when the list does not have it."""
    return _counts()[0].get(word.casefold(), -1)


def _known(word: str) -> bool:
    counts, capitals = _counts()
    key = word.casefold()
    if key in counts or key in capitals or len(key) == 1:
        return True
    if key.endswith("'") or "'" in key:
        head, _, tail = key.partition("'")
        return tail in ("s", "d", "ll", "re", "ve", "m", "t", "") and (
            head in counts or head in capitals or head == "i"
        )
    if "-" in key:
        return all(_known(part) for part in key.split("-"))
    return key.endswith("s") and (key[:-1] in counts or key[:-1] in capitals)


def _alike(a: str, b: str, least: float) -> bool:
    """Whether two words share at least this much of their letters, in order and capitals aside."""
    if len(a) + len(b) > 120:
        return a == b
    matcher = difflib.SequenceMatcher(None, a.casefold(), b.casefold(), autojunk=False)
    return matcher.real_quick_ratio() >= least and matcher.quick_ratio() >= least and matcher.ratio() >= least


# --- numbers --------------------------------------------------------------------------------------

_FIGURE = re.compile(r"\d+(?:[.,:/]\d+)*")
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
_SPELT_UNITS = frozenset(unit for unit in _UNITS.values() if len(unit) > 2)
_ORDINAL_ENDINGS = frozenset(("st", "nd", "rd", "th"))
_SIGNS = re.compile(r"[$€£¥₹₺₽₩%‰°<>≤≥±~=×÷^+]")
_MINUS = re.compile(r"(?<![\w.,)\]])[-−](?=[$€£]?\d)")
_NUMBER_WORDS = frozenset(
    "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand "
    "million billion dozen half twice second third fourth fifth sixth seventh eighth ninth tenth".split()
)
_SOUNDS_LIKE = {
    "two": {"to", "too", "tow"},
    "four": {"for", "fore"},
    "eight": {"ate"},
    "three": {"tree"},
    "third": {"thirt"},
}


def _figures(text: str) -> list[tuple[str, str | None]]:
    """(digits, unit) of every number; "5pm", "5 pm" and "5 p.m." are the same."""
    found: list[tuple[str, str | None]] = []
    for match in _FIGURE.finditer(text):
        unit = None
        after = _UNIT.match(text, match.end())
        if after and after.group(2).lower() not in _ORDINAL_ENDINGS:
            attached = not after.group(1)
            unit = _UNITS.get(after.group(2).lower(), after.group(2).lower() if attached else None)
        found.append((match.group(), unit))
    return found


def _numbers(old: _Text, new: _Text) -> str | None:
    was, becomes = _figures(old.text), _figures(new.text)
    if reason := _difference("a number", [n for n, _ in was], [n for n, _ in becomes]):
        return reason
    for (number, unit), (_, new_unit) in zip(was, becomes, strict=True):
        if unit != new_unit and not (unit is None and new_unit in _SPELT_UNITS):
            return f"a number would change: {number} {unit or new_unit}"
    for pattern, what in ((_SIGNS, "a sign"), (_MINUS, "a sign")):
        if reason := _difference(what, sorted(pattern.findall(old.text)), sorted(pattern.findall(new.text))):
            return reason
    fractions = [
        [c for c in t.text if not c.isdecimal() and unicodedata.numeric(c, None) is not None]
        for t in (old, new)
    ]
    return _difference("a number", *fractions) or _number_words(old, new)


def _number_words(old: _Text, new: _Text) -> str | None:
    was, becomes = ([w for key in _plain(t) if (w := key) in _NUMBER_WORDS] for t in (old, new))
    if was == becomes:
        return None
    old_words, new_words = Counter(_plain(old)), Counter(_plain(new))
    gone, come = old_words - new_words, new_words - old_words
    for word in Counter(was) - Counter(becomes):
        if not _SOUNDS_LIKE.get(word, set()) & come.keys():
            return f"a number would change: {word}"
    for word in Counter(becomes) - Counter(was):
        misspelt = (g for g in gone if not _known(g) and _alike(g, word, 0.6))
        if not _SOUNDS_LIKE.get(word, set()) & gone.keys() and not any(misspelt):
            return f"a number would be added: {word}"
    return None if Counter(was) != Counter(becomes) else f"a number would move: {was[0]}"


def _plain(text: _Text) -> list[str]:
    """Words with compounds taken apart and plural numbers made singular."""
    parts = [part for word in text.words for part in word.key.split("-")]
    return [part[:-1] if part.endswith("s") and part[:-1] in _NUMBER_WORDS else part for part in parts]


# --- dates, countries -----------------------------------------------------------------------------

_DATE_WORDS = {
    form: names.split()[0]
    for names in (
        "monday mondays mon|tuesday tuesdays tue tues|wednesday wednesdays wed|thursday thursdays thu thur "
        "thurs|friday fridays fri|saturday saturdays sat|sunday sundays sun|january jan|february feb|march "
        "mar|april apr|may|june jun|july jul|august aug|september sep sept|october oct|november nov|"
        "december dec|today todays|tomorrow tomorrows|yesterday yesterdays|tonight|noon|midnight|christmas|"
        "easter|england english|britain british|america american americans|germany german germans|france "
        "french|spain spanish|italy italian italians|portugal portuguese|netherlands dutch|belgium belgian|"
        "switzerland swiss|austria austrian|australia australian australians|canada canadian canadians|"
        "mexico mexican|brazil brazilian|argentina argentinian argentine|china chinese|japan japanese|"
        "korea korean|india indian indians|pakistan pakistani|russia russian russians|ukraine ukrainian|"
        "poland polish|czech|hungary hungarian|romania romanian|bulgaria bulgarian|greece greek|turkey "
        "turkish|israel israeli|iran iranian|iraq iraqi|egypt egyptian|nigeria nigerian|kenya kenyan|"
        "sweden swedish|norway norwegian|denmark danish|finland finnish|ireland irish|scotland scottish|"
        "wales welsh|europe european europeans|asia asian|africa african|vietnam vietnamese|thailand thai|"
        "indonesia indonesian|philippines filipino|arabic arab|latin|singapore|london|paris|berlin"
    ).split("|")
    for form in names.split()
}
# In lower case these are other words, unless a number stands beside them.
_OTHER_WORDS = frozenset(
    "mon tue wed sat sun jan mar may march august polish turkey china latin noon dec".split()
)
_BESIDE_NUMBER = re.compile(r"\d(?:st|nd|rd|th)?(?: of)?[ ,.]{1,2}$")


def _dates(text: _Text) -> list[tuple[int, frozenset[str], bool]]:
    """(word index, meanings, sure) of days, months and countries; a misspelt one is possible, not sure."""
    found = []
    for at, word in enumerate(text.words):
        meaning = _DATE_WORDS.get(word.key)
        if meaning:
            beside = _BESIDE_NUMBER.search(text.text[max(0, word.start - 12) : word.start]) or re.match(
                r"\.?[ ,]{1,2}\d", text.text[word.end : word.end + 4]
            )
            sure = word.key not in _OTHER_WORDS or bool(beside) or (word.capital and not word.first)
            found.append((at, frozenset((meaning,)), sure))
        elif len(word.key) >= 4 and not _known(word.key):
            near = {_DATE_WORDS[form] for form in _near_dates(word.key)}
            if near:
                found.append((at, frozenset(near), False))
    return found


@lru_cache(maxsize=4096)
def _near_dates(key: str) -> tuple[str, ...]:
    return tuple(
        form for form in _DATE_WORDS if len(form) > 3 and form[0] == key[0] and _alike(key, form, 0.8)
    )


def _calendar(old: _Text, new: _Text) -> str | None:
    """Days, months and countries in the same order; a misspelt one may turn into what it resembles."""
    expected = _dates(old)
    position = 0
    for at, meaning, sure in _dates(new):
        probe = position
        while probe < len(expected) and not expected[probe][1] & meaning and not expected[probe][2]:
            probe += 1
        if probe < len(expected) and expected[probe][1] & meaning:
            position = probe + 1
        elif sure:
            if probe < len(expected):
                return f"a date or country would change: {old.words[expected[probe][0]].text}"
            return f"a date or country would be added: {new.words[at].text}"
    for at, _, sure in expected[position:]:
        if sure:
            return f"a date or country would change: {old.words[at].text}"
    return None


# --- names ----------------------------------------------------------------------------------------

# Occurrences in the word list: of words so rare that a capital makes a name (at the start of a sentence, or
# inside one), and of words so common that it means nothing.
_STRANGE, _RARE, _EVERYDAY = 100, 200, 30_000
_ACRONYM_RARE = 5000  # for two letters: most short words are also somebody's initials
_ALSO_NAMES = frozenset(
    "will mark bill grace rose hope jack frank art rob bob pat sue may june april august dawn faith joy "
    "ray dean grant guy drew gene jean lance max miles nick norm peg penny pierce rich robin rod sandy "
    "skip summer victor wade ward woody young long king cook baker smith brown green white black gray grey "
    "bush wood stone hill field rivers banks price cash chase dale earl ford fisher hunter mason miller "
    "page parker porter potter read rice sharp short singer stark swift taylor turner walker wolf gold "
    "silver bell ball cross day case iris ivy lily olive ruby violet angel".split()
)
_TITLES = frozenset("mr mrs ms miss mx dr prof professor sir madam dame lord lady capt captain".split())
_SHORT_WORDS = frozenset("so go me we he is be do my by of on or to up an as at if in no am im ive".split())
_ACRONYMS = frozenset(
    "api faq pdf ceo cfo cto coo roi kpi sql html css http url usb gps vat hr it us uk eu un ai pr id tv "
    "pc vp qa ui ux asap eta eod fyi rsvp rfp rfq nda sla poc po iban gmt utc est pst cet who usa nato "
    "nasa".split()
)


def _acronym(word: _Word, text: _Text) -> bool:
    bare = word.text[:-1] if len(word.text) > 2 and word.text[-1] == "s" else word.text
    if len(bare) < 2 or not bare.isupper() or text.shouting:
        return False
    key = bare.casefold()
    if key in ("am",):
        return False
    return key in _ACRONYMS or (
        key not in _SHORT_WORDS and _count(key) < (_RARE if len(key) > 2 else _ACRONYM_RARE)
    )


def _mixed(word: _Word) -> bool:
    """iPhone, GitHub, McDonald; not "THe", which is a slip of the shift key."""
    inner = [part[1:] for part in re.split("[-']", word.text)]
    if word.text.isupper() or not any(c.isupper() for part in inner for c in part):
        return False
    slip = re.fullmatch(r"[A-Z]{2}[a-z]+", word.text) and _count(word.key) >= 0
    return not slip and not (word.text[:-1].isupper() and word.text[-1] == "s")


def _hard_names(text: _Text) -> list[str]:
    """Names in order, acronyms and words like GitHub among them."""
    marked = [_is_hard(text, at) for at in range(len(text.words))]
    places = range(1, len(marked))
    for at in [*places, *reversed(places)]:
        # "Bob Hall", "New York": a capitalised neighbour belongs to the name.
        a, b = text.words[at - 1], text.words[at]
        if marked[at - 1] != marked[at] and a.capital and b.capital and text.text[a.end : b.start] == " ":
            name, other = (a, b) if marked[at - 1] else (b, a)
            joins = not (
                other.first or other.text.isupper() or name.text.isupper() or other.key in _DATE_WORDS
            )
            if joins and (_count(other.key) < _EVERYDAY or other.key == "new"):
                marked[at - 1] = marked[at] = True
    certain = {word.text for word, mark in zip(text.words, marked, strict=True) if mark}
    return [word.text for word in text.words if word.text in certain]


def _is_hard(text: _Text, at: int) -> bool:
    word = text.words[at]
    if _mixed(word) or _acronym(word, text):
        return True
    if (
        not word.capital
        or word.key in _DATE_WORDS
        or word.key == "i"
        or word.key.startswith("i'")
        or text.shouting
    ):
        return False
    if word.text.isupper():
        return False
    listed = word.key in _counts()[1]
    if not word.first:
        # "We had a Meating in Septembre": a slip of a day, month or country, for `_calendar` to judge.
        if not _known(word.key) and _near_dates(word.key):
            return False
        titled = at > 0 and text.words[at - 1].key in _TITLES
        bare = word.key.split("'")[0]
        return (
            titled
            or listed
            or word.key in _ALSO_NAMES
            or max(_count(word.key), _count(bare) if "'" in word.key else -1) < _RARE
        )
    if listed:
        return True
    if _count(word.key) >= 0 or ("'" in word.key or "-" in word.key) and _known(word.key):
        return False
    if (
        word.owner
        or any(part[:1].isupper() for part in re.split("[-']", word.text)[1:])
        or not word.text.isascii()
    ):
        return True
    following = text.words[at + 1] if at + 1 < len(text.words) else None
    between = text.text[word.end : following.start] if following else text.text[word.end :]
    if following is None:
        return between.strip() in (",", ":", "")
    return between == " " and following.capital and not following.first and _count(following.key) < _RARE


def _names(old: _Text, new: _Text) -> str | None:
    names = set(_hard_names(old))
    was = [word for word in old.words if word.text in names]
    becomes = [word for word in new.words if word.text in names or word.owner and word.text + "s" in names]
    texts = [word.text for word in becomes]
    for index, word in enumerate(was):
        if index >= len(becomes) or not _same_name(word, becomes[index]):
            lost = Counter(w.text for w in was) - Counter(texts)
            return f"a name would {'change' if lost else 'move'}: {next(iter(lost), word.text)[:60]}"
    if len(becomes) > len(was):
        return f"a name would be added: {becomes[len(was)].text[:60]}"
    return _soft_names(old, new, names) or _new_words(old, new, names)


def _same_name(a: _Word, b: _Word) -> bool:
    return a.text == b.text or b.owner and a.text == b.text + "s"


def _soft_names(old: _Text, new: _Text, names: set[str]) -> str | None:
    """Capitalised words that may be names: they may lose their capital or be corrected, not be replaced."""
    owners = {word.text + "s" for word in new.words if word.owner}  # "Priyas team" -> "Priya's team"
    for word in old.words:
        kept = word.text in names or word.key in new.keys or word.key in _DATE_WORDS
        kept = kept or word.text in owners
        if kept or not word.capital or word.text.isupper() or old.shouting:
            continue
        if not _known(word.text):
            meant = {_DATE_WORDS[form] for form in _near_dates(word.key)}
            if meant & {_DATE_WORDS.get(w.key) for w in new.words} or _is_regrouped(word.key, new):
                continue
            if not any(_alike(w.key, word.key, 0.6) and _known(w.text) for w in new.words):
                return f"a name would change: {word.text[:60]}"
        elif not word.first and _count(word.key) < _EVERYDAY:
            if not any(_inflected(word.key, w.key) for w in new.words) and not _is_regrouped(word.key, new):
                return f"a name would change: {word.text[:60]}"
    return None


def _inflected(a: str, b: str) -> bool:
    """Whether two words begin alike for most of their length: Deals/deal, Company/companies."""
    shared = len(commonprefix((a, b)))
    return shared >= 4 and shared >= 0.6 * max(len(a), len(b)) or a + "s" == b or b + "s" == a


def _is_regrouped(key: str, other: _Text) -> bool:
    """Whether the other text has this word in two pieces, or in a longer one ("every body", "alot")."""
    return key in other.joined or any(key in _halves(word) for word in other.keys)


@lru_cache(maxsize=4096)
def _halves(word: str) -> frozenset[str]:
    """The two words that an unknown one was meant to be, whatever the cut."""
    cuts = () if _known(word) else range(1, min(len(word), 40))
    whole = [(word[:cut], word[cut:]) for cut in cuts if _known(word[:cut]) and _known(word[cut:])]
    return frozenset(half for halves in whole for half in halves)


def _new_words(old: _Text, new: _Text, names: set[str]) -> str | None:
    """Words the draft does not have must be in the word list, and must not be names."""
    for at, word in enumerate(new.words):
        there = word.text in names or word.key in old.keys or word.owner and word.text + "s" in names
        if there or word.key in _DATE_WORDS or _is_regrouped(word.key, old):
            continue
        if not _known(word.text) and not _known(word.text + "'s" * word.owner):
            return f"an unknown word would be added: {word.text[:60]}"
        strange = word.capital and word.first and _count(word.key) < _STRANGE
        if (strange or _is_hard(new, at)) and not new.shouting:
            limit = 0.6 if strange else 0.7
            if not any(_alike(w.key, word.key, limit) for w in old.words if strange or not _known(w.text)):
                return f"a name would be added: {word.text[:60]}"
    return None


# --- meaning --------------------------------------------------------------------------------------

_NOVEL = 5000  # occurrences: more frequent words carry grammar and courtesy, not content
_NEGATIONS = frozenset(
    "not no never none nobody nothing neither nor cannot without dont doesnt didnt isnt arent wasnt werent "
    "cant couldnt wont wouldnt shouldnt havent hasnt hadnt unable nowhere".split()
)


def _negated(text: _Text) -> bool:
    return any(word.key in _NEGATIONS or word.key.endswith(("'t", "nt'")) for word in text.words)


def _kept(old: _Text, new: _Text) -> float:
    """Share of the draft's words that are still there, corrected ones included."""
    was, becomes = Counter(w.key for w in old.words), Counter(w.key for w in new.words)
    left, added = list((was - becomes).elements())[:60], list((becomes - was).elements())[:60]
    kept = (was & becomes).total()
    for word in left:
        match = next(
            (a for a in added if _alike(word, a, 0.6) or a.startswith(word[:4]) and len(word) > 4), None
        )
        if match:
            added.remove(match)
            kept += 1
    return kept / max(1, was.total())


def _meaning(old: _Text, new: _Text) -> str | None:
    if _negated(old) != _negated(new) and _kept(old, new) > 0.6 and not _split_not(old, new):
        return f"the meaning would turn: a “not” would be {'added' if _negated(new) else 'lost'}"
    return None


def _split_not(old: _Text, new: _Text) -> bool:
    """Misspelt negations ("dosent", "coudnt") that the rewrite spells out."""
    return _negated(new) and any(w.key.endswith(("nt", "n't", "t")) and not _known(w.text) for w in old.words)


def _likeness(old: _Text, new: _Text) -> str | None:
    if len(old.words) >= 5 and _kept(old, new) < 0.45:
        return "too different from the original"
    was = [w.key for w in old.words]
    novel = [w.key for w in new.words if w.key not in old.keys and 0 <= _count(w.key) < _NOVEL]
    gone = [key for key in dict.fromkeys(was) if key not in new.keys][:200]
    novel = [key for key in dict.fromkeys(novel) if not any(_alike(key, word, 0.6) for word in gone)]
    if len(novel) > max(2, 0.3 * len(was)):
        return "too different from the original"
    return None
