"""What the image-classification server takes and answers with (contract G4)."""

from collections.abc import Iterator
from types import ModuleType

import pytest
from image_classification_package import imported

JSON, JSON_LINES = "application/json", "application/jsonlines"


@pytest.fixture
def negotiation(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for load in imported(monkeypatch):
        yield load("negotiation")


@pytest.mark.parametrize(
    "accept, expected",
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (JSON_LINES, JSON_LINES),
        ("Application/JSONLines; charset=utf-8", JSON_LINES),
        ("application/json;verbose", JSON),
        ("application/jsonlines, application/json", JSON_LINES),
        ("application/jsonlines, */*", JSON_LINES),
        ("text/csv, application/*;q=0.5", JSON),
        ("application/jsonlines;q=0.2, application/json;q=0.9", JSON),
        ("application/jsonlines;q=0.9, application/json;q=0.2", JSON_LINES),
        ("application/json;q=0, */*", JSON_LINES),
        ("application/jsonlines;q=high", JSON_LINES),
    ],
)
def test_the_answer_is_what_the_caller_likes_best(
    negotiation: ModuleType, accept: str, expected: str
) -> None:
    assert negotiation.chosen(accept, (JSON, JSON_LINES)) == expected


def test_batch_transform_gets_lines_unless_it_asks_for_json(negotiation: ModuleType) -> None:
    offered = (JSON_LINES, JSON)
    answers = [negotiation.chosen(accept, offered) for accept in ("", "*/*", JSON)]
    assert answers == [JSON_LINES, JSON_LINES, JSON]


@pytest.mark.parametrize("accept", ["text/csv", "text/*", "application/json;q=0", "json", ","])
def test_what_cannot_be_given_is_refused(negotiation: ModuleType, accept: str) -> None:
    with pytest.raises(negotiation.Refused) as refused:
        negotiation.chosen(accept, (JSON_LINES, JSON))
    assert refused.value.status == 406
    assert str(refused.value) == (
        f"accept {accept} is not supported; use one of application/json, application/jsonlines"
    )


@pytest.mark.parametrize(
    "content_type",
    ["application/x-image", "image/jpeg", "image/png", "IMAGE/PNG", "image/jpeg; quality=90"],
)
def test_pictures_are_taken(negotiation: ModuleType, content_type: str) -> None:
    negotiation.check_content_type(content_type)


@pytest.mark.parametrize(
    "content_type, said",
    [
        ("application/json", "content type application/json is not supported"),
        ("image/gif; x=1", "content type image/gif is not supported"),
        ("", "no content type was given"),
    ],
)
def test_anything_else_is_refused(negotiation: ModuleType, content_type: str, said: str) -> None:
    with pytest.raises(negotiation.Refused) as refused:
        negotiation.check_content_type(content_type)
    assert refused.value.status == 415
    assert str(refused.value) == (f"{said}; use one of application/x-image, image/jpeg, image/png")
