"""The settings of a run, as a page sends them."""

from typing import Any

import pytest

from space.errors import UserError
from space.options import Options


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", -1.0), ("top_p", None), ("seed", 2**40), ("max_tokens", "many")]
)
def test_a_number_out_of_range_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=name.replace("_", " ")):
        Options(**{name: value})


def test_protected_terms_are_one_a_line_or_between_commas() -> None:
    terms = Options(terms=" Acme\n\nKubernetes, teh;x ").arguments()["protected_terms"]
    assert terms == ("Acme", "Kubernetes", "teh", "x")
