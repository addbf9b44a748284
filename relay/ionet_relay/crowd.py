"""Connections that have not said yet what they want: bounded in number, and who holds many keeps nobody out."""

from __future__ import annotations

from collections import Counter

from ionet_relay.link import Link


class Crowd:
    """One more than fits takes the place of the oldest from the address that holds most of them."""

    def __init__(self, most: int, most_of_address: int) -> None:
        self._most, self._most_of_address = most, most_of_address
        self._here: dict[Link, None] = {}  # oldest first
        self._hosts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._here)

    def enter(self, new: Link) -> Link | None:
        """Returns whose place it takes, if anyone's; that one has left."""
        victim = None
        if self._hosts[new.host] >= self._most_of_address:
            victim = self._oldest(new.host)
        elif len(self._here) >= self._most:
            victim = self._oldest(max(self._hosts, key=lambda host: self._hosts[host]))
        if victim is not None:
            self.leave(victim)
        self._here[new] = None
        self._hosts[new.host] += 1
        return victim

    def leave(self, link: Link) -> None:
        """Nothing happens when it has left before."""
        if link in self._here:
            del self._here[link]
            self._hosts[link.host] -= 1
            if not self._hosts[link.host]:
                del self._hosts[link.host]

    def _oldest(self, host: str) -> Link:
        return next(link for link in self._here if link.host == host)
