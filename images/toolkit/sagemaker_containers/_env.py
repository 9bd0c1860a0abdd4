"""What was `sagemaker_containers._env`, `framework.env` to scripts: where and what this job is."""

from sagemaker_inference.environment import Environment as ServingEnv
from sagemaker_training.environment import *  # noqa: F403
from sagemaker_training.environment import Environment as TrainingEnv

__all__ = ["ServingEnv", "TrainingEnv"]
