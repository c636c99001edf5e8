"""The last two models stay in memory where they fit; after one that cannot be loaded there is one again."""

import dataclasses
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from space.errors import UserError
from space.proofread.llm import switcher
from space.proofread.llm.engine import Sampling
from space.proofread.llm.switcher import ModelSwitcher, file_digest
from space.proofread.pipeline import load_proofreader
from space.settings import ROOT, Settings

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
def models(settings: Settings) -> ModelSwitcher:
    return ModelSwitcher(load_proofreader(settings), settings)


def test_every_model_of_the_folder_is_offered_once_the_default_first(
    models: ModelSwitcher, settings: Settings
) -> None:
    assert models.names == ["proofreader", "second", "torn"]
    by_path = dataclasses.replace(settings, model=str(settings.models_dir / "second.gguf"))
    assert ModelSwitcher(models.switch("proofreader"), by_path).names == [
        by_path.model,
        "proofreader",
        "torn",
    ]


def test_another_model_takes_the_place_and_the_record_names_it(models: ModelSwitcher) -> None:
    first = models.switch("proofreader").engine
    assert models.switch("proofreader").engine is first
    assert models.switch("second").engine is not first
    assert models.loaded == "second" and models.switch("second").proofread("I has it.").model == "second"
    assert models.versions()["model"] == "second"
    assert models.versions()["gguf_sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert models.switch("proofreader").engine is first


def test_two_models_by_turns_are_loaded_once_each_and_a_third_takes_the_place_of_the_older(
    models: ModelSwitcher, settings: Settings
) -> None:
    third = settings.models_dir / "third.gguf"
    third.symlink_to(MODEL)
    try:
        engines = [models.switch(name).engine for name in ("proofreader", "second") * 4]
        assert len(set(map(id, engines))) == 2
        models.switch("third")
        assert models.switch("second").engine is engines[1]
        with pytest.raises(UserError, match="closed"):
            engines[0].complete([{"role": "user", "content": "Hi"}], Sampling(), lambda: False)
        assert models.switch("proofreader").proofread("Thank you.").text == "Thank you."
    finally:
        third.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what a process holds")
def test_a_model_that_was_closed_leaves_nothing_behind_in_whichever_thread_it_was_loaded() -> None:
    """27 MB stayed in each. In a process of its own, as what other tests' threads allocated would count too."""
    ran = subprocess.run([sys.executable, "-c", LOADS], cwd=ROOT.parent, capture_output=True, text=True)
    first, second = map(float, ran.stdout.split())
    assert second - first < 5, ran.stderr


LOADS = f"""
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from space.proofread.llm.llama_cpp import LlamaCpp
from space.proofread.llm.memory import share_arena
from tests.soak import megabytes

share_arena()
pools = [ThreadPoolExecutor(1), ThreadPoolExecutor(1)]
for pool in pools:
    pool.submit(lambda: LlamaCpp(Path({str(MODEL)!r}), n_ctx=512, n_threads=1).close()).result()
    print(megabytes(os.getpid())[0])
"""


def test_a_file_that_was_replaced_is_loaded_again(models: ModelSwitcher, settings: Settings) -> None:
    path = settings.models_dir / "replaced.gguf"
    path.write_bytes(MODEL.read_bytes())
    try:
        old = models.switch("replaced").engine
        models.switch("proofreader")
        os.utime(path, ns=(1, 1))
        assert models.switch("replaced").engine is not old
        models.switch("proofreader")
    finally:
        path.unlink()
    assert models.switch("replaced") and models.versions()["gguf_sha256"], "what is in memory needs no file"


def test_a_model_that_cannot_fit_is_one_line_and_closes_no_other(
    models: ModelSwitcher, settings: Settings
) -> None:
    huge = settings.models_dir / "huge.gguf"
    huge.write_bytes(MODEL.read_bytes())
    os.truncate(huge, 10**13)  # takes no room on the disk
    try:
        engine = models.switch("second").engine
        with pytest.raises(
            UserError, match=r"huge.gguf: takes about 10,000,\d+ MB of memory, [\d,]+ MB are free; "
        ) as caught:
            models.switch("huge")
        assert "\n" not in str(caught.value)
        assert models.loaded == "second" and models.switch().engine is engine
        first = models.switch("proofreader").engine
        assert models.switch("second").engine is engine and models.switch("proofreader").engine is first
    finally:
        huge.unlink()


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("name", ["torn", "missing"])
def test_a_model_that_cannot_be_loaded_gives_the_default_back(
    models: ModelSwitcher, name: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switcher, "MAX_OPEN", most)
    with pytest.raises(UserError, match=name):
        models.switch(name)
    assert (models.loaded, models.problem) == ("proofreader", "")
    assert models.switch("proofreader").proofread("Thank you.").text == "Thank you."


def test_when_not_even_the_default_can_be_loaded_that_is_said_and_the_next_run_tries_again(
    models: ModelSwitcher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switcher, "MAX_OPEN", 1)
    default = settings.models_dir / "proofreader.gguf"
    away = default.rename(default.with_suffix(".away"))
    try:
        with pytest.raises(UserError, match="torn.gguf: not a complete GGUF model"):
            models.switch("torn")
    finally:
        away.rename(default)
    assert models.loaded == "" and "proofreader.gguf: no such model file" in models.problem
    assert "torn.gguf: not a complete GGUF model" in models.problem
    assert models.switch().proofread("Thank you.").text == "Thank you."
    assert (models.loaded, models.problem) == ("proofreader", "")


def test_without_a_name_the_model_that_is_loaded_stays(models: ModelSwitcher) -> None:
    engine = models.switch("second").engine
    assert models.switch().engine is engine and models.loaded == "second"


def test_a_file_is_read_for_its_digest_once_until_it_changes(
    models: ModelSwitcher, settings: Settings
) -> None:
    for name in ("second", "proofreader"):
        models.switch(name)
    read = file_digest.cache_info().misses
    for name in ("second", "proofreader"):
        models.switch(name)
    assert file_digest.cache_info().misses == read
    other = settings.models_dir / "other.gguf"
    other.write_bytes(MODEL.read_bytes())
    first = models.switch("other") and models.versions()
    models.switch("second")
    os.utime(other, ns=(1, 1))
    assert models.switch("other") and models.versions() == first
    assert file_digest.cache_info().misses == read + 2
    models.switch("second")
    other.unlink()


class _Hub(BaseHTTPRequestHandler):
    """One repository of one file, the shipped model, in three pieces, each when the test wants it."""

    next_piece = threading.Semaphore(0)

    def log_message(self, format: str, *args: object) -> None: ...

    def do_HEAD(self) -> None:
        self._answer(b"", MODEL.stat().st_size)

    def do_GET(self) -> None:
        if self.path.startswith("/api/"):
            body = b'{"id": "team/model", "siblings": [{"rfilename": "model.gguf"}]}'
            if "/tree/" in self.path:
                body = b'[{"type": "file", "path": "model.gguf", "size": 1, "oid": "1"}]'
            return self._answer(body, len(body))
        begun = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        body = MODEL.read_bytes()[begun:]
        third = len(body) // 3 + 1
        self._answer(b"", len(body), 206 if begun else 200)
        for at in range(0, len(body), third):
            assert self.next_piece.acquire(timeout=30)
            self.wfile.write(body[at : at + third])

    def _answer(self, body: bytes, size: int, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.send_header("ETag", f'"{hashlib.sha256(MODEL.read_bytes()).hexdigest()}"')
        self.send_header("X-Repo-Commit", "1" * 40)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hub]]:
    from huggingface_hub import constants

    handler = type("Hub", (_Hub,), {"next_piece": threading.Semaphore(0)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    url = f"http://127.0.0.1:{server.server_port}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", url)
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_tells_how_far_it_is_and_can_be_stopped_and_go_on(
    models: ModelSwitcher, hub: type[_Hub]
) -> None:
    size, stop = MODEL.stat().st_size, threading.Event()
    download = models.fetch("team/model", stop.is_set)
    hub.next_piece.release()
    came, of = next(download)
    assert 0 < came < size and of == size
    stop.set()
    hub.next_piece.release()
    with pytest.raises(UserError, match="team/model: the download was stopped"):
        list(download)
    assert models.switch("proofreader").proofread("Thank you.").text == "Thank you."

    stop.clear()
    for _ in range(6):
        hub.next_piece.release()
    seen = list(models.fetch("team/model", stop.is_set))
    assert all(first <= then for first, then in zip(seen, seen[1:], strict=False))
    assert models.switch("team/model").proofread("I has it.").model == "team/model"
    assert models.versions()["gguf_sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()


def test_a_download_ends_when_nobody_waits_for_it_any_more(models: ModelSwitcher, hub: type[_Hub]) -> None:
    download = models.fetch("team/abandoned")
    hub.next_piece.release()
    next(download)
    hub.next_piece.release()
    began = time.monotonic()
    download.close()
    assert (
        time.monotonic() - began < 20
    )  # the third piece would be waited for until the server gives up, at 30
    assert models.loaded == "proofreader"


def test_runs_at_once_share_a_model_and_each_keeps_its_own(models: ModelSwitcher) -> None:
    drafts = [f"I has {number} letters." for number in range(4)]
    names = ("proofreader", "second", "proofreader", "second")

    def run(name: str, draft: str) -> tuple[str, str, str]:
        with models.use(name) as proofreader:
            found = proofreader.proofread(draft)
            return found.model, found.text, models.versions(proofreader)["model"]

    with ThreadPoolExecutor(4) as pool:
        ran = list(pool.map(run, names, drafts))
    assert ran == [
        (name, draft.replace("has", "have"), name) for name, draft in zip(names, drafts, strict=True)
    ]
    assert len(models._open) == 2


def test_a_model_in_use_is_closed_when_its_run_has_ended(
    models: ModelSwitcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switcher, "MAX_OPEN", 1)
    with ThreadPoolExecutor(1) as pool:
        with models.use("proofreader") as proofreader:
            other = pool.submit(models.switch, "second")
            assert proofreader.proofread("I has it.").text == "I have it."
            assert not other.done() and models.loaded == "proofreader"
        assert other.result(60).proofread("I has it.").model == "second"
    with pytest.raises(UserError, match="closed"):
        proofreader.engine.complete([{"role": "user", "content": "Hi"}], Sampling(), lambda: False)
