"""A program whose own Ray is connected to a cluster that it rents for a block, with `async` and without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from e2e.renter import Renter, rented_from

BOTH = """
import asyncio, ionet, os, ray
options = dict(url=URL, keypair=KEYPAIR, api=API, launcher=LAUNCHER)

@ray.remote(num_gpus=1)
def where(number):
    return number * number, os.environ["IONET_LEASE"]

async def computed():
    async with ionet.cluster(gpus=1, model="4090", hours=1, **options) as cluster:
        ray = await cluster.ray()
        return await asyncio.to_thread(ray.get, [where.remote(number) for number in range(3)])

found = asyncio.run(computed())
print([square for square, _ in found], len({lease for _, lease in found}), ray.is_initialized(), flush=True)
with ionet.cluster_sync("4090", **options) as cluster:
    ray = cluster.ray()
    print(ray.get(where.remote(7))[0], flush=True)
print(ray.is_initialized(), "RAY_AUTH_MODE" in os.environ)
"""


def program(renter: Renter) -> str:
    values = {
        "URL": renter.shell.url,
        "KEYPAIR": str(renter.shell.keypair),
        "API": renter.environment["IONET_API"],
        "LAUNCHER": renter.environment["IONET_LAUNCHER"],
    }
    return "\n".join(f"{name} = {value!r}" for name, value in values.items()) + BOTH


@pytest.mark.drill
def test_a_block_has_a_connected_ray_and_settles(temporary: Path) -> None:
    with rented_from(temporary) as renter:
        before = renter.balance()
        done = subprocess.run(
            [sys.executable, "-c", program(renter)],
            cwd=renter.folder,
            env=renter.environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert (done.returncode, done.stdout) == (0, "[0, 1, 4] 1 False\n49\nFalse False\n"), done.stderr
        assert 0 < before - renter.balance() < 2 * 250_625
        assert renter.run("cluster", "list", "--json").stdout.strip() == "[]"
