#!/usr/bin/env python3
"""Find Podman, or install it: the tests run the emulator on it, beside the engine of all others.

    scripts/podman.py          find it; install it if it is missing
    scripts/podman.py find     say what answers, else exit with 1

Uses nothing but the standard library and its neighbours. It installs only as root, only on Debian,
from the distribution's own packages; elsewhere the tests of Podman are skipped, and it says so.
Podman runs no daemon, so that an engine that runs is not disturbed. Doing it twice equals doing it
once.
"""

import argparse
import os
import shutil
import sys

from engine import say

from compose import answer, apt

# Command to the package that brings it: the engine, its networks, its init.
PACKAGES = {
    "podman": "podman",
    "/usr/lib/podman/netavark": "netavark",
    "catatonit": "catatonit",
}


def missing() -> list[str]:
    """Return which of the commands do not answer."""
    return [command for command in PACKAGES if answer((command,), "--version") is None]


def provide() -> str:
    """Return what there is, having installed what is missing if that can be done here."""
    absent = missing()
    if absent and (os.geteuid() != 0 or not shutil.which("apt-get")):
        packages = " ".join(PACKAGES[command] for command in absent)
        return f"Podman is not tested here: that takes root, and of Debian's packages {packages}."
    if absent:
        say("Installing Podman from the distribution's packages ...")
        apt("update")
        packages = [PACKAGES[command] for command in absent]
        apt("install", "--yes", "--no-install-recommends", *packages)
    if silent := missing():
        return f"Podman is not tested here: {' and '.join(silent)} can't be run."
    return answer(("podman",), "--version") or ""


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", nargs="?", choices=["provide", "find"], default="provide")
    if parser.parse_args().action == "find":
        absent = missing()
        sys.stdout.write("".join(f"{command}\n" for command in PACKAGES if command not in absent))
        return 1 if absent else 0
    say(provide())
    return 0


if __name__ == "__main__":
    sys.exit(main())
