"""Lookup tables of the wallet: made for what it books often, found again, closed for their rent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from ionet import base58
from ionet import lookup_tables as tables
from ionet.api.base import RoleApi
from ionet.errors import InstructionFailed, InvalidInput, RpcError
from ionet.executor import Bulk, Progress, Stopped, send_all
from ionet.lookup_tables import COOLDOWN_BLOCKS, MAX_ADDRESSES, Table
from ionet.planner import Packer

# Newest finalized slots looked at for blocks that a table's address can be made of; of 512 that would do.
_RECENT_SLOTS = 400
_LOOK_EVERY_SECS = 0.1
# A table is usable a slot after it was written; a chain that makes no block for this long is not waited for.
_PATIENCE_SECS = 30.0


@dataclass
class Closing:
    """closed: tables that are gone, their rent paid back. cooling: the others, and the slots until they can be."""

    closed: list[Pubkey] = field(default_factory=list)
    cooling: dict[Pubkey, int] = field(default_factory=dict)


class TableApi(RoleApi):
    async def get(self, keys: Sequence[Pubkey]) -> list[Table | None]:
        """Tables in the order of the keys; None where there is none."""
        accounts = await self._chain.rpc.accounts(keys)
        return [tables.read(key, account) for key, account in zip(keys, accounts, strict=True)]

    async def all(self, authority: Pubkey | None = None) -> list[Table]:
        """Every table of an authority, by default the wallet, deactivated ones too. Not every node answers this."""
        owner = authority or self._chain.address
        match = [(tables.AUTHORITY_OFFSET, base58.encode(bytes(owner)))]
        accounts = await self._chain.rpc.program_accounts(tables.PROGRAM, match)
        found = [tables.read(key, account) for key, account in accounts]
        return sorted((table for table in found if table is not None), key=lambda table: bytes(table.key))

    async def make(
        self, addresses: Iterable[Pubkey], *, common: Sequence[Pubkey] = (), progress: Progress | None = None
    ) -> list[Pubkey]:
        """New tables that hold the addresses, each table also the common ones; returns them once they can be used.

        The wallet pays their rent, about 0.058 SOL for a full one, and gets it back with `close`.
        progress: called with the number of transactions that landed, and of all. Raises what the chain refuses.
        """
        wanted = list(dict.fromkeys(addresses))
        room = MAX_ADDRESSES - len(common)
        if room < 1:
            raise InvalidInput(f"{len(common)} common addresses leave no room in a table of {MAX_ADDRESSES}")
        parts = [[*common, *wanted[start : start + room]] for start in range(0, len(wanted), room)]
        owner = self._chain.address
        slots = await self._recent_slots(len(parts))
        keys = [tables.address(owner, slot)[0] for slot in slots]
        packer = Packer(self._chain.program, owner, self._chain.max_priority_fee)
        filling = [item for key, part in zip(keys, parts, strict=True) for item in tables.extensions(packer, key, part)]
        await send_all(self._chain, [tables.create(owner, slot) for slot in slots])
        await send_all(self._chain, filling, progress=progress)
        await self.wait_usable(await self.get(keys))
        return keys

    async def _recent_slots(self, count: int) -> list[int]:
        """Slots of this many finalized blocks that no table of the wallet was made with; waits for more blocks."""
        rpc = self._chain.rpc
        async with asyncio.timeout(_PATIENCE_SECS + count):
            while True:
                newest = await rpc.finalized_slot()
                slots = (await rpc.finalized_blocks(max(0, newest - _RECENT_SLOTS), newest))[::-1]
                taken = await rpc.accounts([tables.address(self._chain.address, slot)[0] for slot in slots])
                free = [slot for slot, account in zip(slots, taken, strict=True) if account is None]
                if len(free) >= count:
                    return free[:count]
                await asyncio.sleep(_LOOK_EVERY_SECS)

    async def wait_usable(self, found: Sequence[Table | None]) -> int:
        """Until the chain is past the slots in which these tables were extended; returns the slot."""
        newest = max((table.last_extended_slot for table in found if table is not None), default=-1)
        for _ in range(int(_PATIENCE_SECS / _LOOK_EVERY_SECS)):
            slot = await self._chain.rpc.slot()
            if slot > newest:
                return slot
            await asyncio.sleep(_LOOK_EVERY_SECS)
        raise RpcError(f"{self._chain.rpc.url} has made no block after slot {newest} in {_PATIENCE_SECS:.0f} s")

    async def close(self, keys: Sequence[Pubkey], *, recipient: Pubkey | None = None) -> Closing:
        """Bring the wallet's tables one step nearer to closed: deactivate active ones, close those that have cooled.

        recipient: gets the rent, by default the wallet. A table of somebody else raises InvalidInput.
        """
        owner, done = self._chain.address, Closing()
        found = [table for table in await self.get(keys) if table is not None]
        foreign = [str(table.key) for table in found if table.authority != owner]
        if foreign:
            raise InvalidInput(f"{owner} is not the authority of table {', '.join(foreign)}")
        slot = await self._chain.rpc.slot()
        starting = [table for table in found if table.active]
        steps = [tables.deactivate(table.key, owner) for table in starting]
        done.cooling = {table.key: COOLDOWN_BLOCKS for table in starting}
        cooled = []
        for table in found:
            left = table.deactivation_slot + COOLDOWN_BLOCKS - slot
            if table.active or left > 0:
                done.cooling.setdefault(table.key, left)
            else:
                cooled.append(table.key)
        steps += [tables.close(key, owner, recipient or owner) for key in cooled]

        async def judge(at: int, error: InstructionFailed) -> InstructionFailed | None:
            # Where slots were skipped fewer blocks have gone by than slots: it is still too early.
            return error if at >= len(starting) else None

        try:
            delivery = await Bulk(self._chain, steps, judge=judge).run()
        except Stopped as stopped:
            raise stopped.cause from None
        for at, key in enumerate(cooled, len(starting)):
            if at in delivery.left_out:
                done.cooling[key] = 1
            else:
                done.closed.append(key)
        return done
