"""Building and listing the images on a real engine."""

import shutil
from pathlib import Path

import docker
import pytest

from emulator.catalogue import build as building
from emulator.catalogue import recipes
from emulator.catalogue.recipes import FINAL, WANTED, source_directory
from emulator.catalogue.table import local_name
from emulator.errors import PermanentError

pytestmark = pytest.mark.docker


def test_what_is_up_to_date_is_not_built_again() -> None:
    lines: list[str] = []
    assert building.build(on_progress=lines.append) == []
    assert sorted(lines) == sorted(f"{name}: up to date" for name in WANTED)


def test_the_listing_tells_what_is_built_and_from_what() -> None:
    states = building.listing()
    assert [state.name for state in states] == list(FINAL)
    for state in states:
        assert state.reference == local_name(state.name)
        assert (state.image_id or "").startswith("sha256:")
        assert state.size > 10**8
        assert state.current


def test_the_listing_needs_no_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes.sources, "folder", lambda name: None)
    with pytest.raises(PermanentError, match="no sources of images"):
        building.build(on_progress=lambda line: None)
    assert all(state.image_id and state.current for state in building.listing())


def test_the_newest_version_is_the_latest(client: docker.DockerClient) -> None:
    for name, versions in (("mxnet-training", ["1.4.1", "1.9.1"]), ("image-classification", ["1"])):
        tags = [*versions, "latest"]
        built = [client.images.get(f"sagemaker-emulator/{name}:{tag}") for tag in tags]
        assert built[-1].id == built[-2].id
        assert len({image.id for image in built}) == len(versions)


def test_a_step_that_fails_is_named_with_its_output_and_the_old_image_stays(
    client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = client.images.get("sagemaker-emulator/chainer:latest").id
    source = shutil.copytree(source_directory(), tmp_path / "images")
    with (source / "chainer/Dockerfile").open("a") as dockerfile:
        dockerfile.write("RUN echo the disk is made of cheese && exit 3\n")
    monkeypatch.setattr(building, "source_directory", lambda: source)
    with pytest.raises(PermanentError) as refused:
        building.build(["chainer"], on_progress=lambda line: None)
    assert "Building the image 'chainer:7.8.1' failed" in str(refused.value)
    assert "the disk is made of cheese" in str(refused.value)
    assert "returned a non-zero code: 3" in str(refused.value)
    assert client.images.get("sagemaker-emulator/chainer:latest").id == before


def test_a_silent_engine_is_refused_with_what_finds_the_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nobody/listens.sock")
    with pytest.raises(PermanentError, match=r"DOCKER_HOST=unix:///nobody.*emulator doctor"):
        building.listing()


def test_the_image_that_is_replaced_goes_unless_somebody_has_named_it(
    client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shutil.copytree(source_directory(), tmp_path / "images")
    monkeypatch.setattr(building, "source_directory", lambda: source)
    reference = "sagemaker-emulator/chainer:latest"
    original = client.images.get(reference)
    ids = []
    try:
        original.tag("images-test/kept", "1")
        for step in ("first", "second"):
            with (source / "chainer/Dockerfile").open("a") as dockerfile:
                dockerfile.write(f"LABEL images-test={step}\n")
            built = building.build(["chainer"], on_progress=lambda line: None)
            assert built == ["chainer:7.8.1"]
            ids.append(client.images.get(reference).id)
        assert client.images.get("images-test/kept:1").id == original.id
        with pytest.raises(docker.errors.ImageNotFound):
            client.images.get(ids[0])
    finally:
        for tag in ("latest", "7.8.1"):
            original.tag("sagemaker-emulator/chainer", tag)
        client.images.remove("images-test/kept:1")
        client.images.remove(ids[-1])
