"""Feedback in the journal on this machine, or in the dataset on the Hub.

python -m feedback flag --consent TEXT      keep the verdicts on stdin, JSON lines as /flag takes them
python -m feedback sync                     send what waits in the journal to FEEDBACK_DATASET
python -m feedback stats --charts charts    counts by verdict, reason, model and week
python -m feedback export --output rows     training rows
python -m feedback review                   decide in the terminal about rows that wait in quarantine
python -m feedback forget --id ID           take a record out of journal, dataset and exports
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from feedback.errors import FeedbackError

if TYPE_CHECKING:
    from feedback.record import Record

FOLDER = os.environ.get("FEEDBACK_DIR") or "flagged"  # as the app does


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except FeedbackError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(error, file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m feedback", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        (
            "flag",
            "keep the verdicts on stdin: JSON lines with the names that the endpoint /flag has; prints their ids",
        ),
        ("sync", "send what waits in the journal to the dataset FEEDBACK_DATASET, with HF_TOKEN"),
        ("stats", "count the feedback"),
        ("export", "write training rows: completions, preferences, and what a person must look at"),
        (
            "review",
            "show each text that an export would leave in quarantine, with what it changes ([-removed-], {+added+}), why it "
            "waits and where it came from, and ask: accept it as training data, reject it, edit it, or let it wait. Decisions "
            "are kept beside the journal as they are made; the next export follows them",
        ),
        (
            "forget",
            "take records out of the journal, of FEEDBACK_DATASET if it is set, of exports, and of what was decided in review",
        ),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--folder", type=Path, default=Path(FOLDER), help="the journal (FEEDBACK_DIR; now: %(default)s)"
        )
        if name == "flag":
            command.add_argument(
                "--consent", required=True, metavar="TEXT",
                help="what those whose texts these are agreed to, as a name and version of its text; it is kept with each",
            )  # fmt: skip
        if name in ("stats", "export", "review"):
            command.add_argument(
                "--dataset",
                metavar="OWNER/NAME",
                help="read this dataset on the Hub (with HF_TOKEN), not the journal",
            )
        if name == "stats":
            command.add_argument("--json", action="store_true", help="print one JSON object")
            command.add_argument(
                "--charts", type=Path, metavar="FOLDER", help="draw PNG charts (needs matplotlib)"
            )
        if name == "export":
            command.add_argument(
                "--output", type=Path, required=True, metavar="FOLDER", help="where the rows go"
            )
        if name == "forget":
            command.add_argument(
                "--id", action="append", required=True, dest="ids", help="a record's id; repeat for more"
            )
    return parser


def records(options: argparse.Namespace) -> Iterator[Record]:
    """The records that a command reads; FeedbackError, before the first of them, if there is no such place."""
    from feedback import source

    if options.dataset:
        from feedback.dataset import Dataset, rows

        return source.once(rows(Dataset(options.dataset, os.environ.get("HF_TOKEN", "").strip())))
    require(options.folder)
    return source.journal(options.folder)


def require(folder: Path) -> None:
    if not folder.is_dir():
        raise FeedbackError(f"There is no feedback folder {folder}: name it with --folder or FEEDBACK_DIR.")


def flag(options: argparse.Namespace) -> int:
    """All or none: a line that cannot be kept is named before anything is."""
    from feedback.flag import record_of
    from feedback.journal import Journal

    found = []
    for number, line in enumerate(sys.stdin, 1):
        try:
            sent = json.loads(line)
        except ValueError:
            sent = None
        try:
            if not isinstance(sent, dict):
                raise FeedbackError("send a JSON object.")
            found.append(record_of(sent, consent=options.consent, via="cli"))
        except FeedbackError as error:
            raise FeedbackError(f"line {number}: {error} Nothing was kept.") from None
    kept = Journal(options.folder)
    for record in found:
        kept.append(record.to_dict())
        print(record.id)
    return 0


def stats(options: argparse.Namespace) -> int:
    from feedback.stats import charts, count, table

    counts = count(records(options))
    print(json.dumps(counts) if options.json else table(counts))
    if options.charts:
        for path in charts(counts, options.charts):
            print(path, file=sys.stderr)
    return 0


def export(options: argparse.Namespace) -> int:
    from feedback import decisions
    from feedback.export import export as write
    from feedback.export import prepare, register

    found = records(options)
    prepare(options.output)
    register(options.folder, options.output)  # first: `forget` must find what a crash leaves half written
    counts = write(found, options.output, decisions.read(options.folder))
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()), file=sys.stderr)
    return 0


def review(options: argparse.Namespace) -> int:
    from feedback import decisions
    from feedback.export import rows
    from feedback.review import review as ask

    judged = rows(records(options), decisions.read(options.folder))
    counts = ask((row for kind, row in judged if kind == "quarantine"), options.folder)
    print(
        f"{counts['accept']} accepted, {counts['reject']} rejected, {counts['edit']} edited, {counts['wait']} wait",
        file=sys.stderr,
    )
    return 0


def sync(options: argparse.Namespace) -> int:
    from feedback.hub import Sync

    require(options.folder)
    worker = Sync.from_env(options.folder)
    if worker.dataset is None:
        raise FeedbackError(
            "FEEDBACK_DATASET is not set: set it to owner/name, and HF_TOKEN to a token that may write to it."
        )
    total = 0
    while count := worker.step():
        total += count
    print(f"{total} records sent", file=sys.stderr)
    return 0


def forget(options: argparse.Namespace) -> int:
    """The dataset first: if it cannot be reached the rest is still done, and the command can be repeated."""
    from feedback import dataset, decisions, export, journal

    ids = {name.strip() for name in options.ids}  # as they are copied from a page or an email
    found: set[str] = set()
    failed: dataset.HubError | None = None
    repo_id = os.environ.get("FEEDBACK_DATASET", "").strip()
    if repo_id:
        try:
            found |= dataset.forget(dataset.Dataset(repo_id, os.environ.get("HF_TOKEN", "").strip()), ids)
        except dataset.HubError as error:
            failed = dataset.HubError(
                f"{error} {repo_id} may still hold what was sent to it: run this again."
            )
    found |= journal.erase(options.folder, ids)
    rows, gone = export.forget(options.folder, ids)
    decided = decisions.forget(options.folder, ids)
    print(f"{len(found)} of {len(ids)} records and {rows} exported rows deleted", file=sys.stderr)
    if decided:
        print(f"{decided} decisions about their rows deleted", file=sys.stderr)
    for folder in gone:
        print(
            f"The export {folder} is gone: if it was moved, delete the rows with these ids there.",
            file=sys.stderr,
        )
    if failed:
        raise failed
    if missing := ids - found:
        raise FeedbackError(f"There is no record {min(missing)} in {repo_id or options.folder}.")
    return 0


COMMANDS = {
    "flag": flag,
    "sync": sync,
    "stats": stats,
    "export": export,
    "review": review,
    "forget": forget,
}

if __name__ == "__main__":
    sys.exit(main())
