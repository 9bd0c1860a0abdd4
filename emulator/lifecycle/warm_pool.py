"""The warm pool of a training job, told from its document and the time; pure (contract B10).

On AWS the instances of a job with KeepAlivePeriodInSeconds stay for a matching job, which then
starts sooner. Here no container is kept, because starting one is cheap; what clients are told of
the pool is what would be true there. Nothing runs for it: a pool's end is a moment that passes.
"""

from typing import Any

Document = dict[str, Any]

_RUNNING = ("InProgress", "Stopping")
_KEPT_AFTER = ("AlgorithmError:", "ClientError:")
"""How the reasons begin for which a failed job's instances are kept; a fault of the platform's ends
them."""
_OF_RESOURCES = ("InstanceCount", "InstanceType", "VolumeKmsKeyId", "VolumeSizeInGB")


def status(document: Document, at: float) -> Document | None:
    """Return a job's WarmPoolStatus at a time (epoch seconds), None if it has no warm pool.

    Args:
        document: a training job's.
    """
    noted = document.get("Emulator", {}).get("WarmPool", {})
    period = _period(document)
    if not period and not noted:
        return None
    if document["TrainingJobStatus"] in _RUNNING:
        return {"Status": "InUse"}
    begun = _ended_at(document)
    end = noted.get("EndedAt", begun + period if _is_kept(document) else begun)
    if at < end:
        return _told("Available", at - begun)
    if by := noted.get("ReusedByJob"):
        return {**_told("Reused", end - begun), "ReusedByJob": by}
    return _told("Terminated", end - begun)


def is_available(document: Document, at: float) -> bool:
    """Tell whether another job may take the job's warm pool at a time."""
    return (status(document, at) or {}).get("Status") == "Available"


def suits(document: Document, other: Document) -> bool:
    """Tell whether a job may run on the instances of another one.

    Args:
        document, other: the jobs' documents.
    """
    return _needs(document) == _needs(other)


def reused(document: Document, by: str, at: float) -> Document:
    """Return the document of a job whose available pool another job has taken."""
    return _noted(document, EndedAt=at, ReusedByJob=by)


def retained(document: Document, seconds: int, at: float) -> Document:
    """Return the document with another KeepAlivePeriodInSeconds.

    Of an available pool, a period that is over by now, such as 0, is the end.
    """
    over = is_available(document, at) and _ended_at(document) + seconds <= at
    changed = _noted(document, EndedAt=at) if over else document
    resources = {**document["ResourceConfig"], "KeepAlivePeriodInSeconds": seconds}
    return {**changed, "ResourceConfig": resources}


def _period(document: Document) -> int:
    seconds: int = document["ResourceConfig"].get("KeepAlivePeriodInSeconds", 0)
    return seconds


def _ended_at(document: Document) -> float:
    at: float = document["SecondaryStatusTransitions"][-1]["StartTime"]
    return at


def _is_kept(document: Document) -> bool:
    reason = document.get("FailureReason", "")
    return "TrainingStartTime" in document and (not reason or reason.startswith(_KEPT_AFTER))


def _needs(document: Document) -> Document:
    resources, network = document["ResourceConfig"], document.get("VpcConfig", {})
    return {
        "RoleArn": document["RoleArn"],
        **{name: resources.get(name) for name in _OF_RESOURCES},
        **{name: sorted(network.get(name, ())) for name in ("SecurityGroupIds", "Subnets")},
        **{
            name: document.get(name, False)
            for name in ("EnableInterContainerTrafficEncryption", "EnableNetworkIsolation")
        },
    }


def _told(status: str, seconds: float) -> Document:
    return {"Status": status, "ResourceRetainedBillableTimeInSeconds": round(seconds)}


def _noted(document: Document, **facts: object) -> Document:
    own = document.get("Emulator", {})
    return {**document, "Emulator": {**own, "WarmPool": {**own.get("WarmPool", {}), **facts}}}
