"""Which local image runs for which reference."""

import json
import re
from importlib import resources

import pytest

from emulator.catalogue.recipes import FINAL, RECIPES
from emulator.catalogue.resolve import Resolved, resolve
from emulator.catalogue.table import local_name, names_in
from emulator.catalogue.uris import (
    FrameworkTag,
    ImageUri,
    by_preference,
    parse_framework_tag,
    parse_image_uri,
    suffix_of,
)
from emulator.errors import PermanentError

# `ECR_URI_PATTERN` of the SageMaker Python SDK, versions 1 and 2.
SDK_PATTERN = r"^(\d+)(\.)dkr(\.)ecr(\.)(.+)(\.)(.*)(/)(.*:.*)$"
BUILT = {local_name(name): f"sha256:{name}" for name in FINAL}
BUILT |= {local_name(RECIPES[name].folder): BUILT[local_name(name)] for name in FINAL}
CPU = "runs on the CPU"
PYTHON = "runs on Python 3"
NEAREST = "runs on MXNet {}, the nearest version that there is here, not {}."


def ecr(name: str, account: str = "763104351884", region: str = "us-west-2") -> str:
    return f"{account}.dkr.ecr.{region}.amazonaws.com/{name}"


@pytest.mark.parametrize(
    "reference, parts",
    [
        (
            "763104351884.dkr.ecr.us-west-2.amazonaws.com/mxnet-training:1.4.1-cpu-py3",
            ("763104351884", "us-west-2", "amazonaws.com", "mxnet-training", "1.4.1-cpu-py3"),
        ),
        (
            "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/mxnet-inference:1.6.0-gpu-py3",
            ("727897471807", "cn-north-1", "amazonaws.com.cn", "mxnet-inference", "1.6.0-gpu-py3"),
        ),
        (
            "1.dkr.ecr.us-iso-east-1.c2s.ic.gov/team/own:v1",
            ("1", "us-iso-east-1", "c2s.ic.gov", "team/own", "v1"),
        ),
    ],
)
def test_an_ecr_uri_has_five_parts(reference: str, parts: tuple[str, ...]) -> None:
    uri = parse_image_uri(reference)
    assert uri == ImageUri(*parts)
    assert str(uri) == reference
    assert re.match(SDK_PATTERN, reference)


@pytest.mark.parametrize(
    "reference",
    [
        "my-image",
        "my-image:latest",
        "registry.local:5000/my-image:1",
        "763104351884.dkr.ecr.us-west-2.amazonaws.com/mxnet-training",
        "763104351884.dkr.ecr.us-west-2.amazonaws.com/mxnet-training@sha256:0123",
        "",
    ],
)
def test_anything_else_is_no_ecr_uri(reference: str) -> None:
    assert parse_image_uri(reference) is None


@pytest.mark.parametrize(
    "tag, parts",
    [
        ("1.4.1-cpu-py3", ("1.4.1", "cpu", "py3")),
        ("1.2-gpu-py2", ("1.2", "gpu", "py2")),
        ("1.9.0-cpu-py38-ubuntu20.04-sagemaker", ("1.9.0", "cpu", "py38")),
        ("1.15.2-cpu", ("1.15.2", "cpu", "")),
        ("1.0-1-cpu-py3", ("1.0-1", "cpu", "py3")),
    ],
)
def test_a_framework_tag_says_version_processor_and_python(
    tag: str, parts: tuple[str, str, str]
) -> None:
    assert parse_framework_tag(tag) == FrameworkTag(*parts)


@pytest.mark.parametrize("tag", ["latest", "1", "1.4.1-tpu-py3", "py3"])
def test_any_other_tag_says_nothing(tag: str) -> None:
    assert parse_framework_tag(tag) is None


@pytest.mark.parametrize(
    "name, image, warnings",
    [
        ("mxnet-training:1.9.1-cpu-py3", "mxnet-training:1.9.1", []),
        ("mxnet-training:1.9-cpu-py38", "mxnet-training:1.9.1", []),
        ("mxnet-training:1.4.1-cpu-py3", "mxnet-training:1.4.1", []),
        ("mxnet-training:1.4-cpu-py3", "mxnet-training:1.4.1", []),
        (
            "mxnet-training:1.6.0-gpu-py2",
            "mxnet-training:1.9.1",
            [NEAREST.format("1.9.1", "1.6.0"), CPU, PYTHON],
        ),
        ("mxnet-training:2.0.0-cpu-py3", "mxnet-training:1.9.1", ["not 2.0.0"]),
        ("mxnet-training:latest", "mxnet-training:latest", []),
        ("mxnet-inference:1.9.1-cpu-py38", "mxnet-inference:1.9.1", []),
        ("mxnet-inference-eia:1.4.1-cpu-py3", "mxnet-inference-eia:1.4.1", []),
        ("mxnet-inference-eia:1.5.1-cpu-py3", "mxnet-inference-eia:1.9.1", ["not 1.5.1"]),
        (
            "sagemaker-mxnet:1.2-cpu-py2",
            "sagemaker-mxnet:1.4.1",
            [NEAREST.format("1.4.1", "1.2"), PYTHON],
        ),
        ("sagemaker-mxnet-eia:1.3.0-cpu-py3", "mxnet-inference-eia:1.4.1", ["not 1.3.0"]),
        ("sagemaker-mxnet-serving:1.4.0-cpu-py3", "mxnet-inference:1.4.1", ["not 1.4.0"]),
        ("sagemaker-mxnet-serving-eia:1.4.0-cpu-py3", "mxnet-inference-eia:1.4.1", ["not 1.4.0"]),
        ("sagemaker-chainer:7.8.1-cpu-py3", "chainer:7.8.1", []),
        ("sagemaker-chainer:5.0.0-gpu-py3", "chainer:7.8.1", ["runs on Chainer 7.8.1", CPU]),
        ("image-classification:1", "image-classification:latest", []),
        ("image-classification:latest", "image-classification:latest", []),
    ],
)
def test_an_amazon_repository_has_a_local_image(name: str, image: str, warnings: list[str]) -> None:
    resolved = resolve(ecr(name), present=BUILT.get)
    assert resolved.reference == ecr(name)
    assert resolved.image == local_name(image)
    assert resolved.image_id == BUILT[local_name(image)]
    assert len(resolved.warnings) == len(warnings)
    for warning, expected in zip(resolved.warnings, warnings, strict=True):
        assert expected in warning
    assert [resolved.cpu_warning] == ([w for w in resolved.warnings if CPU in w] or [""])


def test_account_and_region_do_not_matter() -> None:
    images = {
        resolve(ecr("mxnet-training:1.9.1-cpu-py3", account, region), present=BUILT.get).image
        for account, region in [("763104351884", "us-east-1"), ("871362719292", "ap-east-1")]
    }
    assert images == {"sagemaker-emulator/mxnet-training:1.9.1"}


@pytest.mark.parametrize("reference", ["mine:latest", ecr("mxnet-training:1.4.1-cpu-py3")])
def test_an_image_of_exactly_this_name_always_wins(reference: str) -> None:
    present = {**BUILT, reference: "sha256:mine"}
    assert resolve(reference, present=present.get) == Resolved(
        reference, reference, "sha256:mine", ()
    )


def test_a_local_image_of_the_asked_version_is_preferred() -> None:
    present = {**BUILT, "sagemaker-emulator/mxnet-training:1.6.0": "sha256:own"}
    resolved = resolve(ecr("mxnet-training:1.6.0-cpu-py3"), present=present.get)
    assert (resolved.image_id, resolved.warnings) == ("sha256:own", ())


def test_while_the_best_version_is_not_built_another_one_runs() -> None:
    present = {"sagemaker-emulator/mxnet-training:1.9.1": "sha256:new"}
    resolved = resolve(ecr("mxnet-training:1.4.1-cpu-py3"), present=present.get)
    assert resolved.image_id == "sha256:new"
    assert "not 1.4.1" in resolved.warnings[0]


@pytest.mark.parametrize(
    "asked, order",
    [
        ("1.4.1", ["1.4.1", "1.9.1", "1.10.0"]),
        ("0.12", ["1.4.1", "1.9.1", "1.10.0"]),
        ("1.4", ["1.4.1", "1.9.1", "1.10.0"]),
        ("1.9.2", ["1.10.0", "1.9.1", "1.4.1"]),
        ("1.10.1", ["1.10.0", "1.9.1", "1.4.1"]),
        ("1.9.0-1", ["1.9.1", "1.10.0", "1.4.1"]),
    ],
)
def test_the_lowest_version_that_is_not_older_stands_in_else_the_newest(
    asked: str, order: list[str]
) -> None:
    assert by_preference(["1.9.1", "1.10.0", "1.4.1"], asked) == order


@pytest.mark.parametrize(
    "reference, said",
    [
        ("mine:latest", "docker image inspect mine:latest"),
        (ecr("tensorflow-training:2.1-cpu-py3"), "stands in for the repository 'tensorflow-train"),
        (ecr("mxnet-training:1.2-cpu-py3"), "emulator images build mxnet-training:1.4.1."),
        (ecr("mxnet-training:latest"), "sagemaker-emulator images build mxnet-training:1.9.1."),
        (ecr("image-classification:1"), "emulator images build image-classification:1."),
    ],
)
def test_a_missing_image_is_refused_with_the_way_to_provide_it(reference: str, said: str) -> None:
    with pytest.raises(PermanentError) as refused:
        resolve(reference, present=lambda name: None)
    assert f"'{reference}'" in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "region, suffix, account",
    [
        ("us-west-2", "amazonaws.com", "763104351884"),
        ("cn-north-1", "amazonaws.com.cn", "727897471807"),
        ("ap-east-1", "amazonaws.com", "871362719292"),
    ],
)
def test_the_names_of_a_region_carry_its_accounts_and_domain(
    region: str, suffix: str, account: str
) -> None:
    names = [str(uri) for uri in names_in(region)]
    assert f"{account}.dkr.ecr.{region}.{suffix}/mxnet-training:1.4.1-cpu-py3" in names
    assert suffix_of(region) == suffix


@pytest.mark.parametrize(
    "region, name",
    [
        ("us-west-2", "433757028032.dkr.ecr.us-west-2.amazonaws.com/image-classification"),
        ("cn-north-1", "390948362332.dkr.ecr.cn-north-1.amazonaws.com.cn/image-classification"),
    ],
)
def test_an_algorithm_has_its_own_account_in_each_region(region: str, name: str) -> None:
    names = [str(uri) for uri in names_in(region)]
    assert [each for each in names if "image-classification" in each] == [
        f"{name}:1",
        f"{name}:latest",
    ]


def test_a_region_without_the_algorithm_has_no_name_for_it() -> None:
    names = [str(uri) for uri in names_in("xx-nowhere-1")]
    assert names
    assert not [name for name in names if "image-classification" in name]


OWN = "123456789012"


@pytest.mark.parametrize(
    "held, image",
    [
        ([ecr("team/mine:v1", OWN, "eu-west-1")], ecr("team/mine:v1", OWN, "eu-west-1")),
        ([ecr("team/mine:v1", "9")], ecr("team/mine:v1", "9")),
        (
            [
                ecr("team/mine:v1", "1", "eu-west-1"),
                ecr("team/mine:v1", "1"),
                ecr("team/mine:v1", OWN, "us-east-1"),
                ecr("team/mine:v1", OWN, "eu-west-1"),
                "team/mine:v1",
            ],
            ecr("team/mine:v1", OWN, "eu-west-1"),
        ),
        (
            [ecr("team/mine:v1", "1", "eu-west-1"), ecr("team/mine:v1", "2")],
            ecr("team/mine:v1", "2"),
        ),
        (["team/mine:v1"], "team/mine:v1"),
    ],
)
def test_an_image_of_another_region_or_account_runs_with_a_warning(
    held: list[str], image: str
) -> None:
    reference = ecr("team/mine:v1", OWN)
    others = ["team/mine:v2", ecr("team/mine:v2", OWN, "eu-west-1"), ecr("mine:v1", OWN), "<none>"]
    present = {name: f"sha256:{name}" for name in [*others, *held]}
    resolved = resolve(reference, present=present.get, held=lambda: present)
    assert (resolved.image, resolved.image_id) == (image, f"sha256:{image}")
    assert resolved.warnings == (
        f"There is no image '{reference}' on this machine: '{image}' runs instead.",
    )
    assert resolved.cpu_warning == ""


def test_a_name_without_a_tag_means_the_latest_elsewhere_too() -> None:
    present = {ecr("mine:latest", OWN, "eu-west-1"): "sha256:mine"}
    reference = ecr("mine", OWN)
    resolved = resolve(reference, present=present.get, held=lambda: present)
    assert resolved.image_id == "sha256:mine"
    assert resolve(ecr("image-classification"), present=BUILT.get).image_id


def test_an_exact_name_and_a_stand_in_come_before_an_image_of_another_region() -> None:
    elsewhere = ecr("mxnet-training:1.9.1-cpu-py38", region="eu-west-1")
    reference = ecr("mxnet-training:1.9.1-cpu-py38")
    present = {**BUILT, elsewhere: "sha256:own"}
    resolved = resolve(reference, present=present.get, held=lambda: present)
    assert resolved.image == "sagemaker-emulator/mxnet-training:1.9.1"
    only = {elsewhere: "sha256:own"}
    assert resolve(reference, present=only.get, held=lambda: only).image == elsewhere


def test_an_image_is_found_by_the_digest_that_ecr_tells_of_it() -> None:
    digest = "sha256:" + "7" * 64
    reference = f"{ecr('team/mine', OWN)}@{digest}"
    resolved = resolve(reference, present={digest: digest}.get)
    assert resolved == Resolved(reference, digest, digest)
    with pytest.raises(PermanentError, match="docker image inspect"):
        resolve(reference, present=lambda name: None)


def test_a_copy_that_the_emulator_named_itself_is_nobodys_image() -> None:
    held = [ecr("mine:v1", OWN, "eu-west-1")]
    with pytest.raises(PermanentError):
        resolve(ecr("mine:v1", OWN), present=lambda name: None, held=lambda: held)


def test_every_name_resolves_to_an_image() -> None:
    for uri in names_in("eu-west-1"):
        assert resolve(str(uri), present=BUILT.get).image in BUILT


def test_every_image_of_the_table_can_be_built() -> None:
    text = resources.files("emulator.catalogue").joinpath("table.json").read_text("utf-8")
    images = json.loads(text)["images"]
    named = {f"{name}:{each}" for name in images for each in images[name]["versions"]}
    assert named == {name for name in FINAL if RECIPES[name].version}
