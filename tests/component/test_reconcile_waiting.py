"""What waits for an engine that does not answer says so, keeps its limits, and goes on after it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from training_world import NAME, SCOPE, World

from emulator import clock
from emulator.errors import TemporaryError
from emulator.health import Health
from emulator.kinds import TRAINING_JOB
from emulator.launch.fake import Behaviour
from emulator.lifecycle import training_job as life
from emulator.logs import LogLine
from emulator.reconcile.follow import Followers
from emulator.reconcile.supervisor import Supervisor

FOREVER = Behaviour(run_for=None)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


class Silent(TemporaryError):
    """The engine's, with a sentence that tests know."""

    def __init__(self) -> None:
        super().__init__("The engine is silent.")


def running(world: World, **request: Any) -> None:
    """Bring a job so far that its container runs."""
    world.create(FOREVER, **request)
    while not world.record().document.get("Emulator", {}).get("Launched"):
        world.look()


def message(world: World) -> tuple[str, str]:
    last = world.record().document["SecondaryStatusTransitions"][-1]
    return last["Status"], last["StatusMessage"]


def delayed(world: World) -> None:
    """Let the job hear, as a supervisor tells it, that the engine does not answer."""
    world.jobs.delayed(world.record(), Silent())


def test_a_job_says_that_it_waits_and_goes_on_as_before(world: World) -> None:
    world.create(Behaviour(run_for=None))
    before = world.record()
    for _ in range(3):
        delayed(world)
    assert message(world) == ("Starting", "The engine is silent.")
    assert world.record().version == before.version + 1, "the same is said once"
    while world.record().document["SecondaryStatus"] != "Training" or not world.launcher.started:
        world.look()
    told = message(world)
    assert told == ("Training", life.IMAGE_READY)
    delayed(world)
    assert message(world) == ("Training", "The engine is silent.")
    world.look()
    assert message(world) == told
    statuses = [each["Status"] for each in world.record().document["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Training"]


def test_a_stop_of_a_job_without_a_container_needs_no_engine(world: World) -> None:
    world.create(Behaviour(run_for=None))
    delayed(world)
    world.stop()
    delayed(world)
    assert world.record().document["TrainingJobStatus"] == "Stopped"
    delayed(world)
    assert message(world) == ("Stopped", "Training job stopped")


def test_a_stop_of_a_job_that_may_have_containers_waits_for_the_engine(world: World) -> None:
    running(world)
    world.stop()
    delayed(world)
    assert world.record().document["TrainingJobStatus"] == "Stopping"
    assert message(world) == ("Stopping", "The engine is silent.")
    world.jobs.reconcile(world.record())
    assert world.run().phase == "Stopped"


@pytest.mark.parametrize(
    "limits",
    [{"MaxRuntimeInSeconds": 1}, {"MaxPendingTimeInSeconds": 1}],
    ids=lambda limits: str(limits),
)
def test_a_job_that_waits_too_long_to_start_fails_for_lack_of_capacity(
    world: World, limits: dict[str, int]
) -> None:
    world.create(Behaviour(), StoppingCondition={"MaxRuntimeInSeconds": 600, **limits})
    delayed(world)
    assert world.record().phase == "Starting"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emulator.reconcile.training_job.now", lambda: clock.now() + 2)
        delayed(world)
    document = world.record().document
    assert document["TrainingJobStatus"] == "Failed"
    assert document["FailureReason"].startswith("CapacityError: Unable to provision requested ML")
    assert document["FailureReason"].endswith("The engine is silent.")


def test_time_runs_for_a_job_whose_engine_went_away(world: World) -> None:
    running(world, StoppingCondition={"MaxRuntimeInSeconds": 1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emulator.reconcile.training_job.now", lambda: clock.now() + 2)
        delayed(world)
    assert world.record().document["TrainingJobStatus"] == "Stopping"
    assert world.run().phase == "MaxRuntimeExceeded"


def eventually(happened: Callable[[], object]) -> None:
    deadline = clock.monotonic() + 60
    while not happened():
        assert clock.monotonic() < deadline, "it has not happened"
        threading.Event().wait(0.005)


def test_a_supervisor_that_holds_lets_jobs_say_so_and_stop_and_then_lets_them_run(
    world: World,
) -> None:
    world.create(Behaviour())
    supervisor = Supervisor(world.store)
    supervisor.register(world.jobs)
    supervisor.hold(Silent())
    eventually(lambda: message(world) == ("Starting", "The engine is silent."))
    assert world.launcher.started == []
    supervisor.start()
    eventually(lambda: world.record().phase == "Completed")
    supervisor.stop(10)


def test_a_worker_outlives_what_it_cannot_cope_with_and_health_tells_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    health = Health()
    supervisor = Supervisor(world.store, health)
    supervisor.register(world.jobs)
    world.create(Behaviour())
    find = world.store.find

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(world.store, "find", full)
    supervisor.start()
    eventually(health.troubles)
    part = f"{TRAINING_JOB.name} {NAME}"
    assert health.troubles() == {part: "OSError: [Errno 28] No space left on device"}
    monkeypatch.setattr(world.store, "find", find)
    supervisor.wake(TRAINING_JOB, SCOPE, NAME)
    eventually(lambda: world.record().phase == "Completed")
    eventually(lambda: not health.troubles())
    supervisor.stop(10)
    assert caplog.text.count("Traceback") == 1


def test_output_that_cannot_be_kept_is_seen_and_tried_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    running(world)
    (container,) = world.launcher.find({})
    world.launcher.write(container.handle, "a line")
    health, kept, full = Health(), list[str](), [True]

    def sink(lines: Sequence[LogLine]) -> None:
        if full:
            raise OSError(28, "No space left on device")
        kept.extend(line.text for line in lines)

    followers = Followers(world.launcher, health)

    def follow() -> None:
        followers.follow(container.handle, sink=sink, since=0.0, ended=lambda: None)
        eventually(lambda: kept or not followers.following(container.handle))

    follow()
    follow()
    part = f"the output of container {container.handle[:12]}"
    assert health.troubles() == {part: "OSError: [Errno 28] No space left on device"}
    full.clear()
    follow()
    assert kept == ["a line"]
    eventually(lambda: not health.troubles())
    assert caplog.text.count("Traceback") == 1
    world.launcher.kill(container.handle)
    followers.finish(container.handle, 60)
