"""docs/write-sets.md says what the IDL says: every instruction, its signers, its writable accounts."""

from __future__ import annotations

import re
from pathlib import Path

from ionet.idl import bundled

TABLE = Path(__file__).parents[2] / "docs" / "write-sets.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
SHARED = {"network", "model", "io_mint", "iosd_mint", "mint"}
ADMIN = {"init_network", "register_model", "set_model", "propose_model", "apply_model", "set_pause"}
GOVERNANCE = {"propose_params", "propose_role", "apply_pending", "decide_case"}
MINTS = {"mint_iosd", "mint_iosd_exact", "redeem_iosd", "buyback", "burn"}


def documented() -> dict[str, tuple[set[str], set[str]]]:
    return {name: (names(signers), names(writes)) for name, signers, writes in ROW.findall(TABLE.read_text())}


def names(cell: str) -> set[str]:
    return set() if cell == "anyone" else set(cell.split(", "))


def test_the_table_is_what_the_idl_says() -> None:
    actual = {
        instruction.name: (
            {account.name for account in instruction.accounts if account.signer},
            {account.name for account in instruction.accounts if account.writable},
        )
        for instruction in bundled().instructions
    }
    assert documented() == actual


def test_shared_accounts_are_written_only_where_they_must_be() -> None:
    writers = {name for name, (_, writes) in documented().items() if writes & SHARED}
    assert writers == ADMIN | GOVERNANCE | MINTS


def test_a_proof_writes_the_lease_alone() -> None:
    assert documented()["append_proof"][1] == {"lease"}
