"""Named pipes that a container reads: made, waited at, written to and taken away.

A container may do to its directory what it likes, so a pipe is opened by a handle on what was made
and never again by its name. Waiting costs nothing: it is the kernel that waits, for a reader, for
room, or for the word to stop.
"""

import contextlib
import errno
import fcntl
import os
import select
import stat
from pathlib import Path

from emulator.staging.streams import BLOCK, Stretch

_ROOM = 1 << 20
"""Bytes that a pipe holds; what Linux allows everybody."""


class Over(Exception):
    """The word to stop has come."""


class Fifo:
    """A named pipe, made afresh; raises OSError where that is not possible."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        self._handle = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            if not stat.S_ISFIFO(os.fstat(self._handle).st_mode):
                raise OSError(errno.EEXIST, "Is no pipe", str(path))
            # A container's user may be anybody.
            os.chmod(self._again, 0o666)
        except BaseException:
            os.close(self._handle)
            raise

    @property
    def _again(self) -> str:
        return f"/proc/self/fd/{self._handle}"

    def writer(self) -> int:
        """Return a descriptor to write to, as soon as there is a reader; does not block then."""
        descriptor = os.open(self._again, os.O_WRONLY)
        os.set_blocking(descriptor, False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _ROOM)
        return descriptor

    def reader(self) -> int:
        """Return a descriptor that is a reader, which lets go who waits for one."""
        return os.open(self._again, os.O_RDONLY | os.O_NONBLOCK)

    def remove(self) -> None:
        """Take the name away; who has the pipe open keeps it."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        os.close(self._handle)


class Signal:
    """A word to stop, given once, that whoever waits for a descriptor hears too."""

    def __init__(self) -> None:
        self._listening, self._speaking = os.pipe()

    def give(self) -> None:
        os.close(self._speaking)

    def wait(self, writer: int | None = None) -> None:
        """Return when `writer` has room or lost its reader; raises Over at the word to stop."""
        waiting = select.poll()
        waiting.register(self._listening, select.POLLIN)
        if writer is not None:
            waiting.register(writer, select.POLLOUT)
        if any(descriptor == self._listening for descriptor, _ in waiting.poll()):
            raise Over

    def close(self) -> None:
        os.close(self._listening)


def send(writer: int, piece: bytes | Stretch, stop: Signal) -> None:
    """Write all of a piece, as fast as it is read.

    Raises:
        BrokenPipeError: the reader is gone.
        Over: the word to stop came while there was no room.
    """
    if isinstance(piece, bytes):
        rest = memoryview(piece)
        while rest:
            rest = rest[_some(writer, rest, stop) :]
        return
    source, position = piece.file.fileno(), piece.start
    while position < piece.stop:
        try:
            position += os.splice(source, writer, piece.stop - position, offset_src=position)
        except BlockingIOError:
            stop.wait(writer)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # A file system from which nothing can be spliced.
            block = os.pread(source, min(BLOCK, piece.stop - position), position)
            send(writer, block, stop)
            position += len(block)


def _some(writer: int, data: memoryview, stop: Signal) -> int:
    while True:
        try:
            return os.write(writer, data)
        except BlockingIOError:
            stop.wait(writer)
