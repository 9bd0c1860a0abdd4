"""The algorithm's records and pictures are those of MXNet, OpenCV and Pillow in its image."""

from typing import Any

import docker
import pytest
from image_containers import checked

pytestmark = pytest.mark.docker
SCRIPT = "image_classification_data.py"
CHECKS = [
    "records_are_mxnets_own_byte_for_byte",
    "image_records_are_mxnets_own_byte_for_byte",
    "pictures_of_every_kind_become_rgb",
    "a_picture_is_turned_as_its_camera_was",
    "what_is_no_picture_is_refused",
    "the_shortest_side_is_resized_and_the_centre_is_cut_out",
    "a_crop_reaches_every_place_and_flips",
    "colours_shift_within_their_ranges",
    "a_transformed_picture_stays_within_its_angles",
    "batches_hold_what_mxnets_own_reader_gives",
    "random_changes_depend_on_the_seed_and_the_epoch_alone",
    "bad_images_are_refused_by_name",
    "reading_ahead_is_bounded_and_ends_with_the_iterator",
    "listed_images_are_packed_smaller",
    "a_stream_fills_batches",
]


@pytest.fixture(scope="module")
def outcomes(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run all checks in one container; returns what went wrong with each, empty for nothing."""
    root = tmp_path_factory.mktemp("data")
    return checked(client, "image-classification:1", SCRIPT, root)


def test_every_check_has_a_name_here(outcomes: dict[str, str]) -> None:
    assert list(outcomes) == CHECKS


@pytest.mark.parametrize("check", CHECKS)
def test_data(outcomes: dict[str, str], check: str) -> None:
    assert not outcomes[check], outcomes[check]
