"""The emulator from a wheel, in an environment of its own: nothing of the source tree is near."""

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import setuptools

from emulator.catalogue.recipes import FINAL, RECIPES, fingerprint, source_directory
from tests import source_tree

BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""


def build(kind: str, folder: Path, into: Path) -> Path:
    """Build an `sdist` or a `wheel` of a source tree, without a network."""
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(into)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a source distribution as an index has it."""
    assert int(setuptools.__version__.partition(".")[0]) >= 77, "make install"
    folder = tmp_path_factory.mktemp("wheel")
    source_tree.copy_to(folder / "tree")
    with tarfile.open(build("sdist", folder / "tree", folder)) as sdist:
        sdist.extractall(folder / "sdist", filter="data")
    [unpacked] = (folder / "sdist").iterdir()
    return build("wheel", unpacked, folder)


class Installation:
    """An environment with the wheel and what it depends on."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self._folder = folder
        venv.create(folder / "venv", with_pip=False)
        python = folder / "venv" / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "install"]
        subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
        own = next((folder / "venv" / "lib").glob("python3*/site-packages"))
        packages = Path(sys.prefix) / own.relative_to(folder / "venv")
        # Behind what is installed here, and without the hook of an editable install.
        (own / "dependencies.pth").write_text(f"{packages}\n")

    def run(self, *command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the environment, in an empty folder."""
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        return subprocess.run(
            command,
            env={
                "PATH": f"{self._folder}/venv/bin:/usr/local/bin:/usr/bin:/bin",
                "HOME": str(home),
                **environ,
            },
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("installed"), wheel)


def test_all_files_of_the_package_and_of_images_are_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {entry.filename: entry.external_attr >> 16 & 0o100 for entry in archive.infolist()}
    for name in source_tree.files():
        place = name if name.startswith("emulator/") else f"emulator/source_tree/{name}"
        if name.startswith(("emulator/", "images/", "compose/")):
            assert place in held, name
            executable = (source_tree.ROOT / name).stat().st_mode & 0o100
            assert held[place] == executable, f"{name} is executable in one of both only"


def test_images_are_up_to_date_whichever_of_both_built_them(installed: Installation) -> None:
    script = """
import json, emulator
from emulator.catalogue.recipes import RECIPES, fingerprint, source_directory
source = source_directory()
print(emulator.__file__)
print(json.dumps({name: fingerprint(name, source) for name in RECIPES}))
"""
    done = installed.run("python", "-c", script)
    assert done.returncode == 0, done.stderr
    place, fingerprints = done.stdout.splitlines()
    assert not Path(place).is_relative_to(source_tree.ROOT)
    source = source_directory()
    assert json.loads(fingerprints) == {name: fingerprint(name, source) for name in RECIPES}


def test_the_compose_file_and_what_it_mounts_are_there(installed: Installation) -> None:
    done = installed.run("sagemaker-emulator", "compose")
    assert done.returncode == 0, done.stderr
    file = Path(done.stdout.strip())
    shipped = source_tree.ROOT / "compose"
    assert file.read_text() == (shipped / "compose.yaml").read_text()
    assert (file.parent / "line" / "client.py").is_file()


def test_every_mend_of_doctor_can_be_done_without_the_source_tree(
    installed: Installation, tmp_path: Path
) -> None:
    for host in ("", f"unix://{tmp_path}/absent.sock"):
        environ = {"DOCKER_HOST": host} if host else {}
        done = installed.run("sagemaker-emulator", "doctor", "--port", "0", **environ)
        mends = [line for line in done.stdout.splitlines() if line.split()[:1] == ["mend:"]]
        assert mends
        assert not [line for line in mends if "make " in line]
    assert "unset DOCKER_HOST" in mends[0]
    assert done.returncode == 1


def test_a_building_without_an_engine_says_so_and_knows_the_images(
    installed: Installation, tmp_path: Path
) -> None:
    nowhere = f"unix://{tmp_path}/absent.sock"
    help_text = installed.run("sagemaker-emulator", "images", "build", "--help")
    assert help_text.returncode == 0
    done = installed.run("sagemaker-emulator", "images", "build", DOCKER_HOST=nowhere)
    assert (done.returncode, done.stdout) == (1, "")
    assert "No container engine answers" in done.stderr
    assert "make engine" not in done.stderr
    unknown = installed.run("sagemaker-emulator", "images", "build", "nothing", DOCKER_HOST=nowhere)
    assert all(name in unknown.stderr for name in FINAL)


@pytest.mark.docker
def test_with_an_engine_doctor_is_content_and_images_are_listed(installed: Installation) -> None:
    environ = {"DOCKER_HOST": os.environ["DOCKER_HOST"]} if "DOCKER_HOST" in os.environ else {}
    done = installed.run("sagemaker-emulator", "doctor", "--port", "0", **environ)
    assert done.returncode == 0, done.stdout
    listed = installed.run("sagemaker-emulator", "images", "list", **environ)
    assert [line.split("\t")[0] for line in listed.stdout.splitlines()] == list(FINAL)
