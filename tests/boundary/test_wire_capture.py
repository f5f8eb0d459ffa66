"""What crosses between gateway and engine, recorded: no original in any encoding, and rows that decode to the sanitised text."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

from cmif.enclave.tokenise import Tokeniser
from cmif.gateway.bundles import open_bundle
from cmif.wire.frame import Frame, Limits
from cmif.wire.session import SessionStore
from tests.servers import RecordingProxy, gateway

NOTE = (
    "Patient Eleanor Whitfield, MRN 4471-9025, born 14 March 1961, phone +44 20 7946 0958, card 4111 1111 1111 1111, "
    "e-mail eleanor.w@mailbox.org. The password=Hunter2pass! opens the pancreatitis file.\n\nWho is the patient?"
)
ENTITIES = [
    "Eleanor",
    "Whitfield",
    "4471-9025",
    "14 March 1961",
    "7946 0958",
    "4111 1111 1111 1111",
    "eleanor.w",
    "Hunter2pass",
]
CONTENT = ["pancreatitis", "password", "patient", "opens", "phone"]


def encodings(word: str) -> list[bytes]:
    """The forms in which a leak would show: several charsets, both cases, digits alone, hex and base64 at any offset."""
    forms = {
        word,
        word.lower(),
        word.upper(),
        re.sub(r"\W", "", word),
        word.replace(" ", "%20"),
        word.replace(" ", "+"),
    }
    out = [form.encode(charset) for form in forms for charset in ("utf-8", "utf-16-le", "utf-32-le")]
    out += [form.encode().hex().encode() for form in forms]
    for form in forms:
        for shift in range(3):
            raw = base64.b64encode(b"x" * shift + form.encode()).rstrip(b"=")
            out.append(raw[(shift * 8 + 5) // 6 : -1])
    return [form for form in out if len(form) >= 5]  # four random bytes spell a word now and then


def frames(recorded: bytes) -> list[bytes]:
    """The bodies of the recorded HTTP/1.1 requests."""
    bodies, rest = [], recorded
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        match = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        length = int(match.group(1)) if match else 0
        if head.startswith(b"POST /v1/generate"):
            bodies.append(rest[:length])
        rest = rest[length:]
    return bodies


@pytest.mark.parametrize(("policy", "hidden"), [("entities", ENTITIES), ("content", ENTITIES + CONTENT)])
def test_the_wire_carries_the_sanitised_text_and_nothing_else(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path, policy: str, hidden: list[str]
) -> None:
    bundle = open_bundle(tiny_split / "client")
    with RecordingProxy(tiny_engine["port"]) as proxy:
        with gateway(tiny_split, proxy.url, tmp_path, "--policy", policy, "--wire", "bf16") as told:
            client = openai.OpenAI(base_url=f"{told['url']}/v1", api_key="x", max_retries=0)
            answer = client.chat.completions.create(
                model=told["model"], messages=[{"role": "user", "content": NOTE}], max_tokens=8, temperature=0,
                user="Eleanor Whitfield", metadata={"note": "pancreatitis"}, extra_headers={"x-cmif-explain": "1"},
            )  # fmt: skip
    assert answer.model_extra is not None
    saw: str = answer.model_extra["cmif"]["engine_saw"]
    (body,) = frames(bytes(proxy.up))
    frame = SessionStore().receive(body, Limits(bundle.manifest.hidden, bundle.manifest.context)).frame
    assert isinstance(frame, Frame)
    decoded = _nearest(frame.rows.dense(), bundle.rows)
    assert _content(bundle.tokeniser, decoded) == saw
    crossing = bytes(proxy.up) + bytes(proxy.down) + saw.encode()
    # Report-Noisy-Max may report the word itself: such a word was released, and charged. Every other one must not show.
    released = {word for word in CONTENT if re.search(rf"\b{word}\b", saw, re.IGNORECASE)}
    assert policy != "content" or len(released) < len(CONTENT)
    for word in set(hidden) - released:
        for form in encodings(word):
            assert form not in crossing, f"an encoding of a hidden word crossed ({policy})"


def test_the_capture_would_see_a_leak(tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path) -> None:
    """With the policy `off` the same instrument reads the whole note from the rows: it can fail."""
    bundle = open_bundle(tiny_split / "client")
    with RecordingProxy(tiny_engine["port"]) as proxy:
        with gateway(tiny_split, proxy.url, tmp_path, "--policy", "off", "--wire", "bf16") as told:
            client = openai.OpenAI(base_url=f"{told['url']}/v1", api_key="x", max_retries=0)
            client.chat.completions.create(
                model=told["model"], messages=[{"role": "user", "content": NOTE}], max_tokens=1
            )
    (body,) = frames(bytes(proxy.up))
    frame = SessionStore().receive(body, Limits(bundle.manifest.hidden, bundle.manifest.context)).frame
    assert isinstance(frame, Frame)
    assert _content(bundle.tokeniser, _nearest(frame.rows.dense(), bundle.rows)) == NOTE


def _nearest(rows: np.ndarray, table: np.ndarray) -> list[int]:
    """Nearest-neighbour inversion, as anybody on the wire can do it."""
    wide, vocabulary = (
        (np.asarray(a).astype(np.uint32) << 16).view(np.float32).astype(np.float64) for a in (rows, table)
    )
    distance = (wide**2).sum(1)[:, None] - 2 * wide @ vocabulary.T + (vocabulary**2).sum(1)[None]
    return [int(i) for i in distance.argmin(axis=1)]


def _content(tokeniser: Tokeniser, ids: list[int]) -> str:
    """What stands between the chat template's special tokens."""
    return tokeniser.decode(ids)
