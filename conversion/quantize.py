"""An F16 or F32 GGUF made smaller with llama.cpp's own quantiser."""

from __future__ import annotations

import ctypes
import logging
import os
from pathlib import Path

import llama_cpp

from conversion.gguf_file import FLOAT_TYPES, matrices, read, replacing, runnable, type_counts
from space.errors import UserError

# From best to smallest; the sizes are bits per weight in llama.cpp's table (tools/quantize/README.md).
FILE_TYPES = {
    "F32": llama_cpp.LLAMA_FTYPE_ALL_F32,
    "F16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16,
    "Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "Q6_K": llama_cpp.LLAMA_FTYPE_MOSTLY_Q6_K,
    "Q5_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    "Q5_K_S": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_S,
    "Q5_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_0,
    "Q4_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "Q4_K_S": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_S,
    "Q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
}
K_BLOCK = 256


def quantize(source: Path, out: Path, type_name: str, n_threads: int | None) -> list[str]:
    """Write `out` in the given type and return notes for the person.

    Raises UserError when the source is damaged or quantised already, or when llama.cpp refuses.
    """
    if type_name not in FILE_TYPES:
        raise UserError(f"unknown type {type_name!r}: choose one of {', '.join(FILE_TYPES)}")
    reader = runnable(source)
    before = type_counts(reader)
    if set(before) - FLOAT_TYPES.keys():
        raise UserError(f"{source} is quantised already ({', '.join(before)}): start from the F16 file")
    if out.exists() and out.samefile(source):
        raise UserError(f"{out} is the source itself: choose another name")

    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = FILE_TYPES[type_name]
    params.nthread = n_threads or os.cpu_count() or 1
    # llama.cpp prints a line for each matrix; the notes below say it once.
    logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
    with replacing(out) as part:
        status = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(part), ctypes.byref(params))
        if status != 0:
            raise UserError(f"llama.cpp cannot write {source} as {type_name}: check the free disk space")
        after = type_counts(read(part))

    stored = ", ".join(f"{count} x {name}" for name, count in after.items())
    notes = [f"{out.stat().st_size / 1e6:.1f} MB, matrices: {stored}"]
    misfits = sum(int(tensor.shape[0]) % K_BLOCK > 0 for tensor in matrices(reader))
    if "_K" in type_name and misfits:
        notes.append(
            f"{misfits} of {sum(after.values())} matrices have rows that are no multiple of {K_BLOCK}, "
            f"as {type_name} needs: llama.cpp stored those in smaller blocks (Q5_0, Q5_1, Q8_0)"
        )
    return notes
