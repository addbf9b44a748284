"""A TypeScript client for Kit that Codama generates from the committed IDL: compiled strictly, run on a local chain."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from client.sdk.parties import party
from client.sdk.patient import patient_chain, running
from ionet.generated.enums import NodeFlag
from ionet.generated.errors import NotNodeOwner
from npm import check_lock_file, install, node
from solders.signature import Signature

SOURCES = Path(__file__).resolve().parent
IDL = Path(__file__).resolve().parents[3] / "client/ionet/artifacts/ionet.json"
STEP_TIMEOUT_S = 60
FILES = ("generate.mjs", "life.ts", "tsconfig.json")


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def in_camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {camel(name): in_camel(item) for name, item in value.items()}
    return [in_camel(item) for item in value] if isinstance(value, list) else value


def only(names: Any, value: Any) -> Any:
    """What Codama read without padding and discriminators, which the SDK does not show."""
    if isinstance(value, dict):
        return {name: only(names[name], item) for name, item in value.items() if name in names}
    return [only(*pair) for pair in zip(names, value, strict=True)] if isinstance(value, list) else value


async def compiled(work: Path) -> Path:
    """A folder with the client that Codama generates, and `life.ts`, which uses it, compiled together."""
    for name in FILES:
        shutil.copy(SOURCES / name, work / name)
    (work / "node_modules").symlink_to(await install(SOURCES) / "node_modules")
    await node("generate.mjs", str(IDL), "generated", cwd=work, limit_s=STEP_TIMEOUT_S)
    await node("node_modules/typescript/bin/tsc", "--project", ".", cwd=work, limit_s=STEP_TIMEOUT_S)
    return work


async def test_generated_client_reads_sends_and_names_errors(tmp_path: Path) -> None:
    """Accounts are what the SDK reads, an instruction lands, a refusal has the program's own sentence."""
    work = await compiled(tmp_path)
    async with patient_chain() as chain:
        assert chain.net is not None
        here, stranger, client = await running(chain), await party(chain, 1), chain.client()
        expected = {
            "network": await client.network.get(),
            "node": await client.node.get(here.machine.node),
            "lease": await client.lease.get(here.lease),
            "cluster": await client.cluster.get(here.cluster),
        }
        given = {
            "node": str(here.machine.node),
            "lease": str(here.lease),
            "cluster": str(here.cluster),
            "owner": list(bytes(here.supplier.keypair)),
            "stranger": list(bytes(stranger.keypair)),
        }
        arguments = ("built/life.js", chain.net.rpc_url, chain.net.ws_url)
        told = json.loads(await node(*arguments, cwd=work, limit_s=STEP_TIMEOUT_S, stdin=json.dumps(given)))
        assert told["network"] == str(client.network.address)
        for name, account in expected.items():
            shown = in_camel(client.program.codec.show(account))
            assert len(shown) > 10
            assert only(shown, told["accounts"][name]) == shown, name
        landed = await client.rpc.transaction(Signature.from_string(told["signature"]))
        assert landed is not None
        assert (await client.node.get(here.machine.node)).flags & NodeFlag.PAUSED
        assert told["refusal"] == NotNodeOwner.message()


def test_lock_file_names_no_registry() -> None:
    check_lock_file(SOURCES)
