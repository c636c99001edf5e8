"""Where numbers that identify somebody stand in a text: IBANs, card numbers, ids and keys, telephone numbers.

`phonenumbers` says what is a telephone number in US and British form, `python-stdnum` what is an IBAN or a card
number. Elsewhere a telephone number is recognised by its country's code, a leading 0 or a label before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from feedback.redact.links import URL

REGIONS = ("US", "GB")  # whose national numbers are known by their form; elsewhere by a +, a 0 or a label

# ---- what has a checksum ----

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


def ibans(text: str) -> Iterator[tuple[int, int]]:
    from stdnum import iban

    for match in _IBAN.finditer(text):
        places = [place for place in range(*match.span("value")) if text[place].isalnum()]
        for length in range(len(places), 14, -1):
            compact = "".join(text[place] for place in places[:length])
            if iban.is_valid(compact, check_country=False):
                yield places[0], places[length - 1] + 1
                break


def cards(text: str) -> Iterator[tuple[int, int]]:
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


# ---- ids and keys ----

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
_HARMLESS = (_DATE, _AMOUNT, _RANGE, URL)  # digits that are no id
_TWO_DIGITS = re.compile(r"\d\D*\d")
_LONG_ID_DIGITS = 7  # an invoice of 2026 with its number in the year has more, a year or a room fewer
_KEY_CHARACTERS = 16
_BASE64 = re.compile(r"(?<![\w/+.-])[A-Za-z0-9/+]{32,}={0,2}(?![\w/+-])")
_BASE64_TURNS = 6  # between capitals and small letters: more than a path of files has words


def _mask(text: str, spans: Iterable[tuple[int, int]]) -> bytearray:
    """1 for each character inside one of the spans, 0 for the others."""
    mask = bytearray(len(text))
    for start, end in spans:
        mask[start:end] = b"\1" * (end - start)
    return mask


def ids(text: str) -> Iterator[tuple[int, int]]:
    plain = _mask(text, (match.span() for pattern in _HARMLESS for match in pattern.finditer(text)))
    # A telephone number in groups of three is distinguished from an id by its context.
    in_phones = _mask(text, phones(text))
    for pattern in _IDS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if 0 in plain[start:end] and 1 not in in_phones[start:end]:
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
        if 0 not in plain[start:end] or 1 in in_phones[start:end]:
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


# ---- telephone numbers ----

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


def phones(text: str) -> Iterator[tuple[int, int]]:
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
