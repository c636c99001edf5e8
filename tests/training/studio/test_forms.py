"""Forms: every option of a command a field, and whatever a form holds comes back from the command's own parser."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.errors import UserError
from training.__main__ import COMMANDS, _parse
from training.finetune import dataset, prefer, recipes, sft
from training.studio import forms
from training.studio.forms import Field, command, fields, shown

REQUIRED = {"sft": {}, "search": {"model": "base", "output_dir": "out"}}


def field(name: str, of: str = "sft", recipe: str | None = None) -> Field:
    return next(each for each in fields(of, recipe) if each.name == name)


def parsed(arguments: list[str]) -> dict[str, Any]:
    assert arguments[:2] == ["-m", "training"]
    return vars(_parse(arguments[2:]))


def test_a_field_says_all_that_a_form_shows() -> None:
    assert field("lora_r") == Field(
        "lora_r", "LoRA (of a new adapter)", "Rank.", "integer", 32, (), least=1, most=None
    )
    assert field("task").kind == "choice" and field("task").choices == ("proofread", "chat")
    kinds = {
        name: field(name).kind for name in ("learning_rate", "dataset", "tagger", "model", "packing", "bf16")
    }
    assert list(kinds.values()) == ["number", "list", "path", "text", "flag", "flag"]
    assert field("rank_by", "search").choices == ("loss", "gleu", "clean")
    assert field("folders", "compare").kind == "list"  # without a name on the command line
    assert field("learning_rate").allowed() == "more than 0" and field("lora_dropout").allowed() == ""
    assert field("validation_share").allowed() == "0 or more and less than 1"
    assert {"use_flash_attn", "no_gradient_checkpointing", "help"}.isdisjoint(
        each.name for each in fields("sft")
    )


@pytest.mark.parametrize("name", ["sft", "search"])
def test_every_field_is_explained(name: str) -> None:
    assert [each.name for each in fields(name) if not each.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_defaults_are_left_out(name: str) -> None:
    assert command(name, {each.name: each.default for each in fields(name)}) == ["-m", "training", name]
    assert command(name, {each.name: None for each in fields(name)}) == ["-m", "training", name]


def test_a_recipe_comes_first_and_its_values_are_the_defaults() -> None:
    assert field("lora_r", recipe="one_gpu").default == 16
    filled_in = {each.name: each.default for each in fields("sft", "one_gpu")} | {"recipe": "one_gpu"}
    assert command("sft", filled_in)[3:] == ["--recipe=one_gpu"]
    changed = filled_in | {"lora_r": 32, "gradient_checkpointing": False}  # as without the recipe
    assert command("sft", changed)[3:] == ["--recipe=one_gpu", "--lora_r=32", "--no-gradient_checkpointing"]
    assert parsed(command("sft", changed))["gradient_checkpointing"] is False
    assert command("sft", {"recipe": "one_gpu"})[3:] == ["--recipe=one_gpu"]


def test_what_a_recipe_sets_and_no_option_takes_back_is_said(tmp_path: Path) -> None:
    recipe = tmp_path / "packed.yaml"
    recipes.write(recipe, {"packing": True})
    assert command("sft", {"recipe": str(recipe), "packing": True})[3:] == [f"--recipe={recipe}"]
    with pytest.raises(UserError, match="^packing: the recipe sets it"):
        command("sft", {"recipe": str(recipe), "packing": False})


# ---- whatever a form holds ----

# What people, and files, are called: blanks, dashes, quotes, signs of equality, other scripts.
TEXTS = st.one_of(
    st.sampled_from(["-x", "--lora_r=3", "-1", "a b", " a", "it's", "a=b", "", "日本", "a\nb", "$(x)"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8),
).filter(lambda text: text.strip() and text != "--")  # which argparse drops


def values_of(each: Field) -> st.SearchStrategy[Any]:
    """Values that a form may hold for a field, as its command would have them."""
    if each.kind == "flag":
        return st.just(True) if each.default is False else st.booleans()
    if each.kind == "choice":
        return st.sampled_from(each.choices)
    least, most = each.least, each.most
    whole = st.integers(-(2**40) if least is None else int(least), None if most is None else int(most))
    number = st.floats(least, most, allow_nan=False, allow_infinity=False)
    texts: st.SearchStrategy[Any] = st.sampled_from(each.choices) if each.choices else TEXTS
    if each.name in ("type", "recipe"):
        return st.none()
    singles = {"integer": whole, "number": number, "path": TEXTS.map(Path), "text": texts}
    if each.kind != "list":
        return singles[each.kind]
    items = {"mixture_weights": number, "rungs": whole, "recipes": TEXTS.map(Path)}.get(each.name, texts)
    lists = st.lists(items, min_size=1, max_size=3)
    if each.name in ("input_column", "target_modules"):  # of several, none can begin with a dash
        lists = lists.filter(lambda some: len(some) == 1 or not any(one.startswith("-") for one in some))
    return lists


@pytest.mark.parametrize("name", ["sft", "search"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_a_form_holds_comes_back_from_the_parser(name: str, data: st.DataObject) -> None:
    known = {each.name: each for each in fields(name)}
    chosen = data.draw(st.sets(st.sampled_from(sorted(known)), max_size=8)) - {"recipe"}
    values = REQUIRED[name] | {each: data.draw(values_of(known[each]), label=each) for each in sorted(chosen)}
    arguments = command(name, values)
    found = parsed(arguments)
    for key, value in values.items():
        assert found[key] == (Path(value) if known[key].kind == "path" else value), key
    assert {key: found[key] for key in known if key not in values} == {
        key: each.default for key, each in known.items() if key not in values
    }
    assert shlex.split(shown([arguments])) == ["python", *arguments]


def test_forms_give_numbers_and_lists_in_their_own_way() -> None:
    arguments = command(
        "sft",
        {"lora_r": 8.0, "learning_rate": "2e-4", "target_modules": "q_proj\n\nv_proj\n", "run_name": " "},
    )
    assert arguments[3:] == ["--lora_r=8", "--target_modules", "q_proj", "v_proj", "--learning_rate=0.0002"]
    assert command("compare", {"folders": ["-x", "b"]})[3:] == ["--", "./-x", "b"]
    assert command("search", {"recipes": ["-x", "b"]})[3:] == ["--recipes", "./-x", "b"]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"lora_r": 0}, "lora_r: 0: give 1 or more"),
        ({"lora_r": 1.5}, "lora_r: '1.5' is no whole number"),
        ({"lora_r": True}, "lora_r: 'True' is no whole number"),
        ({"learning_rate": 0}, "learning_rate: 0: give more than 0"),
        ({"learning_rate": "fast"}, "learning_rate: 'fast' is no number"),
        ({"lora_dropout": float("inf")}, "lora_dropout: inf: give a finite number"),
        ({"weight_decay": float("nan")}, "weight_decay: nan: give 0 or more"),
        ({"validation_share": 1}, "validation_share: 1: give 0 or more and less than 1"),
        ({"mixture_weights": [1, -1]}, "mixture_weights: -1: give 0 or more"),
        ({"task": "poem"}, "task: 'poem' is none of proofread, chat"),
        ({"packing": "yes"}, "packing: 'yes' is neither yes nor no"),
        ({"dataset": 3}, "dataset: 3 is no list"),
        ({"input_column": ["-a", "b"]}, "input_column: '-a' begins with a dash: it can only be given alone"),
        ({"run_name": "--"}, "run_name: '--' cannot be given on a command line"),
        ({"run_name": "a\0b"}, "run_name: no command can be given the character NUL"),
        ({"rank": 3}, "sft has no option 'rank'"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_one_line(values: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as error:
        command("sft", values)
    assert str(error.value) == line


def test_commands_and_options_that_do_not_go_together_are_one_line() -> None:
    with pytest.raises(UserError, match="^there is no command 'fly'$"):
        fields("fly")
    with pytest.raises(UserError, match="^search has no option 'recipe'$"):
        command("search", {"recipe": "one_gpu"})
    with pytest.raises(UserError, match="^there is no recipe none; shipped ones are: "):
        command("sft", {"recipe": "none"})
    with pytest.raises(UserError, match="^--export: not allowed with argument --folder$"):
        command("retrain", {"folder": "a", "export": "b"})


# ---- the ranges are those that the commands check ----


def ranged(name: str, skipped: set[str]) -> list[tuple[str, str]]:
    return [(name, each.name) for each in fields(name) if each.least is not None and each.name not in skipped]


RANGED = ranged("sft", {"mixture_weights", "price_per_hour"}) + ranged(
    "prefer", {"price_per_hour", "validation_share"}
)


@pytest.mark.parametrize(("name", "option"), RANGED)
def test_a_command_refuses_what_its_form_refuses(name: str, option: str, tmp_path: Path) -> None:
    least = field(option, name).least
    assert least is not None
    below = 0 if least > 0 else -1
    with pytest.raises(UserError):
        command(name, {option: below})
    given = [f"--model={tmp_path}", f"--output_dir={tmp_path}", "--dataset=a.jsonl", "--tracker=none"]
    args = _parse([name, *given, f"--{option}={below}"])
    with pytest.raises(UserError, match=f"^--{option} {below}"):
        if option in forms._ROWS:
            dataset.load(args, None)  # read after the options were checked
        else:
            {"sft": sft.fine_tune, "prefer": prefer.prefer}[name](args)


def test_a_command_takes_the_ends_of_every_range(tmp_path: Path) -> None:
    ends = {
        each.name: each.least
        for each in fields("sft")
        if each.least is not None and each.name != "mixture_weights"
    }
    values = ends | {"model": str(tmp_path), "output_dir": str(tmp_path), "dataset": ["a.jsonl"], "tracker": "none",
                     "validation": "b.jsonl"}  # fmt: skip
    with pytest.raises(
        UserError, match="config.json|cannot be loaded"
    ):  # of the model: nothing else was wrong
        sft.fine_tune(_parse(command("sft", values)[2:]))
