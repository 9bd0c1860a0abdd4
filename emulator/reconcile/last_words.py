"""What a container said before it failed; pure.

The last line is often about the failure of a server or a toolkit, and what a person needs to know
stands before it. Amazon's toolkits even report a script's failure as ``ErrorMessage ""``, unless a
framework lets them collect what it writes, and MXNet and Chainer do not.
"""

import re
from collections import deque
from collections.abc import Iterable

_EMPTY = 'ErrorMessage ""'
_REPORT = "Reporting training FAILURE"
_TOOLKIT = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ sagemaker\S* +[A-Z]+ ")
_SERVER = re.compile(r"^\[\d{4}-\d\d-\d\d [\d:]+ [+-]\d{4}\] \[\d+\] \[[A-Z]+\] ")
_RANK = re.compile(r"\[\d+,\d+\]<stderr>:")
_COMPLAINT = re.compile(r"error|exception|errno|fail", re.IGNORECASE)
_TRACEBACK = "Traceback (most recent call last)"
_INIT = re.compile(
    r"^(?:\[FATAL tini \(\d+\)\]|ERROR(?: \(catatonit:\d+\))?:)"
    r" ((?:exec .+ failed|failed to exec .+): .+)"
)
"""What the init of Docker, or Podman's, says of a program that it can't run."""
_ENOUGH = 200
"""Lines of a script's output that are looked at."""
_MESSAGE = 5
"""Lines that an exception's message may have; more than that is other output."""


def last_words(output: Iterable[str]) -> str:
    """Return the exception that a container's output ends with, else its last line.

    What the server gunicorn says of the death of a worker does not count.
    """
    words, raised = list[str](), False
    for line in output:
        if _SERVER.match(line) or not line.strip():
            continue
        if _TRACEBACK in line:
            words, raised = [], True
        elif raised and not words and line[0].isspace():
            continue  # one of the calls
        elif raised and len(words) < _MESSAGE:
            words.append(line.strip())
        else:
            words, raised = [line.strip()], False
    return " ".join(words)


def completed(failure: str, output: Iterable[str]) -> str:
    """Return a toolkit's failure text with the message that it lacks; any other text as it is.

    The message is what the script wrote last, if that says what went wrong. Under MPI, it is what
    a rank wrote last: the lines after that are about the other ranks.

    Args:
        failure: what the container wrote to /opt/ml/output/failure.
        output: all lines that the container wrote; read only if need be.
    """
    if _EMPTY not in failure:
        return failure
    said = deque[str](maxlen=_ENOUGH)
    for line in output:
        if _REPORT in line:
            break
        if _TOOLKIT.match(line):
            said.clear()
        else:
            said.append(line)
    of_ranks = [_RANK.sub("", line) for line in said if _RANK.match(line)]
    words = last_words(of_ranks or said)
    complains = any(_TRACEBACK in line for line in said) or _COMPLAINT.search(words)
    return failure.replace(_EMPTY, f'ErrorMessage "{words}"', 1) if complains else failure


def never_ran(output: Iterable[str]) -> str:
    """Return why a container's program could not be run, empty if it was.

    The container itself starts nevertheless, with its init, which writes this and nothing else.
    """
    found = _INIT.match(next(iter(output), ""))
    return found[1] if found else ""
