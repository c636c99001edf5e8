"""python -m training COMMAND: makes the models and measures them (COMMAND --help tells its options)."""

from __future__ import annotations

import argparse
import errno
import importlib
import sys

from space.errors import UserError
from training.runs.checkpoints import Stopped

# command: (its room, what it does). Each is a module with add_arguments(parser) and run(args), imported only when it is asked for.
COMMANDS = {
    "corpus": ("data", "corpora -> clean sentences, documents and the word list"),
    "emails": ("data", "business emails written by a grammar, clean targets of correction"),
    "base": ("base", "a folder to train on, out of the GGUF that is served"),
    "prune": ("base", "a small Llama out of a pretrained one"),
    "pretrain": ("base", "tokenizer and a small Llama from scratch"),
    "pairs": ("data", "clean sentences -> rows of draft and corrected text"),
    "tagger": ("base", "says of every word what should stand there"),
    "spelling": ("base", "what slips of spelling cost, from recorded misspellings"),
    "reader": ("base", "how the language model reads: LoRA that tells right edits from wrong ones"),
    "tone": ("base", "sentiment, politeness and correctness classifiers"),
    "inspect": ("finetune", "what is in a data set: rows left out, lengths, duplicates, overlap"),
    "forecast": ("finetune", "memory, steps, time and cost of a fine-tuning, before it"),
    "sft": ("finetune", "LoRA fine-tuning of any causal language model"),
    "prefer": ("finetune", "DPO or KTO from rows of preferences"),
    "search": ("finetune", "hyperparameters by successive halving, random search or sweeps"),
    "evaluate": ("evaluation", "scores on held-out sets"),
    "calibrate": ("evaluation", "thresholds of what is proposed, from held-back corrections"),
    "compare": ("evaluation", "runs and models side by side"),
    "judge": ("evaluation", "win rate of one model over another, by a language model"),
    "benchmarks": ("evaluation", "general benchmarks by lm-evaluation-harness"),
    "release": ("release", "a fine-tune -> a GGUF, put in the place of the served one if it is not worse"),
    "retrain": ("release", "feedback -> a new model, released only if it is better"),
    "studio": ("studio", "all of this on a page, without writing code"),
    "bench": ("finetune", "tokens/s, MFU and memory of fine-tuning on this machine"),
}
_WRITE_FAILED = (
    "No space left on device",
    "PytorchStreamWriter failed",
    "inline_container.cc",
    "iostream error",
)
_ALLOCATION_FAILED = ("out of memory", "can't allocate memory", "not enough memory")
_SIGINT, _SIGTERM = 130, 143  # exit codes of a command that such a signal stopped, as in a shell


def main(argv: list[str] | None = None) -> int:
    """Runs one command. Returns 0; 2 with one line for bad input; 1 with one for a full disk, memory that ran out or a file
    that cannot be read or written; 130 for Ctrl+C; 143 for SIGTERM."""
    try:
        args = _parse(sys.argv[1:] if argv is None else argv)
        args.run(args)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return _SIGTERM
    except KeyboardInterrupt:
        print("Stopped. What was saved stays; the same command goes on from there.", file=sys.stderr)
        return _SIGINT
    except Exception as error:
        if _is_full_disk(error):
            print("The disk is full: make room, then give the same command again.", file=sys.stderr)
        elif isinstance(error, OSError) and error.filename:
            print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        elif _is_full_memory(error):
            print("Memory ran out: try smaller batches, shorter rows or a smaller model.", file=sys.stderr)
        else:
            raise
        return 1
    return 0


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, (room, what) in COMMANDS.items():
        if name not in argv[:1]:
            commands.add_parser(name, help=what)
            continue
        module = importlib.import_module(f"training.{room}.{name}")
        command = commands.add_parser(
            name, help=what, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
        argv = [name, *(_as_spelt(word, command) for word in argv[1:])]
        _take_recipe(command, argv)
    return parser.parse_args(argv)


def _as_spelt(word: str, command: argparse.ArgumentParser) -> str:
    """`--lora-r=8` as `--lora_r=8`, or the other way round: people know options by either spelling."""
    name, equals, value = word.partition("=")
    if not name.startswith("--"):
        return word
    spelt = {option.replace("-", "_"): option for option in command._option_string_actions}
    return spelt.get(name.replace("-", "_"), name) + equals + value


def _take_recipe(command: argparse.ArgumentParser, argv: list[str]) -> None:
    """Makes the values of --recipe FILE defaults, so that options on the command line win over them."""
    if "--recipe" not in command._option_string_actions:
        return
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--recipe", nargs="?")
    if path := early.parse_known_args(argv)[0].recipe:
        from training.finetune.recipes import read, set_defaults

        set_defaults(command, read(path), path)


def _is_full_disk(error: BaseException) -> bool:
    """Whether a write failed for want of room: True for ENOSPC, EDQUOT, or the disk-full message of safetensors or torch."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return any(words in str(error) for words in _WRITE_FAILED)


def _is_full_memory(error: BaseException) -> bool:
    """torch says RuntimeError, of its GPU kind (OutOfMemoryError) or with the words of the CPU's allocator."""
    by_torch = isinstance(error, RuntimeError) and any(words in str(error) for words in _ALLOCATION_FAILED)
    return by_torch or isinstance(error, MemoryError)


if __name__ == "__main__":
    sys.exit(main())
