"""One emulator per state directory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.cli import claim
from emulator.cli.claim import Holder, StateInUse, StateUnusable, claimed, holder

HOLD = """
import sys
from pathlib import Path
from emulator.cli.claim import claimed
with claimed(Path(sys.argv[1])) as held:
    held.announce("http://127.0.0.1:1")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path):
    """Another process that holds the directory."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "a" / "b"
    with claimed(state):
        assert state.stat().st_mode & 0o777 == 0o700


def test_a_held_directory_is_refused_with_the_pid_and_the_url(tmp_path: Path, other) -> None:
    with pytest.raises(StateInUse) as refusal, claimed(tmp_path):
        pass
    assert f"(pid {other.pid}) at http://127.0.0.1:1" in str(refusal.value)
    assert "--state DIR" in str(refusal.value)


def test_the_holder_is_told_without_disturbing_it(tmp_path: Path, other) -> None:
    assert holder(tmp_path) == Holder(other.pid, "http://127.0.0.1:1")
    assert holder(tmp_path) == Holder(other.pid, "http://127.0.0.1:1")


def test_a_killed_holder_leaves_the_directory_free(tmp_path: Path, other) -> None:
    other.kill()
    other.wait()
    assert holder(tmp_path) is None
    with claimed(tmp_path):
        assert json.loads((tmp_path / claim.FILE).read_text())["pid"] == os.getpid()


def test_a_directory_is_free_again_after_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with claimed(tmp_path):
            assert holder(tmp_path) == Holder(os.getpid())
        assert holder(tmp_path) is None


def test_a_shorter_announcement_leaves_nothing_of_the_longer_one(tmp_path: Path) -> None:
    with claimed(tmp_path) as held:
        held.announce("http://a-long-name:12345")
        held.announce("http://b:1")
        assert holder(tmp_path) == Holder(os.getpid(), "http://b:1")


def test_nobody_holds_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    assert holder(tmp_path / "absent") is None
    assert not (tmp_path / "absent").exists()


def test_a_path_that_is_a_file_is_refused_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StateUnusable, match=r"file.* can't be used: .*--state DIR"),
        claimed(tmp_path / "file" / "state"),
    ):
        pass


def test_git_takes_nothing_of_a_state_directory_and_is_told_nothing_of_a_shared_one(
    tmp_path: Path,
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    with claimed(tmp_path / ".sagemaker-emulator"):
        pass
    (tmp_path / ".sagemaker-emulator" / "resources.sqlite").write_text("")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "code.py").write_text("")
    with claimed(tmp_path / "shared"):
        pass
    seen = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert seen.stdout.split() == ["??", "shared/code.py", "??", "shared/emulator.lock"]
