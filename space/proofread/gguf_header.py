"""The header of a GGUF, read with bounds: what cannot be is refused before llama.cpp or gguf-py believe it.

    read_header(Path("space/models/proofreader.gguf")).metadata["llama.block_count"]

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Nothing of the tensors' data is read.

Not covered: whether the tensors are those of the architecture, which llama.cpp knows (llm/trial.py).
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

from space.errors import UserError

# Large models have 60 keys, 2,000 tensors, 300,000 tokens with 600,000 merges, and a chat template of 15,000 characters.
MAX_KEYS = 4_096
MAX_TENSORS = 65_536
MAX_ITEMS = 4_000_000  # of all arrays; to walk over so many strings takes a second
MAX_TEXT_BYTES = 1_000_000
MAX_NAME_BYTES = 64  # of a tensor: GGML_MAX_NAME
MAX_DIMS = 4
MAX_ALIGNMENT = 65_536

_STRING, _ARRAY, _BOOL = 8, 9, 7
_SCALARS = dict(enumerate(("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<B"))) | {10: "<Q", 11: "<q", 12: "<d"}
_LFS = b"version https://git-lfs"
# What is taken for a model by mistake, by how it begins.
_OTHERS = {
    b"PK\x03\x04": "a zip archive", b"\x80\x02": "a PyTorch file", b"<!": "a web page", b"<h": "a web page",
    _LFS: "a pointer of git-lfs, to be fetched with git lfs pull", b"{": "a JSON file",
}  # fmt: skip

_CUT = "cut short within its header"

Scalar = int | float | bool | str


@dataclass
class Header:
    """The values by key, but of arrays only the lengths, and how many tensors there are."""

    metadata: dict[str, Scalar] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    n_tensors: int = 0

    def text(self, key: str, default: str = "") -> str:
        value = self.metadata.get(key, default)
        return value if isinstance(value, str) else default


class _Wrong(Exception):
    """What is wrong, as it goes on after "not a complete GGUF model"."""


def read_header(path: Path) -> Header:
    """UserError if the file is none, is cut short within its header, or says what cannot be."""
    if not path.is_file():
        raise UserError(f"cannot read {path}: there is no such file, or it is none; give the path of a GGUF.")
    try:
        with path.open("rb") as file:
            start = file.read(64)
            if not start.startswith(b"GGUF"):
                raise UserError(
                    f"{path}: not a GGUF file{_kind(start)}; download it again, or make one with python -m conversion gguf."
                )
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(data).header()
    except _Wrong as error:
        raise UserError(
            f"{path}: not a complete GGUF model ({error}); download or convert it again."
        ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; give another file.") from error


def _kind(start: bytes) -> str:
    if not start:
        return " but empty"
    found = start.lstrip().lower() if start.lstrip().startswith(b"<") else start
    return next((f" but {kind}" for begin, kind in _OTHERS.items() if found.startswith(begin)), "")


class _Reader:
    """Goes through a header once, from its beginning to its end."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self._data, self._at, self._items = data, 4, 0
        self._header = Header()

    def header(self) -> Header:
        version = self._number("<I")
        if version not in (2, 3):
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
            order = ", in big-endian order" if swapped in (2, 3) else ""
            raise _Wrong(f"of version {version if not order else swapped}{order}")
        n_tensors, n_keys = self._number("<Q"), self._number("<Q")
        if n_tensors > MAX_TENSORS or n_keys > MAX_KEYS:
            raise _Wrong(f"it says that it has {n_tensors:,} tensors and {n_keys:,} keys")
        for _ in range(n_keys):
            self._field()
        self._check_metadata()
        self._tensors(n_tensors)
        return self._header

    def _number(self, form: str) -> int:
        size = struct.calcsize(form)
        if self._at + size > len(self._data):
            raise _Wrong(_CUT)
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += size
        return value

    def _text(self, what: str, limit: int) -> str:
        length = self._number("<Q")
        if length > limit:
            raise _Wrong(f"{what} has {length:,} bytes")
        self._skip(length)
        try:
            return self._data[self._at - length : self._at].decode()
        except UnicodeDecodeError:
            raise _Wrong(f"{what} is no UTF-8") from None

    def _skip(self, size: int) -> None:
        self._at += size
        if self._at > len(self._data):
            raise _Wrong(_CUT)

    def _field(self) -> None:
        key = self._text("the name of a key", 65_535)
        shown = _shown(key)
        if key in self._header.metadata or key in self._header.lengths:
            raise _Wrong(f"it has {shown} twice")
        kind = self._number("<I")
        if kind == _ARRAY:
            self._header.lengths[key] = self._array(shown)
        elif kind == _STRING:
            self._header.metadata[key] = self._text(shown, MAX_TEXT_BYTES)
        elif kind in _SCALARS:
            value = self._number(_SCALARS[kind])
            self._header.metadata[key] = bool(value) if kind == _BOOL else value
        else:
            raise _Wrong(f"{shown} is of the unknown type {kind}")

    def _array(self, shown: str) -> int:
        kind, count = self._number("<I"), self._number("<Q")
        self._items += count
        if self._items > MAX_ITEMS:
            raise _Wrong(f"{shown} has {count:,} items")
        if kind == _STRING:
            self._skip_strings(count)
        elif kind in _SCALARS:
            self._skip(count * struct.calcsize(_SCALARS[kind]))
        else:  # arrays of arrays, which nothing writes, and what is no type
            raise _Wrong(f"{shown} has items of the unknown type {kind}")
        return count

    def _skip_strings(self, count: int) -> None:
        data, at, end, unpack = self._data, self._at, len(self._data), struct.Struct("<Q").unpack_from
        for _ in range(count):  # 100,000 in the shipped model
            if at + 8 > end:
                raise _Wrong(_CUT)
            at += 8 + unpack(data, at)[0]
        self._at = at
        self._skip(0)

    def _check_metadata(self) -> None:
        """What llama.cpp does not look at, or ends the process on."""
        values, lengths = self._header.metadata, self._header.lengths
        architecture = values.get("general.architecture")
        if not isinstance(architecture, str) or not architecture:
            raise _Wrong("it does not name its architecture")
        context = values.get(f"{architecture}.context_length", 1)
        if not isinstance(context, int) or not 0 < context < 2**31:
            raise _Wrong(f"{_shown(architecture)}.context_length is {_shown(context)}")
        n_tokens = lengths.get("tokenizer.ggml.tokens")
        if n_tokens is None:
            return
        for name in ("token_type", "scores"):
            if lengths.get(f"tokenizer.ggml.{name}", n_tokens) != n_tokens:
                raise _Wrong(f"tokenizer.ggml.{name} has another length than its {n_tokens:,} tokens")
        for name in ("bos", "eos"):
            token = values.get(f"tokenizer.ggml.{name}_token_id", 0)
            if not isinstance(token, int) or not 0 <= token < max(n_tokens, 1):
                raise _Wrong(f"tokenizer.ggml.{name}_token_id is {_shown(token)}, of {n_tokens:,} tokens")

    def _tensors(self, count: int) -> None:
        alignment = self._header.metadata.get("general.alignment", 32)
        # Of less than that of the memory of ggml, which ends the process.
        if alignment not in [2**n for n in range(5, MAX_ALIGNMENT.bit_length())]:
            raise _Wrong(f"general.alignment is {_shown(alignment)}")
        names, last = set(), 0
        for _ in range(count):
            name = self._text("the name of a tensor", MAX_NAME_BYTES - 1)
            n_dims = self._number("<I")
            if name in names or not 1 <= n_dims <= MAX_DIMS:
                raise _Wrong(f"it has {_shown(name)} twice, or in {n_dims} dimensions")
            names.add(name)
            size = math.prod(self._number("<Q") for _ in range(n_dims))
            self._number("<I")  # the type, of which llama.cpp has new ones at times
            offset = self._number("<Q")
            # The smallest type takes a byte for 8 weights.
            if not 0 < size <= 8 * len(self._data):
                raise _Wrong(f"{_shown(name)} has {size:,} weights")
            if offset % int(alignment):
                raise _Wrong(f"{_shown(name)} is not aligned")
            last = max(last, offset)
        data_at = -(-self._at // int(alignment)) * int(alignment)
        if count and data_at + last >= len(self._data):
            raise _Wrong("cut short")
        self._header.n_tensors = count


def _shown(value: Scalar) -> str:
    """A name or a value in an error: one short line."""
    line = "".join(char if char.isprintable() else " " for char in str(value)[:64]).strip()
    return line or "a key without a name"
