"""What stands in the slots of the email grammar: names, dates, times, amounts, and the words of words.txt.

A value is known in all the forms that a sentence may need, so that articles, plurals and pronouns agree:

    >>> noun("hour")
    {'': 'hour', 'a': 'an hour', 's': 'hours', 'cap': 'Hour'}
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

_WORDS = Path(__file__).parent / "words.txt"

_AN = re.compile(r"(?i)[aeiou](?!ni(?:[fqtv]|on)|s[ae]|uro|ne\b)|h(?:our|onest)|HR\b|LED\b|MBA\b")
_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

_PEOPLE = ("to", "me", "pal")  # no two have the same first name

Forms = dict[str, str]  # a value in each form: "" as it is, "a" with its article, "s" plural …
Make = Callable[[random.Random, "Voice"], Forms]
MakeGroup = Callable[[random.Random, "Voice"], dict[str, Forms]]


@dataclass(frozen=True)
class Voice:
    """How an email sounds: register f (formal), n (neutral) or i (informal), dialect gb or us."""

    register: str
    dialect: str
    contracted: bool


def fill(name: str, values: dict[str, Forms], rng: random.Random, voice: Voice) -> None:
    """Gives `values` the slot `name`, and the slots that must agree with it.

    `pal2` is another value of the same kind as `pal`.
    """
    family = name.rstrip("0123456789")
    if family in _GROUPS:
        values.update(_GROUPS[family](rng, voice))
        return
    kin, form = (_PEOPLE, "first") if family in _PEOPLE else ((family,), "")
    taken = {values[other][form] for other in values if other.rstrip("0123456789") in kin}
    make = _MAKERS.get(family)
    while True:  # every list is longer than any email's need
        value = make(rng, voice) if make else rng.choice(_nouns(voice.dialect)[family])
        if value[form] not in taken:
            values[name] = value
            return


# ---- words -----------------------------------------------------------------------------------------------------------


@cache
def word_lists() -> dict[str, list[str]]:
    """The entries of words.txt by the name of their list."""
    lists: dict[str, list[str]] = {}
    for line in _WORDS.read_text(encoding="utf-8").splitlines():
        name, colon, entries = line.partition(": ")
        if colon and not line.startswith("#"):
            lists.setdefault(name, []).extend([entries] if name == "people" else entries.split(", "))
    return lists


@cache
def american_words() -> dict[str, str]:
    """British -> American."""
    return dict(pair.split("/") for pair in word_lists()["american"])


def americanised(text: str) -> str:
    """
    >>> americanised("Colour licences are cancelled.")
    'Color licenses are canceled.'
    """

    def swap(match: re.Match[str]) -> str:
        word, words = match.group(), american_words()
        return words[word] if word in words else words[word.lower()].capitalize()

    return _british().sub(swap, text)


@cache
def _british() -> re.Pattern[str]:
    longest_first = sorted(american_words(), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(longest_first)})\b", re.IGNORECASE)


@cache
def _nouns(dialect: str) -> dict[str, list[Forms]]:
    return {
        name: [noun(americanised(entry) if dialect == "us" else entry) for entry in entries]
        for name, entries in word_lists().items()
        if name not in ("people", "american")
    }


def noun(word: str) -> Forms:
    plural = word[:-1] + "ies" if re.search(r"[^aeiou]y$", word) else word + "s"
    if word.endswith(("s", "x", "ch", "sh")):
        plural = word + "es"
    elif word.endswith("shelf"):
        plural = word[:-1] + "ves"
    article = "an" if _AN.match(word) else "a"
    return {"": word, "a": f"{article} {word}", "s": plural, "cap": word[0].upper() + word[1:]}


# ---- people and companies --------------------------------------------------------------------------------------------


@cache
def _cultures() -> list[tuple[list[str], list[str], list[str]]]:
    split = ([part.split() for part in line.split(" / ")] for line in word_lists()["people"])
    return [(women, men, surnames) for women, men, surnames in split]


def _person(rng: random.Random, voice: Voice) -> Forms:
    women, men, surnames = rng.choice(_cultures())
    female = rng.random() < 0.5
    first, last = rng.choice(women if female else men), rng.choice(surnames)
    stop = "." if voice.dialect == "us" else ""
    forms = {"first": first, "last": last, "full": f"{first} {last}", "dr": f"Dr{stop} {last}"}
    forms["mr"] = f"{'Ms' if female else 'Mr'}{stop} {last}"
    forms |= zip(("he", "him", "his"), ("she", "her", "her") if female else ("he", "him", "his"), strict=True)
    forms |= {"He": forms["he"].title(), "His": forms["his"].title()}
    plain = {"f": "mr", "n": rng.choice(("first", "full")), "i": "first"}[voice.register]
    return forms | {"": forms[plain]}


def _child(rng: random.Random, voice: Voice) -> Forms:
    women, men, _ = rng.choice(_cultures())
    return {"": rng.choice(women + men)}


def _company(rng: random.Random, voice: Voice) -> Forms:
    return {"": f"{rng.choice(word_lists()['firm'])} {rng.choice(word_lists()['trade'])}"}


def _phone(rng: random.Random, voice: Voice) -> Forms:
    """A number that nobody has: the ranges that regulators keep for fiction."""
    american, british = ("(212) 555-01{:02}", "312-555-01{:02}"), ("020 7946 0{:03}", "0161 496 0{:03}")
    return {"": rng.choice(american if voice.dialect == "us" else british).format(rng.randrange(100))}


# ---- dates and times -------------------------------------------------------------------------------------------------


def _dates(rng: random.Random, voice: Voice) -> dict[str, Forms]:
    """Working days around a drawn today, in this order: old, past, (today), soon, later, next, far.

    `month` is the month before today's, `year` some years ago.
    """
    today = date(rng.randint(2022, 2027), rng.randint(1, 11), rng.randint(1, 28))
    past, soon = _working_day(today, -rng.randint(1, 4)), _working_day(today, rng.randint(2, 4))
    if past.weekday() == soon.weekday():  # "on Monday" must mean one of them
        soon = _working_day(soon, 1)
    later = _working_day(soon, rng.randint(6, 16))
    days = {
        "old": _working_day(past, -rng.randint(12, 40)),
        "past": past,
        "soon": soon,
        "later": later,
        "next": _working_day(later, rng.randint(1, 3)),
        "far": _working_day(later, rng.randint(15, 50)),
    }
    comma = "," if voice.dialect == "us" or rng.random() < 0.5 else ""
    forms = {name: _date_forms(day, voice.dialect, comma) for name, day in days.items()}
    return forms | {
        "month": {"": _MONTHS[today.month - 2]},
        "year": {"": str(today.year - rng.randint(2, 12))},
    }


def _working_day(day: date, distance: int) -> date:
    """The day that many days away, or the next one beyond it that is no weekend."""
    day += timedelta(distance)
    while day.weekday() > 4:
        day += timedelta(1 if distance > 0 else -1)
    return day


def _date_forms(day: date, dialect: str, comma: str) -> Forms:
    """`long` ends a sentence or a clause: in the middle, Americans would put another comma after it."""
    month, weekday = _MONTHS[day.month - 1], _DAYS[day.weekday()]
    short = f"{month} {day.day}" if dialect == "us" else f"{day.day} {month}"
    return {"": short, "day": weekday, "long": f"{weekday}{comma} {short}", "month": month}


def _times(rng: random.Random, voice: Voice) -> dict[str, Forms]:
    """`time` and, an hour or more after it, `time2`; `late` is in the evening."""
    american, british = ("{}:{:02} {}.m.", "{}:{:02} {}M"), ("{}:{:02} {}m", "{}.{:02}{}m", "")
    style = rng.choice(american if voice.dialect == "us" else british)
    start, length, late = (
        rng.choice((9, 10, 13, 14)) * 60,
        rng.choice((60, 90)),
        rng.choice((17, 18, 19)) * 60,
    )
    start += rng.choice((0, 0, 0, 15, 30)) if length == 60 else 0

    def clock(minutes: int) -> Forms:
        hour, minute = divmod(minutes, 60)
        if not style:
            return {"": f"{hour}:{minute:02}"}
        half = "ap"[hour >= 12]
        text = style.format(
            hour - 12 if hour > 12 else hour, minute, half.upper() if style[-1] == "M" else half
        )
        return {"": re.sub("[:.]00", "", text)}

    return {"time": clock(start), "time2": clock(start + length), "late": clock(late + rng.choice((0, 30)))}


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _amounts(rng: random.Random, voice: Voice) -> dict[str, Forms]:
    """`sum` and a part of it, `sum2`; `price` of one thing; `budget` and what is `spent` of it.

    `salary` is for a year, `deposit` for a flat, `rate` for a night, `fee` small.
    """
    american, british = ("$", "$", "$", "$", "€", "USD "), ("£", "£", "£", "€", "EUR ", "CHF ")
    currency = rng.choice(american if voice.dialect == "us" else british)
    large = round(10 ** rng.uniform(2.7, 4.6), -1)
    amounts = {"sum": large, "sum2": large * rng.randint(3, 7) / 10, "price": rng.randint(15, 400)}
    if rng.random() < 0.3:
        forms = {name: f"{amount + rng.randint(1, 99) / 100:,.2f}" for name, amount in amounts.items()}
    else:
        forms = {name: f"{amount:,.0f}" for name, amount in amounts.items()}
    budget = rng.randint(10, 120) * 1000
    round_amounts = {
        "budget": budget,
        "spent": budget * rng.randint(2, 8) // 10,
        "salary": rng.randint(52, 190) * 500,
        "deposit": rng.randint(8, 60) * 50,
        "rate": rng.randint(6, 25) * 10,
        "fee": rng.randint(2, 12) * 5,
    }
    forms |= {name: f"{amount:,}" for name, amount in round_amounts.items()}
    return {name: {"": currency + amount} for name, amount in forms.items()}


def _counts(rng: random.Random, voice: Voice) -> dict[str, Forms]:
    count = rng.choice((12, 15, 18, 20, 24, 25, 30, 35, 40, 45, 48, 50, 60, 75, 80, 100, 120, 150, 180))
    return {"count": {"": str(count)}, "count2": {"": str(count + rng.choice((5, 10, 20, 25, 50)))}}


def _percentage(rng: random.Random, voice: Voice) -> Forms:
    sign = rng.choice(("%", "%", " percent" if voice.dialect == "us" else " per cent"))
    return {"": f"{rng.choice((2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25))}{sign}"}


def _small_number(rng: random.Random, voice: Voice) -> Forms:
    return noun(rng.choice(("two", "three", "four", "five", "six")))


def _number(*shapes: str) -> Make:
    return lambda rng, voice: {"": rng.choice(shapes).format(rng.randint(1000, 99999))}


_GROUPS: dict[str, MakeGroup] = {
    **dict.fromkeys(("old", "past", "soon", "later", "next", "far", "month", "year"), _dates),
    **dict.fromkeys(("time", "late"), _times),
    **dict.fromkeys(("sum", "price", "budget", "spent", "salary", "deposit", "rate", "fee"), _amounts),
    "count": _counts,
}
_MAKERS: dict[str, Make] = {
    **dict.fromkeys(_PEOPLE, _person),
    "kid": _child,
    "company": _company,
    "phone": _phone,
    "n": _small_number,
    "pct": _percentage,
    "inv": _number("{}", "INV-{}", "R-{}"),
    "order": _number("{}", "SO-{}"),
    "ticket": _number("{}7", "2{}"),
}
