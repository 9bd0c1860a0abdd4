"""The emulator as a user runs it: the command, its ready line, its URL."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config

COMMAND = Path(sys.executable).with_name("sagemaker-emulator")
ROLE = "arn:aws:iam::123456789012:role/Bench"
REGION = "us-west-2"


class Emulator:
    """`sagemaker-emulator up` on a free port with a state directory of its own."""

    def __init__(self) -> None:
        self._state = tempfile.mkdtemp(prefix="sagemaker-bench-")
        self._log = open(Path(self._state, "bench.log"), "w")  # noqa: SIM115 - closed by __exit__
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [COMMAND, "up", "--port", "0", "--state", str(Path(self._state, "state"))],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "EMULATOR_LOG_LEVEL": "warning", "EMULATOR_REGION": REGION},
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().split()
        self.ready_ms = (time.perf_counter() - began) * 1000
        if line[:1] != ["ready"]:
            self._log.flush()
            raise RuntimeError(Path(self._log.name).read_text())
        self.url = line[1]
        with urllib.request.urlopen(self.url, timeout=60):
            self.answered_ms = (time.perf_counter() - began) * 1000
        self.host, _, port = self.url.removeprefix("http://").partition(":")
        self.port = int(port)

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()
        if error is not None:
            print(Path(self._log.name).read_text()[-4000:], file=sys.stderr)
        shutil.rmtree(self._state, ignore_errors=True)

    @property
    def instance(self) -> str:
        """Return the id that labels this emulator's containers."""
        return Path(self._state, "state/instance").read_text().strip()

    def memory_mb(self) -> float:
        """Return the resident memory of the process, which has no children of its own."""
        return self._memory_mb("VmRSS:")

    def memory_peak_mb(self) -> float:
        """Return the most that it ever was."""
        return self._memory_mb("VmHWM:")

    def disk_mb(self) -> float:
        """Return what the state directory occupies; a file with several names counts once."""
        occupied: dict[tuple[int, int], int] = {}
        for folder, _, names in os.walk(self._state):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    found = os.lstat(Path(folder, name))
                    occupied[found.st_dev, found.st_ino] = found.st_blocks * 512
        return sum(occupied.values()) / 1e6

    def _memory_mb(self, name: str) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split(name)[1].split()[0]) / 1024


def client(service: str, url: str) -> Any:
    """Return a boto3 client that neither retries nor waits longer than a minute."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=20),
    )
