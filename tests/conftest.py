"""What every test gets: no network, no token, no setting of whoever runs it, and folders of its own."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import hypothesis
import pytest

# Read once, when huggingface_hub, transformers or gradio is imported: too early for a fixture.
HF_HOME = tempfile.mkdtemp(prefix="proofreader-tests-")
os.environ.update(
    HF_HOME=HF_HOME,
    HF_TOKEN="",
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    GRADIO_ANALYTICS_ENABLED="False",
    N_THREADS="1",  # for fixtures of modules, which are made before `isolation`: the workers share the cores
)

# The machine decides how long a test takes, never whether it passes.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

SETTINGS = (
    "MODEL", "MODELS_DIR", "PORT", "N_THREADS", "N_CTX", "SENTIMENT_MODEL", "POLITENESS_MODEL",
    "FEEDBACK_DIR", "FEEDBACK_DATASET", "HF_ENDPOINT", "MODELS", "ENGINE_URL", "ENGINE_API_KEY", "ENGINE_MODEL",
    "GRADIO_SERVER_NAME", "ALLOWED_HOSTS", "FORWARDED_ALLOW_IPS", "RATE_LIMIT", "MAX_SECONDS", "SPACE_ID", "SPACE_HOST",
)  # fmt: skip


def pytest_unconfigure() -> None:
    shutil.rmtree(HF_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def isolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks every setting, and sends what a test writes unasked to its temporary folder."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("N_THREADS", "1")  # the workers of pytest-xdist share the cores
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


SENTENCES = (
    "Please send me the report before the meeting on Monday.",
    "She has already received their answer about the invoice.",
    "We are looking forward to hearing from you soon.",
    "Could you please check whether the files are complete?",
    "I don't know where the contract is, but I will find it.",
    "The prices in the new catalogue are higher than last year.",
    "Thank you for your help with the order, it was a great success.",
    "He doesn't work here any more, so please write to his colleague.",
)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clean.jsonl, email.jsonl, plain.jsonl (a few sentences) and the shipped lexicon.txt.gz."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = "".join(json.dumps({"text": text}) + "\n" for text in SENTENCES)
    for name in ("clean", "email", "plain"):
        (folder / f"{name}.jsonl").write_text(rows)
    shutil.copy(Path(__file__).parents[1] / "space" / "models" / "lexicon.txt.gz", folder)
    return folder


@pytest.fixture(scope="session")
def small_pools() -> Iterator[None]:
    """Pools of 64 pairs instead of thousands: pretraining on a few sentences needs no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.base.loop.POOL", 64)
        yield


@pytest.fixture(scope="session")
def base_model(corpus: Path, small_pools: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama that `training pretrain` made in a few steps: real in every part, of no use as a proofreader."""
    from training.__main__ import main

    out = tmp_path_factory.mktemp("base")
    data = [f"--{name}={corpus / name}.jsonl" for name in ("clean", "email", "plain")]
    arguments = [*data, f"--out={out}", "--preset=test", "--max_steps=6", "--batch_tokens=1024"]
    assert main(["pretrain", *arguments]) == 0
    return out / "model"


@pytest.fixture(scope="session")
def small_gguf(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`base_model` as the GGUF file that the engine loads."""
    from conversion.__main__ import main

    path = tmp_path_factory.mktemp("gguf") / "small.gguf"
    assert main(["gguf", str(base_model), str(path)]) == 0
    return path
