"""The front tells the region of each signed request, before it answers."""

from typing import Any

import pytest

from emulator.call import Scope
from emulator.protocol.front import create_app
from emulator.protocol.parts import Parts


def parts(noticed: list[str]) -> Parts:
    def answer(*arguments: Any) -> list[bytes]:
        return [b",".join(region.encode() for region in noticed)]

    def call(*arguments: Any) -> Any:
        raise AssertionError("no operation of SageMaker's is called here")

    return Parts(
        handlers={},
        absent=dict,
        call=call,
        storage=answer,
        runtime=answer,
        pages=answer,
        account_of=lambda key: None,
        default_scope=Scope("123456789012", "us-east-1"),
        notice=noticed.append,
    )


def request(service: str, region: str) -> dict[str, str]:
    signed = f"AWS4-HMAC-SHA256 Credential=123456789012/20260101/{region}/{service}/aws4_request"
    return {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_AUTHORIZATION": signed}


@pytest.mark.parametrize(
    "environ, regions",
    [
        (request("s3", "us-west-2"), ["us-west-2"]),
        (request("sts", "eu-west-1"), ["eu-west-1"]),
        # Signed for us-east-1 by clients of every region.
        (request("iam", "us-east-1"), []),
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/_emulator/health"}, []),
    ],
)
def test_the_region_of_a_signed_request_is_told(
    environ: dict[str, str], regions: list[str]
) -> None:
    noticed: list[str] = []
    body = b"".join(create_app(parts(noticed))(environ, lambda *_: lambda _: None))
    assert noticed == regions
    assert body.decode() == ",".join(regions)
