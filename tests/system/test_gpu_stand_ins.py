"""Instance types with GPUs on a machine without: the CPU stands in and says so, or nothing runs."""

from typing import Any

import pytest
from endpoint_data import left_of
from framework_jobs import MXNET, run_script
from running_emulator import Emulator, eventually, unique
from training_data import assert_gone, path_of

pytestmark = pytest.mark.docker

MARK = "[sagemaker-emulator] WARNING: "
NONE = "has GPUs and containers on this machine have none"


@pytest.mark.parametrize(
    "instance_type, tag, told",
    [
        ("ml.p3.2xlarge", "gpu", [f"{MARK}ml.p3.2xlarge {NONE}: this one runs on the CPU."]),
        ("local_gpu", "cpu", [f"{MARK}local_gpu {NONE}: this one runs on the CPU."]),
        ("local", "cpu", []),
    ],
)
def test_a_job_is_told_first_that_it_has_no_gpu(
    emulator: Emulator, instance_type: str, tag: str, told: list[str]
) -> None:
    name, image = unique("gpu"), MXNET.replace("-cpu-", f"-{tag}-")
    run_script(emulator, name, "hardware.py", image=image, instance_type=instance_type)
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    lines = emulator.output(name)
    assert [line for line in lines if line.startswith(MARK)] == lines[: len(told)] == told
    assert f"instance type {instance_type}, GPUs 0" in lines


def test_what_an_image_differs_in_is_told_too_and_the_gpu_only_once(emulator: Emulator) -> None:
    name, image = unique("old"), MXNET.replace("1.9.1-cpu-py3", "1.6.0-gpu-py2")
    run_script(emulator, name, "hardware.py", image=image, instance_type="ml.p3.2xlarge")
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    words = [NONE, "not 1.6.0", "Python 2 is not provided"]
    warnings = [line for line in emulator.output(name) if line.startswith(MARK)]
    assert warnings == emulator.output(name)[:3]
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))
    logged = emulator.log.read_text()
    assert [logged.count(f"{name}: {line.removeprefix(MARK)}") for line in warnings] == [1, 1, 1]


def test_an_emulator_that_takes_over_repeats_no_line(launched: Any) -> None:
    emulator, name = launched(), unique("taken-over")
    gpu = {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1}
    emulator.train(name, shell="echo begun; sleep 3; echo ended", ResourceConfig=gpu)
    eventually(lambda: emulator.output(name).count("begun") == 2, what="both hosts have begun")
    emulator.kill()
    emulator = launched(state=emulator.state)
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    warning = f"{MARK}ml.p3.2xlarge {NONE}: this one runs on the CPU."
    assert emulator.output(name) == [warning, "begun", "ended"] * 2
    assert emulator.log.read_text().count(warning.removeprefix(MARK)) == 1


@pytest.mark.parametrize(
    "instance_type, told",
    [
        ("ml.g4dn.xlarge", [f"{MARK}ml.g4dn.xlarge {NONE}: this one runs on the CPU."]),
        ("local_gpu", [f"{MARK}local_gpu {NONE}: this one runs on the CPU."]),
        ("local", []),
        ("ml.c6g.large", []),
    ],
)
def test_every_instance_of_an_endpoint_is_told_first_that_it_has_no_gpu(
    emulator: Emulator, instance_type: str, told: list[str]
) -> None:
    config = emulator.config({"ModelName": emulator.model(), "InstanceType": instance_type})
    name = emulator.deploy(config)
    assert emulator.endpoint(name)["EndpointStatus"] == "InService"
    emulator.invoke(name, b"12345")

    def lines() -> list[str]:
        return emulator.log_lines(f"/aws/sagemaker/Endpoints/{name}")

    eventually(lambda: "invoked with 5 bytes" in lines(), what="the container's line")
    assert [line for line in lines() if line.startswith(MARK)] == lines()[: len(told)] == told
    emulator.delete(name)


def test_without_stand_ins_there_is_no_capacity_and_nothing_runs(launched: Any) -> None:
    emulator = launched("--no-cpu-stand-ins")
    hint = f"{NONE}. EMULATOR_CPU_STAND_INS=1 lets the CPU stand in."
    name = unique("capacity")
    gpu = {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
    emulator.train(name, shell="exit 0", ResourceConfig=gpu)
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Failed"]
    assert job["FailureReason"] == (
        "CapacityError: Unable to provision requested ML compute capacity. Please retry using a"
        f" different ML instance type. ml.p3.2xlarge {hint}"
    )
    assert_gone(emulator, name)
    model = emulator.model()
    endpoint = emulator.deploy(
        emulator.config({"ModelName": model}, {"ModelName": model, "InstanceType": "local_gpu"})
    )
    described = emulator.endpoint(endpoint)
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"] == (
        "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity"
        " error. Please retry using a different ML instance type or after some time."
        f" local_gpu {hint}"
    )
    assert left_of(emulator, endpoint) == []
