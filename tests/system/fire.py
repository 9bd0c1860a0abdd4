"""Starts of the emulator under fire: clients of several services that call from before it listens.

A call may fail because nobody listens yet, and in no other way.
"""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from running_emulator import eventually

REGION = "us-east-1"
KEYS = ("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "123456789012", "test")
PATIENCE = 180.0
"""Seconds for what takes two on a machine with nothing else to do."""
_PAUSE = 0.005
# Of each client: the service, the operation, its request, and the error code that is its answer.
CALLS: Sequence[tuple[str, str, dict[str, Any], str]] = (
    ("sagemaker", "list_training_jobs", {}, ""),
    ("s3", "list_buckets", {}, ""),
    ("sts", "get_caller_identity", {}, ""),
    ("iam", "list_roles", {}, ""),
    ("logs", "describe_log_groups", {}, ""),
    ("ecr", "describe_repositories", {}, ""),
    (
        "sagemaker-runtime",
        "invoke_endpoint",
        {"EndpointName": "absent", "Body": b""},
        "ValidationError",
    ),
)


class Fire:
    """Eight clients of one address, each of which calls without a pause while the fire is on."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.failures: list[str] = []
        self.answered: Counter[str] = Counter()
        self._clients = [
            self._client(service, key)
            for (service, *_), key in zip(CALLS, itertools.cycle(KEYS), strict=False)
        ]
        self._ceased = threading.Event()

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Call until the block ends."""
        self.answered.clear()
        self._ceased.clear()
        threads = [threading.Thread(target=self._ask_health)]
        for client, (service, operation, request, code) in zip(self._clients, CALLS, strict=True):
            call = getattr(client, operation)
            threads.append(threading.Thread(target=self._call, args=(service, call, request, code)))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ceased.set()
            for thread in threads:
                thread.join()
            for client in self._clients:
                client.close()

    def all_served(self) -> bool:
        """Say whether each client has had two answers, the page of health `ok`."""
        return len([1 for count in self.answered.values() if count > 1]) == len(CALLS) + 1

    def _client(self, service: str, key: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key="none",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE),
        )

    def _call(
        self, service: str, call: Callable[..., Any], request: dict[str, Any], code: str
    ) -> None:
        while not self._ceased.is_set():
            try:
                call(**request)
                got = ""
            except EndpointConnectionError:
                self._ceased.wait(_PAUSE)
                continue
            except ClientError as error:
                got = error.response["Error"]["Code"]
            except Exception as error:
                got = repr(error)
            self._count(service, got, code)

    def _ask_health(self) -> None:
        while not self._ceased.is_set():
            got = ""
            try:
                with urllib.request.urlopen(f"{self.url}/_emulator/health", timeout=PATIENCE):
                    pass
            except urllib.error.HTTPError as error:
                with error:
                    status = json.load(error).get("status")
                if (error.code, status) == (503, "starting"):
                    self._ceased.wait(_PAUSE)
                    continue
                got = f"{error.code} {status}"
            except urllib.error.URLError as error:
                if isinstance(error.reason, ConnectionRefusedError):
                    self._ceased.wait(_PAUSE)
                    continue
                got = repr(error)
            except Exception as error:
                got = repr(error)
            self._count("health", got, "")

    def _count(self, who: str, got: str, wanted: str) -> None:
        if got == wanted:
            self.answered[who] += 1
        else:
            self.failures.append(f"{who}: {got}")
            self._ceased.wait(_PAUSE)


@contextlib.contextmanager
def busy_machine(processes: int) -> Iterator[None]:
    """Keep this many cores busy until the block ends."""
    burning = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)
    ]
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()


def start_under(fire: Fire, state: Path, command: Sequence[str]) -> str:
    """Start, serve every client and stop an emulator while the fire is on; returns its log.

    Args:
        command: what runs the emulator's command line.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("EMULATOR_", "AWS_"))}
    state.mkdir(parents=True, exist_ok=True)
    log = state / "emulator.log"
    arguments = ["up", "--port", str(fire.port), "--state", str(state), "--log-level", "warning"]
    with fire.on(), log.open("w") as errors:
        process = subprocess.Popen(
            [*command, *arguments], env=inherited, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            eventually(
                lambda: fire.failures or fire.all_served() or process.poll() is not None,
                within=PATIENCE,
                what=f"every client is served; {fire.answered}; {log.read_text()[-2000:]}",
            )
        except BaseException:
            process.kill()
            process.wait()
            raise
    with process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, log.read_text()[-4000:]
    assert fire.failures == [], log.read_text()[-4000:]
    return log.read_text()
