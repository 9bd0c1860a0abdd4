"""Data between S3 and a container's directories: inputs in, archives out.

Knows neither moto nor Docker; objects come through a small interface.
"""

from emulator.staging.archive import pack, pack_output, unpack
from emulator.staging.inputs import Source, Staged, local_path, stage

__all__ = ["Source", "Staged", "local_path", "pack", "pack_output", "stage", "unpack"]
