"""What the storage tests share: a Storage behind the real HTTP server, here or in a process.

Run as a program, it serves the directory it is given until it is killed.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from emulator.call import Scope
from emulator.serving import Server
from emulator.storage import Storage

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"
REGION = "us-east-1"
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")


def application(storage: Storage) -> Any:
    """Return a WSGI application that reads the scope and the service from the signature."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if match is None:
            return storage.handle("s3", None, environ, start_response)
        account = match[1] if match[1].isdigit() else ACCOUNT
        return storage.handle(match[3], Scope(account, match[2]), environ, start_response)

    return app


@dataclass(frozen=True)
class Served:
    """A Storage and the address it is served on."""

    storage: Storage
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, account: str = ACCOUNT, region: str = REGION) -> Any:
        return client(self.url, service, account, region)


def client(url: str, service: str, account: str = ACCOUNT, region: str = REGION) -> Any:
    """Return a boto3 client whose access key is the account."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=20),
    )


@contextmanager
def serving(root: Path, **options: Any) -> Iterator[Served]:
    """Serve a Storage from this process; takes what Storage takes."""
    storage = Storage(root, **options)
    try:
        with serving_of(storage) as url:
            yield Served(storage, int(url.rpartition(":")[2]))
    finally:
        storage.close()


@contextmanager
def serving_of(storage: Storage) -> Iterator[str]:
    """Serve an open Storage; gives the URL."""
    server = Server(application(storage), [("127.0.0.1", 0)], threads=20)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.addresses[0][1]}"
    finally:
        server.stop()


@contextmanager
def killed_at_the_end(root: Path) -> Iterator[str]:
    """Serve a directory from a process of its own; gives the URL and kills it with SIGKILL."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.communicate()


def main(root: str) -> None:
    storage = Storage(Path(root))
    server = Server(application(storage), [("127.0.0.1", 0)], threads=20)
    server.start()
    sys.stdout.write(f"http://127.0.0.1:{server.addresses[0][1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
