"""Settings: one table gives each setting's flag, environment variable, default and help.

Precedence: flag, then environment, then default. Read once at the start; an `EMULATOR_*` variable
that is no setting is an error, so that a typing mistake is found at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from emulator.errors import PermanentError

PREFIX = "EMULATOR_"


class BadSetting(PermanentError):
    """A setting has an unknown name or a value that it can't have."""


def _whole(text: str) -> int:
    return int(text)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError("a port lies between 0 and 65535")
    return port


def _switch(text: str) -> bool:
    try:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
            text.strip().lower()
        ]
    except KeyError:
        raise ValueError("answer 1 or 0") from None


def _account(text: str) -> str:
    if len(text) != 12 or not text.isdigit():
        raise ValueError("an account id has 12 digits")
    return text


def _memory(text: str) -> int:
    """Return bytes for '512m' or '2g'; '0' means no limit."""
    units = {"k": 2**10, "m": 2**20, "g": 2**30}
    scale = units.get(text[-1:].lower(), 1)
    return int(text[:-1] if scale > 1 else text) * scale


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError("choose one of " + ", ".join(allowed))
        return text

    return parse


def _setting(default: Any, help: str, parse: Callable[[str], Any] = str, unit: str = "") -> Any:
    return field(default=default, metadata={"help": help, "parse": parse, "unit": unit})


@dataclass(frozen=True)
class Settings:
    """Every setting of the emulator; the fields below are the table."""

    host: str = _setting("127.0.0.1", "Address to listen on; anything but loopback is exposed.")
    port: int = _setting(4610, "Port of the one URL; 0 picks a free one.", _port)
    state: Path = _setting(
        Path(".sagemaker-emulator"),
        "Directory that keeps objects, resources and logs between runs.",
        Path,
    )
    region: str = _setting("us-east-1", "Region of requests that carry no signature.")
    account: str = _setting(
        "123456789012",
        "Account of access keys that are neither 12 digits nor issued by the emulator.",
        _account,
    )
    log_level: str = _setting(
        "info",
        "What the emulator says on standard error.",
        _choice("debug", "info", "warning", "error"),
    )
    container_memory: int = _setting(
        0, "Memory limit of each job or serving container, such as 2g; 0 for none.", _memory
    )
    container_threads: int = _setting(
        0, "OMP_NUM_THREADS given to containers that set none; 0 leaves it to the image.", _whole
    )
    pool_size: int = _setting(
        3, "Warm network namespaces kept ready for the next containers.", _whole
    )
    reach: str = _setting(
        "auto",
        "How serving containers are called: by their address, or by a port published on loopback.",
        _choice("auto", "address", "publish"),
    )
    stop_grace: int = _setting(
        120,
        "Between SIGTERM and SIGKILL when a training job is stopped.",
        _whole,
        "seconds",
    )
    serving_stop_grace: int = _setting(
        30, "Between SIGTERM and SIGKILL when a serving container is stopped.", _whole, "seconds"
    )
    ping_timeout: int = _setting(
        480, "How long a serving container may take to answer /ping with 200.", _whole, "seconds"
    )
    invocation_timeout: int = _setting(
        60, "How long a container may take to answer an invocation.", _whole, "seconds"
    )
    payload_limit: int = _setting(6291456, "Largest body of InvokeEndpoint.", _whole, "bytes")
    images_pull: bool = _setting(
        False, "Allow `images build` to fetch the base image from a registry.", _switch
    )


def variable(name: str) -> str:
    """Return the environment variable of a setting: ``EMULATOR_LOG_LEVEL`` for ``log_level``."""
    return PREFIX + name.upper()


def flag(name: str) -> str:
    """Return the flag of a setting: ``--log-level`` for ``log_level``."""
    return "--" + name.replace("_", "-")


def read(environ: Mapping[str, str], flags: Mapping[str, str | None] | None = None) -> Settings:
    """Return the settings from flags (None: not given) and environment variables.

    Raises:
        BadSetting: a value is wrong, or an `EMULATOR_*` variable is no setting.
    """
    table = {entry.name: entry for entry in fields(Settings)}
    strangers = {
        name
        for name in environ
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in table
    }
    if strangers:
        known = ", ".join(variable(name) for name in table)
        raise BadSetting(f"{', '.join(sorted(strangers))}: no such setting. There are: {known}.")
    values: dict[str, Any] = {}
    for name, entry in table.items():
        source, text = flag(name), (flags or {}).get(name)
        if text is None:
            source, text = variable(name), environ.get(variable(name))
        if text is None:
            continue
        try:
            values[name] = entry.metadata["parse"](text)
        except ValueError as reason:
            raise BadSetting(f"{source}={text}: {reason}.") from None
    return Settings(**values)
