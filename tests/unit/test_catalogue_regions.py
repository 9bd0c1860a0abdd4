"""Regions get their names once, in the background, and a failure is only logged."""

import logging
import threading
from collections.abc import Iterator

import pytest

from emulator.catalogue import naming
from emulator.catalogue.naming import Named
from emulator.catalogue.regions import Regions
from emulator.errors import PermanentError

DEADLINE = 60.0


class Naming:
    """Records the regions that are given names; fails for those it is told to."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str]] = []
        self.answers: dict[str, Named | PermanentError] = {}
        self._changed = threading.Condition()

    def __call__(self, region: str, url: str) -> Named:
        with self._changed:
            self.given.append((region, url))
            self._changed.notify_all()
        answer = self.answers.get(region, Named({"name": "image"}))
        if isinstance(answer, PermanentError):
            raise answer
        return answer

    def wait(self, count: int) -> list[tuple[str, str]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.given) >= count, DEADLINE)
            return self.given


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Naming:
    given = Naming()
    monkeypatch.setattr(naming, "give", given)
    return given


@pytest.fixture
def regions() -> Iterator[Regions]:
    regions = Regions()
    yield regions
    regions.close()


def test_each_region_is_named_once_from_the_beginning_on(regions: Regions, given: Naming) -> None:
    regions.notice("us-west-2")
    regions.notice("us-west-2")
    assert given.given == []
    regions.begin("http://10.0.0.1:4610")
    regions.notice("us-gov-west-1")
    regions.notice("us-west-2")
    regions.notice("eu-west-3")
    assert given.wait(3) == [
        (region, "http://10.0.0.1:4610") for region in ("us-west-2", "us-gov-west-1", "eu-west-3")
    ]


@pytest.mark.parametrize("text", ["", "aws-global", "*", "us_west_2", "123456789012", "US-WEST-2"])
def test_what_is_no_region_gets_no_names(text: str, regions: Regions, given: Naming) -> None:
    regions.begin("http://10.0.0.1:4610")
    regions.notice(text)
    regions.notice("eu-west-1")
    assert given.wait(1) == [("eu-west-1", "http://10.0.0.1:4610")]


def test_a_failure_is_logged_and_the_next_region_is_named(
    regions: Regions, given: Naming, caplog: pytest.LogCaptureFixture
) -> None:
    given.answers["us-west-1"] = PermanentError("No image is built.")
    given.answers["us-west-2"] = Named({}, elsewhere="http://10.0.0.2:1")
    given.answers["us-east-2"] = Named({"a": "b"}, kept=("mine",))
    with caplog.at_level(logging.INFO):
        regions.begin("")
        for region in ("us-west-1", "us-west-2", "us-east-2", "eu-west-1"):
            regions.notice(region)
        given.wait(4)
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "local mode in us-west-1 has no images: No image is built."
    assert "uses the emulator at http://10.0.0.2:1" in said[1]
    assert said[2:4] == [
        "1 image names of us-east-2 for local mode",
        "left to the images that have them: mine",
    ]
