"""Why the chain refused a transaction, where its own answer does not say it: looks at the accounts that were named.

Nothing here is read unless something was refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from solders.message import VersionedMessage
from solders.pubkey import Pubkey

from ionet import addresses
from ionet.codec import DecodeError
from ionet.errors import (
    AlreadyRegistered,
    ChainRefused,
    ForeignProgramError,
    InstructionFailed,
    NoStake,
    NoSuchModel,
    NotEnough,
    ProgramError,
    RpcError,
)
from ionet.failure import ACCOUNT_THERE, SOL_SHORT, TOKEN_PROGRAM
from ionet.fuel import remedy
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, Lease, Network, Node
from ionet.generated.enums import IO_DECIMALS, USD_DECIMALS, Currency
from ionet.generated.errors import BudgetTooSmall
from ionet.program import Program
from ionet.rpc import Rpc
from ionet.rules.pricing import earned, fee_on

_SOL_DECIMALS = 9
_TOKENS = {
    Currency.IO: ("IO", IO_DECIMALS),
    Currency.IOSD: ("IOSD", USD_DECIMALS),
    Currency.USDC: ("USDC", USD_DECIMALS),
}
# Transaction errors of a payer who does not exist or cannot pay.
_NO_PAYER = {"AccountNotFound", "InsufficientFundsForFee"}
_TRANSFER_CHECKED = 12
# Argument of an instruction that says how much leaves the token account `from`.
_SPENT = ("amount", "io_amount", "iosd_amount", "deposit")
_CHARGED = {"add_lease": "node", "extend_lease": "lease"}
_AT_MOST = {"mint_iosd_exact": "max_io"}


@dataclass(frozen=True, slots=True)
class _Called:
    """An instruction that failed. spent: base units that leave the account `from`, where it is one that spends."""

    name: str
    accounts: dict[str, Pubkey]
    spent: int | None = None
    model: int | None = None
    duration: int = 0


async def diagnosed(rpc: Rpc, program: Program, refusal: ChainRefused, message: VersionedMessage) -> ChainRefused:
    """A refusal that says what is missing, if that can be found out; the same refusal otherwise."""
    try:
        if isinstance(refusal, BudgetTooSmall):
            refusal.detail = await _budget(rpc, program, refusal, message)
        if isinstance(refusal, ProgramError):
            return refusal
        return await _better(rpc, program, refusal, message) or refusal
    except (RpcError, DecodeError):
        return refusal


async def _better(rpc: Rpc, program: Program, refusal: ChainRefused, message: VersionedMessage) -> ChainRefused | None:
    payer = message.account_keys[0]
    culprit = (refusal.program, refusal.code) if isinstance(refusal, ForeignProgramError) else None
    if refusal.detail in _NO_PAYER or refusal.detail.startswith("InsufficientFundsForRent") or culprit == SOL_SHORT:
        return _like(refusal, NotEnough(await _sol(rpc, payer)))
    if not isinstance(refusal, InstructionFailed):
        return None
    called = _called(program, message, refusal.index)
    if called is None:
        return None
    if called.name == "register_node":
        return await _registering(rpc, refusal, called, there=culprit == ACCOUNT_THERE)
    if called.spent is not None and "from" in called.accounts:
        said = await _tokens(rpc, program, payer, called.accounts["from"], called.spent)
        return _like(refusal, NotEnough(said)) if said else None
    position = called.accounts.get("position")
    if position is not None and await rpc.account(position) is None:
        staker = called.accounts.get("staker", payer)
        return _like(refusal, NoStake(f"wallet {staker} has no stake in node {called.accounts['node']}"))
    return None


async def _budget(rpc: Rpc, program: Program, refusal: BudgetTooSmall, message: VersionedMessage) -> str:
    """What is free of the cluster's budget, and what was needed; empty where that cannot be said."""
    calls = [_called(program, message, index) for index in range(refusal.index + 1)]
    last = calls[-1]
    if last is None or "cluster" not in last.accounts:
        return ""
    same = [call for call in calls if call and call.accounts.get("cluster") == last.accounts["cluster"]]
    # What each is charged for: a node's price for a new lease, the lease's own for more of it.
    charged = [call for call in same if call.name in _CHARGED]
    keys = [call.accounts[_CHARGED[call.name]] for call in charged]
    found, network, *offers = await rpc.accounts([last.accounts["cluster"], pdas.network(program.id), *keys])
    if found is None or network is None or any(offer is None for offer in offers):
        return ""
    cluster = program.codec.decode_account(found.data, Cluster)
    params = program.codec.decode_account(network.data, Network).params
    free = cluster.deposit - cluster.paid - cluster.fees - cluster.refunded - cluster.locked
    token, decimals = _TOKENS[Currency(cluster.currency)]
    said = f"{_amount(free, decimals)} {token} are free"
    if cluster.currency == Currency.IO:
        return said  # what a node costs in IO follows from the price of the moment
    needed = last.spent or 0
    bps = params.renter_fee_bps + (params.usdc_fee_bps if cluster.currency == Currency.USDC else 0)
    for offer, call in zip(offers, charged, strict=True):
        assert offer is not None
        offered: Lease | Node = (
            program.codec.decode_account(offer.data, Lease)
            if call.name == "extend_lease"
            else program.codec.decode_account(offer.data, Node)
        )
        cost = earned(offered.price, offered.processors, call.duration)
        needed += cost + fee_on(cost, bps)
    return f"{said}, {_amount(needed, decimals)} needed" if needed else said


async def _sol(rpc: Rpc, payer: Pubkey) -> str:
    lamports = await rpc.balance(payer)
    have = f"only {_amount(lamports, _SOL_DECIMALS)} SOL, more is needed" if lamports else "no SOL"
    return f"wallet {payer} has {have}: {remedy(rpc.url)}"


async def _registering(rpc: Rpc, refusal: InstructionFailed, called: _Called, *, there: bool) -> ChainRefused | None:
    if there:
        return _like(refusal, AlreadyRegistered(f"registered already as {called.accounts['node']}"))
    if await rpc.account(called.accounts["model"]) is None:
        return _like(refusal, NoSuchModel(f"no model {called.model}: `ionet network models` lists them"))
    return None


async def _tokens(rpc: Rpc, program: Program, payer: Pubkey, source: Pubkey, spent: int) -> str | None:
    """What the wallet has of the token that `source` holds, if that is less than is spent."""
    [account, network] = await rpc.accounts([source, pdas.network(program.id)])
    if network is None:
        return None
    usdc = program.codec.decode_account(network.data, Network).usdc_mint
    mints = {
        Currency.IO: (pdas.io_mint(program.id), IO_DECIMALS),
        Currency.IOSD: (pdas.iosd_mint(program.id), USD_DECIMALS),
        Currency.USDC: (usdc, USD_DECIMALS),
    }
    for currency, (mint, decimals) in mints.items():
        if source != addresses.token_account(payer, mint):
            continue
        if account is None:
            return f"you have no {currency.name}"
        held = addresses.token_amount(account.data)
        if held < spent:
            return f"you have {_amount(held, decimals)} {currency.name}, {_amount(spent, decimals)} needed"
    return None


def _called(program: Program, message: VersionedMessage, index: int) -> _Called | None:
    """The instruction at `index`, if it is one of those that this module knows."""
    keys = message.account_keys
    if index >= len(message.instructions):
        return None
    item = message.instructions[index]
    owner, data = keys[item.program_id_index], bytes(item.data)
    named = [keys[at] if at < len(keys) else Pubkey.default() for at in item.accounts]
    if str(owner) == TOKEN_PROGRAM and data[:1] == bytes([_TRANSFER_CHECKED]):
        return _Called("transfer", {"from": named[0]}, int.from_bytes(data[1:9], "little"))
    if owner != program.id:
        return None
    try:
        call = program.codec.decode_args(data)
    except DecodeError:
        return None
    slots = program.codec.instruction(call.name).slots()
    accounts = {slot.name: key for slot, key in zip(slots, named, strict=False)}
    args = dict(call.args)
    for value in call.args.values():
        args |= {name: getattr(value, name) for name in getattr(value, "__struct_fields__", ())}
    wanted = _AT_MOST.get(call.name)
    spent = args.get(wanted) if wanted else next((args[name] for name in _SPENT if name in args), None)
    return _Called(call.name, accounts, spent, args.get("model_code"), args.get("duration", args.get("extra_secs", 0)))


def _like(refusal: ChainRefused, better: ChainRefused) -> ChainRefused:
    """The better one, with everything else that the refusal says."""
    better.logs, better.signature = refusal.logs, refusal.signature
    if isinstance(refusal, InstructionFailed) and isinstance(better, InstructionFailed):
        better.index, better.program = refusal.index, refusal.program
    if isinstance(refusal, ForeignProgramError) and isinstance(better, ForeignProgramError):
        better.code = refusal.code
    return better


def _amount(units: int, decimals: int) -> str:
    number = f"{Decimal(units).scaleb(-decimals):,f}"
    return number.rstrip("0").rstrip(".") if "." in number else number
