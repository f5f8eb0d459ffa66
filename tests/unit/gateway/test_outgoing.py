"""How the gateway speaks to what it does not trust."""

from __future__ import annotations

import pytest

from cmif.errors import InputError
from cmif.gateway.outgoing import base_url
from cmif.gateway.text_api import TextApi


@pytest.mark.parametrize("url", ["", "host:1", "ftp://host", "http://", "http://[", "http://host:0", "http://host:99999"])
def test_what_is_no_address_is_an_input_error_in_both_lanes(url: str) -> None:
    assert base_url(url) is None
    with pytest.raises(InputError, match="URL"):
        TextApi(url, "m", None)  # type: ignore[arg-type]
