"""Drafts as the model is asked about them, with what the shipped classifiers say of each: measured once for a run.

    chats = prompts([Draft("He go.", "proofread")], folder=Path("runs/sft"))

A draft that is a sentence of a known email is measured within that email, by the very call that serving makes.

Nothing before a training takes longer, so what was measured is stored in the folder of the run until `forget`: a run that
goes on after a kill does not measure again, and of the processes of one training the first of each machine measures
while the others wait for its file. Machines that share the folder measure at the same time and write the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from space.proofread.classifiers.tagger import Tagger
from space.proofread.classifiers.tone import MODELS
from space.proofread.email import Part
from space.proofread.evidence import Classifiers, Measured, Options, measure
from space.proofread.names import names
from space.proofread.pipeline import load_classifiers
from space.proofread.prompt import PROMPT_VERSION, messages
from space.proofread.units import Email, Unit
from training.runs import atomic_write
from training.runs.atomic_write import write_errors
from training.runs.steps import fingerprint, read_json

TAGGER = MODELS / "tagger"

Chat = list[dict[str, str]]

_REPORTED = 256  # drafts between two lines of progress
_POLL_SECONDS = 0.2


class Draft(NamedTuple):
    """A text to correct, the mode, and the email that it is a sentence of ("": it stands alone)."""

    text: str
    mode: str
    email: str = ""


def prompts(drafts: Sequence[Draft], tagger: Path | None = None, folder: Path | None = None) -> list[Chat]:
    """The prompt of each draft. UserError for classifiers that cannot be read, or a folder that cannot be written."""
    tagger = tagger or TAGGER
    if not drafts:
        return []
    if folder is None:
        return _measure(drafts, tagger)
    stored = folder / f"evidence-{_key(drafts, tagger)[:16]}.json"
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # as torchrun and accelerate set it
    while (chats := _read(stored, drafts)) is None:
        if first:
            _store(stored, _measure(drafts, tagger))
        else:  # if the first one fails, whatever launched both ends this one
            time.sleep(_POLL_SECONDS)
    return chats


def forget(folder: Path) -> None:
    """Deletes what was stored for a run: it is over, and some words of the drafts are in it."""
    for path in folder.glob("evidence-*.json"):
        path.unlink(missing_ok=True)


def _measure(drafts: Sequence[Draft], folder: Path) -> list[Chat]:
    classifiers = load_classifiers()
    classifiers = replace(classifiers, tagger=Tagger.load(folder, lexicon=classifiers.lexicon))
    chats: list[Chat] = []
    email: tuple[str, str] | None = None
    measured: dict[str, Measured] = {}
    for draft in drafts:
        if (
            draft.email or draft.text,
            draft.mode,
        ) != email:  # the sentences of an email mostly follow one another
            email = (draft.email or draft.text, draft.mode)
            measured = {each.unit.text.strip(): each for each in _units(*email, classifiers)}
        known = measured.get(draft.text.strip()) or _as_one(draft, classifiers)
        chats.append(messages(draft.text, known.evidence, known.mode))
        if len(chats) % _REPORTED == 0 or len(chats) == len(drafts):
            print(f"evidence measured on {len(chats):,} of {len(drafts):,} drafts", file=sys.stderr)
    return chats


def _units(text: str, mode: str, classifiers: Classifiers) -> Iterator[Measured]:
    return measure(Email.read(text, classifiers.lexicon), classifiers, Options(mode))


def _as_one(draft: Draft, classifiers: Classifiers) -> Measured:
    """A text that serving would cut up or leave alone, as one unit."""
    unit = Unit(Part("sentence", draft.text, 0))
    email = Email(draft.text, (), (unit,), frozenset(names(draft.text, classifiers.lexicon)), (), (), ())
    (measured,) = measure(email, classifiers, Options(draft.mode))
    return measured


def _key(drafts: Sequence[Draft], tagger: Path) -> str:
    """Of all that the prompts depend on."""
    files = (MODELS / name for name in ("tone", "lexicon.txt.gz", "judge.json", "thresholds.json"))
    classifiers = [fingerprint(path) for path in (tagger, *files)]
    elsewhere = [os.environ.get(name, "") for name in ("SENTIMENT_MODEL", "POLITENESS_MODEL")]
    inputs = [PROMPT_VERSION, classifiers, elsewhere, drafts]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _store(path: Path, chats: Sequence[Chat]) -> None:
    """What is said of each draft, without the drafts, for this user alone."""
    asked = [chat[:-1] for chat in chats]
    with write_errors(path):
        atomic_write.write(path, json.dumps({"asked": asked, "check": _check(asked)}), mode=0o600)


def _read(path: Path, drafts: Sequence[Draft]) -> list[Chat] | None:
    """The prompts, or None where there is no file or a crash of the machine has torn it."""
    stored = read_json(path)
    asked = stored.get("asked")
    if asked is None or stored.get("check") != _check(asked):
        return None
    return [
        [*each, {"role": "user", "content": text}] for each, (text, *_) in zip(asked, drafts, strict=True)
    ]


def _check(asked: Sequence[Chat]) -> str:
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
