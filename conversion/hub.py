"""A folder's files as one commit on the Hub, of what differs alone; what fails is tried again while that may help."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from feedback import hub_errors
from feedback.hub_errors import HubError, status
from space.errors import UserError
from space.proofread.llm.hub import digest

T = TypeVar("T")

WAITS_SECONDS = (2.0, 5.0, 15.0, 30.0)  # before the next tries
LONGEST_WAIT_SECONDS = 300.0  # that the Hub may ask for: its limits are counted in windows of 5 minutes
TOKENS = "https://huggingface.co/settings/tokens"
REMEDIES = {
    401: f"set HF_TOKEN to a valid token, from {TOKENS}.",
    402: "the owner's plan lacks this (says huggingface_hub 2.4: a Gradio Space on free hardware needs PRO or Team).",
    403: f"HF_TOKEN may not write there; take a token that may ({TOKENS}), or a name that is yours.",
    404: "check the name, and that HF_TOKEN may see it.",
}


class Repository:
    """A repository of the Hub that is written to; every method raises HubError or UserError, one line each."""

    def __init__(self, repo_id: str, repo_type: str) -> None:
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.utils import logging

        check_name(repo_id)
        token = get_token()
        if not token:
            raise UserError(f"No token: set HF_TOKEN to one that may write to {repo_id}, from {TOKENS}.")
        hub_errors.set_timeout()
        logging.set_verbosity_error()  # the client's notes on its own tries name signed addresses
        self.repo_id = repo_id
        self.api = HfApi(token=token)
        self.named = f"the {'Space' if repo_type == 'space' else repo_type} {repo_id}"
        self._repo: dict[str, Any] = {"repo_id": repo_id, "repo_type": repo_type}

    def call(self, method: Callable[..., T], *args: Any, **options: Any) -> T:
        """What a method of the client answers for this repository; it must be one that may be called twice."""

        def step() -> T:
            with self._explained():
                return method(self.repo_id, *args, **options)

        return patiently(step)

    def create(self, **options: Any) -> bool:
        """Makes the repository if there is none; was there none?"""

        def step() -> bool:
            try:
                self._info()
                return False
            except HubError as error:
                if status(error) != 404:
                    raise
            with self._explained():
                self.api.create_repo(**self._repo, exist_ok=True, **options)
            try:
                self._info()
            except HubError as error:
                if status(error) != 404:
                    raise
                raise HubError(
                    f"The Hub answered 409 for {self.named}: the name is taken, choose another.", retry=False
                ) from error
            return True

        return patiently(step)

    def held(self, revision: str = "") -> dict[str, Any]:
        """The files of a revision, by default of the newest, by their path."""
        return patiently(lambda: self._held(revision or self._info().sha))

    def commit(self, files: Mapping[str, Path], message: str, keep: tuple[str, ...]) -> tuple[str, int]:
        """Makes the repository hold these files and those of `keep`; the newest revision, and how many files differed.

        A commit is made on the revision that was compared, so a lost answer is no doubt: the next try compares again.
        """
        changed = 0

        def step() -> str:
            from huggingface_hub import CommitOperationAdd, CommitOperationDelete

            nonlocal changed
            revision = self._info().sha
            held = self._held(revision)
            operations = [
                *(CommitOperationAdd(name, path) for name, path in files.items() if not equal(path, held.get(name))),
                *(CommitOperationDelete(name) for name in held if name not in files and name not in keep),
            ]  # fmt: skip
            if not operations:
                return revision
            changed = len(operations)
            with self._explained():
                try:
                    return self.api.create_commit(
                        **self._repo, operations=operations, commit_message=message, parent_commit=revision
                    ).oid
                except ValueError as error:
                    if not hasattr(error.__cause__, "response"):
                        raise
                    # What the Hub says of the card: nothing else is checked before it is sent.
                    raise HubError(" ".join(str(error).split()), retry=False) from error

        return patiently(step), changed

    def _info(self) -> Any:
        with self._explained():
            return self.api.repo_info(**self._repo, timeout=hub_errors.TIMEOUT_SECONDS)

    def _held(self, revision: str) -> dict[str, Any]:
        with self._explained():
            tree = self.api.list_repo_tree(**self._repo, recursive=True, revision=revision)
            return {file.path: file for file in tree if hasattr(file, "size")}

    def _explained(self) -> AbstractContextManager[None]:
        return hub_errors.explained(self.named, "look at its page on the Hub.", REMEDIES)


def check_name(repo_id: str) -> None:
    """UserError unless it is an owner and a name that the Hub could have."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo_id)
        valid = re.fullmatch(r"[\w.-]+/[\w.-]+", repo_id, re.ASCII)
    except HFValidationError:
        valid = None
    if not valid:
        raise UserError(
            f"{repo_id!r} is no name of a repository: give owner/name, of letters, digits, - _ and ."
        )


def patiently(step: Callable[[], T]) -> T:
    """The result of a step that may be taken twice; waits between tries, as long as the Hub asks for if it does."""
    for wait in WAITS_SECONDS:
        try:
            return step()
        except HubError as error:
            if not error.retry:
                raise
            asked = _retry_after(error)
            if asked > LONGEST_WAIT_SECONDS:
                raise HubError(
                    f"{error} It asks to wait {asked:.0f} s: try again then.", retry=False
                ) from error
            wait = max(wait, asked)
            print(f"note: {error} Next try in {wait:.0f} s.", file=sys.stderr)
            time.sleep(wait)
    try:
        return step()
    except HubError as error:
        raise HubError(
            f"{error} Try again later; what was done already is not done twice.", error.retry
        ) from error


def _retry_after(error: HubError) -> float:
    """Seconds that the Hub asks to wait, 0 if it does not."""
    from huggingface_hub.utils import parse_ratelimit_headers

    headers = getattr(getattr(error.__cause__, "response", None), "headers", {})
    limit = parse_ratelimit_headers(headers) if status(error) == 429 else None
    after = headers.get("Retry-After", "")
    return (
        float(after) if after.isdigit() else limit.reset_in_seconds if limit and not limit.remaining else 0.0
    )


def equal(path: Path, held: Any) -> bool:
    """Is this what the Hub holds, by its size and checksum?"""
    if held is None or held.size != path.stat().st_size:
        return False
    etag = held.lfs.sha256 if held.lfs else held.blob_id
    return digest(path, etag) == etag
