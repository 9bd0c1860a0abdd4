"""The kinds of resources that are native, with SageMaker's own sentences (contract A4); pure."""

from emulator.call import Kind
from emulator.errors import (
    ConflictException,
    ResourceInUse,
    ResourceNotFound,
    ValidationException,
)

TRAINING_JOB = Kind(
    name="TrainingJob",
    arn_segment="training-job",
    absent="Requested resource not found.",
    taken="Training job names must be unique within an AWS account and region, and a training job"
    " with this name already exists ({arn})",
    taken_error=ResourceInUse,
)

MODEL = Kind(
    name="Model",
    arn_segment="model",
    absent='Could not find model "{arn}".',
    taken='Cannot create already existing model "{arn}".',
    taken_error=ValidationException,
)

ENDPOINT_CONFIG = Kind(
    name="EndpointConfig",
    arn_segment="endpoint-config",
    absent='Could not find endpoint configuration "{arn}".',
    taken='Cannot create already existing endpoint configuration "{arn}".',
    taken_error=ValidationException,
)

ENDPOINT = Kind(
    name="Endpoint",
    arn_segment="endpoint",
    absent='Could not find endpoint "{arn}".',
    taken='Cannot create already existing endpoint "{arn}".',
    taken_error=ValidationException,
)

NOTEBOOK_INSTANCE = Kind(
    name="NotebookInstance",
    arn_segment="notebook-instance",
    absent="RecordNotFound",
    taken="Cannot create a duplicate Notebook Instance ({arn})",
    taken_error=ValidationException,
)

LIFECYCLE_CONFIG = Kind(
    name="NotebookInstanceLifecycleConfig",
    arn_segment="notebook-instance-lifecycle-config",
    absent="Unable to describe Notebook Instance Lifecycle Config '{arn}'. (Details: Notebook"
    " Instance Lifecycle Config does not exist.)",
    taken="Unable to create Notebook Instance Lifecycle Config {arn}. (Details: Notebook Instance"
    " Lifecycle Config already exists.)",
    taken_error=ValidationException,
)


def _record(name: str, segment: str) -> Kind:
    """A record whose name is unique, in the words of experiments (contract-next.md H6.5).

    That a taken name "already exists" is what the SDK waits for; that what is absent "does not
    exist" is by analogy.
    """
    return Kind(
        name=name,
        arn_segment=segment,
        absent=f"{name} '{{arn}}' does not exist.",
        taken=f"{name} names must be unique within an AWS account and region. {name} with name"
        " ({name}) already exists.",
        taken_error=ValidationException,
        absent_error=ResourceNotFound,
    )


EXPERIMENT = _record("Experiment", "experiment")
TRIAL = _record("Trial", "experiment-trial")
TRIAL_COMPONENT = _record("TrialComponent", "experiment-trial-component")
PIPELINE = _record("Pipeline", "pipeline")
ACTION = _record("Action", "action")
CONTEXT = _record("Context", "context")

ARTIFACT = Kind(
    name="Artifact",
    arn_segment="artifact",
    absent="Artifact '{arn}' does not exist.",
    taken="An artifact with this source already exists ({arn}).",
    taken_error=ValidationException,
    absent_error=ResourceNotFound,
)

ASSOCIATION = Kind(
    name="Association",
    arn_segment="association",
    absent="There is no such association.",
    taken="This association already exists.",
    taken_error=ValidationException,
    absent_error=ResourceNotFound,
)

MODEL_PACKAGE_GROUP = Kind(
    name="ModelPackageGroup",
    arn_segment="model-package-group",
    absent="ModelPackageGroup {arn} does not exist.",
    taken="Model Package Group already exists: {arn}",
    taken_error=ValidationException,
)

MODEL_PACKAGE = Kind(
    name="ModelPackage",
    arn_segment="model-package",
    absent="ModelPackage {arn} does not exist.",
    taken="Model Package already exists: {arn}",
    taken_error=ConflictException,
)

MODEL_CARD = Kind(
    name="ModelCard",
    arn_segment="model-card",
    absent="ModelCard {arn} does not exist.",
    taken="ModelCard {arn} already exists.",
    taken_error=ConflictException,
    absent_error=ResourceNotFound,
)


def _job_definition(name: str, segment: str) -> Kind:
    return Kind(
        name=name,
        arn_segment=segment,
        absent="Job definition {arn} does not exist.",
        taken="Job definition {arn} already exists.",
        taken_error=ResourceInUse,
        absent_error=ResourceNotFound,
    )


JOB_DEFINITIONS = (
    _job_definition("DataQualityJobDefinition", "data-quality-job-definition"),
    _job_definition("ModelBiasJobDefinition", "model-bias-job-definition"),
    _job_definition("ModelExplainabilityJobDefinition", "model-explainability-job-definition"),
    _job_definition("ModelQualityJobDefinition", "model-quality-job-definition"),
)

KINDS = (
    TRAINING_JOB,
    MODEL,
    ENDPOINT_CONFIG,
    ENDPOINT,
    NOTEBOOK_INSTANCE,
    LIFECYCLE_CONFIG,
    EXPERIMENT,
    TRIAL,
    TRIAL_COMPONENT,
    ARTIFACT,
    ACTION,
    CONTEXT,
    MODEL_PACKAGE_GROUP,
    MODEL_PACKAGE,
    MODEL_CARD,
    PIPELINE,
    *JOB_DEFINITIONS,
)
"""The kinds that can have tags, and so all but associations."""
