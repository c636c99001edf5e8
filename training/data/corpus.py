"""Corpora -> clean sentences, plain documents and the word lists; nothing of an evaluation set stays in.

    python -m training corpus --prose prose.jsonl --email email.jsonl --exclude jfleg_dev.jsonl --out DIR

Input rows are `{"text", "source"}` (JSON lines, optionally .zst). Output: DIR/clean.jsonl (`{"text", "source"}`, one or
two sentences each, targets of correction), DIR/email.jsonl (the same, from business mail), DIR/plain.jsonl (documents
for language modelling), DIR/lexicon.txt and DIR/dialects.tsv (British and American spellings of its words).

The pairs of spellings are made by the rules and short lists below: derived words where the word list has either side of a
pair, verbs in all forms. The word list comes from symspellpy's frequency dictionary (MIT) and the corpora. codespell's
en-GB_to_en-US dictionary (CC BY-SA 3.0) only adds single words to the word list; its pairs are not read for dialects.tsv.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from space.errors import UserError
from space.proofread.lexicon import WORD, save
from training.data.confusions import misspellings

# Spoken English makes poor targets: only this share of its sentences is kept.
SPOKEN = ("transcripts", "ethereum/pm")
_SPOKEN_SHARE = 0.25
_NOVELS = "english_novels"  # old-fashioned: the same share
_TWO_SENTENCES = 0.15  # share of units that hold two sentences, as drafts without full stops do
_EXCLUDE_WORDS = 8  # a sentence that shares a run of 8 words with an evaluation text is dropped

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]?\s+(?=[\"'(\[]?[A-Z0-9])")
_NOT_AN_END = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Inc|Ltd|Co|Corp|vs|etc|No|St|e\.g|i\.e|a\.m|p\.m|[A-Z])\.)$"
)
# Right words that the spelling dictionary does not list.
_UNLISTED = frozenset("p m mr mrs ms dr".split())
# Words of offices that are younger than the dictionaries.
_RECENT = (
    "backhaul carparks cashflows catchup catchups chargeback chargebacks chatbots checkboxes clickbait coworking "
    "crowdfunding deprioritise deprioritize devops dropdowns dropship dropshipping ebike ebikes ecommerce edtech "
    "elearning fintech gamification hashtag hashtags helpdesk hotfix hotfixes hotspot hotspots incoterms influencer "
    "influencers insourcing kanban livestreaming livestreams lockdown lockdowns mentee mentees microlearning mockup "
    "mockups multicloud navbar offboard offboarding offsites onsites palletised payables paywall paywalls photobook "
    "photoshoot photoshoots podcaster preorder preorders ransomware rebooked rebooking rebrand rebranded rebranding "
    "refurb reinvoice reskilling retweet retweets rideshare rideshares rollouts runbook runbooks résumé screencast "
    "screencasts selfie selfies signoff signoffs signup signups smartwatch standups staycation telehealth telework "
    "timeframes timesheet timesheets todo todos tooltips touchpoint touchpoints townhall unfollow unfriend "
    "unvaccinated upsell upselling upskill upskilling videoconference videoconferences vlog vlogs walkthroughs "
    "wearables webpages whitelist whitelisted whitepaper whitepapers workstream workstreams youtuber "
).split()
_ODD = re.compile(r"[|{}<>_\\^~=#*`\[\]@]|https?:|www\.|\.\.|--|  |\u00a0|�")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--prose", type=Path, nargs="*", default=[], help="general English, rows of text and source"
    )
    parser.add_argument("--email", type=Path, nargs="*", default=[], help="business mail, the same rows")
    parser.add_argument("--exclude", type=Path, nargs="*", default=[], help="evaluation sets, to keep out")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    rng = random.Random(args.seed)
    excluded = set(_runs(text for path in args.exclude for text in _strings(path)))
    args.out.mkdir(parents=True, exist_ok=True)
    known = _spelling_words()
    seen: set[str] = set()
    words: Counter[str] = Counter()
    dropped = 0
    report = {}
    with (args.out / "plain.jsonl").open("w", encoding="utf-8") as plain:
        for name, paths in (("clean", args.prose), ("email", args.email)):
            kept = 0
            with (args.out / f"{name}.jsonl").open("w", encoding="utf-8") as out:
                for row in (row for path in paths for row in read_rows(path)):
                    text, source = renumber(row["text"]), row.get("source", "")
                    if excluded.intersection(_runs([text])):
                        dropped += 1
                        text = "\n".join(
                            line for line in text.split("\n") if not excluded.intersection(_runs([line]))
                        )
                    plain.write(json.dumps({"text": text, "source": source}, ensure_ascii=False) + "\n")
                    words.update(_mid_sentence_words(text))
                    spoken = any(mark in source for mark in (*SPOKEN, _NOVELS))
                    for unit in _units(text, rng):
                        if (
                            (spoken and rng.random() > _SPOKEN_SHARE)
                            or unit in seen
                            or not is_clean(unit, known)
                        ):
                            continue
                        seen.add(unit)
                        kept += 1
                        out.write(json.dumps({"text": unit, "source": source}, ensure_ascii=False) + "\n")
            report[name] = kept
    listed = lexicon(words, known)
    save(listed, args.out / "lexicon.txt")
    save_dialects(dialects(listed), args.out / "dialects.tsv")
    report["documents_with_evaluation_text_removed"] = dropped
    print(json.dumps(report))


def read_rows(path: Path) -> Iterator[dict]:
    """JSON lines of a plain or .zst file; UserError if there is none, or on what is not JSON in UTF-8."""
    if not path.is_file():
        raise UserError(f"{path} does not exist: name a file of JSON lines")
    if path.suffix == ".zst":
        import zstandard

        reader = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(path.open("rb"))
        lines: Iterable[str] = io.TextIOWrapper(reader, encoding="utf-8")
    else:
        lines = path.open(encoding="utf-8")
    try:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _parsed(line, f"{path} line {number}")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: write it as JSON lines in UTF-8") from error


def _parsed(line: str, where: str) -> dict:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where} is not JSON: repair or remove it") from error


def detokenize(text: str) -> str:
    """Tokenised English as it is written: `He 's late , is n't he ?` -> `He's late, isn't he?`"""
    text = re.sub(r" (n't|'(?:s|m|re|ve|ll|d)\b)", r"\1", text)
    text = re.sub(r"\bca n't", "can't", text)
    text = re.sub(r" ([,.;:!?%)\]}])", r"\1", text)
    text = re.sub(r"([(\[{$]) ", r"\1", text)
    text = re.sub(r"(\w) - (\w)", r"\1-\2", text)
    return re.sub(r'" ([^"]*?) "', r'"\1"', text)


def renumber(text: str) -> str:
    """Numbers again the lists whose every item reads `1.` (some corpora lost their numbering)."""
    lines, n = text.split("\n"), 0
    for i, line in enumerate(lines):
        if line.startswith("1. "):
            n += 1
            lines[i] = f"{n}. {line[3:]}"
        elif line.strip() and not line.startswith((" ", "\t")):
            n = 0
    return "\n".join(lines)


def sentences(paragraph: str) -> list[str]:
    """The sentences of one paragraph, by a rule good enough for edited prose."""
    found: list[str] = []
    for piece in _SENTENCE_END.split(paragraph.strip()):
        if found and _NOT_AN_END.search(found[-1]):
            found[-1] += " " + piece
        else:
            found.append(piece)
    return found


def is_clean(text: str, known: dict[str, int]) -> bool:
    """Whether a sentence may be a target of correction: whole, plain, and spelt from known words."""
    words = WORD.findall(text)
    if not 3 <= len(words) <= 60 or len(text) > 330 or _ODD.search(text) or text[-1] not in ".!?":
        return False
    if not (text[0].isupper() or text[0] in "\"'"):
        return False
    if text.count('"') % 2 or text.count("(") != text.count(")"):
        return False
    return all(_is_known(word.lower(), known) or (word[0].isupper() and i) for i, word in enumerate(words))


def _is_known(word: str, known: dict[str, int]) -> bool:
    """Whether a word is listed, with 's, n't and the like taken off (the list has no apostrophes)."""
    word = word.replace("’", "'").removesuffix("n't")
    return word.split("'")[0] in known or word in ("ca", "wo", "sha") or word in _UNLISTED


def lexicon(words: Counter[str], known: dict[str, int]) -> dict[str, int]:
    """Merges corpus counts with a spelling dictionary; a word mostly seen with a capital is listed with it."""
    merged: dict[str, int] = {}
    folded: dict[str, Counter[str]] = {}
    for word, count in words.items():
        folded.setdefault(word.lower(), Counter())[word] += count
    for lower in known.keys() | {word for word, forms in folded.items() if forms.total() >= 40}:
        forms = folded.get(lower, Counter())
        capital = forms.get(lower.capitalize(), 0)
        word = lower.capitalize() if capital >= 20 and capital > 0.9 * forms.total() else lower
        if lower in known or (forms[word] >= 40 and word[:1].isupper()) or forms[lower] >= 100:
            merged[word] = forms.total() + known.get(lower, 0) // 40_000
    return {word: count for word, count in merged.items() if len(word) > 1 or word in {"a", "I", "i"}}


# ---- British and American spelling ----

# American stems in -or that are -our in Britain, with the endings before which they stay so ("humorous" is one word for both).
_OUR = (
    "ardor armor behavior candor clamor color demeanor discolor disfavor dishonor enamor endeavor favor fervor flavor harbor "
    "honor humor labor misbehavior misdemeanor multicolor neighbor odor parlor rancor rumor savior savor splendor succor tumor "
    "unfavor unsavor valor vapor vigor watercolor"
).split()
_NOT_OUR = frozenset("humoral humorist humorists".split())
_OUR_ENDINGS = (
    "s ed edly ing ings er ers ful fully less able ably al ally ism ist ists ite ites itism hood hoods ly liness y ies"
).split()
# American stems in -er that are -re; "meter" alone is also a British word, for a device.
_RE = (
    "caliber center centiliter centimeter epicenter fiber goiter kiloliter kilometer lackluster liter luster meager "
    "milliliter millimeter nanometer reconnoiter saber saltpeter scepter sepulcher somber specter theater amphitheater"
).split()
_RE_ENDINGS = {"": "", "s": "s", "ed": "d", "ing": "ing", "ly": "ely", "ness": "eness"}
# Verbs and nouns whose last l is doubled in Britain before an ending, although it is not stressed.
_L = (
    "barrel bevel cancel carol cavil channel chisel counsel dial disembowel dishevel drivel duel enamel equal flannel fuel funnel "
    "gambol grovel impanel imperil initial jewel label laurel level libel marshal marvel medal metal model mislabel nickel outrival "
    "panel parcel pedal pencil pummel quarrel ravel refuel relabel remodel revel rival shovel shrivel signal snivel snorkel "
    "spiral stencil swivel tassel tinsel total towel travel trowel tunnel unravel untrammel victual yodel"
).split()
_L_ENDINGS = "ed edly ing ings er ers or ors ist ists ous ously".split()
# Verbs in -ize that no book on either spelling doubts but the word list may lack.
_IZE = (
    "anonymiz categoriz containeriz criticiz customiz deserializ emphasiz finaliz harmoniz maximiz minimiz moderniz monetiz "
    "optimiz organiz paralleliz parameteriz personaliz prioritiz randomiz realiz recogniz reorganiz sanitiz serializ standardiz "
    "summariz synchroniz tokeniz utiliz virtualiz visualiz"
).split()
# No such verbs, or verbs that differ in more than that letter ("anesthetize" is "anaesthetise").
_NOT_IZE = re.compile(
    r"(?:as|cap|down|mid|out|over|re|right|super|under|up)?siz|.*(?:anaesthet|anesthet|color|pr|se|ma|qu)iz"
    r"|baiz|beliz|biz|cogniz|kustomiz|pfiz"
)
_IZE_ENDINGS = (
    "e es ed ing ings er ers able ably ability ation ations ational ationally ement ements edly ingly".split()
)
_YZE = "analyz breathalyz catalyz dialyz electrolyz hydrolyz overanalyz paralyz psychoanalyz reanalyz".split()
# What no rule covers; American/British.
_BOTH = """
accouterments/accoutrements aluminum/aluminium anemia/anaemia anemic/anaemic anesthesia/anaesthesia anesthetic/anaesthetic
anesthetics/anaesthetics anesthetist/anaesthetist anesthetize/anaesthetise anesthetized/anaesthetised armory/armoury
carburetor/carburettor carburetors/carburettors catalog/catalogue cataloged/catalogued
cataloging/cataloguing catalogs/catalogues celiac/coeliac centerfold/centrefold centerline/centreline centerpiece/centrepiece
centerpieces/centrepieces cesarean/caesarean checkbook/chequebook checkbooks/chequebooks checkered/chequered
colorization/colourisation colorize/colourise colorized/colourised councilor/councillor councilors/councillors
cozier/cosier cozily/cosily coziness/cosiness cozy/cosy defense/defence defenseless/defenceless defenses/defences
diarrhea/diarrhoea distill/distil distills/distils edema/oedema enroll/enrol enrollment/enrolment enrollments/enrolments
enrolls/enrols enthrall/enthral enthralls/enthrals esophagus/oesophagus estrogen/oestrogen feces/faeces fiberglass/fibreglass
fulfill/fulfil fulfillment/fulfilment fulfills/fulfils gray/grey grayer/greyer grayish/greyish grays/greys
grayscale/greyscale gynecological/gynaecological gynecologist/gynaecologist gynecologists/gynaecologists gynecology/gynaecology
hemoglobin/haemoglobin hemophilia/haemophilia hemorrhage/haemorrhage hemorrhages/haemorrhages hemorrhaging/haemorrhaging
hemorrhoids/haemorrhoids installment/instalment installments/instalments instill/instil instills/instils
jewelry/jewellery leukemia/leukaemia licorice/liquorice maneuver/manoeuvre maneuverability/manoeuvrability
maneuverable/manoeuvrable maneuvered/manoeuvred maneuvering/manoeuvring maneuvers/manoeuvres math/maths mold/mould
molded/moulded molding/moulding moldings/mouldings molds/moulds moldy/mouldy mollusk/mollusc mollusks/molluscs molt/moult
molting/moulting mustache/moustache mustaches/moustaches offense/offence offenses/offences orthopedic/orthopaedic
orthopedics/orthopaedics pajama/pyjama pajamas/pyjamas pediatric/paediatric pediatrician/paediatrician
pediatricians/paediatricians pediatrics/paediatrics plow/plough plowed/ploughed plowing/ploughing plows/ploughs
practiced/practised practicing/practising pretense/pretence pretenses/pretences skeptic/sceptic skeptical/sceptical
skeptically/sceptically skepticism/scepticism skeptics/sceptics skillful/skilful skillfully/skilfully smolder/smoulder
smoldered/smouldered smoldering/smouldering snowplow/snowplough tranquilizer/tranquilliser tranquilizers/tranquillisers
willful/wilful willfully/wilfully woolen/woollen woolens/woollens
"""
# The American side is right in Britain too, as another word or as the usual one of two.
_TO_AMERICAN = """
aging/ageing arbor/arbour arbors/arbours artifact/artefact artifacts/artefacts centering/centring check/cheque checks/cheques
curb/kerb curbs/kerbs curbside/kerbside draft/draught draftsman/draughtsman draftsmen/draughtsmen drafty/draughty
encyclopedia/encyclopaedia encyclopedias/encyclopaedias fetal/foetal fetus/foetus fetuses/foetuses gram/gramme grams/grammes
inquire/enquire inquired/enquired inquires/enquires inquiries/enquiries inquiring/enquiring inquiry/enquiry judgment/judgement
judgments/judgements kilogram/kilogramme kilograms/kilogrammes license/licence licenses/licences meter/metre meters/metres
paycheck/paycheque paychecks/paycheques practice/practise practices/practises program/programme programs/programmes
rigor/rigour specialties/specialities specialty/speciality stories/storeys story/storey sulfate/sulphate sulfates/sulphates
sulfide/sulphide sulfur/sulphur sulfuric/sulphuric tire/tyre tires/tyres yogurt/yoghurt yogurts/yoghurts
"""
# The British side is right in America too; "analyses" as a noun.
_TO_BRITISH = """
analyzes/analyses catalyzes/catalyses paralyzes/paralyses
archeological/archaeological archeologist/archaeologist archeologists/archaeologists archeology/archaeology
esthetic/aesthetic esthetically/aesthetically esthetics/aesthetics omelet/omelette omelets/omelettes
"""


def dialects(words: Collection[str]) -> list[tuple[str, str, str]]:
    """(British, American, way) of the words that are spelt in two ways, sorted; `words` says which words there are.

    The way is the spelling into which the word may be put without a look at its sentence: american, british or both.
    """
    pairs = {(british, american): "both" for british, american in _regular_spellings(words)}
    for way, listed in (("both", _BOTH), ("american", _TO_AMERICAN), ("british", _TO_BRITISH)):
        for pair in listed.split():
            american, british = pair.split("/")
            pairs[british, american] = way
    return sorted((british, american, way) for (british, american), way in pairs.items())


def _regular_spellings(words: Collection[str]) -> Iterator[tuple[str, str]]:
    """(British, American) by rule: verbs in their four forms, other derivations where `words` has either side."""
    for british, american in _derivations():
        if british in words or american in words:
            yield british, american
    pattern = re.compile(rf"(.{{2,}}iz)(?:{'|'.join(_IZE_ENDINGS)})")
    stems = {match.group(1) for word in words if (match := pattern.fullmatch(word))} | set(_IZE)
    for stem in stems:
        if _NOT_IZE.fullmatch(stem):
            continue
        is_verb = stem in _IZE or f"{stem}e" in words
        for ending in _IZE_ENDINGS:
            british, american = f"{stem[:-1]}s{ending}", stem + ending
            if is_verb and ending in ("e", "es", "ed", "ing") or british in words or american in words:
                yield british, american
    for stem in _L:
        for ending in ("ed", "ing"):
            yield f"{stem}l{ending}", stem + ending


def _derivations() -> Iterator[tuple[str, str]]:
    """(British, American) of every stem with every ending, words that nobody writes among them."""
    for stem in _OUR:
        for ending in ("", *_OUR_ENDINGS):
            if stem + ending not in _NOT_OUR:
                yield f"{stem[:-2]}our{ending}", stem + ending
    for stem in _RE:
        for ending, british in _RE_ENDINGS.items():
            yield f"{stem[:-2]}{'r' if ending == 'ing' else 're'}{british}", stem + ending
    for stem in _L:
        for ending in _L_ENDINGS:
            yield f"{stem}l{ending}", stem + ending
    for stem in _YZE:
        for ending in ("e", "ed", "ing", "er", "ers", "able"):
            yield f"{stem[:-1]}s{ending}", stem + ending


def save_dialects(pairs: Iterable[tuple[str, str, str]], path: Path) -> None:
    """Writes a list for `space.proofread.dialect`, one `british<TAB>american<TAB>way` a line."""
    path.write_text("".join("\t".join(pair) + "\n" for pair in pairs), encoding="utf-8")


def _mid_sentence_words(text: str) -> Iterator[str]:
    """Words that follow a lower-case word or a comma: their capital says something about the word."""
    for match in re.finditer(r"(?<=[a-z,] )[A-Za-z][a-z]*(?:'[a-z]+)?", text):
        yield match.group()


def _units(text: str, rng: random.Random) -> Iterator[str]:
    for paragraph in re.split(r"\n+", text):
        found = sentences(re.sub(r"^(?:[-•*]|\d+\.)\s+", "", paragraph))
        i = 0
        while i < len(found):
            n = 2 if rng.random() < _TWO_SENTENCES else 1
            yield " ".join(found[i : i + n])
            i += n


def _runs(texts: Iterable[str]) -> Iterator[int]:
    for text in texts:
        words = re.findall(r"[a-z0-9]+", text.lower())
        for i in range(max(1, len(words) - _EXCLUDE_WORDS + 1)):
            if len(words) >= _EXCLUDE_WORDS:
                yield hash(tuple(words[i : i + _EXCLUDE_WORDS]))


def _strings(path: Path) -> Iterator[str]:
    for row in read_rows(path):
        for value in row.values():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    yield text


def _spelling_words() -> dict[str, int]:
    """The words of symspellpy's frequency dictionary, with their counts in books, and the rarer ones of lemminflect."""
    from importlib.resources import files

    path = Path(str(files("symspellpy") / "frequency_dictionary_en_82_765.txt"))
    known = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        word, count = line.split()
        known[word] = int(count)
    # The list has many words in one spelling only.
    pairs = (files("codespell_lib") / "data" / "dictionary_en-GB_to_en-US.txt").read_text(encoding="utf-8")
    for british, american in (
        line.split("->") for line in pairs.split("\n") if "->" in line and "," not in line
    ):
        for word, other in ((american, british), (british, american)):
            known.setdefault(word, known.get(other, 1))
    wrong = {each for wrongs in misspellings().values() for each in wrongs}
    with gzip.open(
        str(files("lemminflect") / "resources" / "infl_lu.csv.gz"), "rt", encoding="utf-8"
    ) as rows:
        for word in re.findall(r"\b[a-z]{4,}\b", re.sub(r"(?m)^([^,]+),[^,]+,", r"\1,", rows.read())):
            if word not in wrong and word.replace("iz", "is") not in known:  # "advertize" is in no good list
                known.setdefault(word, 1)
    known |= dict.fromkeys(_RECENT, 1)
    print(f"{len(known):,} words in the spelling dictionary", file=sys.stderr)
    return known
