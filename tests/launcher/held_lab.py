"""A lab with a cluster, as a process that a test kills: held_lab.py PHASE [user].

Says in a line of JSON where everything is once the cluster's network is being made (`joins`) or its meters run
(`runs`), and then only waits. Not a test by itself.
"""

from __future__ import annotations

import asyncio
import json
import sys

import postgres
from launcher.joined import LONG
from ordinary_user import AS_USER
from waiting import until

from launcher import joined


async def main(phase: str, user: str = "") -> None:
    with postgres.server() as server:
        async with joined.lab(server, 0.03, AS_USER if user else (), random_ports=True) as lab:
            assert lab.lab.guard is not None
            lab.lab.guard.removes(server.base)
            cluster = await joined.booked(lab)
            if phase == "runs":
                await cluster.runs()
            else:
                await until(lambda: lab.processes() != {}, "the network is being made", LONG)
            about = {
                "namespaces": lab.lab.a.name.removesuffix("-a"),
                "folders": [str(lab.folder), str(server.base)],
                "bases": [str(node.base) for node in lab.nodes],
                "tags": lab.tags(),
                "networks": list(lab.processes()),
            }
            print(json.dumps(about), flush=True)
            await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
