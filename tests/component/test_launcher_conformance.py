"""What every launcher promises: the same tests for the scripted one and for Docker."""

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from launchers import Bench, DockerBench, FakeBench, Ping, docker_launcher

from emulator.errors import PermanentError
from emulator.launch.driver import ImageMissing, Launcher, Observed
from emulator.launch.fake import Behaviour

FOREVER = Behaviour(run_for=None)


@pytest.fixture(scope="module", params=["fake", pytest.param("docker", marks=pytest.mark.docker)])
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    if request.param == "fake":
        fake = FakeBench()
        yield fake
        fake.launcher.clear()
        return
    with docker_launcher(tmp_path_factory.mktemp("scratch")) as launcher:
        launcher.warm()
        yield DockerBench(launcher)


@pytest.fixture
def launcher(bench: Bench) -> Iterator[Launcher]:
    yield bench.launcher
    for left in bench.launcher.find({}):
        bench.launcher.remove(left.handle)


def ended(launcher: Launcher, handle: str) -> Observed:
    state = launcher.wait(handle, 30)
    assert state is not None
    assert not state.running
    return state


def eventually(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, f"not within 20 s: {what}"
        threading.Event().wait(0.01)


@pytest.mark.parametrize("exit_code", [0, 3])
def test_a_container_that_exits_tells_its_exit_code(
    bench: Bench, launcher: Launcher, exit_code: int
) -> None:
    before = time.time()

    handle = launcher.start(bench.spec(Behaviour(exit_code=exit_code)))

    state = ended(launcher, handle)
    assert state.exit_code == exit_code
    assert state.handle == handle
    assert not state.out_of_memory
    assert before - 1 < state.started_at <= state.finished_at < time.time() + 1


def test_a_running_container_has_no_exit_code_and_is_waited_for_no_longer_than_asked(
    bench: Bench, launcher: Launcher
) -> None:
    handle = launcher.start(bench.spec(FOREVER))

    started = time.monotonic()
    state = launcher.wait(handle, 0.2)

    assert time.monotonic() - started >= 0.2
    assert state is not None
    assert state.running
    assert state.exit_code is None
    assert state.started_at > 0
    assert state.finished_at == 0.0


def test_starting_a_name_twice_starts_one_container(bench: Bench, launcher: Launcher) -> None:
    spec = bench.spec(FOREVER, labels={"job": "a"})

    handles = {launcher.start(spec), launcher.start(spec)}

    assert len(handles) == 1
    assert [state.handle for state in launcher.find({"job": "a"})] == list(handles)


def test_threads_that_start_one_name_at_once_start_one_container(
    bench: Bench, launcher: Launcher
) -> None:
    spec = bench.spec(FOREVER, labels={"job": "raced"})
    handles: list[str] = []
    threads = [
        threading.Thread(target=lambda: handles.append(launcher.start(spec))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(handles) == 3
    assert len(set(handles)) == 1
    assert len(launcher.find({"job": "raced"})) == 1


def test_starting_a_name_that_has_exited_does_not_start_it_again(
    bench: Bench, launcher: Launcher
) -> None:
    spec = bench.spec(Behaviour(exit_code=4))
    handle = launcher.start(spec)
    first = ended(launcher, handle)

    assert launcher.start(spec) == handle
    assert launcher.observe(handle) == first


def test_a_name_that_is_another_resources_is_refused(bench: Bench, launcher: Launcher) -> None:
    spec = bench.spec(FOREVER, labels={"job": "mine"})
    handle = launcher.start(spec)

    with pytest.raises(PermanentError) as caught:
        launcher.start(replace(spec, labels={"job": "yours"}))

    assert spec.name in str(caught.value)
    state = launcher.observe(handle)
    assert state is not None
    assert state.running


def test_a_missing_image_is_refused_by_name_and_leaves_nothing(
    bench: Bench, launcher: Launcher
) -> None:
    spec = replace(bench.spec(labels={"job": "b"}), image="no-such/image:1")

    with pytest.raises(ImageMissing) as caught:
        launcher.start(spec)

    assert caught.value.image == "no-such/image:1"
    assert launcher.find({"job": "b"}) == []


def test_containers_are_found_by_all_of_their_labels_running_or_not(
    bench: Bench, launcher: Launcher
) -> None:
    running = launcher.start(bench.spec(FOREVER, labels={"kind": "x", "name": "1"}))
    exited = launcher.start(bench.spec(labels={"kind": "x", "name": "2"}))
    launcher.start(bench.spec(labels={"kind": "y", "name": "1"}))
    ended(launcher, exited)

    assert {state.handle for state in launcher.find({"kind": "x"})} == {running, exited}
    assert [state.handle for state in launcher.find({"kind": "x", "name": "1"})] == [running]
    assert launcher.find({"kind": "z"}) == []
    (found,) = launcher.find({"name": "2"})
    assert found.labels["kind"] == "x"


def test_output_comes_in_order_and_ends_when_the_container_exits(
    bench: Bench, launcher: Launcher
) -> None:
    lines = [f"line {number}" for number in range(200)]
    handle = launcher.start(bench.spec(Behaviour(run_for=0.2, output=tuple(lines))))

    read = list(launcher.logs(handle))

    assert [line.text for line in read] == lines
    state = launcher.observe(handle)
    assert state is not None
    assert not state.running


def test_output_after_a_line_is_what_came_later(bench: Bench, launcher: Launcher) -> None:
    handle = launcher.start(bench.spec(Behaviour(output=("one", "two", "three", ""))))
    ended(launcher, handle)
    read = list(launcher.logs(handle))

    for position, line in enumerate(read):
        assert list(launcher.logs(handle, since=line.at)) == read[position + 1 :]


def test_output_so_far_is_read_without_waiting(bench: Bench, launcher: Launcher) -> None:
    handle = launcher.start(bench.spec(Behaviour(run_for=None, output=("ready",))))
    eventually(lambda: bool(list(launcher.logs(handle, follow=False))), "the first line")

    assert [line.text for line in launcher.logs(handle, follow=False)] == ["ready"]


def test_stopping_lets_the_container_end_by_itself(bench: Bench, launcher: Launcher) -> None:
    handle = launcher.start(
        bench.spec(Behaviour(run_for=None, exit_code=7, output=("trap is set",)))
    )
    next(iter(launcher.logs(handle)))

    launcher.stop(handle, grace=20)

    state = launcher.observe(handle)
    assert state is not None
    assert state.exit_code == 7


def test_stopping_kills_what_ignores_sigterm_after_the_grace(
    bench: Bench, launcher: Launcher
) -> None:
    handle = launcher.start(bench.spec(Behaviour(run_for=None, ignore_sigterm=True)))

    started = time.monotonic()
    launcher.stop(handle, grace=0.3)

    assert time.monotonic() - started >= 0.3
    state = launcher.observe(handle)
    assert state is not None
    assert state.exit_code == 137


def test_stopping_what_has_exited_or_is_gone_changes_nothing(
    bench: Bench, launcher: Launcher
) -> None:
    handle = launcher.start(bench.spec(Behaviour(exit_code=5)))
    before = ended(launcher, handle)

    launcher.stop(handle, grace=5)
    assert launcher.observe(handle) == before

    launcher.remove(handle)
    launcher.stop(handle, grace=5)


def test_a_removed_container_is_gone_and_may_be_removed_again(
    bench: Bench, launcher: Launcher
) -> None:
    spec = bench.spec(FOREVER, labels={"job": "c"})
    handle = launcher.start(spec)

    launcher.remove(handle)
    launcher.remove(handle)

    assert launcher.observe(handle) is None
    assert launcher.wait(handle, 5) is None
    assert launcher.find({"job": "c"}) == []
    assert list(launcher.logs(handle)) == []
    assert launcher.start(spec) != handle


def test_removing_a_container_ends_what_waits_for_it(bench: Bench, launcher: Launcher) -> None:
    handle = launcher.start(bench.spec(FOREVER))
    outcome: list[Observed | None] = []
    waiting = threading.Thread(target=lambda: outcome.append(launcher.wait(handle, 60)))
    reading = threading.Thread(target=lambda: list(launcher.logs(handle)))
    waiting.start()
    reading.start()

    launcher.remove(handle)

    waiting.join(60)
    reading.join(60)
    assert not waiting.is_alive()
    assert not reading.is_alive()
    assert outcome[0] is None or not outcome[0].running


def test_a_port_answers_on_the_address(bench: Bench, launcher: Launcher) -> None:
    handle = launcher.start(bench.spec(Behaviour(run_for=None, handler=Ping), port=8080))
    state = launcher.observe(handle)
    assert state is not None
    assert state.address is not None
    host, port = state.address

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/ping", timeout=2) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    eventually(answers, "an answer from the container")


def test_a_container_without_a_port_has_no_address(bench: Bench, launcher: Launcher) -> None:
    state = launcher.observe(launcher.start(bench.spec(FOREVER)))

    assert state is not None
    assert state.address is None


def test_images_are_known_by_content_id_and_labels(bench: Bench, launcher: Launcher) -> None:
    found = launcher.image_id(bench.image)

    assert found is not None
    assert found.startswith("sha256:")
    assert isinstance(launcher.image_labels(bench.image), dict)


def test_a_missing_image_has_neither_id_nor_labels(launcher: Launcher) -> None:
    assert launcher.image_id("no-such/image:1") is None
    with pytest.raises(ImageMissing):
        launcher.image_labels("no-such/image:1")


def test_a_container_tells_the_id_of_the_image_it_runs(bench: Bench, launcher: Launcher) -> None:
    spec = bench.spec()

    state = launcher.observe(launcher.start(spec))

    assert state is not None
    assert state.image_id == launcher.image_id(spec.image)


def test_containers_reach_the_emulator_by_an_http_url(launcher: Launcher) -> None:
    host = launcher.endpoint_url().removeprefix("http://").rpartition(":")[0]

    # An address, or a name without dots: S3 takes the first part of a dotted one for a bucket.
    assert host.replace(".", "").isdigit() or "." not in host
