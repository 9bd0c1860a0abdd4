"""The page of documentation that says which operations are emulated, and how; pure."""

from collections.abc import Iterable, Mapping

_HEAD = """\
# What is emulated

Every operation of SageMaker's control plane is native, one that finds nothing, or refused. This
page is written from the tables that the emulator itself answers by; a test compares them.

- **Native**: done for real, with SageMaker's own life cycle, checks and errors. Experiments, the
  model registry, model cards, lineage, pipelines and definitions of monitoring jobs are records:
  kept, looked up and searched, and nothing runs for them. Who made one is not told: AWS tells that
  of users of Studio, and here nobody is one.
- **Answers that there are none**: on what cannot exist here, since the operations that would make
  it are refused. Lists are empty, and to describe, stop or delete one fails as it does on AWS when
  there is none.
- **Refused**: answered at once with `OperationNotEmulated` and HTTP status 501, which no SDK
  retries. A call is never answered with a success that did not happen.

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

## Records and search

- `Search` finds training jobs, endpoints, models (without the endpoints that serve them),
  experiments, trials, trial components, model packages and their groups, model cards, pipelines and
  their versions; of all other kinds there are none. Names of properties count in any case.
  `VisibilityConditions` are refused.
- Metrics that `BatchPutMetrics` puts to a trial component are summarized by
  `DescribeTrialComponent`; `BatchGetMetrics` gets them, with times in seconds, of trial components
  alone. The two belong to the metrics service, which has no other operations.
- Every training job has a trial component, `NAME-aws-training-job`, which
  [says what the job is at](members.md#experiments). Jobs make no lineage of their own.
- `StartPipelineExecution`, a model package's `ValidationSpecification` and `CreateModel` of a
  `ModelPackageName` are refused.

## Invocations

- A value of `CustomAttributes` that is not ASCII is refused by its pattern, as AWS does. The HTTP
  server can't tell it from an empty value, so that an empty one is refused, too; leave it out.
  `ContentType` and `Accept` with other characters than ASCII count as not given.
- What a container sets as `Content-Type` or `X-Amzn-SageMaker-Custom-Attributes` comes back byte
  for byte if it is ASCII or UTF-8.

## ECR

Jobs and endpoints run the engine's own images, so that nothing has to be pushed. `DescribeImages`,
`ListImages` and `DescribeRepositories` show the images that the engine has under names of the
registry that is asked about, beside the repositories that clients made. The digest is the engine's
id of the image; `BatchGetImage` has no manifest of it. Authorization tokens are good for twelve
hours, and open nothing. There is no registry: [`docker push`](clients.md#docker-and-ecr) to ECR's
names is answered in shells of `env`.

## S3

- A request that S3 would not understand gets S3's refusal: keys over 1,024 bytes
  (`KeyTooLongError`), names that no bucket may have, paths that are not UTF-8 (`InvalidURI`),
  numbers that are none, XML that does not fit the operation (`MalformedXML`), continuation tokens
  of nobody (`InvalidArgument`), tag keys that begin with `aws:`. Ranges and dates that can't be
  read are ignored.
- A request that is refused, or that can't be stored, has changed nothing. A full disk is an
  `InsufficientStorage` with HTTP status 507, which SDKs do not try again.
- Policies of buckets are kept and deny nothing, whatever their conditions.
- Subresources that are not emulated, such as `?metrics`, `?analytics` and `?requestPayment`, are
  refused with HTTP status 501.

## KMS and Lambda

- KMS has keys, aliases and grants, encrypts and decrypts. Like roles, keys are lost when the
  emulator stops, and what they have encrypted with them.
- Objects, and the artifacts of jobs with a `KmsKeyId`, say that they are encrypted with a key of
  KMS, and no such key is looked for; their bytes lie on this machine as they came.
- Lambda keeps functions, layers and aliases and never runs one: `Invoke` is refused with HTTP
  status 501, and what SNS or a subscription of Logs sends to a function is dropped with a warning.

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
    absent: Iterable[str],
    planes: Mapping[str, Iterable[str]],
    native_of_planes: frozenset[str],
) -> str:
    """Return the page in Markdown.

    Args:
        operations: all operations of the service model.
        native: those answered by the emulator itself.
        absent: those on what cannot exist here.
        planes: SageMaker's other services -> their operations.
        native_of_planes: those of them answered by the emulator itself.
    """
    everything, none = set(operations), set(absent)
    own = everything & set(native)
    refused = everything - own - none
    parts = [
        _HEAD,
        f"| native | answers that there are none | refused | all |\n|---|---|---|---|\n"
        f"| {len(own)} | {len(none)} | {len(refused)} | {len(everything)} |\n",
        f"## Native\n\n{_listed(own)}",
        f"## Answers that there are none\n\n{_listed(none)}",
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
