"""How long a user waits between Send and the thank-you; also for `make bench`.

python -m tests.feedback.latency
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from feedback.journal import Journal
from feedback.record import Record
from feedback.redact import ClientHash, redact_record

DRAFT = """\
Dear Ms. Novak,

thank you for you're email from Tuesday. I have read the offer of the printing company and I am agree with the price. \
However their is one problem with the delivery: they wants to send the boxes on 14 June, but our office will closed on \
this day. Could you please asked them if Monday morning is possible? My number is +420 601 234 567, or write to \
petr@example.com.

Kind regards,
Jana
"""


def flag_seconds(folder: Path, flags: int = 1000) -> list[float]:
    """Seconds for each of so many flags of a 70-word email: record, redaction, journal and fsync."""
    journal, client = Journal(folder), ClientHash()
    taken = []
    for _ in range(flags):
        began = time.perf_counter()
        record = Record(
            draft=DRAFT,
            rewrite=DRAFT.replace("you're", "your"),
            verdict="bad",
            consent="1",
            reasons=("missed mistake",),
            client=client("203.0.113.7"),
        )
        journal.append(redact_record(record).to_dict())
        taken.append(time.perf_counter() - began)
    journal.close()
    return taken


def percentile_99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[98]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        measured = flag_seconds(Path(folder))
    print(
        f"flag to thank-you, {len(measured)} flags: median {statistics.median(measured) * 1000:.1f} ms, "
        f"99th percentile {percentile_99(measured) * 1000:.1f} ms, slowest {max(measured) * 1000:.1f} ms"
    )
