"""python -m tests.fuzz [--minutes 10] [--target NAME]: inputs that nobody thought of, guided by the code that they reach.

For each target first long inputs of repeated pieces, each of which must be done in two seconds, then libFuzzer (atheris:
pip install atheris, Linux). What breaks a property is written to a file, named on stdout; exit code 1.

A short version of the same is in tests/test_fuzz.py.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz_targets import TARGETS, Target

LONG = 65_536  # bytes
SECONDS = 2.0  # for so many
SHARE_OF_LONG = 0.2  # of the time


def repeated(target: Target, chance: random.Random, size: int = LONG) -> bytes:
    """A few pieces over and over, between a few others: what takes time that grows with a square shows here."""
    start, unit, end = (b"".join(chance.choices(target.pieces, k=chance.randint(0, 3))) for _ in range(3))
    unit = unit or chance.randbytes(chance.randint(1, 4))
    return (start + unit * (size // len(unit) + 1))[: size - len(end)] + end


def seconds(target: Target, data: bytes) -> float:
    """Of this process's time that the input takes."""
    began = time.process_time()
    target.check(data)
    return time.process_time() - began


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for each target (default: 10)")
    parser.add_argument("--target", choices=TARGETS, help="default: each in turn")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for what breaks a property (default: here)")  # fmt: skip
    args = parser.parse_args(argv)
    try:
        import atheris  # noqa: F401
    except ImportError:
        parser.error("atheris is missing: pip install atheris")
    broken = 0
    for name in [args.target] if args.target else TARGETS:
        for way, share in ((_long, SHARE_OF_LONG), (_guided, 1 - SHARE_OF_LONG)):
            # A process of its own: libFuzzer ends the one it runs in.
            run = multiprocessing.get_context("spawn").Process(
                target=way, args=(name, 60 * args.minutes * share, args.out)
            )
            run.start()
            run.join()
            broken += run.exitcode != 0
    return 1 if broken else 0


def _long(name: str, duration: float, out: Path) -> None:
    target, chance, until = TARGETS[name], random.Random(0), time.monotonic() + duration
    runs, slowest = 0, (0.0, b"")
    target.check(b"")  # loads what it needs
    while time.monotonic() < until:
        data = repeated(target, chance)
        try:
            slowest = max(slowest, (seconds(target, data), data))
        except Exception:
            (out / f"long-{name}").write_bytes(data)
            raise
        runs += 1
    print(f"{name}: {runs} long inputs, the slowest took {slowest[0]:.2f} s", flush=True)
    if slowest[0] > SECONDS:
        (out / f"slow-{name}").write_bytes(slowest[1])
        sys.exit(1)


def _guided(name: str, duration: float, out: Path) -> None:
    import importlib

    import atheris

    target = TARGETS[name]
    with atheris.instrument_imports(include=list(target.modules), enable_loader_override=False):
        for module in target.modules:
            importlib.import_module(module)
    with TemporaryDirectory() as corpus:
        for number, piece in enumerate((*target.pieces, b"".join(target.pieces[:40]))):
            Path(corpus, str(number)).write_bytes(piece)
        words = Path(corpus, "words")
        words.write_text("".join(f'"{_escaped(piece)}"\n' for piece in target.pieces if len(piece) < 64))
        print(f"{name}: guided", flush=True)
        arguments = [
            f"-max_total_time={duration:.0f}", f"-max_len={LONG}", f"-dict={words}", f"-artifact_prefix={out}/{name}-",
            "-timeout=60", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0",
        ]  # fmt: skip
        sys.stdout.flush()
        os.environ.setdefault("PYTHONHASHSEED", "0")
        atheris.Setup([name, *arguments, corpus], target.check)
        atheris.Fuzz()


def _escaped(piece: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in piece)


if __name__ == "__main__":
    sys.exit(main())
