"""The sentences of `training.data.emails`: text files, read and compiled for a voice.

`*.txt` hold the scenarios (their language is described in common.txt), words.txt what `slots` fills the gaps with.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from training.data.email_grammar.slots import Forms, Voice, americanised

FOLDER = Path(__file__).parent

_TAGS = re.compile(r"\(((?:gb|us|[fni]+|@\w+)(?: (?:gb|us|@\w+))*)\) ?")
_PIECES = re.compile(r"\$(?:ing)?|[\[\]|{}<>]|[^\[\]|{}<>$]+")
# Written out where the voice has no contractions; the grammar has no other meaning of 's and 'd.
_CONTRACTIONS = [
    (re.compile(pattern), full)
    for pattern, full in (
        (r"\b([Cc])an't\b", r"\1annot"), (r"\b([Ww])on't\b", r"\1ill not"), (r"n't\b", " not"), (r"'m\b", " am"),
        (r"'re\b", " are"), (r"'ve\b", " have"), (r"'ll\b", " will"), (r"'d\b", " would"), (r"\b([Ll])et's\b", r"\1et us"),
        (r"\b([Ii]t|[Tt]hat|[Tt]here|[Hh]ere|[Ww]hat|[Ww]ho|[Hh]e|[Ss]he)'s\b", r"\1 is"),
    )
]  # fmt: skip


class Speaker(Protocol):
    """An email that is being written, as the compiled pieces of grammar see it."""

    rng: random.Random

    def slot(self, name: str) -> Forms: ...
    def argument(self, form: str) -> str: ...
    def call(self, rule: str, argument: Node) -> str: ...
    def list_of(self, rule: str) -> str: ...


Node = Callable[[Speaker], str]  # a compiled piece of grammar


@dataclass(frozen=True)
class Scenario:
    """What an email is about; `to` and `signature` name the greetings and signatures that fit it."""

    name: str
    registers: str
    to: tuple[str, ...]
    signature: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Alternative:
    """One way to say a rule; `matters` are the emails it fits in (none: any)."""

    say: Node
    matters: frozenset[str]


Rules = dict[tuple[str, str], list[Alternative]]  # by scenario and name


@cache
def scenarios() -> dict[str, Scenario]:
    headers = [line[3:].split(" | ") for line in _lines() if line.startswith("== ")]
    return {
        name: Scenario(name, registers, tuple(to.split()), tuple(signature.split()))
        for name, registers, to, signature in headers
        if name != "common"
    }


@cache
def rules(voice: Voice) -> Rules:
    """What can be said in this voice."""
    found: Rules = {}
    section = name = ""
    for line in _lines():
        if line.startswith("== "):
            section = line[3:].split(" | ")[0]
        elif line.startswith("  "):
            tags = _TAGS.match(line, 2)
            if _fits(tags, voice):
                pieces = _PIECES.findall(_voiced(line[tags.end() if tags else 2 :], voice))
                matters = frozenset(re.findall("@[a-z]+", tags.group()) if tags else ())
                found[section, name].append(Alternative(_parse(pieces[::-1], voice), matters))
        elif line.endswith(":") and not line.startswith("#"):
            name = line[:-1]
            found[section, name] = []
    return {key: alternatives for key, alternatives in found.items() if alternatives}


@cache
def _lines() -> list[str]:
    paths = sorted(path for path in FOLDER.glob("*.txt") if path.name != "words.txt")
    return [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def _fits(tags: re.Match[str] | None, voice: Voice) -> bool:
    required = [tag for tag in (tags.group(1).split() if tags else ()) if not tag.startswith("@")]
    return all(tag == voice.dialect if tag in ("gb", "us") else voice.register in tag for tag in required)


def _voiced(text: str, voice: Voice) -> str:
    for pattern, full in () if voice.contracted else _CONTRACTIONS:
        text = pattern.sub(full, text)
    text = text.replace("{,}", "," if voice.dialect == "us" else "").replace(r"\n", "\n")
    return americanised(text) if voice.dialect == "us" else text


def _parse(pieces: list[str], voice: Voice, stops: tuple[str, ...] = ()) -> Node:
    """Takes pieces from the end of the (reversed) list up to one of `stops`."""
    nodes: list[Node] = []
    while pieces and pieces[-1] not in stops:
        piece = pieces.pop()
        if piece == "[":
            nodes.append(_choice(pieces, voice))
        elif piece == "{":
            nodes.append(_slot(*pieces.pop().partition(".")))
            pieces.pop()
        elif piece == "<":
            nodes.append(_call(pieces, voice))
        elif piece.startswith("$"):
            nodes.append(_argument(piece[1:]))
        else:
            nodes.append(_text(piece))
    return lambda email: "".join([node(email) for node in nodes])


def _text(text: str) -> Node:
    return lambda email: text


def _slot(name: str, dot: str, form: str) -> Node:
    return lambda email: email.slot(name)[form]


def _argument(form: str) -> Node:
    return lambda email: email.argument(form)


def _choice(pieces: list[str], voice: Voice) -> Node:
    options: list[Node] = []
    separator = "|"
    while separator == "|":
        tags = _TAGS.match(pieces[-1])
        if tags:
            pieces[-1] = pieces[-1][len(tags.group().rstrip()) :]
        option = _parse(pieces, voice, ("|", "]"))
        if _fits(tags, voice):
            options.append(option)
        separator = pieces.pop()
    return lambda email: email.rng.choice(options)(email) if options else ""


def _call(pieces: list[str], voice: Voice) -> Node:
    name, _, rest = pieces.pop().partition(":")
    pieces.append(rest)
    argument = _parse(pieces, voice, (">",))
    pieces.pop()
    if name == "list":
        return lambda email: email.list_of(rest)
    return lambda email: email.call(name, argument)
