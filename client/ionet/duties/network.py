"""What belongs to nobody: cases without an end, waiting parameters and terms, the price, what is to be burned or
collected."""

from __future__ import annotations

from solders.instruction import Instruction

from ionet.client import Client
from ionet.duties.duty import Duty, Reward, Seen
from ionet.errors import NotFound
from ionet.generated import pdas
from ionet.generated.accounts import Case, DeviceModel, Iosd, Network
from ionet.generated.enums import NetworkRole
from ionet.plan import Plan
from ionet.rules.restarts import Moment


def dismiss_due(seen: Seen, _at: Moment) -> int | None:
    case: Case = seen.account
    return case.decide_by


def pending_due(seen: Seen, _at: Moment) -> int | None:
    network: Network = seen.account
    times = [network.pending_effective_at] if network.pending_effective_at else []
    # A new authority takes its role itself.
    if network.pending_role not in (0, NetworkRole.AUTHORITY):
        times.append(network.pending_role_at)
    return min(times, default=None)


def model_due(seen: Seen, _at: Moment) -> int | None:
    model: DeviceModel = seen.account
    network: Network = seen.node
    binds = model.pending_at and model.pending_by == network.authority_number
    return model.pending_at if binds else None


def price_due(seen: Seen, _at: Moment) -> int | None:
    """Half way to the moment at which IOSD may be redeemed at the last rate."""
    iosd: Iosd = seen.account
    return iosd.last_publish_time + seen.params.last_rate_after_secs // 2


def amount_due(seen: Seen, at: Moment) -> int | None:
    return at.now if seen.account > 0 and seen.usable else None


def _refresh(client: Client, seen: Seen, _at: Moment) -> Plan:
    """Only with a newer price than the one seen: the program takes an older one too, and nothing changes."""

    async def build() -> list[Instruction]:
        price = await client.oracle.latest((await client.network.get()).feed_id)
        if price.publish_time <= seen.account.last_publish_time:
            raise NotFound("a newer price than the last one")
        return await client.iosd.refresh(price_update=price.account).instructions()

    return Plan(client, build)


def _burn(client: Client, seen: Seen, _at: Moment) -> Plan:
    assert seen.mint is not None
    return client.network.burn(seen.mint)


def _collect(client: Client, seen: Seen, _at: Moment) -> Plan:
    assert seen.mint is not None
    network = pdas.network(client.program.id)
    return client.owed.collect(seen.mint, None if seen.owner == network else seen.owner)


# Rent of a token account: 165 bytes and the 128 of its entry.
TOKEN_ACCOUNT_RENT = 2_039_280

NETWORK_DUTIES = (
    Duty("decide_case", "case", dismiss_due, lambda client, seen, _: client.case.dismiss(seen.address)),
    Duty("apply_pending", "network", pending_due, lambda client, _seen, _at: client.network.apply_pending()),
    Duty("apply_model", "model", model_due, lambda client, seen, _: client.network.apply_model(seen.account.code)),
    Duty("refresh_price", "iosd", price_due, _refresh),
    Duty(
        "burn",
        "burn_vault",
        amount_due,
        _burn,
        every=lambda habits: habits.burn_secs,
    ),
    Duty("collect_owed", "owed", amount_due, _collect, pays=lambda _seen, _at: Reward(lamports=TOKEN_ACCOUNT_RENT)),
)
