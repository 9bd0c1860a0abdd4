"""Endpoints as an SDK sees them."""

import pytest
from botocore.exceptions import WaiterError

from emulator.kinds import ENDPOINT
from emulator.lifecycle.endpoint import Event

READY, FAILED = Event.FLEET_READY, Event.FLEET_FAILED


@pytest.fixture
def endpoint(sagemaker, config):
    """The name of an endpoint that is being created."""
    sagemaker.create_endpoint(EndpointName="End-1", EndpointConfigName=config)
    return "End-1"


@pytest.fixture
def serving(server, endpoint):
    """The name of an endpoint in service."""
    server.happens(ENDPOINT, endpoint, READY)
    return endpoint


@pytest.fixture
def second(sagemaker, model, variant):
    """The name of a configuration whose variants are AllTraffic and New."""
    sagemaker.create_endpoint_config(
        EndpointConfigName="Config-2",
        ProductionVariants=[
            variant(InitialInstanceCount=4, InitialVariantWeight=0.25),
            variant("New", InitialInstanceCount=3),
        ],
    )
    return "Config-2"


def _plan(server, name):
    return server.store.fetch(ENDPOINT, server.default, name).document["Emulator"]


def test_a_created_endpoint_is_creating_and_waits_for_the_reconciler(
    server, sagemaker, config, arn
):
    server.woken.clear()
    reply = sagemaker.create_endpoint(EndpointName="End-1", EndpointConfigName=config)
    endpoint = sagemaker.describe_endpoint(EndpointName="End-1")
    assert reply["EndpointArn"] == endpoint["EndpointArn"] == arn("endpoint", "end-1")
    assert endpoint["EndpointStatus"] == "Creating"
    assert endpoint["EndpointConfigName"] == config
    assert "ProductionVariants" not in endpoint
    assert "PendingDeploymentSummary" not in endpoint
    assert [(kind.name, name) for kind, _, name in server.woken] == [("Endpoint", "End-1")]


def test_the_log_group_of_an_endpoint_is_there_from_its_creation(client, sagemaker, config):
    logs = client("logs")
    assert logs.describe_log_groups()["logGroups"] == []
    sagemaker.create_endpoint(EndpointName="End-1", EndpointConfigName=config)
    [group] = logs.describe_log_groups()["logGroups"]
    assert group["logGroupName"] == "/aws/sagemaker/Endpoints/End-1"
    assert logs.filter_log_events(logGroupName=group["logGroupName"])["events"] == []


def test_the_plan_outlives_the_configuration_and_the_model(server, sagemaker, config, model):
    sagemaker.create_endpoint(EndpointName="End-1", EndpointConfigName=config)
    sagemaker.delete_endpoint_config(EndpointConfigName=config)
    sagemaker.delete_model(ModelName=model)
    own = _plan(server, "End-1")
    assert own["generation"] == 1
    assert own["plan"]["config"]["EndpointConfigName"] == config
    assert own["plan"]["models"][model]["PrimaryContainer"]["Image"] == "chainer:5"
    assert own["desired"] == [{"variant": "AllTraffic", "weight": 1.0, "instances": 1}]


def test_describe_shows_the_variants_that_the_reconciler_wrote(server, sagemaker, endpoint):
    variants = [
        {
            "VariantName": "AllTraffic",
            "CurrentWeight": 1.0,
            "DesiredWeight": 1.0,
            "CurrentInstanceCount": 1,
            "DesiredInstanceCount": 1,
        }
    ]
    server.happens(ENDPOINT, endpoint, READY, ProductionVariants=variants)
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert described["ProductionVariants"] == variants


@pytest.mark.parametrize(
    "operation, members",
    [
        ("describe_endpoint", {}),
        ("delete_endpoint", {}),
        ("update_endpoint", {"EndpointConfigName": "Config-1"}),
        (
            "update_endpoint_weights_and_capacities",
            {"DesiredWeightsAndCapacities": [{"VariantName": "a", "DesiredWeight": 1}]},
        ),
    ],
)
def test_an_absent_endpoint_is_refused(sagemaker, assert_refused, arn, operation, members):
    assert_refused(
        lambda: getattr(sagemaker, operation)(EndpointName="Nobody", **members),
        "ValidationException",
        f'Could not find endpoint "{arn("endpoint", "nobody")}".',
    )


def test_an_endpoint_of_an_absent_configuration_is_refused(sagemaker, serving, assert_refused, arn):
    text = f'Could not find endpoint configuration "{arn("endpoint-config", "nobody")}".'
    for call in (sagemaker.create_endpoint, sagemaker.update_endpoint):
        assert_refused(
            lambda call=call: call(EndpointName=serving, EndpointConfigName="Nobody"),
            "ValidationException",
            text,
        )
    status = sagemaker.describe_endpoint(EndpointName=serving)["EndpointStatus"]
    assert status == "InService"


def test_an_endpoint_of_a_deleted_model_is_refused(sagemaker, config, model, assert_refused, arn):
    sagemaker.delete_model(ModelName=model)
    assert_refused(
        lambda: sagemaker.create_endpoint(EndpointName="End-1", EndpointConfigName=config),
        "ValidationException",
        f'Could not find model "{arn("model", "model-1")}".',
    )


def test_a_name_is_taken_once(sagemaker, endpoint, config, assert_refused, arn):
    assert_refused(
        lambda: sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config),
        "ValidationException",
        f'Cannot create already existing endpoint "{arn("endpoint", "end-1")}".',
    )


CHANGES = {
    "delete_endpoint": {},
    "update_endpoint": {"EndpointConfigName": "Config-1"},
    "update_endpoint_weights_and_capacities": {
        "DesiredWeightsAndCapacities": [{"VariantName": "AllTraffic", "DesiredWeight": 1}]
    },
}
IN_PROGRESS = {
    "Creating": (),
    "Updating": (READY, Event.UPDATE_REQUESTED),
    "Deleting": (READY, Event.DELETE_REQUESTED),
}


@pytest.mark.parametrize("operation", CHANGES)
@pytest.mark.parametrize("status", IN_PROGRESS)
def test_an_endpoint_in_progress_cannot_be_changed(
    server, sagemaker, endpoint, assert_refused, arn, status, operation
):
    server.happens(ENDPOINT, endpoint, *IN_PROGRESS[status])
    assert_refused(
        lambda: getattr(sagemaker, operation)(EndpointName=endpoint, **CHANGES[operation]),
        "ValidationException",
        f'Cannot update in-progress endpoint "{arn("endpoint", "end-1")}".',
    )
    assert sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == status


@pytest.mark.parametrize("operation", ["update_endpoint", "update_endpoint_weights_and_capacities"])
def test_a_failed_endpoint_cannot_be_updated(
    server, sagemaker, endpoint, assert_refused, arn, operation
):
    server.happens(ENDPOINT, endpoint, FAILED, FailureReason="no ping")
    assert_refused(
        lambda: getattr(sagemaker, operation)(EndpointName=endpoint, **CHANGES[operation]),
        "ValidationException",
        f'Cannot update endpoint "{arn("endpoint", "end-1")}" because it is in status Failed.',
    )


@pytest.mark.parametrize("event", [READY, FAILED])
def test_a_deleted_endpoint_is_deleting_until_the_reconciler_forgets_it(
    server, sagemaker, endpoint, assert_refused, arn, event
):
    server.happens(ENDPOINT, endpoint, event)
    server.woken.clear()
    sagemaker.delete_endpoint(EndpointName=endpoint)
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert described["EndpointStatus"] == "Deleting"
    assert [name for _, _, name in server.woken] == [endpoint]
    server.store.remove(ENDPOINT, server.default, endpoint)
    assert_refused(
        lambda: sagemaker.describe_endpoint(EndpointName=endpoint),
        "ValidationException",
        f'Could not find endpoint "{arn("endpoint", "end-1")}".',
    )


# Updates.


def test_an_update_keeps_the_old_configuration_until_it_succeeds(
    server, sagemaker, serving, second
):
    server.woken.clear()
    sagemaker.update_endpoint(EndpointName=serving, EndpointConfigName=second)
    described = sagemaker.describe_endpoint(EndpointName=serving)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == (
        "Updating",
        "Config-1",
    )
    pending = described["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == second
    assert [
        (one["VariantName"], one["DesiredInstanceCount"]) for one in pending["ProductionVariants"]
    ] == [("AllTraffic", 4), ("New", 3)]
    own = _plan(server, serving)
    assert (own["generation"], own["target"]["generation"]) == (1, 2)
    assert own["target"]["config_name"] == second
    assert own["target"]["plan"]["config"]["EndpointConfigName"] == second
    assert [name for _, _, name in server.woken] == [serving]


def test_the_reason_of_an_earlier_failed_update_is_gone_with_the_next(
    server, sagemaker, serving, second
):
    sagemaker.update_endpoint(EndpointName=serving, EndpointConfigName=second)
    server.happens(ENDPOINT, serving, FAILED, FailureReason="no ping")
    described = sagemaker.describe_endpoint(EndpointName=serving)
    assert (described["EndpointStatus"], described["FailureReason"]) == ("InService", "no ping")
    sagemaker.update_endpoint(EndpointName=serving, EndpointConfigName=second)
    assert "FailureReason" not in sagemaker.describe_endpoint(EndpointName=serving)


def test_no_fleet_gets_the_number_of_one_that_failed(server, sagemaker, serving, second):
    def update():
        sagemaker.update_endpoint(EndpointName=serving, EndpointConfigName=second)
        return _plan(server, serving)

    def fail(own):
        del own["target"]
        server.happens(ENDPOINT, serving, FAILED, Emulator=own)

    fail(update())
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=serving,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredWeight": 2}],
    )
    own = _plan(server, serving)
    assert own["target"]["generation"] == own["generation"] == 1
    fail(own)
    assert update()["target"]["generation"] == 3


@pytest.mark.parametrize(
    "members, first_variant",
    [
        ({}, {"weight": 0.25, "instances": 4}),
        ({"RetainAllVariantProperties": True}, {"weight": 7.0, "instances": 2}),
        (
            {
                "RetainAllVariantProperties": True,
                "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
            },
            {"weight": 0.25, "instances": 2},
        ),
        (
            {
                "RetainAllVariantProperties": True,
                "ExcludeRetainedVariantProperties": [
                    {"VariantPropertyType": "DesiredInstanceCount"}
                ],
            },
            {"weight": 7.0, "instances": 4},
        ),
    ],
)
def test_an_update_retains_what_it_is_told_to_for_variants_of_both_fleets(
    server, sagemaker, serving, second, members, first_variant
):
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=serving,
        DesiredWeightsAndCapacities=[
            {"VariantName": "AllTraffic", "DesiredWeight": 7, "DesiredInstanceCount": 2}
        ],
    )
    own = _plan(server, serving)
    server.happens(ENDPOINT, serving, READY, Emulator=own | {"desired": own["target"]["desired"]})
    sagemaker.update_endpoint(EndpointName=serving, EndpointConfigName=second, **members)
    assert _plan(server, serving)["target"]["desired"] == [
        {"variant": "AllTraffic"} | first_variant,
        {"variant": "New", "weight": 1.0, "instances": 3},
    ]


def test_weights_and_capacities_change_the_same_fleet(server, sagemaker, serving):
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=serving,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 5}],
    )
    own = _plan(server, serving)
    assert own["target"] == {
        "generation": own["generation"],
        "plan": own["plan"],
        "desired": [{"variant": "AllTraffic", "weight": 1.0, "instances": 5}],
        "config_name": "Config-1",
    }
    described = sagemaker.describe_endpoint(EndpointName=serving)
    assert described["EndpointStatus"] == "Updating"
    assert "PendingDeploymentSummary" not in described


@pytest.mark.parametrize(
    "wish, text",
    [
        (
            {"VariantName": "Nobody", "DesiredWeight": 1},
            'Could not find variant "Nobody" of endpoint'
            ' "arn:aws:sagemaker:us-west-2:123456789012:endpoint/end-1".',
        ),
        (
            {"VariantName": "AllTraffic", "DesiredInstanceCount": 0},
            "1 validation error detected: Value '0' at"
            " 'desiredWeightsAndCapacities.1.member.desiredInstanceCount' failed to satisfy"
            " constraint: Member must have value greater than or equal to 1",
        ),
        (
            {"VariantName": "AllTraffic", "ServerlessUpdateConfig": {"MaxConcurrency": 2}},
            "DesiredWeightsAndCapacities[].ServerlessUpdateConfig is not emulated yet.",
        ),
    ],
)
def test_an_impossible_weight_or_capacity_is_refused(
    sagemaker, serving, assert_refused, wish, text
):
    assert_refused(
        lambda: sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=serving, DesiredWeightsAndCapacities=[wish]
        ),
        "ValidationException",
        text,
    )
    described = sagemaker.describe_endpoint(EndpointName=serving)
    assert described["EndpointStatus"] == "InService"


# Deployment.


def _blue_green(kind, **members):
    traffic = {"Type": kind, "WaitIntervalInSeconds": 0}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": traffic} | members}


@pytest.mark.parametrize(
    "deployment, text",
    [
        (
            _blue_green("CANARY"),
            "DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.Type CANARY is not"
            " emulated yet. Use ALL_AT_ONCE.",
        ),
        (
            _blue_green("LINEAR"),
            "DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.Type LINEAR is not"
            " emulated yet. Use ALL_AT_ONCE.",
        ),
        (
            {
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
                    "WaitIntervalInSeconds": 0,
                }
            },
            "DeploymentConfig.RollingUpdatePolicy is not emulated yet."
            " Use BlueGreenUpdatePolicy with ALL_AT_ONCE.",
        ),
    ],
)
def test_a_gradual_deployment_is_refused(sagemaker, serving, assert_refused, deployment, text):
    assert_refused(
        lambda: sagemaker.update_endpoint(
            EndpointName=serving, EndpointConfigName="Config-1", DeploymentConfig=deployment
        ),
        "ValidationException",
        text,
    )


def test_the_last_deployment_is_shown_and_kept_only_when_retained(server, sagemaker, serving):
    deployment = _blue_green("ALL_AT_ONCE")

    def update(**members):
        sagemaker.update_endpoint(EndpointName=serving, EndpointConfigName="Config-1", **members)
        server.happens(ENDPOINT, serving, READY)
        return sagemaker.describe_endpoint(EndpointName=serving).get("LastDeploymentConfig")

    assert update(DeploymentConfig=deployment) == deployment
    assert update(RetainDeploymentConfig=True) == deployment
    assert update() is None


# Waiters.

QUICK = {"Delay": 0, "MaxAttempts": 1000}


def test_the_waiter_sees_the_endpoint_in_service(server, sagemaker, endpoint):
    server.meanwhile(lambda: server.happens(ENDPOINT, endpoint, READY))
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig=QUICK)
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert described["EndpointStatus"] == "InService"


def test_the_waiter_sees_the_endpoint_fail(server, sagemaker, endpoint):
    server.meanwhile(lambda: server.happens(ENDPOINT, endpoint, FAILED))
    with pytest.raises(WaiterError, match="terminal failure state"):
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig=QUICK)


def test_the_waiter_sees_the_endpoint_gone(server, sagemaker, serving):
    sagemaker.delete_endpoint(EndpointName=serving)
    server.meanwhile(lambda: server.store.remove(ENDPOINT, server.default, serving))
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=serving, WaiterConfig=QUICK)
    assert sagemaker.list_endpoints()["Endpoints"] == []


# Lists and scopes.


def test_endpoints_are_listed_by_status(server, sagemaker, serving, config):
    sagemaker.create_endpoint(EndpointName="End-2", EndpointConfigName=config)

    def names(**asked):
        return [one["EndpointName"] for one in sagemaker.list_endpoints(**asked)["Endpoints"]]

    assert names() == ["End-2", "End-1"]
    assert names(SortBy="Status", SortOrder="Descending") == ["End-1", "End-2"]
    assert names(StatusEquals="InService") == ["End-1"]
    assert names(StatusEquals="Failed") == []


def test_two_regions_and_two_accounts_do_not_see_each_other(client, endpoint, assert_refused, arn):
    for where in ({"region": "eu-west-1"}, {"account": "210987654321"}):
        assert_refused(
            lambda where=where: client(**where).describe_endpoint(EndpointName=endpoint),
            "ValidationException",
            f'Could not find endpoint "{arn("endpoint", "end-1", **where)}".',
        )
        assert client(**where).list_endpoints()["Endpoints"] == []
        assert client(**where).list_endpoint_configs()["EndpointConfigs"] == []


def test_weights_and_capacities_that_name_a_variant_twice_are_refused(
    sagemaker, serving, assert_refused
):
    wishes = [{"VariantName": "AllTraffic", "DesiredWeight": weight} for weight in (1, 2)]
    assert_refused(
        lambda: sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=serving, DesiredWeightsAndCapacities=wishes
        ),
        "ValidationException",
        "Production variant names must be unique: AllTraffic",
    )
    assert sagemaker.describe_endpoint(EndpointName=serving)["EndpointStatus"] == "InService"
