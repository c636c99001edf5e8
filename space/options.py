"""How an email is to be proofread, as a page or a program asks for it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from space.errors import UserError
from space.proofread.llm.engine import Sampling

# Lowest and highest value of each number.
RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.05, 1.0),
    "top_k": (0, 200),
    "min_p": (0.0, 1.0),
    "repeat_penalty": (1.0, 2.0),
    "min_tokens": (0, 4096),
    "max_tokens": (0, 4096),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True)
class Options:
    """`terms` are protected words, one a line; `max_tokens` 0 leaves the length to the engine.

    Raises UserError, naming the setting and its range, for a number that is missing or out of range.
    """

    mode: str = "proofread"
    model: str = ""
    dialect: str = ""  # as written
    terms: str = ""
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    min_tokens: int = 0
    max_tokens: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not low <= value <= high:
                raise UserError(f"{name.replace('_', ' ')}: give a number from {low} to {high}.")

    def arguments(self) -> dict[str, Any]:
        """What `Proofreader.run` takes."""
        sampling = Sampling(
            self.temperature, self.top_p, int(self.top_k), self.min_p, self.repeat_penalty,
            min_tokens=int(self.min_tokens), max_tokens=int(self.max_tokens) or None, seed=int(self.seed),
        )  # fmt: skip
        terms = tuple(filter(None, (term.strip() for term in re.split(r"[\n,;]", self.terms))))
        return {
            "mode": self.mode,
            "protected_terms": terms,
            "sampling": sampling,
            "dialect": self.dialect or None,
        }

    def to_dict(self) -> Mapping[str, Any]:
        """The options for a feedback record: without the terms, which are the writer's own words, and the model, which it names."""
        return {
            name: value for name, value in dataclasses.asdict(self).items() if name not in ("terms", "model")
        }
