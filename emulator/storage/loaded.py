"""The parts of a Storage, put together; importing this module imports all of moto that is used.

moto imports some modules only in the functions that need them, and a service's handlers are found
by name. All of that is imported here too, so that no request does it
(``emulator/loading.py`` says why).
"""

import importlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.core.base_backend import BackendDict
from moto.s3.models import s3_backends

from emulator.call import EVERYTHING, Area, Scope
from emulator.storage import accounts, dispatch
from emulator.storage.datasets import Datasets
from emulator.storage.digits import DigitSource
from emulator.storage.dispatch import Dispatch
from emulator.storage.ecr import Images
from emulator.storage.front import S3Front
from emulator.storage.metrics import Metrics
from emulator.storage.s3 import S3
from emulator.storage.samples import SampleBuckets
from emulator.storage.streams import LogStreams

LATE_IMPORTS = (
    "encodings.idna",
    "moto.awslambda.utils",
    "moto.firehose",
    "moto.iam.access_control",
    "moto.kinesis",
    "moto.s3.urls",
    "moto.s3control",
    "moto.secretsmanager",
    "moto.stepfunctions.models",
    "moto.stepfunctions.responses",
    "py_partiql_parser",
    "xml.dom.expatbuilder",
)
"""What functions of moto, and of what it stands on, import when they are first called."""


@dataclass(frozen=True)
class Parts:
    """What answers, and the lock under which moto works."""

    s3: S3
    samples: SampleBuckets
    front: S3Front
    dispatch: Dispatch
    streams: LogStreams
    metrics: Metrics
    lock: threading.RLock

    def account_of(self, access_key_id: str) -> str | None:
        """Return the account that a key was issued for, or None for a key from elsewhere."""
        with self.lock:
            return accounts.account_of(access_key_id)

    def reset(self, area: Area) -> None:
        """Forget everything of an area, in every service and on disk too.

        What an account has in no region, such as IAM's roles, goes with the account as a whole.
        """
        with self.lock:
            self.s3.reset(area)
            self.streams.reset(area)
            self.metrics.reset(area)
            if area == EVERYTHING:
                BackendDict.reset()
            else:
                _reset_backends(area)

    def close(self) -> None:
        """Write what is pending and free moto's state."""
        self.samples.close()
        with self.lock:
            self.s3.close()
            self.streams.close()
            self.metrics.close()
            BackendDict.reset()


def _reset_backends(area: Area) -> None:
    """Reset moto's backends of an area but S3's, whose buckets are kept by the index."""
    known: Any = BackendDict
    for service in list(known._instances):
        if service is s3_backends:
            continue
        for account, regions in list(service.items()):
            for region, backend in list(regions.items()):
                # One of all regions goes by the partition's name, which no area has.
                if area.covers(Scope(account, region)):
                    backend.reset()


def assemble(
    index: Path,
    lines: Path,
    values: Path,
    *,
    digits: DigitSource,
    data: Path,
    account: str,
    images: Images,
) -> Parts:
    """Read the state and put the parts together.

    Args:
        index, lines, values: the databases of objects, log lines and metrics.
        digits: what fills the buckets of sample data.
        data: the directory of the user's files for them.
        account: who owns those buckets.
        images: asks the engine for the images that have names on ECR.

    Raises:
        PermanentError: a database is damaged.
    """
    for name in LATE_IMPORTS:
        importlib.import_module(name)
    dispatch.load()
    s3 = S3(index.parent)
    samples = SampleBuckets(s3, digits, account, Datasets(s3, data))
    # One lock for all of moto: its services write into each other, Logs exports into S3.
    lock = s3.lock
    streams, metrics = LogStreams(lines, lock), Metrics(values, lock)
    front, answers = S3Front(s3, samples), Dispatch(s3.changing, streams.after, images)
    return Parts(s3, samples, front, answers, streams, metrics, lock)
