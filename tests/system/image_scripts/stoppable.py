"""Works until it is told to stop, and saves what it has."""

import os
import pathlib
import signal
import sys


def save_and_leave(signum, frame):
    pathlib.Path(os.environ["SM_MODEL_DIR"], "saved").write_text("on SIGTERM")
    sys.exit(0)


signal.signal(signal.SIGTERM, save_and_leave)
sys.stdout.write("working\n")
sys.stdout.flush()
while True:
    signal.pause()
