"""How fast bytes get from an agent to the relay and back: what its node says of its bandwidth.

Bounded by `MEASURE_SECS` and `MEASURE_BYTES` each way, and what is sent counts towards the node's share.
"""

from __future__ import annotations

import os
import time

from ionet.relay_wire import MEASURE_BYTES, MEASURE_SECS, Measured, encode
from solders.pubkey import Pubkey

from ionet_relay import metrics
from ionet_relay.link import Link
from ionet_relay.shares import Shares

_PIECE = os.urandom(64 * 1024)
"""What nobody on the way can make shorter."""
# A slow way has some seconds more until what was sent has arrived.
_MOST_SECS = 10.0


class Measuring:
    """The end of one data connection that leads to no caller."""

    def __init__(self, link: Link, node: Pubkey, shares: Shares) -> None:
        self._link, self._node, self._shares = link, node, shares
        self._arrived = self._sent = 0
        self._until = 0.0
        self._full = self._owes = False
        link.within(_MOST_SECS)
        link.take_alone(self)

    def took(self, size: int) -> None:
        """Bytes have arrived."""
        self._arrived += size
        if self._arrived > MEASURE_BYTES or self._until:
            self._link.drop()
        elif not self._spend(size):
            self._link.pause("share")
            self._shares.wait(self._node, lambda: self._link.resume("share"))

    def ended(self) -> None:
        """All has arrived: say how much, and send as long."""
        self._link.within(_MOST_SECS)
        self._link.transport.write(encode(Measured(self._arrived)))
        self._until = time.monotonic() + MEASURE_SECS
        self._send()

    def wait(self) -> None:
        """What was sent has not gone out yet."""
        self._full = True

    def go_on(self) -> None:
        """It has."""
        self._full = False
        self._send()

    def _paid(self) -> None:
        self._owes = False
        self._send()

    def _send(self) -> None:
        """As much as goes out now, if it is this side's turn."""
        while self._until and not (self._full or self._owes or self._link.transport.is_closing()):
            if self._sent >= MEASURE_BYTES or time.monotonic() > self._until:
                self._link.close()
                return
            self._link.transport.write(_PIECE)
            self._sent += len(_PIECE)
            if not self._spend(len(_PIECE)):
                self._owes = True
                self._shares.wait(self._node, self._paid)

    def _spend(self, size: int) -> bool:
        metrics.BYTES.labels("tcp").inc(size)
        return self._shares.spend(self._node, size)
