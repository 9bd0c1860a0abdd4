"""What is taken for a copy of ours, and what is somebody's own image made from one."""

from typing import Any

import pytest

from emulator.catalogue.seal import SEAL_LABEL, is_given, seal_of

ADDED = ["SAGEMAKER_EMULATOR_URL=http://10.231.0.1:4610"]
ORIGINAL: dict[str, Any] = {
    "RootFS": {"Layers": ["sha256:a", "sha256:b"]},
    "Config": {"Env": ["PATH=/bin", "LANG=C"], "Cmd": ["train"], "Labels": {"image": "chainer"}},
}


def copy(**changes: Any) -> dict[str, Any]:
    """Return a copy as the engine describes it, with changes that somebody made to it."""
    layers = changes.pop("Layers", ORIGINAL["RootFS"]["Layers"])
    config = {
        **ORIGINAL["Config"],
        "Env": [*ORIGINAL["Config"]["Env"], *ADDED],
        "Labels": {SEAL_LABEL: seal_of(ORIGINAL, ADDED)},
        # Engines differ in what they write for nothing.
        "Entrypoint": None,
        "User": "",
    }
    return {"RootFS": {"Layers": layers}, "Config": {**config, **changes}}


def test_a_copy_is_known_by_its_seal_and_an_image_without_one_is_none() -> None:
    assert is_given(copy())
    assert not is_given(ORIGINAL)
    assert not is_given(copy(Labels=None))


def test_a_copy_of_a_copy_has_one_url() -> None:
    again = ["SAGEMAKER_EMULATOR_URL=http://10.231.0.2:4610"]
    assert seal_of(copy(), again) == seal_of(ORIGINAL, again)


@pytest.mark.parametrize(
    "changes",
    [
        {"Layers": ["sha256:a", "sha256:b", "sha256:mine"]},
        {"Env": ["PATH=/bin", "LANG=C", "MINE=1", *ADDED]},
        {"Env": ["PATH=/bin", "LANG=C"]},
        {"Cmd": ["serve"]},
        {"Entrypoint": ["/mine"]},
        {"WorkingDir": "/mine"},
        {"User": "mine"},
    ],
)
def test_whoever_changes_a_copy_has_an_image_of_their_own(changes: dict[str, Any]) -> None:
    assert not is_given(copy(**changes))
