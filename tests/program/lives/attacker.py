"""A thief in front of a valid call: the same instruction with one account exchanged. It must be refused with an error
that has a name, and nothing on the chain may be different afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ionet.errors import ChainRefused
from ionet.generated.accounts import Cluster, Lease, Node, StakePosition
from ionet.generated.events import IncomeShared, LeaseSettled
from ionet.program import PROGRAM
from program.calls import ID
from program.chain import TOKEN_PROGRAM, Call, Landed, error_name
from program.swap_table import FREE
from program.world import World
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

# Beyond what `test_swaps` lists: whoever signs may also name another account of their choice here.
CHOSEN = {
    ("mint_iosd", "to"),
    ("mint_iosd_exact", "to"),
    ("redeem_iosd", "to"),
    ("buyback", "to"),
    ("claim_owed", "to"),
    ("end_lease", "authority"),  # anyone, once the supplier has missed too much
    ("apply_pending", "caller"),  # anyone, but for the authority's role
    ("decide_case", "authority"),  # anyone, once it is too late to decide
    ("push_unbond", "position"),  # any position of the node
}
UNNAMED = {"ProgramFailedToComplete", "ComputationalBudgetExceeded", "Overflow"}


@dataclass(frozen=True)
class Attack:
    """Which slot is exchanged and for which of the accounts that look like it: indices, taken modulo their number."""

    slot: int
    other: int

    def strike(self, world: World, call: Call, thief: Keypair, record: Callable[[Landed], None]) -> bool:
        """Sends the attack; False where this call has nothing to exchange. Fails when it goes through."""
        wrong = self.aim(world, call, thief)
        if wrong is None:
            return False
        slot, attack = wrong
        before = state_of(world)
        try:
            landed = world.do(attack)
        except ChainRefused as error:
            refusal = error
        else:
            # Where nothing is to be paid, nobody looks at the account that would be paid instead.
            assert is_unused(slot, landed), f"{call.name} goes through with {attack.account(slot)} as {slot}"
            record(landed)
            return False
        assert error_name(refusal) not in UNNAMED, f"{call.name}, {slot}: {refusal.logs}"
        assert state_of(world) == before
        return True

    def aim(self, world: World, call: Call, thief: Keypair) -> tuple[str, Call] | None:
        names = [slot.name for slot in PROGRAM.codec.instruction(call.name).slots()]
        metas = dict(zip(names, call.instruction.accounts, strict=False))
        free = {slot for name, slot in (*FREE, *CHOSEN) if name == call.name}
        # An optional account that is absent has the program's own id in its place. So has the last slot, for the
        # runtime alone: events go to that id whatever is there.
        slots = [slot for slot in names if slot not in free and metas[slot].pubkey != ID]
        slot = slots[self.slot % len(slots)]
        meta = metas[slot]
        if meta.is_signer:
            return slot, call.signed_by(slot, thief)
        choices = others(world, meta.pubkey) or [thief.pubkey()]
        return slot, call.swapped(**{slot: choices[self.other % len(choices)]})


def is_unused(slot: str, landed: Landed) -> bool:
    """Whether it was an account that is looked at only when something goes there."""
    kinds = {type(event) for event in landed.events}
    return {
        "owed": not any(getattr(event, "owed", False) for event in landed.events),
        "payout_account": LeaseSettled not in kinds,
        "income_vault": IncomeShared not in kinds,
    }.get(slot, False)


def others(world: World, key: Pubkey) -> list[Pubkey]:
    """Accounts of the same type that belong to somebody else, in a fixed order."""
    account = world.svm.get_account(key)
    if account is None or account.owner not in (ID, TOKEN_PROGRAM):
        return []
    alike = [
        other
        for other, found in world.svm.get_program_accounts(account.owner)
        if other != key and len(found.data) == len(account.data) and not belong_together(account, found)
    ]
    return sorted(alike, key=bytes)


def belong_together(account: Account, other: Account) -> bool:
    """Whether both are of one person, so that they may well name the other one; other types are always foreign."""
    if account.owner == TOKEN_PROGRAM:
        return len(account.data) == 165 and account.data[:64] == other.data[:64]
    kinds: dict[type[Any], str] = {Cluster: "renter", Node: "owner", Lease: "cluster", StakePosition: "staker"}
    for kind, name in kinds.items():
        tag = PROGRAM.codec.account_discriminator(kind)
        if account.data[:8] == other.data[:8] == tag:
            one, two = (PROGRAM.codec.decode_account(found.data, kind) for found in (account, other))
            return bool(getattr(one, name) == getattr(two, name))
    return False


def state_of(world: World) -> dict[Pubkey, tuple[int, bytes]]:
    """Lamports and bytes of every account of the program and of the token program."""
    return {
        key: (account.lamports, account.data)
        for owner in (ID, TOKEN_PROGRAM)
        for key, account in world.svm.get_program_accounts(owner)
    }
