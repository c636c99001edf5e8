"""Where links, addresses and secrets stand in a text: URLs with credentials, email addresses, labelled passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator

# ---- URLs that carry credentials or a long key ----

_SCHEMES = r"(?:https?|s?ftp|ssh|git|ldaps?|smtps?|imaps?|mysql|postgres(?:ql)?|mongodb(?:\+srv)?|rediss?|amqps?|wss?)"
URL = re.compile(rf"\b{_SCHEMES}://[^\s<>\"“”]+|\bwww\.[^\s<>\"“”]+", re.IGNORECASE)
_BARE_URL = re.compile(
    r"(?<![\w@./-])(?:[\w-]{1,63}\.){1,5}[a-z]{2,}/[^\s<>\"“”]{0,500}[?#][^\s<>\"“”]{1,500}", re.IGNORECASE
)
_USERINFO = re.compile(r"://[^/?#\s]*@")
_KEY_PARAMETER = re.compile(
    r"[?&#;](?:[\w-]*(?:token|key|secret|passw(?:or)?d|pwd|passcode|auth|access|session|sid|sig|signature|credential|otp|jwt"
    r"|invite|reset|ticket|nonce|hash)[\w-]*|code|pass|pw|pin|state|user|username|email|login|t|k|s)=[^&#\s]+",
    re.IGNORECASE,
)
_OPAQUE = re.compile(
    r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}(?![\w-])|(?<![\w-])(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])[A-Za-z0-9]{24,}(?![\w-])"
)
_BARE_USERINFO = re.compile(
    r"(?<![\w/.])(?!mailto|e-?mail|contact|address|mail|from|to|cc|bcc)[\w.+-]{1,80}:[^\s:@/]{1,80}@[\w-]{1,80}\.[\w.-]{0,80}\w(?:[:/]\S*)?",
    re.IGNORECASE,
)


def urls(text: str) -> Iterator[tuple[int, int]]:
    for match in (match for pattern in (URL, _BARE_URL) for match in pattern.finditer(text)):
        url = match.group().rstrip(".,;:!?'’)]}>")
        if url.count("(") > url.count(")"):
            url += ")" * (match.group()[len(url) :].startswith(")"))
        if _USERINFO.search(url) or _KEY_PARAMETER.search(url) or _OPAQUE.search(url) or "@" in url:
            yield match.start(), match.start() + len(url)
    for match in _BARE_USERINFO.finditer(text):
        yield match.start(), match.start() + len(match.group().rstrip(".,;:!?"))


# ---- email addresses, also as people spell them out ----

_HOST = r"(?=(?:[\w-]+\.)+[^\W\d_]{2,})"  # ahead: a name of a host that ends in letters
_EMAIL = re.compile(
    r"(?:\"[^\"\n@]{1,64}\"|[^\W_](?:[\w.!#$%&*+/=?^`{|}~'’-]{0,80}[\w.+/=~-])?|_[\w.+-]{0,80})"
    rf"(?:@|(?:&#64;|&#x40;|&commat;|%40){_HOST}|[ \t]?\n?[> \t]{{0,3}}@\s?{_HOST})"
    r"(?:\[(?:IPv6:)?[\dA-Fa-f:.]+\]|[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*)"
)
_AT = r"\s*(?:\(\s*(?:at?|@)\s*\)|-at-|\[\s*(?:at|@)\s*\]|\{\s*at\s*\}|<\s*at\s*>)\s*"
_DOT = r"\s*(?:\(\s*(?:dot|\.)\s*\)|\[\s*(?:dot|\.)\s*\]|\{\s*dot\s*\}|<\s*dot\s*>)\s*|\s+dot\s+"
_SPELT_EMAIL = re.compile(
    rf"(?<![\w+-])[\w+-]{{1,80}}(?:(?:\.|{_DOT})[\w+-]{{1,80}}){{0,4}}(?:{_AT}[\w-]+(?:(?:{_DOT}|\.)[\w-]+)*|(?:\s+at\s+|@)[\w-]+(?:\.[\w-]+)*(?:(?:{_DOT})[\w-]+)+"
    r"|\s(?-i:AT)\s(?:[\w-]+\.)+[a-z]{2,}|_at_(?:[\w-]+\.)+[a-z]{2,})",
    re.IGNORECASE,
)


def emails(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_EMAIL, _SPELT_EMAIL):
        for match in pattern.finditer(text):
            if any(letter.isalpha() for letter in match.group()):
                yield match.span()


# ---- passwords, keys and codes behind their label ----

_LABEL = r"(?:pass(?:word|code|phrase|wd)|passwort|kennwort|pwd|pin(?: code)?|otp|cvv2?|cvc2?|(?:security|access|verification|confirmation|login|one-time) code|your code|api[ _-]?key|secret)"
_SECRETS = (
    re.compile(
        rf"\b(?:{_LABEL}[\"']?\s*(?:is now:?|is:?|was:?|ist:?|:|=|->|→|\s-\s)|(?:pw|pass|token)[\"']?\s*[:=])"
        r"\s*[\"'“‘`]?(?P<value>(?!\[[A-Z]+_\d)[^\s\"'”’`,;]{3,})",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:pin(?: code| number)?|otp|cvv2?|cvc2?)\s+(?P<value>\d{3,8})\b", re.IGNORECASE),
    re.compile(
        r"\b(?:login|credentials)\s*[:=]\s*\S{1,64}\s*/\s*(?P<value>(?!\[[A-Z]+_\d)\S{3,})", re.IGNORECASE
    ),
    re.compile(r"\bBearer\s+(?P<value>[\w.~+/=-]{16,})"),
    re.compile(r"-----BEGIN [A-Z ]*KEY-----\s*(?P<value>(?!\[[A-Z]+_\d)[^-\s][^-]+)"),
)


def secrets(text: str) -> Iterator[tuple[int, int]]:
    for match in (match for pattern in _SECRETS for match in pattern.finditer(text)):
        value = match.group("value").rstrip(".!?)")
        # "The password is wrong" discloses nothing; "password: wrong" may.
        if re.search(r"[\d\W_]", value) or re.search(
            r"[:=>→]\s*\W?$", text[match.start() : match.start("value")]
        ):
            yield match.start("value"), match.start("value") + len(value)
