"""What instance types get of this machine, and what the emulator says of it in the logs."""

import logging
from collections.abc import Iterator
from pathlib import Path

import endpoint_world
import pytest
import training_world

from emulator.launch.contract.limits import Limits
from emulator.launch.fake import Behaviour
from emulator.storage import Storage

TRAINS = Behaviour(output=("loss=0.5",), effect=training_world.writes)
GPU_JOB = {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 2}
MARK = "[sagemaker-emulator] WARNING: "
STAND_IN = (
    MARK + "ml.p3.2xlarge has GPUs and containers on this machine have none:"
    " this one runs on the CPU."
)


@pytest.fixture
def training(tmp_path: Path) -> Iterator[training_world.World]:
    world = training_world.World(tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    made = Storage(tmp_path_factory.mktemp("storage"))
    endpoint_world.store_model(made)
    yield made
    made.close()


@pytest.fixture
def hosting(tmp_path: Path, storage: Storage) -> Iterator[endpoint_world.World]:
    world = endpoint_world.World(tmp_path, storage)
    yield world
    world.close()


@pytest.mark.parametrize(
    "instance_type, machine_has, given",
    [
        ("ml.p3.2xlarge", True, True),
        ("local_gpu", True, True),
        ("ml.p3.2xlarge", False, False),
        ("ml.m5.large", True, False),
        ("local", True, False),
    ],
)
def test_gpus_go_to_the_types_that_have_some(
    training: training_world.World, instance_type: str, machine_has: bool, given: bool
) -> None:
    training.launcher.gpus = machine_has
    training.create(TRAINS, ResourceConfig={"InstanceType": instance_type, "InstanceCount": 1})
    assert training.run().phase == "Completed"
    assert [spec.gpus for spec in training.launcher.started] == [given]


def test_every_host_of_a_job_is_told_that_the_cpu_stands_in(
    training: training_world.World, caplog: pytest.LogCaptureFixture
) -> None:
    definitions = [{"Name": "p", "Regex": r"ml\.p(\d)"}, {"Name": "loss", "Regex": "loss=(.*)"}]
    training.create(
        TRAINS,
        ResourceConfig=GPU_JOB,
        AlgorithmSpecification={
            "TrainingImage": training_world.IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": definitions,
        },
    )
    with caplog.at_level(logging.WARNING):
        record = training.run()
    assert training.written.texts() == [[STAND_IN, "loss=0.5"]] * 2
    assert [STAND_IN.removeprefix(MARK) in text for text in caplog.messages] == [True]
    metrics = [found["MetricName"] for found in record.document["FinalMetricDataList"]]
    assert (metrics, training.written.metrics) == (["loss"], [0.5, 0.5])


def test_a_missing_gpu_is_told_once_where_the_image_lacks_it_too(
    training: training_world.World,
) -> None:
    training.warnings = ("It is for the CPU.", "It is Python 3.")
    training.cpu_warning = training.warnings[0]
    training.create(TRAINS, ResourceConfig={**GPU_JOB, "InstanceCount": 1})
    training.run()
    assert training.written.texts() == [[STAND_IN, MARK + "It is Python 3.", "loss=0.5"]]


def test_a_container_whose_clock_is_behind_loses_no_line(training: training_world.World) -> None:
    training.warnings = ("Beware.",)
    training.later = -3600.0
    training.create(TRAINS)
    training.run()
    assert training.written.texts() == [[MARK + "Beware.", "loss=0.5"]]


def test_without_capacity_a_job_fails_before_anything_runs(training: training_world.World) -> None:
    training.limits = Limits(cpu_stand_ins=False)
    training.jobs = training.reconciler()
    training.create(TRAINS, ResourceConfig=GPU_JOB)
    record = training.run()
    assert record.document["FailureReason"] == (
        "CapacityError: Unable to provision requested ML compute capacity. Please retry using a"
        " different ML instance type. ml.p3.2xlarge has GPUs and containers on this machine have"
        " none. EMULATOR_CPU_STAND_INS=1 lets the CPU stand in."
    )
    assert record.document["SecondaryStatusTransitions"][0]["Status"] == "Starting"
    assert "TrainingStartTime" not in record.document
    assert training.launcher.started == []


def test_every_instance_of_an_endpoint_is_told_that_the_cpu_stands_in(
    hosting: endpoint_world.World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        hosting.create(instances=2, InstanceType="ml.p3.2xlarge", AcceleratorType="ml.eia1.medium")
        assert hosting.settle() == "InService"
    accelerator = (
        "AcceleratorType ml.eia1.medium runs on the CPU: the image declares no framework that can"
        " use an accelerator."
    )
    said = [STAND_IN, MARK + accelerator, "serving"]
    hosting.until(lambda: hosting.written.texts() == [said, said], passes=False)
    told = [text.partition(": ")[2] for text in caplog.messages]
    assert told == [STAND_IN.removeprefix(MARK), accelerator]


def test_warnings_are_not_repeated_by_the_emulator_that_takes_over(
    hosting: endpoint_world.World,
) -> None:
    hosting.warnings = ("The image is not quite that.",)
    hosting.create()
    assert hosting.settle() == "InService"
    said = [MARK + hosting.warnings[0], "serving"]
    hosting.until(lambda: hosting.written.texts() == [said], passes=False)
    hosting.restart()
    hosting.look()
    hosting.launcher.write(hosting.launcher.find({})[0].handle, "more")
    hosting.until(lambda: hosting.written.texts() == [[*said, "more"]], passes=False)


def test_without_capacity_an_endpoint_fails_before_anything_runs(
    hosting: endpoint_world.World,
) -> None:
    hosting.limits = Limits(cpu_stand_ins=False)
    hosting.restart()
    hosting.create(InstanceType="local_gpu")
    assert hosting.settle() == "Failed"
    assert hosting.record().document["FailureReason"] == (
        "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity"
        " error. Please retry using a different ML instance type or after some time. local_gpu has"
        " GPUs and containers on this machine have none. EMULATOR_CPU_STAND_INS=1 lets the CPU"
        " stand in."
    )
    assert hosting.launcher.started == []
