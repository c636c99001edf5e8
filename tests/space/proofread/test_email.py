"""What counts as a sentence, a greeting, a quote, and one law: that nothing is lost."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.proofread.email import EDITABLE, join, split
from space.proofread.sentences import sentences

EMAILS = sorted((Path(__file__).parents[2] / "emails").glob("*.txt"))

# Pieces that decide how lines are read, so that random drafts reach every branch.
PIECES = st.sampled_from(
    [
        "Hi Tom,",
        "Thanks,",
        "Best regard,",
        "-- ",
        ">",
        "> quoted",
        "- item",
        "1. one",
        "```",
        "    x = 1;",
        "|a|b|",
    ]
    + [
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        " ",
        "\t",
        ".",
        "?!",
        "...",
        "Mr.",
        "e.g.",
        "a.m.",
        "U.S.",
        "word",
        "Priya",
        "😊",
    ]
    + [
        "From: a",
        "Sent: b",
        "To: c",
        "Subject: d",
        "On 4 May 2024 at 10:00, Tom wrote:",
        "\x00",
        "\ud800",
        "שלום",
        "e\u0301",
    ]
    + [
        "Traceback (most recent call last):",
        '  File "a.py"',
        "-----Original Message-----",
        "A   B",
        "\u2028",
        "\x0b",
        "(1) ",
    ]
)
ANY_TEXT = st.text(alphabet=st.characters(), max_size=200)  # lone surrogates and control characters included
DRAFTS = st.one_of(
    ANY_TEXT, st.lists(PIECES, max_size=40).map("".join), st.lists(PIECES, max_size=30).map("\n".join)
)


def kinds(draft: str, *wanted: str) -> list[tuple[str, str]]:
    return [(p.kind, p.text) for p in split(draft) if p.kind != "gap" and (not wanted or p.kind in wanted)]


def texts(draft: str, kind: str) -> list[str]:
    return [text for _, text in kinds(draft, kind)]


@settings(max_examples=400, deadline=None)
@given(DRAFTS)
def test_parts_join_to_the_draft_and_know_their_place(draft: str) -> None:
    parts = split(draft)
    assert join(parts) == draft
    assert all(draft[p.start : p.start + len(p.text)] == p.text and p.text for p in parts)
    for part in parts:
        if part.kind in EDITABLE:
            assert part.text == part.text.strip() and any(c.isalnum() for c in part.text)


@settings(max_examples=200, deadline=None)
@given(DRAFTS)
def test_sentences_cover_every_word_in_order(text: str) -> None:
    spans = sentences(text)
    assert all(a < b for a, b in spans) and all(p[1] <= q[0] for p, q in zip(spans, spans[1:], strict=False))
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "Mr. Smith met Dr. Lee and Ms. O'Neil.",
        "Call J. R. Tolkan at 5 p.m. on Friday.",
        "We sell tea, e.g. Assam, i.e. the black one.",
        "Acme Inc. has 3.5 million users.",
        "See https://x.io/a.b?c=1 for more.",
        "It costs $1,250.50 vs. $900.",
        "The U.S. market grew by 4.5%.",
        "Prof. van der Berg (Univ. of Leiden) agrees.",
        "I waited... and waited.",
        "We meet on 4. May in Bonn.",
        "Please see Fig. 3 and No. 5 for details.",
        "Yahoo! is our customer.",
        "The file report.final.pdf is attached.",
    ],
)
def test_one_sentence(text: str) -> None:
    assert [text[a:b] for a, b in sentences(text)] == [text]


@pytest.mark.parametrize(
    "text",
    [
        ["Really?!", "Yes!", "See you."],
        ["We met at 5 p.m.", "The room was full."],
        ["thank you for the mail.", "i will come tomorow."],
        ["He works at Acme Inc.", "We like him."],
        ['She said "No."', "Then she left."],
        ["No.", "I will not."],
        ["Great! 😊", "See you soon."],
        ["Hmm...", "Maybe."],
        ["(It is late.)", "Good night."],
        ["It was 2024.", "Sales grew."],
        ["مرحبا؟", "שלום."],
        ["He left the U.S.", "We stayed."],
    ],
)
def test_several_sentences(text: list[str]) -> None:
    joined = " ".join(text)
    assert [joined[a:b] for a, b in sentences(joined)] == text


@pytest.mark.parametrize(
    "line",
    [
        "Hi Tom,",
        "hi tom",
        "Dear Ms. O'Neil:",
        "Dear all,",
        "Dear Sir or Madam,",
        "Good morning, everyone!",
        "To whom it may concern,",
        "Hello Prof. Lindqvist,",
        "Hey Luis –",
        "Kevin,",
        "Ed & Brant:",
        "Steve --",
        "Hi Mark.",
        "Helo Anna,",
    ],
)
def test_greeting(line: str) -> None:
    assert kinds(f"{line}\n\nThe report is done.\n") == [
        ("greeting", line),
        ("sentence", "The report is done."),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Hi Tom, thanks for the note.",
        "Hello, can you help me?",
        "Thanks for your mail.",
        "Dear me, that is late.",
    ],
)
def test_not_a_greeting(line: str) -> None:
    assert kinds(f"{line}\n\nBye now, Tom.\n")[0] == ("sentence", line)


def test_wrapped_lines_are_one_sentence_and_short_lines_are_not() -> None:
    wrapped = (
        "I am writing to you about the position that I saw on your\n"
        "website last week. Please let me know whether it is still\nopen."
    )
    assert texts(wrapped, "sentence") == [
        "I am writing to you about the position that I saw on your\nwebsite last week.",
        "Please let me know whether it is still\nopen.",
    ]
    assert texts("I need help\nMy pc is broken\nIt was fine\n", "sentence") == [
        "I need help",
        "My pc is broken",
        "It was fine",
    ]


def test_lists() -> None:
    draft = (
        "We need:\n- one thing\n  that goes on\n* two\n\n1. First. And more.\n2) Second\n[ ] todo\na) alpha\n"
    )
    assert texts(draft, "item") == [
        "one thing\n  that goes on",
        "two",
        "First.",
        "And more.",
        "Second",
        "todo",
        "alpha",
    ]
    assert (
        texts(
            "The meeting was moved from the end of March to May\n4. It will take two hours in the big room.",
            "item",
        )
        == []
    )


@pytest.mark.parametrize(
    "quote",
    [
        "On Tue, Jun 4, 2024 at 3:41 PM Tom Smith <tom@x.example> wrote:\n> I am agree.\n> Bye",
        "On Tue, Jun 4, 2024 at 3:41 PM Tom Smith\n<tom@x.example> wrote:\n\nI am agree.",
        "On 4 Jun 2024, at 15:41, Tom <tom@x.example> wrote:\n\n> I am agree.",
        "-----Original Message-----\nFrom: Tom\nSent: Monday\nI am agree.",
        "From: Tom <tom@x.example>\nSent: Monday, 3 June 2024 10:00\nTo: Me\nSubject: x\n\nI am agree.",
        "________________________________\nFrom: Tom <tom@x.example>\nSent: Monday\nTo: Me\n\nI am agree.",
        "---------- Forwarded message ---------\nFrom: Tom\n\nI am agree.",
        "Begin forwarded message:\n\nFrom: Tom\n\nI am agree.",
        "Le mar. 4 juin 2024 à 15:41, Tom <tom@x.example> a écrit :\n> I am agree.",
        "> I am agree.\n> He said.",
    ],
)
def test_quoted_reply_is_never_editable(quote: str) -> None:
    draft = f"Hi Tom,\n\nThat works for me.\n\n{quote}\n"
    assert kinds(draft, *EDITABLE) == [("greeting", "Hi Tom,"), ("sentence", "That works for me.")]
    assert "I am agree." in "".join(texts(draft, "quote"))


def test_answers_between_quoted_lines_are_editable() -> None:
    draft = "On 4 May 2024, at 10:00, Tom <t@x.io> wrote:\n\n> When?\n\nOn Monday.\n\n> Where?\n\nHere.\n"
    assert texts(draft, "sentence") == ["On Monday.", "Here."]


def test_telling_what_somebody_wrote_is_not_a_quote() -> None:
    assert texts("I called Tom.\n\nOn Monday he wrote:\n\nI will come.\n", "sentence")[-1] == "I will come."


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nPriya Nair\nHead of Sales",
        "Best regards,\nPriya\nHead of Sales, Acme Inc.\n(555) 010-0142",
        "Thanks,\n\nPriya",
        "Thanks, Priya",
        "Kind regards\nP. Nair | CEO | Acme\nM: +1 555 0100\nwww.acme.example",
        "Sincerely,\n\nDana R. Whitfield\nDirector of People",
        "Cheers\nbob",
        "Priya",
        "R. Haugen\nPurchasing, Nordkapp Marine",
        "Sent from my iPhone",
        "Regards,\nTom\n\nThis email and any attachments are confidential.",
    ],
)
def test_signature(signature: str) -> None:
    assert kinds(f"Hi Tom,\n\nThe report is done.\n\n{signature}\n")[2:] == [("signature", signature)]


@pytest.mark.parametrize("closing", ["Thnaks,", "Kind reagrds", "Best Regads,", "Sincerly yours"])
def test_a_closing_of_which_two_letters_are_swapped_is_one(closing: str) -> None:
    assert kinds(f"Hi Tom,\n\nIt is done.\n\n{closing}\nPriya\n")[2:] == [
        ("closing", closing),
        ("signature", "Priya"),
    ]


def test_misspelt_closing_may_be_corrected_but_not_the_name() -> None:
    draft = "Hi Tom,\n\nIt is done.\n\nBest regard,\nPriya Nair\nHead of Sales\n"
    assert kinds(draft)[2:] == [("closing", "Best regard,"), ("signature", "Priya Nair\nHead of Sales")]


def test_thanks_in_the_middle_is_a_sentence_and_a_postscript_too() -> None:
    draft = "Thanks!\n\nI will send it tomorrow.\n\nBest,\nTom\n\nP.S. I forgot the file.\n"
    assert texts(draft, "sentence") == ["Thanks!", "I will send it tomorrow.", "P.S. I forgot the file."]


@pytest.mark.parametrize(
    "code",
    [
        "```\nI is code\n```",
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nValueError: I is bad',
        "a.b.StateException: I is bad\n\tat a.b.C(D.java:1)\nCaused by: java.io.IOException\n\t... 3 more",
        "    for x in y:\n        print(x)",
        "def f(x):\n    return x",
        "SELECT name FROM users WHERE id = 3;",
        "2024-10-09 02:14:07 ERROR export: it fail",
        "| Item | Price |\n|------|-------|\n| Pen | 2 |",
        "Item      Price\nPen           2\nInk          12",
        "Item\tPrice\nPen\t2",
        '{\n  "name": "x"\n}',
    ],
)
def test_code_and_tables(code: str) -> None:
    draft = f"Here is it.\n\n{code}\n\nPlease fix this.\n"
    assert kinds(draft, *EDITABLE) == [("sentence", "Here is it."), ("sentence", "Please fix this.")]


def test_indented_prose_is_prose() -> None:
    draft = (
        "    This paragraph was written by somebody who likes to\n    begin every line with four blanks.\n"
    )
    assert [kind for kind, _ in kinds(draft)] == ["sentence"]


def test_headers_on_top() -> None:
    draft = "From: Tom\nTo: Priya\nSubject: Lunch tomorow\nCc: Ann\n\nHi Priya,\n\nlets eat.\n"
    assert kinds(draft) == [
        ("header", "From: Tom\nTo: Priya\nSubject:"),
        ("subject", "Lunch tomorow"),
        ("header", "Cc: Ann"),
        ("greeting", "Hi Priya,"),
        ("sentence", "lets eat."),
    ]


@pytest.mark.parametrize(
    ("line", "word", "subject"),
    [
        ("Subject: Lunch", "Subject:", "Lunch"),
        ("subject : Lunch", "subject :", "Lunch"),
        ("**Subject:** Lunch", "**Subject:**", "Lunch"),
        ("Subject: Re: AW: Fwd: RE[2]: Lunch", "Subject: Re: AW: Fwd: RE[2]:", "Lunch"),
        ("Subject: Lunch with the people\n of Oslo", "Subject:", "Lunch with the people\n of Oslo"),
        ("Subject: Lunch\nSubject: Dinner", "Subject:", "Lunch"),
        ("Subject: Report: Lunch", "Subject:", "Report: Lunch"),
    ],
)
def test_a_subject_is_what_stands_behind_its_word(line: str, word: str, subject: str) -> None:
    found = kinds(f"{line}\n\nHi Priya,\n\nlets eat.\n")
    assert found[:2] == [("header", word), ("subject", subject)]
    assert [kind for kind, _ in found].count("subject") == 1


@pytest.mark.parametrize(
    "draft",
    [
        "Subject:\n\nHi Priya,\n\nlets eat.",
        "Subject: Re: \n\nHi Priya,\n\nlets eat.",
        "Hi Priya,\n\nlets eat.\n\nSubject: Lunch",
        "Hi Priya,\n\nlets eat.\n\nFrom: Tom\nTo: Priya\nSubject: Lunch\n\nAre you hungry?",
        "> Subject: Lunch\n\nlets eat.",
    ],
)
def test_no_subject_where_nobody_wrote_one(draft: str) -> None:
    assert "subject" not in [kind for kind, _ in kinds(draft)]


@pytest.mark.parametrize("path", EMAILS, ids=lambda path: path.stem)
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_whole_emails(path: Path, line_break: str) -> None:
    draft = path.read_text(encoding="utf-8").replace("\n", line_break)
    parts = split(draft)
    assert join(parts) == draft
    found = [p.kind for p in parts if p.kind != "gap"]
    assert "sentence" in found and found[-1] in ("signature", "quote")
    assert found.count("greeting") == 1 and found.index("greeting") <= 2


@pytest.mark.parametrize(
    "draft",
    [
        "word " * 20_000,
        "." * 50_000,
        "a." * 25_000,
        "\n" * 50_000,
        "Thanks\n" * 10_000,
        "Hi\n\n" * 10_000,
        "On 1 May\n" * 10_000,
        "From: a\n" * 10_000,
        "|" * 50_000,
        " " * 50_000,
        "\t" * 50_000 + "x",
        "x = " * 15_000,
        "    a\n" * 15_000,
        "On Mon " * 10_000 + "wrote:",
        "<a " * 20_000,
        "Best regard,\n\n" * 10_000,
        "Exception" * 10_000,
        "_" * 50_000,
        "(" * 50_000,
        "Xy " * 25_000 + ",",
        "a " * 30_000 + "wrote:",
    ],
    ids=lambda draft: repr(draft[:12]),
)
def test_hostile_drafts_take_no_longer(draft: str) -> None:
    began = time.thread_time()
    assert join(split(draft)) == draft
    # Measured: 0.2 s at most; a minute and more if each line looks at all others.
    assert time.thread_time() - began < 10
