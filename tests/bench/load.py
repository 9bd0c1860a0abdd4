"""Raw keep-alive HTTP load, in a process of its own.

`python load.py HOST PORT PATH SIZE CONNECTIONS SECONDS` prints the p50 in milliseconds and the
requests per second, as JSON.
"""

import json
import socket
import sys
import threading
import time
from statistics import median


def call_for(host: str, port: int, path: str, size: int, seconds: float, took: list[float]) -> None:
    """Call without a pause for so many seconds; every reply must be 200 and as long as sent."""
    connection = socket.create_connection((host, port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {size}\r\n\r\n"
    )
    request = head.encode() + b"x" * size
    buffer = bytearray(size + 65536)
    view = memoryview(buffer)
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        connection.sendall(request)
        have, need = 0, 0
        while not need or have < need:
            got = connection.recv_into(view[have:])
            if not got:
                raise ConnectionError("the server closed the connection")
            have += got
            if not need and (headed := buffer.find(b"\r\n\r\n", 0, have)) >= 0:
                need = headed + 4 + size
        took.append(time.perf_counter() - began)
        if buffer[:13] != b"HTTP/1.1 200 " and buffer[:15] != b"HTTP/1.1 200 OK":
            raise RuntimeError(bytes(buffer[:200]))
    connection.close()


def main() -> None:
    host, port, path, size, connections, seconds = sys.argv[1:]
    took: list[list[float]] = [[] for _ in range(int(connections))]
    threads = [
        threading.Thread(
            target=call_for, args=(host, int(port), path, int(size), float(seconds), each)
        )
        for each in took
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not all(took):
        sys.exit("a connection got no reply")
    every = [one for each in took for one in each]
    print(json.dumps({"p50": median(every) * 1000, "rate": len(every) / float(seconds)}))


if __name__ == "__main__":
    main()
