"""What the instance says on standard output: lines of `STREAM<tab>TEXT`.

The emulator writes each into the log stream of that name. `failure` is no log stream: its last line
is why the instance could not start.
"""

import threading
from typing import IO

FAILURE = "failure"
JUPYTER = "jupyter.log"

_speaking = threading.Lock()


def say(stream: str, text: str) -> None:
    """Write one line, whole, from any thread."""
    with _speaking:
        print(f"{stream}\t{text}", flush=True)


def relay(stream: str, output: IO[bytes]) -> None:
    """Write the lines of another process as they come, until it and its children have ended."""
    with output:
        for line in output:
            say(stream, line.decode("utf-8", "replace").rstrip("\r\n"))
