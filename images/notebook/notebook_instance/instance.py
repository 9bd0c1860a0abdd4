"""What the emulator says of the instance, in instance.json; pure but for reading that file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path("/home/ec2-user")
FOLDER = HOME / "SageMaker"
"""What notebooks see as their root, and what outlives a stop of the instance."""
CONFIGURATION = Path("/opt/ml/notebook-instance")


@dataclass(frozen=True)
class Script:
    """A lifecycle script.

    Attributes:
        stream: the log stream of its output, which is its part of the lifecycle, too.
    """

    stream: str
    file: Path


@dataclass(frozen=True)
class Repository:
    """A repository of code.

    Attributes:
        source: a URL of git's, or a folder.
        directory: its name in the instance's folder.
        default: where Jupyter opens.
    """

    source: str
    directory: str
    default: bool = False


@dataclass(frozen=True)
class Instance:
    """A notebook instance.

    Attributes:
        key: with which presigned URLs are signed, new at each start.
        script_seconds: what each script may take.
        forward: `HOST:PORT` by the port of this container's loopback that leads there.
    """

    name: str
    arn: str
    key: bytes
    root_access: bool
    script_seconds: int
    scripts: tuple[Script, ...]
    repositories: tuple[Repository, ...]
    forward: dict[int, str]


def read(folder: Path = CONFIGURATION) -> Instance:
    """Return the instance that a folder describes."""
    return parsed(json.loads((folder / "instance.json").read_text("utf-8")), folder)


def parsed(document: dict[str, Any], folder: Path) -> Instance:
    """Return the instance that a document describes, whose scripts lie in a folder."""
    return Instance(
        name=document["name"],
        arn=document["arn"],
        key=bytes.fromhex(document["key"]),
        root_access=document["root_access"],
        script_seconds=document["script_seconds"],
        scripts=tuple(
            Script(script["stream"], folder / script["file"]) for script in document["scripts"]
        ),
        repositories=tuple(
            Repository(each["source"], each["directory"], each.get("default", False))
            for each in document["repositories"]
        ),
        forward={int(port): to for port, to in document["forward"].items()},
    )
