"""Where in an answer a character stands: in running text, or where a client would fetch or run what is written.

A chat client that renders an answer requests the images and previews in it, so a private value restored inside a URL
would leave by the client's own hand. Nothing is restored in a link or image target, a reference definition, an
autolink, a bare URL or domain (:mod:`~cmif.enclave.urls`), an HTML tag with its attributes, a comment, the content of
elements that run or load, a LaTeX command that links (:mod:`~cmif.enclave.markup`), or a fenced block that clients
render (:data:`RENDERED`). Other fenced code is shown to a reader and restores, but for URLs and tags that load.

The strings of a JSON text are each a text of their own, read without their escapes, beside the whole.
"""

from __future__ import annotations

import html
import re

from cmif.enclave.json_strings import JsonStrings
from cmif.enclave.markup import Html, Targets
from cmif.enclave.urls import is_url, plain_host

RENDERED = frozenset(
    ["html", "xhtml", "htm", "svg", "xml", "mathml", "mermaid", "javascript", "ecmascript", "js", "jsx", "mjs", "cjs",
     "typescript", "ts", "tsx", "react", "css", "scss", "less", "vue", "svelte", "latex", "tex", "math", "katex", "dot",
     "graphviz", "plantuml", "puml", "md", "markdown", "mdx", "vega", "echarts", "artifact", "canvas", "geojson"]
)  # fmt: skip
"""Languages of fenced blocks that clients draw or run instead of showing them."""
_JSON = frozenset(["json", "jsonc", "json5", "jsonl", "ndjson"])
_LABEL = re.compile(r"[\s>*+\-0-9.)]*\[")
_FENCE = re.compile(r"(?P<before>[\s>*+\-0-9.)]*)(?P<marks>`{3,}|~{3,})(?P<info>.*)")
_TOKEN_LIMIT = 2048
_LINE_LIMIT = 1024
_BREAKS = re.compile(r"[ \t\n\r\f\v<]")
_BREAKS_SHOWN = re.compile(r"[ \t\n\r\f\v<\"'`]")


class Place:
    """Feed an answer as its reader gets it; :attr:`closed` says whether the next character would stand where a client
    fetches or runs. ``json``: the answer is a JSON text; None: it is one if it is written like one; False: it is none.
    """

    def __init__(self, json: bool | None = None) -> None:
        self._html = Html()
        self._targets = Targets()
        self._token = ""  # since the last white space or "<"
        self._tagged = False  # the token began at a "<": a ">" ends it
        self._is_url = False
        self._line = ""
        self._former = ""  # the line before
        self._returned = False  # the last character was a carriage return, which a line feed may follow
        self._fence = ""
        self._quoted = False  # the fence began in a block quote or list
        self._language = ""
        self._asked = json is True
        self._guess = json is None
        self._strings = self._follow(lenient=True) if json else None
        self._inner: Place | None = None

    @property
    def json(self) -> JsonStrings | None:
        """The JSON text that is being followed, if the answer or the fence it is in is one."""
        return self._strings

    @property
    def markup(self) -> bool:
        """In a tag, target, comment, loading element, rendered block or linking command."""
        outer = self._html.closed or self._language in RENDERED
        if self._inner is not None and self._strings and self._strings.inside:
            return outer or self._inner.markup
        return outer or self._targets.closed

    @property
    def url(self) -> bool:
        """In what a client would take for a URL, or the target of a reference definition."""
        if self._inner is not None and self._strings and self._strings.inside:
            return self._inner.url
        return self._in_url() or self._defines()

    @property
    def begins(self) -> bool:
        """Whether nothing that could belong to a URL stands right before."""
        if self._inner is not None and self._strings and self._strings.inside:
            return self._inner.begins
        return not self._token or (self._token[-1] in "([{'\"*_,;=:|`" and not self.url)

    def host(self) -> str | None:
        """The host of the plain URL that this is in, see :func:`~cmif.enclave.urls.plain_host`."""
        if self._inner is not None and self._strings and self._strings.inside:
            return self._inner.host()
        return plain_host(self._token) if len(self._token) < _TOKEN_LIMIT else None

    def feed(self, text: str) -> None:
        """What comes next."""
        for line in text.splitlines(keepends=True):
            if self._guess and line.strip():
                self._guess = False
                if line.lstrip()[0] in "{[":
                    self._strings = self._follow(lenient=False)
            if self._strings is not None:
                self._feed_json(line)
            self._html.feed(line)
            self._targets.feed(line)
            self._feed_token(line)
            if line != "\n" or not self._returned:
                self._line = (self._line + line)[:_LINE_LIMIT]
            if line[-1] in "\r\n" and (line != "\n" or not self._returned):
                self._end_line()
            self._returned = line[-1] == "\r"

    def _follow(self, lenient: bool) -> JsonStrings:
        def begin() -> None:
            self._inner = Place(json=False)

        def read(char: str) -> None:
            assert self._inner is not None
            self._inner.feed(char)

        return JsonStrings(lenient, begin, read)

    def _feed_json(self, line: str) -> None:
        assert self._strings is not None
        for char in line:
            self._strings.feed(char)
            if not self._strings.alive:
                self._strings = None
                return

    def _feed_token(self, line: str) -> None:
        shown = bool(self._fence) and self._language not in RENDERED
        at = 0
        for end in (_BREAKS_SHOWN if shown else _BREAKS).finditer(line):
            self._lengthen(line[at : end.start()])
            at = end.end()
            if end.group() == "<" and self._in_url():  # some renderers read on through a bracket
                self._lengthen("<")
            else:
                self._token, self._is_url, self._tagged = "", False, end.group() == "<"
        self._lengthen(line[at:])

    def _lengthen(self, text: str) -> None:
        if self._tagged and ">" in text:
            text = text[text.index(">") + 1 :]
            self._token, self._is_url, self._tagged = "", False, False
        self._token = (self._token + text)[:_TOKEN_LIMIT]

    def _in_url(self) -> bool:
        if not self._is_url and self._token:
            self._is_url = len(self._token) >= _TOKEN_LIMIT or is_url(self._token)
        return self._is_url

    def _defines(self) -> bool:
        """Whether a reference definition's target has begun and not ended."""
        if self._former.rstrip().endswith("]:"):
            return bool(self._line.strip()) and len(self._line.split()) == 1 and not self._line[-1:].isspace()
        label, colon, target = self._line.partition("]:")
        if not colon or not target.strip() or len(self._line) >= _LINE_LIMIT:
            return False
        begun = _LABEL.match(label) is not None or ("[" in self._former and "]" not in self._former)
        return begun and len(target.split()) == 1 and not target[-1].isspace()

    def _end_line(self) -> None:
        line, self._former, self._line = self._line, self._line, ""
        if not line.strip():
            self._html.blank_line()
            self._targets.blank_line()
        fence = _FENCE.match(line)
        if fence is None:
            return
        before, marks, info = fence.group("before", "marks", "info")
        language = _language(info)
        if self._fence and marks.startswith(self._fence) and not info.strip():
            nested = before.strip() or len(before) > 3
            if self._quoted or not nested:
                if self._language in _JSON:
                    self._strings = self._follow(lenient=True) if self._asked else None
                self._fence, self._language, self._quoted = "", "", False
        elif not (marks[0] == "`" and "`" in info) and (not self._fence or language in RENDERED):
            self._fence, self._language = marks, language if language in RENDERED | _JSON else ""
            self._quoted = bool(before)
            if language in _JSON:
                self._strings = self._follow(lenient=True)
        self._html.shown = (
            bool(self._fence) and not self._quoted and not self._html.block and not self._html.closed
        )


def _language(info: str) -> str:
    """The language that a fence names, however it is written: ``{.html}``, ``text/html``, ``htm&#108;``, ``html5``."""
    seen = html.unescape(info).replace("\\", "").casefold()
    words = re.findall(r"[a-z]+", seen)
    return next((word for word in words if word in RENDERED), words[0] if words else "")
