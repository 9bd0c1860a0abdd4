"""Training with Chainer: one process, or MPI when there are more hosts or the job asks for it.

The hyperparameters are those that the SDK's Chainer estimator sends.
"""

from typing import Any

from sagemaker_training import entry_point, environment, params, runner


def uses_mpi(parameters: dict[str, Any], hosts: list[str]) -> bool:
    """Tell whether the script runs under MPI: as the job says, else when it has several hosts."""
    return bool(parameters.get("sagemaker_use_mpi", len(hosts) > 1))


def mpi_options(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the toolkit's MPI options for the hyperparameters that the job has."""
    options = {
        "sagemaker_process_slots_per_host": params.MPI_PROCESSES_PER_HOST,
        "sagemaker_num_processes": params.MPI_NUM_PROCESSES,
        "sagemaker_additional_mpi_options": params.MPI_CUSTOM_OPTIONS,
    }
    return {option: parameters[name] for name, option in options.items() if parameters.get(name)}


def main() -> None:
    """Run the user's script; called by the toolkit, which reports success and failure."""
    job = environment.Environment()
    parameters = job.additional_framework_parameters
    mpi = uses_mpi(parameters, job.hosts)
    entry_point.run(
        uri=job.module_dir,
        user_entry_point=job.user_entry_point,
        args=job.to_cmd_args(),
        env_vars=job.to_env_vars(),
        runner_type=runner.MPIRunnerType if mpi else runner.ProcessRunnerType,
        extra_opts=mpi_options(parameters),
    )
