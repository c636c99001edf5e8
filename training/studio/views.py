"""What the studio shows of rows, jobs, runs and figures: values as HTML, tables and points of a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.finetune import samples as answered
from training.finetune.search import PLAN
from training.finetune.trials import TRIALS
from training.runs import experiments
from training.runs.steps import read_json
from training.runs.tables import cell

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

_LISTED = 50  # rows of a table of what was left out
_TEXT = 300  # characters of a text in a table


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as an HTML table under the names of their columns; nothing for none."""
    if not rows:
        return ""
    heads = list(dict.fromkeys(name for row in rows for name in row))
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    lines = ("".join(f"<td>{_cell(row.get(name))}</td>" for name in heads) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="st-table" tabindex="0"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    text = escape(cell(value)[:_TEXT])
    return f'<span class="st-{text}">{text}</span>' if text in ("better", "worse") else text


def headed(title: str, content: str) -> str:
    return f"<h3>{escape(title)}</h3>{content}" if content else ""


# ---- rows ----


def rows_line(report: Mapping[str, Any]) -> str:
    if not report["input"]:
        found = "`, `".join(report["columns"])
        return f"{report['rows']:,} rows read, but no name says which columns to use: choose input_column and output_column out of `{found}`."
    tokens = f", {report['tokens']:,} tokens" if report.get("tokens") else ""
    left = f", {report['dropped_count']:,} left out" if report["dropped_count"] else ""
    columns = f"`{'`, `'.join(report['input'])}` → `{report['output'] or 'its last answer'}`"
    return f"{report['rows']:,} rows read ({columns}): {report['train']:,} to learn from, {report['validation']:,} held out{left}{tokens}."


def dropped(report: Mapping[str, Any]) -> str:
    """Why rows were left out and how many, then the first of them by number."""
    by_reason = [{"why": why, "rows": count} for why, count in report["dropped_by_reason"].items()]
    each = [
        {"data set": Path(row["dataset"]).name, "row": row["row"], "why": row["why"]}
        for row in report["dropped"][:_LISTED]
    ]
    return headed("Left out", table(by_reason)) + headed("Which rows", table(each))


def preview(report: Mapping[str, Any]) -> list[list[str]]:
    return [[row["prompt"][:_TEXT], row["completion"][:_TEXT]] for row in report["preview"]]


def doubles(report: Mapping[str, Any]) -> str:
    """Rows that are nearly the same, and rows that an evaluation set has too."""
    near = [
        {"rows": ", ".join(map(str, each["rows"])), "text": each["text"]}
        for each in report["near_duplicates"][:_LISTED]
    ]
    shared = [
        {"evaluation set": Path(each["file"]).name, "row": each["row"], "text": each["text"]}
        for each in report["overlap"][:_LISTED]
    ]
    return headed(f"Nearly the same: {report['near_duplicate_count']:,} pairs", table(near)) + headed(
        f"Also in an evaluation set: {report['overlap_count']:,} rows; leave them out, or its figures say nothing",
        table(shared),
    )


# ---- runs ----


def duration(seconds: float) -> str:
    """As a person says it.

    >>> duration(42), duration(200), duration(9000)
    ('42 s', '3 min', '2.5 h')
    """
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def bar(share: float) -> str:
    percent = 100 * min(max(share, 0), 1)
    return (
        f'<div class="st-bar" role="progressbar" aria-label="progress" aria-valuenow="{percent:.0f}" aria-valuemin="0" '
        f'aria-valuemax="100"><span style="width:{percent:.1f}%"></span></div>'
    )


SPEED = "tokens_per_second"


def points(folder: Path, figures: Mapping[str, str]) -> pd.DataFrame:
    """The curves of a run, one row a point, under `step`, `value` and `line`; `figures` are names of the log, or SPEED, and of lines."""
    import pandas as pd

    found = [
        (step, value, line)
        for name, line in figures.items()
        for step, value in (_speed(folder) if name == SPEED else experiments.curve(folder, name))
    ]
    # Of no rows pandas knows no kinds, and Gradio would take numbers for names ever after.
    return pd.DataFrame(found, columns=["step", "value", "line"]).astype(
        {"step": float, "value": float, "line": str}
    )


def _speed(folder: Path) -> list[tuple[float, float]]:
    """Tokens a second between each two lines of the log that count them; a run that went on begins to count anew."""
    names = ("step", "tokens", "seconds")
    lines = [
        [float(line.get(name) or 0) for name in names]
        for line in experiments.log_of(folder)
        if line.get("tokens")
    ]
    pairs = (
        (step, tokens - before, seconds - start)
        for (_, before, start), (step, tokens, seconds) in pairwise(lines)
    )
    return [(step, tokens / seconds) for step, tokens, seconds in pairs if tokens > 0 and seconds > 0]


def samples(folder: Path) -> str:
    """The held-out rows with what the model answered at its last evaluation."""
    rows = answered.read(folder)
    if not rows:
        return ""
    last = rows[-1]["step"]
    shown = [
        {
            "draft": row["prompt"],
            "answer now": row["answer"],
            "should be": row["expected"],
            "loss": row.get("loss"),
        }
        for row in rows
        if row["step"] == last
    ]
    return headed(f"Held-out rows as they are answered at step {last}", table(shown))


# ---- before a run ----


def forecast_line(ahead: Mapping[str, Any]) -> str:
    if not ahead["fits"]:
        return f"It does not fit: about {ahead['memory_needed'] / 1e9:.1f} GB needed, {ahead['memory_free'] / 1e9:.1f} GB free."
    cost = f", {ahead['cost']:.2f} at the price that you gave" if ahead["cost"] is not None else ""
    return f"About {duration(ahead['seconds'])}{cost}."


def forecast(ahead: Mapping[str, Any]) -> str:
    rows = [
        {
            "": "memory needed (free)",
            "forecast": f"{ahead['memory_needed'] / 1e9:.1f} GB ({ahead['memory_free'] / 1e9:.1f} GB)",
        },
        {"": "rows", "forecast": f"{ahead['rows']:,}"},
        {"": "tokens of an epoch", "forecast": f"{ahead['tokens']:,}"},
        {"": "steps", "forecast": f"{ahead['steps']:,}"},
    ]
    if ahead["fits"]:
        speed = f"{ahead['tokens_per_second']:,.0f} tokens/s, measured in {ahead['probe_steps']} steps"
        rows.append({"": "speed", "forecast": speed})
    return table(rows)


# ---- the queue ----

SAID = {"interrupted": "interrupted: Resume goes on"}  # of a status that does not speak for itself


def jobs(found: Sequence[Any]) -> list[list[str]]:
    """A row for each job: its number, what it does, how it is, since when."""
    return [
        [
            job.id,
            job.title,
            SAID.get(job.status, job.status),
            (job.ended or job.started or job.created or "")[:16].replace("T", " "),
        ]
        for job in found
    ]


def progress(folder: Path) -> tuple[float, str]:
    """How much of a training is done, 0 to 1, and in words: step, loss, time left."""
    lines = experiments.log_of(folder)
    if not lines:
        return 0.0, "It begins."
    last = lines[-1]
    total = int(next((line["max_steps"] for line in reversed(lines) if line.get("max_steps")), 0) or 0)
    step, seconds = int(last["step"] or 0), float(last.get("seconds") or 0)
    words = [f"step {step:,}" + (f" of {total:,}" if total else "")]
    for name, title in (("loss", "loss"), ("eval_loss", "held out")):
        if value := next((line[name] for line in reversed(lines) if line.get(name) is not None), None):
            words.append(f"{title} {value:.3f}")
    share = step / total if total else 0.0
    if total and 0 < step < total and len(lines) > 1:
        first = lines[0]
        pace = (seconds - float(first.get("seconds") or 0)) / max(step - int(first["step"] or 0), 1)
        words.append(f"{duration(pace * (total - step))} left")
    return share, ", ".join(words)


# ---- a search ----


def rungs(folder: Path) -> str:
    """The trials of a search, a column for each rung: a bar as long as the rung is full, then the figures by which they are ranked."""
    plan, results = read_json(folder / PLAN), read_json(folder / "results.json")
    if not plan:
        return "<p>It has not begun.</p>"
    rows = []
    for name, planned in plan["trials"].items():
        trial, cells = folder / TRIALS / name, {}
        log = experiments.log_of(trial)
        step = int(log[-1]["step"] or 0) if log else 0
        for number, end in enumerate(planned["steps"]):
            start = planned["steps"][number - 1] if number else 0
            if figures := read_json(trial / f"rung-{number + 1}.json"):
                cells[number] = bar(1.0) + escape(_figures(figures))
            elif step > start:
                cells[number] = bar((step - start) / (end - start)) + f"step {step} of {end}"
            else:
                cells[number] = ""
        rows.append((name, cells))
    heads = "".join(
        f'<th scope="col">rung {number + 1}: {tokens:,} tokens</th>'
        for number, tokens in enumerate(plan["rungs"])
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells.values())
        + "</tr>"
        for name, cells in rows
    )
    picture = f'<div class="st-table" tabindex="0"><table><thead><tr><th scope="col">trial</th>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    winner = results.get("winner")
    said = (
        f"<p>The winner is <b>{escape(str(winner))}</b>: its settings are the recipe <code>{escape(folder.name)}/winner.yaml</code> of 2 Experiment.</p>"
        if winner
        else ""
    )
    return picture + said


def _figures(figures: Mapping[str, Any]) -> str:
    if "error" in figures:
        return str(figures["error"])
    shown = (("eval_loss", "held out"), ("gleu", "GLEU"), ("clean", "clean changed"))
    return ", ".join(
        f"{title} {figures[name]:.3f}" for name, title in shown if isinstance(figures.get(name), (int, float))
    )


# ---- comparison and release ----


def comparison(page: Path) -> str:
    """What `compare` wrote, as a part of this page: its tables and pictures."""
    if not page.is_file():
        return "<p>It is not there yet.</p>"
    text = page.read_text(encoding="utf-8")
    body = text.partition("<body>")[2].partition("</body>")[0] or text
    return f'<div class="st-table" tabindex="0">{body}</div>'


def released(job: Any, result: Mapping[str, Any] | None) -> str:
    """What came of a release or a retraining: whether it is served now, why not, and each figure with its verdict."""
    if result is None:
        return f"<p>{escape(job.title)}: {escape(SAID.get(job.status, job.status))}.</p>"
    said = (
        "It is in place: the proofreader serves it after a restart."
        if result.get("released")
        else "It is not in place."
    )
    why = "".join(f"<li>{escape(each)}</li>" for each in result.get("why", []))
    rows = [
        {"figure": f"{suite} {name}", **verdict}
        for suite, own in (result.get("verdicts") or {}).items()
        for name, verdict in own.items()
    ]
    return (
        f"<p>{said}</p>"
        + (f"<ul>{why}</ul>" if why else "")
        + headed("Against the served model", table(rows))
    )


def judged(job: Any, result: Mapping[str, Any] | None, log: str) -> str:
    """What a judge made of two models, or how its job is: of one that failed why, in the last line that it printed."""
    if result is None:
        why = (log.strip().splitlines() or [""])[-1] if job.status in ("failed", "running") else ""
        return (
            f"<p>{escape(job.title)}: {escape(SAID.get(job.status, job.status))}. {escape(why[:_TEXT])}</p>"
        )
    rate = result["win_rate_percent"]
    if rate["value"] is None:
        said = f"undecided: {result['judge']} named no verdict"
    else:
        better = "better" if rate["low"] > 50 else "worse" if rate["high"] < 50 else "undecided"
        said = f"{better}: {result['judge']} preferred it in {cell(rate)} % of the pairs"
    counts = {
        "pairs": result["pairs"], "judged": result["judged"], "won": result["wins"], "equal or tied": result["ties"],
        "lost": result["losses"], "answers without a verdict": result["bad_answers"],
        "at equal lengths, %": result["length_controlled_percent"],
        "same verdict in both orders, %": result["position"]["consistent_percent"],
    }  # fmt: skip
    title = f"{result['second']} against {result['first']}: {said}"
    return headed(title, table([{"": name, "found": value} for name, value in counts.items()]))


def side_by_side(email: str, answers: Mapping[str, Mapping[str, Any]]) -> str:
    """An email as two models leave it, each with its changes marked."""
    cells = []
    for name, answer in answers.items():
        parts, at = [], 0
        for edit in answer["changes"]:
            parts += [
                escape(email[at : edit["start"]]),
                f"<del>{escape(edit['before'])}</del><ins>{escape(edit['after'])}</ins>",
            ]
            at = edit["end"]
        parts.append(escape(email[at:]))
        cells.append(
            f"<td><b>{escape(name)}</b>: {len(answer['changes'])} changes<pre style='white-space:pre-wrap'>{''.join(parts)}</pre></td>"
        )
    return f'<div class="st-table" tabindex="0"><table><tbody><tr>{"".join(cells)}</tr></tbody></table></div>'
