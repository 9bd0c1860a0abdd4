"""Definitions of monitoring jobs: data quality, model quality, bias and explainability.

They are kept; no monitoring job ever runs here.
"""

from collections.abc import Callable

from emulator.call import Call, Document
from emulator.operations.record_kinds import JOB_DEFINITION_RECORDS
from emulator.operations.records import Records, answer
from emulator.operations.registry import operation


def _create(records: Records) -> Callable[[Call, Document], Document]:
    # DataQualityJobDefinition's input is its DataQualityJobInput.
    source = records.kind.name.removesuffix("JobDefinition") + "JobInput"

    def create(call: Call, request: Document) -> Document:
        endpoint = request[source].get("EndpointInput", {}).get("EndpointName", "")
        return records.keep(call, request, {"EndpointName": endpoint})

    return create


def _list(records: Records) -> Callable[[Call, Document], Document]:
    def list_(call: Call, request: Document) -> Document:
        page = records.listing.page(call, request)
        for document in page[records.listing.result]:
            # Here alone they are called so.
            document["MonitoringJobDefinitionName"] = document[records.name]
            document["MonitoringJobDefinitionArn"] = document[records.arn]
        return page

    return list_


for _records in JOB_DEFINITION_RECORDS:
    _kind = _records.kind.name
    operation(f"Create{_kind}")(_create(_records))
    operation(f"List{_kind}s")(_list(_records))
    answer(_records, "Describe", "Delete")
