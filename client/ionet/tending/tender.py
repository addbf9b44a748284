"""The loop: what has changed, what is due, what of it is done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable

from solders.pubkey import Pubkey

from ionet.duties.reading import Look, Sight
from ionet.errors import IonetError, RpcError, RpcUnreachable
from ionet.fees import BASE_FEE
from ionet.tending.agenda import Agenda
from ionet.tending.hands import Deed, Hands
from ionet.tending.manner import Interest, Manner, Source, Tally
from ionet.tending.nodes import Nodes
from ionet.tending.purse import Purse

TASKS_AT_ONCE = 64
# Accounts read before what they say is taken over.
READ_AT_ONCE = 1_000
_BALANCE_SECS, _STALE_SECS = 60.0, 120.0
_LONGEST_PAUSE, _ROUND_SECS = 30.0, 300.0
# A clock that goes back further than this was not the chain's.
_BACK_SECS = 60
_log = logging.getLogger(__name__)


class Tender:
    """One wallet that does what is due. Nothing is kept on disk: it starts from the chain, whenever it starts.

    key: the wallet's, which pays. salt: what its delays are drawn with, by default the key.
    """

    def __init__(
        self,
        manner: Manner,
        nodes: Nodes,
        key: Pubkey,
        source: Source,
        interest: Interest,
        *,
        tally: Tally | None = None,
        salt: bytes = b"",
    ) -> None:
        self._manner, self._nodes, self._key, self._source = manner, nodes, key, source
        self._tally = tally or Tally()
        self.agenda = Agenda(salt or bytes(key), manner.window, manner.habits)
        self.purse = Purse(manner.limits)
        self.look = Look(nodes.near, nodes.client.program, manner.habits)
        self._hands = Hands(nodes, self.agenda, self.purse, manner, interest, self._tally)
        self._versions: dict[Pubkey, bytes] = {}
        self._healed_at = self._asked_at = -1e9
        self._seen_at = time.monotonic()
        self.now = 0
        self.paused = False

    # -- the loop

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop. Nothing that the chain or a node says ends it."""
        failures = 0
        while not stop.is_set():
            try:
                async with asyncio.timeout(_ROUND_SECS):
                    await self.round()
                failures, pause = 0, self._pause()
            except TimeoutError:
                pause = 1.0
                self._trouble(RpcUnreachable(f"{self._nodes.client.rpc.url} (a look took {_ROUND_SECS:.0f} s)"))
            except IonetError as error:
                failures += 1
                pause = min(_LONGEST_PAUSE, 2.0 ** min(failures, 5) / 2)
                self._trouble(error)
            except Exception:
                # Whatever it was, the next round looks at everything again.
                failures, pause, self._healed_at = failures + 1, _LONGEST_PAUSE / 3, -1e9
                _log.exception("an error nobody expected", extra={"action": "unexpected"})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    def _trouble(self, error: IonetError) -> None:
        self._tally.count("rpc_errors")
        _log.warning("nothing done: %s", error, extra={"action": "no_answer"})
        if isinstance(error, RpcError):
            self._nodes.turn(str(error))
            self.look.rpc = self._nodes.near

    def _pause(self) -> float:
        due = None if self.paused else self.agenda.next_at()
        wait = self._manner.idle_secs if due is None else due - self.now
        return min(self._manner.idle_secs, max(self._manner.busy_secs, wait))

    async def round(self) -> list[Deed]:
        """Look once and do what is due. Raises IonetError where the chain did not answer."""
        if time.monotonic() - self._healed_at >= self._manner.heal_secs:
            await self.heal()
        else:
            try:
                changed = await self._source.changed(self._nodes.client.rpc)
                if changed is not None:
                    await self._take(changed)
            except BaseException:
                self._healed_at = -1e9  # what was new is not asked for again
                raise
            if changed is None:
                await self.heal()
        self._seen_at = time.monotonic()
        return await self.work()

    async def heal(self) -> None:
        """Compare everything: what was missed, wherever, is found here at the latest."""
        await self._source.start(self._nodes.client.rpc)
        # Read first: it learns which vaults there are.
        await self._take(())
        versions = await self._source.versions(self.look.rpc)
        vaults = self.look.vaults if self._source.vaults else {}
        versions |= dict.fromkeys(vaults, b"")
        self.agenda.drop(self.agenda.keys() - versions.keys())
        known = self.agenda.keys()
        seen = self._versions
        changed = [key for key, seq in versions.items() if key not in known or key in vaults or seen.get(key) != seq]
        self._versions = {key: seq for key, seq in self._versions.items() if key in versions}
        for start in range(0, len(changed), READ_AT_ONCE):
            await self._take(changed[start : start + READ_AT_ONCE])
        self._healed_at = time.monotonic()
        self._tally.count("heals")

    async def _take(self, keys: Iterable[Pubkey]) -> None:
        """Read accounts and take over what they say, and what follows for others."""
        wanted = set(keys)
        while True:
            sight = await self.look.read(wanted)
            related = self._note(sight)
            if not (wanted := related - wanted):
                return

    def _note(self, sight: Sight) -> set[Pubkey]:
        if sight.at.now < self.now - _BACK_SECS:
            # What a wrong clock made of everything is made again.
            self.agenda.forget_times()
            self._versions.clear()
            self._healed_at = -1e9
        self.now = sight.at.now
        if not self._nodes.note_slot(sight.at.slot):
            self.look.rpc = self._nodes.near
        self.agenda.drop(sight.gone)
        self.agenda.unread.update(sight.unread)
        related: set[Pubkey] = set()
        for key, seen in sight.seen.items():
            seq = getattr(seen.account, "seq", None)
            self._versions[key] = b"" if seq is None else seq.to_bytes(8, "little")
            related |= self.agenda.put(seen, self.look.noun(seen), sight.at)
        self._show(sight.at.slot)
        return related

    # -- work

    async def work(self) -> list[Deed]:
        """Do what is due. Tasks whose chain did not answer come again."""
        if not await self._may_spend():
            return []
        tasks = self.agenda.due(self.now, TASKS_AT_ONCE)
        if not tasks:
            return []
        try:
            deeds = await self._hands.act(self.look, tasks)
            await self._ask_balance()
        except BaseException:
            for task in tasks:
                self.agenda.again(task, self.now + 2)
            raise
        return deeds

    async def _may_spend(self) -> bool:
        if self.purse.balance is None or time.monotonic() - self._asked_at > _BALANCE_SECS:
            await self._ask_balance()
        paused = self.purse.is_low or self.purse.left < 2 * BASE_FEE
        if paused != self.paused:
            text = "too little SOL, or the hour's is spent: only watching" if paused else "sending again"
            _log.warning("%s (%s lamports)", text, self.purse.balance, extra={"action": "paused" if paused else "on"})
        self.paused = paused
        self._tally.show("paused", paused)
        return not paused

    async def _ask_balance(self) -> None:
        gone = self.purse.note(await self._nodes.near.balance(self._key))
        self._asked_at = time.monotonic()
        self._tally.show("balance", self.purse.balance or 0)
        self._tally.count("spent", max(0, gone))

    # -- how it is

    def _show(self, slot: int) -> None:
        self._tally.show("slot", slot)
        self._tally.show("unread", len(self.agenda.unread))
        self._tally.show("backing_off", self.agenda.backing_off)
        for noun, count in self.agenda.counts.items():
            self._tally.watched_of(noun, count)

    def trouble(self) -> str | None:
        """What is wrong, in a line; None when all is well."""
        silent = time.monotonic() - self._seen_at
        if silent > _STALE_SECS:
            return f"nothing was seen of the chain for {silent:.0f} s"
        if self.purse.is_low:
            return f"{self.purse.balance} lamports are too little: only watching"
        return None
