"""Writes down all that a script is given: arguments, variables, files, packages."""

import json
import os
import pathlib
import sys

import answer

pathlib.Path("/opt/ml/checkpoints/state").write_text("saved")
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "seen.json").write_text(
    json.dumps(
        {
            "arguments": sys.argv[1:],
            "environment": dict(os.environ),
            "directory": os.getcwd(),
            "files": sorted(os.listdir()),
            "answer": answer.VALUE,
        }
    )
)
