"""Credentials: keys of known vendors, tokens, private keys, passwords in configuration and in sentences.

A span covers the value and leaves the label, so that the engine still sees what kind of setting it is about.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from cmif.enclave.detect.data import entries
from cmif.enclave.detect.plain import plain
from cmif.enclave.words import is_stopword
from cmif.types import Kind, Span

_NAME = "secrets"

# Public prefixes, as the vendors document them.
_VENDORS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[0-9A-Z]{16}"  # AWS
    r"|gh[opsur]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|glpat-[\w-]{20,64}"
    r"|xox[abeoprs]-[\w-]{10,250}|xapp-[\w-]{10,250}"  # Slack
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{10,250}|whsec_[A-Za-z0-9+/=]{16,128}"  # Stripe
    r"|sk-[A-Za-z0-9_-]{16,250}"  # OpenAI, Anthropic and others who followed them
    r"|hf_[A-Za-z0-9]{20,64}|nvapi-[\w-]{20,128}|gsk_[A-Za-z0-9]{20,128}|r8_[A-Za-z0-9]{20,64}|"
    r"pplx-[A-Za-z0-9]{20,64}"
    r"|AIza[\w-]{30,45}|ya29\.[\w-]{20,250}|GOCSPX-[\w-]{20,64}"  # Google
    r"|SG\.[\w-]{16,64}\.[\w-]{16,64}|key-[0-9a-f]{32}|(?:SK|AC)[0-9a-f]{32}"  # SendGrid, Mailgun, Twilio
    r"|npm_[A-Za-z0-9]{30,64}|pypi-[\w-]{30,250}|rubygems_[0-9a-f]{40,64}|dckr_pat_[\w-]{20,64}"
    r"|do[opr]_v1_[0-9a-f]{40,80}|dapi[0-9a-f]{32}|hvs\.[\w-]{20,128}|ATATT3[\w=-]{20,250}|"
    r"lin_api_[A-Za-z0-9]{20,64}"
    r"|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|sq0[a-z]{3}-[\w-]{20,64}|EAA[A-Za-z0-9]{30,250}"
    r"|\d{8,10}:[A-Za-z0-9_-]{35}"  # Telegram
    r"|AGE-SECRET-KEY-1[0-9A-Z]{58}|ntn_[A-Za-z0-9]{30,64}|secret_[A-Za-z0-9]{30,64}"
    r"|eyJ[\w-]{5,4096}\.[\w-]{5,8192}(?:\.[\w-]{0,4096})?"  # JWT, RFC 7519
    r")(?![A-Za-z0-9])"
)
_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|Private-MAC: ?[0-9a-f]{0,128}")
_BEARER = re.compile(r"(?i:\b(?:bearer|basic|token|apikey)[ ]{1,3})([A-Za-z0-9._~+/=-]{8,4096})")
_CONNECTION = re.compile(
    r"(?i:(?<!\w)[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"']{0,128}:[^\s@\"']{1,256}@[^\s\"'<>]{1,1024})"
)
_KEY = (
    r"(?:passw(?:or)?d|passwort|passphrase|passcode|secret|token|api[ _-]?key|access[ _-]?key|"
    r"private[ _-]?key|"
    r"secret[ _-]?key|auth[ _-]?key|account[ _-]?key|encryption[ _-]?key|signing[ _-]?key|credentials?|"
    r"client[ _-]?secret|connection[ _-]?string|session[ _-]?id|authorization)"
)
_SHORT_KEY = r"(?:pass|pwd|pin|otp|cvv2?|cvc|cookie)(?![a-z])"
_SETTING = re.compile(
    rf"(?:(?i:{_KEY}|(?<![a-z]){_SHORT_KEY})|(?<=[a-z])(?:Pass|Pwd|Pin|Otp)(?![a-z]))(?P<rest>\w{{0,20}})"
    r"['\"\]]{0,2}[ \t]{0,4}(?:=>|:=|={1,2}|:)[ \t]{0,4}"
)
_UNQUOTED = re.compile(r"[^\s,;&\"'<>)}\]]+")
_LONGEST = 4096  # characters of a value
_FLAG = re.compile(
    rf"(?i:--?(?:{_KEY}|{_SHORT_KEY}))[ =]([^\s\"']{{3,256}}|\"[^\"\n]{{1,256}}\"|'[^'\n]{{1,256}}')"
)
_CURL = re.compile(r"(?<!\S)(?:-u|--user)[ =][\"']?[^\s:\"']{1,64}:([^\s\"']{1,128})")
_SAID = re.compile(
    r"(?i:\b(?:password|passcode|passphrase|pin|pin code|pin number|cvv|cvc|security code|otp|secret|"
    r"one-time code|"
    r"verification code|access code|api key|token)(?: for [\w ]{1,40}| to [\w ]{1,40})?"
    r"(?:(?: is| was|'s)(?: now| changed to| set to)?| changed to| set to))[ ]{1,3}"
    r"(?:[\"“‘'`]([^\"”’'`\n]{3,128})[\"”’'`]|"
    r"([^\s\"'”’`]{3,128}))"
)
# "The password is incorrect": words after "is" that are no password.
_PREDICATES = re.compile(
    r"(?i:(?:in)?correct|(?:in)?valid|(?:un)?safe|(?:in)?secure|(?:not|n't)|wrong|required|needed|"
    r"necessary|expired|expiring|"
    r"missing|empty|weak|strong|short|long|case|being|still|now|then|reset|stored|saved|hashed|encrypted|"
    r"changed|updated|"
    r"sent|known|unknown|lost|forgotten|stolen|compromised|accepted|rejected|different|used|set|generated|"
    r"important|"
    r"working|blocked|locked|disabled|enabled|optional|always|never|already|only|also|just|\w+ing|\w{5,}ed)\Z"
)
_NO_SECRET = re.compile(
    r"(?i:ar(?:y|ies|iat)\Z|i[sz]\w*\Z|s?_?(?:count|limit|length|len|size|type|name|url|uri|budget|ttl|"
    r"expir\w*|policy|usage|id|per\w*)\Z)"
)
_HIGH = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,}+={0,2}")
_HEX = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")
_SOLID = re.compile(r"[A-Za-z0-9]{16,}+")
_PLACEHOLDER = re.compile(
    r"(?i:\Z|<[^>]{0,40}>?|\$\{?\w{0,40}|\{\{?[\w. ]{0,40}|%\w{1,40}%?|\*+|x{3,}|\.{3}|none|null|true|"
    r"false|str|string|int|"
    r"bool|bytes|object|optional|required|os\.\w{1,40}[\[(]?|process\.\w{1,40}|getenv\w{0,10}|env\b.{0,40}|"
    r"secrets?\.\w{1,40}|"
    r"self\.\w{1,40}|config\.\w{1,40}|args\.\w{1,40}|settings\.\w{1,40})\Z"
)


class Secrets:
    """SECRET spans."""

    name = _NAME

    def detect(self, text: str) -> list[Span]:
        text = plain(text)
        found = [match.span() for match in _VENDORS.finditer(text)]
        found += _private_keys(text)
        found += [match.span(1) for match in _BEARER.finditer(text) if _is_token(match[1])]
        found += [match.span() for match in _CONNECTION.finditer(text)]
        found += _settings(text)
        found += [match.span(1) for match in _FLAG.finditer(text) if not _PLACEHOLDER.match(match[1])]
        found += [match.span(1) for match in _CURL.finditer(text)]
        found += _said(text)
        found += [match.span() for match in _HIGH.finditer(text) if is_high_entropy(match.group())]
        return [Span(start, end, Kind.SECRET, _NAME) for start, end in found if start < end]


def _private_keys(text: str) -> list[tuple[int, int]]:
    """Whole blocks, markers included; a block without an end runs to the end of the text."""
    found = []
    position = 0
    while begin := _PEM_BEGIN.search(text, position):
        end = _PEM_END.search(text, begin.end())
        position = end.end() if end else len(text)
        found.append((begin.start(), position))
    return found


def _settings(text: str) -> Iterator[tuple[int, int]]:
    """Values of settings whose key is one of a secret: quoted ones whole, others up to a space or bracket."""
    position = 0
    while match := _SETTING.search(text, position):
        start = match.end()
        line_end = text.find("\n", start, start + _LONGEST)
        line_end = min(len(text), start + _LONGEST) if line_end < 0 else line_end
        quote = text[start : start + 1]
        quoted = quote in ('"', "'", "`") and quote != ""
        if quoted:
            close = text.find(quote, start + 1, line_end)
            start, end = start + 1, close if close > start else line_end
        else:
            unquoted = _UNQUOTED.match(text, start, line_end)
            end = unquoted.end() if unquoted else start
        position = max(end, match.end())
        value = text[start:end]
        counts = "token" in match.group().lower() and value.isdigit() and len(value) < 7
        if not value or counts or _PLACEHOLDER.match(value) or _NO_SECRET.match(match["rest"]):
            continue
        # "Token: a unit of text" is prose, "password: dragon" on a line of its own is not
        prose = not quoted and ":" in match.group() and text[end:line_end].strip(" .,;") != ""
        if not (prose and not _is_password(value)):
            yield _trim(text, start, end) if prose else (start, end)


def _said(text: str) -> Iterator[tuple[int, int]]:
    """ "my password is dragon", quoted or not."""
    for match in _SAID.finditer(text):
        if match[1] is not None:
            yield match.span(1)
            continue
        start, end = _trim(text, *match.span(2))
        word = text[start:end]
        if end - start >= 3 and not is_stopword(word) and not _PREDICATES.match(word):
            yield start, end


def _is_password(value: str) -> bool:
    """Whether a word after "Password:" is one when more words follow it."""
    bare = value.strip(".,;:!?)\"'”’`")
    return len(bare) >= 3 and (bare.lower() not in entries("common_words.txt") and not bare.endswith("..."))


def _is_token(value: str) -> bool:
    return any(char.isdigit() for char in value) or value.endswith("=") or len(value) >= 24


def is_high_entropy(token: str) -> bool:
    """Whether ``token`` looks random: long hexadecimal, or mixed letters and digits over 3.2 bits a character."""
    core = token.rstrip("=")
    if _HEX.fullmatch(core):
        return len(set(core)) > 6
    solid = max((match.group() for match in _SOLID.finditer(core)), key=len, default="")
    if not solid or sum(char.isdigit() for char in solid) < 2:
        return False
    mixed = any(c.islower() for c in solid) and (any(c.isupper() for c in solid) or len(core) >= 24)
    return mixed and entropy(core) >= 3.2


def entropy(text: str) -> float:
    """Shannon's entropy of the characters of ``text``, in bits a character."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while end > start and text[end - 1] in ".,;:!?)\"'”’`":
        end -= 1
    return start, end
