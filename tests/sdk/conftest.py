"""The SageMaker Python SDK, in environments of its own, against a running emulator."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import packed_pictures
import pytest
from environments import ROOT, Shell
from packed_pictures import Packed

from tests.system.running_emulator import IMAGE, Emulator, engine, start

# Notebooks of others, MNIST and photographs, which are no part of the project.
_NEEDED = ("SAGEMAKER_EMULATOR_TEST_NOTEBOOKS", "SAGEMAKER_EMULATOR_TEST_DATA")
_NEEDING = ["test_seed_notebooks.py", "test_seed_image_classification.py"]
collect_ignore = [] if all(map(os.environ.get, _NEEDED)) else _NEEDING


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator for all tests that only use it; its sample data are the bundled digits."""
    running = start(tmp_path_factory.mktemp("emulator"), "--sample-data", "bundled")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def scripted_image() -> str:
    """Build the image whose hyperparameter `python` says what a job does; gives its name."""
    client = engine()
    try:
        client.images.build(path=str(ROOT / "tests" / "system" / "image"), tag=IMAGE, rm=True)
    finally:
        client.close()
    return IMAGE


@pytest.fixture
def shell(emulator: Emulator, tmp_path: Path) -> Callable[..., Shell]:
    """Open a shell with one version of the SDK in the test's own home directory."""
    return lambda version, *flags: Shell(version, emulator, tmp_path, flags)


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """Pictures of three classes, packed."""
    folder = tmp_path_factory.mktemp("stripes")
    return packed_pictures.pack(packed_pictures.draw(folder / "pictures"), folder / "packed")
