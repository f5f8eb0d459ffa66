"""What a client would take for a URL, a domain or a mail address, however it is disguised.

Knows GitHub's autolinks, linkify's bare domains and the WHATWG URL parser's leniency (backslashes, missing slashes,
invisible characters, full-width forms, entities). Errs towards seeing one.
"""

from __future__ import annotations

import html
import re
import unicodedata

_SCHEMES = (
    "https?|ftps?|sftp|ssh|wss?|file|blob|filesystem|data|javascript|vbscript|mailto|xmpp|tel|sms|callto|facetime|skype"
    "|whatsapp|tg|slack|msteams|zoommtg|magnet|intent|view-source|about|cid|urn|irc|matrix|vscode|git|ldap|smb|ms-[a-z]+"
)
_URL = re.compile(
    rf"://|(?:^|[^\w])//|(?:^|[^a-z0-9])(?:{_SCHEMES}):|(?:^|[^a-z0-9])www\d{{0,3}}\."
    r"|[\w-]\.(?:[^\W\d_]{2,24}|xn--[\w-]{2,60})\.?(?::\d*)?[/?#]|@[\w.-]+:"
    r"|\d\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d*)?[/?#]"
)
_PLAIN_HOST = re.compile(r"https?://([a-z0-9.-]+)(?::\d{1,5})?[/?#][A-Za-z0-9._~/?#=&%+,:!$*-]*")
_FILES = "txt|pdf|docx?|csv|tsv|jsonl?|ya?ml|toml|xlsx?|pptx?|png|jpe?g|gif|log|xml|html?|py|sql|md|ini|cfg|conf|bak"
"""Endings of files, so that "Whitfield.pdf" is no domain. Some are also those of countries: a link, but no request."""
_FILE = re.compile(rf"[\w\-+~]*\.(?:{_FILES})[.,;:]*", re.IGNORECASE)
_ADDRESS = re.compile(r"[\w\-+%~]*(?:\.[\w-]|@\w|:/)")
_RUN = re.compile(
    "[\\w\\-+%~.@:&#;\\\\/。．｡＠：\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
)  # what an address, or its disguise, can consist of
_CLOSING = re.compile("[)\\]}.,;:!?'\"*_>`|]*")
AHEAD = 80
"""Characters after a surrogate that are waited for at most; an address that goes on longer counts as one."""


def bare(token: str) -> str:
    """A token as a browser would read it: entities and escapes undone, full-width forms folded, nothing invisible."""
    if token.isascii() and "&" not in token:
        return token.replace("\\", "/").lower()
    seen = unicodedata.normalize("NFKC", html.unescape(token)).replace("\\", "/").replace("。", ".").lower()
    return "".join(c for c in seen if not c.isspace() and unicodedata.category(c) not in ("Cf", "Cc", "Mn"))


def is_url(token: str) -> bool:
    """Whether what follows ``token``, which has no white space, would belong to a URL."""
    return _URL.search(bare(token)) is not None


def plain_host(token: str) -> str | None:
    """The host if ``token`` ends in a plain ``http`` URL, spelled so that every parser reads the same host, and nothing
    that looks like a URL stands before it.
    """
    begin = token.lower().find("http")
    match = _PLAIN_HOST.fullmatch(token, begin) if begin >= 0 else None
    if match is None or token[max(0, begin - 1) : begin] not in ("", *"([\"'="):
        return None
    return None if is_url(token[:begin]) or "//" in token[match.end(1) :] else match.group(1)


def goes_on(text: str, end: int, *, final: bool, json: bool) -> bool | None:
    """Whether ``text[end:]`` makes an address of the word before it ("X.evil.example", "X-y@evil"); None: wait."""
    run = _RUN.match(text, end, end + AHEAD)
    assert run is not None
    after = run.group()
    if json:  # an escape is another character, unless it is one that spells an address
        after = re.split(r"\\(?![/u])", after, maxsplit=1)[0]
    if end + len(after) == len(text) and not final and len(after) < AHEAD:
        return None
    seen = bare(after.replace("\\", "")) if not json else bare(after)
    return len(after) >= AHEAD or (_ADDRESS.match(seen) is not None and not _FILE.fullmatch(after))


def url_goes_on(text: str, end: int, *, final: bool, json: bool) -> bool | None:
    """Whether anything but closing marks follows a URL before white space, a tag or the end; None: unknown yet."""
    closing = _CLOSING.match(text, end, end + AHEAD)
    assert closing is not None
    if json and '"' in closing.group():
        return False
    if closing.end() < len(text):
        return not (text[closing.end()].isspace() or text[closing.end()] == "<")
    return None if not final else False
