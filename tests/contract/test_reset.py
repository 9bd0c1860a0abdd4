"""What a reset forgets, and what it leaves alone."""

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

OTHER = "210987654321"
SCOPES = [
    ("123456789012", "us-west-2"),
    ("123456789012", "eu-west-1"),
    (OTHER, "us-west-2"),
    (OTHER, "eu-west-1"),
]
Scopes = list[tuple[str, str]]


def ask(url: str, path: str, method: str = "POST", **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request(method, path, headers=headers)
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, json.loads(content) if content else None


def furnish(client: Callable[..., Any], account: str, region: str) -> None:
    """Put one of everything into a scope."""
    client("sagemaker", region, account).create_model(
        ModelName="model", PrimaryContainer={"Image": "i"}, Tags=[{"Key": "a", "Value": "b"}]
    )
    s3, name = client("s3", region, account), f"{account}-{region}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_object(Bucket=name, Key="key", Body=name.encode(), Tagging="a=b")
    s3.create_multipart_upload(Bucket=name, Key="unfinished")
    client("logs", region, account).create_log_group(logGroupName="group")
    client("ecr", region, account).create_repository(repositoryName="repository")
    client("sns", region, account).create_topic(Name="topic")
    metric = {"MetricName": "loss", "Value": 1.0}
    cloudwatch = client("cloudwatch", region, account)
    cloudwatch.put_metric_data(Namespace="mine", MetricData=[metric])


def found(client: Callable[..., Any], account: str, region: str) -> set[str]:
    """Return what of it a scope has."""
    here = set[str]()
    if client("sagemaker", region, account).list_models()["Models"]:
        here.add("model")
    name = f"{account}-{region}"
    buckets = client("s3", region, account).list_buckets()["Buckets"]
    if name in {bucket["Name"] for bucket in buckets}:
        s3 = client("s3", region, account)
        assert s3.get_object(Bucket=name, Key="key")["Body"].read() == name.encode()
        assert s3.get_object_tagging(Bucket=name, Key="key")["TagSet"]
        assert len(s3.list_multipart_uploads(Bucket=name)["Uploads"]) == 1
        here.add("bucket")
    if client("logs", region, account).describe_log_groups()["logGroups"]:
        here.add("group")
    if client("ecr", region, account).describe_repositories()["repositories"]:
        here.add("repository")
    if client("sns", region, account).list_topics()["Topics"]:
        here.add("topic")
    if client("cloudwatch", region, account).list_metrics(Namespace="mine")["Metrics"]:
        here.add("metric")
    return here


ALL = {"model", "bucket", "group", "repository", "topic", "metric"}


@pytest.mark.parametrize(
    "query, kept",
    [
        ("", []),
        (f"?account={OTHER}", SCOPES[:2]),
        ("?region=eu-west-1", [SCOPES[0], SCOPES[2]]),
        (f"?account={OTHER}&region=eu-west-1", SCOPES[:3]),
        (f"?region=eu-west-1&account={OTHER}", SCOPES[:3]),
        ("?account=999999999999", SCOPES),
        ("?region=ap-south-1", SCOPES),
    ],
)
def test_a_reset_forgets_what_it_names_and_nothing_else(
    server: Any, client: Callable[..., Any], query: str, kept: Scopes
) -> None:
    for scope in SCOPES:
        furnish(client, *scope)
        assert found(client, *scope) == ALL
    status, answer = ask(server.url, f"/_emulator/reset{query}")
    named = dict(pair.split("=") for pair in query[1:].split("&")) if query else {}
    assert (status, answer) == (200, {"reset": True, **named})
    for scope in SCOPES:
        assert found(client, *scope) == (ALL if scope in kept else set())
    # What was forgotten can be made anew, and its name is nobody's.
    for scope in SCOPES:
        if scope not in kept:
            furnish(client, *scope)
            assert found(client, *scope) == ALL


def test_roles_and_keys_go_with_an_account_and_with_no_region(
    server: Any, client: Callable[..., Any]
) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    for account, _ in SCOPES[::2]:
        iam = client("iam", "us-west-2", account)
        iam.create_role(RoleName="mine", AssumeRolePolicyDocument=policy)

    def has_role(account: str) -> bool:
        roles = client("iam", "us-west-2", account).list_roles()["Roles"]
        return "mine" in {role["RoleName"] for role in roles}

    ask(server.url, f"/_emulator/reset?account={OTHER}&region=us-west-2")
    assert has_role(OTHER)
    ask(server.url, f"/_emulator/reset?account={OTHER}")
    assert not has_role(OTHER)
    assert has_role("123456789012")


@pytest.mark.parametrize(
    "query, message",
    [
        ("acount=1", "There is no parameter 'acount'. There are: account, region."),
        ("service=s3", "There is no parameter 'service'. There are: account, region."),
        ("account=", "The parameter 'account' needs one value, such as 123456789012."),
        ("account=123", "The parameter 'account' needs one value, such as 123456789012."),
        ("region=", "The parameter 'region' needs one value, such as us-east-1."),
        ("region=US", "The parameter 'region' needs one value, such as us-east-1."),
        (
            "region=eu-west-1&region=us-west-2",
            "The parameter 'region' needs one value, such as us-east-1.",
        ),
    ],
)
def test_a_reset_that_is_not_understood_forgets_nothing(
    server: Any, client: Callable[..., Any], query: str, message: str
) -> None:
    furnish(client, *SCOPES[0])
    assert ask(server.url, f"/_emulator/reset?{query}") == (400, {"message": message})
    assert found(client, *SCOPES[0]) == ALL


def test_the_reset_of_motos_clients_is_the_emulators_own(
    server: Any, client: Callable[..., Any]
) -> None:
    furnish(client, *SCOPES[0])
    assert ask(server.url, "/moto-api/reset") == (200, {"status": "ok"})
    assert found(client, *SCOPES[0]) == set()


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/moto-api/"),
        ("GET", "/moto-api/data.json"),
        ("GET", "/moto-api/reset"),
        ("POST", "/moto-api/reset-auth"),
        ("POST", "/moto-api/seed?a=1"),
        ("PUT", "/moto-api/config"),
        ("POST", "/moto-api/state-manager/set-transition"),
    ],
)
def test_the_rest_of_motos_own_api_is_refused_in_one_line(
    server: Any, client: Callable[..., Any], method: str, path: str
) -> None:
    furnish(client, *SCOPES[0])
    text = "Of moto's own API, the emulator has POST /moto-api/reset alone."
    assert ask(server.url, path, method) == (501, {"message": text})
    assert found(client, *SCOPES[0]) == ALL


def test_no_web_page_resets_the_emulator(server: Any, client: Callable[..., Any]) -> None:
    furnish(client, *SCOPES[0])
    for path in ("/moto-api/reset", "/_emulator/reset"):
        assert ask(server.url, path, Origin="http://example.org")[0] == 403
    assert found(client, *SCOPES[0]) == ALL


def test_a_bucket_may_be_called_as_motos_api(client: Callable[..., Any], server: Any) -> None:
    s3 = client("s3", "us-east-1")
    s3.create_bucket(Bucket="moto-api")
    s3.put_object(Bucket="moto-api", Key="reset", Body=b"mine")
    assert s3.get_object(Bucket="moto-api", Key="reset")["Body"].read() == b"mine"
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="moto-api", Key="data.json")
