"""Writes down all that a script is given: arguments, variables, files, packages."""

import json
import os
import pathlib
import sys

import answer
import sagemaker_containers

job = sagemaker_containers.training_env()
pathlib.Path("/opt/ml/checkpoints/state").write_text("saved")
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "seen.json").write_text(
    json.dumps(
        {
            "arguments": sys.argv[1:],
            "environment": dict(os.environ),
            "directory": os.getcwd(),
            "files": sorted(os.listdir()),
            "answer": answer.VALUE,
            "job": {
                "hyperparameters": job.hyperparameters,
                "channels": job.channel_input_dirs,
                "hosts": [job.current_host, job.hosts],
                "model_dir": job.model_dir,
                "output_data_dir": job.output_data_dir,
                "num_gpus": job.num_gpus,
            },
        }
    )
)
