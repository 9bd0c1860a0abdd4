"""Every AWS service beside SageMaker: S3 with bodies in files, and moto's STS, IAM, Logs, …

The only package that imports moto. Importing it is cheap.
"""

from emulator.storage.assembly import Storage
from emulator.storage.objects import ObjectInfo, ScopedObjects

__all__ = ["ObjectInfo", "ScopedObjects", "Storage"]
