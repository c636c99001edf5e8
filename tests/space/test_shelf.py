"""Models are taken down one for another, and a bad one gives the old one back."""

import dataclasses
import hashlib

import pytest

from space.engine import Sampling
from space.errors import UserError
from space.proofreader import load_proofreader
from space.settings import ROOT, Settings
from space.shelf import Shelf

MODEL = ROOT / "models" / "proofreader.gguf"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shipped models, the language model under a second name, and a file that is none."""
    folder = tmp_path_factory.mktemp("models")
    for path in (ROOT / "models").iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "second.gguf").symlink_to(MODEL)
    (folder / "torn.gguf").write_bytes(MODEL.read_bytes()[:100_000])
    return dataclasses.replace(Settings.from_env(), models_dir=folder, n_threads=1)


@pytest.fixture
def shelf(settings: Settings) -> Shelf:
    return Shelf(load_proofreader(settings), settings)


def test_every_model_of_the_folder_is_offered_once_the_default_first(
    shelf: Shelf, settings: Settings
) -> None:
    assert shelf.names == ["proofreader", "second", "torn"]
    by_path = dataclasses.replace(settings, model=str(settings.models_dir / "second.gguf"))
    assert Shelf(shelf.take("proofreader"), by_path).names == [by_path.model, "proofreader", "torn"]


def test_another_model_takes_the_place_and_the_record_names_it(shelf: Shelf) -> None:
    first = shelf.take("proofreader").engine
    assert shelf.take("proofreader").engine is first
    assert shelf.take("second").engine is not first
    assert shelf.loaded == "second" and shelf.take("second").proofread("I has it.").model == "second"
    assert shelf.versions()["model"] == "second"
    assert shelf.versions()["gguf_sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    with pytest.raises(UserError, match="closed"):
        first.complete([{"role": "user", "content": "Hi"}], Sampling(), lambda: False)


@pytest.mark.parametrize("name", ["torn", "missing"])
def test_a_model_that_cannot_be_loaded_gives_the_default_back(shelf: Shelf, name: str) -> None:
    with pytest.raises(UserError, match=name):
        shelf.take(name)
    assert shelf.loaded == "proofreader"
    assert shelf.take("proofreader").proofread("Thank you.").text == "Thank you."


def test_when_not_even_the_default_can_be_loaded_the_next_run_tries_again(
    shelf: Shelf, settings: Settings
) -> None:
    default = settings.models_dir / "proofreader.gguf"
    away = default.rename(default.with_suffix(".away"))
    try:
        with pytest.raises(UserError):
            shelf.take("torn")
    finally:
        away.rename(default)
    assert shelf.take("proofreader").proofread("Thank you.").text == "Thank you."
