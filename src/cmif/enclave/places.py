"""Where in an answer a character stands: in running text, or where a client would fetch or run what is written.

A chat client that renders an answer requests the images and previews in it, so a private value restored inside a URL
would leave by the client's own hand. Nothing is restored in a link or image target, a reference definition, an
autolink, a bare URL or domain, an HTML tag with its attributes, a comment, the content of elements that run or load,
a fenced block that clients render (:data:`RENDERED`), or a LaTeX command that links. Other fenced code is shown to a
reader and restores. Follows CommonMark 0.31 (links, HTML), GitHub's autolinks and the HTML tokeniser (WHATWG 13.2.5);
where renderers differ, the stricter reading counts.
"""

from __future__ import annotations

import html
import re
import unicodedata

RENDERED = frozenset(
    ["html", "xhtml", "htm", "svg", "xml", "mermaid", "javascript", "js", "jsx", "mjs", "typescript", "ts", "tsx",
     "css", "vue", "svelte", "latex", "tex", "math", "katex", "dot", "graphviz", "plantuml", "md", "markdown", "mdx",
     "vega"]
)  # fmt: skip
"""Languages of fenced blocks that clients draw or run instead of showing them."""
_LOADING = frozenset(
    [
        "script",
        "style",
        "svg",
        "math",
        "iframe",
        "object",
        "embed",
        "template",
        "noscript",
        "textarea",
        "title",
        "xmp",
    ]
)
_SCHEMES = "https?|ftps?|wss?|file|blob|data|javascript|vbscript|mailto|tel|sms|view-source|about|intent"
_URL = re.compile(
    rf"://|(?:^|[^\w])//|(?:^|[^\w])(?:{_SCHEMES})(?::|&colon;)|(?:^|[^\w])www\d{{0,3}}\."
    rf"|(?:^|[^\w@.-])(?:[\w-]+\.)+[a-z]{{2,24}}(?::\d+)?[/?#]|(?:^|[^\w.-])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d+)?[/?#]",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?:https?:)?//(?:[^/?#@\s]*@)?([^/?#:\s\\]+)", re.IGNORECASE)
_DEFINITION = re.compile(r"[\s>*+\-0-9.)]*\[[^\]\n]{1,999}\]:")
_LATEX = re.compile(
    r"\\(?:href|url|includegraphics|input|include|hyperref|nolinkurl|path)\s*(?:\[[^\]]*\])?\{$"
)
_FENCE = re.compile(r"[\s>*+\-0-9.)]*(`{3,}|~{3,})\s*\{?\.?([\w+-]*)")
_ENDS_URL = frozenset(' \t\n\r\f\v\u00a0\u2028\u2029"<>`')
_TOKEN_LIMIT = 4096
_LINE_LIMIT = 1024


class Place:
    """Feed an answer's characters as the engine wrote them; :attr:`closed` says whether the next one would stand where
    a client fetches or runs, :attr:`json` whether it stands inside a string of a JSON text.
    """

    def __init__(self, json: bool = False) -> None:
        self._token = ""
        self._line = ""
        self._blank = 0  # line breaks since the last character that is none
        self._tag: str | None = None
        self._tag_quote = ""
        self._element = ""
        self._comment = False
        self._target: list[str] | None = None  # brackets open in a link target
        self._angle = False
        self._definition = False
        self._latex = 0
        self._fence = ""
        self._language = ""
        self._before = ("", "")  # the last two characters
        self._escape = False
        self._json = json
        self._started = False
        self._string = False
        self._string_escape = False

    @property
    def json(self) -> bool:
        return self._string

    @property
    def json_text(self) -> bool:
        """Whether the answer, or the fence it is in, is a JSON text."""
        return self._json or self._language == "json"

    @property
    def closed(self) -> bool:
        return self.markup or self.url

    @property
    def markup(self) -> bool:
        """In a tag, target, comment, loading element, definition, rendered block or linking command."""
        return bool(
            self._tag is not None
            or self._comment
            or self._element
            or self._target is not None
            or self._definition
            or self._latex
            or self._language in RENDERED
        )

    @property
    def url(self) -> bool:
        """In what a client would take for a URL, however it is disguised."""
        if not self._token:
            return False
        if len(self._token) >= _TOKEN_LIMIT:
            return True
        return _URL.search(_bare(self._token)) is not None

    @property
    def begins(self) -> bool:
        """Whether nothing that could belong to a URL stands right before."""
        return not self._token or (self._token[-1] in "([{'*_,;=:|" and not self.url)

    def host(self) -> str | None:
        """The host of the URL so far, if it is complete."""
        match = _HOST.search(_bare(self._token))
        return match.group(1).casefold() if match and match.end() < len(_bare(self._token)) else None

    def feed(self, char: str) -> None:
        """The next character."""
        self._follow_json(char)
        if self._comment:
            self._comment = not (char == ">" and self._before == ("-", "-"))
        elif self._tag is not None:
            self._in_tag(char)
        elif self._target is not None:
            self._in_target(char)
        else:
            self._in_text(char)
        if char in _ENDS_URL:
            self._token = ""
        elif len(self._token) < _TOKEN_LIMIT:
            self._token += char
        if char == "\n":
            self._end_line()
        elif len(self._line) < _LINE_LIMIT:
            self._line += char
        if char == "\n":
            self._blank += 1
        elif not char.isspace():
            self._blank = 0
        self._before = (self._before[1], char)

    def _in_text(self, char: str) -> None:
        if self._latex:
            self._latex += (char == "{") - (char == "}")
        if self._before[1] == "<" and ((char.isascii() and char.isalpha()) or char in "/!?"):
            self._tag, self._tag_quote = char, ""
        elif char == "(" and self._before[1] == "]" and not self._latex:
            self._target, self._angle, self._escape = ["("], False, False
        elif char == "{" and not self._latex and _LATEX.search(self._line[-200:] + char):
            self._latex = 1
        elif char == ":" and self._before[1] == "]" and _DEFINITION.fullmatch(self._line + char):
            self._definition = True

    def _in_tag(self, char: str) -> None:
        assert self._tag is not None
        if self._tag_quote:
            if char == self._tag_quote:
                self._tag_quote = ""
            return
        if self._tag == "!-" and char == "-":
            self._tag, self._comment = None, True
            return
        if char in "\"'" and self._tag.rstrip().endswith("="):
            self._tag_quote = char
        if char == ">":
            name = re.match(r"/?\s*([A-Za-z][\w-]*)", self._tag)
            found = name.group(1).casefold() if name else ""
            if self._tag.startswith("/") and found == self._element:
                self._element = ""
            elif found in _LOADING and not self._tag.startswith("/") and not self._tag.rstrip().endswith("/"):
                self._element = self._element or found
            self._tag = None
        elif char == "\n" and self._blank:
            self._tag = None
        elif len(self._tag) < 64:
            self._tag += char
        else:
            self._tag = self._tag[:48] + self._tag[49:] + char

    def _in_target(self, char: str) -> None:
        assert self._target is not None
        if self._escape:
            self._escape = False
        elif char == "\\":
            self._escape = True
        elif self._angle:
            self._angle = char not in ">\n"
        elif char == "<" and self._before[1] in "( \t\n":
            self._angle = True
        elif char == "(":
            self._target.append(char)
        elif char == ")":
            self._target.pop()
            if not self._target:
                self._target, self._token = None, ""
        elif char == "\n" and self._blank:
            self._target = None

    def _end_line(self) -> None:
        line, self._line = self._line, ""
        if self._definition and line.split("]:", 1)[-1].strip():
            self._definition = False  # its target may stand on the next line; once there is one, it ends
        fence = _FENCE.match(line)
        if fence is None:
            return
        if not self._fence:
            self._fence, self._language = fence.group(1), fence.group(2).casefold()
            self._string = False
        elif fence.group(1).startswith(self._fence) and not fence.group(2):
            self._fence, self._language, self._string = "", "", False

    def _follow_json(self, char: str) -> None:
        if not self._started and not char.isspace():
            self._started = True
            self._json = self._json or char in "{["
        if not (self._json or self._language == "json"):
            return
        if self._string_escape:
            self._string_escape = False
        elif self._string and char == "\\":
            self._string_escape = True
        elif char == '"':
            self._string = not self._string


def _bare(token: str) -> str:
    """A token as a browser would read it: entities and escapes undone, full-width forms folded, nothing invisible."""
    seen = html.unescape(token).replace("\\", "")
    seen = unicodedata.normalize("NFKC", seen)
    return "".join(char for char in seen if unicodedata.category(char) not in ("Cf", "Cc", "Mn"))
