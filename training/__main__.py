"""python -m training corpus | pretrain | tone | sft | evaluate: makes and measures the models (--help each)."""

from __future__ import annotations

import argparse
import importlib
import sys

from space.errors import UserError

# Each is a module with add_arguments(parser) and run(args); heavy imports stay inside run.
COMMANDS = {
    "corpus": "corpora -> clean sentences, documents and the word list",
    "emails": "business emails written by a grammar, clean targets of correction",
    "prune": "a small Llama out of a pretrained one",
    "pretrain": "tokenizer and a small Llama from scratch",
    "tagger": "says of every word what should stand there",
    "tone": "sentiment, politeness and correctness classifiers",
    "sft": "LoRA fine-tuning with measured evidence",
    "evaluate": "scores on held-out sets",
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, what in COMMANDS.items():
        module = importlib.import_module(f"training.{name}")
        command = commands.add_parser(
            name, help=what, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    try:
        args.run(args)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
