"""How many instances there may be: refused with AWS's sentence, whatever asks for one too many."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from emulator.call import Quotas
from emulator.kinds import ENDPOINT, NOTEBOOK_INSTANCE, TRAINING_JOB
from emulator.lifecycle import endpoint, notebook_instance, training_job

EACH, TOGETHER = 5, 8
ROLE = "arn:aws:iam::123456789012:role/service-role/SageMaker"


def sentence(limit, quota, used, more, setting):
    return (
        f"The account-level service limit '{limit}' is {quota} Instances, with current utilization"
        f" of {used} Instances and a request delta of {more} Instances. Please use AWS Service"
        " Quotas to request an increase for this quota. If AWS Service Quotas is not available,"
        " contact AWS support to request an increase for this quota."
        f" (This emulator's own quota is its setting {setting}.)"
    )


def too_many(usage, used, more, *, of_one=True, instance_type="ml.m5.xlarge"):
    quota, setting = (
        (EACH, "EMULATOR_INSTANCE_QUOTA_EACH") if of_one else (TOGETHER, "EMULATOR_INSTANCE_QUOTA")
    )
    return sentence(f"{instance_type} for {usage} usage", quota, used, more, setting)


@pytest.fixture(autouse=True)
def quotas(server):
    server.quotas = Quotas(each=EACH, together=TOGETHER)


@pytest.fixture
def deploy(sagemaker, model, variant):
    """Return a function that creates an endpoint of so many instances, and its configuration."""

    def configure(name, instances):
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[variant(InitialInstanceCount=instances)],
        )

    def create(name, instances):
        configure(f"{name}-config", instances)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-config")

    create.configure = configure
    return create


@pytest.fixture
def train(sagemaker, job_request):
    def create(name, instances):
        resources = {
            "InstanceType": "ml.m5.xlarge",
            "InstanceCount": instances,
            "VolumeSizeInGB": 1,
        }
        sagemaker.create_training_job(**job_request(name, ResourceConfig=resources))

    return create


@pytest.fixture
def open_notebook(sagemaker):
    def create(name):
        sagemaker.create_notebook_instance(
            NotebookInstanceName=name, InstanceType="ml.t2.medium", RoleArn=ROLE
        )

    return create


def test_one_endpoint_or_job_has_a_quota_of_its_own(
    sagemaker, deploy, train, server, assert_refused
):
    code = "ResourceLimitExceeded"
    assert_refused(lambda: deploy("large", 6), code, too_many("endpoint", 0, 6))
    assert_refused(lambda: train("large", 6), code, too_many("training job", 0, 6))
    assert list(server.store.select(ENDPOINT)) == list(server.store.select(TRAINING_JOB)) == []
    deploy("fits", EACH)


def test_an_endpoint_that_has_grown_enough_is_not_made_larger(
    sagemaker, deploy, server, assert_refused
):
    deploy("end", 2)
    server.happens(ENDPOINT, "end", endpoint.Event.FLEET_READY)
    deploy.configure("six", 6)

    def resize(instances):
        wanted = {"VariantName": "AllTraffic", "DesiredInstanceCount": instances}
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="end", DesiredWeightsAndCapacities=[wanted]
        )

    refused = "ResourceLimitExceeded", too_many("endpoint", 2, 4)
    assert_refused(lambda: resize(6), *refused)
    update = sagemaker.update_endpoint
    assert_refused(
        lambda: update(EndpointName="end", EndpointConfigName="six"),
        "ResourceLimitExceeded",
        too_many("endpoint", 0, 6),
    )
    assert sagemaker.describe_endpoint(EndpointName="end")["EndpointStatus"] == "InService"
    resize(5)
    assert sagemaker.describe_endpoint(EndpointName="end")["EndpointStatus"] == "Updating"


def test_an_update_needs_room_for_both_fleets(sagemaker, deploy, server, assert_refused):
    deploy("end", 5)
    server.happens(ENDPOINT, "end", endpoint.Event.FLEET_READY)
    deploy.configure("four", 4)
    deploy.configure("three", 3)
    assert_refused(
        lambda: sagemaker.update_endpoint(EndpointName="end", EndpointConfigName="four"),
        "ResourceLimitExceeded",
        too_many("endpoint", 5, 4, of_one=False),
    )
    sagemaker.update_endpoint(EndpointName="end", EndpointConfigName="three")


def test_all_that_runs_shares_one_quota(
    sagemaker, deploy, train, open_notebook, server, assert_refused
):
    deploy("end", 3)
    train("job", 4)
    open_notebook("note")
    code = "ResourceLimitExceeded"
    assert_refused(lambda: deploy("more", 1), code, too_many("endpoint", 8, 1, of_one=False))
    assert_refused(lambda: train("more", 1), code, too_many("training job", 8, 1, of_one=False))
    notebooks = too_many("notebook instance", 8, 1, of_one=False, instance_type="ml.t2.medium")
    assert_refused(lambda: open_notebook("more"), code, notebooks)

    event = notebook_instance.Event
    server.happens(NOTEBOOK_INSTANCE, "note", event.START_FAILED)
    train("small", 1)
    assert_refused(
        lambda: sagemaker.start_notebook_instance(NotebookInstanceName="note"), code, notebooks
    )
    server.happens(TRAINING_JOB, "small", training_job.Event.FAULT)
    sagemaker.start_notebook_instance(NotebookInstanceName="note")


@pytest.mark.parametrize("end", ["deleted", "failed"])
def test_an_endpoint_that_has_no_instances_any_more_counts_for_none(sagemaker, deploy, server, end):
    deploy("first", 5)
    event = endpoint.Event
    if end == "failed":
        server.happens(ENDPOINT, "first", event.FLEET_FAILED)
    else:
        server.happens(ENDPOINT, "first", event.FLEET_READY)
        sagemaker.delete_endpoint(EndpointName="first")
    deploy("second", 5)


def test_requests_at_one_time_do_not_slip_past_together(server, sagemaker, train):
    def outcome(number):
        try:
            train(f"job-{number}", 2)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "accepted"

    with ThreadPoolExecutor(16) as pool:
        outcomes = sorted(pool.map(outcome, range(16)))
    assert outcomes == ["ResourceLimitExceeded"] * 12 + ["accepted"] * 4


def test_without_quotas_anything_goes(server, deploy):
    server.quotas = Quotas()
    deploy("huge", 500)
