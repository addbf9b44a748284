"""The npm clients @solana/web3.js 1.x and @solana/kit against the local chain, run by a real Node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from ionet_localnet import Localnet
from npm import check_lock_file, install, node
from solders.signature import Signature

pytestmark = pytest.mark.matrix

SOURCES = Path(__file__).resolve().parent / "npm"
SCRIPTS = ("web3.mjs", "kit.mjs")
RUN_TIMEOUT_S = 60


@pytest_asyncio.fixture
async def project() -> Path:
    return await install(SOURCES, SCRIPTS)


async def script(net: Localnet, project: Path, name: str) -> dict[str, Any]:
    output = await node(name, net.rpc_url, net.ws_url, cwd=project, limit_s=RUN_TIMEOUT_S)
    return json.loads(output.splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", SCRIPTS)
async def test_npm_client(net: Localnet, project: Path, name: str) -> None:
    told = await script(net, project, name)
    assert len(told["signatures"]) >= 2
    for signature in told["signatures"]:
        record = net.chain.history.get(Signature.from_string(signature))
        assert record is not None
        assert record.error is None


def test_lock_file_names_no_registry() -> None:
    check_lock_file(SOURCES)
