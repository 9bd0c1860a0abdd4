"""Images under ECR's names on a real engine: which runs, and what clients of ECR see of them."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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


def test_ecr_shows_what_the_engine_has_by_tag_and_by_digest(
    emulator: Emulator, repository: str
) -> None:
    ecr = emulator.client("ecr", region="eu-west-3")
    (image,) = ecr.describe_images(repositoryName=repository)["imageDetails"]
    client = engine()
    held = client.images.get(IMAGE)
    client.close()
    assert (image["imageTags"], image["imageDigest"]) == (["v1"], held.id)
    assert image["imageSizeInBytes"] == held.attrs["Size"]
    name = unique("by-digest")
    digest = f"{ELSEWHERE}/{repository}@{image['imageDigest']}"
    emulator.train(
        name,
        shell="echo ran",
        AlgorithmSpecification={"TrainingImage": digest, "TrainingInputMode": "File"},
    )
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert emulator.output(name) == ["ran"]
    names = [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]]
    assert repository in names


# As AWS's notebooks build and push, but for the build.
PUSH = """
account=$(aws sts get-caller-identity --query Account --output text)
region=$(aws configure get region)
registry=$account.dkr.ecr.$region.amazonaws.com
aws ecr describe-repositories --repository-names $NAME || \
    aws ecr create-repository --repository-name $NAME > /dev/null
aws ecr get-login-password --region $region | \
    docker login --username AWS --password-stdin $registry
docker tag $IMAGE $registry/$NAME:v1
docker push $registry/$NAME:v1
docker pull $registry/$NAME:v1
aws ecr describe-images --repository-name $NAME --query 'imageDetails[].imageTags[]' --output text
docker push $registry/$NAME:v2 && exit 1
docker pull $registry/$NAME:v2 && exit 1
docker version --format '{{.Server.Os}}'
"""


def test_a_script_that_builds_and_pushes_runs_in_a_shell_of_env(
    emulator: Emulator, repository: str, tmp_path: Path
) -> None:
    docker = shutil.which("docker")
    assert docker, "the docker command is not installed"
    here = str(Path(sys.executable).parent)
    prints = f"sagemaker-emulator env --state {shlex.quote(str(emulator.state))} --port 0"
    done = subprocess.run(
        ["sh", "-uc", f'eval "$({prints})"\n{PUSH}'],
        env={
            "PATH": f"{here}:{Path(docker).parent}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "NAME": repository,
            "IMAGE": IMAGE,
            **{name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ},
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Login Succeeded",
        f"The push refers to repository [{HERE}/{repository}]",
        f"Status: Image is up to date for {HERE}/{repository}:v1",
        "v1",
        f"The push refers to repository [{HERE}/{repository}]",
        "linux",
    ]
    assert "RepositoryNotFoundException" in done.stderr
    assert f"manifest for {HERE}/{repository}:v2 not found" in done.stderr
    assert not (tmp_path / ".docker" / "config.json").exists()
