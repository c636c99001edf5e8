"""What is in a data set: counted with a tokenizer and without, near-duplicates and overlap found, one line for what cannot be."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from training.__main__ import main
from training.finetune import dataset
from training.finetune.duplicates import near_duplicates

LONG = "We hope that the new contract will reach you before the end of this week, and that all of its terms are as agreed"


@pytest.fixture
def inspected(capsys: pytest.CaptureFixture[str]) -> Any:
    """`inspected(file, "--option=value")`: the report, of chat rows with none held out by default."""

    def run(path: Path, *options: str) -> dict[str, Any]:
        given = [f"--dataset={path}", "--task=chat", "--validation_share=0", *options]
        assert main(["inspect", *given]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        return json.loads(line)

    return run


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": n, "draft": f"Count to {n}.", "corrected": "1 " * n} for n in range(1, count + 1)]


def test_columns_preview_and_what_is_left_out(inspected: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [*rows(30), {"draft": "Hi"}, {"draft": None, "corrected": "Hi"}])
    report = inspected(path, "--validation_share=0.2")
    assert report["rows"] == 32 and report["columns"] == ["id", "draft", "corrected"]
    assert (report["input"], report["output"]) == (["draft"], "corrected")
    assert len(report["preview"]) == 20
    assert report["preview"][1] == {"prompt": "Count to 2.", "completion": "1 1 "}
    assert (report["train"], report["validation"]) == (24, 6)
    assert report["dropped"] == [
        {"dataset": str(path), "row": 30, "why": "no text in 'corrected'"},
        {"dataset": str(path), "row": 31, "why": "no text in 'draft'"},
    ]
    assert report["dropped_count"] == 2
    assert report["dropped_by_reason"] == {"no text in 'corrected'": 1, "no text in 'draft'": 1}
    assert report["lengths"] == [] and report["tokens"] == 0


def test_a_tokenizer_counts_as_training_does(inspected: Any, tiny_llama: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    path, picture = write(tmp_path / "rows.jsonl", rows(40)), tmp_path / "lengths.png"
    report = inspected(path, f"--model={tiny_llama}", "--max_tokens=60", f"--picture={picture}")
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    first = [{"role": "user", "content": "Count to 1."}, {"role": "assistant", "content": "1 "}]
    assert report["lengths"][0] == dataset.count_tokens(tokenizer, first)
    assert report["tokens"] == sum(report["lengths"]) and max(report["lengths"]) <= 60
    assert report["dropped_by_reason"] == {"longer than 60 tokens": 40 - report["train"]}
    assert report["train"] == len(report["lengths"]) < 40
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_messages_are_read_without_the_system_message(inspected: Any, tmp_path: Path) -> None:
    chat = [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Bye"),
        ("assistant", "Bye!"),
    ]
    path = write(
        tmp_path / "chats.jsonl", [{"messages": [{"role": role, "content": said} for role, said in chat]}]
    )
    report = inspected(path)
    assert (report["input"], report["output"]) == (["messages"], "messages")
    assert report["preview"] == [{"prompt": "Hi\n\nHello\n\nBye", "completion": "Bye!"}]


def test_near_duplicates_are_paired_with_the_first(inspected: Any, tmp_path: Path) -> None:
    drafts = [
        LONG + ".",
        "Count to 3.",
        LONG.upper() + "!",
        "count to 3",
        LONG + " by us all.",
        "Count to 4.",
    ]
    path = write(tmp_path / "rows.jsonl", [{"draft": draft, "corrected": "Yes."} for draft in drafts])
    report = inspected(path)
    assert [pair["rows"] for pair in report["near_duplicates"]] == [[0, 2], [1, 3], [0, 4]]
    assert report["near_duplicate_count"] == 3
    assert report["near_duplicates"][1]["text"] == "count to 3"
    assert report["near_duplicates"][1]["datasets"] == [str(path)] * 2


def test_the_threshold_is_that_of_all_pairs() -> None:
    """Against every pair compared in full: variants of a few texts, with 0 to 7 of their words replaced."""
    rng = random.Random(0)
    bases = [[f"w{rng.randrange(2000)}" for _ in range(80)] for _ in range(6)]
    texts = []
    for _ in range(120):
        words = list(rng.choice(bases))
        start, changed = rng.randrange(60), rng.randrange(8)
        words[start : start + changed] = [f"x{rng.randrange(10**9)}" for _ in range(changed)]
        texts.append(" ".join(words))
    grams = [{" ".join(t.split()[i : i + 5]) for i in range(76)} for t in texts]

    def alike(i: int, j: int) -> bool:
        return len(grams[i] & grams[j]) >= 0.8 * len(grams[i] | grams[j])

    found = near_duplicates(texts)
    assert all(first < later and alike(first, later) for first, later in found)
    repeated = {later for _, later in found}
    firsts = [i for i in range(len(texts)) if i not in repeated]
    missed = [(i, j) for j in firsts for i in firsts if i < j and alike(i, j)]
    assert 20 < len(repeated) < 110 and missed == []


def test_many_rows_of_one_text_are_found_at_once() -> None:
    """Four thousand variants of one text: compared with each other they would be eight million pairs."""
    texts = [f"{LONG} {n}." for n in range(4000)]
    began = time.thread_time()
    assert len(near_duplicates(texts)) == 3999
    assert time.thread_time() - began < 30  # measured: 1 s


def test_overlap_with_an_evaluation_set_is_eight_words_in_a_row(inspected: Any, tmp_path: Path) -> None:
    drafts = ["Indeed: " + LONG.lower() + "?", " ".join(LONG.split()[:7]), "Count to 3."]
    path = write(tmp_path / "rows.jsonl", [{"draft": draft, "corrected": "Yes."} for draft in drafts])
    against = [
        write(tmp_path / "seen.jsonl", [{"id": 1, "references": ["Other.", LONG]}]),
        write(
            tmp_path / "unseen.jsonl", [{"text": "Nothing of this has ever been in any of the rows above."}]
        ),
    ]
    report = inspected(path, "--against", *map(str, against))
    (found,) = report["overlap"]
    assert (found["file"], found["row"], report["overlap_count"]) == (str(against[0]), 0, 1)
    assert LONG.lower() in found["text"]


def test_columns_that_cannot_be_guessed_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "rows.jsonl", [{"eins": "a", "zwei": "b"}] * 3)
    assert main(["inspect", f"--dataset={path}"]) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["rows"] == 3 and report["columns"] == ["eins", "zwei"]
    assert report["input"] == [] and report["output"] is None and report["train"] == 0
    assert "say with --input_column which column it is; its columns are: eins, zwei" in said.err


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (["--dataset=none.csv"], "none.csv does not exist"),
        ([], "no data: name a file or a Hub repo id with --dataset"),
        (
            ["--dataset=ROWS", "--input_column=no"],
            "has no column 'no'; its columns are: id, draft, corrected",
        ),
        (["--dataset=ROWS", "--against=none.jsonl"], "none.jsonl does not exist"),
        (["--dataset=ROWS", "--picture=a.png"], "--picture draws lengths in tokens: say with --model whose"),
        (["--dataset=ROWS", "--model=no/such-model"], "no/such-model cannot be loaded as a language model"),
        (["--dataset=ROWS", "--random_k=0"], "--random_k 0: give 1 or more"),
    ],
)
def test_bad_input_is_one_line(
    options: list[str], reported: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "rows.jsonl", rows(3))
    assert main(["inspect", *(option.replace("ROWS", str(path)) for option in options)]) == 2
    said = capsys.readouterr()
    assert reported in said.err and said.err.count("\n") == 1 and not said.out
