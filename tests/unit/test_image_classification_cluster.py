"""What the hosts of an image-classification job agree on, over real sockets."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from image_classification_package import imported

ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.1")
WAITS = 0.2


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for load in imported(monkeypatch):
        module = load("cluster")
        with socket.create_server(("", 0)) as free:
            monkeypatch.setattr(module, "_TEAM_PORT", free.getsockname()[1])
        monkeypatch.setattr(module, "_ENDED_SECONDS", WAITS)
        yield module


def teams(cluster: Any, pool: ThreadPoolExecutor) -> list[Any]:
    """Return the teams of three hosts that have found each other, the first host's first."""
    found = [cluster.Team(cluster.Hosts(name, ADDRESSES)) for name in sorted(ADDRESSES)]
    # The others look for the first before it listens, too.
    for joining in [pool.submit(team.join) for team in reversed(found)]:
        joining.result(timeout=60)
    return found


def test_hosts_are_numbered_in_the_order_of_their_names(cluster: Any) -> None:
    hosts = [cluster.Hosts(name, ("algo-2", "algo-10", "algo-1")) for name in ("algo-1", "algo-2")]
    assert [(each.part, each.parts, each.first) for each in hosts] == [
        (0, 3, "algo-1"),
        (2, 3, "algo-1"),
    ]


def test_a_host_alone_agrees_with_itself(cluster: Any) -> None:
    with cluster.joined(cluster.Hosts("algo-1", ("algo-1",))) as team:
        assert team.leads
        assert (team.most(False), team.most(3)) == (False, 3)


def test_all_hosts_hear_the_largest_value_of_each_round(cluster: Any) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = teams(cluster, pool)
        assert [team.leads for team in found] == [True, False, False]
        for values in ((0, 0, 1), (0, 0, 0), (5, 2, 0)):
            asked = [
                pool.submit(*pair) for pair in zip((t.most for t in found), values, strict=True)
            ]
            assert [each.result(timeout=60) for each in asked] == [max(values)] * 3
        for team in found:
            team.leave()


@pytest.mark.parametrize("leaver", [0, 1])
def test_a_host_that_was_left_leaves_the_other_time_to_end_the_job(
    cluster: Any, leaver: int
) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = teams(cluster, pool)
        found[leaver].leave()
        third = pool.submit(found[2].most, 0)
        begun = time.monotonic()
        with pytest.raises(ConnectionError):
            found[1 - leaver].most(1)
        assert time.monotonic() - begun >= WAITS
        for team in found[:2]:
            team.leave()
        with pytest.raises(ConnectionError):
            third.result(timeout=60)
        found[2].leave()
