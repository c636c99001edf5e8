"""The wheel of llama-cpp-python that `make wheel` compiles for every processor, and the requirements that install it.

A Space's builder installs `requirements.txt`: it would compile llama.cpp for ten minutes, for the processor of a machine that is not
the one where the app then runs. So the Space's own repository carries the wheel, and its requirements name its address.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from space.errors import UserError

FOLDER = "wheels"
PIN = re.compile(r"^llama-cpp-python==(?P<version>\S+)$", re.MULTILINE)


def find(root: Path) -> Path:
    """The wheel of the version that `requirements.txt` in `root` names. UserError if there is none."""
    version = _pin((root / "requirements.txt").read_text()).group("version")
    wheels = sorted((root / FOLDER).glob(f"llama_cpp_python-{version}-*.whl"))
    if not wheels:
        raise UserError(
            f"There is no wheel of llama-cpp-python {version} in {FOLDER}/: make wheel compiles it, in 10 minutes."
        )
    return wheels[-1]


def requirements(text: str, wheel: Path, url: str) -> str:
    """`text` with the wheel at `url` in place of the pin; pip checks its SHA-256."""
    return PIN.sub(f"llama-cpp-python @ {url}#sha256={sha256(wheel.read_bytes()).hexdigest()}", text)


def _pin(text: str) -> re.Match[str]:
    found = PIN.search(text)
    assert found, "requirements.txt pins llama-cpp-python"
    return found
