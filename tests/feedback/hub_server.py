"""A server that speaks the part of the Hub's HTTP API that huggingface_hub uses for repositories, with faults on demand.

    with HubServer() as hub:
        hub.faults = lambda method, path: 429 if "/commit/" in path else None
        ...  HF_ENDPOINT=hub.url HF_TOKEN=hub.token

whoami, and for models, datasets and Spaces alike: create repo, info, preupload, LFS batch and upload, commit (with
parentCommit), tag, refs, tree, resolve, squash, LFS files; for Spaces variables, secrets, runtime (`stages`) and logs
(`log`). A name belongs to one repository, of whichever type. A fault is a status or an Answer to answer with, or HANG (no answer while the server lives), DROP (the connection is cut, nothing was
done), CUT (it was done, and then the connection is cut) or HALF (the same, after half of the answer). Weights go the way
of large files, with `lfs` shards too: they are announced by SHA-256. Files come from where a Range begins.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

HANG, DROP, CUT, HALF = "hang", "drop", "cut", "half"
DATE = "2026-11-21T00:00:00.000Z"
WEIGHTS = (".gguf", ".safetensors", ".bin")  # as a new repository's .gitattributes has them


@dataclass
class Repo:
    """A repository: its revisions, newest last, each with its tree, and names for some of them."""

    private: bool
    repo_type: str = "model"
    tags: dict[str, str] = field(default_factory=dict)
    history: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)
    lfs: dict[str, bytes] = field(default_factory=dict)  # SHA-256 -> content
    variables: dict[str, str] = field(default_factory=dict)  # of a Space
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return self.history[-1][0]

    @property
    def files(self) -> dict[str, bytes]:
        return self.history[-1][1]

    def add(self, files: dict[str, bytes]) -> str:
        self.history.append((secrets.token_hex(20), files))
        return self.head

    def commit_of(self, revision: str) -> str:
        return self.head if revision == "main" else self.tags.get(revision, revision)

    def at(self, revision: str) -> dict[str, bytes] | None:
        return next((files for sha, files in self.history if sha == self.commit_of(revision)), None)


class HubServer:
    """Listens on a free port of 127.0.0.1 from a thread of its own until it is closed."""

    def __init__(self) -> None:
        self.token = "hf_" + secrets.token_hex(17)
        self.repos: dict[str, Repo] = {}
        self.calls: list[tuple[str, str]] = []
        self.faults: Callable[[str, str], Fault] = lambda method, path: None
        self.lfs = False
        # Of every Space: how it is, one for each question, the last one for all that come after; and its log.
        self.stages: list[dict[str, str]] = [{"stage": "BUILDING"}, {"stage": "RUNNING"}]
        self.log: list[str] = []
        self.lock = threading.RLock()
        self.ended = threading.Event()
        handler = type("BoundHandler", (Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def env(self) -> dict[str, str]:
        """What a process needs to take this for the Hub. Xet storage has a protocol of its own: off."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": self.token,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
        }

    def rows(self, repo_id: str) -> list[dict[str, Any]]:
        """The rows of all shards, in order."""
        with self.lock:
            repo = self.repos.get(repo_id)
            shards = (
                [repo.files[path] for path in sorted(repo.files) if path.startswith("data/")] if repo else []
            )
        return [json.loads(line) for shard in shards for line in shard.splitlines()]


class Answer(Exception):
    """A status, a JSON body or bytes, and headers."""

    def __init__(self, status: int, body: Any = None, **headers: str) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


Fault = int | str | Answer | None


class Handler(BaseHTTPRequestHandler):
    """Routes one request; the hub's state is changed under its lock."""

    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub = self.hub
        with hub.lock:
            hub.calls.append((self.command, path))
            fault = hub.faults(self.command, path)
        if fault == HANG:
            hub.ended.wait()
        if fault in (HANG, DROP):
            return self._cut()
        if isinstance(fault, int):
            fault = Answer(fault, {"error": "asked for"})
        answer = fault if isinstance(fault, Answer) else self._answered(path, content)
        if fault == CUT:
            return self._cut()
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if fault == HALF else body)
        if fault == HALF:
            self._cut()

    do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815  http.server's names

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answered(self, path: str, content: bytes) -> Answer:
        try:
            with self.hub.lock:
                for method, pattern, name in ROUTES:
                    match = re.fullmatch(pattern, path)
                    if match and self.command in method:
                        if (
                            not path.startswith(("/lfs/", "/api/validate-yaml"))
                            and self.headers.get("Authorization") != f"Bearer {self.hub.token}"
                        ):
                            raise Answer(
                                401,
                                {"error": "Invalid credentials"},
                                X_Error_Message="Invalid credentials in Authorization header",
                            )
                        groups = match.groupdict()
                        self.kind = groups.pop("kind", None) or "models"
                        getattr(self, name)(content, **groups)
            raise Answer(404, {"error": "no such route"})
        except Answer as answer:
            return answer

    def _repo(self, repo: str) -> Repo:
        held = self.hub.repos.get(repo)
        if held is None or f"{held.repo_type}s" != self.kind:
            raise Answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        return held

    def _tree(self, repo: str, revision: str) -> dict[str, bytes]:
        files = self._repo(repo).at(revision)
        if files is None:
            raise Answer(404, {"error": "Invalid rev id"}, X_Error_Code="RevisionNotFound")
        return files

    def _url(self, repo: str) -> str:
        return f"{self.hub.url}/{repo}" if self.kind == "models" else f"{self.hub.url}/{self.kind}/{repo}"

    def _large(self, path: str) -> bool:
        return path.endswith(WEIGHTS) or (self.hub.lfs and path.startswith("data/"))

    def _oid(self, path: str, content: bytes) -> str:
        return hashlib.sha256(content).hexdigest() if self._large(path) else _git_oid(content)

    # ---- routes: each raises its Answer ----

    def whoami(self, content: bytes) -> None:
        raise Answer(200, {"type": "user", "name": "owner", "auth": {"type": "access_token"}})

    def create(self, content: bytes) -> None:
        asked = json.loads(content)
        name = f"{asked.get('organization') or 'owner'}/{asked['name']}"
        if asked.get("organization") not in (None, "owner"):
            raise Answer(403, {"error": "no rights in this namespace"})
        repo_type = asked.get("type") or "model"
        self.kind = f"{repo_type}s"
        url = {"url": self._url(name)}
        if repo_type == "space" and asked.get("sdk") != "gradio":
            raise Answer(400, {"error": "a Space of ours is of Gradio"})
        if name in self.hub.repos:
            raise Answer(409, url | {"error": f"You already created this {repo_type} repo"})
        self.hub.repos[name] = Repo(asked.get("visibility") == "private", repo_type)
        self.hub.repos[name].add({".gitattributes": b"*.parquet filter=lfs\n"})
        raise Answer(200, url)

    def info(self, content: bytes, repo: str, revision: str | None = None) -> None:
        held, files = self._repo(repo), self._tree(repo, revision or "main")
        about = {
            "id": repo,
            "_id": "0" * 24,
            "sha": held.commit_of(revision or "main"),
            "private": held.private,
        }
        if held.repo_type == "space":
            about["host"] = f"https://{repo.replace('/', '-')}.hf.space"
        raise Answer(200, about | {"siblings": [{"rfilename": path} for path in sorted(files)]})

    def validate(self, content: bytes) -> None:
        text = json.loads(content)["content"]
        if not text.startswith("---\n"):
            raise Answer(400, {"errors": [{"message": "no metadata"}], "warnings": []})
        raise Answer(200, {"errors": [], "warnings": []})

    def preupload(self, content: bytes, repo: str, revision: str) -> None:
        held = self._repo(repo)
        files = []
        for file in json.loads(content)["files"]:
            path = file["path"]
            old = held.files.get(path)
            files.append(
                {
                    "path": path,
                    "uploadMode": "lfs" if self._large(path) else "regular",
                    "shouldIgnore": False,
                    "oid": None if old is None else self._oid(path, old),
                }
            )
        raise Answer(200, {"files": files})

    def lfs_batch(self, content: bytes, repo: str) -> None:
        held = self._repo(repo)
        objects = []
        for each in json.loads(content)["objects"]:
            upload = {
                "upload": {"href": f"{self.hub.url}/lfs/{self.kind}/{repo}/{each['oid']}", "header": {}}
            }
            objects.append(each if each["oid"] in held.lfs else each | {"actions": upload})
        raise Answer(200, {"transfer": "basic", "objects": objects})

    def lfs_upload(self, content: bytes, repo: str, oid: str) -> None:
        if hashlib.sha256(content).hexdigest() != oid:
            raise Answer(400, {"error": "not what was announced"})
        self._repo(repo).lfs[oid] = content
        raise Answer(200, b"")

    def commit(self, content: bytes, repo: str, revision: str) -> None:
        held = self._repo(repo)
        files = dict(held.files)
        for item in map(json.loads, content.splitlines()):
            key, value = item["key"], item["value"]
            if key == "header":
                if value.get("parentCommit") not in (None, held.head):
                    raise Answer(412, {"error": "A commit has happened since. Please refresh and try again."})
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                if value["oid"] not in held.lfs:
                    raise Answer(400, {"error": "the content was not uploaded"})
                files[value["path"]] = held.lfs[value["oid"]]
            elif key == "deletedFile":
                if files.pop(value["path"], None) is None:
                    raise Answer(
                        404, {"error": "A file with this name doesn't exist"}, X_Error_Code="EntryNotFound"
                    )
            else:
                raise Answer(400, {"error": f"unknown operation {key}"})
        sha = held.add(files)
        raise Answer(200, {"commitUrl": f"{self._url(repo)}/commit/{sha}", "commitOid": sha})

    def tag(self, content: bytes, repo: str, revision: str) -> None:
        held, name = self._repo(repo), json.loads(content)["tag"]
        self._tree(repo, revision)
        if name in held.tags:
            raise Answer(409, {"error": f"Tag reference exists already: {name}"})
        held.tags[name] = held.commit_of(revision)
        raise Answer(200, {})

    def refs(self, content: bytes, repo: str) -> None:
        held = self._repo(repo)
        tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": sha} for n, sha in held.tags.items()]
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": held.head}
        raise Answer(200, {"branches": [main], "tags": tags, "converts": []})

    def tree(self, content: bytes, repo: str, revision: str) -> None:
        files = self._tree(repo, revision)
        entries: list[dict[str, Any]] = []
        for folder in sorted({path.rpartition("/")[0] for path in files if "/" in path}):
            entries.append({"type": "directory", "path": folder, "oid": _git_oid(folder.encode())})
        for path, held in sorted(files.items()):
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(held), "oid": _git_oid(held)}
            if self._large(path):
                entry["lfs"] = {"oid": self._oid(path, held), "size": len(held), "pointerSize": 130}
            entries.append(entry)
        raise self._page(entries)

    def _page(self, entries: list[dict[str, Any]], size: int = 20) -> Answer:
        """A page of a list, with the Link header that leads to the next; the Hub's pages hold 1,000."""
        base, _, query = self.path.partition("?")
        cursor = re.search(r"cursor=(\d+)", query)
        first = int(cursor.group(1)) if cursor else 0
        more = {"Link": f'<{self.hub.url}{base}?recursive=True&cursor={first + size}>; rel="next"'}
        return Answer(200, entries[first : first + size], **(more if first + size < len(entries) else {}))

    def resolve(self, content: bytes, repo: str, revision: str, file: str) -> None:
        files = self._tree(repo, revision)
        if file not in files:
            raise Answer(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
        held, begun = files[file], re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        commit = self._repo(repo).commit_of(revision)
        headers = {"ETag": f'"{self._oid(file, held)}"', "X_Repo_Commit": commit}
        if begun:
            headers["Content_Range"] = f"bytes {begun[1]}-{len(held) - 1}/{len(held)}"
            raise Answer(206, held[int(begun[1]) :], **headers)
        raise Answer(200, held, **headers)

    def squash(self, content: bytes, repo: str, revision: str) -> None:
        held = self._repo(repo)
        held.history = [(secrets.token_hex(20), held.files)]
        raise Answer(200, {"success": True})

    def lfs_files(self, content: bytes, repo: str) -> None:
        stored = self._repo(repo).lfs
        raise Answer(200, [
            {"fileOid": oid, "filename": "data/shard.jsonl", "oid": oid, "pushedAt": DATE, "size": len(held)}
            for oid, held in stored.items()
        ])  # fmt: skip

    def lfs_delete(self, content: bytes, repo: str) -> None:
        for oid in json.loads(content)["deletions"]["sha"]:
            self._repo(repo).lfs.pop(oid)
        raise Answer(200, {"success": True})

    # ---- of Spaces alone ----

    def variables(self, content: bytes, repo: str) -> None:
        held = self._repo(repo).variables
        if content:
            asked = json.loads(content)
            held[asked["key"]] = asked["value"]
        raise Answer(200, {name: {"value": value} for name, value in held.items()})

    def secrets(self, content: bytes, repo: str) -> None:
        asked = json.loads(content)
        self._repo(repo).secrets[asked["key"]] = asked["value"]
        raise Answer(200, {})

    def runtime(self, content: bytes, repo: str) -> None:
        stages, hardware = self.hub.stages, {"current": "cpu-basic", "requested": "cpu-basic"}
        now = stages.pop(0) if len(stages) > 1 else stages[0]
        raise Answer(200, {"hardware": hardware, "sha": self._repo(repo).head} | now)

    def logs(self, content: bytes, repo: str) -> None:
        self._repo(repo)
        events = [json.dumps({"data": f"{line}\n", "timestamp": DATE}) for line in self.hub.log]
        raise Answer(200, "".join(f"data: {event}\n\n" for event in events).encode())


_REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"
_API = f"/api/(?P<kind>models|datasets|spaces)/{_REPO}"
_SPACE = f"/api/(?P<kind>spaces)/{_REPO}"
_FILES = f"(?:/(?P<kind>datasets|spaces))?/{_REPO}"  # of a model without a kind
_REVISION = r"(?P<revision>[\w.-]+)"
ROUTES = (
    (("GET",), "/api/whoami-v2", "whoami"),
    (("POST",), "/api/repos/create", "create"),
    (("POST",), "/api/validate-yaml", "validate"),
    (("GET",), f"{_API}(?:/revision/(?P<revision>.+))?", "info"),
    (("POST",), f"{_API}/preupload/{_REVISION}", "preupload"),
    (("POST",), rf"{_FILES}\.git/info/lfs/objects/batch", "lfs_batch"),
    (("PUT",), f"/lfs/(?P<kind>models|datasets|spaces)/{_REPO}/(?P<oid>[0-9a-f]+)", "lfs_upload"),
    (("POST",), f"{_API}/commit/{_REVISION}", "commit"),
    (("POST",), f"{_API}/tag/{_REVISION}", "tag"),
    (("GET",), f"{_API}/refs", "refs"),
    (("GET",), f"{_API}/tree/{_REVISION}", "tree"),
    (("GET", "HEAD"), f"{_FILES}/resolve/{_REVISION}/(?P<file>.+)", "resolve"),
    (("POST",), f"{_API}/super-squash/{_REVISION}", "squash"),
    (("GET",), f"{_API}/lfs-files", "lfs_files"),
    (("POST",), f"{_API}/lfs-files/batch", "lfs_delete"),
    (("GET", "POST"), f"{_SPACE}/variables", "variables"),
    (("POST",), f"{_SPACE}/secrets", "secrets"),
    (("GET",), f"{_SPACE}/runtime", "runtime"),
    (("GET",), f"{_SPACE}/logs/(?:build|run)", "logs"),
)


def _git_oid(content: bytes) -> str:
    """git's name for a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
