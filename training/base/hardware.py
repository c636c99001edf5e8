"""What this machine computes on, and with which numbers it is fastest."""

from __future__ import annotations

import re
import time
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_SECONDS = 0.2  # of measuring each kind of number
_SIZES = {"cuda": 4096}  # of the matrices: large enough that starting a product does not count
_SIZE = 256


def device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def attention() -> str:
    """How transformers is to compute attention over short texts: on a CPU eager takes two thirds of the time of sdpa."""
    return "eager" if device() == "cpu" else "sdpa"


@cache
def dtype(device: str) -> torch.dtype:
    """bfloat16 where matrix products of it are faster than float32 here, else float32; measured once a process.

    It is twice as fast on a processor with instructions for it, fifty times slower on one without, and neither torch
    nor the processor's name says which.
    """
    import torch

    return max((torch.float32, torch.bfloat16), key=lambda kind: products_per_second(kind, device))


def products_per_second(dtype: torch.dtype, device: str) -> float:
    """Products of two square matrices of this type."""
    import torch

    size = _SIZES.get(device, _SIZE)
    matrix = torch.ones(size, size, dtype=dtype, device=device)
    (matrix @ matrix)[0, 0].item()  # the first one loads code
    count, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < _SECONDS:
        (matrix @ matrix)[0, 0].item()  # waits for the GPU
        count += 1
    return count / passed


def is_bf16(device: str) -> bool:
    import torch

    return dtype(device) == torch.bfloat16


def autocast(device: str) -> Any:
    """A context in which torch computes in `dtype(device)`; weights stay as they are."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16, enabled=is_bf16(device))


# Peak of dense bf16 in FLOP/s, from NVIDIA's data sheets (half of what they print with sparsity); the first name that is
# part of the card's is taken. V100 and T4 have no bf16: fp16.
PEAKS = {
    "B200": 2250e12, "GH200": 989e12, "H200": 989e12, "H100 PCIe": 756e12, "H100 NVL": 835e12, "H100": 989e12,
    "H800": 989e12, "A100": 312e12, "A800": 312e12, "L40S": 362e12, "L40": 181e12, "L4": 121e12, "A10G": 70e12,
    "A10": 125e12, "A40": 150e12, "A6000": 155e12, "RTX 4090": 165e12, "RTX 3090": 71e12, "V100": 125e12,
    "T4": 65e12,
}  # fmt: skip


def peak_flops(card: str | None) -> float | None:
    """Of a card by its name, None if it is not known.

    >>> peak_flops("NVIDIA H100 80GB HBM3"), peak_flops("NVIDIA A100-SXM4-40GB"), peak_flops(None)
    (989000000000000.0, 312000000000000.0, None)
    """
    return next((peak for name, peak in PEAKS.items() if card and re.search(rf"\b{name}\b", card)), None)
