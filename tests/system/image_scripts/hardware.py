"""Says what it runs on."""

import json
import os
import pathlib
import sys

cluster = json.loads(pathlib.Path("/opt/ml/input/config/resourceconfig.json").read_text())
assert cluster["current_instance_type"] == os.environ["SM_CURRENT_INSTANCE_TYPE"]
sys.stdout.write(
    f"instance type {cluster['current_instance_type']}, GPUs {os.environ['SM_NUM_GPUS']}\n"
)
