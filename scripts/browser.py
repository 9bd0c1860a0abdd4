#!/usr/bin/env python3
"""Find Chromium and its driver, or install them: the tests open notebook instances in a browser.

    scripts/browser.py          find them; install them if they are missing
    scripts/browser.py find     print what answers, else exit with 1

Uses nothing but the standard library and its neighbours. It installs only as root, only on Debian,
from the distribution's own packages. Doing it twice equals doing it once.
"""

import argparse
import os
import shutil
import sys

from engine import Refused, say

from compose import answer, apt

# Command to the package that brings it.
PACKAGES = {"chromium": "chromium", "chromedriver": "chromium-driver"}


def missing() -> list[str]:
    """Return which of the commands do not answer."""
    return [command for command in PACKAGES if _version(command) is None]


def refuse_to_install(absent: list[str]) -> None:
    """Raise Refused unless what is absent can be installed here."""
    what, packages = " and ".join(absent), " ".join(PACKAGES[command] for command in absent)
    if not shutil.which("apt-get"):
        raise Refused(
            f"The browser tests need {what}, and only Debian's can be installed by this script."
        )
    if os.geteuid() != 0:
        raise Refused(
            f"The browser tests need {what}: sudo apt-get install {packages} (or run as root)."
        )


def provide() -> list[str]:
    """Return what the commands say of their versions, having installed them if need be."""
    absent = missing()
    if absent:
        refuse_to_install(absent)
        say(f"Installing {' and '.join(absent)} from the distribution's packages ...")
        apt("update")
        packages = [PACKAGES[command] for command in absent]
        apt("install", "--yes", "--no-install-recommends", *packages)
    if silent := missing():
        raise Refused(f"{' and '.join(silent)} can't be run; the packages brought none that can.")
    return [_version(command) or "" for command in PACKAGES]


def _version(command: str) -> str | None:
    return answer((command,), "--version")


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", nargs="?", choices=["provide", "find"], default="provide")
    action = parser.parse_args().action
    if action == "find":
        absent = missing()
        sys.stdout.write("".join(f"{command}\n" for command in PACKAGES if command not in absent))
        return 1 if absent else 0
    try:
        say("; ".join(provide()))
    except Refused as reason:
        say(str(reason))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
