"""A market on a local chain, driven through the client: what the indexer's tests and benchmarks read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from ionet import addresses
from ionet.client import Client
from ionet.generated import pdas
from ionet.generated.enums import Currency
from ionet.generated.events import ClusterOpened, LeaseBooked, NodeRegistered
from ionet.generated.types import NodeTerms
from ionet.program import PROGRAM
from ionet.rules import merkle
from ionet.wallet import KeypairSigner
from ionet_localnet import Genesis, Localnet, LocalnetConfig
from ionet_localnet.chain import LocalChain
from ionet_localnet.genesis import LAMPORTS_PER_SOL, wallet
from ionet_localnet.timeline import FINALIZED_LAG
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import create_idempotent_associated_token_account, mint_to, transfer
from spl.token.models import MintToParams, TransferParams

IO = 100_000_000  # base units
USD = 1_000_000  # micro-dollars
MODEL = 1  # any model of the shipped list
PRICE = 2 * USD


def key(name: str) -> Keypair:
    """A keypair that is the same in every run."""
    return Keypair.from_seed(sha256(name.encode()).digest())


@dataclass
class Machine:
    """A registered node and its device key."""

    device: Keypair
    address: Pubkey


@dataclass
class Market:
    """A network, its treasury, one supplier (who is also the authority), one renter and somebody else."""

    net: Localnet
    treasury: Client
    admin: Client
    renter: Client
    stranger: Client
    machines: list[Machine] = field(default_factory=list)

    def pass_time(self, seconds: int) -> None:
        """Let chain time go by at once."""
        self.net.chain.advance(seconds)
        self.net.node.clock.set(self.net.chain.unix_time)

    def finalize(self) -> None:
        """Make everything sent so far final, at once."""
        self.net.chain.begin_blocks(FINALIZED_LAG + 2)

    async def found(self) -> None:
        """Create the network and mint the renter some IOSD."""
        await self.admin.network.bootstrap(genesis_owner=self.treasury.address)
        for client in (self.admin, self.renter):
            await self.give_io(client.address, 2_000_000 * IO)
        await self.mint_iosd(self.renter, 500_000 * IO)

    async def mint_iosd(self, client: Client, amount: int) -> None:
        """Burn IO for IOSD at a fresh price of $2."""
        network = await self.admin.network.get()
        await self.admin.oracle.post(network.feed_id, 2 * 10**8, publish_time=self.net.chain.unix_time)
        await client.iosd.mint(amount)

    async def give_io(self, owner: Pubkey, amount: int) -> None:
        """IO from the treasury."""
        mint = pdas.io_mint(PROGRAM.id)
        setup = create_idempotent_associated_token_account(self.treasury.address, owner, mint)
        move = transfer(
            TransferParams(
                program_id=TOKEN_PROGRAM_ID,
                source=addresses.token_account(self.treasury.address, mint),
                dest=addresses.token_account(owner, mint),
                owner=self.treasury.address,
                amount=amount,
            )
        )
        await self.treasury.send([setup, move])

    async def mint_usdc(self, amount: int = 50 * USD) -> Pubkey:
        """Exactly this much USDC for the renter, and an account for the supplier; returns the mint."""
        mint = (await self.admin.network.get()).usdc_mint
        owners = (self.admin.address, self.renter.address)
        accounts = [create_idempotent_associated_token_account(self.admin.address, owner, mint) for owner in owners]
        params = MintToParams(
            program_id=TOKEN_PROGRAM_ID,
            mint=mint,
            dest=addresses.token_account(self.renter.address, mint),
            mint_authority=self.admin.address,
            amount=amount,
        )
        await self.admin.send([*accounts, mint_to(params)])
        return mint

    def terms(self, price: int = PRICE) -> NodeTerms:
        return NodeTerms(
            price=price,
            min_coverage_bps=0,
            min_duration=6,
            max_duration=3600,
            payout=self.admin.address,
            fee_payer=self.admin.address,
            country=276,
            currencies=Currency.IOSD,
            region=0,
        )

    async def add_machine(self, name: str, *, price: int = PRICE, processors: int = 2) -> Machine:
        """Register a node and stake what it needs."""
        device = key(f"device {name}")
        plan = self.admin.node.register(
            KeypairSigner(device), model_code=MODEL, processors=processors, terms=self.terms(price)
        )
        machine = Machine(device, (await plan).event(NodeRegistered).node)
        required = await self.admin.node.required_stake(MODEL, processors)
        await self.admin.stake.add(machine.address, required + IO)
        self.machines.append(machine)
        return machine

    async def open_cluster(self, deposit: int = 1_000 * USD) -> Pubkey:
        return (await self.renter.cluster.open(deposit)).event(ClusterOpened).cluster

    async def book(self, cluster: Pubkey, *machines: Machine, duration: int = 30) -> list[Pubkey]:
        """Book nodes; returns the leases."""
        plan = self.renter.cluster.add_lease(cluster, *(item.address for item in machines), duration=duration)
        receipt = await plan
        return [record.event.lease for record in receipt.events if isinstance(record.event, LeaseBooked)]

    async def start(self, lease: Pubkey, machine: Machine) -> None:
        """Both sides say that the node runs."""
        await self.admin.lease.mark_ready(lease, KeypairSigner(machine.device), sha256(b"report").digest())
        await self.renter.lease.accept_ready(lease)

    async def prove(self, lease: Pubkey, machine: Machine, interval: int, served: int, results: list[bytes]) -> bytes:
        """Append a proof over the results; returns the root."""
        root = merkle.root(leaf_hashes(lease, interval, results))
        await self.admin.lease.append_proof(
            lease,
            KeypairSigner(machine.device),
            node=machine.address,
            interval=interval,
            served_secs=served,
            root=root,
            gpu_ms=served * 1000,
        )
        return root


def leaves(results: list[bytes]) -> list[tuple[bytes, bytes]]:
    """(task id, result hash) of each result."""
    return [(sha256(b"task" + result).digest(), merkle.result_hash(result)) for result in results]


def leaf_hashes(lease: Pubkey, interval: int, results: list[bytes]) -> list[bytes]:
    pairs = enumerate(leaves(results))
    return [merkle.leaf(bytes(lease), interval, index, task, result) for index, (task, result) in pairs]


@asynccontextmanager
async def market(
    *,
    slot_ms: int = 20,
    clock_factor: float = 1.0,
    ledger: Path | None = None,
    deploy: Callable[[LocalChain], None] | None = None,
) -> AsyncIterator[Market]:
    """A founded market on a chain of its own; `clock_factor` seconds of the chain's time pass in one second.

    deploy: puts the program there, where the chain is not to start with the committed one.
    """
    treasury, admin, renter, stranger = keys = [key(name) for name in ("treasury", "admin", "renter", "stranger")]
    wallets = {each.pubkey(): wallet(10_000 * LAMPORTS_PER_SOL) for each in keys}
    artifacts = files("ionet") / "artifacts"
    genesis = Genesis(
        programs={
            addresses.PYTH_RECEIVER: (artifacts / "price_poster.so").read_bytes(),
            **({} if deploy else {PROGRAM.id: (artifacts / "ionet.so").read_bytes()}),
        },
        accounts=wallets,
        upgrade_authority=admin.pubkey(),
    )
    config = LocalnetConfig(slot_ms=slot_ms, clock_factor=clock_factor, cheats=True, genesis=genesis, ledger=ledger)
    async with (
        Localnet(config) as net,
        Client(net.rpc_url, treasury) as treasury_client,
        Client(net.rpc_url, admin) as admin_client,
        Client(net.rpc_url, renter) as renter_client,
        Client(net.rpc_url, stranger) as stranger_client,
    ):
        if deploy:
            deploy(net.chain)
        built = Market(net, treasury_client, admin_client, renter_client, stranger_client)
        await built.found()
        yield built
