"""Exits of containers as the engine announces them."""

import json
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from emulator.errors import TemporaryError

from . import labels
from .engine import Engine

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.2


def deaths(engine: Engine, wanted: Mapping[str, str]) -> Iterator[str]:
    """Yield the id of each container with these labels that exits, until the engine is closed.

    A stream that ends is opened again where it ended; an exit may then be reported twice.
    """
    filters = {"type": ["container"], "event": ["die"], **labels.selecting(wanted)}
    rest = threading.Event()
    since = f"{time.time():.9f}"
    while not engine.closed:
        try:
            stream = engine.stream("/events", filters=filters, since=since)
        except TemporaryError as error:
            log.debug("no events: %s", error)
            rest.wait(_RETRY_SECONDS)
            continue
        try:
            for event in documents(stream.chunks()):
                since = f"{event['timeNano'] // 10**9}.{event['timeNano'] % 10**9:09d}"
                yield event["Actor"]["ID"]
        finally:
            stream.close()
        rest.wait(_RETRY_SECONDS)


def documents(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield JSON documents, one to a line; a cut-off tail is dropped."""
    buffer = b""
    for chunk in chunks:
        *whole, buffer = (buffer + chunk).split(b"\n")
        yield from (json.loads(line) for line in whole if line.strip())
