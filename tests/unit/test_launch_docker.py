"""The pure parts of the Docker launcher: output, subnets, the engine's words."""

import itertools
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from emulator.errors import EmulatorError, PermanentError, TemporaryError
from emulator.launch.docker import labels
from emulator.launch.docker.containers import is_podman, observed, refusal, request
from emulator.launch.docker.engine import Absent, Failed, Refused
from emulator.launch.docker.namespaces import Namespace, Place
from emulator.launch.docker.network import Placed, address_of, addresses, free_subnets, routed
from emulator.launch.docker.output import Entry, Lines, entries, timestamp
from emulator.launch.driver import ContainerSpec, ImageMissing, LogLine, Mount

SECOND = 1_000_000_000


def frame(source: int, text: bytes) -> bytes:
    return bytes([source, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


def cut(whole: bytes, size: int) -> Iterable[bytes]:
    return (whole[start : start + size] for start in range(0, len(whole), size))


def texts(lines: Lines, seen: Iterable[Entry]) -> list[str]:
    return [line.text for entry in seen if (line := lines.take(entry))]


@pytest.mark.parametrize(
    "text, nanoseconds",
    [
        ("1970-01-01T00:00:01Z", SECOND),
        ("1970-01-01T00:00:01.5Z", SECOND + SECOND // 2),
        ("1970-01-01T00:00:01.000000007Z", SECOND + 7),
        ("1970-01-01T01:00:01.25+01:00", SECOND + SECOND // 4),
        ("1969-12-31T23:30:00-00:30", 0),
        ("2026-11-20T21:46:57.123456789Z", 1_795_211_217_123_456_789),
        ("0001-01-01T00:00:00Z", 0),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    assert timestamp(text) == nanoseconds


def test_a_time_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError):
        timestamp("yesterday")


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 1000])
def test_entries_are_found_however_the_stream_is_cut(size: int) -> None:
    stream = frame(1, b"1970-01-01T00:00:01Z one\n") + frame(2, b"1970-01-01T00:00:02Z two: \n")

    found = list(entries(cut(stream, size)))

    assert found == [Entry(1, SECOND, b"one\n"), Entry(2, 2 * SECOND, b"two: \n")]


def test_an_entry_that_was_cut_off_is_dropped() -> None:
    stream = frame(1, b"1970-01-01T00:00:01Z one\n") + frame(1, b"1970-01-01T00:00:02Z two\n")[:-1]

    assert [entry.text for entry in entries([stream])] == [b"one\n"]


def test_a_line_is_joined_from_its_entries_and_dated_by_the_last() -> None:
    lines = Lines(0.0)
    seen = [Entry(1, 1, b"a" * 3), Entry(2, 2, b"error\n"), Entry(1, SECOND, b"b\n")]

    found = [line for entry in seen if (line := lines.take(entry))]

    assert found == [LogLine(2e-9, "error"), LogLine(1.0, "aaab")]
    assert list(lines.rest()) == []


def test_the_rest_is_a_last_line_without_newline() -> None:
    lines = Lines(0.0)
    assert texts(lines, [Entry(1, 1, b"half")]) == []

    assert [line.text for line in lines.rest()] == ["half"]


def test_only_lines_after_the_given_time_come_through() -> None:
    lines = Lines(5.0)
    seen = [Entry(1, at * SECOND, f"{at}\n".encode()) for at in (4, 5, 6)]

    assert texts(lines, seen) == ["6"]


LOG = [
    Entry(1, SECOND, b"a\n"),
    Entry(1, SECOND, b"b\n"),
    Entry(2, SECOND - 5, b"e\n"),
    Entry(1, SECOND, b"d1"),
    Entry(2, SECOND, b"c\n"),
    Entry(1, SECOND + 1, b"d2\n"),
    Entry(2, SECOND + 1, b"f\n"),
    Entry(1, SECOND + 1, b"g\n"),
]


@pytest.mark.parametrize("breaks", list(itertools.combinations(range(len(LOG) + 1), 2)))
def test_wherever_a_stream_breaks_every_line_comes_once(breaks: tuple[int, ...]) -> None:
    lines = Lines(0.0)
    found: list[str] = []

    for end in (*breaks, len(LOG)):
        start = lines.restart()
        again = [entry for entry in LOG[:end] if entry.at >= start]
        found += texts(lines, again)

    assert sorted(found) == ["a", "b", "c", "d1d2", "e", "f", "g"]


def test_a_clock_that_is_set_back_hides_no_line() -> None:
    lines = Lines(0.0)
    before, after = Entry(1, 100 * SECOND, b"before\n"), Entry(1, 50 * SECOND, b"after\n")

    assert texts(lines, [before, after]) == ["before", "after"]


def test_a_free_subnet_overlaps_nothing_that_is_taken() -> None:
    taken = [IPv4Network("10.231.0.0/17"), IPv4Network("172.17.0.0/16")]

    found = list(free_subnets(taken, "seed"))

    assert len(found) == 128
    assert not any(subnet.overlaps(other) for subnet in found for other in taken)
    assert all(subnet.prefixlen == 24 for subnet in found)


def test_no_subnet_is_free_when_a_route_covers_the_pool() -> None:
    assert list(free_subnets([IPv4Network("10.0.0.0/8")], "seed")) == []


def test_different_emulators_begin_at_different_subnets() -> None:
    first = {next(iter(free_subnets([], seed))) for seed in ("a", "b", "c", "d")}

    assert len(first) > 1


def test_routes_are_read_from_the_kernels_table_but_the_default() -> None:
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "eth0\t0008E70A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )

    assert list(routed(table)) == [IPv4Network("172.17.0.0/16"), IPv4Network("10.231.8.0/24")]


@pytest.mark.parametrize(
    "network, subnets",
    [
        ({"IPAM": {"Config": [{"Subnet": "10.1.0.0/16"}]}}, [IPv4Network("10.1.0.0/16")]),
        ({"IPAM": {"Config": [{"Subnet": "fd00::/64"}]}}, []),
        ({"IPAM": {"Config": None}}, []),
        ({"IPAM": {"Config": [{"Gateway": "10.1.0.1"}]}}, []),
        ({}, []),
    ],
)
def test_subnets_of_any_network_are_read(
    network: dict[str, object], subnets: list[IPv4Network]
) -> None:
    assert list(addresses(network)) == subnets


def test_static_addresses_are_never_those_the_engine_hands_out() -> None:
    placed = Placed("n", IPv4Network("10.231.8.0/24"), "10.231.8.1")

    found = list(placed.static_addresses())

    assert found[0] == "10.231.8.129"
    assert found[-1] == "10.231.8.254"
    assert len(found) == len(set(found)) == 126


def test_hosts_of_a_cluster_survive_being_a_label() -> None:
    hosts = {"algo-1": "10.0.0.1", "algo-2": "10.0.0.2"}

    assert labels.unpack(labels.pack(hosts)) == hosts
    assert labels.unpack("") == {}


def test_a_job_in_a_namespace_takes_name_and_network_from_it() -> None:
    spec = ContainerSpec("n", "image", port=8080, labels={"job": "a"}, hostname="algo-1")

    body = request(spec, {"own": "1"}, Place("algo-1", "net"), Namespace("p", "10.0.0.9", None), [])

    assert body["HostConfig"]["NetworkMode"] == "container:p"
    assert "Hostname" not in body
    assert body["Labels"] == {
        "job": "a",
        "own": "1",
        labels.PORT: "8080",
        labels.PAUSE: "p",
        labels.ADDRESS: "10.0.0.9:8080",
    }


def test_own_labels_win_over_those_of_a_resource() -> None:
    spec = ContainerSpec("n", "image", labels={labels.INSTANCE: "forged"})

    body = request(spec, labels.of("mine", labels.JOB), Place("h", "none"), None, [])

    assert body["Labels"][labels.INSTANCE] == "mine"


@pytest.mark.parametrize(
    "gpus, requests", [(True, [{"Count": -1, "Capabilities": [["gpu"]]}]), (False, None)]
)
def test_gpus_are_requested_of_the_engine(gpus: bool, requests: object) -> None:
    spec = ContainerSpec("n", "image", gpus=gpus)

    body = request(spec, {}, Place("h", "none"), None, [])

    assert body["HostConfig"].get("DeviceRequests") == requests


def inspection(**state: object) -> dict[str, object]:
    return {
        "Id": "id",
        "Name": "/name",
        "Image": "sha256:1",
        "Config": {"Labels": {labels.PORT: "8080"}},
        "NetworkSettings": {"Networks": {"net": {"IPAddress": "10.0.0.7"}}, "Ports": {}},
        "State": {
            "Running": False,
            "Status": "exited",
            "ExitCode": 0,
            "OOMKilled": False,
            "StartedAt": "1970-01-01T00:00:10Z",
            "FinishedAt": "1970-01-01T00:00:12Z",
            **state,
        },
    }


@pytest.mark.parametrize(
    "state, running, exit_code, finished_at",
    [
        ({"ExitCode": 3}, False, 3, 12.0),
        ({"Running": True, "Status": "running"}, True, None, 0.0),
        ({"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}, False, None, 0.0),
        ({"FinishedAt": "1970-01-01T00:00:09.9Z"}, False, 0, 10.0),
        ({"Status": "dead", "ExitCode": 137}, False, 137, 12.0),
    ],
)
def test_the_engines_states_are_told_apart(
    state: dict[str, object], running: bool, exit_code: int | None, finished_at: float
) -> None:
    found = observed(inspection(**state))

    assert (found.running, found.exit_code, found.finished_at) == (running, exit_code, finished_at)
    assert found.name == "name"


def test_a_container_on_the_network_itself_is_called_by_its_address() -> None:
    assert observed(inspection()).address == ("10.0.0.7", 8080)


def test_a_published_port_is_called_on_loopback() -> None:
    found = inspection()
    found["NetworkSettings"] = {"Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49"}]}}

    assert observed(found).address == ("127.0.0.1", 49)


@pytest.mark.parametrize(
    "error, kind, text",
    [
        (Absent("No such image: x:1"), ImageMissing, "x:1"),
        (Failed('exec: "train": executable file not found in $PATH'), PermanentError, "train"),
        (Refused("invalid mount config"), PermanentError, "invalid mount config"),
        (Failed('"/x" cannot be mounted because it is inside /proc'), PermanentError, "/proc"),
        (Failed("mkdir /x: file name too long: unknown"), PermanentError, "too long"),
        (
            Failed("error reopening /dev/null inside container: open /dev/null: is a directory"),
            PermanentError,
            "/dev/null",
        ),
        (Failed("no space left on device"), TemporaryError, "no space left"),
    ],
)
def test_a_failed_start_says_whether_another_try_may_help(
    error: Refused | Failed, kind: type[EmulatorError], text: str
) -> None:
    meaning = refusal(ContainerSpec("n", "x:1"), error)

    assert isinstance(meaning, kind)
    assert text in str(meaning)


LAYER = "/srv/docker/overlay2/" + "0f" * 32
_HOST = Path("/state/jobs/j/algo-1")
MOUNTED = ContainerSpec(
    "n", "x:1", mounts=(Mount(_HOST / "model", "/opt/ml/model"), Mount(_HOST, "/opt/ml"))
)


def outside(path: Path) -> Path:
    return Path("/engine") / path.relative_to("/state")


@pytest.mark.parametrize(
    "said, told",
    [
        (
            "bind source path does not exist: /state/jobs/j/algo-1/model",
            "bind source path does not exist: /opt/ml/model",
        ),
        (
            'error mounting "/engine/jobs/j/algo-1/model/x" to rootfs at "/opt/ml/model/x"',
            'error mounting "/opt/ml/model/x" to rootfs at "/opt/ml/model/x"',
        ),
        (f'mkdir "{LAYER}/merged/x": read-only', 'mkdir "(a directory of the engine)": read-only'),
        (
            "mount overlay:/srv/docker/volumes/v/_data, flags: 0x0: invalid argument",
            "mount overlay:(a directory of the engine), flags: 0x0: invalid argument",
        ),
        (
            'exec: "/opt/volume/run": stat /usr/bin/train: no such file or directory',
            'exec: "/opt/volume/run": stat /usr/bin/train: no such file or directory',
        ),
    ],
)
def test_why_a_start_failed_names_no_path_of_this_machine(said: str, told: str) -> None:
    meaning = refusal(MOUNTED, Refused(said), outside)
    assert str(meaning) == f"The container of x:1 cannot start: {told}"


def test_why_a_start_is_tried_again_names_none_either() -> None:
    """It is the StatusMessage of a job that waits."""
    meaning = refusal(MOUNTED, Failed(f"{LAYER}/x and /engine/jobs/j/algo-1/y are busy"), outside)
    assert isinstance(meaning, TemporaryError)
    assert str(meaning) == (
        "The container engine failed: (a directory of the engine) and /opt/ml/y are busy"
    )


@pytest.mark.parametrize(
    "version, expected",
    [
        ({"Components": [{"Name": "Podman Engine"}, {"Name": "Conmon"}]}, True),
        ({"Components": [{"Name": "Engine"}, {"Name": "containerd"}]}, False),
        ({"Components": None}, False),
        ({}, False),
    ],
)
def test_podman_is_known_by_its_version(version: dict[str, object], expected: bool) -> None:
    assert is_podman(version) is expected


@pytest.mark.parametrize(
    "hosts, address",
    [
        ("127.0.0.1\tlocalhost\n10.0.2.2\thost.containers.internal other\n", "10.0.2.2"),
        ("10.0.2.2 other host.containers.internal\r\n", "10.0.2.2"),
        ("10.0.2.2 other # host.containers.internal\n\n", None),
        ("", None),
    ],
)
def test_a_name_in_a_hosts_file_has_its_address(hosts: str, address: str | None) -> None:
    assert address_of("host.containers.internal", hosts) == address
