"""Images under ECR's names on a real engine: which runs, and what clients of ECR see of them."""

from collections.abc import Iterator

import pytest
from docker.errors import ImageNotFound
from running_emulator import ACCOUNT, IMAGE, REGION, Emulator, engine, unique

pytestmark = pytest.mark.docker

HERE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
ELSEWHERE = f"{ACCOUNT}.dkr.ecr.eu-west-3.amazonaws.com"


@pytest.fixture
def repository(image: str) -> Iterator[str]:
    """Give the scripted image a name of another region, of a repository of the test's own."""
    client, repository = engine(), unique("team") + "/mine"
    client.images.get(IMAGE).tag(f"{ELSEWHERE}/{repository}", "v1")
    yield repository
    for registry in (HERE, ELSEWHERE):
        try:
            client.images.remove(f"{registry}/{repository}:v1")
        except ImageNotFound:
            continue
    client.close()


def test_an_image_of_another_region_runs_and_the_logs_say_so(
    emulator: Emulator, repository: str
) -> None:
    name, reference = unique("elsewhere"), f"{HERE}/{repository}:v1"
    emulator.train(
        name,
        shell="echo ran",
        AlgorithmSpecification={"TrainingImage": reference, "TrainingInputMode": "File"},
    )
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["AlgorithmSpecification"]["TrainingImage"] == reference
    warning = (
        f"There is no image '{reference}' on this machine: '{ELSEWHERE}/{repository}:v1' runs"
        " instead."
    )
    assert emulator.output(name) == [f"[sagemaker-emulator] WARNING: {warning}", "ran"]
    assert warning in emulator.log.read_text()


def test_ecr_shows_what_the_engine_has(emulator: Emulator, repository: str) -> None:
    ecr = emulator.client("ecr", region="eu-west-3")
    (image,) = ecr.describe_images(repositoryName=repository)["imageDetails"]
    client = engine()
    held = client.images.get(IMAGE)
    client.close()
    assert (image["imageTags"], image["imageDigest"]) == (["v1"], held.id)
    assert image["imageSizeInBytes"] == held.attrs["Size"]
    names = [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]]
    assert repository in names
