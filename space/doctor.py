"""What this machine has and lacks for the proofreader; `python -m space doctor` prints it.

Whatever touches llama.cpp runs in a child process: a library compiled for another processor, or a file that
trips one of its assertions, would take the doctor down with the patient.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import multiprocessing
import os
import platform
import re
import shutil
import signal
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

from space.app import require_free
from space.errors import UserError
from space.proofread.gguf_header import read_header
from space.settings import EMBEDDED, REPO_ID, Server, Settings, require_models

PACKAGES = ("gradio", "llama-cpp-python", "numpy", "huggingface_hub", "httpx", "rapidfuzz")
VARIABLES = (
    "MODEL", "MODELS", "MODELS_DIR", "PORT", "N_THREADS", "N_CTX", "ENGINE_URL", "ENGINE_MODEL", "SENTIMENT_MODEL",
    "POLITENESS_MODEL", "FEEDBACK_DIR", "FEEDBACK_DATASET", "HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "GRADIO_TEMP_DIR",
)  # fmt: skip
SECRETS = ("HF_TOKEN", "ENGINE_API_KEY")
# What the repository carries and the app cannot do without, in the folder of models.
SHIPPED = (
    "lexicon.txt.gz", "dialects.tsv", "judge.json", "thresholds.json", "tone/encoder.gguf", "tone/heads.json",
    "tagger/encoder.gguf", "tagger/adapter.gguf", "tagger/head.npz", "tagger/tags.json",
)  # fmt: skip
LITTLE_SPACE = 100_000_000  # bytes
ANSWER_SECONDS = 60
ASK_SECONDS = 5.0  # for a server to list its models
PROBLEM = "problem: "


def report(settings: Settings | None = None) -> tuple[list[str], bool]:
    """The findings, one a line, with every problem and its cure at the end; and whether all is well."""
    settings = settings or Settings.from_env()
    found = [
        *packages(),
        *processor(settings.n_threads),
        *models(settings.models_dir, None if settings.server else settings.model),
        *engine(settings.server),
        *folders(settings.feedback_dir),
        *dataset(settings.feedback_dir),
        *port(settings.port),
        *variables(),
    ]
    problems = [line for line in found if line.startswith(PROBLEM)]
    facts = [line for line in found if not line.startswith(PROBLEM)]
    return facts + (problems or ["no problem found"]), not problems


def packages() -> Iterator[str]:
    yield f"python: {platform.python_version()} on {platform.system()} {platform.machine()}"
    for name in PACKAGES:
        try:
            yield f"{name}: {version(name)}"
        except PackageNotFoundError:
            yield f"{PROBLEM}{name} is not installed: install requirements.txt, as `make run` does"


def processor(n_threads: int) -> Iterator[str]:
    yield f"cores: {os.cpu_count()}, threads used: {n_threads}"
    features, trouble = in_child(_features)
    if not trouble:
        yield f"llama.cpp uses: {features}"
    elif trouble == "SIGILL":
        yield (
            f"{PROBLEM}llama-cpp-python was compiled for another processor:"
            " delete .venv and run `make run` without WHEELS"
        )
    else:
        yield f"{PROBLEM}llama-cpp-python does not load ({trouble}): delete .venv and run `make run`"


def models(folder: Path, model: str | None) -> Iterator[str]:
    """Every model file with size and SHA-256, and what is wrong with those that the app would load.

    `model` is None if a server runs it.
    """
    try:
        require_models(folder)
    except UserError as error:
        yield f"{PROBLEM}{error}"
        return
    files = sorted(folder.rglob("*.gguf"))
    chosen = _file(folder, model) if model is not None else None
    if chosen is not None and chosen not in files:
        files.append(chosen)
    elif chosen is None and model is not None:
        yield f"model: {_without_password(model)}, fetched when the app starts"
    files += [folder / name for name in SHIPPED if folder / name not in files]
    for file in files:
        name = file.relative_to(folder) if file.is_relative_to(folder) else file
        try:
            yield f"{name}: {file.stat().st_size / 1e6:.1f} MB, sha256 {_sha256(file)}"
            flaw = _flaw(file)
        except FileNotFoundError:
            flaw = "is missing"
        except OSError as error:
            flaw = f"cannot be read ({error.strerror})"
        if flaw:
            yield f"{PROBLEM}{file} {flaw}: {_cure(file, folder)}"


def engine(server: Server | None) -> Iterator[str]:
    """Whether the server that ENGINE_URL names, if any, answers, and what it serves."""
    if server is None:
        return
    try:
        from space.proofread.llm.openai_server import Remote

        names = Remote(server, read_seconds=ASK_SECONDS).served()
    except UserError as error:
        yield f"{PROBLEM}engine at {error}"
    except ImportError as error:
        yield f"{PROBLEM}{error.name} is not installed: install requirements.txt, as `make run` does"
    else:
        yield f"engine: {server.url} answers, models: {', '.join(names) or 'none'}"
        if server.model and server.model not in names:
            yield (
                f"ENGINE_MODEL {server.model} is not one of them: llama.cpp's server uses what it has,"
                " others answer 404"
            )


def dataset(feedback: Path) -> Iterator[str]:
    """Whether FEEDBACK_DATASET, if set, is a repo id and there is a token for it; the Hub is not asked."""
    from feedback.errors import FeedbackError
    from feedback.hub import Sync

    try:
        sync = Sync.from_env(feedback)
    except FeedbackError as error:
        yield f"{PROBLEM}{error}"
    except ImportError:
        pass  # reported among the packages
    else:
        if sync.dataset is not None:
            yield f"feedback goes on to: {sync.dataset.repo_id} on the Hub"


def folders(feedback: Path) -> Iterator[str]:
    cache = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    pages = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    for what, folder, variable in (
        ("feedback", feedback, "FEEDBACK_DIR"),
        ("downloads", cache, "HF_HOME"),
        ("temporary files", pages, "GRADIO_TEMP_DIR"),
    ):
        # A folder that is not there yet will be made: then the question is whether its parent can be written.
        there = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.exists(each))
        try:
            with tempfile.TemporaryFile(dir=there):
                free = shutil.disk_usage(there).free
        except OSError as error:
            yield (
                f"{PROBLEM}{what} cannot be written to {folder} ({error.strerror}):"
                f" make it writable or set {variable} to another folder"
            )
            continue
        yield f"{what}: {folder}, writable, {free / 1e9:.1f} GB free"
        if free < LITTLE_SPACE:
            yield f"{PROBLEM}{folder} has {free / 1e6:.0f} MB left: free some space"


def port(port: int) -> Iterator[str]:
    try:
        require_free(port)
        yield f"port {port}: free"
    except UserError as error:
        yield f"{PROBLEM}{error}"


def variables() -> Iterator[str]:
    for name in VARIABLES:
        if os.environ.get(name):
            yield f"{name}={_without_password(os.environ[name])}"
    for name in SECRETS:
        if os.environ.get(name):
            yield f"{name} is set"


def _file(folder: Path, model: str) -> Path | None:
    """The file that a model's name or path stands for; None for a Hub repository."""
    named = folder / f"{model}.gguf"
    if os.path.isfile(named):
        return named
    if os.path.exists(model) or (model.endswith(".gguf") and ":" not in model):
        return Path(model)
    return None if REPO_ID.fullmatch(model) else named


def _cure(file: Path, folder: Path) -> str:
    if file in [folder / name for name in (*SHIPPED, f"{EMBEDDED}.gguf")]:
        return f"take it from the repository again: git checkout -- {file}"
    return "download it again, or choose another with MODEL"


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _flaw(file: Path) -> str:
    """What is wrong with a model file, or nothing; OSError if it cannot be read."""
    with file.open("rb") as stream:
        start = stream.read(40)
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer to the file, not the file (git lfs pull fetches it)"
    if not start:
        return "is empty"
    if file.suffix == ".json":
        try:
            json.loads(file.read_bytes())
        except ValueError:
            return "is cut short"
    if file.suffix == ".npz" and not zipfile.is_zipfile(file):  # its table of contents is at the end
        return "is cut short"
    if file.suffix != ".gguf":
        return ""
    if not start.startswith(b"GGUF"):
        return "is not a GGUF file"
    try:
        is_adapter = read_header(file).text("general.type") == "adapter"
    except UserError:  # which llama.cpp says better
        is_adapter = False
    reason, trouble = in_child(_load, str(file), str(_base_of(file)) if is_adapter else "")
    if "not within the file bounds" in reason:
        return "is cut short"
    return f"does not load ({reason or trouble})" if reason or trouble else ""


def _base_of(adapter: Path) -> Path:
    """The model that an adapter of the folder of models is laid over."""
    encoder = adapter.parent / "encoder.gguf"
    return encoder if encoder.is_file() else adapter.parent.parent / adapter.name


def _without_password(value: str) -> str:
    """A URL without user name, password and query, where a key may hide; anything else as it is."""
    parts = urlsplit(value)
    if not parts.scheme or not parts.hostname:
        return value
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def in_child(function: Callable[..., str], *arguments: str) -> tuple[str, str]:
    """What the function returns in a process of its own, and what went wrong: an error or a signal's name."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(there, function, *arguments))
    child.start()
    there.close()
    try:
        if here.poll(ANSWER_SECONDS):
            return here.recv()
        child.kill()
        return "", f"no answer for {ANSWER_SECONDS} seconds"
    except EOFError:  # it died before it could answer
        child.join()
        return "", signal.Signals(-(child.exitcode or 0)).name
    finally:
        child.join()


def _answer(there: Connection, function: Callable[..., str], *arguments: str) -> None:
    try:
        there.send((function(*arguments), ""))
    except Exception as error:
        there.send(("", f"{type(error).__name__}: {error}"))


def _features() -> str:
    import llama_cpp

    features = llama_cpp.llama_print_system_info().decode().removeprefix("CPU :").split("|")
    return ", ".join(name.split("=")[0].strip() for name in features if name.strip().endswith("= 1"))


def _load(file: str, base: str) -> str:
    """Reads header and vocabulary, where a cut or foreign file fails, or lays an adapter over its base; the reason if that fails."""
    import llama_cpp

    log: list[str] = []

    @llama_cpp.llama_log_callback
    def keep(level: int, text: bytes, data: object) -> None:
        log.append(text.decode(errors="replace").strip())

    llama_cpp.llama_log_set(keep, ctypes.c_void_p(0))
    parameters = llama_cpp.llama_model_default_params()
    parameters.vocab_only = not base
    model = llama_cpp.llama_model_load_from_file(os.fsencode(base or file), parameters)
    if model and (not base or llama_cpp.llama_adapter_lora_init(model, os.fsencode(file))):
        return ""
    reasons = [
        re.split("error loading model: |failed to apply lora adapter: ", line, maxsplit=1)[1:] for line in log
    ]
    return next((reason for (reason,) in filter(None, reasons)), "llama.cpp gives no reason")
