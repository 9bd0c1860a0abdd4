"""`doctor`: checks what the emulator needs on this machine and names the command that mends it.

It changes nothing and starts nothing. Every check answers with a `Finding` and never raises.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from emulator import sockets
from emulator.cli import claim, local_mode, mends, ports
from emulator.cli.finding import Finding
from emulator.cli.flags import with_settings
from emulator.errors import EmulatorError
from emulator.settings import Settings

_WANTED_BYTES = 5 * 10**9  # all images and a few jobs
_NEEDED_BYTES = 10**9
_OLDEST_API = (1, 41)
_CATATONIT = tuple(
    Path(folder, "catatonit")
    for folder in (
        "/usr/libexec/podman",
        "/usr/local/libexec/podman",
        "/usr/lib/podman",
        "/usr/bin",
    )
)


@click.command(short_help="Check what the emulator needs here and name the mend.")
@with_settings("host", "port", "state", "region")
def doctor(settings: Settings) -> None:
    """Check the engine, the images, the port, the disk, the state, and what local mode needs.

    Prints a table; each ✗ comes with the command that mends it. The exit code is 1 if something is
    wrong without which the emulator can't work; a ! marks what only some need, such as an image.
    """
    findings = [check(settings) for check in CHECKS]
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        click.echo(f"{_mark(finding)} {finding.subject:<{width}}  {finding.text}")
        if not finding.ok:
            click.echo(f"  {'':<{width}}  mend: {finding.mend}")
    if any(finding.required and not finding.ok for finding in findings):
        raise SystemExit(1)


def _mark(finding: Finding) -> str:
    if finding.ok:
        return click.style("✓", fg="green")
    return click.style("✗", fg="red") if finding.required else click.style("!", fg="yellow")


def check_engine(settings: Settings) -> Finding:
    """Does a container engine answer, and does it speak an API that we use?"""
    from emulator.launch.docker.containers import is_podman
    from emulator.launch.docker.engine import Engine

    engine = Engine()
    try:
        version = engine.get("/version")
    except EmulatorError as problem:
        if closed := sockets.closed_socket(os.environ):
            text = f"{closed} is closed to this user"
            return Finding("engine", False, text, sockets.way_in(closed))
        return Finding("engine", False, str(problem), mends.engine())
    finally:
        engine.close()
    api = str(version["ApiVersion"])
    name = "Podman" if is_podman(version) else "Docker"
    text = f"{name} {version['Version']}, API {api}"
    if tuple(int(part) for part in api.split(".")) < _OLDEST_API:
        oldest = ".".join(str(part) for part in _OLDEST_API)
        return Finding("engine", False, f"{text} is too old", f"install one with API {oldest}")
    return Finding("engine", True, text)


def check_init(settings: Settings) -> Finding:
    """Has the engine an init, below which containers run as on AWS? They run without, too."""
    from emulator.launch.docker.containers import is_podman
    from emulator.launch.docker.engine import Engine

    subject, engine = "init", Engine()
    try:
        version, info = engine.get("/version"), engine.get("/info")
    except EmulatorError:
        return Finding(subject, False, "not checked: no engine", mends.engine(), required=False)
    finally:
        engine.close()
    text = "not there: what handles no SIGTERM takes its whole grace to stop"
    if not is_podman(version):
        name, package = str(info.get("InitBinary") or "docker-init"), "tini"
        # Docker asked it for its version. It says N/A, too, where it did not understand the answer.
        asked = (info.get("InitCommit") or {}).get("ID") != "N/A"
        there = asked or shutil.which(name) is not None
    elif os.environ.get("DOCKER_HOST", "unix://").startswith("unix://"):
        there, name = any(path.exists() for path in _CATATONIT), "catatonit"
        package = name
    else:
        return Finding(subject, True, "not checked: Podman is on another machine")
    mend = f"install the engine's {name} (a package {package}) where the engine runs"
    return Finding(subject, there, name if there else text, mend, required=False)


def check_images(settings: Settings) -> Finding:
    """Are all images built? Jobs and endpoints with images of the user's own need none of them."""
    from emulator.catalogue.build import listing

    try:
        states = listing()
    except EmulatorError:
        return Finding("images", False, "not checked: no engine", mends.engine(), required=False)
    missing = [state.name for state in states if state.image_id is None]
    outdated = [state.name for state in states if state.image_id and not state.current]
    if missing:
        text = f"not built: {', '.join(missing)}; images of your own need none of them"
        return Finding("images", False, text, mends.images(*missing), required=False)
    if outdated:
        text = f"built from other sources than the present ones: {', '.join(outdated)}"
        return Finding("images", False, text, mends.images(*outdated), required=False)
    return Finding("images", True, ", ".join(state.name for state in states))


def check_port(settings: Settings) -> Finding:
    """Is the port free, or ours?"""
    base = ports.url(settings.host, settings.port)
    try:
        ports.check_free(settings)
    except ports.PortTaken as problem:
        if health := ports.health(base):
            return _running(base, health)
        return Finding("port", False, str(problem), f"{mends.command()} up --port 0")
    return Finding("port", True, f"{settings.host}:{settings.port} is free")


def _running(base: str, health: dict[str, Any]) -> Finding:
    """Return what an emulator that runs says of itself."""
    text = f"an emulator is running at {base}"
    problems = health.get("problems")
    if not problems:
        return Finding("port", True, text)
    told = "; ".join(f"{part}: {reason}" for part, reason in problems.items())
    mend = "mend what it names; it tries again by itself. Its log says more"
    return Finding("port", False, f"{text}, with problems: {told}", mend)


def check_disk(settings: Settings) -> Finding:
    """Is there room for objects, and for images if the engine keeps them on the same disk?"""
    folder = _existing(settings.state.absolute())
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free at {folder}"
    mend = "make room, or choose a directory on a larger disk with --state DIR"
    return Finding("disk", free >= _WANTED_BYTES, text, mend, required=free < _NEEDED_BYTES)


def check_state(settings: Settings) -> Finding:
    """Can the state directory be made and written?"""
    state = settings.state.absolute()
    held = claim.holder(state)
    if held is not None:
        return Finding("state", True, f"{state} is in use by the emulator with pid {held.pid}")
    folder = _existing(state)
    try:
        if not folder.is_dir():
            raise NotADirectoryError(0, "it is not a directory")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        mend = f"{mends.command()} up --state DIR, with a directory that you may write"
        return Finding("state", False, f"{folder} can't be written: {problem.strerror}", mend)
    return Finding("state", True, f"{state} can be written")


def _existing(path: Path) -> Path:
    """Return the path, or the nearest directory above it that exists."""
    return next(folder for folder in (path, *path.parents) if os.path.lexists(folder))


CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    check_engine,
    check_init,
    check_images,
    check_port,
    check_disk,
    check_state,
    *local_mode.CHECKS,
)
