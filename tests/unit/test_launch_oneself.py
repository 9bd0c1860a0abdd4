"""An emulator in a container: which one it is, and what the engine's machine calls its paths."""

from pathlib import Path
from typing import Any

import pytest

from emulator.launch.docker.mounts import Mounted, mounted, outside
from emulator.launch.docker.oneself import clues

OWN = "e19165e837073537dd3b3b9399f49b02a99b8cb652b6c6958aab76485c6df72b"
OTHER = "0" * 64
ROOT = "183 88 0:72 / / rw,relatime master:5 - overlay overlay rw,lowerdir=/a,upperdir=/b"


def mount(root: str, target: str) -> str:
    return f"201 183 254:0 {root} {target} rw,relatime - ext4 /dev/vda rw,discard"


@pytest.mark.parametrize(
    "mountinfo, hostname, found",
    [
        ([ROOT], "laptop", []),
        ([ROOT], "e19165e83707", ["e19165e83707"]),
        ([mount(f"/var/lib/docker/containers/{OWN}/hostname", "/etc/hostname")], "web", [OWN]),
        ([mount(f"/run/x/{OWN}/userdata/hostname", "/etc/hostname")], "web", [OWN]),
        (
            [ROOT, mount(f"/var/lib/docker/containers/{OWN}/hostname", "/etc/hostname")],
            "e19165e83707",
            [OWN, "e19165e83707"],
        ),
        # What an engine's own machine has mounted for its containers.
        ([mount(f"/var/lib/docker/containers/{OTHER}/mounts/shm", "/dev/shm")], "laptop", []),
        ([mount(f"/docker/{OTHER}/hostname", "/tmp/hostname")], "laptop", []),
        ([], "e19165e83707x", []),
        ([], "E19165E83707", []),
    ],
)
def test_a_container_learns_which_one_it_is(
    mountinfo: list[str], hostname: str, found: list[str]
) -> None:
    assert list(clues("\n".join(mountinfo), hostname)) == found


STATE = Mounted(Path("/state"), Path("/volumes/v/_data"))
NESTED = Mounted(Path("/state/jobs"), Path("/fast/disk"))
MEMORY = Mounted(Path("/state/tmp"), None)


@pytest.mark.parametrize(
    "path, mounts, seen",
    [
        ("/state", [STATE], "/volumes/v/_data"),
        ("/state/jobs/a", [STATE], "/volumes/v/_data/jobs/a"),
        ("/state/jobs/a", [STATE, NESTED], "/fast/disk/a"),
        ("/state/jobs/a", [NESTED, STATE], "/fast/disk/a"),
        ("/state/jobsite", [STATE, NESTED], "/volumes/v/_data/jobsite"),
        ("/stateless", [STATE], None),
        ("/state/tmp/a", [STATE, MEMORY], None),
        ("/any", [], None),
        ("/any", [Mounted(Path("/"), Path("/host"))], "/host/any"),
    ],
)
def test_a_path_is_that_of_its_innermost_mount(
    path: str, mounts: list[Mounted], seen: str | None
) -> None:
    assert outside(Path(path), mounts) == (Path(seen) if seen else None)


@pytest.mark.parametrize(
    "inspected, found",
    [
        ({"Mounts": [{"Type": "volume", "Name": "v", "Source": "/v/_data", "Destination": "/s/"}]},
         [Mounted(Path("/s"), Path("/v/_data"))]),
        ({"Mounts": [{"Type": "bind", "Source": "/h/x", "Destination": "/x"}]},
         [Mounted(Path("/x"), Path("/h/x"))]),
        ({"Mounts": [{"Type": "tmpfs", "Source": "", "Destination": "/t"}]},
         [Mounted(Path("/t"), None)]),
        ({"Mounts": None}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_the_engines_words_for_mounts_are_read(
    inspected: dict[str, Any], found: list[Mounted]
) -> None:
    assert mounted(inspected) == found
