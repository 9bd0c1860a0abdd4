"""A proxy for TLS to AWS, for clients that keep AWS's own addresses; all other hosts are tunnelled.

Imported only when it is switched on. It knows no service, no resource and no setting.
"""

from emulator.proxy.server import Proxy

__all__ = ["Proxy"]
