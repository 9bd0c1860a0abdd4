"""Kept connections to serving containers, and the one retry that they make necessary.

A server may close an idle connection at any time, so a kept one is looked at before use, and if
it still breaks before a single byte of the reply arrived, the request goes once more over a fresh
connection. A fresh connection is never retried: the container may have begun its work.

No lock: a list's append and pop are atomic, and a lost race costs one connection.
"""

from emulator.inference.wire import Connection, NoReply, Reply
from emulator.routing import Target

_KEPT_PER_TARGET = 64


class Pool:
    """Idle connections by target, the one used last first."""

    def __init__(self) -> None:
        self._idle: dict[Target, list[Connection]] = {}

    def exchange(
        self, target: Target, head: bytes, body: bytes, *, deadline: float, limit: int
    ) -> Reply:
        """Send one request to the target and return its reply.

        Raises OSError if nobody listens, else what `Connection.exchange` raises.
        """
        kept = self._kept(target)
        while kept:
            try:
                connection = kept.pop()
            except IndexError:
                break
            if not connection.alive():
                connection.close()
                continue
            try:
                return self._exchange(target, connection, kept, head, body, deadline, limit)
            except NoReply as error:
                if error.started:
                    raise
            break
        connection = Connection(target.host, target.port, deadline)
        return self._exchange(target, connection, kept, head, body, deadline, limit)

    def close(self) -> None:
        """Close all idle connections."""
        idle, self._idle = self._idle, {}
        for kept in idle.values():
            _close_all(kept)

    def _exchange(
        self,
        target: Target,
        connection: Connection,
        kept: list[Connection],
        head: bytes,
        body: bytes,
        deadline: float,
        limit: int,
    ) -> Reply:
        try:
            reply = connection.exchange(head, body, deadline, limit)
        except BaseException:
            connection.close()
            raise
        if connection.reusable and not target.closed and len(kept) < _KEPT_PER_TARGET:
            kept.append(connection)
        else:
            connection.close()
        return reply

    def _kept(self, target: Target) -> list[Connection]:
        kept = self._idle.get(target)
        if kept is None:
            # Targets come and go seldom, so this is the moment to forget those that went.
            self._forget_closed()
            kept = self._idle.setdefault(target, [])
        return kept

    def _forget_closed(self) -> None:
        for target in [target for target in list(self._idle) if target.closed]:
            _close_all(self._idle.pop(target, []))


def _close_all(kept: list[Connection]) -> None:
    while kept:
        try:
            kept.pop().close()
        except IndexError:
            return
