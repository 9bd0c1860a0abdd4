"""Variables in the languages of shells and tools: each as what reads it back unchanged."""

import json
import re
import shlex
from collections.abc import Callable, Mapping

Variables = Mapping[str, str | None]
"""Names to values; None stands for a variable that must not be set."""

_PLAIN = re.compile(r"[\w./:@%+,=-]*", flags=re.ASCII)


def sh(variables: Variables) -> str:
    """Return it for sh, bash, zsh and their like."""
    return _lines(variables, lambda name, value: f"export {name}={shlex.quote(value)}", "unset {}")


def fish(variables: Variables) -> str:
    """Return it for fish, which splits a variable named …PATH at its colons by itself."""

    def line(name: str, value: str) -> str:
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set --global --export {name} '{quoted}'"

    return _lines(variables, line, "set --erase {}")


def powershell(variables: Variables) -> str:
    """Return it for PowerShell."""

    def line(name: str, value: str) -> str:
        return "$Env:{} = '{}'".format(name, value.replace("'", "''"))

    return _lines(variables, line, "Remove-Item Env:{} -ErrorAction Ignore")


def dotenv(variables: Variables) -> str:
    """Return it as a file of variables, which can't unset one: those are named in comments."""

    def line(name: str, value: str) -> str:
        if _PLAIN.fullmatch(value):
            return f"{name}={value}"
        if "'" not in value:
            return f"{name}='{value}'"
        quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{name}="{quoted}"'

    return _lines(variables, line, "# {} must not be set")


def as_json(variables: Variables) -> str:
    """Return it as an object of JSON; null for a variable that must not be set."""
    return json.dumps(dict(variables), indent=2)


FORMATS: dict[str, Callable[[Variables], str]] = {
    "sh": sh,
    "fish": fish,
    "powershell": powershell,
    "dotenv": dotenv,
    "json": as_json,
}


def _lines(variables: Variables, line: Callable[[str, str], str], without: str) -> str:
    return "\n".join(
        without.format(name) if value is None else line(name, value)
        for name, value in variables.items()
    )
