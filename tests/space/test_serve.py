"""`python -m space serve` with a model of the Hub: downloaded, from the cache, or with the embedded one in its place."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio_client
import httpx
import pytest

from tests.feedback.hub_server import DROP, HubServer, Repo

ROOT = Path(__file__).parents[2]
GGUF = ROOT / "space" / "models" / "proofreader.gguf"
START_SECONDS = 120  # the machine may be busy


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of the app and what /health answers; its stderr goes into a file of the folder."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "space", "serve"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors,
            env={**os.environ, **environment, "PORT": str(port)},
        )  # fmt: skip
        try:
            while True:
                assert process.poll() is None and time.monotonic() < end, (folder / "stderr").read_text()
                try:
                    answer = httpx.get(f"{url}/health", timeout=5)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            assert answer.status_code == 200
            yield url, answer.json()
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def repo(model_hub: HubServer) -> Repo:
    repo = model_hub.repos["team/model"] = Repo(private=False)
    repo.tags = {"v1": repo.add({"model.gguf": GGUF.read_bytes()})}
    repo.add({"model.gguf": b"GGUF, but of another kind"})
    return repo


@pytest.mark.slow
def test_a_model_of_the_hub_is_served_also_when_the_hub_is_away(
    model_hub: HubServer, repo: Repo, tmp_path: Path
) -> None:
    known = {"status": "ok", "model": "team/model@v1", "revision": repo.tags["v1"]}
    with serving(tmp_path, MODEL="team/model@v1") as (url, health):
        assert health == known
        answer = gradio_client.Client(url, verbose=False).predict("He have it.", api_name="/proofread")
        assert answer["model"] == "team/model@v1"
    model_hub.faults = lambda method, path: DROP
    with serving(tmp_path, MODEL="team/model@v1") as (_, health):
        note = health.pop("note")
    assert health == known
    assert note.startswith("team/model@v1: the Hub cannot be reached (") and note.endswith(
        " in the cache is used."
    )
    assert (tmp_path / "stderr").read_text() == note + "\n"


@pytest.mark.slow
def test_the_embedded_model_stands_in_for_one_that_cannot_be_had(
    model_hub: HubServer, repo: Repo, tmp_path: Path
) -> None:
    huge = tmp_path / "huge.gguf"
    huge.write_bytes(GGUF.read_bytes())
    os.truncate(huge, 10**13)  # takes no room on the disk
    for model, why in (
        ("team/none", "team/none: no such repository on the Hub"),
        (f"team/model@{repo.head}", "not a complete GGUF model"),
        (str(huge), "MB of memory"),
    ):
        with serving(tmp_path, MODEL=model) as (url, health):
            assert (health["status"], health["model"]) == ("ok", "proofreader")
            assert (
                why in health["note"]
                and "For now proofreader, the embedded model, is used." in health["note"]
            )
            assert why in httpx.get(url).text, "the page says so"
            client = gradio_client.Client(url, verbose=False)
            assert client.predict("He have it.", api_name="/proofread")["model"] == "proofreader"
        assert health["note"] in (tmp_path / "stderr").read_text().splitlines()
