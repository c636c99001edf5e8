"""A result that the browser keeps comes back as it was, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from space.mail import Mail
from space.page.saved import Saved, restore, save
from space.proofread.edits import Edit
from space.proofread.pipeline import Skipped
from tests.space.page.test_render import proofread

EDITS = (
    Edit(0, 4, "dont", "don't", "spelling", "lexicon", 0.9, reason="An apostrophe."),
    Edit(5, 7, "go", "went", "verb form", status="refused", reason="unlikely"),
)
VALUE = replace(
    proofread("dont go\r\n\x00é", *EDITS, skipped=(Skipped("x", "a link"),)), prompts=("user: dont go",)
)
MAIL = Mail("dont go", "Hello", (("To", "A <a@b.example>"),), ("note",), (("To", "a@b.example"),))


@pytest.mark.parametrize("mail", [None, MAIL])
def test_a_result_comes_back_whole_but_for_its_prompts(mail: Mail | None) -> None:
    saved = Saved(VALUE, {"options": {"mode": "proofread"}, "versions": {"model": "m"}}, mail)
    content = save(saved)
    assert "user: dont go" not in content and content.isascii()
    assert restore(content) == replace(saved, value=replace(VALUE, prompts=()))


def changed(**of_edit: object) -> str:
    content = json.loads(save(Saved(VALUE, {}, None)))
    content["value"]["edits"][0].update(of_edit)
    return json.dumps(content)


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", "[" * 100_000, '{"value": {}}', changed(start=-1), changed(end=99), changed(start=3), changed(before="x"),
        changed(after=7),
    ],
)  # fmt: skip
def test_what_save_did_not_make_is_nothing(content: str) -> None:
    assert restore(content) is None
