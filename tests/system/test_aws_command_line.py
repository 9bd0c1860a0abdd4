"""The main job by AWS's own command line, with nothing set but what `env` prints."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running_emulator import IMAGE, ROLE, Emulator, eventually, unique

pytestmark = pytest.mark.docker


class Shell:
    """A shell with an otherwise empty environment, in which the exports were evaluated."""

    def __init__(self, emulator: Emulator, home: Path) -> None:
        self._emulator = emulator
        self._home = home
        beside = str(Path(sys.executable).parent)
        found = shutil.which("aws", path=beside)
        assert found, "the AWS command line is not installed beside this interpreter"
        self._path = f"{beside}:/usr/bin:/bin"

    def run(self, script: str) -> str:
        prints = f"sagemaker-emulator env --state {shlex.quote(str(self._emulator.state))} --port 0"
        done = subprocess.run(
            ["sh", "-euc", f'eval "$({prints})"\n{script}'],
            env={"PATH": self._path, "HOME": str(self._home)},
            cwd=self._home,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, command: str) -> Any:
        return json.loads(self.run(f"aws {command} --output json"))


def test_the_main_job_from_upload_to_prediction(emulator: Emulator, tmp_path: Path) -> None:
    shell, name, bucket = Shell(emulator, tmp_path), unique("cli"), unique("cli-bucket")
    (tmp_path / "weights.txt").write_text("0.25 0.75")
    shell.run(
        f"aws s3 mb s3://{bucket}\n"
        f"aws s3 cp weights.txt s3://{bucket}/train/weights.txt --no-progress"
    )
    channel = {
        "ChannelName": "train",
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/train/"}
        },
    }
    copy = {"shell": "cp /opt/ml/input/data/train/weights.txt /opt/ml/model"}
    shell.run(
        f"""aws sagemaker create-training-job --training-job-name {name} \\
        --algorithm-specification TrainingImage={IMAGE},TrainingInputMode=File \\
        --role-arn {ROLE} --input-data-config '{json.dumps([channel])}' \\
        --output-data-config S3OutputPath=s3://{bucket}/out \\
        --resource-config InstanceType=ml.m5.large,InstanceCount=1,VolumeSizeInGB=1 \\
        --stopping-condition MaxRuntimeInSeconds=60 --hyper-parameters '{json.dumps(copy)}'"""
    )
    # The command line's waiter looks every 120 s; so let the job end before it looks first.
    emulator.ended(name)
    shell.run(f"aws sagemaker wait training-job-completed-or-stopped --training-job-name {name}")
    job = shell.json(f"sagemaker describe-training-job --training-job-name {name}")
    assert job["TrainingJobStatus"] == "Completed"

    data = job["ModelArtifacts"]["S3ModelArtifacts"]
    shell.run(
        f"""aws sagemaker create-model --model-name {name} --execution-role-arn {ROLE} \\
          --primary-container Image={IMAGE},ModelDataUrl={data}
        aws sagemaker create-endpoint-config --endpoint-config-name {name} --production-variants \\
          VariantName=Only,ModelName={name},InitialInstanceCount=1,InstanceType=ml.m5.large
        aws sagemaker create-endpoint --endpoint-name {name} --endpoint-config-name {name}"""
    )
    emulator.settled(name)
    shell.run(f"aws sagemaker wait endpoint-in-service --endpoint-name {name}")
    reply = shell.json(
        f"sagemaker-runtime invoke-endpoint --endpoint-name {name} --content-type text/csv"
        " --body 1,2,3 reply.txt"
    )
    assert reply == {"ContentType": "text/csv", "InvokedProductionVariant": "Only"}
    assert (tmp_path / "reply.txt").read_bytes() == b"1,2,3"

    shell.run(f"aws s3 cp {data} model.tar.gz --no-progress && tar xzf model.tar.gz -O weights.txt")
    shell.run(f"aws sagemaker delete-endpoint --endpoint-name {name}")
    eventually(lambda: emulator.gone(name), what="the endpoint is gone")
