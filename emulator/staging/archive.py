"""Archives: ``model.tar.gz`` and ``output.tar.gz`` out of a job's directories, and back.

Reads what a container wrote and unpacks what a client uploaded, so it trusts neither: it follows
no symbolic link out of a directory and writes nothing outside the destination.
"""

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

logger = logging.getLogger(__name__)

_COPY = 1 << 20

Member = tuple[str, Path]


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
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        yield entry.name, Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            for name, path in walk(Path(entry.path)):
                yield f"{entry.name}/{name}", path


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
        PermanentError: no tar.gz, a truncated one, or one with a member that would be written
            outside, a link that leads outside, or a device.
    """
    destination.mkdir(parents=True, exist_ok=True)
    try:
        with (
            _decompressor(archive) as plain,
            _tar(plain, "r|") as members,
        ):
            for member in members:
                _extract(members, member, destination)
            # The checksum of the compressed data comes last.
            while plain.read(_COPY):
                pass
    except tarfile.FilterError as error:
        raise PermanentError(f"The archive has an unsafe member: {error}") from error
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, _INFLATE_ERROR) as error:
        raise PermanentError(f"'{archive.name}' is not a valid tar.gz archive") from error


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, destination: Path) -> None:
    safe = tarfile.data_filter(member, str(destination))
    name = posixpath.normpath(safe.name)
    _refuse_below_link(name, destination, safe)
    if safe.islnk():
        _refuse_below_link(posixpath.normpath(safe.linkname), destination, safe, last=True)
    target = destination / name
    if not safe.isdir() and (target.is_symlink() or target.is_file()):
        # Never write through what an earlier member of the same name put there.
        target.unlink()
    archive.extract(safe, destination, filter="data")


def _refuse_below_link(
    name: str, destination: Path, member: tarfile.TarInfo, *, last: bool = False
) -> None:
    """Refuse a path that goes through a symbolic link of the same archive."""
    path = destination
    parts = name.split("/")
    for part in parts if last else parts[:-1]:
        path = path / part
        if path.is_symlink():
            raise tarfile.LinkOutsideDestinationError(member, str(path))


def _tar(stream: IO[bytes], mode: str) -> tarfile.TarFile:
    """Open with large copies; the type stubs do not know that option."""
    opener: Any = tarfile.open
    return cast(
        tarfile.TarFile, opener(fileobj=stream, mode=mode, bufsize=_COPY, copybufsize=_COPY)
    )


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
    from isal import igzip_threaded, isal_zlib

    _INFLATE_ERROR = cast(type[Exception], isal_zlib.error)
except ImportError:
    import zlib

    igzip_threaded = None
    _INFLATE_ERROR = zlib.error
