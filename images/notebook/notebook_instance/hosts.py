"""Under which names the server may be spoken to; pure.

A page of somebody else's can lead a name of its own to this address (DNS rebinding), and the
browser would take both for one site. An address itself leads nowhere else.
"""

import ipaddress

LOCAL = frozenset({"localhost"})


def is_own(host: str, names: frozenset[str] = LOCAL) -> bool:
    """Tell whether a request's host, without its port, is an address or one of the names."""
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return host.lower() in names
    return True
