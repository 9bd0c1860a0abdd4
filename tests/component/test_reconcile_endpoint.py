"""What an endpoint's reconciler does when its containers or its surroundings misbehave."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from endpoint_world import NAME, SCOPE, SERVES, World, store_model
from launchers import Ping

from emulator import clock
from emulator.errors import TemporaryError
from emulator.launch.driver import Observed
from emulator.launch.fake import Behaviour
from emulator.storage import Storage


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    made = Storage(tmp_path_factory.mktemp("storage"))
    store_model(made)
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, storage: Storage) -> Iterator[World]:
    made = World(tmp_path, storage)
    yield made
    made.close()


MARK = "[sagemaker-emulator] "


def serving(world: World, instances: int = 1) -> None:
    """Create an endpoint and bring it into service."""
    world.create(instances=instances)
    assert world.settle() == "InService"


def handles(world: World) -> list[str]:
    return sorted(found.handle for found in world.launcher.find({}))


def test_a_pass_too_many_changes_nothing(world: World) -> None:
    serving(world, instances=2)
    before, record, route = handles(world), world.record(), world.route()
    for _ in range(3):
        assert world.look() == 5.0
    assert handles(world) == before
    assert world.record() == record
    assert world.route() is route, "an unchanged route is not published again"


def test_control_characters_of_a_container_are_shown_in_octal(world: World) -> None:
    said = "1 \tjava.lang.Error\r"
    world.launcher.images["tabs"] = Behaviour(run_for=None, output=(said,), handler=Ping)
    world.create("tabs")
    world.until(lambda: "1 #011java.lang.Error#015" in [line.text for line in world.written.lines])


def test_a_route_stands_before_the_endpoint_is_in_service(world: World) -> None:
    world.create()
    while world.record().phase == "Creating":
        assert world.route() is None
        world.look()
    assert world.reached() == world.addresses()


def test_an_engine_that_goes_down_within_a_start_gets_no_second_container(world: World) -> None:
    observe = world.launcher.observe

    def silent(handle: str) -> Observed | None:
        world.launcher.observe = observe  # type: ignore[method-assign]
        raise TemporaryError("The container engine does not answer.")

    world.create()
    world.launcher.observe = silent  # type: ignore[method-assign]
    with pytest.raises(TemporaryError):
        world.look()
    assert world.settle() == "InService"
    assert len(world.launcher.started) == 1


def test_an_endpoint_serves_on_while_the_engine_is_down(world: World) -> None:
    serving(world)
    route = world.route()
    world.launcher.down = True
    with pytest.raises(TemporaryError):
        world.look()
    assert world.route() is route
    world.launcher.down = False
    assert world.look() == 5.0


def test_an_endpoint_says_in_its_log_group_once_for_each_wait_why_it_waits(world: World) -> None:
    world.create()
    for _ in range(3):
        world.endpoints.delayed(world.record(), TemporaryError("The engine is silent."))
    said = "[sagemaker-emulator] WARNING: Waiting: The engine is silent."
    assert world.written.texts() == [[said]]
    world.look()
    world.endpoints.delayed(world.record(), TemporaryError("The engine is silent."))
    assert [line.text for line in world.written.streams["emulator"]] == [said, said]


def test_a_container_that_died_is_replaced_in_the_next_pass(world: World) -> None:
    serving(world, instances=2)
    first, second = handles(world)
    world.launcher.kill(first)
    world.until(lambda: first not in handles(world) and len(world.reached()) == 2)
    assert second in handles(world)
    assert world.reached() == world.addresses()
    why = "The container exited with code 137. Its last words: serving"
    dead, new = (
        [name for name, lines in world.written.streams.items() if words in str(lines)]
        for words in ("is replaced by another", "takes the place")
    )
    world.until(lambda: len(world.written.lines) == 5)
    died = dead[0].partition("/")[2]
    assert [line.text for line in world.written.streams[dead[0]]] == [
        "serving",
        f"{MARK}WARNING: this instance is replaced by another: {why}",
    ]
    assert [line.text for line in world.written.streams[new[0]]] == [
        f"{MARK}this instance takes the place of {died}. {why}",
        "serving",
    ]


def test_a_container_that_keeps_dying_is_started_ever_later(world: World) -> None:
    serving(world)
    world.launcher.images["serves"] = Behaviour(exit_code=1)
    world.launcher.kill(handles(world)[0])
    began = clock.monotonic()
    delays = [world.look() for _ in range(1000) if clock.monotonic() - began < 0.3]
    # Replaced at once, then after half a second: no third start by now.
    assert len(world.launcher.started) == 2
    assert max(delay for delay in delays if delay is not None) > 0.2
    assert world.record().phase == "InService"
    world.launcher.images["serves"] = SERVES
    world.until(world.reached)


def test_a_container_that_hangs_is_replaced_after_five_checks(world: World) -> None:
    class Sick(Ping):
        well = True

        def do_GET(self) -> None:
            self.send_response(200 if Sick.well else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

    world.launcher.images["serves"] = Behaviour(run_for=None, handler=Sick)
    serving(world)
    [hanging] = handles(world)
    Sick.well = False
    for _ in range(4):
        world.look()
    assert handles(world) == [hanging]
    Sick.well = True
    world.look()
    Sick.well = False
    for _ in range(4):
        world.look()
    assert handles(world) == [hanging], "one good answer makes up for four bad ones"
    [target] = world.route().variants[0].targets  # type: ignore[union-attr]
    assert target.enter()
    for _ in range(9):
        world.look()
    assert handles(world) == [hanging], "a container with work may be slow to answer"
    target.leave()
    world.launcher.images["serves"] = SERVES
    world.look()
    assert handles(world) != [hanging]
    world.until(world.reached)


def test_the_old_fleet_leaves_after_its_last_invocation_and_is_healed_until_then(
    world: World,
) -> None:
    serving(world)
    [old] = world.route().variants[0].targets  # type: ignore[union-attr]
    assert old.enter()
    world.update()
    assert world.settle() == "InService"
    assert old.closed
    assert world.running() == [("1", "0"), ("2", "0")]
    [new] = [
        found.handle for found in world.launcher.find({}) if found.address != (old.host, old.port)
    ]
    world.launcher.kill(new)
    world.until(lambda: world.reached() and new not in handles(world))
    assert ("1", "0") in world.running(), "the invocation is still under way"
    old.leave()
    world.until(lambda: world.running() == [("2", "0")])
    world.until(lambda: world.staged() == ["2"])


@pytest.mark.parametrize("crash", [False, True])
def test_an_instance_may_come_back_while_its_predecessor_is_leaving(
    world: World, crash: bool
) -> None:
    serving(world, instances=2)
    leaving = world.route().variants[0].targets[1]  # type: ignore[union-attr]
    assert leaving.enter()
    world.resize(1)
    assert world.settle() == "InService"
    world.resize(2)
    assert world.settle() == "InService"
    assert "FailureReason" not in world.record().document
    assert world.running() == [("1", "0"), ("1", "1"), ("1", "1")]
    assert len(world.reached()) == 2
    if crash:
        world.restart()
        world.look()
    else:
        leaving.leave()
    world.until(lambda: world.running() == [("1", "0"), ("1", "1")])
    assert world.reached() == world.addresses()
    assert (leaving.host, leaving.port) not in world.reached()


def test_what_was_leaving_when_the_emulator_died_is_removed_by_the_next(world: World) -> None:
    serving(world)
    [old] = world.route().variants[0].targets  # type: ignore[union-attr]
    assert old.enter()
    world.update()
    world.settle()
    assert world.running() == [("1", "0"), ("2", "0")]
    world.restart()
    world.look()
    assert (world.running(), world.staged()) == ([("2", "0")], ["2"])
    assert world.reached() == world.addresses()


def test_a_stop_of_the_emulator_within_an_update_brings_both_fleets_back(world: World) -> None:
    serving(world)
    world.update("mute")
    world.until(lambda: len(world.running()) == 2)
    world.endpoints.interrupt(world.record(), 0.05)
    assert world.running() == []
    world.launcher.images["mute"] = SERVES
    world.restart()
    assert world.settle() == "InService"
    assert world.record().document["EndpointConfigName"] == "next"
    world.until(lambda: world.running() == [("2", "0")])


def test_a_deleted_endpoint_is_gone_before_its_containers_which_finish_their_work(
    world: World,
) -> None:
    serving(world)
    [old] = world.route().variants[0].targets  # type: ignore[union-attr]
    assert old.enter()
    world.update()
    world.settle()
    [new] = world.route().variants[0].targets  # type: ignore[union-attr]
    assert new.enter()
    world.delete()
    assert world.settle() == "gone"
    assert (world.route(), old.closed, new.closed) == (None, True, True)
    world.look()  # as its containers make the worker do when they end
    assert world.running() == [("1", "0"), ("2", "0")]
    assert world.staged() == ["1", "2"]
    old.leave()
    world.until(lambda: world.running() == [("2", "0")])
    assert "2" in world.staged()
    new.leave()
    world.until(lambda: (world.running(), world.staged()) == ([], []))


@pytest.mark.parametrize("crash", [False, True])
def test_a_name_is_free_while_what_had_it_is_still_leaving(world: World, crash: bool) -> None:
    world.create(id="one")
    world.settle()
    [old] = world.route().variants[0].targets  # type: ignore[union-attr]
    assert old.enter()
    world.delete()
    world.settle()
    world.create(id="two")
    assert world.settle() == "InService"
    assert world.running() == [("one-1", "0"), ("two-1", "0")]
    assert world.staged() == ["one-1", "two-1"]
    assert len(world.reached()) == 1
    assert (old.host, old.port) not in world.reached()
    if crash:
        world.restart()
    else:
        old.leave()
    world.until(lambda: (world.running(), world.staged()) == ([("two-1", "0")], ["two-1"]))
    world.until(lambda: world.reached() == world.addresses())


@pytest.mark.parametrize("deaf", [False, True])
def test_what_is_leaving_when_the_emulator_stops_does_not_outlive_it(
    world: World, deaf: bool
) -> None:
    world.launcher.images["serves"] = replace(SERVES, ignore_sigterm=deaf)
    world.stop_grace = 3600.0
    world.restart()
    serving(world)
    world.delete()
    assert world.settle() == "gone"
    world.endpoints.see_off(0.1)
    assert world.running() == []


@pytest.mark.parametrize("change", ["update", "resize"])
def test_what_serves_is_healed_while_an_update_is_slow(world: World, change: str) -> None:
    serving(world)
    [first] = handles(world)
    if change == "update":
        world.update("mute")
    else:
        world.launcher.images["serves"] = world.launcher.images["mute"]
        world.resize(2)
    world.until(lambda: len(handles(world)) == 2)
    world.launcher.images["serves"] = SERVES
    world.launcher.kill(first)
    world.until(lambda: first not in handles(world) and world.reached())
    assert world.record().phase == "Updating"
    assert len(handles(world)) == 2


@pytest.mark.parametrize("whose", ["the emulator's", "the variant's"])
def test_an_endpoint_whose_containers_never_answer_fails_in_time(world: World, whose: str) -> None:
    if whose == "the emulator's":
        world.ping_timeout = 0.2
        world.restart()
        world.create("mute")
    else:
        world.create("mute", ContainerStartupHealthCheckTimeoutInSeconds=0.2)
    assert world.settle() == "Failed"
    assert (
        world.record()
        .document["FailureReason"]
        .endswith(
            "did not pass the ping health check. Please check CloudWatch logs for this endpoint."
        )
    )
    assert world.running() == []


def test_a_stop_of_the_emulator_keeps_what_the_endpoint_should_be(world: World) -> None:
    serving(world, instances=2)
    record = world.record()
    world.endpoints.interrupt(record, 0.05)
    assert (world.running(), world.route()) == ([], None)
    assert world.record() == record
    world.restart()
    world.until(lambda: len(world.reached()) == 2)


@pytest.mark.parametrize(
    "change, phase", [("", "Failed"), ("update", "InService"), ("resize", "InService")]
)
def test_what_can_not_be_done_is_given_up(world: World, change: str, phase: str) -> None:
    if not change:
        world.create("mute")
    else:
        serving(world)
        world.launcher.images["serves"] = world.launcher.images["mute"]
        world.update() if change == "update" else world.resize(3, weight=0.5)
    world.look()
    world.endpoints.give_up(world.record(), RuntimeError("no idea"))
    assert world.settle() == phase
    document = world.record().document
    assert document["FailureReason"].startswith("Request to service failed.")
    assert "target" not in document["Emulator"]
    world.until(lambda: len(world.running()) == (1 if change else 0))
    assert world.reached() == world.addresses()


def test_forgetting_leaves_nothing_of_an_endpoint(world: World) -> None:
    serving(world, instances=2)
    world.endpoints.forget(SCOPE, NAME)
    assert (world.running(), world.staged(), world.route()) == ([], [], None)
