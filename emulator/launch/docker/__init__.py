"""Docker, and what speaks its API, behind the launcher interface.

launcher.py     DockerLauncher: the interface's verbs
engine.py       the connection; the only module that imports the docker SDK
network.py      the emulator's own networks
namespaces.py   warm network namespaces (pause containers)
clusters.py     fixed addresses for hosts of one cluster
overlays.py     copy-on-write mounts
output.py       log streams, resumed without loss or repetition
labels.py       what marks things as ours
"""

from .launcher import DockerLauncher

__all__ = ["DockerLauncher"]
