"""Chat templates of real families against transformers, and templates that mean harm: each ends soon, in one line."""

from __future__ import annotations

import re
import resource
from typing import Any

import pytest
from jinja2 import TemplateError
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from space.errors import UserError
from space.proofread.llm.chat_template import MAX_TEMPLATE_CHARS, ChatTemplate
from space.proofread.prompt import Message

from .conftest import FAMILIES, NO_SYSTEM

SYSTEM = "Proofread. Tone: neutral (0.50), «polite»."
TEXT = (
    'I has <b>it</b> & "more" {{ 7 * 7 }} {% break %} [INST] <|im_end|> \\n</s>\n\nThe 2nd – it’s 1,250 € 🙂.'
)
CHATS: dict[str, list[Message]] = {
    "system and user": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": TEXT}],
    "user": [{"role": "user", "content": TEXT}],
    "an answer between": [
        {"role": "system", "content": SYSTEM}, {"role": "user", "content": "You was there."},
        {"role": "assistant", "content": "You were there."}, {"role": "user", "content": TEXT},
    ],
}  # fmt: skip

TURNS = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"  # a harmless template
LOOP = "{% for a in range(99999) %}"
NAMES = ("Llama 2", "Llama 3", "Llama 3.2", "Mistral v0.1", "Mistral v0.3", "Gemma 2", "Gemma 3", "Qwen 2.5", "Phi 3",
         "SmolLM2", "ChatML", "Zephyr")  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    words = Tokenizer(models.WordLevel({"<s>": 0, "</s>": 1}, unk_token="<s>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>")


def theirs(tokenizer: Any, chat: list[Message], template: str) -> str:
    rendered = tokenizer.apply_chat_template(
        chat, chat_template=template, tokenize=False, add_generation_prompt=True
    )
    return str(rendered)


def merged(chat: list[Message]) -> list[Message]:
    first, second, *rest = chat
    return [{"role": second["role"], "content": f"{first['content']}\n\n{second['content']}"}, *rest]


def test_the_file_has_the_families() -> None:
    assert {*NAMES, "Every construct"} == set(FAMILIES) and {"Mistral v0.1", "Gemma 2"} == NO_SYSTEM


@pytest.mark.parametrize("chat", CHATS.values(), ids=CHATS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_template_gives_what_it_gives_in_transformers(
    family: str, chat: list[Message], tokenizer: Any
) -> None:
    template = FAMILIES[family]
    ours = ChatTemplate(template, "model.gguf", "<s>", "</s>")
    expected = chat
    if family in NO_SYSTEM and chat[0]["role"] == "system":
        with pytest.raises(TemplateError):
            theirs(tokenizer, chat, template)
        expected = merged(chat)
    assert ours.text(chat) == theirs(tokenizer, expected, template)
    # What a person wrote is never taken for a part of the template.
    said = sorted(piece for piece, is_template in ours.pieces(chat) if not is_template)
    assert said == sorted(message["content"] for message in expected)


def test_a_template_that_drops_the_system_text_gets_it_in_front_of_the_users() -> None:
    template = "{% for m in messages if m.role == 'user' %}<{{ m.content }}>{% endfor %}"
    assert ChatTemplate(template, "a.gguf").text(CHATS["system and user"]) == f"<{SYSTEM}\n\n{TEXT}>"


def test_surrounding_space_is_the_users() -> None:
    template = ChatTemplate(FAMILIES["Llama 3"], "a.gguf")
    assert template.pieces([{"role": "user", "content": " x \n"}])[1] == (" x \n", False)


HOSTILE = {
    "class": ("{{ ''.__class__.__mro__ }}", "attribute '__class__' of 'str' object is unsafe"),
    "class by filter": ("{{ (''|attr('__class__')).__mro__ }}", "unsafe"),
    "class by format": ("{{ '{0.__class__.__mro__}'.format('') }}", "unsafe"),
    "globals": ("{{ raise_exception.__globals__.os }}", "unsafe"),
    "namespace": ("{% set n = namespace() %}{% set n.__class__ = 1 %}", "__class__"),
    "change of a list": ("{{ messages.append(1) }}", "unsafe"),
    "power": ("{{ 10 ** (10 ** 9) }}", "runs for more than 1 s"),
    "power of a variable": ("{% set n = 10 ** 9 %}{{ 10 ** (n + messages|length) }}", "runs for more than 1 s"),
    "digits": ("{{ 10 ** 99999 }}", "Exceeds the limit"),
    "width": ("{{ '%1000000000d' % 1 }}", "too much memory"),
    "width of a variable": ("{{ '%1000000000d' % messages|length }}", "too much memory"),
    "width in format": ("{{ '{:1000000000}'.format(1) }}", "too much memory"),
    "width in the date": ("{{ strftime_now('%1000000000d') }}{{ 1/0 }}", "fails"),
    "centre": ("{{ 'x' | center(1000000000) }}", "too much memory"),
    "product": ("{{ 'x' * 10 ** 9 }}", "too much memory"),
    "list": ("{{ [0] * 10 ** 9 }}", "too much memory"),
    "doubling": (
        "{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "too much memory",
    ),
    "text without end": (f"{LOOP}{LOOP}xxxxxxxxxxxxxxxxxxxx{'{% endfor %}' * 2}", "too much memory|runs for more"),
    "loops": (f"{LOOP}{LOOP}{LOOP}{'{% endfor %}' * 3}", "runs for more than 1 s"),
    "sum": ("{{ range(99999)|map('string')|list|join|length }}" * 99 + LOOP * 2 + "{% endfor %}" * 2, "runs for"),
    "range": ("{{ range(10 ** 12) | list }}", "Range too big"),
    "macro": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "it calls itself without end"),
    "macro in twos": ("{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}", "runs for"),
    "loop in itself": ("{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}", "it calls itself"),
    "brackets": ("{{ " + "(" * 9999 + "1" + ")" * 9999 + " }}", "cannot be read"),
    "blocks": ("{% if 1 %}" * 3000 + "{% endif %}" * 3000, "cannot be read"),
    "syntax": ("\n{% if %}", r"cannot be read \(line 2: "),
    "no end": ("{% for m in messages %}", "cannot be read"),
    "unknown tag": ("{% load os %}", "unknown tag 'load'"),
    "another file": ("{% include '/etc/passwd' %}", "no loader"),
    "unknown filter": ("{{ messages | shell }}", "No filter named 'shell'"),
    "no such message": ("{{ messages[7].content }}", "has no element 7"),
    "zero": ("{{ 1 / 0 }}", "ZeroDivisionError"),
    "refuses all": ("{{ raise_exception('I do\nnot \x1b[2J<b>want</b>') }}", r"fails \(I do not \[2J<b>want</b>\)"),
    "refuses at length": ("{{ raise_exception('no ' * 9999) }}", r"fails \((no ?){1,70}\)"),
    "half a character": (r"{{ '\ud800' }}", "surrogates not allowed"),
    "long": ("x" * MAX_TEMPLATE_CHARS, "has 200,0.. characters"),
    "writes a lot": ("{{ 'x' * 100000 }}", "writes 100,0.. characters"),
}  # fmt: skip


@pytest.mark.parametrize(("start", "line"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_template_ends_soon_in_one_line(start: str, line: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(UserError, match=line) as caught:
        ChatTemplate(start + TURNS, "models/a.gguf")
    said = str(caught.value)
    assert said.startswith("models/a.gguf: its chat template ") and len(said) < 400 and said.isprintable()
    assert said.endswith("; take another file of this model, or another model.")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    )  # the machine decides the rest


@pytest.mark.parametrize(
    "template", ["no texts", "{{ messages[-1].role }}", TURNS + TURNS, TURNS.replace("m.content", "m.content|upper")]
)  # fmt: skip
def test_a_template_that_shows_a_text_never_twice_or_changed_is_refused(template: str) -> None:
    with pytest.raises(UserError, match="leaves out or repeats what it is given"):
        ChatTemplate(template, "a.gguf")


def test_no_text_makes_a_template_slower_or_is_seen_by_it() -> None:
    watching = (
        "{% if 'secret' in messages[-1].content %}{{ 10 ** (10 ** 9 * messages|length) }}{% endif %}" + TURNS
    )
    looping = (
        "{% for a in messages[-1].content %}{% for b in messages[-1].content %}{% endfor %}{% endfor %}"
        + TURNS
    )
    chat = [{"role": "user", "content": "secret " * 100_000}]
    for template in (watching, looping):
        assert ChatTemplate(template, "a.gguf").text(chat) == ChatTemplate(TURNS, "a.gguf").text(chat)


def test_the_day_in_a_prompt_is_todays(monkeypatch: pytest.MonkeyPatch) -> None:
    template = ChatTemplate("{{ strftime_now('%H:%M:%S.%f') }} " + TURNS, "a.gguf")
    first = template.text(CHATS["user"])
    assert re.match(r"\d\d:\d\d:\d\d", first) and template.text(CHATS["user"]) == first

    class Tomorrow:
        @staticmethod
        def today() -> Any:
            from datetime import date, timedelta

            return date.today() + timedelta(days=1)

    monkeypatch.setattr("space.proofread.llm.chat_template.date", Tomorrow)
    assert template.text(CHATS["user"]) != first
