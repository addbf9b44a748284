"""The market's other days: co-stakers, cases, three currencies, disputes, payments that wait, new rules, retirement."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from indexer.serving import Service, dispute, leave, open_cluster, post_price, settle
from ionet import addresses
from ionet.client import Client
from ionet.generated import pdas
from ionet.generated.enums import NetworkRole
from ionet.generated.events import CaseOpened
from ionet.plan import Receipt
from ionet.program import PROGRAM
from ionet.wallet import KeypairSigner
from market import IO, USD, Machine, Market, key
from solders.keypair import Keypair
from solders.pubkey import Pubkey

IO_MINT, IOSD_MINT = pdas.io_mint(PROGRAM.id), pdas.iosd_mint(PROGRAM.id)
POOR = key("a wallet without token accounts")


@dataclass
class ConflictStory:
    """What happened, for tests to look up."""

    shared: Machine  # co-staked, accused twice, retired
    paid_in_io: Pubkey  # closed lease: one dispute half defended, one defended
    refunded: Pubkey  # closed lease in USDC: a dispute that nobody defended, paid into an owed account
    left: Pubkey  # lease whose supplier saw no challenge
    disputed: Pubkey  # running lease with an open dispute
    waiting: Pubkey  # wallet with USDC that waits for it


async def call(client: Client, name: str, accounts: dict[str, Pubkey], *signers: Keypair, **arguments: Any) -> Receipt:
    """Send one instruction of the program."""
    instruction = PROGRAM.builder.build(name, accounts, arguments)
    return await client.send([instruction], signers=[KeypairSigner(each) for each in signers])


async def tell_of_conflicts(market: Market) -> ConflictStory:
    """Play the history."""
    await _new_rules(market)
    shared = await _co_stake(market)
    await _cases(market, shared)
    service = Service(market, await market.mint_usdc())
    paid_in_io = await _defended(service)
    refunded = await _refunded(service)
    left = await _left(service)
    await _iosd(market, service.usdc)
    await _retire(market, shared)
    disputed = await _disputed(service)
    return ConflictStory(shared, paid_in_io, refunded, left, disputed, market.renter.address)


async def _new_rules(market: Market) -> None:
    """Parameters, a role and a model change."""
    authority = {"authority": market.admin.address}
    params = msgspec.structs.replace((await market.admin.network.get()).params, reject_floor_secs=12)
    await call(market.admin, "propose_params", authority, params=params)
    await call(market.admin, "propose_role", authority, role=NetworkRole.PAUSER, value=bytes(market.stranger.address))
    market.pass_time(params.timelock_secs)
    await call(market.stranger, "apply_pending", {"caller": market.stranger.address})
    await call(market.admin, "propose_role", authority, role=NetworkRole.FEED, value=sha256(b"another feed").digest())
    for enabled in (False, True, False):
        await market.admin.network.set_model(2, enabled=enabled)


async def _co_stake(market: Market) -> Machine:
    """A stranger stakes to a node and shares its rewards; then the terms get worse."""
    shared = await market.add_machine("shared")
    node, stranger = {"node": shared.address}, market.stranger.address
    terms = {**node, "owner": market.admin.address}
    treasury = {**node, "payer": market.treasury.address, "from": _io_of(market.treasury.address)}
    await market.give_io(stranger, 500 * IO)
    await call(market.admin, "set_co_stake_terms", terms, share_bps=5_000, income_share_bps=0)
    staking = {**node, "staker": stranger, "from": _io_of(stranger)}
    await call(market.stranger, "stake", staking, amount=300 * IO)
    await call(market.treasury, "fund_rewards", treasury, amount=33 * IO + 1)
    await call(market.admin, "set_co_stake_terms", terms, share_bps=1_000, income_share_bps=0)
    await market.stranger.stake.request_unbond(shared.address, 50 * IO + 7)
    market.pass_time((await market.admin.network.get()).params.terms_notice_secs)
    await call(market.treasury, "fund_rewards", treasury, amount=33 * IO + 1)
    await call(market.admin, "claim_rewards", _claim(shared, stranger))
    await call(market.treasury, "fund_rewards", treasury, amount=7 * IO)
    owner = market.admin.address
    await call(market.stranger, "claim_rewards", {**node, "staker": owner, "to": _io_of(owner)})
    return shared


async def _cases(market: Market, shared: Machine) -> None:
    """The arbiter accuses a node twice: the first case is answered and decided, nobody decides the second."""
    node, owner = {"node": shared.address}, market.admin.address
    staking = {**node, "staker": owner, "from": _io_of(owner)}
    appeal_secs = (await market.admin.network.get()).params.appeal_secs

    async def accuse(number: int, reason: int) -> dict[str, Pubkey]:
        case = Pubkey.find_program_address([b"case", bytes(shared.address), number.to_bytes(8, "little")], PROGRAM.id)[
            0
        ]
        accounts = {**node, "case": case, "arbiter": owner}
        opened = await call(market.admin, "open_case", accounts, reason=reason, evidence_hash=bytes([number + 1]) * 32)
        assert opened.event(CaseOpened).case == case
        return {**node, "case": case}

    case = await accuse(0, 2)
    await call(market.admin, "stake", staking, amount=20 * IO)
    await call(market.admin, "appeal_case", {**case, "owner": owner}, appeal_hash=bytes([9]) * 32)
    burn = {"burn_vault": pdas.burn_vault(PROGRAM.id, IO_MINT), "arbiter": owner}
    await call(market.admin, "decide_case", {**case, **burn, "authority": owner}, bps=500, blocked=False)
    await call(market.admin, "stake", staking, amount=0)
    market.pass_time(appeal_secs)  # stakers may leave between two cases
    case = await accuse(1, 4)
    market.pass_time(2 * appeal_secs)
    dismissal = {**case, **burn, "authority": market.stranger.address}
    await call(market.stranger, "decide_case", dismissal, bps=0, blocked=False)


async def _defended(service: Service) -> Pubkey:
    """In IO. Of the first dispute one interval is defended and one is not; the second is defended whole."""
    market = service.market
    cluster = await open_cluster(service, IO_MINT, 1_000 * IO)
    lease = await service.start(cluster, "io", 6)
    await service.serve(lease, range(2))
    await service.approve(lease, 1)
    await settle(service, lease)
    await service.serve(lease, range(2, 4))
    await dispute(service, lease, 1, 3)
    await service.walk(lease, 3, 2)
    await service.defend(lease, 1)
    await settle(service, lease)
    await service.serve(lease, range(4, 6))
    await dispute(service, lease, 3, 5)
    await service.walk(lease, 5)
    await service.defend(lease, 4)
    await settle(service, lease)
    await service.defend(lease, 3)
    market.pass_time(30)
    await settle(service, lease)
    await market.stranger.lease.close(lease)
    await service.close(cluster, IO_MINT)
    await market.stranger.network.burn(IO_MINT)
    return lease


async def _refunded(service: Service) -> Pubkey:
    """In USDC. A dispute that nobody defends; supplier and renter have no account to be paid into, and the fee vault is
    frozen until the cluster is closed."""
    market = service.market
    cluster = await open_cluster(service, service.usdc, 50 * USD)
    lease = await service.start(cluster, "usdc", 4, payout=POOR.pubkey())
    await service.serve(lease, range(4))
    await dispute(service, lease, 1, 3)
    market.pass_time(30)
    owed = await service.open_owed(POOR.pubkey())
    await settle(service, lease, owed)
    await market.stranger.lease.close(lease)
    claim = {
        "owner": POOR.pubkey(),
        "mint": service.usdc,
        "to": addresses.token_account(market.admin.address, service.usdc),
    }
    await call(market.admin, "claim_owed", claim, POOR)
    await service.lose_account(service.usdc)
    waiting = [await service.open_owed(owner) for owner in (market.renter.address, pdas.network(PROGRAM.id))]
    thawed = service.freeze(pdas.fee_vault(PROGRAM.id, service.usdc))
    await service.close(cluster, service.usdc, *waiting)
    market.net.chain.set_account(*thawed)
    await market.stranger.owed.collect(service.usdc)
    return lease


async def _left(service: Service) -> Pubkey:
    """In IOSD. No challenge came, so the supplier leaves."""
    cluster = await open_cluster(service, IOSD_MINT, 50 * USD)
    lease = await service.start(cluster, "iosd", 20)
    await service.serve(lease, range(3), challenged=False)
    await leave(service, lease)
    service.market.pass_time(30)
    await settle(service, lease)
    await service.market.stranger.lease.close(lease)
    return lease


async def _disputed(service: Service) -> Pubkey:
    """In IO, still running: a dispute of which one interval is defended."""
    cluster = await open_cluster(service, IO_MINT, 1_000 * IO)
    lease = await service.start(cluster, "last", 100)
    await service.serve(lease, range(4))
    await dispute(service, lease, 1, 3)
    await service.walk(lease, 3)
    await service.defend(lease, 2)
    return lease


async def _iosd(market: Market, usdc: Pubkey) -> None:
    """Out of IOSD at a fresh price and at the last one; fees in USDC buy IO."""
    renter = market.renter.address
    wallet = {"wallet": renter, "io_mint": IO_MINT, "iosd_mint": IOSD_MINT}
    into = {**wallet, "from": _io_of(renter), "to": addresses.token_account(renter, IOSD_MINT)}
    out = {**wallet, "from": addresses.token_account(renter, IOSD_MINT), "to": _io_of(renter)}
    price = {"price_update": await post_price(market, 199_000_000, conf=100_000)}
    await call(market.stranger, "refresh_price", price)
    await call(market.renter, "redeem_iosd", {**out, **price}, iosd_amount=100 * USD, min_io=1)
    await call(market.renter, "mint_iosd_exact", {**into, **price}, iosd_amount=70 * USD, max_io=100 * IO)
    seller = market.stranger.address
    sale = {"seller": seller, "io_mint": IO_MINT, "from": _io_of(seller), **price}
    sale |= {"to": addresses.token_account(market.admin.address, usdc), "fee_vault": pdas.fee_vault(PROGRAM.id, usdc)}
    await call(market.stranger, "buyback", sale, io_amount=1_000, min_usdc=1)
    market.pass_time((await market.admin.network.get()).params.last_rate_after_secs)
    await call(market.renter, "redeem_iosd", out, iosd_amount=30 * USD, min_io=1)


async def _retire(market: Market, shared: Machine) -> None:
    """A node leaves for good: everybody is paid out, whoever pushes, and its vault is closed."""
    node, stranger, owner = {"node": shared.address}, market.stranger.address, market.admin.address
    held = {name: pdas.position(PROGRAM.id, shared.address, wallet) for name, wallet in _wallets(market)}
    await call(market.admin, "retire_node", {**node, "owner": owner, "position": held["owner"]})
    await call(market.renter, "push_unbond", {**node, "position": held["stranger"]})
    await call(market.renter, "claim_rewards", _claim(shared, stranger))
    market.pass_time(60)
    for wallet in (owner, stranger):
        await market.renter.stake.withdraw(shared.address, wallet)
    vault = {**node, "owner": owner, "burn_vault": pdas.burn_vault(PROGRAM.id, IO_MINT)}
    await call(market.renter, "close_stake_vault", vault)


def _wallets(market: Market) -> list[tuple[str, Pubkey]]:
    return [("owner", market.admin.address), ("stranger", market.stranger.address)]


def _claim(shared: Machine, staker: Pubkey) -> dict[str, Pubkey]:
    position = pdas.position(PROGRAM.id, shared.address, staker)
    return {"node": shared.address, "position": position, "staker": staker, "to": _io_of(staker)}


def _io_of(wallet: Pubkey) -> Pubkey:
    return addresses.token_account(wallet, IO_MINT)
