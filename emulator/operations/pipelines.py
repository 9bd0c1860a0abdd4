"""Pipelines: definitions in versions; kept, never executed.

An execution is refused: nothing here would carry out its steps.
"""

import json
from typing import Any

from emulator import arn as arns
from emulator.call import Call, Document
from emulator.clock import now
from emulator.errors import PermanentError, ResourceNotFound, ValidationException
from emulator.operations.listing import Listing
from emulator.operations.record_kinds import PIPELINES
from emulator.operations.records import answer
from emulator.operations.registry import operation

_VERSIONS = "Versions"
"""The member of a pipeline's document that holds its versions, oldest first."""
_ALIASES = "PipelineVersionAliases"
_ID = "PipelineVersionId"
_TOKEN = "ClientRequestToken"
_SOURCES = ("PipelineDefinition", "PipelineDefinitionS3Location")

_OF_VERSIONS = Listing(
    PIPELINES.kind, result="PipelineVersionSummaries", name="PipelineName", key="Key"
)

answer(PIPELINES, "List", "Delete")


@operation("CreatePipeline")
def create(call: Call, request: Document) -> Document:
    definition = _definition(call, request)
    if definition is None:
        raise ValidationException(
            "Specify either PipelineDefinition or PipelineDefinitionS3Location."
        )
    name = request[PIPELINES.name]
    given = {key: value for key, value in request.items() if key not in (*_SOURCES, _ALIASES)}
    version = _version(1, definition, request.get(_ALIASES, []))
    with call.store.transaction():
        found = call.store.find(PIPELINES.kind, call.scope, name)
        if found is not None and found.document[_TOKEN] == request[_TOKEN]:
            return found.document
        return PIPELINES.keep(
            call,
            given,
            {
                # Unlike others, the ARN of a pipeline keeps the case of its name.
                "PipelineArn": arns.of(call.scope, PIPELINES.kind.arn_segment, "") + name,
                "PipelineStatus": "Active",
                _VERSIONS: [version],
            },
        )


@operation("DescribePipeline")
def describe(call: Call, request: Document) -> Document:
    pipeline = PIPELINES.find(call, request["PipelineName"]).document
    return pipeline | _wanted(pipeline, request)


@operation("UpdatePipeline")
def update(call: Call, request: Document) -> Document:
    """Replace what the request gives; a definition that is another one is a new version."""
    definition = _definition(call, request)
    aliases = request.get(_ALIASES, [])
    given = {
        key: value
        for key, value in request.items()
        if key not in (PIPELINES.name, _ALIASES, *_SOURCES)
    }

    def change(pipeline: Document) -> Document:
        versions = pipeline[_VERSIONS]
        if definition in (None, versions[-1]["PipelineDefinition"]):
            if aliases:
                raise ValidationException("Aliases can be given to a new definition only.")
        else:
            _require_free(versions, aliases)
            number = versions[-1][_ID] + 1
            versions = [*versions, _version(number, definition, aliases)]
        return {**pipeline, **given, _VERSIONS: versions}

    pipeline = PIPELINES.change(call, request["PipelineName"], change)
    return pipeline | {_ID: pipeline[_VERSIONS][-1][_ID]}


@operation("ListPipelineVersions")
def list_versions(call: Call, request: Document) -> Document:
    pipeline = PIPELINES.find(call, request["PipelineName"]).document
    return _OF_VERSIONS.page(call, request, versions_of(pipeline))


def versions_of(pipeline: Document) -> list[Document]:
    """Return the versions of a pipeline, oldest first, each with the pipeline's name and ARN."""
    shared = {key: pipeline[key] for key in ("PipelineName", "PipelineArn")}
    return [version | shared | {"Key": f"{version[_ID]:09d}"} for version in pipeline[_VERSIONS]]


@operation("UpdatePipelineVersion")
def update_version(call: Call, request: Document) -> Document:
    """Rename or describe a version, or move its aliases."""
    number = request[_ID]
    asked = request.get("PipelineVersionAliasOperations", {})
    added, removed = asked.get("Add", []), asked.get("Remove", [])
    if set(added) & set(removed):
        raise ValidationException("An alias cannot be both added and removed.")
    members = ("PipelineVersionDisplayName", "PipelineVersionDescription")
    given = {key: request[key] for key in members if key in request}

    def change(pipeline: Document) -> Document:
        version = _wanted(pipeline, {_ID: number})
        others = [one for one in pipeline[_VERSIONS] if one[_ID] != number]
        _require_free(others, added)
        kept = [alias for alias in version[_ALIASES] if alias not in (*added, *removed)]
        if len(kept) + len(added) > 10:
            raise ValidationException("A pipeline version cannot have more than 10 aliases.")
        changed = version | given | {_ALIASES: [*kept, *added]}
        versions = [changed if one[_ID] == number else one for one in pipeline[_VERSIONS]]
        return pipeline | {_VERSIONS: versions}

    pipeline = PIPELINES.change(call, request["PipelineArn"], change)
    return {"PipelineArn": pipeline["PipelineArn"], _ID: number}


@operation("ListPipelineExecutions")
def list_executions(call: Call, request: Document) -> Document:
    """Answer with none: no pipeline was ever executed here."""
    PIPELINES.find(call, request["PipelineName"])
    return {"PipelineExecutionSummaries": []}


def _definition(call: Call, request: Document) -> str | None:
    """Return the definition that a request gives or points at; None if it does neither.

    Raises:
        ValidationException: it does both, S3 does not have it, or it is not a JSON object.
    """
    if not any(source in request for source in _SOURCES):
        return None
    if all(source in request for source in _SOURCES):
        raise ValidationException(
            "Specify either PipelineDefinition or PipelineDefinitionS3Location, not both."
        )
    definition: str | bytes = request.get("PipelineDefinition", "")
    if "PipelineDefinitionS3Location" in request:
        place = request["PipelineDefinitionS3Location"]
        try:
            definition = call.objects.read_bytes(
                place["Bucket"], place["ObjectKey"], place.get("VersionId")
            )
        except PermanentError as error:
            raise ValidationException(f"Unable to read the pipeline definition: {error}") from None
    try:
        text = definition.decode() if isinstance(definition, bytes) else definition
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise ValidationException(
            "Unable to parse pipeline definition. Expecting start of Json Object."
        )
    return text


def _version(number: int, definition: str, aliases: list[str]) -> Document:
    return {
        _ID: number,
        "PipelineDefinition": definition,
        "CreationTime": now(),
        _ALIASES: aliases,
    }


def _wanted(pipeline: Document, request: Document) -> Document:
    """Return the version that a request names, by number or alias, or else the latest."""
    versions: list[Document] = pipeline[_VERSIONS]
    number, alias = request.get(_ID), request.get("PipelineVersionAlias")
    if number is None and alias is None:
        return versions[-1]
    for version in versions:
        if version[_ID] == number or alias in version[_ALIASES]:
            return version
    raise ResourceNotFound(
        f"Pipeline '{pipeline['PipelineArn']}' has no version {number or alias}."
    )


def _require_free(versions: list[Document], aliases: list[str]) -> None:
    taken: Any = {alias for version in versions for alias in version[_ALIASES]} & set(aliases)
    if taken:
        raise ValidationException(
            f"The alias {min(taken)} already belongs to another version of this pipeline."
        )
