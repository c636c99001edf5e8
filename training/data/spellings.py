"""British and American spelling: which words of a list are spelt in two ways.

Derived words are paired where the word list has either side, verbs in all their forms; lists/spelling_stems.tsv and
lists/spellings.tsv have the stems, and the words that no rule covers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from training.data.lists import table

# American stems with the endings that they take, by the rule of their British spelling:
#   our   -or is -our, with the endings before which it stays so ("humorous" is one word for both)
#   re    -er is -re; "meter" alone is also a British word, for a device
#   l     verbs and nouns whose last l is doubled before an ending, although it is not stressed
#   iz    verbs that every book on either spelling has but the word list may lack, and the endings of any verb in -ize
#   yz    verbs in -yze
_STEMS = {rule: (stems.split(), endings.split()) for rule, stems, endings in table("spelling_stems.tsv")}
_NOT_OUR = ("humoral", "humorist", "humorists")
# No such verbs, or verbs that differ in more than that letter ("anesthetize" is "anaesthetise").
_NOT_IZE = re.compile(
    r"(?:as|cap|down|mid|out|over|re|right|super|under|up)?siz|.*(?:anaesthet|anesthet|color|pr|se|ma|qu)iz"
    r"|baiz|beliz|biz|cogniz|kustomiz|pfiz"
)


def dialects(words: Collection[str]) -> list[tuple[str, str, str]]:
    """(British, American, way) of the words that are spelt in two ways, sorted; `words` says which words there are.

    The way is the spelling into which the word may be put without a look at its sentence: american, british or both.
    """
    pairs = {(british, american): "both" for british, american in _regular_spellings(words)}
    pairs |= {(british, american): way for way, american, british in table("spellings.tsv")}
    return sorted((british, american, way) for (british, american), way in pairs.items())


def _regular_spellings(words: Collection[str]) -> Iterator[tuple[str, str]]:
    """(British, American) by rule: verbs in their four forms, other derivations where `words` has either side."""
    for british, american in _derivations():
        if british in words or american in words:
            yield british, american
    listed, endings = _STEMS["iz"]
    pattern = re.compile(rf"(.{{2,}}iz)(?:{'|'.join(endings)})")
    stems = {match.group(1) for word in words if (match := pattern.fullmatch(word))} | set(listed)
    for stem in stems:
        if _NOT_IZE.fullmatch(stem):
            continue
        is_verb = stem in listed or f"{stem}e" in words
        for ending in endings:
            british, american = f"{stem[:-1]}s{ending}", stem + ending
            if is_verb and ending in ("e", "es", "ed", "ing") or british in words or american in words:
                yield british, american
    for stem in _STEMS["l"][0]:
        for ending in ("ed", "ing"):
            yield f"{stem}l{ending}", stem + ending


def _derivations() -> Iterator[tuple[str, str]]:
    """(British, American) of every stem with every ending, words that nobody writes among them."""

    def derived(rule: str) -> Iterator[tuple[str, str]]:
        stems, endings = _STEMS[rule]
        return ((stem, ending) for stem in stems for ending in endings)

    for stem, ending in (*((stem, "") for stem in _STEMS["our"][0]), *derived("our")):
        if stem + ending not in _NOT_OUR:
            yield f"{stem[:-2]}our{ending}", stem + ending
    for stem, endings in (*((stem, "/") for stem in _STEMS["re"][0]), *derived("re")):
        american, british = endings.split("/")
        yield f"{stem[:-2]}{'r' if british == 'ing' else 're'}{british}", stem + american
    for stem, ending in derived("l"):
        yield f"{stem}l{ending}", stem + ending
    for stem, ending in derived("yz"):
        yield f"{stem[:-1]}s{ending}", stem + ending


def save_dialects(pairs: Iterable[tuple[str, str, str]], path: Path) -> None:
    """Writes a list for `space.proofread.dialect`, one `british<TAB>american<TAB>way` a line."""
    path.write_text("".join("\t".join(pair) + "\n" for pair in pairs), encoding="utf-8")
