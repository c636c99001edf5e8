"""Personal data that has a form: where in a text it stands, and what it is however it was written.

`phonenumbers` says what is a telephone number in US and British form, `python-stdnum` what is an IBAN or a card
number. Elsewhere a telephone number is recognised by its country's code, a leading 0 or a label before it.
What is looked at is the text as it reads: full-width letters as plain ones, every blank and dash as the common
one, and nothing that takes no room.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

STRUCTURED = ("url", "email", "iban", "card", "secret", "id", "phone")  # each may not touch those before it


@dataclass(frozen=True, order=True)
class Span:
    """Characters [start, end) of a text are one thing; `key` is what it is however it was written."""

    start: int
    end: int
    kind: str
    key: str


def disjoint(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """The spans, the first of any two that overlap winning."""
    taken = bytearray(len(text))
    for span in spans:
        if 1 not in taken[span.start : span.end]:
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            yield span


def _mask(text: str, spans: Iterable[tuple[int, int]]) -> bytearray:
    """1 for each character inside one of the spans, 0 for the others."""
    mask = bytearray(len(text))
    for start, end in spans:
        mask[start:end] = b"\1" * (end - start)
    return mask


_SCHEMES = r"(?:https?|s?ftp|ssh|git|ldaps?|smtps?|imaps?|mysql|postgres(?:ql)?|mongodb(?:\+srv)?|rediss?|amqps?|wss?)"
_URL = re.compile(rf"\b{_SCHEMES}://[^\s<>\"“”]+|\bwww\.[^\s<>\"“”]+", re.IGNORECASE)
_BARE_URL = re.compile(
    r"(?<![\w@./-])(?:[\w-]{1,63}\.){1,5}[a-z]{2,}/[^\s<>\"“”]{0,500}[?#][^\s<>\"“”]{1,500}", re.IGNORECASE
)
_USERINFO = re.compile(r"://[^/?#\s]*@")
_KEY_PARAMETER = re.compile(
    r"[?&#;](?:[\w-]*(?:token|key|secret|passw(?:or)?d|pwd|passcode|auth|access|session|sid|sig|signature|credential|otp|jwt"
    r"|invite|reset|ticket|nonce|hash)[\w-]*|code|pass|pw|pin|state|user|username|email|login|t|k|s)=[^&#\s]+",
    re.IGNORECASE,
)
_OPAQUE = re.compile(
    r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}(?![\w-])|(?<![\w-])(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])[A-Za-z0-9]{24,}(?![\w-])"
)
_BARE_USERINFO = re.compile(
    r"(?<![\w/.])(?!mailto|e-?mail|contact|address|mail|from|to|cc|bcc)[\w.+-]{1,80}:[^\s:@/]{1,80}@[\w-]{1,80}\.[\w.-]{0,80}\w(?:[:/]\S*)?",
    re.IGNORECASE,
)

_HOST = r"(?=(?:[\w-]+\.)+[^\W\d_]{2,})"  # ahead: a name of a host that ends in letters
_EMAIL = re.compile(
    r"(?:\"[^\"\n@]{1,64}\"|[^\W_](?:[\w.!#$%&*+/=?^`{|}~'’-]{0,80}[\w.+/=~-])?|_[\w.+-]{0,80})"
    rf"(?:@|(?:&#64;|&#x40;|&commat;|%40){_HOST}|[ \t]?\n?[> \t]{{0,3}}@\s?{_HOST})"
    r"(?:\[(?:IPv6:)?[\dA-Fa-f:.]+\]|[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*)"
)
_AT = r"\s*(?:\(\s*(?:at?|@)\s*\)|-at-|\[\s*(?:at|@)\s*\]|\{\s*at\s*\}|<\s*at\s*>)\s*"
_DOT = r"\s*(?:\(\s*(?:dot|\.)\s*\)|\[\s*(?:dot|\.)\s*\]|\{\s*dot\s*\}|<\s*dot\s*>)\s*|\s+dot\s+"
_SPELT_EMAIL = re.compile(
    rf"(?<![\w+-])[\w+-]{{1,80}}(?:(?:\.|{_DOT})[\w+-]{{1,80}}){{0,4}}(?:{_AT}[\w-]+(?:(?:{_DOT}|\.)[\w-]+)*|(?:\s+at\s+|@)[\w-]+(?:\.[\w-]+)*(?:(?:{_DOT})[\w-]+)+"
    r"|\s(?-i:AT)\s(?:[\w-]+\.)+[a-z]{2,}|_at_(?:[\w-]+\.)+[a-z]{2,})",
    re.IGNORECASE,
)

_GAP = r"[ .-]?"
_WIDE_GAP = r"(?:[ ./_-]{1,3}|[ ]?\n[> ]{0,3})?"  # what follows from a checksum may also be broken by a line
_IBAN = re.compile(
    rf"(?<![A-Za-z0-9])(?:IBAN:?)?(?P<value>[A-Za-z]{{2}}{_GAP}\d{{2}}(?:{_WIDE_GAP}[A-Za-z0-9]){{11,30}})"
)
_FOUR_FOURS = re.compile(
    r"(?<!\d)(?!19|20)\d{4}(?:(?: {0,2}[^\w\s]{0,2} {0,2}| ?\n[> ]{0,3}|_)\d{4}){3}(?!\d)"
)  # no years
_DIGITS = re.compile(rf"(?<!\d)\d(?:{_GAP}\d){{12,}}(?!\d)")
_CARD_LENGTHS = (16, 15, 14, 13, 19, 18, 17)  # the commonest first

_LABEL = r"(?:pass(?:word|code|phrase|wd)|passwort|kennwort|pwd|pin(?: code)?|otp|cvv2?|cvc2?|(?:security|access|verification|confirmation|login|one-time) code|your code|api[ _-]?key|secret)"
_SECRETS = (
    re.compile(
        rf"\b(?:{_LABEL}[\"']?\s*(?:is now:?|is:?|was:?|ist:?|:|=|->|→|\s-\s)|(?:pw|pass|token)[\"']?\s*[:=])"
        r"\s*[\"'“‘`]?(?P<value>(?!\[[A-Z]+_\d)[^\s\"'”’`,;]{3,})",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:pin(?: code| number)?|otp|cvv2?|cvc2?)\s+(?P<value>\d{3,8})\b", re.IGNORECASE),
    re.compile(
        r"\b(?:login|credentials)\s*[:=]\s*\S{1,64}\s*/\s*(?P<value>(?!\[[A-Z]+_\d)\S{3,})", re.IGNORECASE
    ),
    re.compile(r"\bBearer\s+(?P<value>[\w.~+/=-]{16,})"),
    re.compile(r"-----BEGIN [A-Z ]*KEY-----\s*(?P<value>(?!\[[A-Z]+_\d)[^-\s][^-]+)"),
)

_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])([-/.] ?)(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)?\d\d"
    rf"|\d{{1,2}}[- ]{_MONTH}[- ](?:19|20)?\d\d)"
    r"(?:[T ,]{1,2}\d{1,2}[:.]\d\d(?:[:.]\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?![\d-])",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"(?:[$€£¥₹]|\b(?:USD|EUR|GBP|CHF|CZK|JPY|INR|AUD|CAD|PLN|SEK|NOK|DKK)\b)\s?\d[\d.,' ]*\d"
    r"|(?<![\w.])\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d{1,2})?(?:\s?[$€£¥₹]|\s?(?:USD|EUR|GBP|CHF|CZK|JPY|INR|AUD"
    r"|CAD|PLN|SEK|NOK|DKK|units?|pieces|people|users|words|euros?|dollars?|pounds?|million|percent|%)(?!\w))"
    r"|(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w])|(?<![\w.,])\d{1,3}(?:\.\d{3})+,\d{1,2}(?!\w)"
)
_IDS = (
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),  # a JSON web token
    re.compile(r"(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])", re.IGNORECASE),
    re.compile(
        r"\b(?:sk|pk|rk|hf|gh[pousr]|glpat|xox[abprs]|key|tok)[-_][A-Za-z0-9][\w-]{9,}|\bAKIA[A-Z0-9]{12,}"
    ),
    re.compile(r"(?<![\w-])\d{3}([- ])\d{2}\1\d{4}(?![\w-])"),  # US social security
    re.compile(r"\b[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"),  # UK national insurance
    re.compile(r"(?<![\w-])(?:\d{4}[ -]){2,4}\d{3,4}(?![\w-])"),  # groups of four, as on cards and Aadhaar
    re.compile(r"(?<![\w.,-])\d{3}[ -]\d{3}[ -]\d{3}(?![\w,-])"),  # groups of three, as on tax numbers
    re.compile(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", re.IGNORECASE),  # MAC
    re.compile(
        r"(?<![\w:])(?=[a-f:]*\d)(?:(?:[0-9a-f]{1,4}:){7}|(?:[0-9a-f]{1,4}:){1,6}(?=:[0-9a-f]+:))(?::?[0-9a-f]{1,4}){1,6}(?![\w:])",
        re.IGNORECASE,
    ),  # IPv6
    re.compile(r"(?<![\w.])\d{1,2}(?:\.\d{3}){2}-[\dkK](?!\w)"),  # as on Chilean cards
    re.compile(r"\b\d{2} ?\d{6} ?[A-Z] ?\d{3}\b"),  # German social insurance
)
_TOKEN = re.compile(r"(?<![\w@.])[A-Za-z0-9](?:[\w/.-]*[A-Za-z0-9])?(?![\w@])")
_RANGE = re.compile(r"(?<![\w-])\d{1,5}[-/x×]\d{1,5}(?![\w-])")
_HARMLESS = (_DATE, _AMOUNT, _RANGE, _URL)  # digits that are no id
_TWO_DIGITS = re.compile(r"\d\D*\d")
_LONG_ID_DIGITS = 7  # an invoice of 2026 with its number in the year has more, a year or a room fewer
_KEY_CHARACTERS = 16
_BASE64 = re.compile(r"(?<![\w/+.-])[A-Za-z0-9/+]{32,}={0,2}(?![\w/+-])")
_BASE64_TURNS = 6  # between capitals and small letters: more than a path of files has words

_EXTENSION = r"(?:\s*(?:[,;]\s*)?(?:ext(?:ension|n)?\.?|x)\s*\d{1,6})?"
_NUMBER = r"\(?\+?\d(?:[ ().\-/]{0,3}\d){4,14}"
_PHONES = (
    re.compile(rf"(?<![\w+])(?:\+|\(\+|00(?=[1-9]))\s?\d(?:[ ().\-/]{{0,3}}\d){{6,14}}{_EXTENSION}(?!\w)"),
    re.compile(
        rf"(?<![\w(])(?:1[ .-])?(?:\(\d{{3}}\) ?|\d{{3}}[ .-])\d{{3}}[ .-]?\d{{4}}{_EXTENSION}(?![\w-])"
    ),
    re.compile(
        rf"(?<![\w.,(])(?:\(0\d{{1,4}}\)|0\d{{1,4}})(?:[ \-./]{{1,2}}\d{{2,8}}){{1,4}}{_EXTENSION}(?![\w.,-]\d|\w)"
    ),
    re.compile(rf"(?<![\w-])1[38]00[ -]\d{{3}}[ -]\d{{3}}{_EXTENSION}(?![\w-])"),
    re.compile(rf"(?<![\w.,/-])0\d{{8,10}}{_EXTENSION}(?!\w)"),
    re.compile(rf"(?<![\w-])\d{{3}}-\d{{4}}{_EXTENSION}(?![\w-])"),
    re.compile(r"(?<![\w-])(?:1[-. ])?8\d\d[-. ](?=[A-Z0-9-]*[A-Z])[A-Z0-9-]{6,10}(?![\w-])"),
)
_BROKEN_PHONE = re.compile(
    r"(?P<first>\+\d[\d ().-]{2,14})\n[> ]{0,3}\d[\d ().-]{1,12}\d(?!\w)"
)  # over two lines
_LABELLED_PHONE = re.compile(
    r"(?:\b(?:tele?phone|phone|tel|mobile|mob|cell(?:phone)?|fax|whatsapp|signal|landline|handy|direct(?: line| dial)?"
    r"|desk|office|hotline|helpdesk|call(?: me| us| him| her| them)?|ring(?: me| us)?|text(?: me| us)?|dial"
    r"|sms|reach(?:ed)?(?: me| us)?|number)|\b[tmpf](?=[.:]))(?:\s*(?:no|nr|number|#))?[.:]?"
    rf"(?:\s*(?:is|at|on|under|via|to|:|=|now|please|my|mobile|cell|phone|number)\b:?)*\s*(?P<value>{_NUMBER}{_EXTENSION})(?!\w)",
    re.IGNORECASE,
)
REGIONS = ("US", "GB")  # whose national numbers are known by their form; elsewhere by a +, a 0 or a label


def structured_in(text: str) -> Iterator[Span]:
    """Spans of what has a form, disjoint."""
    plain, places = as_it_reads(text)
    found = disjoint(plain, (span for kind in STRUCTURED for span in _found(kind, plain)))
    for span in found:
        yield replace(span, start=places[span.start], end=places[span.end - 1] + 1)


def as_it_reads(text: str) -> tuple[str, Sequence[int]]:
    """The text with common blanks, dashes, letters and digits only, and where each of its characters stands.

    >>> as_it_reads("a\u200b＠b")
    ('a@b', [0, 2, 3])
    """
    if text.isascii() and "\t" not in text:
        return text, range(len(text))
    plain = [(_plain(letter), place) for place, letter in enumerate(text)]
    plain = [(letter, place) for letter, place in plain if letter]
    return "".join(letter for letter, _ in plain), [place for _, place in plain]


@functools.lru_cache(4096)  # characters: more than people write with
def _plain(letter: str) -> str:
    """A character as the patterns below know it; nothing for one that takes no room."""
    category = unicodedata.category(letter)
    if category == "Cf":
        return ""
    if category == "Zs" or letter == "\t":
        return " "
    if category == "Pd":
        return "-"
    if category == "Nd":
        return str(unicodedata.digit(letter))
    alike = unicodedata.normalize("NFKC", letter)
    return alike if len(alike) == 1 and alike.isascii() else "." if letter == "。" else letter


def _found(kind: str, text: str) -> Iterator[Span]:
    for start, end in _FINDERS[kind](text):
        found = text[start:end]
        key = found if kind == "url" else re.sub(r"\W+", "", found).casefold()
        # A telephone number is the same with or without its country's code.
        yield Span(start, end, kind, re.sub(r"\D", "", key)[-9:] if kind == "phone" else key)


def _urls(text: str) -> Iterator[tuple[int, int]]:
    for match in (match for pattern in (_URL, _BARE_URL) for match in pattern.finditer(text)):
        url = match.group().rstrip(".,;:!?'’)]}>")
        if url.count("(") > url.count(")"):
            url += ")" * (match.group()[len(url) :].startswith(")"))
        if _USERINFO.search(url) or _KEY_PARAMETER.search(url) or _OPAQUE.search(url) or "@" in url:
            yield match.start(), match.start() + len(url)
    for match in _BARE_USERINFO.finditer(text):
        yield match.start(), match.start() + len(match.group().rstrip(".,;:!?"))


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_EMAIL, _SPELT_EMAIL):
        for match in pattern.finditer(text):
            if any(letter.isalpha() for letter in match.group()):
                yield match.span()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    from stdnum import iban

    for match in _IBAN.finditer(text):
        places = [place for place in range(*match.span("value")) if text[place].isalnum()]
        for length in range(len(places), 14, -1):
            compact = "".join(text[place] for place in places[:length])
            if iban.is_valid(compact, check_country=False):
                yield places[0], places[length - 1] + 1
                break


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """Card numbers by their checksum, also within a longer run of groups of digits."""
    from stdnum import luhn

    for match in _FOUR_FOURS.finditer(text):
        if luhn.is_valid(re.sub(r"\D", "", match.group())):
            yield match.span()
    for match in _DIGITS.finditer(text):
        places = [place for place in range(*match.span()) if text[place].isdigit()]
        first = 0
        while first <= len(places) - 13:
            starts_group = first == 0 or places[first] - places[first - 1] > 1
            lengths = [n for n in _CARD_LENGTHS if first + n <= len(places)] if starts_group else []
            for n in lengths:
                ends_group = first + n == len(places) or places[first + n] - places[first + n - 1] > 1
                if ends_group and luhn.is_valid("".join(text[place] for place in places[first : first + n])):
                    yield places[first], places[first + n - 1] + 1
                    first += n
                    break
            else:
                first += 1


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    for match in (match for pattern in _SECRETS for match in pattern.finditer(text)):
        value = match.group("value").rstrip(".!?)")
        # "The password is wrong" discloses nothing; "password: wrong" may.
        if re.search(r"[\d\W_]", value) or re.search(
            r"[:=>→]\s*\W?$", text[match.start() : match.start("value")]
        ):
            yield match.start("value"), match.start("value") + len(value)


def _ids(text: str) -> Iterator[tuple[int, int]]:
    plain = _mask(text, (match.span() for pattern in _HARMLESS for match in pattern.finditer(text)))
    # A telephone number in groups of three is distinguished from an id by its context.
    phones = _mask(text, _phones(text))
    for pattern in _IDS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if 0 in plain[start:end] and 1 not in phones[start:end]:
                yield start, end
    for match in _BASE64.finditer(text):
        cases = re.sub(r"[^A-Za-z]", "", match.group())
        turns = sum(one.isupper() != other.isupper() for one, other in zip(cases, cases[1:], strict=False))
        if turns >= _BASE64_TURNS and any(letter.isdigit() for letter in match.group()):
            yield match.span()
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        if not _TWO_DIGITS.search(match.group()):
            continue  # a word, as nearly all are
        if 0 not in plain[start:end] or 1 in phones[start:end]:
            continue
        # A date or an amount within a longer token does not count, unless the token is one word.
        beside = "".join(text[place] for place in range(start, end) if not plain[place])
        if _is_id(match.group() if match.group().isalnum() else beside):
            yield start, end


def _is_id(token: str) -> bool:
    """Is a word without blanks an id or a key rather than a word, a version or a file's name?"""
    digits = sum(letter.isdigit() for letter in token)
    if digits >= _LONG_ID_DIGITS:
        return True
    if re.fullmatch(r"[A-Z]{1,4}-?\d{6,}[A-Z]?|\d{6,}[A-Z]{1,2}|[A-Z]\d{2}[A-Z]\d{2}[A-Z]\d{2}", token):
        return True  # passports and licences
    if re.fullmatch(r"(?=.*\d)(?=.*[a-f])[0-9a-f]{12,}", token, re.IGNORECASE):
        return True  # hexadecimal
    run = max((re.findall(r"\w+", token) or [""]), key=len)
    mixed = bool(re.search(r"[a-z]\d*[A-Z]|\d[A-Za-z]+\d", run))
    return len(run) >= _KEY_CHARACTERS and digits >= 2 and mixed


def _phones(text: str) -> Iterator[tuple[int, int]]:
    import phonenumbers

    if not _TWO_DIGITS.search(text):
        return
    plain = _mask(text, (match.span() for pattern in (_DATE, _AMOUNT) for match in pattern.finditer(text)))
    found = [match.span("value") for match in _LABELLED_PHONE.finditer(text)]
    for region in REGIONS:
        matcher = phonenumbers.PhoneNumberMatcher(text, region, phonenumbers.Leniency.VALID)
        found += [(match.start, match.end) for match in matcher]
    found += [match.span() for pattern in _PHONES for match in pattern.finditer(text)]
    for match in _BROKEN_PHONE.finditer(text):
        number, first = (re.sub(r"[^+\d]", "", part) for part in (match.group(), match.group("first")))
        if _is_phone(number) and not _is_phone(first):
            found.append(match.span())
    for start, end in sorted(found, key=lambda span: (span[0], -span[1])):
        if start and text[start - 1] in "-_/#" and text[start - 2 : start - 1].isalnum():
            continue  # the end of an id
        if text[start] == "+" or 1 not in plain[start:end]:
            yield start, end


def _is_phone(number: str) -> bool:
    """Whether it is a complete number, its country's code in front."""
    import phonenumbers

    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


_FINDERS = {
    "url": _urls,
    "email": _emails,
    "iban": _ibans,
    "card": _cards,
    "secret": _secrets,
    "id": _ids,
    "phone": _phones,
}
