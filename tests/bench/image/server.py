"""A serving container that only echoes: GET is healthy, POST returns its own body."""

import os
import signal
import socket
import threading
import time

DELAY = float(os.environ.get("BENCH_DELAY_SECONDS", "0"))


def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return
            head += piece
        head, _, body = head.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        lengths = [line for line in lines if line.startswith(b"content-length:")]
        length = int(lengths[0][15:]) if lengths else 0
        if b"expect: 100-continue" in lines:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        content = bytearray(length)
        content[: len(body)] = body
        view, have = memoryview(content), len(body)
        while have < length:
            have += connection.recv_into(view[have:])
        if DELAY and length:
            time.sleep(DELAY)
        reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        if length < 65536:
            connection.sendall(reply % length + content)
        else:
            connection.sendall(reply % length)
            connection.sendall(content)


def main():
    # As the first process of its container it would ignore the signal otherwise.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    listener = socket.create_server(("0.0.0.0", 8080), backlog=256)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


main()
