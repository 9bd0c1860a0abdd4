#!/usr/bin/env python3
"""Find a container engine, or install and start one.

    scripts/engine.py           find an engine; install and start Docker if there is none
    scripts/engine.py find      print the DOCKER_HOST of the engine that answers, else exit with 1

Uses nothing but the standard library, so that it runs before anything is installed; the `docker`
command is not needed. It never replaces an engine that is there: a DOCKER_HOST that does not
answer is an error, and Docker is installed only by root, only on Debian or Ubuntu, and only when
no known socket answers. Doing it twice equals doing it once.
"""

import argparse
import getpass
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

PING_SECONDS = 3.0
START_SECONDS = 60.0
DAEMON_LOG = Path("/var/log/dockerd.log")
POLICY = Path("/usr/sbin/policy-rc.d")
# `docker.io` recommends much that an engine can do without, but not iptables.
PACKAGES = ("docker.io", "iptables", "ca-certificates")


class Refused(Exception):
    """What is wanted is not there and can or may not be provided; the text says what to do."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PING_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def say(text: str) -> None:
    """Tell the user, at once and not on standard output, which `find` keeps for its answer."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def answers(host: str) -> bool:
    """Tell whether an engine answers `GET /_ping` with OK at a DOCKER_HOST."""
    try:
        with closing(connection_to(host)) as connection:
            connection.request("GET", "/_ping")
            response = connection.getresponse()
            return response.status == 200 and response.read().strip() == b"OK"
    except (OSError, http.client.HTTPException, ValueError):
        return False


def connection_to(host: str) -> http.client.HTTPConnection:
    """Return a connection for a DOCKER_HOST; raises ValueError for a form it does not know."""
    where = urlsplit(host)
    if where.scheme == "unix":
        return UnixConnection(where.path)
    if where.scheme in ("tcp", "http", "https") and where.hostname:
        if where.scheme == "https" or os.environ.get("DOCKER_TLS_VERIFY"):
            certificates = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
            tls = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
            tls.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
            return http.client.HTTPSConnection(
                where.hostname, where.port or 2376, timeout=PING_SECONDS, context=tls
            )
        return http.client.HTTPConnection(where.hostname, where.port or 2375, timeout=PING_SECONDS)
    raise ValueError(f"cannot check {host}")


def usual_sockets(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield where engines usually listen, in the order in which they are asked."""
    home = Path(environment.get("HOME") or "/")
    yield Path("/var/run/docker.sock")
    yield home / ".docker/run/docker.sock"
    yield home / ".docker/desktop/docker.sock"
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime) / "docker.sock"
    yield home / ".colima/default/docker.sock"
    yield home / ".colima/docker.sock"
    yield home / ".rd/docker.sock"
    if runtime:
        yield Path(runtime) / "podman/podman.sock"
    yield Path("/run/podman/podman.sock")


def is_socket(path: Path) -> bool:
    """Tell whether a socket is there; what this user may not look into has none for them."""
    try:
        return path.is_socket()
    except OSError:
        return False


def group_of(path: Path) -> str:
    """Return the name of the group that a file belongs to, its number if it has no name."""
    try:
        return path.group()
    except KeyError:
        return str(path.stat().st_gid)


def find(environment: Mapping[str, str]) -> str | None:
    """Return the DOCKER_HOST of the engine to use, or None if none answers.

    Raises:
        Refused: DOCKER_HOST is set and does not answer; another engine would be a surprise.
    """
    explicit = environment.get("DOCKER_HOST", "")
    if explicit.startswith("ssh://"):
        raise Refused(
            f"DOCKER_HOST={explicit}: engines over SSH are not supported, since containers could "
            "not reach the emulator. Unset DOCKER_HOST, or use an engine on this machine."
        )
    if explicit:
        if answers(explicit):
            return explicit
        raise Refused(
            f"No engine answers at DOCKER_HOST={explicit}. Start that engine, or unset DOCKER_HOST "
            "to use one on this machine."
        )
    for path in usual_sockets(environment):
        if is_socket(path) and answers(f"unix://{path}"):
            return f"unix://{path}"
    return None


def refuse_to_install() -> None:
    """Raise Refused unless Docker can be installed and started here."""
    denied = [
        path
        for path in usual_sockets(os.environ)
        if is_socket(path) and not os.access(path, os.R_OK | os.W_OK)
    ]
    if denied:
        raise Refused(
            f"{denied[0]} is not accessible to this user. Either: sudo usermod --append --groups "
            f"{group_of(denied[0])} {getpass.getuser()}, then log in again; or run this as root."
        )
    if sys.platform == "darwin":
        raise Refused("No container engine answers. Start Docker Desktop, colima or Rancher.")
    if not shutil.which("apt-get"):
        raise Refused(
            "No container engine answers, and only Debian's and Ubuntu's can be installed by this "
            "script. Install Docker or rootful Podman with your system's package manager, start "
            "it, and try again."
        )
    if os.geteuid() != 0:
        if shutil.which("dockerd"):
            raise Refused("Docker is installed but not running: sudo systemctl start docker")
        raise Refused(
            "No container engine answers. Install one with: sudo apt-get install docker.io (or "
            "run this as root)."
        )


def has_systemd() -> bool:
    """Tell whether systemd is this machine's init system and running."""
    return Path("/run/systemd/system").is_dir()


def run(*command: str, **environment: str) -> None:
    """Run a command quietly; raises Refused with the end of its output if it fails."""
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise Refused(f"`{' '.join(command)}` failed:\n{tail}")


def install() -> None:
    """Install Docker from the distribution's own packages."""
    if shutil.which("dockerd"):
        return
    say("Installing Docker from the distribution's packages (about 20 seconds) ...")
    # Without an init system, a package's attempt to start its service would fail the install.
    ours = not has_systemd() and not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        run("apt-get", "update")
        run(
            *("apt-get", "install", "--yes", "--no-install-recommends"),
            *PACKAGES,
            DEBIAN_FRONTEND="noninteractive",
        )
    finally:
        if ours:
            POLICY.unlink()


def start() -> None:
    """Start the installed Docker, by systemd where that is running."""
    if has_systemd():
        say("Starting Docker by systemd ...")
        run("systemctl", "start", "docker")
        return
    say(f"Starting dockerd (its log: {DAEMON_LOG}) ...")
    mount_cgroups()
    remove_stale_pid()
    with DAEMON_LOG.open("ab") as output:
        # A session of its own: the daemon outlives this script and the terminal.
        subprocess.Popen(
            ["nohup", "dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def mount_cgroups() -> None:
    """Mount the control groups if nothing has: minimal machines boot without them."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists() or any(root.glob("*/tasks")):
        return
    if " cgroup2\n" in f" {Path('/proc/filesystems').read_text()}".replace("\t", " "):
        try:
            run("mount", "-t", "cgroup2", "cgroup2", str(root))
        except Refused:
            pass
        else:
            # On a hybrid machine, version 2 has only what version 1 does not use.
            if {"cpu", "memory"} <= set((root / "cgroup.controllers").read_text().split()):
                return
            run("umount", str(root))
    run("mount", "-t", "tmpfs", "-o", "mode=755", "cgroup", str(root))
    for line in Path("/proc/cgroups").read_text().splitlines()[1:]:
        controller, _, _, enabled = line.split()
        if enabled == "1":
            (root / controller).mkdir(exist_ok=True)
            run("mount", "-t", "cgroup", "-o", controller, "cgroup", str(root / controller))


def remove_stale_pid() -> None:
    """Remove what a killed daemon left, which would keep a new one from starting."""
    file = Path("/var/run/docker.pid")
    if not file.exists():
        return
    pid = file.read_text().strip()
    command = Path(f"/proc/{pid}/comm")
    if not (pid.isdigit() and command.exists() and command.read_text().strip() == "dockerd"):
        file.unlink()


def wait_for_engine() -> str:
    """Return the engine's DOCKER_HOST as soon as it answers; raises Refused if it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        host = find(os.environ)
        if host:
            return host
        time.sleep(0.2)
    tail = ""
    if DAEMON_LOG.exists():
        tail = "\n" + "\n".join(DAEMON_LOG.read_text(errors="replace").splitlines()[-15:])
    raise Refused(f"dockerd was started and did not answer within {START_SECONDS:.0f} s.{tail}")


def provide() -> str:
    """Return the DOCKER_HOST of an engine that answers, having installed one if need be."""
    host = find(os.environ)
    if host is None:
        refuse_to_install()
        install()
        start()
        host = wait_for_engine()
    say(f"A container engine answers at {host}")
    return host


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", nargs="?", choices=["provide", "find"], default="provide")
    action = parser.parse_args().action
    try:
        host = find(os.environ) if action == "find" else provide()
    except Refused as reason:
        say(str(reason))
        return 1
    if action == "find" and host:
        sys.stdout.write(host + "\n")
    return 0 if host else 1


if __name__ == "__main__":
    sys.exit(main())
