"""A Proofread value as HTML: pure functions in which every character of an email is text, never markup."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from space.page import strings
from space.proofread.reasons import reason

if TYPE_CHECKING:
    from space.proofread.classifiers.tone import Score, Tone
    from space.proofread.edits import Edit
    from space.proofread.pipeline import Skipped

KEPT_CHARACTERS = 160  # of a text that was left alone, enough to know it again
Scale = Mapping[str, tuple[str, str]]

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


def _percent(score: Score) -> int:
    return round(100 * score.score)


def _place(score: Score, scale: Scale) -> int:
    """Where the probabilities balance on the scale: 0 = all on the first label, 100 = all on the last."""
    last = len(scale) - 1
    return round(100 * sum(score.scores.get(label, 0.0) * at / last for at, label in enumerate(scale)))


def _gauge(name: str, scale: Scale, score: Score, before: Score | None) -> str:
    emoji, label = scale.get(score.label, ("", score.label))
    place, percent = _place(score, scale), _percent(score)
    was = ghost = ""
    if before is not None:
        _, old_label = scale.get(before.label, ("", before.label))
        was = strings.WAS.format(label=old_label, percent=_percent(before))
        ghost = f'<i class="pr-was" style="left:{_place(before, scale)}%"></i>'
    spoken = escaped(strings.METER.format(label=label, percent=percent))
    ends = "".join(f"<span>{escaped(word)}</span>" for _, word in scale.values())
    return (
        f'<div class="pr-gauge"><span class="pr-face" aria-hidden="true">{emoji}</span><div class="pr-dial">'
        f'<div class="pr-reading"><b>{escaped(name)}</b><span>{escaped(label)} {percent}%</span>'
        f"<small>{escaped(was)}</small></div>"
        f'<div class="pr-track" role="meter" aria-label="{escaped(name)}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{place}" aria-valuetext="{spoken}">'
        f'{ghost}<i style="left:{place}%"></i></div>'
        f'<div class="pr-ends" aria-hidden="true">{ends}</div></div></div>'
    )


def gauges(title: str, tone: Tone | None, before: Tone | None = None, empty: str = strings.TONE_EMPTY) -> str:
    """Sentiment and politeness as two labelled dials; with `before`, the draft's place on them as well."""
    if tone is None:
        dials = f'<p class="pr-none">{escaped(empty)}</p>'
    else:
        was = (before.sentiment, before.politeness) if before else (None, None)
        dials = _gauge(strings.SENTIMENT, strings.SENTIMENT_SCALE, tone.sentiment, was[0])
        dials += _gauge(strings.POLITENESS, strings.POLITENESS_SCALE, tone.politeness, was[1])
    return f'<section class="pr-tone"><h3>{escaped(title)}</h3>{dials}</section>'


def _mark(tag: str, sign: str, text: str) -> str:
    """One side of a change; blanks alone are drawn, or nobody would see them."""
    if not text:
        return ""
    drawn = escaped(text if text.strip() else text.replace("\r\n", "\n").translate(_BLANKS))
    return f'<{tag}><span class="pr-sign" aria-hidden="true">{sign}</span>{drawn}</{tag}>'


def _both(change: Edit) -> str:
    return _mark("del", "−", change.before) + _mark("ins", "+", change.after)


def _named(number: int, change: Edit) -> str:
    """A change as a screen reader says it."""
    sides = [f"{strings.REMOVED} {change.before}"] * bool(change.before)
    sides += [f"{strings.ADDED} {change.after}"] * bool(change.after)
    return escaped(f"{number + 1}: {', '.join(sides)}, {change.kind}")


def marked(draft: str, changes: Sequence[Edit] = (), done: bool = False) -> str:
    """The draft with each change marked in place, −removed +added.

    When `done`, marks are switches, and `data-pieces` holds the draft in pieces, a change being [before, after]: any
    choice of changes rebuilds from them exactly, in the browser.
    """
    shown, pieces, at = [], [], 0
    for number, change in enumerate(changes):
        same = draft[at : change.start]
        switch = f' role="button" tabindex="0" aria-pressed="true" aria-label="{_named(number, change)}"'
        shown += [
            escaped(same),
            f'<span class="pr-change" data-change="{number}"{switch if done else ""}>{_both(change)}</span>',
        ]
        pieces += [carried(same), [carried(change.before), carried(change.after)]]
        at = change.end
    shown.append(escaped(draft[at:]))
    pieces.append(carried(draft[at:]))
    data = f' data-pieces="{html.escape(json.dumps(pieces))}"' if done else ""
    email = "".join(shown) or f'<span class="pr-none">{strings.RESULT_PLACEHOLDER}</span>'
    return f'<h3>{strings.RESULT}</h3><div class="pr-email" tabindex="0" role="region" aria-label="{strings.RESULT}"{data}>{email}</div>'


def counted(changes: int) -> str:
    return strings.ONE_CHANGE if changes == 1 else strings.MANY_CHANGES.format(count=changes or strings.NO)


def changed(changes: Sequence[Edit], clean: bool = True) -> str:
    """The section "What changed": a card for each change with its kind and reason, to accept or reject.

    Without changes `clean` says whether that is praise, or only because something was left alone.
    """
    title = f"<h3>{strings.CHANGES}</h3>"
    if not changes:
        praise = f'<p class="pr-clean">{strings.NO_CHANGES}</p>'
        return f"<section>{title}{praise if clean else f'<p>{strings.NOTHING_CHANGED}</p>'}</section>"
    kinds = "".join(
        f'<button type="button" data-kind="{escaped(kind)}" aria-pressed="true">{escaped(kind)} {n}</button>'
        for kind, n in Counter(change.kind for change in changes).most_common()
    )
    cards = "".join(
        f'<li class="pr-card" data-change="{number}" data-of="{escaped(change.kind)}"><div><span class="pr-both">{_both(change)}</span>'
        f'<span class="pr-kind">{escaped(change.kind)}</span><p>{escaped(reason(change))}</p></div>'
        f'<span class="pr-choice">{_choice(number, change)}</span></li>'
        for number, change in enumerate(changes)
    )
    return (
        f'<section>{title}<div class="pr-bar"><b>{counted(len(changes))}</b><span id="chosen" role="status"></span>'
        f'<button type="button" data-all="true">{strings.ACCEPT_ALL}</button>'
        f'<button type="button" data-all="false">{strings.REJECT_ALL}</button>'
        f'<span class="pr-kinds" role="group" aria-label="{strings.BY_KIND}">{kinds}</span>'
        f'<small>{strings.KEYS}</small></div><ol class="pr-cards">{cards}</ol></section>'
    )


def _choice(number: int, change: Edit) -> str:
    """The two buttons of a card."""
    return "".join(
        f'<button type="button" data-accept="{str(accept).lower()}" aria-pressed="{str(accept).lower()}" '
        f'aria-label="{word} {_named(number, change)}">{sign} {word}</button>'
        for accept, sign, word in ((True, "✓", strings.ACCEPT), (False, "✗", strings.REJECT))
    )


def why(before: Tone, prompts: Sequence[str]) -> str:
    """What was measured of the draft, and what the model was told."""
    measured = strings.WHY_MEASURED.format(
        sentiment=f"{before.sentiment.label} {_percent(before.sentiment)}%",
        politeness=f"{before.politeness.label} {_percent(before.politeness)}%",
    )
    hints = [hint for prompt in prompts for hint in _hints(prompt)]
    count = strings.ONE_SENTENCE if len(prompts) == 1 else strings.MANY_SENTENCES.format(count=len(prompts))
    told = strings.WHY_NOTHING if not prompts else strings.WHY_TOLD if hints else strings.WHY_TOLD_NOTHING
    line = f"{measured} {told.format(count=count, hints='; '.join(hints))}"
    return f'<section><h3>{strings.WHY}</h3><p class="pr-why">{escaped(line)}</p></section>'


def _hints(prompt: str) -> list[str]:
    """The hints that stand in the system part of a prompt, after "Check:"."""
    found = re.search(r" Check: (.*)\.$", prompt.partition("\nuser: ")[0], re.MULTILINE)
    return [
        re.sub(r" = (.+)$", lambda fix: f" → {strings.WHY_NOTHING_TO if fix[1] == '-' else fix[1]}", hint)
        for hint in (found[1].split("; ") if found else [])
    ]


def _shortened(text: str) -> str:
    text = text.strip()
    return text if len(text) <= KEPT_CHARACTERS else text[:KEPT_CHARACTERS].rstrip() + "…"


def kept(values: Sequence[Skipped]) -> str:
    """The section of what was left alone, each with its reason; nothing when there is nothing to tell."""
    if not values:
        return ""
    items = "".join(
        f"<li><q>{escaped(_shortened(each.text))}</q> <span>{escaped(each.reason)}</span></li>"
        for each in values
    )
    return f'<section><h3>{strings.KEPT}</h3><ul class="pr-kept" tabindex="0">{items}</ul></section>'


def notes(lines: Sequence[str]) -> str:
    """Notes about the whole email, one box each."""
    return "".join(f'<p class="pr-note">{escaped(line)}</p>' for line in lines)


def prompts(values: Sequence[str]) -> str:
    """The prompts word for word."""
    if not values:
        return f'<p class="pr-none">{strings.NO_PROMPTS}</p>'
    return "".join(f'<pre class="pr-prompt" tabindex="0">{escaped(value)}</pre>' for value in values)
