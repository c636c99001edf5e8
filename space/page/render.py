"""A Proofread value as HTML: pure functions in which every character of an email is text, never markup."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from space.page import strings
from space.page.choices import offered, wordings
from space.proofread.classifiers.tone import SCALES
from space.proofread.edits import apart

if TYPE_CHECKING:
    from space.proofread.causes import Cause
    from space.proofread.checks import Check
    from space.proofread.classifiers.tone import Score, Tone
    from space.proofread.edits import Edit
    from space.proofread.pipeline import Proofread

_SHORTENED = 160  # characters of a text that was left alone, enough to know it again

# JSON in UTF-8 cannot carry half of a surrogate pair: one such character would cut the page off.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Unicode has a visible picture for each control character, 0x2400 above it; tab and newline need none.
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}
_BLANKS = str.maketrans({" ": "␣", "\t": "⇥", "\n": "↵\n"})


def carried(text: str) -> str:
    """The text as a web page can hold it: U+FFFD in place of each lone surrogate, all else unchanged."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def escaped(text: str) -> str:
    """The text as HTML that shows it, control characters included, and that runs nothing."""
    lines = carried(text).replace("\r\n", "\n").replace("\r", "\n")
    return html.escape(lines.translate(_PICTURES))


def status(text: str, kind: str = "quiet", done: int = 0, total: int = 0) -> str:
    """One line about what is going on; kind is quiet, busy, done or error, total > 0 adds a progress bar."""
    bar = f'<progress value="{done}" max="{total}" aria-hidden="true"></progress>' if total else ""
    role = "alert" if kind == "error" else "status"
    return f'<div class="pr-status pr-{kind}" role="{role}"><span>{escaped(text)}</span>{bar}</div>'


def _place(score: Score) -> int:
    """Where it is on its dial, in percent of the way to the friendly end."""
    return round(50 * (score.value + 1))


def _gauge(name: str, scale: Sequence[tuple[float, str]], score: Score, before: Score | None) -> str:
    was = ghost = ""
    if before is not None:
        was = strings.WAS.format(word=before.word)
        ghost = f'<i class="pr-was" style="left:{_place(before)}%"></i>'
    ends = "".join(f"<span>{word}</span>" for word in (scale[0][1], scale[len(scale) // 2][1], scale[-1][1]))
    return (
        f'<div class="pr-gauge"><span class="pr-face" aria-hidden="true">{strings.FACES[score.word]}</span><div class="pr-dial">'
        f'<div class="pr-reading"><b>{escaped(name)}</b><span>{score.word}</span><small>{was}</small></div>'
        f'<div class="pr-track" role="meter" aria-label="{escaped(name)}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{_place(score)}" aria-valuetext="{score.word}">'
        f'{ghost}<i style="left:{_place(score)}%"></i></div>'
        f'<div class="pr-ends" aria-hidden="true">{ends}</div></div></div>'
    )


def gauges(
    title: str, tone: Tone | None, before: Tone | None = None, empty: str = strings.TONE_EMPTY,
    causes: Sequence[Cause] = (), text: str = "",
) -> str:  # fmt: skip
    """Sentiment and politeness as two dials; with `before`, the draft's place on them as well.

    Under them the sentences of `text` that make it blunt or negative.
    """
    if tone is None:
        dials = f'<p class="pr-none">{escaped(empty)}</p>'
    else:
        was = (before.sentiment, before.politeness) if before else (None, None)
        dials = _gauge(strings.SENTIMENT, SCALES["sentiment"], tone.sentiment, was[0])
        dials += _gauge(strings.POLITENESS, SCALES["politeness"], tone.politeness, was[1])
    because = "".join(f'<li class="pr-cause">{escaped(_because(cause, text))}</li>' for cause in causes)
    return f'<section class="pr-tone"><h2>{escaped(title)}</h2>{dials}<ul>{because}</ul></section>'


def _because(cause: Cause, text: str) -> str:
    sentence = _shortened(" ".join(text[cause.start : cause.end].split()))
    return strings.BECAUSE.format(words=strings.AND.join(cause.words), sentence=sentence)


def no_result() -> str:
    """What stands where changes will."""
    return f'<section><h2>{strings.CHANGES}</h2><p class="pr-none">{strings.CHANGES_EMPTY}</p></section>'


def blank_result_tone() -> str:
    return gauges(strings.RESULT_TONE, None, empty=strings.TONE_RESULT_EMPTY)


def _mark(tag: str, sign: str, text: str) -> str:
    """One side of an edit."""
    if not text:
        return ""
    return f'<{tag}><span class="pr-sign" aria-hidden="true">{sign}</span>{escaped(_drawn(text))}</{tag}>'


def _drawn(text: str) -> str:
    """The text; blanks alone are drawn, or nobody would see them."""
    return text if text.strip() else text.replace("\r\n", "\n").translate(_BLANKS)


def _both(edit: Edit) -> str:
    """Both sides of an edit; words that they share at their ends are shown once, unmarked."""
    lead, was, becomes, trail = apart(edit.before, edit.after)
    return escaped(lead) + _mark("del", "−", was) + _mark("ins", "+", becomes) + escaped(trail)


def _named(number: int, edit: Edit) -> str:
    """An edit as a screen reader says it."""
    suggestion = f"{strings.SUGGESTION} " if _is_suggestion(edit) else ""
    sides = [f"{strings.REMOVED} {edit.before}"] * bool(edit.before)
    sides += [f"{strings.ADDED} {edit.after}"] * bool(edit.after)
    return escaped(f"{suggestion}{number + 1}: {', '.join(sides)}, {edit.kind}")


def _is_suggestion(edit: Edit) -> bool:
    return edit.status == "suggested"


def _arrow(edit: Edit) -> str:
    """An edit in one line of text; one that changes nothing stands for a rewrite that was refused as a whole."""
    before, after = _drawn(edit.before).strip(), _drawn(edit.after).strip()
    if edit.before == edit.after:
        return before
    return f"{before} → {after}" if before and after else f"−{before}" if before else f"+{after}"


def result(value: Proofread) -> str:
    """The finished email: applied edits made, suggested ones to be made by a click."""
    return marked(value.draft, offered(value), done=True)


def marked(draft: str, edits: Sequence[Edit] = (), done: bool = False) -> str:
    """The draft with each edit marked in place, −removed +added.

    When `done`, the email can be typed in, marks open, and `data-pieces` holds the draft in pieces: any choice of edits
    rebuilds from them exactly, in the browser.
    """
    parts = pieces(draft, edits)
    email = "".join(
        _stretch(at, part) if isinstance(part, str) else _changed(at // 2, edits[at // 2], done)
        for at, part in enumerate(parts)
    )
    region = 'role="region"'
    if done:
        data = html.escape(json.dumps(parts))
        region = f'role="textbox" aria-multiline="true" contenteditable="plaintext-only" spellcheck="false" data-pieces="{data}"'
    elif not email:
        email = f'<span class="pr-none">{strings.RESULT_PLACEHOLDER}</span>'
    return f'<h2>{strings.RESULT}</h2><div class="pr-email" tabindex="0" aria-label="{strings.RESULT}" {region}>{email}</div>'


def pieces(draft: str, edits: Sequence[Edit]) -> list[str | list[str]]:
    """The draft cut at its edits: what stays as a string, an edit as the texts that may stand there, in turn."""
    parts: list[str | list[str]] = []
    at = 0
    for edit in edits:
        parts += [carried(draft[at : edit.start]), [carried(text) for text in wordings(edit)]]
        at = edit.end
    return [*parts, carried(draft[at:])]


def _stretch(number: int, text: str) -> str:
    return f'<span data-piece="{number}">{escaped(text)}</span>' if text else ""


def _changed(number: int, edit: Edit, done: bool) -> str:
    """An edit in its place; `done`, it knows which side stands."""
    name = "pr-change pr-suggestion" if _is_suggestion(edit) else "pr-change"
    side, pressed = ("", "false") if _is_suggestion(edit) else ("1", "true")
    switch = (
        f' role="button" tabindex="0" contenteditable="false" aria-haspopup="dialog" data-side="{side}" '
        f'aria-pressed="{pressed}" aria-label="{_named(number, edit)}"'
    )
    return f'<span class="{name}" data-change="{number}"{switch if done else ""}>{_both(edit)}</span>'


def counted(changes: int) -> str:
    return strings.ONE_CHANGE if changes == 1 else strings.MANY_CHANGES.format(count=changes or strings.NO)


def changes(value: Proofread) -> str:
    """The section "What changed": a card for each edit with its kind and reason, to accept or reject."""
    title, edits = f"<h2>{strings.CHANGES}</h2>", offered(value)
    if not edits:
        # Praise only where nothing else was found: no note, no edit that was refused.
        found = value.notes or value.refused
        line = (
            f"<p>{strings.NOTHING_CHANGED}</p>" if found else f'<p class="pr-clean">{strings.NO_CHANGES}</p>'
        )
        return f"<section>{title}{line}</section>"
    groups = Counter(map(_group, edits)).most_common()
    applied = {_group(edit) for edit in value.applied}
    offer = ' class="pr-offer"'
    chips = "".join(
        f'<button type="button"{offer * (name == strings.SUGGESTION)} data-kind="{escaped(name)}" '
        f'aria-pressed="{str(name in applied).lower()}">{escaped(name)} {n}</button>'
        for name, n in groups
    )
    cards = "".join(_card(number, edit) for number, edit in enumerate(edits))
    return (
        f'<section>{title}<div class="pr-bar"><b>{counted(len(value.applied))}</b><span id="chosen" role="status"></span>'
        f'<button type="button" data-all="true">{strings.ACCEPT_ALL}</button>'
        f'<button type="button" data-all="false">{strings.REJECT_ALL}</button>'
        f'<button type="button" data-undo="true" aria-disabled="true">↶ {strings.UNDO}</button>'
        f'<button type="button" data-undo="false" aria-disabled="true">↷ {strings.REDO}</button>'
        f'<span class="pr-kinds" role="group" aria-label="{strings.BY_KIND}">{chips}</span>'
        f'<small>{strings.KEYS}</small></div><ol class="pr-cards">{cards}</ol></section>'
    )


def _group(edit: Edit) -> str:
    """What is accepted or rejected together: the edits of a kind, and all suggestions."""
    return strings.SUGGESTION if _is_suggestion(edit) else edit.kind


def _card(number: int, edit: Edit) -> str:
    suggestion = _is_suggestion(edit)
    label = f"{strings.SUGGESTION}: {edit.kind}" if suggestion else edit.kind
    # Of a suggestion nothing is chosen yet.
    buttons = "".join(
        f'<button type="button" data-accept="{str(accept).lower()}" aria-pressed="{str(accept and not suggestion).lower()}" '
        f'aria-label="{word} {_named(number, edit)}">{sign} {word}</button>'
        for accept, sign, word in ((True, "✓", strings.ACCEPT), (False, "✗", strings.REJECT))
    )
    return (
        f'<li class="pr-card{" pr-suggestion pr-left" if suggestion else ""}" data-change="{number}" data-of="{escaped(_group(edit))}">'
        f'<div><span class="pr-both">{_both(edit)}</span><span class="pr-kind">{escaped(label)}</span>'
        f'<p>{escaped(edit.reason)}</p>{_wordings(number, edit)}</div><span class="pr-choice">{buttons}</span></li>'
    )


def _wordings(number: int, edit: Edit) -> str:
    """What may stand there, to choose from, if it is more than one text."""
    if not edit.alternatives:
        return ""
    buttons = "".join(
        f'<button type="button" data-wording="{side}" aria-pressed="false" aria-label="{_named(number, each)}">{_both(each)}</button>'
        for side, each in enumerate((replace(edit, after=text) for text in wordings(edit)[1:]), 1)
    )
    return f'<span class="pr-wordings" role="group" aria-label="{strings.WORDINGS}">{buttons}</span>'


def why(value: Proofread) -> str:
    """What was measured of the draft, and each edit with who proposed it and how sure that is."""
    measured = strings.WHY_MEASURED.format(
        sentiment=value.before.sentiment.word, politeness=value.before.politeness.word
    )
    asked = len(value.prompts)
    count = strings.ONCE if asked == 1 else strings.MANY_TIMES.format(count=asked)
    sent = strings.WHY_ASKED.format(count=count) if asked else strings.WHY_NOT_ASKED
    by_source: dict[str, list[str]] = {}
    for edit in (
        *value.applied,
        *value.suggested,
        *(each for each in value.left_alone if each.before != each.after),
    ):
        by_source.setdefault(strings.SOURCES.get(edit.source, edit.source), []).append(_proposal(edit))
    lines = [f"{measured} {sent}"]
    lines += [
        strings.PROPOSED.format(source=source, edits="; ".join(edits)) for source, edits in by_source.items()
    ]
    shown = "".join(f'<p class="pr-why">{escaped(line)}</p>' for line in lines)
    return f"<section><h2>{strings.WHY}</h2>{shown}</section>"


def _proposal(edit: Edit) -> str:
    """An edit with how sure it is and what became of it; a score of 1 is that of an edit that nobody scored."""
    sure = [f"{round(100 * edit.score)}%"] * (edit.score < 1)
    status = [strings.STATUSES.get(edit.status, edit.status)] * (edit.status != "applied")
    about = ", ".join(sure + status)
    return _shortened(_arrow(edit)) + (f" ({about})" if about else "")


def _shortened(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _SHORTENED else text[:_SHORTENED].rstrip() + "…"


def skipped(value: Proofread) -> str:
    """The section of what was left alone, each with its reason: refused edits, protected text. Empty when there is none."""
    left = [(_arrow(edit), edit.reason) for edit in value.left_alone]
    left += [(each.text, each.reason) for each in value.skipped]
    if not left:
        return ""
    items = "".join(
        f"<li><q>{escaped(_shortened(text))}</q> <span>{escaped(why)}</span></li>" for text, why in left
    )
    return f'<section><h2>{strings.SKIPPED}</h2><ul class="pr-skipped" tabindex="0">{items}</ul></section>'


def notes(lines: Sequence[str]) -> str:
    """Notes about the whole email, one box each."""
    return "".join(f'<p class="pr-note">{escaped(line)}</p>' for line in lines)


def checks(found: Sequence[Check]) -> str:
    """What the writer should look at again; each can be dismissed for good."""
    return "".join(
        f'<p class="pr-note pr-check" data-check="{escaped(f"{each.name}: {each.message}")}"><span>{escaped(each.message)}</span>'
        f'<button type="button" data-dismiss="true">{strings.DISMISS}</button></p>'
        for each in found
    )


def record(content: str) -> str:
    """A feedback record, as JSON, word for word."""
    return f'<pre class="pr-prompt" tabindex="0" aria-label="{strings.PREVIEW}">{escaped(content)}</pre>'


def prompts(values: Sequence[str]) -> str:
    """The prompts word for word."""
    if not values:
        return f'<p class="pr-none">{strings.NO_PROMPTS}</p>'
    return "".join(f'<pre class="pr-prompt" tabindex="0">{escaped(value)}</pre>' for value in values)
