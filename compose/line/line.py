"""A line through points: fits it by least squares, and evaluates it to serve it.

Runs unchanged in the SageMaker MXNet containers: as a training script, with the channel `train`,
and in the serving container, which calls `model_fn` and `transform_fn`.
"""
# ruff: noqa: T201  what a script prints is the job's log

import json
import os
import shutil

import numpy as np


def model_fn(model_dir):
    """Load the coefficients; called by the serving container."""
    return np.load(os.path.join(model_dir, "coefficients.npy"))


def transform_fn(coefficients, body, content_type, accept):
    """Return y for each row of x; called by the serving container for each request."""
    rows = np.array(json.loads(body), dtype=float)
    return json.dumps((rows @ coefficients).tolist()), "application/json"


if __name__ == "__main__":
    points = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "points.csv"), delimiter=",")
    coefficients, *_ = np.linalg.lstsq(points[:, :-1], points[:, -1], rcond=None)
    print("y =", " + ".join(f"{value:.3f}*x{i}" for i, value in enumerate(coefficients, start=1)))
    np.save(os.path.join(os.environ["SM_MODEL_DIR"], "coefficients.npy"), coefficients)
    # The serving container looks for the script there.
    code = os.path.join(os.environ["SM_MODEL_DIR"], "code")
    os.makedirs(code, exist_ok=True)
    shutil.copy(__file__, code)
