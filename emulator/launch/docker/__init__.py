"""Docker, and what speaks its API, behind the launcher interface.

launcher.py     DockerLauncher: the interface's verbs
engine.py       the connection; the only module that imports the docker SDK
network.py      the emulator's own networks
namespaces.py   warm network namespaces (pause containers)
clusters.py     fixed addresses for hosts of one cluster
oneself.py      the emulator as a container among the others, if it is one
mounts.py       which directory of the engine's machine a path of ours is
overlays.py     copy-on-write mounts
ownership.py    files of root become the emulator's own
output.py       log streams, resumed without loss or repetition
leftovers.py    what emulators have made, whichever it was, and its removal
labels.py       what marks things as ours
"""

from .launcher import DockerLauncher

__all__ = ["DockerLauncher"]
