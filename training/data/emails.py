"""Business emails written by a grammar: clean targets of correction, where real mail is scarce.

    python -m training emails --count 60000 --out emails.jsonl

Rows are `{"text", "source"}`, all texts distinct, as `python -m training corpus --email emails.jsonl` reads them. The
sentences are in email_grammar/*.txt. An email has one voice (formal, neutral or informal, British or American, with or
without contractions) and one value for each slot, so that its dates, names and spelling agree from the first line to
the last.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from space.errors import UserError
from training.data.corpus import sentences
from training.data.email_grammar import Alternative, Node, Rules, Scenario, rules, scenarios
from training.data.email_grammar.slots import Forms, Voice, americanised, fill
from training.data.lists import words

_REGISTER_SHARES = {"f": 0.3, "n": 0.45, "i": 0.25}  # where a scenario has all three
_DUPLICATES_IN_A_ROW = 1000  # so many mean that the grammar has nothing new to say
_DOUBLING = words("doubling verbs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=60_000, help="emails to write (default 60000)")
    parser.add_argument("--out", type=Path, required=True, help="file of JSON lines to write")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    if args.count < 1:
        raise UserError(f"--count {args.count}: ask for at least one email")
    if not args.out.parent.is_dir():
        raise UserError(f"{args.out.parent} is not a folder: make it, or write --out elsewhere")
    count = 0
    distinct: set[str] = set()
    with args.out.open("w", encoding="utf-8") as out:
        for text in distinct_emails(args.count, random.Random(args.seed)):
            out.write(json.dumps({"text": text, "source": "generated"}, ensure_ascii=False) + "\n")
            count += len(text.split())
            distinct.update(sentence for line in text.split("\n") if line for sentence in sentences(line))
    report = {"emails": args.count, "distinct_sentences": len(distinct), "words": count}
    print(json.dumps(report | {"words_per_email": round(count / args.count, 1)}))


def distinct_emails(count: int, rng: random.Random) -> Iterator[str]:
    """`count` emails, no two the same; UserError if the grammar has too few."""
    seen: set[int] = set()
    for number in range(count):
        for _ in range(_DUPLICATES_IN_A_ROW):
            text = generate(rng)
            if hash(text) not in seen:
                break
        else:
            raise UserError(f"the grammar has only about {number} emails: ask for fewer with --count")
        seen.add(hash(text))
        yield text


def generate(rng: random.Random, scenario: str | None = None) -> str:
    """One email: greeting, body, closing, name; LF line ends; the same for the same state of `rng`.

    `scenario` is the name of one of `scenarios()`; by default it is drawn.
    """
    drawn = scenarios()[scenario or rng.choice(list(scenarios()))]
    register = rng.choices(drawn.registers, [_REGISTER_SHARES[r] for r in drawn.registers])[0]
    contracted = register == "i" or (register == "n" and rng.random() < 0.5)
    return Email(rng, drawn, Voice(register, rng.choice(("gb", "us")), contracted)).text()


@dataclass
class Email:
    """An email that is being written: what it has settled on, and what it has said."""

    rng: random.Random
    scenario: Scenario
    voice: Voice
    rules: Rules = field(init=False)
    values: dict[str, Forms] = field(default_factory=dict)
    used: set[Alternative] = field(default_factory=set)  # nothing is said twice
    matters: frozenset[str] = frozenset()  # what it can still be about, once something has settled it
    arguments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rules = rules(self.voice)

    def text(self) -> str:
        body = self.say("body")
        greeting = self.say("greeting " + self.rng.choice(self.scenario.to))
        end = self.say("closing") + "\n" + self.say("signature " + self.rng.choice(self.scenario.signature))
        text = "\n\n".join(part.strip() for part in (greeting, *body.split("//"), end) if part.strip())
        # Optional parts leave spaces behind, and "p.m." at the end of a sentence a second full stop.
        return re.sub(r" *\n", "\n", re.sub(" +", " ", text)).replace(".m..", ".m.")

    def say(self, rule: str) -> str:
        """One of the rule's alternatives that fit; nothing if all that fit have been said."""
        options = self.options(rule)
        if not options:
            return ""
        option = self.rng.choice(options)
        self.used.add(option)
        if option.matters:
            self.matters = option.matters & self.matters or option.matters
        return option.say(self)

    def options(self, rule: str) -> list[Alternative]:
        every = self.rules.get((self.scenario.name, rule)) or self.rules["common", rule]
        return [
            option
            for option in every
            if option not in self.used
            and not (self.matters and option.matters and self.matters.isdisjoint(option.matters))
        ]

    def call(self, rule: str, argument: Node) -> str:
        self.arguments.append(argument(self))
        said = self.say(rule)
        self.arguments.pop()
        return said

    def argument(self, form: str) -> str:
        text = self.arguments[-1]
        if form != "ing":
            return text.replace("~", "")
        return americanised(gerund(text)) if self.voice.dialect == "us" else gerund(text)

    def list_of(self, rule: str) -> str:
        options = self.options(rule)
        chosen = self.rng.sample(options, self.rng.randint(3, min(5, len(options))))
        mark = self.rng.choice(("- ", "- ", "• ", "* ", "{}. ", "{}) "))
        return "".join(
            f"\n{mark.format(number)}{option.say(self)}" for number, option in enumerate(chosen, 1)
        )

    def slot(self, name: str) -> Forms:
        if name not in self.values:
            fill(name, self.values, self.rng, self.voice)
        return self.values[name]


def gerund(phrase: str) -> str:
    """The phrase with its first verb, and each marked one, in -ing.

    >>> gerund("not read it and ~reply")
    'not reading it and replying'
    """
    return re.sub(r"^(not )?(\w+)|~(\w+)", lambda m: (m[1] or "") + _ing(m[2] or m[3]), phrase)


def _ing(verb: str) -> str:
    if verb in _DOUBLING:
        return verb + verb[-1] + "ing"
    silent = verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")) and verb != "be"
    return (verb[:-1] if silent else verb) + "ing"
