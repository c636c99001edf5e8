"""Corpora -> clean sentences, plain documents and the word lists; nothing of an evaluation set stays in.

    python -m training corpus --prose prose.jsonl --email email.jsonl --exclude jfleg_dev.jsonl --out DIR

Input rows are `{"text", "source"}` (JSON lines, optionally .zst). Output: DIR/clean.jsonl (`{"text", "source"}`, one or
two sentences each, targets of correction), DIR/email.jsonl (the same, from business mail), DIR/plain.jsonl (documents
for language modelling), DIR/lexicon.txt.gz and DIR/dialects.tsv (British and American spellings of its words).

The pairs of spellings are made by training/data/spellings.py. The word list comes from symspellpy's frequency dictionary (MIT) and the corpora. codespell's
en-GB_to_en-US dictionary (CC BY-SA 3.0) only adds single words to the word list; its pairs are not read for dialects.tsv.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.lexicon import save
from space.proofread.words import WORD
from training.data.confusions import misspellings
from training.data.lists import column
from training.data.spellings import dialects, save_dialects

# Spoken English makes poor targets: only this share of its sentences is taken.
SPOKEN = ("transcripts", "ethereum/pm")
_SPOKEN_SHARE = 0.25
_NOVELS = "english_novels"  # old-fashioned: the same share
_TWO_SENTENCES = 0.15  # share of units that hold two sentences, as drafts without full stops do
_EXCLUDE_WORDS = 8  # a sentence that shares a run of 8 words with an evaluation text is dropped

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]?\s+(?=[\"'(\[]?[A-Z0-9])")
_NOT_AN_END = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Inc|Ltd|Co|Corp|vs|etc|No|St|e\.g|i\.e|a\.m|p\.m|[A-Z])\.)$"
)
# Right words that the spelling dictionary does not list.
_UNLISTED = frozenset("p m mr mrs ms dr".split())
_RECENT = column("recent_words.txt")
_ODD = re.compile(r"[|{}<>_\\^~=#*`\[\]@]|https?:|www\.|\.\.|--|  |\u00a0|�")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--prose", type=Path, nargs="*", default=[], help="general English, rows of text and source"
    )
    parser.add_argument("--email", type=Path, nargs="*", default=[], help="business mail, the same rows")
    parser.add_argument("--exclude", type=Path, nargs="*", default=[], help="evaluation sets, to keep out")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    rng = random.Random(args.seed)
    excluded = set(runs(text for path in args.exclude for text in strings(read_rows(path))))
    args.out.mkdir(parents=True, exist_ok=True)
    known = _spelling_words()
    seen: set[str] = set()
    words: Counter[str] = Counter()
    dropped = 0
    report = {}
    with (args.out / "plain.jsonl").open("w", encoding="utf-8") as plain:
        for name, paths in (("clean", args.prose), ("email", args.email)):
            units = 0
            with (args.out / f"{name}.jsonl").open("w", encoding="utf-8") as out:
                for row in (row for path in paths for row in read_rows(path)):
                    text, source = renumber(row["text"]), row.get("source", "")
                    if excluded.intersection(runs([text])):
                        dropped += 1
                        text = "\n".join(
                            line for line in text.split("\n") if not excluded.intersection(runs([line]))
                        )
                    plain.write(json.dumps({"text": text, "source": source}, ensure_ascii=False) + "\n")
                    words.update(_mid_sentence_words(text))
                    spoken = any(mark in source for mark in (*SPOKEN, _NOVELS))
                    for unit in _units(text, rng):
                        if (
                            (spoken and rng.random() > _SPOKEN_SHARE)
                            or unit in seen
                            or not is_clean(unit, known)
                        ):
                            continue
                        seen.add(unit)
                        units += 1
                        out.write(json.dumps({"text": unit, "source": source}, ensure_ascii=False) + "\n")
            report[name] = units
    listed = lexicon(words, known)
    save(listed, args.out / "lexicon.txt.gz")
    save_dialects(dialects(listed), args.out / "dialects.tsv")
    report["documents_with_evaluation_text_removed"] = dropped
    print(json.dumps(report))


def read_rows(path: Path) -> Iterator[dict]:
    """JSON lines of a plain or .zst file; UserError if there is none, or on what is not JSON in UTF-8."""
    if not path.is_file():
        raise UserError(f"{path} does not exist: name a file of JSON lines")
    if path.suffix == ".zst":
        import zstandard

        reader = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(path.open("rb"))
        lines: Iterable[str] = io.TextIOWrapper(reader, encoding="utf-8")
    else:
        lines = path.open(encoding="utf-8")
    try:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _parsed(line, f"{path} line {number}")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: write it as JSON lines in UTF-8") from error


def _parsed(line: str, where: str) -> dict:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where} is not JSON: repair or remove it") from error


def detokenize(text: str) -> str:
    """Tokenised English as it is written: `He 's late , is n't he ?` -> `He's late, isn't he?`"""
    text = re.sub(r" (n't|'(?:s|m|re|ve|ll|d)\b)", r"\1", text)
    text = re.sub(r"\bca n't", "can't", text)
    text = re.sub(r" ([,.;:!?%)\]}])", r"\1", text)
    text = re.sub(r"([(\[{$]) ", r"\1", text)
    text = re.sub(r"(\w) - (\w)", r"\1-\2", text)
    return re.sub(r'" ([^"]*?) "', r'"\1"', text)


def renumber(text: str) -> str:
    """Numbers again the lists whose every item reads `1.` (some corpora lost their numbering)."""
    lines, n = text.split("\n"), 0
    for i, line in enumerate(lines):
        if line.startswith("1. "):
            n += 1
            lines[i] = f"{n}. {line[3:]}"
        elif line.strip() and not line.startswith((" ", "\t")):
            n = 0
    return "\n".join(lines)


def sentences(paragraph: str) -> list[str]:
    """The sentences of one paragraph, by a rule good enough for edited prose."""
    found: list[str] = []
    for piece in _SENTENCE_END.split(paragraph.strip()):
        if found and _NOT_AN_END.search(found[-1]):
            found[-1] += " " + piece
        else:
            found.append(piece)
    return found


def is_clean(text: str, known: dict[str, int]) -> bool:
    """Whether a sentence may be a target of correction: complete, plain, and spelt from known words."""
    words = WORD.findall(text)
    if not 3 <= len(words) <= 60 or len(text) > 330 or _ODD.search(text) or text[-1] not in ".!?":
        return False
    if not (text[0].isupper() or text[0] in "\"'"):
        return False
    if text.count('"') % 2 or text.count("(") != text.count(")"):
        return False
    return all(_is_known(word.lower(), known) or (word[0].isupper() and i) for i, word in enumerate(words))


def _is_known(word: str, known: dict[str, int]) -> bool:
    """Whether a word is listed, with 's, n't and the like taken off (the list has no apostrophes)."""
    word = word.replace("’", "'").removesuffix("n't")
    return word.split("'")[0] in known or word in ("ca", "wo", "sha") or word in _UNLISTED


def lexicon(words: Counter[str], known: dict[str, int]) -> dict[str, int]:
    """Merges corpus counts with a spelling dictionary; a word mostly seen with a capital is listed with it."""
    merged: dict[str, int] = {}
    folded: dict[str, Counter[str]] = {}
    for word, count in words.items():
        folded.setdefault(word.lower(), Counter())[word] += count
    for lower in known.keys() | {word for word, forms in folded.items() if forms.total() >= 40}:
        forms = folded.get(lower, Counter())
        capital = forms.get(lower.capitalize(), 0)
        word = lower.capitalize() if capital >= 20 and capital > 0.9 * forms.total() else lower
        if lower in known or (forms[word] >= 40 and word[:1].isupper()) or forms[lower] >= 100:
            merged[word] = forms.total() + known.get(lower, 0) // 40_000
    return {word: count for word, count in merged.items() if len(word) > 1 or word in {"a", "I", "i"}}


def _mid_sentence_words(text: str) -> Iterator[str]:
    """Words that follow a lower-case word or a comma: their capital says something about the word."""
    for match in re.finditer(r"(?<=[a-z,] )[A-Za-z][a-z]*(?:'[a-z]+)?", text):
        yield match.group()


def _units(text: str, rng: random.Random) -> Iterator[str]:
    for paragraph in re.split(r"\n+", text):
        found = sentences(re.sub(r"^(?:[-•*]|\d+\.)\s+", "", paragraph))
        i = 0
        while i < len(found):
            n = 2 if rng.random() < _TWO_SENTENCES else 1
            yield " ".join(found[i : i + n])
            i += n


def runs(texts: Iterable[str]) -> Iterator[int]:
    """Hashes of every eight words in a row: a text that shares one with an evaluation text is left out."""
    for text in texts:
        words = re.findall(r"[a-z0-9]+", text.lower())
        for i in range(len(words) - _EXCLUDE_WORDS + 1):
            yield hash(tuple(words[i : i + _EXCLUDE_WORDS]))


def strings(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """All texts in the rows of an evaluation set."""
    for row in rows:
        for value in row.values():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    yield text


def _spelling_words() -> dict[str, int]:
    """The words of symspellpy's frequency dictionary, with their counts in books, and the rarer ones of lemminflect."""
    from importlib.resources import files

    path = Path(str(files("symspellpy") / "frequency_dictionary_en_82_765.txt"))
    known = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        word, count = line.split()
        known[word] = int(count)
    # The list has many words in one spelling only.
    pairs = (files("codespell_lib") / "data" / "dictionary_en-GB_to_en-US.txt").read_text(encoding="utf-8")
    for british, american in (
        line.split("->") for line in pairs.split("\n") if "->" in line and "," not in line
    ):
        for word, other in ((american, british), (british, american)):
            known.setdefault(word, known.get(other, 1))
    wrong = {each for wrongs in misspellings().values() for each in wrongs}
    with gzip.open(
        str(files("lemminflect") / "resources" / "infl_lu.csv.gz"), "rt", encoding="utf-8"
    ) as rows:
        for word in re.findall(r"\b[a-z]{4,}\b", re.sub(r"(?m)^([^,]+),[^,]+,", r"\1,", rows.read())):
            if word not in wrong and word.replace("iz", "is") not in known:  # "advertize" is in no good list
                known.setdefault(word, 1)
    known |= dict.fromkeys(_RECENT, 1)
    print(f"{len(known):,} words in the spelling dictionary", file=sys.stderr)
    return known
