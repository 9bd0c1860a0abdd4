"""Training on two hosts with the frameworks' own means: MXNet's parameter server, and MPI."""

import pytest
from framework_jobs import CHAINER, run_script
from running_emulator import Emulator, eventually, unique
from training_data import assert_gone, model

pytestmark = pytest.mark.docker

SERVERS = {"sagemaker_parameter_server_enabled": True}
HOSTS = ("algo-1", "algo-2")


def output_of(emulator: Emulator, name: str, host: str) -> list[str]:
    return emulator.log_lines("/aws/sagemaker/TrainingJobs", f"{name}/{host}-")


def order_of(emulator: Emulator, name: str) -> str:
    """Return what the emulator's own log says of how a job's hosts have ended."""
    before = f"TrainingJob/{name}: exit codes in order: "
    lines = emulator.log.read_text().splitlines()
    [found] = [line.partition(before)[2] for line in lines if before in line]
    return found


def assert_one_model(emulator: Emulator, name: str, bucket: str, *, file: str) -> None:
    """Assert that both hosts ended well and left one model between them, and nothing else."""
    job = emulator.ended(name, within=120)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert sorted(order_of(emulator, name).split(", ")) == ["algo-1 with 0", "algo-2 with 0"]
    assert file in model(emulator, bucket, name)
    for host in HOSTS:
        assert any("Reporting training SUCCESS" in line for line in output_of(emulator, name, host))
    assert_gone(emulator, name)


def test_two_hosts_train_one_model_over_parameter_servers(emulator: Emulator) -> None:
    name = unique("servers")
    bucket = run_script(emulator, name, "mxnet_cluster.py", hosts=2, hyperparameters=SERVERS)
    assert_one_model(emulator, name, bucket, file="model-0000.params")
    ranks = [
        [line for line in output_of(emulator, name, host) if line.startswith("INFO:root:worker")]
        for host in HOSTS
    ]
    assert sorted(ranks) == [["INFO:root:worker 0 of 2"], ["INFO:root:worker 1 of 2"]]


def test_servers_that_nobody_uses_do_not_keep_the_job_from_ending(emulator: Emulator) -> None:
    name = unique("idle")
    idle = {**SERVERS, "epochs": 1, "learning-rate": 0.1}
    bucket = run_script(emulator, name, "mxnet_module.py", hosts=2, hyperparameters=idle)
    assert_one_model(emulator, name, bucket, file="model-0000.params")
    for host in HOSTS:
        assert "loaded 40 pictures by workers" in output_of(emulator, name, host)


def test_a_killed_host_ends_the_job_and_the_other_host(emulator: Emulator) -> None:
    name = unique("killed")
    run_script(
        emulator,
        name,
        "mxnet_cluster.py",
        hosts=2,
        hyperparameters={**SERVERS, "endless": True},
    )

    def epochs() -> bool:
        return all(
            any("Epoch[1]" in line for line in output_of(emulator, name, host)) for host in HOSTS
        )

    eventually(epochs, what="both hosts train")
    [second] = emulator.containers(name=name, host="algo-2")
    second.kill()
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: , exit code: 137"
    assert order_of(emulator, name).startswith("algo-2 with 137, algo-1 with ")
    assert_gone(emulator, name)
    for host in HOSTS:
        assert any("Epoch[1]" in line for line in output_of(emulator, name, host))


def test_the_first_host_that_fails_gives_the_reason_and_ends_the_others(
    emulator: Emulator,
) -> None:
    name = unique("fails")
    run_script(
        emulator,
        name,
        "mxnet_cluster.py",
        hosts=2,
        hyperparameters={**SERVERS, "fail-on": "algo-2"},
    )
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert 'ErrorMessage "ValueError: this host has had enough"' in job["FailureReason"]
    assert order_of(emulator, name).startswith("algo-2 with 1, algo-1 with ")
    assert_gone(emulator, name)


@pytest.mark.slow
def test_two_hosts_train_one_model_by_mpi(emulator: Emulator) -> None:
    name = unique("mpi")
    bucket = run_script(
        emulator,
        name,
        "chainer_mlp.py",
        image=CHAINER,
        hosts=2,
        hyperparameters={"sagemaker_use_mpi": True},
    )
    assert_one_model(emulator, name, bucket, file="model.npz")
    assert any("Process rank: 1" in line for line in output_of(emulator, name, "algo-1"))
    assert any("MPI process finished." in line for line in output_of(emulator, name, "algo-2"))


@pytest.mark.slow
def test_two_hosts_run_two_processes_each_by_mpi(emulator: Emulator) -> None:
    """As versions 1 and 2 of the SDK ask for it: `distribution={"mpi": {"enabled": True, …}}`."""
    name = unique("ranks")
    bucket = run_script(
        emulator,
        name,
        "mpi_ranks.py",
        hosts=2,
        hyperparameters={
            "sagemaker_mpi_enabled": True,
            "sagemaker_mpi_num_of_processes_per_host": 2,
            "sagemaker_mpi_custom_mpi_options": "-verbose",
        },
    )
    assert_one_model(emulator, name, bucket, file="sum.params")
    said = [line for line in output_of(emulator, name, "algo-1") if "knows the sum" in line]
    assert sorted(line.partition("rank ")[2] for line in said) == [
        f"{rank} of 4 on {host} knows the sum 6"
        for rank, host in enumerate(["algo-1", "algo-1", "algo-2", "algo-2"])
    ]
