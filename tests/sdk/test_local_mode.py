"""The SDKs' local mode: they start the containers, the emulator has S3, STS, IAM and the images.

A region of the tests' own has the images' names, so that an emulator that somebody uses keeps
those of the others. The SDK serves on port 8080: one endpoint at a time.
"""

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from environments import ROOT, Shell, interpreter
from packed_pictures import Packed

from emulator.catalogue import naming
from examples.local_mode import leftovers
from tests.system.running_emulator import Emulator, engine, eventually, unique

pytestmark = [pytest.mark.docker, pytest.mark.slow]

REGION = "ca-central-1"
UNSEEN = "mx-central-1"
JOURNEY = ROOT / "examples" / "local_mode" / "journey.py"
ACCELERATED = "local_sagemaker_notebook"
FAILING = """
import sagemaker
from sagemaker.mxnet import MXNet
first = "train_" if sagemaker.__version__.startswith("1.") else ""
estimator = MXNet(
    "failing.py", role=sagemaker.get_execution_role(), framework_version="1.4.1", py_version="py3",
    base_job_name="failing", **{f"{first}instance_type": "local", f"{first}instance_count": 1})
try:
    estimator.fit()
except RuntimeError as error:
    print("\\nraised", str(error).replace("\\n", " "))
"""
READING = """
import os, urllib.request
for name in ("AWS_ENDPOINT_URL", "S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
    if name in os.environ:
        with urllib.request.urlopen(os.environ[name] + "/{bucket}/word") as reply:
            print("by", name, "the word is", reply.read().decode())
print("in", os.environ["AWS_REGION"], os.environ["AWS_DEFAULT_REGION"])
"""
OWN = """
import sagemaker
from sagemaker.estimator import Estimator
named = {{"image_name": {image!r}, "train_instance_type": "local", "train_instance_count": 1}}
if not sagemaker.__version__.startswith("1."):
    named = {{"image_uri": {image!r}, "instance_type": "local", "instance_count": 1}}
Estimator(
    role=sagemaker.get_execution_role(), hyperparameters={{"python": {code!r}}}, **named
).fit()
"""


def images(*arguments: str) -> str:
    command = Path(sys.executable).with_name("sagemaker-emulator")
    done = subprocess.run(
        [str(command), "images", *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def named(emulator: Emulator) -> Iterator[Emulator]:
    """The emulator, to which the names of the tests' region lead."""
    images("tag", "--port", "0", "--state", str(emulator.state), "--region", REGION)
    yield emulator
    images("untag", "--region", REGION)


@pytest.fixture
def local(named: Emulator, shell: Callable[..., Shell]) -> Iterator[Callable[[str], Shell]]:
    """Open shells in the tests' region; what the SDK leaves on the engine is removed."""
    yield lambda version: shell(version, "--region", REGION)
    leftovers.remove(REGION)


def travel(shell: Shell, *arguments: str) -> dict[str, str]:
    """Run the example in a shell; returns what it told, by the first word."""
    done = subprocess.run(
        [str(interpreter(shell.version)), str(JOURNEY), *arguments],
        env=shell.environment,
        cwd=shell.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    told = [line[3:] for line in done.stdout.splitlines() if line.startswith("== ")]
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in told}


def containers() -> list[Any]:
    """Return the containers that the SDK started of the region's images, running or not."""
    client = engine()
    try:
        found = client.containers.list(all=True, filters={"network": leftovers.NETWORK})
        ours = [one for one in found if f".ecr.{REGION}." in one.attrs["Config"]["Image"]]
    finally:
        client.close()
    return ours


@pytest.fixture(scope="module")
def scripted() -> Iterator[str]:
    """An image whose `train` runs the Python that it is given; nothing in it is the emulator's."""
    client, name = engine(), unique("own")
    try:
        client.images.build(path=str(ROOT / "tests/system/image"), tag=name, rm=True)
        yield name
        client.images.remove(name)
    finally:
        client.close()


def remove(image: str) -> None:
    """Remove the containers of an image, which the SDK leaves behind."""
    client = engine()
    try:
        for container in client.containers.list(all=True, filters={"network": leftovers.NETWORK}):
            if container.attrs["Config"]["Image"] == image:
                container.remove(force=True)
    finally:
        client.close()


def archive(emulator: Emulator, bucket: str, key: str) -> list[str]:
    """Return the names of the files in a gzipped archive of S3."""
    body = emulator.client("s3", region=REGION).get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as opened:
        return opened.getnames()


@pytest.mark.parametrize(
    "version, framework, accelerator, repositories",
    [
        ("v1", "mxnet", None, {"mxnet-training", "mxnet-inference"}),
        ("v1", "mxnet", ACCELERATED, {"mxnet-training", "mxnet-inference-eia"}),
        ("v2", "mxnet", ACCELERATED, {"mxnet-training", "mxnet-inference-eia"}),
        ("v1", "chainer", None, {"sagemaker-chainer"}),
    ],
)
def test_a_model_is_trained_deployed_asked_and_deleted(
    local: Callable[[str], Shell],
    named: Emulator,
    version: str,
    framework: str,
    accelerator: str | None,
    repositories: set[str],
) -> None:
    extra = ("--accelerator", accelerator) if accelerator else ()
    told = travel(local(version), framework, "--epochs", "4", *extra)

    right = json.loads(told["right"])
    assert right["digits"] == 360
    assert right["accuracy"] >= 0.9

    model = urlsplit(told["model"])
    folder = model.path.removeprefix("/").removesuffix("model.tar.gz")
    assert folder.endswith("/output/") == (version == "v2")
    members = archive(named, model.netloc, f"{folder}model.tar.gz")
    assert {"mxnet": "model-symbol.json", "chainer": "model.npz"}[framework] in members
    assert "data" in archive(named, model.netloc, f"{folder}output.tar.gz")

    started = containers()
    assert [one.status for one in started] == ["exited", "exited"]
    assert [one.attrs["State"]["ExitCode"] for one in started] == [0, 0]
    used = {one.attrs["Config"]["Image"].rpartition("/")[2].partition(":")[0] for one in started}
    assert used == repositories


def test_the_built_in_image_classification_is_trained_and_asked(
    local: Callable[[str], Shell], stripes: Packed
) -> None:
    script = stripes.script('told = asked(fitted("File"))', local=True)
    answer = json.loads(local("v2").python(script).splitlines()[-1])
    assert len(answer) == stripes.classes
    assert sum(answer) == pytest.approx(1, abs=1e-5)
    started = containers()
    assert [one.attrs["State"]["ExitCode"] for one in started] == [0, 0]
    assert {one.attrs["Config"]["Image"].rpartition("/")[2] for one in started} == {
        "image-classification:1"
    }


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_script_that_fails_raises_and_leaves_nothing_running(
    local: Callable[[str], Shell], named: Emulator, version: str
) -> None:
    shell = local(version)
    (shell.home / "failing.py").write_text("raise SystemExit('these are no digits')\n")
    said = shell.python(FAILING)
    assert "raised Failed to run: ['docker-compose'" in said
    assert [one.status for one in containers()] == ["exited"]

    bucket = f"sagemaker-{REGION}-123456789012"
    s3 = named.client("s3", region=REGION)
    keys = [
        found["Key"]
        for found in s3.list_objects_v2(Bucket=bucket, Prefix="failing")["Contents"]
        if found["Key"].endswith("output.tar.gz")
    ]
    assert "failure" in archive(named, bucket, max(keys))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_an_image_of_anybodys_reaches_the_emulator(
    shell: Callable[..., Shell], emulator: Emulator, scripted: str, version: str
) -> None:
    bucket = emulator.bucket()
    emulator.client("s3").put_object(Bucket=bucket, Key="word", Body=b"found")
    code = READING.format(bucket=bucket)
    try:
        said = shell(version).python(OWN.format(image=scripted, code=code))
    finally:
        remove(scripted)
    names = ["AWS_ENDPOINT_URL", "S3_ENDPOINT_URL"]
    for name in [*names, "AWS_ENDPOINT_URL_S3"] if version == "v2" else names:
        assert f"by {name} the word is found" in said
    assert "in us-east-1 us-east-1" in said


def test_a_region_that_a_client_uses_gets_its_names_by_itself(named: Emulator) -> None:
    images("untag", "--region", UNSEEN)
    try:
        named.client("s3", region=UNSEEN).list_buckets()
        url = named.health()["url_for_containers"]
        eventually(lambda: naming.standing(UNSEEN).urls == {url}, what="the names lead here")
        eventually(lambda: not naming.standing(UNSEEN).missing, what="every name is there")
    finally:
        images("untag", "--region", UNSEEN)


def test_a_remote_job_on_such_a_name_is_told_what_differs(named: Emulator) -> None:
    image = f"520713654638.dkr.ecr.{REGION}.amazonaws.com/sagemaker-mxnet:1.2-cpu-py2"
    job = unique("named")
    named.train(job, AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"})
    named.ended(job)
    output = "\n".join(named.output(job))
    assert "MXNet 1.4.1" in output
    assert "Python 2" in output


def test_a_copy_that_somebody_gives_a_name_of_their_own_runs_under_it(named: Emulator) -> None:
    repository = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/{unique('mine')}"
    copy = f"520713654638.dkr.ecr.{REGION}.amazonaws.com/sagemaker-chainer:5.0.0-cpu-py3"
    client = engine()
    try:
        client.images.get(copy).tag(repository, "1")
        job = unique("own")
        named.train(
            job,
            AlgorithmSpecification={
                "TrainingImage": f"{repository}:1",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["sh", "-c", "echo started"],
            },
        )
        assert named.ended(job)["TrainingJobStatus"] == "Completed"
        assert named.output(job) == ["started"]
    finally:
        client.images.remove(f"{repository}:1")
        client.close()
