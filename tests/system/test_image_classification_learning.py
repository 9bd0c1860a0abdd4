"""Networks, weights to start from, and what is counted: checked in the image, against MXNet."""

from typing import Any

import docker
import pytest
from image_containers import checked

pytestmark = pytest.mark.docker
SCRIPT = "image_classification_learning.py"
CHECKS = [
    "networks_are_as_deep_as_they_are_called",
    "small_pictures_keep_their_size_in_the_first_layer",
    "layers_are_called_as_in_the_published_models",
    "a_loss_with_equal_weights_is_the_plain_one",
    "labels_weigh_their_absences_for_each_presence",
    "accuracy_is_counted_as_mxnet_does",
    "with_several_labels_each_class_is_right_or_wrong",
    "hyperparameters_reach_the_optimizer",
    "the_learning_rate_falls_after_epochs",
    "training_stops_when_accuracy_gets_no_better",
    "a_network_goes_on_from_an_earlier_one",
    "a_pretrained_network_gets_a_new_last_layer",
    "the_last_of_several_epochs_is_what_training_goes_on_from",
    "weights_that_do_not_fit_are_refused_by_name",
    "an_archive_reaches_nothing_outside_of_it",
    "files_of_a_model_appear_whole",
]


@pytest.fixture(scope="module")
def outcomes(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run all checks in one container; returns what went wrong with each, empty for nothing."""
    root = tmp_path_factory.mktemp("learning")
    return checked(client, "image-classification:1", SCRIPT, root)


def test_every_check_has_a_name_here(outcomes: dict[str, str]) -> None:
    assert list(outcomes) == CHECKS


@pytest.mark.parametrize("check", CHECKS)
def test_learning(outcomes: dict[str, str], check: str) -> None:
    assert not outcomes[check], outcomes[check]
