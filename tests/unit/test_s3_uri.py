"""Every spelling of an S3 URI means one bucket and one key."""

import pytest

from emulator.s3_uri import Place, read


@pytest.mark.parametrize(
    "uri, place",
    [
        ("s3://b", ("b", "")),
        ("s3://b/", ("b", "")),
        ("s3://b/a//c ", ("b", "a//c ")),
        ("s3://b/a%20b", ("b", "a%20b")),
        ("https://s3.amazonaws.com/b", ("b", "")),
        ("https://s3.amazonaws.com/b/", ("b", "")),
        ("https://s3.amazonaws.com/b/a/c", ("b", "a/c")),
        ("https://s3-us-west-2.amazonaws.com/b/a", ("b", "a")),
        ("https://s3.us-west-2.amazonaws.com/B_1/a", ("B_1", "a")),
        ("https://s3.us-gov-west-1.amazonaws.com/b/a", ("b", "a")),
        ("https://s3.dualstack.eu-west-1.amazonaws.com/b/a", ("b", "a")),
        ("https://s3.cn-north-1.amazonaws.com.cn/b/a", ("b", "a")),
        ("https://S3.Amazonaws.com/b/A", ("b", "A")),
        ("https://s3.amazonaws.com:443/b/a", ("b", "a")),
        ("https://s3.amazonaws.com/b/my%20model.tar.gz", ("b", "my model.tar.gz")),
        ("https://b.s3.amazonaws.com", ("b", "")),
        ("https://b.s3.amazonaws.com/a/c/", ("b", "a/c/")),
        ("https://b.s3-eu-west-1.amazonaws.com/a", ("b", "a")),
        ("https://b.s3.eu-west-1.amazonaws.com/a", ("b", "a")),
        ("https://my.bucket.s3.eu-west-1.amazonaws.com/a", ("my.bucket", "a")),
        ("https://b.s3-accelerate.amazonaws.com/a", ("b", "a")),
        ("https://a.s3.s3.amazonaws.com/k", ("a.s3", "k")),
    ],
)
def test_a_uri_names_a_bucket_and_a_key(uri: str, place: tuple[str, str]) -> None:
    assert read(uri) == Place(*place)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "b/k",
        "s3://",
        "s3:///k",
        "s3:b/k",
        "http://s3.amazonaws.com/b/k",
        "https://",
        "https://s3.amazonaws.com",
        "https://s3.amazonaws.com/",
        "https://s3.amazonaws.com//k",
        "https://example.com/b/k",
        "https://s3.amazonaws.com.example.com/b/k",
        "https://nots3.amazonaws.com/b/k",
        "https://sqs.us-west-2.amazonaws.com/b/k",
        "https://.s3.amazonaws.com/k",
    ],
)
def test_what_names_no_bucket_of_s3_is_none(uri: str) -> None:
    assert read(uri) is None


def test_a_place_is_written_with_s3() -> None:
    assert Place("b", "a/c").uri == "s3://b/a/c"
