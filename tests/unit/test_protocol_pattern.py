"""Java's regular expressions in Python."""

import re

import pytest

from emulator.protocol import model
from emulator.protocol.pattern import matcher, printed

TAG = "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)"
PAIRS = "[\\u0020-\\uD7FF\\uE000-\\uFFFD\\uD800\\uDC00-\\uDBFF\\uDFFF\\t]*"


def test_every_pattern_of_the_model_can_be_matched() -> None:
    patterns = {s["pattern"] for s in model.sagemaker().shapes.values() if "pattern" in s}
    assert len(patterns) > 200
    for pattern in patterns:
        matcher(pattern)("text")
        matcher(pattern)("téxt")


@pytest.mark.parametrize(
    "pattern, text, matches",
    [
        ("[a-z]+", "abc", True),
        ("[a-z]+", "abc\n", False),
        ("[a-z]+", "-abc", False),
        (".*", "a\nb", False),
        ("[\\S\\s]*", "a\nb", True),
        ("\\d+", "12", True),
        ("\\d+", "١٢", False),
        ("[\\w]+", "é", False),
        (TAG, "größe 日本/x@y", True),
        (TAG, "a!", False),
        (TAG, "日本!", False),
        (TAG, "\U0001d4b3", True),
        (TAG, "e\u0301", False),
        ("[\\p{L}\\p{M}]*", "e\u0301", True),
        ("\\p{ASCII}*", "~\x00", True),
        ("\\p{ASCII}*", "é", False),
        ("\\A\\S[\\p{Print}]*\\z", "a b", True),
        ("\\A\\S[\\p{Print}]*\\z", "a\t", False),
        ("\\p{M}", "a", False),
        (PAIRS, "text \U0001f600", True),
        (PAIRS, "text \x01", False),
        (TAG + "${1,128}", "a b", True),
        ("[$]{1,2}x\\${2}", "$x$$", True),
        ("[${1,2}]+", "{1,2}$", True),
    ],
)
def test_a_whole_text_is_matched_as_java_matches_it(pattern: str, text: str, matches: bool) -> None:
    assert matcher(pattern)(text) is matches


def test_what_cannot_be_translated_is_an_error_and_not_a_wrong_answer() -> None:
    with pytest.raises(re.error):
        matcher("[a-z")


@pytest.mark.parametrize(
    "shape, text",
    [
        ("TrainingJobName", "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"),
        ("ModelName", "^[a-zA-Z0-9]([\\-a-zA-Z0-9]*[a-zA-Z0-9])?"),
        ("RoleArn", "^arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+$"),
        ("S3Uri", "^(https|s3)://([^/]+)/?(.*)$"),
        ("TagKey", f"^{TAG}$"),
        ("ChannelName", "[A-Za-z0-9\\.\\-_]+"),
        ("HyperParameterValue", ".*"),
    ],
)
def test_messages_print_the_anchors_that_the_service_prints(shape: str, text: str) -> None:
    assert printed(model.sagemaker().shapes[shape]["pattern"]) == text
