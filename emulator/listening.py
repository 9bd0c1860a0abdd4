"""Sockets to listen on.

They are bound without SO_REUSEPORT: a port that is taken is an error, never a silent share.
"""

import os
import socket

Address = tuple[str, int]

BACKLOG = 1024
"""Connections that wait to be accepted."""


def bind(address: Address) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one. Raises OSError with the address."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A restarted emulator must not wait for the former one's connections to time out.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by every connection: without it a streamed reply waits 40 ms for the client's
        # delayed acknowledgement.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        name = f"{address[0]}:{address[1]}"
        raise OSError(
            error.errno, f"cannot listen on {name}: {os.strerror(error.errno or 0)}"
        ) from (error)
    return bound
