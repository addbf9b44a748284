"""Members with real Ray on this machine, by the provider `local` itself, without a chain or an agent."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.places import place
from ionet.agent_api import Phase, Role, Spec
from ionet_agent.isolation.base import Level
from ionet_agent.providers.local import LocalProvider
from ionet_launcher.certs import ClusterSecrets
from launcher.ports import free_range

PORTS_PER_NODE = 24


@dataclass
class Member:
    provider: LocalProvider
    spec: Spec
    base: Path
    level: Level = Level.NONE

    @property
    def spool(self) -> Path:
        return self.base / "spool" / self.spec.lease

    def tag(self) -> str:
        return str(json.loads((self.base / "ray.json").read_text())["tag"])

    def reopened(self) -> Member:
        """The same node as a new owner process would see it."""
        ip, first = self.provider.address.split(":")
        ports = range(int(first), int(first) + PORTS_PER_NODE)
        provider = LocalProvider(
            self.base,
            node=f"node{self.base.name}",
            ip=ip,
            ports=ports,
            spool=self.spool.parent,
            place=place(self.base, self.level),
        )
        return Member(provider, self.spec, self.base, self.level)


def members(folder: Path, count: int, secrets: ClusterSecrets | None = None, level: Level = Level.NONE) -> list[Member]:
    secrets = secrets or ClusterSecrets(b"s" * 32, b"c" * 32)
    ports, network = free_range(PORTS_PER_NODE * count), f"127.0.{os.getpid() % 250 + 1}"
    made: list[Member] = []
    for i in range(count):
        ip, base = f"{network}.{i + 1}", folder / str(i)
        own = ports[i * PORTS_PER_NODE : (i + 1) * PORTS_PER_NODE]
        provider = LocalProvider(
            base, node=f"node{i}", ip=ip, ports=own, spool=base / "spool", place=place(base, level)
        )
        certificate, key = secrets.issue(f"node{i}", ip)
        spec = Spec(
            lease=f"lease{i}",
            cluster="cluster",
            role=Role.WORKER if i else Role.HEAD,
            address=made[0].spec.address if i else provider.address,
            processors=2,
            token=secrets.token,
            ca=secrets.ca_pem(),
            certificate=certificate,
            key=key,
        )
        made.append(Member(provider, spec, base, level))
    return made


async def settled(member: Member, within: float = 90) -> Phase:
    deadline = time.monotonic() + within
    while (status := await member.provider.status()).phase is Phase.STARTING:
        assert time.monotonic() < deadline, "still starting"
        await asyncio.sleep(0.1)
    return status.phase


async def driver(member: Member, script: str) -> list[Any]:
    child = await member.provider.run_driver(script.encode())
    output = b""
    async with asyncio.timeout(180):
        while part := await child.read():
            output += part
        assert await child.ended() == 0, output.decode()
    # Ray adds lines of its own, above and below.
    answer = json.loads(
        next(line.removeprefix("answer:") for line in output.decode().splitlines() if line.startswith("answer:"))
    )
    assert isinstance(answer, list)
    return answer


async def stop_all(cluster: list[Member]) -> None:
    running = [(m.provider, spec.lease) for m in cluster if (spec := m.provider.spec) is not None]
    await asyncio.gather(*(provider.stop(lease) for provider, lease in running))
