"""A release in a small repository: what it refuses and leaves as it was, and what it commits and tags."""

from __future__ import annotations

import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest

from space.errors import UserError
from tests import release

CARD = ("README.md", "requirements.txt", "LICENSE", "docs/evaluation.md")


def git(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    ran = subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=A change")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the real card and figures, version 0.1.0 and a change that is not released."""
    files = {
        "space/__init__.py": '"""Serves."""\n\n__version__ = "0.1.0"\n',
        "space/app.py": "",
        "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Something.\n\n## [0.1.0] - 2026-11-28\n\n- All.\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in CARD:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(release.ROOT / name, tmp_path / name)
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "A")
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "a@example.org")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def test_a_release_is_a_commit_and_a_tag_with_the_notes(root: Path) -> None:
    assert release.release(root, "0.2.0") == "### Added\n\n- Something."
    assert '__version__ = "0.2.0"' in (root / "space/__init__.py").read_text()
    changelog = (root / "CHANGELOG.md").read_text()
    assert (
        f"## [Unreleased]\n\n## [0.2.0] - {date.today()}\n\n### Added\n\n- Something.\n\n## [0.1.0]"
        in changelog
    )
    assert (
        git(root, "tag", "--list", "--format=%(contents)", "v0.2.0")
        == "Release 0.2.0\n\n### Added\n\n- Something."
    )
    assert git(root, "rev-parse", "v0.2.0^{}") == git(root, "rev-parse", "HEAD") and not git(
        root, "status", "--short"
    )
    with pytest.raises(UserError, match="nothing under"):
        release.release(root, "0.3.0")


@pytest.mark.parametrize("version", ["0.1.0", "0.0.9", "1.0", "v0.2.0", "0.2.0rc1"])
def test_a_version_that_is_no_next_one_is_refused(root: Path, version: str) -> None:
    refused(root, version, "above 0.1.0")


def test_what_is_not_committed_is_refused(root: Path) -> None:
    (root / "LICENSE").write_text("another")
    with pytest.raises(UserError, match="not committed"):
        release.release(root, "0.2.0")


@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        ("README.md", "| 51.0 (", "| 70.6 (", "docs/evaluation.md has not: 70.6"),
        ("docs/evaluation.md", "\nMeasured on 2026-", "\nMeasured on 2025-", "the same day"),
        ("README.md", "sdk: gradio", "sdk: docker", "sdk must be gradio"),
    ],
)
def test_documents_that_disagree_are_refused(root: Path, name: str, old: str, new: str, why: str) -> None:
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new, 1))
    commit(root)
    refused(root, "0.2.0", why)


def test_figures_of_other_models_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "space/models").mkdir()
    (root / "space/models/thresholds.json").write_text("{}")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2099-01-01T00:00:00")
    commit(root)
    refused(root, "0.2.0", "changed on 2099-01-01")


def refused(root: Path, version: str, why: str) -> None:
    before = git(root, "rev-parse", "HEAD")
    with pytest.raises(UserError, match=why):
        release.release(root, version)
    assert (
        git(root, "rev-parse", "HEAD") == before
        and not git(root, "status", "--short")
        and not git(root, "tag")
    )
