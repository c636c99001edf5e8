"""Settings, all from the environment, read once at start."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from space.errors import UserError

ROOT = Path(__file__).resolve().parent
EMBEDDED = "proofreader"  # the language model that the repository carries
# A repository on the Hub, and perhaps the branch, tag or commit, and the file there.
REPO_ID = re.compile(
    r"(?!.*\.\.)(?P<repo_id>[\w.-]+/[\w.-]+)(@(?P<revision>\w[\w./-]*))?(:(?P<filename>[\w./-]+\.gguf))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Server:
    """An OpenAI-compatible server that runs the model instead of this process."""

    url: str  # up to where /chat/completions begins, without credentials: it may be shown
    model: str = ""  # as the server calls it; empty: whatever it serves
    authorization: str = field(default="", repr=False)  # the value of that header; empty: none is sent

    @property
    def name(self) -> str:
        return self.model or urlsplit(self.url).netloc

    @classmethod
    def from_env(cls) -> Server | None:
        """By ENGINE_URL, ENGINE_API_KEY and ENGINE_MODEL; None if the first is not set.

        A user name and password in the URL are sent too (RFC 7617), unless there is a key. Raises UserError, which
        quotes neither URL nor key.
        """
        url = os.environ.get("ENGINE_URL", "").strip()
        if not url:
            return None
        match = re.fullmatch(r"(https?://)(?:([^/?#\s]*)@)?([^/?#@\s]+(?:/[^?#\s]*)?)", url, re.IGNORECASE)
        if not match or not _has_host_and_port(url):
            raise UserError(
                "ENGINE_URL is no address of a server: give one like http://127.0.0.1:8000/v1, with nothing after a ? or #."
            )
        scheme, login, rest = match.groups()
        key = os.environ.get("ENGINE_API_KEY", "").strip()
        # What a header cannot carry would fail later, in an error that quotes the header.
        if not re.fullmatch(r"[!-~]*", key):
            raise UserError(
                "ENGINE_API_KEY holds blanks, line breaks or letters beyond ASCII: copy the key again."
            )
        authorization = f"Bearer {key}" if key else ""
        if login and not key:
            user, _, password = map(unquote, login.partition(":"))
            authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        return cls((scheme + rest).rstrip("/"), os.environ.get("ENGINE_MODEL", "").strip(), authorization)


@dataclass(frozen=True)
class Settings:
    """Where things are and how to run them. Every field but `server` is an environment variable, its name in capitals."""

    # A name in models_dir, a path, or a Hub repo id (owner/name[@revision][:file.gguf]); with a server, that one's name.
    model: str
    models: tuple[str, ...]  # Hub repo ids to choose from besides what is in models_dir
    models_dir: Path
    feedback_dir: Path
    port: int
    n_threads: int
    n_ctx: int  # tokens
    server: Server | None = None

    @classmethod
    def from_env(cls) -> Settings:
        """Raises UserError for a number, an address or a repo id that is none."""
        server = Server.from_env()
        return cls(
            model=server.name if server else os.environ.get("MODEL", EMBEDDED),
            models=_repo_ids("MODELS"),
            models_dir=Path(os.environ.get("MODELS_DIR", ROOT / "models")),
            feedback_dir=Path(os.environ.get("FEEDBACK_DIR", Path.cwd() / "flagged")),
            port=_number("PORT", 7860, 1, 65535),
            n_threads=_number("N_THREADS", _cores(), 1, 256),
            n_ctx=_number("N_CTX", 2048, 128, 131072),
            server=server,
        )


def require_models(folder: Path) -> None:
    """UserError if the folder of models is not there or empty: no part of the app can do without it."""
    if not folder.is_dir() or not any(folder.iterdir()):
        raise UserError(
            f"{folder}: there are no models here; unset MODELS_DIR, or take the repository's own again:"
            " git checkout -- space/models"
        )


def _repo_ids(name: str) -> tuple[str, ...]:
    ids = tuple(filter(None, (word.strip() for word in os.environ.get(name, "").split(","))))
    for repo_id in ids:
        if not REPO_ID.fullmatch(repo_id):
            raise UserError(
                f"{name}: {repo_id} is no Hub repo id; give owner/name, owner/name@revision or owner/name:file.gguf, with commas between."
            )
    return ids


def _has_host_and_port(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number or above 65535, or brackets that do not close
        return False


def _number(name: str, default: int, low: int, high: int) -> int:
    text = os.environ.get(name, "").strip() or str(default)
    if not text.isdecimal() or not low <= int(text) <= high:
        raise UserError(f"{name}={text}: give a whole number from {low} to {high}.")
    return int(text)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 2
