"""Rows of any data set: found by name, cleaned, mixed, split, selected; and one line for what cannot be used."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from space.errors import UserError
from training.finetune import dataset

Load = Callable[..., dataset.Data]


@pytest.fixture(scope="session")
def tokenizer(tiny_llama: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_llama)


@pytest.fixture
def load(tokenizer: Any) -> Load:
    """`load(file, file, option=value)`: chat rows, none held out, by default."""

    def loaded(*datasets: Path | str, **options: Any) -> dataset.Data:
        parser = argparse.ArgumentParser()
        dataset.add_arguments(parser)
        parser.set_defaults(dataset=[str(each) for each in datasets], seed=0, max_length=None)
        args = parser.parse_args([])
        for name, value in ({"task": "chat", "validation_share": 0.0} | options).items():
            assert hasattr(args, name)
            setattr(args, name, value)
        return dataset.load(args, tokenizer)

    return loaded


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="") as out:
            lines = csv.DictWriter(out, list(rows[0]))
            lines.writeheader()
            lines.writerows(rows)
    elif path.suffix == ".parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def numbered(count: int, word: str = "row") -> list[dict[str, Any]]:
    return [{"input": f"{word} {n}?", "output": f"{word} {n}" + "!" * n} for n in range(count)]


def asked(rows: list[dataset.Row]) -> list[str]:
    return [row["prompt"][-1]["content"] for row in rows]


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_every_kind_of_file_gives_the_same_rows(suffix: str, load: Load, tmp_path: Path) -> None:
    rows = load(write(tmp_path / f"rows.{suffix}", numbered(3)))
    assert rows.train == [
        {
            "prompt": [{"role": "user", "content": f"row {n}?"}],
            "completion": [{"role": "assistant", "content": f"row {n}" + "!" * n}],
        }
        for n in range(3)
    ]
    assert rows.validation == [] and rows.dropped == [] and len(rows.fingerprint) == 64


def test_a_data_set_of_the_hub_library_is_read(load: Load, tmp_path: Path) -> None:
    """A folder is loaded by the same call as a repo id."""
    (tmp_path / "set").mkdir()
    write(tmp_path / "set" / "train.jsonl", numbered(3))
    assert asked(load(tmp_path / "set").train) == ["row 0?", "row 1?", "row 2?"]
    with pytest.raises(UserError, match="split no-such-split, cannot be loaded"):
        load(tmp_path / "set", split="no-such-split")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("incorrect", "correct"), ("source", "target"), ("input", "output"), ("wrong", "right"), ("before", "after"), ("text", "location")],
)  # fmt: skip
def test_the_usual_pairs_are_found(given: str, wanted: str, load: Load, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"id": 1, wanted: "Dover is flooded.", given: "Dover is floded."}])
    (row,) = load(path).train
    assert asked([row]) == ["Dover is floded."] and row["completion"][0]["content"] == "Dover is flooded."


def test_columns_are_found_by_name_or_named(load: Load, tmp_path: Path) -> None:
    dolly = {"instruction": "Sum up.", "context": "A long text.", "response": "Short."}
    path = write(tmp_path / "rows.jsonl", [dolly, dolly | {"context": ""}])
    assert asked(load(path).train) == ["Sum up.\n\nA long text.", "Sum up."]
    alone = load(path, input_column=["instruction"], output_column="response")
    assert asked(alone.train) == ["Sum up.", "Sum up."]
    alpaca = {"instruction": "Sum up.", "input": "A long text.", "output": "Short.", "text": "All of it."}
    other = write(tmp_path / "alpaca.jsonl", [alpaca, alpaca | {"input": ""}])
    assert asked(load(other).train) == ["Sum up.\n\nA long text.", "Sum up."]
    assert asked(load(path, input_column=["response"], output_column="context").train) == ["Short."]


def test_messages_and_chats_are_taken_as_they_are(load: Load, tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    answer = {"role": "assistant", "content": "Hello"}
    wanted = [{"prompt": chat, "completion": [answer]}]
    for row in ({"messages": [*chat, answer]}, {"prompt": chat, "completion": [answer]}):
        for task in ("chat", "proofread"):
            assert load(write(tmp_path / "rows.jsonl", [row]), task=task).train == wanted
    said = [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Hi"}]
    shared = {"conversations": [*said, {"from": "gpt", "value": "Hello"}]}
    assert load(write(tmp_path / "rows.jsonl", [shared])).train == wanted
    broken: list[dict[str, Any]] = [{"messages": chat}, {"messages": [*chat, answer]}, {"messages": "text"}]
    rows = load(write(tmp_path / "rows.jsonl", broken))
    assert rows.train == wanted and [index for _, index, _ in rows.dropped] == [0, 2]


def test_drafts_carry_measured_evidence(load: Load, tmp_path: Path) -> None:
    drafts = [
        {"draft": "Please recieve my thanks.", "corrected": "Please receive my thanks."},
        {"draft": "Send it now.", "corrected": "Could you please send it now?", "mode": "polish"},
        {"draft": "A good text.", "corrected": "A good text.", "mode": "translate"},
    ]
    path = write(tmp_path / "rows.jsonl", drafts)
    rows = load(path, task="proofread")
    systems = [row["prompt"][0]["content"] for row in rows.train]
    assert systems[0].startswith("Proofread. Sentiment ") and "Check" not in systems[0]
    assert systems[1].startswith("Polish. Sentiment ") and "Check" not in systems[1]
    assert asked(rows.train) == [row["draft"] for row in drafts[:2]]
    assert rows.dropped == [(str(path), 2, "unknown mode 'translate'")]


def test_missing_values_are_dropped_and_told(
    load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = numbered(6)
    rows[1]["output"] = None
    rows[2]["input"] = "  "
    rows[4]["output"] = float("nan")
    del rows[5]["output"]
    path = write(tmp_path / "rows.jsonl", rows)
    loaded = load(path)
    assert asked(loaded.train) == ["row 0?", "row 3?"]
    assert sorted(index for _, index, _ in loaded.dropped) == [1, 2, 4, 5]
    assert f"{path}: 3 rows left out (no text in 'output'): 1, 4, 5" in capsys.readouterr().err


def test_the_split_is_eighty_to_twenty_and_seeded(load: Load, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", numbered(50))
    first = load(path, validation_share=0.2)
    assert (len(first.train), len(first.validation)) == (40, 10)
    assert sorted(asked(first.train) + asked(first.validation)) == sorted(f"row {n}?" for n in range(50))
    assert load(path, validation_share=0.2) == first
    other = load(path, validation_share=0.2, seed=1)
    assert asked(other.validation) != asked(first.validation) and other.fingerprint != first.fingerprint


def test_drafts_of_one_text_stay_on_one_side(load: Load, tmp_path: Path) -> None:
    drafts = [{"draft": f"Draft {n} of text {n % 5}.", "corrected": f"Text {n % 5}."} for n in range(20)]
    rows = load(write(tmp_path / "rows.jsonl", drafts), task="proofread", validation_share=0.2)
    sides = [{row["completion"][0]["content"] for row in part} for part in (rows.train, rows.validation)]
    assert len(rows.validation) == 4 and not sides[0] & sides[1]


def test_corrections_of_one_draft_stay_on_one_side(load: Load, tmp_path: Path) -> None:
    """Two people correct it differently, and one of them corrects something else as the other did."""
    chats = [
        {"prompt": [{"role": "user", "content": f"Draft {n // 2}."}], "completion": f"Text {n}."}
        for n in range(40)
    ]
    chats += [
        {"prompt": [{"role": "user", "content": f"Draft {n}b."}], "completion": f"Text {n}."}
        for n in range(0, 40, 2)
    ]
    path = write(tmp_path / "rows.jsonl", chats)
    for seed in range(5):
        rows = load(path, task="proofread", validation_share=0.2, seed=seed)
        numbers = [
            {int(row["completion"][0]["content"][5:-1]) // 2 for row in part}
            for part in (rows.train, rows.validation)
        ]
        assert len(rows.validation) == 12 and not numbers[0] & numbers[1]


def test_a_text_with_many_drafts_does_not_fill_the_held_out_side(load: Load, tmp_path: Path) -> None:
    many = [{"draft": f"Draft {n}.", "corrected": "One text."} for n in range(90)]
    few = [{"draft": f"Another {n}.", "corrected": f"Text {n}."} for n in range(10)]
    path = write(tmp_path / "rows.jsonl", [*many, *few])
    for seed in range(5):
        rows = load(path, task="chat", validation_share=0.05, seed=seed)
        assert len(rows.validation) == 5
    path = write(tmp_path / "chats.jsonl", [{"prompt": [{"role": "user", "content": row["draft"]}],
                                             "completion": row["corrected"]} for row in (*many, *few)])  # fmt: skip
    for seed in range(5):
        assert len(load(path, task="proofread", validation_share=0.05, seed=seed).validation) == 5


def test_what_is_held_out_is_not_learnt(load: Load, tmp_path: Path) -> None:
    path, own = (write(tmp_path / f"{name}.jsonl", numbered(n)) for name, n in (("rows", 5), ("own", 2)))
    rows = load(path, validation=str(own))
    assert asked(rows.train) == ["row 2?", "row 3?", "row 4?"] and len(rows.validation) == 2
    assert rows.dropped == [(str(path), n, "it is among the held-out rows") for n in range(2)]
    with pytest.raises(UserError, match="no row is left to learn from"):
        load(path, validation=str(path))


def test_a_chat_that_the_template_refuses_is_left_out(tokenizer: Any, load: Load, tmp_path: Path) -> None:
    chats = [[{"role": role, "content": "Hi"} for role in roles] for roles in (("system", "user"), ("user",))]
    path = write(tmp_path / "rows.jsonl", [{"prompt": chat, "completion": "Hello"} for chat in chats])
    before = tokenizer.chat_template
    refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    tokenizer.chat_template = refuses + before
    try:
        rows = load(path)
    finally:
        tokenizer.chat_template = before
    assert len(rows.train) == 1
    assert rows.dropped == [(str(path), 0, "the chat template refuses it: no system role")]


def test_own_held_out_rows(load: Load, tmp_path: Path) -> None:
    own = write(tmp_path / "own.csv", numbered(2, "held"))
    rows = load(write(tmp_path / "rows.jsonl", numbered(5)), validation=str(own), validation_share=0.2)
    assert len(rows.train) == 5 and asked(rows.validation) == ["held 0?", "held 1?"]


def test_mixtures_have_the_shares_that_were_asked_for(load: Load, tmp_path: Path) -> None:
    many, few = (
        write(tmp_path / f"{word}.jsonl", numbered(count, word))
        for word, count in (("many", 60), ("few", 10))
    )
    assert len(load(many, few).train) == 70
    mixed = asked(load(many, few, mixture_weights=[3, 1]).train)
    assert sum(text.startswith("many") for text in mixed) == 30 and len(set(mixed)) == 40
    with pytest.raises(UserError, match="one number of 0 or more for each --dataset: 1 for 2"):
        load(many, few, mixture_weights=[1])


def test_selection_by_length_and_chance(load: Load, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", numbered(30))
    assert asked(load(path, top_k_longest=3).train) == ["row 27?", "row 28?", "row 29?"]
    drawn = asked(load(path, random_k=7).train)
    assert len(set(drawn)) == 7 and drawn != asked(load(path, random_k=7, seed=1).train)
    lengths = load(path).lengths
    assert lengths == sorted(lengths)
    rows = load(path, min_tokens=lengths[5], max_tokens=lengths[20])
    assert set(rows.lengths) <= set(range(lengths[5], lengths[20] + 1)) and len(rows.train) >= 16
    assert len(rows.train) + len(rows.dropped) == 30
    held = load(path, top_k_longest=3, validation_share=0.2)
    assert len(held.validation) == 6  # what is held out does not depend on the selection


def test_rows_that_do_not_fit_are_left_out(load: Load, tmp_path: Path) -> None:
    long = {"draft": "It is long. " * 30, "corrected": "It is long. " * 30}
    short = {"draft": "It is.", "corrected": "It is."}
    path = write(tmp_path / "rows.jsonl", [long, short])
    rows = load(path, task="proofread", max_length=300)
    assert asked(rows.train) == ["It is."] and rows.dropped == [(str(path), 0, "longer than 300 tokens")]
    chat = {"output_column": "corrected", "input_column": ["draft"]}
    assert len(load(path, max_length=500, **chat).train) == 2  # an answer may be cut
    assert len(load(path, max_length=300, **chat).train) == 1  # but there must be one


@pytest.mark.parametrize(
    ("rows", "options", "reported"),
    [
        ([{"a": "x", "b": "y"}], {}, "say with --input_column which column it is; its columns are: a, b"),
        (
            [{"input": "x", "b": "y"}],
            {},
            "say with --output_column which column it is; its columns are: input, b",
        ),
        ([{"a": "x", "b": "y"}], {"input_column": ["c"]}, "has no column 'c'; its columns are: a, b"),
        ([{"input": "", "output": "y"}] * 3, {}, "has no usable row: 3 read, 3 left out"),
        (numbered(1), {"validation_share": 1.0}, "--validation_share 1.0: give 0 or more and less than 1"),
        (numbered(1), {"top_k_longest": 0}, "--top_k_longest 0: give 1 or more"),
        (numbered(1), {"tagger": Path("no-tagger"), "task": "proofread"}, "tags.json is missing"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    rows: list[dict[str, Any]], options: dict[str, Any], reported: str, load: Load, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        load(write(tmp_path / "rows.jsonl", rows), **options)
    assert reported in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "reported"),
    [
        ("rows.jsonl", "{", "line 1 is not JSON"),
        ("rows.json", "{", "cannot be read"),
        ("rows.json", '{"a": 1}', "is not a list of rows"),
        ("rows.parquet", "no parquet", "cannot be read"),
        ("rows.csv", "input,output\n\xff", "cannot be read"),
        ("rows.csv", "input,output", "has no row"),
        ("rows.csv", "a,b\n1,2,3", "its columns are: a, b"),
        ("rows.txt", "a", "rows.txt is no file of rows: they are read from .csv"),
    ],
)
def test_broken_files_are_one_line(
    name: str, content: str, reported: str, load: Load, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=reported) as error:
        load(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_data_set_that_is_broken_is_one_line(load: Load, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text('{"input": "a"}\n{"input": \n')
    with pytest.raises(UserError, match="set cannot be read: .*JSON") as error:
        load(tmp_path / "set")
    assert "\n" not in str(error.value)


def test_no_data_is_one_line(load: Load, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data: name a file or a Hub repo id with --dataset"):
        load()
    with pytest.raises(UserError, match="does not exist: name a file"):
        load(tmp_path / "none.csv")
    with pytest.raises(UserError, match="data set no/such-set, split train, cannot be loaded"):
        load("no/such-set")
