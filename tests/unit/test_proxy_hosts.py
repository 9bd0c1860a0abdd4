"""Which hosts the TLS proxy takes for AWS's, and which name a bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.proxy import hosts

DOMAINS = hosts.suffixes()


@pytest.mark.parametrize(
    "host",
    [
        "sts.us-west-2.amazonaws.com",
        "runtime.sagemaker.us-east-1.amazonaws.com",
        "s3.amazonaws.com",
        "my_old.bucket.s3.amazonaws.com",
        "api.sagemaker.cn-north-1.amazonaws.com.cn",
        "sagemaker.us-east-1.api.aws",
        "sts.us-iso-east-1.c2s.ic.gov",
        "sts.eusc-de-east-1.amazonaws.eu",
    ],
)
def test_hosts_below_the_domains_of_every_partition_are_aws(host: str) -> None:
    assert hosts.is_aws(host, DOMAINS)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "amazonaws.com",
        ".amazonaws.com",
        "notamazonaws.com",
        "s3.notamazonaws.com",
        "s3.amazonaws.com.example.org",
        "s3.amazonaws.com@example.org",
        "a/b.amazonaws.com",
        "*.amazonaws.com",
        "..amazonaws.com",
        "docs.aws.amazon.com",
        "huggingface.co",
        "127.0.0.1",
    ],
)
def test_no_other_host_is_aws(host: str) -> None:
    assert not hosts.is_aws(host, DOMAINS)


@pytest.mark.parametrize(
    "host, bucket",
    [
        ("b.s3.amazonaws.com", "b"),
        ("b.s3.us-west-2.amazonaws.com", "b"),
        ("b.s3-us-west-2.amazonaws.com", "b"),
        ("b.s3.us-gov-west-1.amazonaws.com", "b"),
        ("b.s3.dualstack.us-west-2.amazonaws.com", "b"),
        ("b.s3-fips.us-east-1.amazonaws.com", "b"),
        ("b.s3-fips.dualstack.us-east-1.amazonaws.com", "b"),
        ("b.s3-accelerate.amazonaws.com", "b"),
        ("b.s3-accelerate.dualstack.amazonaws.com", "b"),
        ("b.s3.cn-north-1.amazonaws.com.cn", "b"),
        ("b.s3.eusc-de-east-1.amazonaws.eu", "b"),
        ("with.dots.s3.us-west-2.amazonaws.com", "with.dots"),
        ("a.s3.b.s3.us-west-2.amazonaws.com", "a.s3.b"),
        ("s3.us-west-2.amazonaws.com", None),
        ("s3.amazonaws.com", None),
        ("s3-us-west-2.amazonaws.com", None),
        ("s3.dualstack.us-west-2.amazonaws.com", None),
        ("123456789012.s3-control.us-west-2.amazonaws.com", None),
        ("point-123456789012.s3-accesspoint.us-west-2.amazonaws.com", None),
        ("b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com", None),
        ("sts.us-west-2.amazonaws.com", None),
        ("b.s3.us-west-2.example.org", None),
    ],
)
def test_the_bucket_is_what_stands_before_s3(host: str, bucket: str | None) -> None:
    assert hosts.bucket_of(host, DOMAINS) == bucket


@given(host=st.text(st.characters(codec="ascii"), max_size=60))
def test_no_text_is_both_refused_and_a_bucket_of_aws(host: str) -> None:
    ours = hosts.is_aws(f"{host}.s3.us-west-2.amazonaws.com", DOMAINS)
    bucket = hosts.bucket_of(f"{host}.s3.us-west-2.amazonaws.com", DOMAINS)
    assert not ours or bucket == host
