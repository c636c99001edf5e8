"""A Hub of our own on loopback, taken for the real one by the real client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from feedback.dataset import Dataset
from feedback.record import Record
from tests.feedback.hub_server import HubServer

REPO = "owner/feedback"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """The server, with this process's client and that of children sent to it; the client never waits for long."""
    from huggingface_hub import constants

    import feedback.hub_errors

    with HubServer() as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FEEDBACK_DATASET", REPO)
        # What the client read from HF_ENDPOINT and its like when it was imported.
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(feedback.hub_errors, "TIMEOUT_SECONDS", 5.0)
        yield server


@pytest.fixture
def dataset(hub: HubServer) -> Dataset:
    return Dataset(REPO, hub.token)


def record(**fields: Any) -> Record:
    """A small valid record."""
    return Record(**{"draft": "helo", "rewrite": "Hello", "verdict": "good", "consent": "1"} | fields)
