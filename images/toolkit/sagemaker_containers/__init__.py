"""The names of `sagemaker-containers` that scripts import, on the toolkits that came after it.

Amazon's images of that time had it, so scripts of that time call it; it does not import on this
Python. What a script gets is the same: its hyperparameters, channels, hosts and directories.
"""

from sagemaker_containers._env import TrainingEnv


def training_env() -> TrainingEnv:
    """Return what the training job that this process is part of is like."""
    return TrainingEnv()
