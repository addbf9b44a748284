"""Says to indexers every minute where the agent is and what the machine has. Money does not depend on it.

Each indexer is told by itself, so one that is down or slow keeps no other from it, and nothing waits for any of them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Sequence

import httpx2
import msgspec
from ionet.advert import LIFETIME_SECS, Advert, AdvertNotTaken, Gpu, certificate_text, endpoint, send
from ionet.check.report import Report
from solders.keypair import Keypair
from solders.pubkey import Pubkey

_MINUTE = 60
_FIRST_PAUSE_SECS, _LAST_PAUSE_SECS = 2.0, 30.0
_TIMEOUT_SECS = 10.0
_MIB = 1024 * 1024
_log = logging.getLogger(__name__)


def endpoints_of(host: str, port: int, named: Sequence[str]) -> list[str]:
    """Where the agent says it is: what its owner names, else where it listens, unless that is every address."""
    address = ipaddress.ip_address(host)
    return list(named) or ([] if address.is_unspecified else [endpoint(address, port)])


class Advertiser:
    """Adverts of `node`, signed by its device key, to the indexers at `urls`."""

    def __init__(
        self, urls: Sequence[str], node: Pubkey, device: Keypair, report: Report, endpoints: Sequence[str]
    ) -> None:
        self._urls, self._device = tuple(dict.fromkeys(urls)), device
        self._says = Advert(
            node=str(node),
            seq=0,
            expires=0,
            endpoints=list(endpoints),
            relays=[],
            certificate=certificate_text(device),
            ray=report.ray,
            cuda=None,  # nothing on this machine is asked for it yet
            isolation="none",
            gpus=[
                Gpu(_line(one.name), None if one.memory_bytes is None else one.memory_bytes // _MIB)
                for one in report.devices[:64]
            ],
            bandwidth_mbits=None,  # not measured yet
        )
        # Nodes are told to say it at different moments of a minute, and never two minutes apart.
        self._moment = 5 + bytes(node)[0] % 50
        self._seq = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        async with httpx2.AsyncClient(timeout=_TIMEOUT_SECS, trust_env=False) as http:
            await asyncio.gather(*(self._tell(http, url) for url in self._urls))

    async def _tell(self, http: httpx2.AsyncClient, url: str) -> None:
        pause = _FIRST_PAUSE_SECS
        while True:
            try:
                async with asyncio.timeout(_TIMEOUT_SECS):
                    await send(http, url, self._device, self._next())
            except (AdvertNotTaken, TimeoutError) as error:
                _log.info("advert, later: %s", error or url, extra={"action": "advert_later"})
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LAST_PAUSE_SECS)
            else:
                pause = _FIRST_PAUSE_SECS
                now = time.time()
                await asyncio.sleep(_MINUTE - now % _MINUTE + self._moment)

    def _next(self) -> Advert:
        """What it says now. Its number grows with the clock, and also while the clock stands still or goes back."""
        now = time.time()
        self._seq = max(self._seq + 1, int(now * 1000))
        return msgspec.structs.replace(self._says, seq=self._seq, expires=int(now) + LIFETIME_SECS)


def _line(text: str) -> str:
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text[:64]) or "?"
