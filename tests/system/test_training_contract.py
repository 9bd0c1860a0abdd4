"""What a training container sees, and where what it writes goes (contract B6 to B10)."""

from itertools import chain
from typing import Any

import pytest
from running_emulator import ACCOUNT, IMAGE, REGION, Emulator, eventually, unique
from training_data import REPORT, archive, channel, line, model, output, path_of, put, seen

pytestmark = pytest.mark.docker


def test_a_container_sees_the_request_in_files_and_variables(emulator: Emulator) -> None:
    name, bucket = unique("sees"), emulator.bucket()
    put(emulator, bucket, {"t/one.csv": b"1", "t/deep/two.csv": b"2", "v/three": b"3"})
    given = {"GREETING": "hällo $HOME", "EMPTY": "", "LINES": "a\tb"}
    hyperparameters = {"epochs": "10", "quoted": '"text"', "ünï": "Ω", "list": "[1, 2]"}
    report = seen(
        emulator,
        name,
        bucket=bucket,
        Environment=given,
        HyperParameters={"python": REPORT, **hyperparameters},
        InputDataConfig=[
            channel("train", f"s3://{bucket}/t/", ContentType="text/csv"),
            channel("validation", f"s3://{bucket}/v/", InputMode="FastFile"),
        ],
    )
    assert report["files"]["hyperparameters.json"] == {"python": REPORT, **hyperparameters}
    assert report["files"]["inputdataconfig.json"] == {
        "train": {
            "ContentType": "text/csv",
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        },
        "validation": {
            "TrainingInputMode": "FastFile",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        },
    }
    assert report["files"]["resourceconfig.json"] == {
        "current_group_name": "homogeneousCluster",
        "current_host": "algo-1",
        "current_instance_type": "ml.m5.large",
        "hosts": ["algo-1"],
        "instance_groups": [
            {
                "hosts": ["algo-1"],
                "instance_group_name": "homogeneousCluster",
                "instance_type": "ml.m5.large",
            }
        ],
        "network_interface_name": "eth0",
    }
    assert given.items() <= report["environment"].items()
    assert {
        "TRAINING_JOB_NAME": name,
        "TRAINING_JOB_ARN": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}",
        "AWS_REGION": REGION,
    }.items() <= report["environment"].items()
    assert report["data"] == ["train/deep/two.csv", "train/one.csv", "validation/three"]
    assert set(report["directories"]) >= {"input", "model", "output"}
    assert (report["hostname"], report["user"]) == ("algo-1", 0)


def test_a_container_without_channels_and_hyperparameters_sees_empty_objects(
    emulator: Emulator,
) -> None:
    name = unique("bare")
    emulator.train(
        name,
        HyperParameters={},
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["sh", "-c"],
            "ContainerArguments": [
                "cd /opt/ml/input/config; cat hyperparameters.json inputdataconfig.json; ls ../data"
            ],
        },
    )
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    assert emulator.output(name) == ["{}{}"]


@pytest.mark.parametrize(
    "algorithm, lines",
    [
        ({"ContainerEntrypoint": ["echo", "one", "two"]}, ["one two"]),
        ({"ContainerArguments": ["echo", "a b", "$HOME"]}, ["a b $HOME"]),
        (
            {"ContainerEntrypoint": ["echo", "one"], "ContainerArguments": ["--x", "2"]},
            ["one --x 2"],
        ),
    ],
)
def test_entry_point_and_arguments_replace_train(
    emulator: Emulator, algorithm: dict[str, Any], lines: list[str]
) -> None:
    name = unique("command")
    plain = {"TrainingImage": IMAGE, "TrainingInputMode": "File"}
    emulator.train(name, AlgorithmSpecification={**plain, **algorithm})
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    assert emulator.output(name) == lines


def test_code_in_a_container_reaches_s3_as_the_jobs_owner(emulator: Emulator) -> None:
    name, bucket = unique("calls"), emulator.bucket()
    script = """
import os, urllib.request
url = os.environ['AWS_ENDPOINT_URL']
print(urllib.request.urlopen(url + '/_emulator/health', timeout=60).status)
print(os.environ['AWS_ACCESS_KEY_ID'])
"""
    emulator.train(name, bucket=bucket, python=line(script))
    emulator.ended(name)
    assert emulator.output(name) == ["200", ACCOUNT]


def test_output_holds_its_data_at_the_root_and_whatever_lies_beside(emulator: Emulator) -> None:
    name = unique("output")
    bucket = emulator.train(
        name,
        shell="cd /opt/ml/output; mkdir -p data/deep intermediate; echo d > data/deep/d;"
        " echo i > intermediate/i; touch success",
    )
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Training", "Uploading", "Completed"]
    assert output(emulator, bucket, name) == {
        "deep": None,
        "deep/d": b"d\n",
        "intermediate": None,
        "intermediate/i": b"i\n",
        "success": b"",
    }


def test_a_job_that_writes_nothing_leaves_nothing(emulator: Emulator) -> None:
    name = unique("empty")
    bucket = emulator.train(name, shell="true")
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Completed"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == (
        f"s3://{bucket}/out/{name}/output/model.tar.gz"
    )
    assert emulator.keys(bucket) == []


def test_output_data_that_became_a_link_leads_nowhere(emulator: Emulator) -> None:
    name = unique("link")
    bucket = emulator.train(
        name,
        shell="rmdir /opt/ml/output/data; ln -s /etc /opt/ml/output/data; touch /opt/ml/model/m",
    )
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    assert emulator.keys(bucket) == [f"out/{name}/output/model.tar.gz"]


def test_an_uncompressed_model_is_a_prefix(emulator: Emulator) -> None:
    name, bucket = unique("plain"), emulator.bucket()
    emulator.train(
        name,
        bucket=bucket,
        shell="mkdir /opt/ml/model/1; echo w > /opt/ml/model/1/weights",
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/", "CompressionType": "NONE"},
    )
    job = emulator.ended(name)
    prefix = f"s3://{bucket}/{name}/output/model/"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == prefix
    assert emulator.keys(bucket) == [f"{name}/output/model/1/weights"]


def test_output_is_read_in_cloudwatch_logs_while_the_job_runs(emulator: Emulator) -> None:
    name, bucket = unique("logs"), emulator.bucket()
    script = """
import os, sys, time
for number in range(500):
    print('line', number, flush=True)
print('to stderr', file=sys.stderr, flush=True)
while not os.path.exists('/opt/ml/output/go'):
    time.sleep(0.05)
sys.stdout.write('no newline at the end')
"""
    emulator.train(
        name,
        bucket=bucket,
        python=line(script),
    )
    eventually(lambda: "to stderr" in emulator.output(name), what="lines are read")
    assert emulator.job(name)["SecondaryStatus"] == "Training"
    (root,) = emulator.state.glob(f"jobs/*/*/{name}/algo-1")
    (root / "output" / "go").touch()
    job = emulator.ended(name)
    lines = emulator.output(name)
    lines.remove("to stderr")  # the engine reads the two streams apart from each other
    assert lines == [*(f"line {number}" for number in range(500)), "no newline at the end"]
    (stream,) = emulator.client("logs").describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/"
    )["logStreams"]
    assert stream["logStreamName"] == f"{name}/algo-1-{int(job['TrainingStartTime'].timestamp())}"


def test_the_last_value_of_each_metric_is_described(emulator: Emulator) -> None:
    name = unique("metrics")
    emulator.train(
        name,
        shell='for n in 1 2 3; do echo "epoch $n loss=0.$n; acc=$n"; done; echo loss=nothing;',
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [
                {"Name": "loss", "Regex": "loss=(.*?);"},
                {"Name": "accuracy", "Regex": "acc=([0-9]+)"},
                {"Name": "never", "Regex": "never=(.*)"},
            ],
        },
    )
    job = emulator.ended(name)
    values = {found["MetricName"]: found["Value"] for found in job["FinalMetricDataList"]}
    assert values == {"loss": pytest.approx(0.3), "accuracy": 3.0}
    times = [found["Timestamp"] for found in job["FinalMetricDataList"]]
    assert all(job["TrainingStartTime"] <= at <= job["TrainingEndTime"] for at in times)
    metrics = emulator.client("cloudwatch").list_metrics(
        Namespace="/aws/sagemaker/TrainingJobs",
        Dimensions=[{"Name": "TrainingJobName", "Value": name}],
    )["Metrics"]
    assert {metric["MetricName"] for metric in metrics} == {"loss", "accuracy"}


def test_tags_given_at_creation_are_listed(emulator: Emulator) -> None:
    name = unique("tagged")
    emulator.train(name, shell="true", Tags=[{"Key": "team", "Value": "vision"}])
    arn = emulator.job(name)["TrainingJobArn"]
    assert emulator.client("sagemaker").list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "team", "Value": "vision"}
    ]
    emulator.ended(name)


def test_two_hosts_know_each_other_and_share_the_sharded_input(emulator: Emulator) -> None:
    name, bucket = unique("hosts"), emulator.bucket()
    put(emulator, bucket, {f"shards/{number}": b"x" for number in range(5)})
    script = """
import json, os, socket
config = json.load(open('/opt/ml/input/config/resourceconfig.json'))
host = config['current_host']
assert config['hosts'] == ['algo-1', 'algo-2'], config
if host == 'algo-1':
    server = socket.create_server(('', 5000))
    peer, address = server.accept()
    assert address[0] == socket.gethostbyname('algo-2'), address
    print('heard', peer.recv(100).decode())
else:
    for _ in range(200):
        try:
            peer = socket.create_connection(('algo-1', 5000), 1)
            break
        except OSError:
            import time; time.sleep(0.05)
    peer.sendall(b'hello of algo-2'); peer.close()
names = os.listdir('/opt/ml/input/data/train')
open('/opt/ml/model/' + host, 'w').write(' '.join(sorted(names)))
open('/opt/ml/model/both', 'w').write(host)
print(socket.gethostname(), 'has', len(names))
"""
    emulator.train(
        name,
        bucket=bucket,
        python=line(script),
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
        InputDataConfig=[channel("train", f"s3://{bucket}/shards/", distribution="ShardedByS3Key")],
    )
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert sorted(emulator.output(name)) == [
        "algo-1 has 3",
        "algo-2 has 2",
        "heard hello of algo-2",
    ]
    merged = model(emulator, bucket, name)
    assert merged.pop("both") == b"algo-1"
    names = [shard.decode().split() for shard in merged.values() if shard is not None]
    assert sorted(chain.from_iterable(names)) == list("01234")


def test_the_first_host_that_fails_stops_the_others_and_fails_the_job(
    emulator: Emulator,
) -> None:
    name = unique("first")
    script = """
import json, signal, sys, time
host = json.load(open('/opt/ml/input/config/resourceconfig.json'))['current_host']
open('/opt/ml/model/' + host, 'w').close()
def told(*_):
    print('algo-1 was told', flush=True)
    sys.exit(7)
if host == 'algo-1':
    signal.signal(signal.SIGTERM, told)
    while True:
        time.sleep(0.1)
time.sleep(1)
open('/opt/ml/output/failure', 'w').write('algo-2 broke')
sys.exit(3)
"""
    bucket = emulator.train(
        name,
        python=line(script),
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
    )
    job = emulator.ended(name)
    assert job["FailureReason"] == "AlgorithmError: algo-2 broke, exit code: 3"
    assert emulator.output(name) == ["algo-1 was told"]
    assert set(model(emulator, bucket, name)) == {"algo-1", "algo-2"}


def test_an_isolated_container_has_nobody_to_call(emulator: Emulator) -> None:
    name, bucket = unique("isolated"), emulator.bucket()
    put(emulator, bucket, {"in/x": b"data"})
    emulator.train(
        name,
        bucket=bucket,
        python="import os; print(sorted(os.listdir('/sys/class/net')));"
        "print('AWS_ENDPOINT_URL' in os.environ); print(os.listdir('/opt/ml/input/data/train'))",
        EnableNetworkIsolation=True,
        InputDataConfig=[channel("train", f"s3://{bucket}/in/")],
    )
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    assert emulator.output(name) == ["['lo']", "False", "['x']"]


def test_a_name_can_be_used_again_at_once_after_deletion(emulator: Emulator) -> None:
    name = unique("again")
    for number in range(3):
        bucket = emulator.train(name, shell=f"echo {number} > /opt/ml/model/{number}")
        job = emulator.ended(name)
        emulator.client("sagemaker").delete_training_job(TrainingJobName=name)
        assert job["TrainingJobStatus"] == "Completed"
        assert archive(emulator, bucket, f"out/{name}/output/model.tar.gz") == {
            f"{number}": f"{number}\n".encode()
        }
