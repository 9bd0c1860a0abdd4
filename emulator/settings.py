"""Settings: one table gives each setting's flag, environment variable, default and help.

Precedence: flag, then environment, then default. Read once at the start; an `EMULATOR_*` variable
that is no setting is an error, so that a typing mistake is found at once.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from emulator.errors import PermanentError

PREFIX = "EMULATOR_"


class BadSetting(PermanentError):
    """A setting has an unknown name or a value that it can't have."""


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("give a whole number that is not negative")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise ValueError("a port lies between 0 and 65535")
    return int(text)


def _switch(text: str) -> bool:
    try:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
            text.strip().lower()
        ]
    except KeyError:
        raise ValueError("answer 1 or 0") from None


def _account(text: str) -> str:
    if len(text) != 12 or not (text.isascii() and text.isdigit()):
        raise ValueError("an account id has 12 digits")
    return text


def _memory(text: str) -> int:
    """Return bytes for '512m' or '2g'; '0' means no limit."""
    units = {"k": 2**10, "m": 2**20, "g": 2**30}
    scale = units.get(text[-1:].lower(), 1)
    number = text[:-1] if scale > 1 else text
    if not (number.isascii() and number.isdigit()):
        raise ValueError("give a whole number of bytes, or one with k, m or g, such as 512m or 2g")
    return int(number) * scale


@dataclass(frozen=True)
class Share:
    """A part of something that has a size: a percentage of it, or a number of bytes."""

    percent: int = 0
    bytes: int = 0

    def of(self, whole: int) -> int:
        """Return the part's bytes."""
        return self.bytes or whole * self.percent // 100

    def __str__(self) -> str:
        return f"{self.percent}%" if self.percent else str(self.bytes)


def _share(text: str) -> Share:
    if not text.endswith("%"):
        return Share(bytes=_memory(text))
    if not (text[:-1].isascii() and text[:-1].isdigit() and int(text[:-1]) <= 100):
        raise ValueError("a percentage lies between 0% and 100%")
    return Share(percent=int(text[:-1]))


def _some(text: str) -> str:
    if not text:
        raise ValueError("give a value")
    return text


def _accelerators(text: str) -> str:
    for entry in filter(None, text.split(",")):
        kind, _, backing = entry.partition("=")
        if not re.fullmatch(r"ml\.eia[12]\.(medium|large|xlarge)", kind):
            raise ValueError(
                "an accelerator is ml.eia1 or ml.eia2, then .medium, .large or .xlarge"
            )
        if not re.fullmatch(r"|cpu|gpu:[0-9]+", backing):
            raise ValueError("what stands behind an accelerator is =cpu or =gpu:NUMBER")
    return text


def _folder(text: str) -> Path:
    return Path(_some(text)).expanduser()


@dataclass(frozen=True)
class Form:
    """How a value is written: its placeholder in help texts, and its parser."""

    placeholder: str
    parse: Callable[[str], Any]


def _choice(*allowed: str) -> Form:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError("choose one of " + ", ".join(allowed))
        return text

    return Form("|".join(allowed), parse)


TEXT = Form("TEXT", _some)
HOST = Form("ADDRESS", _some)
PORT = Form("PORT", _port)
FOLDER = Form("DIR", _folder)
REGION = Form("REGION", _some)
ACCOUNT = Form("ID", _account)
MEMORY = Form("SIZE", _memory)
SHARE = Form("SIZE|PERCENT", _share)
NUMBER = Form("NUMBER", _whole)
SECONDS = Form("SECONDS", _whole)
BYTES = Form("BYTES", _whole)
SWITCH = Form("1|0", _switch)
ACCELERATORS = Form("TYPE[=cpu|=gpu:N]", _accelerators)


def _setting(default: Any, help: str, form: Form = TEXT) -> Any:
    return field(default=default, metadata={"help": help, "form": form})


@dataclass(frozen=True)
class Settings:
    """Every setting of the emulator; the fields below are the table."""

    host: str = _setting("127.0.0.1", "Address to listen on; all but loopback is exposed.", HOST)
    port: int = _setting(4610, "Port of the one URL; 0 picks a free one.", PORT)
    state: Path = _setting(
        Path(".sagemaker-emulator"),
        "Directory that keeps objects, resources and logs between runs.",
        FOLDER,
    )
    region: str = _setting("us-east-1", "Region of requests that carry no signature.", REGION)
    account: str = _setting(
        "123456789012",
        "Account of access keys that are neither 12 digits nor issued by the emulator.",
        ACCOUNT,
    )
    log_level: str = _setting(
        "info",
        "What the emulator says on standard error.",
        _choice("debug", "info", "warning", "error"),
    )
    container_memory: int = _setting(
        0, "Memory limit of each job or serving container, such as 2g; 0 for none.", MEMORY
    )
    container_shm: Share = _setting(
        Share(percent=75),
        "/dev/shm of each container: a size, or a percentage of the memory that the container may"
        " use, such as 50%; 0 for the engine's own 64 MB.",
        SHARE,
    )
    container_threads: int = _setting(
        0, "OMP_NUM_THREADS given to containers that set none; 0 leaves it to the image.", NUMBER
    )
    instance_quota: int = _setting(
        50,
        "Instances of all endpoints, training jobs and notebook instances together; 0 for no"
        " limit.",
        NUMBER,
    )
    instance_quota_each: int = _setting(
        20, "Instances of one endpoint or training job; 0 for no limit.", NUMBER
    )
    pool_size: int = _setting(
        3, "Warm network namespaces kept ready for the next containers.", NUMBER
    )
    reach: str = _setting(
        "auto",
        "How serving containers are called: by their address, or by a port published on loopback.",
        _choice("auto", "address", "publish"),
    )
    stop_grace: int = _setting(
        120, "Seconds between SIGTERM and SIGKILL when a training job is stopped.", SECONDS
    )
    serving_stop_grace: int = _setting(
        30, "Seconds between SIGTERM and SIGKILL when a serving container is stopped.", SECONDS
    )
    ping_timeout: int = _setting(
        480, "Seconds that a serving container may take to answer /ping with 200.", SECONDS
    )
    invocation_timeout: int = _setting(
        60, "Seconds that a container may take to answer an invocation.", SECONDS
    )
    payload_limit: int = _setting(6291456, "Bytes of InvokeEndpoint's largest body.", BYTES)
    cpu_stand_ins: bool = _setting(
        True,
        "Let the CPU stand in for a GPU that this machine lacks; 0 fails for lack of capacity.",
        SWITCH,
    )
    attach_accelerator: str = _setting(
        "",
        "Elastic Inference accelerators to attach, such as ml.eia1.medium or ml.eia2.large=gpu:0;"
        " several with commas.",
        ACCELERATORS,
    )
    accelerator_fallback: str = _setting(
        "cpu",
        "What serves where no accelerator fits: the CPU, or never anything else.",
        _choice("cpu", "never"),
    )
    notebook_engine_access: bool = _setting(
        False,
        "Give notebook instances the engine's socket, for the SDK's local mode. Whoever has it is"
        " root on this machine.",
        SWITCH,
    )
    notebook_script_timeout: int = _setting(
        300, "Seconds that each lifecycle script of a notebook instance may take.", SECONDS
    )
    sample_data: str = _setting(
        "auto",
        "Digits of the bucket sagemaker-sample-data-REGION: a directory that has MNIST's files, "
        "`auto` for MNIST from the network, `bundled` for the digits that ship with the emulator.",
    )
    data_buckets: str = _setting(
        "auto",
        "Directory served as the buckets from which AWS's notebooks read their data, a folder for"
        " each; `auto` for `storage/data-buckets` in the state directory.",
    )
    proxy_port: int = _setting(
        0, "Port of the TLS proxy for clients that must stay untouched; 0 for none.", PORT
    )
    images_pull: bool = _setting(
        False, "Allow `images build` to fetch the base image from a registry.", SWITCH
    )


@dataclass(frozen=True)
class Row:
    """One row of the table, for those who list it: flags, documentation, `doctor`.

    Attributes:
        default: the default as a user would write it.
    """

    name: str
    flag: str
    variable: str
    default: str
    help: str
    form: Form


def table() -> list[Row]:
    """Return the settings in the order of their definition."""
    return [
        Row(
            name=entry.name,
            flag=flag(entry.name),
            variable=variable(entry.name),
            default=str(int(entry.default) if isinstance(entry.default, bool) else entry.default),
            help=entry.metadata["help"],
            form=entry.metadata["form"],
        )
        for entry in fields(Settings)
    ]


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
    rows = table()
    names = {row.name for row in rows}
    strangers = {
        name
        for name in environ
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in names
    }
    if strangers:
        known = ", ".join(row.variable for row in rows)
        raise BadSetting(f"{', '.join(sorted(strangers))}: no such setting. There are: {known}.")
    values: dict[str, Any] = {}
    for row in rows:
        source, text = row.flag, (flags or {}).get(row.name)
        if text is None:
            source, text = row.variable, environ.get(row.variable)
        if text is None:
            continue
        try:
            values[row.name] = row.form.parse(text)
        except ValueError as reason:
            raise BadSetting(f"{source}={text}: {reason}.") from None
    return Settings(**values)
