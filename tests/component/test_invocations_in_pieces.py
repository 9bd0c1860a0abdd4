"""InvokeEndpoint on servers that write the head and the body of a reply apart, as many do."""

import contextlib
import socket
import statistics
import time

import pytest
from invocation_endpoint import Container, Endpoint, echo


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="the kernel is not Linux")
def test_a_reply_in_two_pieces_does_not_wait_for_a_delayed_acknowledgement() -> None:
    endpoint, container = Endpoint(), Container(echo)
    try:
        endpoint.serve(container.target())
        took = []
        with contextlib.closing(endpoint.client()) as client:
            for _ in range(41):
                began = time.perf_counter()
                assert client.invoke(b"abc").body == b"abc"
                took.append(time.perf_counter() - began)
        assert statistics.median(took) < 0.02
    finally:
        endpoint.close()
        container.close()
