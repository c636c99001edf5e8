"""python -m space serve | proofread | tone | doctor: the app, and its work from the shell."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable

from space.errors import UserError


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m space", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("serve", help="the app on http://127.0.0.1:$PORT").set_defaults(run=_serve)

    proofread = commands.add_parser("proofread", help="an email on stdin, proofread on stdout")
    proofread.add_argument(
        "--json", action="store_true", help="text, changes, suggestions, scores, what was left alone and why"
    )
    proofread.add_argument(
        "--lines", action="store_true", help="one text per line, one result per line, in order"
    )
    proofread.add_argument(
        "--model", metavar="NAME|PATH|REPO", help="instead of MODEL: a name, a GGUF path or a Hub repo id"
    )
    proofread.add_argument(
        "--mode",
        choices=("proofread", "polish", "friendly", "formal", "short"),
        default="proofread",
        help="what is done beside correcting: polish makes blunt wording polite, friendly warms stiff phrases too, formal writes "
        "contractions and chat words in full, short takes wordy phrases out",
    )
    proofread.add_argument(
        "--dialect", choices=("american", "british"), help="its spelling; without, each word's own"
    )
    proofread.add_argument(
        "--protect",
        metavar="WORD",
        action="append",
        default=[],
        help="a word that stays as it is; may be given again",
    )
    proofread.set_defaults(run=_proofread)

    tone = commands.add_parser("tone", help="sentiment and politeness of a text on stdin, as JSON")
    tone.add_argument("--lines", action="store_true", help="one text per line, one JSON object per line")
    tone.set_defaults(run=_tone)

    commands.add_parser(
        "doctor", help="what is installed, what is wrong and how to put it right"
    ).set_defaults(run=_doctor)
    args = parser.parse_args(argv)
    try:
        return args.run(args)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _serve(args: argparse.Namespace) -> int:
    from space import app

    return app.main()


def _proofread(args: argparse.Namespace) -> int:
    from space.proofread.pipeline import load_proofreader
    from space.settings import Settings

    texts = _texts(args.lines)
    proofreader = load_proofreader(Settings.from_env(), args.model)
    for text in texts:
        result = proofreader.proofread(text, args.mode, dialect=args.dialect, protected_terms=args.protect)
        _write(json.dumps(result.to_dict()) if args.json else result.text, end=args.lines or args.json)
        if not args.json:
            for note in (*result.notes, *(each.message for each in result.checks)):
                print(note, file=sys.stderr)
    return 0


def _tone(args: argparse.Namespace) -> int:
    from space.proofread.classifiers.tone import ToneClassifier
    from space.settings import Settings, require_models

    settings = Settings.from_env()
    require_models(settings.models_dir)
    classifier = ToneClassifier.load(settings.models_dir / "tone")
    for tone in classifier.score(list(_texts(args.lines))):
        _write(json.dumps(tone.to_dict()), end=True)
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from space import doctor

    lines, healthy = doctor.report()
    print("\n".join(lines))
    return 0 if healthy else 1


def _texts(lines: bool) -> Iterable[str]:
    """Stdin as text, byte for byte: what is not UTF-8 survives as surrogates and is written back as it was."""
    data = sys.stdin.buffer.read().decode("utf-8", errors="surrogateescape")
    if not lines:
        return [data]
    texts = data.split("\n")
    return texts[:-1] if texts[-1] == "" else texts


def _write(text: str, end: bool) -> None:
    sys.stdout.buffer.write((text + "\n" * end).encode("utf-8", errors="surrogateescape"))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
