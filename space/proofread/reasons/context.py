"""An edit among the words of its sentence: what gives way, what comes, and what stands on both sides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from space.proofread.edits import Edit, apart, apply
from space.proofread.kinds import DETERMINERS
from space.proofread.sentences import sentences
from space.proofread.words import WORDS, is_word

_REACH = 600  # characters on each side in which the sentence of an edit is looked for
_LINE = 50  # characters; a line that is shorter was ended by its writer
_WORDS = re.compile(rf"\d+(?:[.,:/]\d+)+|{WORDS.pattern}")  # 1,250 and 3:30 are said whole
_BEGUN = re.compile(r"[\w'’-]*$")
_ENDED = re.compile(r"^[\w'’-]*")


@dataclass(frozen=True)
class Context:
    """The words and marks that an edit takes out and puts in, and those of its sentence before and behind.

    What both sides of the edit share at their edges belongs to the sentence; apostrophes are straight, and the other edits of
    the sentence are made.
    """

    gone: tuple[str, ...]
    come: tuple[str, ...]
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()

    @property
    def before(self) -> str:
        return said(self.gone)

    @property
    def after(self) -> str:
        return said(self.come)

    @property
    def was(self) -> tuple[str, ...]:
        return _lower(self.gone)

    @property
    def now(self) -> tuple[str, ...]:
        return _lower(self.come)

    @property
    def behind(self) -> tuple[str, ...]:
        """The words and marks before the edit, in lower case."""
        return _lower(self.left)

    @property
    def ahead(self) -> tuple[str, ...]:
        """The words and marks after the edit, in lower case."""
        return _lower(self.right)

    def phrase(self, back: int = 0, on: int = 1) -> str:
        """What the edit puts in, with so many words before and behind; no further than the next mark."""
        first: list[str] = []
        for word in reversed(self.left[-back:] if back else ()):
            if not is_word(word):
                break
            first.insert(0, word)
        if on == 1 and self.ahead[:1] and self.ahead[0] in DETERMINERS:
            on = 2  # no phrase ends with an article
        return said((*first, *self.come, *words_until_mark(self.right, on)))


def words_until_mark(words: Sequence[str], most: int) -> tuple[str, ...]:
    """The first words of a text, up to a mark."""
    end = next((at for at, word in enumerate(words[:most]) if not is_word(word)), min(most, len(words)))
    return tuple(words[:end])


def said(words: Sequence[str]) -> str:
    """Words and marks as they are written.

    >>> said(("Yes", ",", "we", "(", "both", ")", "agree", "."))
    'Yes, we (both) agree.'
    """
    return re.sub(r" (?=[,.;:!?)\]%])|(?<=[(\[$]) ", "", " ".join(words))


def _lower(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.lower() for word in words)


def context(edit: Edit, text: str = "", others: Iterable[Edit] = ()) -> Context:
    """The edit in its sentence of `text`, once the `others` that leave it room are made.

    >>> text = "He go to the the office."
    >>> context(Edit(3, 5, "go", "goes"), text, [Edit(8, 12, " the", "")])
    Context(gone=('go',), come=('goes',), left=('He',), right=('to', 'the', 'office', '.'))
    """
    before, after = edit.before, edit.after
    low, high = _sentence(text, edit.start, edit.end)
    made = [
        other for other in others if low <= other.start and other.end <= high and not other.overlaps(edit)
    ]
    left = _mended(text, low, edit.start, made)
    right = _mended(text, edit.end, high, made)
    if _is_part(before[:1]) or _is_part(after[:1]):  # an edit within a word is one of the word
        begun = _BEGUN.search(left)
        beginning = begun.group() if begun else ""
        left, before, after = left[: len(left) - len(beginning)], beginning + before, beginning + after
    if _is_part(before[-1:]) or _is_part(after[-1:]):
        ended = _ENDED.search(right)
        ending = ended.group() if ended else ""
        right, before, after = right[len(ending) :], before + ending, after + ending
    head, was, becomes, tail = (plain(part) for part in apart(plain(before), plain(after)))
    return Context(*(tuple(_WORDS.findall(part)) for part in (was, becomes, left + head, tail + right)))


def plain(text: str) -> str:
    return text.replace("’", "'")


def _is_part(character: str) -> bool:
    return character.isalnum() or character in ("'", "’")


def _mended(text: str, low: int, high: int, edits: Sequence[Edit]) -> str:
    inside = [
        replace(edit, start=edit.start - low, end=edit.end - low)
        for edit in edits
        if low <= edit.start and edit.end <= high
    ]
    return plain(apply(text[low:high], inside))


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the sentence begins that holds `start`, and where that ends which holds `end`."""
    first, last = max(0, start - _REACH), min(len(text), end + _REACH)
    first = max([first, *(found.end() for found in _breaks(text, first, start))])
    last = min([last, *(found.start() for found in _breaks(text, end, last))])
    spans = [(low + first, high + first) for low, high in sentences(text[first:last])]
    low = next((low for low, high in spans if low <= start <= high), start)
    high = next((high for low, high in spans if low <= end <= high), end)
    return min(low, start), max(high, end)


def _breaks(text: str, first: int, last: int) -> list[re.Match[str]]:
    """Line breaks that end a paragraph, an item, or a line that its writer ended."""
    return [
        found
        for found in re.compile(r"[ \t\r]*\n\s*").finditer(text, first, last)
        if found.group().count("\n") > 1
        or found.start() - (text.rfind("\n", 0, found.start()) + 1) < _LINE
        or re.match(r"[-*•>]|\d+[.)]", text[found.end() : found.end() + 4])
    ]
