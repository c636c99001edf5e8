"""The pipeline: draft -> parts -> scores -> prompt -> rewrite -> checks -> changes -> scores.

    for outcome in Proofreader(engine, tone, lexicon).run(draft): ...

Nothing here knows a screen; nothing the user wrote is logged.
"""

from __future__ import annotations

import re
import time
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from space.errors import UserError
from space.proofread.classifiers.tagger import Tagger
from space.proofread.classifiers.tags import Doubt, pieces
from space.proofread.classifiers.tone import Tone, ToneClassifier
from space.proofread.dialect import (
    in_dialect,
    is_held,
    merged,
    occurrences,
    respellings,
    spellings,
    with_respellings,
)
from space.proofread.edits import Edit, apply, diff
from space.proofread.email import EDITABLE, WRAP_WIDTH, Part, split
from space.proofread.guard import check, is_modest, names, people
from space.proofread.lexicon import WORD, Lexicon
from space.proofread.llm.engine import Engine, Sampling, open_engine
from space.proofread.polish import REGRETS, is_faithful, softened
from space.proofread.prompt import Evidence, Message, evidence, messages
from space.settings import Settings

MAX_WORDS = 2000  # of one email; what follows is returned as it is
STOPPED = "Stopped: what follows the last change was not looked at."  # the note of a run that was
_AT_A_TIME = 8  # units that are measured together: fast, and soon enough over to be stopped
_SHORT = 4  # words; fewer are rarely a sentence
# How far P(polite) - P(impolite) may fall, and how far free words must raise it: less is the classifier's own noise.
_POLITENESS_MARGIN = 0.25
# Logits that the model's own corrections must overcome, chosen on corrupted mail (training/LOG.md).
GAIN = 6.0
_ENDED = re.compile(r",$|[.!?]['\"”’)]+$")  # a sign-off ("Thanks for your help,"), or an end inside quotes
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")  # control characters, lone surrogates


@dataclass(frozen=True)
class Skipped:
    """Text that no edit may touch, and why: a quoted reply, code, a protected term."""

    text: str
    reason: str
    refused: bool = False


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units are finished, with these edits so far, all of them applied."""

    done: int
    total: int
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Proofread:
    """A proofread email. Offsets of `edits` are in characters of `draft`; those applied are disjoint. `timings` are seconds."""

    draft: str
    edits: tuple[Edit, ...]  # of every status, by where they begin
    before: Tone
    after: Tone
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    model: str
    timings: dict[str, float]
    prompts: tuple[str, ...]
    stopped: bool = False  # before the end, by the user

    @property
    def text(self) -> str:
        """The draft with the applied edits made."""
        return apply(self.draft, self.applied)

    @property
    def changed(self) -> bool:
        return bool(self.applied)

    @property
    def applied(self) -> tuple[Edit, ...]:
        return self._with_status("applied")

    @property
    def suggested(self) -> tuple[Edit, ...]:
        return self._with_status("suggested")

    @property
    def refused(self) -> tuple[Edit, ...]:
        return self._with_status("refused")

    def _with_status(self, status: str) -> tuple[Edit, ...]:
        return tuple(edit for edit in self.edits if edit.status == status)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `python -m space proofread --json`."""
        left = [(edit.before, edit.reason) for edit in self.refused] + [
            (each.text, each.reason) for each in self.skipped
        ]
        return {
            "text": self.text,
            "changed": self.changed,
            "changes": [edit.to_dict() for edit in self.applied],
            "suggestions": [edit.to_dict() for edit in self.suggested],
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "kept": [{"text": text, "reason": reason} for text, reason in left],
            "notes": list(self.notes),
            "model": self.model,
            "timings": self.timings,
        }


@dataclass
class _Work:
    """What a run has gathered so far."""

    changes: list[Edit] = field(default_factory=list)
    kept: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)  # of the draft, if it is English


@dataclass(frozen=True)
class _Wishes:
    """How one email is to be proofread."""

    mode: str
    dialect: str | None
    protected_terms: tuple[str, ...]  # of the caller
    names: tuple[str, ...]  # found in the draft
    people: frozenset[str]  # those among them that are no acronyms
    sampling: Sampling
    stop: Callable[[], bool]

    @property
    def terms(self) -> tuple[str, ...]:
        return (*self.protected_terms, *self.names)


class Proofreader:
    """Proofreads with one engine and one classifier; both are safe to share between threads."""

    def __init__(self, engine: Engine, tone: ToneClassifier, tagger: Tagger, lexicon: Lexicon) -> None:
        self.engine, self.tone, self.tagger, self.lexicon = engine, tone, tagger, lexicon

    def proofread(self, draft: str, mode: str = "proofread", **options: Any) -> Proofread:
        """`run` without the progress."""
        *_, last = self.run(draft, mode, **options)
        assert isinstance(last, Proofread)
        return last

    def run(
        self,
        draft: str,
        mode: str = "proofread",
        *,
        protected_terms: Iterable[str] = (),
        dialect: str | None = None,
        sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Progress | Proofread]:
        """Yields a Progress per unit and the Proofread last; after `stop` says True the rest stays as it was.

        `dialect`, american or british, puts words of the other spelling into that one; None leaves both as they are.
        UserError on another mode or dialect.
        """
        if mode not in self.engine.modes:
            raise UserError(
                f"mode {mode}: choose one of {', '.join(self.engine.modes)}, which {self.engine.name} knows."
            )
        if dialect is not None:
            spellings(dialect)
        began = time.perf_counter()
        wishes = _Wishes(
            mode,
            dialect,
            tuple(protected_terms),
            self._named(names(draft)),
            frozenset(self._named(people(draft))),
            sampling,
            stop,
        )
        work = _Work()
        units = self._units(draft, work)
        respellings_of = _respellings(draft, units, wishes, work)
        flats = [_Flat(unit.text, keep_breaks=self.engine.unit == "email") for unit in units]
        before = self.tone.score([spoken(draft)], wishes.people)[0]
        scores = time.perf_counter() - began
        measured: list[tuple[Tone, list[Doubt]]] = []
        for done, (unit, flat) in enumerate(zip(units, flats, strict=True)):
            if stop():
                work.notes.append(STOPPED)
                break
            yield Progress(done, len(units), tuple(work.changes))
            if done % _AT_A_TIME == 0:
                asked = time.perf_counter()
                if work.changes:
                    # Read bit by bit, the tone of the result is soon known when the run ends or is stopped.
                    self.tone.score([spoken(apply(draft, work.changes))], wishes.people)
                texts = [each.text for each in flats[done : done + _AT_A_TIME]]
                tones, tags = self.tone.score(texts, wishes.people), self.tagger.tag_run(texts, wishes.people)
                measured = list(zip(tones, tags, strict=True))
                scores += time.perf_counter() - asked
            tone, doubts = measured[done % _AT_A_TIME]
            wanted = [flat.find(change, unit.start) for change in respellings_of[done]]
            changes = self._proofread(unit, flat, tone, doubts, wanted, wishes, work)
            work.changes += flat.place(changes, unit.start)
        work.kept += _untouched(work.parts)
        rewritten = time.perf_counter()
        text = apply(draft, work.changes)
        after = before if text == draft else self.tone.score([spoken(text)], wishes.people)[0]
        timings = {
            "scores": scores,
            "rewrite": rewritten - began - scores,
            "rescore": time.perf_counter() - rewritten,
            "total": time.perf_counter() - began,
        }
        yield Proofread(
            draft, tuple(work.changes), before, after, tuple(dict.fromkeys(work.kept)), tuple(dict.fromkeys(work.notes)), self.engine.name,
            {name: round(seconds, 4) for name, seconds in timings.items()}, tuple(work.prompts), STOPPED in work.notes,
        )  # fmt: skip

    def _named(self, found: Iterable[str]) -> tuple[str, ...]:
        """The names, each without an s that lacks its apostrophe."""
        return tuple(dict.fromkeys(self.lexicon.owner(name) or name for name in found))

    def _units(self, draft: str, work: _Work) -> list[Part]:
        """The stretches of the draft that may be rewritten; notes what is left out and why."""
        parts = split(draft)
        if not self._is_english([part for part in parts if part.kind in EDITABLE]):
            work.notes.append("This does not look like English, so it was left as it is.")
            return []
        work.parts = parts
        units, words = [], 0
        for part in _by_lines(draft, parts) if self.engine.unit == "sentence" else _paragraphs(parts):
            if part.kind not in (*EDITABLE, "line"):
                continue
            words += len(part.text.split())
            if words > MAX_WORDS:
                work.notes.append(
                    f"Only the first {MAX_WORDS:,} words were proofread; the rest is as it was."
                )
                break
            if _NOT_TEXT.search(part.text):
                work.kept.append(Skipped(part.text, "it holds control characters"))
            elif WORD.search(part.text):
                units.append(part)
        return units

    def _is_english(self, parts: Sequence[Part]) -> bool:
        text = " ".join(part.text for part in parts)[:20_000]
        words = WORD.findall(text)
        letters = sum(map(str.isalpha, text))
        if letters > 2 * sum(map(len, words)):  # a script without spaces between words
            return False
        return self.lexicon.is_english(words)

    def _proofread(
        self, unit: Part, flat: _Flat, tone: Tone, tagged: Sequence[Doubt], wanted: Sequence[Edit], wishes: _Wishes,
        work: _Work,
    ) -> list[Edit]:  # fmt: skip
        """The changes of one unit, in its flat text; the `wanted` respellings are made whatever the model says."""
        told = evidence(flat.text, tone, tagged, self.lexicon)
        blunt = wishes.mode == "polish" and tone.politeness.label == "impolite"
        if not blunt and not self.engine.general:
            wishes = replace(wishes, mode="proofread")  # nothing to soften
        short = len(WORD.findall(unit.text)) < _SHORT
        if short:  # a name or a heading: only the word list knows enough to doubt it
            told = replace(
                told, doubts=tuple(doubt for doubt in told.doubts if not self.lexicon.knows(doubt.text))
            )
        work.kept += _spared([doubt for doubt in told.doubts if doubt.text in wishes.terms], wishes)
        told = replace(told, doubts=tuple(doubt for doubt in told.doubts if doubt.text not in wishes.terms))
        if wishes.dialect:
            told = replace(told, doubts=in_dialect(told.doubts, wanted, wishes.dialect))
        if not told.doubts and not blunt and not self.engine.general:
            return list(wanted)  # clean, and its tone needs nothing: the model never sees it
        kinder = None
        if blunt and not self.engine.general:
            said = " ".join(change.after for change in work.changes)
            regret = next((each for each in REGRETS if each not in said), None)
            kinder = softened(flat.text, told.doubts, regret)
        told = replace(told, doubts=kinder or told.doubts)
        told = replace(told, doubts=with_respellings(told.doubts, wanted))
        chat = messages(flat.text, told, wishes.mode, general=self.engine.general)
        work.prompts.append(_shown(chat))
        # Of a model not made here nothing is expected, nor of a blunt sentence that it must find kinder words for alone.
        free = blunt and not kinder and not self.engine.general
        expected = () if free or self.engine.general else _expected(flat.text, told)
        answer = self.engine.complete(chat, wishes.sampling, wishes.stop, expected)
        if answer is None:
            if wishes.stop():
                work.notes.append(STOPPED)
            else:
                work.kept.append(Skipped(unit.text, "the model found no end to its rewrite", refused=True))
            return list(wanted)
        before, rewrite = flat.text.strip(), answer.strip()
        if rewrite == before and not blunt:
            return list(wanted)
        changes = [change for change in diff(before, rewrite) if not _is_at_symbol(change, before)]
        if not kinder and (unit.kind != "sentence" or short or _ENDED.search(before)):
            changes = [change for change in changes if not _is_frame(change, before, unit.kind)]
        # What is wanted anyway needs no check, and must not fall with what does.
        agreed = {(change.start, change.end, change.after) for change in wanted}
        changes = [change for change in changes if (change.start, change.end, change.after) not in agreed]
        changes = self._checked(unit, before, changes, told, free, tone, wishes, work)
        if not changes and blunt:  # it cannot be made courteous; its mistakes can still be mended
            modestly = replace(wishes, mode="proofread")
            return self._proofread(unit, flat, tone, tagged, wanted, modestly, work)
        if wishes.dialect is None:
            return changes
        return merged(before, changes, wanted, wishes.dialect, wishes.protected_terms, wishes.names)

    def _checked(
        self, unit: Part, before: str, changes: list[Edit], told: Evidence, free: bool, tone: Tone, wishes: _Wishes,
        work: _Work,
    ) -> list[Edit]:  # fmt: skip
        """Those of the model's changes that may be made; `free` if nothing held it to the words of the text."""
        modest = wishes.mode == "proofread" and not self.engine.general
        expected_fixes = {(doubt.text, doubt.fix) for doubt in told.doubts} if modest else None
        if reason := _refusal(before, changes, wishes.terms, expected_fixes):
            work.kept.append(Skipped(unit.text, reason, refused=True))
            # One bad change does not condemn the rest: those that pass on their own and together stay.
            changes = [
                change for change in changes if not _refusal(before, [change], wishes.terms, expected_fixes)
            ]
            if _refusal(before, changes, wishes.terms, expected_fixes):
                changes = []
        made = apply(before, changes)
        if free and not is_faithful(before, made):
            work.kept.append(Skipped(unit.text, "the kinder wording would say something else", refused=True))
            changes = []
        elif free and self._gain(made, tone, wishes) < _POLITENESS_MARGIN:
            changes = []  # other words for nothing
        # A word put right says nothing of tone, whatever the classifier makes of its misspelling; a word lost may.
        elif not modest or any(map(_loses_words, changes)):
            if self._gain(made, tone, wishes) < -_POLITENESS_MARGIN:
                work.kept.append(Skipped(unit.text, "the rewrite would be less polite", refused=True))
                changes = []
        return changes

    def _gain(self, rewrite: str, tone: Tone, wishes: _Wishes) -> float:
        """What the rewrite gains in politeness over a text of that tone."""
        return _courtesy(self.tone.score([rewrite], wishes.people)[0]) - _courtesy(tone)


# --- the spelling that was asked for ----------------------------------------------------------------


def _respellings(draft: str, units: Sequence[Part], wishes: _Wishes, work: _Work) -> list[list[Edit]]:
    """For each unit its words that the dialect spells otherwise; a protected one stays, and is told."""
    found: list[list[Edit]] = [[] for _ in units]
    if wishes.dialect is None or not units:
        return found
    end = units[-1].start + len(units[-1].text)
    parts = [part for part in work.parts if part.start < end]
    spans = occurrences(draft[:end], wishes.protected_terms)
    starts = [unit.start for unit in units]
    for change in respellings(draft[:end], parts, wishes.dialect):
        index = bisect_right(starts, change.start) - 1
        if index < 0 or change.end > units[index].start + len(units[index].text):
            continue
        if is_held(change, spans, wishes.names):
            held = Doubt(change.start, change.end, change.before, fix=change.after)
            work.kept += _spared([held], wishes)
        else:
            found[index].append(change)
    return found


# --- what was left alone ----------------------------------------------------------------------------


def _spared(doubts: Iterable[Doubt], wishes: _Wishes) -> list[Skipped]:
    """Protected words that would have been changed."""
    kept = []
    for doubt in doubts:
        if doubt.fix is None or doubt.text in (doubt.fix, *WORD.findall(doubt.fix)):
            continue  # the word itself would have stayed
        what = "a name" if doubt.text in wishes.names else "a protected term"
        kept.append(
            Skipped(
                doubt.text, f"{what}, so it was not {f'changed to {doubt.fix}' if doubt.fix else 'removed'}"
            )
        )
    return list(dict.fromkeys(kept))


_NEVER_READ = {
    "quote": ("a quoted reply", "quoted replies"),
    "code": ("code or a table", "pieces of code or tables"),
}


def _untouched(parts: Sequence[Part]) -> Iterator[Skipped]:
    """The parts that are nobody's to correct, one entry for each kind."""
    for kind, (one, many) in _NEVER_READ.items():
        found = [part.text for part in parts if part.kind == kind]
        lines = sum(bool(line.strip()) for text in found for line in text.splitlines())
        if found:
            what = one if len(found) == 1 else f"{len(found)} {many}"
            yield Skipped("\n".join(found), f"{what}: {lines} {'line' if lines == 1 else 'lines'}")


# --- checks and expectations ------------------------------------------------------------------------


def _refusal(
    before: str,
    changes: Sequence[Edit],
    terms: tuple[str, ...],
    fixes: Collection[tuple[str, str | None]] | None,
) -> str | None:
    """Why these changes may not be made, if they may not.

    With `fixes` each must be one of them, (before, after), or be of a correction's size.
    """
    if fixes is not None and not all(
        (change.before, change.after) in fixes or is_modest(change.before, change.after) for change in changes
    ):
        return "a change would go beyond a correction"
    return check(before, apply(before, changes), terms)


def _loses_words(change: Edit) -> bool:
    return len(WORD.findall(change.after)) < len(WORD.findall(change.before))


def _expected(text: str, told: Evidence) -> list[tuple[str, float]]:
    """The text with the fixes in place, in pieces with their gains."""
    *made, (tail, _) = pieces(text, told.doubts)
    gained = [(piece, GAIN * (doubt.confidence if doubt else 1.0)) for piece, doubt in made if piece]
    return [*gained, (tail or " ", GAIN)]


def _is_frame(change: Edit, text: str, kind: str) -> bool:
    """Whether a change does no more than put a mark at the end, or capitalise the first word of a list item.

    Greetings, list items, lines and names end as the writer likes.
    """
    marks = {"", ".", "!", "?", ",", ":", ";"}
    ends = change.end == len(text) and change.before in marks and change.after in marks
    return ends or (kind == "item" and change.start == 0 and change.before.lower() == change.after.lower())


def _is_at_symbol(change: Edit, text: str) -> bool:
    """Whether a change touches an emoji or the like: those stand, and end a sentence, as the writer likes."""
    around = text[max(0, change.start - 1) : change.end + 1] + change.after
    return any(unicodedata.category(c) == "So" for c in around)


class _Flat:
    """A text with the line breaks inside it turned into spaces, as a sentence model knows text, and the way back."""

    def __init__(self, text: str, keep_breaks: bool) -> None:
        self._text = text
        pieces = list(re.finditer(r"." if keep_breaks else r"[ \t]*\r?\n[ \t]*|.", text, re.DOTALL))
        self._at = [*(piece.start() for piece in pieces), len(text)]
        self.text = "".join(
            piece.group() if keep_breaks or "\n" not in piece.group() else " " for piece in pieces
        )

    def find(self, change: Edit, offset: int) -> Edit:
        """A change of a word of the draft, in the flat text; `offset` is where the text begins in the draft."""
        start = bisect_left(self._at, change.start - offset)
        return replace(change, start=start, end=start + len(change.before))

    def place(self, changes: Iterable[Edit], offset: int) -> Iterator[Edit]:
        """The changes of the stripped flat text, put back into the text; one that would lose a line break keeps it."""
        head = len(self.text) - len(self.text.lstrip())
        for change in changes:
            start, end = self._at[head + change.start], self._at[head + change.end]
            before, after = self._text[start:end], change.after
            breaks = re.findall(r"[ \t]*\r?\n[ \t]*", before)
            if breaks and "\n" not in after:
                if after.count(" ") < len(breaks):
                    continue
                after = after.replace(" ", "\0", len(breaks))
                for line_break in breaks:
                    after = after.replace("\0", line_break, 1)
            yield Edit(offset + start, offset + end, before, after, change.kind)


def _by_lines(draft: str, parts: Sequence[Part]) -> Iterator[Part]:
    """The parts; a sentence that ends where a short line does, in the middle of a paragraph, as a "line": it may go on."""
    following = [*parts[1:], None, None]
    for part, gap, more in zip(parts, following, following[1:], strict=False):
        breaks = len(re.findall(r"\r\n|\r|\n", gap.text)) if gap and gap.kind == "gap" else 0
        within = part.kind == "sentence" and breaks == 1 and more is not None and more.kind == "sentence"
        end = part.start + len(part.text)
        short = end - max(draft.rfind("\n", 0, end), draft.rfind("\r", 0, end)) <= WRAP_WIDTH
        yield replace(part, kind="line") if within and short else part


def _paragraphs(parts: Sequence[Part]) -> list[Part]:
    """Runs of editable parts with the gaps between them, for models that are given whole emails."""
    runs: list[list[Part]] = [[]]
    for part in parts:
        if part.kind in EDITABLE or (part.kind == "gap" and runs[-1]):
            runs[-1].append(part)
        elif runs[-1]:
            runs.append([])
    merged = []
    for run in runs:
        while run and run[-1].kind == "gap":
            run.pop()
        if run:
            merged.append(Part("sentence", "".join(part.text for part in run), run[0].start))
    return merged


def spoken(draft: str) -> str:
    """What the writer says in the draft, without quotes, code and headers: that is what has a tone."""
    said = " ".join(part.text for part in split(draft) if part.kind in EDITABLE)
    return " ".join(said.split()[:MAX_WORDS])


def _courtesy(tone: Tone) -> float:
    return tone.politeness.scores["polite"] - tone.politeness.scores["impolite"]


def _shown(chat: Sequence[Message]) -> str:
    return "\n".join(f"{message['role']}: {message['content']}" for message in chat)


def load_proofreader(settings: Settings, model: str | None = None) -> Proofreader:
    """The proofreader that the settings describe. Raises UserError with what to do."""
    lexicon = settings.models_dir / "lexicon.txt"
    if not lexicon.is_file():
        raise UserError(
            f"{lexicon}: the word list is missing; restore it with git checkout, or run python -m training corpus."
        )
    return Proofreader(
        open_engine(
            model or settings.model, settings.models_dir, settings.n_ctx, settings.n_threads, settings.server
        ),
        ToneClassifier.load(settings.models_dir / "tone", settings.n_threads),
        Tagger.load(settings.models_dir / "tagger", settings.n_threads),
        Lexicon.load(lexicon),
    )
