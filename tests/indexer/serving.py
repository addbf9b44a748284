"""Leases whose time is challenged, proven, disputed and defended, step by step; for the story of conflicts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from ionet import addresses, ed25519
from ionet.generated import pdas
from ionet.generated.enums import ClusterKind, Currency
from ionet.generated.events import ClusterOpened, LeaseBooked, NodeRegistered
from ionet.generated.types import ProofEntry
from ionet.program import PROGRAM
from ionet.rules import challenges, merkle
from ionet.wallet import KeypairSigner
from market import IO, MODEL, PRICE, Machine, Market, key, leaves
from solders.account import Account
from solders.pubkey import Pubkey
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import close_account, create_idempotent_associated_token_account
from spl.token.models import CloseAccountParams

SESSION = key("session")
RESULTS = [b"one result", b"another result"]
ALL_CURRENCIES = Currency.IOSD | Currency.USDC | Currency.IO


@dataclass
class Entry:
    """One link of a lease's proof chain, and the leaves under its root."""

    interval: int
    served_secs: int
    root: bytes
    hashes: list[bytes]
    head_before: bytes
    head: bytes

    @property
    def gpu_ms(self) -> int:
        return self.served_secs * 1000


@dataclass
class Service:
    """Nodes at work for one renter whose driver holds the session key."""

    market: Market
    usdc: Pubkey
    machines: dict[Pubkey, Machine] = field(default_factory=dict)  # by lease
    clusters: dict[Pubkey, Pubkey] = field(default_factory=dict)
    mints: dict[Pubkey, Pubkey] = field(default_factory=dict)  # by cluster
    payouts: dict[Pubkey, Pubkey] = field(default_factory=dict)
    chains: dict[Pubkey, list[Entry]] = field(default_factory=dict)

    async def start(self, cluster: Pubkey, name: str, intervals: int, *, payout: Pubkey | None = None) -> Pubkey:
        """Book a machine of its own for some intervals and start the meter."""
        market = self.market
        machine = await self._machine(name, payout or market.admin.address)
        node = await market.admin.node.get(machine.address)
        interval = (await market.admin.network.get()).params.interval_secs
        lease = addresses.lease(PROGRAM.id, machine.address, node.next_lease_number)
        booking = PROGRAM.ix.add_lease(
            renter=market.renter.address,
            cluster=cluster,
            node=machine.address,
            lease=lease,
            model=pdas.model(PROGRAM.id, MODEL),
            price_update=await post_price(market, 2 * 10**8),
            duration=intervals * interval,
            max_price=PRICE,
            terms_seq=node.terms_seq,
        )
        receipt = await market.renter.send([booking])
        assert receipt.event(LeaseBooked).lease == lease
        await market.start(lease, machine)
        self.machines[lease], self.clusters[lease], self.chains[lease] = machine, cluster, []
        self.payouts[lease] = payout or market.admin.address
        return lease

    async def _machine(self, name: str, payout: Pubkey) -> Machine:
        """A node that takes every currency."""
        market, device = self.market, key(f"device {name}")
        terms = msgspec.structs.replace(market.terms(), currencies=ALL_CURRENCIES, payout=payout)
        plan = market.admin.node.register(KeypairSigner(device), model_code=MODEL, processors=2, terms=terms)
        machine = Machine(device, (await plan).event(NodeRegistered).node)
        await market.admin.stake.add(machine.address, await market.admin.node.required_stake(MODEL, 2) + IO)
        return machine

    async def serve(self, lease: Pubkey, intervals: Iterable[int], *, challenged: bool = True) -> None:
        """Prove intervals, each at its end, with the challenge as leaf 0."""
        market, machine = self.market, self.machines[lease]
        account = await market.admin.lease.get(lease)
        chain = self.chains[lease]
        for interval in intervals:
            market.pass_time(
                max(0, account.started_at + (interval + 1) * account.interval_secs - market.net.chain.unix_time)
            )
            numbered = enumerate(leaves_of(lease, interval, challenged=challenged))
            hashes = [merkle.leaf(bytes(lease), interval, index, task, result) for index, (task, result) in numbered]
            head = chain[-1].head if chain else bytes(32)
            entry = Entry(interval, account.interval_secs, merkle.root(hashes), hashes, head, b"")
            await market.admin.lease.append_proof(
                lease,
                KeypairSigner(machine.device),
                node=machine.address,
                interval=interval,
                served_secs=entry.served_secs,
                root=entry.root,
                gpu_ms=entry.gpu_ms,
            )
            entry.head = (await market.admin.lease.get(lease)).proof_head
            chain.append(entry)

    async def approve(self, lease: Pubkey, through: int) -> None:
        head = (await self.market.admin.lease.get(lease)).proof_head
        interval = (await self.market.admin.lease.get(lease)).interval_secs
        self.market.pass_time(interval)  # the grace of the interval before
        await self._act("approve_lease", lease, through, head)

    async def _act(self, name: str, lease: Pubkey, *values: Any) -> None:
        """An instruction of the session key."""
        names = [item.name for item in PROGRAM.codec.instruction(name).args]
        accounts = {"authority": SESSION.pubkey(), "cluster": self.clusters[lease], "lease": lease}
        instruction = PROGRAM.builder.build(name, accounts, dict(zip(names, values, strict=True)))
        await self.market.renter.send([instruction], signers=[KeypairSigner(SESSION)])

    async def walk(self, lease: Pubkey, *intervals: int) -> None:
        """Walk the proof chain back over these intervals, the latest first."""
        entries = [entry for entry in self.chains[lease] if entry.interval in intervals]
        await self._defend(lease, entries, opened=False)

    async def defend(self, lease: Pubkey, interval: int) -> None:
        """Open the challenge of the interval that the walk has reached."""
        await self._defend(lease, [entry for entry in self.chains[lease] if entry.interval == interval], opened=True)

    async def _defend(self, lease: Pubkey, entries: list[Entry], *, opened: bool) -> None:
        first = entries[0]
        defence = PROGRAM.ix.defend_lease(
            defender=self.market.admin.address,
            cluster=self.clusters[lease],
            node=self.machines[lease].address,
            lease=lease,
            prev_head=first.head_before,
            open=opened,
            entries=tuple(
                ProofEntry(interval=e.interval, served_secs=e.served_secs, gpu_ms=e.gpu_ms, root=e.root)
                for e in entries
            ),
            path=tuple(merkle.path(first.hashes, 0)) if opened else (),
        )
        message = challenges.challenge_message(lease, first.interval)
        signature = challenges.sign_challenge(SESSION, lease, first.interval)
        evidence = [ed25519.verify_instruction(SESSION.pubkey(), message, signature)] if opened else []
        await self.market.admin.send([*evidence, defence])

    async def open_owed(self, owner: Pubkey) -> Pubkey:
        """An account for USDC that waits for its owner."""
        instruction = PROGRAM.ix.open_owed(payer=self.market.stranger.address, mint=self.usdc, owner=owner)
        await self.market.stranger.send([instruction])
        return PROGRAM.builder.accounts("open_owed", instruction)["owed"]

    async def lose_account(self, mint: Pubkey) -> None:
        """The renter closes their empty token account."""
        renter = self.market.renter.address
        params = CloseAccountParams(
            account=addresses.token_account(renter, mint), dest=renter, owner=renter, program_id=TOKEN_PROGRAM_ID
        )
        await self.market.renter.send([close_account(params)])

    def freeze(self, account: Pubkey) -> tuple[Pubkey, Account]:
        """As its issuer could leave a token account; returns what to set to thaw it."""
        chain = self.market.net.chain
        found = chain.get_account(account)
        assert found is not None
        data = found.data[:108] + b"\x02" + found.data[109:]
        chain.set_account(account, Account(found.lamports, data, found.owner, False, found.rent_epoch))
        return account, found

    async def close(
        self, cluster: Pubkey, mint: Pubkey, owed: Pubkey | None = None, fees_owed: Pubkey | None = None
    ) -> None:
        """The renter closes a cluster."""
        renter = self.market.renter.address
        instruction = PROGRAM.ix.close_cluster(
            renter=renter,
            renter_account=pdas.renter_account(PROGRAM.id, renter),
            cluster=cluster,
            refund_to=addresses.token_account(renter, mint),
            fee_vault=pdas.fee_vault(PROGRAM.id, mint),
            burn_vault=pdas.burn_vault(PROGRAM.id, mint),
            owed=owed,
            fees_owed=fees_owed,
        )
        await self.market.renter.send([PROGRAM.builder.also_signs("close_cluster", instruction, "renter")])


async def open_cluster(service: Service, mint: Pubkey, deposit: int) -> Pubkey:
    """A cluster paid in one of the three currencies."""
    market, renter = service.market, service.market.renter.address
    opening = PROGRAM.ix.open_cluster(
        renter=renter,
        mint=mint,
        from_account=addresses.token_account(renter, mint),
        id=await market.renter.cluster.next_id(),
        kind=ClusterKind.RAY,
        deposit=deposit,
        session_key=SESSION.pubkey(),
        session_expires_at=market.net.chain.unix_time + 100_000,
        config_hash=bytes(32),
    )
    receipt = await market.renter.send([opening])
    cluster = receipt.event(ClusterOpened).cluster
    service.mints[cluster] = mint
    return cluster


async def dispute(service: Service, lease: Pubkey, first: int, end: int) -> None:
    """Hold the payment of the intervals first … end - 1."""
    await service._act("dispute_lease", lease, first, end)


async def settle(service: Service, lease: Pubkey, owed: Pubkey | None = None) -> None:
    """Anyone pushes what is due; without an owed account the supplier gets a token account."""
    cluster, stranger = service.clusters[lease], service.market.stranger
    payout, mint = service.payouts[lease], service.mints[cluster]
    settling = PROGRAM.ix.settle_lease(
        node=service.machines[lease].address,
        cluster=cluster,
        lease=lease,
        payout_account=addresses.token_account(payout, mint),
        owed=owed,
    )
    make = [] if owed else [create_idempotent_associated_token_account(stranger.address, payout, mint)]
    await stranger.send([*make, settling])


async def leave(service: Service, lease: Pubkey) -> None:
    """The supplier leaves, because no challenge came."""
    owner, node, cluster = service.market.admin, service.machines[lease].address, service.clusters[lease]
    await owner.send([PROGRAM.ix.leave_lease(supplier=owner.address, node=node, cluster=cluster, lease=lease)])


async def post_price(market: Market, price: int, *, conf: int = 0) -> Pubkey:
    """A price of now, in 10^-8 dollars; returns its account."""
    feed = (await market.admin.network.get()).feed_id
    await market.admin.oracle.post(feed, price, conf=conf, publish_time=market.net.chain.unix_time)
    return market.admin.oracle.account(feed)


def results_of(interval: int) -> list[bytes]:
    """What the node computed in an interval."""
    return [result + bytes([interval]) for result in RESULTS]


def leaves_of(lease: Pubkey, interval: int, *, challenged: bool = True) -> list[tuple[bytes, bytes]]:
    """(task id, result hash) of each leaf of an interval; the first is the answered challenge."""
    answered = (challenges.TASK_ID, challenges.challenge_answer(SESSION, lease, interval))
    return [*([answered] if challenged else []), *leaves(results_of(interval))]
