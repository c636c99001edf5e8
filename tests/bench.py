"""How fast and how large the proofreader is on this machine, beside plain llama.cpp with the same file.

python tests/bench.py [--model NAME|PATH|REPO] [--runs 5] [--json FILE]

Plain is llama-cpp-python's `generate`, which is what its `create_chat_completion` runs: the whole email in one prompt that
asks for its correction, and as many tokens as the corrected email has. Both by turns, medians of the runs. Drafts of other
lengths are the one of 154 words shortened, or repeated with other numbers in each copy, so that none is remembered.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# 154 words with the mistakes of a hurried writer: about two in three sentences need work.
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
# The same with six mistakes, in 4 words of 100: most sentences need nothing.
CAREFUL = """\
Dear Ms. Novak,

Thank you for your email from Tuesday. I have read the offer of the printing company and I agree with \
the price. However, there is one problem with the delivery. They wants to send the boxes on 14 June, but our \
office will be closed on this day. Could you please ask them if Monday morning is possible?

I also looked at the new brochure. The pictures are very nice, but the text on page 3 have two mistakes. The \
telephone number is missing and the adress of our shop in Brno is old. Please correct it before the print.

I propose the following plan. On Wednesday we meet with the designer at 10:30. Petr will bring the sample, \
and I will prepared a list with all open questions. We has to decide about the paper by Friday.

If something is not clear, please call me in any time.

Kind regards,
Jana
"""
WORDS = (50, 150, 500, 1500)
USERS = (1, 4, 8)
_REQUEST = "Correct the mistakes in this email, and write nothing but the corrected email."
_N_CTX = 8192  # for plain: the longest email, twice
_numbers = itertools.count(100)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a name, a GGUF path or a Hub repo id (default: MODEL)")
    parser.add_argument("--runs", type=int, default=5, help="warm runs (default: 5)")
    parser.add_argument(
        "--words", type=int, nargs="+", default=WORDS, help="lengths of drafts (default: 50 150 500 1500)"
    )
    parser.add_argument(
        "--forced", action="store_true", help="only answers that are given: for a file with random weights"
    )
    parser.add_argument("--json", type=Path, help="writes the figures to a file as well")
    options = parser.parse_args()

    from space.proofread.pipeline import load_proofreader
    from space.settings import Settings

    settings = Settings.from_env()
    # First, for Linux counts what this process takes as the peak of one that it starts.
    process = {} if options.forced else cold(options.model)
    proofreader = load_proofreader(settings, options.model)
    engine = proofreader.engine
    found: dict[str, Any] = {
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "threads": settings.n_threads,
        "date": str(date.today()),
        "model": engine.name,
    }
    print(f"{found['machine']}, {settings.n_threads} threads, {found['date']}, {engine.name}\n")
    if path := getattr(engine, "path", None):  # not of a server
        plain = Plain(path, settings.n_threads)
        found["limits"] = limits(plain)
        if not options.forced:
            found["drafts"] = side_by_side(proofreader, plain, options.words, options.runs)
        found["copies"] = copies(engine, plain, options.words, options.runs)
        del plain
    if not options.forced:
        found["users"] = together(proofreader, options.runs)
        found["process"] = whole_process(process)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


def limits(plain: Plain) -> dict[str, float]:
    """What model and machine can do at best."""
    found = plain.limits()
    print(
        "| the model reads | writes | so its weights pass through memory at | memory copies at |\n|---|---|---|---|"
    )
    print(
        f"| {found['reads']:.0f} tokens/s | {found['writes']:.1f} tokens/s | {found['weights_gb_s']:.1f} GB/s |"
        f" {found['copies_gb_s']:.1f} GB/s |\n"
    )
    return found


def side_by_side(proofreader: Any, plain: Plain, words: list[int], runs: int) -> list[dict[str, Any]]:
    """Plain and ours by turns, for each length and for many mistakes and few."""
    print(
        "| words | mistakes, % | plain: first edit, all | ours: first edit, all (slowest) | faster |"
        " tokens read by the model | drafted, right | sentences it never saw |"
    )
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    for n_words, (share, email) in itertools.product(words, ((12, EMAIL), (4, CAREFUL))):
        ours: list[Run] = []
        other: list[tuple[float, float]] = []
        for _ in range(runs):
            draft = drafted(email, n_words)
            ours.append(Run(proofreader, draft))
            other.append(plain.run(draft, ours[-1].text, ours[-1].first_edit_at))
        median = ours[sorted(range(runs), key=lambda i: ours[i].seconds)[runs // 2]]
        first, total = (statistics.median(each[i] for each in other) for i in (0, 1))
        row = {
            "words": n_words,
            "mistakes_percent": share,
            "plain_first_seconds": first,
            "plain_seconds": total,
            "first_seconds": statistics.median(each.first_seconds for each in ours),
            "seconds": median.seconds,
            "slowest_seconds": max(each.seconds for each in ours),
            "ratio": total / median.seconds,
            "read": median.read,
            "drafted": median.drafted,
            "accepted": median.accepted,
            "avoided": median.avoided,
            "sentences": median.sentences,
        }
        rows.append(row)
        print(
            f"| {n_words} | {share} | {first:.2f} s, {total:.2f} s | {row['first_seconds']:.2f} s, {row['seconds']:.2f} s"
            f" ({row['slowest_seconds']:.2f} s) | {row['ratio']:.1f} times | {row['read']} | {row['drafted']},"
            f" {row['accepted']} | {row['avoided']} of {row['sentences']} |",
            flush=True,
        )
    print()
    return rows


def copies(engine: Any, plain: Plain, words: list[int], runs: int) -> list[dict[str, Any]]:
    """A whole email in one prompt, as a general model gets it, and an answer that is given: the email with some words changed."""
    from tests.forced import Forced

    print(
        "| whole email of words | changed, % | plain | with the email as draft | faster | tokens read | drafted, right |"
    )
    print("|---|---|---|---|---|---|---|")
    rows = []
    for n_words, share in itertools.product(words, (12, 4)):
        taken: list[tuple[float, float]] = []
        for _ in range(runs):
            draft = drafted(EMAIL, n_words)
            text = plain.tokens(draft)
            prompt = plain.tokens(f"system\n{_REQUEST}\n\nuser\n{draft}\n\nassistant\n")
            if len(prompt) + len(text) > engine._n_ctx:
                break
            answer = list(text)
            for place in range(50 // share, len(text), round(100 * len(text) / (share * n_words))):
                answer[place] = text[place - 7]
            before = counted(engine)
            began = time.perf_counter()
            engine._lanes[0].write(Forced(prompt, answer, text))
            ours = time.perf_counter() - began
            counts = {name: value - before[name] for name, value in counted(engine).items()}
            taken.append((plain.write(prompt, len(answer)), ours))
        if not taken:
            continue
        slow, fast = (statistics.median(each[i] for each in taken) for i in (0, 1))
        rows.append(
            {"words": n_words, "changed_percent": share, "plain_seconds": slow, "seconds": fast, **counts}
        )
        print(
            f"| {n_words} | {share} | {slow:.2f} s | {fast:.2f} s | {slow / fast:.1f} times | {counts['read']} |"
            f" {counts['drafted']}, {counts['accepted']} |",
            flush=True,
        )
    print()
    return rows


def together(proofreader: Any, runs: int) -> list[dict[str, Any]]:
    """Some people at once, each with an email of their own."""
    print("| at once, 150 words each | words/s in all | slowest answer | its share, if all took turns |")
    print("|---|---|---|---|")
    rows: list[dict[str, Any]] = []
    for users in USERS:
        throughput, slowest = [], []
        for _ in range(runs):
            drafts = [drafted(EMAIL, 150) for _ in range(users)]
            with fresh(proofreader), ThreadPoolExecutor(users) as pool:
                waits = list(pool.map(partial(_seconds, proofreader, time.perf_counter()), drafts))
            throughput.append(sum(len(draft.split()) for draft in drafts) / max(waits))
            slowest.append(max(waits))
        row = {
            "users": users,
            "words_per_second": statistics.median(throughput),
            "slowest_seconds": statistics.median(slowest),
        }
        rows.append(row)
        share = users * rows[0]["slowest_seconds"]
        print(
            f"| {users} | {row['words_per_second']:.0f} | {row['slowest_seconds']:.2f} s | {share:.2f} s |",
            flush=True,
        )
    print()
    return rows


def _seconds(proofreader: Any, began: float, draft: str) -> float:
    proofreader.proofread(draft)
    return time.perf_counter() - began


def drafted(email: str, n_words: int) -> str:
    """That email, shortened or repeated to about so many words, with other numbers than any before."""
    body = email.strip().split("\n\n")
    copies = max(1, round(n_words / len(email.split())))
    paragraphs = [body[0], *(body[1:-1] * copies), body[-1]]
    if n_words < 100:
        paragraphs = [body[0], body[1]]
    return re.sub(r"\b(14|3|10:30)\b", lambda _: str(next(_numbers)), "\n\n".join(paragraphs)) + "\n"


class Run:
    """One email, proofread by a proofreader that remembers nothing."""

    def __init__(self, proofreader: Any, draft: str) -> None:
        before = counted(proofreader.engine)
        self.first_seconds = 0.0
        with fresh(proofreader):
            began = time.perf_counter()
            for outcome in proofreader.run(draft):
                edits = getattr(outcome, "applied", None) or outcome.edits
                if edits and not self.first_seconds:
                    self.first_seconds = time.perf_counter() - began
            self.seconds = time.perf_counter() - began
        self.text = outcome.text
        applied = outcome.applied
        self.first_edit_at = applied[0].start / len(draft) if applied else 1.0
        after = counted(proofreader.engine)
        self.read, self.drafted, self.accepted = (
            after[name] - before[name] for name in ("read", "drafted", "accepted")
        )
        self.sentences = len(re.findall(r"[.!?](?=\s)|,\n", draft)) + 1
        self.avoided = max(0, self.sentences - len(outcome.prompts))


def counted(engine: Any) -> Counter[str]:
    """What the model did so far, in all its lanes; nothing is known of a server."""
    found: Counter[str] = Counter()
    for lane in getattr(engine, "_lanes", ()):
        found.update(vars(lane.decoder.counts))
    return found


@contextmanager
def fresh(proofreader: Any) -> Iterator[None]:
    """A block before which all that was read is forgotten."""
    from space.proofread.passages import Passages

    for each in (proofreader.classifiers.tone, proofreader.classifiers.tagger):
        each._encoder._seen.clear()
    proofreader._passages = Passages()
    yield


class Plain:
    """llama-cpp-python with the same file."""

    def __init__(self, path: Path, n_threads: int) -> None:
        from space.proofread.llm.loading import load, silence

        self._bytes = path.stat().st_size
        with silence():
            self._llama = load(
                path, n_ctx=_N_CTX, n_batch=512, n_threads=n_threads, n_threads_batch=n_threads
            )

    def run(self, draft: str, answer: str, first_edit_at: float) -> tuple[float, float]:
        """Seconds to the place of the first edit, and in all. What begins the prompt is in its memory, as in ours."""
        prompt = self.tokens(f"system\n{_REQUEST}\n\nuser\n{draft}\n\nassistant\n")
        n_tokens = len(self.tokens(answer)) + 1
        began, first = time.perf_counter(), 0.0
        for count, _ in enumerate(self._llama.generate(prompt, temp=0.0), 1):
            if count >= first_edit_at * n_tokens and not first:
                first = time.perf_counter() - began
            if count == n_tokens:
                break
        return first, time.perf_counter() - began

    def write(self, prompt: list[int], n_tokens: int) -> float:
        """Seconds to write so many tokens."""
        began = time.perf_counter()
        for _ in itertools.islice(self._llama.generate(prompt, temp=0.0), n_tokens):
            pass
        return time.perf_counter() - began

    def limits(self) -> dict[str, float]:
        """What the model and the machine can do at best: tokens read and written a second, bytes of weights and of a copy."""
        import numpy as np

        tokens = self.tokens(EMAIL * 4)[:512]

        def seconds(work: Any) -> float:
            took = []
            for _ in range(3):
                self._llama.reset()
                began = time.perf_counter()
                work()
                took.append(time.perf_counter() - began)
            return min(took)

        reads = 512 / seconds(lambda: self._llama.eval(tokens))
        writes = 32 / seconds(lambda: [self._llama.eval([token]) for token in tokens[:32]])
        block = np.ones(1 << 25)
        copies = 2 * block.nbytes / seconds(lambda: block.copy()) / 1e9
        return {
            "reads": reads,
            "writes": writes,
            "weights_gb_s": writes * self._bytes / 1e9,
            "copies_gb_s": copies,
        }

    def tokens(self, text: str) -> list[int]:
        return list(self._llama.tokenize(text.encode(), add_bos=False, special=False))


def whole_process(cold: dict[str, float]) -> dict[str, float]:
    """A process from its start on, and how soon feedback is kept."""
    flags = flag_ms()
    print("| | |\n|---|---|")
    print(
        f"| start of the process to the answer, {len(EMAIL.split())} words | {cold['start_seconds']:.2f} s |"
    )
    print(f"| peak resident memory | {cold['peak_mb']:.0f} MB |")
    print(f"| feedback, from Send to the thank-you, 99th percentile | {flags:.1f} ms |")
    return cold | {"flag_ms": flags}


def cold(model: str | None) -> dict[str, float]:
    """Seconds and peak memory of `python -m space proofread` on the draft, from nothing."""
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
    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"start_seconds": seconds, "peak_mb": peak_bytes / 1e6}


def flag_ms() -> float:
    """Of feedback, from Send to the thank-you: the 99th percentile."""
    from tests.feedback.latency import flag_seconds, percentile_99

    with tempfile.TemporaryDirectory() as folder:
        return percentile_99(flag_seconds(Path(folder))) * 1000


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
