"""Patient clients are quick here: what takes two seconds does not cost half a minute of polling.

Times are compared with what a client as written waits at least, which no slow machine reaches.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from environments import Shell
from outside import Outside

from tests.system.running_emulator import IMAGE, Emulator, unique

pytestmark = pytest.mark.docker
Shells = Callable[..., Shell]
AS_WRITTEN = 30.0
"""Seconds after which an SDK as written describes a job for the second time, or an endpoint for
the first."""
LINES = "import time; [(print('line', n, flush=True), time.sleep(0.5)) for n in range({lines})]"
TRAIN = LINES.format(lines=4)
ESTIMATOR = """
import contextlib, io, json, sys, time
import sagemaker
from sagemaker.estimator import Estimator

def estimator(script):
    role = sagemaker.get_execution_role()
    if sagemaker.__version__.startswith("1."):
        made = Estimator({image!r}, role, 1, "ml.m5.large")
    else:
        made = Estimator({image!r}, role, instance_count=1, instance_type="ml.m5.large")
    made.set_hyperparameters(python=script)
    return made

def timed(call, **arguments):
    begun, printed = time.monotonic(), io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = call(**arguments)
    return result, time.monotonic() - begun, printed.getvalue()
"""


@pytest.fixture(scope="module", autouse=True)
def image(scripted_image: str) -> None:
    """Have the scripted image."""


def report(opened: Shell, script: str) -> Any:
    """Run a script after ESTIMATOR; returns the JSON that it prints last."""
    printed = opened.python(ESTIMATOR.format(image=IMAGE) + script)
    return json.loads(printed.splitlines()[-1])


# Version 2 as written sleeps five seconds first, and would find a shorter job completed.
@pytest.mark.parametrize("version, lines", [("v1", 4), ("v2", 12)])
def test_fit_and_deploy_return_soon_after_the_work_is_done(
    version: str, lines: int, shell: Shells
) -> None:
    script = f"""
job = estimator("open('/opt/ml/model/weights', 'w').close();" + {LINES.format(lines=lines)!r})
_, fitting, printed = timed(job.fit)
predictor, deploying, _ = timed(job.deploy, initial_instance_count=1, instance_type="ml.m5.large")
predictor.delete_endpoint()
print(json.dumps([fitting, deploying, printed]))
"""
    with Outside() as outside:
        opened = shell(version)
        opened.environment.update(outside.variables)
        fitting, deploying, printed = report(opened, script)
        assert not outside.called, "usage reports stay on this machine"
    assert (fitting < AS_WRITTEN, deploying < AS_WRITTEN) == (True, True)
    assert re.findall(r"line (\d+)", printed) == [str(number) for number in range(lines)]
    statuses = re.findall(r"(Starting|Training|Uploading|Completed) - ", printed)
    assert list(dict.fromkeys(statuses)) == ["Starting", "Training", "Uploading", "Completed"]
    assert "Training seconds: " in printed


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_failing_job_raises_with_our_reason(
    version: str, shell: Shells, emulator: Emulator
) -> None:
    script = """
job = estimator("open('/opt/ml/output/failure', 'w').write('no luck'); raise SystemExit(3)")
try:
    timed(job.fit)
except Exception as error:
    print(json.dumps([type(error).__name__, str(error), job.latest_training_job.name]))
"""
    kind, text, name = report(shell(version), script)
    reason = emulator.job(name)["FailureReason"]
    assert kind == "UnexpectedStatusException"
    assert "no luck" in reason
    assert reason in text


def test_a_timeout_of_the_user_is_measured_in_real_seconds(shell: Shells) -> None:
    script = f"""
job = estimator({TRAIN!r})
job.fit(wait=False)
log = dict(job_name=job.latest_training_job.name, wait=True, timeout=60)
_, _, printed = timed(job.sagemaker_session.logs_for_job, poll=100, **log)
print(json.dumps(printed))
"""
    printed = report(shell("v2"), script)
    assert "Timeout Exceeded" not in printed
    assert "Completed - " in printed


def test_the_waiters_of_boto3_ask_often(shell: Shells, emulator: Emulator) -> None:
    name = unique("waited-for")
    emulator.train(name, python=TRAIN)
    begun = time.monotonic()
    shell("v1").python(
        "import boto3; sagemaker = boto3.client('sagemaker');"
        "waiter = sagemaker.get_waiter('training_job_completed_or_stopped');"
        f"waiter.wait(TrainingJobName={name!r}, WaiterConfig={{'MaxAttempts': 2}})"
    )
    assert time.monotonic() - begun < AS_WRITTEN
    assert emulator.job(name)["TrainingJobStatus"] == "Completed"


def test_the_waiters_of_the_command_line_ask_often(shell: Shells, emulator: Emulator) -> None:
    name, opened = unique("waited-for"), shell("v2")
    emulator.train(name, python=TRAIN)
    begun = time.monotonic()
    wait = ["aws", "sagemaker", "wait", "training-job-completed-or-stopped"]
    subprocess.run(
        [*wait, "--training-job-name", name],
        env=opened.environment,
        cwd=opened.home,
        check=True,
        timeout=200,
    )
    assert time.monotonic() - begun < AS_WRITTEN
    assert emulator.job(name)["TrainingJobStatus"] == "Completed"
