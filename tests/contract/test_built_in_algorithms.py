"""What a job gets beyond its request when its image is one of Amazon's algorithms."""

import re

import pytest

ALGORITHM = "433757028032.dkr.ecr.us-west-2.amazonaws.com/image-classification:1"
FRAMEWORK = "763104351884.dkr.ecr.us-west-2.amazonaws.com/mxnet-training:1.9.0-cpu-py38"
LINE = "[11/21/2026 01:35:21 INFO 139782187484992] Epoch[2] {}=0.666667"


def definitions(sagemaker, job_request, image, **specification):
    request = job_request("Job-1")
    request["AlgorithmSpecification"] = {
        "TrainingImage": image,
        "TrainingInputMode": "File",
        **specification,
    }
    sagemaker.create_training_job(**request)
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    return job["AlgorithmSpecification"].get("MetricDefinitions")


@pytest.mark.parametrize(
    "metric, line",
    [("train:accuracy", "Train-accuracy"), ("validation:accuracy", "Validation-accuracy")],
)
def test_an_algorithm_of_amazon_has_its_metrics(sagemaker, job_request, metric, line):
    found = definitions(sagemaker, job_request, ALGORITHM)
    patterns = {definition["Name"]: definition["Regex"] for definition in found}
    assert sorted(patterns) == ["train:accuracy", "validation:accuracy"]
    values = {name: re.findall(regex, LINE.format(line)) for name, regex in patterns.items()}
    assert values == {name: ["0.666667"] if name == metric else [] for name in patterns}


def test_metrics_of_the_request_come_first_and_win(sagemaker, job_request):
    given = [
        {"Name": "train:accuracy", "Regex": "mine=(.*)"},
        {"Name": "speed", "Regex": "Speed: (.*?) samples"},
    ]
    found = definitions(sagemaker, job_request, ALGORITHM, MetricDefinitions=given)
    assert found[:2] == given
    assert [definition["Name"] for definition in found[2:]] == ["validation:accuracy"]


def test_any_other_image_has_the_metrics_that_it_was_given(sagemaker, job_request):
    assert definitions(sagemaker, job_request, FRAMEWORK) is None
