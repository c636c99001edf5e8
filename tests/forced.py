"""An answer that is given: what a model costs, whatever it knows."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from space.proofread.llm.engine import Sampling
from space.proofread.llm.prompt_lookup import PromptLookup


class Forced:
    """Writes what it is told to, whatever the model thinks."""

    def __init__(self, prompt: Sequence[int], answer: Sequence[int], likely: Sequence[int] = ()) -> None:
        self.prompt, self.sampling, self.max_tokens = prompt, Sampling(), len(answer)
        self.left, self.lookup = list(answer), PromptLookup(likely)
        self.ended = math.inf  # when; which of two threads wakes up first is chance

    def stop(self) -> bool:
        return False

    def ahead(self) -> Sequence[int]:
        return self.lookup.ahead()

    def adjust(self, logits: np.ndarray) -> None:
        logits[self.left[0]] += 1e6

    def take(self, token: int) -> bool:
        assert token == self.left.pop(0)
        self.lookup.follow(token, b"")
        if not self.left:
            self.ended = time.perf_counter()
        return bool(self.left)
