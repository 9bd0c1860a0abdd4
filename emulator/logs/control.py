"""Control characters as CloudWatch shows them in the lines of jobs and endpoints; pure.

There a syslog daemon stands between a container and its log stream. It writes each control
character as ``#`` and three octal digits: a TAB as ``#011``, a carriage return as ``#015``.
"""

_OCTAL = {code: f"#{code:03o}" for code in (*range(32), 127)}


def without_controls(text: str) -> str:
    """Return a line with every control character of ASCII in its octal form."""
    return text if text.isprintable() else text.translate(_OCTAL)
