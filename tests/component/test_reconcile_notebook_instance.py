"""Notebook instances: started, stopped, started again and deleted over a scripted engine."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from notebook_world import CONFIG, MUTE, NAME, SCOPE, SERVES, World
from training_world import source

from emulator.accelerators import NotYetAttached
from emulator.accelerators.types import LOCAL
from emulator.errors import PermanentError, TemporaryError
from emulator.kinds import LIFECYCLE_CONFIG, NOTEBOOK_INSTANCE
from emulator.launch.fake import Behaviour
from emulator.lifecycle.notebook_instance import Event

ARN = "arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/notebook"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def world(behaviour: Behaviour | None = SERVES) -> World:
        made.append(World(tmp_path / "world", behaviour))
        return made[-1]

    yield world
    for each in made:
        each.close()


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    return make()


def told(world: World, number: int = -1) -> dict:
    """Return what the container of a start is told."""
    folder = source(world.specs()[number], "/opt/ml/notebook-instance")
    document: dict = json.loads((folder / "instance.json").read_text())
    return document


def test_an_instance_comes_into_service_with_its_own_address_and_key(world: World) -> None:
    world.create()
    assert world.settle() == "InService"
    record, [observed] = world.record(), world.launcher.find({})
    host, port = observed.address or ("", 0)
    assert record.document["Url"] == f"{host}:{port}"
    assert told(world)["key"] == record.document["Emulator"]["start"]["key"]
    [spec] = world.specs()
    told_by = source(spec, "/opt/ml/notebook-instance")
    assert not told_by.stat().st_mode & 0o077, "the key is for the container's root alone"
    assert (spec.port, spec.engine_access, spec.may_become_root) == (8888, False, True)
    metadata = source(spec, "/opt/ml/metadata") / "resource-metadata.json"
    assert json.loads(metadata.read_text()) == {"ResourceArn": ARN, "ResourceName": NAME}


def test_a_stop_keeps_the_folder_and_a_start_has_another_key_and_runs_on_start_alone(
    world: World,
) -> None:
    world.configure(OnCreate="echo create", OnStart="echo start")
    world.create(NotebookInstanceLifecycleConfigName=CONFIG)
    world.settle()
    first = told(world)
    folder = source(world.specs()[0], "/opt/ml/notebook-instance")
    streams = [script["stream"] for script in first["scripts"]]
    assert streams == ["LifecycleConfigOnCreate", "LifecycleConfigOnStart"]
    assert (folder / "on-create.sh").read_text() == "echo create"
    world.stop()
    document = world.record().document
    assert world.record().phase == "Stopped"
    assert "Url" not in document
    assert "start" not in document["Emulator"]
    assert world.launcher.find({}) == []
    world.start()
    second = told(world)
    assert [script["stream"] for script in second["scripts"]] == ["LifecycleConfigOnStart"]
    assert first["key"] != second["key"]
    assert not (folder / "on-create.sh").exists()
    assert len(world.starts()) == 2


def test_on_create_runs_until_the_instance_has_been_in_service(
    make: Callable[..., World],
) -> None:
    world = make(Behaviour(exit_code=64, output=("failure\tit exits with 3",)))
    world.configure(OnCreate="exit 3")
    world.create(NotebookInstanceLifecycleConfigName=CONFIG)
    assert world.settle() == "Failed"
    world.launcher.images.update(dict.fromkeys(world.launcher.images, SERVES))
    world.start()
    assert [script["stream"] for script in told(world)["scripts"]] == ["LifecycleConfigOnCreate"]


def test_the_scripts_are_those_of_the_start(world: World) -> None:
    world.configure(OnStart="echo one")
    world.create(NotebookInstanceLifecycleConfigName=CONFIG)
    world.look()
    world.store.remove(LIFECYCLE_CONFIG, SCOPE, CONFIG)
    assert world.settle() == "InService"
    world.stop()
    world.start()
    assert world.record().phase == "Failed"
    assert "Config does not exist" in world.reason()


SCRIPT = (
    "Notebook Instance Lifecycle Config"
    " 'arn:aws:sagemaker:us-east-1:123456789012:notebook-instance-lifecycle-config/config' for"
    f" Notebook Instance '{ARN}' "
)
LOGS = (
    ". Please check your CloudWatch logs for more details if your Notebook Instance has Internet"
    " access."
)


@pytest.mark.parametrize(
    "code, output, reason",
    [
        (64, ("failure\tit exits with 3",), f"{SCRIPT}failed{LOGS} it exits with 3"),
        (65, ("failure\tkilled",), f"{SCRIPT}took longer than 3 seconds{LOGS}"),
        (
            66,
            ("failure\tfatal: no such host",),
            "The notebook instance could not be started. fatal: no such host",
        ),
        (
            1,
            ("jupyter.log\tModuleNotFoundError: x",),
            "The notebook instance could not be started. Its container exited with code 1. Its"
            " last words: ModuleNotFoundError: x",
        ),
    ],
)
def test_a_start_that_fails_says_why(
    make: Callable[..., World], code: int, output: tuple[str, ...], reason: str
) -> None:
    world = make(Behaviour(exit_code=code, output=output))
    world.configure(OnStart="exit 3")
    world.create(NotebookInstanceLifecycleConfigName=CONFIG, AcceleratorTypes=["ml.eia1.medium"])
    assert world.settle() == "Failed"
    assert world.reason() == reason
    assert world.launcher.find({}) == []
    assert world.devices() == []
    assert "failure" not in str(world.written.streams)


def test_without_the_image_a_person_is_told_how_to_build_it(make: Callable[..., World]) -> None:
    world = make(None)
    world.create()
    assert world.settle() == "Failed"
    assert "Build it with: sagemaker-emulator images build notebook" in world.reason()


@pytest.mark.parametrize(
    "error, reason", [(PermanentError("no room"), "could not be started. no room")]
)
def test_what_the_engine_refuses_is_the_reason(
    make: Callable[..., World], error: PermanentError, reason: str
) -> None:
    world = make(Behaviour(start_error=error))
    world.create()
    assert world.settle() == "Failed"
    assert reason in world.reason()


def test_jupyter_must_answer_in_time(make: Callable[..., World]) -> None:
    world = make(MUTE)
    world.configure(OnStart="true")
    world.create(NotebookInstanceLifecycleConfigName=CONFIG)
    for _ in range(3):
        assert world.look() is not None
    assert world.record().phase == "Pending"
    world.restart()
    world.launcher.clear()
    world.later = 123.5
    assert world.settle() == "Failed"
    assert "Jupyter did not answer within 123 seconds" in world.reason()


def test_a_container_that_ends_in_service_fails_the_instance_and_frees_its_accelerator(
    world: World,
) -> None:
    world.create(AcceleratorTypes=["ml.eia1.medium"])
    world.settle()
    assert len(world.devices()) == 1
    world.launcher.kill(world.launcher.find({})[0].handle)
    world.look()
    assert world.record().phase == "Failed"
    assert "Its container exited with code 137." in world.reason()
    assert world.devices() == []
    world.start()
    assert world.record().phase == "InService"


def test_an_accelerator_is_free_after_a_stop_and_attached_anew_by_a_start(world: World) -> None:
    world.create(AcceleratorTypes=["ml.eia1.medium", "ml.eia2.large"])
    world.settle()
    [device] = [each for each in world.devices() if not each.endswith("/1")]
    assert device.startswith("123456789012/us-east-1/notebook-instance/Notebook/")
    world.accelerators.acquire("ml.eia1.medium", "mxnet", "an endpoint")
    world.stop()
    assert world.devices() == []
    world.start()
    assert len(world.devices()) == 2
    assert device not in world.devices()
    assert {each["framework"] for each in world.accelerators.report()["accelerators"]} == {None}


def test_a_killed_emulator_leaves_the_instance_running_and_the_next_takes_it_over(
    world: World,
) -> None:
    world.create(AcceleratorTypes=["ml.eia1.medium"])
    world.settle()
    before, devices = world.launcher.find({}), world.devices()
    world.until(lambda: world.written.lines)
    world.restart()
    assert world.devices() == devices
    world.look()
    assert [each.handle for each in world.launcher.find({})] == [each.handle for each in before]
    world.launcher.write(before[0].handle, "jupyter.log\tstill here")
    stream = f"{NAME}/jupyter.log"
    world.until(lambda: "still here" in [line.text for line in world.written.streams[stream]])
    assert [line.text for line in world.written.streams[stream]] == ["serving", "still here"]


def test_an_emulator_that_ends_stops_the_instance_and_the_next_starts_it_again(
    world: World,
) -> None:
    world.create(AcceleratorTypes=["ml.eia1.medium"])
    world.settle()
    world.instances.interrupt(world.record(), 0.05)
    assert world.record().phase == "Pending"
    assert world.launcher.find({}) == []
    assert world.devices() == []
    world.restart()
    assert world.settle() == "InService"
    assert len(world.starts()) == 2


def interrupted(world: World) -> None:
    """Let the emulator end and another begin, which has yet to start the instance again."""
    world.create(AcceleratorTypes=["ml.eia1.medium"])
    world.settle()
    world.instances.interrupt(world.record(), 0.05)
    world.restart()
    with pytest.raises(NotYetAttached, match=f"notebook-instance/{NAME}"):
        world.accelerators.acquire(LOCAL, "mxnet", "endpoint")


def test_an_accelerator_is_waited_for_until_its_instance_serves_again(world: World) -> None:
    interrupted(world)
    assert world.settle() == "InService"
    device = world.accelerators.acquire(LOCAL, "mxnet", "endpoint").device
    assert device is not None
    assert [device.id] == world.devices()


def test_an_accelerator_is_waited_for_no_longer_when_its_instance_fails(world: World) -> None:
    interrupted(world)
    world.launcher.images.clear()
    assert world.settle() == "Failed"
    assert world.accelerators.acquire(LOCAL, "mxnet", "endpoint").device is None


def test_a_start_that_is_interrupted_is_made_again(make: Callable[..., World]) -> None:
    world = make(MUTE)
    world.create()
    world.look()
    world.look()
    key = told(world)["key"]
    world.instances.interrupt(world.record(), 0.05)
    assert world.launcher.find({}) == []
    world.launcher.images.update(dict.fromkeys(world.launcher.images, SERVES))
    world.restart()
    assert world.settle() == "InService"
    assert told(world)["key"] == key


def test_an_update_ends_as_stopped_and_keeps_the_folder(world: World) -> None:
    world.create()
    world.settle()
    world.stop()
    world.ask(Event.UPDATE_REQUESTED)
    assert world.settle() == "Stopped"
    assert len(world.starts()) == 1


def test_a_deletion_leaves_nothing(world: World) -> None:
    world.create(AcceleratorTypes=["ml.eia1.medium"])
    world.settle()
    world.stop()
    assert world.folder.exists()
    world.ask(Event.DELETE_REQUESTED)
    assert world.settle() == "gone"
    assert world.store.find(NOTEBOOK_INSTANCE, SCOPE, NAME) is None
    assert not world.folder.exists()
    assert world.launcher.find({}) == []


def test_lines_go_to_the_streams_that_they_name(make: Callable[..., World]) -> None:
    lines = (
        "LifecycleConfigOnCreate\tcreating",
        "jupyter.log\ta\tb",
        "a line of nobody",
        "LifecycleConfigOnStart\tstarting",
        "LifecycleConfigOnStart\t",
    )
    world = make(Behaviour(run_for=None, output=lines, handler=SERVES.handler))
    world.create()
    world.settle()
    world.until(lambda: len(world.written.lines) == 5)
    assert {
        name: [line.text for line in lines] for name, lines in world.written.streams.items()
    } == {
        "Notebook/LifecycleConfigOnCreate": ["creating"],
        "Notebook/jupyter.log": ["a\tb", "a line of nobody"],
        "Notebook/LifecycleConfigOnStart": ["starting", " "],
    }


def test_code_of_this_machine_is_mounted_and_must_be_there(world: World, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    world.create(
        DefaultCodeRepository="https://example.com/team/code.git",
        AdditionalCodeRepositories=[f"file://{tmp_path}/code", f"{tmp_path}/absent"],
    )
    assert world.settle() == "Failed"
    assert f"There is no directory {tmp_path}/absent on this machine" in world.reason()
    (tmp_path / "absent").mkdir()
    world.start()
    assert source(world.specs()[0], "/opt/ml/code-repositories/1") == tmp_path / "code"
    assert told(world)["repositories"] == [
        {"source": "https://example.com/team/code.git", "directory": "code", "default": True},
        {"source": "/opt/ml/code-repositories/1", "directory": "code-1", "default": False},
        {"source": "/opt/ml/code-repositories/2", "directory": "absent", "default": False},
    ]


def test_access_to_the_engine_is_given_where_the_setting_says_so_with_a_warning(
    world: World,
) -> None:
    world.engine_access = True
    world.restart()
    world.create(RootAccess="Disabled")
    world.settle()
    [spec] = world.specs()
    temporary = str(world.folder / "tmp")
    assert (spec.engine_access, spec.may_become_root) == (True, False)
    assert str(source(spec, temporary)) == spec.environment["TMPDIR"] == temporary
    assert told(world)["forward"] == {"8080": "127.0.0.1:8080"}
    world.until(lambda: len(world.written.lines) == 2)
    assert "can become root on this machine" in world.written.lines[0].text


def test_instances_with_gpus_get_those_that_are_there(world: World) -> None:
    world.launcher.gpus = True
    world.create(InstanceType="ml.p3.2xlarge")
    world.settle()
    assert world.specs()[0].gpus


def test_an_instance_says_in_its_log_group_why_it_waits(world: World) -> None:
    world.create()
    for _ in range(3):
        world.instances.delayed(world.record(), TemporaryError("The engine is silent."))
    said = "[sagemaker-emulator] WARNING: Waiting: The engine is silent."
    assert world.written.texts() == [[said]]
