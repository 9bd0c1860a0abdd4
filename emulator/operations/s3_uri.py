"""S3 URIs in requests: where they point, or a refusal that names the member."""

from emulator import s3_uri
from emulator.errors import ValidationException
from emulator.s3_uri import Place


def parse(uri: str, path: str) -> Place:
    """Return what ``uri`` points at.

    Args:
        uri: an ``s3://`` URI, or an ``https`` address of S3.
        path: the request member that holds it, for the refusal.

    Raises:
        ValidationException: it names no bucket of S3.
    """
    place = s3_uri.read(uri)
    if place is None:
        raise ValidationException(f'{path} "{uri}" names no bucket of S3. Use s3://bucket/key.')
    return place
