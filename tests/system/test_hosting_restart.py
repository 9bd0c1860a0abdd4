"""Containers that die under an endpoint, and emulators that die over one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from endpoint_data import answers, archive, left_of, load, pauses, upload
from running_emulator import LABEL, Emulator, eventually, unique

pytestmark = pytest.mark.docker

MARK = "[sagemaker-emulator] "

Launch = Callable[..., Emulator]


def ids(emulator: Emulator, endpoint: str, **labels: str) -> set[str]:
    return {container.id for container in emulator.containers(name=endpoint, **labels)}


def status(emulator: Emulator, endpoint: str) -> str:
    return str(emulator.endpoint(endpoint)["EndpointStatus"])


# Containers that die.


@pytest.mark.parametrize("how", ["exit", "kill", "remove"])
def test_a_container_that_goes_away_is_started_again(emulator: Emulator, how: str) -> None:
    url = upload(emulator, archive({"weights": b"1"}))
    name = emulator.deploy(emulator.config({"ModelName": emulator.model(ModelDataUrl=url)}))
    [container] = emulator.containers(name=name)
    if how == "exit":
        assert not answers_to_exit(emulator, name)
    elif how == "kill":
        container.kill()
    else:
        container.remove(force=True)
    eventually(
        lambda: ids(emulator, name) and container.id not in ids(emulator, name), what="a new one"
    )
    eventually(lambda: answers(emulator, name))
    assert status(emulator, name) == "InService"
    assert emulator.command(name, list="/opt/ml/model")["files"] == ["weights"]
    assert len(ids(emulator, name)) == 1
    emulator.delete(name)
    eventually(lambda: left_of(emulator, name) == [], what="nothing is left of it")


def answers_to_exit(emulator: Emulator, name: str) -> bool:
    runtime = emulator.client("sagemaker-runtime")
    try:
        emulator.command(name, exit=1)
    except runtime.exceptions.ModelError:
        return False
    return True


def test_the_other_instance_serves_while_one_is_started_again(emulator: Emulator) -> None:
    model = emulator.model(Environment={"READY_AFTER": "1.5"})
    name = emulator.deploy(emulator.config({"ModelName": model, "InitialInstanceCount": 2}))
    first, second = emulator.containers(name=name)
    first.kill()
    eventually(lambda: first.id not in ids(emulator, name), what="it is buried")
    with load(emulator, name, callers=2) as seen:
        eventually(lambda: len(ids(emulator, name)) == 2)
        seen.wait_for(20)
    assert seen.errors == []
    assert second.id in ids(emulator, name)
    emulator.delete(name)


def test_a_container_that_keeps_dying_does_not_take_the_endpoint_down(emulator: Emulator) -> None:
    sick = emulator.model(
        Environment={"START": "__import__('threading').Timer(.7, os._exit, (1,)).start()"}
    )
    well = emulator.model()
    name = emulator.deploy(emulator.config({"ModelName": sick}, {"ModelName": well}))
    seen = set()

    def look() -> bool:
        seen.update(ids(emulator, name, variant="V1"))
        return len(seen) > 2

    eventually(look, what="it has been started again twice")
    assert status(emulator, name) == "InService"
    reply = emulator.invoke(name, b"x", TargetVariant="V2")
    assert reply["InvokedProductionVariant"] == "V2"
    emulator.delete(name)
    eventually(lambda: left_of(emulator, name) == [], what="nothing is left of it")


# Emulators that die.


def test_a_killed_emulator_finds_its_containers_serving(launched: Launch) -> None:
    emulator = launched()
    model = emulator.model()
    name = emulator.deploy(
        emulator.config({"ModelName": model, "InitialInstanceCount": 2}, {"ModelName": model})
    )
    emulator.invoke(name, b"12345")
    before, group = ids(emulator, name), f"/aws/sagemaker/Endpoints/{name}"
    assert len(before) == 3
    eventually(lambda: len(emulator.log_lines(group)) == 1)
    emulator.kill()
    emulator = launched(state=emulator.state)
    assert answers(emulator, name), "the first invocation waits for the route"
    assert ids(emulator, name) == before
    assert status(emulator, name) == "InService"
    emulator.invoke(name, b"123456")
    eventually(lambda: len(emulator.log_lines(group)) == 2, what="each line is there once")
    emulator.delete(name)
    eventually(lambda: left_of(emulator, name) == [], what="nothing is left of it")


def test_a_stopped_emulator_stops_its_containers_and_brings_them_back(launched: Launch) -> None:
    emulator = launched()
    url = upload(emulator, archive({"weights": b"1"}))
    name = emulator.deploy(emulator.config({"ModelName": emulator.model(ModelDataUrl=url)}))
    assert emulator.stop() == 0
    assert ids(emulator, name) == set()
    assert pauses(emulator) == set()
    emulator = launched(state=emulator.state)
    assert status(emulator, name) == "InService"
    eventually(lambda: answers(emulator, name))
    assert emulator.command(name, list="/opt/ml/model")["files"] == ["weights"]


def test_a_container_that_died_without_an_emulator_is_started_again(launched: Launch) -> None:
    emulator = launched()
    say = "say = lambda word: print(word, flush=True); say('born')"
    dying = "signal.signal(signal.SIGTERM, lambda *_: (say('dead'), os._exit(0)))"
    model = emulator.model(Environment={"START": f"{say}; {dying}"})
    name = emulator.deploy(emulator.config({"ModelName": model}))
    [container] = emulator.containers(name=name)
    emulator.kill()
    container.stop()
    emulator = launched(state=emulator.state)
    eventually(lambda: answers(emulator, name))
    assert ids(emulator, name) != {container.id}
    group = f"/aws/sagemaker/Endpoints/{name}"
    eventually(
        lambda: [line for line in emulator.log_lines(group) if MARK not in line].count("born") == 2,
        what="the new one has begun",
    )
    told = [line.removeprefix(MARK) for line in emulator.log_lines(group)]
    how = "The container exited with code 0. Its last words: dead"
    assert f"WARNING: this instance is replaced by another: {how}" in told
    dead = container.labels[f"{LABEL}instance-id"]
    assert f"this instance takes the place of {dead}. {how}" in told
    assert told.count("dead") == 1


def test_a_killed_emulator_goes_on_creating(launched: Launch) -> None:
    emulator = launched()
    model = emulator.model(Environment={"READY_AFTER": "2"})
    name, config = unique("endpoint"), emulator.config({"ModelName": model})
    emulator.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=config)
    eventually(lambda: ids(emulator, name))
    before = ids(emulator, name)
    emulator.kill()
    emulator = launched(state=emulator.state)
    assert emulator.settled(name)["EndpointStatus"] == "InService"
    assert ids(emulator, name) == before
    assert answers(emulator, name)


def test_a_killed_emulator_goes_on_updating_and_the_old_fleet_serves(launched: Launch) -> None:
    emulator = launched()
    name = emulator.deploy(emulator.config({"ModelName": emulator.model()}))
    old = ids(emulator, name)
    model = emulator.model(Environment={"READY_WHEN": "/tmp/ready"})
    config = emulator.config({"ModelName": model})
    emulator.client("sagemaker").update_endpoint(EndpointName=name, EndpointConfigName=config)
    eventually(lambda: len(ids(emulator, name)) == 2)
    both = ids(emulator, name)
    emulator.kill()
    emulator = launched(state=emulator.state)
    eventually(lambda: answers(emulator, name))
    assert status(emulator, name) == "Updating"
    assert ids(emulator, name) == both
    for each in emulator.containers(name=name):
        each.exec_run(["touch", "/tmp/ready"])
    described = emulator.settled(name)
    assert described["EndpointConfigName"] == config
    eventually(lambda: ids(emulator, name) == both - old, what="only the new fleet is left")
    assert answers(emulator, name)


def test_a_killed_emulator_goes_on_resizing(launched: Launch) -> None:
    emulator = launched()
    model = emulator.model(Environment={"READY_AFTER": "3"})
    name = emulator.deploy(emulator.config({"ModelName": model}))
    before = ids(emulator, name)
    emulator.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=name,
        DesiredWeightsAndCapacities=[{"VariantName": "V1", "DesiredInstanceCount": 2}],
    )
    eventually(lambda: len(ids(emulator, name)) == 2)
    emulator.kill()
    emulator = launched(state=emulator.state)
    eventually(lambda: answers(emulator, name))
    [variant] = emulator.settled(name)["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 2
    assert before < ids(emulator, name)


def test_a_killed_emulator_goes_on_deleting(launched: Launch) -> None:
    emulator = launched("--serving-stop-grace", "5")
    deaf = emulator.model(Environment={"START": "signal.signal(15, signal.SIG_IGN)"})
    name = emulator.deploy(emulator.config({"ModelName": deaf}))
    emulator.client("sagemaker").delete_endpoint(EndpointName=name)
    assert ids(emulator, name)
    emulator.kill()
    emulator = launched("--serving-stop-grace", "0", state=emulator.state)
    eventually(lambda: emulator.gone(name))
    eventually(lambda: left_of(emulator, name) == [], what="nothing is left of it")


def test_what_nobody_needs_is_gone_after_a_kill(launched: Launch) -> None:
    emulator = launched(EMULATOR_POOL_SIZE="0")
    name = emulator.deploy(emulator.config({"ModelName": emulator.model()}))
    emulator.containers(name=name)[0].remove(force=True)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(emulator.kill).result()
    emulator = launched(state=emulator.state, EMULATOR_POOL_SIZE="0")
    eventually(lambda: answers(emulator, name))
    eventually(lambda: len(pauses(emulator)) == 1, what="only the pause in use is left")
    emulator.delete(name)
    assert pauses(emulator) == set()
