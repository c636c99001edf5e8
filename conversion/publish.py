"""A fine-tune as the folder that goes to the Hub: GGUF files, adapter, records, checks, card and checksums.

    OUT/upload/   README.md  NAME-F16.gguf  NAME-Q8_0.gguf ...  adapter/  training/  verify.json  SHA256SUMS
    OUT/merged/   what the files are made of and compared with; it stays here

What has been made is not made again. No file is published that `verify` has not passed: its report in verify.json is for
the SHA-256 of exactly this file, and of one without a report it is made. Records and configurations lose the folders of
this machine, which may hold a user's name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conversion import fine_tune, llama_gguf, model_card
from conversion.checkpoint import MANIFEST, Checkpoint, read_json
from conversion.fine_tune import RECORDS, FineTune, anonymous, anonymous_value
from conversion.merge import TOKENIZER_FILES, merge
from conversion.quantize import FILE_TYPES, K_BLOCK, quantize
from conversion.upload import listed
from conversion.verify import verify
from space.errors import UserError

REPORTS, SUMS = "verify.json", "SHA256SUMS"
_COPIES = 3  # of the base's weights: the merged model, F16, and the smaller files


def prepare(args: argparse.Namespace) -> Path:
    """Makes what is missing of OUT/upload and returns it. UserError for what cannot be published."""
    source = FineTune.find(args.source)
    base, base_model = fine_tune.base(args.base, source.adapter)
    if unknown := set(args.type or ()) - FILE_TYPES.keys():
        raise UserError(f"--type {', '.join(sorted(unknown))}: choose of {', '.join(FILE_TYPES)}")
    about = model_card.About(
        args.repo_id, args.tag, args.base_model or base_model, args.license or fine_tune.license_of(base),
        args.datasets or fine_tune.datasets(source.record), source.record, (source.adapter / MANIFEST).is_file(),
    )  # fmt: skip
    if not about.license:
        raise UserError(
            "--license is missing, and the base's card names none: give it as the Hub calls it (apache-2.0, llama3.2)"
        )
    if not about.base_model:
        _note(["the card names no base: give --base_model owner/name if it is on the Hub"])
    out = args.out or Path("runs", "publish", args.repo_id.rpartition("/")[2])
    try:
        return _Folder(out, source, base, about).filled(args)
    except OSError as error:
        raise UserError(
            f"{error.filename or out} cannot be written or read ({error.strerror or error}): free some space, or name another --out"
        ) from error


class _Folder:
    """OUT while it is filled."""

    def __init__(self, out: Path, source: FineTune, base: Path, about: model_card.About) -> None:
        self.out, self.source, self.base, self.about = out, source, base, about
        self.upload = out / "upload"
        self.name = about.repo_id.rpartition("/")[2]

    def filled(self, args: argparse.Namespace) -> Path:
        self._claim(args)
        if args.gguf:
            ggufs = [self._copied(path, path.name) for path in args.gguf]
        else:
            ggufs = [self._made(kind) for kind in dict.fromkeys(args.type or self._types())]
        if len(set(ggufs)) < len(ggufs):
            raise UserError("--gguf: two files have the same name; rename one")
        for path in self.upload.glob("*.gguf"):  # of an earlier command with other types
            if path not in ggufs:
                path.unlink()
        files = self._verified(ggufs)
        self._adapter()
        self._records()
        scores = model_card.read_scores(args.scores, [file.name for file in files]) if args.scores else []
        _write(self.upload / "README.md", str(model_card.card(self.about, files, scores)))
        lines = (f"{_sha256(path)}  {name}\n" for name, path in listed(self.upload).items() if name != SUMS)
        _write(self.upload / SUMS, "".join(lines))
        return self.upload

    def _claim(self, args: argparse.Namespace) -> None:
        """UserError if OUT holds another model, or the disk too little room."""
        made_of = {
            "adapter": _sha256(self.source.adapter / "adapter_model.safetensors"),
            "base": {path.name: _sha256(path) for path in sorted(self.base.glob("*.safetensors"))},
            "merged": str(args.merged or self.source.merged or ""),
            "name": self.name,
            "license": self.about.license,
        }
        note = self.out / "made_of.json"
        if note.is_file() and read_json(note) != made_of or not note.is_file() and any(self.out.glob("*")):
            raise UserError(f"{self.out} holds something else: remove it, or name another --out")
        self.merged = args.merged or self.source.merged or self.out / "merged"
        place = next(path for path in (self.out, *self.out.resolve().parents) if path.is_dir())
        needed = _COPIES * sum(path.stat().st_size for path in self.base.glob("*.safetensors"))
        free = shutil.disk_usage(place).free
        if not note.is_file() and free < needed:
            raise UserError(
                f"{place} has {free / 1e9:.1f} GB free, the files take about {needed / 1e9:.1f} GB: make room, or give another --out"
            )
        self.upload.mkdir(parents=True, exist_ok=True)
        _write(note, json.dumps(made_of, indent=1))

    def _folder(self) -> Path:
        """The merged model, made when it is first needed."""
        if not self.merged.is_dir():
            _note(merge(self.base, self.source.adapter, self.merged))
        return self.merged

    def _types(self) -> list[str]:
        config = Checkpoint.open(self.base).config
        fits = all(config[size] % K_BLOCK == 0 for size in ("hidden_size", "intermediate_size"))
        return [*self.source.files, "F16", "Q8_0", "Q4_K_M" if fits else "Q4_0"]

    def _made(self, kind: str) -> Path:
        path = self.upload / f"{self.name}-{kind}.gguf"
        if kind in self.source.files:
            return self._copied(self.source.files[kind], path.name)
        if path.is_file():
            return path
        if kind in ("F16", "F32"):
            checkpoint = Checkpoint.open(self._folder())
            _note(llama_gguf.convert(checkpoint, path, kind, self.name, self.about.license))
            return path
        whole = self.upload / f"{self.name}-F16.gguf"
        _note(quantize(self._made("F16") if not whole.is_file() else whole, path, kind, None))
        return path

    def _copied(self, path: Path, name: str) -> Path:
        """A file that was made before, under the same inode where that can be had."""
        copy = self.upload / name
        if not path.is_file():
            raise UserError(f"{path} does not exist: give a GGUF file")
        if not copy.is_file() or _sha256(copy) != _sha256(path):
            copy.unlink(missing_ok=True)
            try:
                os.link(path, copy)
            except OSError:
                shutil.copyfile(path, copy)
        return copy

    def _verified(self, ggufs: Iterable[Path]) -> list[model_card.File]:
        """The files with their checks. UserError for one that does not say what the model says."""
        path = self.upload / REPORTS
        before = read_json(path) if path.is_file() else {}
        reports: dict[str, Any] = {}
        for gguf in ggufs:
            sha256 = _sha256(gguf)
            report = before.get(gguf.name, {})
            if report.get("sha256") != sha256 or not report.get("passed"):
                found = verify(gguf, self._folder())
                print(found.table(), file=sys.stderr)
                report = {"sha256": sha256, **found.to_dict()}
                del report["gguf"], report["folder"]  # places on this machine
            if not report["passed"]:
                failed = ", ".join(check["name"] for check in report["checks"] if not check["passed"])
                raise UserError(
                    f"{gguf} differs from the model ({failed}), so nothing is published: give other --type"
                )
            reports[gguf.name] = report
            _write(path, json.dumps(before | reports, indent=1))
        _write(path, json.dumps(reports, indent=1))
        return [model_card.File(each.name, each.stat().st_size, reports[each.name]) for each in ggufs]

    def _adapter(self) -> None:
        target = self.upload / "adapter"
        target.mkdir(exist_ok=True)
        for name in ("adapter_model.safetensors", MANIFEST, *TOKENIZER_FILES):
            if (path := self.source.adapter / name).is_file():
                shutil.copyfile(path, target / name)
        for name, key in (
            ("adapter_config.json", "base_model_name_or_path"),
            ("tokenizer_config.json", "name_or_path"),
        ):
            if (path := self.source.adapter / name).is_file():
                config = read_json(path)
                if key in config:
                    config[key] = self.about.base_model or anonymous_value(config[key])
                _write(target / name, json.dumps(config, indent=2))

    def _records(self) -> None:
        """The records of the run, and of the runs inside it."""
        shutil.rmtree(self.upload / "training", ignore_errors=True)
        if self.source.run is None:
            return
        runs = [self.source.run, *(self.source.run / name for name in ("sft", "prefer"))]
        for path in (run / name for run in runs for name in RECORDS):
            if path.is_file() and path.stat().st_size:
                target = self.upload / "training" / path.relative_to(self.source.run)
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(target, anonymous(path.read_text(encoding="utf-8"), lines=path.suffix == ".jsonl"))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _write(path: Path, text: str) -> None:
    """Completely or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _note(lines: Iterable[str]) -> None:
    for line in lines:
        print(f"note: {line}", file=sys.stderr)
