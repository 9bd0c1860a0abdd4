"""What is served is what the framework computes, to the last digit."""

import ast
import io
import json
from pathlib import Path

import docker
import numpy as np
import pytest
from image_containers import SCRIPTS, model_of, npy, serving, train, write_job

from emulator.catalogue.table import local_name

pytestmark = pytest.mark.docker
ROWS = [[1.0, 2.0], [0.1, 0.7], [-3.3, 1e-3], [123.456, 7.89]]


def in_process(client: docker.DockerClient, image: str, root: Path, script: str) -> list[str]:
    """Return what the framework itself predicts in a process of the same image, digit by digit."""
    mounts = {str(root): "/opt/ml", str(SCRIPTS): "/scripts"}
    said = client.containers.run(
        local_name(image),
        ["python", f"/scripts/{script}", json.dumps(ROWS)],
        volumes={host: {"bind": there, "mode": "ro"} for host, there in mounts.items()},
        environment={"OMP_NUM_THREADS": "1"},
        remove=True,
    )
    return [repr(value) for value in ast.literal_eval(said.decode())]


@pytest.mark.parametrize(
    "trains, serves, script, here",
    [
        *(
            (
                f"mxnet-training:{v}",
                f"mxnet-inference:{v}",
                "mxnet_linear.py",
                "mxnet_linear_here.py",
            )
            for v in ("1.4.1", "1.9.1")
        ),
        ("chainer", "chainer", "chainer_linear.py", "chainer_linear.py"),
    ],
    ids=["MXNet 1.4.1", "MXNet 1.9.1", "Chainer"],
)
def test_a_served_number_is_the_frameworks_own(
    client: docker.DockerClient, tmp_path: Path, trains: str, serves: str, script: str, here: str
) -> None:
    job = write_job(tmp_path / "job", script)
    code, log = train(client, trains, job)
    assert code == 0, log
    served_by = script if trains == serves else None
    root = model_of(job, tmp_path / "served", served_by)
    program = {"SAGEMAKER_PROGRAM": script} if served_by else {}
    with serving(client, serves, root, **program) as server:
        as_json = server.invoke(json.dumps(ROWS).encode(), "application/json", "application/json")
        rows = npy(np.array(ROWS, dtype="float32"))
        as_npy = server.invoke(rows, "application/x-npy", "application/x-npy")
    answers = [
        np.array(json.loads(as_json[2])).ravel().tolist(),
        np.load(io.BytesIO(as_npy[2])).ravel().tolist(),
    ]
    expected = in_process(client, serves, root, here)
    assert [[repr(value) for value in answer] for answer in answers] == [expected] * 2
    truth = [2 * row[0] + 1.5 * row[1] for row in ROWS]
    assert [float(value) for value in expected] == pytest.approx(truth, rel=1e-2, abs=1e-2)
