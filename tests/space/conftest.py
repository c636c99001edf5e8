"""A Hub of our own on loopback that holds models, taken for the real one by the real client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feedback.hub_server import HubServer


@pytest.fixture
def model_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """The server, with this process's client and that of children sent to it, and an empty cache of downloads."""
    from huggingface_hub import constants

    with HubServer() as server:
        home = tmp_path / "hf"
        for name, value in {**server.env, "HF_HOME": str(home), "HF_HUB_ETAG_TIMEOUT": "2"}.items():
            monkeypatch.setenv(name, value)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        # What the client read from these when it was imported.
        constant: dict[str, object] = {
            "ENDPOINT": server.url, "HUGGINGFACE_CO_URL_TEMPLATE": template, "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True, "HF_HUB_CACHE": str(home / "hub"), "HF_HUB_ETAG_TIMEOUT": 2,
            "HF_HUB_DOWNLOAD_TIMEOUT": 2, "DOWNLOAD_CHUNK_SIZE": 10_000,
        }  # fmt: skip
        for name, each in constant.items():
            monkeypatch.setattr(constants, name, each)
        yield server
