"""The user's inference code, when it is in S3 instead of the model archive.

SDK 1.x leaves Chainer's code, and that of MXNet before 1.4, in
`s3://…/sourcedir.tar.gz` and names it in SAGEMAKER_SUBMIT_DIRECTORY. Newer models carry their code
in code/ of the model archive, and then the same variable may name that archive; so code that is
there already always wins.
"""

import os
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import urlsplit


def must_fetch(submitted: str, program: str, code: Path) -> bool:
    """Tell whether `submitted` (SAGEMAKER_SUBMIT_DIRECTORY) has to be fetched into `code`."""
    if not submitted.startswith("s3://"):
        return False
    return not (code / program).exists() if program else not code.exists()


def fetch(submitted: str, code: Path) -> None:
    """Download the archive and unpack it into `code`.

    Raises:
        tarfile.TarError: a member would leave `code`, or this is no gzipped tar file.
        botocore.exceptions.ClientError: there is no such object.
    """
    import boto3

    where = urlsplit(submitted)
    endpoint = os.environ.get("S3_ENDPOINT_URL") or None
    region = os.environ.get("AWS_REGION") or os.environ.get("SAGEMAKER_REGION")
    with tempfile.TemporaryFile() as archive:
        s3 = boto3.client("s3", region_name=region, endpoint_url=endpoint)
        s3.download_fileobj(where.netloc, where.path.lstrip("/"), archive)
        archive.seek(0)
        unpack(archive, code)


def unpack(archive, code: Path) -> None:
    """Unpack a gzipped tar file object into `code`; refuses members that would leave it."""
    code.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=archive, mode="r:gz") as members:
        members.extractall(code, filter="data")
