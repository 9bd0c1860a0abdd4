"""The `train` command: Amazon's training toolkit, with signals and with the emulator for AWS.

The toolkit passes no signal on: the user's script would never learn that its job is being stopped.
Everything else is the toolkit's.
"""

import os
import signal
import sys
from types import FrameType

from emulator_toolkit import endpoint

STOPPED = 128 + signal.SIGTERM


def forward(signum: int, frame: FrameType | None) -> None:
    """Pass the signal on to every process below this one; without any, exit as it asks."""
    import psutil

    children = psutil.Process().children(recursive=True)
    if not children:
        sys.exit(STOPPED)
    for child in children:
        try:
            child.send_signal(signum)
        except psutil.NoSuchProcess:
            continue


def main() -> None:
    """Run the training job that /opt/ml/input/config describes."""
    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGINT, forward)
    endpoint.apply()
    os.makedirs("/opt/ml/output/data", exist_ok=True)
    os.makedirs("/opt/ml/model", exist_ok=True)

    from sagemaker_training import trainer

    trainer.train()
