"""What CreateTrainingJob adds to the request when the image is one of Amazon's own algorithms."""

from emulator.call import Document
from emulator.catalogue.table import metrics_of


def with_metrics(algorithm: Document) -> Document:
    """Return an AlgorithmSpecification with the metrics that Amazon defines for its algorithm.

    A definition of the request stays, also in the place of one of the same name.
    """
    given = algorithm.get("MetricDefinitions", [])
    named = {definition["Name"] for definition in given}
    own = [
        {"Name": name, "Regex": regex}
        for name, regex in metrics_of(algorithm.get("TrainingImage", "")).items()
        if name not in named
    ]
    return {**algorithm, "MetricDefinitions": [*given, *own]} if own else algorithm
