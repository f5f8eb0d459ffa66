"""Which parts of a text are program code, so that identifiers are not taken for people.

In code a capital letter says nothing: `Traceback`, `HTTPException`, `class Route`. Personal data stands there in string
literals and comments, which mostly hold no names either. So :func:`examined` blanks the code itself and says where, in
literals, comments and the prose between lines of code, only a listed name counts as one.

The other detectors read the whole text; :func:`without_code` takes back what they took for a value and is an
identifier.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from cmif.enclave.words import stopwords
from cmif.types import Kind, Span

# One of these anywhere makes it worth looking at lines at all.
_ANY = re.compile(
    r"```|~~~|[{};=<>]|\w\(|::|->|^[ \t]*(?:import|from|def|class|SELECT|#include|\$ |>>> |- ?\w+: )|"
    r"\bTraceback\b|\w_\w|\.\w+\(",
    re.MULTILINE,
)
_FENCE = re.compile(r"[ \t]{0,8}(?:```|~~~)")
# A line that is code by itself.
_CODE_LINE = re.compile(
    r"""^\s*(?:
      (?:import|from|use|using|package|namespace|require|include)\s+[\w.:\\/*{<"'@][^\n]{0,200}?(?:;|\bimport\b.*
        |[\w*>}"'])\s*$(?<![.!?])(?<!\s\w{30})
    | \#\s?(?:include|define|undef|ifdef|ifndef|if|elif|else|endif|pragma|!/)\b
    | (?:async\s+def|def|class|func|fn|function|sub|struct|enum|interface|trait|impl|module|type
      |union)\s+[\w.:<>$]+\s*[({:<;=]
    | (?:class|interface|struct|module|enum|trait|object)\s+[A-Z_]\w*(?:\s*<\s*[\w:.]+|\s+(?:extends|implements
      |with)\s.*)?\s*\{?\s*$
    | (?:public|private|protected|internal|static|final|abstract|override|export|extern|inline|virtual|readonly
      |declare|pub|const|let|var|val|auto|unsigned|typedef|my|our|local)\s+[\w$<>\[\]*&:({,.@%]+.{0,200}[;={(,)>}]\s*$
    | (?:if|elif|else\s+if|for|foreach|while|until|switch|match|with|except|catch|unless|case|when)\b.{0,300}[:{]\s*$
    | (?:else|try|finally|do|begin|end|fi|done|esac|then|default|ensure|rescue|pass|break|continue|loop)\s*[:;{]?\s*$
    | (?:return|raise|throw|yield|await|assert|del|goto|delete|new|echo|print|puts|export|unset
      |exec)\b[^.!?]{0,300}[\])};'"\w]\s*;?\s*$(?<=[\])};'"])
    | @[A-Za-z_][\w.]*(?:\(.{0,300})?\s*$
    | (?:SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|CREATE|ALTER|DROP|GRANT|REVOKE|TRUNCATE|WHERE|FROM|LEFT|RIGHT
      |INNER|OUTER|FULL|JOIN|GROUP\s+BY|ORDER\s+BY|HAVING|LIMIT|UNION|VALUES|SET|BEGIN|COMMIT|ROLLBACK|DECLARE
        |EXECUTE|REFERENCES|PRIMARY\s+KEY|FOREIGN\s+KEY|CONSTRAINT)\b
    | (?:\$|>>>|\.\.\.|PS>|C:\\[^>\n]*>)\s\S
    | File\s"[^"\n]+",\sline\s\d+ | at\s[\w.$<>]+\([^)\n]*\) | [\w.]*(?:Error|Exception|Warning)\b[:(]
      | Traceback\s\(most
    | [\])}]+[;,)\s]*$ | <[/!?]?[a-zA-Z][^<>\n]*>?\s*$
    )""",
    re.VERBOSE,
)
_CODE_PART = re.compile(
    r"[;{]\s*(?://.*|\#.*|/\*.*)?$"
    r"|\b[A-Za-z_]\w*\((?!s\)|es\)|ies\)|ren\))(?:[^()\s]|\)|[\"'\w])"
    r"|(?<![=<>!])(?:==|!=|\+=|-=|\*=|:=|=>|->|&&|\|\||::|<<|>>|</|/>|===)(?!>)"
    r"|(?:^|[\s(,.\[])[A-Za-z_$][\w.$\[\]'\"-]*\s?=\s?[\w\"'\[{(\-$&@<.]"
    r"|^\s*[\"']?[\w.$-]+[\"']?\s*:\s*(?:[\[{\"']|true\b|false\b|null\b|None\b|\d+,?$)"
    r"|^\s*[a-z_$\"'\[][\w.$\[\]\"']*,$|\)\s*:\s*$|^\s*[\w.]+\($"
)
_COMMENT_LINE = re.compile(
    r"\s*(?:\#(?!\#)|//|/\*|\*(?:\s|/|$)|--\s|;;|<!--|\"\"\"|'''|=begin|=pod|%%?\s|rem\s)"
)
# Literals and comments inside a line of code; an apostrophe inside a word opens no literal.
_EXAMINED = re.compile(
    r"\"(?:[^\"\\\n]|\\.)*+\"|(?<!\w)'(?:[^'\\\n]|\\.)*+'|`(?:[^`\\\n]|\\.)*+`"
    r"|(?<![:\w\"'])//[^\n]*|(?:(?<=\s)|^)\#(?![0-9a-fA-F]{3,8}\b)[^\n]*|/\*.*?(?:\*/|$)|(?<=\s)--\s[^\n]*|"
    r"<!--.*?(?:-->|$)|>[^<>{};=\n]{2,}<"
)
# Tags and text, as prompts part their documents and as pages are written: the text is prose.
_TAG = re.compile(r"<[/!?]?[A-Za-z][^<>]*>")
_MARKUP = re.compile(rf"\s*(?:{_TAG.pattern}[^<>{{}};=]*)++")
_TRIPLE = re.compile(r"\"\"\"|'''")
_LETTERS = re.compile(r"[^\W_]")
_MOSTLY = 0.3  # of the lines that say something: then what lies between them belongs to the code


@dataclass(frozen=True, slots=True)
class Examined:
    """``text``: as long as the original, code blanked. ``starts``, ``ends``: disjoint sorted stretches in which only a
    listed name is a name.
    """

    text: str
    starts: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()

    def is_code(self, at: int) -> bool:
        i = bisect_right(self.starts, at) - 1
        return i >= 0 and at < self.ends[i]


def examined(text: str) -> Examined:
    """``text`` with its code blanked by line ends, which end sentences."""
    if not _ANY.search(text):
        return Examined(text)
    lines = text.split("\n")
    code = _code_lines(lines)
    if True not in code:
        return Examined(text)
    told = [bool(_LETTERS.search(line)) for line in lines]
    markup = [c and _MARKUP.fullmatch(line) is not None for c, line in zip(code, lines, strict=True)]
    mostly = sum(code) - sum(markup) >= max(3, _MOSTLY * (sum(told) - sum(markup)))
    out: list[str] = []
    stretches: list[tuple[int, int]] = []
    at = 0
    for i, line in enumerate(lines):
        end = at + len(line)
        if markup[i] and not mostly:
            out.append(_TAG.sub(lambda tag: _literals(tag.group()), line))
        elif code[i]:
            out.append(_literals(line))
            stretches.append((at, end + 1))
        else:
            out.append(line)
            if mostly or (_COMMENT_LINE.match(line) and _beside_code(code, told, i)):
                stretches.append((at, end + 1))
        at = end + 1
    merged: list[tuple[int, int]] = []
    for start, end in stretches:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return Examined("\n".join(out), tuple(s for s, _ in merged), tuple(e for _, e in merged))


def without_code(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """``spans`` without identifiers of code that look like a handle, a host, a code or a secret: `@property`,
    `logging.INFO`, `Ed25519Key`, `token = parser.next(`. What stands in a literal or comment there is left as it is,
    apart from the annotations and dotted names of comments.
    """
    if not any(span.kind in _MISTAKEN for span in spans):
        return tuple(spans)
    code = examined(text)
    if not code.starts:
        return tuple(spans)
    return tuple(span for span in spans if not (code.is_code(span.start) and _is_mistaken(text, span, code)))


_MISTAKEN = frozenset({Kind.ID, Kind.URL, Kind.SECRET, Kind.ADDRESS, Kind.ORGANISATION})
_ANNOTATION = re.compile(r"@[A-Za-z_]\w*")
_IDENTIFIER = re.compile(r"[\w$@]++(?:(?:\.|->|::)\w++)*+")
_CALL = re.compile(r"\$?[A-Za-z_]\w*+(?:(?:->|\.|::)\w++)*+[(\[]")
_HOST_ENDS = frozenset(
    "com org net edu gov mil int io dev app ai co uk de fr eu ch at nl be it es pt pl se no dk fi ie ca au nz us in "  # noqa: SIM905
    "jp cn kr br mx ru local internal example test lan corp".split()
)


def _is_mistaken(text: str, span: Span, code: Examined) -> bool:
    written = text[span.start : span.end]
    blank = code.text[span.start] == "\n"
    if span.kind is Kind.ID and (
        _ANNOTATION.fullmatch(written) or (blank and _IDENTIFIER.fullmatch(written))
    ):
        return not written.isdigit()
    if span.kind is Kind.URL:
        return "/" not in written and (blank or written.rpartition(".")[2].lower() not in _HOST_ENDS)
    if span.kind is Kind.SECRET and blank:
        return bool(
            _CALL.match(written) or (_IDENTIFIER.fullmatch(written) and text[span.end : span.end + 1] == "(")
        )
    if span.kind is Kind.ORGANISATION:
        return blank and "." in written and _IDENTIFIER.fullmatch(written) is not None
    return span.kind is Kind.ADDRESS and blank and " " not in written and not written.isdigit()


def _code_lines(lines: list[str]) -> list[bool]:
    found = []
    quoted = False  # inside a docstring: prose
    for line in lines:
        if len(line) > 2000:
            found.append(False)
            continue
        is_code = not quoted and not _COMMENT_LINE.match(line) and _is_code(line)
        if len(_TRIPLE.findall(line)) % 2:
            quoted = not quoted
        found.append(is_code)
    return found


def _is_code(line: str) -> bool:
    if _FENCE.match(line):
        return True
    if _CODE_LINE.match(line):
        return not _is_prose(line)
    return _CODE_PART.search(_ARROW.sub(" ", line)) is not None and not (_is_prose(line) or _names_somebody(line))


# A line of notes or of a log ("Gwendolyn Farthing -> retry") has an arrow or a semicolon as well: code has brackets,
# quotes or an equals sign beside an arrow, and no two words with capitals that only a space parts.
_ARROW = re.compile(r"^[^(){}\[\]=\"';:]{0,400}[ ](?:->|=>)[ ][^(){}\[\]=\"';:]{0,400}$")
_TWO_NAMES = re.compile(
    r"(?<![\w.$@/:<&*])[^\W\d_a-z][a-zß-ÿ'’]{2,30}[ ][^\W\d_a-z][a-zß-ÿ'’]{2,30}(?![\w(\[<:]|[.][\w]|[ ]?[={])"
)


def _names_somebody(line: str) -> bool:
    return _TWO_NAMES.search(_EXAMINED.sub(" ", line)) is not None


def _is_prose(line: str) -> bool:
    """Whether words of sentences, and not of programs, make up a line outside its literals and comments."""
    told = _PLAIN_WORD.findall(_EXAMINED.sub(" ", line)) or _PLAIN_WORD.findall(line)
    said = sum(word.lower() in _SENTENCE_WORDS for word in told)
    return (said >= 2 and said >= 0.12 * len(told)) or (
        said == 1 and len(told) > 3 and line.rstrip().endswith((".", ","))
    )


_PLAIN_WORD = re.compile(r"(?<![\w.$@/-])[^\W\d_]+(?:['’][a-z]+)?(?![\w(=\[:]|\.\w)")
# Function words that no language of programs or queries has for a keyword.
_SENTENCE_WORDS = stopwords() - frozenset(
    "if for in is not and or from with as while do else on by all any then into to out off no both each when "  # noqa: SIM905
    "where until".split()
)


def _beside_code(code: list[bool], told: list[bool], i: int) -> bool:
    """Whether the next line that says something, on either side, within three lines, is code."""
    for step in (1, -1):
        for j in range(i + step, i + 4 * step, step):
            if not 0 <= j < len(code):
                break
            if code[j]:
                return True
            if told[j] and step == -1:
                break
    return False


def _literals(line: str) -> str:
    """``line`` with everything but its literals and comments blanked; each of these is a sentence of its own."""
    out = ["\n"] * len(line)
    for match in _EXAMINED.finditer(line):
        out[match.start() + 1 : match.end()] = match.group()[1:]
    return "".join(out)
