"""The variables that point clients at the emulator, and the AWS configuration that says the same.

The credentials are fakes that look like fakes; the access key id is the account. Variables that
would lead a client elsewhere are unset. Python 3.8 and later must be able to read this.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Dict, Mapping, Optional
from urllib.parse import urlsplit

from emulator.clients.places import AS_WRITTEN, COMMANDS, DATA, PROFILE, SHIM, WRAPPERS

Variables = Dict[str, Optional[str]]
"""Names to values; None stands for a variable that must not be set."""

SECRET = "not-a-secret"
CONFIG_FILE = "AWS_CONFIG_FILE"
# Each would make a client read other credentials, or call AWS itself or another endpoint.
_ALWAYS_UNSET = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
_SERVICES = (
    "CLOUDWATCH",
    "CLOUDWATCH_LOGS",
    "ECR",
    "IAM",
    "KMS",
    "LAMBDA",
    "S3",
    "SAGEMAKER",
    "SAGEMAKER_RUNTIME",
    "SNS",
    "STS",
)
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


def variables(
    url: str, region: str, account: str, environ: Mapping[str, str], *, as_written: bool = False
) -> Variables:
    """Return the variables that a client needs.

    Args:
        url: where the emulator is, ``http://HOST:PORT``.
        account: 12 digits.
        environ: the variables that are set now.
        as_written: leave each client the polling intervals that it was written with.
    """
    chosen: Variables = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        CONFIG_FILE: str(config_file(config(url, region, account), environ)),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": _with_path(environ.get("PYTHONPATH", ""), SHIM),
    }
    chosen.update(_pace(environ, as_written))
    paths = without_path(without_path(environ.get("PATH", ""), COMMANDS), WRAPPERS)
    if paths:
        # The wrapper of docker calls the real one; where there is none, there is nothing to wrap.
        first = f"{WRAPPERS}{os.pathsep}" if shutil.which("docker", path=paths) else ""
        chosen["PATH"] = f"{first}{paths}{os.pathsep}{COMMANDS}"
    if any(environ.get(name) for name in _PROXIES):
        for name in ("no_proxy", "NO_PROXY"):
            chosen[name] = _with_host(environ.get(name, ""), host_of(url))
    chosen.update(dict.fromkeys(_ALWAYS_UNSET))
    elsewhere = [f"AWS_ENDPOINT_URL_{service}" for service in _SERVICES]
    chosen.update((name, None) for name in elsewhere if name in environ)
    return chosen


def host_of(url: str) -> str:
    """Return the host of a URL, an IPv6 address without its brackets."""
    return urlsplit(url).hostname or ""


def config(url: str, region: str, account: str) -> str:
    """Return an AWS configuration whose default, and whose one profile, is the emulator.

    `aws configure get region` and its like read a file and no variables.
    """
    return f"[default]\nregion = {region}\nendpoint_url = {url}\n\n{profile(url, region, account)}"


def profile(url: str, region: str, account: str) -> str:
    """Return the profile alone, for a user's own AWS configuration."""
    return (
        f"[profile {PROFILE}]\nregion = {region}\nendpoint_url = {url}\n"
        f"aws_access_key_id = {account}\naws_secret_access_key = {SECRET}\n"
    )


def config_file(text: str, environ: Mapping[str, str]) -> Path:
    """Return where an AWS configuration of this text belongs; each text has a file of its own."""
    home = environ.get("HOME") or os.path.expanduser("~")
    cache = Path(environ.get("XDG_CACHE_HOME") or Path(home) / ".cache")
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return cache / "sagemaker-emulator" / "aws-config" / digest


def write_config(file: Path, text: str) -> None:
    """Write the configuration, unless it is there; raises OSError."""
    try:
        if file.read_text(encoding="utf-8") == text:
            return
    except (OSError, ValueError):
        pass
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Renamed when complete: another shell may be reading it.
    with tempfile.NamedTemporaryFile(
        "w", dir=str(file.parent), encoding="utf-8", delete=False
    ) as fresh:
        fresh.write(text)
    os.replace(fresh.name, str(file))


def without_path(paths: str, left_out: Path) -> str:
    """Return a list of paths without one of them."""
    return os.pathsep.join(path for path in paths.split(os.pathsep) if path != str(left_out))


def _pace(environ: Mapping[str, str], as_written: bool) -> Variables:
    paths = environ.get("AWS_DATA_PATH", "")
    if not as_written:
        chosen: Variables = {"AWS_DATA_PATH": _with_path(paths, DATA)}
        if AS_WRITTEN in environ:
            chosen[AS_WRITTEN] = None
        return chosen
    written: Variables = {AS_WRITTEN: "1"}
    if paths:
        written["AWS_DATA_PATH"] = without_path(paths, DATA) or None
    return written


def _with_path(paths: str, first: Path) -> str:
    # An empty entry would mean the working directory: it stays if the user has it, none is added.
    others = without_path(paths, first)
    return f"{first}{os.pathsep}{others}" if others else str(first)


def _with_host(exempt: str, host: str) -> str:
    names = [name for name in exempt.split(",") if name]
    return ",".join([*names, host] if host not in names else names)
