"""Models of the Hub, with the real client: revisions, the cache when the Hub is away, and downloads that are cut or wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from space.errors import UserError
from space.proofread.llm import hub
from space.proofread.llm.hub import fetch
from tests.feedback.hub_server import DROP, HALF, HANG, Fault, HubServer, Repo

OLD, NEW, OTHER = (b"GGUF" + text * 100_000 for text in (b"old", b"new", b"oth"))


@pytest.fixture
def repo(model_hub: HubServer) -> Repo:
    """team/model: an old revision, tagged v1, and a new one."""
    repo = model_hub.repos["team/model"] = Repo(private=False)
    files = {"README.md": b"About.", "model-Q8_0.gguf": OTHER}
    repo.tags = {"v1": repo.add(files | {"model-Q4_K_M.gguf": OLD})}
    repo.add(files | {"model-Q4_K_M.gguf": NEW})
    return repo


def away(hub: HubServer, fault: Fault = DROP) -> None:
    hub.faults = lambda method, path: fault


@pytest.mark.parametrize("name", ["team/model", "team/model@v1", "team/model:model-Q8_0.gguf"])
@pytest.mark.parametrize("fault", [DROP, HANG, 503, 401])
def test_what_is_in_the_cache_serves_while_the_hub_is_away_and_that_is_said(
    model_hub: HubServer, repo: Repo, name: str, fault: Fault
) -> None:
    first = fetch(name)
    assert first.note == ""
    away(model_hub, fault)
    began = time.monotonic()
    again = fetch(name)
    assert (again.path, again.revision) == (first.path, first.revision)
    assert (
        again.note.startswith(f"{name}: ")
        and f"revision {first.revision[:7]} in the cache is used" in again.note
    )
    assert time.monotonic() - began < 10


def test_a_silent_hub_is_not_waited_for_without_end(model_hub: HubServer, repo: Repo) -> None:
    away(model_hub, HANG)
    began = time.monotonic()
    with pytest.raises(
        UserError, match=r"^team/model: the Hub cannot be reached \(ReadTimeout\); use MODEL="
    ):
        fetch("team/model")
    assert time.monotonic() - began < 10


def test_a_name_may_say_branch_tag_or_commit_and_file(repo: Repo) -> None:
    tagged = repo.tags["v1"]
    for name, content, revision in (
        ("team/model", NEW, repo.head),
        ("team/model@main", NEW, repo.head),
        ("team/model@v1", OLD, tagged),
        (f"team/model@{tagged}", OLD, tagged),
        ("team/model@v1:model-Q8_0.gguf", OTHER, tagged),
    ):
        file = fetch(name)
        assert (file.name, file.path.read_bytes(), file.revision) == (name, content, revision)


def test_a_commit_in_the_cache_is_used_without_asking(model_hub: HubServer, repo: Repo) -> None:
    first = fetch(f"team/model@{repo.head}")
    model_hub.calls.clear()
    assert fetch(first.name) == first and not model_hub.calls


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("team/none", "no such repository on the Hub, or it is private"),
        ("team/model@v9", "its repository has no such revision"),
        ("team/model:none.gguf", "its repository has no such file"),
        ("team/empty", "no GGUF file in this repository"),
    ],
)
def test_what_the_hub_has_not_is_one_line(model_hub: HubServer, repo: Repo, name: str, line: str) -> None:
    model_hub.repos["team/empty"] = Repo(private=False)
    model_hub.repos["team/empty"].add({"README.md": b""})
    with pytest.raises(UserError) as caught:
        fetch(name)
    assert str(caught.value).startswith(f"{name}: {line}") and "\n" not in str(caught.value)


def test_a_newer_revision_is_named_and_not_taken(repo: Repo) -> None:
    first = fetch("team/model")
    repo.add(repo.files | {"README.md": b"More."})
    assert fetch("team/model").note == "", "the file is the same"
    repo.add(repo.files | {"model-Q4_K_M.gguf": OTHER})
    again = fetch("team/model")
    assert again.path == first.path and again.path.read_bytes() == NEW
    newer = f"team/model@{repo.head}:model-Q4_K_M.gguf"
    assert again.note == f"team/model: a newer revision is there: MODEL={newer} takes it."
    assert fetch(newer).path.read_bytes() == OTHER


def test_a_download_that_ended_goes_on_where_it_was(repo: Repo) -> None:
    def stop(now: int, total: int) -> None:
        if now > total / 2:
            raise UserError("stopped")

    with pytest.raises(UserError, match="stopped"):
        fetch("team/model", stop)
    seen: list[tuple[int, int]] = []
    file = fetch("team/model", lambda now, total: seen.append((now, total)))
    assert file.path.read_bytes() == NEW and file.path.is_relative_to(hub._folder("team/model") / "snapshots")
    assert seen[0][0] > len(NEW) / 2 and seen[-1] == (len(NEW), len(NEW))
    assert not [*Path(hub._folder("team/model")).rglob("*.part")]


def test_a_hub_that_goes_away_in_a_download_is_one_line_and_what_has_come_is_kept(
    model_hub: HubServer, repo: Repo
) -> None:
    def leave(now: int, total: int) -> None:
        if now > total / 3:
            away(model_hub)

    model_hub.faults = lambda method, path: HALF if method == "GET" and "/resolve/" in path else None
    with pytest.raises(
        UserError, match="^team/model: the Hub cannot be reached .*; what has come is kept, so try again"
    ):
        fetch("team/model", leave)
    assert [path.stat().st_size for path in hub._folder("team/model").rglob("*.part")] == [
        pytest.approx(150_000, abs=10_000)
    ]


def test_a_connection_that_breaks_is_taken_up_again(model_hub: HubServer, repo: Repo) -> None:
    faults = iter([HALF, HALF])
    model_hub.faults = lambda method, path: (
        next(faults, None) if method == "GET" and "/resolve/" in path else None
    )
    assert fetch("team/model").path.read_bytes() == NEW


def test_what_is_not_what_was_announced_is_not_kept(model_hub: HubServer, repo: Repo) -> None:
    blobs = hub._folder("team/model") / "blobs"
    blobs.mkdir(parents=True)
    _, announced = hub._announced("team/model")
    (blobs / f"{announced.etag}.part").write_bytes(b"X" * 1000)  # damaged on the disk, or on the way
    with pytest.raises(
        UserError, match="^team/model: what came has another checksum than the Hub announces"
    ) as caught:
        fetch("team/model")
    assert "\n" not in str(caught.value)
    assert fetch("team/model").path.read_bytes() == NEW


def test_a_full_or_forbidden_disk_is_named(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "hf").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="^team/model: it cannot be written to .*Not a directory"):
        fetch("team/model")
