"""Mistakes in a turn of phrase, as they carry over from a writer's first language: "I am agree", "explain me", "since two days".

Each turn is a pattern that finds the right phrase and the wrong ones that it may become. The kinds are those that
usage guides for learners warn of (Swan and Smith, Learner English, 2001).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from training.data.confusions import inflections

_Wrong = str | Callable[[re.Match[str]], str | None]

_I = r"\b(I|[Ww]e|[Tt]hey|[Yy]ou)"
_PRONOUN = "me|us|you|him|her|them|it"
_OWNER = "the|this|that|these|those|my|our|your|his|her|their"
_NUMBER = r"\d+|two|three|four|five|six|seven|eight|nine|ten|several|many|a few"
_SPAN = "minutes|hours|days|weeks|months|years"
_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = "January|February|March|April|June|July|August|September|October|November|December"
_PAST = r"(?=.*\b(?:yesterday|ago|last (?:week|month|year|night|summer|time)|in (?:19|20)\d\d)\b)"
_LASTING = r"(?=.*\b(?:for|since)\b)"


def _form(group: int, tag: str, frame: str = "{}", only: str = "") -> Callable[[re.Match[str]], str | None]:
    """The phrase with the word of `group` in the form `tag`, in `frame`; None if it is no verb, or not in the form `only`."""

    def change(match: re.Match[str]) -> str | None:
        word = match[group]
        found = inflections(word)
        if "VB" not in found or tag not in found or (only and found.get(only) != word):
            return None
        start, end = match.start(group) - match.start(), match.end(group) - match.start()
        return match[0][:start] + frame.format(found[tag]) + match[0][end:]

    return change


def _base(match: re.Match[str], frame: str) -> str | None:
    """`frame` with the groups of `match` and the base form of the verb in its fourth; None if that is none."""
    found = inflections(match[4])
    if match[4] not in (found.get("VB"), found.get("VBZ")) or match[4] in (
        "is",
        "has",
        "can",
        "will",
        "may",
        "must",
    ):
        return None
    return frame.format(*(match[i] for i in range(5)), base=found["VB"])


def _verbs(*words: str) -> str:
    """A pattern for every form of these verbs, as one group."""
    found = {form for word in words for tag, form in inflections(word).items() if tag.startswith("VB")}
    return f"({'|'.join(sorted(found | set(words)))})"


def _build() -> list[tuple[re.Pattern[str], tuple[_Wrong, ...]]]:
    turns: list[tuple[str, tuple[_Wrong, ...]]] = [
        # verbs: a form of be too many, do left out, tense, what follows a verb
        (r"\bI (agree|disagree|think|hope|want|need|understand|know|believe|work|live|appreciate)\b", (r"I am \1",)),
        (r"\b([Ww]e|[Tt]hey|[Yy]ou) (agree|disagree|think|hope|want|need|understand|know|work|live)\b", (r"\1 are \2",)),
        (rf"{_I} (do not|don't) (\w+)\b", (r"\1 not \3", r"\1 no \3", r"\1 doesn't \3")),
        (r"\b([Hh]e|[Ss]he|[Ii]t) (does not|doesn't) (\w+)\b", (r"\1 don't \3", r"\1 not \3", _form(3, "VBZ", only="VB"))),
        (r"\b(did not|didn't) (\w+)\b", (_form(2, "VBD", only="VB"), _form(2, "VBN", only="VB"))),
        (r"\b([Dd]id) (\w+) (\w+)\b", (_form(3, "VBD", only="VB"),)),
        (r"\b([Dd]oes) (\w+) (\w+)\b", (_form(3, "VBZ", only="VB"),)),
        (r"\b(What|Where|When|Why|How) (do|does|did) (you|we|they|I|he|she|it)\b", (r"\1 \3", r"\1 \3 \2")),
        (rf"{_I} (\w+)\b{_PAST}", (_form(2, "VBN", "have {}", "VBD"), _form(2, "VB", only="VBD"))),
        (rf"\b([Hh]e|[Ss]he|[Ii]t) (\w+)\b{_PAST}", (_form(2, "VBN", "has {}", "VBD"), _form(2, "VBZ", only="VBD"))),
        (rf"\bI have been (\w+ing)\b{_LASTING}", (r"I am \1", r"I was \1")),
        (rf"\b([Ww]e|[Tt]hey|[Yy]ou) have been (\w+ing)\b{_LASTING}", (r"\1 are \2",)),
        (rf"\b(has) been (\w+ing)\b{_LASTING}", (r"is \2",)),
        (r"\b((?:[Ii]f|[Ww]hen|[Aa]fter|[Bb]efore|[Uu]ntil|[Aa]s soon as) (?:you|we|they|I)) (\w+)\b",
         (_form(2, "VB", "will {}", "VB"),)),
        (r"\b([Ii]f (?:I|you|he|she|we|they)) had (\w+(?:ed|en|wn|ne|t|d))\b", (r"\1 would have \2",)),
        (_verbs("enjoy", "avoid", "finish", "suggest", "recommend", "consider", "mind", "keep", "postpone", "miss") + r" (\w+ing)\b",
         (_form(2, "VB", "to {}", "VBG"), _form(2, "VB", only="VBG"))),
        (_verbs("want", "decide", "need", "plan", "hope", "agree", "refuse", "promise", "offer", "manage", "expect")
         + r" to (\w+)\b", (r"\1 \2", _form(2, "VBG", only="VB"), r"\1 for \2")),
        (rf"\b([Ll]et|[Mm]ake|made) ({_PRONOUN}) (\w+)\b", (_form(3, "VBG", only="VB"), _form(3, "VBZ", only="VB"), r"\1 \2 to \3")),
        (r"\b(looking forward|look forward) to\b", (r"\1", r"\1 for", r"\1 at")),
        (r"\b(used|supposed) to\b", (lambda match: match[1][:-1] + " to", r"\1")),
        (r"\bable to\b", ("able",)),
        (r"\bhad better\b", ("have better", "would better")),
        (r"\b(writ(?:e|ing)|call(?:ing)?|email(?:ing)?|came|come|went|go|here) to (\w+)\b", (_form(2, "VBG", "for {}", "VB"), )),
        (r"\bto (\w+)\b", (_form(1, "VBD", only="VB"), _form(1, "VBZ", only="VB"), _form(1, "VBG", only="VB"))),
        (r"\b([Cc]an|[Cc]ould|[Ww]ill|[Ww]ould|[Ss]hould|[Mm]ust|[Mm]ay) (\w+)\b", (r"\1 to \2",)),
        # the order of words
        (_verbs("know", "tell", "ask", "wonder", "explain", "understand", "see", "remember", "check") + rf"((?: {_PRONOUN})?)"
         rf" (where|what|how|why|when|who|which \w+) ((?:{_OWNER}) \w+|it|he|she|they|you|we|I) (is|are|was|were|can|will|should)\b",
         (r"\1\2 \3 \5 \4",)),
        (r"\b(like|appreciate|enjoy|love) (it|this|that|the \w+) very much", (r"very \1 \2", r"\1 very much \2")),
        (r"\b([Mm]y|[Oo]ur|[Tt]he) (\w+)( is| was| has| said| will)\b", (r"\1 \2 it\3", r"\1 \2 he\3")),
        # what follows a verb, an adjective or a noun
        (_verbs("explain", "describe", "suggest", "listen", "reply", "respond", "apologize", "belong", "happen", "speak", "talk", "refer",
                "contribute", "object", "subscribe") + r" to\b", (r"\1", r"\1 at", r"\1 for")),
        (_verbs("wait", "ask", "look", "apply", "apologize") + rf" for ({_OWNER}|{_PRONOUN}|a|an)\b",
         (r"\1 \2", r"\1 to \2", r"\1 of \2")),
        (_verbs("depend", "rely", "insist", "focus", "concentrate", "decide", "agree") + r" on\b", (r"\1 of", r"\1 in", r"\1 from", r"\1")),
        (_verbs("arrive") + r" (?:at|in)\b", (r"\1 to", r"\1")),
        (_verbs("participate", "succeed", "result", "believe", "invest", "specialize") + r" in\b", (r"\1 on", r"\1 to", r"\1")),
        (_verbs("agree", "deal", "help", "provide", "disagree", "cooperate") + r" with\b", (r"\1 to", r"\1 about", r"\1")),
        (_verbs("think", "complain", "worry", "hear") + r" about\b", (r"\1 for", r"\1 on", r"\1")),
        (_verbs("prevent", "suffer", "recover", "benefit", "graduate") + r" from\b", (r"\1 of", r"\1 with", r"\1")),
        (_verbs("consist", "approve", "dispose") + r" of\b", (r"\1 in", r"\1 from", r"\1")),
        (_verbs("congratulate") + rf" ({_PRONOUN}) on\b", (r"\1 \2 for", r"\1 \2 about")),
        (_verbs("tell", "ask", "remind", "inform", "call", "email", "contact", "answer") + rf" ({_PRONOUN})\b", (r"\1 to \2",)),
        (_verbs("send", "give", "show", "bring", "write") + rf" (it|them) to ({_PRONOUN})\b", (r"\1 \2 \3",)),
        (_verbs("prefer") + r"( .{3,30}) to\b", (r"\1\2 than",)),
        (r"\b(interested|involved|experienced) in\b", (r"\1 on", r"\1 at", r"\1 for", r"\1 about")),
        (r"\b(responsible|famous|ready|available|suitable|necessary|sorry) for\b", (r"\1 of", r"\1 to", r"\1 on")),
        (r"\b(good|bad|better|excellent) at\b", (r"\1 in", r"\1 on")),
        (r"\b(married|similar|due|used|related|according|committed|attached|equal|addressed|relevant) to\b", (r"\1 with", r"\1 of", r"\1 for")),
        (r"\b(different|far|absent|away) from\b", (r"\1 of",)),
        (r"\b(satisfied|happy|pleased|familiar|busy|disappointed|concerned) with\b", (r"\1 of", r"\1 to")),
        (r"\b(aware|afraid|capable|full|proud|instead|because|part|copy|lack) of\b", (r"\1", r"\1 from", r"\1 with")),
        (r"\b(reason|request|need|demand|apology|invoice|bill) for\b", (r"\1 of", r"\1 to")),
        (r"\b(solution|answer|reply|key|response|access|invitation|change|damage) to\b", (r"\1 of", r"\1 for")),
        (r"\b(difference|relationship|meeting|connection) between\b", (r"\1 of", r"\1 from")),
        # letters
        (r"\b([Ll]et) (me|us) know\b", (r"\1 know", r"\1 \2 to know", r"\1 \2 knowing")),
        (r"\b([Ff]ind|[Ss]ee) (the )?attached\b", (r"\1 \2attach", r"\1 \2attachment")),
        (r"\bhesitate to (\w+)\b", (r"hesitate \1", _form(1, "VBG", only="VB"))),
        (r"\bwould be (grateful|happy|glad|great|good|possible|better)\b", (r"would \1", r"would been \1")),
        (r"\b(am|are|is|was|were) (sorry|sure|afraid|ready|late|available|able|aware|interested|happy|glad)\b", (r"\2",)),
        (r"\bmake (a|an|the) (mistake|decision|suggestion|payment|offer|appointment|complaint|change|call)\b", (r"do \1 \2",)),
        (_verbs("explain", "describe", "suggest", "propose", "recommend") + rf" ({_OWNER}|it) ?((?:\w+ )?)to ({_PRONOUN})\b",
         (lambda match: f"{match[1]} {match[4]} {match[2]} {match[3]}".rstrip(),)),
        (r"\b(tell me|know|wonder|ask|understand|see) (what|where|when|why|how|what time) (you|we|they|I) (\w+)\b",
         (lambda match: _base(match, "{1} {2} do {3} {base}"),)),
        (r"\b(tell me|know|wonder|ask|understand|see) (what|where|when|why|how|what time) (it|he|she) (\w+)\b",
         (lambda match: _base(match, r"{1} {2} does {3} {base}"), lambda match: _base(match, "{1} {2} {3} {base}"))),
        # time and place
        (rf"\bby (?={_DAY}|tomorrow|today|noon|then\b|next|the end|{_MONTH}|\d\d? (?:{_MONTH}))", ("until ", "till ", "to ")),
        (rf"\bFor (about |over |the last |the past )?({_NUMBER}|a couple of) ({_SPAN})\b", (r"Since \1\2 \3",)),
        (rf"\b(I|[Ww]e|[Tt]hey|[Yy]ou) have been (\w+ing)\b(.{{0,40}}?) for ({_NUMBER}) ({_SPAN})\b",
         (lambda match: f"{match[1]} {'am' if match[1] == 'I' else 'are'} {match[2]}{match[3]} since {match[4]} {match[5]}",)),
        (rf"\bfor (about |over |the last |the past )?({_NUMBER}|a couple of) ({_SPAN})\b", (r"since \1\2 \3", r"during \1\2 \3", r"from \1\2 \3")),
        (r"\bsince (?=[A-Z\d])", ("from ", "for ")),
        (rf"\bon ({_DAY})", (r"in \1", r"at \1", r"\1's", r"in the \1")),
        (rf"\b(next|last|this|every) ({_DAY}|week|month|year|morning)", (r"in \1 \2",)),
        (rf"\bin ({_MONTH})\b", (r"on \1", r"at \1")),
        (r"\bat (\d+(?::\d\d)?(?: ?[ap]\.?m\.?)?)\b", (r"on \1", r"in \1")),
        (r"\bin (\d{4})\b", (r"on \1", r"at \1", r"in the \1")),
        (r"\bin the (morning|afternoon|evening)\b", (r"at the \1", r"on the \1", r"in \1")),
        (r"\bat the moment\b", ("in the moment", "at moment")),
        (r"\bat the end of\b", ("in the end of", "at end of", "on the end of")),
        (r"\b(on|by) the (phone|website|internet)\b", (r"in the \2", r"at the \2", r"on \2")),
        (r"\bby (email|phone|car|train|post|mail)\b", (r"with \1", r"per \1", r"by the \1")),
        (r"\bin advance\b", ("in advanced", "on advance", "in advances")),
        (r"\b(tomorrow|yesterday|today)\b", (r"in \1", r"on \1")),
        (r"\bback home\b|\b(go|went|going|come|came) (home|there|here|abroad|upstairs)\b", (r"\1 to \2",)),
        # number, articles, comparison
        (rf"\b(one of (?:{_OWNER})(?: best| most| first| main| new)?) (\w+s)\b", (_form(2, "NN"), lambda match: f"{match[1]} {match[2][:-1]}")),
        (r"\ba lot of\b", ("a lots of", "lot of", "a lot", "lots")),
        (r"\bmuch (?=(?:time|money|work|information|help|space)\b)", ("many ",)),
        (r"\bmany (?=\w+s\b)", ("much ", "a lot ", "many of ")),
        (r"\b(\d+|two|three|four|five|ten) (years?|months?|days?|weeks?) old\b", (r"\1 \2", r"\1 year old")),
        (r"\b(information|advice|equipment|feedback|furniture|knowledge|luggage|software|research|progress|evidence|news|traffic|training)\b",
         (r"\1s", r"an \1", r"a \1", r"many \1")),
        (r"\b(different|important|other|available|interesting|possible|special|new|good|big) (\w+s)\b", (r"\1s \2",)),
        (r"\b(better|worse|easier|faster|cheaper|bigger|smaller|earlier|later|higher|lower|longer|older|larger)\b", (r"more \1",)),
        (r"\bthe (best|worst|easiest|fastest|cheapest|biggest|most|largest|latest)\b", (r"the more \1", r"\1", r"the most \1")),
        (r"\b(easier|faster|cheaper|bigger|smaller|higher|lower|longer|larger|cleaner|safer|stronger)\b",
         (lambda match: "more " + re.sub("i$", "y", match[1][:-2]),)),
        (r"\bas (soon|much|many|long|well|quickly|good|far) as\b", (r"as \1", r"so \1 as", r"as \1 like")),
        (r"\b(more|less|better|rather|later|earlier|higher|faster) than\b", (r"\1 then", r"\1 as", r"\1 that")),
        (r"\bthe same (\w+ )?as\b", (r"the same \1like", r"same \1as", r"the same \1than")),
        (r"\beach other\b", ("each others", "one each other")),
        # small words that go together
        (r"\b(even|as) though\b", (r"\1", r"\1 tough")),
        (r"\b([Dd])espite\b", (r"\1espite of",)),
        (r"\b[Ii]n spite of\b", ("inspite of", "in spite")),
        (r"\bso that\b", ("so as", "for that", "in order that to")),
        (r"\bsuch as\b", ("such like", "as such", "like as")),
        (r"\b(well) known\b", ("good known",)),
        (r"\bvery well\b", ("very good",)),
        (r"\b(not only .+) but also\b", (r"\1 but", r"\1 also")),
        (r"\bneither (.+) nor\b", (r"neither \1 or",)),
        (r"\b(either .+) or\b", (r"\1 nor",)),
        (r"\b(have|has|had) to (\w+)\b", (r"\1 must \2",)),
        (r"\b(would|should|could|might|must) have (\w+(?:ed|en|wn|ne|t|d))\b", (r"\1 of \2", r"\1 \2", r"\1 had \2")),
        (r"\bwould like to\b", ("would like", "like to would", "would to like")),
        (r"\bthere (?=(?:is|are|was|were)\b)", ("it ", "their ", "they ")),
        (r"\bThere (?=(?:is|are|was|were)\b)", ("It ", "Their ", "They ", "")),
        (r"\b([Ii])t (?=is|was|will|would|has)", ("", r"\1s ")),
        (r"\b(\w+s)' (?=\w)", (r"\1 ", r"\1's ")),
        (r"\b(\w+)'s (?=[a-z])", (r"\1s ", r"\1 ")),
    ]  # fmt: skip
    return [(re.compile(pattern), wrong) for pattern, wrong in turns]


TURNS = _build()


def mistake(text: str, rng: random.Random, tries: int = 30) -> str | None:
    """`text` with one turn of phrase gone wrong; None if none of `tries` drawn ones is in it."""
    for pattern, wrong in rng.sample(TURNS, tries):
        found = list(pattern.finditer(text))
        if not found:
            continue
        match, change = rng.choice(found), rng.choice(wrong)
        new = match.expand(change) if isinstance(change, str) else change(match)
        if new is not None and new != match[0]:
            return text[: match.start()] + new + text[match.end() :]
    return None
