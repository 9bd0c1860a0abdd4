"""Endpoints with accelerators on real containers: what serves, and when memory ends."""

from collections.abc import Callable, Iterator

import pytest
from endpoint_data import answers, refusal
from running_emulator import IMAGE, LABEL, ROLE, Emulator, engine, eventually, start

from emulator.accelerators.types import LOCAL

pytestmark = pytest.mark.docker

CAPABLE = "sagemaker-emulator-test/accelerated:latest"
MEDIUM = "ml.eia1.medium"
TOO_MUCH = 3 * 2**29  # bytes; the accelerator has 2**30


@pytest.fixture(scope="module")
def capable(image: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build an image that can use accelerators."""
    client = engine()
    dockerfile = tmp_path_factory.mktemp("image") / "Dockerfile"
    dockerfile.write_text(f"FROM {IMAGE}\nLABEL {LABEL}accelerator-framework=mxnet\n")
    client.images.build(path=str(dockerfile.parent), tag=CAPABLE, rm=True)
    client.close()


@pytest.fixture(scope="module")
def emulator(capable: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator with one accelerator."""
    running = start(tmp_path_factory.mktemp("accelerated"), "--attach-accelerator", MEDIUM)
    yield running
    running.stop()


def deploy(emulator: Emulator, *, accelerator: str = MEDIUM, **environment: str) -> str:
    model = emulator.model(Image=CAPABLE, Environment=environment)
    return emulator.deploy(emulator.config({"ModelName": model, "AcceleratorType": accelerator}))


def lines(emulator: Emulator, name: str) -> list[str]:
    return emulator.log_lines(f"/aws/sagemaker/Endpoints/{name}")


def tags(emulator: Emulator, name: str) -> dict[str, str]:
    found = emulator.client("sagemaker").list_tags(
        ResourceArn=emulator.endpoint(name)["EndpointArn"]
    )
    return {tag["Key"]: tag["Value"] for tag in found["Tags"]}


def test_an_attached_accelerator_serves_and_a_process_that_outgrows_it_is_killed(
    emulator: Emulator,
) -> None:
    name = deploy(emulator)
    environment = emulator.command(name, environment=True)["environment"]
    assert environment["SAGEMAKER_INFERENCE_ACCELERATOR_PRESENT"] == "true"
    assert environment["SAGEMAKER_EMULATOR_ACCELERATOR"] == "cpu"
    [container] = emulator.containers(name=name)
    assert container.attrs["HostConfig"]["Memory"] == 2**30
    assert lines(emulator, name)[0].startswith(
        f"[sagemaker-emulator] AcceleratorType {MEDIUM} is {MEDIUM} attached to emulator"
    )
    assert tags(emulator, name) == {
        "sagemaker-emulator:accelerator/V1": f"{MEDIUM} = {MEDIUM} at emulator"
    }
    dimensions = {"EndpointName": name, "VariantName": "V1", "AcceleratorType": MEDIUM}
    [metric] = emulator.client("cloudwatch").list_metrics(
        Namespace="SageMakerEmulator/Accelerators",
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
    )["Metrics"]
    assert metric["MetricName"] == "Attached"

    code, message = refusal(
        emulator.client("sagemaker-runtime").invoke_endpoint,
        EndpointName=name,
        ContentType="application/x-command",
        Body=b'{"allocate": %d}' % TOO_MUCH,
    )
    assert code == "ModelError"
    assert "Received server error (500) from primary with message \"the model's process" in message
    told = eventually(
        lambda: [line for line in lines(emulator, name) if "was killed because" in line],
        what="the log says why",
    )
    assert told == [
        "[sagemaker-emulator] WARNING: A process was killed because it used more than the 1 GB of"
        f" memory that {MEDIUM} has. Use a larger accelerator or a smaller model."
    ]
    assert emulator.command(name)["hostname"]
    emulator.delete(name)


def test_a_model_that_does_not_fit_fails_the_endpoint_with_the_reason(emulator: Emulator) -> None:
    name = deploy(emulator, START=f"b'x' * {TOO_MUCH}")
    described = emulator.endpoint(name)
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"] == (
        "The primary container for production variant V1 did not pass the ping health check."
        " Please check CloudWatch logs for this endpoint. A process was killed because it used"
        f" more than the 1 GB of memory that {MEDIUM} has. Use a larger accelerator or a smaller"
        " model."
    )


def test_what_is_attached_is_too_small_so_that_the_cpu_serves(emulator: Emulator) -> None:
    name = deploy(emulator, accelerator="ml.eia2.large")
    [container] = emulator.containers(name=name)
    assert container.attrs["HostConfig"]["Memory"] == 0
    assert tags(emulator, name) == {"sagemaker-emulator:accelerator/V1": "ml.eia2.large = cpu"}
    assert lines(emulator, name)[0] == (
        "[sagemaker-emulator] WARNING: AcceleratorType ml.eia2.large runs on the CPU: no attached"
        " accelerator holds it (attached: ml.eia1.medium)."
    )
    emulator.delete(name)


@pytest.mark.usefixtures("capable")
def test_after_a_restart_an_endpoint_is_on_its_notebook_instances_accelerator_again(
    launched: Callable[..., Emulator],
) -> None:
    def serves() -> bool:
        found = sagemaker.describe_notebook_instance(NotebookInstanceName="desk")
        return bool(found["NotebookInstanceStatus"] == "InService")

    running = launched()
    sagemaker = running.client("sagemaker")
    sagemaker.create_notebook_instance(
        NotebookInstanceName="desk",
        InstanceType="ml.t2.medium",
        RoleArn=ROLE,
        AcceleratorTypes=[MEDIUM],
    )
    eventually(serves, what="the notebook instance is in service")
    name = deploy(running, accelerator=LOCAL)
    tag = {"sagemaker-emulator:accelerator/V1": f"{LOCAL} = {MEDIUM} at notebook-instance/desk"}
    assert tags(running, name) == tag
    assert running.stop() == 0

    running = launched()
    sagemaker = running.client("sagemaker")
    eventually(lambda: answers(running, name), what="the endpoint serves again")
    assert serves()
    assert tags(running, name) == tag
    [container] = running.containers(name=name)
    assert container.attrs["HostConfig"]["Memory"] == 2**30
    assert not [line for line in lines(running, name) if "runs on the CPU" in line]
