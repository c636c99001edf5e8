"""Loads a model that may mean harm and reads a few words with it: a process of its own, whose time and memory are limited.

`trial.py` starts it. It reads one JSON object from stdin, writes one to stdout, and imports nothing of ours.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from contextlib import suppress
from typing import Any

_TEXT = b"Dear Ms Smith, 10 files are there."
_MAX_TOKENS = 4 * len(_TEXT)
_SHOWN_CHARS = 200  # of what llama.cpp says
_ERROR = 4  # GGML_LOG_LEVEL_ERROR


class _Refused(Exception):
    """The "model" or the "adapter", and what is wrong if llama.cpp did not say so itself."""


def main() -> None:
    request = json.load(sys.stdin.buffer)
    sys.path[:] = request["path"]
    import llama_cpp
    import numpy  # noqa: F401  imported before the clock starts

    # What a driver of a GPU maps is beyond any estimate.
    memory_bytes = None if llama_cpp.llama_supports_gpu_offload() else request["memory_bytes"]
    _limit(request["cpu_seconds"], memory_bytes)
    errors: list[str] = []

    @llama_cpp.llama_log_callback
    def keep(level: int, text: bytes, data: object) -> None:
        if level == _ERROR:
            errors.append(text.decode(errors="replace"))

    llama_cpp.llama_log_set(keep, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    try:
        _try(llama_cpp, request)
        answer = ["", ""]
    except _Refused as error:
        said = errors[0].partition(": ")[2] if errors else ""  # the cause; a function's name stands in front
        answer = [*error.args, said[:_SHOWN_CHARS]][:2]
    json.dump(answer, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # to free what was loaded takes as long as to load it


def _limit(cpu_seconds: float, memory_bytes: int | None) -> None:
    """From here on this process is ended once it has computed too long; more memory is refused."""
    try:
        import resource
        import signal
    except ImportError:  # Windows has neither: there the caller's deadline is all
        return
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_bytes is not None:
        with suppress(ValueError, OSError):  # macOS starts with more than that
            # Not of the address space: a file that is mapped takes none of its own.
            resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _try(api: Any, request: dict[str, Any]) -> None:
    params = api.llama_model_default_params()
    params.n_gpu_layers = -1
    model = api.llama_model_load_from_file(os.fsencode(request["model"]), params)
    if not model:
        raise _Refused("model")
    settings = api.llama_context_default_params()
    settings.n_ctx, settings.n_batch = request["n_ctx"], min(request["n_ctx"], 512)
    settings.n_threads = settings.n_threads_batch = 1
    settings.embeddings = request["embeddings"]
    context = api.llama_init_from_model(model, settings)
    if not context:
        raise _Refused("model")
    adapter = request["adapter"]
    if adapter and not api.llama_adapter_lora_init(model, os.fsencode(adapter)):
        raise _Refused("adapter")
    _read(api, model, context, request["embeddings"])


def _read(api: Any, model: Any, context: Any, embeddings: bool) -> None:
    """Reads the text, which must give numbers."""
    import numpy as np

    vocab = api.llama_model_get_vocab(model)
    tokens = (api.llama_token * _MAX_TOKENS)()
    count = api.llama_tokenize(vocab, _TEXT, len(_TEXT), tokens, _MAX_TOKENS, True, True)
    if count <= 0:
        raise _Refused("model", "its tokenizer finds no token in a text")
    if api.llama_decode(context, api.llama_batch_get_one(tokens, count)):
        raise _Refused("model", "it cannot read a text")
    if embeddings:
        pointer, size = api.llama_get_embeddings(context), api.llama_model_n_embd(model)
    else:
        pointer, size = api.llama_get_logits_ith(context, -1), api.llama_vocab_n_tokens(vocab)
    if not pointer or not np.isfinite(np.ctypeslib.as_array(pointer, (size,))).all():
        raise _Refused("model", "its weights give no numbers: the training diverged, or it is damaged")


if __name__ == "__main__":
    main()
