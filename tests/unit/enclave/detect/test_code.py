"""Code arrives whole; secrets and personal data in its literals and comments are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmif.enclave.detect import default_detectors, detect_all
from cmif.enclave.detect.code import examined
from cmif.enclave.words import words
from cmif.types import Kind

DETECTORS = default_detectors()
ROOT = Path(__file__).parents[4]


def private(text: str) -> list[str]:
    return [text[s.start : s.end] for s in detect_all(text, DETECTORS) if s.kind is not Kind.WORD]


WHOLE = {
    "python": "from starlette.applications import Starlette\n\n@Route.get\nclass Gateway(Starlette):\n"
    "    def __init__(self, Max: int) -> None:\n        raise HTTPException(Max)\n",
    "traceback": 'Traceback (most recent call last):\n  File "app.py", line 3, in <module>\nOperationalError: no table\n',
    "javascript": "const Harper = require('express');\nexport class Mason extends Component { render() { return Harper.Router(); } }\n",
    "typescript": "interface Weber<T> { Mason: Map<string, T>; }\nlet x: Weber<number> = Jordan.create();\n",
    "java": "import org.junit.Test;\npublic class Mason implements Runnable {\n  private final Logger Grant = LoggerFactory.getLogger(Mason.class);\n}\n",
    "go": 'package main\n\nimport "fmt"\n\nfunc Mason(Harper *Jordan) error {\n\treturn fmt.Errorf("bad %v", Harper)\n}\n',
    "rust": "use std::collections::HashMap;\nimpl Drop for Mason { fn drop(&mut self) { Harper::close(self); } }\n",
    "c": "#include <stdio.h>\nstatic int Mason(struct Harper *Jordan) { return Jordan->Grant; }\n",
    "ruby": "class Mason < Harper::Base\n  def call(env)\n    Jordan.new(env).Grant\n  end\nend\n",
    "php": "<?php\nuse Mason\\Harper;\nclass Jordan extends Harper { public function Grant() { return Mason::Wade(); } }\n",
    "sql": "CREATE TABLE Orders (Id BIGINT, Name VARCHAR(255));\nSELECT Mason.Id FROM Mason JOIN Harper ON Mason.Id = Harper.Id;\n",
    "shell": "export HARPER=1\n$ kubectl get Mason -o json\nif [ -z $HARPER ]; then exit 1; fi\n",
    "one line": "def f(a, b): return max(a, b)  # VARCHAR(255), http.StatusOK",
}


@pytest.mark.parametrize("language", WHOLE)
def test_code_arrives_whole(language: str) -> None:
    assert private(WHOLE[language]) == []
    assert private(f"What does this do?\n\n```\n{WHOLE[language]}```\n") == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('patient = "Anna Weber"\nprint(patient)\n', "Anna Weber"),
        ("x = 1  # reported by Marta Kowalski\ny = f(x)\n", "Marta Kowalski"),
        ('const owner = { name: "Anna Weber" };\nrun(owner);\n', "Anna Weber"),
        ('mail(to="alice.jones@nordfell.com")\nf()\n', "alice.jones@nordfell.com"),
        ('call("+44 20 7946 0958")\nf()\n', "+44 20 7946 0958"),
        ('API_KEY = "sk-proj-9fK2mQ7xVb4TzR8wLc3N5pY1"\nrun(API_KEY)\n', "sk-proj-9fK2mQ7xVb4TzR8wLc3N5pY1"),
        ("INSERT INTO patients (name) VALUES ('Anna Weber');\nSELECT 1;\n", "Anna Weber"),
        ("// Call Anna Weber before you deploy\nint main() { return 0; }\n", "Anna Weber"),
    ],
)
def test_personal_data_in_code_is_found(code: str, found: str) -> None:
    assert any(found in value for value in private(code))
    assert any(found in value for value in private(f"```\n{code}```\n"))


@pytest.mark.parametrize(
    "text",
    [
        "Please tell Zarko Lunde (our tenant) that the rent (see f(x) in the sheet) is due.",
        "Dear Zarko,\n\nif you can, call me; I will be there at noon.\n\nLunde\n",
        "For Zarko: return the keys, then sign the form.",
        "```\nDear Zarko Lunde,\nyour lease of the flat is due.\n```",
        "2024-05-14 09:12:35 WARN transfer failed for customer Zarko Lunde -> retry",
        "Sent to Zarko Lunde (ward 3) => pending",
        "From Zarko Lunde to Percival Oyelaran, cc Thaddeus;",
        "Meeting notes -> Zarko will call Lunde",
        "Call Zarko;\nEmail Lunde;",
        "patient := Zarko Lunde",
    ],
)
def test_prose_with_marks_of_code_stays_prose(text: str) -> None:
    assert any("Zarko" in value for value in private(text))


@pytest.mark.parametrize(
    "text",
    [
        "<context>\nWendeline Kuypers has been dismissed.\n</context>\n\n<question>\nWhy?\n</question>",
        '<documents>\n<document index="1">\n<source>hr.txt</source>\n<document_content>\nTermination letter for Wendeline Kuypers.\n'
        "</document_content>\n</document>\n</documents>\nReply in <answer></answer>.",
        "<ul>\n<li>Wendeline Kuypers, 44, nurse</li>\n</ul>",
        "<notes>Present: Wendeline Kuypers. Decision: ship.</notes>",
        "<transcript>\nTom: hi\nWendeline Kuypers: I left.\n</transcript>\n<instructions>\nSummarise it.\n</instructions>",
    ],
)
def test_what_a_prompt_puts_between_tags_is_no_code(text: str) -> None:
    """Tags on lines of their own were code, and so was what lay between: only listed names were found there."""
    assert "Wendeline Kuypers" in private(text)


def test_a_page_of_controls_arrives_whole() -> None:
    page = '<div class="nav">\n  <a href="/x">Privacy Policy</a>\n  <button>Place Order</button>\n  <h2>Getting Started</h2>\n</div>'
    assert private(page) == []


def test_blanked_code_keeps_every_position() -> None:
    text = "".join(WHOLE.values())
    plain = examined(text)
    assert len(plain.text) == len(text)
    assert all(a == b or a == "\n" for a, b in zip(plain.text, text, strict=True))


def test_this_repositorys_own_source_arrives_whole() -> None:
    hits = lines = changed = count = 0
    for path in sorted((ROOT / "src" / "cmif" / "gateway").glob("*.py")):
        text = path.read_text("utf-8")
        spans = [s for s in detect_all(text, DETECTORS) if s.kind is not Kind.WORD]
        hits, count = hits + len(spans), count + len(words(text))
        changed += len({text.count("\n", 0, s.start) for s in spans})
        lines += text.count("\n")
    assert lines > 1000
    assert hits <= 0.01 * count
    assert changed <= 0.02 * lines
