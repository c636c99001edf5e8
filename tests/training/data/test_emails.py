"""Generated emails: they are targets of correction, so a slip in one would be taught."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from space.proofread.lexicon import WORD, Lexicon
from training.__main__ import main
from training.data.corpus import sentences
from training.data.email_grammar import rules, scenarios
from training.data.email_grammar.slots import Voice, american_words, noun, word_lists
from training.data.emails import Email, generate, gerund

VOICES = [
    Voice(register, dialect, contracted)
    for register, contracted in (("f", False), ("n", False), ("n", True), ("i", True))
    for dialect in ("gb", "us")
]
CLOSINGS = re.compile(
    r"(?:Best|Kind|Many|Yours|Sincerely|With kind|Regards|Thank|All the best|Cheers|Talk soon)[\w ]*,"
)


@pytest.fixture(scope="module")
def emails() -> list[str]:
    rng = random.Random(1)
    return [generate(rng) for _ in range(20_000)]


def spoken(name: str, voice: Voice, seed: int) -> str:
    return Email(random.Random(seed), scenarios()[name], voice).text()


def voices(name: str) -> list[Voice]:
    return [voice for voice in VOICES if voice.register in scenarios()[name].registers]


def offenders(pattern: str, emails: list[str]) -> Counter[str]:
    regex = re.compile(pattern, re.MULTILINE)
    return Counter(match.group() for text in emails for match in regex.finditer(text))


def test_the_same_seed_gives_the_same_emails(emails: list[str]) -> None:
    rng = random.Random(1)
    assert [generate(rng) for _ in range(50)] == emails[:50]


def test_emails_and_sentences_hardly_repeat(emails: list[str]) -> None:
    assert len(set(emails[:5000])) >= 4995
    assert (
        len({sentence for text in emails for line in text.split("\n") for sentence in sentences(line)})
        > 30_000
    )


@pytest.mark.parametrize("name", scenarios())
def test_a_scenario_greets_says_something_and_closes(name: str) -> None:
    for voice in voices(name):
        greeting, *body, end = spoken(name, voice, 2).split("\n\n")
        assert re.fullmatch(r"[A-Z].*[,:]", greeting)
        assert len(" ".join(body).split()) > 8
        closing, *signature = end.split("\n")
        assert CLOSINGS.fullmatch(closing) and 1 <= len(signature) <= 3


def test_every_scenario_is_drawn() -> None:
    drawn = Counter(random.Random(3).choices(list(scenarios()), k=2000))
    assert len(scenarios()) >= 50 and drawn.keys() == scenarios().keys()


@pytest.mark.parametrize("voice", VOICES, ids=str)
def test_every_line_of_the_grammar_can_be_said(voice: Voice) -> None:
    """No rule or slot is misspelt, no list too short, in whatever matter the line belongs to."""
    for (scenario, rule), alternatives in rules(voice).items():
        if scenario != "common" and voice.register not in scenarios()[scenario].registers:
            continue
        for alternative in alternatives:
            for matter in alternative.matters or {""}:
                email = Email(random.Random(4), scenarios().get(scenario, scenarios()["thanks"]), voice)
                email.matters, email.arguments = frozenset({matter} - {""}), ["send it"]
                text = alternative.say(email)
                assert not re.search(r"[{}<>\[\]|$](?!\d)", text), (scenario, rule, text)


def test_nothing_is_said_twice_in_an_email(emails: list[str]) -> None:
    for text in emails:
        said = [sentence for line in text.split("\n\n")[1:-1] for sentence in sentences(line)]
        assert len(said) == len(set(said)), text


@pytest.mark.parametrize(
    ("slip", "pattern"),
    [
        ("unfilled slot", r"[{}<>\[\]|_@]|\$(?!\d)|//"),
        ("double space", r"  |^ | $"),
        ("space before a mark", r" [,.;:!?]"),
        ("two marks", r"[,;:!?]{2}|\.[,;:!?.](?<!m\.[,;?])|[,;:!?]\."),
        ("doubled word", r"(?i)\b(\w+) \1\b(?<!had had)(?<!that that)"),
        ("a before a vowel", r"\ba (?=[aeiou])(?!uni[fqt]|use|euro|one\b)\w+|\ba (?:hour|honest)\w*"),
        ("an before a consonant", r"(?i)\ban (?![aeiou]|hour|honest|HR\b|LED\b)\w+|\ban (?:uni[fqt]|use|euro)\w*"),
        ("small letter at the start", r"(?<!\.m)(?<!Tel)(?<!^\d)[.!?] [a-z]"),
        ("no mark at the end", r"(?<=[a-z] )[a-z]+$(?=\n\n(?!\W*$))(?!,)"),
        ("pronoun in small letters", r"\bi(?:'\w+)?\b"),
        ("comma missing after however and the like", r"^(?:However|Unfortunately|Therefore|Afterwards) "),
        ("apology without a gerund", r"(?:sorry|apologi[sz]e|apologies) for (?!(?:not )?\w+ing\b|the\b|any\b|your\b|this\b)\w+"),
        ("forward to an infinitive", r"forward to (?!\w+ing\b|your?\b|doing|it\b|finding|our|this|the)\w+"),
    ],
)  # fmt: skip
def test_no_slip(slip: str, pattern: str, emails: list[str]) -> None:
    bodies = ["\n\n".join(text.split("\n\n")[1:-1]) + "\n\n" for text in emails]
    if slip == "no mark at the end":  # list items have none
        bodies = [re.sub(r"(?m)^(?:[-•*]|\d+[.)]) .*\n", "", body) for body in bodies]
    assert not offenders(pattern, bodies).most_common(5)


def test_an_email_keeps_to_one_dialect() -> None:
    pairs = american_words()
    clear = "favour behaviour apologise organise realise analyse centre cancelled cancelling travelling labelled flat lift CV enquiry mould"
    british, american = set(clear.split()), {pairs[word] for word in clear.split()}
    for name in scenarios():
        for voice in voices(name):
            text = "\n".join(spoken(name, voice, seed) for seed in range(20))
            words = set(WORD.findall(text))
            if voice.dialect == "us":
                assert not words & british
                assert not offenders(
                    r"\b(?:Mr|Ms|Dr) [A-Z]|\d[ap]m\b|\b\d+ (?:January|March|May|June)\b|£|per cent", [text]
                )
            else:
                assert not words & american
                assert not offenders(
                    r"\b(?:Mr|Ms|Dr)\.|[ap]\.m\.|\b(?:January|March|May|June) \d+\b|percent", [text]
                )


def test_formal_mail_has_no_contractions() -> None:
    contraction = re.compile(
        r"n't\b|'(?:m|re|ve|ll|d)\b|\b(?:it|that|there|let|what|who|he|she)'s\b", re.IGNORECASE
    )
    for name in scenarios():
        for voice in voices(name):
            texts = [spoken(name, voice, seed) for seed in range(20)]
            found = [match.group() for text in texts for match in contraction.finditer(text)]
            assert voice.contracted or found == []


def test_the_word_list_knows_the_words(emails: list[str]) -> None:
    lexicon = Lexicon.load()
    names = {word for line in word_lists()["people"] for word in WORD.findall(line)}
    names |= {
        word
        for name in ("firm", "trade", "city")
        for entry in word_lists()[name]
        for word in WORD.findall(entry)
    }
    unknown = Counter(
        word for text in emails[:4000] for word, _ in lexicon.unknown(text) if word not in names
    )
    # "p.m." is no word, and the list that is carried may lack a few of British English.
    assert unknown.keys() <= {"m", "p", "am"} | american_words().keys() | set(american_words().values())


def test_dates_come_in_order() -> None:
    email = Email(random.Random(5), scenarios()["handover"], Voice("n", "gb", True))
    months = "January February March April May June July August September October November December".split()
    for _ in range(200):
        email.values.clear()
        days = [email.slot(name)[""].split() for name in ("old", "past", "soon", "later", "next", "far")]
        numbers = [months.index(month) * 31 + int(day) for day, month in days]
        turns = sum(a >= b for a, b in zip(numbers, numbers[1:], strict=False))
        assert turns <= 1  # one: New Year
        assert email.slot("past")["day"] != email.slot("soon")["day"]


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("send it", "sending it"), ("make sure", "making sure"), ("let me know", "letting me know"),
        ("not reply", "not replying"), ("be late", "being late"), ("see it", "seeing it"), ("forget", "forgetting"),
        ("offer help", "offering help"), ("read it and ~reply", "reading it and replying"), ("forward this", "forwarding this"),
    ],
)  # fmt: skip
def test_gerunds(phrase: str, expected: str) -> None:
    assert gerund(phrase) == expected


@pytest.mark.parametrize(
    ("word", "article", "plural"),
    [
        ("invoice", "an", "invoices"), ("uniform", "a", "uniforms"), ("umbrella", "an", "umbrellas"),
        ("user guide", "a", "user guides"), ("steel shelf", "a", "steel shelves"), ("battery", "a", "batteries"),
        ("hour", "an", "hours"), ("tray", "a", "trays"), ("storage box", "a", "storage boxes"),
    ],
)  # fmt: skip
def test_articles_and_plurals(word: str, article: str, plural: str) -> None:
    assert (noun(word)["a"], noun(word)["s"]) == (f"{article} {word}", plural)


def test_the_command_writes_distinct_rows_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "emails.jsonl"
    assert main(["emails", "--count", "300", "--out", str(out)]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = [json.loads(line) for line in out.open(encoding="utf-8")]
    assert len({row["text"] for row in rows}) == 300 == report["emails"]
    assert {row["source"] for row in rows} == {"generated"}
    assert report["words"] == sum(len(row["text"].split()) for row in rows)
    assert main(["corpus", "--email", str(out), "--out", str(tmp_path / "corpus")]) == 0
    assert json.loads(capsys.readouterr().out)["email"] > 500


@pytest.mark.parametrize(
    ("args", "reported"),
    [(["--out", "none/e.jsonl"], "none is not a folder"), (["--count", "0", "--out", "e"], "at least one")],
)
def test_bad_input_is_told_in_one_line(
    args: list[str], reported: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["emails", *args]) == 2
    error = capsys.readouterr().err
    assert reported in error and error.count("\n") == 1
