"""Says to indexers every minute where the agent is and what the machine has. Money does not depend on it.

Each indexer is told by itself, so one that is down or slow keeps no other from it, and nothing waits for any of them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Sequence

import httpx2
import msgspec
from ionet.advert import (
    LIFETIME_SECS,
    Advert,
    AdvertNotTaken,
    BadAdvert,
    Bandwidth,
    Gpu,
    LeaseLimits,
    certificate_text,
    endpoint,
    parse_endpoint,
    send,
)
from ionet.check.report import Report
from ionet.isolation import Limits
from solders.keypair import Keypair
from solders.pubkey import Pubkey

_MINUTE = 60
_FIRST_PAUSE_SECS, _LAST_PAUSE_SECS = 2.0, 30.0
_TIMEOUT_SECS = 10.0
_MIB = 1024 * 1024
_log = logging.getLogger(__name__)


def endpoints_of(host: str, port: int, named: Sequence[str], *, relayed: bool = False) -> list[str]:
    """Where the agent says it is: what its owner names, else where it listens, if others may be sent there.

    relayed: whether relays lead to it; then loopback is nowhere.
    """
    address = ipaddress.ip_address(host)
    if named or (relayed and address.is_loopback):
        return list(named)
    try:
        return [parse_endpoint(endpoint(address, port))]
    except BadAdvert:
        return []


class Advertiser:
    """Adverts of `node`, signed by its device key, to the indexers at `urls`. relays: those that lead to it now.

    bandwidth: as it was measured last. cuda: the version that the driver supports. weaker: why renters' code is not
    kept apart better.
    """

    def __init__(
        self,
        urls: Sequence[str],
        node: Pubkey,
        device: Keypair,
        report: Report,
        endpoints: Sequence[str],
        *,
        relays: Callable[[], list[str]] = list,
        bandwidth: Callable[[], Bandwidth | None] = lambda: None,
        cuda: str | None = None,
        weaker: str | None = None,
    ) -> None:
        self._urls, self._device, self._relays = tuple(dict.fromkeys(urls)), device, relays
        self._bandwidth = bandwidth
        self._says = Advert(
            node=str(node),
            seq=0,
            expires=0,
            endpoints=list(endpoints),
            relays=[],
            certificate=certificate_text(device),
            ray=report.ray,
            cuda=cuda,
            isolation="none" if report.isolation is None else report.isolation.level,
            gpus=[
                Gpu(_line(one.name), None if one.memory_bytes is None else one.memory_bytes // _MIB)
                for one in report.devices[:64]
            ],
            isolation_reason=None if weaker is None else _line(weaker, 200),
            limits=None if report.isolation is None else _limits(report.isolation.limits),
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
                _log.info("advert, later: %s", str(error) or f"{url} does not answer", extra={"action": "advert_later"})
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
        relays = [place for place in self._relays() if _is_place(place)][:2]
        says = msgspec.structs.replace(self._says, relays=relays, bandwidth=self._bandwidth())
        return msgspec.structs.replace(says, seq=self._seq, expires=int(now) + LIFETIME_SECS)


def _limits(given: Limits) -> LeaseLimits:
    return LeaseLimits(given.cpus, given.memory_bytes // _MIB, given.disk_bytes // _MIB, given.processes)


def _is_place(text: str) -> bool:
    """Whether an indexer takes it: a relay named by a host name is found by whoever is told of it otherwise."""
    try:
        return bool(parse_endpoint(text))
    except BadAdvert:
        return False


def _line(text: str, most: int = 64) -> str:
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text[:most]) or "?"
