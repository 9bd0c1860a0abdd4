"""What the hosting tests share: model archives, callers that never pause, and what is left over."""

import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from running_emulator import LABEL, Emulator, engine, eventually


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a model.tar.gz with these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def upload(emulator: Emulator, content: bytes, key: str = "model.tar.gz") -> str:
    """Put an object into a new bucket and return its URI."""
    bucket = emulator.bucket()
    emulator.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    return f"s3://{bucket}/{key}"


def refusal(call: Any, **members: Any) -> tuple[str, str]:
    """Return the code and the message with which a call is refused."""
    try:
        call(**members)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("the call was accepted")


def answers(emulator: Emulator, endpoint: str) -> bool:
    """Say whether the endpoint answers an invocation now."""
    try:
        return bool(emulator.command(endpoint)["hostname"])
    except ClientError:
        return False


@dataclass
class Load:
    """What continuous callers have seen."""

    answers: list[bytes] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def wait_for(self, count: int) -> None:
        """Return after `count` further answers."""
        wanted = len(self.answers) + count
        eventually(lambda: len(self.answers) >= wanted or self.errors, what=f"{count} answers")


@contextmanager
def load(emulator: Emulator, endpoint: str, callers: int, **command: Any) -> Iterator[Load]:
    """Invoke the endpoint without a pause from `callers` connections while the body runs."""
    seen, done = Load(), threading.Event()

    def call() -> None:
        while not done.is_set():
            try:
                seen.answers.append(emulator.command(endpoint, **command)["hostname"].encode())
            except (ClientError, BotoCoreError) as error:
                seen.errors.append(error)

    emulator.client("sagemaker-runtime")
    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join(90)


def left_of(emulator: Emulator, endpoint: str) -> list[str]:
    """Return what is left of an endpoint: its containers and directories."""
    return emulator.left_of(endpoint)


def pauses(emulator: Emulator) -> set[str]:
    """Return the names of the emulator's pauses."""
    found = engine().containers.list(
        all=True,
        filters={"label": f"{LABEL}instance={emulator.instance}"},
        ignore_removed=True,
    )
    return {each.name for each in found if each.name.startswith("sagemaker-emulator-pause-")}
