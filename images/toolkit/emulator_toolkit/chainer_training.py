"""Training with Chainer: one process, or MPI when there are more hosts or the job asks for it.

The hyperparameters are those that the SDK's Chainer estimator sends. The toolkit knows others: left
to itself it finds no host for MPI in a cluster of instance groups, which every job's is. So the
runners are made here, for all hosts of the job.
"""

from typing import Any

from sagemaker_training import entry_point, environment, mpi, process, runner


def uses_mpi(parameters: dict[str, Any], hosts: list[str]) -> bool:
    """Tell whether the script runs under MPI: as the job says, else when it has several hosts."""
    return bool(parameters.get("sagemaker_use_mpi", len(hosts) > 1))


def mpi_runner(job: environment.Environment) -> process.ProcessRunner:
    """Return what runs the script under MPI on the first host and serves it on the others."""
    parameters, master = job.additional_framework_parameters, job.hosts[0]
    slots = int(parameters.get("sagemaker_process_slots_per_host") or max(1, job.num_gpus))
    script = (job.user_entry_point, job.to_cmd_args(), job.to_env_vars(), slots, master)
    if job.current_host != master:
        return mpi.WorkerRunner(*script, job.current_host)
    return mpi.MasterRunner(
        *script,
        job.hosts,
        parameters.get("sagemaker_additional_mpi_options") or "",
        job.network_interface_name,
        num_processes=parameters.get("sagemaker_num_processes"),
        instance_type=job.current_instance_type,
    )


def main() -> None:
    """Run the user's script; called by the toolkit, which reports success and failure."""
    job = environment.Environment()
    mpi_wanted = uses_mpi(job.additional_framework_parameters, job.hosts)
    entry_point.run(
        uri=job.module_dir,
        user_entry_point=job.user_entry_point,
        args=job.to_cmd_args(),
        env_vars=job.to_env_vars(),
        runner_type=mpi_runner(job) if mpi_wanted else runner.ProcessRunnerType,
    )
