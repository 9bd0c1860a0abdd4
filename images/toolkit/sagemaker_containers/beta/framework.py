"""The modules that scripts import from here; nearly all of Amazon's later toolkits."""

from sagemaker_inference import transformer
from sagemaker_training import (
    content_types,
    encoders,
    entry_point,
    errors,
    files,
    functions,
    mapping,
    modules,
    mpi,
    params,
    process,
    runner,
    trainer,
)
from sagemaker_training import logging_config as logging

from sagemaker_containers import _env as env
from sagemaker_containers import training_env
from sagemaker_containers.beta import worker

__all__ = [
    "content_types",
    "encoders",
    "entry_point",
    "env",
    "errors",
    "files",
    "functions",
    "logging",
    "mapping",
    "modules",
    "mpi",
    "params",
    "process",
    "runner",
    "trainer",
    "training_env",
    "transformer",
    "worker",
]
