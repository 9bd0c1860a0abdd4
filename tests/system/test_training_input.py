"""What comes into a training container from S3, and its checkpoints (contract B9, B10)."""

import json

import pytest
from running_emulator import Emulator, eventually, unique
from training_data import channel, line, model, put, read, seen

pytestmark = pytest.mark.docker


def test_a_prefix_is_matched_as_text_and_odd_keys_keep_their_shape(emulator: Emulator) -> None:
    name, bucket = unique("keys"), emulator.bucket()
    odd = ["spaces in it.txt", "ünï/ço∂é", "a+b&c=d?e#f%20g", "-dash", "quote'\"s", "new\\slash"]
    put(
        emulator,
        bucket,
        {
            "p/train/x": b"1",
            "p/train2/y": b"2",
            "p/train/marker/": b"",
            "p/other": b"3",
            **{f"odd/{key}": b"o" for key in odd},
        },
    )
    report = seen(
        emulator,
        name,
        bucket=bucket,
        InputDataConfig=[
            channel("text", f"s3://{bucket}/p/train"),
            channel("folder", f"s3://{bucket}/p/train/"),
            channel("single", f"s3://{bucket}/p/other"),
            channel("odd", f"s3://{bucket}/odd"),
        ],
    )
    assert report["data"] == sorted(
        ["text/x", "text/train2/y", "folder/x", "single/other", *(f"odd/{key}" for key in odd)]
    )


def test_many_channels_and_a_manifest_arrive_side_by_side(emulator: Emulator) -> None:
    name, bucket = unique("channels"), emulator.bucket()
    put(
        emulator,
        bucket,
        {
            **{f"c/{number}/file": b"%d" % number for number in range(19)},
            "manifest": json.dumps([{"prefix": f"s3://{bucket}/c/"}, "3/file", "11/file"]).encode(),
        },
    )
    report = seen(
        emulator,
        name,
        bucket=bucket,
        InputDataConfig=[
            *(channel(f"c{number}", f"s3://{bucket}/c/{number}/") for number in range(19)),
            channel("listed", f"s3://{bucket}/manifest", data_type="ManifestFile"),
        ],
    )
    assert report["data"] == sorted(
        [
            *(f"c{number}/file" for number in range(19)),
            *("listed/11/file", "listed/3/file", "listed-manifest"),
        ]
    )


def test_thousands_of_objects_are_staged(emulator: Emulator) -> None:
    name, bucket = unique("thousands"), emulator.bucket()
    put(emulator, bucket, {f"many/{number % 7}/{number}": b"%d" % number for number in range(3000)})
    emulator.train(
        name,
        bucket=bucket,
        shell="find /opt/ml/input/data/train -type f | wc -l;"
        " find /opt/ml/input/data/train -type f | xargs cat | wc -c",
        InputDataConfig=[channel("train", f"s3://{bucket}/many/")],
    )
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    assert emulator.output(name) == ["3000", str(sum(len(str(n)) for n in range(3000)))]


def test_a_container_never_changes_an_object_through_its_input(emulator: Emulator) -> None:
    name, bucket = unique("input"), emulator.bucket()
    bodies = {f"in/{verb}": b"original" for verb in ("w", "t", "a", "c", "d", "m", "s")}
    put(emulator, bucket, bodies)
    emulator.train(
        name,
        bucket=bucket,
        shell="cd /opt/ml/input/data/train; printf changed > w; : > t; echo more >> a; chmod 777 c;"
        " rm d; mv m moved; touch -d 2001-01-01 s; dd if=/dev/zero of=a bs=1 count=2 conv=notrunc;"
        " echo new > added; cat w; echo",
        InputDataConfig=[channel("train", f"s3://{bucket}/in/")],
    )
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    assert "changed" in emulator.output(name)
    assert {key: read(emulator, bucket, key) for key in emulator.keys(bucket, "in/")} == bodies


def test_checkpoints_are_restored_at_the_start_and_mirrored_to_s3(emulator: Emulator) -> None:
    name, bucket = unique("checkpoints"), emulator.bucket()
    put(emulator, bucket, {"ck/epoch-1": b"one", "ck/deep/state": b"s", "ckother/x": b"no"})
    script = """
import os, time
home = '/opt/ml/checkpoints'
print(sorted(os.path.relpath(os.path.join(f, n), home) for f, _, ns in os.walk(home) for n in ns))
open(home + '/epoch-2', 'w').write('two')
os.remove(home + '/epoch-1')
open(home + '/deep/state', 'w').write('changed')
print('written', flush=True)
while not os.path.exists('/opt/ml/output/go'):
    time.sleep(0.05)
open(home + '/last', 'w').write('at the end')
"""
    emulator.train(
        name,
        bucket=bucket,
        python=line(script),
        CheckpointConfig={"S3Uri": f"s3://{bucket}/ck"},
    )
    wanted = ["ck/deep/state", "ck/epoch-2", "ckother/x"]
    eventually(lambda: emulator.keys(bucket, "ck") == wanted, what="mirrored during the job")
    (root,) = emulator.state.glob(f"jobs/*/*/{name}/algo-1")
    (root / "output" / "go").touch()
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    # A URI without a slash at its end stands for all keys that begin so.
    assert emulator.output(name)[0] == "['ckother/x', 'deep/state', 'epoch-1']"
    assert emulator.keys(bucket, "ck/") == ["ck/deep/state", "ck/epoch-2", "ck/last"]
    assert read(emulator, bucket, "ck/deep/state") == b"changed"
    assert read(emulator, bucket, "ck/last") == b"at the end"


def test_a_checkpoint_bucket_that_goes_does_not_cost_the_model(emulator: Emulator) -> None:
    name, absent = unique("uncheckpointed"), emulator.bucket()
    bucket = emulator.train(
        name,
        shell="echo running; until test -e /opt/ml/output/go; do sleep 0.05; done;"
        " echo c > /opt/ml/checkpoints/c; echo w > /opt/ml/model/w",
        CheckpointConfig={"S3Uri": f"s3://{absent}/ck"},
    )
    eventually(lambda: emulator.output(name) == ["running"])
    emulator.client("s3").delete_bucket(Bucket=absent)
    (root,) = emulator.state.glob(f"jobs/*/*/{name}/algo-1")
    (root / "output" / "go").touch()
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == (
        f"ClientError: Artifact upload failed:The S3 bucket '{absent}' does not exist"
    )
    assert model(emulator, bucket, name) == {"w": b"w\n"}
