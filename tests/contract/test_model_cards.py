"""Model cards and their versions."""

import pytest


@pytest.fixture
def card(sagemaker):
    sagemaker.create_model_card(ModelCardName="Digits", Content="{}", ModelCardStatus="Draft")
    return {"ModelCardName": "Digits"}


def test_new_content_is_a_new_version_and_the_old_one_stays(sagemaker, card):
    sagemaker.update_model_card(**card, Content='{"a": 1}')
    sagemaker.update_model_card(**card, ModelCardStatus="Approved")
    latest = sagemaker.describe_model_card(**card)
    assert (latest["ModelCardVersion"], latest["Content"]) == (2, '{"a": 1}')
    assert latest["ModelCardStatus"] == "Approved"
    first = sagemaker.describe_model_card(**card, ModelCardVersion=1)
    assert (first["Content"], first["ModelCardStatus"]) == ("{}", "Draft")
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_model_card(**card, ModelCardVersion=3)
    bare = sagemaker.describe_model_card(**card, IncludedData="MetadataOnly")
    assert (bare["Content"], bare["ModelCardVersion"]) == ("", 2)


def test_versions_are_listed_in_pages(sagemaker, card):
    for number in range(11):
        sagemaker.update_model_card(**card, Content=f'{{"a": {number}}}')

    def listed(**asked):
        paginator = sagemaker.get_paginator("list_model_card_versions")
        return [
            one["ModelCardVersion"]
            for page in paginator.paginate(**card, **asked)
            for one in page["ModelCardVersionSummaryList"]
        ]

    assert listed() == list(range(12, 0, -1))
    assert listed(SortBy="Version", SortOrder="Ascending") == list(range(1, 13))


def test_cards_are_listed_by_status(sagemaker, card):
    sagemaker.create_model_card(ModelCardName="Other", Content="{}", ModelCardStatus="Approved")
    reply = sagemaker.list_model_cards(ModelCardStatus="Approved")
    assert [one["ModelCardName"] for one in reply["ModelCardSummaries"]] == ["Other"]


@pytest.mark.parametrize("content", ["nonsense", "[]", "7"])
def test_content_that_is_no_object_is_refused(sagemaker, card, content, assert_refused):
    sentence = "The content of a model card must be a JSON object."
    create = lambda: sagemaker.create_model_card(  # noqa: E731
        ModelCardName="n", Content=content, ModelCardStatus="Draft"
    )
    update = lambda: sagemaker.update_model_card(**card, Content=content)  # noqa: E731
    for call in (create, update):
        assert_refused(call, "ValidationException", sentence)
    assert sagemaker.describe_model_card(**card)["ModelCardVersion"] == 1


def test_content_and_status_are_not_updated_together(sagemaker, card, assert_refused):
    assert_refused(
        lambda: sagemaker.update_model_card(**card, Content="{}", ModelCardStatus="Approved"),
        "ValidationException",
        "Model card content and model card status cannot be updated in a single call.",
    )
