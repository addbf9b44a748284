"""What has changed on the chain, from the program's newest transactions; a comparison of everything heals the rest."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque

from ionet.duties.reading import all_versions
from ionet.errors import RpcError, RpcUnreachable
from ionet.program import Program
from ionet.rpc import Rpc
from solders.message import VersionedMessage
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

# Transactions read in one look; with more it is cheaper to compare everything.
MOST, AT_ONCE = 400, 16
# This many of the newest are asked for again each time: a node may list some late.
OVERLAP = 20
_log = logging.getLogger(__name__)


class Everything:
    """Every account of the program: what its transactions have written since the last look."""

    vaults = True

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: deque[Signature] = deque(maxlen=MOST + OVERLAP)

    async def start(self, rpc: Rpc) -> None:
        """From now on."""
        await self._new(rpc, OVERLAP)

    async def changed(self, rpc: Rpc) -> set[Pubkey] | None:
        """None when too much has happened to be read one by one."""
        new, more = await self._new(rpc, MOST)
        if more:
            return None
        keys: set[Pubkey] = set()
        for start in range(0, len(new), AT_ONCE):
            for some in await asyncio.gather(*(self._written(rpc, each) for each in new[start : start + AT_ONCE])):
                keys |= some
        return keys

    async def versions(self, rpc: Rpc) -> dict[Pubkey, bytes]:
        return await all_versions(rpc, self._program)

    async def _new(self, rpc: Rpc, limit: int) -> tuple[list[Signature], bool]:
        """Those that are not known, and whether there may be more."""
        known = set(self._known)
        until = self._known[-OVERLAP] if len(self._known) >= OVERLAP else None
        found, more = await rpc.newest_signatures(self._program.id, until=until, limit=limit)
        new = [signature for signature in found if signature not in known]
        self._known.extend(reversed(new))
        return new, more

    async def _written(self, rpc: Rpc, signature: Signature) -> set[Pubkey]:
        """The accounts that a transaction could write; none where it cannot be read (see `heal_secs`)."""
        try:
            answer = await rpc.transaction(signature)
        except RpcUnreachable:
            raise
        except RpcError as error:
            _log.warning("transaction %s is left out: %s", signature, error, extra={"action": "left_out"})
            return set()
        if answer is None:
            # The node lists it and does not have it yet: the next look asks again.
            with contextlib.suppress(ValueError):
                self._known.remove(signature)
            return set()
        encoded = answer.transaction
        if not isinstance(encoded.transaction, VersionedTransaction):
            return set()
        message = encoded.transaction.message
        loaded = encoded.meta.loaded_addresses if encoded.meta else None
        return {*_writable(message), *(loaded.writable if loaded is not None else ())}


def _writable(message: VersionedMessage) -> list[Pubkey]:
    """Of a message's own keys those that can be written: first signers, then the others, of each the readonly last."""
    keys, header = message.account_keys, message.header
    signers = header.num_required_signatures
    first = keys[: signers - header.num_readonly_signed_accounts]
    return [*first, *keys[signers : len(keys) - header.num_readonly_unsigned_accounts]]
