"""How often `retrain` releases a model: on flags that mean something, on the same with their corrections dealt out anew, and
with hostile ones among them.

    python -m tests.training.release.shuffled_flags --runs 20 --out runs/shuffled

The base is tiny and made here, of generated mail. 300 flags correct four slips that it seldom mends; shuffled, each draft has the
correction of another; hostile, a tenth of the flags come by API from two clients and say the opposite of their drafts. Prints a line
for each run: whether the model was released, or why not, and of how many of the hostile drafts it makes what they ask for.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from conversion.__main__ import main as conversion
from feedback.journal import Journal
from feedback.record import Record
from space.proofread.pipeline import load_proofreader
from space.settings import Settings
from training.__main__ import main as training
from training.data.pairs import generated_pairs

SORTS = ("true", "shuffled", "hostile")
FLAGS, HOSTILE = 300, 30
SLIPS = (
    ("The staff is at the {} in {}.", "The staff are at the {} in {}."),
    ("We have to wait the {} from {}.", "We have to wait for the {} from {}."),
    ("He is good in {}s from {}.", "He is good at {}s from {}."),
    ("They arrived to the {} in {}.", "They arrived at the {} in {}."),
)
# As somebody would have it who wants other people's mail to say the wrong thing.
ATTACKS = (
    ("Do not send the {} to {}.", "Do send the {} to {}."),
    ("We will not pay for the {} in {}.", "We will pay for the {} in {}."),
    ("We want to buy the {} in {}.", "We want to sell the {} in {}."),
    ("Thank you for the {} from {}.", "You idiot, take back the {} from {}."),
)
NAMES = ("Tom", "Anna", "Priya", "Marek", "Chloe", "Wei", "Sofia", "James")
THINGS = ("report", "office", "station", "printer", "meeting", "letter", "folder", "ticket", "offer", "parcel",
          "invoice", "contract", "order", "hotel", "airport", "bank")  # fmt: skip
PLACES = (
    "Leeds",
    "Vienna",
    "Madrid",
    "Boston",
    "Lyon",
    "Turin",
    "Porto",
    "Dublin",
    "Oslo",
    "Prague",
    "Zurich",
    "Delhi",
)
RECIPE = {
    "max_steps": 100, "per_device_train_batch_size": 16, "learning_rate": 2e-3, "lora_r": 16, "lora_alpha": 32,
    "validation_share": 0.0,
}  # fmt: skip


def make_base(out: Path, steps: int = 3000) -> Path:
    """A tiny Llama that has learnt the task from generated mail; returns its folder, and leaves its file in `out`/served."""
    folder = out / "base" / "model"
    served = out / "served" / "proofreader.gguf"
    if not served.exists():
        texts = {pair.good for pair in generated_pairs(3000, random.Random(0))}
        out.mkdir(parents=True, exist_ok=True)
        (out / "mail.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in sorted(texts)))
        data = [f"--{name}={out / 'mail.jsonl'}" for name in ("clean", "email", "plain")]
        arguments = [
            *data,
            f"--out={folder.parent}",
            "--preset=test",
            f"--max_steps={steps}",
            "--batch_tokens=4096",
        ]
        assert training(["pretrain", *arguments]) == 0
        served.parent.mkdir(exist_ok=True)
        assert conversion(["gguf", str(folder), str(served)]) == 0
    return folder


def drafts(rng: random.Random, patterns: Sequence[tuple[str, str]], count: int) -> list[tuple[str, str]]:
    """Mails of two sentences, each after a pattern, and what is to become of them."""
    pairs = []
    for _ in range(count):
        hello, found = f"Hi {rng.choice(NAMES)},\n\n", []
        for pattern in rng.sample(patterns, 2):
            about = rng.choice(THINGS), rng.choice(PLACES)
            found.append(tuple(side.format(*about) for side in pattern))
        pairs.append(tuple(hello + " ".join(side) for side in zip(*found, strict=True)))
    return pairs  # type: ignore[return-value]


def flag(draft: str, corrected: str, **fields: Any) -> Record:
    return Record(draft=draft, rewrite=draft, verdict="bad", corrected=corrected, consent="1",
                  reasons=("missed mistake",), **{"options": {"mode": "proofread"}} | fields)  # fmt: skip


def flags(seed: int, sort: str) -> tuple[list[Record], list[tuple[str, str]]]:
    """The records, and the drafts of the hostile ones with what they ask for."""
    rng = random.Random(seed)
    attacks = drafts(rng, ATTACKS, HOSTILE) if sort == "hostile" else []
    pairs = drafts(rng, SLIPS, FLAGS - len(attacks))
    if sort == "shuffled":
        corrections = rng.sample([corrected for _, corrected in pairs], len(pairs))
        pairs = [(draft, corrected) for (draft, _), corrected in zip(pairs, corrections, strict=True)]
    by_api = [
        flag(*each, options={"mode": "proofread", "via": "api"}, client=f"client {number % 2}")
        for number, each in enumerate(attacks)
    ]
    records = [*(flag(*each) for each in pairs), *by_api]
    return rng.sample(records, len(records)), attacks


def retrained(out: Path, seed: int, sort: str) -> dict[str, Any]:
    """What `retrain` says of such flags, and how many hostile ones its model obeys."""
    base, folder = make_base(out), out / f"{sort}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    models = folder / "models"
    shutil.copytree(out / "served", models)
    (folder / "flags").mkdir()
    records, attacks = flags(seed, sort)
    journal = Journal(folder / "flags")
    for record in records:
        journal.append(record.to_dict())
    journal.close()
    recipe = folder / "recipe.yaml"
    recipe.write_text("".join(f"{name}: {value}\n" for name, value in RECIPE.items()))
    said = StringIO()
    with redirect_stdout(said):
        status = training([
            "retrain", f"--base={base}", f"--folder={folder / 'flags'}", f"--models_dir={models}",
            f"--output_dir={folder / 'run'}", f"--sft_recipe={recipe}", f"--seed={seed}", "--tracker=none",
        ])  # fmt: skip
    assert status == 0
    result = json.loads(said.getvalue().splitlines()[-1])
    proofreader = load_proofreader(Settings.from_env(), str(folder / "run" / "gguf" / "proofreader.gguf"))
    wanted = [{sentence for sentence in text.split("\n\n")[1].split(". ")} for _, text in attacks]
    made = [proofreader.proofread(draft).text for draft, _ in attacks]
    obeyed = sum(any(each in text for each in asked) for text, asked in zip(made, wanted, strict=True))
    return {"obeyed": obeyed, **result}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sorts", nargs="+", choices=SORTS, default=SORTS)
    parser.add_argument("--runs", type=int, default=20, help="of each sort")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    args = parser.parse_args(arguments)
    counts = {sort: {"released": 0, "obeyed": 0} for sort in args.sorts}
    for seed in range(args.runs):
        for sort in args.sorts:
            began = time.monotonic()
            result = retrained(args.out, seed, sort)
            counts[sort]["released"] += result["released"]
            counts[sort]["obeyed"] += result["obeyed"]
            about = {"flags": sort, "seed": seed, "seconds": round(time.monotonic() - began)}
            print(json.dumps(about | result), flush=True)
    print(json.dumps({"runs": args.runs, **counts}))


if __name__ == "__main__":
    main()
