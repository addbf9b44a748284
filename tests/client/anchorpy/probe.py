"""Runs inside anchorpy's own environment, which has none of our packages. Reads a JSON task, prints a JSON answer.

use:    fetches accounts, sends `pause_node` and reads its event, all through anchorpy and the legacy IDL.
decode: decodes given accounts and events as often as asked and says how many per second.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")

import based58  # noqa: E402
from anchorpy import Context, Idl, Program, Provider, Wallet  # noqa: E402
from anchorpy.coder.accounts import AccountsCoder  # noqa: E402
from anchorpy.coder.event import EventCoder  # noqa: E402
from solana.rpc.async_api import AsyncClient  # noqa: E402
from solana.rpc.commitment import Confirmed  # noqa: E402
from solders.keypair import Keypair  # noqa: E402
from solders.pubkey import Pubkey  # noqa: E402

EVENT_TAG = bytes.fromhex("e445a52e51cb9a1d")


async def use(task: dict[str, Any], idl: Idl) -> dict[str, Any]:
    owner = Keypair.from_bytes(bytes(task["owner"]))
    program_id, node = Pubkey.from_string(task["program"]), Pubkey.from_string(task["node"])
    client = AsyncClient(task["url"], Confirmed)
    program = Program(idl, program_id, Provider(client, Wallet(owner)))
    found = await program.account["Node"].fetch(node)
    network = await program.account["Network"].fetch(Pubkey.from_string(task["network"]))
    authority = Pubkey.find_program_address([b"__event_authority"], program_id)[0]
    accounts = {"owner": owner.pubkey(), "node": node, "event_authority": authority, "program": program_id}
    signature = await program.rpc["pause_node"](True, ctx=Context(accounts=accounts, signers=[owner]))
    await client.confirm_transaction(signature, Confirmed, sleep_seconds=0.1)
    events = await events_of(program, client, signature)
    after = await program.account["Node"].fetch(node)
    await client.close()
    return {
        "owner": str(found.owner),
        "price": found.price,
        "processors": found.processors,
        "bonded": found.bonded.amount,
        "interval_secs": network.params.interval_secs,
        "feed_id": bytes(network.feed_id).hex(),
        "flags": [found.flags, after.flags],
        "signature": str(signature),
        "events": events,
    }


async def events_of(program: Program, client: AsyncClient, signature: Any) -> list[dict[str, Any]]:
    """anchorpy reads events from logs only; from the inner instruction its event coder takes them too."""
    answer: Any = await client.get_transaction(signature, "base64", Confirmed, 0)
    transaction = answer.value.transaction
    keys = transaction.transaction.message.account_keys
    found = []
    for group in transaction.meta.inner_instructions or []:
        for call in group.instructions:
            data = based58.b58decode(call.data.encode())
            if keys[call.program_id_index] == program.program_id and data.startswith(EVENT_TAG):
                event = program.coder.events.parse(data[8:])
                fields = {name: getattr(event.data, name) for name in ("before", "after", "seq")}
                found.append({"name": event.name, "node": str(event.data.node), **fields})
    return found


def decode(task: dict[str, Any], idl: Idl) -> dict[str, float]:
    """Decodes per second of anchorpy's coders."""
    coders = {"accounts": AccountsCoder(idl).parse, "events": EventCoder(idl).parse}
    rates = {}
    for kind, parse in coders.items():
        items = [base64.b64decode(item) for item in task[kind]]
        start = time.process_time()
        for _ in range(task["rounds"]):
            for item in items:
                parse(item)
        rates[kind] = len(items) * task["rounds"] / (time.process_time() - start)
    return rates


def main() -> None:
    task = json.load(sys.stdin)
    idl = Idl.from_json(Path(task["idl"]).read_text())
    print(json.dumps(asyncio.run(use(task, idl)) if task["do"] == "use" else decode(task, idl)))


if __name__ == "__main__":
    main()
