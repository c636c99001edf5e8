"""Errors of the Hub as one line in our words, and an end to waiting for it; publishing and deploying use them too."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from feedback.errors import FeedbackError

TIMEOUT_SECONDS = 30.0  # for one answer; the client's own default is to wait for ever
TRANSIENT = {408, 409, 412, 423, 425, 429}  # and every 5xx; 412 is a commit of somebody else's in between


class HubError(FeedbackError):
    """The Hub could not be reached, or refused; `retry` says whether trying again may help."""

    exit_code = 1

    def __init__(self, message: str, retry: bool = True) -> None:
        super().__init__(message)
        self.retry = retry


@contextmanager
def explained(repo: str, remedy: str, remedies: Mapping[int, str] | None = None) -> Iterator[None]:
    """Every error as a HubError in our words: the client's may quote what was sent.

    `repo` names the repository; `remedy` says what helps when it is refused, `remedies` the same for single statuses.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RevisionNotFoundError

    try:
        with _unwrapped():
            yield
    except OfflineModeIsEnabled as error:
        raise HubError("HF_HUB_OFFLINE is set: unset it to reach the Hub.", retry=False) from error
    except RevisionNotFoundError as error:  # `forget` made the history one commit in the meantime
        raise HubError(f"{repo[0].upper()}{repo[1:]} was changed while it was read: try again.") from error
    except HfHubHTTPError as error:
        answer = f"The Hub answered {(code := error.response.status_code)} for {repo}"
        if code in TRANSIENT or code >= 500:
            raise HubError(f"{answer}.") from error
        raise HubError(f"{answer}: {(remedies or {}).get(code, remedy)}", retry=False) from error
    except FeedbackError:
        raise
    except Exception as error:  # noqa: BLE001  network, proxies and storage back ends each have their own
        raise HubError(f"The Hub could not be reached ({type(error).__name__}).") from error


@contextmanager
def _unwrapped() -> Iterator[None]:
    """What a large file met on its way: the client wraps it."""
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except RuntimeError as error:
        if not isinstance(error.__cause__, HTTPError):
            raise
        raise error.__cause__ from None


def status(error: HubError) -> int:
    """The HTTP status behind an error, 0 if there was no answer."""
    return getattr(getattr(error.__cause__, "response", None), "status_code", 0)


@functools.cache  # once a process: it closes the connections that are open
def set_timeout() -> None:
    """Gives the client's requests an end; kept by the client for every connection it opens from now on."""
    from huggingface_hub.utils import set_client_factory

    # Not exported: without it the client's own hooks (offline mode, request ids) would have to be copied.
    from huggingface_hub.utils._http import default_client_factory

    def factory() -> Any:
        client = default_client_factory()
        client.timeout = TIMEOUT_SECONDS
        return client

    set_client_factory(factory)
