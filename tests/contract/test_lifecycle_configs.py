"""Lifecycle configurations of notebook instances as an SDK sees them."""

import base64

import pytest

NAME = "NotebookInstanceLifecycleConfigName"
START = [{"Content": base64.b64encode(b"#!/bin/bash\nset -e\n").decode()}]
OTHER = [{"Content": base64.b64encode(b"echo other").decode()}]


@pytest.fixture
def config(sagemaker):
    sagemaker.create_notebook_instance_lifecycle_config(**{NAME: "Config-1"}, OnStart=START)
    return {NAME: "Config-1"}


@pytest.fixture
def config_arn(arn):
    return lambda name: arn("notebook-instance-lifecycle-config", name)


def test_describe_echoes_the_scripts(sagemaker, config, config_arn):
    found = sagemaker.describe_notebook_instance_lifecycle_config(**config)
    assert found["OnStart"] == START
    assert "OnCreate" not in found
    assert found["NotebookInstanceLifecycleConfigArn"] == config_arn("config-1")
    assert found["CreationTime"] == found["LastModifiedTime"]


def test_an_update_replaces_the_scripts_it_gives(sagemaker, config):
    sagemaker.update_notebook_instance_lifecycle_config(**config, OnCreate=OTHER)
    found = sagemaker.describe_notebook_instance_lifecycle_config(**config)
    assert (found["OnCreate"], found["OnStart"]) == (OTHER, START)
    assert found["LastModifiedTime"] > found["CreationTime"]
    sagemaker.update_notebook_instance_lifecycle_config(**config, OnCreate=[], OnStart=OTHER)
    found = sagemaker.describe_notebook_instance_lifecycle_config(**config)
    assert (found["OnCreate"], found["OnStart"]) == ([], OTHER)


@pytest.mark.parametrize("verb", ["describe", "update", "delete"])
def test_an_absent_configuration_is_refused(sagemaker, assert_refused, config_arn, verb):
    operation = getattr(sagemaker, f"{verb}_notebook_instance_lifecycle_config")
    assert_refused(
        lambda: operation(**{NAME: "Nobody"}),
        "ValidationException",
        f"Unable to {verb} Notebook Instance Lifecycle Config '{config_arn('nobody')}'. (Details:"
        " Notebook Instance Lifecycle Config does not exist.)",
    )


def test_a_name_is_taken_until_the_configuration_is_deleted(
    sagemaker, config, config_arn, assert_refused
):
    assert_refused(
        lambda: sagemaker.create_notebook_instance_lifecycle_config(**config),
        "ValidationException",
        f"Unable to create Notebook Instance Lifecycle Config {config_arn('config-1')}. (Details:"
        " Notebook Instance Lifecycle Config already exists.)",
    )
    sagemaker.delete_notebook_instance_lifecycle_config(**config)
    sagemaker.create_notebook_instance_lifecycle_config(**config)


@pytest.mark.parametrize("verb", ["create", "update"])
def test_a_script_that_is_no_base64_is_refused(sagemaker, config, config_arn, assert_refused, verb):
    name = {"create": "Config-2", "update": "Config-1"}[verb]
    operation = getattr(sagemaker, f"{verb}_notebook_instance_lifecycle_config")
    assert_refused(
        lambda: operation(**{NAME: name}, OnCreate=[{"Content": "#!/bin/bash"}]),
        "ValidationException",
        f"Unable to {verb} Notebook Instance Lifecycle Config '{config_arn(name.lower())}'."
        " (Details: OnCreate Content is not base64-encoded.)",
    )


def test_a_script_has_a_largest_size_and_a_hook_has_one_script(sagemaker, assert_refused):
    def create(scripts):
        sagemaker.create_notebook_instance_lifecycle_config(**{NAME: "c"}, OnStart=scripts)

    create([{"Content": "A" * 16384}])
    for scripts, path, rule in (
        ([{"Content": "A" * 16388}], "onStart.1.member.content", "length less than or equal to 16"),
        (START * 2, "onStart", "length less than or equal to 1"),
    ):
        with pytest.raises(sagemaker.exceptions.ClientError, match=rule) as refusal:
            create(scripts)
        assert f"at '{path}' failed to satisfy constraint" in str(refusal.value)


def test_a_configuration_has_tags_and_is_listed_by_when_it_changed(sagemaker, config, config_arn):
    sagemaker.create_notebook_instance_lifecycle_config(
        **{NAME: "Config-2"}, Tags=[{"Key": "a", "Value": "b"}]
    )
    listed = sagemaker.list_tags(ResourceArn=config_arn("config-2"))
    assert listed["Tags"] == [{"Key": "a", "Value": "b"}]
    sagemaker.update_notebook_instance_lifecycle_config(**config, OnStart=OTHER)
    asked = {"SortBy": "LastModifiedTime", "SortOrder": "Descending", "MaxResults": 1}
    first = sagemaker.list_notebook_instance_lifecycle_configs(**asked)
    second = sagemaker.list_notebook_instance_lifecycle_configs(
        **asked, NextToken=first["NextToken"]
    )
    pages = [page["NotebookInstanceLifecycleConfigs"] for page in (first, second)]
    assert [each[NAME] for page in pages for each in page] == ["Config-1", "Config-2"]
