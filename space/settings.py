"""Settings, all from the environment, read once at start."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from space.cores import cores
from space.errors import UserError

ROOT = Path(__file__).resolve().parent
PRIVATE_NETWORKS = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
    "127.0.0.1",
    "::1",
)
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
    gradio_server_name: str = "127.0.0.1"  # the address to listen on
    allowed_hosts: tuple[str, ...] = ()  # names by which the app is reached, besides those of this machine
    forwarded_allow_ips: tuple[str, ...] = ()  # proxies whose X-Forwarded-For is believed
    rate_limit: int = 30  # emails a minute of one client; a person sends a few. 0: no limit of one client
    max_seconds: int = 300  # that one email may take: 2,000 words take the embedded model 13 on two cores
    server: Server | None = None

    @property
    def is_open(self) -> bool:
        """Whether other machines may connect."""
        try:
            return not ipaddress.ip_address(self.gradio_server_name.strip("[]")).is_loopback
        except ValueError:
            return self.gradio_server_name != "localhost"

    @property
    def host_names(self) -> frozenset[str]:
        """What the Host of a request may be."""
        names = {"localhost", "127.0.0.1", "[::1]", self.gradio_server_name.lower(), *self.allowed_hosts}
        if self.is_open:
            names |= {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        return frozenset(names)

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
            n_threads=_number("N_THREADS", cores(), 1, 256),
            n_ctx=_number("N_CTX", 2048, 128, 131072),
            gradio_server_name=os.environ.get("GRADIO_SERVER_NAME", "").strip() or "127.0.0.1",
            allowed_hosts=_hosts(),
            forwarded_allow_ips=_proxies(),
            rate_limit=_number("RATE_LIMIT", 30, 0, 100_000),
            max_seconds=_number("MAX_SECONDS", 300, 1, 86_400),
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
    ids = _words(name)
    for repo_id in ids:
        if not REPO_ID.fullmatch(repo_id):
            raise UserError(
                f"{name}: {repo_id} is no Hub repo id; give owner/name, owner/name@revision or owner/name:file.gguf, with commas between."
            )
    return ids


def _hosts() -> tuple[str, ...]:
    """ALLOWED_HOSTS, and on a Space the names that it has there."""
    names = _words("ALLOWED_HOSTS")
    for name in names:
        if not re.fullmatch(r"(\*\.)?[\w-]+(\.[\w-]+)*", name):
            raise UserError(
                f"ALLOWED_HOSTS: {name} is no name of a host; give names like mail.example.com or *.example.com, with commas between."
            )
    if os.environ.get("SPACE_ID"):
        names += (*_words("SPACE_HOST"), "*.hf.space")
    return tuple(name.lower() for name in names)


def _proxies() -> tuple[str, ...]:
    """FORWARDED_ALLOW_IPS, which is uvicorn's name for it; on a Space the platform's proxy, which is in a private network."""
    proxies = _words("FORWARDED_ALLOW_IPS")
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise UserError(
                f"FORWARDED_ALLOW_IPS: {proxy} is no address; give those of your proxies, like 10.0.0.5 or 10.0.0.0/8, with commas between."
            ) from error
    return proxies or (PRIVATE_NETWORKS if os.environ.get("SPACE_ID") else ())


def _words(name: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in os.environ.get(name, "").split(","))))


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
