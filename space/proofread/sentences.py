"""Where sentences end: the one splitter of serving and training."""

from __future__ import annotations

import re

from space.proofread.words import word_set

# Never the end of a sentence: something always follows.
_INNER_ABBREVIATIONS = word_set("sentences", "inner_abbreviations")
# May end a sentence or not: the next word decides.
OUTER_ABBREVIATIONS = word_set("sentences", "outer_abbreviations")
_STARTERS = word_set("sentences", "starters")
_NOT_AFTER_EXCLAMATION = word_set("sentences", "not_after_exclamation")
_CLOSERS = "\"'”’»)]}*_`"
_TERMINALS = ".!?…。！？؟"
_OPENING_MARKS = "-–—(\"'“‘«[{*•&#<$€£@+=/\\|~_"
_MONTH = re.compile(r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\W{0,2}", re.I)
_TOKEN = re.compile(r"\S+")


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) of the sentences in running text, without the blanks between them.

    >>> text = "Dr. Lee is in. Call at 5 p.m. today."
    >>> [text[start:end] for start, end in sentences(text)]
    ['Dr. Lee is in.', 'Call at 5 p.m. today.']
    """
    tokens = [match.span() for match in _TOKEN.finditer(text)]
    spans: list[tuple[int, int]] = []
    first = 0
    for index, (start, end) in enumerate(tokens[:-1]):
        following = tokens[index + 1]
        word, after = text[start:end], text[following[0] : following[1]]
        if (
            not any(c.isalnum() for c in word)
            and index > first
            and word.rstrip(_CLOSERS)[-1:] not in _TERMINALS
        ):
            # A smiley after a full stop stays with the sentence it comments on.
            previous = text[tokens[index - 1][0] : tokens[index - 1][1]]
            ends = word[0] not in _OPENING_MARKS and previous.rstrip(_CLOSERS)[-1:] in tuple(_TERMINALS)
        else:
            is_mark = not any(c.isalnum() for c in after) and after[0] not in _OPENING_MARKS
            ends = not is_mark and _ends_sentence(word, after)
        if ends:
            spans.append((tokens[first][0], end))
            first = index + 1
    if tokens:
        spans.append((tokens[first][0], tokens[-1][1]))
    return spans


def _ends_sentence(word: str, following: str) -> bool:
    core = word.rstrip(_CLOSERS)
    if not core or core[-1] not in _TERMINALS:
        return False
    next_word = following.lstrip(_OPENING_MARKS).rstrip(",.;:!?…)\"'”’").replace("’", "'")
    lower_next = next_word[:1].islower()
    starter = next_word.lower() in _STARTERS
    stem = core.rstrip(_TERMINALS).lstrip(_OPENING_MARKS)
    mark = core[len(core.rstrip(_TERMINALS)) :]
    if not stem:
        return not lower_next or starter
    if any(c in mark for c in "!?！？؟"):
        if not lower_next:
            return True
        return core == word and next_word.lower() not in _NOT_AFTER_EXCLAMATION
    if mark != ".":  # an ellipsis, or "。"
        return not lower_next
    lower = stem.lower()
    if lower in _INNER_ABBREVIATIONS or lower_next and "(" in word and ")" not in word:
        return False
    if lower in ("no", "nos", "nr"):
        return not next_word[:1].isdigit() and not lower_next
    if lower in OUTER_ABBREVIATIONS:
        # "at 5 p.m. Please call": only a word that likes to begin sentences ends one here.
        return starter and not lower_next
    if (
        len(stem) == 1
        and stem.isalpha()
        and stem.isupper()
        or re.fullmatch(r"(?:[^\W\d_]\.){1,6}[^\W\d_]", stem)
    ):
        return stem != "I" and starter and not lower_next
    if stem.isdigit() and len(stem) <= 2 and _MONTH.fullmatch(following):
        return False
    return True
