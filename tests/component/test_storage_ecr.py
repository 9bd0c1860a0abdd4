"""ECR as boto3 sees it: what clients made there and what the engine has, side by side."""

import base64
import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from storage_server import ACCOUNT, OTHER_ACCOUNT, REGION, Served, serving

from emulator.catalogue.held import HeldImages
from emulator.errors import TemporaryError

CREATED = 1_700_000_000
AMAZON = "763104351884"


def registry(account: str = ACCOUNT, region: str = REGION) -> str:
    return f"{account}.dkr.ecr.{region}.amazonaws.com"


def listed(digit: int, *names: str) -> dict[str, Any]:
    """Return an image as the engine lists it."""
    digest = "sha256:" + str(digit) * 64
    return {"Id": digest, "RepoTags": [*names], "Size": digit * 1000, "Created": CREATED + digit}


class Engine:
    """What the engine answers at the moment."""

    def __init__(self) -> None:
        self.images: list[dict[str, Any]] = []
        self.down = False

    def list(self) -> list[dict[str, Any]]:
        if self.down:
            raise TemporaryError("The engine is down.")
        return self.images


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Served]:
    held = HeldImages(lambda name: None, engine.list)
    with serving(tmp_path_factory.mktemp("storage"), images=held.on_ecr) as served:
        yield served


@pytest.fixture
def ecr(served: Served, engine: Engine) -> Iterator[Any]:
    engine.images = [
        listed(1, f"{registry()}/team/mine:v1", f"{registry()}/team/mine:latest", "mine:v1"),
        listed(2, f"{registry()}/team/mine:v2"),
        listed(3, f"{registry(region='eu-west-1')}/mine:v1"),
        listed(4, f"{registry(OTHER_ACCOUNT)}/theirs:v1"),
        listed(5, f"{registry(AMAZON)}/mxnet-training:1.9.1-cpu-py38"),
        {**listed(6), "RepoTags": None},
    ]
    engine.down = False
    yield served.client("ecr")
    served.storage.reset()


def test_the_engines_images_are_in_the_repositories_of_their_names(ecr: Any) -> None:
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["repositoryUri"] == f"{registry()}/team/mine"
    assert repository["repositoryArn"] == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/mine"
    assert repository["createdAt"].timestamp() == CREATED + 1
    images = ecr.describe_images(repositoryName="team/mine")["imageDetails"]
    for image in images:
        image["imageTags"].sort()
        del image["imageManifestMediaType"]
    assert images == [
        {
            "registryId": ACCOUNT,
            "repositoryName": "team/mine",
            "imageDigest": "sha256:" + digit * 64,
            "imageTags": tags,
            "imageSizeInBytes": int(digit) * 1000,
            "imagePushedAt": images[int(digit) - 1]["imagePushedAt"],
        }
        for digit, tags in (("1", ["latest", "v1"]), ("2", ["v2"]))
    ]
    assert [image["imagePushedAt"].timestamp() for image in images] == [CREATED + 1, CREATED + 2]
    listing = ecr.list_images(repositoryName="team/mine")["imageIds"]
    assert sorted(each["imageTag"] for each in listing) == ["latest", "v1", "v2"]


def test_one_image_is_described_by_its_tag(ecr: Any) -> None:
    def described(tag: str) -> Any:
        return ecr.describe_images(repositoryName="team/mine", imageIds=[{"imageTag": tag}])

    assert described("v2")["imageDetails"][0]["imageDigest"] == "sha256:" + "2" * 64
    for read in (ecr.describe_images, ecr.list_images):
        reply = read(repositoryName="team/mine", filter={"tagStatus": "UNTAGGED"})
        assert (reply.get("imageDetails"), reply.get("imageIds")) in (([], None), (None, []))
        assert read(repositoryName="team/mine", filter={"tagStatus": "TAGGED"})
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        described("v3")
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_images(repositoryName="mine")


def test_other_regions_and_registries_have_their_own(ecr: Any, served: Served) -> None:
    def names(client: Any, **arguments: str) -> list[str]:
        repositories = client.describe_repositories(**arguments)["repositories"]
        return [each["repositoryName"] for each in repositories]

    assert names(served.client("ecr", region="eu-west-1")) == ["mine"]
    assert names(served.client("ecr", OTHER_ACCOUNT)) == ["theirs"]
    assert names(ecr, registryId=AMAZON) == ["mxnet-training"]
    images = ecr.describe_images(registryId=AMAZON, repositoryName="mxnet-training")
    assert images["imageDetails"][0]["registryId"] == AMAZON


def test_a_repository_is_made_before_and_after_its_image_is_there(ecr: Any, engine: Engine) -> None:
    for name in ("team/mine", "empty"):
        ecr.create_repository(repositoryName=name)
        with pytest.raises(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName=name)
    assert ecr.describe_images(repositoryName="empty")["imageDetails"] == []
    assert len(ecr.describe_images(repositoryName="team/mine")["imageDetails"]) == 2
    engine.images.append(listed(7, f"{registry()}/empty:v1"))
    assert len(ecr.describe_images(repositoryName="empty")["imageDetails"]) == 1
    engine.images.clear()
    assert ecr.describe_images(repositoryName="empty")["imageDetails"] == []
    assert len(ecr.describe_repositories()["repositories"]) == 2


def test_an_engine_that_does_not_answer_is_told_and_harms_nothing_else(
    ecr: Any, engine: Engine
) -> None:
    engine.down = True
    with pytest.raises(ClientError) as refused:
        ecr.describe_repositories()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert refused.value.response["Error"]["Message"] == "The engine is down."
    assert ecr.create_repository(repositoryName="mine")["repository"]


@pytest.mark.parametrize(
    "region, domain", [("us-east-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")]
)
def test_a_token_is_good_for_twelve_hours(served: Served, region: str, domain: str) -> None:
    client = served.client("ecr", region=region)
    (token,) = client.get_authorization_token()["authorizationData"]
    assert base64.b64decode(token["authorizationToken"]).startswith(b"AWS:")
    assert token["proxyEndpoint"] == f"https://{ACCOUNT}.dkr.ecr.{region}.{domain}"
    left = token["expiresAt"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=11) < left <= datetime.timedelta(hours=12)
