"""InvokeEndpoint on servers that write the head and the body of a reply apart, as many do."""

import contextlib
import socket
import time

import pytest
from invocation_endpoint import Client, Container, Endpoint, echo

DELAY = 0.04
"""Seconds for which Linux at least delays an acknowledgement."""


def answered_without_delay(client: Client) -> bool:
    began = time.perf_counter()
    assert client.invoke(b"abc").body == b"abc"
    return time.perf_counter() - began < DELAY / 2


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="the kernel is not Linux")
def test_a_reply_in_two_pieces_does_not_wait_for_a_delayed_acknowledgement() -> None:
    endpoint, container = Endpoint(), Container(echo)
    try:
        endpoint.serve(container.target())
        with contextlib.closing(endpoint.client()) as client:
            deadline = time.monotonic() + 60
            # On a busy machine one may well take longer. Those that wait, all do.
            while not answered_without_delay(client):
                assert time.monotonic() < deadline, "every one takes as long as the kernel's delay"
    finally:
        endpoint.close()
        container.close()
