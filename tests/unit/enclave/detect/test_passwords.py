"""What a label announces, in every notation people paste."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.detect import default_detectors, detect_all
from cmif.types import Kind

from .conftest import Found

ANNOUNCED = [
    # separators and quotes inside the value
    ("DB_PASSWORD=7&kq$91bTz!mmCC4", "7&kq$91bTz!mmCC4"),
    ("export API_KEY=a,b;c%d)e", "a,b;c%d)e"),
    ("SMTP_PASS=ab'cd\"ef9", "ab'cd\"ef9"),
    ('"password": "%r2KopvqW7D9"', "%r2KopvqW7D9"),
    ('password = "$ecret99x"', "$ecret99x"),
    ("passwd: 'it\\'s 17'", "it\\'s 17"),
    ('{\\"password\\": \\"abc def\\", \\"x\\": 1}', "abc def"),
    ("My memorable word is sandcastle.", "sandcastle"),
    # quotes of every kind, the other one inside
    ('The password is "qa\'s4word31".', "qa's4word31"),
    ("his passphrase is “won't say 17”", "won't say 17"),
    ("her passphrase is ‘won’t say 18’.", "won’t say 18"),
    ("Das Passwort: „Hund 9 Katze“", "Hund 9 Katze"),
    # where one setting ends and the next begins
    ("user=bar&password=foo9&x=1", "foo9"),
    ("connect(user=1, password=s3c)ret!x, db=1)", "s3c)ret!x"),
    ("curl -d 'password=foo9&x=1'", "foo9"),
    # notations
    ("password: str = 'hunter22'", "hunter22"),
    ('props.set("password", "hunter2")', "hunter2"),
    ("<password>h@nter2</password>", "h@nter2"),
    ('<add key="DbPassword" value="h@nter2"/>', "h@nter2"),
    ("- name: DB_PASSWORD\n  value: hunter2\n", "hunter2"),
    ('{"name": "API_TOKEN", "value": "qwerty"}', "qwerty"),
    ('variable "aws_secret_key" {\n  type = string\n  default = "zq7K+x"\n}', "zq7K+x"),
    ('variable "db_password" {\n  description = "x"\n  default     = "tulip"\n}', "tulip"),
    ("machine api.example.com login bob password zebra", "zebra"),
    ("mysql -u root -pSecr3t db", "Secr3t"),
    ("sshpass -p hunterx ssh host", "hunterx"),
    ("postgres://bob:p@ss'w0rd@db.internal/x", "postgres://bob:p@ss'w0rd@db.internal/x"),
    # columns of a command
    ("db_password    dragon\nregion         eu\n", "dragon"),
    ("| api_key | tulip |\n", "tulip"),
    ("NAME     PASSWORD     ROLE\nadmin    dragon       owner\n", "dragon"),
    # said
    ("the password is: magpie88", "magpie88"),
    ("use magpie88 as the password", "magpie88"),
    ("hunter2! is my new password", "hunter2!"),
    ("log in with password hunter2!xx", "hunter2!xx"),
    ("wifi password for the office: Tr0ub4dor&3 ;", "Tr0ub4dor&3"),
    ("the creds are admin / qwe123r", "qwe123r"),
    ("my passphrase is correct horse battery staple.", "correct horse battery staple"),
    ("contraseña: gatito9", "gatito9"),
    ("パスワード：hunter2", "hunter2"),
    # random without a label
    ("zq7K+1TBNcokxwmgiHXlbRGu/MsPCqLZKVUGpA3m", "zq7K+1TBNcokxwmgiHXlbRGu/MsPCqLZKVUGpA3m"),
]  # fmt: skip
CODES = [
    ("CVC 417", "417"), ("cvv2: 0417", "0417"), ("my PIN 4471,", "4471"), ("PIN code is 9921.", "9921"), ("OTP 883412", "883412"),
    ("verification code is 88 34 12", "88 34 12"), ("the gate code 2580 works", "2580"), ("2FA code: 120934", "120934"),
]  # fmt: skip
NONE = [
    "Secret: to boil pasta", "Tokens: a unit of text", "The password is required", "token = get_token()", "password=self.password",
    "api_key=api_key", 'password = input("x")', "password: ${DB_PASS};", "PASSWORD=$DB_PASS", "tan 45 and pin 13 is HIGH, set pin 5",
    "src/Main/FooBar2/BazQuxQuux/HelloWorldThing/index.html", "the code 12 lines long", "passed 1200 tests", "PASSWORD     ROLE",
    'tokens = ("bos_token", "eos_token")', 'f(add_special_token=False)["input_ids"]', "the password too short", "security code review",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), [*ANNOUNCED, *CODES])
def test_the_value_is_a_secret_and_its_label_is_not(found: Found, text: str, value: str) -> None:
    assert (value, "secret") in found(text)


@pytest.mark.parametrize("text", NONE)
def test_talk_and_code_about_secrets_is_none(found: Found, text: str) -> None:
    assert [value for value, kind in found(text) if kind == "secret"] == []


ODD = st.text("abcXYZ0189&%$!#@*+~^?.,;", min_size=6, max_size=24).filter(
    lambda value: value[0].isalnum() and value[-1].isalnum() and any(c.isdigit() for c in value)
)


@given(ODD)
def test_any_value_of_an_environment_file_is_covered(value: str) -> None:
    text = f"HOST=x\nDB_PASSWORD={value}\nPORT=1"
    start = text.index(value, 18)
    spans = [s for s in detect_all(text, default_detectors()) if s.kind is Kind.SECRET]
    assert any(s.start <= start and start + len(value) <= s.end for s in spans)
