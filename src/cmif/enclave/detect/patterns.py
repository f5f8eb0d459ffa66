"""What has a form of its own: addresses of the net, cards, accounts, national numbers, dates, phones, records, streets.

Each finder takes a text and yields spans; :class:`Patterns` runs them all. Where a check digit exists it
decides the kind; a long number that passes none is still an ID, so that a mistyped card does not leave as
it is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence

from cmif.enclave.detect import checksums
from cmif.enclave.detect.dates import dates
from cmif.enclave.detect.national import national
from cmif.enclave.detect.phones import numbers
from cmif.enclave.detect.plain import plain, spaced
from cmif.enclave.detect.records import records
from cmif.enclave.detect.scan import around, caseless, figures, within
from cmif.enclave.detect.streets import streets
from cmif.types import Kind, Span

NAME = "patterns"

_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d[\d ./+-]{5}|[A-Za-z]{2}\d{2}")  # the least that accounts and national numbers have
_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w+%](?:[\w.+%-]|['’](?=\w)){0,255}+(?:@|[ ]?[\[(](?i:at)[\])][ ]?)"
    r"(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w@])"
)
_URL = re.compile(
    r"(?i:(?<![a-z0-9_])(?:[a-z][a-z0-9+.-]{1,15}://|www\d?\.|mailto:|tel:)[^\s<>\"`{}|\\^]{1,2048})"
)
_URL_BEGINS = ("://", "www", "mailto:", "tel:")
_URL_TAIL = ".,;:!?)]}'’”*_"
_DOMAIN = re.compile(
    r"(?i:(?<![\w./-])(?<![\w.+%'-]@)(?:[a-z0-9-]{1,63}\.){1,6}(?:com|org|net|edu|gov|mil|int|info|biz|io|ai|"
    r"app|dev|"
    r"cloud|online|site|"
    r"shop|tech|co|eu|uk|de|fr|es|nl|ch|se|dk|fi|pl|cz|hu|ro|pt|gr|ie|ca|au|nz|jp|cn|br|mx|ru|ua|tr|za|kr|"
    r"sg|hk|bank|paris|london|berlin|agency|studio|clinic|"
    r"health|hospital|law|example|local|internal|corp|lan|test)(?![\w-]|\.[a-z])(?:[:/][^\s<>\"`{}|"
    r"\\^]{0,2048})?)"
)
_POINT = re.compile(r"\.[^\W\d_]")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?:/(?:3[0-2]|[12]?\d)(?!\d))?(?!\w|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])")
_MAC = re.compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:-])")
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){11,18}(?![\w]|[-.]\d)")
_IBAN_START = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?=[ -]?[A-Za-z0-9])")
_GROUP = re.compile(r"[ -]?[A-Za-z0-9]")


class Patterns:
    """Everything this package finds by form."""

    name = NAME

    def detect(self, text: str) -> list[Span]:
        text = plain(text)
        apart = spaced(text)
        days = list(dates(apart))
        read = [*((d.start, d.end) for d in days), *(m.span() for m in _IPV4.finditer(apart))]
        return [
            *_net(text, apart),
            *_accounts(apart),
            *national(apart),
            *days,
            *records(apart),
            *map(_with_corner(apart), streets(apart)),
            *numbers(_without(apart, read)),
        ]


_CORNER = re.compile(r"(?i:\b(?:the )?corner of )\Z")


def _with_corner(text: str) -> Callable[[Span], Span]:
    """An address with "the corner of" before it: one street takes the place of two."""

    def widened(span: Span) -> Span:
        corner = _CORNER.search(text, max(0, span.start - 14), span.start)
        return Span(corner.start(), span.end, span.kind, span.detector) if corner else span

    return widened


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """``text`` with a bar for every character of ``spans``: a number does not run from a date into its neighbour."""
    parts: list[str] = []
    position = 0
    for begin, last in sorted(spans):
        start, end = max(position, begin), max(position, last)
        parts += (text[position:start], "|" * (end - start))
        position = end
    return "".join((*parts, text[position:]))


def _net(whole: str, text: str) -> Iterator[Span]:
    """A URL may hold letters of any script (``whole``); nothing else touches one that is written without spaces."""
    lower = caseless(text)
    if "@" in text or "at)" in lower or "at]" in lower:
        for match in _EMAIL.finditer(text):
            yield Span(*match.span(), Kind.EMAIL, NAME)
    urls = _URL.finditer(whole) if any(begin in caseless(whole) for begin in _URL_BEGINS) else ()
    for read, found in ((whole, urls), (text, _DOMAIN.finditer(text) if _POINT.search(text) else ())):
        for match in found:
            start, end = match.span()
            while end > start and read[end - 1] in _URL_TAIL:
                end -= 1
            if end - start > 4:
                yield Span(start, end, Kind.URL, NAME)
    for match in _IPV4.finditer(text) if text.count(".") > 2 else ():
        address = match.group().partition("/")[0]
        if all(int(part) < 256 for part in address.split(".")) and not _is_anybodys(match.group()):
            yield Span(*match.span(), Kind.IP, NAME)
    if "::" in text or text.count(":") >= 7:
        for match in _IPV6.finditer(text):
            if _is_ipv6(match.group()) and not _is_anybodys(match.group()):
                yield Span(*match.span(), Kind.IP, NAME)
    for match in _MAC.finditer(text) if max(text.count(":"), text.count("-")) > 4 else ():
        yield Span(*match.span(), Kind.ID, NAME)


def _is_anybodys(written: str) -> bool:
    """Addresses that are the same for everybody (RFC 6890): this machine, none, a netmask, a registry's whole block;
    and the resolvers that everybody uses.
    """
    try:
        network = ipaddress.ip_network(written)
    except ValueError:
        return False  # bits of a host are set, or no address at all
    first = network.network_address
    mask = int(first) ^ 0xFFFFFFFF if first.version == 4 else -1
    same = first.is_loopback or first.is_unspecified or first.is_multicast or str(network) in _BLOCKS
    return same or (str(first).startswith("255.") and mask & (mask + 1) == 0)


_BLOCKS = frozenset(
    "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 100.64.0.0/10 fe80::/10 fc00::/7 2000::/3 "  # noqa: SIM905
    "8.8.8.8/32 8.8.4.4/32 1.1.1.1/32 1.0.0.1/32 9.9.9.9/32 169.254.169.254/32".split()
)


def _is_ipv6(written: str) -> bool:
    if written.count(":") < 2 or not any(char.isdigit() for char in written):
        return False
    try:
        ipaddress.IPv6Address(written)
    except ValueError:
        return False
    return True


def _accounts(text: str) -> Iterator[Span]:
    numbers = figures(text)
    for match in within(_CARD, text, around(numbers, 0, 60)):
        if checksums.card(match.group()):
            yield Span(*match.span(), Kind.CARD, NAME)
    for match in within(_IBAN_START, text, around(numbers, 2, 4)):
        length = checksums.iban_length(match.group()[:2].upper())
        end, count = match.end(), 4
        while length and count < length and (following := _GROUP.match(text, end)):
            end, count = following.end(), count + 1
        if length == count and not text[end : end + 1].isalnum():
            written = text[match.start() : end]
            if checksums.iban(written):
                yield Span(match.start(), end, Kind.IBAN, NAME)
            elif sum(char.isdigit() for char in written) >= length // 2:
                yield Span(match.start(), end, Kind.ID, NAME)
