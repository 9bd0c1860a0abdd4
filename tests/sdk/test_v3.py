"""SDK v3 from a script to a prediction: ModelTrainer and ModelBuilder, and v3's local mode.

v3 has no classes for MXNet; its generic ones take the image's URI and a script.
"""

import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from environments import ROOT, Shell
from outside import Outside

from tests.system.running_emulator import Emulator, engine, eventually, unique

pytestmark = pytest.mark.docker
Shells = Callable[..., Shell]
SCRIPT = """
import argparse, json, os
import mxnet as mx

parser = argparse.ArgumentParser()
parser.add_argument("--slope", type=float)
arguments = parser.parse_args()
print("the slope is", arguments.slope)
with open(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "rows.csv")) as file:
    other = float(file.read())
out = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=1, name="fc")
module = mx.mod.Module(out, label_names=None)
module.bind([("data", (1, 2))], for_training=False)
weights = {"fc_weight": mx.nd.array([[arguments.slope, other]]), "fc_bias": mx.nd.zeros(1)}
module.set_params(weights, {})
module.save_checkpoint(os.path.join(os.environ["SM_MODEL_DIR"], "model"), 0)
with open(os.path.join(os.environ["SM_MODEL_DIR"], "model-shapes.json"), "w") as file:
    json.dump([{"name": "data", "shape": [1, 2]}], file)
"""
SETTING = """
import json, sys
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.resources import EndpointConfig
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

session, role = Session(), get_execution_role()

def image(scope, version):
    return image_uris.retrieve(
        "mxnet", session.boto_region_name, version=version[0], py_version=version[1],
        instance_type="ml.m5.large", image_scope=scope,
    )

def trainer(version, **arguments):
    return ModelTrainer(
        training_image=image("training", version),
        source_code=SourceCode(source_dir="source", entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        base_job_name="linear", role=role, sagemaker_session=session, **arguments,
    )
"""
JOURNEY = """
version, name = {version!r}, {name!r}
rows = session.upload_data("rows.csv", key_prefix="rows")
trained = trainer(version, hyperparameters={{"slope": 2.0}})
trained.train(input_data_config=[InputData(channel_name="train", data_source=rows)])
job = trained._latest_training_job
builder = ModelBuilder(
    image_uri=image("inference", version),
    s3_model_data_url=job.model_artifacts.s3_model_artifacts,
    role_arn=role, sagemaker_session=session, instance_type="ml.m5.large",
)
model = builder.build(model_name=name)
endpoint = builder.deploy(
    endpoint_name=name, instance_type="ml.m5.large", initial_instance_count=1
)
reply = endpoint.invoke(
    body=json.dumps([[1, 2]]), content_type="application/json", accept="application/json"
)
predicted = json.loads(reply.body.read())
configuration = EndpointConfig.get(endpoint.endpoint_config_name)
for resource in (endpoint, configuration, model):
    resource.delete()
print()
print(json.dumps([job.training_job_name, job.training_job_status, predicted]))
"""
LOCAL = """
import os
from sagemaker.core.local.local_session import LocalSession
from sagemaker.train.model_trainer import Mode

session = LocalSession()
rows = session.upload_data("rows.csv", key_prefix="local-rows").rpartition("/")[0]
os.mkdir({project!r})  # docker-compose's project has the name of its directory
trained = ModelTrainer(
    training_image=image("training", ("1.9.0", "py38")), training_mode=Mode.LOCAL_CONTAINER,
    local_container_root=os.path.abspath({project!r}),
    source_code=SourceCode(source_dir="source", entry_script="train.py"),
    compute=Compute(instance_type="local_cpu", instance_count=1),
    hyperparameters={{"slope": 2.0}}, base_job_name="local", role=role, sagemaker_session=session,
)
trained.train(input_data_config=[InputData(channel_name="train", data_source=rows)])
print()
print("null")
"""
RANKS = """
import sys
from mpi4py import MPI
total = MPI.COMM_WORLD.allreduce(MPI.COMM_WORLD.rank)
# In one piece, or the processes write into each other's lines.
sys.stdout.write(f"rank {MPI.COMM_WORLD.rank} knows the sum {total}\\n")
"""
DISTRIBUTED = """
from sagemaker.train.distributed import MPI
trained = trainer(("1.9.0", "py38"), distributed=MPI(process_count_per_node=2))
trained.train()
print()
print(json.dumps(trained._latest_training_job.training_job_name))
"""
FAILURE = """
try:
    trainer(("1.9.0", "py38")).train()
except Exception as error:
    print()
    print(json.dumps([type(error).__name__, str(error)]))
"""


def run(opened: Shell, script: str, code: str) -> Any:
    """Run a script with `code` as the user's train.py; returns the JSON that it prints last."""
    (opened.home / "source").mkdir()
    (opened.home / "source" / "train.py").write_text(code)
    (opened.home / "rows.csv").write_text("1.5\n")
    return json.loads(opened.python(SETTING + script).splitlines()[-1])


def remove_project(name: str) -> None:
    """Remove the containers that the SDK's local mode leaves behind."""
    client = engine()
    try:
        label = {"label": f"com.docker.compose.project={name}"}
        for container in client.containers.list(all=True, filters=label):
            container.remove(force=True)
    finally:
        client.close()


@pytest.mark.parametrize("version", [("1.9.0", "py38"), ("1.4.1", "py3")], ids=lambda v: v[0])
def test_a_script_becomes_a_prediction(
    version: tuple[str, str], shell: Shells, emulator: Emulator
) -> None:
    name = "linear-" + re.sub(r"\W", "-", version[0])
    with Outside() as outside:
        opened = shell("v3")
        opened.environment.update(outside.variables)
        job, status, predicted = run(opened, JOURNEY.format(version=version, name=name), SCRIPT)
        assert not outside.called, "usage reports stay on this machine"
    assert status == "Completed"
    assert predicted == [[5.0]]
    image = emulator.job(job)["AlgorithmSpecification"]["TrainingImage"]
    assert f"mxnet-training:{version[0]}-cpu" in image
    assert emulator.output(job).count("the slope is 2.0") == 1
    sagemaker = emulator.client("sagemaker")
    eventually(lambda: not sagemaker.list_endpoints(NameContains=name)["Endpoints"])
    assert sagemaker.list_models(NameContains=name)["Models"] == []


def test_the_example_tells_digits_right(shell: Shells, emulator: Emulator) -> None:
    example = str(ROOT / "examples/sdk_v3/train_and_deploy.py")
    arguments = [example, "--epochs", "30"]  # the bundled digits are few
    run_it = f"runpy.run_path({example!r}, run_name='__main__')"
    printed = shell("v3").python(f"import runpy, sys; sys.argv = {arguments}; {run_it}")
    told = re.search(r"([\d.]+)% of 300 digits are told right", printed)
    assert told, printed[-3000:]
    assert float(told[1]) >= 95
    listed = emulator.client("sagemaker").list_endpoints
    eventually(lambda: not listed(NameContains="mnist-v3")["Endpoints"], what="it is gone")


def test_a_script_runs_in_two_processes_by_mpi(shell: Shells, emulator: Emulator) -> None:
    job = run(shell("v3"), DISTRIBUTED, RANKS)
    told = [line for line in emulator.output(job) if "knows the sum 1" in line]
    assert sorted(line.partition("rank ")[2][0] for line in told) == ["0", "1"]


def test_a_failing_script_raises_with_our_reason(shell: Shells) -> None:
    kind, text = run(shell("v3"), FAILURE, "raise SystemExit('the data are wrong')")
    assert kind == "FailedStatusError"
    assert "exit code" in text


def test_local_mode_trains_with_data_from_s3(shell: Shells) -> None:
    opened, project = shell("v3"), unique("trained-locally")
    try:
        run(opened, LOCAL.format(project=project), SCRIPT)
    finally:
        remove_project(project)
    made = opened.home / project / "compressed_artifacts" / "model.tar.gz"
    with tarfile.open(made) as archive:
        names = {Path(name).name for name in archive.getnames()}
    assert {"model-symbol.json", "model-0000.params", "model-shapes.json"} <= names
