"""What is certain before an emulator says that it is ready: versions, its state, its address.

From then on clients may connect, and are answered once the parts behind are imported, which takes
several times as long as what is done here. What settings, state or machine can get wrong is
found here, so that the ready line is not taken back.
"""

import socket
from dataclasses import dataclass
from pathlib import Path

from emulator import listening, state_files
from emulator.protocol import botocore_data
from emulator.settings import Settings
from emulator.store.database import Database

STORAGE = "storage"
"""The directory of the storage in the state directory."""


@dataclass(frozen=True)
class Prepared:
    """What an Assembly begins with, and closes.

    Attributes:
        state: the state directory, absolute and without links.
        database: the documents' database, opened.
        listener: bound to the address of the settings; connections wait in it.
    """

    state: Path
    database: Database
    listener: socket.socket

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port


def prepare(settings: Settings) -> Prepared:
    """Make certain of all that can be at fault.

    Raises:
        PermanentError: a file of the state is damaged or of a newer release, or what is installed
            is too old.
        OSError: the address can't be had.
    """
    botocore_data.require()
    state = settings.state.resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in state_files.OF_STORAGE:
        state_files.check(state / STORAGE / file)
    database = Database(state / "resources.sqlite")
    try:
        return Prepared(state, database, listening.bind((settings.host, settings.port)))
    except OSError:
        database.close()
        raise
