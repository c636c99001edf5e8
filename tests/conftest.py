"""What every test gets: no network, no token, no setting of whoever runs it, and folders of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

# Read once, when huggingface_hub, transformers or gradio is imported: too early for a fixture.
HF_HOME = tempfile.mkdtemp(prefix="proofreader-tests-")
os.environ.update(
    HF_HOME=HF_HOME,
    HF_TOKEN="",
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    GRADIO_ANALYTICS_ENABLED="False",
)

SETTINGS = (
    "MODEL", "MODELS_DIR", "PORT", "N_THREADS", "N_CTX", "SENTIMENT_MODEL", "POLITENESS_MODEL",
    "FEEDBACK_DIR", "OPENAI_API_KEY",
)  # fmt: skip


def pytest_unconfigure() -> None:
    shutil.rmtree(HF_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def isolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks every setting, and sends what a test writes unasked to its temporary folder."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("FEEDBACK_DIR", str(tmp_path / "feedback"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium, for tests that drive a page; without it they skip, or fail in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium: sudo apt-get install chromium")
    return found


@pytest.fixture
def plain_user() -> Callable[[], AbstractContextManager[None]]:
    """A block in which file permissions count even when root runs the tests: `with plain_user(): ...`."""

    @contextmanager
    def block() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return block


@pytest.fixture
def readonly_folder() -> Iterator[Path]:
    """A folder that any user can enter and none but root can write to."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "readonly")
        folder.mkdir()
        os.chmod(parent, 0o755)
        os.chmod(folder, 0o555)
        yield folder
