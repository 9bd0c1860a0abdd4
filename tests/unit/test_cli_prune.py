"""Whose leftovers `prune` takes for those of an emulator that can't come back."""

import socket
from pathlib import Path

import pytest

from emulator.cli import claim, prune
from emulator.launch.docker.leftovers import Leftovers

HERE = socket.gethostname()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "instance").write_text("abc\n")
    return tmp_path


def test_an_emulator_may_come_back_while_its_state_directory_is_there(state: Path) -> None:
    left = Leftovers("abc", HERE, str(state))
    assert prune.standing(left) == prune.STOPPED
    with claim.claimed(state):
        assert prune.standing(left) == prune.RUNNING
    (state / "instance").unlink()
    assert prune.standing(left) == prune.GONE


def test_a_state_directory_that_another_emulator_has_made_anew_is_not_its_own(state: Path) -> None:
    assert prune.standing(Leftovers("other", HERE, str(state))) == prune.GONE
    with claim.claimed(state):
        assert prune.standing(Leftovers("other", HERE, str(state))) == prune.GONE


@pytest.mark.parametrize(
    "machine, state, standing",
    [
        ("", "", prune.UNKNOWN),
        ("", "/no/such/directory", prune.UNKNOWN),
        (HERE, "", prune.UNKNOWN),
        ("another-machine", "/no/such/directory", prune.ELSEWHERE),
        (HERE, "/no/such/directory", prune.GONE),
        (HERE, "/etc/passwd", prune.GONE),
    ],
)
def test_only_what_is_known_to_be_gone_is_gone(machine: str, state: str, standing: str) -> None:
    assert prune.standing(Leftovers("abc", machine, state)) == standing


def test_a_directory_that_cannot_be_read_is_not_taken_for_gone(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", closed)
    assert prune.standing(Leftovers("abc", HERE, str(state))) == prune.UNKNOWN
