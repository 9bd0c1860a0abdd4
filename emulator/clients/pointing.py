"""Pointing a Python process that runs already at the emulator, and back.

What `env` does to a shell must be there before Python starts: `sitecustomize` runs then. A test
run or a notebook of an IDE has started; here the same parts are put in place by a call. It imports
no SDK. Python 3.8 and later must be able to read this.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType, TracebackType
from typing import Any
from urllib.parse import urlsplit

from emulator.clients import environment
from emulator.clients.places import SHIM

_SHIM_PACKAGE = "sagemaker_emulator_shim"
_NOTHING = object()


class Pointed:
    """A process that is pointed at an emulator, until `undo` or the end of a ``with`` block.

    Attributes:
        url: where the emulator is.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._before: dict[str, str | None] = {}
        self._session: Any = _NOTHING
        self._shim = _shim_package()
        self._mark = len(self._shim.REPLACED)
        self._finder: Any = None
        self._done = False

    def undo(self) -> None:
        """Put back what was there before; twice does no harm.

        Of several that overlap, undo the last first. Sessions and clients that were made meanwhile
        stay pointed at the emulator.
        """
        if self._done:
            return
        self._done = True
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self._finder]
        self._shim.restore(self._mark)
        for name, value in self._before.items():
            _set(name, value)
        _exchange_default_session(None if self._session is _NOTHING else self._session)

    def __enter__(self) -> Pointed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.undo()

    def _point(self, chosen: environment.Variables) -> None:
        self._before = {name: os.environ.get(name) for name in chosen}
        for name, value in chosen.items():
            _set(name, value)
        start = _load("sagemaker_emulator_sitecustomize", "sitecustomize.py")
        self._finder = start.Adapter()
        sys.meta_path.insert(0, self._finder)
        for name in start.ADAPTED:
            if isinstance(sys.modules.get(name), ModuleType):
                start.adapt(sys.modules[name])
        self._session = _exchange_default_session(None)


def point_here(
    url: str = "http://127.0.0.1:4610",
    *,
    region: str = "us-east-1",
    account: str = "123456789012",
    as_written: bool = False,
) -> Pointed:
    """Point this process, and those that it starts, at the emulator; see `docs/clients.md`.

    Call it before sessions and clients are made: what was made before stays as it is, but for
    boto3's default session, which is made anew.

    Args:
        url: where the emulator is, ``http://HOST:PORT``; whether it runs is not asked.
        region: the region of clients that name none.
        account: 12 digits, the account that clients act for.
        as_written: let clients poll as seldom as against AWS.

    Returns:
        What undoes it; also a context manager.

    Raises:
        ValueError: `url` is no such URL, or `account` is not 12 digits.
    """
    address = _checked(url)
    if not (len(account) == 12 and account.isascii() and account.isdigit()):
        raise ValueError(f"account={account!r}: give 12 digits")
    chosen = environment.variables(address, region, account, os.environ, as_written=as_written)
    text = environment.config(address, region, account)
    try:
        environment.write_config(environment.config_file(text, os.environ), text)
    except OSError:
        del chosen[environment.CONFIG_FILE]  # the variables say the same to all but `aws configure`
    pointed = Pointed(address)
    pointed._point(chosen)
    return pointed


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(f"url={url!r}: give http://HOST:PORT, as `up` prints it")
    return url.rstrip("/")


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _exchange_default_session(session: Any) -> Any:
    """Give boto3 another default session, which has read its variables; returns the one it had."""
    boto3 = sys.modules.get("boto3")
    if boto3 is None:
        return _NOTHING
    before = getattr(boto3, "DEFAULT_SESSION", None)
    boto3.DEFAULT_SESSION = session  # type: ignore[attr-defined]
    return before


def _shim_package() -> ModuleType:
    """Return the package that adapts SDKs: the one of this process, if it started with one."""
    found = sys.modules.get(_SHIM_PACKAGE)
    return found or _load(_SHIM_PACKAGE, _SHIM_PACKAGE + "/__init__.py")


def _load(name: str, file: str) -> ModuleType:
    # The shim is found by PYTHONPATH in an interpreter that starts; here it is not on the path.
    place = SHIM / file
    package = [str(place.parent)] if place.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(
        name, str(place), submodule_search_locations=package
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} can't be loaded", name=name)
    module = importlib.util.module_from_spec(spec)
    if package:
        sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
