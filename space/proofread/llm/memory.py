"""Whether a model fits into memory, estimated before it is loaded: without that the kernel ends the whole process.

And how what a closed model took goes back to the system.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from space.errors import UserError
from space.proofread.gguf_header import Header
from space.proofread.llm.decoder import N_BATCH

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
_M_ARENA_MAX = -8  # of malloc.h
# Twice in 32 bits, where they are computed and where they are handed out, and as much again for what else is computed. With that the
# estimate for the shipped model is 218, 265 and 454 MiB with 512, 2,048 and 8,192 tokens, in two lanes 358, 453 and 831; with two answers
# at once in each, reading and other wordings, 257, 298 and 434 were taken, and 363, 450 and 717 (December 2026).
_BYTES_OF_A_LOGIT = 16
_BYTES_OF_A_WEIGHT = 4  # of a token's attention to another, in each head


class NotEnoughMemory(UserError):
    """A model that takes `needed` bytes; closing others that take as much as is missing may help."""

    def __init__(self, path: Path, needed: int, free: int) -> None:
        super().__init__(
            f"{path}: takes about {needed / 1e6:,.0f} MB of memory, {free / 1e6:,.0f} MB are free;"
            " close other programs, lower N_CTX, or choose a smaller model."
        )
        self.needed, self.free = needed, free


def check(path: Path, needed: int) -> None:
    """NotEnoughMemory if so many bytes are not free."""
    free = available()
    if free is not None and needed > free:
        raise NotEnoughMemory(path, needed, free)


def estimated(path: Path, header: Header, n_ctx: int, lanes: int = 1) -> int:
    """Bytes that a GGUF takes: the file, and in each lane keys and values of `n_ctx` tokens in 16 bits, and a batch's attention and logits."""
    architecture = header.text("general.architecture")

    def number(name: str, default: int) -> int:
        value = header.metadata.get(f"{architecture}.{name}")
        return value if isinstance(value, int) else default

    heads = number("attention.head_count", 1)
    width = number("embedding_length", 0) // max(heads, 1)  # of one head
    key, value = (number(f"attention.{name}_length", width) for name in ("key", "value"))
    cache = 2 * n_ctx * number("block_count", 0) * number("attention.head_count_kv", heads) * (key + value)
    n_vocab = header.lengths.get("tokenizer.ggml.tokens", 0)
    batch = n_vocab * _BYTES_OF_A_LOGIT + n_ctx * heads * _BYTES_OF_A_WEIGHT  # of a token
    return path.stat().st_size + lanes * (cache + N_BATCH * batch)


def available() -> int | None:
    """Bytes that may still be taken: of the machine, within the limit of its container. None where nobody says (not Linux)."""
    try:
        lines = dict(line.split(":") for line in _MEMINFO.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    try:
        limit, used = (int((_CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        cache = int(stat["inactive_file"]) + int(stat["active_file"])  # counted as used, given up when needed
        return min(free, limit - used + cache)
    except (OSError, KeyError, ValueError):  # no container, or none with a limit ("max")
        return free


def share_arena() -> None:
    """Has glibc serve all threads from one arena, of which `give_back` returns all that is free. Call it before threads start.

    By default there are eight for each core, and of each but the first the free end stays, up to 64 MB: in a server every load of
    a model took 10 to 50 MB more in another thread, until there were hundreds. Other systems need nothing of this.
    """
    _malloc("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Returns memory that was freed to the system, in some 50 ms."""
    _malloc("malloc_trim", 0)


def _malloc(name: str, *values: int) -> None:
    if function := getattr(ctypes.CDLL(None), name, None):  # glibc alone has them
        function(*values)
