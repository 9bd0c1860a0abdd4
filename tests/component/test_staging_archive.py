"""Archives out of a job's directories and back, trusting neither side."""

import errno
import io
import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator import trees
from emulator.errors import PermanentError
from emulator.staging import archive, pack, pack_output, unpack
from emulator.staging.archive import UnsafeMember
from emulator.staging.inputs import NoSpace


@pytest.fixture(params=["isal", "stdlib"], autouse=True)
def compressor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "stdlib":
        monkeypatch.setattr(archive, "igzip_threaded", None)


def tree(root: Path, **files: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def contents(target: Path) -> dict[str, str]:
    with tarfile.open(target, "r:gz") as members:
        return {
            member.name: (opened.read().decode() if (opened := members.extractfile(member)) else "")
            for member in members
            if member.isfile()
        }


def test_a_model_has_its_files_at_the_root(tmp_path: Path) -> None:
    model = tree(tmp_path / "model", weights="w", code__train="c")
    assert pack([model], tmp_path / "model.tar.gz")
    assert contents(tmp_path / "model.tar.gz") == {"weights": "w", "code/train": "c"}


def test_two_packings_of_one_tree_list_their_members_alike(tmp_path: Path) -> None:
    for name, order in (("one", "abc"), ("two", "cba")):
        for file in order:
            tree(tmp_path / name, **{file: file})
        pack([tmp_path / name], tmp_path / f"{name}.tar.gz")
    names = [list(contents(tmp_path / f"{name}.tar.gz")) for name in ("one", "two")]
    assert names[0] == names[1] == ["a", "b", "c"]


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_nothing_to_pack_makes_no_archive(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "model")
    assert not pack([tmp_path / "model"], tmp_path / "model.tar.gz")
    assert not pack_output([tmp_path / "model"], tmp_path / "model.tar.gz")
    assert not (tmp_path / "model.tar.gz").exists()


def test_the_hosts_directories_are_merged_and_the_first_host_wins(tmp_path: Path) -> None:
    one = tree(tmp_path / "1", both="1", only1="1")
    two = tree(tmp_path / "2", both="2", only2="2")
    pack([one, two], tmp_path / "model.tar.gz")
    assert contents(tmp_path / "model.tar.gz") == {"both": "1", "only1": "1", "only2": "2"}


def test_output_has_data_at_its_root_and_the_rest_beside_it(tmp_path: Path) -> None:
    output = tree(
        tmp_path / "output",
        data__plot="p",
        data__failure="mine",
        failure="why",
        success="",
        intermediate__x="i",
    )
    assert pack_output([output], tmp_path / "output.tar.gz")
    assert contents(tmp_path / "output.tar.gz") == {
        "plot": "p",
        "failure": "mine",
        "output/failure": "why",
        "success": "",
        "intermediate/x": "i",
    }


def test_links_stay_links_only_if_they_stay_inside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = tree(tmp_path / "model", a__file="x")
    for name, target in {
        "relative": "a/file",
        "absolute": "/opt/ml/model/a/file",
        "a/up": "../a",
        "outside": "../../etc/passwd",
        "host": "/etc/passwd",
        "sibling": "/opt/ml/model2/x",
    }.items():
        os.symlink(target, model / name)
    pack([model], tmp_path / "model.tar.gz")
    with tarfile.open(tmp_path / "model.tar.gz") as members:
        links = {member.name: member.linkname for member in members if member.issym()}
    assert links == {"relative": "a/file", "absolute": "a/file", "a/up": "../a"}
    (told,) = [line for line in caplog.messages if "no endpoint can be made of it" in line]
    assert told.startswith("model.tar.gz has symbolic links")
    with pytest.raises(UnsafeMember, match="is a symbolic link"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "out")


def test_a_tree_of_any_depth_is_packed(tmp_path: Path) -> None:
    deepest = tmp_path / "model" / Path(*["d"] * 1500)
    here = tmp_path / "model"
    here.mkdir()
    for _ in range(1500):  # os.makedirs would recurse
        here = here / "d"
        here.mkdir()
    (deepest / "f").write_text("x")
    assert pack([tmp_path / "model"], tmp_path / "model.tar.gz")
    assert contents(tmp_path / "model.tar.gz") == {"d/" * 1500 + "f": "x"}
    trees.remove(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_link_to_a_directory_is_not_followed(tmp_path: Path) -> None:
    secret = tree(tmp_path / "secret", key="s")
    model = tree(tmp_path / "model", file="x")
    os.symlink(secret, model / "link")
    pack([model], tmp_path / "model.tar.gz")
    assert contents(tmp_path / "model.tar.gz") == {"file": "x"}


def test_pipes_and_sockets_are_left_out(tmp_path: Path) -> None:
    model = tree(tmp_path / "model", file="x")
    os.mkfifo(model / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(model / "socket"))
        pack([model], tmp_path / "model.tar.gz")
    assert contents(tmp_path / "model.tar.gz") == {"file": "x"}


def test_what_was_packed_unpacks_with_modes_and_empty_directories(tmp_path: Path) -> None:
    model = tree(tmp_path / "model", script="#!", ünï__日本="語")
    (model / "script").chmod(0o755)
    (model / "empty").mkdir()
    pack([model], tmp_path / "model.tar.gz")
    unpack(tmp_path / "model.tar.gz", tmp_path / "out")
    assert (tmp_path / "out/script").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/empty").is_dir()
    assert (tmp_path / "out/ünï/日本").read_text() == "語"


def make(target: Path, *members: tuple[str, bytes, str]) -> Path:
    """Write an archive of ``(name, type, link or content)``."""
    with tarfile.open(target, "w:gz") as archive:
        for name, kind, text in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind == tarfile.REGTYPE:
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
            else:
                member.linkname = text
                archive.addfile(member)
    return target


@pytest.mark.parametrize("root", [".", "", "./"])
def test_a_member_for_the_root_itself_is_fine(tmp_path: Path, root: str) -> None:
    source = make(tmp_path / "x.tar.gz", (root, tarfile.DIRTYPE, ""), ("./f", tarfile.REGTYPE, "x"))
    unpack(source, tmp_path / "out")
    assert (tmp_path / "out/f").read_text() == "x"


@pytest.mark.parametrize(
    "members",
    [
        [("../f", tarfile.REGTYPE, "x")],
        [("a/../../f", tarfile.REGTYPE, "x")],
        [("a/../f", tarfile.REGTYPE, "x")],
        [("l", tarfile.SYMTYPE, "f")],
        [("f", tarfile.REGTYPE, "x"), ("d/l", tarfile.SYMTYPE, "../f")],
        [("l", tarfile.SYMTYPE, "../outside")],
        [("l", tarfile.SYMTYPE, "/etc/passwd")],
        [("l", tarfile.LNKTYPE, "../outside")],
        [("l", tarfile.LNKTYPE, "/etc/passwd")],
        [("l", tarfile.LNKTYPE, "a/../f")],
        [("d", tarfile.SYMTYPE, "."), ("d/f", tarfile.REGTYPE, "x")],
        [("d/" * 1500 + "f", tarfile.REGTYPE, "x")],
        [("d/" * (depth + 1), tarfile.DIRTYPE, "") for depth in range(1500)],
        [("d", tarfile.CHRTYPE, "")],
        [("d", tarfile.FIFOTYPE, "")],
    ],
    ids=lambda members: f"{len(members)} {members[0][0][:20]}",
)
def test_an_unsafe_member_is_refused_and_nothing_is_written_outside(
    tmp_path: Path, members: list[tuple[str, bytes, str]]
) -> None:
    (tmp_path / "outside").write_text("untouched")
    source = make(tmp_path / "x.tar.gz", *members)
    with pytest.raises(PermanentError, match="unsafe member"):
        unpack(source, tmp_path / "deep/out")
    assert (tmp_path / "outside").read_text() == "untouched"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "outside", "x.tar.gz"]


def test_an_absolute_name_lands_inside(tmp_path: Path) -> None:
    unpack(make(tmp_path / "x.tar.gz", ("/f", tarfile.REGTYPE, "x")), tmp_path / "out")
    assert (tmp_path / "out/f").read_text() == "x"


def test_a_later_file_never_writes_through_an_earlier_link(tmp_path: Path) -> None:
    source = make(
        tmp_path / "x.tar.gz",
        ("f", tarfile.REGTYPE, "first"),
        ("l", tarfile.LNKTYPE, "f"),
        ("l", tarfile.REGTYPE, "second"),
    )
    unpack(source, tmp_path / "out")
    assert ((tmp_path / "out/f").read_text(), (tmp_path / "out/l").read_text()) == (
        "first",
        "second",
    )


def far_future() -> tarfile.TarInfo:
    member = tarfile.TarInfo("f")
    member.pax_headers = {"mtime": "1e20"}
    return member


@pytest.mark.parametrize(
    "member",
    [
        ("l", tarfile.LNKTYPE, "nothing"),
        ("n" * 300, tarfile.REGTYPE, "x"),
        ("d/" * 400 + "n" * 4000, tarfile.REGTYPE, "x"),
        ("", tarfile.REGTYPE, "x"),
        far_future(),
    ],
    ids=["link to nothing", "300 bytes", "long path", "no name", "year 3168808806029"],
)
def test_an_archive_that_cannot_be_extracted_is_said_to_be_none(
    tmp_path: Path, member: tarfile.TarInfo | tuple[str, bytes, str]
) -> None:
    source = tmp_path / "x.tar.gz"
    if isinstance(member, tarfile.TarInfo):
        with tarfile.open(source, "w:gz", format=tarfile.PAX_FORMAT) as packed:
            packed.addfile(member)
    else:
        make(source, member)
    with pytest.raises(PermanentError) as error:
        unpack(source, tmp_path / "out")
    assert str(error.value) == "'x.tar.gz' is not a valid tar.gz archive"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_not_the_archives_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    source = make(tmp_path / "x.tar.gz", ("f", tarfile.REGTYPE, "x"))
    monkeypatch.setattr(tarfile.TarFile, "makefile", full)
    with pytest.raises(NoSpace):
        unpack(source, tmp_path / "out")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not an archive",
        lambda data: data[:-4],
        lambda data: data[: len(data) // 2],
        lambda data: data[:100] + bytes(8) + data[108:],
        lambda data: data[:-8] + bytes(8),
    ],
    ids=["empty", "garbage", "no-end", "half", "flipped", "wrong-checksum"],
)
def test_a_damaged_archive_is_said_to_be_one(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    model = tree(tmp_path / "model")
    (model / "weights").write_bytes(os.urandom(300_000))
    pack([model], tmp_path / "whole")
    broken = tmp_path / "model.tar.gz"
    broken.write_bytes(damage((tmp_path / "whole").read_bytes()))
    with pytest.raises(PermanentError) as error:
        unpack(broken, tmp_path / "out")
    assert str(error.value) == "'model.tar.gz' is not a valid tar.gz archive"
