"""Every way a training job fails, and what a client reads of it (contract B4)."""

from typing import Any

import pytest
from running_emulator import ACCOUNT, IMAGE, REGION, Emulator, unique
from training_data import assert_gone, channel, line, model, output, path_of, put

pytestmark = pytest.mark.docker

FAILURE = "/opt/ml/output/failure"


@pytest.mark.parametrize(
    "shell, reason",
    [
        pytest.param("exit 3", "AlgorithmError: , exit code: 3", id="no failure file"),
        pytest.param(
            "sh -c 'kill -9 $$'", "AlgorithmError: , exit code: 137", id="a signal, memory left"
        ),
        pytest.param(
            f"printf 'Line 1\\nLine 2' > {FAILURE}; exit 1",
            "AlgorithmError: Line 1\nLine 2, exit code: 1",
            id="a failure file",
        ),
        pytest.param(
            f"printf 'bad \\377 byte' > {FAILURE}; exit 2",
            "AlgorithmError: bad \ufffd byte, exit code: 2",
            id="a failure file that is not UTF-8",
        ),
        pytest.param(
            f"mkdir {FAILURE}; exit 4", "AlgorithmError: , exit code: 4", id="a directory there"
        ),
        pytest.param(
            f"ln -s /etc/hostname {FAILURE}; exit 5",
            "AlgorithmError: , exit code: 5",
            id="a link there",
        ),
        pytest.param(
            f"mkfifo {FAILURE}; exit 6", "AlgorithmError: , exit code: 6", id="a pipe there"
        ),
    ],
)
def test_an_exit_code_is_a_failure_with_the_words_of_the_failure_file(
    emulator: Emulator, shell: str, reason: str
) -> None:
    name = unique("fails")
    emulator.train(name, shell=shell)
    job = emulator.ended(name)
    assert (job["TrainingJobStatus"], job["FailureReason"]) == ("Failed", reason)
    assert path_of(job) == ["Starting", "Training", "Uploading", "Failed"]
    assert job["TrainingEndTime"] >= job["TrainingStartTime"]
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"] >= 1


def test_of_a_long_failure_file_the_first_1024_characters_are_kept(emulator: Emulator) -> None:
    name = unique("long")
    emulator.train(name, python=f"open({FAILURE!r}, 'w').write('é' * 3000); exit(1)")
    reason = emulator.ended(name)["FailureReason"]
    assert reason == f"AlgorithmError: {'é' * 1024}, exit code: 1"


def test_where_nothing_can_be_mounted_a_job_fails_without_naming_this_machine(
    emulator: Emulator,
) -> None:
    name = unique("mounted")
    checkpoints = {"S3Uri": f"s3://{emulator.bucket()}/ck", "LocalPath": "/proc/checkpoints"}
    emulator.train(name, shell="true", CheckpointConfig=checkpoints)
    reason = emulator.ended(name)["FailureReason"]
    assert reason.startswith("ClientError: The training container could not be started:")
    assert "cannot be mounted because it is inside /proc" in reason
    assert str(emulator.state) not in reason
    assert "overlay2" not in reason
    assert_gone(emulator, name)


def test_what_a_failed_job_wrote_is_kept(emulator: Emulator) -> None:
    name = unique("kept")
    bucket = emulator.train(
        name,
        shell="cd /opt/ml; echo half > model/epoch-1; echo seen > output/data/report;"
        " printf why > output/failure; exit 1",
    )
    assert emulator.ended(name)["TrainingJobStatus"] == "Failed"
    assert model(emulator, bucket, name) == {"epoch-1": b"half\n"}
    assert output(emulator, bucket, name) == {"failure": b"why", "report": b"seen\n"}


def test_a_failure_file_beside_exit_code_zero_is_no_failure(emulator: Emulator) -> None:
    name = unique("fine")
    emulator.train(name, shell=f"echo not really > {FAILURE}")
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Completed"
    assert "FailureReason" not in job


@pytest.mark.parametrize(
    "reference, words",
    [
        (
            f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/my-team/my-algorithm:1",
            [
                f"ClientError: Cannot find repository: my-team/my-algorithm in registry ID:"
                f" {ACCOUNT} Please check if your ECR repository exists and role arn:",
                "docker tag YOUR-IMAGE",
            ],
        ),
        (
            "no-such-image-anywhere:2",
            [
                "ClientError: Cannot find image: no-such-image-anywhere:2.",
                "never pulled",
                "docker image inspect",
            ],
        ),
    ],
)
def test_a_missing_image_is_named_with_the_way_to_provide_it(
    emulator: Emulator, reference: str, words: list[str]
) -> None:
    name = unique("imageless")
    emulator.train(
        name, AlgorithmSpecification={"TrainingImage": reference, "TrainingInputMode": "File"}
    )
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Failed"]
    assert "TrainingStartTime" not in job
    assert "TrainingTimeInSeconds" not in job
    for word in [*words, reference]:
        assert word in job["FailureReason"]


@pytest.mark.parametrize(
    "algorithm, word",
    [
        pytest.param({"TrainingImage": "sagemaker-emulator/base:latest"}, "train", id="no train"),
        pytest.param(
            {"ContainerEntrypoint": ["/no/such/program"]}, "/no/such/program", id="absent"
        ),
        pytest.param({"ContainerEntrypoint": ["/etc"]}, "/etc", id="a directory"),
    ],
)
def test_a_program_that_cannot_run_fails_the_job_with_the_reason_of_the_init(
    emulator: Emulator, algorithm: dict[str, Any], word: str
) -> None:
    name = unique("startless")
    plain = {"TrainingImage": IMAGE, "TrainingInputMode": "File"}
    emulator.train(name, AlgorithmSpecification={**plain, **algorithm})
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Training", "Uploading", "Failed"]
    assert job["FailureReason"].startswith(
        "ClientError: The training container could not be started: "
    )
    assert word in job["FailureReason"]
    assert_gone(emulator, name)


def test_objects_that_cannot_be_files_of_one_directory_fail_the_download(
    emulator: Emulator,
) -> None:
    name, bucket = unique("download"), emulator.bucket()
    put(emulator, bucket, {"data/a": b"1", "data/a/b": b"2"})
    emulator.train(name, bucket=bucket, InputDataConfig=[channel("train", f"s3://{bucket}/data/")])
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Downloading", "Failed"]
    assert job["FailureReason"] == (
        "ClientError: Data download failed:'a' is both a file and a directory of the channel"
        " (object key 'data/a')"
    )


def test_a_missing_output_bucket_fails_the_upload(emulator: Emulator) -> None:
    name, absent = unique("upload"), unique("absent")
    emulator.train(name, bucket=absent, shell="echo weights > /opt/ml/model/w")
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Training", "Uploading", "Failed"]
    assert job["FailureReason"] == (
        f"ClientError: Artifact upload failed:The S3 bucket '{absent}' does not exist"
    )


def test_a_file_name_that_is_not_utf8_fails_its_job_and_nothing_else(emulator: Emulator) -> None:
    name, other = unique("latin"), unique("beside")
    bucket = emulator.bucket()
    write = line(
        """
for folder in (b'/opt/ml/model', b'/opt/ml/checkpoints'):
    for file in (b'lat\\xe9in', b'plain'):
        open(folder + b'/' + file, 'w').write('state')
print('written', flush=True)
"""
    )
    emulator.train(
        name,
        python=write,
        bucket=bucket,
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/out", "CompressionType": "NONE"},
        CheckpointConfig={"S3Uri": f"s3://{bucket}/checkpoints"},
    )
    job = emulator.ended(name)
    assert (job["TrainingJobStatus"], job["FailureReason"]) == (
        "Failed",
        "ClientError: Artifact upload failed:The file name "
        f"'out/{name}/output/model/lat\\xe9in' is not UTF-8",
    )
    assert emulator.keys(bucket) == ["checkpoints/plain", f"out/{name}/output/model/plain"]
    assert emulator.output(name) == ["written"]
    emulator.train(other, shell="echo trained > /opt/ml/model/weights", bucket=bucket)
    assert emulator.ended(other)["TrainingJobStatus"] == "Completed"
    assert model(emulator, bucket, other) == {"weights": b"trained\n"}
    assert_gone(emulator, name)


def test_the_first_cause_is_told_when_the_upload_fails_too(emulator: Emulator) -> None:
    name = unique("twice")
    emulator.train(name, bucket=unique("absent"), shell="echo w > /opt/ml/model/w; exit 9")
    assert emulator.ended(name)["FailureReason"] == "AlgorithmError: , exit code: 9"


def test_a_training_process_that_crashes_fails_the_job(emulator: Emulator) -> None:
    name = unique("crash")
    emulator.train(name, python="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert emulator.ended(name)["FailureReason"] == "AlgorithmError: , exit code: 139"


def test_too_little_memory_is_told_as_such(launched: Any) -> None:
    emulator = launched("--container-memory", "64m")
    name, told = unique("memory"), unique("told")
    emulator.train(name, python="b = bytearray(); [b.extend(b'x' * 2**20) for _ in range(200)]")
    emulator.train(
        told,
        python="import os, signal; open('/opt/ml/output/failure', 'w').write('my own words');"
        "b = bytearray(); [b.extend(b'x' * 2**20) for _ in range(200)]",
    )
    assert emulator.ended(name)["FailureReason"] == (
        "ClientError: Please use an instance type with more memory, or reduce the size of training"
        " data processed on an instance., exit code: 137"
    )
    assert emulator.ended(told)["FailureReason"] == "AlgorithmError: my own words, exit code: 137"
