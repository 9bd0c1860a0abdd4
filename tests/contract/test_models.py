"""Models as an SDK sees them."""

import pytest

ROLE = "arn:aws:iam::123456789012:role/service-role/SageMaker"
CONTAINER = {"Image": "chainer:5", "ModelDataUrl": "s3://out/model.tar.gz"}


@pytest.fixture(autouse=True)
def data(put):
    put("out", "model.tar.gz")
    put("out", "tree/weights/1.bin")


def _prefix(uri, **members):
    source = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"} | members
    return {"Image": "chainer:5", "ModelDataSource": {"S3DataSource": source}}


def test_describe_echoes_the_model_with_its_defaults(sagemaker, arn):
    reply = sagemaker.create_model(
        ModelName="Model-1", PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE
    )
    model = sagemaker.describe_model(ModelName="Model-1")
    assert reply["ModelArn"] == model["ModelArn"] == arn("model", "model-1")
    assert model["PrimaryContainer"] == CONTAINER | {"Mode": "SingleModel", "Environment": {}}
    assert model["ExecutionRoleArn"] == ROLE
    assert model["EnableNetworkIsolation"] is False
    assert "Containers" not in model


def test_a_list_of_one_container_behaves_as_primary(sagemaker):
    sagemaker.create_model(ModelName="Model-1", Containers=[CONTAINER])
    model = sagemaker.describe_model(ModelName="Model-1")
    assert model["PrimaryContainer"]["Image"] == "chainer:5"
    assert "Containers" not in model


@pytest.mark.parametrize(
    "container",
    [
        {"Image": "chainer:5"},
        CONTAINER | {"ModelDataUrl": "https://s3.us-west-2.amazonaws.com/out/model.tar.gz"},
        CONTAINER | {"ModelDataUrl": "https://out.s3-us-west-2.amazonaws.com/model.tar.gz"},
        _prefix("s3://out/tree/"),
        _prefix("https://s3.amazonaws.com/out/tree/"),
        _prefix("s3://out/model.tar.gz", S3DataType="S3Object", CompressionType="Gzip"),
    ],
)
def test_a_model_may_have_no_data_a_tree_or_one_object(sagemaker, container):
    sagemaker.create_model(ModelName="Model-1", PrimaryContainer=container)
    model = sagemaker.describe_model(ModelName="Model-1")
    assert model["PrimaryContainer"].items() >= container.items()


@pytest.mark.parametrize(
    "container, text",
    [
        (
            CONTAINER | {"Mode": "MultiModel"},
            "Containers[].Mode MultiModel is not emulated yet. Create one model for each artifact.",
        ),
        (
            CONTAINER | {"MultiModelConfig": {"ModelCacheSetting": "Disabled"}},
            "Containers[].MultiModelConfig is not emulated yet.",
        ),
        (
            {"ModelDataUrl": "s3://out/model.tar.gz"},
            "1 validation error detected: Value null at 'containers.1.member.image' failed to"
            " satisfy constraint: Member must not be null",
        ),
    ],
)
def test_a_refusal_names_the_member_that_the_caller_used(
    sagemaker, assert_refused, container, text
):
    assert_refused(
        lambda: sagemaker.create_model(ModelName="Model-1", Containers=[container]),
        "ValidationException",
        text,
    )


@pytest.mark.parametrize("operation", ["describe_model", "delete_model"])
def test_an_absent_model_is_refused(sagemaker, assert_refused, arn, operation):
    assert_refused(
        lambda: getattr(sagemaker, operation)(ModelName="Nobody"),
        "ValidationException",
        f'Could not find model "{arn("model", "nobody")}".',
    )


def test_a_name_is_taken_until_the_model_is_deleted(sagemaker, assert_refused, arn):
    sagemaker.create_model(ModelName="Model-1", PrimaryContainer=CONTAINER)
    assert_refused(
        lambda: sagemaker.create_model(ModelName="Model-1", PrimaryContainer=CONTAINER),
        "ValidationException",
        f'Cannot create already existing model "{arn("model", "model-1")}".',
    )
    sagemaker.delete_model(ModelName="Model-1")
    sagemaker.create_model(ModelName="Model-1", PrimaryContainer=CONTAINER)


def test_a_model_in_use_can_be_deleted(sagemaker, model, config):
    sagemaker.create_endpoint(EndpointName="E", EndpointConfigName=config)
    sagemaker.delete_model(ModelName=model)
    assert sagemaker.describe_endpoint(EndpointName="E")["EndpointStatus"] == "Creating"


def test_two_regions_and_two_accounts_do_not_see_each_other(client, assert_refused, arn):
    client().create_model(ModelName="Model-1", PrimaryContainer=CONTAINER)
    for where in ({"region": "eu-west-1"}, {"account": "210987654321"}):
        assert_refused(
            lambda where=where: client(**where).describe_model(ModelName="Model-1"),
            "ValidationException",
            f'Could not find model "{arn("model", "model-1", **where)}".',
        )
        assert client(**where).list_models()["Models"] == []


_NO_ACCESS = (
    'Could not access model data at {}. Please ensure that the role "{}" exists and that its trust'
    ' relationship policy allows the action "sts:AssumeRole" for the service principal'
    ' "sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that'
    " the object is located in us-west-2. If your Model uses multiple models or uncompressed"
    ' models, please ensure that the role has "s3:ListBucket" permission.'
)


@pytest.mark.parametrize(
    "container, text",
    [
        (
            {"Image": "i", "ModelDataUrl": "s3://out/nothing.tar.gz"},
            "Could not find model data at s3://out/nothing.tar.gz.",
        ),
        (
            {"Image": "i", "ModelDataUrl": "s3://nobody/model.tar.gz"},
            _NO_ACCESS.format("s3://nobody/model.tar.gz", ROLE),
        ),
        (_prefix("s3://out/empty/"), "Could not find model data at s3://out/empty/."),
        (_prefix("s3://nobody/tree/"), _NO_ACCESS.format("s3://nobody/tree/", ROLE)),
        (
            _prefix("s3://out/tree", S3DataType="S3Object"),
            "Could not find model data at s3://out/tree.",
        ),
        (
            _prefix("s3://out/tree"),
            'With S3DataType "S3Prefix", CompressionType must be "None" and S3Uri must end with'
            ' "/": "s3://out/tree"',
        ),
        (
            CONTAINER | _prefix("s3://out/tree/"),
            "Specify only one of ModelDataUrl and ModelDataSource.",
        ),
        (
            {"Image": "i", "ModelDataUrl": "https://s3.amazonaws.com/out/model"},
            "Could not find model data at https://s3.amazonaws.com/out/model.",
        ),
        (
            {"Image": "i", "ModelDataUrl": "https://example.com/out/model"},
            'ModelDataUrl "https://example.com/out/model" names no bucket of S3.'
            " Use s3://bucket/key.",
        ),
        (
            {"ModelDataUrl": "s3://out/model.tar.gz"},
            "1 validation error detected: Value null at 'primaryContainer.image' failed to satisfy"
            " constraint: Member must not be null",
        ),
        (
            CONTAINER | {"Mode": "MultiModel"},
            "PrimaryContainer.Mode MultiModel is not emulated yet."
            " Create one model for each artifact.",
        ),
        (
            {"ModelPackageName": "package"},
            "PrimaryContainer.ModelPackageName is not emulated yet."
            " Give the package's Image and ModelDataUrl.",
        ),
    ],
)
def test_a_container_that_cannot_be_served_is_refused(sagemaker, assert_refused, container, text):
    assert_refused(
        lambda: sagemaker.create_model(
            ModelName="Model-1", PrimaryContainer=container, ExecutionRoleArn=ROLE
        ),
        "ValidationException",
        text,
    )
    assert sagemaker.list_models()["Models"] == []


_ONE_OF = "Specify exactly one of PrimaryContainer and Containers."


@pytest.mark.parametrize(
    "members, text",
    [
        ({}, _ONE_OF),
        ({"Containers": []}, _ONE_OF),
        ({"PrimaryContainer": CONTAINER, "Containers": [CONTAINER]}, _ONE_OF),
        (
            {"Containers": [CONTAINER, CONTAINER]},
            "Containers with more than one member is not emulated yet. Use PrimaryContainer.",
        ),
    ],
)
def test_a_model_has_exactly_one_container(sagemaker, assert_refused, members, text):
    assert_refused(
        lambda: sagemaker.create_model(ModelName="Model-1", **members),
        "ValidationException",
        text,
    )
