"""The connections that a server has open: a bound for all, and one for each address."""

from __future__ import annotations

from typing import Protocol


class Connection(Protocol):
    """host: whom its address counts as. is_waiting: whether no request is under way."""

    host: str

    @property
    def is_waiting(self) -> bool: ...

    def drop(self) -> None:
        """End it at once; it leaves the crowd before this returns."""


class Crowd:
    """Beyond a bound a new connection takes the place of the oldest one that waits, of its address or of all: callers
    send their requests at once, so those who only hold connections open push out each other and nobody else."""

    def __init__(self, most: int, of_address: int) -> None:
        self._most, self._of_address = most, of_address
        self._here: dict[Connection, str] = {}  # oldest first

    def enter(self, new: Connection) -> bool:
        """Make room for a connection; False when all others have a request under way."""
        host = new.host
        while len(self._here) >= self._most or sum(h == host for h in self._here.values()) >= self._of_address:
            is_full = len(self._here) >= self._most
            oldest = next((c for c, h in self._here.items() if c.is_waiting and (is_full or h == host)), None)
            if oldest is None:
                return False
            oldest.drop()
        self._here[new] = host
        return True

    def leave(self, connection: Connection) -> None:
        """It is closed; may be said more than once."""
        self._here.pop(connection, None)

    def drop_waiting(self) -> None:
        """End those that have no request under way."""
        for connection in [one for one in self._here if one.is_waiting]:
            connection.drop()
