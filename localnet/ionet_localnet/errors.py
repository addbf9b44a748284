"""Exceptions of the local chain. The first line of a class's docstring is its message.

None of them knows the client. `ionet` prints whatever has an `exit_code` as one line, and exits with it.
"""

from __future__ import annotations

from typing import Any


class LocalnetError(Exception):
    """the local chain could not do that"""

    exit_code = 1

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(detail)

    @classmethod
    def message(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    def __str__(self) -> str:
        return f"{self.message()}: {self.detail}" if self.detail else self.message()


class NoChain(LocalnetError):
    """the local chain cannot be reached"""

    exit_code = 4


class CannotListen(LocalnetError):
    """cannot listen"""


class InvalidSetting(LocalnetError):
    """invalid input"""


class JournalCorrupt(LocalnetError):
    """the ledger's journal is damaged before its end and cannot be replayed"""


class LedgerMismatch(LocalnetError):
    """the ledger does not belong to this chain"""


class LedgerBusy(LocalnetError):
    """another process has this ledger open"""


class GenesisError(LocalnetError):
    """a program or account of the first block cannot be used"""


class ForkError(LocalnetError):
    """the chain cannot be rolled back that far"""


class TransactionRefused(LocalnetError):
    """the transaction did not land

    Nothing was charged and nothing changed. `error` has the shape of `err` in Solana's JSON-RPC: a name, or an object
    with one key.
    """

    def __init__(self, error: str | dict[str, Any], logs: list[str] | None = None) -> None:
        super().__init__(describe(error))
        self.error = error
        self.logs = logs or []


# Display strings of Agave's TransactionError and InstructionError; clients match on some of them.
_TRANSACTION_ERRORS = {
    "AccountInUse": "Account in use",
    "AccountLoadedTwice": "Account loaded twice",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "SignatureFailure": "Transaction did not pass signature verification",
    "InvalidProgramForExecution": "This program may not be used for executing instructions",
    "SanitizeFailure": "Transaction failed to sanitize accounts offsets correctly",
    "AddressLookupTableNotFound": "Transaction loads an address table account that doesn't exist",
    "InvalidAddressLookupTableOwner": "Transaction loads an address table account with an invalid owner",
    "InvalidAddressLookupTableData": "Transaction loads an address table account with invalid data",
    "InvalidAddressLookupTableIndex": "Transaction address table lookup uses an invalid index",
}


def describe(error: str | dict[str, Any]) -> str:
    """The sentence Agave prints for a transaction error given in JSON form."""
    if isinstance(error, str):
        return _TRANSACTION_ERRORS.get(error, error)
    kind, detail = next(iter(error.items()))
    if kind == "InstructionError":
        index, inner = detail
        if isinstance(inner, dict) and "Custom" in inner:
            inner = f"custom program error: {inner['Custom']:#x}"
        return f"Error processing Instruction {index}: {inner}"
    if kind == "InsufficientFundsForRent":
        return f"Transaction results in an account ({detail['account_index']}) with insufficient funds for rent"
    return f"{kind}: {detail}"
