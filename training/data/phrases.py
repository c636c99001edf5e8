"""Mistakes in a turn of phrase, as they carry over from a writer's first language: "I am agree", "explain me", "since two days".

lists/phrases.tsv has a row for each turn: a pattern that finds the right phrase, and the wrong ones that it may become.
In a pattern <verbs a b> stands for every form of these verbs, and <name> for a part from lists/phrase_parts.tsv. A wrong
phrase is a replacement as re.sub takes it, or one of

    @2:VBN:VBD:have {}      the phrase with the word of group 2 in the form VBN, in this frame; only if it stands as VBD
    @base:{1} do {3} {base} the groups, and the base form of the verb in group 4
"""

from __future__ import annotations

import random
import re

from training.data.confusions import inflections
from training.data.lists import table

_MACRO = re.compile(r"<(\w+)(?: ([^>]+))?>")
_NO_BASE = ("is", "has", "can", "will", "may", "must")  # verbs that do without "do"


def mistake(text: str, rng: random.Random, tries: int = 30) -> str | None:
    """`text` with one turn of phrase gone wrong; None if none of `tries` drawn ones is in it."""
    for pattern, wrong in rng.sample(TURNS, tries):
        found = list(pattern.finditer(text))
        if not found:
            continue
        match, change = rng.choice(found), rng.choice(wrong)
        new = replaced(match, change)
        if new is not None and new != match[0]:
            return text[: match.start()] + new + text[match.end() :]
    return None


def replaced(match: re.Match[str], change: str) -> str | None:
    """The wrong phrase for the right one; None if its word has no such form."""
    if not change.startswith("@"):
        return match.expand(change)
    if change.startswith("@base:"):
        found = inflections(match[4])
        if match[4] not in (found.get("VB"), found.get("VBZ")) or match[4] in _NO_BASE:
            return None
        return change[6:].format(*(match[i] for i in range(5)), base=found["VB"])
    group, tag, only, frame = change[1:].split(":")
    word, (start, end) = match[int(group)], match.span(int(group))
    found = inflections(word)
    if tag not in found or (tag.startswith("VB") and "VB" not in found) or (only and found.get(only) != word):
        return None
    at = match.start()
    return match[0][: start - at] + frame.format(found[tag]) + match[0][end - at :]


def _pattern(text: str, parts: dict[str, str]) -> str:
    """A pattern with its macros written out."""

    def written_out(macro: re.Match[str]) -> str:
        if macro[1] != "verbs":
            return parts[macro[1]]
        verbs = macro[2].split()
        forms = {form for verb in verbs for tag, form in inflections(verb).items() if tag.startswith("VB")}
        return f"({'|'.join(sorted(forms | set(verbs)))})"

    return _MACRO.sub(written_out, text)


def _turns() -> list[tuple[re.Pattern[str], list[str]]]:
    parts = dict(table("phrase_parts.tsv"))
    return [(re.compile(_pattern(pattern, parts)), wrong) for pattern, *wrong in table("phrases.tsv")]


TURNS = _turns()
