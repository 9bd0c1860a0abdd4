"""What Docker alone can show: networks, limits, output, and getting over what breaks."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from launchers import (
    IMAGE,
    DockerBench,
    Ping,
    assert_answers,
    docker_launcher,
    eventually,
    left_of,
    pauses_of,
    remove_all,
    unique_name,
)

from emulator import clock
from emulator.errors import PermanentError, TemporaryError
from emulator.launch.docker import DockerLauncher
from emulator.launch.docker.engine import Failed
from emulator.launch.driver import Mount
from emulator.launch.fake import Behaviour
from emulator.reconcile.last_words import never_ran

pytestmark = pytest.mark.docker

FOREVER = Behaviour(run_for=None)


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerBench]:
    scratch = tmp_path_factory.mktemp("scratch")
    half = {"shared_memory": lambda memory: memory // 2}
    with docker_launcher(scratch, pool_size=2, **half) as launcher:
        launcher.warm()
        yield DockerBench(launcher)


@pytest.fixture
def launcher(bench: DockerBench) -> Iterator[DockerLauncher]:
    yield bench.launcher
    for left in bench.launcher.find({}):
        bench.launcher.remove(left.handle)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    (directory / "sub").mkdir(parents=True)
    (directory / "file").write_text("original\n")
    return directory


@pytest.fixture
def initless(launcher: DockerLauncher, monkeypatch: pytest.MonkeyPatch) -> DockerLauncher:
    """The launcher as on an engine whose init is not installed."""
    post = launcher._engine.post

    def refuse(path: str, body: Any = None, **more: Any) -> Any:
        if body and body.get("HostConfig", {}).get("Init"):
            raise Failed('exec: "docker-init": executable file not found in $PATH: unknown')
        return post(path, body, **more)

    monkeypatch.setattr(launcher._engine, "post", refuse)
    monkeypatch.setattr(launcher, "_init", True)
    return launcher


# Starting.


def test_a_container_runs_below_an_init_with_shared_memory_of_its_own(
    bench: DockerBench, launcher: DockerLauncher, engine: docker.DockerClient
) -> None:
    script = "echo $$; cat /proc/1/comm; df --block-size=1 --output=size /dev/shm | tail -n 1"
    whole = engine.info()["MemTotal"]

    _, output = bench.run(script)
    _, limited = bench.run(script, memory_bytes=256 * 2**20)

    assert output[0] != "1"
    assert output[1] in ("docker-init", "tini", "catatonit")
    assert abs(int(output[2]) - whole // 2) < 4096  # whole pages
    assert int(limited[2]) == 128 * 2**20


@pytest.mark.parametrize("signal, code", [("TERM", 143), ("SEGV", 139)])
def test_a_program_without_handlers_ends_by_a_signal(
    bench: DockerBench, signal: str, code: int
) -> None:
    assert bench.run(f"kill -{signal} $$; sleep 1; echo went on") == (code, [])


def test_stopping_a_program_without_a_handler_does_not_take_the_grace(
    bench: DockerBench, launcher: DockerLauncher
) -> None:
    handle = launcher.start(bench.spec(command=("sh", "-c", "echo up; sleep infinity; echo on")))
    next(iter(launcher.logs(handle)))

    launcher.stop(handle, grace=3600)

    state = launcher.observe(handle)
    assert state is not None
    assert state.exit_code == 143


def test_without_an_init_containers_run_all_the_same_and_a_warning_says_so_once(
    bench: DockerBench, initless: DockerLauncher, caplog: pytest.LogCaptureFixture
) -> None:
    assert [bench.run("echo $$")[1] for _ in range(2)] == [["1"], ["1"]]

    (warning,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert "docker-init" in warning.getMessage()


@pytest.mark.parametrize(
    "more, word",
    [
        ({"command": ("no-such-command",)}, "no-such-command"),
        ({"entrypoint": ("/no/such/entry",), "command": ()}, "/no/such/entry"),
        ({"command": ("/etc/passwd",)}, "Permission denied"),
    ],
)
def test_what_cannot_run_is_told_by_the_init(
    bench: DockerBench, launcher: DockerLauncher, more: dict[str, Any], word: str
) -> None:
    handle = launcher.start(bench.spec(**more))

    assert word in never_ran(line.text for line in launcher.logs(handle))
    state = launcher.wait(handle, 30)
    assert state is not None
    assert state.exit_code in (126, 127)


@pytest.mark.parametrize(
    "more, reason",
    [
        ({"command": ("no-such-command",)}, "no-such-command"),
        ({"entrypoint": ("/no/such/entry",), "command": ()}, "/no/such/entry"),
        ({"command": ("/etc/passwd",)}, "permission denied"),
    ],
)
def test_what_cannot_run_without_an_init_is_refused_with_the_engines_reason_and_leaves_nothing(
    bench: DockerBench,
    initless: DockerLauncher,
    engine: docker.DockerClient,
    source: Path,
    more: dict[str, Any],
    reason: str,
) -> None:
    launcher = initless
    before = len(pauses_of(engine, launcher._instance))
    spec = bench.spec(mounts=(Mount(source, "/data", "cow"),), **more)

    with pytest.raises(PermanentError) as caught:
        launcher.start(spec)

    assert reason in str(caught.value)
    assert left_of(engine, spec.name) == []
    assert len(pauses_of(engine, launcher._instance)) <= max(before, 2)


def test_the_environment_arrives_unchanged(bench: DockerBench) -> None:
    environment = {"PLAIN": "a b", "QUOTED": '"x" $HOME', "EMPTY": "", "LINES": "1\n2"}
    script = 'printf "%s|" "$PLAIN" "$QUOTED" "$EMPTY" "$LINES"'

    _, output = bench.run(script, environment=environment)

    assert "\n".join(output) == 'a b|"x" $HOME||1\n2|'


@pytest.mark.parametrize(
    "entrypoint, command, words",
    [
        (None, ("printf", "%s.", "a", "b c"), "a.b c."),
        (("printf", "%s.", "a"), ("b c",), "a.b c."),
        (("printf", "%s.", "a"), None, "a."),
    ],
)
def test_entry_point_and_command_are_joined_without_a_shell(
    bench: DockerBench,
    launcher: DockerLauncher,
    entrypoint: tuple[str, ...] | None,
    command: tuple[str, ...] | None,
    words: str,
) -> None:
    handle = launcher.start(bench.spec(entrypoint=entrypoint, command=command))

    assert [line.text for line in launcher.logs(handle)] == [words]


def test_containers_are_not_privileged_and_do_not_remove_themselves(
    bench: DockerBench, launcher: DockerLauncher, engine: docker.DockerClient
) -> None:
    host = engine.containers.get(launcher.start(bench.spec(FOREVER))).attrs["HostConfig"]

    assert not host["Privileged"]
    assert not host["AutoRemove"]
    assert not host["CapAdd"]
    assert host["Init"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {}}


def test_a_container_whose_users_may_become_root_is_not_kept_from_it(
    bench: DockerBench, launcher: DockerLauncher, engine: docker.DockerClient
) -> None:
    handle = launcher.start(bench.spec(FOREVER, may_become_root=True))
    host = engine.containers.get(handle).attrs["HostConfig"]

    assert not host["Privileged"]
    assert not host["SecurityOpt"]


def test_only_a_container_that_is_given_the_engine_can_speak_to_it(bench: DockerBench) -> None:
    script = "test -S /var/run/docker.sock"

    assert bench.run(script, engine_access=True) == (0, [])
    assert bench.run(script) == (1, [])


def test_containers_reach_what_the_engines_machine_publishes(
    bench: DockerBench, launcher: DockerLauncher
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as published:
        port = published.getsockname()[1]
        reach = f"import socket; socket.create_connection(('{launcher.engine_host()}', {port}), 5)"
        assert bench.run(f'python3 -c "{reach}"') == (0, [])


def test_an_engine_elsewhere_can_be_given_to_no_container(
    bench: DockerBench, launcher: DockerLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = bench.spec(FOREVER, engine_access=True)
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")

    with pytest.raises(PermanentError, match="has no socket on this machine"):
        launcher.start(spec)


def test_a_container_that_survives_a_process_killed_for_memory_is_known_by_it(
    bench: DockerBench, launcher: DockerLauncher
) -> None:
    hog = ("sh", "-c", "python3 -c \"b'x' * (256 << 20)\"; sleep 60")
    handle = launcher.start(bench.spec(command=hog, memory_bytes=64 << 20))
    eventually(lambda: launcher.lost_process(handle), "the kernel has killed a process")
    state = launcher.observe(handle)
    assert state is not None
    assert state.running
    assert not launcher.lost_process("f" * 64)

    def quickly() -> bool:
        began = clock.monotonic()
        assert launcher.lost_process(handle)
        return clock.monotonic() - began < 0.5

    # An endpoint that starts asks time and again. Once the first has waited for a second's end,
    # each later one would wait a whole second. On a busy machine one may well take longer.
    eventually(quickly, "one is quick")


def test_a_container_that_outgrows_its_memory_is_marked(
    bench: DockerBench, launcher: DockerLauncher
) -> None:
    hog = ("python3", "-c", "x = bytearray(200 << 20)")
    handle = launcher.start(bench.spec(command=hog, memory_bytes=64 << 20))

    state = launcher.wait(handle, 30)

    assert state is not None
    assert state.exit_code == 137
    assert state.out_of_memory


# Output.


def test_a_long_line_comes_whole_and_a_last_one_without_newline_too(bench: DockerBench) -> None:
    script = "python3 -c \"print('x' * 1_000_000); print('end', end='')\""

    _, output = bench.run(script)

    assert [len(line) for line in output] == [1_000_000, 3]


def test_long_lines_of_both_outputs_do_not_mix(bench: DockerBench) -> None:
    program = (
        "import os, threading\n"
        "def write(fd, letter):\n"
        "    for _ in range(20): os.write(fd, letter * 60_000 + b'\\n')\n"
        "pair = [threading.Thread(target=write, args=a) for a in ((1, b'o'), (2, b'e'))]\n"
        "[t.start() for t in pair]; [t.join() for t in pair]\n"
    )

    _, output = bench.run(f'python3 -c "{program}"')

    assert sorted(output) == ["e" * 60_000] * 20 + ["o" * 60_000] * 20


def test_output_that_is_not_text_is_read_all_the_same(bench: DockerBench) -> None:
    _, output = bench.run(r"printf 'a\377b\n'; printf '\342\202\254\n'")

    assert output == ["a\ufffdb", "€"]


def test_output_goes_on_after_the_stream_broke_with_nothing_lost_or_repeated(
    bench: DockerBench, launcher: DockerLauncher
) -> None:
    script = "i=0; while [ $i -lt 300 ]; do echo $i; echo e$i >&2; i=$((i+1)); sleep 0.005; done"
    handle = launcher.start(bench.spec(command=("sh", "-c", script)))
    read: list[str] = []

    for line in launcher.logs(handle):
        read.append(line.text)
        if len(read) % 100 == 50:
            for stream in list(launcher._engine._streams):
                stream.close()

    assert [line for line in read if line[0] != "e"] == [str(n) for n in range(300)]
    assert [line for line in read if line[0] == "e"] == [f"e{n}" for n in range(300)]


# Networks.


def test_a_container_knows_its_own_name(bench: DockerBench) -> None:
    script = "hostname; python3 -c \"import socket; print(socket.gethostbyname('algo-7'))\""

    exit_code, output = bench.run(script, hostname="algo-7")

    assert exit_code == 0
    assert output[0] == "algo-7"


def test_a_container_reaches_the_emulator_at_the_gateway(
    bench: DockerBench, launcher: DockerLauncher
) -> None:
    gateway = launcher.gateway_address()
    assert gateway is not None
    assert launcher.endpoint_url() == f"http://{gateway}:4610"
    program = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"
    with socket.create_server((gateway, 0)) as server:
        port = server.getsockname()[1]
        exit_code, output = bench.run(f'python3 -c "{program}" {gateway} {port}')

    assert exit_code == 0, output


OUTSIDE = """python3 -c "
import socket
try: socket.create_connection(('192.0.2.1', 9), 3)
except OSError as error: print(error)
" """


def test_an_isolated_container_has_no_network_but_its_own_name(bench: DockerBench) -> None:
    script = "ls /sys/class/net; python3 -c \"import socket; socket.gethostbyname('algo-1')\""

    exit_code, output = bench.run(f"{script} && {OUTSIDE}", isolated=True)

    assert exit_code == 0
    assert "eth0" not in output
    assert output[-1] == "[Errno 101] Network is unreachable"


def test_an_isolated_container_with_a_port_is_called_on_the_internal_network(
    bench: DockerBench, launcher: DockerLauncher, engine: docker.DockerClient
) -> None:
    spec = bench.spec(Behaviour(run_for=None, handler=Ping), port=8080, isolated=True)
    state = launcher.observe(launcher.start(spec))
    assert state is not None
    assert state.address is not None

    assert_answers(state.address)
    pause = engine.containers.get(state.labels["org.sagemaker-emulator.pause"])
    (network,) = pause.attrs["NetworkSettings"]["Networks"]
    assert engine.networks.get(network).attrs["Internal"]


def test_a_port_can_be_published_on_loopback(tmp_path: Path) -> None:
    with docker_launcher(tmp_path, reach="publish") as launcher:
        spec = DockerBench(launcher).spec(Behaviour(run_for=None, handler=Ping), port=8080)
        state = launcher.observe(launcher.start(spec))

        assert state is not None
        assert state.address is not None
        assert state.address[0] == "127.0.0.1"
        assert_answers(state.address)


@pytest.mark.parametrize("isolated", [False, True], ids=["open", "isolated"])
@pytest.mark.parametrize("pause_image", [IMAGE, None], ids=["pauses", "no pauses"])
def test_hosts_of_a_cluster_know_each_other_before_they_all_run(
    tmp_path: Path, isolated: bool, pause_image: str | None
) -> None:
    hosts = ("algo-1", "algo-2", "algo-3")
    resolve = "; ".join(f"print(socket.gethostbyname('{host}'))" for host in hosts)
    with docker_launcher(tmp_path, pause_image=pause_image) as launcher:
        bench, seen, handles = DockerBench(launcher), [], []
        for host in hosts:
            command = ("python3", "-c", f"import socket; {resolve}")
            spec = bench.spec(
                command=command, hostname=host, cluster="one", peers=hosts, isolated=isolated
            )
            handles.append(launcher.start(spec))
            launcher.wait(handles[-1], 30)
            seen.append([line.text for line in launcher.logs(handles[-1])])

        assert len(set(seen[0])) == 3
        assert seen[0] == seen[1] == seen[2]


def test_clusters_do_not_share_addresses(bench: DockerBench, launcher: DockerLauncher) -> None:
    books = []
    for cluster in ("one", "two"):
        spec = bench.spec(FOREVER, cluster=cluster, peers=("algo-1", "algo-2"))
        state = launcher.observe(launcher.start(spec))
        assert state is not None
        books.append(launcher._clusters.hosts(cluster, (), launcher._network.ensure()))

    assert not set(books[0].values()) & set(books[1].values())


def test_containers_start_without_an_image_for_pauses(tmp_path: Path) -> None:
    with docker_launcher(tmp_path, pause_image="no-such/base:1") as launcher:
        launcher.warm().join()
        bench = DockerBench(launcher)
        state = launcher.observe(
            launcher.start(bench.spec(Behaviour(run_for=None, handler=Ping), port=8080))
        )

        assert state is not None
        assert state.address is not None
        assert_answers(state.address)
        assert bench.run("hostname", hostname="algo-2") == (0, ["algo-2"])


def test_a_job_never_sees_what_an_earlier_one_did_to_its_network_files(tmp_path: Path) -> None:
    with docker_launcher(tmp_path, pool_size=1) as launcher:
        launcher.warm().join()
        bench, used = DockerBench(launcher), []
        for spoil in ("true", "echo 10.9.9.9 algo-1 >> /etc/hosts", "true", "true"):
            eventually(lambda: launcher._namespaces.idle() > 0, "a pause in the pool")
            script = f"grep -c 10.9.9.9 /etc/hosts; {spoil}"
            handle = launcher.start(bench.spec(command=("sh", "-c", script)))
            state = launcher.wait(handle, 30)
            assert state is not None
            used.append(state.labels["org.sagemaker-emulator.pause"])
            assert [line.text for line in launcher.logs(handle)] == ["0"]
            launcher.remove(handle)

    assert used[0] == used[1], "an untouched pause is used again"
    assert used[1] != used[2], "a changed one is not"


# Getting over what breaks.


def test_a_start_survives_that_the_pauses_and_the_network_were_removed(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    with docker_launcher(tmp_path, pool_size=2) as launcher:
        launcher.warm().join()
        eventually(lambda: launcher._namespaces.idle() == 2, "a full pool")
        for pause in pauses_of(engine, launcher._instance):
            pause.kill()

        assert DockerBench(launcher).run("echo fine") == (0, ["fine"])

        # The job's own pause may come back as well, as a third.
        eventually(lambda: launcher._namespaces.idle() >= 2, "a full pool")
        launcher._namespaces._size = 0
        for pause in pauses_of(engine, launcher._instance):
            pause.remove(force=True)
        engine.networks.get(f"sagemaker-emulator-{launcher._instance}").remove()

        assert DockerBench(launcher).run("echo fine") == (0, ["fine"])


def test_a_restarted_emulator_sweeps_what_it_left_and_keeps_what_runs(
    engine: docker.DockerClient, tmp_path: Path, source: Path
) -> None:
    scratch = tmp_path / "scratch"
    with docker_launcher(scratch, pool_size=2) as killed:
        killed.warm().join()
        eventually(lambda: killed._namespaces.idle() == 2, "a full pool")
        bench = DockerBench(killed)
        spec = bench.spec(
            Behaviour(run_for=None, handler=Ping),
            port=8080,
            labels={"job": "a"},
            mounts=(Mount(source, "/data", "cow"),),
        )
        handle = killed.start(spec)
        eventually(lambda: killed._namespaces.idle() == 2, "a full pool")
        killed._namespaces._size = 0
        (scratch / "of-a-container-that-is-gone").mkdir()

        again = DockerLauncher(instance=killed._instance, port=4610, scratch=scratch, pool_size=0)
        again.sweep()

        assert len(pauses_of(engine, killed._instance)) == 1
        assert [path.name for path in scratch.iterdir()] == [spec.name]
        assert again.start(spec) == handle
        (state,) = again.find({"job": "a"})
        assert state.address is not None
        assert_answers(state.address)
        again.remove(handle)
        assert pauses_of(engine, killed._instance) == []
        remove_all(killed._instance, again)


def test_a_container_that_was_created_but_never_started_is_started_anew(
    bench: DockerBench, launcher: DockerLauncher, engine: docker.DockerClient
) -> None:
    spec = bench.spec(Behaviour(exit_code=3))
    labels = {
        "org.sagemaker-emulator.instance": launcher._instance,
        "org.sagemaker-emulator.role": "job",
    }
    left = engine.containers.create(IMAGE, "true", name=spec.name, labels=labels)

    handle = launcher.start(spec)

    assert handle != left.id
    state = launcher.wait(handle, 30)
    assert state is not None
    assert state.exit_code == 3


def test_strangers_are_neither_seen_nor_touched(
    launcher: DockerLauncher, engine: docker.DockerClient, bench: DockerBench
) -> None:
    name = unique_name()
    stranger = engine.containers.run(IMAGE, "sleep infinity", name=name, detach=True)
    assert stranger.id is not None
    try:
        launcher.stop(stranger.id, grace=0)
        launcher.remove(stranger.id)
        launcher.sweep()

        assert launcher.observe(stranger.id) is None
        assert stranger.id not in [state.handle for state in launcher.find({})]
        with pytest.raises(PermanentError):
            launcher.start(bench.spec(name=name))
        stranger.reload()
        assert stranger.status == "running"
    finally:
        stranger.remove(force=True)


def test_two_emulators_do_not_see_each_others_containers(
    bench: DockerBench, launcher: DockerLauncher, tmp_path: Path
) -> None:
    handle = launcher.start(bench.spec(FOREVER, labels={"job": "a"}))

    with docker_launcher(tmp_path, pool_size=0) as other:
        assert other.find({"job": "a"}) == []
        assert other.observe(handle) is None
        other.sweep()

    state = launcher.observe(handle)
    assert state is not None
    assert state.running


def test_closing_leaves_nothing_but_jobs(engine: docker.DockerClient, tmp_path: Path) -> None:
    with docker_launcher(tmp_path, pool_size=2) as launcher:
        launcher.warm().join()
        eventually(lambda: launcher._namespaces.idle() == 2, "a full pool")
        instance = launcher._instance
    assert pauses_of(engine, instance) == []
    ours = {"label": f"org.sagemaker-emulator.instance={instance}"}
    assert engine.networks.list(filters=ours) == []


def test_closing_removes_the_pause_of_a_job_that_somebody_else_removed(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    with docker_launcher(tmp_path / "scratch") as launcher:
        handle = launcher.start(DockerBench(launcher).spec(FOREVER))
        engine.containers.get(handle).remove(force=True)
        instance = launcher._instance
        assert pauses_of(engine, instance)
        launcher.close()
        assert pauses_of(engine, instance) == []
        assert left_of(engine, f"sagemaker-emulator-{instance}") == []


def test_closing_ends_what_reads_streams(bench: DockerBench, tmp_path: Path) -> None:
    with docker_launcher(tmp_path, pool_size=0) as launcher:
        handle = launcher.start(DockerBench(launcher).spec(FOREVER))
        threads = [threading.Thread(target=lambda: list(launcher.logs(handle))) for _ in range(2)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(launcher._engine._streams) == 2, "two streams")
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_without_an_engine_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    launcher = DockerLauncher(instance="launchtest", port=4610)

    with pytest.raises(TemporaryError) as caught:
        launcher.find({})

    assert "sagemaker-emulator doctor" in str(caught.value)
    launcher.warm().join(60)
    launcher.close()


def test_a_network_that_is_still_in_use_does_not_keep_the_launcher_from_closing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with docker_launcher(None, pool_size=0) as launcher:
        launcher.endpoint_url()
        delete = launcher._engine.delete

        def refuse(path: str, **more: Any) -> None:
            if path.startswith("/networks/"):
                raise Failed("network is being used")  # as Podman says it, with a 500
            delete(path, **more)

        monkeypatch.setattr(launcher._engine, "delete", refuse)
        launcher.close()
        monkeypatch.undo()
        launcher._network.remove()
