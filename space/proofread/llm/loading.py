"""Opens a GGUF in llama-cpp-python."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any


def load(path: Path, **options: Any) -> Any:
    """A file in llama-cpp-python, with `about`: its keys. Raises ValueError, RuntimeError or OSError if it is broken."""
    from llama_cpp import Llama

    class Model(Llama):
        """Llama would compile each chat template that its metadata has (0.3.36), in this process and without limits."""

        @property
        def metadata(self) -> dict[str, str]:
            return {
                key: value
                for key, value in self.about.items()
                if not key.startswith("tokenizer.chat_template")
            }

        @metadata.setter
        def metadata(self, keys: dict[str, str]) -> None:
            self.about = keys

    return Model(str(path), verbose=False, **options)


class silence:
    """Keeps llama.cpp's C code from writing to stderr while a model or an adapter loads (its own switch misses some lines).

    One block at a time: of two the one that ends last would put back what the other had put there.
    """

    _one = threading.RLock()

    def __enter__(self) -> None:
        self._one.acquire()
        self._saved = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._saved, 2)
        os.close(self._saved)
        self._one.release()
