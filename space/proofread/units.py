"""A draft read once: its parts, the stretches that may be rewritten, who is named in it, and what is protected.

email = Email.read(draft, lexicon)
[unit.text for unit in email.units]      # one sentence each, line breaks inside them turned into blanks
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rapidfuzz.distance import OSA

from space.proofread.edits import Edit, apply
from space.proofread.email import EDITABLE, WRAP_WIDTH, Part, split
from space.proofread.language import without_foreign
from space.proofread.lexicon import Lexicon
from space.proofread.names import names, owner
from space.proofread.protect import Span, protected_spans
from space.proofread.words import WORD

MAX_WORDS = 2000  # of one email; what follows is returned as it is
AT_A_TIME = 8  # units of a passage at most: measured together, fast, and soon enough over to be stopped
_COMMON = 2000  # occurrences in the word list of a word that a heading surely means
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")  # control characters, lone surrogates
_LATIN = re.compile(r"[A-Za-z]")  # without one there is no English word
BREAK = re.compile(r"[ \t]*\r?\n[ \t]*")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\r?\n|\r[^\S\r\n]*\r")  # between two of them
_NEVER_READ = {
    "quote": ("a quoted reply", "quoted replies"),
    "code": ("code or a table", "pieces of code or tables"),
    "foreign": ("a sentence in another language", "sentences in another language"),
}


@dataclass(frozen=True)
class Skipped:
    """Text that is nobody's to correct, and why: a quoted reply, code."""

    text: str
    reason: str


class Unit:
    """A stretch of the draft that the model is given at a time, and the way back to the draft.

    `text` has the line breaks inside it turned into blanks, as a sentence model knows text, unless `keep_breaks`.
    """

    def __init__(self, part: Part, keep_breaks: bool = False) -> None:
        self.kind, self.start, self.end, self._draft = (
            part.kind,
            part.start,
            part.start + len(part.text),
            part.text,
        )
        pieces = list(re.finditer(r"." if keep_breaks else rf"{BREAK.pattern}|.", part.text, re.DOTALL))
        self._at = [*(piece.start() for piece in pieces), len(part.text)]
        self.text = "".join(
            piece.group() if keep_breaks or "\n" not in piece.group() else " " for piece in pieces
        )

    def holds(self, edit: Edit) -> bool:
        return self.start <= edit.start and edit.end <= self.end

    def find(self, edit: Edit) -> Edit:
        """An edit of a word of the draft, in `text`."""
        start = bisect_left(self._at, edit.start - self.start)
        return replace(edit, start=start, end=start + len(edit.before))

    def stretch(self, span: Span) -> tuple[int, int]:
        """The characters of a span of the draft, in `text`."""
        return bisect_left(self._at, span.start - self.start), bisect_left(self._at, span.end - self.start)

    def place(self, edits: Iterable[Edit]) -> Iterator[Edit]:
        """Edits of `text` as edits of the draft; one that would lose a line break keeps it, or is left out if it cannot."""
        for edit in edits:
            start, end = self._at[edit.start], self._at[edit.end]
            before, after = self._draft[start:end], edit.after
            breaks = BREAK.findall(before)
            if breaks and "\n" not in after:
                if after.count(" ") < len(breaks):
                    continue
                after = after.replace(" ", "\0", len(breaks))
                for line_break in breaks:
                    after = after.replace("\0", line_break, 1)
            yield replace(edit, start=self.start + start, end=self.start + end, before=before, after=after)


@dataclass(frozen=True)
class Email:
    """A draft with everything that is known of it before a model looks at it."""

    draft: str
    parts: tuple[Part, ...]  # none if it is not English
    units: tuple[Unit, ...]
    names: frozenset[str]
    spans: tuple[Span, ...]  # protected, in order
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]

    @classmethod
    def read(
        cls, draft: str, lexicon: Lexicon, *, unit: str = "sentence", terms: Iterable[str] = ()
    ) -> Email:
        """`unit` is what the model is given at a time, "sentence" or "email"; `terms` are words that the user protects."""
        parts, terms = without_foreign(split(draft), lexicon), tuple(terms)
        own = [part for part in parts if part.kind in EDITABLE]
        # Capitals in a subject say nothing of the words of the body.
        found = frozenset(n for part in own if part.kind != "subject" for n in names(part.text, lexicon))
        found = frozenset(owner(name, found, lexicon) or name for name in found)
        if not _is_english(own, lexicon) or (not own and any(part.kind == "foreign" for part in parts)):
            note = "This does not look like English, so it was left as it is."
            return cls(draft, (), (), found, (), (), (note,))
        spans = [
            replace(span, start=part.start + span.start, end=part.start + span.end)
            for part in own
            for span in protected_spans(part.text, lexicon, terms, found)
            if not (
                part.kind == "subject" and span.what == "a name" and _is_heading_word(span, part, lexicon)
            )
        ]
        units, skipped, notes = _units(
            _by_lines(draft, parts) if unit == "sentence" else _paragraphs(parts), unit
        )
        skipped += _unread(parts)
        return cls(draft, tuple(parts), tuple(units), found, tuple(spans), tuple(skipped), tuple(notes))

    @property
    def people(self) -> frozenset[str]:
        """The names that are no acronyms: classifiers read them all as the same one."""
        return frozenset(name for name in self.names if not name.isupper())

    def within(self, unit: Unit) -> list[Span]:
        """The protected spans of a unit."""
        return [span for span in self.spans if span.start < unit.end and unit.start < span.end]

    def passages(self) -> Iterator[Email]:
        """The email again and again, each time with the next units alone and what is known of them: of one paragraph, or a subject.

        A passage is read by itself, so that what was made of it holds as long as its own letters do not change.
        """
        run: list[Unit] = []
        for unit in self.units:
            if run and (
                len(run) == AT_A_TIME
                or run[-1].kind == "subject"
                or _PARAGRAPH.search(self.draft, run[-1].end, unit.start)
            ):
                yield self._alone(run)
                run = []
            run.append(unit)
        if run:
            yield self._alone(run)

    def _alone(self, units: Sequence[Unit]) -> Email:
        start, end = units[0].start, units[-1].end
        text = self.draft[start:end]
        return replace(
            self,
            units=tuple(units),
            parts=tuple(
                each for each in self.parts if each.start < end and start < each.start + len(each.text)
            ),
            spans=tuple(span for span in self.spans if span.start < end and start < span.end),
            names=frozenset(name for name in self.names if name in text),
        )

    def spoken(self, edits: Sequence[Edit] = ()) -> str:
        """What the writer says in the body, after these edits: that is what has a tone."""
        return _joined(self.parts or split(self.draft), edits)


def spoken(draft: str) -> str:
    """What the writer says in a draft, without quotes, code, headers and subject."""
    return _joined(split(draft), ())


def _joined(parts: Sequence[Part], edits: Sequence[Edit]) -> str:
    texts, left = [], sorted(edits, key=lambda edit: edit.start)
    for part in parts:
        if part.kind in EDITABLE and part.kind != "subject":
            end = part.start + len(part.text)
            own = [edit for edit in left if part.start <= edit.start and edit.end <= end]
            texts.append(
                apply(
                    part.text, [replace(e, start=e.start - part.start, end=e.end - part.start) for e in own]
                )
            )
    return " ".join(" ".join(texts).split()[:MAX_WORDS])


def _is_heading_word(span: Span, subject: Part, lexicon: Lexicon) -> bool:
    """Whether a word of a subject with capitals throughout is a misspelt one rather than a name.

    Of unlisted surnames hardly one is a letter from a word as common as that ("Shephard", "Petterson").
    """
    words = [word for word in WORD.findall(subject.text) if len(word) > 3]
    meant = lexicon.suggest(span.text) or ""
    return (
        len(words) > 1
        and all(word[0].isupper() for word in words)
        and not lexicon.lists(span.text)
        and len(span.text) > 6
        and lexicon.count(meant) >= _COMMON
        and OSA.distance(span.text.lower(), meant.lower()) == 1
    )


def _is_english(parts: Sequence[Part], lexicon: Lexicon) -> bool:
    text = " ".join(part.text for part in parts)[:20_000]
    words = WORD.findall(text)
    if sum(map(str.isalpha, text)) > 2 * sum(map(len, words)):  # a script without blanks between words
        return False
    return lexicon.is_english(words)


def _units(parts: Iterable[Part], unit: str) -> tuple[list[Unit], list[Skipped], list[str]]:
    units: list[Unit] = []
    skipped: list[Skipped] = []
    words = 0
    for part in parts:
        if part.kind not in (*EDITABLE, "line"):
            continue
        words += len(part.text.split())
        if words > MAX_WORDS:
            return (
                units,
                skipped,
                [f"Only the first {MAX_WORDS:,} words were proofread; the rest is as it was."],
            )
        if _NOT_TEXT.search(part.text):
            skipped.append(Skipped(part.text, "it holds control characters"))
        elif _LATIN.search(part.text):
            units.append(Unit(part, keep_breaks=unit == "email"))
    return units, skipped, []


def _by_lines(draft: str, parts: Sequence[Part]) -> Iterator[Part]:
    """The parts; a sentence that ends where a short line does, in the middle of a paragraph, as a "line": it may go on."""
    following = [*parts[1:], None, None]
    for part, gap, more in zip(parts, following, following[1:], strict=False):
        breaks = len(re.findall(r"\r\n|\r|\n", gap.text)) if gap and gap.kind == "gap" else 0
        within = part.kind == "sentence" and breaks == 1 and more is not None and more.kind == "sentence"
        end = part.start + len(part.text)
        short = end - max(draft.rfind("\n", 0, end), draft.rfind("\r", 0, end)) <= WRAP_WIDTH
        yield replace(part, kind="line") if within and short else part


def _paragraphs(parts: Sequence[Part]) -> Iterator[Part]:
    """Runs of editable parts with the gaps between them, for models that are given whole emails."""
    runs: list[list[Part]] = [[]]
    for part in parts:
        if part.kind == "subject":
            yield part
        elif part.kind in EDITABLE or (part.kind == "gap" and runs[-1]):
            runs[-1].append(part)
        elif runs[-1]:
            runs.append([])
    for run in runs:
        while run and run[-1].kind == "gap":
            run.pop()
        if run:
            yield Part("sentence", "".join(part.text for part in run), run[0].start)


def _unread(parts: Sequence[Part]) -> Iterator[Skipped]:
    """The parts that are nobody's to correct, one entry for each kind."""
    for kind, (one, many) in _NEVER_READ.items():
        found = [part.text for part in parts if part.kind == kind]
        lines = sum(bool(line.strip()) for text in found for line in text.splitlines())
        if found:
            what = one if len(found) == 1 else f"{len(found)} {many}"
            yield Skipped("\n".join(found), f"{what}: {lines} {'line' if lines == 1 else 'lines'}")
