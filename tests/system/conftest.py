"""The real thing: `sagemaker-emulator up` as a process, real containers, plain boto3.

Every test here needs an engine and `make images`; without them it fails. `emulator` is one process
for the whole run; a test that kills or configures its own uses `launched`.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from running_emulator import COMMAND, IMAGE, Emulator, engine, start


@pytest.fixture(scope="session")
def image() -> str:
    """Build the scripted image."""
    client = engine()
    try:
        client.images.build(path=str(Path(__file__).parent / "image"), tag=IMAGE, rm=True)
    finally:
        client.close()
    return IMAGE


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Open a client of the engine, for tests of containers without an emulator."""
    client = engine()
    yield client
    client.close()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, image: str) -> Iterator[Emulator]:
    """One emulator for all tests that only use it, as many jobs at once as they like."""
    running = start(tmp_path_factory.mktemp("emulator"), "--instance-quota", "0")
    yield running
    running.stop()


@pytest.fixture
def launched(tmp_path: Path, image: str) -> Iterator[Callable[..., Emulator]]:
    """Start emulators of the test's own; on the test's state directory unless told otherwise."""
    started: list[Emulator] = []

    def launch(
        *flags: str,
        state: Path = tmp_path / "state",
        command: Sequence[str] = COMMAND,
        **environment: str,
    ) -> Emulator:
        running = start(state, *flags, command=command, **environment)
        started.append(running)
        return running

    yield launch
    for running in started:
        if running.process.poll() is None:
            running.stop()
