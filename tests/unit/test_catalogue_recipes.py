"""What images are made of, and when they are out of date."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emulator.catalogue import build, debian
from emulator.catalogue.build import _graph as graph
from emulator.catalogue.build import _run as run
from emulator.catalogue.recipes import (
    FINAL,
    RECIPES,
    WANTED,
    files_of,
    fingerprint,
    is_newest,
    lock_of,
    named,
    source_directory,
)
from emulator.catalogue.table import contents_of, metrics_of
from emulator.errors import PermanentError

_OF_MXNET = ("mxnet", "mxnet-training", "mxnet-inference", "mxnet-inference-eia")
MXNET_14 = {f"{name}:1.4.1" for name in (*_OF_MXNET, "sagemaker-mxnet")}
MXNET_19 = {f"{name}:1.9.1" for name in _OF_MXNET} | {"image-classification:1"}
NOTEBOOK = {"notebook-environment", "notebook"}
ON_THE_BUILDER = {name for name in RECIPES if RECIPES[name].parents == ("builder",)}
VERSIONED = [name for name in FINAL if RECIPES[name].version]
FRAMEWORKS = [
    name for name in VERSIONED if not metrics_of(f"1.dkr.ecr.us-east-1.amazonaws.com/{name}")
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return shutil.copytree(source_directory(), tmp_path / "images")


@pytest.mark.parametrize("name", RECIPES)
def test_every_image_has_its_folder(name: str) -> None:
    source, recipe = source_directory(), RECIPES[name]
    files = dict(files_of(name, source))
    assert "Dockerfile" in files
    assert (source / recipe.folder / "README.md").is_file()
    assert (lock_of(name, source) in files.values()) == recipe.wheels
    assert ("toolkit/emulator_toolkit/__init__.py" in files) == recipe.toolkit
    assert ("source/emulator/assemble.py" in files) == recipe.source
    assert ("clients/shim/sitecustomize.py" in files) == recipe.clients


@pytest.mark.parametrize("name", RECIPES)
def test_an_image_starts_from_its_parents_and_no_other_image(name: str) -> None:
    recipe = RECIPES[name]
    dockerfile = (source_directory() / recipe.folder / "Dockerfile").read_text("utf-8")
    text = dockerfile.replace("${VERSION}", recipe.version)
    parents = set(re.findall(r"^FROM sagemaker-emulator/(\S+)", text, re.M))
    # The builder is made of packages unless it is built on the base.
    assert {parent.removesuffix(":latest") for parent in parents} == set(recipe.parents) or (
        name == "builder"
    )


@pytest.mark.parametrize("name", VERSIONED)
def test_an_image_is_there_in_the_versions_that_the_table_has(name: str) -> None:
    recipe = RECIPES[name]
    versions = contents_of(recipe.folder).versions
    assert recipe.version in versions
    assert is_newest(name) == (recipe.version == versions[-1])


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_version_of_a_framework_is_the_one_it_installs(name: str) -> None:
    recipe = RECIPES[name]
    contents, version = contents_of(recipe.folder), recipe.version
    while not recipe.wheels:
        recipe = RECIPES[recipe.parents[0]]
    lock = lock_of(recipe.name, source_directory()).read_text("utf-8")
    assert f"{contents.framework.lower()}=={version} " in lock


def test_a_name_without_a_version_means_every_version() -> None:
    assert named("mxnet-training") == ("mxnet-training:1.4.1", "mxnet-training:1.9.1")
    assert named("mxnet-training:1.4.1") == ("mxnet-training:1.4.1",)
    assert named("base") == ("base",)


@pytest.mark.parametrize("name", ["", *(name for name in RECIPES if RECIPES[name].wheels)])
def test_a_lock_says_what_and_never_where_from(name: str) -> None:
    source = source_directory()
    file = lock_of(name, source) if name else source.parent / "requirements.lock"
    lock = file.read_text("utf-8")
    assert "--hash=sha256:" in lock
    assert not re.search(r"https?:|file:|--index|--extra-index|--find-links", lock)


@pytest.mark.parametrize(
    "changed, outdated",
    [
        ("base/packages", set(RECIPES) - {"builder"} - ON_THE_BUILDER),
        ("jupyter/requirements.lock", {"jupyter", *NOTEBOOK}),
        ("sagemaker-sdk/1.72.1/requirements.lock", {"sagemaker-sdk:1.72.1", *NOTEBOOK}),
        ("mxnet-environment/requirements.lock", {"mxnet-environment", *MXNET_14, *MXNET_19}),
        ("mxnet/Dockerfile", {*MXNET_14, *MXNET_19}),
        ("mxnet/1.4.1/requirements.lock", MXNET_14),
        ("toolkit/bin/serve", set(FINAL)),
        ("chainer/Dockerfile", {"chainer:7.8.1"}),
        ("chainer/README.md", set()),
    ],
)
def test_a_change_outdates_what_is_made_of_it(
    source: Path, changed: str, outdated: set[str]
) -> None:
    before = {name: fingerprint(name, source) for name in RECIPES}
    with (source / changed).open("a") as file:
        file.write("\n# changed\n")
    assert {name for name in RECIPES if fingerprint(name, source) != before[name]} == outdated


@pytest.mark.parametrize(
    "changed, outdated",
    [("assemble.py", {"emulator"}), ("clients/shim/sitecustomize.py", {"emulator", "notebook"})],
)
def test_a_change_of_the_emulator_outdates_what_has_it(
    source: Path, changed: str, outdated: set[str]
) -> None:
    file = source.parent / "emulator" / changed
    file.parent.mkdir(parents=True)
    before = {name: fingerprint(name, source) for name in RECIPES}
    file.write_text("# changed")
    assert {name for name in RECIPES if fingerprint(name, source) != before[name]} == outdated


def test_the_emulators_image_has_the_versions_that_are_tested() -> None:
    root = source_directory().parent
    tested = (root / "requirements.lock").read_text("utf-8")
    lock = (root / "images/emulator-environment/requirements.lock").read_text("utf-8")
    pinned = re.findall(r"^[a-z0-9.-]+==[^ ]+", lock, re.M)
    assert len(pinned) > 20
    assert [pin for pin in pinned if f"\n{pin} " not in f"\n{tested}"] == []


@pytest.mark.parametrize("left", ["toolkit/.ruff_cache/x", "toolkit/__pycache__/x.pyc", "base/.x"])
def test_what_tools_leave_behind_outdates_nothing(source: Path, left: str) -> None:
    before = [fingerprint(name, source) for name in RECIPES]
    (source / left).parent.mkdir(exist_ok=True)
    (source / left).touch()
    assert [fingerprint(name, source) for name in RECIPES] == before


def test_a_command_stays_one_whatever_the_umask_of_the_checkout(source: Path) -> None:
    before = fingerprint("chainer:7.8.1", source)
    serve = source / "toolkit/bin/serve"
    serve.chmod(0o700)
    assert fingerprint("chainer:7.8.1", source) == before
    serve.chmod(0o600)
    assert fingerprint("chainer:7.8.1", source) != before


def test_only_what_is_outdated_is_built_and_after_what_it_needs() -> None:
    present = {"base", "builder", "chainer-environment"}
    order: list[str] = []
    built = run(graph(WANTED, lambda name: name not in present), order.append)
    assert set(built) == set(RECIPES) - present
    assert "mxnet-environment packages" in order
    assert order.index("mxnet-environment packages") < order.index("mxnet-environment")
    assert order.index("mxnet-environment") < order.index("mxnet:1.4.1")
    assert order.index("mxnet:1.4.1 packages") < order.index("mxnet:1.4.1")
    assert order.index("mxnet:1.4.1") < order.index("mxnet-training:1.4.1")


def test_what_most_others_wait_for_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_PARALLEL", 1)
    order: list[str] = []
    run(graph(WANTED, lambda name: True), order.append)
    assert set(order[:3]) == {"base", "builder", "mxnet-environment packages"}


def test_a_failure_stops_the_rest() -> None:
    made: list[str] = []

    def make(node: str) -> None:
        made.append(node)
        if node == "base":
            raise PermanentError("no")

    with pytest.raises(PermanentError):
        run(graph(FINAL, lambda name: True), make)
    assert not {"mxnet-environment", "chainer-environment"} & set(made)


def test_an_unknown_image_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(PermanentError, match=r"No image 'tensorflow'.*mxnet-training"):
        named("tensorflow")


def test_a_package_list_has_comments(tmp_path: Path) -> None:
    (tmp_path / "packages").write_text("# why\none\n\ntwo  # because\n")
    assert debian.read_packages(tmp_path / "packages") == ["one", "two"]


def test_without_mmdebstrap_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PermanentError, match=r"apt-get install mmdebstrap.*--images-pull"):
        debian.provide_mmdebstrap()


def test_two_images_at_once_install_mmdebstrap_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The package manager here refuses, as the real one does, to run twice at a time."""
    apt = tmp_path / "apt-get"
    apt.write_text(
        "#!/bin/sh\n"
        f"/bin/mkdir {tmp_path}/lock 2>/dev/null || exit 100\n"
        "/bin/sleep 0.1\n"
        f'case "$*" in *install*) /bin/ln -s /bin/true {tmp_path}/mmdebstrap || exit 1;; esac\n'
        f"/bin/rmdir {tmp_path}/lock\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with ThreadPoolExecutor(2) as pool:
        provided = [pool.submit(debian.provide_mmdebstrap) for _ in range(2)]
        assert [each.result(60) for each in provided] == [None, None]
