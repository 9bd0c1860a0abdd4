"""How each channel of a training job reaches its containers, by File, FastFile or Pipe; pure.

Operations check requests by this and the reconciler acts by it (contract B9).
"""

from emulator.call import Document

MODEL_CONTENT = "application/x-sagemaker-model"
"""What a channel named ``model`` holds unless it says otherwise."""


def content_type(channel: Document) -> str:
    """Return the channel's content type; empty without one."""
    given = channel.get("ContentType") or ""
    return given or (MODEL_CONTENT if channel["ChannelName"] == "model" else "")


def mode(document: Document, channel: Document) -> str:
    """Return the channel's input mode: its own, or that of the job.

    The model to train on is a file whatever the job's mode is.

    Args:
        document: a CreateTrainingJob request, or the document made of it.
    """
    if own := channel.get("InputMode"):
        return str(own)
    if channel["ChannelName"] == "model" and content_type(channel) == MODEL_CONTENT:
        return "File"
    return str(document["AlgorithmSpecification"].get("TrainingInputMode", "File"))


def staged(document: Document) -> list[Document]:
    """Return the channels whose objects are there before a container starts."""
    return [channel for channel in _all(document) if mode(document, channel) != "Pipe"]


def piped(document: Document) -> list[Document]:
    """Return the channels that stream while containers run."""
    return [channel for channel in _all(document) if mode(document, channel) == "Pipe"]


def _all(document: Document) -> list[Document]:
    return list(document.get("InputDataConfig") or [])
