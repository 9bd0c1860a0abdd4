"""What a check of `doctor` found; decides nothing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        mend: the command, or what to do, when `ok` is false.
        required: the emulator can't work without it.
    """

    subject: str
    ok: bool
    text: str
    mend: str = ""
    required: bool = True
