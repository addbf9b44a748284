"""A busy market's history, thousands of transactions: leases of twenty intervals, proven, settled, closed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
from ionet.program import PROGRAM
from ionet.wallet import compile_message
from ionet_indexer.source.base import Heads
from ionet_indexer.source.rpc import RpcSource
from market import MODEL, PRICE, USD, Market, key, market
from program import calls
from program.chain import Call
from program.refs import ClusterRef, LeaseRef, NodeRef
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

NODES, INTERVALS, INTERVAL_SECS = 8, 20, 3
# Of the local profile: a grace of one interval, then the dispute window of six seconds.
UNTIL_FINAL_SECS = 12


@dataclass(frozen=True)
class History:
    """Transactions as `getTransaction` returns them, JSON, in order."""

    raw: list[bytes]
    heads: Heads


class Player:
    """Plays rounds on a market's chain without waiting for anything: the chain is in this process."""

    def __init__(self, played: Market, nodes: list[NodeRef]) -> None:
        self._market, self._nodes = played, nodes

    def round(self, number: int) -> None:
        """One cluster of eight nodes from its opening to its closing. About 210 transactions."""
        now = self._market.net.chain.unix_time
        cluster = ClusterRef(key("renter"), number, key("session"))
        leases = [LeaseRef(node, cluster, number) for node in self._nodes]
        self._send(calls.open_cluster(cluster, 10 * USD, now + 3_600))
        for lease in leases:
            self._send(calls.add_lease(lease, MODEL, INTERVALS * INTERVAL_SECS, PRICE))
            self._send(calls.mark_ready(lease))
            self._send(calls.accept_ready(lease))
        for interval in range(INTERVALS):
            self._market.pass_time(INTERVAL_SECS)
            for lease in leases:
                root = sha256(bytes(lease.key) + bytes([interval])).digest()
                self._send(calls.append_proof(lease, interval, INTERVAL_SECS, root=root, gpu_ms=3_000))
            if interval == INTERVALS // 2:
                self._settle(leases)
        self._market.pass_time(UNTIL_FINAL_SECS)
        self._settle(leases)
        for lease in leases:
            self._send(calls.close_lease(lease))
        self._send(calls.close_cluster(cluster))

    def _settle(self, leases: list[LeaseRef]) -> None:
        for lease in leases:
            self._send(calls.settle_lease(lease))

    def _send(self, call: Call) -> None:
        signers = call.signers or (key("stranger"),)
        self.submit([call.instruction], signers)

    def submit(self, instructions: list[Instruction], signers: tuple[Keypair, ...]) -> None:
        """One transaction, paid by its first signer. Raises AssertionError when it fails."""
        chain = self._market.net.chain
        message = compile_message(signers[0].pubkey(), instructions, chain.latest_blockhash())
        landed = chain.submit(VersionedTransaction(message, list(signers)))
        assert landed.error is None, landed.meta.logs()


async def record(rounds: int, ledger: Path | None = None) -> History:
    """Play `rounds` rounds and take everything down over RPC. ledger: where the chain keeps its journal."""
    async with market(ledger=ledger) as played:
        machines = [await played.add_machine(f"bench {number}") for number in range(NODES)]
        for machine in machines:
            await played.admin.rpc.airdrop(machine.device.pubkey(), 10**10)
        await played.renter.rpc.airdrop(key("session").pubkey(), 10**10)
        player = Player(played, [NodeRef(key("admin"), machine.device) for machine in machines])
        admin = key("admin")
        player.submit([calls.create_ata(admin, admin, calls.USD)], (admin,))
        for number in range(rounds):
            player.round(number)
            await asyncio.sleep(0)
        played.finalize()
        source = RpcSource(played.net.rpc_url, str(PROGRAM.id))
        try:
            heads = await source.heads()
            found = await source.transactions(await source.seen(-1, heads))
        finally:
            await source.close()
    return History([msgspec.json.encode(item) for item in found], heads)
