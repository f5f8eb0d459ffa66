from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.detect import default_detectors, detect_all
from cmif.enclave.detect.secrets import entropy, is_high_entropy
from cmif.types import Kind

from .conftest import Found

KEY = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9"

SECRETS = [
    ("password=hunter2", "hunter2"),
    ("PASSWORD: hunter2", "hunter2"),
    ('"api_key": "abc-123-def",', "abc-123-def"),
    ("secret => 'it is me'", "it is me"),
    ("dbPassword: swordfish", "swordfish"),
    ("userPass=abc9", "abc9"),
    ("DB_URL=postgres://user:pa:ss@host:5432/db", "postgres://user:pa:ss@host:5432/db"),
    (f"export AWS_SECRET_ACCESS_KEY={KEY}", KEY),
    (f"Authorization: Bearer {KEY}", KEY),
    ("--password hunter2 -v", "hunter2"),
    ("curl -u bob:hunter2 -v", "hunter2"),
    ("my password is dragon", "dragon"),
    ("The password was changed to 'open sesame now'", "open sesame now"),
    ("The PIN is 4821.", "4821"),
    ("PIN: 4821", "4821"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"),
    ("AKIA" + "ABCDEFGHIJKLMNOP", "AKIA" + "ABCDEFGHIJKLMNOP"),
    ("sk-" + KEY, "sk-" + KEY),
    ("sk-ant-api03-" + KEY, "sk-ant-api03-" + KEY),
    ("ghp_" + KEY + KEY, "ghp_" + KEY + KEY),
    ("glpat-" + KEY, "glpat-" + KEY),
    ("hf_" + "abcdefghijklmnopqrstuvwxyz", "hf_" + "abcdefghijklmnopqrstuvwxyz"),
    ("xoxb-123456789012-" + KEY, "xoxb-123456789012-" + KEY),
    ("sk_live_" + KEY, "sk_live_" + KEY),
    ("AIza" + KEY + "abcdefgh", "AIza" + KEY + "abcdefgh"),
    ("commit 3f786850e387550fdab836ed7e6dc881de23001b", "3f786850e387550fdab836ed7e6dc881de23001b"),
    (f"the value {KEY} was", KEY),
]

NOT_SECRETS = [
    "the password is incorrect",
    "Your password must be changed, said the page.",
    "Token: a unit of text",
    "max_tokens=128, token_count: 55",
    "api_key=os.environ['X']",
    "password: str = None",
    "password=${DB_PASSWORD}",
    "password: <password>",
    "a secret santa: bring a gift",
    "the compass: north by north-west",
    "/usr/lib/python3/dist-packages/numpy/core/multiarray.py",
    "get_user_by_identifier_and_name",
    "Qwen2.5-7B-Instruct-GPTQ-Int4",
    "basic authentication and bearer tokens",
]


@pytest.mark.parametrize(("text", "value"), SECRETS)
def test_the_value_of_a_credential_is_a_secret(found: Found, text: str, value: str) -> None:
    assert (value, "secret") in found(text)


@pytest.mark.parametrize("text", NOT_SECRETS)
def test_talk_about_credentials_is_none(found: Found, text: str) -> None:
    assert [kind for _, kind in found(text) if kind == "secret"] == []


def test_a_private_key_is_one_span_even_without_its_end(found: Found) -> None:
    block = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIB\nAAKCAQEA\n-----END RSA PRIVATE KEY-----"
    assert found(f"here: {block}\nthanks") == [(block, "secret")]
    cut = block[:50]
    assert found(f"here: {cut}") == [(cut, "secret")]


@given(st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=8, max_size=60))
def test_any_value_of_a_quoted_password_is_covered(value: str) -> None:
    text = f'config = {{"password": "{value}"}}'
    start = text.index(value, 20)
    covered = [s for s in detect_all(text, default_detectors()) if s.kind is Kind.SECRET]
    if value.lower() not in ("optional", "required"):
        assert any(s.start <= start and start + len(value) <= s.end for s in covered)


def test_entropy_is_in_bits_a_character() -> None:
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2
    assert is_high_entropy(KEY)
    assert not is_high_entropy("internationalisation_of_things")
    assert not is_high_entropy("0" * 40)
