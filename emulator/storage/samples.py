"""The buckets of AWS's notebooks, such as `sagemaker-sample-data-REGION`, which anyone may read.

One appears when a client first uses its name, with digits if it is one of sample data; from then on
it is a bucket like any other: it lasts, its owner may change or delete it, and it is never filled
again while it exists. Files that the user has for it come when they are asked for (`datasets`).
"""

import logging
import threading
from collections.abc import Mapping

from emulator.call import Scope
from emulator.storage.datasets import Datasets, region_of
from emulator.storage.digits import DigitSource
from emulator.storage.s3 import S3

logger = logging.getLogger(__name__)

PREFIX = "sagemaker-sample-data-"
_FOLDER = "mxnet/mnist/"


class SampleBuckets:
    """Makes the buckets.

    Args:
        account: who owns them; every account may read them, as here it may read all.
        datasets: what brings the user's own files into them.
    """

    def __init__(self, s3: S3, source: DigitSource, account: str, datasets: Datasets) -> None:
        self._s3 = s3
        self._source = source
        self._account = account
        self._datasets = datasets
        self._filling = threading.Lock()

    def ensure(self, bucket: str, *, key: str | None = None, prefix: str | None = None) -> None:
        """Make the bucket if its name is one of theirs and nobody has it; bring what is asked for.

        May wait for the network, so no lock may be held. Doing it twice equals doing it once.

        Args:
            key: of the object that is about to be read.
            prefix: of the objects that are about to be listed.
        """
        region = region_of(bucket)
        if region is None:
            return
        if self._s3.bucket(bucket) is None:
            with self._filling:
                if self._s3.bucket(bucket) is None:
                    self._make(bucket, region)
        self._datasets.bring(bucket, key=key, prefix=prefix)

    def _make(self, bucket: str, region: str) -> None:
        if not bucket.startswith(PREFIX):
            self._fill(bucket, region, {})
            return
        digits = self._source.digits()
        self._fill(bucket, region, digits.files)
        if digits.instead is None:
            logger.info("s3://%s was filled with %s", bucket, digits.source)
        else:
            logger.warning(
                "s3://%s was filled with %s, not with MNIST: %s",
                bucket,
                digits.source,
                digits.instead,
            )

    def _fill(self, bucket: str, region: str, files: Mapping[str, bytes]) -> None:
        bodies = {name: self._s3.bodies.write(data) for name, data in files.items()}
        try:
            # In one change: a kill leaves the whole bucket or nothing of it.
            with self._s3.changing():
                if self._s3.bucket(bucket) is not None:
                    return  # a client has made it meanwhile
                backend = self._s3.backend(Scope(self._account, region))
                backend.create_bucket(bucket, region)
                for name, body in bodies.items():
                    backend.put_object(bucket, _FOLDER + name, body)
        finally:
            for body in bodies.values():
                if body.fresh:
                    body.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of what is being fetched."""
        self._source.close()
