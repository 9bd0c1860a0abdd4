"""Pages of every native resource as an SDK's paginators see them."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from emulator.kinds import TRAINING_JOB
from emulator.lifecycle.training_job import Event

ALL = [f"name-{number:02d}" for number in range(27)]


@dataclass
class Listed:
    """One kind of resource: how it is listed and created."""

    sagemaker: Any
    operation: str
    result: str
    name: str
    create: Callable[[str], object]
    order: str = "Descending"
    by: str = "CreationTime"

    def page(self, **asked):
        return getattr(self.sagemaker, self.operation)(**asked)

    def names(self, reply):
        return [summary[self.name] for summary in reply[self.result]]

    def pages(self, **asked):
        paginator = self.sagemaker.get_paginator(self.operation)
        return [self.names(reply) for reply in paginator.paginate(**asked)]


def _jobs(sagemaker, job_request):
    return Listed(
        sagemaker,
        "list_training_jobs",
        "TrainingJobSummaries",
        "TrainingJobName",
        lambda name: sagemaker.create_training_job(**job_request(name)),
        order="Ascending",
    )


def _models(sagemaker):
    return Listed(
        sagemaker,
        "list_models",
        "Models",
        "ModelName",
        lambda name: sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": "i"}),
    )


def _configs(sagemaker, variants):
    return Listed(
        sagemaker,
        "list_endpoint_configs",
        "EndpointConfigs",
        "EndpointConfigName",
        lambda name: sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=variants
        ),
    )


def _endpoints(sagemaker, config):
    return Listed(
        sagemaker,
        "list_endpoints",
        "Endpoints",
        "EndpointName",
        lambda name: sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config),
    )


def _notebooks(sagemaker):
    role = "arn:aws:iam::123456789012:role/x"
    return Listed(
        sagemaker,
        "list_notebook_instances",
        "NotebookInstances",
        "NotebookInstanceName",
        lambda name: sagemaker.create_notebook_instance(
            NotebookInstanceName=name, InstanceType="ml.t2.medium", RoleArn=role
        ),
        order="Ascending",
        by="Name",
    )


def _lifecycle_configs(sagemaker):
    return Listed(
        sagemaker,
        "list_notebook_instance_lifecycle_configs",
        "NotebookInstanceLifecycleConfigs",
        "NotebookInstanceLifecycleConfigName",
        lambda name: sagemaker.create_notebook_instance_lifecycle_config(
            NotebookInstanceLifecycleConfigName=name
        ),
    )


KINDS = ["jobs", "models", "configs", "endpoints", "notebooks", "lifecycle configs"]


@pytest.fixture(params=KINDS)
def listed(request, sagemaker, job_request, variant):
    """Each kind of resource, with none of it there yet."""
    if request.param == "notebooks":
        return _notebooks(sagemaker)
    if request.param == "lifecycle configs":
        return _lifecycle_configs(sagemaker)
    if request.param == "jobs":
        return _jobs(sagemaker, job_request)
    if request.param == "models":
        return _models(sagemaker)
    model = request.getfixturevalue("model")
    if request.param == "configs":
        return _configs(sagemaker, [variant(ModelName=model)])
    return _endpoints(sagemaker, request.getfixturevalue("config"))


@pytest.fixture
def full(listed):
    for name in ALL:
        listed.create(name)
    return listed


def _together(pages):
    return [name for page in pages for name in page]


def test_a_page_holds_ten_by_default_and_the_pages_hold_everything_once(full):
    pages = full.pages(SortBy="Name", SortOrder="Ascending")
    assert [len(page) for page in pages] == [10, 10, 7]
    assert _together(pages) == ALL


def test_the_default_order_is_that_of_the_kind(full):
    by_default = _together(full.pages())
    asked = _together(full.pages(SortBy=full.by, SortOrder=full.order))
    assert by_default == asked
    by_default = _together(full.pages(SortBy="CreationTime", SortOrder=full.order))
    assert sorted(by_default) == ALL
    oldest_first = by_default if full.order == "Ascending" else by_default[::-1]
    created = {
        summary[full.name]: summary["CreationTime"]
        for summary in full.page(MaxResults=100)[full.result]
    }
    times = [created[name] for name in oldest_first]
    assert times == sorted(times)


@pytest.mark.parametrize("size, lengths", [(1, [1] * 27), (26, [26, 1]), (27, [27]), (100, [27])])
def test_the_last_page_has_no_token(full, size, lengths):
    assert [len(page) for page in full.pages(PaginationConfig={"PageSize": size})] == lengths


def test_an_empty_listing_is_one_empty_page(listed):
    reply = listed.page()
    assert reply[listed.result] == []
    assert "NextToken" not in reply


@pytest.mark.parametrize("listed", KINDS[1:], indirect=True)
def test_a_name_filter_goes_before_the_pages(full):
    first = full.page(NameContains="-1", MaxResults=6, SortBy="Name", SortOrder="Ascending")
    rest = full.page(
        NameContains="-1",
        MaxResults=6,
        SortBy="Name",
        SortOrder="Ascending",
        NextToken=first["NextToken"],
    )
    assert full.names(first) + full.names(rest) == [name for name in ALL if "-1" in name]
    assert "NextToken" not in rest


@pytest.mark.parametrize(
    "asked",
    [
        {"NameContains": "-1"},
        {"NameContains": "-1", "StatusEquals": "InProgress"},
        {"NameContains": "-1", "CreationTimeAfter": 0, "LastModifiedTimeAfter": 0},
    ],
)
def test_training_jobs_are_filtered_after_max_results(sagemaker, job_request, asked):
    jobs = _jobs(sagemaker, job_request)
    for name in ALL:
        jobs.create(name)
    asked = {"SortBy": "Name", "SortOrder": "Ascending", **asked}
    first = jobs.page(**asked, MaxResults=10)
    assert (jobs.names(first), "NextToken" in first) == ([], True)
    rest = jobs.page(**asked, MaxResults=12, NextToken=first["NextToken"])
    assert (jobs.names(rest), "NextToken" in rest) == (ALL[10:20], True)
    assert _together(jobs.pages(**asked, PaginationConfig={"PageSize": 4})) == ALL[10:20]
    alone = jobs.page(**asked)
    assert (jobs.names(alone), "NextToken" in alone) == (ALL[10:20], False)


def test_a_status_is_looked_for_among_as_many_training_jobs(server, sagemaker, job_request):
    for name in ALL[:4]:
        sagemaker.create_training_job(**job_request(name))
    server.happens(TRAINING_JOB, ALL[3], Event.FAULT)
    failed = {"StatusEquals": "Failed", "SortBy": "Name", "SortOrder": "Ascending"}
    reply = sagemaker.list_training_jobs(**failed, MaxResults=3)
    assert (reply["TrainingJobSummaries"], "NextToken" in reply) == ([], True)
    (job,) = sagemaker.list_training_jobs(**failed, MaxResults=4)["TrainingJobSummaries"]
    assert job["TrainingJobName"] == ALL[3]
    (job,) = sagemaker.list_training_jobs(**failed)["TrainingJobSummaries"]
    assert job["TrainingJobName"] == ALL[3]


@pytest.mark.parametrize("order, unseen", [("Ascending", "name-99"), ("Descending", "aaaa")])
def test_what_is_created_between_two_pages_makes_nothing_appear_twice(full, order, unseen):
    asked = {"SortBy": "Name", "SortOrder": order, "MaxResults": 10}
    first = full.page(**asked)
    given_out = full.names(first)
    full.create("name-00-earlier" if order == "Ascending" else "name-99-earlier")
    full.create(unseen)
    second = full.page(**asked, NextToken=first["NextToken"])
    third = full.page(**asked, NextToken=second["NextToken"])
    everything = given_out + full.names(second) + full.names(third)
    assert everything == [*(ALL if order == "Ascending" else ALL[::-1]), unseen]


def test_the_next_page_follows_even_if_the_last_resource_seen_is_gone(sagemaker):
    models = _models(sagemaker)
    for name in ALL[:6]:
        models.create(name)
    asked = {"SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 3}
    token = models.page(**asked)["NextToken"]
    sagemaker.delete_model(ModelName=ALL[2])
    assert models.names(models.page(**asked, NextToken=token)) == ALL[3:6]


def _encoded(*told):
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "é",
        _encoded(),
        _encoded("CreationTime", "Ascending", "text", "name"),
        _encoded("CreationTime", "Descending", None, "name"),
        _encoded("Name", "Ascending", "name", "name"),
    ],
)
def test_a_token_of_another_listing_is_refused(full, assert_refused, token):
    assert_refused(
        lambda: full.page(SortBy="CreationTime", NextToken=token),
        "ValidationException",
        "The pagination token is invalid.",
    )


@pytest.mark.parametrize("by, order", [("Name", "Descending"), ("CreationTime", "Ascending")])
def test_a_token_of_another_order_is_refused(full, assert_refused, by, order):
    token = full.page(SortBy="Name", SortOrder="Ascending")["NextToken"]
    assert_refused(
        lambda: full.page(SortBy=by, SortOrder=order, NextToken=token),
        "ValidationException",
        "The pagination token is invalid.",
    )
