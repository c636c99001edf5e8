"""The options of a command as fields of a form, and what a form holds as a command line.

fields("sft")                       # from the command's own argparse
command("sft", {"model": "base", "lora_r": 8})    # ["-m", "training", "sft", "--model=base", "--lora_r=8"]
"""

from __future__ import annotations

import argparse
import importlib
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from space.errors import UserError
from training.__main__ import COMMANDS
from training.finetune import recipes


@dataclass(frozen=True)
class Field:
    """`kind` is integer, number, text, choice, flag, list or path. `least` and `most` can be given themselves."""

    name: str
    group: str
    help: str
    kind: str
    default: Any
    choices: tuple[str, ...]
    least: float | None
    most: float | None

    def allowed(self) -> str:
        """Its range in words; "" if it has none."""
        return _in_words(self.least, self.most)


_NEGATIVE = re.compile(r"-\d+|-\d*\.\d+")  # that argparse knows as one

Range = tuple[float | None, float | None]
_POSITIVE, _BELOW_ONE = math.nextafter(0, 1), math.nextafter(1, 0)
_COUNT: Range = (1, None)
_FROM_ZERO: Range = (0, None)
# What the commands themselves check of the options of these names (sft, prefer, retrain, search, bench: _check and run).
_TRAINING: dict[str, Range] = {
    **dict.fromkeys(
        ("lora_r", "lora_alpha", "per_device_train_batch_size", "gradient_accumulation_steps", "max_length",
         "logging_steps", "eval_steps", "save_steps", "per_device_eval_batch_size", "early_stopping_patience",
         "top_k_longest", "random_k"), _COUNT,
    ),
    **dict.fromkeys(
        ("seed", "weight_decay", "warmup_steps", "sft_weight", "price_per_hour", "mixture_weights"), _FROM_ZERO
    ),
    "learning_rate": (_POSITIVE, None),
    "beta": (_POSITIVE, None),
    "validation_share": (0, _BELOW_ONE),
}  # fmt: skip
_ROWS = ("validation_share", "top_k_longest", "random_k", "mixture_weights")
_RANGES: dict[str, dict[str, Range]] = {
    "sft": _TRAINING,
    "forecast": _TRAINING,
    "prefer": _TRAINING,
    "inspect": {name: _TRAINING[name] for name in _ROWS},
    "search": {
        **{name: _TRAINING[name] for name in (*_ROWS, "price_per_hour")},
        "scored_rows": _COUNT, "eta": (2, None), "rungs": _COUNT,
    },
    "retrain": {
        "held_out_share": (0, 0.9), "replay_share": (0, 0.99), "margin": (0, 100), "limit": _COUNT,
        "min_pairs": _COUNT, "price_per_hour": _FROM_ZERO,
    },
    "bench": {"rounds": _COUNT, "rows": (16, None)},
}  # fmt: skip


def fields(command: str, recipe: str | None = None) -> list[Field]:
    """The options of a command, in groups as its --help has them; with a recipe, its values are the defaults. UserError for
    a command that does not exist, and for a recipe that cannot be read."""
    parser = _parser(command, recipe)
    formatter = parser._get_formatter()
    found = []
    for group in parser._action_groups:
        for action in group._group_actions:
            if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction):
                continue
            least, most = _RANGES.get(command, {}).get(action.dest, (None, None))
            choices = tuple(map(str, action.choices or ()))
            help = _sentence(formatter._expand_help(action) if action.help else "")
            title = group.title or ""
            found.append(Field(action.dest, title, help, _kind(action), action.default, choices, least, most))
    return found


def command(name: str, values: Mapping[str, Any]) -> list[str]:
    """The arguments of the interpreter that run a command with a form's values, those that are its defaults left out.

    None, "" and [] are fields that were left empty: their defaults hold. A list may be a text of lines. With a recipe,
    its values are the defaults. UserError, which names the field, for a value that the command would not take.
    """
    if unknown := set(values) - {field.name for field in fields(name)}:
        raise UserError(f"{name} has no option {min(unknown)!r}")
    recipe = str(values.get("recipe") or "")
    parser = _parser(name, recipe)
    actions = {field.name: (field, _action(parser, field.name)) for field in fields(name, recipe)}
    options: list[str] = [f"--recipe={recipe}"] if recipe else []
    positionals: list[str] = []
    expected = {}
    for key, (field, action) in actions.items():
        value = _checked(field, action, values.get(key))
        if key == "recipe" or value is None or value == action.default:
            continue
        expected[key] = value
        (options if action.option_strings else positionals).extend(_words(field, action, value))
    words = [*options, *(["--", *positionals] if positionals else [])]
    _require_same(parser, words, expected)
    return ["-m", "training", name, *words]


def shown(commands: Sequence[Sequence[str]]) -> str:
    """Command lines as a person would type them, one a line.

    >>> shown([["-m", "training", "sft", "--run_name=first try"]])
    "python -m training sft '--run_name=first try'"
    """
    return "\n".join(shlex.join(["python", *each]) for each in commands)


# ---- the parser of a command ----


class _Parser(argparse.ArgumentParser):
    """Raises UserError for what does not fit, instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message.removeprefix("argument "))


def _parser(name: str, recipe: str | None) -> argparse.ArgumentParser:
    """That of a command, which misses nothing: a form may be filled in later."""
    if name not in COMMANDS:
        raise UserError(f"there is no command {name!r}")
    parser = _Parser(prog=name)
    importlib.import_module(f"training.{COMMANDS[name][0]}.{name}").add_arguments(parser)
    if recipe:
        recipes.set_defaults(parser, recipes.read(recipe), recipe)
    for action in parser._actions:
        action.required = False
        if isinstance(action.default, str):
            action.default = parser._get_value(action, action.default)
    for group in parser._mutually_exclusive_groups:
        group.required = False
    return parser


def _action(parser: argparse.ArgumentParser, name: str) -> argparse.Action:
    return next(each for each in parser._actions if each.dest == name and each.help != argparse.SUPPRESS)


def _is_list(action: argparse.Action) -> bool:
    return action.nargs in ("+", "*") or _is_repeated(action)


def _is_repeated(action: argparse.Action) -> bool:
    from training.finetune.dataset import Repeated

    return isinstance(action, (argparse._AppendAction, Repeated))


def _kind(action: argparse.Action) -> str:
    if action.nargs == 0:
        return "flag"
    if _is_list(action):
        return "list"
    if action.choices is not None:
        return "choice"
    kinds: dict[Any, str] = {int: "integer", float: "number", Path: "path"}
    return kinds.get(action.type, "text")


def _sentence(text: str) -> str:
    """Without the default, which a form shows: with a capital letter, and a full stop."""
    text = re.sub(r" \(default (?!:)[^()]*\)$", "", " ".join(text.split()))
    return f"{text[:1].upper()}{text[1:]}." if text else ""


# ---- values ----


def _checked(field: Field, action: argparse.Action, value: Any) -> Any:
    """A value of a form as the command line would have given it; None if it was left empty."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if field.kind == "flag":
        if not isinstance(value, bool):
            raise UserError(f"{field.name}: {value!r} is neither yes nor no")
        return value
    if field.kind != "list":
        return _single(field, action, value)
    lines = value.splitlines() if isinstance(value, str) else value
    if not isinstance(lines, Sequence):
        raise UserError(f"{field.name}: {value!r} is no list")
    return [_single(field, action, each) for each in lines if str(each).strip()] or None


def _single(field: Field, action: argparse.Action, value: Any) -> Any:
    text = _text(value, whole=action.type is int)
    if "\0" in text:
        raise UserError(f"{field.name}: no command can be given the character NUL")
    convert: Any = action.type or str
    try:
        fitting = convert(text)
    except (TypeError, ValueError, argparse.ArgumentTypeError) as error:
        what = {int: "whole number", float: "number"}.get(convert)
        raise UserError(
            f"{field.name}: {text!r} {f'is no {what}' if what else f'does not fit: {error}'}"
        ) from error
    if action.choices is not None and fitting not in action.choices:
        raise UserError(f"{field.name}: {text!r} is none of {', '.join(field.choices)}")
    if isinstance(fitting, (int, float)):
        least, most = field.least, field.most
        out = (least is not None and fitting < least) or (most is not None and fitting > most)
        if out or not math.isfinite(fitting):
            raise UserError(f"{field.name}: {text}: give {field.allowed() or 'a finite number'}")
    return fitting


def _text(value: Any, whole: bool) -> str:
    """As it would be typed: forms give 8.0 for 8."""
    if whole and isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _in_words(least: float | None, most: float | None) -> str:
    """
    >>> _in_words(1, None), _in_words(0, 0.9), _in_words(_POSITIVE, None), _in_words(0, _BELOW_ONE)
    ('1 or more', '0 to 0.9', 'more than 0', '0 or more and less than 1')
    """
    low = "" if least is None else "more than 0" if least == _POSITIVE else f"{least:g} or more"
    if most is None:
        return low
    if most == _BELOW_ONE:
        return " and ".join(filter(None, [low, "less than 1"]))
    return f"{least:g} to {most:g}" if least is not None else f"{most:g} or less"


# ---- words ----


def _words(field: Field, action: argparse.Action, value: Any) -> list[str]:
    """One word for an option with its value, which may then begin with a dash."""
    texts = [_typed(each) for each in (value if isinstance(value, list) else [value])]
    if not action.option_strings:
        return texts
    option = action.option_strings[0]
    if field.kind == "flag":
        return [_switch(field, action, value)]
    if _is_repeated(action) or len(texts) == 1:
        return [f"{option}={text}" for text in texts]
    for text in texts:
        if text.startswith("-") and not _NEGATIVE.fullmatch(text):
            raise UserError(f"{field.name}: {text!r} begins with a dash: it can only be given alone")
    return [option, *texts]


def _typed(value: Any) -> str:
    """A path that begins with a dash is the same with its folder before it."""
    text = str(value)
    return f"./{text}" if isinstance(value, Path) and text.startswith("-") else text


def _switch(field: Field, action: argparse.Action, value: bool) -> str:
    """The option that sets a flag to a value."""
    if value != isinstance(action, argparse._StoreFalseAction):
        return action.option_strings[0]
    for option in action.option_strings:
        if option.startswith("--no-"):
            return option
    raise UserError(f"{field.name}: the recipe sets it, and no option takes that back")


def _require_same(parser: argparse.ArgumentParser, words: Sequence[str], expected: Mapping[str, Any]) -> None:
    """UserError unless the command reads from the words what the form meant."""
    found = vars(parser.parse_args(words))
    for name, value in expected.items():
        if found[name] != value:
            raise UserError(f"{name}: {value!r} cannot be given on a command line")
