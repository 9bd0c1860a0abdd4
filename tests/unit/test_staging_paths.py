"""Where an object of a channel goes (contract B9), and what is refused."""

import pytest

from emulator.errors import PermanentError
from emulator.staging.inputs import Source, local_path, split_uri


@pytest.mark.parametrize(
    "prefix, key, path",
    [
        ("p/mnist", "p/mnist/train.npz", "train.npz"),
        ("p/mnist/", "p/mnist/train.npz", "train.npz"),
        ("p/mnist", "p/mnist/a/b/c", "a/b/c"),
        ("p/data.csv", "p/data.csv", "data.csv"),
        ("data.csv", "data.csv", "data.csv"),
        ("p/train", "p/train2/x.csv", "train2/x.csv"),
        ("p/train", "p/train.csv", "train.csv"),
        ("tr", "train/x.csv", "train/x.csv"),
        ("", "train/x.csv", "train/x.csv"),
        ("", "/x", "x"),
        ("p/", "p//x", "x"),
        ("p/mnist", "p/mnist/", None),
        ("p/", "p/", None),
        ("p", "p/a/", None),
        ("p/", "p/with space+plus%20é", "with space+plus%20é"),
        ("p/", "p/...", "..."),
        ("p/", "p/..a", "..a"),
        ("p/", "p/" + "x" * 255, "x" * 255),
    ],
)
def test_an_object_goes_where_sagemaker_puts_it(prefix: str, key: str, path: str | None) -> None:
    assert local_path(prefix, key) == path


@pytest.mark.parametrize(
    "prefix, key",
    [
        ("p", "p//x"),
        ("p/", "p/../x"),
        ("p/", "p/.."),
        ("p/", "p/."),
        ("p/", "p/a/./b"),
        ("p/", "p/a/../../b"),
        ("p/", "p/a//b"),
        ("", "//etc/passwd"),
        ("p/", "p/a\0b"),
        ("p/", "p/" + "x" * 256),
        ("p/", "p/" + "é" * 128),
        ("..", "../x/../y"),
        ("p/..", "p/.."),
    ],
)
def test_a_key_that_is_no_file_below_the_channel_is_refused(prefix: str, key: str) -> None:
    with pytest.raises(PermanentError, match=r"^ClientError: Data download failed:."):
        local_path(prefix, key)


@pytest.mark.parametrize("uri", ["", "s3://", "s3:///k", "http://b/k", "b/k", "s3:b/k"])
def test_what_is_no_s3_uri_is_refused(uri: str) -> None:
    with pytest.raises(PermanentError, match="is not a valid S3 URI"):
        split_uri(uri)


def test_a_source_has_sagemakers_defaults() -> None:
    assert Source.of({"S3Uri": "s3://b/p"}) == Source("s3://b/p", "S3Prefix", "FullyReplicated")
