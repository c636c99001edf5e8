"""Edits that the classifiers propose: the tagger's likeliest fixes of each word and the word list's suggestions.

    propose(text, tagged, lexicon, judge)      # of "She recieve it": recieve -> receives, recieve -> receive

What should stand in a word's place may be known to the tagger, which has seen the sentence, or to the word list, which knows
how words are spelt; the language model, which knows English, then judges between them. Here proposals are many and cheap.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from space.proofread.classifiers.tags import TaggedWord, replacement
from space.proofread.closed import NO_NOUN, alternatives, irregular, joined
from space.proofread.code import markup, without_markup
from space.proofread.constructions import constructions
from space.proofread.edits import Edit, canonical, classify
from space.proofread.judge import Judge, prior_features
from space.proofread.lexicon import Guess, Lexicon, article
from space.proofread.names import owner
from space.proofread.reasons.classes import ADVERBS, BE, PREDETERMINERS, PRONOUNS, SUBJECTS
from space.proofread.reasons.forms import MANY, ONE_OF
from space.proofread.words import WORD, word_set

_TOLD = 0.01  # score of a fix that the tagger itself proposes, of those that the lists of grammar have too
LEAST = 0.004  # prior of an edit that is proposed
_PER_WORD = 20  # edits
_DOUBTED = 0.7  # a word in doubt, for the rules below
_USUAL_RATE = 0.03  # of words that are wrong
_USUAL_WORDS = 10  # of an unknown writer, that count as much as those of the text
_PREFIXED = re.compile(r"(?i)(?:e|co|re|pre|non)-")
_OF_SEVERAL = {"these": "this", "those": "that"}
_AGREEING = {  # what a pronoun that begins a sentence makes of a verb behind it
    "i": {one: many for one, many in MANY.items() if many.startswith(("have", "do"))},
    **dict.fromkeys(("he", "she", "it"), ONE_OF),
    **dict.fromkeys(("we", "you", "they"), MANY),
}
_MOVABLE = ADVERBS | PREDETERMINERS | PRONOUNS | SUBJECTS
_UNOWNED = 0.9  # a name that lacks its apostrophe
_ARTICLES = word_set("grammar", "articles")
_MAY_DOUBLE = word_set("grammar", "may_double")  # good English has "had had", "that that" or "in in May"
_NUMBERS = word_set("grammar", "numbers")
_NOTHING_OWNED = word_set("grammar", "nothing_owned")  # what may follow a name with an s that owns nothing
_ABBREVIATION = re.compile(r"[^\Waeiouy\d_]{1,4}")  # "dth", "pd": no misspelling has no vowel
# Addresses, links, file names and codes, and what English borrows whole: never in doubt. Looked for from the first character
# of a word alone: from each of them, one "word" of 10,000 characters took 5 s.
_LITERAL = re.compile(
    r"(?<!\S)\S*(?:[@/\\_=<>{}]|\w\.\w|\d)\S*"
    r"|\b(?:et al|ad hoc|bona fide|de facto|de jure|en route|ex parte|force majeure|in lieu|inter alia|mutatis mutandis|per annum|"
    r"per capita|per diem|per se|pro forma|pro rata|pro bono|quid pro quo|status quo|vice versa|a priori|carte blanche)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Candidate:
    """What may stand in a word's place, who says so, and what is known of it (`prior_features`)."""

    word: TaggedWord
    after: str
    source: str
    features: dict[str, float]


def propose(
    text: str, tagged: Sequence[TaggedWord], lexicon: Lexicon, judge: Judge, names: Collection[str] = ()
) -> list[Edit]:
    """The edits of one text by where they begin, each with its prior as score; those of one word exclude each other.

    `tagged` are all words of the text as the tagger sees them, `names` those of its email.
    """
    found = (
        word_edit(text, each.word.start, each.word.end, each.after, each.source, judge.prior(each.features))
        for each in candidates(text, tagged, lexicon, names)
    )
    return _likeliest(text, (edit for edit in found if edit.score >= LEAST or edit.source == "grammar"))


def chosen(edits: Iterable[Edit], least: float) -> list[Edit]:
    """The likeliest edits that leave each other room, of those with this score or more, by where they begin."""
    found: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: -edit.score):
        if edit.score >= least and not any(edit.overlaps(other) for other in found):
            found.append(edit)
    return sorted(found, key=lambda edit: edit.start)


def candidates(
    text: str, tagged: Sequence[TaggedWord], lexicon: Lexicon, names: Collection[str] = ()
) -> Iterator[Candidate]:
    """What may stand in the place of each word of a text."""
    unlisted = {word for word, _ in lexicon.unknown(text) if not owner(word, names, lexicon)}
    literal = [match.span() for match in _LITERAL.finditer(without_markup(text))]
    literal += [(span.start, span.end) for span in markup(text)]
    agreeing = _with_agreement(_with_pasts(tagged, lexicon))
    words = list(_once(_with_articles(_with_owners(agreeing, names, lexicon))))
    free = [
        word for word in words if not any(low <= word.start and word.end <= high for low, high in literal)
    ]
    wrong = sum(word.wrong for word in words)
    closed: dict[int, list[str]] = {}
    for i, after in alternatives(free, lexicon):
        closed.setdefault(i, []).append(after)
    for i, word in enumerate(free):
        part = next((part for part in word.text.split("-") if part in unlisted), "")
        listed = not part
        guesses = {} if listed or _ABBREVIATION.fullmatch(part) else _guesses(word.text, part, lexicon)
        fixes = [] if word.after is None else [(word.after, word.score), *word.others]
        following = free[i + 1].text if i + 1 < len(free) else ""
        found: dict[str, tuple[float, str]] = {}
        for after, score in fixes:  # the likeliest first, and what a rule is sure of before it
            if _is_possible(word, following, after, lexicon):
                found.setdefault(after, (score, "tagger"))
        found |= {after: (0.0, "lexicon") for after in guesses if after not in found}
        for after in closed.get(i, ()):
            score, _ = found.get(after, (0.0, ""))
            if score < _TOLD and after not in guesses:
                found[after] = score, "grammar"
        behind = free[i - 1].text if i else ""
        for after, (score, source) in found.items():
            added = after.removesuffix(f" {word.text}")
            if added != after and _says(behind, added, behind in unlisted):
                continue  # "letme know": "let me" puts it right, and "me know" would say it twice
            if added == "been" and behind.lower() in BE:
                continue  # "are been in": it comes with its "have", or not at all
            if _PREFIXED.match(word.text) and after.lower() == word.text.replace("-", "").lower():
                continue  # "e-mail" and "email" are both right
            features = prior_features(
                word,
                after,
                score,
                source,
                guesses=guesses,
                is_listed=listed,
                elsewhere=_rate(wrong - word.wrong, len(words)),
            )
            yield Candidate(word, after, source, features)
    for i, after in joined(free, lexicon):
        first, second = free[i : i + 2]
        # The tagger can take out either word, but not join them: it means the same.
        score = max(_score(first, ""), _score(second, ""))
        yield _of_words(text, (first, second), after, score, words)
    for first, second in pairwise(free):
        if score := _moved(first, second):
            yield _of_words(text, (first, second), f"{second.text} {first.text}", score, words, "tagger")
    starts = {word.start for word in free}
    for i, last, after in constructions([word.text for word in words], lexicon):
        run = words[i : last + 1]
        together = all(word.end + 1 == following.start for word, following in pairwise(run))
        if together and starts.issuperset(word.start for word in run):
            score = _in_parts(words[i:], after) if i == last else _of_move(run, after)
            yield _of_words(text, run, after, score, words)


def _says(behind: str, added: str, is_unlisted: bool) -> bool:
    """Whether the word before says what would be added, or ends with it if no list knows it."""
    return behind.lower() == added.lower() or is_unlisted and behind.lower().endswith(added.lower())


def _of_words(
    text: str,
    run: Sequence[TaggedWord],
    after: str,
    score: float,
    words: Sequence[TaggedWord],
    source: str = "grammar",
) -> Candidate:
    """What rules put in the place of words that follow one another, of all `words` of a text."""
    start, end = run[0].start, run[-1].end
    whole = TaggedWord(start, end, text[start:end], max(word.wrong for word in run))
    wrong = sum(word.wrong for word in words) - sum(word.wrong for word in run)
    elsewhere = _rate(wrong, len(words))
    features = prior_features(whole, after, score, source, guesses={}, is_listed=True, elsewhere=elsewhere)
    return Candidate(whole, after, source, features)


def _rate(wrong: float, words: int) -> float:
    """The share of a writer's words that is wrong, when so many of these are expected to be: of a few words it is the usual one."""
    return (_USUAL_RATE * _USUAL_WORDS + max(0.0, wrong)) / (_USUAL_WORDS + words)


def _guesses(word: str, part: str, lexicon: Lexicon) -> dict[str, Guess]:
    """What a word may be that the list lacks, or of which it lacks a part."""
    return {word.replace(part, guess.word, 1): guess for guess in lexicon.guesses(part)}


def _score(word: TaggedWord, after: str) -> float:
    """The tagger's of a fix of a word, 0 if it has none."""
    return next((score for fix, score in ((word.after, word.score), *word.others) if fix == after), 0.0)


def _moved(first: TaggedWord, second: TaggedWord) -> float:
    """The score of two words the other way round, if the tagger takes out the one and adds it on the other side; 0 if it does not, or
    neither is one of those that stand here or there."""
    after = f"{second.text} {first.text}"
    pairs = ((_score(first, after), _score(second, "")), (_score(first, ""), _score(second, after)))
    score = max(map(min, pairs))
    free = not _MOVABLE.isdisjoint(after.lower().split()) and second.start == first.end + 1
    inside = first.text.islower() or first.text == "I"  # a sentence would no longer begin with a capital
    return score if free and inside and score >= _TOLD else 0.0


def _of_move(run: Sequence[TaggedWord], after: str) -> float:
    """The score of some words in another order: the tagger can take out one, but not move it any further."""
    same = sorted(after.split()) == sorted(word.text for word in run)
    return max(_score(word, "") for word in run) if same else 0.0


def _in_parts(words: Sequence[TaggedWord], after: str) -> float:
    """The score of what takes the place of the first of some words; of two words the tagger may add the second to what follows."""
    whole = _score(words[0], after)
    first, _, second = after.partition(" ")
    if not second or len(words) < 2:
        return whole
    return max(whole, min(_score(words[0], first), _score(words[1], f"{second} {words[1].text}")))


def prior_of(edit: Edit, words: Sequence[TaggedWord], judge: Judge) -> float:
    """The prior of an edit that nobody here proposed: what it changes may be in doubt."""
    touched = [word for word in words if word.start <= edit.end and edit.start <= word.end]
    wrong = max((word.wrong for word in touched), default=0.0)
    elsewhere = _rate(sum(word.wrong for word in words if word not in touched), len(words))
    word = TaggedWord(edit.start, edit.end, edit.before, wrong)
    return judge.prior(
        prior_features(word, edit.after, 0.0, "llm", guesses={}, is_listed=True, elsewhere=elsewhere)
    )


def word_edit(
    text: str, start: int, end: int, after: str, source: str = "tagger", score: float = 1.0
) -> Edit:
    """The edit that puts `after` in the place of the word at [start, end)."""
    first, last = replacement(text, start, end, after)
    was = text[first:last]
    return Edit(first, last, was, after, classify(was, after), source, score)


def _likeliest(text: str, edits: Iterable[Edit]) -> list[Edit]:
    """A few edits for each word that they end with, in the order of the text; of those with one result the likeliest."""
    one: dict[tuple[int, int, str], Edit] = {}
    for edit in sorted(edits, key=lambda each: -each.score):
        one.setdefault(canonical(edit, text), edit)
    of_word: dict[int, list[Edit]] = {}
    for edit in one.values():
        of_word.setdefault(edit.end, []).append(edit)
    best = (
        edit for some in of_word.values() for edit in sorted(some, key=lambda each: -each.score)[:_PER_WORD]
    )
    return sorted(best, key=lambda edit: (edit.start, edit.end, -edit.score))


def _is_possible(word: TaggedWord, following: str, after: str, lexicon: Lexicon) -> bool:
    """Whether a fix changes the word, is made of known words, and does not touch what is a matter of style."""
    before, low = word.text.lower(), after.lower()
    if _OF_SEVERAL.get(before) == low and (not following.isalpha() or following in NO_NOUN):
        return False  # "Look at these.": several things were spoken of before
    owns = word.text[:1].isupper() and after == f"{word.text[:-1]}'s"  # a name that no list need know
    if after == word.text or not (owns or all(map(lexicon.knows, WORD.findall(after)))):
        return False
    if low == before and lexicon.is_informal(word.text):
        return False
    if word.start == 0:
        first, _, rest = low.partition(" ")
        # No mark begins a text; and in notes a missing first article is a style ("Catering costs rose").
        return not (re.match(r"[.,;:!?]+ ", low) or (first in _ARTICLES and rest == before))
    return True


# ---- what the tagger knows only in part ----


def _with_articles(tagged: Sequence[TaggedWord]) -> list[TaggedWord]:
    """The words, each "a" that must be "an" surely wrong, and the other way round: the next word's sound decides."""
    words = list(tagged)
    for i, (word, following) in enumerate(pairwise(tagged)):
        opens = i == 0 or tagged[i - 1].text in ".!?"  # elsewhere "A" is a name: "Plan A", "Team A"
        right = article(following.text)
        if word.text not in (("A", "An", "a", "an") if opens else ("a", "an")) or not right:
            continue
        if right != word.text.lower() and max(word.wrong, following.wrong) < _DOUBTED:
            right = right.capitalize() if word.text[0].isupper() else right
            words[i] = replace(word, wrong=1.0, after=right, score=1.0)
    return words


def _with_pasts(tagged: Sequence[TaggedWord], lexicon: Lexicon) -> list[TaggedWord]:
    """The words, each "freezed" surely wrong: it can only be the past of a verb that has another."""
    words = [word.text for word in tagged]
    pasts = (irregular(words, i, lexicon) for i in range(len(words)))
    return [
        replace(word, wrong=1.0, after=past, score=1.0) if past else word
        for word, past in zip(tagged, pasts, strict=True)
    ]


def _with_agreement(tagged: Sequence[TaggedWord]) -> list[TaggedWord]:
    """The words, each "have" of a sentence that begins "She have" surely wrong: elsewhere "Should she have" is right."""
    words = list(tagged)
    for i, (subject, verb) in enumerate(pairwise(tagged)):
        if (i and tagged[i - 1].text not in ".!?") or (subject.text.isupper() and subject.text != "I"):
            continue
        if right := _AGREEING.get(subject.text.lower(), {}).get(verb.text.replace("’", "'")):
            right = right.replace("'", "’") if "’" in verb.text else right
            words[i + 1] = replace(verb, wrong=1.0, after=right, score=1.0)
    return words


def _with_owners(tagged: Sequence[TaggedWord], names: Collection[str], lexicon: Lexicon) -> list[TaggedWord]:
    """The words, each name that must own what follows and lacks its apostrophe ("Sarahs invoice") surely wrong."""
    words = list(tagged)
    for i, (word, following) in enumerate(pairwise(tagged)):
        thing = following.text
        if word.wrong < _UNOWNED or not thing.isalpha() or thing.isupper() or thing.endswith("ed"):
            continue
        name = owner(word.text, names, lexicon)
        counted = i and (words[i - 1].text.isdigit() or words[i - 1].text.lower() in _NUMBERS)  # "two Fords"
        if name and not counted and thing not in _NOTHING_OWNED:
            words[i] = replace(word, wrong=1.0, after=f"{name}'s", score=1.0)
    return words


def _once(tagged: Iterable[TaggedWord]) -> Iterator[TaggedWord]:
    """The words, of a doubled one the first as right: to take out either is the same, so their chances add up."""
    left = list(tagged)
    for i, word in enumerate(left):
        following = left[i + 1] if i + 1 < len(left) else None
        if following and word.text.isalpha() and word.text.lower() == following.text.lower():
            deleted = [each for each in (word, following) if each.after == ""]
            if following.text.islower() and following.text not in _MAY_DOUBLE:
                left[i + 1] = replace(following, wrong=1.0, after="", score=1.0)
            elif deleted:
                wrong, score = (
                    min(1.0, sum(getattr(each, name) for each in deleted)) for name in ("wrong", "score")
                )
                left[i + 1] = replace(following, wrong=wrong, after="", score=score)
            word = replace(word, wrong=0.0, after=None)
        yield word
