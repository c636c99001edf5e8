"""Mistakes put into clean email text for scoring, each known by its kind and its place.

    bad, slips = spoil("Please send it by Friday.", random.Random(1))

Independent of what models are trained on: rules, lists and weights are written for this file alone and none
of them come from `training.data.corrupt`, so that a model cannot score by having learnt the generator. (Common
misspellings are common, so the two do overlap there.) Each slip covers whole words or marks, and at least one
untouched word stands between two slips. A slip of the finger may happen to give another English word.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from space.proofread.prompt import WORDS


@dataclass(frozen=True)
class Slip:
    """`wrong` stands at characters [start, end) of the spoilt text where `right` belongs; either may be
    empty."""

    start: int
    end: int
    wrong: str
    right: str
    kind: str


def spoil(text: str, rng: random.Random, rate: float = 0.08) -> tuple[str, list[Slip]]:
    """The text with about `rate` slips per word, at least one where any fits, and the slips in order.

    Kinds are drawn by weight first and places second, so that rare openings (a fixed phrase) are used as
    well.
    """
    words = [match.span() for match in WORDS.finditer(text)]
    openings = {kind: list(find(text, rng)) for kind, find in FINDERS.items()}
    taken: list[_Opening] = []
    for _ in range(max(1, round(rate * len(words)))):
        while kinds := [kind for kind, left in openings.items() if left]:
            kind = rng.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
            opening = openings[kind].pop(rng.randrange(len(openings[kind])))
            if all(_apart(opening, other, words) for other in taken):
                taken.append(_Opening(opening.start, opening.end, opening.wrong, kind))
                break
    return _applied(text, sorted(taken, key=lambda opening: opening.start))


def restored(bad: str, slips: list[Slip]) -> str:
    """The clean text again: every slip replaced by what belongs there."""
    for slip in reversed(slips):
        bad = bad[: slip.start] + slip.right + bad[slip.end :]
    return bad


def typo(text: str, rng: random.Random) -> str:
    """The text with one slip of a finger, or as it is where no word is long enough for one."""
    openings = list(_typo(text, rng))
    if not openings:
        return text
    slip = rng.choice(openings)
    return text[: slip.start] + slip.wrong + text[slip.end :]


@dataclass(frozen=True)
class _Opening:
    """A place [start, end) of the clean text and the wrong text that may stand there."""

    start: int
    end: int
    wrong: str
    kind: str = ""


def _apart(a: _Opening, b: _Opening, words: list[tuple[int, int]]) -> bool:
    low, high = sorted((a, b), key=lambda opening: opening.start)
    return any(low.end <= start and end <= high.start for start, end in words)


def _applied(text: str, openings: list[_Opening]) -> tuple[str, list[Slip]]:
    pieces: list[str] = []
    slips: list[Slip] = []
    at = length = 0
    for opening in openings:
        pieces += text[at : opening.start], opening.wrong
        start = length + opening.start - at
        length = start + len(opening.wrong)
        slips.append(Slip(start, length, opening.wrong, text[opening.start : opening.end], opening.kind))
        at = opening.end
    return "".join([*pieces, text[at:]]), slips


# ---- the inventory -----------------------------------------------------------------------------------------

# Rows of a keyboard: a finger slips to a neighbour in its row.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

# What people write, for what they mean.
_MISSPELT = dict(pair.split("=") for pair in """
accommodate=acommodate accommodation=accomodation accounts=acounts achieve=acheive acknowledge=aknowledge
acquire=aquire across=accross actually=actualy additional=aditional address=adress adequate=adaquate
advertisement=advertisment aggressive=agressive agreement=agreemant allowed=alowed already=allready
although=allthough always=allways amount=ammount analysis=analisys annual=anual answer=anwser
apparently=apparantly appearance=appearence application=aplication appointment=apointment
appreciate=apreciate appropriate=apropriate approval=aproval approximately=aproximately argument=arguement
arrangements=arrangments assistance=assistence attached=atached attachment=attachement attention=atention
authority=authorty available=avaliable balance=ballance basically=basicly because=becuase before=befor
beginning=begining believe=beleive beneficial=benificial benefit=benifit between=beetween budget=buget
business=bussiness calendar=calender cancelled=cancled category=catagory certainly=certainley clearly=cleary
colleague=collegue coming=comming commission=comission commitment=committment committee=comittee
communication=comunication company=compnay comparison=comparision completely=completly concern=consern
confidential=confidental confirm=comfirm connection=conection consensus=concensus convenient=convinient
correspondence=correspondance currently=currenty customer=costumer decision=desicion definitely=definately
delivery=delivary department=departement description=discription desperate=desparate develop=develope
development=developement difference=diffrence different=diffrent difficult=dificult disappoint=dissapoint
discuss=dicuss discussion=disscusion document=docment documents=documants during=durring efficient=eficient
either=eighter embarrass=embarass employee=employe environment=enviroment equipment=equiptment
especially=expecially estimate=estamate eventually=eventualy exactly=exactley excellent=excelent
except=exept existence=existance expense=expence experience=experiance explanation=explaination
extension=extention extremely=extremly familiar=familar favorite=favorate february=febuary finally=finaly
financial=finantial following=folowing foreign=foriegn forward=foward friend=freind further=futher
general=genaral generally=generaly government=goverment grateful=greatful guarantee=garantee
guidance=guidence happened=happend hesitate=hesistate however=howver immediately=immediatly
important=importent improvement=improvment include=inculde including=includeing increase=incraese
independent=independant information=infomation initial=inital instead=insted interest=intrest
interested=intrested interview=inteview invoice=invioce issue=isue judgment=judgemant knowledge=knowlege
language=langauge latest=lastest legal=leagal library=libary license=lisense likely=likley
maintenance=maintainance management=managment manager=manger market=markit material=materiel maybe=mabye
meeting=meating message=mesage minute=minuite mistake=misstake month=mounth morning=mornig
necessary=neccessary needed=neaded negotiate=negociate neither=niether noticeable=noticable notice=notise
occasion=occassion occurred=occured office=offce official=offical often=offen opinion=oppinion
opportunity=oppurtunity original=origional otherwise=otherwize particular=particuler payment=payement
people=peaple perform=preform perhaps=prehaps period=peroid permanent=permanant personal=persenal
personnel=personel persuade=pursuade phone=fone planning=planing please=plese position=postion
possible=posible possibly=possibley practical=practicle preferred=prefered preparation=preperation
presence=presance president=presedent previous=previos price=prise probably=probaly problem=probelm
procedure=proceedure process=proces product=produkt professional=proffesional program=progam project=projekt
proposal=propozal provide=provied purchase=purchace quality=qualty quarter=quater question=qestion
really=realy reason=reson receipt=reciept receive=recieve received=recived recent=resent recently=recentley
recommend=reccomend recommendation=recomendation reference=refrence regarding=reguarding regards=reguards
relevant=relevent remember=rember replacement=replacment reply=reploy report=reprot request=reqeust
required=requierd requirement=requirment resource=resourse response=responce responsible=responsable
restaurant=restaraunt result=reslut review=reveiw sale=sael satisfied=satisified schedule=shedule
scheduled=scheduld secretary=secretery section=secton security=securty separate=seperate
separately=seperately service=servise several=severel shipment=shippment should=shoud similar=similiar
since=sinse sincerely=sincerly situation=situtation something=somthing soon=sson special=specail
specific=spesific staff=staf statement=statment still=stil strategy=stratagy success=sucess
successful=succesful sufficient=suficient suggest=sugest suggestion=sugestion summary=summery
supplier=suplier support=suport sure=shure surprise=suprise technical=technicle telephone=telefone
temporary=temporery their=thier there=ther therefore=therfore thing=thign think=thikn though=thogh
thought=thougth through=throught together=togehter tomorrow=tommorow tonight=tonite transfer=tranfer
trouble=truble truly=truely unfortunately=unfortunatly until=untill usually=usualy vacation=vaction
valuable=valuble various=varoius version=verison visit=visist website=webiste wednesday=wensday week=weak
weekend=weekand welcome=wellcome whether=wether which=wich while=whlie without=whithout would=woud
writing=writting yesterday=yesturday yours=your's
""".split())  # fmt: skip

_HOMOPHONES = [
    group.split()
    for group in (
        "their there they're|your you're|its it's|to too|then than|affect effect|lose loose|were where|"
        "accept except|advice advise|know no|here hear|weather whether|by buy|our are|right write|week weak|"
        "meet meat|new knew|past passed|quiet quite|principal principle|who's whose|of off|sale sail|"
        "wait weight|for four|sent scent|hole whole|piece peace|role roll|site sight|complement compliment|"
        "personal personnel|through threw|one won|some sum|would wood|led lead"
    ).split("|")
]

# base, third person, past, participle, -ing
_VERBS = [row.split() for row in (
    "send sends sent sent sending|give gives gave given giving|take takes took taken taking|"
    "get gets got gotten getting|make makes made made making|write writes wrote written writing|"
    "know knows knew known knowing|go goes went gone going|come comes came come coming|"
    "see sees saw seen seeing|meet meets met met meeting|let lets let let letting|"
    "call calls called called calling|work works worked worked working|"
    "need needs needed needed needing|want wants wanted wanted wanting|ask asks asked asked asking|"
    "help helps helped helped helping|look looks looked looked looking|"
    "review reviews reviewed reviewed reviewing|talk talks talked talked talking|"
    "use uses used used using|provide provides provided provided providing|"
    "discuss discusses discussed discussed discussing|receive receives received received receiving|"
    "include includes included included including|plan plans planned planned planning|"
    "try tries tried tried trying|keep keeps kept kept keeping|think thinks thought thought thinking|"
    "find finds found found finding|pay pays paid paid paying|change changes changed changed changing|"
    "schedule schedules scheduled scheduled scheduling|"
    "complete completes completed completed completing|attach attaches attached attached attaching|"
    "forward forwards forwarded forwarded forwarding|start starts started started starting|"
    "expect expects expected expected expecting|continue continues continued continued continuing|"
    "set sets set set setting|be is was been being|have has had had having|do does did done doing|"
    "say says said said saying|tell tells told told telling|speak speaks spoke spoken speaking|"
    "move moves moved moved moving|approve approves approved approved approving|"
    "respond responds responded responded responding|hear hears heard heard hearing|"
    "leave leaves left left leaving|sign signs signed signed signing|hope hopes hoped hoped hoping|"
    "follow follows followed followed following"
).split("|")]  # fmt: skip

_PHRASES = [pair.split("=") for pair in (
    "interested in=interested on|depends on=depends of|depend on=depend of|"
    "responsible for=responsible of|look forward to=look forward for|"
    "looking forward to=looking forward for|according to=according with|in the morning=at the morning|"
    "in the afternoon=on the afternoon|on Monday=in Monday|on Tuesday=at Tuesday|"
    "on Wednesday=in Wednesday|on Thursday=at Thursday|on Friday=in Friday|on Saturday=in Saturday|"
    "on Sunday=in Sunday|wait for=wait to|waiting for=waiting|"
    "attached to=attached on|reply to=reply at|respond to=respond on|response to=response on|"
    "based on=based in|due to=due of|participate in=participate at|comply with=comply to|"
    "consist of=consist in|pay for=pay of|rely on=rely in|with regard to=with regard of|"
    "in regard to=in regard of|contact me=contact with me|contact you=contact to you|"
    "call me=call to me|call you=call to you|discuss the=discuss about the|"
    "discuss this=discuss about this|at the end of=in the end from|in charge of=in charge for|"
    "deal with=deal of|different from=different of|at the same time=in the same time|"
    "on the phone=at the phone|copy of=copy from|listen to=listen|explain to=explain|talk to=talk at|"
    "send me=send to me|give me=give to me|let me=let to me|tell me=tell to me|thanks for=thanks of|"
    "thank you for=thank you of|part of=part from|instead of=instead from|in order to=in order for|"
    "as soon as=as soon like|next week=on next week|last week=in last week|this week=in this week|"
    "next month=in next month|in the meeting=on the meeting|at the office=on the office|"
    "available for=available of|aware of=aware about|sorry for=sorry of|proud of=proud from|"
    "similar to=similar with|focus on=focus in|apply for=apply|access to=access of|"
    "increase in=increase of|during the=in during the"
).split("|")]  # fmt: skip

_UNCOUNTABLE = (
    "information advice feedback equipment assistance progress support confirmation documentation "
    "research training traffic"
)
_JOINED = (
    "a lot|as well|in fact|at least|of course|thank you|each other|no one|in front|all right|to be|"
    "of the|in the|so far|next week|last week|every time|in case|as soon|per cent|on time|in order|"
    "let me|have been|will be"
)
_OPENERS = (
    "However Unfortunately Also Finally Otherwise Therefore Additionally Meanwhile Instead Yes No Thanks "
    "Hi Hello"
)
_COUNTED = "two three four five six seven eight nine ten several many few these those both"
_DAYS = (
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February April June July August "
    "September October November December English American"
)


# ---- finders: where in a text each kind of slip fits -------------------------------------------------------

_Finder = Callable[[str, random.Random], Iterator[_Opening]]


def _any_of(words: str, separator: str | None = None) -> str:
    return "|".join(map(re.escape, sorted(words.split(separator), key=len, reverse=True)))


def _like(model: str, word: str) -> str:
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def _whole(text: str, pattern: str, flags: int = 0) -> Iterator[re.Match[str]]:
    """Matches of whole words as `WORDS` cuts them: none inside a hyphenated word or an address."""
    return re.finditer(rf"(?<![\w@./'’-])(?:{pattern})(?![\w@/'’-]|\.\w)", text, flags)


def _typo(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _whole(text, r"[a-z]{4,}"):
        word = match.group()
        i = rng.randrange(1, len(word) - 1)
        row = next(row for row in _ROWS if word[i] in row)
        at = row.index(word[i])
        near = rng.choice([row[k] for k in (at - 1, at + 1) if 0 <= k < len(row)])
        wrong = rng.choice(
            (
                word[:i] + near + word[i + 1 :],
                word[:i] + near + word[i:],
                word[:i] + word[i + 1] + word[i] + word[i + 2 :],
                word[:i] + word[i + 1 :],
            )
        )
        if wrong != word:
            yield _Opening(*match.span(), wrong)


def _spelling(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _whole(text, "[A-Za-z]+"):
        if wrong := _MISSPELT.get(match.group().lower()):
            yield _Opening(*match.span(), _like(match.group(), wrong))


def _homophone(text: str, rng: random.Random) -> Iterator[_Opening]:
    for group in _HOMOPHONES:
        for match in _whole(text, _any_of(" ".join(group)), re.IGNORECASE):
            if match.group() != match.group().upper():
                wrong = rng.choice([word for word in group if word != match.group().lower()])
                yield _Opening(*match.span(), _like(match.group(), wrong))


def _agreement(text: str, rng: random.Random) -> Iterator[_Opening]:
    singular = {
        "is": "are",
        "was": "were",
        "has": "have",
        "does": "do",
        "doesn't": "don't",
        "isn't": "aren't",
    }
    singular |= {third: base for base, third, *_ in _VERBS if base not in ("be", "have", "do")}
    plural = {wrong: right for right, wrong in singular.items()}
    for subjects, swaps in (
        ("he|she|it|that|this|everyone|nobody|which", singular),
        ("we|they|you|these|those|I", plural),
    ):
        for match in _whole(text, rf"(?P<subject>{subjects}) (?P<verb>{_any_of(' '.join(swaps))})", re.I):
            yield _Opening(*match.span("verb"), swaps[match["verb"].lower()])


def _verb_form(text: str, rng: random.Random) -> Iterator[_Opening]:
    bases = _any_of(" ".join(row[0] for row in _VERBS))
    of = {row[0]: row for row in _VERBS}
    for match in _whole(
        text, rf"(?P<before>to|will|would|can|could|should|must|may|might) (?P<verb>{bases})"
    ):
        _, third, past, participle, ing = of[match["verb"]]
        wrong = rng.choice([past, ing, third] if match["before"] == "to" else [third, participle, ing])
        if wrong != match["verb"]:
            yield _Opening(*match.span("verb"), wrong)
    for column, before in (
        (3, "have|has|had|I've|we've|haven't|hasn't"),
        (4, "am|are|is|I'm|we're|been|by|for|without"),
    ):
        bases_of = {row[column]: row[0] for row in _VERBS if row[column] != row[0]}
        for match in _whole(text, rf"(?:{before}) (?P<verb>{_any_of(' '.join(bases_of))})"):
            yield _Opening(*match.span("verb"), bases_of[match["verb"]])


def _article(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _whole(text, r"(?P<article>a|an|the) (?=[a-z])"):
        yield _Opening(*match.span(), "")
        if match["article"] != "the":
            yield _Opening(*match.span("article"), "an" if match["article"] == "a" else "a")
    for match in _whole(text, rf"(?:for|with|of|on) (?P<noun>{_any_of(_UNCOUNTABLE)})"):
        yield _Opening(match.start("noun"), match.start("noun"), "an " if match["noun"][0] in "aei" else "a ")
    for match in _whole(text, rf"on (?P<day>{_any_of(_DAYS)})"):
        yield _Opening(match.start("day"), match.start("day"), "the ")


def _preposition(text: str, rng: random.Random) -> Iterator[_Opening]:
    for right, wrong in _PHRASES:
        for match in _whole(text, re.escape(right), re.IGNORECASE):
            yield _Opening(*match.span(), _like(match.group(), wrong))


def _apostrophe(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in re.finditer(r"(?<![\w'’-])[A-Za-z]+['’](?:t|s|m|re|ve|ll|d)(?![\w'’-])", text):
        yield _Opening(*match.span(), re.sub("['’]", "", match.group()))


def _capital(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _whole(text, rf"{_any_of(_DAYS)}|I"):
        yield _Opening(*match.span(), match.group().lower())
    for match in re.finditer(r"(?<=[a-z][.?!] )[A-Z][a-z]+(?=[ ,])", text):
        yield _Opening(*match.span(), match.group().lower())


def _punctuation(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in re.finditer(r"(?<=[a-z]{2})[.?](?=\s*\Z|\n)", text):
        yield _Opening(*match.span(), "")
    for match in re.finditer(rf"(?<=\b)(?:{_any_of(_OPENERS)})(?P<comma>,)(?= )", text):
        yield _Opening(*match.span("comma"), "")


def _doubled(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _whole(text, "the|to|is|of|and|that|you|a|in|for|we|with|have|on|be"):
        yield _Opening(*match.span(), f"{match.group()} {match.group()}")


def _joined(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _whole(text, _any_of(_JOINED, "|"), re.IGNORECASE):
        yield _Opening(*match.span(), match.group().replace(" ", ""))


def _number(text: str, rng: random.Random) -> Iterator[_Opening]:
    for match in _whole(text, rf"(?:{_any_of(_COUNTED)}) (?P<noun>[a-z]{{3,}}[^s\W])s", re.IGNORECASE):
        yield _Opening(match.start("noun"), match.end(), match["noun"])


FINDERS: dict[str, _Finder] = {
    "typo": _typo, "spelling": _spelling, "homophone": _homophone, "agreement": _agreement,
    "verb form": _verb_form, "article": _article, "preposition": _preposition, "apostrophe": _apostrophe,
    "capitals": _capital, "punctuation": _punctuation, "doubled word": _doubled, "run together": _joined,
    "noun number": _number,
}  # fmt: skip
WEIGHTS = {
    "typo": 3, "spelling": 3, "homophone": 2, "agreement": 2, "verb form": 2, "article": 3, "preposition": 2,
    "apostrophe": 2, "capitals": 2, "punctuation": 2, "doubled word": 1, "run together": 1, "noun number": 2,
}  # fmt: skip
