"""Both directions: corrections that must pass, and changes of fact that must not."""

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.proofread.edits import Edit, diff
from space.proofread.email import EDITABLE, split
from space.proofread.lexicon import Lexicon
from space.proofread.names import names
from space.proofread.policy import Thresholds, is_modest
from space.proofread.protect import facts, protected_spans, refusal
from space.proofread.units import Email
from space.proofread.voice import objection

EMAILS = sorted((Path(__file__).parents[2] / "emails").glob("*.txt"))
LEXICON = Lexicon.load()
LENIENT = Thresholds({"default": 0.0}, {"default": 0.0}, 0.0, 0.0, 0.0)


def check(before: str, after: str, terms: Iterable[str] = ()) -> str | None:
    """Why a rewrite, or the first edit of it that does not pass, is refused."""
    spans = protected_spans(before, LEXICON, terms)
    found = (refusal(edit, before, spans, LEXICON) for edit in diff(before, after))
    return objection(before, after) or next(filter(None, found), None)


CORRECTIONS = [
    # spelling
    ("I recieve it.", "I receive it."),
    ("Recieved your mail.", "Received your mail."),
    ("Plase send it.", "Please send it."),
    ("Aplogies for the delay.", "Apologies for the delay."),
    ("Tommorow is fine.", "Tomorrow is fine."),
    ("It is definately usefull.", "It is definitely useful."),
    ("THe file is here.", "The file is here."),
    ("I dont know.", "I don't know."),
    ("Im here.", "I'm here."),
    ("It doesnt work and I cant help.", "It doesn't work, and I can't help."),
    ("Its a good day.", "It's a good day."),
    ("The firm and it's staff.", "The firm and its staff."),
    ("Your welcome.", "You're welcome."),
    ("We wont to order it.", "We want to order it."),
    ("I think I I am late.", "I think I am late."),
    ("They know we they are late.", "They know they are late."),
    ("alot of work", "a lot of work"),
    ("every body is here", "everybody is here"),
    ("We can not come.", "We cannot come."),
    ("a follow up mail", "a follow-up mail"),
    ("We had a meating today.", "We had a meeting today."),
    ("todays meeting", "today's meeting"),
    ("Check weather it works.", "Check whether it works."),
    ("a colour proof", "a color proof"),
    # capitals
    ("i will come", "I will come"),
    ("I speak english.", "I speak English."),
    ("See you on monday.", "See you on Monday."),
    ("The 1st of march is fine.", "The 1st of March is fine."),
    ("Ask priya about it.", "Ask Priya about it."),
    ("I live in istanbul.", "I live in Istanbul."),
    ("We had the Meeting today.", "We had the meeting today."),
    ("send it ASAP please", "Send it ASAP, please."),
    ("the usa market", "the USA market"),
    ("PLEASE SEND ME THE REPORT NOW", "Please send me the report now."),
    ("I am SO happy.", "I am so happy."),
    ("thanks, we go", "Thanks. We go"),
    # days, months, nationalities that were misspelt
    ("We meet on Wendsday.", "We meet on Wednesday."),
    ("on Munday at 9", "on Monday at 9"),
    ("in Febuary 2024", "in February 2024"),
    ("an Amercian company", "an American company"),
    ("I am from German.", "I am from Germany."),
    ("She is a Turkey citizen.", "She is a Turkish citizen."),
    # articles, prepositions, verbs, number
    ("I need a apple.", "I need an apple."),
    ("I go to office.", "I go to the office."),
    ("He depend of me.", "He depends on me."),
    ("The informations is late.", "The information is late."),
    ("He have two brother.", "He has two brothers."),
    ("I have study economics.", "I studied economics."),
    ("I look forward to hear from you.", "I look forward to hearing from you."),
    ("We doesn't have it.", "We don't have it."),
    ("I don't have nothing.", "I don't have anything."),
    ("It was more better then before.", "It was better than before."),
    ("i have to brothers", "I have two brothers"),
    ("It is two late.", "It is too late."),
    ("I saw fourty people.", "I saw forty people."),
    ("I have one question.", "I have a question."),
    # punctuation and blanks
    ("Tom thanks for it.", "Tom, thanks for it."),
    ("In 2024 we sold it.", "In 2024, we sold it."),
    ("It is done", "It is done."),
    ("ok ,thanks", "ok, thanks"),
    ("Is it done.", "Is it done?"),
    ("See https://x.io/a thanks", "See https://x.io/a, thanks."),
    ("Call me at 5pm", "Call me at 5 p.m."),
    ("$ 50 are enogh.", "$ 50 is enough."),
    ("5 dayes later", "5 days later"),
    ("He said “no” to me", "He said “no” to me."),
    ('It is called "done".', 'It is called "done."'),
    ("He said 'yes' to Priya’s plan", "He said 'yes' to Priya's plan."),
    ("The API dont work.", "The API doesn't work."),
    ("All KPIs was good.", "All KPIs were good."),
    ("Send it to Priyas team.", "Send it to Priya's team."),
    ("Thanks Priya", "Thanks, Priya."),
    ("Priya and Tom is here.", "Priya and Tom are here."),
    ("We use a API based tool.", "We use an API-based tool."),
    ("Hi {{name}}, how is you?", "Hi {{name}}, how are you?"),
    ("Send me the report now.", "Could you please send me the report?"),
    ("The total are 1,250.50 EUR.", "The total is 1,250.50 EUR."),
    ("I can to send 40 pieces.", "I can send 40 pieces."),
    ("wrapped line with a\nmistaek in it", "wrapped line with a\nmistake in it"),
    ("Cafe\u0301 Olé are closed.", "Café Olé is closed."),
    ("See you at 9 😊", "See you at 9. 😊"),
    # words that look as if others made them
    ("It works infact.", "It works in fact."),
    ("Thankyou for it.", "Thank you for it."),
    ("It was successfull.", "It was successful."),
    ("Send it to Wednesdayand Friday.", "Send it to Wednesday and Friday."),
]

VIOLATIONS = [
    # words of a trade, and names, that the list lacks
    ("Fax the blackline.", "Fax the black line.", "word of your field"),
    ("It ends this bidweek.", "It ends this week.", "word of your field"),
    ("The dewatering starts.", "The watering starts.", "word of your field"),
    ("We expect the actuals.", "We expect the actual.", "word of your field"),
    ("It permits setoff.", "It permits stuff.", "word of your field"),
    ("Donnita and Jason are here.", "Donna and Jason are here.", "name"),
    # numbers, amounts, dates, times
    ("Pay $1,250 now.", "Pay $1,520 now.", "number"),
    ("Pay $1,250 now.", "Pay now.", "number"),
    ("Pay $50 now.", "Pay €50 now.", "sign"),
    ("Pay $50 now.", "Pay 50 now.", "sign"),
    ("It is 4.5% less.", "It is 4,5% less.", "number"),
    ("It is 45% less.", "It is 45 less.", "sign"),
    ("It is -5 outside.", "It is 5 outside.", "sign"),
    ("Take 3 of 5.", "Take 5 of 3.", "number"),
    ("Take 3 boxes.", "Take 3 3 boxes.", "number"),
    ("Take 2 boxes.", "Take two boxes.", "number"),
    ("We need boxes.", "We need 2 boxes.", "number"),
    ("Take two boxes.", "Take three boxes.", "number"),
    ("Take half of it.", "Take all of it.", "number"),
    ("Meet at 5 pm.", "Meet at 5 am.", "number"),
    ("Meet at 5 p.m.", "Meet at 5.", "number"),
    ("It weighs 10 kg.", "It weighs 10 g.", "number"),
    ("In 3 days.", "In 3 weeks.", "number"),
    ("It takes ½ day.", "It takes a day.", "number"),
    ("Meet at 10:30.", "Meet at 10:00.", "number"),
    ("On 3 May 2024.", "On 4 May 2024.", "number"),
    ("On 3 May 2024.", "On 3 June 2024.", "date"),
    ("See you on Monday.", "See you on Tuesday.", "date"),
    ("See you on Monday.", "See you.", "date"),
    ("See you tomorrow.", "See you today.", "date"),
    ("See you soon.", "See you soon on Friday.", "date"),
    ("From Monday to Friday.", "From Friday to Monday.", "date"),
    ("Our French team.", "Our Spanish team.", "country"),
    ("He moved to Austria.", "He moved to Australia.", "country"),
    # links, addresses, handles, files, code, placeholders
    ("See https://x.io/a_b?c=1.", "See https://x.io/ab?c=1.", "link"),
    ("See www.x.example right now, all of you.", "See it right now, all of you.", "link"),
    ("See x.com/a now.", "See x.com/b now.", "link"),
    ("See it here.", "See it here: https://x.io", "link"),
    ("Write to a.b@x.example.", "Write to ab@x.example.", "email address"),
    ("Ask @maren first.", "Ask Maren first.", "handle"),
    ("Post in #sales now.", "Post in sales now.", "tag"),
    ("Open report_v2.pdf now.", "Open report_v3.pdf now.", "file name"),
    (
        "Please open plan.xlsx before you open list.pdf again.",
        "Please open list.pdf before you open plan.xlsx again.",
        "file name",
    ),
    ("Run `make tset` now.", "Run `make test` now.", "code"),
    ("Set max_tokens first.", "Set max tokens first.", "code"),
    ("Call foo() twice.", "Call food twice.", "code"),
    ("Use --dry-run here.", "Use dry run here.", "code"),
    ("Look in /var/log/app now.", "Look in /var/log/apps now.", "path"),
    ("See ticket QS-1187.", "See ticket QS-1178.", "code"),
    ("In Q3 we grew.", "In Q2 we grew.", "code"),
    ("Hi {{name}},", "Hi {{Name}},", "placeholder"),
    ("Hi [NAME], welcome.", "Hi Priya, welcome.", "placeholder"),
    ("Dear %s, welcome.", "Dear, welcome.", "placeholder"),
    # who does it, of two sentences that run together
    ("Send someone now please I finish at two.", "Send someone now please finish at two.", "who does it"),
    # quoted words
    ('He said "I am agree" to me.', 'He said "I agree" to me.', "quoted text"),
    ('Click "Save" first.', "Click Save first.", "quoted text"),
    ("Click Save first.", 'Click "Save" first.', "sign"),
    ("Choose 'Fast' or 'Slow'.", "Choose 'Slow' or 'Fast'.", "quoted text"),
    # acronyms, mixed-case words, names
    ("Use the API now.", "Use the app now.", "name"),
    ("Ask IT about it.", "Ask it about it.", "name"),
    ("Ask the CEO and CFO.", "Ask the CFO and CEO.", "name"),
    ("The iPhone is here.", "The iphone is here.", "name"),
    ("We use GitHub here.", "We use Github here.", "name"),
    ("The U.S. market grew.", "The U.K. market grew.", "code"),
    ("Ask Priya about it.", "Ask Pria about it.", "name"),
    ("Ask Priya about it.", "Ask her about it.", "name"),
    ("Ask Priya about it.", "Ask priya about it.", "name"),
    ("Ask Tom and Priya.", "Ask Priya and Tom.", "name"),
    ("Ask Tom about it.", "Ask Tom Tom about it.", "repeated"),
    ("Ask Tom and Priya and Lee.", "Ask Tom and Priya and Tom and Lee.", "name"),
    ("Priya's report is here.", "Pria's report is here.", "name"),
    ("Priya will send it.", "She will send it.", "name"),
    ("Tolga came, and I like Tolga.", "Toga came, and I like Tolga.", "name"),
    ("Tom will send it.", "Tim will send it.", "name"),
    ("Tolga,", "Tulga,", "name"),
    ("Hi Marisol,", "Hi Marison,", "name"),
    ("Ms. O'Neil came.", "Ms. O'Neill came.", "name"),
    ("Mr Smith came.", "Ms Smith came.", "name"),
    ("Ask Anne-Marie now.", "Ask Anne Marie now.", "name"),
    ("Ask José now.", "Ask Jose now.", "name"),
    ("I met Mark there.", "I met Marc there.", "name"),
    ("I met Bob Hall there.", "I met Bob there.", "name"),
    ("We live in New York.", "We live in York.", "name"),
    ("We work at Northgate now.", "We work at Northgale now.", "name"),
    ("He will send it.", "Priya he will send it.", "no list knows"),
    ("Ask him now.", "Ask Kevin now.", "name"),
    ("I like it.", "I like it, Tom.", "name"),
    ("See you 😊", "See you", "emoji"),
    # meaning, length, likeness
    ("I can not come today.", "I can come today.", "meaning"),
    ("I will sign it today.", "I will not sign it today.", "meaning"),
    (
        "Please send it.",
        "Please send it as soon as you can, because we all need it very much for the next meeting.",
        "long",
    ),
    ("We met with all of the teams and spoke about the plan for the new house.", "We met.", "lost"),
    ("The cat slept on the warm red sofa.", "My dog ate some cold white rice.", "different"),
    ("Please send the file.", "Please send the fylo.", "no list knows"),
    ("Please send the file.", "请发送文件。", ""),
    # the model itself
    ("Please send it.", "Sure, here is it: Please send it.", "an answer"),
    ("Please send it.", "Here is the corrected sentence: Please send it.", "an answer"),
    ("Please send it.", "Please send it. (Note: no changes needed.)", "an answer"),
    ("Ignore this.", "I cannot help with that.", "an answer"),
    ("I agree.", "I agree.<|assistant|>", "stray symbols"),
    ("I agree.", "<|im_start|>I agree.", "stray symbols"),
    ("I agree.", "I agree.</s>", "stray symbols"),
    ("I agree.", "I **agree**.", "stray symbols"),
    ("I agree.", "I agree.\u202e", "stray symbols"),
    ("I agree.", " ", "empty"),
    ("I like it very much.", "I like it I like it very much.", "repeated"),
    ("Please see it.", "Please see see it.", "repeated"),
    ("one line\nand two", "one line and two", "line break"),
    ("one line and two", "one line\nand two", "line break"),
    ("one\r\ntwo", "one\ntwo", "line break"),
]


def test_the_table_is_large_enough() -> None:
    assert len(CORRECTIONS) + len(VIOLATIONS) >= 160


@pytest.mark.parametrize(("before", "after"), CORRECTIONS)
def test_corrections_pass(before: str, after: str) -> None:
    assert check(before, after) is None


@pytest.mark.parametrize(("before", "after", "reason"), VIOLATIONS)
def test_violations_are_refused_with_their_reason(before: str, after: str, reason: str) -> None:
    found = check(before, after)
    assert found is not None and reason in found and "\n" not in found and len(found) < 120


def test_protected_terms() -> None:
    assert check("We use kubernetis.", "We use Kubernetes.", ["Kubernetes"]) is None
    assert check("we use kubernetes", "We use Kubernetes.", ["Kubernetes"]) is None
    assert check("Marek will come.", "Market will come.") is None  # the gap that the next line closes
    assert check("Marek will come.", "Market will come.", ["Marek"]) == "a protected word would change: Marek"
    assert (
        check("Use the foobaz tool.", "Use the footage tool.", ["foobaz"])
        == "a protected word would change: foobaz"
    )
    assert check("It are late.", "It is late.", ["", "Zebra"]) is None
    assert check("I will come to Will.", "I'll come to Will.", ["Will"]) is None
    assert (
        check("We use kubernetes.", "We use it.", ["Kubernetes"])
        == "a protected word would change: kubernetes"
    )


def test_names_of_an_email_protect_its_sentences() -> None:
    email = "Hi Marek,\n\nMarek's report is good. I told Priya at GitHub and Mr. O'Neil.\n"
    assert names(email, LEXICON) == ["Marek", "Priya", "GitHub", "O'Neil"]
    assert check("Marek will come.", "Market will come.", names(email, LEXICON))


def test_words_of_greetings_and_closings_are_no_names_however_they_are_spelt() -> None:
    assert (
        names("Dear Costumer,", LEXICON)
        == names("Good Mornig,", LEXICON)
        == names("Reguards,", LEXICON)
        == names("Dear Colleages,", LEXICON)
        == []
    )
    assert names("Morinho,", LEXICON) == ["Morinho"]


def test_a_slip_that_opens_a_sentence_is_no_name() -> None:
    assert names("Thankyou,\nJohn", LEXICON) == ["John"]
    assert names("Shoud AEP be told?", LEXICON) == ["AEP"]
    assert names("Northgate AEP is told.", LEXICON) == ["Northgate", "AEP"]


def test_a_name_that_stands_elsewhere_too_owns_what_follows() -> None:
    assert names("We sent Vexos tariff to Vexo.", LEXICON) == ["Vexo"]
    assert names("We sent Vexos tariff to him.", LEXICON) == ["Vexos"]  # may be called so
    assert names("The RTOs told their RTO.", LEXICON) == ["RTO"]
    email = Email.read("We are under Vexos tariff.\n\nOnly Vexo may change it.", LEXICON)
    assert email.names == {"Vexo"} and {span.text for span in email.spans} == {"Vexo"}


def test_a_misspelt_negation_may_be_spelt_out_and_another_word_may_not_become_one() -> None:
    assert check("I have neber had it.", "I have never had it.", []) is None
    assert check("Please let me no if it is.", "Please let me know if it is.", []) is None
    assert "would be added" in str(check("I have ever had it.", "I have never had it.", []))
    assert "would be added" in str(check("I have zebra had it.", "I have never had it.", []))


def test_i_without_its_apostrophe_is_no_name() -> None:
    assert names("After a year, Im leaving, and Ive told Priya.", LEXICON) == ["Priya"]
    assert check("After a year, Im leaving.", "After a year, I'm leaving.", []) is None


def test_protected_lists_what_must_stay() -> None:
    text = (
        'Priya pays $50 to Tom by 4 May, see https://x.io/a, list.pdf, "My plan" for {{client}}, or ask @lee.'
    )
    found = facts(text, LEXICON)
    for item in ("50", "4", "May", "Tom", "https://x.io/a", "list.pdf", "My plan", "{{client}}", "@lee"):
        assert item in found


def test_the_writers_own_control_text_may_stay() -> None:
    assert check("The token <|assistant|> are odd.", "The token <|assistant|> is odd.") is None
    assert check("Sure, here is it.", "Sure, here it is.") is None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_two_texts_get_an_answer(before: str, after: str) -> None:
    assert check(before, before) is None
    reason = check(before, after)
    assert reason is None or "\n" not in reason.split(":")[0]


@pytest.mark.parametrize("path", EMAILS, ids=lambda path: path.stem)
def test_every_figure_and_name_of_an_email_is_protected(path: Path) -> None:
    for part in split(path.read_text(encoding="utf-8")):
        if part.kind not in EDITABLE:
            continue
        for item in facts(part.text, LEXICON):
            where = part.text.rfind(item)
            if where < 0:
                continue  # normalised, as in a quote that runs over two lines
            assert check(part.text, part.text[:where] + part.text[where + len(item) :]), (item, part.text)


EMAIL = "Hi Tom, the Priya report of 4 May costs $1,250. We recieve it on Monday. "


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (EMAIL * 150, (EMAIL * 150).replace("recieve", "receive")),
        ("." * 20_000, "." * 19_990),
        ('"' * 20_000, '"' * 19_990),
        ("[" * 20_000, "[" * 19_999),
        ("a-" * 10_000, "a-" * 10_001),
        ("1." * 10_000, "1," * 10_000),
        ("😀" * 20_000, "😀" * 19_999),
        ("<a" * 10_000, "<b" * 10_000),
        ("@ a@a." * 3_000, "@ a@b." * 3_000),
        (" ".join(f"zx{i:x}q" for i in range(2_000)), " ".join(f"qy{i:x}z" for i in range(2_000))),
        ("under" * 10_000, "other" * 10_000),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_texts_take_no_longer(before: str, after: str) -> None:
    check("warm", "up")  # reads the word list
    began = time.process_time()
    check(before, after)
    assert time.process_time() - began < 3.0  # measured: 0.3 s of processor time at most


@pytest.mark.parametrize(
    ("before", "after", "modest"),
    [
        ("recieved", "received", True),
        ("have", "has been", True),
        ("their", "there", True),
        ("", "the", True),
        ("alcohol", "notice", False),
        ("box it up", "", False),
        ("Whadaythink?", "Will that you think about what?", False),
    ],
)
def test_a_correction_is_modest(before: str, after: str, modest: bool) -> None:
    assert is_modest(before, after) is modest


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("We buy it.", "We sell it."),
        ("Prices went up.", "Prices went down."),
        ("You owe us.", "We owe you."),
        ("I can come.", "I may come."),
        ("He signed it.", "She signed it."),
        ("It is always open.", "It is never open."),
    ],
)
def test_what_says_something_else_is_never_applied_on_the_language_models_word_alone(
    before: str, after: str
) -> None:
    edits = [LENIENT.decide(edit, proposed=False) for edit in diff(before, after)]
    assert edits and all(edit.status != "applied" for edit in edits) or check(before, after)


def test_what_others_propose_too_is_applied() -> None:
    (edit,) = diff("I can to may come.", "I can may come.")
    assert LENIENT.decide(edit, proposed=True).status == "applied"


def test_an_edit_is_applied_suggested_or_refused_by_its_score_and_kind() -> None:
    thresholds = replace(LENIENT, apply={"default": 0.6, "article": 0.8}, suggest={"default": 0.3})
    found = [
        thresholds.decide(Edit(0, 1, "a", "the", kind, score=score), proposed=True).status
        for kind, score in (("article", 0.79), ("article", 0.8), ("spelling", 0.6), ("spelling", 0.3), ("spelling", 0.29))
    ]  # fmt: skip
    assert found == ["suggested", "applied", "applied", "suggested", "refused"]
