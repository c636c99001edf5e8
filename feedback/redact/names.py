"""Names of people: where a greeting, a closing, a title, an introduction or an email address shows that a word is one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from feedback.redact.links import emails
from feedback.redact.personal import Span

_TITLE = r"(?:mr|mrs|ms|miss|mx|dr|prof(?:essor)?|sir|dame|madam|herr|frau|ing|mgr)\b\.?"
_WORD = r"[^\W\d_](?:[^\W\d_]|['’.-](?=[^\W\d_]))*\.?"
_GREETING = re.compile(
    rf"^[ \t>*]{{0,20}}(?:(?:dear|hi|hello|hey|hiya|greetings|good (?:morning|afternoon|evening|day)|morning|afternoon|evening"
    rf"|welcome|congratulations|congrats|thanks|thank you|ciao|hallo|bonjour|hola|happy \w+)(?:[ \t]+(?:again|there|and|to))*[ \t,]+)+"
    rf"(?P<names>(?:{_TITLE}[ \t]+)?{_WORD}(?:[ \t]+{_WORD}){{0,3}}"
    rf"(?:[ \t]*(?:,|&|/|and)[ \t]*(?:{_TITLE}[ \t]+)?{_WORD}(?:[ \t]+{_WORD}){{0,2}}){{0,4}})"
    r"[ \t]*(?=[,:;!(]|\.?[ \t]*[-–—]|\.?[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_BARE_GREETING = re.compile(
    rf"\A\s*(?P<names>(?:{_TITLE}[ \t]+)?{_WORD}(?:[ \t]+{_WORD}){{0,2}})[ \t]*[,:!–—-][ \t]*\n",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"^[ \t>*]{0,20}(?:(?:with |my |very |many |all )*(?:kind(?:est)?|best|warm(?:est)?|all the best|kindly|good)?[ \t]{0,4}(?:regards|wishes)"
    r"|all the best|best|warmly|yours(?:[ \t]+(?:sincerely|faithfully|truly))?|(?:sincerely|truly|faithfully|respectfully|cordially)"
    r"(?:[ \t]+yours)?|(?:many |with )?thanks(?:[ \t]+(?:again|a lot|in advance|so much|and (?:kind |best )?regards))?|thank you(?:[ \t]+(?:again|very much|in advance|so much))?"
    r"|cheers|ta|take care|love|see you(?:[ \t]+\w+)?|talk soon|br|kr|rgds|thx|greetings|have a (?:nice|good|great|lovely) \w+|looking forward[^\n.]{0,40})"
    r"[ \t]*[,.!–—-]*[ \t]*(?P<rest>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_SIGNED = re.compile(
    rf"[ \t>*\-–—~/]{{0,20}}(?P<names>(?:{_TITLE}[ \t]+)?{_WORD}(?:[ \t]+{_WORD}){{0,3}})[ \t]*(?:[,.|(/–—-].*)?$",
    re.IGNORECASE,
)
_DASHED = re.compile(
    rf"^[ \t]*[-–—~]{{1,2}}[ \t]*(?P<names>{_WORD}(?:[ \t]+{_WORD}){{0,2}})[ \t]*$", re.MULTILINE
)
_INTRODUCED = re.compile(
    rf"\b(?:my name is|my name's|this is|i am called|signed(?: by)?:?|name:)[ \t]+(?P<names>{_WORD}(?:[ \t]+{_WORD}){{0,2}})",
    re.IGNORECASE,
)
_TITLED = re.compile(
    rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor)\b\.?[ \t]+(?P<names>{_WORD}(?:[ \t]+{_WORD}){{0,1}})"
)

# "Jan Novák <jan@x.org>", "Jan Novák (jan@x.org)": what stands before an address in brackets is whose it is.
_BEFORE_ADDRESS = re.compile(rf"(?P<names>{_WORD}(?:[ \t]+{_WORD}){{0,2}})[ \t]*[<(\[][ \t]*\Z")
_ADDRESS_PART = 3  # letters of a part of an address that is a name wherever it is written with a capital

_SALUTATIONS = ("dear", "hi", "hello", "hey", "hiya", "good", "morning")  # after which even "jana" is a name
_NAME_WORDS_LOWER = 2  # more in lower case are a sentence


def _words(file: str) -> frozenset[str]:
    lines = Path(__file__).with_name(file).read_text("utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


_NOT_NAMES = _words("not_names.tsv")
_AMBIGUOUS = _words("ambiguous_names.tsv")


def names_in(texts: Sequence[str]) -> list[list[Span]]:
    """For each text the words that are names; what one text shows to be a name is one in all of them."""
    everywhere, once = _found(texts)
    words = _any_of(everywhere)
    return [
        [*own, *(Span(m.start(), m.end(), "name", m.group().casefold()) for m in words.finditer(text))]
        for text, own in zip(texts, once, strict=True)
    ]


def _found(texts: Sequence[str]) -> tuple[set[str], list[list[Span]]]:
    """Words to replace in every text, and for each text the spans of names that are also common words."""
    everywhere: set[str] = set()
    once: list[list[Span]] = []
    for text in texts:
        own = []
        for start, end in _name_places(text):
            word = text[start:end].rstrip(".")
            end = start + len(word)
            own.append(Span(start, end, "name", word.casefold()))
            if word.casefold() not in _AMBIGUOUS and len(word) > 1:
                everywhere.add(word)
        once.append(own)
    return everywhere, once


def _name_places(text: str) -> Iterator[tuple[int, int]]:
    """Where the words of names stand after a greeting, under a closing, after a title or an introduction."""
    for pattern in (_GREETING, _BARE_GREETING, _DASHED, _INTRODUCED, _TITLED):
        for match in pattern.finditer(text):
            salutes = pattern is _GREETING and match.group().split()[0].casefold() in _SALUTATIONS
            yield from _people(text, *match.span("names"), lower_case=salutes)
    yield from _beside_addresses(text)
    lines = [(match.start(), match.group()) for match in re.finditer(r"[^\n]+", text)]
    for closing in _CLOSING.finditer(text):
        if rest := closing.group("rest"):
            start, line = closing.start("rest"), rest
        else:
            below = ((start, line) for start, line in lines if start > closing.end() and line.strip())
            start, line = next(below, (0, ""))
        if signed := _SIGNED.fullmatch(line.rstrip("\r")):
            first, last = signed.span("names")
            yield from _people(text, start + first, start + last, lower_case=not rest)
    start, line = next(((start, line) for start, line in reversed(lines) if line.strip()), (0, ""))
    words = line.split()
    if len(lines) > 1 and len(words) <= 3 and all(re.fullmatch(_WORD, w) and w[0].isupper() for w in words):
        yield from _people(text, start, start + len(line))


def _beside_addresses(text: str) -> Iterator[tuple[int, int]]:
    """The names that email addresses tell: before them in brackets, and their own parts as words ("jan.novak@" of Novak)."""
    parts: set[str] = set()
    for start, end in emails(text):
        if match := _BEFORE_ADDRESS.search(text, max(0, start - 200), start):
            yield from _people(text, *match.span("names"))
        local = text[start:end].partition("@")[0]
        parts |= {part.casefold() for part in re.findall(r"[^\W\d_]+", local) if len(part) >= _ADDRESS_PART}
    for word in re.finditer(_WORD, text) if parts else ():
        bare = re.sub(r"['’]s$", "", word.group().rstrip("."))
        if bare.casefold() in parts and bare[0].isupper():
            yield from _people(text, word.start(), word.start() + len(bare))


def _people(text: str, start: int, end: int, lower_case: bool = False) -> Iterator[tuple[int, int]]:
    """The words between two places that can be somebody's name: capitalised ones, or any where trusted."""
    words = list(re.finditer(_WORD, text[start:end]))
    if len(words) > _NAME_WORDS_LOWER or any(word.group()[0].isupper() for word in words):
        lower_case = False  # "Hi Jana and the others": whoever writes capitals writes names with them
    for word in words:
        bare = re.sub(r"['’]s$", "", word.group().rstrip("."))
        if bare.casefold() in _NOT_NAMES or re.fullmatch(_TITLE, word.group(), re.IGNORECASE):
            continue
        if bare[0].isupper() or not bare[0].islower() or lower_case:
            yield start + word.start(), start + word.start() + len(bare)


def _any_of(words: set[str]) -> re.Pattern[str]:
    """Finds any of the words, in capitals or not; nothing if there are none."""
    longest_first = sorted(words, key=len, reverse=True)
    found = rf"(?<![\w\[])(?:{'|'.join(map(re.escape, longest_first))})(?!\w)" if words else r"(?!)"
    return re.compile(found, re.IGNORECASE)
