"""The health check of a container that serves: one GET, of `/ping` as a rule (contract C2)."""

TIMEOUT = 2.0
"""Seconds a container has to answer."""


def ping(host: str, port: int, path: str = "/ping") -> bool:
    """Say whether the container answers 200; refused, reset and slow all mean no."""
    import http.client  # not at the start of the emulator, which has no container to ask yet

    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
