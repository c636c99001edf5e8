"""Checks of what belongs to an email and no proposer looks at: notes beside the edits, never edits by themselves.

    check(Email.read("Hi Ann,\n\nSee you on Monday, 3 March 2026.", lexicon), lexicon)[0].message
    # '3 March 2026 is a Tuesday, not a Monday.'

Precision comes first: where a person may have meant what stands there, nothing is said. Quotes, signatures, code and text in
another language are not checked.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from rapidfuzz.distance import OSA

from space.proofread.email import EDITABLE, SUBJECT_LINE
from space.proofread.headers import Headers
from space.proofread.lexicon import Lexicon
from space.proofread.names import DATES, OTHER_WORDS
from space.proofread.protect import plain_in_place
from space.proofread.units import Email
from space.proofread.words import WORD, read_list, word_set

NAMES = ("subject", "greeting", "weekday", "attachment", "name", "placeholder", "figure")
MOST = 20  # of one email; more would be a list that nobody reads


@dataclass(frozen=True)
class Check:
    """The characters [start, end) of a draft, which of NAMES found them, and why, in one line for the user."""

    start: int
    end: int
    name: str
    message: str


def check(
    email: Email, lexicon: Lexicon, headers: Headers | None = None, today: date | None = None
) -> tuple[Check, ...]:
    """What the writer should look at again, by where it stands.

    A pasted draft has no `headers`; `today` is the day on which it is written.
    """
    if not email.parts:  # it is not English
        return ()
    text = _Text(email)
    written = (headers and headers.written) or today or date.today()
    found = [
        *_subject(text, lexicon, headers),
        *_greeting(text, lexicon, headers),
        *_weekdays(text, written),
        *_attachment(text, headers),
        *_names(text, lexicon),
        *_placeholders(text),
        *_figures(text),
    ]
    return tuple(sorted(found[:MOST], key=lambda each: (each.start, each.end)))


# ---- the text that is checked ----

# What somebody else wrote or a machine reads; a name or a number in it says nothing of this email.
_SILENT = frozenset(
    "quoted text|a link|an email address|a file name|a path|a handle|a tag|code|markup|a template tag".split(
        "|"
    )
)


@dataclass(frozen=True)
class _Passage:
    """A part of the draft, with NUL where nothing is checked; offsets are those of the part, `start` is where it begins."""

    kind: str
    text: str
    start: int

    def check(self, match: re.Match[str], name: str, message: str, group: int | str = 0) -> Check:
        return Check(self.start + match.start(group), self.start + match.end(group), name, message)


class _Text:
    """A draft as what its writer wrote, sentence by sentence."""

    def __init__(self, email: Email) -> None:
        self.email = email
        visible = _visible(email)
        self.passages = [
            _Passage(part.kind, visible[part.start : part.start + len(part.text)], part.start)
            for part in email.parts
            if part.kind in EDITABLE
        ]

    def of(self, *kinds: str) -> Iterator[_Passage]:
        return (passage for passage in self.passages if passage.kind in kinds)


def _visible(email: Email) -> str:
    """The draft with NUL where nothing is checked; every character keeps its place."""
    text = plain_in_place(email.draft)
    pieces, at = [], 0
    for span in email.spans:
        if span.what in _SILENT and span.start >= at:
            pieces += [text[at : span.start], "\0" * (span.end - span.start)]
            at = span.end
    return "".join([*pieces, text[at:]])


def _quoted(text: str) -> str:
    """A stretch of the draft as a message shows it."""
    return f"“{' '.join(text.split())}”"


# ---- the subject ----

_CRIES = re.compile(r"!{2,}|[!?]{3,}")


def _subject(text: _Text, lexicon: Lexicon, headers: Headers | None) -> Iterator[Check]:
    """A subject that is missing or shouts; that of a draft is its own line, whatever the headers say."""
    if written := next(text.of("subject"), None):
        yield from _shouting(written, lexicon)
        return
    for part in text.email.parts:
        if part.kind == "header" and (line := SUBJECT_LINE.search(part.text)):
            passage = _Passage(part.kind, part.text, part.start)
            yield passage.check(line, "subject", "The subject is empty.")
            return
    if headers is not None:
        subject = _Passage("subject", headers.subject or "", 0)
        found = [each.message for each in _shouting(subject, lexicon)]
        for message in found if subject.text.strip() else ["This email has no subject."]:
            yield Check(0, 0, "subject", message)


def _shouting(subject: _Passage, lexicon: Lexicon) -> Iterator[Check]:
    words = WORD.findall(subject.text)
    ordinary = [word for word in words if len(word) > 4 and lexicon.count(word) > 0]
    if ordinary and all(word.isupper() for word in words):
        end = subject.start + len(subject.text)
        yield Check(subject.start, end, "subject", "A subject in capitals reads as shouting.")
    elif match := _CRIES.search(subject.text):
        yield subject.check(match, "subject", f"{_quoted(match.group())} in a subject reads as shouting.")


# ---- the greeting ----

_GROUP = word_set("checks", "group")
_MAILBOX, _TITLES = word_set("checks", "mailbox"), word_set("names", "titles")
# Those of one row may be the same person.
_NICKNAMES = [frozenset(words.split()) for kind, words in read_list("checks") if kind == "nicknames"]
_GREETED = re.compile(
    r"\W*(?:hi|hello|hey|hiya|dear|greetings|good\s?(?:morning|afternoon|evening|day)|morning|afternoon|evening)"
    r"(?: there)?,?\s+(?P<name>[^,:;!?\n–—]+?)(?=\s-|[,:;!?\n–—]|$)",
    re.IGNORECASE,
)
_ALSO_NAMES = word_set("names", "also_names")
_SELDOM = 100  # occurrences in the word list; in a greeting such a word is a name: "Sofia", not "Customer"
_EVERYDAY = (
    1000  # occurrences of a word that is a firm's name rather than a person's, and no name misspelt: "Energy"
)
_PEOPLE_AT_MOST = 5  # of a mail to more the greeting says little


def _greeting(text: _Text, lexicon: Lexicon, headers: Headers | None) -> Iterator[Check]:
    """A greeting of somebody whom the mail does not go to."""
    to = [_person(*each, lexicon) for each in headers.to] if headers else []
    passage = next(text.of("greeting"), None)
    if passage is None or not 0 < len(to) <= _PEOPLE_AT_MOST or not all(to):
        return
    match = _GREETED.match(passage.text)
    greeted = _greeted(match.group("name"), lexicon) if match else []
    pairs = [(name, known) for name in greeted for person in to for known in person]
    if match and pairs and not any(_may_be(*pair) for pair in pairs):
        who = " ".join(match.group("name").split())
        people = " and ".join(" ".join(word.capitalize() for word in person) for person in to)
        slip = any(_is_slip(*pair) for pair in pairs)
        verbs = ("says", "the address says") if slip else ("names", "the email goes to")
        message = f"The greeting {verbs[0]} {who}, but {verbs[1]} {people}."
        yield passage.check(match, "greeting", message, "name")


def _person(name: str, address: str, lexicon: Lexicon) -> list[str]:
    """The words of a recipient's name, in lower case; none if it does not look like a person's."""
    family, comma, given = name.split("(")[0].partition(",")
    words = WORD.findall(_ascii(f"{given} {family}" if comma else family))
    if "@" in name or len(words) < 2:
        words = WORD.findall(_ascii(address.partition("@")[0].replace(".", " ")))
        words = [word for word in words if len(word) > 2] if "." in address.partition("@")[0] else []
        words = [word.capitalize() for word in words]
    if not 2 <= len(words) <= 4 or not all(word[0].isupper() or len(word) < 4 for word in words):
        return []
    found = [word.casefold() for word in words]
    firm = any(lexicon.count(word) >= _EVERYDAY for word in found if word not in _ALSO_NAMES | _TITLES)
    return [] if firm or (_GROUP | _MAILBOX) & set(found) else found


def _greeted(name: str, lexicon: Lexicon) -> list[str]:
    """The words of the one name in a greeting; none where it may be a word, initials or several people."""
    words = WORD.findall(_ascii(name))
    keys = [word.casefold() for word in words if word.casefold() not in _TITLES]
    if not 1 <= len(keys) <= 3 or re.search(r"[&/+\0]", name) or {"and", *_GROUP} & set(keys):
        return []
    if not all(word[0].isupper() and word[1:].islower() for word in words) or min(map(len, keys)) < 3:
        return []
    titled = len(keys) < len(words)
    named = all(lexicon.count(key) < _SELDOM or key in _ALSO_NAMES for key in keys)
    return keys if titled or named else []


def _may_be(name: str, known: str) -> bool:
    """Whether a person of that name may be called this."""
    short = name[0] == known[0] and min(len(name), len(known)) <= 4  # "Uli", "Vova"
    alike = name[:3] in known or known[:3] in name or any({name, known} <= row for row in _NICKNAMES)
    return (short or alike) and not _is_slip(name, known)


def _is_slip(name: str, known: str) -> bool:
    """Whether one is the other misspelt: no short form, no other ending."""
    inner = min(len(name), len(known)) >= 5 and name[-1] == known[-1] and name[0] == known[0]
    return inner and OSA.distance(name, known) == 1


def _ascii(text: str) -> str:
    """The text with its accents taken off."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


# ---- days ----

_DAYS = [name.lower() for name in calendar.day_name]
_MONTHS = [name.lower() for name in calendar.month_name]  # the first is empty
_OF_A_DAY = sorted(
    (f for f, day in DATES.items() if day in _DAYS and not f.endswith("days")), key=len, reverse=True
)
_OF_A_MONTH = sorted((form for form, month in DATES.items() if month in _MONTHS), key=len, reverse=True)
_WEEKDAY = rf"(?P<weekday>{'|'.join(_OF_A_DAY)})"
_NUMBER = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_MONTH = rf"(?P<month>{'|'.join(_OF_A_MONTH)})"
_YEAR = r"(?:,?\s+(?P<year>(?:19|20)\d\d)(?!\d|[:.,]\d|\s?(?:h|hrs|hours)\b))?"
_FORMS = (
    rf"{_NUMBER}\.?\s+(?:of\s+)?{_MONTH}(?!\w)(?:\.(?=,?\s\d))?{_YEAR}",
    rf"{_MONTH}\.?\s+(?:the\s+)?{_NUMBER}(?!\w){_YEAR}",
    r"(?P<a>\d{4}|\d{1,2})(?P<mark>[./-])(?P<b>\d{1,2})(?P=mark)(?P<c>\d{4}|\d{2})(?![\w./-]\d)",
)
_DATED = [
    re.compile(pattern, re.IGNORECASE)
    for form in _FORMS
    for pattern in (
        rf"(?<![\w-]){_WEEKDAY}\b\.?(?:\s(?:morning|afternoon|evening|night))?,?\s+\(?(?:on\s+)?(?:the\s+)?(?P<date>{form})(?!\w)",
        rf"(?<![\w./-])(?P<date>{form})(?!\w)(?:\s?\(|,\s(?:which\sis\s)?an?\s|\sis\san?\s){_WEEKDAY}(?!\w)",
    )
]  # fmt: skip
# "Monday or Tuesday, 3 March", "Mon-Wed, March 3-5": who knows which day is which.
_ONE_OF_SEVERAL = re.compile(
    rf"(?:{'|'.join(_OF_A_DAY)})s?\W{{1,3}}(?:(?:and|or|to|through|thru|until|till)\W{{1,2}})?(?:the\s)?$",
    re.I,
)
_SHORT_YEAR = re.compile(r",?\s+['’]?\d\d(?![\w:]|[.,]\d|\s?[ap]\.?m)")
_ANY_YEAR = re.compile(r"(?<![\w.,/])(?:19|20)\d\d(?![\w/]|[.,]\d)")


def _weekdays(text: _Text, today: date) -> Iterator[Check]:
    """Days of the week that do not fit their date; one without a year fits in this year, the last or the next."""
    near = range(today.year - 1, today.year + 2)
    stated = {int(year) for passage in text.passages for year in _ANY_YEAR.findall(passage.text)}
    for passage in text.passages:
        for pattern in _DATED:
            for match in pattern.finditer(passage.text):
                if (message := _weekday(match, near, today)) and (_stated(match) or stated <= set(near)):
                    yield passage.check(match, "weekday", message)


def _stated(match: re.Match[str]) -> bool:
    return bool(match.groupdict().get("year") or match.groupdict().get("c"))


def _weekday(match: re.Match[str], years: Iterable[int], today: date) -> str | None:
    """What is wrong with a day of the week and its date; None if nothing is."""
    word = match.group("weekday")
    before = match.string[max(0, match.start() - 30) : match.start()]
    if _ONE_OF_SEVERAL.search(before) or (len(word) < 6 and not word[0].isupper()):
        return None
    month = match.groupdict().get("month") or ""
    if month in OTHER_WORDS:  # "on Monday may 5 people come"
        return None
    if word == "Sun" and before.rstrip().lower().endswith("the"):  # a paper
        return None
    if not _stated(match) and _SHORT_YEAR.match(match.string, match.end()):
        return None
    said = _DAYS.index(DATES[word.lower()])
    days = _readings(match, years)
    shown = " ".join(match.group("date").split())
    if not days:
        return f"There is no {shown}." if month else None
    if any(day.weekday() == said for day in days):
        return None
    nearest = min(days, key=lambda each: abs(each - today))
    right, wrong = calendar.day_name[nearest.weekday()], calendar.day_name[said]
    return f"{'' if _stated(match) else f'In {nearest.year}, '}{shown} is a {right}, not a {wrong}."


def _readings(match: re.Match[str], years: Iterable[int]) -> list[date]:
    """The dates that it may be: of one without a year that of each year, of one in digits both orders."""
    groups = match.groupdict()
    if groups.get("month"):
        month, number = _MONTHS.index(DATES[groups["month"].lower()]), int(groups["day"])
        triples = [(y, month, number) for y in ([int(groups["year"])] if groups["year"] else years)]
    else:
        a, b, c = (int(groups[name]) for name in "abc")
        triples = [(a, b, c)] if a > 31 else []
        for year in () if triples else (c,) if c > 99 else (1900 + c, 2000 + c):
            triples += [(year, a, b), (year, b, a)]
    return [day for triple in triples if (day := _day(*triple))]


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


# ---- attachments ----

_THING = r"(?:file|files|document|documents|article|comments|resume|report|spreadsheet|table|form|forms|draft|agreement|contract|memo|list|letter|invoice|schedule|agenda|presentation|slides|chart|copy|version|summary|worksheet|pdf)"
# What can only mean this email, and what may mean another one.
_HERE = (
    r"\b(?:find|see)\s(?:the\s|my\s|our\s|a\s)?(?:\w+\s){0,4}?(?:attached|enclosed)\b"
    r"|\b(?:i|we)\s?(?:have\s|am\s|are\s|'ve\s|'m\s|'re\s)?(?:also\s|just\s|now\s|hereby\s|herewith\s)?(?:attach|attaching|enclose|enclosing)\b"
    r"|\b(?:attached|enclosed),?\s(?:please|is|are|you(?:'ll|\swill)?|herewith|hereto|find|for\s(?:your|review))\b"
    r"|\bas\san\sattachment\b|\bin\sattachment\b"
)
_SOMEWHERE = (
    r"\b(?:i|we)\s?(?:have\s|'ve\s)?(?:also\s|just\s|now\s)?(?:attached|enclosed)\b"
    r"|\b(?:is|are)\s(?:also\s)?attached\b"
    r"|\b(?:review|read|open|check|complete|sign)\s(?:the\s|my\s|our\s)?(?:\w+\s){0,2}?attached\b"
    rf"|\bthe\s(?:attached|enclosed)\s(?:\w+\s)?{_THING}\b|\b(?:see|find)\s(?:the\s|my\s)?attachments?\b"
)
_MENTIONED = re.compile(f"(?P<here>{_HERE})|{_SOMEWHERE}", re.IGNORECASE)
_ANOTHER_MAIL = re.compile(
    r"\b(?:last|earlier|previous|previously|prior|first|original|yesterday|ago|already|once|you\s(?:have\s)?(?:sent|attached))\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\b(?:in|with|to)\s(?:my|our|your|his|her|the)\s(?:last|earlier|previous|prior|first|original)\s(?:e-?mail|mail|message|note|letter)\b"
    r"|\b(?:attached|enclosed)\s(?:(?:\w+\s){0,4}?below\b|links?\b|(?:to|with|by|in|on)\s(?!(?:this|the)\s(?:e-?mail|mail|message|note)\b|you\b))",
    re.IGNORECASE,
)
_NOT_YET = re.compile(
    r"(?:\b(?:if|unless|when|whether|should|not|never|forgot|did|do|as)|n't)\s(?:\w+\s){0,4}$", re.IGNORECASE
)


def _attachment(text: _Text, headers: Headers | None) -> Iterator[Check]:
    """The first mention of something attached, unless there is."""
    if headers is not None and headers.attachments:
        return
    message = "You mention an attachment: is it there?"
    if headers is not None:
        message = "You mention an attachment, but nothing is attached."
    for passage in text.of("sentence", "item"):
        match = _MENTIONED.search(passage.text)
        if match is None or _ELSEWHERE.search(passage.text) or passage.text.rstrip().endswith("?"):
            continue
        before = passage.text[max(0, match.start() - 60) : match.start()]
        if not _NOT_YET.search(before) and (match.group("here") or not _ANOTHER_MAIL.search(passage.text)):
            yield passage.check(match, "attachment", message)
            return


# ---- one person, two spellings ----

_BEFORE = re.compile(r"\b(\w+)\s$")
_NAMES_AT_MOST = 200  # of an email; each is compared with each


@dataclass
class _Name:
    """A name, where it stands, in which parts, and which names stand before it."""

    text: str
    places: list[tuple[int, int]]
    parts: set[int]
    after: set[str]


def _names(text: _Text, lexicon: Lexicon) -> Iterator[Check]:
    """Names that are the same but for a letter."""
    found = [name for name in _names_in(text.email) if lexicon.count(name.text) < _EVERYDAY]
    for one, other in combinations(found[:_NAMES_AT_MOST], 2):
        if not _is_slip(one.text.casefold(), other.text.casefold()) or _ascii(one.text) == _ascii(other.text):
            continue
        # Two that are known, or stand in one sentence, may well be two.
        both = all(lexicon.lists(name.text) for name in (one, other))
        both = both or {one.text[-3:], other.text[-3:]} == {"sen", "son"}
        if (both or one.parts & other.parts) and not one.after & other.after:
            continue
        # The one that no list knows, or that stands here less often, or later, is more likely the wrong one.
        doubtful = max(one, other, key=lambda n: (not lexicon.lists(n.text), -len(n.places), n.places))
        message = f"{_quoted(one.text)} or {_quoted(other.text)}? Both spellings stand in this email."
        yield Check(*doubtful.places[0], "name", message)


def _names_in(email: Email) -> Iterable[_Name]:
    """The names of what is checked, as protection found them, and of the signature."""
    found: dict[str, _Name] = {}
    places = [(s.start, s.end, s.text) for s in email.spans if s.what == "a name"]
    for part in email.parts:
        if part.kind == "signature":
            places += [
                (part.start + m.start(), part.start + m.end(), m.group()) for m in WORD.finditer(part.text)
            ]
    starts = [part.start for part in email.parts]
    for start, end, word in sorted(places):
        if word.isalpha() and word[0].isupper() and word[1:].islower():
            name = found.setdefault(word, _Name(word, [], set(), set()))
            name.places.append((start, end))
            name.parts.add(bisect_right(starts, start))
            name.after |= set(_BEFORE.findall(email.draft[max(0, start - 40) : start])) & email.names
    return found.values()


# ---- placeholders ----

_FILLABLE, _FILL_IN = word_set("checks", "fillable"), word_set("checks", "fill_in")
_BRACKETED = re.compile(r"(?<![\w.@/-])[\[{<%]{1,3}[^\[\]{}<>\n]{1,60}[\]}>%]{1,3}(?![\w@/-]|\.\S)")
_VARIABLE = re.compile(r"\{\{\s*[\w. ]{1,40}\s*\}\}")
_LOREM = re.compile(r"\blorem ipsum\b", re.IGNORECASE)
_TO_COME, _TO_DO = word_set("checks", "to_come"), word_set("checks", "to_do")
_MARK = re.compile(
    rf"(?:\b(?P<before>[\w.]{{1,20}})\s|(?P<sign>[$€£]))?(?<![\w-])(?P<mark>X{{3,6}}|{'|'.join([*_TO_COME, *_TO_DO])})(?![\w-])(?=(?P<after>:|\s[a-z]+)|)"
)
_MARKED = {name: word_set("checks", name) for name in ("before_to_come", "before_to_do", "after_to_do", "before_roman")}  # fmt: skip


def _placeholders(text: _Text) -> Iterator[Check]:
    for passage in text.passages:
        found: list[tuple[re.Match[str], int | str]]
        found = [(m, "mark") for m in _MARK.finditer(passage.text) if _is_left(m, passage)]
        found += [(m, 0) for m in _BRACKETED.finditer(passage.text) if _is_placeholder(m.group())]
        for match, group in found:
            message = f"{_quoted(match.group(group))} still has to be filled in."
            yield passage.check(match, "placeholder", message, group)
    for part in text.email.parts:
        if part.kind in (*EDITABLE, "foreign") and (latin := _LOREM.search(part.text)):
            message = f"{_quoted(latin.group())} still has to be replaced."
            yield _Passage(part.kind, part.text, part.start).check(latin, "placeholder", message)


def _is_left(match: re.Match[str], passage: _Passage) -> bool:
    """Whether a mark stands for what is not there yet; "Date: TBD" says so, and Xs may be a numeral, or kisses."""
    mark, before, after = (match.group(name) or "" for name in ("mark", "before", "after"))
    before = before.lower()
    if mark in _TO_COME:
        return bool(match.group("sign")) or before in _MARKED["before_to_come"]
    if mark in _TO_DO:
        noun = before in _MARKED["before_to_do"] or after.strip() in _MARKED["after_to_do"]
        return bool(after) and not noun
    return before not in _MARKED["before_roman"] and bool(passage.text[match.end() :].strip(" .!"))


def _is_placeholder(text: str) -> bool:
    """Whether what stands in brackets names what belongs there."""
    inside = text.strip("[]{}<>% ")
    if inside in _TO_COME | _TO_DO or _VARIABLE.fullmatch(text) or re.fullmatch("X{2,}", inside):
        return True
    words = re.findall(r"[a-z]+", inside.lower().replace("'s", ""))
    if not words or re.search(r"[^\w\s'’/.…-]", inside):
        return False
    return set(words) <= _FILLABLE or (words[0] in _FILL_IN and bool(_FILLABLE & set(words[1:])))


# ---- figures ----

_CURRENCY = {
    form: group.split()[0]
    for group in ("€ eur euro euros", "$ usd dollar dollars", "£ gbp pound pounds", "chf")
    for form in group.split()
}
_SUM = r"\d{1,3}(?:[,.' ]\d{3}){1,4}(?:[.,]\d\d)?|\d{1,15}(?:[.,]\d\d)?"
_AMOUNT = re.compile(
    rf"(?:(?P<sign>[$€£])\s?|\b(?P<code>EUR|USD|GBP|CHF)\s)(?P<sum>{_SUM})(?![\w%])"
    rf"|(?<![\w.,$€£])(?P<sum_>{_SUM})\s?(?:(?P<sign_>[€$£])|(?P<code_>EUR|USD|GBP|CHF|euros?|dollars?|pounds)\b)"
)
_LABEL = re.compile(
    r"\b(?P<label>invoice|order|reference|booking|ticket|purchase order|account|case)\s(?:number\s|no\.?\s|nr\.?\s)?#?(?P<sum>\d{4,12})\b",
    re.IGNORECASE,
)
_TOTAL = re.compile(
    r"\b(?:the|our|your)\s(?P<label>(?:grand |invoice )?total(?: amount| price| cost| sum)?|final price)\s(?:is|was|of|comes to|amounts to|will be)\s$",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"\b(?:instead|increased?|decreased?|reduced?|rather|than|previously|before|originally|corrected|revised|changed?|new|old|difference|versus|vs|respectively|each)\b|\bnot\b",
    re.IGNORECASE,
)
_AMOUNTS_AT_MOST = 6  # of one currency; more are a price list


@dataclass(frozen=True)
class _Figure:
    """A number in a sentence, its digits, and what it is of."""

    of: str
    digits: str
    total: str
    sentence: int
    place: tuple[int, int]
    text: str


def _figures(text: _Text) -> Iterator[Check]:
    """Two figures that were to be one: digits that changed places, or one total with two amounts."""
    found = [figure for at, passage in enumerate(text.passages) for figure in _figures_in(passage, at)]
    said: set[tuple[str, str]] = set()
    amounts: dict[str, set[str]] = {}
    for figure in found:
        amounts.setdefault(figure.of, set()).add(figure.digits)
    for one, other in combinations(found[:100], 2):
        if one.of != other.of or one.sentence == other.sentence or len(amounts[one.of]) > _AMOUNTS_AT_MOST:
            continue
        same_total = one.total and one.total == other.total and one.digits != other.digits
        if (same_total or _is_transposed(one.digits, other.digits)) and (
            one.digits,
            other.digits,
        ) not in said:
            said.add((one.digits, other.digits))
            message = f"{one.text} or {other.text}? Both stand in this email."
            yield Check(*other.place, "figure", message)


def _figures_in(passage: _Passage, at: int) -> Iterator[_Figure]:
    if _COMPARED.search(passage.text):
        return
    for match in _AMOUNT.finditer(passage.text):
        groups = match.groupdict()
        of = _CURRENCY[(groups["sign"] or groups["code"] or groups["sign_"] or groups["code_"]).lower()]
        total = _TOTAL.search(passage.text[max(0, match.start() - 60) : match.start()])
        digits = re.sub(r"[.,]\d\d$", "", groups["sum"] or groups["sum_"])
        yield _figure(of, digits, total.group("label").lower() if total else "", passage, at, match)
    for match in _LABEL.finditer(passage.text):
        yield _figure(match.group("label").lower(), match.group("sum"), "", passage, at, match)


def _figure(of: str, digits: str, total: str, passage: _Passage, at: int, match: re.Match[str]) -> _Figure:
    place = passage.start + match.start(), passage.start + match.end()
    return _Figure(of, re.sub(r"\D", "", digits), total, at, place, " ".join(match.group().split()))


def _is_transposed(one: str, other: str) -> bool:
    """Whether two neighbouring digits changed places, in a number that has enough of them.

    >>> _is_transposed("1250", "1520"), _is_transposed("1250", "1205"), _is_transposed("12", "21")
    (True, True, False)
    """
    differing = [at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]
    if len(one) != len(other) or len(one) < 4 or len(differing) != 2:
        return False
    first, second = differing
    return second == first + 1 and one[first] == other[second] and one[second] == other[first]
