"""How fast and how large the proofreader is on this machine; `make bench` prints a table for the README.

python tests/bench.py [--model NAME|PATH|REPO] [--runs 5]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# 150 words with the mistakes of a hurried writer: about two in three sentences need work.
EMAIL = """\
Dear Ms. Novak,

thank you for you're email from Tuesday. I have read the offer of the printing company and I am agree with \
the price. However their is one problem with the delivery. They wants to send the boxes on 14 June, but our \
office will closed on this day. Could you please asked them if Monday morning is possible?

I also looked the new brochure. The pictures are very nice, but the text on page 3 have two mistake. The \
telephone number is missing and the adress of our shop in Brno is old. Please correct it before the print.

I propose the following plan. On Wednesday we meet with the designer at 10:30. Petr will bring the sample, \
and I will prepared a list with all open questions. We has to decide about the paper until Friday.

If something is not clear, please call me in any time.

Kind regards,
Jana
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a name, a GGUF path or a Hub repo id (default: MODEL)")
    parser.add_argument("--runs", type=int, default=5, help="warm runs (default: 5)")
    options = parser.parse_args()

    from space.proofread.pipeline import load_proofreader
    from space.settings import Settings
    from tests.feedback.latency import flag_seconds, percentile_99

    settings = Settings.from_env()
    started, peak_bytes = cold(options.model)
    proofreader = load_proofreader(settings, options.model)
    totals = []
    for _ in range(options.runs):
        for measure in (proofreader.classifiers.tone, proofreader.classifiers.tagger):
            measure._encoder._seen.clear()  # else only the first run would read
        result = proofreader.proofread(EMAIL)
        totals.append(result.timings["total"])
    median = statistics.median(totals)
    print(
        f"{processor()}, {os.cpu_count()} cores, {settings.n_threads} threads, {date.today()}, {result.model}"
    )
    print()
    print(f"| a draft of {len(EMAIL.split())} words | |")
    print("|---|---|")
    print(f"| proofread, median of {options.runs} (slowest) | {median:.2f} s ({max(totals):.2f} s) |")
    print(f"| start of the process to the answer | {started:.2f} s |")
    print(f"| peak resident memory | {peak_bytes / 1e6:.0f} MB |")
    with tempfile.TemporaryDirectory() as folder:
        flags = flag_seconds(Path(folder))
    print(
        f"| feedback, from Send to the thank-you, 99th percentile of {len(flags)} | {percentile_99(flags) * 1000:.1f} ms |"
    )
    print(f"| changes, texts kept on purpose | {len(result.applied)}, {len(result.skipped)} |")


def cold(model: str | None) -> tuple[float, int]:
    """Seconds and peak memory in bytes of `python -m space proofread` on the draft, from nothing."""
    command = [sys.executable, "-m", "space", "proofread", *(["--model", model] if model else [])]
    with tempfile.TemporaryFile() as draft:
        draft.write(EMAIL.encode())
        draft.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdin=draft, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    if status:
        sys.exit(2)  # it has said why
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
