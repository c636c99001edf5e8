r"""Sentences of another language: they are left as they are, alone or among English ones.

parts = without_foreign(split("Dear team,\n\nNecesitamos el contrato antes del viernes. Can you sent it today?"), lexicon)
[part.kind for part in parts if part.kind != "gap"]      # ['greeting', 'foreign', 'sentence']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from space.proofread.email import EDITABLE, Part
from space.proofread.lexicon import Lexicon
from space.proofread.words import WORD

# Both must hold. Of the sentences in ten languages of tests/space/proofread/languages.tsv at most 67 % of the words stand in the English
# list, and each is likelier in another language by 16 or more; of 5,930 sentences by learners of English none is both.
KNOWN_SHARE = 0.7
MARGIN = 10.0  # nats, of py3langid's scores
MIN_WORDS = 4  # fewer tell nothing


def without_foreign(parts: Sequence[Part], lexicon: Lexicon) -> list[Part]:
    """The parts, those in another language than English with the kind "foreign".

    A greeting, a closing and a sentence of a few words are of the language of the sentence before them, or of the first.
    """
    own = [i for i, part in enumerate(parts) if part.kind in EDITABLE]
    judged = {i: _is_foreign(parts[i].text, lexicon) for i in own if _tells(parts[i])}
    if True not in judged.values():
        return list(parts)
    foreign, before = set(), next(iter(judged.values()))
    for i in own:
        before = judged.get(i, before)
        if before and (i in judged or False not in judged.values() or not _is_known(parts[i].text, lexicon)):
            foreign.add(i)
    return [replace(part, kind="foreign") if i in foreign else part for i, part in enumerate(parts)]


def _tells(part: Part) -> bool:
    return part.kind in ("sentence", "item") and len(WORD.findall(part.text)) >= MIN_WORDS


def _is_foreign(text: str, lexicon: Lexicon) -> bool:
    if _is_known(text, lexicon):
        return False
    ranked = _identifier().rank(text)
    return bool(ranked[0][1] - dict(ranked)["en"] > MARGIN)


def _is_known(text: str, lexicon: Lexicon) -> bool:
    """Whether enough of the words are listed; capitalised ones that are not may be names, which say nothing."""
    words = WORD.findall(text)
    unknown = [word for word in words if not lexicon.knows(word)]
    known, others = len(words) - len(unknown), sum(not word[0].isupper() for word in unknown)
    return known >= KNOWN_SHARE * (known + others)


@cache
def _identifier() -> Any:
    """Naive Bayes over letter n-grams of a hundred languages (Lui and Baldwin 2012); read only for a text with many unknown words."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)
