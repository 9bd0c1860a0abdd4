"""Search: what of each kind is found by which expression, in which order, in pages."""

import pytest

from emulator.kinds import TRAINING_JOB


def names(reply, member="TrialComponent"):
    return [one[member][f"{member}Name"] for one in reply["Results"]]


@pytest.fixture
def components(sagemaker, client):
    """Three trial components with parameters, tags, metrics and parents."""
    sagemaker.create_experiment(ExperimentName="Digits")
    sagemaker.create_trial(TrialName="Group", ExperimentName="Digits")
    metrics = client("sagemaker-metrics")
    for number, name in enumerate(("one", "two", "three"), start=1):
        sagemaker.create_trial_component(
            TrialComponentName=name,
            Parameters={
                "rate": {"NumberValue": number / 10},
                "opt.kind": {"StringValue": "adam" if number < 3 else "sgd"},
            },
            InputArtifacts={"data": {"Value": f"s3://b/{name}"}},
            StartTime=f"2020-01-0{number}T00:00:00",
            Status={"PrimaryStatus": "Completed" if number > 1 else "Failed"},
            Tags=[{"Key": "owner.name", "Value": name}],
        )
        data = [
            {"MetricName": "test:loss", "Timestamp": 1, "Value": float(number)},
            {"MetricName": "test:loss", "Timestamp": 2, "Value": 10.0 - number},
        ]
        metrics.batch_put_metrics(TrialComponentName=name, MetricData=data)
    sagemaker.associate_trial_component(TrialComponentName="two", TrialName="Group")


@pytest.fixture
def found(sagemaker):
    """Return a function that searches trial components; gives their names, oldest first."""

    def found(*filters, **expression):
        told = [dict(zip(("Name", "Operator", "Value"), one, strict=False)) for one in filters]
        given = ({"Filters": told} if told else {}) | expression
        reply = sagemaker.search(
            Resource="ExperimentTrialComponent",
            SearchExpression=given,
            SortBy="CreationTime",
            SortOrder="Ascending",
        )
        assert reply["TotalHits"] == {"Value": len(reply["Results"]), "Relation": "EqualTo"}
        return names(reply)

    return found


@pytest.mark.parametrize(
    "asked, expected",
    [
        (("TrialComponentName", "Equals", "two"), ["two"]),
        (("TrialComponentName", "NotEquals", "two"), ["one", "three"]),
        (("TrialComponentName", "Contains", "o"), ["one", "two"]),
        (("TrialComponentName", "In", "one, three,four"), ["one", "three"]),
        (("trialcomponentname", "Equals", "one"), ["one"]),
        (("Parents.TrialName", "Equals", "Group"), ["two"]),
        (("Parents.ExperimentName", "Equals", "Digits"), ["two"]),
        (("Parents.TrialName", "NotExists"), ["one", "three"]),
        (("Parents", "Exists"), ["two"]),
        (("Tags.owner.name", "Equals", "three"), ["three"]),
        (("Tags.nothing", "Exists"), []),
        (("Tags.Key", "Equals", "owner.name"), ["one", "two", "three"]),
        (("Parameters.rate", "GreaterThan", "0.15"), ["two", "three"]),
        (("Parameters.rate.NumberValue", "LessThanOrEqualTo", "0.2"), ["one", "two"]),
        (("Parameters.rate", "Equals", "0.20"), ["two"]),
        (("Parameters.opt.kind", "Equals", "sgd"), ["three"]),
        (("Parameters.opt.kind.StringValue", "Contains", "dam"), ["one", "two"]),
        (("InputArtifacts.data.Value", "Contains", "/t"), ["two", "three"]),
        (("Metrics.test:loss", "GreaterThanOrEqualTo", "8"), ["one", "two"]),
        (("metrics.test:loss.max", "LessThan", "8.5"), ["two", "three"]),
        (("Metrics.test:loss.Count", "Equals", "2"), ["one", "two", "three"]),
        (("Status.PrimaryStatus", "Equals", "Failed"), ["one"]),
        (("StartTime", "GreaterThan", "2020-01-01T00:00:00"), ["two", "three"]),
        (("StartTime", "Equals", "2020-01-02T00:00:00"), ["two"]),
        (("EndTime", "Exists"), []),
        (("CreationTime", "LessThan", "2020-01-01T00:00:00Z"), []),
    ],
)
def test_components_are_found_by_their_properties(components, found, asked, expected):
    assert found(asked) == expected


def test_a_value_without_an_operator_is_equal(components, found):
    filters = [{"Name": "TrialComponentName", "Value": "one"}]
    assert found(Filters=filters) == ["one"]


def test_filters_and_expressions_are_joined_by_and_or_or(components, found):
    one, two = ("TrialComponentName", "Equals", "one"), ("Parents.TrialName", "Exists")
    assert found(one, two) == []
    assert found(one, two, Operator="Or") == ["one", "two"]
    failed = {"Filters": [{"Name": "Status.PrimaryStatus", "Value": "Failed"}]}
    parts = [failed, {"SubExpressions": [failed], "Operator": "Or"}]
    assert found(("Parameters.rate", "Exists"), SubExpressions=parts) == ["one"]
    assert found(two, SubExpressions=parts, Operator="Or") == ["one", "two"]


@pytest.mark.parametrize(
    "asked, sentence",
    [
        (("Nothing", "Exists"), "Unknown property name: Nothing"),
        (("Parents.Nothing", "Exists"), "Unknown property name: Parents.Nothing"),
        (("TrialComponentName.x", "Exists"), "Unknown property name: TrialComponentName.x"),
        (
            ("TrialComponentName", "GreaterThan", "a"),
            "The operator GreaterThan is not supported for TrialComponentName.",
        ),
        (
            ("CreationTime", "Contains", "2020"),
            "The operator Contains is not supported for CreationTime.",
        ),
        (
            ("CreationTime", "LessThan", "yesterday"),
            "CreationTime is compared with a time such as 2020-01-31T23:59:59: yesterday",
        ),
        (
            ("Metrics.test:loss", "LessThan", "much"),
            "Metrics.test:loss is compared with a number: much",
        ),
        (("TrialComponentName", "Equals"), "The filter on TrialComponentName has no Value."),
    ],
)
def test_a_filter_that_means_nothing_is_refused(sagemaker, asked, sentence, assert_refused):
    filters = [dict(zip(("Name", "Operator", "Value"), asked, strict=False))]
    assert_refused(
        lambda: sagemaker.search(
            Resource="ExperimentTrialComponent", SearchExpression={"Filters": filters}
        ),
        "ValidationException",
        sentence,
    )


def test_an_expression_has_one_element_at_least(sagemaker, assert_refused):
    assert_refused(
        lambda: sagemaker.search(Resource="TrainingJob", SearchExpression={}),
        "ValidationException",
        "A search expression must have between 1 and 20 filters, nested filters and"
        " subexpressions; this one has 0.",
    )


@pytest.mark.parametrize(
    "by, expected",
    [
        ("TrialComponentName", ["one", "three", "two"]),
        ("Metrics.test:loss", ["three", "two", "one"]),
        ("Parameters.rate", ["one", "two", "three"]),
        # Those without one come first.
        ("Parents.TrialName", ["one", "three", "two"]),
    ],
)
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_results_are_sorted_by_any_property_in_pages(sagemaker, components, by, expected, order):
    paginator = sagemaker.get_paginator("search")
    pages = paginator.paginate(
        Resource="ExperimentTrialComponent",
        SortBy=by,
        SortOrder=order,
        PaginationConfig={"PageSize": 1},
    )
    listed = [names(page) for page in pages]
    assert [len(page) for page in listed] == [1, 1, 1]
    together = [name for page in listed for name in page]
    assert together == (expected if order == "Ascending" else expected[::-1])


def test_the_latest_change_comes_first_by_default(sagemaker, components):
    sagemaker.update_trial_component(TrialComponentName="one", DisplayName="d")
    assert names(sagemaker.search(Resource="ExperimentTrialComponent"))[0] == "one"


@pytest.mark.parametrize("token", ["nonsense", "W10="])
def test_a_token_of_another_search_is_refused(sagemaker, components, token, assert_refused):
    other = sagemaker.search(Resource="ExperimentTrialComponent", MaxResults=1, SortBy="StartTime")
    for unfit in (token, other["NextToken"]):
        assert_refused(
            lambda unfit=unfit: sagemaker.search(
                Resource="ExperimentTrialComponent", NextToken=unfit
            ),
            "ValidationException",
            "The pagination token is invalid.",
        )


def test_training_jobs_are_found_by_hyperparameters_metrics_and_nested_filters(
    sagemaker, server, job_request
):
    for rate in ("0.5", "1.7"):
        name = f"job-{rate[0]}"
        sagemaker.create_training_job(
            **job_request(name, HyperParameters={"rate": rate, "kind": "a"}),
            Tags=[{"Key": "project", "Value": name}],
        )
    metric = {"MetricName": "validation:error", "Value": 0.25, "Timestamp": 1.0}
    server.store.change(
        TRAINING_JOB,
        server.default,
        "job-1",
        lambda one: (one.phase, one.document | {"FinalMetricDataList": [metric]}),
        event="Measured",
    )

    def found(*filters, **expression):
        told = [dict(zip(("Name", "Operator", "Value"), one, strict=True)) for one in filters]
        given = {"Filters": told} if told else expression
        reply = sagemaker.search(Resource="TrainingJob", SearchExpression=given)
        return sorted(names(reply, "TrainingJob"))

    assert found(("HyperParameters.rate", "LessThan", "0.6")) == ["job-0"]
    # Compared with a whole number, a decimal counts as one.
    assert found(("HyperParameters.rate", "Equals", "1")) == ["job-1"]
    assert found(("HyperParameters.kind", "Contains", "a")) == ["job-0", "job-1"]
    assert found(("HyperParameters.kind", "GreaterThan", "1")) == []
    assert found(("Metrics.validation:error", "LessThan", "0.3")) == ["job-1"]
    assert found(("Tags.project", "Equals", "job-0")) == ["job-0"]
    assert found(("InputDataConfig.ChannelName", "Equals", "train")) == ["job-0", "job-1"]
    assert found(("EnableNetworkIsolation", "Equals", "true")) == []

    def nested(channel, uri):
        return {
            "NestedPropertyName": "InputDataConfig",
            "Filters": [
                {"Name": "InputDataConfig.ChannelName", "Operator": "Equals", "Value": channel},
                {
                    "Name": "InputDataConfig.DataSource.S3DataSource.S3Uri",
                    "Operator": "Contains",
                    "Value": uri,
                },
            ],
        }

    assert found(NestedFilters=[nested("train", "mnist")]) == ["job-0", "job-1"]
    assert found(NestedFilters=[nested("test", "mnist")]) == []
    (one, _) = sagemaker.search(Resource="TrainingJob")["Results"]
    assert one["TrainingJob"]["Tags"][0]["Key"] == "project"


def test_each_kind_that_is_here_is_found(sagemaker, components, config):
    sagemaker.create_endpoint(EndpointName="E", EndpointConfigName=config)
    sagemaker.create_model_package_group(
        ModelPackageGroupName="G", Tags=[{"Key": "team", "Value": "a"}]
    )
    sagemaker.create_model_package(ModelPackageGroupName="G")
    sagemaker.create_model_card(ModelCardName="C", Content="{}", ModelCardStatus="Draft")
    sagemaker.create_pipeline(
        PipelineName="P", PipelineDefinition="{}", RoleArn="arn:aws:iam::123456789012:role/r"
    )

    def one(resource, member="", **expression):
        reply = sagemaker.search(Resource=resource, **expression)
        (found,) = (result[member or resource] for result in reply["Results"])
        return found

    assert one("Experiment")["ExperimentName"] == "Digits"
    trial = one("ExperimentTrial", "Trial")
    assert [part["TrialComponentName"] for part in trial["TrialComponentSummaries"]] == ["two"]
    assert one("Endpoint")["EndpointStatus"] == "Creating"
    assert one("Model")["Model"]["ModelName"] == "Model-1"
    assert one("ModelPackageGroup")["Tags"] == [{"Key": "team", "Value": "a"}]
    tagged = {"Filters": [{"Name": "Tags.team", "Value": "a"}]}
    assert one("ModelPackage", SearchExpression=tagged)["ModelPackageVersion"] == 1
    assert one("ModelCard")["ModelCardName"] == "C"
    assert one("Pipeline")["PipelineName"] == "P"
    assert one("PipelineVersion")["PipelineVersionId"] == 1


@pytest.mark.parametrize(
    "resource",
    [
        "FeatureGroup",
        "FeatureMetadata",
        "HubContent",
        "HyperParameterTuningJob",
        "Image",
        "ImageVersion",
        "Job",
        "PipelineExecution",
        "Project",
    ],
)
def test_of_what_cannot_exist_here_nothing_is_found(sagemaker, resource):
    reply = sagemaker.search(Resource=resource)
    assert (reply["Results"], reply["TotalHits"]["Value"]) == ([], 0)


def test_every_resource_of_the_model_is_found_or_cannot_exist(sagemaker):
    shape = sagemaker.meta.service_model.shape_for("ResourceType")
    for resource in shape.enum:
        assert sagemaker.search(Resource=resource)["Results"] == []


def test_an_unknown_resource_is_refused_as_the_model_says(sagemaker):
    with pytest.raises(sagemaker.exceptions.ClientError, match="Member must satisfy enum value"):
        sagemaker.search(Resource="Nonsense")


def test_nothing_of_another_account_or_region_is_found(client, components):
    for elsewhere in (client(region="eu-west-1"), client(account="210987654321")):
        assert elsewhere.search(Resource="ExperimentTrialComponent")["Results"] == []
