"""The names that images get are those that the SDKs ask for, in each region."""

import json
import subprocess

import pytest
from environments import interpreter

from emulator.catalogue.table import names_in

REGIONS = ["us-west-2", "eu-west-1", "ap-east-1", "eu-south-1", "us-gov-west-1", "cn-northwest-1"]
# Versions 0.12 to 1.2 have no image for an accelerator; version 1 makes up a name nevertheless.
V1 = """
import functools, json, logging, sys, warnings
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
from sagemaker import utils
from sagemaker.amazon.amazon_estimator import get_image_uri
from sagemaker.fw_utils import create_image_uri
# It would be read from disk for every name.
utils._botocore_resolver = functools.cache(utils._botocore_resolver)
MXNET = "0.12 0.12.1 1.0 1.0.0 1.1 1.1.0 1.2 1.2.1 1.3 1.3.0 1.4 1.4.0 1.4.1 1.6 1.6.0"

def names(region):
    for version in MXNET.split():
        numbers = [int(part) for part in version.split(".")]
        serving = "mxnet-serving" if numbers >= [1, 4, 0][:len(numbers)] else "mxnet"
        for python in ("py2", "py3"):
            what = ("local", version, python)
            yield create_image_uri(region, "mxnet", *what)
            yield create_image_uri(region, serving, *what)
            if numbers >= [1, 3]:
                yield create_image_uri(
                    region, serving, *what, accelerator_type="local_sagemaker_notebook")
    for version in ("4.0.0", "4.1.0", "5.0.0"):
        for python in ("py2", "py3"):
            yield create_image_uri(region, "chainer", "local", version, python)
    for version in ("1", "latest"):
        yield get_image_uri(region, "image-classification", version)

print(json.dumps({region: list(names(region)) for region in sys.argv[1:]}))
"""
V2 = """
import functools, json, logging, sys, warnings
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
from sagemaker import image_uris, utils
# It would be read from disk for every name.
utils._botocore_resolver = functools.cache(utils._botocore_resolver)

def names(region):
    for framework in ("mxnet", "chainer"):
        known = image_uris.config_for_framework(framework)
        for scope in ("training", "inference", "eia"):
            config = known.get(scope, {}) if "training" in known else known
            accelerated = {"accelerator_type": "local_sagemaker_notebook"}
            for version in [*config.get("versions", ()), *config.get("version_aliases", ())]:
                for python in ("py2", "py3", "py37", "py38"):
                    try:
                        yield image_uris.retrieve(
                            framework, region, version=version, py_version=python,
                            instance_type="local", image_scope=scope.replace("eia", "inference"),
                            **(accelerated if scope == "eia" else {}))
                    except ValueError:
                        pass  # the SDK knows no such image
    yield image_uris.retrieve("image-classification", region)

print(json.dumps({region: list(names(region)) for region in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def asked() -> dict[str, dict[str, set[str]]]:
    """The names that each version of the SDK asks for, by version and region."""
    return {version: asked_by(version, script) for version, script in (("v1", V1), ("v2", V2))}


def asked_by(version: str, script: str) -> dict[str, set[str]]:
    done = subprocess.run(
        [str(interpreter(version)), "-c", script, *REGIONS],
        env={"AWS_DEFAULT_REGION": "us-west-2", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return {region: set(names) for region, names in json.loads(done.stdout).items()}


@pytest.mark.parametrize("region", REGIONS)
def test_a_regions_names_are_those_that_versions_1_and_2_ask_for(
    asked: dict[str, dict[str, set[str]]], region: str
) -> None:
    assert len(asked["v1"][region]) > 50
    assert len(asked["v2"][region]) > 70
    assert {str(uri) for uri in names_in(region)} == asked["v1"][region] | asked["v2"][region]
