"""What was measured of an email, unit by unit: tone, and the edits that classifiers and lists propose.

    for measured in measure(email, classifiers, options): messages(measured.unit.text, measured.evidence, measured.mode)

Serving and training call this one function, so that a model is asked as it was trained to be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from space.proofread.classifiers.tagger import Tagger
from space.proofread.classifiers.tags import TaggedWord
from space.proofread.classifiers.tone import Tone, ToneClassifier
from space.proofread.closed import slipped
from space.proofread.code import without_markup
from space.proofread.dialect import Dialect, in_dialect, takes_group_for_one, with_respellings
from space.proofread.edits import Edit
from space.proofread.judge import Judge
from space.proofread.lexicon import Lexicon
from space.proofread.policy import Thresholds
from space.proofread.propose import chosen, propose
from space.proofread.protect import Span
from space.proofread.units import Email, Unit
from space.proofread.words import WORD

MAX_EDITS = 16  # more say nothing: the whole sentence is in doubt
_LIKELY = 0.5  # a prior from which an edit is told to a model that cannot be asked about it
KINDER = ("polish", "friendly")  # modes in which a blunt sentence is put more kindly
_SHORT = 4  # words; fewer are rarely a sentence, unless they begin like one ("They was late.")
_END = re.compile(r"[^\W\d_]{2}[\"'”’)]?[.!?][\"'”’)]?$")  # of a sentence, and of no abbreviation
_BEGINNINGS = frozenset(
    "i you he she it we they this that these those there is are was were do does did can could would should have has any please let "
    "let's".split()
)

Scored = tuple[str, float]  # a label and its probability


@dataclass(frozen=True)
class Evidence:
    """What a prompt says of its text: tone, and proposed edits.

    >>> edits = (Edit(0, 7, "recieve", "receive"), Edit(13, 17, " the", ""))
    >>> Evidence(("neutral", 0.8), ("polite", 0.65), edits).line()
    'Sentiment neutral 80%, politeness polite 65%. Check: recieve = receive; the = -.'
    """

    sentiment: Scored | None = None
    politeness: Scored | None = None
    edits: tuple[Edit, ...] = ()

    def line(self) -> str:
        scores = (("Sentiment", self.sentiment), ("politeness", self.politeness))
        tone = ", ".join(f"{name} {score[0]} {score[1]:.0%}" for name, score in scores if score)
        words = "; ".join(
            f"{edit.before.strip()} = {edit.after.strip() or '-'}" for edit in self.edits[:MAX_EDITS]
        )
        return " ".join([*([f"{tone}."] if tone else []), *([f"Check: {words}."] if words else [])])


@dataclass(frozen=True)
class Classifiers:
    """What an email is measured with, and what judges its edits; all safe to share between threads."""

    tone: ToneClassifier
    tagger: Tagger
    lexicon: Lexicon
    judge: Judge
    thresholds: Thresholds


@dataclass(frozen=True)
class Options:
    """How an email is to be proofread."""

    mode: str = "proofread"
    dialect: Dialect | None = None
    general: bool = False  # for an instruct model that was not made here


@dataclass(frozen=True)
class Measured:
    """A unit with its evidence, for one mode.

    `candidates` are edits of `unit.text` that the language model is asked about, each with its prior as score, none if nothing is
    likely enough to be looked at; `respellings` are those of the dialect, made whatever the model says; `refused` are proposals
    that would have changed a protected word.
    """

    unit: Unit
    words: tuple[TaggedWord, ...]  # of its text
    tone: Tone
    evidence: Evidence
    mode: str
    candidates: tuple[Edit, ...] = ()
    respellings: tuple[Edit, ...] = ()
    refused: tuple[Edit, ...] = ()

    @property
    def is_blunt(self) -> bool:
        return self.mode == "polish"

    @property
    def is_short(self) -> bool:
        """Whether it is a name, a heading or a subject rather than a sentence."""
        return _is_short(self.unit)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is proposed."""
        return not self.candidates

    def corrections(self) -> Measured:
        """The same as it is to be proofread, before any kinder wording is looked for."""
        return replace(self, mode="proofread")


def measure(email: Email, classifiers: Classifiers, options: Options) -> Iterator[Measured]:
    """Each unit of the email with its evidence, measured a passage at a time, joint context included."""
    respellings = options.dialect.respellings(email.draft, email.parts) if options.dialect else []
    for passage in email.passages():
        texts = [unit.text for unit in passage.units]
        tones = classifiers.tone.score(texts, passage.people)
        tags = classifiers.tagger.tag_run(texts, passage.people)
        befores = [None, *passage.units]
        for unit, before, tone, tagged in zip(passage.units, befores, tones, tags, strict=False):
            small = _opens_small(unit, before, email.draft, classifiers.lexicon)
            if small:
                tagged = [_with_capital(tagged[0]), *tagged[1:]]
            proposals = propose(unit.text, tagged, classifiers.lexicon, classifiers.judge, passage.people)
            if _is_short(unit):  # only the word list knows enough to doubt a name or a heading
                proposals = [
                    each
                    for each in proposals
                    if not classifiers.lexicon.knows(each.before.strip()) or (small and each.start == 0)
                ]
            if unit.kind == "subject":
                proposals = [each for each in proposals if rewords(each)]
            own = [unit.find(each) for each in respellings if unit.holds(each)]
            yield _measured(unit, tagged, tone, proposals, own, email, options, classifiers)


def is_looked_at(proposals: Sequence[Edit], words: Sequence[TaggedWord], classifiers: Classifiers) -> bool:
    """Whether the language model is asked about a text: an edit is likely enough, or a word may be typed for another."""
    likely = any(edit.score >= classifiers.thresholds.look for edit in proposals)
    return likely or bool(proposals) and any(slipped(word, classifiers.lexicon) for word in words)


def _opens_small(unit: Unit, before: Unit | None, draft: str, lexicon: Lexicon) -> bool:
    """Whether a sentence follows another in its line and lacks the capital that the other has."""
    first = WORD.match(unit.text)
    return (
        before is not None
        and first is not None
        and first.group().islower()
        and lexicon.count(first.group()) >= 0
        and before.text[:1].isupper()
        and before.text.count(" ") > 0
        and _END.search(before.text) is not None
        and draft[before.end : unit.start].strip(" ") == ""
    )


def _with_capital(word: TaggedWord) -> TaggedWord:
    """The first word of a sentence, surely wrong if nothing but its capital may be."""
    capital = word.text[:1].upper() + word.text[1:]
    if word.after not in (None, capital) and word.score >= _LIKELY:
        return word
    return replace(word, wrong=1.0, after=capital, score=1.0)


def rewords(edit: Edit) -> bool:
    """Whether an edit does no more than put words in the place of words: a subject needs no end, and keeps its capitals."""
    before, after = edit.before, edit.after
    old, new = (WORD.findall(text.lower()) for text in (before, after))
    capital = before[:1].isupper() == after[:1].isupper()
    return bool(old and new) and old != new and capital and before[-1].isalpha() == after[-1].isalpha()


def _measured(
    unit: Unit, words: Sequence[TaggedWord], tone: Tone, proposals: Sequence[Edit], respellings: Sequence[Edit],
    email: Email, options: Options, classifiers: Classifiers,
) -> Measured:  # fmt: skip
    protected = [span for span in email.within(unit) if span.what in ("a name", "a protected word")]
    proposals, refused = _unprotected(unit, proposals, protected)
    refused = chosen(refused, _LIKELY)
    respellings, also = _unprotected(unit, respellings, protected)
    if options.dialect is None or options.dialect.name != "american":
        proposals = [each for each in proposals if not takes_group_for_one(each, unit.text)]
    if options.dialect:
        proposals = in_dialect(proposals, respellings, options.dialect)
    likely = chosen(proposals, _LIKELY)
    candidates = tuple(proposals) if is_looked_at(proposals, words, classifiers) else ()
    kinder = options.mode in KINDER and tone.politeness.is_low and unit.kind != "subject"
    mode = options.mode if options.general else "polish" if kinder else "proofread"
    told = with_respellings(likely, respellings) if options.general and likely else ()
    sentiment, politeness = ((score.label, score.score) for score in (tone.sentiment, tone.politeness))
    return Measured(
        unit, tuple(words), tone, Evidence(sentiment, politeness, tuple(told)), mode, candidates, tuple(respellings),
        (*refused, *also),
    )  # fmt: skip


def _unprotected(unit: Unit, edits: Sequence[Edit], spans: Sequence[Span]) -> tuple[list[Edit], list[Edit]]:
    """The edits that leave the protected words, and those that do not, as refused edits of the draft."""
    free, refused = [], []
    for edit in edits:
        placed = next(unit.place([edit]), None)
        span = next((each for each in spans if placed and _changes(placed, each)), None)
        if placed is None or span is None:
            free.append(edit)
        else:
            what = "a name" if span.what == "a name" else "a protected term"
            change = f"changed to {edit.after.strip()}" if edit.after.strip() else "removed"
            refused.append(replace(placed, status="refused", reason=f"{what}, so it was not {change}"))
    return free, refused


def _changes(edit: Edit, span: Span) -> bool:
    """Whether the protected word would not stand there any more."""
    touches = edit.start < span.end and span.start < edit.end
    return touches and span.text not in WORD.findall(edit.after) and span.text not in edit.after


def _is_short(unit: Unit) -> bool:
    if unit.kind == "subject":
        return True
    words = WORD.findall(without_markup(unit.text))
    return len(words) < _SHORT and (not words or words[0].lower().replace("’", "'") not in _BEGINNINGS)
