"""LanguageTool's HTTP protocol as values: what a client asks, and edits as the matches of an answer.

request = Request.read({"text": "I has recieved it.", "language": "en-US"})
answer(request, proofreader.edits(request.text.plain, dialect=request.dialect))     # JSON

The fields are those of https://languagetool.org/http-api/, as its server reads and writes them: offsets count UTF-16 code
units of the text that the client has, markup included. What such a server has and this one has not is ignored.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from space import __version__
from space.errors import UserError
from space.proofread.edits import Edit, apply
from space.proofread.passages import Reading

# Its own name of each, and the dialect that it asks for; the others leave each word as it is spelt.
LANGUAGES: dict[str, tuple[str, str | None]] = {
    "en": ("English", None),
    "en-US": ("English (US)", "american"),
    "en-GB": ("English (GB)", "british"),
    "en-AU": ("English (Australian)", None),
    "en-CA": ("English (Canadian)", None),
    "en-NZ": ("English (New Zealand)", None),
    "en-ZA": ("English (South African)", None),
}
AUTO = "auto"


@dataclass(frozen=True)
class Kind:
    """How an edit of one kind is shown: LanguageTool's ids, by which clients choose a colour and what to offer."""

    rule: str  # the middle of a rule's id
    category: str
    issue_type: str
    title: str  # what is wrong, in a word or two


CATEGORIES = {
    "TYPOS": "Possible Typo",
    "CASING": "Capitalization",
    "PUNCTUATION": "Punctuation",
    "TYPOGRAPHY": "Typography",
    "GRAMMAR": "Grammar",
    "CONFUSED_WORDS": "Commonly Confused Words",
    "STYLE": "Style",
    "MISC": "Miscellaneous",
}
# Clients offer to remember a word when a rule's id ends in SPELLER_RULE.
_KINDS = {
    "spelling": Kind("SPELLER", "TYPOS", "misspelling", "Spelling"),
    "capitals": Kind("CAPITALS", "CASING", "typographical", "Capital letter"),
    "punctuation": Kind("PUNCTUATION", "PUNCTUATION", "typographical", "Punctuation"),
    "spacing": Kind("SPACING", "TYPOGRAPHY", "whitespace", "Blanks"),
    "article": Kind("ARTICLE", "GRAMMAR", "grammar", "Article"),
    "preposition": Kind("PREPOSITION", "GRAMMAR", "grammar", "Preposition"),
    "agreement": Kind("AGREEMENT", "GRAMMAR", "grammar", "Agreement"),
    "verb form": Kind("VERB_FORM", "GRAMMAR", "grammar", "Verb form"),
    "word choice": Kind("WORD_CHOICE", "CONFUSED_WORDS", "grammar", "Word choice"),
    "confused word": Kind("CONFUSED_WORD", "CONFUSED_WORDS", "misspelling", "Confused word"),
    "word order": Kind("WORD_ORDER", "GRAMMAR", "grammar", "Word order"),
    "tone": Kind("TONE", "STYLE", "style", "Tone"),
    "other": Kind("OTHER", "MISC", "uncategorized", "Wording"),
}

_CONTEXT = 40  # characters on either side of a match that are shown with it
_WORD_BEFORE = re.compile(r"[\w'’-]+[^\w\s]*[^\S\r\n]*$")
_WORD_AFTER = re.compile(r"[^\S\r\n]*[^\w\s]*[\w'’-]+")
_NEAR = 80  # characters in which a neighbouring word is looked for
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # half a character, which no answer could carry

NO_TEXT = "text or data: send one of them."
BOTH = "text and data: send one of them, not both."
NO_LANGUAGE = "language: send one of {languages} or auto."
OTHER_LANGUAGE = "language {language}: this server reads English alone; send one of {languages} or auto."
BAD_DATA = 'data: send JSON like {"annotation": [{"text": "a "}, {"markup": "<b>", "interpretAs": ""}]}.'
ONLY_NOTHING = "enabledOnly: name enabledRules or enabledCategories with it."
NOT_ONLY = "enabledOnly: leave out disabledRules and disabledCategories with it."


def kind_of(edit: Edit) -> Kind:
    return _KINDS.get(edit.kind, _KINDS["other"])


def rule_id(edit: Edit) -> str:
    """The id by which a client switches off all edits of this kind from this source, the same in every release.

    >>> rule_id(Edit(0, 3, "has", "have", "agreement", "tagger"))
    'TAGGER_AGREEMENT_RULE'
    """
    return f"{edit.source.upper()}_{kind_of(edit).rule}_RULE"


def languages() -> list[dict[str, str]]:
    """The answer of /v2/languages."""
    return [{"name": name, "code": code[:2], "longCode": code} for code, (name, _) in LANGUAGES.items()]


# ---- what a client asks ----


@dataclass(frozen=True)
class _Piece:
    """A stretch of the client's text and what is read of it; markup is read as something else, or not at all."""

    at: int  # where it begins in what is read
    read: str
    start: int  # where it begins in the client's text
    length: int
    is_markup: bool


@dataclass(frozen=True)
class Annotated:
    """A text with markup: `whole` as the client has it, `plain` as it is read.

    >>> text = Annotated.of([{"text": "a "}, {"markup": "<b>"}, {"text": "cat"}, {"markup": "</b>"}])
    >>> text.plain, text.range(2, 5)
    ('a cat', (5, 8))
    """

    plain: str
    whole: str
    pieces: tuple[_Piece, ...]

    @classmethod
    def of(cls, parts: Iterable[Mapping[str, Any]]) -> Annotated:
        """From `annotation` of LanguageTool's `data`. Raises UserError."""
        pieces: list[_Piece] = []
        whole: list[str] = []
        at = start = 0
        for part in parts:
            if not isinstance(part, Mapping) or ("text" in part) == ("markup" in part):
                raise UserError(BAD_DATA)
            is_markup = "markup" in part
            own = part["markup"] if is_markup else part["text"]
            read = part.get("interpretAs") or "" if is_markup else own
            if not isinstance(own, str) or not isinstance(read, str):
                raise UserError(BAD_DATA)
            own, read = (_SURROGATE.sub("\ufffd", each) for each in (own, read))
            pieces.append(_Piece(at, read, start, len(own), is_markup))
            whole.append(own)
            at, start = at + len(read), start + len(own)
        return cls("".join(piece.read for piece in pieces), "".join(whole), tuple(pieces))

    def range(self, start: int, end: int) -> tuple[int, int] | None:
        """Where the characters [start, end) of `plain`, one at least, stand in `whole`; None if markup was read as the first or last."""
        first, last = self._place(start), self._place(end - 1)
        return None if first is None or last is None else (first, last + 1)

    def _place(self, at: int) -> int | None:
        piece = self._read[bisect_right(self._read, at, key=lambda piece: piece.at) - 1]
        return None if piece.is_markup else piece.start + at - piece.at

    @cached_property
    def _read(self) -> list[_Piece]:
        return [piece for piece in self.pieces if piece.read]

    def units(self, at: int) -> int:
        """How many UTF-16 code units of `whole` stand before a character of it."""
        return at + bisect_left(self._astral, at)

    @cached_property
    def _astral(self) -> list[int]:
        return [i for i, c in enumerate(self.whole) if c > "\uffff"]


@dataclass(frozen=True)
class Request:
    """One check, as a client asks for it."""

    text: Annotated
    language: str  # one of LANGUAGES
    is_picky: bool = False  # suggestions too
    disabled_rules: frozenset[str] = frozenset()
    enabled_rules: frozenset[str] = frozenset()
    disabled_categories: frozenset[str] = frozenset()
    enabled_categories: frozenset[str] = frozenset()
    enabled_only: bool = False

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Request:
        """From the fields of a form or a query; those that are not known are ignored. Raises UserError."""
        rules = {
            name: _ids(fields.get(name, ""))
            for name in ("disabledRules", "enabledRules", "disabledCategories", "enabledCategories")
        }
        only = fields.get("enabledOnly") in ("true", "yes")
        if only and not (rules["enabledRules"] or rules["enabledCategories"]):
            raise UserError(ONLY_NOTHING)
        if only and (rules["disabledRules"] or rules["disabledCategories"]):
            raise UserError(NOT_ONLY)
        return cls(
            _text(fields), _language(fields), fields.get("level") == "picky", rules["disabledRules"],
            rules["enabledRules"], rules["disabledCategories"], rules["enabledCategories"], only,
        )  # fmt: skip

    @property
    def dialect(self) -> str | None:
        return LANGUAGES[self.language][1]

    def wants(self, edit: Edit) -> bool:
        if edit.status not in (("applied", "suggested") if self.is_picky else ("applied",)):
            return False
        rule, category = rule_id(edit), kind_of(edit).category
        enabled = rule in self.enabled_rules
        if self.enabled_only:
            return enabled or category in self.enabled_categories
        return enabled or not (rule in self.disabled_rules or category in self.disabled_categories)


def _text(fields: Mapping[str, str]) -> Annotated:
    if "text" in fields and "data" in fields:
        raise UserError(BOTH)
    if "text" in fields:
        return Annotated.of([{"text": fields["text"]}])
    if "data" not in fields:
        raise UserError(NO_TEXT)
    try:
        data = json.loads(fields["data"])
    except (ValueError, RecursionError):
        raise UserError(BAD_DATA) from None
    if not isinstance(data, dict) or ("text" in data) == ("annotation" in data):
        raise UserError(BAD_DATA)
    parts = data["annotation"] if "annotation" in data else [{"text": data["text"]}]
    if not isinstance(parts, list):
        raise UserError(BAD_DATA)
    return Annotated.of(parts)


def _language(fields: Mapping[str, str]) -> str:
    """One of LANGUAGES, whatever its case; for `auto` the English among the preferred variants."""
    known = {code.lower(): code for code in LANGUAGES}
    asked = fields.get("language", "").strip().replace("_", "-")
    if not asked:
        raise UserError(NO_LANGUAGE.format(languages=", ".join(LANGUAGES)))
    if asked == AUTO:
        preferred = (variant.strip().lower() for variant in fields.get("preferredVariants", "").split(","))
        return next((known[variant] for variant in preferred if variant in known), "en")
    if asked.lower() not in known:
        # What was sent is cut, as it may be anything.
        raise UserError(OTHER_LANGUAGE.format(language=repr(asked[:20]), languages=", ".join(LANGUAGES)))
    return known[asked.lower()]


def _ids(value: str) -> frozenset[str]:
    return frozenset(filter(None, (each.strip() for each in value.split(","))))


# ---- what it is answered ----


@dataclass(frozen=True)
class _Match:
    """Characters of what is read that should be something else; of several edits in one place, one."""

    start: int
    end: int
    replacements: tuple[str, ...]
    edits: tuple[Edit, ...]

    @property
    def edit(self) -> Edit:
        """The one that speaks for all."""
        return max(self.edits, key=lambda edit: edit.score)


def answer(request: Request, reading: Reading) -> dict[str, Any]:
    """The answer of /v2/check."""
    text, (name, _) = request.text, LANGUAGES[request.language]
    language = {"name": name, "code": request.language}
    detected = {**language, "confidence": 1.0 if reading.sentences else 0.0}
    wanted = [edit for edit in reading.edits if request.wants(edit)]
    found = [
        shown
        for match in _matches(text.plain, wanted)
        if (shown := _shown(match, text, reading.sentences)) is not None
    ]
    spans = [place for start, end in reading.sentences if (place := text.range(start, end))]
    return {
        "software": {
            "name": "Email proofreader", "version": __version__, "buildDate": "", "apiVersion": 1, "premium": False, "status": "",
        },
        "warnings": {"incompleteResults": bool(reading.notes)}
        | ({"incompleteResultsReason": " ".join(reading.notes)} if reading.notes else {}),
        "language": language | {"detectedLanguage": detected},
        "matches": found,
        "sentenceRanges": [[text.units(start), text.units(end)] for start, end in spans],
    }  # fmt: skip


def _matches(text: str, edits: Iterable[Edit]) -> list[_Match]:
    """Disjoint matches, by where they begin. A suggestion beside an edit that is made is one more replacement, or left out."""
    found: list[_Match] = []
    for edit in sorted((edit for edit in edits if edit.status == "applied"), key=lambda e: (e.start, e.end)):
        start, end = _widened(edit, text)
        group = [edit]
        while found and start < found[-1].end:  # the word beside a missing one is wrong too
            start, end = min(start, found[-1].start), max(end, found[-1].end)
            group = [*found.pop().edits, *group]
        found.append(_match(text, start, end, group))
    for edit in sorted((edit for edit in edits if edit.status == "suggested"), key=lambda e: -e.score):
        match = _match(text, *_widened(edit, text), [edit])
        beside = [i for i, each in enumerate(found) if match.start < each.end and each.start < match.end]
        if not beside:
            found.append(match)
        elif len(beside) == 1 and (match.start, match.end) == (
            found[beside[0]].start, found[beside[0]].end,
        ):  # fmt: skip
            other = found[beside[0]]
            both = dict.fromkeys([*other.replacements, *match.replacements])
            found[beside[0]] = replace(other, replacements=tuple(both))
    return sorted(found, key=lambda match: match.start)


def _match(text: str, start: int, end: int, edits: list[Edit]) -> _Match:
    inside = [replace(edit, start=edit.start - start, end=edit.end - start) for edit in edits]
    after = apply(text[start:end], inside)
    while end - start > 1 and len(after) > 1 and text[start] == after[0] and after[0].isspace():
        start, after = start + 1, after[1:]
    while end - start > 1 and len(after) > 1 and text[end - 1] == after[-1] and after[-1].isspace():
        end, after = end - 1, after[:-1]
    return _Match(start, end, (after,), tuple(edits))


def _widened(edit: Edit, text: str) -> tuple[int, int]:
    """Where a client is to show an edit: with a word beside it if there is nothing to see, or would be nothing left.

    >>> _widened(Edit(5, 5, "", "the "), "Open door.")
    (5, 9)
    """
    start, end = edit.start, edit.end
    if edit.after and (edit.before.strip() or edit.before and not edit.after.strip()):
        return start, end
    before = _WORD_BEFORE.search(text[max(0, start - _NEAR) : start])
    after = _WORD_AFTER.match(text, end, end + _NEAR)
    joins_before = not (edit.after or edit.before)[:1].isalnum()  # a comma, or a blank and a word
    if before and (joins_before or not after):
        return start - len(before[0]), max(end, start)
    if after:
        return start, after.end()
    return (start, end) if end > start else (max(0, start - 1), min(len(text), start + 1))


def _shown(match: _Match, text: Annotated, sentences: Iterable[tuple[int, int]]) -> dict[str, Any] | None:
    """A match as JSON; None if it is of markup. Where it reaches across markup it has no replacement, which would delete that."""
    place = text.range(match.start, match.end) if match.start < match.end else None
    if place is None:
        return None
    start, end = place
    edit, kind = match.edit, kind_of(match.edit)
    across = text.whole[start:end] != text.plain[match.start : match.end]
    from_, to = max(0, start - _CONTEXT), min(len(text.whole), end + _CONTEXT)
    head, tail = "..." if from_ else "", "..." if to < len(text.whole) else ""
    length = text.units(end) - text.units(start)
    reasons = dict.fromkeys(each.reason for each in match.edits if each.reason)
    return {
        "message": " ".join(reasons) or kind.title,
        "shortMessage": kind.title,
        "replacements": [] if across else [{"value": each} for each in match.replacements],
        "offset": text.units(start),
        "length": length,
        "context": {
            "text": re.sub(r"[\r\n]", " ", f"{head}{text.whole[from_:to]}{tail}"),
            "offset": len(head) + text.units(start) - text.units(from_),
            "length": length,
        },
        "sentence": _sentence(match, text.plain, sentences),
        "type": {"typeName": "UnknownWord" if kind.rule == "SPELLER" else "Other"},
        "rule": {
            "id": rule_id(edit),
            "description": kind.title,
            "issueType": kind.issue_type,
            "category": {"id": kind.category, "name": CATEGORIES[kind.category]},
        },
        # A sentence that is being typed is judged when it is there; a misspelt word is one at once.
        "ignoreForIncompleteSentence": kind.rule != "SPELLER",
        "contextForSureMatch": 0 if kind.rule == "SPELLER" else -1,
    }


def _sentence(match: _Match, text: str, sentences: Iterable[tuple[int, int]]) -> str:
    inside = _overlapping(match, sentences)
    start, end = inside[0][0] if inside else match.start, inside[-1][1] if inside else match.end
    return text[start:end].strip()


def _overlapping(match: _Match, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(start, end) for start, end in spans if start < match.end and match.start < end]
