"""Why an instance can't start, as its container's exit code says it."""

SCRIPT_FAILED = 64
SCRIPT_TOO_SLOW = 65
NO_REPOSITORY = 66


class StartFailed(Exception):
    """The instance can't start; the message is for whoever started it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
