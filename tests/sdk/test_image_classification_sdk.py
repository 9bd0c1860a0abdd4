"""Amazon's image-classification through the generic Estimator of the SDK's versions 1 and 2.

Pictures are packed by `pack-images`, File and Pipe mode train on them, what was trained is deployed
and trained further.
"""

import json
import subprocess
from collections.abc import Callable

import pytest
from environments import Shell, interpreter
from packed_pictures import Packed

from emulator.catalogue.resolve import resolve
from emulator.catalogue.table import local_name
from tests.system.running_emulator import Emulator, eventually

Shells = Callable[..., Shell]
OURS = local_name("image-classification")
KNOWN = {"v1": 24, "v2": 37}
"""How many regions a version of the SDK has the algorithm for."""
V1_NAMES = """
import json
import botocore.session
from sagemaker.amazon.amazon_estimator import get_image_uri

def names():
    session = botocore.session.get_session()
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("s3", partition, allow_non_regional=True):
            for version in ("1", "latest"):
                try:
                    yield region, get_image_uri(region, "image-classification", version)
                except ValueError:
                    pass  # the SDK has no such account

print(json.dumps(list(names())))
"""
V2_NAMES = """
import json
from sagemaker import image_uris

[version] = image_uris.config_for_framework("image-classification")["versions"].values()

def names():
    for region in version["registries"]:
        for scope in ("training", "inference"):
            yield region, image_uris.retrieve("image-classification", region, image_scope=scope)

print(json.dumps(list(names())))
"""
JOURNEYS = {
    "v1": """
made = fitted("File")
told = [made.latest_training_job.name], asked(made)
""",
    "v2": """
made = fitted("Pipe")
further = fitted("File", model_uri=made.model_data, model_channel_name="model")
told = [one.latest_training_job.name for one in (made, further)], asked(further)
""",
}


@pytest.mark.parametrize("version, script", [("v1", V1_NAMES), ("v2", V2_NAMES)])
def test_every_region_of_the_sdk_leads_to_our_image(version: str, script: str) -> None:
    done = subprocess.run(
        [str(interpreter(version)), "-c", script],
        env={"AWS_DEFAULT_REGION": "us-west-2", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    asked = json.loads(done.stdout.splitlines()[-1])
    assert len({region for region, _ in asked}) == KNOWN[version]
    for region, uri in asked:
        assert f".{region}." in uri
        resolved = resolve(uri, present={OURS: "id"}.get)
        assert (resolved.image, resolved.warnings) == (OURS, ())


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("version, modes", [("v1", ["File"]), ("v2", ["Pipe", "File"])])
def test_an_estimator_trains_deploys_and_predicts(
    version: str, modes: list[str], stripes: Packed, shell: Shells, emulator: Emulator
) -> None:
    jobs, answer = json.loads(
        shell(version).python(stripes.script(JOURNEYS[version])).splitlines()[-1]
    )
    assert len(answer) == stripes.classes
    assert sum(answer) == pytest.approx(1, abs=1e-5)
    assert len(jobs) == len(modes)
    for name, mode in zip(jobs, modes, strict=True):
        job = emulator.job(name)
        assert job["TrainingJobStatus"] == "Completed"
        assert job["AlgorithmSpecification"]["TrainingInputMode"] == mode
        metrics = {row["MetricName"]: row["Value"] for row in job["FinalMetricDataList"]}
        assert metrics.keys() >= {"train:accuracy", "validation:accuracy"}
    listed = emulator.client("sagemaker").list_endpoints
    eventually(
        lambda: not listed(NameContains="image-classification")["Endpoints"],
        what="the endpoint is gone",
    )
