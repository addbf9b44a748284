"""As many instructions per transaction as the chain's limits allow."""

from __future__ import annotations

from itertools import pairwise

import pytest
from ionet import addresses, budget
from ionet.budget import MAX_UNITS, with_budget
from ionet.generated import pdas
from ionet.planner import MAX_TRACE, PACKET, Packer, Tables
from ionet.program import PROGRAM
from ionet.wallet import compile_message
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

PAYER = Keypair.from_seed(bytes([7] * 32))
CLUSTER = Pubkey(bytes([8] * 32))
FEE = 1_000


def node(number: int) -> Pubkey:
    return Pubkey(number.to_bytes(32, "big"))


def booking(number: int) -> Instruction:
    key = node(number)
    return PROGRAM.ix.add_lease(
        renter=PAYER.pubkey(),
        cluster=CLUSTER,
        node=key,
        model=pdas.model(PROGRAM.id, 3),
        lease=addresses.lease(PROGRAM.id, key, 0),
        duration=3600,
        max_price=1,
        terms_seq=1,
    )


def table(*numbers: int, common: bool = True) -> AddressLookupTableAccount:
    """A table with these nodes and, mostly, what every booking names."""
    shared = [meta.pubkey for meta in booking(1).accounts if not meta.is_signer and meta.pubkey != PROGRAM.id]
    own = [node(1), addresses.lease(PROGRAM.id, node(1), 0)]
    keys = [key for key in shared if key not in own] if common else []
    return AddressLookupTableAccount(Keypair().pubkey(), [*keys, *map(node, numbers)])


def wire(instructions: list[Instruction], tables: Tables = (), fee: int = FEE) -> int:
    """Bytes of the transaction as the client sends it."""
    message = compile_message(PAYER.pubkey(), with_budget(instructions, MAX_UNITS, fee), Hash.default(), tables)
    return len(bytes(VersionedTransaction(message, [PAYER])))


@pytest.mark.parametrize("fee", [0, FEE])
@pytest.mark.parametrize("with_table", [False, True])
def test_every_transaction_is_full(with_table: bool, fee: int) -> None:
    """Each is within a packet with its compute budget, and none could take the next instruction."""
    count = 60
    instructions = [booking(number) for number in range(1, count + 1)]
    tables = (table(*range(1, count + 1)),) if with_table else ()
    packed = Packer(PROGRAM, PAYER.pubkey(), fee).pack(instructions, lambda _: tables)
    assert [at for batch in packed for at in batch.positions] == list(range(count))
    for batch, following in pairwise(packed):
        chosen = [instructions[at] for at in batch.positions]
        assert wire(chosen, tables, fee) <= PACKET < wire([*chosen, instructions[following.positions[0]]], tables, fee)
    assert len(packed[0].positions) >= (13 if with_table else 8)


def test_nodes_of_a_table_travel_together() -> None:
    """Two tables hold the nodes alternately: no transaction names both, and the first node stays in the first one."""
    odd, even = table(*range(1, 21, 2)), table(*range(2, 21, 2))
    instructions = [booking(number) for number in range(1, 21)]
    packed = Packer(PROGRAM, PAYER.pubkey()).pack(instructions, lambda at: ((odd, even)[at % 2],))
    assert [batch.tables for batch in packed] == [(odd,), (even,)]
    assert [at for batch in packed for at in batch.positions] == [*range(0, 20, 2), *range(1, 20, 2)]
    assert all(wire([instructions[at] for at in batch.positions], batch.tables) <= PACKET for batch in packed)


def test_a_table_with_only_the_common_accounts_helps() -> None:
    instructions = [booking(number) for number in range(1, 21)]
    packer, common = Packer(PROGRAM, PAYER.pubkey()), table()
    bare, helped = packer.pack(instructions), packer.pack(instructions, lambda _: (common,))
    assert len(helped[0].positions) > len(bare[0].positions)


def test_what_runs_and_computes_is_limited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instructions of few bytes are split before more run than the runtime allows, or more computing is asked for."""
    small = Instruction(PROGRAM.id, booking(1).data, [AccountMeta(PAYER.pubkey(), True, True)])
    packer = Packer(PROGRAM, PAYER.pubkey())
    # What runs is counted: the booking, the system program's new account, the event; and the budget's two.
    count = len(packer.pack([small] * 30)[0].positions)
    assert 2 + 3 * count <= MAX_TRACE < 2 + 3 * (count + 1)
    monkeypatch.setattr(budget, "MARGIN_UNITS", 150_000)
    fewer = len(packer.pack([small] * 30)[0].positions)
    assert fewer < count
    assert MAX_UNITS - 200_000 < sum_of(fewer) < MAX_UNITS <= sum_of(fewer + 1)


def sum_of(count: int) -> int:
    """Compute units that this many bookings ask for, not cut at the limit."""
    each = budget.measured()["add_lease"] * budget.MARGIN_PERCENT // 100 + budget.MARGIN_UNITS
    return count * each + budget.OVERHEAD


def test_accounts_that_one_transaction_may_lock() -> None:
    """Many accounts of a lookup table take one byte each, but each is locked."""
    keys = [Pubkey(bytes([number + 1] * 32)) for number in range(120)]
    lookup = (AddressLookupTableAccount(Keypair().pubkey(), keys),)
    wide = [
        Instruction(Pubkey(bytes(range(32))), b"", [AccountMeta(key, False, True) for key in keys[at : at + 20]])
        for at in range(0, 120, 20)
    ]
    packed = Packer(PROGRAM, PAYER.pubkey()).pack(wide, lambda _: lookup)
    assert [len(batch.positions) for batch in packed] == [3, 3]


def test_nothing_and_one() -> None:
    packer = Packer(PROGRAM, PAYER.pubkey())
    assert packer.pack([]) == []
    assert [batch.positions for batch in packer.pack([booking(1)])] == [(0,)]
    assert [batch.positions for batch in packer.pack([booking(1), booking(2)], positions=[1])] == [(1,)]
