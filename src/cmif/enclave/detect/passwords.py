"""Secrets that a label announces: settings of every notation, blocks of configuration, command lines, sentences.

A span covers the value and leaves the label, so that the engine still sees what kind of setting it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from cmif.enclave.detect.data import entries
from cmif.enclave.detect.scan import around, caseless, figures, places, starting, within
from cmif.enclave.words import is_stopword

_LONGEST = 4096  # characters of a value
_KEY = (
    r"(?:passw(?:or)?d|passwort|kennwort|wachtwoord|contraseña|mot[ _]de[ _]passe|senha|hasło|пароль|パスワード|密码|"
    r"passphrase|passcode|pass[ _-]?key|secret|token|api[ _-]?key|access[ _-]?key|private[ _-]?key|secret[ _-]?key|"
    r"auth[ _-]?key|account[ _-]?key|encryption[ _-]?key|signing[ _-]?key|master[ _-]?key|license[ _-]?key|"
    r"credentials?|client[ _-]?secret|connection[ _-]?string|session[ _-]?id|authorization|seed[ _-]phrase|"
    r"recovery[ _-]phrase|mnemonic)"
)
_SHORT_KEY = r"(?:pass|pwd|pw|pin|otp|cvv2?|cvc|cookie)(?![a-z])"
_LABEL = rf"(?:(?i:{_KEY}|(?<![a-z]){_SHORT_KEY})|(?<=[a-z])(?:Pass|Pwd|Pin|Otp)(?![a-z]))"
_SETTING = re.compile(
    rf"(?P<key>{_LABEL})(?P<rest>\w{{0,20}})(?P<link>(?:\\?['\"\]]){{0,2}}[ \t]{{0,4}}"
    r"(?:: ?[A-Za-z][\w.]{0,30}(?:\[[\w, ]{0,30}\])?(?: \| None)?[ \t]{0,4}=(?!=)|=>|:=|={1,2}|:(?!:)|"
    r"(?<=['\"]),(?=[ ]?['\"])|"
    r"(?<=['\"]) value=|>(?=[^\s<>]{1,256}</))[ \t]{0,4})"
)
_SETTING_NAME = re.compile(rf"(?:[a-z]{{1,20}}_){{0,3}}{_KEY}s?")
# HCL variables, Kubernetes and compose lists, CloudFormation: the value stands under a name of its own.
_BLOCK = re.compile(
    rf"(?P<key>{_LABEL})(?P<rest>\w{{0,20}})[\"']?[ \t]{{0,4}}(?:\{{[^{{}}]{{0,300}}?\b|,?\s{{1,40}}[\"']?)"
    r"(?i:default|value|secretstring|stringvalue|content|plaintext)(?P<link>[\"']?[ \t]{0,24}[:=][ \t]{0,4})"
)
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "„": "“"}
# A separator ends a value only where the next setting or a space follows; a quote only where no letter does.
_UNQUOTED = re.compile(
    r"(?:\$\{[^}\s]{0,60}\}|[^\s,;&\"'`<)}\]“”]|[,;&](?!\s|\Z|[\w.-]{1,40}[\"']?[=:])|"
    r"[\"'`](?=[.!?&%$#@*+~^-]{0,3}\w)|[)}\]](?![\s,;.)\]}[(\"'<]|\Z)){1,4096}+"
)
_FLAG = re.compile(
    rf"(?i:--?(?:[a-z]{{1,20}}-)?(?:{_KEY}|{_SHORT_KEY}))[ =]([^\s\"']{{3,256}}|\"[^\"\n]{{1,256}}\"|'[^'\n]{{1,256}}')"
)
_CURL = re.compile(r"(?<!\S)(?:-u|--user)[ =][\"']?[^\s:\"']{1,64}:([^\s\"']{1,128})")
_CLIENT = re.compile(
    r"\b(?:mysql\w{0,10}|sshpass|docker login|redis-cli|mongo\w{0,8}|"
    r"ldapsearch)\b[^\n|;]{0,120}? -[paw] ?([^\s-][^\s]{2,128})"
)
_NETRC = re.compile(r"\bmachine \S{1,128}\s{1,20}(?:login \S{1,128}\s{1,20})?password (\S{1,256})")
# Columns of a command's output: the name, a gap and the value at the line's end.
_COLUMN = re.compile(
    rf"(?m)^[ \t|*>-]{{0,12}}\w{{0,30}}{_LABEL}\w{{0,20}}[ ]?(?:[ ]{{2,40}}|\t{{1,8}}|"
    rf"[ ]{{0,40}}\|[ ]{{0,40}})([^\s|]{{3,512}})[ \t|]{{0,40}}$"
)
_WORD_FOR_IT = (
    r"(?:password|passcode|passphrase|passwd|pwd|pw|pin|pin code|pin number|cvv|cvc|security code|otp|"
    r"secret|secret key|"
    r"secret word|memorable word|security answer|one-time code|verification code|"
    r"access code|login code|api key|token|seed phrase|recovery phrase)"
)
_LINK = (
    r"(?:(?:(?: is| was| are|['’]s| will be| should be)(?: now| still| currently| just)?"
    r"(?: changed to| set to| reset to)?| changed to| set to| reset to)[ ]?[:=]?|[ ]?[:=-])"
)
_SAID = re.compile(
    rf"(?i:\b{_WORD_FOR_IT}(?: (?:for|to|of|on|at) [\w ]{{1,40}}?)?{_LINK})[ ]{{1,3}}"
    r"(?:\"([^\"\n]{3,128})\"|“([^”\n]{3,128})”|‘([^\n]{3,128}?)’(?!\w)|`([^`\n]{3,128})`|'([^\n]{3,128}?)'(?!\w)|"
    r"«([^»\n]{3,128})»|([^\s\"“‘`'«][^\s]{2,127}))"
)
_PHRASE = re.compile(
    rf"(?i:\b(?:passphrase|(?:seed|recovery|secret) (?:phrase|words)|mnemonic){_LINK})[ ]{{1,3}}"
    r"([a-z]{2,20}(?:[ -][a-z]{2,20}){3,23})(?![\w])"
)
_UNLINKED = re.compile(rf"(?i:\b{_WORD_FOR_IT}),? (?:\"|“|'|‘|`)?([^\s\"“”'‘’`]{{4,128}})")
_AS = re.compile(
    rf"(?<!\S)[\"“'‘`]?([^\s\"“”]{{4,128}}?)[\"”'’`]? (?i:as|is) (?i:the|my|your|our|his|her|their|"
    rf"a)(?: \w{{1,20}}){{0,2}}? "
    rf"(?i:{_WORD_FOR_IT})\b"
)
_PAIR = re.compile(
    r"(?i:\b(?:creds?|credentials|log ?in|sign ?in|user(?:name)?(?:/|"
    r" and )pass(?:word)?)(?: details)?(?: are| is|:| with| as)"
    r"{1,2})[ ]([^\s/:,]{2,64})[ ]?[/:,|][ ]?([^\s]{3,128})"
)
# Short codes of digits directly after their label. A PIN on a circuit board has one digit or two.
_CODE = re.compile(
    r"(?:\b(?i:cvc2?|cvv2?|cvn|card verification(?: value| code)?|security code)|\bCID)(?i: code|"
    r" number| no\.?| is| was){0,2}"
    r"[ :=#-]{1,3}(\d{3,4})(?![\w,.-]?\d)"
    r"|(?:\b(?i:pin|otp|2fa|mfa|totp|passcode|(?:verification|one-time|access|login|log-in|auth|authentication|confirmation|"
    r"sms|unlock|entry|door|gate|alarm|safe|lock|lockbox|backup|recovery|activation|debit card|"
    r"voicemail) (?:code|pin|passcode))"
    r"|\bm?TAN)(?i: code| number| no\.?| is| was| of| now| to){0,3}[ :=#-]{1,3}(\d(?:[ -]?\d){3,9})(?![\w,.-]?\d)"
)
# "The password is incorrect": words after "is" that are no password.
_PREDICATES = re.compile(
    r"(?i:(?:in)?correct|(?:in)?valid|(?:un)?safe|(?:in)?secure|(?:not|n't)|wrong|required|needed|"
    r"necessary|expired|expiring|"
    r"missing|empty|weak|strong|short|long|case|being|still|now|then|reset|stored|saved|hashed|encrypted|"
    r"changed|updated|"
    r"sent|known|unknown|lost|forgotten|stolen|compromised|accepted|rejected|different|used|set|generated|"
    r"important|"
    r"working|blocked|locked|disabled|enabled|optional|always|never|already|only|also|just|too|\w+ing|\w{5,}ed)\Z"
)
_NO_SECRET = re.compile(
    r"(?i:ar(?:y|ies|iat)\Z|i[sz]\w*\Z|s?_?(?:count|limit|length|len|size|type|name|url|uri|budget|ttl|"
    r"expir\w*|policy|usage|id|per\w*|hash\w*)\Z)"
)
_PLACEHOLDER = re.compile(
    r"(?i:\Z|<[^>]{0,40}>|\$\{[^}]{0,60}\}\Z|\$\([^)]{0,80}\)?|\$\w{0,40}(?:pass|pwd|secret|token|key|var|env)\w{0,40}|"
    r"\{\{?[\w. ]{0,40}\}{0,2}|%\w{1,40}%|%[sdr]|%\(\w{1,40}\)s|[*•]+|x{3,}|\.{3}|none|null|true|"
    r"false|str|string|int|"
    r"bool|bytes|object|optional|required|os\.\w{1,40}[\[(]?|process\.\w{1,40}|getenv\w{0,10}|env[.\[(].{0,40}|"
    r"secrets?\.\w{1,40}|"
    r"self\.\w{1,40}|config\.\w{1,40}|args\.\w{1,40}|settings\.\w{1,40}|var\.\w{1,40}|local\.\w{1,40}|data\.\w{1,40}.{0,60})\Z"
    r"|\$[A-Z][A-Z0-9_]{0,40}\Z|\.\.\.|…"
)
_CALL = re.compile(r"(?:await )?[A-Za-z_][A-Za-z_.]{1,60}[(\[]|[A-Za-z_]{1,40}(?:\.[A-Za-z_]{1,40}){1,6}\Z")
_SYMBOL = re.compile(r"[!@#$%^&*+=?~|\\_]")


# What labels begin with, in lower case: of settings, in sentences, and the programs that take a password.
_KEYS = (
    "pass", "kennwort", "wachtwoord", "contrase", "mot de", "mot_de", "senha", "hasł", "пар", "パスワード", "密码",
    "secret", "token", "api", "access", "private", "auth", "account", "encryption", "signing", "master", "license",
    "credential", "client", "connection", "session", "seed", "recovery", "mnemonic", "pw", "pin", "otp", "cv", "cookie",
)  # fmt: skip
_WORDS_FOR_IT = (
    "pass", "pw", "pin", "cv", "security code", "otp", "secret", "memorable word", "security answer", "one-time code",
    "verification code", "access code", "login code", "api key", "token", "seed phrase", "recovery phrase",
)  # fmt: skip
_CLIENTS = ("mysql", "sshpass", "docker login", "redis-cli", "mongo", "ldapsearch")


def announced(text: str) -> Iterator[tuple[int, int]]:
    """``(start, end)`` of every value that a label calls a secret; they may overlap."""
    lower = caseless(text)
    keys = places(lower, _KEYS)
    yield from _settings(text, keys)
    commands = (
        starting(_FLAG, text, places(text, ("-",))),
        starting(_CURL, text, places(text, ("-u", "--user"))),
        starting(_CLIENT, text, places(text, _CLIENTS)),
        starting(_NETRC, text, places(text, ("machine ",))),
    )
    for match in chain.from_iterable(commands):
        if not _PLACEHOLDER.match(match[1]):
            yield match.span(1)
    for match in within(_COLUMN, text, around([(at, at) for at in keys], 45, 800)):
        heading = match[1].isalpha() and match[1].isupper()
        if not heading and not _PLACEHOLDER.match(match[1]):
            yield match.span(1)
    yield from _said(text, lower)
    for match in within(_CODE, text, around(figures(text), 60, 30)):
        yield match.span(match.lastindex or 0)


def _settings(text: str, keys: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Values of settings whose key is one of a secret: quoted ones whole, others up to a space or separator."""
    for rule in (_SETTING, _BLOCK):
        position = 0
        for at in keys:
            if at < position or not (match := rule.match(text, at)):
                continue
            start, end, quoted, rest = _value(text, match.end())
            position = max(end, match.end())
            value = text[start:end]
            pair = "," in match["link"]  # of a key and its value, or of two keys
            another_key = pair and (rest.lstrip()[:1] in (":", "=") or _SETTING_NAME.fullmatch(value))
            literal = not quoted and value[:1] in ("(", "[", "{") and match["link"].endswith(" ")
            if (
                not value
                or another_key
                or literal
                or _is_no_value(match["key"], match["rest"], value, quoted)
            ):
                continue
            # "Token: a unit of text" is prose, "password: dragon" on a line of its own is not
            prose = not quoted and ":" in match["link"] and rest.strip(" .,;}") != ""
            if not (prose and not _is_password(value)):
                yield _trim(text, start, end) if prose else (start, end)


def _value(text: str, start: int) -> tuple[int, int, bool, str]:
    """Where the value that begins at ``start`` lies, whether it is in quotes, and the rest of its line."""
    line_end = text.find("\n", start, start + _LONGEST)
    line_end = min(len(text), start + _LONGEST) if line_end < 0 else line_end
    escape = "\\" if text[start : start + 1] == "\\" and text[start + 1 : start + 2] in ('"', "'") else ""
    quote = text[start + len(escape) : start + len(escape) + 1]
    if quote and quote in _QUOTES:
        begin = start + len(escape) + 1
        end = _closing(text, begin, line_end, escape + _QUOTES[quote])
        return begin, end, True, text[end + 1 : line_end]
    unquoted = _UNQUOTED.match(text, start, line_end)
    end = unquoted.end() if unquoted else start
    return start, end, False, text[end:line_end]


def _closing(text: str, begin: int, line_end: int, close: str) -> int:
    """The first ``close`` that is not escaped and does not stand inside a word (an apostrophe); else the line's end."""
    at = text.find(close, begin, line_end)
    while at >= 0:
        inside = close in "'’" and text[at - 1 : at].isalnum() and text[at + 1 : at + 2].isalnum()
        if at > begin and not inside and (len(close) > 1 or text[at - 1] != "\\"):
            return at
        if at == begin:
            return at
        at = text.find(close, at + 1, line_end)
    return line_end


def _is_no_value(key: str, rest: str, value: str, quoted: bool) -> bool:
    counts = key.lower() == "token" and value.isdigit() and len(value) < 7
    if counts or _PLACEHOLDER.match(value) or _NO_SECRET.match(rest):
        return True
    if quoted:
        return False
    return bool(_CALL.match(value)) or value.lower().endswith((key + rest).lower())


def _said(text: str, lower: str) -> Iterator[tuple[int, int]]:
    """ "my password is dragon", quoted or not; "use dragon7 as the password"."""
    words = places(lower, _WORDS_FOR_IT)
    for match in starting(_SAID, text, words):
        group = match.lastindex or 0
        if group < 7:
            yield match.span(group)
            continue
        start, end = _trim(text, *match.span(group))
        word = text[start:end]
        said = match.group()[: start - match.start()].rstrip()
        sure = said[-1:] not in ":=-" or said[-3:-1].endswith("s ") or said[-2:-1] == "s"
        plain = is_stopword(word) or _PREDICATES.match(word) or _PLACEHOLDER.match(word)
        if end - start >= 3 and not plain and (sure or _is_odd(word)):
            yield start, end
    for match in starting(_PHRASE, text, places(lower, ("passphrase", "seed", "recovery", "secret", "mnemonic"))):
        yield match.span(1)
    found = (
        starting(_UNLINKED, text, words),
        within(_AS, text, around([(at, at) for at in words], 190, 40)),
        starting(_PAIR, text, places(lower, ("cred", "log", "sign", "user"))),
    )
    for match in chain.from_iterable(found):
        start, end = _trim(text, *match.span(match.lastindex or 0))
        if end - start >= 4 and _is_odd(text[start:end]):
            yield start, end


def _is_odd(word: str) -> bool:
    """Whether a word reads as a password by itself: letters with digits or symbols among them, no amount, no markup."""
    letters = sum(char.isalpha() for char in word)
    figures = sum(char.isdigit() for char in word)
    if not letters or re.fullmatch(
        r"\d+(?:st|nd|rd|th|-\w+)|[\w.]+\(.*|<.*|\w+://.*|[\w/]+_\w*|[{\[(].*", word
    ):
        return False
    return bool(figures) or bool(_SYMBOL.search(word[1:-1]))


def _is_password(value: str) -> bool:
    """Whether a word after "Password:" is one when more words follow it."""
    bare = value.strip(".,;:!?)\"'”’`")
    return len(bare) >= 3 and (bare.lower() not in entries("common_words.txt") and not bare.endswith("..."))


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while end > start and text[end - 1] in ".,;:?)\"'”’`":
        end -= 1
    return start, end
