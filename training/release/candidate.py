"""The new file: weights with an adapter merged in, as a GGUF that is read as the served one is, compared with its folder.

    served, target = places("proofreader", None)
    folder = merged(steps, base, adapter)
    candidate = made(steps, folder, target, "Q8_0")

What takes long is a step that is run once for its inputs.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.runs.steps import Steps, fingerprint

_MIN_AGREEMENT = 0.5  # of greedy tokens between a quantised file and its folder, as `conversion verify` asks

Row = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """The new model as a file, and whether it says what the trained model says."""

    file: Path
    verified: Row


# ---- before the work ---------------------------------------------------------------------------------------


def places(served: str, models_dir: Path | None) -> tuple[Path, Path]:
    """The file that is served now, and where the new one goes. UserError if nothing is served."""
    from space.proofread.llm.models import locate
    from space.settings import Settings

    models_dir = models_dir or Settings.from_env().models_dir
    path = locate(served, models_dir).path
    if not path.is_file():
        raise UserError(f"{path}: no such model, so there is nothing to beat: give --served and --models_dir")
    return path, models_dir / f"{path.stem}.gguf"


def reader_of(model: Path) -> Path:
    """The adapter that a model is read with, where it has one."""
    return model.parent / "reader" / model.name


def require_type(name: str) -> None:
    from conversion.quantize import FILE_TYPES

    if name not in FILE_TYPES:
        raise UserError(f"--type {name}: choose one of {', '.join(FILE_TYPES)}")


def require_convertible(folder: Path) -> None:
    """UserError, in seconds, for weights of which no GGUF can be made."""
    from conversion import llama_gguf
    from conversion.checkpoint import Checkpoint

    llama_gguf.prepared(Checkpoint.open(folder), "F16", folder.name, None)


def require_room(out: Path, weights: Path, copies: int) -> None:
    """UserError if so many copies of the weights do not fit where `out` is or will be."""
    needed = copies * sum(path.stat().st_size for path in weights.glob("*.safetensors"))
    place = next(path for path in (out, *out.resolve().parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise UserError(
            f"{place} has {free / 1e9:.1f} GB free, a new model takes about {needed / 1e9:.1f} GB: make room, or name another folder"
        )


# ---- the work ----------------------------------------------------------------------------------------------


def merged(steps: Steps, base: Path, adapter: Path) -> Path:
    """The folder of the base with the adapter merged in."""
    inputs = {"base": fingerprint(base), "adapter": fingerprint(adapter)}
    return Path(steps.run("merge", inputs, lambda folder: _merge(base, adapter, folder))["folder"])


def made(steps: Steps, weights: Path, target: Path, type_name: str) -> Candidate:
    """The file under the name of `target`, whose reader it gets: what reads for the served model reads for this one."""
    reader = reader_of(target)
    inputs = {"merged": fingerprint(weights), "type": type_name, "name": target.stem}
    inputs |= {"reader": fingerprint(reader)} if reader.is_file() else {}
    files = steps.run("gguf", inputs, lambda folder: _gguf(weights, reader, type_name, folder))
    inputs = {kind: fingerprint(Path(path)) for kind, path in files.items()}
    verified = steps.run("verify", inputs, lambda _: _verify(files, weights))
    return Candidate(Path(files["file"]), verified)


def _merge(base: Path, adapter: Path, folder: Path) -> Row:
    from conversion.merge import merge

    out = folder / "model"
    shutil.rmtree(out, ignore_errors=True)
    _note(merge(base, adapter, out))
    return {"folder": str(out)}


def _gguf(weights: Path, reader: Path, type_name: str, folder: Path) -> Row:
    from conversion import llama_gguf
    from conversion.checkpoint import Checkpoint
    from conversion.quantize import quantize

    f16, file = folder / "f16.gguf", folder / reader.name
    _note(llama_gguf.convert(Checkpoint.open(weights), f16, "F16", reader.stem, None))
    _note(quantize(f16, file, type_name, None))
    if reader.is_file():
        (folder / "reader").mkdir(exist_ok=True)
        shutil.copy(reader, folder / "reader")
    return {"f16": str(f16), "file": str(file)}


def _verify(files: Row, weights: Path) -> Row:
    """The F16 file must say what the folder says, the smaller one nearly that."""
    from conversion.verify import verify

    failed = []
    for path in (files["f16"], files["file"]):
        report = verify(Path(path), weights, min_agreement=_MIN_AGREEMENT)
        print(report.table(), file=sys.stderr)
        failed += [f"{Path(path).name}: {check.name}" for check in report.checks if not check.passed]
    return {"passed": not failed, "failed": failed}


def _note(lines: Iterable[str]) -> None:
    for line in lines:
        print(f"note: {line}", file=sys.stderr)
