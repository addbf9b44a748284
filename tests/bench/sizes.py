"""Bytes: programs, accounts, events, transactions as a renter and a supplier send them."""

from __future__ import annotations

from bench.figures import Figures, count
from ionet import budget
from ionet.booking import common_accounts
from ionet.generated.classes import CLASSES
from ionet.planner import Packer
from ionet.program import PROGRAM
from ionet.wallet import compile_message
from program import calls
from program.chain import ARTIFACTS, who
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.world import H100, HOUR
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

PROGRAM_TARGET = 450_000
ACCOUNT_TARGETS = {"Lease": 640, "Node": 900}
# More nodes than fit into one transaction.
MANY = 32


def measure() -> Figures:
    return {**_programs(), **_accounts(), **_transactions()}


def _programs() -> Figures:
    sizes = {name: (ARTIFACTS / f"{name}.so").stat().st_size for name in ("ionet", "price_poster")}
    targets = {"ionet": PROGRAM_TARGET}
    return {f"size.program.{n}": count("sizes", size, "bytes", target=targets.get(n)) for n, size in sizes.items()}


def _accounts() -> Figures:
    found: Figures = {}
    for item in PROGRAM.codec.idl.accounts:
        size = PROGRAM.codec.account_size(CLASSES[item.name])
        assert size is not None, f"{item.name} has no fixed size"
        found[f"size.account.{item.name}"] = count("sizes", size, "bytes", target=ACCOUNT_TARGETS.get(item.name))
    return found


def _transactions() -> Figures:
    renter, device = who("renter"), who("device")
    cluster = ClusterRef(renter, 0, who("session"))
    leases = [LeaseRef(NodeRef(who("owner"), who(f"device {n}")), cluster, 0) for n in range(MANY)]
    bookings = [calls.add_lease(lease, H100, HOUR).instruction for lease in leases]
    proof = calls.append_proof(LeaseRef(NodeRef(who("owner"), device), cluster, 0), 0, 600).instruction
    opening = calls.open_cluster(cluster, 1, 1).instruction
    packer = Packer(PROGRAM, renter.pubkey())
    common = common_accounts(bookings)
    table = AddressLookupTableAccount(who("table").pubkey(), [*common, *(lease.node.key for lease in leases)])
    together = len(packer.pack(bookings)[0].positions)
    [with_table, *_] = packer.pack(bookings, lambda _: (table,))
    full = [bookings[at] for at in with_table.positions]
    return {
        "size.transaction.open_cluster": count("sizes", _size(renter, [opening]), "bytes"),
        "size.transaction.book_one_node": count("sizes", _size(renter, bookings[:1]), "bytes"),
        "size.transaction.book_three_nodes": count("sizes", _size(renter, bookings[:3]), "bytes"),
        "size.transaction.append_proof": count("sizes", _size(device, [proof]), "bytes"),
        "nodes_per_booking_transaction": count("sizes", together, "nodes", higher=True),
        "nodes_per_booking_transaction_with_table": count("sizes", len(full), "nodes", higher=True),
        "size.transaction.booking_with_table_per_node": count(
            "sizes", round(packer.size(full, with_table.tables) / len(full)), "bytes"
        ),
    }


def _size(payer: Keypair, instructions: list[Instruction]) -> int:
    """Bytes on the wire as the client sends it, without a priority fee."""
    limit = budget.from_table(PROGRAM, instructions)
    assert limit is not None
    message = compile_message(payer.pubkey(), budget.with_budget(instructions, limit, 0), Hash.default())
    return len(bytes(VersionedTransaction(message, [payer])))
