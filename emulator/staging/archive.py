"""Archives: ``model.tar.gz`` and ``output.tar.gz`` out of a job's directories, and back.

Reads what a container wrote and unpacks what a client uploaded, so it trusts neither: it follows
no symbolic link out of a directory and writes nothing outside the destination.
"""

import copy
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
        UnsafeMember: a member would be written outside, leads outside, or is a device.
        PermanentError: no tar.gz, or a truncated one.
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
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, _INFLATE_ERROR) as error:
        raise PermanentError(f"'{archive.name}' is not a valid tar.gz archive") from error


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, destination: Path) -> None:
    safe = _safe(member, destination)
    _refuse_below_link(posixpath.normpath(safe.name), destination)
    if safe.islnk():
        _refuse_below_link(posixpath.normpath(safe.linkname), destination, last=True)
    target = destination / posixpath.normpath(safe.name)
    if not safe.isdir() and (target.is_symlink() or target.is_file()):
        # Never write through what an earlier member of the same name put there.
        target.unlink()
    archive.extract(safe, destination)


def _safe(member: tarfile.TarInfo, destination: Path) -> tarfile.TarInfo:
    """Return the member as it may be extracted: inside, ours, and readable by us.

    The standard library's filters would do that, but Debian 12's Python has none.
    """
    safe = copy.copy(member)
    safe.name = member.name.lstrip("/")
    safe.uid, safe.gid, safe.uname, safe.gname = os.geteuid(), os.getegid(), "", ""
    if _leads_out(safe.name, destination):
        raise UnsafeMember(f"'{member.name}' would be written outside")
    if member.isdir():
        safe.mode = 0o755
    elif member.isreg() or member.islnk():
        executable = member.mode & 0o111 if member.mode & 0o100 else 0
        safe.mode = member.mode & 0o644 | 0o600 | executable
    elif not member.issym():
        raise UnsafeMember(f"'{member.name}' is no file, directory or link")
    if member.issym() or member.islnk():
        base = posixpath.dirname(safe.name) if member.issym() else ""
        if posixpath.isabs(member.linkname) or _leads_out(f"{base}/{member.linkname}", destination):
            raise UnsafeMember(f"'{member.name}' is a link that leads outside")
    return safe


def _leads_out(name: str, destination: Path) -> bool:
    """Tell whether a path in the archive, through whatever links there are, ends outside."""
    inside = os.path.realpath(destination)
    path = os.path.realpath(posixpath.join(inside, name.lstrip("/")))
    return os.path.commonpath([inside, path]) != inside


def _refuse_below_link(name: str, destination: Path, *, last: bool = False) -> None:
    """Refuse a path that goes through a symbolic link of the same archive."""
    path = destination
    parts = name.split("/")
    for part in parts if last else parts[:-1]:
        path = path / part
        if path.is_symlink():
            raise UnsafeMember(f"'{name}' goes through a link")


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
    from isal import igzip_threaded, isal_zlib

    _INFLATE_ERROR = cast(type[Exception], isal_zlib.error)
except ImportError:
    import zlib

    igzip_threaded = None
    _INFLATE_ERROR = zlib.error
