"""What the SDK's local mode leaves on the engine: ended containers, and its network."""

import subprocess

NETWORK = "sagemaker-local"


def remove(region: str) -> None:
    """Remove the containers of one region's images, and the network if nothing else uses it."""
    listed = _docker(
        *("ps", "--all", "--filter", f"network={NETWORK}", "--format", "{{.ID}} {{.Image}}")
    )
    for line in listed.splitlines():
        container, image = line.split(maxsplit=1)
        if f".ecr.{region}." in image:
            _docker("rm", "--force", "--volumes", container)
    _docker("network", "rm", NETWORK)


def _docker(*arguments: str) -> str:
    # What is gone already, and a network that others use, are no failure.
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return done.stdout
