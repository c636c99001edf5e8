"""A fine-tune on this machine: the adapter, the base it was trained on, the record of its run, what was made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from conversion.checkpoint import read_json
from conversion.merge import require_lora
from space.errors import UserError

RECORDS = ("run.json", "log.jsonl", "result.json")
_RUN = RECORDS[0]
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_DATA_FILES = (".csv", ".json", ".jsonl", ".zst", ".parquet")


@dataclass(frozen=True)
class FineTune:
    """A trained adapter; of a run also its record, of a `retrain` the model and the files that it judged."""

    adapter: Path
    run: Path | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    merged: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)  # GGUF by its type

    @classmethod
    def find(cls, folder: Path) -> FineTune:
        """What is in a folder. UserError if that is no adapter, or comes of a run that did not end well."""
        if (folder / _RUN).is_file():
            record = read_json(folder / _RUN)
            if record.get("status") != "done":
                raise UserError(f"{folder}: the run is {record.get('status')}, not done: end it first")
            if record.get("command") == "retrain":
                return _retrained(folder, record)
            require_lora(folder / "adapter")
            return cls(folder / "adapter", folder, record)
        if (folder / "adapter_config.json").is_file() and (folder.parent / _RUN).is_file():
            return cls.find(folder.parent)
        require_lora(folder)
        return cls(folder)


def _retrained(folder: Path, record: Mapping[str, Any]) -> FineTune:
    result = read_json(folder / "result.json")
    if not result.get("released"):
        raise UserError(
            f"{folder}: retrain did not release this model ({'; '.join(result.get('why', []))}); "
            f"{folder / 'sft'} is the run that made its adapter"
        )
    prefers = record["data"]["pairs"] >= record["parameters"]["min_pairs"]
    adapter = folder / ("prefer" if prefers else "sft") / "adapter"
    require_lora(adapter)
    judged = folder / "gguf" / Path(result["model"]).name
    files = {"F16": folder / "gguf" / "f16.gguf", record["parameters"]["type"]: judged}
    record = {
        **record,
        "parameters": read_json(adapter.parent / _RUN)["parameters"],
    }  # those it was trained with
    return FineTune(adapter, folder, record, folder / "merge" / "model", files)


def base(given: str | None, adapter: Path) -> tuple[Path, str | None]:
    """The folder of the base, and its name on the Hub if it came from there. UserError if it is not on this machine."""
    name = given or require_lora(adapter).get("base_model_name_or_path")
    if not name:
        raise UserError(f"{adapter} does not say what it was trained on: give --base")
    if Path(name).is_dir():
        return Path(name), None
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True)), name
    except Exception as error:  # noqa: BLE001  no valid name, not in the cache, half of it
        raise UserError(
            f"the base {name} is neither a folder nor in the cache: give --base FOLDER"
        ) from error


def license_of(base: Path) -> str | None:
    """What the card beside the base's weights names, if there is one."""
    from huggingface_hub import ModelCard

    if not (base / "README.md").is_file():
        return None
    return ModelCard.load(base / "README.md", ignore_metadata_errors=True).data.license


def datasets(record: Mapping[str, Any]) -> list[str]:
    """Of a run's data sets those that are on the Hub."""
    names = [str(name).partition(":")[0] for name in record.get("data", {}).get("datasets", ())]
    return [name for name in names if _HUB_ID.fullmatch(name) and not name.endswith(_DATA_FILES)]


def anonymous(text: str, lines: bool) -> str:
    """JSON, or JSON lines, in which every place on this machine is its last name alone. A torn line is left out."""
    if not lines:
        return json.dumps(anonymous_value(json.loads(text)), indent=1) + "\n"
    whole = []
    for line in text.splitlines():
        try:
            whole.append(json.dumps(anonymous_value(json.loads(line))) + "\n")
        except ValueError:
            continue
    return "".join(whole)


def anonymous_value(value: Any) -> Any:
    """A JSON value in which each path that is absolute, or begins at the home or above the folder, is its last name."""
    if isinstance(value, dict):
        return {name: anonymous_value(each) for name, each in value.items()}
    if isinstance(value, list):
        return [anonymous_value(each) for each in value]
    if isinstance(value, str):
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(value).is_absolute() or value.startswith(("~", "..")):
                return kind(value).name
    return value
