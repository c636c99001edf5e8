"""Writing a GGUF whole or not at all, and reading one with a clear answer when it is damaged."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader, GGUFWriter, LlamaFileType, ReaderTensor

from space.errors import UserError
from space.proofread.gguf_header import read_header
from space.proofread.llm.trial import try_model

N_CTX = 512  # tokens, when a file is tried
FLOAT_TYPES: dict[str, np.dtype[Any]] = {"F16": np.dtype(np.float16), "F32": np.dtype(np.float32)}


@dataclass(frozen=True)
class Tensor:
    """A tensor to write: `load` is called when its turn comes and its result is dropped right after."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], torch.Tensor]

    def array(self) -> np.ndarray:
        """The values in `dtype`. Raises UserError when one does not fit into F16 or is not a number."""
        values = self.load().numpy()
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(values, dtype=self.dtype)
        if not np.isfinite(array).all():
            if np.isfinite(values).all():
                raise UserError(f"tensor {self.name} is too large for F16: use --type F32")
            raise UserError(f"tensor {self.name} holds NaN or infinity: the training diverged")
        return array


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A path to write to that becomes `out` when the block succeeds and vanishes when it does not."""
    if not out.parent.is_dir():
        raise UserError(f"cannot write {out}: the folder {out.parent} does not exist, make it first")
    part = out.with_name(out.name + ".part")
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def describe(writer: GGUFWriter, name: str, license_id: str | None, type_name: str, n_weights: int) -> None:
    """Write the general.* keys that every file of ours has."""
    writer.add_type("model")
    writer.add_name(name)
    writer.add_size_label(f"{n_weights / 1e6:.0f}M" if n_weights < 1e9 else f"{n_weights / 1e9:.1f}B")
    if license_id:
        writer.add_license(license_id)
    writer.add_languages(["en"])
    writer.add_file_type(LlamaFileType.MOSTLY_F16 if type_name == "F16" else LlamaFileType.ALL_F32)


def write(out: Path, writer: GGUFWriter, tensors: Sequence[Tensor]) -> None:
    """Write the keys and the tensors. Raises UserError when the disk refuses."""
    for tensor in tensors:
        nbytes = int(np.prod(tensor.shape)) * tensor.dtype.itemsize
        writer.add_tensor_info(tensor.name, tensor.shape, tensor.dtype, nbytes)
    with replacing(out) as part:
        try:
            writer.write_header_to_file(part)
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            for tensor in tensors:
                writer.write_tensor_data(tensor.array())
        finally:
            writer.close()


def read(path: Path) -> GGUFReader:
    """Open a GGUF. Raises UserError when it is missing, not a GGUF, or cut short."""
    read_header(path)  # gguf-py believes what a file says of its own lengths
    try:
        return GGUFReader(path)
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a complete GGUF model; download or convert it again.") from error


def runnable(path: Path) -> GGUFReader:
    """Open a GGUF that llama.cpp is going to run. Raises UserError when it is damaged, or llama.cpp cannot."""
    reader = read(path)
    try_model(path, read_header(path), N_CTX)
    return reader


def matrices(reader: GGUFReader) -> list[ReaderTensor]:
    """The tensors with two dimensions or more; vectors stay F32 in every file."""
    return [tensor for tensor in reader.tensors if len(tensor.shape) > 1]


def type_counts(reader: GGUFReader) -> dict[str, int]:
    """How many matrices are stored in each type, most frequent first."""
    return dict(Counter(tensor.tensor_type.name for tensor in matrices(reader)).most_common())
