"""A GGUF taken apart, to put it together again with one thing wrong in it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader

U8, U32, I32, F32, STRING, ARRAY = 0, 4, 5, 6, 8, 9
ALIGNMENT = 32


def text(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(value) if length is None else length) + value


def array(kind: int, items: list[bytes], count: int | None = None) -> bytes:
    """The type of an array and its value."""
    return struct.pack("<IIQ", ARRAY, kind, len(items) if count is None else count) + b"".join(items)


def u32(value: int) -> bytes:
    return struct.pack("<II", U32, value)


def string(value: str) -> bytes:
    return struct.pack("<I", STRING) + text(value.encode())


@dataclass
class TensorInfo:
    name: bytes
    dims: list[int]
    kind: int
    offset: int
    n_dims: int | None = None

    def to_bytes(self) -> bytes:
        n = len(self.dims) if self.n_dims is None else self.n_dims
        dims = struct.pack(f"<{len(self.dims)}Q", *self.dims)
        return text(self.name) + struct.pack("<I", n) + dims + struct.pack("<IQ", self.kind, self.offset)


@dataclass
class Gguf:
    """The parts of a file; `fields` are keys with the bytes of their type and value."""

    fields: list[tuple[bytes, bytes]]
    tensors: list[TensorInfo]
    data: bytes
    magic: bytes = b"GGUF"
    version: int = 3
    n_fields: int | None = None
    n_tensors: int | None = None
    ends: dict[str, int] = field(default_factory=dict)  # of the sections, once it was put together

    @classmethod
    def read(cls, path: Path) -> Gguf:
        reader = GGUFReader(path)
        fields = []
        for name, each in reader.fields.items():
            if not name.startswith("GGUF."):
                value = b"".join(part.tobytes() for part in each.parts[2:])
                fields.append((name.encode(), value))
        tensors = [
            TensorInfo(t.name.encode(), t.shape.tolist(), int(t.tensor_type), int(t.data_offset - reader.data_offset))
            for t in reader.tensors
        ]  # fmt: skip
        return cls(fields, tensors, path.read_bytes()[reader.data_offset :])

    def to_bytes(self) -> bytes:
        n_tensors = len(self.tensors) if self.n_tensors is None else self.n_tensors
        n_fields = len(self.fields) if self.n_fields is None else self.n_fields
        head = self.magic + struct.pack("<IQQ", self.version, n_tensors, n_fields)
        fields = b"".join(text(name) + value for name, value in self.fields)
        infos = b"".join(tensor.to_bytes() for tensor in self.tensors)
        whole = head + fields + infos
        self.ends = {"head": len(head), "fields": len(head + fields), "tensors": len(whole)}
        whole += bytes(-len(whole) % ALIGNMENT)
        self.ends["padding"] = len(whole)
        return whole + self.data

    def put(self, name: str, value: bytes) -> Gguf:
        """With this value; of a key that it has, at its place."""
        key = name.encode()
        if any(key == each for each, _ in self.fields):
            self.fields = [(each, value if each == key else old) for each, old in self.fields]
        else:
            self.fields.append((key, value))
        return self

    def tensor(self, name: str, /, **changes: Any) -> Gguf:
        (found,) = (each for each in self.tensors if each.name == name.encode())
        for what, value in changes.items():
            setattr(found, what, value)
        return self

    def tokens(self, change: Callable[[list[bytes]], list[bytes]]) -> Gguf:
        """With other tokens; lengths of the arrays beside them stay."""
        return self.strings("tokenizer.ggml.tokens", change)

    def strings(self, name: str, change: Callable[[list[bytes]], list[bytes]]) -> Gguf:
        value = dict(self.fields)[name.encode()]
        (count,), at, items = struct.unpack_from("<Q", value, 8), 16, []
        for _ in range(count):
            (length,) = struct.unpack_from("<Q", value, at)
            items.append(value[at + 8 : at + 8 + length])
            at += 8 + length
        return self.put(name, array(STRING, [text(item) for item in change(items)]))

    def weights(self, value: float) -> Gguf:
        """With this number in all of the F16 tensors and those of F32."""
        data = bytearray(self.data)
        for each in self.tensors:
            dtype = np.dtype(np.float16 if each.kind == 1 else np.float32)
            count = int(np.prod(each.dims))
            data[each.offset : each.offset + count * dtype.itemsize] = np.full(count, value, dtype).tobytes()
        self.data = bytes(data)
        return self
