"""Tags of native resources as an SDK sees them."""

import pytest

TAGS = [{"Key": "team", "Value": "vision"}, {"Key": "empty", "Value": ""}]


@pytest.fixture(params=["training-job", "model", "endpoint-config", "endpoint"])
def tagged(request, server, sagemaker, job_request, model, variant):
    """The ARN of a resource of each kind, created with TAGS."""
    variants = {"ProductionVariants": [variant(ModelName=model)]}
    match request.param:
        case "training-job":
            return sagemaker.create_training_job(**job_request("Job-1"), Tags=TAGS)[
                "TrainingJobArn"
            ]
        case "model":
            return sagemaker.create_model(
                ModelName="Tagged", PrimaryContainer={"Image": "i"}, Tags=TAGS
            )["ModelArn"]
        case "endpoint-config":
            return sagemaker.create_endpoint_config(
                EndpointConfigName="Tagged", **variants, Tags=TAGS
            )["EndpointConfigArn"]
        case "endpoint":
            sagemaker.create_endpoint_config(EndpointConfigName="Plain", **variants)
            return sagemaker.create_endpoint(
                EndpointName="Tagged", EndpointConfigName="Plain", Tags=TAGS
            )["EndpointArn"]


def _listed(client, arn):
    return client.list_tags(ResourceArn=arn)["Tags"]


def test_tags_given_at_creation_are_listed(sagemaker, tagged):
    assert _listed(sagemaker, tagged) == TAGS


def test_tags_are_added_replaced_and_deleted(sagemaker, tagged):
    new = [{"Key": "team", "Value": "speech"}, {"Key": "stage", "Value": "test"}]
    added = sagemaker.add_tags(ResourceArn=tagged, Tags=new)["Tags"]
    expected = [new[0], TAGS[1], new[1]]
    assert added == _listed(sagemaker, tagged) == expected
    sagemaker.delete_tags(ResourceArn=tagged, TagKeys=["team", "never-there"])
    assert _listed(sagemaker, tagged) == expected[1:]


def test_the_name_in_an_arn_may_be_spelt_as_it_was_given(sagemaker, model, arn):
    sagemaker.add_tags(ResourceArn=arn("model", "Model-1"), Tags=TAGS)
    assert _listed(sagemaker, arn("model", "model-1")) == TAGS


def test_a_resource_has_fifty_tags_at_most(sagemaker, model, arn, assert_refused):
    fifty = [{"Key": f"key-{number}", "Value": "1"} for number in range(50)]
    where = arn("model", "model-1")
    sagemaker.add_tags(ResourceArn=where, Tags=fifty)
    sagemaker.add_tags(ResourceArn=where, Tags=[{"Key": "key-0", "Value": "2"}])
    assert_refused(
        lambda: sagemaker.add_tags(ResourceArn=where, Tags=[{"Key": "more", "Value": "1"}]),
        "ValidationException",
        "A resource cannot have more than 50 tags.",
    )
    assert len(_listed(sagemaker, where)) == 50


def test_a_key_given_twice_is_refused_and_nothing_is_created(sagemaker, assert_refused):
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert_refused(
        lambda: sagemaker.create_model(
            ModelName="Model-1", PrimaryContainer={"Image": "i"}, Tags=twice
        ),
        "ValidationException",
        "Duplicate tag keys found.",
    )
    assert sagemaker.list_models()["Models"] == []


@pytest.mark.parametrize("key", ["aws:mine", "AWS:mine", "aws:cloudformation:stack-name"])
def test_keys_that_are_awss_are_refused_everywhere(sagemaker, model, arn, assert_refused, key):
    tags, where = [TAGS[0], {"Key": key, "Value": "1"}], arn("model", "model-1")
    text = f"System prefix 'aws:' reserved for AWS usage in tag key: {key}"
    for call in (
        lambda: sagemaker.add_tags(ResourceArn=where, Tags=tags),
        lambda: sagemaker.delete_tags(ResourceArn=where, TagKeys=[key]),
        lambda: sagemaker.create_model(
            ModelName="Other", PrimaryContainer={"Image": "i"}, Tags=tags
        ),
        lambda: sagemaker.create_experiment(ExperimentName="Other", Tags=tags),
    ):
        assert_refused(call, "ValidationException", text)
    assert _listed(sagemaker, where) == []
    assert len(sagemaker.list_models()["Models"]) == 1
    assert sagemaker.list_experiments()["ExperimentSummaries"] == []
    sagemaker.add_tags(ResourceArn=where, Tags=[{"Key": "awsome", "Value": "aws:fine"}])


CALLS = {
    "add_tags": {"Tags": TAGS},
    "list_tags": {},
    "delete_tags": {"TagKeys": ["team"]},
}


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    "where, text",
    [
        (
            "arn:aws:sagemaker:eu-west-1:123456789012:model/model-1",
            "ARN should be scoped to correct region: us-west-2",
        ),
        (
            "arn:aws:sagemaker:us-west-2:210987654321:model/model-1",
            'Could not find model "arn:aws:sagemaker:us-west-2:210987654321:model/model-1".',
        ),
        (
            "arn:aws:sagemaker:us-west-2:123456789012:endpoint/nobody",
            'Could not find endpoint "arn:aws:sagemaker:us-west-2:123456789012:endpoint/nobody".',
        ),
        (
            "arn:aws:sagemaker:us-west-2:123456789012:training-job/nobody",
            "Requested resource not found.",
        ),
        (
            "arn:aws:sagemaker:us-west-2:123456789012:labeling-job/mine",
            'Tags of "arn:aws:sagemaker:us-west-2:123456789012:labeling-job/mine" are not'
            " emulated.",
        ),
    ],
)
def test_an_arn_of_no_resource_of_the_caller_is_refused(
    sagemaker, model, assert_refused, operation, where, text
):
    assert_refused(
        lambda: getattr(sagemaker, operation)(ResourceArn=where, **CALLS[operation]),
        "ValidationException",
        text,
    )


def test_a_token_of_no_page_is_refused(sagemaker, model, arn, assert_refused):
    assert_refused(
        lambda: sagemaker.list_tags(ResourceArn=arn("model", "model-1"), NextToken="what"),
        "ValidationException",
        "The pagination token is invalid.",
    )


def test_tags_go_with_their_resource(sagemaker, model, arn):
    where = arn("model", "model-1")
    sagemaker.add_tags(ResourceArn=where, Tags=TAGS)
    sagemaker.delete_model(ModelName=model)
    sagemaker.create_model(ModelName=model, PrimaryContainer={"Image": "i"})
    assert _listed(sagemaker, where) == []
