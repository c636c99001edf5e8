"""What a reload of the page finds in its fields, whatever has become of the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from training.studio import page
from training.studio.jobs import Queue
from training.studio.saved_form import SavedForm
from training.studio.workspace import Workspace

FILE = Path(".studio") / "form.json"


@pytest.fixture
def fields() -> Mapping[str, gr.components.Component]:
    return {
        "name": gr.Textbox(""),
        "rank": gr.Number(8),
        "packing": gr.Checkbox(False),
        "recipe": gr.Dropdown(["own", "one_gpu"], value="own"),
        "dataset": gr.Dropdown([], value=[], multiselect=True, allow_custom_value=True),
        "bf16": gr.Dropdown([("as it is", None), ("yes", True)], value=None),
    }


def restored(form: SavedForm, fields: Mapping[str, Any], **choices: list[Any]) -> dict[str, Any]:
    found = form.restored({fields[name]: gr.update(choices=each) for name, each in choices.items()})
    names = {component: name for name, component in fields.items()}
    return {names[each]: update["value"] for each, update in found.items() if "value" in update}


def test_what_was_filled_in_is_found_again(fields: Mapping[str, Any], tmp_path: Path) -> None:
    values = {
        "name": "mine",
        "rank": 4,
        "packing": True,
        "recipe": "a.yaml",
        "dataset": ["b", "c"],
        "bf16": True,
    }
    SavedForm(tmp_path, fields).save({fields[name]: value for name, value in values.items()})
    form = SavedForm(tmp_path, fields)
    assert restored(form, fields, recipe=["own", "a.yaml"]) == values
    assert restored(form, fields) == {name: value for name, value in values.items() if name != "recipe"}


@pytest.mark.parametrize("text", ["", "[]", '{"name": "mi', "\0", '{"1": 2}', "null"])
def test_a_torn_file_is_no_file(fields: Mapping[str, Any], tmp_path: Path, text: str) -> None:
    (tmp_path / ".studio").mkdir()
    (tmp_path / FILE).write_text(text)
    assert restored(SavedForm(tmp_path, fields), fields, recipe=["own"]) == {}


def test_a_value_that_no_longer_fits_its_field_is_left_out(fields: Mapping[str, Any], tmp_path: Path) -> None:
    (tmp_path / ".studio").mkdir()
    wrong = '{"name": 3, "rank": 1e999, "packing": "yes", "recipe": ["own"], "dataset": "b", "bf16": "yes"}'
    (tmp_path / FILE).write_text(wrong)
    assert restored(SavedForm(tmp_path, fields), fields) == {}
    (tmp_path / FILE).write_text('{"rank": true, "dataset": ["b", {}], "name": "kept"}')
    assert restored(SavedForm(tmp_path, fields), fields) == {"name": "kept"}


def test_a_full_disk_does_not_stop_the_page(fields: Mapping[str, Any], tmp_path: Path) -> None:
    (tmp_path / ".studio").write_text("no folder can be made here")
    SavedForm(tmp_path, fields).save(dict.fromkeys(fields.values(), ""))
    assert restored(SavedForm(tmp_path, fields), fields) == {}


def test_nothing_secret_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where a judge is asked, which may hold a password, nor the email that is tried."""
    saved: list[str] = []

    def form(folder: Path, fields: Mapping[str, Any]) -> SavedForm:
        saved.extend(fields)
        return SavedForm(folder, fields)

    monkeypatch.setattr(page, "SavedForm", form)
    page.build(Workspace(tmp_path), Queue(tmp_path))
    assert "1 Data: dataset" in saved and "2 Experiment: lora_r" in saved and "5 Compare: limit" in saved
    assert not [
        name for name in saved if any(word in name for word in ("url", "email", "key", "token_", "password"))
    ]
