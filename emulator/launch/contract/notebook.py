"""The contract of a notebook instance's container, from the instance's document; pure (contract E).

Directories of an instance lie under one root, and so do the files that tell the container what to
be. images/notebook is the other half of this contract.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from emulator.call import Document, Record, Scope
from emulator.launch.contract import access
from emulator.launch.driver import Mount

IMAGE = "sagemaker-emulator/notebook:latest"
COMMAND = ("notebook-instance",)
HOSTNAME = "notebook"
PORT = 8888
READY = "/api"
"""What Jupyter answers with 200 as soon as it serves."""
FOLDER = "SageMaker"
"""Below the root: what the user keeps."""
TEMPORARY = "tmp"
LOCAL_MODE_PORT = 8080
"""Where the SDK's local mode looks for the container that it started."""

JUPYTER = "jupyter.log"
FAILURE = "failure"
"""No stream: its last line says why a start failed."""
STREAMS = {"OnCreate": "LifecycleConfigOnCreate", "OnStart": "LifecycleConfigOnStart"}
SCRIPT_FAILED = 64
SCRIPT_TOO_SLOW = 65
NO_REPOSITORY = 66

_HOME = "/home/ec2-user"
_CONFIGURATION = "/opt/ml/notebook-instance"
_METADATA = "/opt/ml/metadata"
_REPOSITORIES = "/opt/ml/code-repositories"
_FILES = {"LifecycleConfigOnCreate": "on-create.sh", "LifecycleConfigOnStart": "on-start.sh"}


@dataclass(frozen=True)
class Repository:
    """Code that the instance gets a clone of.

    Attributes:
        source: what git clones, as the container calls it.
        directory: the clone's name in the user's folder.
        default: where Jupyter opens.
        local: the directory of this machine that is the source, None for a URL.
    """

    source: str
    directory: str
    default: bool = False
    local: Path | None = None


def scripts(config: Document, *, served: bool) -> list[Document]:
    """Return the scripts of a start, in their order, as a lifecycle configuration has them.

    Args:
        served: the instance has been in service before, so that OnCreate is over.
    """
    return [
        {"stream": stream, "content": script["Content"]}
        for hook, stream in STREAMS.items()
        for script in config.get(hook, [])
        if "Content" in script and not (served and hook == "OnCreate")
    ]


def repositories(document: Document) -> list[Repository]:
    """Return the instance's code; the default repository comes first."""
    default = document.get("DefaultCodeRepository")
    given = [*([default] if default else []), *document.get("AdditionalCodeRepositories", [])]
    found, taken = list[Repository](), set[str]()
    for number, where in enumerate(given):
        path = where.removeprefix("file://")
        local = Path(path) if path.startswith("/") else None
        source = f"{_REPOSITORIES}/{number}" if local else where
        name = PurePosixPath(path.rstrip("/")).name.removesuffix(".git") or "repository"
        directory = name if name not in taken else f"{name}-{number}"
        taken.add(directory)
        found.append(Repository(source, directory, bool(default) and number == 0, local))
    return found


def files(record: Record, start: Document, *, script_seconds: int, host: str) -> dict[str, bytes]:
    """Return the files below the root, by path.

    Args:
        start: the start, from the document.
        script_seconds: what each script may take.
        host: where the container finds the engine's machine, and what containers publish there;
            empty without access to the engine.
    """
    document = record.document
    instance = {
        "name": record.name,
        "arn": record.arn,
        "key": start["key"],
        "root_access": document["RootAccess"] == "Enabled",
        "script_seconds": script_seconds,
        "scripts": [
            {"stream": script["stream"], "file": _FILES[script["stream"]]}
            for script in start["scripts"]
        ],
        "repositories": [
            {"source": each.source, "directory": each.directory, "default": each.default}
            for each in repositories(document)
        ],
        "forward": {str(LOCAL_MODE_PORT): f"{host}:{LOCAL_MODE_PORT}"} if host else {},
    }
    metadata = {"ResourceArn": record.arn, "ResourceName": record.name}
    contents = {
        f"instance/{_FILES[script['stream']]}": base64.b64decode(script["content"])
        for script in start["scripts"]
    }
    return {
        "metadata/resource-metadata.json": json.dumps(metadata).encode(),
        "instance/instance.json": json.dumps(instance).encode(),
        **contents,
    }


def environment(scope: Scope, endpoint_url: str, temporary: Path | None) -> dict[str, str]:
    """Return the container's variables.

    Args:
        temporary: where temporary files go, None for the image's own place.
    """
    return {
        **access.region(scope),
        **access.endpoint(scope, endpoint_url, {}),
        "AWS_EC2_METADATA_DISABLED": "true",
        **({"TMPDIR": str(temporary)} if temporary else {}),
    }


def mounts(root: Path, code: Iterable[Repository], temporary: Path | None) -> tuple[Mount, ...]:
    """Return the container's mounts.

    Args:
        temporary: what the engine's machine calls the instance's directory of temporary files. The
            container has it at that path, since the SDK's local mode has the engine mount from it.
    """
    own = [
        Mount(root / FOLDER, f"{_HOME}/{FOLDER}", "rw"),
        Mount(root / "metadata", _METADATA, "ro"),
        Mount(root / "instance", _CONFIGURATION, "ro"),
        *(Mount(each.local, each.source, "ro") for each in code if each.local),
    ]
    if temporary:
        own.append(Mount(root / TEMPORARY, str(temporary), "rw"))
    return tuple(own)


def split(line: str) -> tuple[str, str]:
    """Return the stream and the text of a line that the container wrote."""
    stream, tab, text = line.partition("\t")
    if tab and stream in (*STREAMS.values(), JUPYTER, FAILURE):
        return stream, text
    return JUPYTER, line
