"""Accounts and events as people read them: units, names and local times, without what is empty or only bookkeeping.

`--json` shows the same fields raw. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ionet.cli import human
from ionet.generated.enums import (
    CaseReason,
    ClusterKind,
    Currency,
    DeviceKind,
    DevicePool,
    EndReason,
    LeaseRole,
    LeaseStatus,
    NetworkRole,
    NodeFlag,
    Profile,
    SlashReason,
)
from ionet.generated.types import Params
from ionet.words import word, words

Fields = Mapping[str, Any]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What an account copies of the parameters that it began with: `network show` has today's, `--json` its own. A case's
# reason is shown as its accusation.
_COPIED = {
    "Lease": frozenset(Params.__struct_fields__),
    "Case": _names("network_cap appeal_secs window_secs cap_bps reason"),
}
# Bookkeeping of the program that tells people nothing.
_HIDDEN = _names(
    """
    bump version escrow_bump stake_vault_bump income_vault_bumps seq node_seq cluster_seq ring ring_base
    ring_next proof_head dispute_head reward_per_share income_per_share reward_debt income_debt era slot_ms
    synced_at synced_slot last_kept_slot booked_slot ready_slot disputed_slot terms_seq first_device_key
    mint_window_slot redeem_window_slot owner_bonded_shares owner_unbonding_shares matured_secs kept_next
    offer_since priced_at floor ceiling bonded_shares_after shares_burned ticket_shares ticket_era
    authority_number pending_by next_case next_lease_number status
    """
)
_TIMES = _names(
    """
    at until due publish_time last_publish_time busy_until earlier_over_at payout_locked_until blocked_until
    no_case_before excused_from excused_to decide_from decide_by defend_by ready_by accept_by ends_at_before
    until_before lease_over_by case_window_start mint_window_start redeem_window_start
    """
)
_SPANS = _names(
    """
    duration min_duration max_duration duration_before
    """
)
_IO = _names(
    """
    required_stake reporter_cap owner_rewards co_rewards co_settled refill slashed earned_io case_window_amount
    network_cap io_burned io_redeemed io_other_burned io_minted backing_io stake_per_processor case_network_cap
    io_genesis bonded_before bonded_after unbonding_before unbonding_after refill_after owner_rewards_after
    co_rewards_after to_owner to_co_stakers io_burned_after io_redeemed_after io_other_burned_after rewards
    """
)
_IOSD = _names(
    """
    minted redeemed fee_burned supply mint_window_amount redeem_window_amount mint_floor redeem_floor
    iosd_minted iosd_burned minted_after redeemed_after
    """
)
_USDC = _names(
    """
    usdc_paid
    """
)
_DOLLARS = _names(
    """
    earned io_price last_price last_high_price low_price high_price reference_price pending_reference_price
    """
)
# In the currency of the cluster.
_MONEY = _names(
    """
    deposit locked paid fees burned refunded refund surplus supplier_fee renter_fee shared dispute_bond bond_due
    fees_to_burn fees_owed released bond bond_part bond_returned bond_paid to_stakers supplier_amount
    paid_before added_amount cluster_locked_after cluster_paid_after cluster_fees_after refunded_after
    """
)
# Amounts that are IO in events about stake, and in the cluster's currency elsewhere.
_STAKE_EVENTS = _names(
    """
    Staked StakeRefilled StakeWithdrawn UnbondRequested RewardsAdded RewardsClaimed NodeSlashed
    """
)
_STAKE_AMOUNTS = _names(
    """
    amount burned from_bonded from_unbonding to_renter to_reporter surplus rewards
    """
)


def _enum(kind: type[Any]) -> Callable[[int], str]:
    return lambda number: word(kind, number)


def flags(bits: int) -> str:
    return ", ".join(name for name, bit in words(NodeFlag).items() if bits & bit) or "none"


_NAMES: dict[tuple[str, str] | str, Callable[[int], str]] = {
    "currency": _enum(Currency),
    "currencies": human.currencies,
    "country": human.country,
    "flags": flags,
    ("Lease", "status"): _enum(LeaseStatus),
    ("Lease", "role"): _enum(LeaseRole),
    ("LeaseStarted", "role"): _enum(LeaseRole),
    "end_reason": _enum(EndReason),
    ("LeaseEnded", "reason"): _enum(EndReason),
    ("LeaseCancelled", "reason"): _enum(EndReason),
    ("NodeSlashed", "reason"): _enum(SlashReason),
    ("Case", "reason"): _enum(CaseReason),
    ("CaseOpened", "reason"): _enum(CaseReason),
    ("Cluster", "kind"): _enum(ClusterKind),
    ("ClusterOpened", "kind"): _enum(ClusterKind),
    ("DeviceModel", "kind"): _enum(DeviceKind),
    ("DeviceModel", "pool"): _enum(DevicePool),
    ("NodeFlagsChanged", "before"): flags,
    ("NodeFlagsChanged", "after"): flags,
    ("Network", "profile"): _enum(Profile),
    "pending_role": _enum(NetworkRole),
    "flags_before": flags,
    "flags_after": flags,
}


def view(
    kind: str, fields: Fields, *, token: str | None = None, models: Mapping[int, str] | None = None
) -> dict[str, str]:
    """The fields of an account or event of class `kind` that say something, in words.

    token: the currency of the cluster it belongs to; models: names of device models by code.
    """
    shown, copied = {}, _COPIED.get(kind, frozenset())
    for name, value in fields.items():
        # The first word of an enumeration is its zero.
        if name not in _HIDDEN and name not in copied and (not _is_empty(value) or _is_named(kind, name)):
            shown[_label(name, fields)] = _readable(kind, name, value, token, models or {})
    return shown


def _label(name: str, fields: Fields) -> str:
    """Without a unit, which the value says, unless two names were the same then."""
    bare = name.removesuffix("_secs").removesuffix("_bps")
    others = fields.keys() & {bare, f"{bare}_secs", f"{bare}_bps"}
    return bare if others == {name} else name


def _is_named(kind: str, name: str) -> bool:
    return (kind, name) in _NAMES and not name.startswith("flags") and kind != "NodeFlagsChanged"


def _is_empty(value: Any) -> bool:
    """Zero, false, nobody, a hash of nothing; lists and objects of nothing else."""
    if isinstance(value, Mapping):
        return all(_is_empty(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return all(_is_empty(item) for item in value)
    return value in (0, "", None, human.NOBODY) or (isinstance(value, str) and set(value) == {"0"})


def _readable(kind: str, name: str, value: Any, token: str | None, models: Mapping[int, str]) -> str:
    if isinstance(value, Mapping):
        if {"amount", "shares"} <= value.keys():
            return human.money(int(value["amount"]), "IO")
        return ", ".join(f"{key} {_readable(kind, key, item, token, models)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_readable(kind, name, item, token, models) for item in value)
    number = int(value) if isinstance(value, str) and value.removeprefix("-").isdecimal() else value
    if isinstance(number, bool) or not isinstance(number, int):
        return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    return _number(kind, name, number, token, models)


def _number(kind: str, name: str, number: int, token: str | None, models: Mapping[int, str]) -> str:
    said = _NAMES.get((kind, name)) or _NAMES.get(name)
    if said is not None:
        return said(number)
    if name == "model":
        return models.get(number, str(number))
    if name in _TIMES or name.endswith("_at"):
        return human.moment(number)
    if name in _SPANS or name.endswith("_secs"):
        return human.span(number)
    if name.endswith("_bps") or name in ("share", "income_share", "pending_share", "pending_income_share"):
        return human.percent(number)
    return _amount(kind, name, number, token) or str(number)


def _amount(kind: str, name: str, number: int, token: str | None) -> str | None:
    if name.startswith("price"):
        return human.hourly(number) if kind.startswith("Node") else _hourly(kind, number, token)
    if name in _DOLLARS:
        return human.dollars(number)
    if (kind in _STAKE_EVENTS and name in _STAKE_AMOUNTS) or name in _IO:
        return human.money(number, "IO")
    if name in _IOSD:
        return human.money(number, "IOSD")
    if name in _USDC:
        return human.money(number, "USDC")
    if name in _MONEY or name == "amount":
        return human.money(number, token) if token else f"{number} base units"
    return None


def _hourly(kind: str, number: int, token: str | None) -> str:
    if kind.startswith(("Io", "Price")):
        return human.dollars(number)
    return f"{human.money(number, token)}/h" if token else f"{number} base units/h"
