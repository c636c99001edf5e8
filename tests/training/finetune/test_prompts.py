"""What is measured on drafts: once for a run, by one process of a machine, and never read when it is torn."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from space.proofread.pipeline import load_proofreader
from space.settings import Settings
from training.finetune import prompts as module
from training.finetune.prompts import Draft, forget, prompts
from training.finetune.sentence_pairs import units

DRAFTS = [Draft("Please recieve my thanks.", "proofread"), Draft("Send it now.", "polish")]


def test_a_draft_is_asked_about_with_its_evidence_in_its_mode() -> None:
    first, second = prompts(DRAFTS)
    assert first[0]["content"].startswith("Proofread. Sentiment ") and "Check" not in first[0]["content"]
    assert second[0]["content"].startswith("Polish. ")
    assert [chat[-1] for chat in (first, second)] == [
        {"role": "user", "content": draft.text} for draft in DRAFTS
    ]
    assert prompts([]) == []


def test_a_second_run_does_not_measure_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = prompts(DRAFTS, folder=tmp_path)
    assert first == prompts(DRAFTS)
    capsys.readouterr()
    assert prompts(DRAFTS, folder=tmp_path) == first
    assert capsys.readouterr().err == ""
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600 and "thanks" not in kept.read_text()
    for others in (DRAFTS[::-1], [Draft(DRAFTS[0].text, "polish")]):
        assert prompts(others, folder=tmp_path) == prompts(others) != first
    forget(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_other_classifiers_are_asked_anew(tmp_path: Path) -> None:
    """A copy of the tagger with one byte more in a file that it does not read."""
    import shutil

    other = tmp_path / "tagger"
    shutil.copytree(module.TAGGER, other)
    (tmp_path / "run").mkdir()
    prompts(DRAFTS, other, tmp_path / "run")
    prompts(DRAFTS, module.TAGGER, tmp_path / "run")
    assert len(list((tmp_path / "run").iterdir())) == 1  # the same files are the same tagger
    (other / "README.md").write_text("x")
    prompts(DRAFTS, other, tmp_path / "run")
    assert len(list((tmp_path / "run").iterdir())) == 2


@pytest.mark.parametrize("how", ["cut", "empty", "changed", "of another kind"])
def test_a_torn_file_is_measured_again(how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = prompts(DRAFTS, folder=tmp_path)
    (kept,) = tmp_path.iterdir()
    text = kept.read_text()
    torn = {
        "cut": text[:-20],
        "empty": "",
        "changed": text.replace("Sentiment", "Sediment"),
        "of another kind": "[1]",
    }
    kept.write_text(torn[how])
    capsys.readouterr()
    assert prompts(DRAFTS, folder=tmp_path) == wanted
    assert "evidence measured on 2 of 2" in capsys.readouterr().err and kept.read_text() == text


def test_the_other_processes_of_a_machine_wait_for_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file comes in two pieces, as on a disk that others share; half of it is not taken for the whole."""
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    wanted = prompts(DRAFTS, folder=here)
    (kept,) = here.iterdir()
    text = kept.read_text()
    capsys.readouterr()
    monkeypatch.setenv("LOCAL_RANK", "1")
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(prompts(DRAFTS, folder=there)))
    waiting.start()
    (there / kept.name).write_text(text[: len(text) // 2])
    time.sleep(3 * module._POLL_SECONDS)
    assert waiting.is_alive() and not found
    part = there / "part"
    part.write_text(text)
    os.replace(part, there / kept.name)
    waiting.join(30)
    assert found == [wanted] and capsys.readouterr().err == ""


def test_what_is_kept_is_json(tmp_path: Path) -> None:
    """A lone surrogate, as a broken mail program sends it, can be kept too."""
    draft = [Draft("A \ud83d b.", "proofread")]
    assert prompts(draft, folder=tmp_path) == prompts(draft, folder=tmp_path)
    (kept,) = tmp_path.iterdir()
    assert json.loads(kept.read_text())["asked"][0][0]["role"] == "system"


@pytest.mark.parametrize("mode", ["proofread", "polish"])
def test_a_row_is_asked_byte_for_byte_as_serving_asks(mode: str) -> None:
    """Joint tagging, names of the whole email: all as in the app, whose polite wordings are not the model's own."""
    email = (
        "Hi Marek,\n\nMarek have sent the invoise on monday. You must send me the list now!\n"
        "Your team is too slow. He go home to to early.\n\nBest regards,\nAnna\n"
    )
    served = load_proofreader(Settings.from_env()).proofread(email, mode).prompts
    rows = [Draft(text, "proofread", email) for (text,) in units(email, ())]
    asked = ["\n".join(f"{m['role']}: {m['content']}" for m in chat) for chat in prompts(rows)]
    assert len(served) >= 2 and set(served) <= set(asked)
