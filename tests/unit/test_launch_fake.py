"""The scripted launcher: its clock, and what a test does behind the emulator's back."""

from pathlib import Path

import pytest

from emulator.errors import TemporaryError
from emulator.launch.driver import ContainerSpec, Mount
from emulator.launch.fake import Behaviour, FakeLauncher


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_a_container_exits_when_its_time_by_the_clock_is_over() -> None:
    clock = Clock()
    launcher = FakeLauncher({"i": Behaviour(run_for=60, exit_code=2)}, now=clock)
    handle = launcher.start(ContainerSpec("n", "i"))

    clock.at += 59.9
    before = launcher.observe(handle)
    clock.at += 1000
    after = launcher.observe(handle)

    assert before is not None
    assert before.running
    assert after is not None
    assert (after.exit_code, after.finished_at) == (2, 1060.0)


def test_a_container_killed_for_memory_says_so_at_its_end() -> None:
    clock = Clock()
    launcher = FakeLauncher({"i": Behaviour(run_for=1, oom=True)}, now=clock)
    handle = launcher.start(ContainerSpec("n", "i"))
    clock.at += 1

    state = launcher.observe(handle)

    assert state is not None
    assert (state.exit_code, state.out_of_memory) == (137, True)


def test_every_call_fails_while_the_engine_is_down() -> None:
    launcher = FakeLauncher({"i": Behaviour(run_for=None)})
    handle = launcher.start(ContainerSpec("n", "i"))
    launcher.down = True

    for call in (lambda: launcher.observe(handle), lambda: launcher.find({})):
        with pytest.raises(TemporaryError):
            call()

    launcher.down = False
    assert launcher.observe(handle) is not None


def test_a_start_error_leaves_nothing() -> None:
    error = TemporaryError("no space left")
    launcher = FakeLauncher({"i": Behaviour(start_error=error)})

    with pytest.raises(TemporaryError):
        launcher.start(ContainerSpec("n", "i"))

    assert launcher.find({}) == []
    assert launcher.started == []


def test_an_effect_writes_where_the_container_would(tmp_path: Path) -> None:
    def save(spec: ContainerSpec) -> None:
        (spec.mounts[0].source / "model").write_text("weights")

    launcher = FakeLauncher({"i": Behaviour(effect=save)})
    launcher.start(ContainerSpec("n", "i", mounts=(Mount(tmp_path, "/opt/ml/model"),)))

    assert (tmp_path / "model").read_text() == "weights"


def test_lines_written_and_exits_forced_by_a_test_are_seen() -> None:
    launcher = FakeLauncher({"i": Behaviour(run_for=None, output=("one",))})
    handle = launcher.start(ContainerSpec("n", "i"))

    launcher.write(handle, "two")
    launcher.kill(handle, exit_code=9)

    assert [line.text for line in launcher.logs(handle)] == ["one", "two"]
    state = launcher.observe(handle)
    assert state is not None
    assert state.exit_code == 9


def test_containers_outlive_the_emulator_that_started_them() -> None:
    launcher = FakeLauncher({"i": Behaviour(run_for=None)})
    handle = launcher.start(ContainerSpec("n", "i"))
    reading = launcher.logs(handle)

    launcher.close()

    state = launcher.observe(handle)
    assert state is not None
    assert state.running
    launcher.kill(handle)
    assert list(reading) == []
