"""A network with an indexer as a process, and nodes that can be rented."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from ionet import advert
from ionet.advert import Advert, Gpu
from ionet.leaves import LeavesRefused, UploadTooEarly, send_upload, sign_upload
from ionet.wallet import write_keypair
from launcher.stack import Command
from market import Machine, Market, key, leaves, market
from solders.pubkey import Pubkey


@dataclass
class Offering:
    """api: of the indexer. folder: with `renter.json`."""

    market: Market
    api: str
    folder: Path

    async def advertise(self, machine: Machine) -> None:
        """Say of a node that it is there, as its agent does every minute."""
        now = time.time()
        said = Advert(
            node=str(machine.address),
            seq=int(now * 1000),
            expires=int(now) + 180,
            endpoints=["127.0.0.1:7444"],
            relays=[],
            certificate=advert.certificate_text(machine.device),
            ray="2.60.0",
            cuda="12.4",
            isolation="bubblewrap",
            gpus=[Gpu("NVIDIA B200", 183_359)],
        )
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
            await advert.send(http, self.api, machine.device, said)

    async def shown(self, path: str, **wanted: object) -> Any:
        """The item at a path of the API, once it says this."""
        async with asyncio.timeout(60), httpx2.AsyncClient(base_url=self.api, trust_env=False, timeout=60) as http:
            while True:
                answer = await http.get(path)
                item = answer.json().get("item", {})
                if answer.status_code == 200 and all(item.get(name) == value for name, value in wanted.items()):
                    return item
                await asyncio.sleep(0.1)

    async def rentable(self, *machines: Machine) -> None:
        for machine in machines:
            await self.shown(f"/v1/nodes/{machine.address}", hireable=True)
            await self.advertise(machine)
        for machine in machines:
            await self.shown(f"/v1/nodes/{machine.address}", rentable=True)

    async def serve_interval(self, lease: Pubkey, machine: Machine, result: bytes) -> None:
        """The node runs for the first interval, proves it and tells the indexer its leaves."""
        await self.market.start(lease, machine)
        self.market.pass_time(3)
        root = await self.market.prove(lease, machine, 0, 3, [result])
        await self.shown(f"/v1/leases/{lease}", status="active")
        async with asyncio.timeout(60), httpx2.AsyncClient(trust_env=False, timeout=60) as http:
            while True:
                try:
                    await send_upload(http, self.api, sign_upload(machine.device, lease, 0, root, leaves([result])))
                    return
                except (UploadTooEarly, LeavesRefused):
                    await asyncio.sleep(0.1)


@contextmanager
def place_for_postgres() -> Iterator[Path]:
    """A folder that others may pass through: as root the database runs as `nobody`."""
    made = Path(tempfile.mkdtemp(prefix="ionet-mcp-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@asynccontextmanager
async def founded(folder: Path) -> AsyncIterator[Offering]:
    async with market(clock_factor=0.001) as built:
        write_keypair(folder / "renter.json", key("renter"))
        data = ("--data", str(folder / "postgres"), "--port", "0", "--poll", "0.2", "--json")
        indexer = Command(folder / "indexer.log", "--url", built.net.rpc_url, "indexer", "run", *data)
        indexer.start()
        try:
            await indexer.ready()
            yield Offering(built, str(indexer.about["api"]), folder)
        finally:
            await indexer.end(signal.SIGTERM)
