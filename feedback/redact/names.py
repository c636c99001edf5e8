"""Names of people: where a greeting, a closing, a title or an introduction shows that a word is one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from feedback.redact.personal import Span


def names_in(texts: Sequence[str]) -> list[list[Span]]:
    """For each text the words that are names; what one text shows to be a name is one in all of them."""
    everywhere, once = _found(texts)
    words = _alternatives(everywhere)
    return [
        [*own, *(Span(m.start(), m.end(), "name", m.group().casefold()) for m in words.finditer(text))]
        for text, own in zip(texts, once, strict=True)
    ]


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

_SALUTATIONS = ("dear", "hi", "hello", "hey", "hiya", "good", "morning")  # after which even "jana" is a name
_NAME_WORDS_LOWER = 2  # more in lower case are a sentence

# After a greeting, but nobody's name; lower case.
_NOBODY = frozenset(
    "all everyone everybody team teams folks both there sir sirs madam ma'am customer customers colleague "
    "colleagues friend friends hiring manager committee support sales office staff members member guys "
    "ladies gentlemen sir/madam whom it may concern the to our my a an of in on at for from and or again "
    "you your we i is as with this that please thanks thank so much very lot advance reader readers "
    "student students parents partner partners client clients board department accounting billing service "
    "services dear recruiter editor editors reviewer reviewers valued world morning afternoon evening day "
    "week weekend regards best kind sincerely happy new year birthday christmas back monday tuesday "
    "wednesday thursday friday saturday sunday today tomorrow soon later look have has had would can "
    "could should just not no yes if when what how here what's let's i'm i'll we'll it's sent attached "
    "see talk looking forward re fwd fw ps p.s kindly meeting sorry after before once following one two "
    "anyone someone human resources hr sir. greetings good ok okay cc citizens alumni group crew people "
    "applicant candidate hello hi hey".split()
)
# Names that are also common words: only where they were found, not in the rest of the text.
_ALSO_WORDS = frozenset(
    "will may mark bill grant rose hope art sue pat drew jack june april august dawn faith grace joy ray "
    "rob rich chase miles frank earnest max page sky summer autumn ivy lily daisy violet ruby amber pearl "
    "gene guy dale glen heath cliff wade dean king bishop young brown green white black gray grey long "
    "short small little best good love day week price case cook baker butler carter mason miller smith "
    "taylor turner walker hunter fisher potter porter park parks field fields hill wood woods brook "
    "brooks stone rivers banks bush berry bird fox wolf bell ball bond boss church cash cross dollar "
    "england english french german scott ford lane lock major marsh moon north west power post reed rice "
    "sharp snow song star swift temple van de la von der the and mrs ms mr dr an on in of china jordan "
    "chad israel paris london georgia florence sydney austin carol angel christian do so to my be go he "
    "me us we or at by if is it no up al ed jo le li ma ng yu".split()
)


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
            if word.casefold() not in _ALSO_WORDS and len(word) > 1:
                everywhere.add(word)
        once.append(own)
    return everywhere, once


def _name_places(text: str) -> Iterator[tuple[int, int]]:
    """Where the words of names stand after a greeting, under a closing, after a title or an introduction."""
    for pattern in (_GREETING, _BARE_GREETING, _DASHED, _INTRODUCED, _TITLED):
        for match in pattern.finditer(text):
            salutes = pattern is _GREETING and match.group().split()[0].casefold() in _SALUTATIONS
            yield from _people(text, *match.span("names"), lower_case=salutes)
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


def _people(text: str, start: int, end: int, lower_case: bool = False) -> Iterator[tuple[int, int]]:
    """The words between two places that can be somebody's name: capitalised ones, or any where trusted."""
    words = list(re.finditer(_WORD, text[start:end]))
    if len(words) > _NAME_WORDS_LOWER or any(word.group()[0].isupper() for word in words):
        lower_case = False  # "Hi Jana and the others": whoever writes capitals writes names with them
    for word in words:
        bare = re.sub(r"['’]s$", "", word.group().rstrip("."))
        if bare.casefold() in _NOBODY or re.fullmatch(_TITLE, word.group(), re.IGNORECASE):
            continue
        if bare[0].isupper() or not bare[0].islower() or lower_case:
            yield start + word.start(), start + word.start() + len(bare)


def _alternatives(words: set[str]) -> re.Pattern[str]:
    """Finds any of the words, in capitals or not; nothing if there are none."""
    longest_first = sorted(words, key=len, reverse=True)
    found = rf"(?<![\w\[])(?:{'|'.join(map(re.escape, longest_first))})(?!\w)" if words else r"(?!)"
    return re.compile(found, re.IGNORECASE)
