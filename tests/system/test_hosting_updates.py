"""Updates of endpoints under load: nothing fails while fleets change (contract C4)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from endpoint_data import answers, archive, left_of, load, upload
from running_emulator import IMAGE, LABEL, Emulator, engine, eventually

pytestmark = pytest.mark.docker


def update(emulator: Emulator, name: str, config: str) -> None:
    emulator.client("sagemaker").update_endpoint(EndpointName=name, EndpointConfigName=config)


def resize(emulator: Emulator, name: str, **variant: float) -> None:
    """Change variant V1's weight or instance count."""
    emulator.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "V1", **variant}]
    )


def serves(emulator: Emulator, name: str) -> list[str]:
    """Return the files of the model that serves."""
    files: list[str] = emulator.command(name, list="/opt/ml/model")["files"]
    return files


def model_with(emulator: Emulator, file: str, **container: object) -> str:
    url = upload(emulator, archive({file: b"1"}))
    return emulator.model(ModelDataUrl=url, **container)


def test_no_invocation_fails_while_a_new_fleet_takes_over(emulator: Emulator) -> None:
    configs = [emulator.config({"ModelName": model_with(emulator, file)}) for file in "ab"]
    name = emulator.deploy(configs[0])
    first = {container.id for container in emulator.containers(name=name)}
    with load(emulator, name, callers=8) as seen:
        seen.wait_for(20)
        for config in (configs[1], configs[0], configs[1]):
            update(emulator, name, config)
            assert emulator.endpoint(name)["EndpointStatus"] in ("Updating", "InService")
            assert emulator.settled(name)["EndpointConfigName"] == config
            seen.wait_for(20)
    assert seen.errors == []
    assert serves(emulator, name) == ["b"]
    eventually(lambda: len(emulator.containers(name=name)) == 1, what="the old fleets are gone")
    assert emulator.containers(name=name)[0].id not in first
    [endpoint] = Path(emulator.state).glob(f"endpoints/*/*/{name}")

    def models() -> list[str]:
        return [each.name.rpartition("-")[2] for each in endpoint.iterdir()]

    eventually(lambda: models() == ["4"], what="so are models")
    emulator.delete(name)
    assert left_of(emulator, name) == []


@pytest.mark.parametrize("callers", [1, 4])
def test_no_invocation_fails_while_instances_come_and_go(emulator: Emulator, callers: int) -> None:
    name = emulator.deploy(emulator.config({"ModelName": emulator.model()}))
    with load(emulator, name, callers=callers) as seen:
        for count in (3, 1, 2):
            resize(emulator, name, DesiredInstanceCount=count, DesiredWeight=0.5)
            [variant] = emulator.settled(name)["ProductionVariants"]
            assert variant["CurrentInstanceCount"] == variant["DesiredInstanceCount"] == count
            assert variant["CurrentWeight"] == 0.5
            eventually(lambda count=count: len(emulator.containers(name=name)) == count)
            seen.wait_for(10)
    assert seen.errors == []
    emulator.delete(name)


def test_an_invocation_under_way_ends_in_the_fleet_where_it_began(emulator: Emulator) -> None:
    configs = [emulator.config({"ModelName": model_with(emulator, file)}) for file in "ab"]
    name = emulator.deploy(configs[0])
    with ThreadPoolExecutor(4) as pool:
        slow = [
            pool.submit(
                emulator.command, name, begin=f"/tmp/begun/{n}", sleep=2, list="/opt/ml/model"
            )
            for n in range(4)
        ]
        eventually(lambda: len(emulator.command(name, list="/tmp/begun")["files"]) == 4)
        update(emulator, name, configs[1])
        emulator.settled(name)
        assert serves(emulator, name) == ["b"]
        assert not any(each.done() for each in slow)
        assert [each.result()["files"] for each in slow] == [["a"]] * 4
    emulator.delete(name)


def test_instances_share_the_load(emulator: Emulator) -> None:
    model = emulator.model()
    name = emulator.deploy(emulator.config({"ModelName": model, "InitialInstanceCount": 2}))
    for _ in range(40):
        emulator.invoke(name, b"12345")
    group = f"/aws/sagemaker/Endpoints/{name}"
    eventually(lambda: len(emulator.log_lines(group)) == 40)
    logs = emulator.client("logs")
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    shares = [len(emulator.log_lines(group, each["logStreamName"])) for each in streams]
    assert sum(shares) == 40
    assert min(shares) >= 15, shares
    emulator.delete(name)


@pytest.mark.parametrize(
    "container, reason",
    [
        ({"Environment": {"START": "os._exit(7)"}}, "The container exited with code 7."),
        ({"Image": "nowhere:1"}, "Please make sure all images included in the model"),
    ],
    ids=["dies", "no image"],
)
def test_the_old_fleet_serves_on_when_the_new_one_fails(
    emulator: Emulator, container: dict[str, object], reason: str
) -> None:
    good = emulator.config({"ModelName": model_with(emulator, "a")})
    name = emulator.deploy(good)
    [serving] = emulator.containers(name=name)
    bad = emulator.config({"ModelName": emulator.model(**container)})
    with load(emulator, name, callers=2) as seen:
        update(emulator, name, bad)
        described = emulator.settled(name)
        seen.wait_for(10)
    assert seen.errors == []
    assert described["EndpointStatus"] == "InService"
    assert reason in described["FailureReason"]
    assert described["EndpointConfigName"] == good
    assert "PendingDeploymentSummary" not in described
    assert [each.id for each in emulator.containers(name=name)] == [serving.id]
    update(emulator, name, emulator.config({"ModelName": model_with(emulator, "c")}))
    described = emulator.settled(name)
    assert "FailureReason" not in described
    assert serves(emulator, name) == ["c"]
    emulator.delete(name)
    assert left_of(emulator, name) == []


def test_a_model_made_anew_after_a_failed_update_is_staged_anew(emulator: Emulator) -> None:
    name = emulator.deploy(emulator.config({"ModelName": model_with(emulator, "a")}))
    sick = model_with(emulator, "old", Environment={"START": "os._exit(7)"})
    update(emulator, name, emulator.config({"ModelName": sick}))
    assert "FailureReason" in emulator.settled(name)
    emulator.client("sagemaker").delete_model(ModelName=sick)
    url = upload(emulator, archive({"new": b"1"}))
    emulator.model(sick, ModelDataUrl=url)
    update(emulator, name, emulator.config({"ModelName": sick}))
    assert "FailureReason" not in emulator.settled(name)
    assert serves(emulator, name) == ["new"]
    emulator.delete(name)


def test_instances_that_can_not_come_up_leave_the_others_as_they_were(emulator: Emulator) -> None:
    vanishing = "sagemaker-emulator-test/vanishing:latest"
    engine().images.get(IMAGE).tag(vanishing)
    name = emulator.deploy(emulator.config({"ModelName": emulator.model(Image=vanishing)}))
    [serving] = emulator.containers(name=name)
    engine().images.remove(vanishing)
    resize(emulator, name, DesiredInstanceCount=3)
    described = emulator.settled(name)
    assert described["FailureReason"].startswith("The primary container for production variant V1")
    assert "No such image" in described["FailureReason"]
    [variant] = described["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == variant["DesiredInstanceCount"] == 1
    assert [each.id for each in emulator.containers(name=name)] == [serving.id]
    assert emulator.command(name, reply="{}") == {}
    emulator.delete(name)


def test_a_dead_container_is_started_again_while_an_update_is_slow(
    launched: Callable[..., Emulator],
) -> None:
    emulator = launched()
    name = emulator.deploy(emulator.config({"ModelName": emulator.model()}))
    [first] = emulator.containers(name=name)
    slow = emulator.model(Environment={"READY_WHEN": "/tmp/ready"})
    update(emulator, name, emulator.config({"ModelName": slow}))
    eventually(lambda: len(emulator.containers(name=name)) == 2)
    first.kill()
    generation = first.labels[LABEL + "generation"]

    def old_fleet() -> set[str]:
        return {each.id for each in emulator.containers(name=name, generation=generation)}

    eventually(lambda: old_fleet() - {first.id} == old_fleet() != set(), what="it is healed")
    eventually(lambda: answers(emulator, name))
    assert emulator.endpoint(name)["EndpointStatus"] == "Updating"
    for each in emulator.containers(name=name):
        each.exec_run(["touch", "/tmp/ready"])
    assert emulator.settled(name)["EndpointStatus"] == "InService"
