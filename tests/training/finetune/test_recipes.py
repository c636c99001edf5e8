"""Recipes: every shipped one is good, values take the place of defaults, and what does not fit is one line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from space.errors import UserError
from training.finetune import recipes, sft

SHIPPED = sorted(recipes.FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_fit(path: Path) -> None:
    recipe = recipes.read(path)
    args = vars(recipes.arguments(recipe))
    assert recipe and all(args[name] == value for name, value in recipe.items())


def test_the_configurations_of_the_halving_are_six_different_ones() -> None:
    names = ("learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps", "lora_r", "lora_alpha", "lora_dropout")  # fmt: skip
    read = [recipes.read(path) for path in SHIPPED if path.stem.startswith("halving_")]
    values = [tuple(recipe[name] for name in names) for recipe in read]
    assert (2e-4, 16, 4, 8, 16, 0) in values and (5e-4, 12, 4, 8, 8, 0) in values and len(set(values)) == 6


def test_values_take_the_place_of_defaults() -> None:
    args = recipes.arguments(
        {"lora_r": 4, "learning_rate": "2e-4", "dataset": "a.csv", "target_modules": "q_proj"}
    )
    assert (args.lora_r, args.learning_rate) == (4, 2e-4)
    assert (args.dataset, args.target_modules) == (["a.csv"], ["q_proj"])
    assert args.lora_alpha == 64 and args.validation is None


def test_null_is_as_if_it_were_not_there() -> None:
    assert recipes.arguments({"max_length": None, "seed": None}) == recipes.arguments({})


def test_what_is_given_on_the_command_line_wins() -> None:
    parser = argparse.ArgumentParser()
    sft.add_arguments(parser)
    recipes.set_defaults(parser, {"dataset": ["a.csv", "b.csv"], "bf16": False, "lora_r": 4, "seed": 3})
    args = parser.parse_args(["--dataset=c.csv", "--dataset=d.csv", "--bf16", "--lora_r=8"])
    assert (args.dataset, args.bf16, args.lora_r, args.seed) == (["c.csv", "d.csv"], True, 8, 3)


def test_options_have_the_names_of_other_scripts_too() -> None:
    parser = argparse.ArgumentParser()
    sft.add_arguments(parser)
    recipes.set_defaults(parser, {"attn_implementation": "sdpa", "gradient_checkpointing": True})
    ours = parser.parse_args(
        "--model=m --dataset=a.csv --input_column=q --output_column=a --max_length=99 --per_device_train_batch_size=3 "
        "--warmup_steps=7 --logging_steps=2 --eval_steps=4 --save_steps=8 --no-gradient_checkpointing "
        "--attn_implementation=flash_attention_2".split()
    )
    theirs = parser.parse_args(
        "--model_path=m --dataset_name=a.csv --input_column_name=q --output_column_name=a --seq_length=99 --batch_size=3 "
        "--num_warmup_steps=7 --log_freq=2 --eval_freq=4 --save_freq=8 --no_gradient_checkpointing --use_flash_attn".split()
    )
    assert ours == theirs
    assert (
        parser.parse_args([]).gradient_checkpointing and parser.parse_args([]).attn_implementation == "sdpa"
    )


def test_a_recipe_is_read_as_it_was_written(tmp_path: Path) -> None:
    recipe = {
        "learning_rate": 2e-4,
        "dataset": ["a.csv"],
        "packing": True,
        "output_dir": tmp_path,
        "validation": None,
    }
    recipes.write(tmp_path / "new" / "recipe.yaml", recipe)
    read = recipes.read(tmp_path / "new" / "recipe.yaml")
    assert read == {"learning_rate": 2e-4, "dataset": ["a.csv"], "packing": True, "output_dir": str(tmp_path)}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["recipe.yaml"]
    assert vars(recipes.arguments(read)).items() >= read.items()


def test_a_shipped_recipe_is_known_by_its_name() -> None:
    assert recipes.read("proofreader") == recipes.read(recipes.FOLDER / "proofreader.yaml")


@pytest.mark.parametrize(
    ("recipe", "reported"),
    [
        ({"lora_rank": 4}, "there is no option 'lora_rank'; did you mean 'lora_r'?"),
        ({"zzz": 4}, "there is no option 'zzz'; see --help"),
        ({"recipe": "x"}, "there is no option 'recipe'"),
        ({"learning_rate": "fast"}, "learning_rate: 'fast' does not fit"),
        ({"lora_r": 4.5}, "lora_r: 4.5 does not fit"),
        ({"lora_r": [4]}, "lora_r: [4] does not fit"),
        ({"bf16": "maybe"}, "bf16: 'maybe' does not fit"),
        ({"lora_r": True}, "lora_r: True does not fit"),
        ({"task": "sing"}, "task: 'sing' is none of proofread, chat"),
    ],
)
def test_what_does_not_fit_is_one_line(recipe: dict[str, Any], reported: str) -> None:
    with pytest.raises(UserError) as error:
        recipes.arguments(recipe)
    assert reported in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "reported"),
    [("a: [", "cannot be read as YAML"), ("- a", "is no recipe"), ("", "is no recipe")],
)
def test_broken_files_are_one_line(content: str, reported: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(content)
    with pytest.raises(UserError, match=reported) as error:
        recipes.read(tmp_path / "recipe.yaml")
    assert "\n" not in str(error.value)


def test_a_missing_recipe_names_those_that_there_are() -> None:
    with pytest.raises(UserError, match="there is no recipe none.yaml; shipped ones are: halving_1, "):
        recipes.read("none.yaml")
