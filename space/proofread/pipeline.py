"""The pipeline: draft -> email -> evidence -> prompt -> rewrite -> edits -> protect -> policy -> tone again.

    for outcome in Proofreader(engine, classifiers).run(draft): ...

Nothing here knows a screen; nothing the user wrote is logged.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread import voice
from space.proofread.causes import Cause, causes
from space.proofread.checks import Check, check
from space.proofread.classifiers.tagger import Tagger
from space.proofread.classifiers.tone import MODELS, Tone, ToneClassifier
from space.proofread.code import MARKUP
from space.proofread.dialect import Dialect, is_respelling, merged
from space.proofread.edits import Edit, among, apply, canonical, diff
from space.proofread.evidence import KINDER, Classifiers, Measured, Options, measure, rewords
from space.proofread.headers import Headers
from space.proofread.judge import Judge, Odds, contested
from space.proofread.kinds import SOFTENERS, shown_kind
from space.proofread.lexicon import Lexicon
from space.proofread.llm.engine import Answer, Engine, Expected, Sampling
from space.proofread.llm.models import open_engine
from space.proofread.paraphrase import denies_other_things, rephrased
from space.proofread.passages import Passages, Read, Reading, key_of
from space.proofread.policy import BEYOND, UNLIKELY, Thresholds, says_something_else
from space.proofread.polish import NOT_FOUND, Wording, contempt, wordings
from space.proofread.prompt import GOALS, Message, messages
from space.proofread.propose import chosen, prior_of
from space.proofread.protect import TURNS, UNKNOWN, refusal
from space.proofread.reasons import reason
from space.proofread.rewording import as_one, best, by_sentence, opening
from space.proofread.style import restyled
from space.proofread.units import AT_A_TIME, EDITABLE, Email, Skipped, Unit
from space.proofread.units import MAX_WORDS as MAX_WORDS
from space.proofread.units import spoken as spoken
from space.proofread.words import WORD
from space.settings import Settings, require_models

CUT_OFF = "the rewrite was cut off, so we kept your sentence"
# Reasons of refusals that say nothing of the email: the model wrote what is no rewrite of it.
ACCIDENTS = voice.ACCIDENTS | {CUT_OFF, BEYOND, UNKNOWN}
STOPPED = "Stopped: the rest of the email was not checked."  # the note of a run that was
# A sign-off ("Thanks for your help,"), an end inside quotes, markup ("&amp;", "{% endif %}") that a mark might become part of.
_ENDED = re.compile(r",$|[.!?]['\"”’)]+$|[}>]$|&#?\w+;$")
# What the embedded model cannot spell, having seen next to none of it: it writes "0000" in its place. Of 55 sentences with
# markup it tried to change some in 14, and 3 of them came back with no mistake mended; copied, in none.
_COPIED = MARKUP | {"a link", "an email address"}
_SENTENCES = ("sentence", "line")  # what is put more kindly: an item of a list is as short as it likes
_LIKELY = 0.5  # a prior from which an edit is expected in an answer
_REPHRASED = 4  # wordings that the language model writes of a blunt sentence
_WANTED = 0.05  # the probability of an edit that may be wanted beside others
_DOUBTED = 0.85  # a prior from which a word is underlined while it is typed; of 40 good emails 1 word is
_BRACKETS = re.compile(r"[][<>{}|\\]+")
_MARKS = frozenset(("", ".", "!", "?", ",", ":", ";"))


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units are finished, with these edits so far, all of them applied."""

    done: int
    total: int
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Proofread:
    """A proofread email. Offsets of `edits` are in characters of `draft`; those applied are disjoint. `timings` are seconds.

    `causes` are the sentences of `draft` that make it blunt or negative, `causes_after` those of `text`; none of a stopped run.
    """

    draft: str
    edits: tuple[Edit, ...]  # of every status, by where they begin
    before: Tone
    after: Tone
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    model: str
    timings: dict[str, float]
    prompts: tuple[str, ...]
    stopped: bool = False
    causes: tuple[Cause, ...] = ()
    causes_after: tuple[Cause, ...] = ()
    checks: tuple[Check, ...] = ()

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

    @property
    def left_alone(self) -> tuple[Edit, ...]:
        """The refused edits that tell the user something: what was protected, not what the model got wrong."""
        return tuple(edit for edit in self.refused if edit.reason not in ACCIDENTS)

    def _with_status(self, status: str) -> tuple[Edit, ...]:
        return tuple(edit for edit in self.edits if edit.status == status)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `python -m space proofread --json`."""
        left = [(edit.before, edit.reason) for edit in self.refused]
        left += [(each.text, each.reason) for each in self.skipped]
        return {
            "text": self.text,
            "changed": self.changed,
            "changes": [edit.to_dict() for edit in self.applied],
            "suggestions": [edit.to_dict() for edit in self.suggested],
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "causes": {
                "before": [cause.to_dict() for cause in self.causes],
                "after": [cause.to_dict() for cause in self.causes_after],
            },
            "kept": [{"text": text, "reason": why} for text, why in dict.fromkeys(left)],
            "notes": list(self.notes),
            "checks": [asdict(each) for each in self.checks],
            "model": self.model,
            "timings": self.timings,
        }


@dataclass(frozen=True)
class _Run:
    """One email on its way: what was asked for, and the kinder words that it has so far."""

    email: Email
    options: Options
    sampling: Sampling
    stop: Callable[[], bool]
    prompts: list[str] = field(default_factory=list)  # of one unit
    openings: list[str] = field(default_factory=list)  # of sentences that were put more kindly

    @property
    def is_repeatable(self) -> bool:
        """Whether the same passage is answered the same again."""
        return self.sampling.temperature == 0


@dataclass(frozen=True)
class _Found:
    """What came of some units; not `whole` if they may not have been read to their end, as the run was to stop."""

    units: Sequence[Unit]
    read: Read
    whole: bool = True
    is_done = True


@dataclass(frozen=True)
class _Begun:
    """A unit on its way through the model, with what came of those before it in its passage, as far as they were read to their end."""

    passage: Email
    key: bytes  # of the passage
    reads: list[Read]
    measured: Measured
    run: _Run
    corrected: Future[tuple[list[Edit], bool]]

    @property
    def is_done(self) -> bool:
        return self.corrected.done()


class Proofreader:
    """Proofreads with one engine and one set of classifiers; both are safe to share between threads."""

    def __init__(self, engine: Engine, classifiers: Classifiers, dialects: Path | None = None) -> None:
        self.engine, self.classifiers, self._dialects = engine, classifiers, dialects
        self._passages = Passages()

    def with_engine(self, engine: Engine) -> Proofreader:
        """The same with another engine, and nothing remembered."""
        return Proofreader(engine, self.classifiers, self._dialects)

    @property
    def tone(self) -> ToneClassifier:
        return self.classifiers.tone

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
        headers: Headers | None = None,
    ) -> Iterator[Progress | Proofread]:
        """Yields a Progress per unit and the Proofread last; after `stop` says True the rest stays as it was.

        `dialect`, american or british, puts words of the other spelling into that one; None leaves both as they are. `headers` are
        what an .eml knows beside its text.
        UserError on another mode or dialect.
        """
        if mode not in self.engine.modes:
            raise UserError(
                f"mode {mode}: choose one of {', '.join(self.engine.modes)}, which {self.engine.name} knows."
            )
        clock = _Clock()
        options = Options(mode, self._dialect(dialect), self.engine.general)
        email = Email.read(draft, self.classifiers.lexicon, unit=self.engine.unit, terms=protected_terms)
        run = _Run(email, options, sampling, stop)
        before = self._tone(email, ())
        edits: list[Edit] = []
        prompts: list[str] = []
        applied: tuple[Edit, ...] = ()
        done = toned = 0
        if email.units:
            yield Progress(0, len(email.units), ())
        for found in self._found(run, clock):
            edits += found.read.edits
            prompts += found.read.prompts
            if stop():  # then this unit may not have been read to its end
                break
            done += len(found.units)
            applied = tuple(edit for edit in edits if edit.status == "applied")
            if done < len(email.units):
                yield Progress(done, len(email.units), applied)
            if applied and done - toned >= AT_A_TIME:
                # Read bit by bit, the tone of the result is soon known when the run ends or is stopped.
                clock.call("scores", partial(self._tone, email, applied))
                toned = done
        stopped = done < len(email.units)
        applied = tuple(edit for edit in edits if edit.status == "applied")
        after = clock.call("rescore", partial(self._tone, email, applied)) if applied else before
        first, last = clock.call(
            "rescore", partial(self._causes, draft, before, applied, after, email, stopped)
        )
        yield Proofread(
            draft, tuple(sorted(edits, key=_place)), before, after, email.skipped,
            (*email.notes, *([STOPPED] if stopped else [])), self.engine.name, clock.seconds(), tuple(prompts), stopped, first, last,
            check(email, self.classifiers.lexicon, headers),
        )  # fmt: skip

    def edits(
        self, draft: str, *, dialect: str | None = None, stop: Callable[[], bool] = lambda: False
    ) -> Reading:
        """The corrections of a draft, without its tone. Once `stop` says True only what is remembered is given, and no model asked."""
        options = Options("proofread", self._dialect(dialect), self.engine.general)
        email = Email.read(draft, self.classifiers.lexicon, unit=self.engine.unit)
        run, clock = _Run(email, options, Sampling(), stop), _Clock()
        edits: list[Edit] = []
        unread = sum(len(unit.text.split()) for unit in email.units)
        for found in self._found(run, clock):
            if found.whole:
                edits += found.read.edits
                unread -= sum(len(unit.text.split()) for unit in found.units)
        sentences = [
            (each.start, each.start + len(each.text)) for each in email.parts if each.kind in EDITABLE
        ]
        notes = (*email.notes, *([STOPPED] if unread else []))
        return Reading(tuple(sorted(edits, key=_place)), tuple(sentences), notes, unread)

    def doubts(
        self, draft: str, *, protected_terms: Iterable[str] = (), dialect: str | None = None
    ) -> tuple[Edit, ...]:
        """What the classifiers alone would correct, without the language model: soon enough for a draft that is being typed.

        `score` is what they make of it, calibrated like any other.
        """
        options = Options(dialect=self._dialect(dialect))
        email = Email.read(draft, self.classifiers.lexicon, unit=self.engine.unit, terms=protected_terms)
        run = _Run(email, options, Sampling(), lambda: False)
        found: list[Edit] = []
        for passage in email.passages():
            key, start = key_of(passage, "doubts", dialect), passage.units[0].start
            known = self._passages.get(key)
            if known is None:
                known = Read(tuple(self._doubted(passage, run))).moved(-start)
                self._passages.put(key, known)
            found += known.moved(start).edits
        return tuple(found)

    def _doubted(self, passage: Email, run: _Run) -> Iterator[Edit]:
        for measured in measure(passage, self.classifiers, run.options):
            likely = [edit for edit in measured.candidates if edit.score >= _DOUBTED]
            possible, _ = self._possible(replace(measured, candidates=tuple(likely)), run)
            judged = [self.classifiers.thresholds.decide(edit, proposed=True) for edit in possible]
            applied = chosen([edit for edit in judged if edit.status == "applied"], _DOUBTED)
            yield from self._for_the_user(list(measured.unit.place(applied)), run.email.draft)

    def _dialect(self, name: str | None) -> Dialect | None:
        if name is None:
            return None
        return Dialect.load(name, self._dialects) if self._dialects else Dialect.load(name)

    def _tone(self, email: Email, edits: Sequence[Edit]) -> Tone:
        return self.tone.score([email.spoken(edits)], email.people)[0]

    def _causes(
        self, draft: str, before: Tone, applied: Sequence[Edit], after: Tone, email: Email, stopped: bool
    ) -> tuple[tuple[Cause, ...], tuple[Cause, ...]]:
        if stopped:  # the rest was not measured, and measuring it now would take its time
            return (), ()
        first = causes(draft, self.tone, before, email.people)
        return first, causes(apply(draft, applied), self.tone, after, email.people) if applied else first

    def _for_the_user(self, edits: Sequence[Edit], draft: str) -> Iterator[Edit]:
        """The edits of a unit, decided, each with its reason and the kind that the user reads."""
        applied = [edit for edit in edits if edit.status == "applied"]
        for edit in edits:
            why = edit.reason or reason(edit, self.classifiers.lexicon, draft, applied)
            yield replace(edit, kind=shown_kind(edit.kind, edit.before, edit.after), reason=why)

    # ---- one passage ----

    def _found(self, run: _Run, clock: _Clock) -> Iterator[_Found]:
        """What comes of the units, in their order; what is next is measured, and answered in other lanes, meanwhile."""
        begun: deque[_Begun | _Found] = deque()
        kinder = run.options.mode in KINDER  # words for which this thread asks, in a lane of its own
        pool = ThreadPoolExecutor(max(1, self.engine.lanes - kinder))
        try:
            for passage in run.email.passages():
                for each in self._begun(passage, run, clock, pool):
                    begun.append(each)
                    while begun and (begun[0].is_done or self._are_busy(begun)):
                        yield self._finished(begun.popleft(), run, clock)
                while begun and kinder:  # what is known of a passage hangs on the kinder words before it
                    yield self._finished(begun.popleft(), run, clock)
            while begun:
                yield self._finished(begun.popleft(), run, clock)
        finally:
            pool.shutdown(cancel_futures=True)

    def _begun(self, passage: Email, run: _Run, clock: _Clock, pool: Executor) -> Iterator[_Begun | _Found]:
        """The units of a passage on their way, none once the run is to stop; or the whole as it was read before."""
        key = _key(passage, run)
        if run.is_repeatable and (known := self._passages.get(key)):
            run.openings.extend(known.openings)
            yield _Found(passage.units, known.moved(passage.units[0].start))
            return
        if run.stop():
            return
        reads: list[Read] = []
        for measured in clock.timed("scores", measure(passage, self.classifiers, run.options)):
            if run.stop():
                return
            own = replace(run, prompts=[])
            yield _Begun(passage, key, reads, measured, own, pool.submit(self._corrected, measured, own))

    def _are_busy(self, begun: Iterable[_Begun | _Found]) -> bool:
        """Whether each lane has something to write, and one more waits: then measuring would but take their time."""
        return sum(not each.is_done for each in begun) > self.engine.lanes

    def _finished(self, begun: _Begun | _Found, run: _Run, clock: _Clock) -> _Found:
        """Waits for a unit; the last one of a passage has it remembered, if all of it was read."""
        if isinstance(begun, _Found):
            return begun
        measured, opened = begun.measured, len(run.openings)
        edits, whole = clock.call("rewrite", begun.corrected.result)
        edits = clock.call("rewrite", partial(self._in_mode, measured, edits, begun.run))
        whole = whole and not (self._wants_kinder(measured) and run.stop())
        found = self._for_the_user([*measured.refused, *edits], run.email.draft)
        read = Read(tuple(found), tuple(begun.run.prompts), tuple(run.openings[opened:]))
        if whole:
            begun.reads.append(read)
        units = begun.passage.units
        if run.is_repeatable and len(begun.reads) == len(units):
            self._passages.put(begun.key, Read.joined(begun.reads).moved(-units[0].start))
        return _Found((measured.unit,), read, whole)

    # ---- one unit ----

    def _corrected(self, measured: Measured, run: _Run) -> tuple[list[Edit], bool]:
        """The corrections of a unit, in its text, and whether they are all: the run may have been told to stop."""
        plain = measured.corrections() if self._wants_kinder(measured) else measured
        # What is clean the model never sees.
        if plain.is_clean and not self.engine.general:
            return list(plain.respellings), True
        return self._rewritten(plain, run), not run.stop()

    def _in_mode(self, measured: Measured, edits: Sequence[Edit], run: _Run) -> list[Edit]:
        """The edits of a unit, in the draft, with those that its mode asks for beside corrections."""
        unit = measured.unit
        if self.engine.general:
            return list(unit.place(edits if measured.mode == "proofread" else by_sentence(unit.text, edits)))
        if self._wants_kinder(measured) and unit.kind in _SENTENCES and not run.stop():
            return self._kinder(measured, edits, run)
        return self._restyled(measured, edits, run) if run.options.mode in GOALS else list(unit.place(edits))

    def _wants_kinder(self, measured: Measured) -> bool:
        return measured.is_blunt and not self.engine.general

    def _kinder(self, measured: Measured, edits: Sequence[Edit], run: _Run) -> list[Edit]:
        """The edits of a blunt unit, with one that puts it more kindly; or a refused one that says why nothing does."""
        unit = measured.unit
        applied = sorted((edit for edit in edits if edit.status == "applied"), key=lambda edit: edit.start)
        corrected = apply(unit.text, applied)
        found, why = wordings(corrected, bad_news=measured.tone.sentiment.is_low), contempt(corrected)
        chosen = self._best(corrected, found, measured, run)
        if not (chosen and chosen[0].safe) and not run.stop():
            found = [*found, *self._rephrased(corrected, measured, run)]
            chosen = self._best(corrected, found, measured, run)
        made = as_one(unit, applied, [each.text for each in chosen]) if chosen else None
        safe = not chosen or chosen[0].safe
        if made is None or not safe and made[1] != applied:  # a suggestion takes no correction with it
            why = why or (NOT_FOUND if found else None)
            left = [replace(_whole(unit, why), kind="tone", source="polish")] if why else []
            return list(unit.place([*edits, *left]))
        edit, apart = made
        run.openings.append(opening(chosen[0].text))
        text = " ".join(filter(None, (chosen[0].reason, edit.reason)))
        edit = replace(edit, status="applied" if safe else "suggested", reason=text, source=chosen[0].source)
        others = unit.place([*apart, *(each for each in edits if each.status != "applied")])
        return [edit, *(each for each in others if each.status == "refused" or not each.overlaps(edit))]

    def _restyled(self, measured: Measured, edits: Sequence[Edit], run: _Run) -> list[Edit]:
        """The edits of a unit, with those that bring it nearer to the goal, if it stays as polite as it is."""
        unit = measured.unit
        applied = sorted((edit for edit in edits if edit.status == "applied"), key=lambda edit: edit.start)
        corrected, left = apply(unit.text, applied), list(applied)
        made: list[Edit] = []
        proposed = restyled(corrected, run.options.mode)
        margin = self.classifiers.thresholds.politeness_margin
        if proposed and self._gain(apply(corrected, proposed), measured, run) < -margin:
            proposed = []
        for proposal in proposed:
            found = as_one(unit, applied, [apply(corrected, [proposal])])
            if found is None or any(found[0].overlaps(other) for other in made):
                continue
            if self._refusal_of(found[0], unit, run) is None:
                why = " ".join(filter(None, (proposal.reason, found[0].reason)))
                made.append(replace(found[0], reason=why))
                left = [edit for edit in left if edit in found[1]]
        others = unit.place([*left, *(each for each in edits if each.status != "applied")])
        free = [e for e in others if e.status == "refused" or not any(e.overlaps(each) for each in made)]
        return [*made, *free]

    def _rephrased(self, text: str, measured: Measured, run: _Run) -> list[Wording]:
        """What the language model says in place of a sentence, told its tone; nothing if it was not trained to."""
        chat = messages(text, measured.evidence, measured.mode)
        run.prompts.append(_shown(chat))
        written = self.engine.rephrased(chat, _REPHRASED, run.stop)
        # How many words are others is for `rephrased` to judge, which knows what courtesy is.
        new = [each for each in written if voice.objection(text, each.text) in (None, voice.UNLIKE)]
        found = (rephrased(text, each.text, each.likely) for each in new)
        return [each for each in found if each]

    def _best(self, text: str, found: Sequence[Wording], measured: Measured, run: _Run) -> list[Wording]:
        """The wordings that lose no fact, are politer and read as English, the best first."""
        unit, length = measured.unit, len(measured.unit.text)
        found = [
            each
            for each in found
            if (why := self._refusal(Edit(0, length, unit.text, each.text), unit, run)) is None
            or (why.startswith(TURNS) and not each.safe and denies_other_things(text, each.text))
        ]
        tones = self.tone.score([each.text for each in found], run.email.people)
        # "Please get off your high horse" is an order made kinder, and still no kind sentence.
        listed = [
            tone.politeness.is_low for each, tone in zip(found, tones, strict=True) if each.source == "polish"
        ]
        if listed and all(listed):
            found = [replace(each, safe=each.safe and each.source != "polish") for each in found]
        least = measured.tone.politeness.value + self.classifiers.thresholds.politeness_margin

        def gains(texts: list[str]) -> list[float] | None:
            return self.engine.gains(text, [Edit(0, len(text), text, other) for other in texts])

        return best(found, [tone.politeness.value for tone in tones], gains, least, run.openings)

    def _rewritten(self, measured: Measured, run: _Run) -> list[Edit]:
        """The edits that the model's answer is made of, in the unit's text."""
        unit, text = measured.unit, measured.unit.text
        candidates, refused = self._possible(measured, run)
        answer = self._answer(candidates, measured, run)
        if answer is None and run.stop():
            return list(measured.respellings)
        rewrite = answer.text.strip() if answer else ""
        thrown_away = voice.objection(text, rewrite) if answer else CUT_OFF
        wanted = answer if answer and not thrown_away else None
        if self.engine.general:
            made = self._written(rewrite, candidates, measured, run) if wanted else []
        else:
            judged = list(answer.judged) if answer else []
            judged += self._unasked(candidates, judged, text)
            made = self._decided(text, [*judged, *(self._own(wanted, measured, run) if wanted else ())])
        made += refused
        if why := self._spoils_tone(text, made, measured, run):
            return [*measured.respellings, _whole(unit, why)]
        if thrown_away:
            made.append(_whole(unit, thrown_away))
        applied = [edit for edit in made if edit.status == "applied"]
        others = [edit for edit in made if edit.status != "applied"]
        if run.options.dialect:
            spans = run.email.within(unit)
            protected = {span.text for span in spans if span.what in ("a name", "a protected word")}
            applied = merged(text, applied, measured.respellings, run.options.dialect, protected.__contains__)
        return [*applied, *others]

    def _answer(self, candidates: Sequence[Edit], measured: Measured, run: _Run) -> Answer | None:
        """What the model makes of a unit, asked about these edits if it was made here."""
        unit, general = measured.unit, self.engine.general
        chat = messages(unit.text, measured.evidence, measured.mode, general=general)
        run.prompts.append(_shown(chat))
        if general:  # a model that was not made here is not held to anything
            likely = chosen(candidates, _LIKELY)
            return self.engine.complete(chat, run.sampling, run.stop, apply(unit.text, likely))
        copied = [unit.stretch(span) for span in run.email.within(unit) if span.what in _COPIED]
        copied += [match.span() for match in _BRACKETS.finditer(unit.text)]
        gain = self.classifiers.thresholds.guide_gain
        expected = Expected(unit.text, candidates, self._choose, gain, copied)
        return self.engine.complete(chat, run.sampling, run.stop, expected)

    def _choose(self, edit: Edit, odds: Odds) -> Edit:
        """A candidate as the language model's odds let it be judged."""
        judged = replace(edit, score=self.classifiers.judge.posterior(edit, odds))
        return self.classifiers.thresholds.decide(judged, proposed=True)

    def _possible(self, measured: Measured, run: _Run) -> tuple[list[Edit], list[Edit]]:
        """The candidates that touch nothing protected, and of the others, refused, those that were likely."""
        possible, refused = [], []
        for edit in measured.candidates:
            if not _may_change(edit, measured):
                continue
            why = self._refusal(edit, measured.unit, run)
            if why is None:
                possible.append(edit)
            elif why and edit.score >= self.classifiers.thresholds.least(edit.kind):
                refused.append(replace(edit, status="refused", reason=why))
        return possible, chosen(refused, 0.0)

    def _refusal(self, edit: Edit, unit: Unit, run: _Run) -> str | None:
        """Why an edit of the unit's text must not be made; None if it may, "" if it would lose a line break."""
        placed = next(unit.place([edit]), None)
        return "" if placed is None else self._refusal_of(placed, unit, run)

    def _refusal_of(self, placed: Edit, unit: Unit, run: _Run) -> str | None:
        """The same of an edit of the draft."""
        text = run.email.draft[unit.start : unit.end]
        spans = [
            replace(span, start=span.start - unit.start, end=span.end - unit.start)
            for span in run.email.within(unit)
        ]
        inside = replace(placed, start=placed.start - unit.start, end=placed.end - unit.start)
        return refusal(inside, text, spans, self.classifiers.lexicon)

    def _written(self, rewrite: str, candidates: Sequence[Edit], measured: Measured, run: _Run) -> list[Edit]:
        """The edits that the rewrite of a general model is made of: it was asked to write, not to judge."""
        text = measured.unit.text
        # It agrees by making an edit; that lists of grammar have one too says nothing.
        agreed = {canonical(edit, text): edit for edit in candidates if edit.source != "grammar"}
        made = []
        for edit in diff(text, rewrite):
            if known := agreed.get(canonical(edit, text)):
                made.append(replace(known, status="applied"))
            elif self._may_make(edit, measured):
                why = self._refusal(edit, measured.unit, run)
                other = says_something_else(edit.before, edit.after)
                status = "refused" if why else "suggested" if other else "applied"
                prior = prior_of(edit, measured.words, self.classifiers.judge)
                made.append(replace(edit, source="llm", score=prior, status=status, reason=why or ""))
        return made

    def _own(self, answer: Answer, measured: Measured, run: _Run) -> list[Edit]:
        """The edits of an answer that nobody proposed, judged by the odds that the model gave them."""
        text, rewrite, judge = measured.unit.text, answer.text.strip(), self.classifiers.judge
        known = {canonical(edit, text) for edit in answer.judged}
        written = [edit for edit in answer.judged if edit.status == "applied"]
        found = []
        for edit in () if apply(text, written) == rewrite else diff(text, rewrite):
            parts = [each for each in written if edit.start <= each.start and each.end <= edit.end]
            made_of_parts = parts and diff(text, apply(text, parts)) == [
                edit
            ]  # words that follow one another
            if canonical(edit, text) in known or made_of_parts or not self._may_make(edit, measured):
                continue
            edit = replace(edit, source="llm", score=prior_of(edit, measured.words, judge))
            if why := self._refusal(edit, measured.unit, run):
                found.append(replace(edit, status="refused", reason=why))
                continue
            odds = answer.odds_of(edit) or Odds(0.0, 0.0)
            edit = replace(edit, score=judge.posterior(edit, odds))
            found.append(self.classifiers.thresholds.decide(edit, proposed=False))
        return found

    def _unasked(self, candidates: Sequence[Edit], judged: Sequence[Edit], text: str) -> list[Edit]:
        """The likely candidates whose place the answer never came to; of those the prior alone is known."""
        known = {canonical(edit, text) for edit in judged}
        left = (edit for edit in candidates if edit.score >= _LIKELY and canonical(edit, text) not in known)
        return [self.classifiers.thresholds.decide(edit, proposed=True) for edit in left]

    def _may_make(self, edit: Edit, measured: Measured) -> bool:
        """Whether an edit that nobody proposed may be made; a respelling is made anyway, whatever becomes of others."""
        respelt = {(each.start, each.end, each.after) for each in measured.respellings}
        return _may_change(edit, measured) and (edit.start, edit.end, edit.after) not in respelt

    def _decided(self, text: str, edits: Sequence[Edit]) -> list[Edit]:
        """The edits that are made, of those of one place the likeliest, the suggestions beside them, and what must not be made."""
        read = contested([edit for edit in edits if edit.status != "refused" or edit.reason == UNLIKELY])
        gains = self._gains(text, read)
        judged = self._reread(gains)
        edits = [judged.get(edit, edit) for edit in edits]
        made = chosen([edit for edit in edits if edit.status == "applied"], 0.0)
        made += self._wanted(text, made, gains, judged)
        open_ = [e for e in edits if e.status == "suggested" and not any(e.overlaps(m) for m in made)]
        refused = [edit for edit in edits if edit.status == "refused" and edit.reason != UNLIKELY]
        return [*made, *chosen(open_, 0.0), *refused]

    def _wanted(
        self, text: str, made: Sequence[Edit], gains: Mapping[Edit, float], judged: Mapping[Edit, Edit]
    ) -> list[Edit]:
        """The edits that the text wants once others beside them are made: "worked" for "work" where "does not" became "has not"."""
        beside = [
            edit
            for edit in gains
            if judged[edit].score >= _WANTED and any(_are_close(edit, each, text) for each in made)
            if not any(map(edit.overlaps, made))
        ]
        again = self._gains(apply(text, made), [among(edit, made) for edit in beside])
        risen = {
            edit: gain
            for edit, gain in zip(beside, again.values(), strict=False)
            if gain > max(0.0, gains[edit])
        }
        anew = self._reread({**gains, **risen}) if risen else {}
        return chosen([anew[edit] for edit in risen if anew[edit].status == "applied"], 0.0)

    def _gains(self, text: str, edits: Sequence[Edit]) -> dict[Edit, float]:
        """By how many nats each of the edits makes a text likelier; empty if the model cannot tell."""
        return dict(zip(edits, (self.engine.gains(text, edits) if edits else None) or (), strict=False))

    def _reread(self, gains: Mapping[Edit, float]) -> dict[Edit, Edit]:
        """The edits as they are judged by how the text reads with them."""
        decide = self.classifiers.thresholds.decide
        return {
            edit: decide(
                replace(edit, score=score, status="applied", reason=""), proposed=edit.source != "llm"
            )
            for edit, score in self.classifiers.judge.reread(gains).items()
        }

    def _spoils_tone(self, text: str, edits: Sequence[Edit], measured: Measured, run: _Run) -> str | None:
        """Why none of the edits may be made, if together they are less polite."""
        applied = [edit for edit in edits if edit.status == "applied"]
        rewrite, margin = apply(text, applied), self.classifiers.thresholds.politeness_margin
        # A word put right says nothing of tone, whatever the classifier makes of it; a kind word lost may.
        wordy = applied and (self.engine.general or _loses_courtesy(text, rewrite))
        return (
            "the rewrite would have sounded less polite"
            if wordy and self._gain(rewrite, measured, run) < -margin
            else None
        )

    def _gain(self, rewrite: str, measured: Measured, run: _Run) -> float:
        """What the rewrite gains in politeness over its text."""
        rewritten = self.tone.score([rewrite], run.email.people)[0]
        return rewritten.politeness.value - measured.tone.politeness.value


def _key(passage: Email, run: _Run) -> bytes:
    options = run.options
    # A kinder wording is chosen so that it begins otherwise than the ones before it.
    before = run.openings if options.mode in KINDER else ()
    return key_of(passage, options.mode, options.dialect and options.dialect.name, run.sampling, before)


def _place(edit: Edit) -> tuple[int, int]:
    return edit.start, edit.end


def _may_change(edit: Edit, measured: Measured) -> bool:
    """Whether an edit leaves alone what is the writer's own: spelling by country, emoji, how a greeting, an item or a line begins and ends."""
    text, unit = measured.unit.text, measured.unit
    if (
        is_respelling(edit.before, edit.after)
        or _is_beside_symbol(edit, text)
        or (unit.kind == "subject" and not rewords(edit))
    ):
        return False
    framed = unit.kind != "sentence" or measured.is_short or _ENDED.search(text)
    return not framed or not _is_frame(edit, text, unit.kind)


def _are_close(edit: Edit, other: Edit, text: str) -> bool:
    """Whether at most two words stand between two edits."""
    first, second = sorted((edit, other), key=_place)
    return len(text[first.end : second.start].split()) <= 2


def _is_frame(edit: Edit, text: str, kind: str) -> bool:
    """Whether an edit does no more than put a mark at the end, or capitalise the first word of a list item."""
    start, end, after = canonical(edit, text)  # what is proposed for a word may be but a mark behind it
    ends = end == len(text) and text[start:end] in _MARKS and after in _MARKS
    return ends or (kind == "item" and edit.start == 0 and edit.before.lower() == edit.after.lower())


def _is_beside_symbol(edit: Edit, text: str) -> bool:
    """Whether an edit touches an emoji or the like, or is a mark beside one: those stand, and end a sentence, as the writer likes."""
    start, end, after = canonical(edit, text)
    if text[start:end] in _MARKS and after in _MARKS:
        around = text[:start].rstrip()[-1:] + text[end:].lstrip()[:1]
    else:
        around = text[max(0, edit.start - 1) : edit.end + 1] + edit.after
    return any(unicodedata.category(c) == "So" for c in around)


def _whole(unit: Unit, why: str) -> Edit:
    """A rewrite that was thrown away, as one refused edit that changes nothing."""
    return Edit(0, len(unit.text), unit.text, unit.text, status="refused", reason=why)


def _shown(chat: Sequence[Message]) -> str:
    return "\n".join(f"{message['role']}: {message['content']}" for message in chat)


def _loses_courtesy(text: str, rewrite: str) -> bool:
    """Whether a word is gone that makes a sentence kinder ("please")."""
    was, now = ({word.lower() for word in WORD.findall(each)} for each in (text, rewrite))
    return bool((was - now) & SOFTENERS)


class _Clock:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self._began, self._spent = time.perf_counter(), {"scores": 0.0, "rewrite": 0.0, "rescore": 0.0}

    def call(self, name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        try:
            return work()
        finally:
            self._spent[name] += time.perf_counter() - began

    def timed(self, name: str, values: Iterator[Any]) -> Iterator[Any]:
        while (value := self.call(name, partial(next, values, None))) is not None:
            yield value

    def seconds(self) -> dict[str, float]:
        spent = self._spent | {"total": time.perf_counter() - self._began}
        return {name: round(seconds, 4) for name, seconds in spent.items()}


def load_proofreader(settings: Settings, model: str | None = None) -> Proofreader:
    """The proofreader that the settings describe. Raises UserError with what to do."""
    folder = settings.models_dir
    require_models(folder)
    lexicon = folder / "lexicon.txt.gz"
    if not lexicon.is_file():
        raise UserError(
            f"{lexicon}: the word list is missing; restore it with git checkout, or run python -m training corpus."
        )
    engine = open_engine(model or settings.model, folder, settings.n_ctx, settings.n_threads, settings.server)
    return Proofreader(engine, load_classifiers(folder), folder / "dialects.tsv")


def load_classifiers(folder: Path = MODELS) -> Classifiers:
    """The classifiers, the word list and the thresholds in a folder of models. UserError when one is missing."""
    lexicon = Lexicon.load(folder / "lexicon.txt.gz")
    return Classifiers(
        ToneClassifier.load(folder / "tone", lexicon=lexicon),
        Tagger.load(folder / "tagger", lexicon),
        lexicon,
        Judge.load(folder / "judge.json"),
        Thresholds.load(folder / "thresholds.json"),
    )
