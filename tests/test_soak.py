"""Half a minute of the soak; `python -m tests.soak` goes on for as long as you like."""

from __future__ import annotations

import json

import pytest

from tests.soak import main


@pytest.mark.slow
def test_the_app_survives_half_a_minute_of_many_users(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "0.5"]) == 0
    assert json.loads(capsys.readouterr().out)["flags"]["sent"] > 0
