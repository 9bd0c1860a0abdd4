"""What a FailureReason may say of an error on this machine."""

import errno
import shutil

import pytest

from emulator.errors import PermanentError
from emulator.reconcile import reasons


@pytest.mark.parametrize(
    "error, told",
    [
        (PermanentError("The S3 bucket 'b' does not exist"), "The S3 bucket 'b' does not exist"),
        (OSError(errno.ENOSPC, "No space left on device", "/home/me/x"), "Insufficient disk space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/home/me/x"), "Insufficient disk space"),
        (OSError(errno.EACCES, "Permission denied", "/home/me/x.gz"), "Permission denied: 'x.gz'"),
        (OSError(errno.EACCES, "Permission denied", b"/home/me/x\xff"), "Permission denied: 'x?'"),
        (OSError(errno.EBADF, "Bad file descriptor", 7), "Bad file descriptor"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (
            shutil.SpecialFileError("`/home/me/x` is a named pipe"),
            "A file can't be read or written",
        ),
    ],
)
def test_of_a_file_on_this_machine_the_name_alone_is_told(error: Exception, told: str) -> None:
    assert reasons.detail(error) == told
