"""The resources that moto keeps for us; never imports moto, never runs anything.

A resource is delegated whole or not at all: were one of its operations ours and another moto's,
the two would disagree about what exists. Only records qualify, things behind which nothing runs,
because moto would report a run that never took place. An operation of a delegated resource that
moto lacks is refused like any other that is not emulated.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """One delegated resource.

    Attributes:
        segment: what follows the account in its ARN, up to the name.
        operations: what moto answers for it.
        tagged: whether moto keeps tags of it.
    """

    segment: str
    operations: frozenset[str]
    tagged: bool = True


def _resource(segment: str, names: str, *, tagged: bool = True) -> Resource:
    return Resource(segment, frozenset(names.split()), tagged)


RESOURCES: dict[str, Resource] = {
    "Experiment": _resource(
        "experiment", "CreateExperiment DeleteExperiment DescribeExperiment ListExperiments"
    ),
    "Trial": _resource("experiment-trial", "CreateTrial DeleteTrial DescribeTrial ListTrials"),
    "TrialComponent": _resource(
        "experiment-trial-component",
        "CreateTrialComponent DeleteTrialComponent DescribeTrialComponent ListTrialComponents "
        "UpdateTrialComponent AssociateTrialComponent DisassociateTrialComponent",
    ),
    "ModelCard": _resource(
        "model-card",
        "CreateModelCard DeleteModelCard DescribeModelCard ListModelCards ListModelCardVersions "
        "UpdateModelCard",
    ),
    "ModelPackageGroup": _resource(
        "model-package-group",
        "CreateModelPackageGroup DescribeModelPackageGroup ListModelPackageGroups",
    ),
    "ModelPackage": _resource(
        "model-package",
        "CreateModelPackage DescribeModelPackage ListModelPackages UpdateModelPackage",
        tagged=False,
    ),
    "Pipeline": _resource(
        "pipeline", "CreatePipeline DeletePipeline DescribePipeline ListPipelines UpdatePipeline"
    ),
    "DataQualityJobDefinition": _resource(
        "data-quality-job-definition",
        "CreateDataQualityJobDefinition DeleteDataQualityJobDefinition "
        "DescribeDataQualityJobDefinition ListDataQualityJobDefinitions",
    ),
    "ModelBiasJobDefinition": _resource(
        "model-bias-job-definition",
        "CreateModelBiasJobDefinition DeleteModelBiasJobDefinition "
        "DescribeModelBiasJobDefinition ListModelBiasJobDefinitions",
    ),
    "ModelExplainabilityJobDefinition": _resource(
        "model-explainability-job-definition",
        "CreateModelExplainabilityJobDefinition DeleteModelExplainabilityJobDefinition "
        "DescribeModelExplainabilityJobDefinition ListModelExplainabilityJobDefinitions",
    ),
    "ModelQualityJobDefinition": _resource(
        "model-quality-job-definition",
        "CreateModelQualityJobDefinition DeleteModelQualityJobDefinition "
        "DescribeModelQualityJobDefinition ListModelQualityJobDefinitions",
    ),
}

DELEGATED: frozenset[str] = frozenset().union(*(r.operations for r in RESOURCES.values()))

_TAGGED_SEGMENTS = frozenset(r.segment for r in RESOURCES.values() if r.tagged)


def keeps_tags_of(arn: str) -> bool:
    """Tell whether ``arn`` names a delegated resource, whose tags are moto's too."""
    segment, _, name = arn.rpartition(":")[2].partition("/")
    return segment in _TAGGED_SEGMENTS and name != "" and "/" not in name
