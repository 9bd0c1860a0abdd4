#!/usr/bin/env python3
"""Find docker-compose, or install it: the SageMaker SDKs' local mode starts containers with it.

    scripts/compose.py          find it; install it if there is none
    scripts/compose.py find     print the command that answers, else exit with 1

Uses nothing but the standard library and its neighbour engine.py, so that it runs before anything
is installed. It installs only as root, only on Debian or Ubuntu, from the distribution's own
packages, and only when neither `docker-compose` nor the plugin of the `docker` command answers. The
SDKs call `docker` itself, too: that comes with it. Doing it twice equals doing it once.
"""

import argparse
import os
import shutil
import subprocess
import sys

from engine import Refused, run, say

ANSWER_SECONDS = 20.0
# In the order in which they are asked. Version 1 of the SDK knows the first one only.
COMMANDS = (("docker-compose",), ("docker", "compose"))
# What may have them, tried in turn: names differ between Debian, Ubuntu and their releases.
PACKAGES = {
    "docker-compose": ("docker-compose", "docker-compose-v2"),
    "docker": ("docker.io", "docker-cli"),
}


def answer(command: tuple[str, ...], asked: str = "version") -> str | None:
    """Return the first line with which a command tells its version, or None if it has none."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            [*command, asked],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else None


def find() -> tuple[str, str] | None:
    """Return the command that answers and what it says of its version, or None."""
    for command in COMMANDS:
        version = answer(command)
        if version:
            return " ".join(command), version
    return None


def missing() -> list[str]:
    """Return which of the two commands that local mode calls there is not."""
    absent = [] if find() else ["docker-compose"]
    return absent if shutil.which("docker") else [*absent, "docker"]


def refuse_to_install(absent: list[str]) -> None:
    """Raise Refused unless what is absent can be installed here."""
    what = " and ".join(absent)
    if not shutil.which("apt-get"):
        raise Refused(
            f"Local mode needs {what}, and only Debian's and Ubuntu's can be installed by this "
            "script. Install Docker's command line and Compose (version 2, or 1.29)."
        )
    if os.geteuid() != 0:
        names = " ".join(PACKAGES[command][0] for command in absent)
        raise Refused(f"Local mode needs {what}: sudo apt-get install {names} (or run as root).")


def install(absent: list[str]) -> None:
    """Install what is absent from the distribution's own packages."""
    say(f"Installing {' and '.join(absent)} from the distribution's packages ...")
    apt("update")
    for command in absent:
        problem: Refused | None = None
        for package in PACKAGES[command]:
            try:
                apt("install", "--yes", "--no-install-recommends", package)
            except Refused as refused:
                problem = problem or refused
            if command not in missing():
                break
        else:
            raise problem or Refused(f"No package brought {command}.")


def apt(*arguments: str) -> None:
    """Run apt-get quietly; raises Refused with the end of its output if it fails."""
    run("apt-get", *arguments, DEBIAN_FRONTEND="noninteractive")


def provide() -> tuple[str, str] | None:
    """Return the command that answers, and its version, having installed it if need be."""
    absent = missing()
    if absent:
        refuse_to_install(absent)
        install(absent)
    return find()


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", nargs="?", choices=["provide", "find"], default="provide")
    action = parser.parse_args().action
    try:
        found = find() if action == "find" else provide()
    except Refused as reason:
        say(str(reason))
        return 1
    if found is None:
        return 1
    command, version = found
    if action == "find":
        sys.stdout.write(command + "\n")
    else:
        say(f"{command} answers: {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
