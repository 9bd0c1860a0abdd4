"""Endpoint configurations as an SDK sees them."""

import pytest
from botocore.exceptions import ClientError


def test_describe_echoes_the_configuration_with_its_defaults(sagemaker, model, variant, arn):
    reply = sagemaker.create_endpoint_config(
        EndpointConfigName="Config-1", ProductionVariants=[variant()]
    )
    config = sagemaker.describe_endpoint_config(EndpointConfigName="Config-1")
    expected = arn("endpoint-config", "config-1")
    assert reply["EndpointConfigArn"] == config["EndpointConfigArn"] == expected
    assert config["ProductionVariants"] == [variant(InitialVariantWeight=1.0)]


@pytest.mark.parametrize(
    "accelerator", ["ml.eia1.large", "ml.eia2.medium", "local_sagemaker_notebook"]
)
def test_an_accelerator_is_echoed(sagemaker, variant, accelerator):
    image = "763104351884.dkr.ecr.us-west-2.amazonaws.com/mxnet-inference-eia:1.4.1-cpu-py3"
    sagemaker.create_model(ModelName="Model-1", PrimaryContainer={"Image": image})
    sagemaker.create_endpoint_config(
        EndpointConfigName="Config-1", ProductionVariants=[variant(AcceleratorType=accelerator)]
    )
    config = sagemaker.describe_endpoint_config(EndpointConfigName="Config-1")
    assert config["ProductionVariants"][0]["AcceleratorType"] == accelerator


@pytest.mark.parametrize(
    "image",
    [
        "520713654638.dkr.ecr.us-west-2.amazonaws.com/sagemaker-chainer:4.1.0-cpu-py3",
        "sagemaker-emulator/chainer:latest",
    ],
)
def test_chainer_never_had_an_accelerator(sagemaker, variant, assert_refused, image):
    sagemaker.create_model(ModelName="Chainer", PrimaryContainer={"Image": image})
    accelerated = variant(ModelName="Chainer", AcceleratorType="ml.eia1.medium")
    assert_refused(
        lambda: sagemaker.create_endpoint_config(
            EndpointConfigName="Config-1", ProductionVariants=[accelerated]
        ),
        "ValidationException",
        "chainer is not supported with Amazon Elastic Inference. Remove AcceleratorType from the"
        " production variant AllTraffic, or serve its model with MXNet.",
    )


@pytest.mark.parametrize("accelerator", ["ml.eia3.medium", "ml.eia1.2xlarge", "local"])
def test_no_other_type_of_accelerator_is_taken(sagemaker, model, variant, accelerator):
    with pytest.raises(ClientError) as refusal:
        sagemaker.create_endpoint_config(
            EndpointConfigName="Config-1", ProductionVariants=[variant(AcceleratorType=accelerator)]
        )
    error = refusal.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert (
        f"Value '{accelerator}' at 'productionVariants.1.member.acceleratorType'"
        in (error["Message"])
    )


def test_a_weight_of_zero_is_a_weight(sagemaker, model, variant):
    sagemaker.create_endpoint_config(
        EndpointConfigName="Config-1",
        ProductionVariants=[variant("a", InitialVariantWeight=0), variant("b")],
    )
    config = sagemaker.describe_endpoint_config(EndpointConfigName="Config-1")
    assert [one["InitialVariantWeight"] for one in config["ProductionVariants"]] == [0, 1]


@pytest.mark.parametrize("operation", ["describe_endpoint_config", "delete_endpoint_config"])
def test_an_absent_configuration_is_refused(sagemaker, assert_refused, arn, operation):
    assert_refused(
        lambda: getattr(sagemaker, operation)(EndpointConfigName="Nobody"),
        "ValidationException",
        f'Could not find endpoint configuration "{arn("endpoint-config", "nobody")}".',
    )


def test_a_name_is_taken_until_the_configuration_is_deleted(
    sagemaker, config, variant, assert_refused, arn
):
    request = {"EndpointConfigName": config, "ProductionVariants": [variant()]}
    assert_refused(
        lambda: sagemaker.create_endpoint_config(**request),
        "ValidationException",
        "Cannot create already existing endpoint configuration"
        f' "{arn("endpoint-config", "config-1")}".',
    )
    sagemaker.delete_endpoint_config(EndpointConfigName=config)
    sagemaker.create_endpoint_config(**request)


def test_a_configuration_of_an_absent_model_is_refused(sagemaker, variant, assert_refused, arn):
    assert_refused(
        lambda: sagemaker.create_endpoint_config(
            EndpointConfigName="Config-1", ProductionVariants=[variant(ModelName="Nobody")]
        ),
        "ValidationException",
        f'Could not find model "{arn("model", "nobody")}".',
    )


def test_variant_names_are_unique(sagemaker, model, variant, assert_refused):
    assert_refused(
        lambda: sagemaker.create_endpoint_config(
            EndpointConfigName="Config-1", ProductionVariants=[variant("a"), variant("a")]
        ),
        "ValidationException",
        "Production variant names must be unique: a",
    )


@pytest.mark.parametrize(
    "member, path",
    [
        ("ModelName", "modelName"),
        ("InstanceType", "instanceType"),
        ("InitialInstanceCount", "initialInstanceCount"),
    ],
)
def test_the_service_requires_more_of_a_variant_than_the_model(
    sagemaker, model, variant, assert_refused, member, path
):
    lacking = variant("b")
    del lacking[member]
    assert_refused(
        lambda: sagemaker.create_endpoint_config(
            EndpointConfigName="Config-1", ProductionVariants=[variant("a"), lacking]
        ),
        "ValidationException",
        f"1 validation error detected: Value null at 'productionVariants.2.member.{path}' failed to"
        " satisfy constraint: Member must not be null",
    )


CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://o/",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


@pytest.mark.parametrize(
    "members, text",
    [
        (
            {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://o/"}}},
            "AsyncInferenceConfig is not emulated yet.",
        ),
        (
            {"DataCaptureConfig": CAPTURE},
            "DataCaptureConfig.EnableCapture is not emulated yet.",
        ),
        (
            {"DataCaptureConfig": CAPTURE | {"EnableCapture": True}},
            "DataCaptureConfig.EnableCapture is not emulated yet.",
        ),
        (
            {
                "ExplainerConfig": {
                    "ClarifyExplainerConfig": {
                        "ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "1,2"}}
                    }
                }
            },
            "ExplainerConfig is not emulated yet.",
        ),
        (
            {"EnableNetworkIsolation": True},
            "EnableNetworkIsolation is not emulated yet. Set it on the model.",
        ),
    ],
)
def test_a_feature_that_is_not_emulated_is_refused_by_name(
    sagemaker, model, variant, assert_refused, members, text
):
    assert_refused(
        lambda: sagemaker.create_endpoint_config(
            EndpointConfigName="Config-1", ProductionVariants=[variant()], **members
        ),
        "ValidationException",
        text,
    )


def test_shadow_variants_are_refused(sagemaker, model, variant, assert_refused):
    assert_refused(
        lambda: sagemaker.create_endpoint_config(
            EndpointConfigName="Config-1",
            ProductionVariants=[variant("a")],
            ShadowProductionVariants=[variant("b")],
        ),
        "ValidationException",
        "ShadowProductionVariants is not emulated yet.",
    )


def test_a_serverless_variant_is_refused(sagemaker, model, assert_refused):
    serverless = {
        "VariantName": "a",
        "ModelName": model,
        "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1},
    }
    assert_refused(
        lambda: sagemaker.create_endpoint_config(
            EndpointConfigName="Config-1", ProductionVariants=[serverless]
        ),
        "ValidationException",
        "ProductionVariants[].ServerlessConfig is not emulated yet."
        " Use InstanceType and InitialInstanceCount.",
    )


def test_capture_that_is_switched_off_is_echoed(sagemaker, model, variant):
    capture = CAPTURE | {"EnableCapture": False}
    sagemaker.create_endpoint_config(
        EndpointConfigName="Config-1", ProductionVariants=[variant()], DataCaptureConfig=capture
    )
    config = sagemaker.describe_endpoint_config(EndpointConfigName="Config-1")
    assert config["DataCaptureConfig"] == capture


def test_a_configuration_in_use_can_be_deleted(sagemaker, config):
    sagemaker.create_endpoint(EndpointName="E", EndpointConfigName=config)
    sagemaker.delete_endpoint_config(EndpointConfigName=config)
    assert sagemaker.describe_endpoint(EndpointName="E")["EndpointConfigName"] == config
