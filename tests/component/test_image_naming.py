"""Images under Amazon's exact names: given, kept by others, taken back, on a real engine."""

import io
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import docker
import pytest

from emulator.catalogue import naming
from emulator.catalogue.resolve import Present, Resolved, resolve
from emulator.catalogue.seal import is_given
from emulator.catalogue.table import names_in

pytestmark = pytest.mark.docker

REGION = f"tt-naming-{os.getpid()}"
NOWHERE = "http://127.0.0.1:9"
CHAINER = f"520713654638.dkr.ecr.{REGION}.amazonaws.com/sagemaker-chainer:5.0.0-cpu-py3"
MXNET = f"763104351884.dkr.ecr.{REGION}.amazonaws.com/mxnet-training:1.4.1-cpu-py3"


@pytest.fixture
def client() -> Iterator[Any]:
    """A client of the engine; no name of the test's region is left."""
    client = docker.from_env()
    yield client
    naming.take_back(REGION)
    for image in client.api.images():
        for name in image.get("RepoTags") or ():
            if f".ecr.{REGION}." in name:
                client.api.remove_image(name)
    client.close()


@pytest.fixture
def other() -> Iterator[str]:
    """The URL of what looks like another emulator."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two names in all, for less work."""
    two = [uri for uri in names_in(REGION) if str(uri) in (CHAINER, MXNET)]
    monkeypatch.setattr(naming, "names_in", lambda region: two if region == REGION else [])


def held(client: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = client.api.inspect_image(name)
    return found


def built_from(client: Any, name: str, line: str) -> str:
    """Build somebody's image from another one and give it the same name; returns its id."""
    dockerfile = io.BytesIO(f"FROM {name}\n{line}\n".encode())
    image, _ = client.images.build(fileobj=dockerfile, tag=name, rm=True)
    return str(image.id)


def test_every_name_leads_to_a_copy_that_knows_the_emulator(client: Any) -> None:
    named = naming.give(REGION, NOWHERE)
    assert set(named.given) == {str(uri) for uri in names_in(REGION)}
    for name, image in named.given.items():
        copy, original = held(client, name), held(client, image)
        added = f"{naming.URL_VARIABLE}={NOWHERE}"
        assert sorted(copy["Config"]["Env"]) == sorted([*original["Config"]["Env"], added])
        assert copy["Config"]["Cmd"] == original["Config"]["Cmd"]
        assert copy["RootFS"] == original["RootFS"]
        assert is_given(copy)
        assert not is_given(original)


@pytest.mark.usefixtures("few")
def test_doing_it_twice_equals_doing_it_once(client: Any) -> None:
    first = naming.give(REGION, NOWHERE)
    before = {name: held(client, name)["Id"] for name in first.given}
    assert naming.give(REGION, NOWHERE) == first
    assert {name: held(client, name)["Id"] for name in first.given} == before


@pytest.mark.usefixtures("few")
def test_without_a_url_the_copy_has_none(client: Any) -> None:
    naming.give(REGION, "")
    variables = held(client, CHAINER)["Config"]["Env"]
    assert not [line for line in variables if line.startswith(naming.URL_VARIABLE)]


@pytest.mark.usefixtures("few")
def test_another_url_replaces_the_copies_of_before(client: Any) -> None:
    naming.give(REGION, NOWHERE)
    before = held(client, CHAINER)["Id"]
    naming.give(REGION, "http://127.0.0.1:10")
    assert held(client, CHAINER)["Config"]["Labels"][naming.URL_LABEL] == "http://127.0.0.1:10"
    with pytest.raises(docker.errors.ImageNotFound):
        client.api.inspect_image(before)


@pytest.mark.usefixtures("few")
def test_an_image_of_somebodys_own_keeps_its_name_though_it_is_made_from_a_copy(
    client: Any,
) -> None:
    naming.give(REGION, NOWHERE)
    own = built_from(client, CHAINER, "ENV MINE=1")
    assert not is_given(held(client, CHAINER))
    named = naming.give(REGION, "http://127.0.0.1:10", take_over=True)
    assert named.kept == (CHAINER,)
    assert MXNET in named.given
    assert CHAINER not in named.given
    assert held(client, CHAINER)["Id"] == own
    assert CHAINER not in naming.take_back(REGION)
    assert held(client, CHAINER)["Id"] == own


@pytest.mark.usefixtures("few")
def test_names_that_lead_to_an_emulator_that_runs_are_taken_over_on_request_only(
    client: Any, other: str
) -> None:
    naming.give(REGION, other)
    named = naming.give(REGION, NOWHERE)
    assert (named.elsewhere, named.given) == (other, {})
    assert held(client, MXNET)["Config"]["Labels"][naming.URL_LABEL] == other
    assert naming.standing(REGION).urls == {other}

    assert naming.give(REGION, NOWHERE, take_over=True).given
    assert naming.standing(REGION).urls == {NOWHERE}


@pytest.mark.usefixtures("few")
def test_what_is_missing_or_outdated_is_told(client: Any) -> None:
    assert naming.standing(REGION).named == 0
    naming.give(REGION, NOWHERE)
    client.api.remove_image(MXNET)
    standing = naming.standing(REGION)
    assert (standing.missing, standing.outdated) == ((MXNET,), ())
    assert standing.named == 1


@pytest.mark.usefixtures("few")
def test_names_follow_images_that_are_built_anew(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = f"sagemaker-emulator/naming-test:{os.getpid()}"

    def chosen(reference: str, *, present: Present) -> Resolved:
        if f".ecr.{REGION}." in reference:
            return Resolved(reference, own, present(own) or "")
        return resolve(reference, present=present)

    monkeypatch.setattr(naming, "resolve", chosen)
    # Only the test's own names: whoever else works on this engine has some, too.
    every = naming._Names.copies
    monkeypatch.setattr(
        naming._Names,
        "copies",
        lambda names, given: [name for name in every(names, given) if REGION in name],
    )
    client.api.tag("sagemaker-emulator/chainer:latest", *own.split(":"))
    try:
        naming.give(REGION, NOWHERE)
        before = held(client, CHAINER)["Id"]
        built_from(client, own, "ENV ANEW=1")
        assert sorted(naming.standing(REGION).outdated) == sorted((CHAINER, MXNET))

        naming.renew()
        assert naming.standing(REGION).outdated == ()
        variables = held(client, CHAINER)["Config"]["Env"]
        assert {"ANEW=1", f"{naming.URL_VARIABLE}={NOWHERE}"} <= set(variables)
        with pytest.raises(docker.errors.ImageNotFound):
            client.api.inspect_image(before)
    finally:
        naming.take_back(REGION)
        client.api.remove_image(own)


@pytest.mark.usefixtures("few")
def test_taking_names_back_leaves_no_copy(client: Any) -> None:
    named = naming.give(REGION, NOWHERE)
    copy = held(client, CHAINER)["Id"]
    assert sorted(naming.take_back(REGION)) == sorted(named.given)
    with pytest.raises(docker.errors.ImageNotFound):
        client.api.inspect_image(copy)
    assert naming.take_back(REGION) == []
