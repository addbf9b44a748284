"""Wake-ups from the node's websocket. A push is a hint: everything it announces is read again over RPC."""

from __future__ import annotations

import asyncio
import logging
from typing import Literal

import msgspec
from ionet.errors import reason_of
from ionet.patient_http import is_loopback
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

log = logging.getLogger(__name__)
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 10.0  # seconds between attempts to connect


class _Notification(msgspec.Struct):
    method: str = ""


class Wakeups:
    """Sets `event` whenever the program logs something. Reconnects for ever; silence counts as a dead socket.

    Slots are subscribed to as a heartbeat, so that a quiet program and a dead connection look different.
    """

    def __init__(self, ws_url: str, program: str, event: asyncio.Event, *, silence: float = 10.0) -> None:
        self._ws_url = ws_url
        self._program = program
        self._event = event
        self._silence = silence
        self.connects = 0

    async def run(self) -> None:
        """Listen until cancelled."""
        pause, told = _FIRST_PAUSE, ""
        while True:
            before = self.connects
            try:
                await self._listen()
            except (OSError, TimeoutError, WebSocketException, msgspec.DecodeError) as error:
                reason = reason_of(error)
                if reason != told or self.connects > before:
                    log.warning("websocket lost: %s", reason, extra={"action": "ws_lost"})
                told = reason
            pause = _FIRST_PAUSE if self.connects > before else min(pause * 2, _LAST_PAUSE)
            await asyncio.sleep(pause)

    async def _listen(self) -> None:
        decoder = msgspec.json.Decoder(_Notification)
        mentions = [{"mentions": [self._program]}, {"commitment": "confirmed"}]
        proxy: Literal[True] | None = None if is_loopback(self._ws_url) else True
        async with connect(self._ws_url, proxy=proxy, open_timeout=self._silence, max_size=1 << 24) as socket:
            for number, (method, params) in enumerate((("logsSubscribe", mentions), ("slotSubscribe", []))):
                request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                await socket.send(msgspec.json.encode(request).decode())
            self.connects += 1
            self._event.set()  # whatever happened while nobody listened
            while True:
                async with asyncio.timeout(self._silence):
                    message = await socket.recv()
                if decoder.decode(message).method == "logsNotification":
                    self._event.set()
