"""Credentials: keys of known vendors, tokens, private keys, passwords in configuration and in sentences.

A span covers the value and leaves the label, so that the engine still sees what kind of setting it is about.
"""

from __future__ import annotations

import math
import re
from collections import Counter

from cmif.enclave.detect.passwords import announced
from cmif.enclave.detect.plain import plain
from cmif.enclave.detect.scan import caseless, places, starting
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
    r"(?i:(?<!\w)[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'<>]{0,128}:[^\s\"<>]{1,256}@[^\s\"'<>]{1,1024})"
)
_HIGH = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,}+={0,2}")
_HEX = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")
_ODD_CHANGE = re.compile(
    r"(?<=[A-Z])[a-z](?=[A-Z0-9])|(?<=[a-z0-9])[A-Z](?=[A-Z0-9])|(?<=[A-Za-z])\d(?=[A-Za-z])"
)
_SOLID = re.compile(r"[A-Za-z0-9]{16,}+")


class Secrets:
    """SECRET spans."""

    name = _NAME

    def detect(self, text: str) -> list[Span]:
        text = plain(text)
        found = [match.span() for match in _VENDORS.finditer(text)]
        found += _private_keys(text)
        words = places(caseless(text), ("bearer", "basic", "token", "apikey"))
        found += [match.span(1) for match in starting(_BEARER, text, words) if _is_token(match[1])]
        found += [match.span() for match in _CONNECTION.finditer(text)] if "://" in text else []
        found += announced(text)
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


def _is_token(value: str) -> bool:
    return any(char.isdigit() for char in value) or value.endswith("=") or len(value) >= 24


def is_high_entropy(token: str) -> bool:
    """Whether ``token`` looks random: long hexadecimal, mixed letters and digits over 3.2 bits a character, or base64
    whose capitals and digits stand where no word has them.
    """
    core = token.rstrip("=")
    if _HEX.fullmatch(core):
        return len(set(core)) > 6
    if len(core) >= 32 and _is_scrambled(core):
        return True
    solid = max((match.group() for match in _SOLID.finditer(core)), key=len, default="")
    if not solid or sum(char.isdigit() for char in solid) < 2:
        return False
    mixed = any(c.islower() for c in solid) and (any(c.isupper() for c in solid) or len(core) >= 24)
    return mixed and entropy(core) >= 3.2


def _is_scrambled(core: str) -> bool:
    """Whether one character in five or more is a lone capital or digit inside letters, or a lone lower-case letter:
    random base64 has about one in three, paths and identifiers in camel case nearly none.
    """
    return len(_ODD_CHANGE.findall(core)) * 5 >= len(core) and entropy(core) >= 4


def entropy(text: str) -> float:
    """Shannon's entropy of the characters of ``text``, in bits a character."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
