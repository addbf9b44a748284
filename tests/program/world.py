"""A network with models, wallets that hold tokens, and helpers that bring nodes, clusters and leases to a state."""

from __future__ import annotations

from typing import Any, Self

import msgspec
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, Lease, Network, Node, Renter
from ionet.generated.types import Params
from ionet.program import PROGRAM
from program import calls
from program.calls import IO, MAINNET, USD, ata
from program.chain import TOKEN_PROGRAM, Chain, who
from program.refs import ClusterRef, LeaseRef, NodeRef
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from spl.token.instructions import (
    close_account,
    initialize_account3,
    initialize_mint,
    mint_to,
    set_authority,
    transfer,
)
from spl.token.models import (
    AuthorityType,
    CloseAccountParams,
    InitializeAccount3Params,
    InitializeMintParams,
    MintToParams,
    SetAuthorityParams,
    TransferParams,
)

IO_UNIT = 100_000_000
USD_UNIT = 1_000_000
# Device models of the tests: code -> multiplier × 100. Stake per processor is 200 IO × max(1, multiplier).
H100, T4 = 3, 36
MODELS = {H100: 1_000, T4: 50}
HOUR = 3_600


class World(Chain):
    """A chain with a network on it. Every wallet is named; the fee payer is nobody else."""

    def __init__(self, profile: int = MAINNET) -> None:
        self.authority, self.pauser, self.treasury = who("authority"), who("pauser"), who("treasury")
        self.oracle, self.stranger, self.arbiter = who("oracle"), who("stranger"), who("arbiter")
        super().__init__(self.authority.pubkey())
        for wallet in (self.authority, self.pauser, self.treasury, self.oracle, self.stranger, self.arbiter):
            self.fund(wallet.pubkey())
        self.usdc = self.create_mint(who("usdc mint"), 6, freezer=self.authority)
        self.profile = profile

    @classmethod
    def started(cls, profile: int = MAINNET) -> Self:
        """A network with its vaults and two device models, and a price of $3 per IO."""
        world = cls(profile)
        world.do(calls.init_network(world.authority, world.usdc, world.treasury, profile))
        world.do(calls.init_vaults(world.stranger, IO), calls.init_vaults(world.stranger, USD))
        for code, multiplier in MODELS.items():
            world.do(calls.register_model(world.authority, code, multiplier=multiplier))
        world.post_price(3 * IO_UNIT)
        return world

    @property
    def params(self) -> Params:
        return self.get(Network, calls.NETWORK).params

    # -- tokens

    def create_mint(self, key: Keypair, decimals: int, freezer: Keypair | None = None) -> Pubkey:
        rent = self.svm.minimum_balance_for_rent_exemption(82)
        params = CreateAccountParams(
            from_pubkey=self.payer.pubkey(), to_pubkey=key.pubkey(), lamports=rent, space=82, owner=TOKEN_PROGRAM
        )
        init = InitializeMintParams(
            program_id=TOKEN_PROGRAM,
            mint=key.pubkey(),
            decimals=decimals,
            mint_authority=self.authority.pubkey(),
            freeze_authority=None if freezer is None else freezer.pubkey(),
        )
        self.send([create_account(params), initialize_mint(init)], [self.payer, key])
        return key.pubkey()

    def open_ata(self, owner: Keypair | Pubkey, mint: Pubkey) -> Pubkey:
        self.send([calls.create_ata(self.payer, owner, mint)], [self.payer])
        return ata(owner, mint)

    def token_account(self, name: str, owner: Pubkey, mint: Pubkey) -> Pubkey:
        """A token account that is not the owner's associated one."""
        key = who(f"token account {name}")
        rent = self.svm.minimum_balance_for_rent_exemption(165)
        params = CreateAccountParams(
            from_pubkey=self.payer.pubkey(), to_pubkey=key.pubkey(), lamports=rent, space=165, owner=TOKEN_PROGRAM
        )
        init = InitializeAccount3Params(program_id=TOKEN_PROGRAM, account=key.pubkey(), mint=mint, owner=owner)
        self.send([create_account(params), initialize_account3(init)], [self.payer, key])
        return key.pubkey()

    def give_account(self, owner: Keypair, account: Pubkey, to: Pubkey) -> None:
        """Makes somebody else the owner of a token account."""
        params = SetAuthorityParams(
            program_id=TOKEN_PROGRAM,
            account=account,
            authority=AuthorityType.ACCOUNT_OWNER,
            current_authority=owner.pubkey(),
            new_authority=to,
        )
        self.send([set_authority(params)], [self.payer, owner])

    def close_ata(self, owner: Keypair, mint: Pubkey) -> None:
        """Closes an empty associated token account."""
        params = CloseAccountParams(
            program_id=TOKEN_PROGRAM, account=ata(owner, mint), dest=owner.pubkey(), owner=owner.pubkey()
        )
        self.send([close_account(params)], [self.payer, owner])

    def move(self, source: Keypair, to: Pubkey, mint: Pubkey, amount: int) -> None:
        """Transfers tokens from a wallet's associated account to any token account."""
        params = TransferParams(
            program_id=TOKEN_PROGRAM,
            source=ata(source, mint),
            dest=to,
            owner=source.pubkey(),
            amount=amount,
            signers=[],
        )
        self.send([transfer(params)], [self.payer, source])

    def give_io(self, wallet: Keypair, amount: int) -> None:
        """IO out of the treasury, base units."""
        self.move(self.treasury, self.open_ata(wallet, IO), IO, amount)

    def give_usdc(self, wallet: Keypair, amount: int) -> None:
        """USDC out of its issuer's hand, base units."""
        params = MintToParams(
            program_id=TOKEN_PROGRAM,
            mint=self.usdc,
            dest=self.open_ata(wallet, self.usdc),
            mint_authority=self.authority.pubkey(),
            amount=amount,
            signers=[],
        )
        self.send([mint_to(params)], [self.payer, self.authority])

    def post_price(self, price: int, **more: Any) -> Pubkey:
        """Mantissa of 10^-8 dollars per IO, published now."""
        more.setdefault("publish_time", self.now)
        instruction = calls.post_price(self.oracle, price=price, **more)
        self.send([instruction], [self.payer, self.oracle])
        return instruction.accounts[1].pubkey

    def give_iosd(self, wallet: Keypair, io_amount: int) -> int:
        """Mints IOSD for a wallet out of treasury IO; returns how much."""
        self.give_io(wallet, io_amount)
        self.open_ata(wallet, USD)
        self.post_price(3 * IO_UNIT)
        before = self.tokens(ata(wallet, USD))
        self.do(calls.mint_iosd(wallet, self.oracle, io_amount))
        return self.tokens(ata(wallet, USD)) - before

    # -- actors and states

    def supplier(self, name: str, io: int = 100_000 * IO_UNIT) -> Keypair:
        """A wallet with lamports, IO, and an account for the IOSD it will earn."""
        wallet = who(name)
        self.fund(wallet.pubkey())
        self.give_io(wallet, io)
        self.open_ata(wallet, USD)
        return wallet

    def renter(self, name: str, io: int = 10_000 * IO_UNIT) -> Keypair:
        """A wallet with lamports and the IOSD that this much IO is worth."""
        wallet = who(name)
        self.fund(wallet.pubkey())
        self.give_iosd(wallet, io)
        return wallet

    def node(self, name: str = "a", model: int = H100, processors: int = 8, **changes: Any) -> NodeRef:
        """A registered node without stake. Its terms are the usual ones but for `changes`."""
        node = NodeRef(who(f"supplier {name}"), who(f"device {name}"))
        if not self.exists(node.owner.pubkey()):
            self.supplier(f"supplier {name}")
        self.do(calls.register_node(node, model, processors, calls.terms(node.owner, **changes)))
        return node

    def staked_node(self, name: str = "a", model: int = H100, processors: int = 8, **changes: Any) -> NodeRef:
        """A node with exactly the stake that it must have."""
        node = self.node(name, model, processors, **changes)
        self.do(calls.stake(node, required_stake(model, processors)))
        return node

    def cluster(self, name: str = "a", deposit: int = 20_000 * USD_UNIT) -> ClusterRef:
        renter = who(f"renter {name}")
        if not self.exists(renter.pubkey()):
            self.renter(f"renter {name}")
        account = pdas.renter_account(calls.ID, renter.pubkey())
        number = self.get(Renter, account).next_cluster_id if self.exists(account) else 0
        cluster = ClusterRef(renter, number, who(f"session {name} {number}"))
        self.do(calls.open_cluster(cluster, deposit, self.now + 10 * 365 * 86_400))
        return cluster

    def booked(self, node: NodeRef, cluster: ClusterRef, duration: int = 2 * HOUR) -> LeaseRef:
        found = self.get(Node, node.key)
        lease = LeaseRef(node, cluster, found.next_lease_number)
        self.do(calls.add_lease(lease, found.model, duration, found.price, found.terms_seq))
        return lease

    def ready(self, node: NodeRef, cluster: ClusterRef, duration: int = 2 * HOUR) -> LeaseRef:
        lease = self.booked(node, cluster, duration)
        self.do(calls.mark_ready(lease))
        return lease

    def active(self, node: NodeRef, cluster: ClusterRef, duration: int = 2 * HOUR) -> LeaseRef:
        lease = self.ready(node, cluster, duration)
        self.do(calls.accept_ready(lease))
        return lease

    def running(self, name: str = "a", duration: int = 2 * HOUR) -> LeaseRef:
        """An active lease of a new node in a new cluster."""
        return self.active(self.staked_node(name), self.cluster(name), duration)

    def serve(self, lease: LeaseRef, intervals: int, first: int = 0) -> None:
        """Lives through whole intervals, proving each at its end."""
        for interval in range(first, first + intervals):
            found = self.get(Lease, lease.key)
            start = found.started_at + interval * found.interval_secs
            end = min(start + found.interval_secs, found.ends_at)
            self.warp_to(end)
            self.do(calls.append_proof(lease, interval, end - start))

    def final(self, lease: LeaseRef) -> None:
        """Moves to the moment when nothing about the lease can change any more."""
        found = self.get(Lease, lease.key)
        delay = found.grace_intervals * found.interval_secs + found.dispute_window_secs
        self.warp_to(found.ends_at + delay)

    def forge(self, kind: type[Any], key: Pubkey, **changes: Any) -> None:
        """Overwrites fields of an account: a state that no instruction of this version leads to."""
        account = self.raw(key)
        data = PROGRAM.codec.encode_account(msgspec.structs.replace(self.get(kind, key), **changes))
        self.svm.set_account(key, Account(account.lamports, data, account.owner, False, account.rent_epoch))

    def of(self, lease: LeaseRef) -> Lease:
        return self.get(Lease, lease.key)

    def of_node(self, node: NodeRef) -> Node:
        return self.get(Node, node.key)

    def of_cluster(self, cluster: ClusterRef) -> Cluster:
        return self.get(Cluster, cluster.key)


def required_stake(model: int, processors: int) -> int:
    """IO base units that a node must have bonded."""
    return 200 * IO_UNIT * max(100, MODELS[model]) // 100 * processors
