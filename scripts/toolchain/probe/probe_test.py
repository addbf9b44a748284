"""Runs probe.so in LiteSVM: token CPI, events, error codes, panics, 128-bit arithmetic.

Use: probe_test.py PROBE.so (needs solders). Exits with an assertion error when the compiler cannot be trusted.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.token import ID as TOKEN
from solders.token.state import Mint, TokenAccount, TokenAccountState
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

PROGRAM = Pubkey.from_string("E2BJE8WXAe7fLnW1ekVGg75udBFfWefNUsvPNcaKwLMm")
EVENT_TAG = hashlib.sha256(b"anchor:event").digest()[7::-1]
MAX = 2**64 - 1


class Probe:
    """A chain with the probe, a mint, and the renter's funded token account."""

    def __init__(self, program: bytes) -> None:
        self.svm = LiteSVM()
        self.svm.add_program(PROGRAM, program)
        self.renter = Keypair()
        self.svm.airdrop(self.renter.pubkey(), 10**10)
        self.mint, self.source = Pubkey.new_unique(), Pubkey.new_unique()
        self.put(self.mint, bytes(Mint(None, 10**12, 6, True, None)))
        owner, state = self.renter.pubkey(), TokenAccountState.Initialized
        self.put(self.source, bytes(TokenAccount(self.mint, owner, 10**9, None, state, None, 0, None)))
        self.lease = self.pda(b"lease", bytes(owner))
        self.vault = self.pda(b"vault", bytes(self.lease))

    def put(self, address: Pubkey, data: bytes) -> None:
        self.svm.set_account(address, Account(10**9, data, TOKEN, False, 0))

    def pda(self, *seeds: bytes) -> Pubkey:
        return Pubkey.find_program_address(list(seeds), PROGRAM)[0]

    def call(self, name: str, data: bytes, *accounts: AccountMeta) -> TransactionMetadata | str:
        """The transaction's record, or its error."""
        self.svm.expire_blockhash()
        blockhash, payer = self.svm.latest_blockhash(), self.renter.pubkey()
        data = hashlib.sha256(f"global:{name}".encode()).digest()[:8] + data
        instruction = Instruction(PROGRAM, data, [AccountMeta(payer, True, True), *accounts])
        message = Message.new_with_blockhash([instruction], payer, blockhash)
        result = self.svm.send_transaction(Transaction([self.renter], message, blockhash))
        return str(result.err()) if isinstance(result, FailedTransactionMetadata) else result

    def move(self, name: str, amount: int) -> TransactionMetadata | str:
        """`open` or `refund` of an amount."""
        write, read = [self.lease, self.source, self.vault], [TOKEN, self.pda(b"__event_authority"), PROGRAM]
        order = [
            self.lease,
            self.mint,
            self.source,
            self.vault,
            TOKEN,
            *([SYSTEM] if name == "open" else []),
            *read[1:],
        ]
        return self.call(name, struct.pack("<Q", amount), *(AccountMeta(key, False, key in write) for key in order))

    def held(self) -> int:
        account = self.svm.get_account(self.vault)
        assert account is not None
        return TokenAccount.from_bytes(account.data).amount

    def compute(self, kind: int, a: int, b: int) -> int | None:
        """None when the transaction failed."""
        result = self.call("compute", struct.pack("<BQQ", kind, a, b))
        return None if isinstance(result, str) else int.from_bytes(result.return_data().data, "little")


def events(result: TransactionMetadata | str) -> int:
    """How many CPI events a transaction carried."""
    assert not isinstance(result, str), result
    inner = [bytes(item.instruction().data) for group in result.inner_instructions() for item in group]
    return sum(data.startswith(EVENT_TAG) for data in inner)


def quotient(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


# kind, a, b, answer (None: the transaction must fail)
CASES: list[tuple[int, int, int, int | None]] = [
    (0, 1, 2, 3), (0, MAX, 1, None), (1, 5, 3, 2), (1, 1, 2, None), (2, 9, 3, 9), (2, 9, 4, None),
    (3, 1, 0, 1), (3, 1, 1, None), (4, 10, 3, 3), (4, 1, 0, None),
    (5, 2**20, 2**24 + 1, 2**40 * (2**24 + 1) & MAX), (5, MAX, MAX, None),
    (6, 5, 40, quotient(5 - 40, 7) & MAX), (6, 100, 30, 10), (6, 0, MAX, quotient(-MAX, 7) & MAX),
    (7, MAX, MAX, 1), (7, MAX, 3, 0), (8, 12345, 0, -345 & MAX), (9, 22, 7, 3),
    (10, 3, 70, ((3 << 70) ^ ((3 << 70) >> 64)) & MAX),
    (11, 10**18, 10**19, (10**37 // 7 + 13 * 10**18 % 97 + 10**19) & MAX), (12, 1, 1, None),
]  # fmt: skip


def main(path: Path) -> None:
    probe = Probe(path.read_bytes())
    assert events(probe.move("open", 5_000_000)) == 1
    assert probe.held() == 5_000_000
    assert events(probe.move("refund", 2_000_000)) == 1
    assert probe.held() == 3_000_000
    assert "6001" in str(probe.move("refund", 9_000_000))
    assert probe.held() == 3_000_000
    for kind, a, b, answer in CASES:
        got = probe.compute(kind, a, b)
        assert got == answer, (kind, a, b, got, answer)
    print(f"probe: escrow, refund, events and {len(CASES)} computations and panics are right")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
