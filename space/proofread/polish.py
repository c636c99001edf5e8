"""Other wordings of a blunt sentence: a request for an order, a wish for a demand, a question for a reproach.

    [each.text for each in wordings("Send me the report now.")]
    # Could you please send me the report as soon as you can?, Please send me ..., I would be grateful if you could send me ...

These are proposals of lists and patterns: `space.proofread.rewording` asks the classifier which of them are kinder, and the
language model which are English. What insults or accuses gets none, for no opening word makes it kind: see `contempt`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from space.proofread.kinds import PREPOSITIONS
from space.proofread.words import WORD, read_list, word_set


@dataclass(frozen=True)
class Wording:
    """Another text of a sentence, and in one line how it is kinder.

    `leaves_out` is the insult that it does without, "" if none. It is `safe` to make if no more than that is gone. `source` is that of
    its edit.
    """

    text: str
    reason: str
    leaves_out: str = ""
    safe: bool = True
    source: str = "polish"


# ---- what no wording makes kind ----

_INSULTS, _EPITHETS = word_set("tone", "insults"), word_set("tone", "epithets")
_CONTEMPT = re.compile(
    r"(?<!\w)(?:" + "|".join(re.escape(row[0]).replace(r"\*", r"\S+(?: \S+)?") for row in read_list("contempt")) + r")\b",
    re.IGNORECASE,
)  # fmt: skip
INSULTS = "This sentence insults; no wording of it is polite: consider leaving it out."
ACCUSES = "This sentence accuses or belittles; no kinder opening changes that: consider leaving it out, or saying only what happened."
NOT_FOUND = "No wording was found that is clearly kinder and says the same."


def contempt(text: str) -> str | None:
    """Why no opening makes this sentence kind, in one line for the user; None if it neither insults nor accuses.

    >>> contempt("Your service is a joke."), contempt("Send me the signed form today.")
    ('This sentence accuses or belittles; no kinder opening changes that: consider leaving it out, or saying only what happened.', None)
    """
    text = text.replace("’", "'")
    if any(word.lower() in _INSULTS for word in WORD.findall(text)):
        return INSULTS
    return ACCUSES if _CONTEMPT.search(text) else None


_EPITHET = re.compile(
    rf"(?P<before>\b(?:the|this|that|these|those|our|your|any|every|all|his|her|their|its|me|us|of|with) )"
    rf"(?P<epithet>{'|'.join(sorted(_EPITHETS))})(?:,? | and )(?=[a-z])",
    re.IGNORECASE,
)  # fmt: skip


# ---- other wordings ----

_VERBS = word_set("tone", "requests")
# "Order 4711 is late": such a word opens an order only before an object or a place.
_NOUNS_TOO = word_set("tone", "nouns_too")
_BEFORE_OBJECT = (
    rf"(?= (?:{'|'.join(sorted(word_set('grammar', 'numbers')))}|me|us|him|her|them|it|the|an?|this|that|these|those|my|our|your|his|"
    r"their|all|both|each|every|some|somebody|someone|to|at|in|into|for|from|as|back|with|by|up|out|on|over|down|here|about|again|now|today|tonight|tomorrow|immediately|asap)\b)"
)
_VERB = (
    rf"(?:(?:{'|'.join(sorted(_VERBS - _NOUNS_TOO))})\b(?! (?:is|are|was|were|of|has|have|will)\b)"
    rf"|(?:{'|'.join(sorted(_NOUNS_TOO))})\b{_BEFORE_OBJECT})(?=[ .!])"
)
_LEAD = r"(?P<lead>(?:(?:and|then|so|also|but),? )?)(?:now,? |just |simply |(?P<next>next time),? )?"
_HASTE = re.compile(r",? (?:right now|right away|straight away|immediately|at once|now|asap)$", re.IGNORECASE)
_NAMED = re.compile(r", (?:Mr |Mrs |Ms |Dr )?[A-Z]\w+$")
_OFFER = re.compile(
    r"\bif you (?:have|need|want|like|would|wish)\b|^(?:talk|speak|see|write) (?:to )?you\b|^(?:hesitate|worry)\b", re.IGNORECASE
)  # fmt: skip
# "Touch it again and you can look for another job." asks for nothing.
WARNING = re.compile(
    r"\b(?:again|once more|one more)\b.*\band (?:you|I|we)(?:['’](?:re|ll)| will| can| are)\b", re.IGNORECASE
)
_COURTEOUS = re.compile(
    r"\b(?:please|kindly|would you|could you|thanks?|sorry|grateful|appreciate)\b", re.IGNORECASE
)
_LONGEST = 50  # words; what is longer is no order, and more than the language model reads of several versions at once
_ASKS = "Asks for it instead of ordering it."
_ASKS_NOT = "Asks for it instead of forbidding it."
_WISHES = "Says it as a wish instead of a demand."
_INQUIRES = "Asks for the reason or the state of things instead of demanding it."
_BELIEVES = "Leaves room for a mistake on your own side."
_REGRETS = "Says it with regret."
_LEAVES_OUT = "Leaves out “{words}”."


def wordings(text: str, bad_news: bool = False) -> list[Wording]:
    """Other texts of a sentence that is blunt, most courteous first within each sort; none if it is courteous, or beyond help.

    Regret suits `bad_news` alone, which words do not show ("I can't tell you how glad I am."): a classifier does.

    >>> [each.text for each in wordings("You must pay the invoice!")][:2]
    ['Could you please pay the invoice?', 'Please pay the invoice.']
    """
    text = text.strip()
    if _COURTEOUS.search(text) or text.isupper() or len(WORD.findall(text)) > _LONGEST:
        return []
    calm, without = _calm(text)
    if contempt(calm):
        return _half(calm, bad_news)
    found = list(_of(calm, bad_news))
    if without:
        note = _LEAVES_OUT.format(words=without)
        found = [Wording(each.text, f"{each.reason} {note}", without) for each in found]
        found.append(Wording(calm, note, without))
    return found


def _calm(text: str) -> tuple[str, str]:
    """The text without adjectives that only express contempt of a thing ("your stupid email"), and the first of those."""
    found = _EPITHET.search(text)
    return (_EPITHET.sub(r"\g<before>", text), found["epithet"]) if found else (text, "")


def _of(text: str, bad_news: bool) -> list[Wording]:
    body = text.rstrip(".!?")
    asks = "?" in text[len(body) :]
    for pattern, make in _SORTS:
        match = pattern.match(body)
        if (
            match
            and (asks == (make is _questions) or pattern is _ABILITY)
            and (bad_news or make is not _regrets)
        ):
            if made := list(make(match)):
                return made
    return []


def _requests(match: re.Match[str]) -> Iterator[Wording]:
    """Ways to ask for what was ordered; what is offered is none ("Call me if you have questions.")."""
    if _OFFER.search(match["deed"]) or WARNING.search(match["deed"]):
        return
    deed, later = _unhurried(_lower(match["deed"]), "you can")
    lead = _lead(match)
    if simple := not re.search("[,;:]", _NAMED.sub("", deed)) and not re.search(
        r"\b(?:or|and) (?:I|we|you)\b|\band then\b", deed
    ):
        yield Wording(_sentence(f"{lead}could you please {deed}{later}?"), _ASKS)
    yield Wording(_sentence(f"{lead}please {deed}{later}."), _ASKS)
    if simple:
        yield Wording(_sentence(f"{lead}I would be grateful if you could {deed}{later}."), _ASKS)


def _pleas_not_to(match: re.Match[str]) -> Iterator[Wording]:
    deed, lead = _lower(match["deed"]), _lead(match)
    if _OFFER.search(deed):
        return
    yield Wording(_sentence(f"{lead}please do not {deed}."), _ASKS_NOT)
    if not re.search("[,;:]", _NAMED.sub("", deed)):
        deed = re.sub(r"^ever ", "", deed)
        yield Wording(_sentence(f"{lead}could I ask you not to {deed}?"), _ASKS_NOT)
        if not deed.startswith("be "):
            yield Wording(_sentence(f"{lead}I would be grateful if you did not {deed}."), _ASKS_NOT)


def _lead(match: re.Match[str]) -> str:
    """What goes before a request."""
    return match["lead"] + (f"{match['next']}, " if match["next"] else "")


def _wishes(match: re.Match[str]) -> Iterator[Wording]:
    who, thing = ("we" if match["who"].lower() == "we" else "I"), match["thing"]
    thing, later = _unhurried(thing, "possible")
    yield Wording(_sentence(f"{match['lead']}{who} would like {thing}{later}."), _WISHES)
    if not re.search(r"(?:^| )to [a-z]", thing):
        yield Wording(_sentence(f"{match['lead']}{who} would be grateful for {thing}{later}."), _WISHES)
        if not re.search("[,;:]", thing):
            yield Wording(_sentence(f"{match['lead']}could {who} please have {thing}{later}?"), _WISHES)


def _questions(match: re.Match[str]) -> Iterator[Wording]:
    """An indirect question ("Why is the order late?"); where its subject ends is tried out, for the language model to tell."""
    how, verb, rest = match["how"].lower(), match["verb"].lower(), match["rest"].split(" ")
    if verb in ("does", "did") or verb == "do" and len(rest) == 1:
        return  # its verb would have to be inflected
    lengths = [1] if _PRONOUN.match(rest[0]) else [n for n in (2, 3, len(rest)) if n <= len(rest) <= _SHORT]
    for length in dict.fromkeys(lengths):
        subject, left = rest[:length], rest[length:]
        if _NO_SUBJECT.intersection(subject) and left or left and left[0] in PREPOSITIONS:
            continue
        said = " ".join([*subject, *([] if verb == "do" else [verb]), *left])
        yield Wording(_sentence(f"could you tell me {how} {said}?"), _INQUIRES)
        yield Wording(_sentence(f"may I ask {how} {said}?"), _INQUIRES)


_SHORT = 8  # words behind the verb of a question whose subject can be told
_NO_SUBJECT = PREPOSITIONS | {"not", "still", "yet", "so", "always", "never", "again", "already"}
_PRONOUN = re.compile(
    r"(?:I|you|he|she|it|we|they|this|that|these|those|there|everybody|everyone|nobody)$", re.IGNORECASE
)


def _beliefs(match: re.Match[str]) -> Iterator[Wording]:
    """A lapse of the reader's as the writer sees it."""
    said = match["said"]
    for opening in ("I believe", "it seems that", "I think"):
        yield Wording(_sentence(f"{opening} you {said}."), _BELIEVES)


def _regrets(match: re.Match[str]) -> Iterator[Wording]:
    said = match["said"]
    if "," in said and not re.search(r", (?:but|and|so) ", said):
        return
    yield Wording(_sentence(f"I am afraid {_lower(said)}."), _REGRETS)
    yield Wording(_sentence(f"unfortunately, {_lower(said)}."), _REGRETS)


_ABILITY = re.compile(rf"{_LEAD}(?:can|will) you (?P<deed>(?!be\b)[a-z]+\b.*)$", re.IGNORECASE)
_SORTS = (
    (re.compile(rf"{_LEAD}(?:don't|don’t|do not) (?P<deed>[a-z]+.*)$", re.IGNORECASE), _pleas_not_to),
    (re.compile(rf"{_LEAD}never (?P<deed>{_VERB}.*)$", re.IGNORECASE), _pleas_not_to),
    (re.compile(rf"{_LEAD}you (?:must not|mustn't|may not|should not|shouldn't) (?P<deed>[a-z]+ .*)$", re.IGNORECASE), _pleas_not_to),
    (re.compile(rf"{_LEAD}(?:I|we) (?:want|need|expect) you to (?P<deed>[a-z]+ .*)$", re.IGNORECASE), _requests),
    (re.compile(rf"{_LEAD}you (?:must|have to|need to|had better|should|will|are to) (?P<deed>{_VERB}.*)$", re.IGNORECASE), _requests),
    (re.compile(rf"{_LEAD}(?P<deed>(?:do (?:it|this|that|the)|let me know|stop [a-z]+ing|make sure)\b.*)$", re.IGNORECASE), _requests),
    (re.compile(rf"{_LEAD}(?P<deed>{_VERB}.*)$", re.IGNORECASE), _requests),
    (re.compile(rf"(?P<lead>)(?P<next>)(?:just|simply) (?P<deed>(?:{'|'.join(sorted(_VERBS))})\b.*)$", re.IGNORECASE), _requests),
    (_ABILITY, _requests),
    (re.compile(r"(?P<lead>(?:and |but |so )?)(?P<who>I|we) (?:want|demand|expect) (?P<thing>(?!you |him |her |them |it |that )\S.*)$", re.IGNORECASE), _wishes),
    (re.compile(r"(?P<lead>(?:and |but |so )?)(?P<who>I|we) need (?P<thing>(?:the|an?|your|this|that|these|those|my|our|all|both)\b.*)$", re.IGNORECASE), _wishes),
    (re.compile(r"(?P<how>why|where|when|how) (?P<verb>is|are|was|were|has|have|can|will|do|does|did|isn't|aren't|wasn't|weren't|hasn't|haven't|didn't|don't) (?P<rest>.+)$", re.IGNORECASE), _questions),
    (re.compile(r"you (?P<said>(?:(?:still|again) )?(?:forgot|missed|overlooked|have not|haven't|did not|didn't|have forgotten|have missed|sent (?:me |us )?the wrong)\b.+)$", re.IGNORECASE), _beliefs),
    (re.compile(
        r"(?!.*\b(?:want|care|believe|trust|like)\b)(?P<said>(?:I|we|it|this|that|these|those|there|the|my|our|your|his|her|their) "
        r"(?=.*\b(?:not|no|cannot|can't|couldn't|won't|don't|doesn't|didn't|isn't|aren't|wasn't|hasn't|haven't|late|overdue|wrong|missing|"
        r"broken|incomplete|incorrect|unpaid|delayed|unable|too|failed|fails)\b).*)$", re.IGNORECASE), _regrets),
)  # fmt: skip


def _unhurried(said: str, who: str) -> tuple[str, str]:
    """What is asked for without its "now", and what stands in that place."""
    found = _HASTE.search(said)
    return (said[: found.start()], f" as soon as {who}") if found and "," not in said else (said, "")


def _half(text: str, bad_news: bool) -> list[Wording]:
    """What is left of a sentence without the half that insults ("Give me the keys and stop complaining.")."""
    match = _HALVES.match(text)
    if not match:
        return []
    one, two = match["one"], match["two"]
    if contempt(two) and not contempt(one) and _is_aside(two):
        kept, dropped = one, two
    elif contempt(one) and not contempt(two) and _is_aside(one):
        kept, dropped = two, one
    else:
        return []
    note, found = _LEAVES_OUT.format(words=dropped), _of(_sentence(kept) + ".", bad_news)
    # What comes last is said in passing; what comes first is a claim, and its writer's to leave out.
    return [Wording(each.text, f"{each.reason} {note}", dropped, safe=kept == one) for each in found]


def _is_aside(text: str) -> bool:
    """Whether half a sentence holds nothing but its insult: no figure, no third part, and few words."""
    return len(text.split()) <= _ASIDE and not re.search(r"\d", text) and not _HALVES.match(text)


_ASIDE = 7  # words
_HALVES = re.compile(r"(?P<one>.+?)(?:,? (?:and|so|but|or) (?:this time,? )?|, (?=you ))(?P<two>.+?)[.!?]*$")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    return text if re.match(r"I\b", text) else text[:1].lower() + text[1:]
