"""From a trained adapter to the file that is served.

    python -m conversion merge    --base runs/base --adapter runs/sft --out runs/merged
    python -m conversion gguf     runs/merged runs/proofreader-f16.gguf
    python -m conversion quantize runs/proofreader-f16.gguf space/models/proofreader.gguf --type Q8_0
    python -m conversion verify   space/models/proofreader.gguf runs/merged
    python -m conversion adapter  runs/reader/adapter space/models/reader/proofreader.gguf --base runs/base
    python -m conversion publish  runs/sft --repo_id owner/name --dry_run
    python -m conversion deploy   user/name --dry_run

`adapter` lays an adapter over a model as it runs, in place of a merged copy. `publish` does merge, gguf, quantize and verify in
one, writes a card, and puts all of it into a model repository on the Hub; `deploy` puts the app on a Space.

Exit codes: 0 done; 1 the files differ (verify), or the Hub fails; 2 bad arguments or input. One line on stderr says why.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedback.errors import FeedbackError
from space.errors import UserError


def _merge(args: argparse.Namespace) -> int:
    from conversion.merge import merge

    _no_progress_bars()
    _note(merge(args.base, args.adapter, args.out))
    print(args.out)
    return 0


def _gguf(args: argparse.Namespace) -> int:
    from conversion import bert_gguf, llama_gguf
    from conversion.checkpoint import Checkpoint

    checkpoint = Checkpoint.open(args.folder)
    converters = {"llama": llama_gguf.convert, "bert": bert_gguf.convert}
    model_type = checkpoint.config.get("model_type")
    if model_type not in converters:
        raise UserError(f"{args.folder} is a {model_type} model: only Llama and BERT can be converted")
    name = args.name or args.folder.resolve().name
    _note(converters[model_type](checkpoint, args.out, args.type, name, args.license))
    print(args.out)
    return 0


def _adapter(args: argparse.Namespace) -> int:
    from conversion.adapter_gguf import convert

    convert(args.folder, args.base, args.out)
    print(args.out)
    return 0


def _quantize(args: argparse.Namespace) -> int:
    from conversion.quantize import quantize

    _note(quantize(args.source, args.out, args.type, args.threads))
    print(args.out)
    return 0


def _verify(args: argparse.Namespace) -> int:
    from conversion.verify import verify

    _no_progress_bars()
    sizes = {"n_texts": args.texts, "n_prompts": args.prompts, "n_tokens": args.tokens}
    report = verify(args.gguf, args.folder, min_agreement=args.min_agreement, **sizes)
    print(report.table(), file=sys.stderr)
    print(json.dumps(report.to_dict()))
    return 0 if report.passed else 1


def _publish(args: argparse.Namespace) -> int:
    from conversion.hub import Repository, check_name
    from conversion.upload import check_tag, listed, upload

    check_name(args.repo_id)
    check_tag(args.tag)
    # Its token, if any, before the work of minutes.
    repository = None if args.dry_run else Repository(args.repo_id, "model")
    from conversion.publish import prepare

    _no_progress_bars()
    folder = prepare(args)
    if repository is None:
        print((folder / "README.md").read_text(encoding="utf-8"))
        for name, path in listed(folder).items():
            print(f"{path.stat().st_size:>14,}  {name}")
        _note([f"this would be uploaded from {folder} to {args.repo_id}"])
    else:
        print(upload(repository, folder, args.tag, public=args.public))
        _note([f"served with MODEL={args.repo_id}" + (f"@{args.tag}" if args.tag else "")])
    return 0


def _deploy(args: argparse.Namespace) -> int:
    from conversion.deploy import Settings, deploy

    settings = Settings.parse(args.variable, args.secret, args.feedback_dataset)
    deploy(args.space, settings, private=args.private, dry_run=args.dry_run)
    return 0


def _no_progress_bars() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()


def _note(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"note: {line}", file=sys.stderr)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def parser() -> argparse.ArgumentParser:
    """The command line; it imports nothing heavy, so --help is instant."""
    top = argparse.ArgumentParser(
        prog="python -m conversion", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True)

    merge = commands.add_parser("merge", help="fold a LoRA adapter into its base model")
    merge.add_argument("--base", type=Path, required=True, help="folder of the full-precision Llama")
    merge.add_argument("--adapter", type=Path, required=True, help="folder of the LoRA adapter")
    merge.add_argument("--out", type=Path, required=True, help="folder to make")
    merge.set_defaults(run=_merge)

    gguf = commands.add_parser("gguf", help="write a Llama or BERT folder as GGUF")
    gguf.add_argument("folder", type=Path, help="folder with config.json, safetensors and tokenizer.json")
    gguf.add_argument("out", type=Path, help="GGUF file to write")
    gguf.add_argument("--type", type=str.upper, choices=("F16", "F32"), default="F16", help="default: F16")
    gguf.add_argument("--name", help="general.name (default: the folder's name)")
    gguf.add_argument("--license", help="general.license, an SPDX id such as apache-2.0 (default: none)")
    gguf.set_defaults(run=_gguf)

    adapter = commands.add_parser("adapter", help="write a LoRA adapter as GGUF, to lay over its base model")
    adapter.add_argument("folder", type=Path, help="folder of the LoRA adapter")
    adapter.add_argument("out", type=Path, help="GGUF file to write")
    adapter.add_argument(
        "--base", type=Path, required=True, help="folder of the Llama or BERT that it was trained on"
    )
    adapter.set_defaults(run=_adapter)

    quantize = commands.add_parser("quantize", help="make an F16 or F32 GGUF smaller")
    quantize.add_argument("source", type=Path, help="F16 or F32 GGUF")
    quantize.add_argument("out", type=Path, help="GGUF file to write")
    quantize.add_argument(
        "--type", type=str.upper, default="Q8_0", help="default: Q8_0; also Q6_K, Q5_K_M, Q4_K_M"
    )
    quantize.add_argument("--threads", type=_positive, help="threads (default: all cores)")
    quantize.set_defaults(run=_quantize)

    verify = commands.add_parser("verify", help="compare a GGUF with the folder it was made from")
    verify.add_argument("gguf", type=Path, help="GGUF file")
    verify.add_argument("folder", type=Path, help="the transformers folder")
    verify.add_argument("--texts", type=_positive, default=200, help="texts to tokenise (default: 200)")
    verify.add_argument(
        "--prompts", type=_positive, default=20, help="prompts to continue greedily (default: 20)"
    )
    verify.add_argument("--tokens", type=_positive, default=24, help="tokens per prompt (default: 24)")
    verify.add_argument(
        "--min-agreement",
        type=float,
        default=0.5,
        help="least share of equal tokens when quantised (default: 0.5)",
    )
    verify.set_defaults(run=_verify)
    _add_publish(commands)

    deploy = commands.add_parser("deploy", help="put the last commit on a Hugging Face Space")
    deploy.add_argument("space", metavar="USER/NAME", help="the Space; it is created if there is none")
    deploy.add_argument("--private", action="store_true", help="if it is created, for its owner alone")
    deploy.add_argument(
        "--variable",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a variable; repeat for more",
    )
    deploy.add_argument(
        "--secret", action="append", default=[], metavar="NAME",
        help="set a secret to what the environment variable of that name holds; repeat for more",
    )  # fmt: skip
    deploy.add_argument(
        "--feedback_dataset", default="", metavar="OWNER/NAME",
        help="send feedback to this private dataset, which is created if there is none",
    )  # fmt: skip
    deploy.add_argument("--dry_run", action="store_true", help="list what would be sent; ask no network")
    deploy.set_defaults(run=_deploy)
    return top


def _add_publish(commands: Any) -> None:
    publish = commands.add_parser("publish", help="put a fine-tune into a model repository on the Hub")
    publish.add_argument(
        "source", type=Path,
        help="folder of a finished training sft, prefer or retrain, or of a LoRA adapter",
    )  # fmt: skip
    publish.add_argument(
        "--repo_id", required=True, help="owner/name; it is made, private, if it is not there"
    )
    publish.add_argument(
        "--public", action="store_true", help="all may read it (default: a new one is private)"
    )
    publish.add_argument("--tag", help="name of this revision, such as v1")
    publish.add_argument(
        "--dry_run", action="store_true", help="make the files and list them; upload nothing"
    )
    files = publish.add_argument_group("files (what is there already is not made again)")
    files.add_argument("--out", type=Path, help="folder for them (default: runs/publish/NAME)")
    files.add_argument("--base", help="folder or cached Hub repo id of the base (default: the run's)")
    files.add_argument(
        "--type", action="append", type=str.upper,
        help="repeat for more (default: F16, Q8_0, and Q4_K_M or Q4_0, as the model's width allows)",
    )  # fmt: skip
    files.add_argument(
        "--gguf", type=Path, nargs="+", metavar="FILE", help="these files instead of made ones"
    )
    files.add_argument(
        "--merged", type=Path, metavar="FOLDER", help="the merged model that they were made from"
    )
    card = publish.add_argument_group("card")
    card.add_argument(
        "--base_model", metavar="REPO_ID", help="the base on the Hub (default: the run's, if it is one)"
    )
    card.add_argument(
        "--license", help="as the Hub calls it: apache-2.0, llama3.2 (default: that of the base's card)"
    )
    card.add_argument(
        "--datasets", nargs="+", metavar="REPO_ID", help="data sets on the Hub (default: those of the run)"
    )
    card.add_argument("--scores", type=Path, help="file with what `python -m training evaluate` printed")
    publish.set_defaults(run=_publish)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except (UserError, FeedbackError) as error:
        print(f"error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)


if __name__ == "__main__":
    sys.exit(main())
