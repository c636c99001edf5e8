"""Options of a run in a small YAML file, under the names that they have on the command line.

    python -m training sft --recipe training/finetune/recipes/proofreader.yaml --model BASE --dataset pairs.jsonl

Options on the command line win over those of the file.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.runs import atomic_write

FOLDER = Path(__file__).parent / "recipes"


def read(path: str | Path) -> dict[str, Any]:
    """The options in a file; a name without folder is looked for among the shipped ones too. UserError if unreadable."""
    import yaml

    path = Path(path)
    shipped = FOLDER / f"{path.stem}.yaml"
    if not path.is_file() and path.name == str(path) and shipped.is_file():
        path = shipped
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        names = ", ".join(sorted(each.stem for each in FOLDER.glob("*.yaml")))
        raise UserError(f"there is no recipe {path}; shipped ones are: {names}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(recipe, dict):
        raise UserError(f"{path} is no recipe: it must be lines of `option: value`")
    return recipe


def write(path: str | Path, recipe: Mapping[str, Any]) -> None:
    """Writes the options that have a value; the file is complete or not there."""
    import yaml

    plain = {name: _plain(value) for name, value in recipe.items() if value is not None}
    atomic_write.write(Path(path), yaml.safe_dump(plain, sort_keys=False))


def arguments(recipe: Mapping[str, Any]) -> argparse.Namespace:
    """The arguments of `sft` with the recipe's values in place of its defaults. UserError for a key that it has not."""
    from training.finetune import sft

    parser = argparse.ArgumentParser()
    sft.add_arguments(parser)
    set_defaults(parser, recipe)
    return parser.parse_args([])


def set_defaults(parser: argparse.ArgumentParser, recipe: Mapping[str, Any], name: object = "recipe") -> None:
    """Makes a recipe's values the defaults of a parser. UserError for unknown keys and values that do not fit."""
    # The first of each: others of the same name only set it to one value.
    actions = {action.dest: action for action in reversed(parser._actions) if action.option_strings}
    for key, value in recipe.items():
        if key not in actions or key in ("help", "recipe"):
            near = difflib.get_close_matches(str(key), actions, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "see --help for those that there are"
            raise UserError(f"{name}: there is no option {key!r}; {meant}")
        if value is not None:  # null is as if it were not there
            parser.set_defaults(**{key: _fitting(actions[key], value, name)})


def _fitting(action: argparse.Action, value: Any, name: object) -> Any:
    """The value as the command line would have given it: YAML reads 2e-4 as a text, for one."""
    from training.finetune.dataset import Repeated

    if isinstance(action, Repeated) or action.nargs in ("+", "*"):
        each = value if isinstance(value, list) else [value]
        return [_single(action, one, name) for one in each]
    return _single(action, value, name)


def _single(action: argparse.Action, value: Any, name: object) -> Any:
    wrong = UserError(f"{name}: {action.dest}: {value!r} does not fit; see --help")
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise wrong
        return value
    if isinstance(value, (bool, list, dict)):
        raise wrong
    convert: Any = action.type or str
    try:
        fitting = convert(value if isinstance(value, str) else str(value))
    except (TypeError, ValueError, argparse.ArgumentTypeError) as error:
        raise wrong from error
    if action.choices is not None and fitting not in action.choices:
        raise UserError(f"{name}: {action.dest}: {value!r} is none of {', '.join(map(str, action.choices))}")
    return fitting


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if isinstance(value, (bool, int, float, str)) else str(value)
