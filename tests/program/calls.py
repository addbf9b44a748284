"""The program's instructions on the tests' own handles: who signs, and accounts by their usual addresses. Pure."""

from __future__ import annotations

from typing import Any

from ionet import addresses
from ionet.api.oracle import EXPONENT, poster
from ionet.generated import pdas
from ionet.generated.enums import Currency, Profile
from ionet.generated.types import NodeTerms, Pool
from ionet.program import PROGRAM
from program.chain import Call, who
from program.refs import ClusterRef, LeaseRef, NodeRef
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.instructions import create_idempotent_associated_token_account

ID = PROGRAM.id
NETWORK, IOSD = pdas.network(ID), pdas.iosd(ID)
IO, USD = pdas.io_mint(ID), pdas.iosd_mint(ID)
FEED = bytes(range(1, 33))
NOBODY = Pubkey.default()
MAINNET, LOCAL = Profile
EVERY_CURRENCY = Currency.IOSD | Currency.USDC | Currency.IO
EMPTY_POOL = Pool(amount=0, era=0, shares=0)


def ata(owner: Keypair | Pubkey, mint: Pubkey) -> Pubkey:
    return addresses.token_account(owner if isinstance(owner, Pubkey) else owner.pubkey(), mint)


def terms(owner: Keypair, **changes: Any) -> NodeTerms:
    """An offer of $2 per processor-hour, ten minutes to thirty days, paid to the owner."""
    values: dict[str, Any] = {
        "price": 2_000_000,
        "min_coverage_bps": 0,
        "min_duration": 600,
        "max_duration": 30 * 86_400,
        "payout": owner.pubkey(),
        "fee_payer": owner.pubkey(),
        "country": 276,
        "currencies": 1,
        "region": 1,
    }
    return NodeTerms(**{**values, **changes})


def create_ata(payer: Keypair, owner: Keypair | Pubkey, mint: Pubkey) -> Instruction:
    """Creates a wallet's associated token account where it is missing."""
    wallet = owner if isinstance(owner, Pubkey) else owner.pubkey()
    return create_idempotent_associated_token_account(payer.pubkey(), wallet, mint)


# -- admin


def init_network(
    authority: Keypair, usdc_mint: Pubkey, genesis_owner: Keypair, profile: int = MAINNET, feed_id: bytes = FEED
) -> Call:
    instruction = PROGRAM.ix.init_network(
        authority=authority.pubkey(),
        usdc_mint=usdc_mint,
        genesis_owner=genesis_owner.pubkey(),
        profile=profile,
        pauser=who("pauser").pubkey(),
        arbiter=who("arbiter").pubkey(),
        feed_id=feed_id,
    )
    return Call("init_network", instruction, (authority,))


def init_vaults(payer: Keypair, mint: Pubkey) -> Call:
    return Call("init_vaults", PROGRAM.ix.init_vaults(payer=payer.pubkey(), mint=mint), (payer,))


def register_model(authority: Keypair, code: int, **changes: Any) -> Call:
    values: dict[str, Any] = {"name": b"model".ljust(32, b"\0"), "kind": 0, "pool": 0, "multiplier": 100}
    values = {**values, "throughput": 0, "reference_price": 0, **changes}
    return Call(
        "register_model", PROGRAM.ix.register_model(authority=authority.pubkey(), code=code, **values), (authority,)
    )


def set_pause(pauser: Keypair, bits: int) -> Call:
    return Call("set_pause", PROGRAM.ix.set_pause(pauser=pauser.pubkey(), bits=bits), (pauser,))


def post_price(
    authority: Keypair,
    publish_time: int,
    price: int,
    *,
    conf: int = 0,
    ema_price: int | None = None,
    ema_conf: int | None = None,
    exponent: int = EXPONENT,
    feed_id: bytes = FEED,
    partial_signatures: int = 0,
) -> Instruction:
    args = {
        "feed_id": feed_id,
        "price": price,
        "conf": conf,
        "exponent": exponent,
        "publish_time": publish_time,
        "ema_price": price if ema_price is None else ema_price,
        "ema_conf": conf if ema_conf is None else ema_conf,
        "partial_signatures": partial_signatures,
    }
    return poster().build("post_price", {"authority": authority.pubkey()}, args)


# -- suppliers


def register_node(node: NodeRef, model: int, processors: int, offer: NodeTerms | None = None) -> Call:
    instruction = PROGRAM.ix.register_node(
        owner=node.owner.pubkey(),
        device_key=node.device.pubkey(),
        model_code=model,
        processors=processors,
        terms=offer or terms(node.owner),
    )
    return Call("register_node", instruction, (node.owner, node.device))


def update_node(node: NodeRef, offer: NodeTerms) -> Call:
    instruction = PROGRAM.ix.update_node(owner=node.owner.pubkey(), node=node.key, terms=offer)
    return Call("update_node", instruction, (node.owner,))


def rotate_device_key(node: NodeRef, new: Keypair) -> Call:
    instruction = PROGRAM.ix.rotate_device_key(owner=node.owner.pubkey(), new_device_key=new.pubkey(), node=node.key)
    return Call("rotate_device_key", instruction, (node.owner, new))


def pause_node(node: NodeRef, paused: bool) -> Call:
    instruction = PROGRAM.ix.pause_node(owner=node.owner.pubkey(), node=node.key, paused=paused)
    return Call("pause_node", instruction, (node.owner,))


def return_node(node: NodeRef, by: Keypair | None = None) -> Call:
    by = by or node.device
    return Call("return_node", PROGRAM.ix.return_node(supplier=by.pubkey(), node=node.key), (by,))


def lock_payout(node: NodeRef, beneficiary: Pubkey, until: int, lease: LeaseRef | None = None) -> Call:
    instruction = PROGRAM.ix.lock_payout(
        owner=node.owner.pubkey(),
        node=node.key,
        lease=lease.key if lease else None,
        beneficiary=beneficiary,
        until=until,
    )
    return Call("lock_payout", instruction, (node.owner,))


def release_payout(node: NodeRef, by: Keypair) -> Call:
    return Call("release_payout", PROGRAM.ix.release_payout(beneficiary=by.pubkey(), node=node.key), (by,))


def retire_node(node: NodeRef, staked: bool = True) -> Call:
    position = node.position if staked else None
    instruction = PROGRAM.ix.retire_node(owner=node.owner.pubkey(), node=node.key, position=position)
    return Call("retire_node", instruction, (node.owner,))


def mark_ready(lease: LeaseRef, device: Keypair | None = None, report_hash: bytes = bytes(32)) -> Call:
    device = device or lease.node.device
    instruction = PROGRAM.ix.mark_ready(
        device_key=device.pubkey(), node=lease.node.key, lease=lease.key, report_hash=report_hash
    )
    return Call("mark_ready", instruction, (device,))


def append_proof(
    lease: LeaseRef,
    interval: int,
    served_secs: int,
    *,
    root: bytes = b"\x01" * 32,
    gpu_ms: int = 0,
    device: Keypair | None = None,
) -> Call:
    device = device or lease.node.device
    instruction = PROGRAM.ix.append_proof(
        device_key=device.pubkey(),
        node=lease.node.key,
        lease=lease.key,
        interval=interval,
        served_secs=served_secs,
        root=root,
        gpu_ms=gpu_ms,
    )
    return Call("append_proof", instruction, (device,))


def quit_lease(lease: LeaseRef) -> Call:
    owner = lease.node.owner
    instruction = PROGRAM.ix.quit_lease(
        owner=owner.pubkey(),
        cluster=lease.cluster.key,
        node=lease.node.key,
        lease=lease.key,
        renter_io=ata(lease.cluster.renter, IO),
    )
    return Call("quit_lease", instruction, (owner,))


# -- stakers


def stake(node: NodeRef, amount: int, staker: Keypair | None = None, lease: LeaseRef | None = None) -> Call:
    """A stranger names the lease that occupies the node."""
    staker = staker or node.owner
    on = lease.key if lease else None
    return Call("stake", PROGRAM.ix.stake(staker=staker.pubkey(), node=node.key, lease=on, amount=amount), (staker,))


def request_unbond(node: NodeRef, amount: int) -> Call:
    staker = node.owner
    instruction = PROGRAM.ix.request_unbond(staker=staker.pubkey(), node=node.key, amount=amount)
    return Call("request_unbond", instruction, (staker,))


def withdraw(node: NodeRef) -> Call:
    return Call("withdraw", PROGRAM.ix.withdraw(node=node.key, staker=node.owner.pubkey()))


# -- renters


def mint_iosd(wallet: Keypair, oracle: Keypair, io_amount: int, min_iosd: int = 0, feed_id: bytes = FEED) -> Call:
    instruction = PROGRAM.ix.mint_iosd(
        wallet=wallet.pubkey(),
        price_update=addresses.price_update(oracle.pubkey(), feed_id),
        io_amount=io_amount,
        min_iosd=min_iosd,
    )
    return Call("mint_iosd", instruction, (wallet,))


def open_cluster(
    cluster: ClusterRef,
    deposit: int,
    expires_at: int,
    kind: int = 0,
    config: bytes = bytes(32),
    session_key: Pubkey | None = None,
) -> Call:
    instruction = PROGRAM.ix.open_cluster(
        renter=cluster.renter.pubkey(),
        id=cluster.id,
        kind=kind,
        deposit=deposit,
        session_key=session_key or cluster.session.pubkey(),
        session_expires_at=expires_at,
        config_hash=config,
    )
    return Call("open_cluster", instruction, (cluster.renter,))


def set_session_key(cluster: ClusterRef, session_key: Pubkey, expires_at: int) -> Call:
    instruction = PROGRAM.ix.set_session_key(
        renter=cluster.renter.pubkey(), cluster=cluster.key, session_key=session_key, expires_at=expires_at
    )
    return Call("set_session_key", instruction, (cluster.renter,))


def withdraw_budget(cluster: ClusterRef, amount: int) -> Call:
    instruction = PROGRAM.ix.withdraw_budget(renter=cluster.renter.pubkey(), cluster=cluster.key, amount=amount)
    return Call("withdraw_budget", instruction, (cluster.renter,))


def add_lease(lease: LeaseRef, model: int, duration: int, max_price: int = 2_000_000, terms_seq: int = 1) -> Call:
    instruction = PROGRAM.ix.add_lease(
        renter=lease.cluster.renter.pubkey(),
        cluster=lease.cluster.key,
        node=lease.node.key,
        model=pdas.model(ID, model),
        lease=lease.key,
        duration=duration,
        max_price=max_price,
        terms_seq=terms_seq,
    )
    return Call("add_lease", instruction, (lease.cluster.renter,))


def accept_ready(lease: LeaseRef, by: Keypair | None = None) -> Call:
    by = by or lease.cluster.session
    instruction = PROGRAM.ix.accept_ready(authority=by.pubkey(), cluster=lease.cluster.key, lease=lease.key)
    return Call("accept_ready", instruction, (by,))


def reject_ready(lease: LeaseRef, by: Keypair | None = None) -> Call:
    by = by or lease.cluster.session
    instruction = PROGRAM.ix.reject_ready(
        authority=by.pubkey(), cluster=lease.cluster.key, node=lease.node.key, lease=lease.key
    )
    return Call("reject_ready", instruction, (by,))


def extend_lease(lease: LeaseRef, model: int, extra_secs: int) -> Call:
    instruction = PROGRAM.ix.extend_lease(
        renter=lease.cluster.renter.pubkey(),
        cluster=lease.cluster.key,
        node=lease.node.key,
        model=pdas.model(ID, model),
        lease=lease.key,
        extra_secs=extra_secs,
    )
    return Call("extend_lease", instruction, (lease.cluster.renter,))


def end_lease(lease: LeaseRef, by: Keypair | None = None) -> Call:
    by = by or lease.cluster.renter
    instruction = PROGRAM.ix.end_lease(
        authority=by.pubkey(), cluster=lease.cluster.key, node=lease.node.key, lease=lease.key
    )
    return Call("end_lease", instruction, (by,))


# -- anyone


def settle_lease(lease: LeaseRef, payout: Keypair | None = None) -> Call:
    instruction = PROGRAM.ix.settle_lease(
        node=lease.node.key,
        cluster=lease.cluster.key,
        lease=lease.key,
        payout_account=ata(payout or lease.node.owner, USD),
    )
    return Call("settle_lease", instruction)


def cancel_lease(lease: LeaseRef) -> Call:
    instruction = PROGRAM.ix.cancel_lease(cluster=lease.cluster.key, node=lease.node.key, lease=lease.key)
    return Call("cancel_lease", instruction)


def report_missed(lease: LeaseRef, reporter: Keypair, rewarded: bool = True) -> Call:
    instruction = PROGRAM.ix.report_missed(
        reporter=reporter.pubkey(),
        cluster=lease.cluster.key,
        node=lease.node.key,
        lease=lease.key,
        renter_io=ata(lease.cluster.renter, IO),
        reporter_io=ata(reporter, IO) if rewarded else None,
    )
    return Call("report_missed", instruction, (reporter,))


def close_lease(lease: LeaseRef) -> Call:
    renter = lease.cluster.renter.pubkey()
    instruction = PROGRAM.ix.close_lease(cluster=lease.cluster.key, node=lease.node.key, lease=lease.key, renter=renter)
    return Call("close_lease", instruction)


def close_cluster(cluster: ClusterRef, signed: bool = True) -> Call:
    instruction = PROGRAM.ix.close_cluster(renter=cluster.renter.pubkey(), cluster=cluster.key)
    if not signed:
        return Call("close_cluster", instruction)
    asked = PROGRAM.builder.also_signs("close_cluster", instruction, "renter")
    return Call("close_cluster", asked, (cluster.renter,))


def burn(mint: Pubkey) -> Call:
    return Call("burn", PROGRAM.ix.burn(mint=mint))
