"""The kinds of resources that are native, with SageMaker's own sentences (contract A4); pure."""

from emulator.call import Kind
from emulator.errors import ResourceInUse, ValidationException

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

KINDS = (TRAINING_JOB, MODEL, ENDPOINT_CONFIG, ENDPOINT, NOTEBOOK_INSTANCE, LIFECYCLE_CONFIG)
