"""Lineage: artifacts, actions, contexts and associations between them."""

import pytest

DATA = {"SourceUri": "s3://b/data", "SourceTypes": [{"SourceIdType": "S3ETag", "Value": "e"}]}


@pytest.fixture
def ends(sagemaker):
    """The ARNs of an artifact and of a trial component."""
    artifact = sagemaker.create_artifact(Source=DATA, ArtifactType="DataSet", ArtifactName="data")
    component = sagemaker.create_trial_component(TrialComponentName="Part")
    return artifact["ArtifactArn"], component["TrialComponentArn"]


def test_an_artifact_is_described_as_it_was_created(sagemaker):
    given = {"Source": DATA, "ArtifactType": "DataSet", "Properties": {"rows": "7"}}
    arn = sagemaker.create_artifact(**given)["ArtifactArn"]
    assert arn.startswith("arn:aws:sagemaker:us-west-2:123456789012:artifact/")
    described = sagemaker.describe_artifact(ArtifactArn=arn)
    assert {member: described[member] for member in given} == given
    assert "ArtifactName" not in described


def test_a_source_is_one_artifact(sagemaker, assert_refused):
    arn = sagemaker.create_artifact(Source=DATA, ArtifactType="DataSet")["ArtifactArn"]
    assert_refused(
        lambda: sagemaker.create_artifact(Source=DATA, ArtifactType="DataSet"),
        "ValidationException",
        f"An artifact with this source already exists ({arn}).",
    )
    other = {"SourceUri": "s3://b/data"}
    assert sagemaker.create_artifact(Source=other, ArtifactType="DataSet")["ArtifactArn"] != arn
    sagemaker.delete_artifact(Source=DATA)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_artifact(ArtifactArn=arn)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.delete_artifact(ArtifactArn=arn)


def test_properties_are_updated_key_by_key(sagemaker):
    arn = sagemaker.create_artifact(
        Source=DATA, ArtifactType="DataSet", Properties={"a": "1", "b": "2"}
    )["ArtifactArn"]
    sagemaker.update_artifact(
        ArtifactArn=arn, ArtifactName="n", Properties={"b": "3"}, PropertiesToRemove=["a"]
    )
    described = sagemaker.describe_artifact(ArtifactArn=arn)
    assert (described["Properties"], described["ArtifactName"]) == ({"b": "3"}, "n")


@pytest.mark.parametrize("kind", ["action", "context"])
def test_actions_and_contexts_are_updated_and_listed_by_source_and_type(sagemaker, kind):
    title = kind.capitalize()

    def call(verb, **members):
        return getattr(sagemaker, f"{verb}_{kind}")(**{f"{title}Name": "n", **members})

    source = {"SourceUri": "s3://b/data", "SourceType": "x"}
    call("create", Source=source, **{f"{title}Type": "t"}, Properties={"a": "1"})
    call("update", Description="d", Properties={"b": "2"}, PropertiesToRemove=["a"])
    described = call("describe")
    assert (described["Description"], described["Properties"]) == ("d", {"b": "2"})
    list_ = getattr(sagemaker, f"list_{kind}s")
    for found in (list_(SourceUri="s3://b/data"), list_(**{f"{title}Type": "t"})):
        assert [one[f"{title}Name"] for one in found[f"{title}Summaries"]] == ["n"]
    assert list_(SourceUri="s3://b/other")[f"{title}Summaries"] == []


def test_artifacts_without_a_name_are_listed_in_pages_by_source_and_type(sagemaker):
    for number in range(12):
        sagemaker.create_artifact(
            Source={"SourceUri": f"s3://b/{number}"}, ArtifactType="Model" if number else "Data"
        )
    paginator = sagemaker.get_paginator("list_artifacts")
    pages = [page["ArtifactSummaries"] for page in paginator.paginate()]
    assert [len(page) for page in pages] == [10, 2]
    assert len({one["ArtifactArn"] for page in pages for one in page}) == 12
    (data,) = sagemaker.list_artifacts(ArtifactType="Data")["ArtifactSummaries"]
    assert data["Source"]["SourceUri"] == "s3://b/0"
    (first,) = sagemaker.list_artifacts(SourceUri="s3://b/1")["ArtifactSummaries"]
    assert first["ArtifactType"] == "Model"


def test_an_association_is_listed_with_the_names_and_types_of_its_ends(sagemaker, ends):
    source, destination = ends
    between = {"SourceArn": source, "DestinationArn": destination}
    sagemaker.add_association(**between, AssociationType="ContributedTo")
    (one,) = sagemaker.list_associations(SourceType="DataSet")["AssociationSummaries"]
    assert {key: one.get(key) for key in ("SourceName", "SourceType", "DestinationName")} == {
        "SourceName": "data",
        "SourceType": "DataSet",
        "DestinationName": "Part",
    }
    assert one["AssociationType"] == "ContributedTo"
    for by in ({"SourceArn": source}, {"DestinationArn": destination}, between):
        assert len(sagemaker.list_associations(**by)["AssociationSummaries"]) == 1
    for by in ({"SourceArn": destination}, {"AssociationType": "Produced"}):
        assert sagemaker.list_associations(**by)["AssociationSummaries"] == []
    sagemaker.delete_association(**between)
    assert sagemaker.list_associations()["AssociationSummaries"] == []
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.delete_association(**between)


def test_an_association_is_made_once_and_between_what_is_there(
    sagemaker, ends, arn, assert_refused
):
    between = {"SourceArn": ends[0], "DestinationArn": ends[1]}
    sagemaker.add_association(**between)
    assert_refused(
        lambda: sagemaker.add_association(**between),
        "ValidationException",
        "This association already exists.",
    )
    with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="does not exist"):
        sagemaker.add_association(**between | {"SourceArn": arn("action", "nobody")})


def test_what_is_associated_is_not_deleted_but_a_trial_component_is(
    sagemaker, ends, assert_refused
):
    artifact, component = ends
    sagemaker.add_association(SourceArn=artifact, DestinationArn=component)
    assert_refused(
        lambda: sagemaker.delete_artifact(ArtifactArn=artifact),
        "ValidationException",
        f"Artifact '{artifact}' has associations and cannot be deleted.",
    )
    sagemaker.delete_trial_component(TrialComponentName="Part")
    assert sagemaker.list_associations()["AssociationSummaries"] == []
    sagemaker.delete_artifact(ArtifactArn=artifact)
