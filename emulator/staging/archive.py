"""Archives: ``model.tar.gz`` and ``output.tar.gz`` out of a job's directories, and back.

Reads what a container wrote and unpacks what a client uploaded, so it trusts neither: it follows
no symbolic link out of a directory and writes nothing outside the destination.

Packing keeps the symbolic links of a job; unpacking refuses them. That is how AWS does it: its
knowledge centre says that an endpoint can't extract a model with symbolic links, and users who met
that had archives that a job or ``tar`` had made.
"""

import copy
import errno
import gzip
import logging
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from emulator.errors import PermanentError
from emulator.staging.inputs import NoSpace

logger = logging.getLogger(__name__)

_COPY = 1 << 20

_DEEPEST = 500
"""Levels of directories that a member may lie in: what walks deeper trees tends to recurse."""

Member = tuple[str, Path]


class UnsafeMember(PermanentError):
    """An archive has a member that may not be extracted."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The archive has an unsafe member: {reason}")


def pack(directories: Sequence[Path], target: Path, *, seen_as: str = "/opt/ml/model") -> bool:
    """Write the contents of the directories to a tar.gz, merged at its root.

    The directories are those of a job's hosts; of equal names the first directory's is kept
    (contract B7). Members come in name order. Symbolic links stay links if they lead to somewhere
    inside; sockets, pipes, devices and links that lead out are left out and logged.

    Args:
        seen_as: the directories' path inside the container, where absolute links may point.

    Returns:
        False, without an archive, if there is nothing to pack (contract B7).
    """
    members: dict[str, Path] = {}
    for directory in directories:
        for name, path in walk(directory):
            members.setdefault(name, path)
    if link := next((name for name, path in members.items() if path.is_symlink()), ""):
        logger.warning(
            "%s has symbolic links, such as %s: no endpoint can be made of it, here or on AWS",
            *(target.name, link),
        )
    return _write(members, target, seen_as)


def pack_output(outputs: Sequence[Path], target: Path) -> bool:
    """Write ``output.tar.gz`` from the hosts' ``/opt/ml/output`` directories.

    What lies in ``data`` comes at the archive's root, and beside it whatever else the job left:
    ``failure``, ``success``, ``intermediate``. Where such a name is taken by one from ``data``,
    the other is kept below ``output/`` instead.

    Returns:
        False, without an archive, if there is nothing to pack (contract B7).
    """
    members: dict[str, Path] = {}
    for output in outputs:
        for name, path in walk(output / "data"):
            members.setdefault(name, path)
    taken = {name.partition("/")[0] for name in members}
    for output in outputs:
        for name, path in walk(output):
            top = name.partition("/")[0]
            if top != "data":
                members.setdefault(f"output/{name}" if top in taken else name, path)
    return _write(members, target, "/opt/ml/output/data")


def walk(directory: Path) -> Iterator[Member]:
    """Yield every entry below a directory as ``(name, path)``; an absent one has none.

    A link in a directory's place leads nowhere: a container may have put it there.
    """
    if directory.is_symlink():
        return
    pending = _entries(directory, "")
    while pending:  # no recursion: a container may have made thousands of levels
        name, entry = pending.pop()
        yield name, Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            pending += _entries(entry.path, f"{name}/")


def _entries(directory: Path | str, within: str) -> list[tuple[str, os.DirEntry[str]]]:
    """Return what is in a directory, the last name first."""
    try:
        with os.scandir(directory) as found:
            entries = [(within + entry.name, entry) for entry in found]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(entries, key=lambda pair: pair[0], reverse=True)


def _write(members: dict[str, Path], target: Path, seen_as: str) -> bool:
    if not members:
        return False
    try:
        with (
            _compressor(target) as compressed,
            _tar(compressed, "w|") as archive,
        ):
            for name in sorted(members):
                _add(archive, name, members[name], seen_as)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return True


def _add(archive: tarfile.TarFile, name: str, path: Path, seen_as: str) -> None:
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        logger.warning("left %s out of the archive: not a file, directory or link", name)
        return
    member = archive.gettarinfo(path, arcname=name)
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    if member.issym():
        inside = _inside(name, member.linkname, seen_as)
        if inside is None:
            logger.warning("left the link %s out of the archive: it leads outside", name)
            return
        member.linkname = inside
    if member.isreg():
        with path.open("rb") as file:
            archive.addfile(member, file)
    else:
        archive.addfile(member)


def _inside(name: str, link: str, seen_as: str) -> str | None:
    """Return the link's text, relative, if it leads to somewhere in the archive, else None."""
    parent = posixpath.dirname(name)
    if posixpath.isabs(link):
        if link != seen_as and not link.startswith(seen_as + "/"):
            return None
        link = posixpath.relpath(link, posixpath.join(seen_as, parent))
    whole = posixpath.normpath(posixpath.join(parent, link))
    return None if whole == ".." or whole.startswith("../") else link


def unpack(archive: Path, destination: Path) -> None:
    """Extract a tar.gz below `destination`, which is made if absent.

    Raises:
        UnsafeMember: a member would be written outside, is a symbolic link or a device, or lies too
            deep.
        NoSpace: the disk is full.
        PermanentError: no tar.gz, a truncated one, or one with a member that can't be extracted.
    """
    destination.mkdir(parents=True, exist_ok=True)
    with _decompressor(archive) as plain:
        try:
            with _tar(plain, "r|") as members:
                for member in members:
                    _extract(members, member, destination)
                # The checksum of the compressed data comes last.
                while plain.read(_COPY):
                    pass
        except PermanentError:
            raise
        except Exception as error:
            # What a client uploaded may hold anything: tarfile raises KeyError for a link to
            # nothing, OverflowError for a time beyond all times, OSError for a name too long.
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpace from error
            raise PermanentError(f"'{archive.name}' is not a valid tar.gz archive") from error


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, destination: Path) -> None:
    safe = _safe(member)
    target = destination / posixpath.normpath(safe.name)
    if not safe.isdir() and target.is_file():
        # It may be a hard link to an earlier member, through which nothing must be written.
        target.unlink()
    archive.extract(safe, destination)


def _safe(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the member as it may be extracted: inside, ours, and readable by us.

    Without symbolic links, where a path leads can be read in it.

    The standard library's filters would do that, but Debian 12's Python has none.
    """
    safe = copy.copy(member)
    safe.name = member.name.lstrip("/")
    safe.uid, safe.gid, safe.uname, safe.gname = os.geteuid(), os.getegid(), "", ""
    if ".." in safe.name.split("/"):
        raise UnsafeMember(f"'{member.name}' may be written outside")
    if safe.name.count("/") > _DEEPEST:
        raise UnsafeMember(f"a member lies in more than {_DEEPEST} directories")
    if member.isdir():
        safe.mode = 0o755
    elif member.isreg() or member.islnk():
        executable = member.mode & 0o111 if member.mode & 0o100 else 0
        safe.mode = member.mode & 0o644 | 0o600 | executable
    elif member.issym():
        raise UnsafeMember(f"'{member.name}' is a symbolic link")
    else:
        raise UnsafeMember(f"'{member.name}' is no file or directory")
    if member.islnk() and (posixpath.isabs(member.linkname) or ".." in member.linkname.split("/")):
        raise UnsafeMember(f"'{member.name}' is a link that leads outside")
    return safe


def _tar(stream: IO[bytes], mode: str) -> tarfile.TarFile:
    """Open with large copies; the type stubs do not know that option."""
    opener: Any = tarfile.open
    archive: tarfile.TarFile = opener(fileobj=stream, mode=mode, bufsize=_COPY, copybufsize=_COPY)
    # What is extracted has been made safe here; later releases of Python would do it once more.
    archive.extraction_filter = lambda member, path: member
    return archive


def _compressor(target: Path) -> IO[bytes]:
    if igzip_threaded is None:
        return cast(IO[bytes], gzip.open(target, "wb", compresslevel=1))
    return cast(IO[bytes], igzip_threaded.open(target, "wb", compresslevel=1, threads=2))


def _decompressor(archive: Path) -> IO[bytes]:
    if igzip_threaded is None:
        return cast(IO[bytes], gzip.open(archive, "rb"))
    return cast(IO[bytes], igzip_threaded.open(archive, "rb", threads=1))


# Ten times the speed of the standard library's gzip (docs/decisions/0002-dependencies.md).
igzip_threaded: Any
try:
    from isal import igzip_threaded
except ImportError:
    igzip_threaded = None
