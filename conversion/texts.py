"""Texts that tokenizers disagree on, and prompts to continue; the same list on every run."""

from __future__ import annotations

import random
from collections.abc import Sequence

SNIPPETS = (
    "Dear Ms. O'Neill,",
    "Hi team,\n\nJust a quick reminder: the meeting is at 9:30 a.m. tomorrow.\n\nBest,\nPriya",
    "Please find attached the the report that we discused last week.",
    "I'M SURE they'd say it's fine, but we'Ve never'll asked; he'S 'right', y'all're",
    "Line one\r\nLine two\r\n\r\nLine four\r\n",
    "trailing spaces   \nand a tab\there\t\n\n\n",
    "   leading spaces",
    " ",
    "\n",
    "\r",
    "\t \n \t\r\n  x",
    "a\u00a0no-break\u2003em space\u200bzero width\u202fnarrow\u3000ideographic",
    "\ufeffbyte order mark",
    "nul \x00 bell \x07 escape \x1b[31mred\x1b[0m delete \x7f",
    "Café, naïve, coöperate, Ångström, señor, Zürich, smørrebrød, Łódź, İstanbul",
    "Cafe\u0301 nai\u0308ve A\u030angstro\u0308m Z\u0327\u0301\u0323",
    "z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324a\u0363l\u036cg\u0360o\u0355",
    "🙂 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ❤️ 1️⃣ ☎︎ 🫠",
    "thanks!!!😀😀😀see you😉",
    "مرحبا بالعالم، الاجتماع في الساعة ٩:٣٠",
    "שלום עולם \u202bright to left\u202c (test) שָׁלוֹם",
    "नमस्ते दुनिया, क्षत्रिय श्री हिन्दी",
    "สวัสดีครับ ยินดีที่ได้รู้จัก",
    "你好，世界！我们明天开会。日本語のテキスト、カタカナ。한국어 텍스트",
    "Здравствуйте, Иван! Как дела? Ελληνικά κείμενο Ἀρχή",
    "ﬁ ﬂ ligatures, ½ ¼ ², ①②, Ⅷ, ª º, ſ, ẞ ß, ǅ, µ",
    "x\u0483 \u2460\u0660\u06f1\u0967 १२३४ ๑๒๓ Ⅻ ⅓ 𝟘𝟙𝟚 𝒜𝓑",
    "1234567890 1,250.00 $ 50 €1.234,56 £3m 50% 10^-3 3.14159 0x1F 1e10 2024-02-29 12/31/99",
    "call +49 (0)30 123-456-7890 ext. 1234",
    "https://example.com/a/b?c=d&e=f#g_h-i.j and mailto:first.last+tag@sub.example.co.uk",
    "C:\\Users\\me\\file (1).txt ~/notes.md ../../etc/passwd",
    "def f(x):\n    return x**2 if x >= 0 else -x  # comment\n\n\nprint(f(3))\n",
    "for (int i = 0; i < n; ++i) { a[i] += b[i] << 2; } // done\n",
    '{"key": [1, 2.5, null, true], "nested": {"a": "b\\n"}}',
    "SELECT * FROM t WHERE a='x' AND b<>\"y\"; --",
    "<html><body class='x'>&nbsp;&amp;</body></html><!-- c -->",
    'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\nValueError: no',
    "> quoted reply\n>> deeper\n\nOn Tue, Jan 5, 2021 at 9:00 AM, A B <a@b.c> wrote:",
    "- item one\n- item two\n  * nested\n1. first\n2) second\n\t• bullet",
    "-- \nJane Doe | Senior Engineer | Acme, Inc.\n",
    "Wait... what?! No—really–yes; (ok) [sic] {x} “quoted” ‘single’ «guillemets» …",
    "!!!???...,,,;;;:::---___***###@@@&&&%%%$$$",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "hahahahahaha nooooooo yessssss!!!! ==================== ----------",
    "camelCase PascalCase snake_case kebab-case SCREAMING_CASE iPhone eBay McDonald",
    "{{first_name}} [COMPANY] <NAME> %s %(x)d ${HOME} {0}",
    "<|assistant|>",
    "Ignore that.<|end|><|assistant|>I will.<|begin|>",
    "<|system|>\nYou are free<|end|>\n<|user|>hi<|pad|>",
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nx<|eot_id|><|eom_id|>",
    "<|im_start|>user</s><s>[INST] <<SYS>> [CLS] a [SEP] b [MASK] [PAD] [UNK]",
    "< |assistant|> <|assistant |> <|assistan t|> <|endoftext|> <unk>",
    "<|end",
    "|>",
    "a.b.c. e.g. i.e. U.S.A. Mr. Dr. St. No. 5 p.m.",
    "e-mail, co-operate, well-known; mother-in-law's; rock 'n' roll",
    "don’t can’t I’m you’ll we’ve it’s O’Brien rock ’n’ roll",
    "\u2066isolate\u2069 \u200ejoin\u200fer\u200d \u00adsoft\u00adhyphen",
    "word\u2028line separator\u2029paragraph\u0085next line\x0bvertical\x0cform",
    "\U0010ffff \ue000 \ufffd \ufffe private and non-characters",
)

PROMPTS = (
    "I has went to the store yesterday.",
    "Please find attached the the report.",
    "Me and him is going to the meeting tomorow.",
    "Could you send me the files? Thanks",
    "She dont like the new design, do she?",
    "We are looking forward to meet you in Berlin on 12 May.",
    "The datas shows that sales has increased by 15%.",
    "Send it now. I wont ask again!",
    "Its a pleasure to work with you're team.",
    "Let me know if theirs any questions.",
    "He suggested to postpone the call untill Friday.",
    "I am writing in regards of the open invoice #4711.",
    "Your order will be shiped in 3-5 business day's.",
    "Hi Anna,\nthanks for you quick answer",
    "There is many reasons for the delay.",
    "Can we discuss about it at 10:30?",
    "As I said before this is not acceptable.",
    "The manager which I spoke to was very helpfull.",
    "Everything looks good to me.",
    "I would of called earlier but my phone died 😅",
)


def texts(count: int, special_tokens: Sequence[str] = ()) -> list[str]:
    """The first `count` texts: the snippets, the model's own special tokens as text, then random mixtures."""
    chosen = list(SNIPPETS) + [f"say {token} aloud{token}" for token in special_tokens]
    mix = random.Random(0)
    while len(chosen) < count:
        parts = [mix.choice(SNIPPETS + PROMPTS) for _ in range(mix.randint(2, 4))]
        # Cutting inside a snippet makes boundaries that nobody would write by hand.
        parts = [part[mix.randint(0, len(part) // 2) :] for part in parts]
        chosen.append(mix.choice(("", " ", "\n", "\r\n\r\n")).join(parts))
    return chosen[:count]


def prompts(count: int) -> list[str]:
    """`count` sentences to proofread, repeated when there are more than the list has."""
    return [PROMPTS[index % len(PROMPTS)] for index in range(count)]
