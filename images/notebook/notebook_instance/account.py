"""The user of the instance, ec2-user: what it may do, and how a process becomes it."""

import grp
import os
import pwd
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "ec2-user"
SOCKET = Path("/var/run/docker.sock")
_SUDOERS = Path("/etc/sudoers.d/ec2-user")


@dataclass(frozen=True)
class Account:
    """An account of this machine.

    Attributes:
        groups: all that it is in.
    """

    name: str
    user: int
    group: int
    home: str
    groups: tuple[int, ...]

    def as_user(self) -> dict[str, Any]:
        """Return the arguments with which subprocess starts a process of this account."""
        return {"user": self.user, "group": self.group, "extra_groups": self.groups}

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of a process of this account."""
        own = {"HOME": self.home, "USER": self.name, "LOGNAME": self.name, "SHELL": "/bin/bash"}
        return {**inherited, **own}


def account() -> Account:
    """Return the account of the instance's user as it is now."""
    entry = pwd.getpwnam(NAME)
    groups = tuple(os.getgrouplist(NAME, entry.pw_gid))
    return Account(NAME, entry.pw_uid, entry.pw_gid, entry.pw_dir, groups)


def configure_aws(account: Account, environment: Mapping[str, str]) -> None:
    """Tell the account's AWS configuration the region, unless there is one.

    `aws configure get region`, which notebooks of AWS call, reads no variables.
    """
    file = Path(account.home) / ".aws" / "config"
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region or file.exists():
        return
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"[default]\nregion = {region}\n")
    for path in (file.parent, file):
        os.chown(path, account.user, account.group)


def allow_root() -> None:
    """Let the user become root without a password."""
    _SUDOERS.write_text(f"{NAME} ALL=(ALL) NOPASSWD: ALL\n")
    _SUDOERS.chmod(0o440)


def allow_engine(socket: Path = SOCKET) -> None:
    """Let the user speak to the engine, if its socket is here: it belongs to a group's number."""
    try:
        found = socket.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        return
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = "engine"
        subprocess.run(["groupadd", "--gid", str(found.st_gid), group], check=True)
    subprocess.run(["usermod", "--append", "--groups", group, NAME], check=True)
