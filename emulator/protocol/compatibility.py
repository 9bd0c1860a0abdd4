"""The page of documentation that says which operations are emulated, and by whom; pure."""

from collections.abc import Iterable, Mapping

_HEAD = """\
# What is emulated

Every operation of SageMaker's control plane is native, delegated or refused. This page is written
from the tables that the emulator itself answers by; a test compares the two.

- **Native**: done for real, with SageMaker's own life cycle, checks and errors.
- **Delegated**: records behind which nothing runs, kept by [moto](https://github.com/getmoto/moto)
  in the same process. Requests are checked against the service model first. These records are
  lost when the emulator stops, and moto keeps less of them than SageMaker does: tags given to
  `CreateExperiment`, for one, are forgotten.
- **Refused**: answered at once with `OperationNotEmulated` and HTTP status 501, which no SDK
  retries. A call is never answered with a success that did not happen.

`AddTags`, `ListTags` and `DeleteTags` are native, and reach moto for the resources that it keeps.

## Callers and permissions

Nothing is ever denied: signatures, policies and the role that a request names are not checked.
Clients that ask are told so:

- STS answers `GetCallerIdentity` with the assumed role `AmazonSageMaker-ExecutionRole`, unless the
  access key was issued here, by IAM's `CreateAccessKey` or STS's `AssumeRole`: then with that user
  or role.
- IAM has the role `service-role/AmazonSageMaker-ExecutionRole` in every account, which SageMaker
  may assume, with the policy `AmazonSageMakerFullAccess`. It may be changed and deleted, and a
  `CreateRole` of that name replaces it. Roles that nobody made are not there.
- `SimulatePrincipalPolicy` and `SimulateCustomPolicy` answer `allowed` for every action.
- S3 refuses a request whose `ExpectedBucketOwner` is not the bucket's owner.

Roles, users and keys are lost when the emulator stops.

## Lists

`ListTrainingJobs` with `MaxResults` takes that many jobs first and then applies the filters, as AWS
does: a page may be empty and have a `NextToken`. Paginators find everything; one call without
`MaxResults` filters first.

## Invocations

- A value of `CustomAttributes` that is not ASCII is refused by its pattern, as AWS does. The HTTP
  server can't tell it from an empty value, so that an empty one is refused, too; leave it out.
  `ContentType` and `Accept` with other characters than ASCII count as not given.
- What a container sets as `Content-Type` or `X-Amzn-SageMaker-Custom-Attributes` comes back byte
  for byte if it is ASCII or UTF-8.

## CloudWatch Logs

- `FilterLogEvents` takes terms, phrases, `?`, `-` and `%regular expressions%`; patterns for JSON
  and for columns are refused with HTTP status 501. `GetLogEvents`, `DescribeLogStreams` and live
  tails read the same lines.
- Insights (`StartQuery`, `GetQueryResults`) has the commands `fields`, `display`, `filter`,
  `parse`, `sort` and `limit`, with comparisons, `like`, `in`, `ispresent`, `and`, `or` and `not`.
  Other commands and functions, such as `stats`, are a `MalformedQueryException`.

## CloudWatch

CloudWatch keeps what clients put there, what `MetricDefinitions` find and the emulator's own
metrics of accelerators. Of the metrics that AWS keeps of endpoints in the namespace
`AWS/SageMaker`, such as `Invocations` and `ModelLatency`, there are none yet: `GetMetricStatistics`
and `GetMetricData` find no values, and an alarm on them sees no data.
"""


_PLANES = """\
## SageMaker's other services

They sign as SageMaker or nearly so, and `AWS_ENDPOINT_URL` leads their calls here, too. What is
refused is answered as above, and the error names the operation.

| service | native | refused |
|---|---|---|
"""


def page(
    operations: Iterable[str],
    native: Iterable[str],
    delegated: Mapping[str, Iterable[str]],
    planes: Mapping[str, Iterable[str]],
    native_of_planes: frozenset[str],
) -> str:
    """Return the page in Markdown.

    Args:
        operations: all operations of the service model.
        native: those answered by the emulator itself.
        delegated: resource -> those of its operations that moto answers.
        planes: SageMaker's other services -> their operations.
        native_of_planes: those of them answered by the emulator itself.
    """
    everything, own = set(operations), set(native)
    theirs = {name for names in delegated.values() for name in names}
    refused = everything - own - theirs
    parts = [
        _HEAD,
        f"| native | delegated | refused | all |\n|---|---|---|---|\n"
        f"| {len(own)} | {len(theirs)} | {len(refused)} | {len(everything)} |\n",
        f"## Native\n\n{_listed(own)}",
        "## Delegated\n\n| resource | operations |\n|---|---|\n"
        + "".join(f"| {name} | {_inline(delegated[name])} |\n" for name in sorted(delegated)),
        f"## Refused\n\n{_listed(refused)}",
        _PLANES
        + "".join(
            f"| {service} | {_inline(native_of_planes & set(names))} |"
            f" {_inline(set(names) - native_of_planes)} |\n"
            for service, names in planes.items()
        ),
    ]
    return "\n".join(parts)


def _listed(names: Iterable[str]) -> str:
    return "".join(f"- `{name}`\n" for name in sorted(names))


def _inline(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
