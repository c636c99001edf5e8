"""Correction pairs, and the evidence that pretraining imitates."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from space.errors import UserError
from space.proofread.lexicon import Lexicon
from space.proofread.prompt import Evidence
from training.__main__ import main
from training.data.corpus import detokenize
from training.data.pairs import Pair, PairMaker, load_texts, real_pairs, simulated_evidence


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon.load()


def imitations(pair: Pair, lexicon: Lexicon, count: int = 300) -> list[Evidence]:
    rng = random.Random(0)
    return [simulated_evidence(pair, lexicon, rng) for _ in range(count)]


def test_pairs_hold_identities_and_both_modes(corpus: Path) -> None:
    texts = load_texts(corpus / "clean.jsonl")
    maker, rng = PairMaker(texts, texts), random.Random(0)
    pairs = [maker.draw(rng) for _ in range(600)]
    assert 0.15 < sum(pair.bad == pair.good for pair in pairs) / 600 < 0.35
    assert {pair.mode for pair in pairs} == {"proofread", "polish"}
    made = [pair.good for pair in pairs if pair.good not in texts]
    assert 0 < len(made) < 60 and all(each[-1] in ",.?!" for each in made)


def test_imitated_evidence_suggests_what_the_word_list_does(lexicon: Lexicon) -> None:
    seen = imitations(Pair("I recieve it.", "I receive it.", "polish"), lexicon)
    found = [edit.after for evidence in seen for edit in evidence.edits if edit.before == "recieve"]
    assert set(found) == {"receive"}
    assert 0.4 < len(found) / len(seen) < 0.6  # half of the pairs have no evidence


def test_a_proofread_text_is_not_told_where_it_is_wrong(lexicon: Lexicon) -> None:
    assert not any(each.edits for each in imitations(Pair("I recieve it.", "I receive it."), lexicon))


def test_edits_stand_where_their_words_do_in_order(lexicon: Lexicon) -> None:
    bad = "He go to the the office of  there boss on monday , it seem."
    good = "He goes to the office of their boss on Monday, it seems."
    for evidence in imitations(Pair(bad, good, "polish"), lexicon):
        ends = [0, *(edit.end for edit in evidence.edits)]
        assert all(end <= edit.start for end, edit in zip(ends, evidence.edits, strict=False))
        assert all(bad[edit.start : edit.end] == edit.before for edit in evidence.edits)


def test_a_mistake_is_mostly_found_and_often_known(lexicon: Lexicon) -> None:
    seen = imitations(Pair("They goes home.", "They go home.", "polish"), lexicon)
    fixes = [edit.after for evidence in seen for edit in evidence.edits if edit.before.strip() == "goes"]
    # Half of the pairs have no evidence, some mistakes are missed, and advice that changes nothing is none.
    assert 0.1 < len(fixes) / len(seen) < 0.4
    assert fixes.count("go") > 0.9 * len(fixes)


def test_right_words_are_rarely_doubted_and_advice_on_them_is_another_word(lexicon: Lexicon) -> None:
    text = "They went home to see their friends."
    edits = [
        edit for evidence in imitations(Pair(text, text, "polish"), lexicon, 900) for edit in evidence.edits
    ]
    assert 0 < len(edits) / (900 * 8) < 0.05
    assert len({edit.after for edit in edits}) > 5 and all(edit.after != edit.before for edit in edits)


def test_most_pairs_say_nothing_of_tone_unless_they_are_to_be_polished(lexicon: Lexicon) -> None:
    text = "Could you please send me the report?"
    proofread = imitations(Pair(text, text), lexicon)
    assert 0.2 < sum(evidence.sentiment is not None for evidence in proofread) / 300 < 0.4
    assert all((e.sentiment is None) == (e.politeness is None) for e in proofread)
    polished = imitations(Pair("Send me the report.", text, "polish"), lexicon)
    assert {e.politeness[0] for e in polished if e.politeness} == {"impolite", "neutral"}
    assert all(e.sentiment and e.politeness for e in polished)


def test_a_courteous_text_is_not_called_impolite_in_polish_mode(lexicon: Lexicon) -> None:
    text = "Could you please send me the report?"
    seen = imitations(Pair(text, text, "polish"), lexicon)
    assert {e.politeness[0] for e in seen if e.politeness} == {"neutral", "polite"}


# ---- real corrections ----


def test_real_pairs_are_held_back_by_origin(tmp_path: Path) -> None:
    paths = tmp_path / "rules.jsonl", tmp_path / "commits.jsonl"
    for path, origin in zip(paths, ("rule", "repository"), strict=True):
        rows = [
            {"source": f"a{i}", "target": f"{path.stem}{i}", origin: f"{origin} {i % 200}"}
            for i in range(600)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    train, held = real_pairs(paths)
    assert (train, held) == real_pairs(paths) and len(train) + len(held) == 1200
    assert 0.1 < len(held) / 1200 < 0.2

    def origins(pairs: list[Pair]) -> set[tuple[str, int]]:
        return {(pair.good.rstrip("0123456789"), int(pair.bad[1:]) % 200) for pair in pairs}

    assert not origins(train) & origins(held)
    assert len(origins(train)) + len(origins(held)) == 400


def test_real_pairs_without_an_origin_are_held_back_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "real.jsonl"
    path.write_text("".join(json.dumps({"source": "a", "target": f"text {i}"}) + "\n" for i in range(400)))
    train, held = real_pairs([path])
    assert 30 < len(held) < 90 and len(train) + len(held) == 400


def test_a_row_without_a_target_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "real.jsonl"
    path.write_text('{"source": "a", "corrected": "b"}\n')
    with pytest.raises(UserError, match="row 1 needs text in these columns: source, target"):
        real_pairs([path])


# ---- the command ----


def made(out: Path, *more: str) -> list[dict[str, str]]:
    assert main(["pairs", f"--out={out}", *more]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_the_command_writes_rows(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    units = [f"--{name}={corpus / name}.jsonl" for name in ("clean", "email")]
    rows = made(tmp_path / "new" / "pairs.jsonl", *units, "--rows=60")
    reported = json.loads(capsys.readouterr().out)
    assert reported == {"rows": 60, "unchanged": sum(row["draft"] == row["corrected"] for row in rows)}
    assert len(rows) == 60 and {row["mode"] for row in rows} == {"proofread", "polish"}
    assert made(tmp_path / "again.jsonl", *units, "--rows=60") == rows
    assert made(tmp_path / "other.jsonl", *units, "--rows=60", "--seed=1") != rows
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.jsonl", "new", "other.jsonl"]


def test_mistakes_of_learners_are_among_the_rows(corpus: Path, tmp_path: Path) -> None:
    learner = {"source": "He go home , is n't he ?", "corrected": "He went home , did n't he ?"}
    (tmp_path / "learner.jsonl").write_text(json.dumps(learner) + "\n")
    units = [f"--{name}={corpus / name}.jsonl" for name in ("clean", "email")]
    rows = made(tmp_path / "pairs.jsonl", *units, "--rows=100", f"--learner={tmp_path / 'learner.jsonl'}")
    real = [row for row in rows if row["draft"] == "He go home, isn't he?"]
    assert 1 <= len(real) <= 6
    assert all(row["corrected"] == "He went home, didn't he?" for row in real)


@pytest.mark.parametrize(
    ("option", "content", "reported"),
    [
        ("clean", '{"sentence": "Hi."}', "row 1 needs text in these columns: text"),
        ("email", "", "has no row"),
        ("learner", '{"source": "a"}', "row 1 needs text in these columns: source, corrected"),
        ("learner", "", "has no row"),
        ("learner", None, "does not exist"),
    ],
)
def test_bad_input_is_one_line(
    option: str,
    content: str | None,
    reported: str,
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = {name: corpus / f"{name}.jsonl" for name in ("clean", "email")} | {
        option: tmp_path / "given.jsonl"
    }
    if content is not None:
        files[option].write_text(content)
    given = [f"--{name}={path}" for name, path in files.items()]
    assert main(["pairs", f"--out={tmp_path / 'pairs.jsonl'}", *given]) == 2
    said = capsys.readouterr().err
    assert reported in said and said.count("\n") == 1
    assert not (tmp_path / "pairs.jsonl").exists()


@pytest.mark.parametrize(
    ("tokenised", "written"),
    [
        ("He 's late , is n't he ?", "He's late, isn't he?"),
        ("I can not ( really ) come .", "I can not (really) come."),
        ('He said " no " .', 'He said "no".'),
        ("a well - known price of $ 5", "a well-known price of $5"),
        ("a well - known ( old ) film !", "a well-known (old) film!"),
        ('He said " hello there " to me', 'He said "hello there" to me'),
        ("What 's on ?", "What's on?"),
    ],
)
def test_detokenize(tokenised: str, written: str) -> None:
    assert detokenize(tokenised) == written
