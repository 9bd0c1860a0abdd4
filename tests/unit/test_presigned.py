"""URLs that open a notebook instance; test_notebook_image.py has the container's half."""

import base64
import json
from urllib.parse import parse_qs, urlsplit

from emulator import presigned

KEY = "ab" * 32


def test_a_url_leads_to_the_instance_and_says_until_when_and_how_long() -> None:
    url = urlsplit(presigned.url("172.20.0.9:8888", KEY, now=1000.9, session=1800))
    assert (url.scheme, url.netloc, url.path) == ("http", "172.20.0.9:8888", "/")
    [token] = parse_qs(url.query)["authToken"]
    payload, _, proof = token.partition(".")
    granted = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert granted == {"expires": 1300, "session": 1800}
    assert len(proof) == 64
    assert "=" not in token


def test_a_token_is_bound_to_its_key_and_to_what_it_grants() -> None:
    tokens = {
        presigned.token(key, now=now, session=session)
        for key in (KEY, "cd" * 32)
        for now in (1000.0, 1001.0)
        for session in (1800, 43200)
    }
    assert len({token.partition(".")[2] for token in tokens}) == 8
