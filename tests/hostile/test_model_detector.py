"""The model of the extra `ner` in a running gateway: a name that only it finds does not leave, and comes back."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2 as httpx
import pytest

from cmif.errors import InputError
from tests.hostile.text_api import says, text_api
from tests.servers import text_gateway

NAME = "zvonimira kovalchyk"  # in lower case, in no list, behind no form of address
TEXT = f"the parcel for {NAME} came back today."


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `ner`")
    from cmif.enclave.detect.ner import Ner

    try:
        Ner()
    except InputError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("detectors", [[], ["ner"]])
def test_a_name_that_only_the_model_finds_leaves_without_it_and_not_with_it(
    wide_split: Path, tmp_path: Path, detectors: list[str]
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(f'level = "entities"\ndetectors = {json.dumps(detectors)}\n', "utf-8")
    with (
        text_api(lambda body: says(body["messages"][-1]["content"])) as (url, api),
        text_gateway(wide_split, url, "theirs", tmp_path, "--policy", str(policy)) as told,
    ):
        body = {"messages": [{"role": "user", "content": TEXT}], "max_tokens": 50}
        answer = httpx.post(f"{told['url']}/v1/chat/completions", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"] == TEXT
        assert ("kovalchyk" in json.dumps(api.bodies)) is (detectors == [])
