"""The buckets `sagemaker-sample-data-REGION`, which on AWS anyone may read.

One appears, filled, when a client first uses its name; from then on it is a bucket like any other:
it lasts, its owner may change or delete it, and it is never filled again while it exists. A bucket
of that name which is there already is left alone.
"""

import logging
import re
import threading

from emulator.call import Scope
from emulator.storage.digits import Digits, DigitSource
from emulator.storage.s3 import S3

logger = logging.getLogger(__name__)

PREFIX = "sagemaker-sample-data-"
_NAME = re.compile(PREFIX + r"([a-z]{2}(?:-[a-z]+)+-\d{1,2})")
_FOLDER = "mxnet/mnist/"


class SampleBuckets:
    """Makes the buckets of sample data.

    Args:
        account: who owns them; every account may read them, as here it may read all.
    """

    def __init__(self, s3: S3, source: DigitSource, account: str) -> None:
        self._s3 = s3
        self._source = source
        self._account = account
        self._filling = threading.Lock()

    def ensure(self, bucket: str) -> None:
        """Make and fill the bucket if its name is one of theirs and nobody has it.

        May wait for the network, so no lock may be held. Doing it twice equals doing it once.
        """
        match = _NAME.fullmatch(bucket)
        if match is None or self._s3.bucket(bucket) is not None:
            return
        with self._filling:
            if self._s3.bucket(bucket) is None:
                self._fill(bucket, match[1], self._source.digits())

    def _fill(self, bucket: str, region: str, digits: Digits) -> None:
        bodies = {name: self._s3.bodies.write(data) for name, data in digits.files.items()}
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
        if digits.instead is None:
            logger.info("s3://%s was filled with %s", bucket, digits.source)
        else:
            logger.warning(
                "s3://%s was filled with %s, not with MNIST: %s",
                bucket,
                digits.source,
                digits.instead,
            )

    def close(self) -> None:
        """Let go of what is being fetched."""
        self._source.close()
