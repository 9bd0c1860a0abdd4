"""The SageMaker Python SDK, in environments of its own, against a running emulator."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from environments import Shell

from tests.system.running_emulator import Emulator, start

# Notebooks of others and MNIST, which are no part of the project.
_NEEDED = ("SAGEMAKER_EMULATOR_TEST_NOTEBOOKS", "SAGEMAKER_EMULATOR_TEST_DATA")
collect_ignore = [] if all(map(os.environ.get, _NEEDED)) else ["test_seed_notebooks.py"]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator for all tests that only use it; its sample data are the bundled digits."""
    running = start(tmp_path_factory.mktemp("emulator"), "--sample-data", "bundled")
    yield running
    running.stop()


@pytest.fixture
def shell(emulator: Emulator, tmp_path: Path) -> Callable[..., Shell]:
    """Open a shell with one version of the SDK in the test's own home directory."""
    return lambda version, *flags: Shell(version, emulator, tmp_path, flags)
