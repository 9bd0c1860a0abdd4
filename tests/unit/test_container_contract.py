"""What a container sees, by contract B6 to B8 and C2."""

import json
from pathlib import Path
from typing import Any

import pytest

from emulator.call import Document, Scope
from emulator.launch.contract import serving, training, write
from emulator.launch.contract.limits import Limits
from emulator.launch.driver import Mount

SCOPE = Scope("111122223333", "eu-west-1")
URL = "http://10.231.8.1:4610"
ROOT = Path("/state/jobs/job-1/algo-1")


def job(**changes: Any) -> Document:
    return {
        "TrainingJobName": "Job-1",
        "AlgorithmSpecification": {"TrainingImage": "image:1", "TrainingInputMode": "File"},
        "ResourceConfig": {
            "InstanceType": "ml.c4.xlarge",
            "InstanceCount": 1,
            "VolumeSizeInGB": 1,
        },
        **changes,
    }


def algorithm(**changes: Any) -> Document:
    return job(AlgorithmSpecification={"TrainingInputMode": "File", **changes})


def channel(name: str, **changes: Any) -> Document:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{name}"}}
    return {"ChannelName": name, "DataSource": source, **changes}


def config(document: Document, name: str, host: str = "algo-1") -> Any:
    return json.loads(training.files(document, host)[f"input/config/{name}.json"])


@pytest.mark.parametrize(
    "given, entrypoint, command",
    [
        ({}, None, ("train",)),
        ({"ContainerEntrypoint": ["sh"]}, ("sh",), ()),
        ({"ContainerEntrypoint": ["sh", "-c", "x y"]}, ("sh",), ("-c", "x y")),
        ({"ContainerArguments": ["fit", "now"]}, None, ("fit", "now")),
        (
            {"ContainerEntrypoint": ["python3", "-u"], "ContainerArguments": ["a.py"]},
            ("python3",),
            ("-u", "a.py"),
        ),
        ({"ContainerEntrypoint": None, "ContainerArguments": None}, None, ("train",)),
    ],
)
def test_the_command_is_train_unless_the_request_has_its_own(
    given: dict[str, Any], entrypoint: tuple[str, ...] | None, command: tuple[str, ...]
) -> None:
    document = algorithm(**given)

    assert training.entrypoint(document) == entrypoint
    assert training.command(document) == command


def test_hyperparameters_arrive_as_the_strings_of_the_request() -> None:
    given = {"sagemaker_program": '"mnist.py"', "epochs": "2", "json": '{"a": 1}', "text": "é"}

    assert config(job(HyperParameters=given), "hyperparameters") == given


@pytest.mark.parametrize("given", [{}, {"HyperParameters": {}}, {"HyperParameters": None}])
def test_without_hyperparameters_the_file_is_an_empty_object(given: Document) -> None:
    assert training.files(job(**given), "algo-1")["input/config/hyperparameters.json"] == b"{}"


@pytest.mark.parametrize(
    "given, expected",
    [
        (
            channel("train"),
            {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
            },
        ),
        (
            channel(
                "train",
                ContentType="text/csv",
                InputMode="Pipe",
                RecordWrapperType="RecordIO",
                DataSource={"S3DataSource": {"S3DataDistributionType": "ShardedByS3Key"}},
            ),
            {
                "ContentType": "text/csv",
                "TrainingInputMode": "Pipe",
                "S3DistributionType": "ShardedByS3Key",
                "RecordWrapperType": "RecordIO",
            },
        ),
        (
            channel("model"),
            {
                "ContentType": "application/x-sagemaker-model",
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
            },
        ),
        (
            channel("efs", DataSource={"FileSystemDataSource": {"FileSystemType": "EFS"}}),
            {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
            },
        ),
    ],
)
def test_each_channel_is_described(given: Document, expected: Document) -> None:
    document = job(InputDataConfig=[given])

    assert config(document, "inputdataconfig") == {given["ChannelName"]: expected}


def test_without_channels_the_description_is_an_empty_object() -> None:
    assert config(job(), "inputdataconfig") == {}


def test_the_cluster_of_one_host_is_described_in_todays_form() -> None:
    assert training.files(job(), "algo-1")["input/config/resourceconfig.json"] == (
        b'{"current_group_name":"homogeneousCluster","current_host":"algo-1",'
        b'"current_instance_type":"ml.c4.xlarge","hosts":["algo-1"],'
        b'"instance_groups":[{"hosts":["algo-1"],"instance_group_name":"homogeneousCluster",'
        b'"instance_type":"ml.c4.xlarge"}],"network_interface_name":"eth0"}'
    )


def test_hosts_are_sorted_as_text() -> None:
    document = job(ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 11})

    hosts = training.hosts(document)

    assert hosts[:4] == ["algo-1", "algo-10", "algo-11", "algo-2"]
    assert config(document, "resourceconfig", "algo-10")["hosts"] == hosts
    assert config(document, "resourceconfig", "algo-10")["current_host"] == "algo-10"


def test_instance_groups_number_their_hosts_through() -> None:
    groups = [
        {"InstanceGroupName": "cpu", "InstanceType": "ml.c5.large", "InstanceCount": 2},
        {"InstanceGroupName": "gpu", "InstanceType": "ml.p3.2xlarge", "InstanceCount": 1},
    ]

    described = config(job(ResourceConfig={"InstanceGroups": groups}), "resourceconfig", "algo-3")

    assert described["hosts"] == ["algo-1", "algo-2", "algo-3"]
    assert described["current_group_name"] == "gpu"
    assert described["current_instance_type"] == "ml.p3.2xlarge"
    assert described["instance_groups"] == [
        {
            "instance_group_name": "cpu",
            "instance_type": "ml.c5.large",
            "hosts": ["algo-1", "algo-2"],
        },
        {"instance_group_name": "gpu", "instance_type": "ml.p3.2xlarge", "hosts": ["algo-3"]},
    ]


def test_the_request_is_told_without_what_the_emulator_added() -> None:
    document = job(Emulator={"Image": "x"}, TrainingJobStatus="InProgress", RoleArn="arn:role")

    told = config(document, "trainingjobconfig")

    assert told["RoleArn"] == "arn:role"
    assert not {"Emulator", "TrainingJobStatus"} & set(told)


@pytest.mark.parametrize(
    "name, member", [("checkpointconfig", "CheckpointConfig"), ("profilerconfig", "ProfilerConfig")]
)
def test_further_files_exist_only_when_asked_for(name: str, member: str) -> None:
    path = f"input/config/{name}.json"

    assert path not in training.files(job(), "algo-1")
    assert config(job(**{member: {"S3Uri": "s3://b/c"}}), name) == {"S3Uri": "s3://b/c"}


def test_the_environment_names_the_job_the_region_and_the_emulator() -> None:
    assert training.environment(job(), SCOPE, URL, Limits()) == {
        "TRAINING_JOB_NAME": "Job-1",
        "TRAINING_JOB_ARN": "arn:aws:sagemaker:eu-west-1:111122223333:training-job/job-1",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": URL,
        "S3_ENDPOINT_URL": URL,
        "AWS_ACCESS_KEY_ID": "111122223333",
        "AWS_SECRET_ACCESS_KEY": "emulator",
        "DMLC_INTERFACE": "eth0",
        "SAGEMAKER_METRICS_DIRECTORY": "/opt/ml/output/metrics/sagemaker",
    }


def test_the_environment_of_the_request_wins_verbatim() -> None:
    given = {"AWS_REGION": "mars", "OMP_NUM_THREADS": "7", "QUOTED": '"x" $y', "EMPTY": ""}

    variables = training.environment(job(Environment=given), SCOPE, URL, Limits(threads=2))

    assert given.items() <= variables.items()


@pytest.mark.parametrize(
    "own",
    ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"],
)
@pytest.mark.parametrize("kind", ["training", "serving"])
def test_credentials_of_the_request_are_not_mixed_with_ours(own: str, kind: str) -> None:
    given = {"Environment": {own: "theirs"}}
    if kind == "training":
        variables = training.environment(job(**given), SCOPE, URL, Limits())
    else:
        variables = serving.environment(given, SCOPE, URL, Limits())

    assert variables[own] == "theirs"
    assert "AWS_SECRET_ACCESS_KEY" not in variables
    assert variables["AWS_ENDPOINT_URL"] == URL


def test_an_isolated_job_has_neither_endpoint_nor_credentials() -> None:
    variables = training.environment(job(EnableNetworkIsolation=True), SCOPE, URL, Limits())

    assert not {name for name in variables if "ENDPOINT" in name or "KEY" in name}


@pytest.mark.parametrize("threads, expected", [(None, {}), (3, {"OMP_NUM_THREADS": "3"})])
def test_threads_are_limited_only_when_a_setting_says_so(
    threads: int | None, expected: dict[str, str]
) -> None:
    variables = training.environment(job(), SCOPE, URL, Limits(threads=threads))

    assert {key: value for key, value in variables.items() if key.startswith("OMP")} == expected


def test_directories_are_mounted_where_the_contract_has_them() -> None:
    document = job(
        InputDataConfig=[
            channel("train"),
            channel("fast", InputMode="FastFile"),
            channel("piped", InputMode="Pipe"),
        ]
    )

    assert training.mounts(document, ROOT) == (
        Mount(ROOT / "input/config", "/opt/ml/input/config", "rw"),
        Mount(ROOT / "input/data", "/opt/ml/input/data", "rw"),
        Mount(ROOT / "model", "/opt/ml/model", "rw"),
        Mount(ROOT / "output", "/opt/ml/output", "rw"),
        Mount(ROOT / "input/data/train", "/opt/ml/input/data/train", "cow"),
        Mount(ROOT / "input/data/fast", "/opt/ml/input/data/fast", "ro"),
    )


@pytest.mark.parametrize(
    "given, target",
    [
        ({}, "/opt/ml/checkpoints"),
        ({"LocalPath": "/opt/ml/checkpoints/"}, "/opt/ml/checkpoints"),
        ({"LocalPath": "/elsewhere"}, "/elsewhere"),
    ],
)
def test_checkpoints_are_mounted_when_configured(given: Document, target: str) -> None:
    document = job(CheckpointConfig={"S3Uri": "s3://b/c", **given})

    assert training.mounts(document, ROOT)[-1] == Mount(ROOT / "checkpoints", target, "rw")


def test_code_is_never_mounted() -> None:
    targets = {mount.target for mount in training.mounts(job(), ROOT)}

    assert not targets & {"/opt/ml", "/opt/ml/code"}


def test_files_are_written_below_the_root_and_again(tmp_path: Path) -> None:
    write(tmp_path, {"input/config/a.json": b"1"})
    write(tmp_path, {"input/config/a.json": b"2"})

    assert (tmp_path / "input/config/a.json").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside"])
def test_a_file_outside_the_root_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError):
        write(tmp_path / "root", {name: b""})

    assert not (tmp_path / "outside").exists()


def test_a_list_of_one_container_is_as_good_as_a_primary_one() -> None:
    definition = {"Image": "image:1"}

    assert serving.container({"PrimaryContainer": definition}) == definition
    assert serving.container({"Containers": [definition]}) == definition


def test_a_serving_container_is_told_its_region_and_the_emulator() -> None:
    assert serving.environment({"Environment": {"A": "1"}}, SCOPE, URL, Limits(threads=1)) == {
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": URL,
        "S3_ENDPOINT_URL": URL,
        "AWS_ACCESS_KEY_ID": "111122223333",
        "AWS_SECRET_ACCESS_KEY": "emulator",
        "OMP_NUM_THREADS": "1",
        "A": "1",
    }


@pytest.mark.parametrize("backing, present", [("cpu", "true"), ("gpu:0", "true"), ("", None)])
def test_an_accelerator_is_announced_with_what_computes(backing: str, present: str | None) -> None:
    variables = serving.environment({}, SCOPE, URL, Limits(), accelerator=backing)

    assert variables.get("SAGEMAKER_INFERENCE_ACCELERATOR_PRESENT") == present
    assert variables.get("SAGEMAKER_EMULATOR_ACCELERATOR", "") == backing


def test_a_model_is_read_only() -> None:
    assert serving.mounts(Path("/m")) == (Mount(Path("/m"), "/opt/ml/model", "ro"),)


@pytest.mark.parametrize("given, name", [({}, "algo-1"), ({"ContainerHostname": "first"}, "first")])
def test_a_serving_container_has_the_host_name_of_its_definition(
    given: Document, name: str
) -> None:
    assert serving.hostname(given) == name
