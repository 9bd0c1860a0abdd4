"""Repositories of code: cloned by git, or copied when they are plain folders, once."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from notebook_instance.account import Account
from notebook_instance.failures import NO_REPOSITORY, StartFailed
from notebook_instance.instance import Repository


def provide(repository: Repository, folder: Path, account: Account) -> None:
    """Put a repository into the instance's folder, as its user; one that is there stays as it is.

    Raises:
        StartFailed: git can't clone it.
    """
    wanted = folder / repository.directory
    if wanted.exists():
        return
    # Renamed when it is whole, so that an interrupted start is made good by the next one.
    partial = folder / f".{repository.directory}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    source = Path(repository.source)
    if source.is_absolute() and source.is_dir() and not is_git(source):
        shutil.copytree(source, partial, symlinks=True)
        for path in (partial, *partial.rglob("*")):
            os.chown(path, account.user, account.group, follow_symlinks=False)
    else:
        _clone(repository, partial, account)
    partial.rename(wanted)


def is_git(folder: Path) -> bool:
    """Tell whether a folder is a repository of git's, bare or with a working tree."""
    return (folder / ".git").exists() or all(
        (folder / part).exists() for part in ("HEAD", "objects", "refs")
    )


def clone_command(source: str, to: Path) -> Sequence[str]:
    return ("git", "clone", "--quiet", "--", source, str(to))


def _clone(repository: Repository, to: Path, account: Account) -> None:
    done = subprocess.run(
        clone_command(repository.source, to),
        env=_quiet(account.environment(os.environ)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        **account.as_user(),
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        why = next((line for line in said if line.startswith("fatal:")), said[-1] if said else "")
        raise StartFailed(
            NO_REPOSITORY, f"The repository {repository.source} could not be cloned: {why}"
        )


def _quiet(environment: Mapping[str, str]) -> dict[str, str]:
    """Nobody is there to be asked for a password."""
    return {**environment, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true"}
