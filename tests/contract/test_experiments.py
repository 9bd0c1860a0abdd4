"""Experiments, trials and trial components: what belongs to what."""

from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def experiment(sagemaker):
    """An experiment with one trial of one component."""
    sagemaker.create_experiment(ExperimentName="Digits", Description="old")
    sagemaker.create_trial(TrialName="First", ExperimentName="digits")
    sagemaker.create_trial_component(TrialComponentName="Part")
    sagemaker.associate_trial_component(TrialComponentName="Part", TrialName="First")
    return "Digits"


def test_a_trial_is_of_an_experiment_that_is_there(sagemaker, assert_refused, arn):
    assert_refused(
        lambda: sagemaker.create_trial(TrialName="t", ExperimentName="nobody"),
        "ResourceNotFound",
        f"Experiment '{arn('experiment', 'nobody')}' does not exist.",
    )
    assert sagemaker.list_trials()["TrialSummaries"] == []


def test_what_has_parts_is_not_deleted_before_them(sagemaker, experiment, assert_refused, arn):
    sentence = "{} '{}' is linked to 1 or more {} and cannot be deleted."
    refusals = [
        (
            lambda: sagemaker.delete_experiment(ExperimentName=experiment),
            sentence.format("Experiment", arn("experiment", "digits"), "trials"),
        ),
        (
            lambda: sagemaker.delete_trial(TrialName="First"),
            sentence.format("Trial", arn("experiment-trial", "first"), "trial components"),
        ),
        (
            lambda: sagemaker.delete_trial_component(TrialComponentName="Part"),
            sentence.format("TrialComponent", arn("experiment-trial-component", "part"), "trials"),
        ),
    ]
    for delete, text in refusals:
        assert_refused(delete, "ValidationException", text)
    sagemaker.disassociate_trial_component(TrialComponentName="Part", TrialName="First")
    for delete, _ in reversed(refusals):
        assert delete()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert sagemaker.list_experiments()["ExperimentSummaries"] == []


def test_a_name_for_people_is_the_name_until_another_is_given(sagemaker, experiment):
    assert sagemaker.describe_experiment(ExperimentName=experiment)["DisplayName"] == "Digits"
    before = sagemaker.describe_experiment(ExperimentName=experiment)
    sagemaker.update_experiment(ExperimentName=experiment, DisplayName="Handwriting")
    sagemaker.update_experiment(ExperimentName="DIGITS", Description="new")
    after = sagemaker.describe_experiment(ExperimentName=experiment)
    assert (after["DisplayName"], after["Description"]) == ("Handwriting", "new")
    assert after["ExperimentName"] == "Digits"
    assert after["CreationTime"] == before["CreationTime"] < after["LastModifiedTime"]


def test_trials_and_components_are_listed_by_what_they_belong_to(
    sagemaker, experiment, assert_refused
):
    sagemaker.create_experiment(ExperimentName="Other")
    sagemaker.create_trial(TrialName="Second", ExperimentName="Other")
    sagemaker.create_trial_component(TrialComponentName="Alone")

    def trials(**by):
        return [one["TrialName"] for one in sagemaker.list_trials(**by)["TrialSummaries"]]

    def components(**by):
        reply = sagemaker.list_trial_components(**by)
        return [one["TrialComponentName"] for one in reply["TrialComponentSummaries"]]

    assert sorted(trials()) == ["First", "Second"]
    assert trials(ExperimentName="other") == ["Second"]
    assert trials(TrialComponentName="Part") == ["First"]
    assert trials(TrialComponentName="Alone") == []
    assert sorted(components()) == ["Alone", "Part"]
    assert components(TrialName="First") == components(ExperimentName=experiment) == ["Part"]
    assert components(TrialName="Second") == []
    assert components(SourceArn="arn:aws:sagemaker:us-west-2:123456789012:training-job/j") == []
    for list_ in (trials, components):
        with pytest.raises(sagemaker.exceptions.ResourceNotFound):
            list_(ExperimentName="nobody")
    assert_refused(
        lambda: components(SourceArn="a" * 20, TrialName="First"),
        "ValidationException",
        "Specify either SourceArn or ExperimentName and TrialName, not both.",
    )


def test_an_update_adds_to_parameters_and_artifacts_and_removes_from_them(sagemaker):
    sagemaker.create_trial_component(
        TrialComponentName="c",
        Parameters={"rate": {"NumberValue": 0.1}, "loss": {"StringValue": "mse"}},
        InputArtifacts={"data": {"Value": "s3://b/old"}},
    )
    sagemaker.update_trial_component(
        TrialComponentName="c",
        Parameters={"rate": {"NumberValue": 0.2}, "depth": {"NumberValue": 3}},
        ParametersToRemove=["loss"],
        InputArtifacts={"more": {"Value": "s3://b/more", "MediaType": "text/csv"}},
        OutputArtifacts={"model": {"Value": "s3://b/m"}},
        Status={"PrimaryStatus": "Completed"},
    )
    described = sagemaker.describe_trial_component(TrialComponentName="c")
    assert described["Parameters"] == {
        "rate": {"NumberValue": 0.2},
        "depth": {"NumberValue": 3},
    }
    assert described["InputArtifacts"].keys() == {"data", "more"}
    assert described["OutputArtifacts"] == {"model": {"Value": "s3://b/m"}}
    assert described["Status"] == {"PrimaryStatus": "Completed"}


def test_associating_twice_is_once_and_ends_with_one_disassociation(sagemaker, experiment):
    sagemaker.associate_trial_component(TrialComponentName="part", TrialName="first")
    sagemaker.disassociate_trial_component(TrialComponentName="Part", TrialName="First")
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.disassociate_trial_component(TrialComponentName="Part", TrialName="First")
    assert sagemaker.list_trials(TrialComponentName="Part")["TrialSummaries"] == []


def test_lists_are_filtered_by_when_something_was_created(sagemaker, experiment):
    at = sagemaker.describe_experiment(ExperimentName=experiment)["CreationTime"]
    assert sagemaker.list_experiments(CreatedAfter=at)["ExperimentSummaries"] != []
    assert sagemaker.list_experiments(CreatedBefore=at)["ExperimentSummaries"] == []


def test_of_many_creations_of_one_name_one_is_done(sagemaker):
    def create(number):
        try:
            sagemaker.create_experiment(ExperimentName="digits", Description=str(number))
        except sagemaker.exceptions.ClientError as error:
            return error.response["Error"]["Code"]
        return number

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(create, range(16)))
    (winner,) = (one for one in told if one != "ValidationException")
    described = sagemaker.describe_experiment(ExperimentName="digits")
    assert described["Description"] == str(winner)
