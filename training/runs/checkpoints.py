"""Checkpoints that survive a kill: sealed when they are complete, found again, saved on SIGTERM, pushed to the Hub.

    trainer = resumable(SFTTrainer)(..., callbacks=[(stop := save_on_sigterm())])
    trainer.train(resume_from_checkpoint=newest(folder))

A checkpoint is complete when its seal says so: a file, written last, with the size and CRC-32 of every other one. What was
torn by a kill, a full disk or a lost connection has none, or one that does not fit, and is passed over.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

from training.runs.atomic_write import replacing

SEAL = "complete.json"
PUSHED = "last-checkpoint"  # its folder in a Hub repo
RECORD = "run.json"  # of the run, beside its checkpoints (training/runs/experiments.py)
_NAME = re.compile(r"checkpoint-(\d+)")
_CHUNK = 2**20  # bytes read at a time


class Stopped(Exception):
    """SIGTERM ended a training after it had saved; the same command goes on from there."""


# ---- complete or torn ----


def newest(folder: str | Path) -> Path | None:
    """The complete checkpoint with the highest step; torn ones above it are named on stderr and skipped."""
    for path in reversed(numbered(folder)):
        if is_complete(path):
            return path
        print(f"{path} is torn and was skipped: something stopped the run that wrote it", file=sys.stderr)
    return None


def numbered(folder: str | Path) -> list[Path]:
    """The checkpoints in a folder, complete or torn, in the order of their steps."""
    found = [
        (int(match[1]), path) for path in Path(folder).glob("*") if (match := _NAME.fullmatch(path.name))
    ]
    return [path for _, path in sorted(found)]


def is_complete(checkpoint: Path) -> bool:
    """Whether its files are as they were when it was sealed."""
    try:
        sealed = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        return bool(sealed) and all(_fingerprint(checkpoint / name) == each for name, each in sealed.items())
    except (OSError, ValueError, AttributeError):
        return False


def seal(checkpoint: Path) -> None:
    """Says that a checkpoint is complete. Its files reach the disk first, in case that the power fails."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != SEAL)
    for path in files:
        _sync(path)
    sealed = {str(path.relative_to(checkpoint)): _fingerprint(path) for path in files}
    with replacing(checkpoint / SEAL) as part:
        part.write_text(json.dumps(sealed) + "\n", encoding="utf-8")
        _sync(part)


def _fingerprint(path: Path) -> list[int]:
    size = crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    return [size, crc]


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


# ---- while training ----


def resumable(trainer: type) -> type:
    """A trainer of transformers or trl whose checkpoints are sealed, and which stops at once when it had ended before."""

    class Resumable(trainer):
        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            try:
                super()._save_checkpoint(model, trial)
                if self.args.should_save:
                    seal(folder)
            except BaseException:  # a full disk, Ctrl+C: a half is of use to no one
                if self.args.should_save:
                    shutil.rmtree(folder, ignore_errors=True)
                raise

        def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
            # transformers 5.23 makes one step more when a run is resumed that has made all of its steps.
            if self.state.global_step >= self.state.max_steps or self._has_lost_patience():
                self.control.should_training_stop = True
            else:
                super()._run_epoch(*args, **kwargs)

        def _has_lost_patience(self) -> bool:
            return any(
                callback.early_stopping_patience_counter >= callback.early_stopping_patience
                for callback in self.callback_handler.callbacks
                if hasattr(callback, "early_stopping_patience_counter")
            )

    return Resumable


def save_on_sigterm() -> Any:
    """A callback that saves and ends the training when SIGTERM comes; then its `stopped` is true.

    Of several processes all stop at the same step, whichever got the signal. In a thread other than the main one, where
    Python takes no signals, it does nothing.
    """
    from transformers import TrainerCallback

    class SaveOnSigterm(TrainerCallback):
        def __init__(self) -> None:
            self.stopped = False
            self._before: Any = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if threading.current_thread() is threading.main_thread():
                self._before = signal.signal(signal.SIGTERM, self._stop)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if args.world_size > 1:
                self.stopped = _anywhere(self.stopped, args.device)
            if self.stopped:
                control.should_save = control.should_training_stop = True

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.release()

        def release(self) -> None:
            """Gives the signal back to whoever had it."""
            if self._before is not None:
                signal.signal(signal.SIGTERM, self._before)
                self._before = None

        def _stop(self, *_: Any) -> None:
            self.stopped = True

    return SaveOnSigterm()


def _anywhere(flag: bool, device: Any) -> bool:
    import torch

    flags = torch.tensor([float(flag)], device=device)
    torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX)
    return bool(flags.item())


# ---- a Hub repo as the place of a run ----


class HubFolder:
    """A model repo that gets checkpoints while the training goes on, and the adapter at the end.

    Pushing that fails is reported once and never ends a training. UserError if the repo cannot be made or written.
    """

    def __init__(self, repo_id: str) -> None:
        from huggingface_hub import HfApi

        from space.errors import UserError

        self.repo_id, self._api, self._push, self._warned = repo_id, HfApi(), None, False
        try:
            self._api.create_repo(repo_id, exist_ok=True, private=True)
        except Exception as error:
            raise UserError(
                f"hub:{repo_id} cannot be written ({_line(error)}): check the name, and that HF_TOKEN may write there"
            ) from error

    def fetch(self, folder: Path) -> None:
        """Puts the repo's checkpoint into a folder that has none, with the record of the run: it goes on where its
        machine was lost."""
        if newest(folder):
            return
        fetched = folder / ".fetched"
        try:
            self._api.snapshot_download(
                self.repo_id, allow_patterns=[f"{PUSHED}/*", f"{PUSHED}/**"], local_dir=fetched
            )
            state = fetched / PUSHED / "trainer_state.json"
            if state.is_file():
                step = json.loads(state.read_text(encoding="utf-8"))["global_step"]
                shutil.rmtree(folder / f"checkpoint-{step}", ignore_errors=True)
                if (record := fetched / PUSHED / RECORD).is_file():
                    os.replace(record, folder / RECORD)
                os.replace(fetched / PUSHED, folder / f"checkpoint-{step}")
        except Exception as error:
            self._warn(error)
        finally:
            shutil.rmtree(fetched, ignore_errors=True)

    def push(self, folder: Path, path_in_repo: str, message: str, *, wait: bool = False) -> None:
        """Pushes a copy of a folder and the run's record in the background; the one before is waited for only if asked to."""
        if self._push is not None and not self._push.done() and not wait:
            return  # this checkpoint is skipped: the line is slower than the training
        self.wait()
        copy = folder.parent / f".push-{path_in_repo.replace('/', '-')}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)  # the checkpoint itself may be deleted while it is on its way
        if (record := folder.parent / RECORD).is_file():
            shutil.copy(record, copy)
        self._copy = copy
        self._push = self._api.upload_folder(
            repo_id=self.repo_id, folder_path=copy, path_in_repo=path_in_repo, commit_message=message,
            delete_patterns="*", run_as_future=True,
        )  # fmt: skip
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until what is being pushed has arrived, or failed."""
        if self._push is None:
            return
        try:
            self._push.result()
        except Exception as error:
            self._warn(error)
        self._push = None
        shutil.rmtree(self._copy, ignore_errors=True)

    def callback(self) -> Any:
        """Pushes every checkpoint as it is saved."""
        from transformers import TrainerCallback

        hub = self

        class Push(TrainerCallback):
            def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if state.is_world_process_zero:
                    folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
                    last = control.should_training_stop  # soon the machine may be gone
                    hub.push(folder, PUSHED, f"Step {state.global_step}", wait=last)

        return Push()

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            print(
                f"hub:{self.repo_id} could not be reached ({_line(error)}); the training goes on",
                file=sys.stderr,
            )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
