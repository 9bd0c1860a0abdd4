"""The table of records: what names each kind, and what its lists hold; no behaviour."""

from emulator.call import Document, Kind
from emulator.kinds import (
    ACTION,
    ARTIFACT,
    ASSOCIATION,
    CONTEXT,
    EXPERIMENT,
    JOB_DEFINITIONS,
    MODEL_CARD,
    MODEL_PACKAGE,
    MODEL_PACKAGE_GROUP,
    PIPELINE,
    TRIAL,
    TRIAL_COMPONENT,
)
from emulator.operations.listing import Listing, Matches
from emulator.operations.records import Records

TRIALS_OF = "Trials"
"""The member of a trial component's document that holds the names of its trials."""

LISTED_AS = "ListedAs"
"""The member of a model package's document by which it is listed: a version has no other name."""

EXPERIMENTS = Records(
    EXPERIMENT,
    Listing(EXPERIMENT, result="ExperimentSummaries", name="ExperimentName"),
    name="ExperimentName",
    arn="ExperimentArn",
    shown="DisplayName",
)

TRIALS = Records(
    TRIAL,
    Listing(TRIAL, result="TrialSummaries", name="TrialName"),
    name="TrialName",
    arn="TrialArn",
    shown="DisplayName",
)

TRIAL_COMPONENTS = Records(
    TRIAL_COMPONENT,
    Listing(TRIAL_COMPONENT, result="TrialComponentSummaries", name="TrialComponentName"),
    name="TrialComponentName",
    arn="TrialComponentArn",
    shown="DisplayName",
    maps=("Parameters", "InputArtifacts", "OutputArtifacts"),
)

MODEL_PACKAGE_GROUPS = Records(
    MODEL_PACKAGE_GROUP,
    Listing(
        MODEL_PACKAGE_GROUP, result="ModelPackageGroupSummaryList", name="ModelPackageGroupName"
    ),
    name="ModelPackageGroupName",
    arn="ModelPackageGroupArn",
)

MODEL_PACKAGES = Records(
    MODEL_PACKAGE,
    Listing(
        MODEL_PACKAGE,
        result="ModelPackageSummaryList",
        name=LISTED_AS,
        order="Ascending",
        key="ModelPackageArn",
    ),
    name="ModelPackageName",
    arn="ModelPackageArn",
    maps=("CustomerMetadataProperties",),
)

MODEL_CARDS = Records(
    MODEL_CARD,
    Listing(
        MODEL_CARD,
        result="ModelCardSummaries",
        name="ModelCardName",
        matches=lambda document, request: (
            request.get("ModelCardStatus") in (None, document["ModelCardStatus"])
        ),
    ),
    name="ModelCardName",
    arn="ModelCardArn",
)


PIPELINES = Records(
    PIPELINE,
    Listing(
        PIPELINE,
        result="PipelineSummaries",
        name="PipelineName",
        matches=lambda document, request: (
            document["PipelineName"].startswith(request.get("PipelineNamePrefix", ""))
            # AWS has pipelines of its own in accounts that use some of its products.
            and request.get("ManagedBy") in (None, "CUSTOMER")
        ),
    ),
    name="PipelineName",
    arn="PipelineArn",
    shown="PipelineDisplayName",
)


def _from(type_member: str) -> Matches:
    """Return the filters by source and type that lists of lineage have."""

    def matches(document: Document, request: Document) -> bool:
        source = document["Source"]["SourceUri"]
        return request.get("SourceUri") in (None, source) and (
            request.get(type_member) in (None, document[type_member])
        )

    return matches


ACTIONS = Records(
    ACTION,
    Listing(ACTION, result="ActionSummaries", name="ActionName", matches=_from("ActionType")),
    name="ActionName",
    arn="ActionArn",
    maps=("Properties",),
)

ARTIFACTS = Records(
    ARTIFACT,
    Listing(
        ARTIFACT,
        result="ArtifactSummaries",
        name="ArtifactName",
        key="ArtifactArn",
        matches=_from("ArtifactType"),
    ),
    name="",
    arn="ArtifactArn",
    maps=("Properties",),
)

CONTEXTS = Records(
    CONTEXT,
    Listing(CONTEXT, result="ContextSummaries", name="ContextName", matches=_from("ContextType")),
    name="ContextName",
    arn="ContextArn",
    maps=("Properties",),
)

ASSOCIATIONS = Records(
    ASSOCIATION,
    Listing(ASSOCIATION, result="AssociationSummaries", name="SourceArn", key="AssociationArn"),
    name="",
    # No reply shows it, but no two associations share one.
    arn="AssociationArn",
)


def _monitored(document: Document, request: Document) -> bool:
    return request.get("EndpointName") in (None, document["EndpointName"])


def _job_definitions(kind: Kind) -> Records:
    listing = Listing(
        kind, result="JobDefinitionSummaries", name="JobDefinitionName", matches=_monitored
    )
    return Records(kind, listing, name="JobDefinitionName", arn="JobDefinitionArn")


JOB_DEFINITION_RECORDS = tuple(map(_job_definitions, JOB_DEFINITIONS))
