"""Which sentences make an email sound blunt or negative.

causes("Hi Tom,\\n\\nSend me the file now.\\n", ToneClassifier.load())      # (Cause(9, 30, ("rude",), -0.96),)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from space.proofread.classifiers.tone import SCALES, Tone, ToneClassifier
from space.proofread.email import split
from space.proofread.polish import contempt, wordings
from space.proofread.units import MAX_WORDS

AT_MOST = 3  # more would mark the whole email
_SENTENCES = ("sentence", "item")
_RUDE = SCALES["politeness"][1][0]


@dataclass(frozen=True)
class Cause:
    """The sentence [start, end) of a text; `words` of the scales say how it sounds, `value` is the lowest of its values."""

    start: int
    end: int
    words: tuple[str, ...]
    value: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"words": list(self.words)}


def causes(
    text: str, tone: ToneClassifier, whole: Tone, names: Collection[str] | None = None
) -> tuple[Cause, ...]:
    """The bluntest and most negative sentences of what the writer says, at most AT_MOST, the strongest first.

    `whole` is the tone of the text, and `names` are as in `ToneClassifier.score`. Of a plain statement alone a classifier knows
    little ("Per my voice mail."): so a sentence counts where the email as a whole is blunt, or negative, and elsewhere if it is
    rude and gives an order, or insults.
    """
    parts, words = [], 0
    for part in split(text):
        words += len(part.text.split()) if part.kind in _SENTENCES else 0
        if part.kind in _SENTENCES and words <= MAX_WORDS:
            parts.append(part)
    sentences = [" ".join(part.text.split()) for part in parts]
    found = []
    for part, sentence, scored in zip(parts, sentences, tone.score(sentences, names), strict=True):
        blunt = scored.politeness.is_low and (whole.politeness.is_low or _is_rude(sentence, scored))
        low = [scored.politeness] * blunt
        low += [scored.sentiment] if scored.sentiment.is_low and whole.sentiment.is_low else []
        if low:
            end = part.start + len(part.text.rstrip())
            lowest = min(score.value for score in low)
            found.append(Cause(part.start, end, tuple(score.word for score in low), lowest))
    return tuple(sorted(found, key=lambda cause: cause.value)[:AT_MOST])


def _is_rude(sentence: str, scored: Tone) -> bool:
    return scored.politeness.value < _RUDE and bool(contempt(sentence) or wordings(sentence))
