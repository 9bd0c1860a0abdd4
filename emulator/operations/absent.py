"""What cannot exist here: lists of it are empty, and a look-up finds nothing; by the service model.

Whoever cleans up an account lists every kind of resource before deleting any. That there are none
is the truth, since nothing here creates one. What would make or change one stays refused.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from emulator import arn as arns
from emulator.call import Call, Document, Handler
from emulator.errors import ResourceNotFound, ValidationException

Described = Mapping[str, Any]

# Lists of what AWS offers to everybody, which is not nothing, and what belongs to an endpoint.
_REFUSED = frozenset(
    {
        "DeleteEndpointPolicy",
        "DescribeJobSchemaVersion",
        "ListClusterExtensionVersions",
        "ListJobSchemaVersions",
        "ListModelMetadata",
        "ListResourceCatalogs",
    }
)
_LOOK_UP = re.compile(r"(?:Describe|Delete|Stop)(?P<noun>\w+)")
_NAMING = ("Name", "Arn", "Id")

# Of others no sentence of AWS's is known (contract A4, contract-next.md).
_SENTENCES = {
    "AutoMLJob": "Amazon SageMaker can't find an AutoML job called {name}.",
    "AutoMLJobV2": "Amazon SageMaker can't find an AutoML job called {name}.",
    "HyperParameterTuningJob": "Amazon SageMaker can't find a tuning job called {name}. Type"
    " another name.",
    "InferenceComponent": 'Could not find inference component "{arn}".',
    "ProcessingJob": "Could not find requested job with name: {name}",
    "TransformJob": "Could not find requested job with name: {name}",
}
_INVALID = frozenset({"ProcessingJob", "TransformJob"})
"""Whose look-ups do not fail as the model declares; AWS's own waiters rely on it."""
_SEGMENTS = {"InferenceComponent": "inference-component"}


def handlers(
    operations: Mapping[str, Described], shapes: Mapping[str, Described], native: Iterable[str]
) -> dict[str, Handler]:
    """Return what answers for the kinds of resources that cannot exist here.

    Args:
        operations, shapes: of the service model.
        native: the operations that are answered otherwise.
    """
    answers: dict[str, Handler] = {}
    for name in operations.keys() - set(native) - _REFUSED:
        described = operations[name]
        if name.startswith("List"):
            reply = _empty_reply(shapes[described["output"]["shape"]], shapes)
            answers[name] = _empty(name.removeprefix("List"), reply, _declares(described))
        elif match := _LOOK_UP.fullmatch(name):
            answers[name] = _nothing(match["noun"], _declares(described))
    return answers


def _declares(described: Described) -> bool:
    """Tell whether an operation may say that something is not found with a code for it."""
    return any(error["shape"] == "ResourceNotFound" for error in described.get("errors", ()))


def _empty_reply(output: Described, shapes: Mapping[str, Described]) -> Document:
    """Return a List reply whose summaries, the one list in it, are none."""
    return {
        name: []
        for name, described in output["members"].items()
        if shapes[described["shape"]]["type"] == "list"
    }


def _empty(noun: str, reply: Document, declared: bool) -> Handler:
    def answer(call: Call, request: Document) -> Document:
        if declared and any(key.endswith(_NAMING) for key in request):
            # What belongs to something that is not there, and not one of many.
            raise _missing(call, request, noun, declared)
        return reply

    return answer


def _nothing(noun: str, declared: bool) -> Handler:
    def answer(call: Call, request: Document) -> Document:
        raise _missing(call, request, noun, declared)

    return answer


def _missing(call: Call, request: Document, noun: str, declared: bool) -> Exception:
    naming = [key for key in request if key.endswith(_NAMING)]
    own = [key for key in naming if key.startswith(noun)]
    member = next(iter(own or naming), "")
    name = str(request.get(member, ""))
    sentence = _SENTENCES.get(noun, "{kind} {name} does not exist.")
    message = sentence.format(
        # An InferenceExperiment is named by "Name"; what a cluster's list lacks is the cluster.
        kind=noun if own or member in _NAMING else re.sub("(Name|Arn|Id)$", "", member),
        name=name,
        arn=arns.of(call.scope, _SEGMENTS.get(noun, ""), name),
    )
    if declared and noun not in _INVALID:
        return ResourceNotFound(message)
    return ValidationException(message)
