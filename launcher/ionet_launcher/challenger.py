"""Sends each metered node the session key's signature for the interval that runs: at its moment, by itself.

Steps say which meters run. Whatever a step waits for, and whatever other agents do, challenges go out from here.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence

from ionet.agent_api import AgentClient, Challenge
from ionet.agent_errors import AgentError, AgentUnreachable
from ionet.lease_view import LeaseView
from ionet.rules.challenges import sign_challenge
from ionet.rules.lease_time import interval_at, interval_end, interval_start
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher.calls import Calls
from ionet_launcher.review import Challenges

# How long an agent may take to answer: a third of an interval, within these.
_LEAST_SECS, _MOST_SECS = 0.5, 10.0
# Part of an interval in which its challenge is sent at the latest: the rest is for trying again.
_LATEST_PART = 0.7
# A challenge that was not taken is sent again after this part of the interval.
_AGAIN_PART, _AGAIN_SECS = 1 / 6, 0.25
_log = logging.getLogger(__name__)


class Challenger:
    """Challenges the leases it watches, as long as their meters run."""

    def __init__(self, session: Keypair, calls: Calls, memory: Challenges) -> None:
        self._session, self._calls, self._memory = session, calls, memory
        self._watched: dict[Pubkey, _Watched] = {}
        self._clusters: dict[Pubkey, set[Pubkey]] = {}

    async def aclose(self) -> None:
        tasks = [task for one in self._watched.values() if (task := one.stop()) is not None]
        self._watched.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    def watch(self, cluster: Pubkey, leases: Sequence[LeaseView], now: int) -> None:
        """From now on challenge exactly these leases of a cluster. now: the chain's time."""
        ahead = now - asyncio.get_running_loop().time()
        wanted = {lease.address: lease for lease in leases}
        for address in self._clusters.pop(cluster, set()) - wanted.keys():
            if (gone := self._watched.pop(address, None)) is not None:
                gone.stop()
        if wanted:
            self._clusters[cluster] = set(wanted)
        for address, lease in wanted.items():
            known = self._watched.get(address)
            if known is None:
                known = self._watched[address] = _Watched(lease, ahead)
            known.lease, known.ahead = lease, ahead
            self._arm(known)

    def _arm(self, one: _Watched, after: float = 0) -> None:
        """Have it called at the moment of the next interval that it has not answered, or `after` seconds from now."""
        if one.timer is not None:
            one.timer.cancel()
            one.timer = None
        if one.sending is not None:
            return  # it is armed again when that has ended
        loop = asyncio.get_running_loop()
        now = loop.time() + one.ahead
        interval = interval_at(one.lease, int(now))
        if interval is not None and self._memory.is_answered(one.lease.address, interval):
            interval = interval_at(one.lease, interval_end(one.lease, interval))
        if interval is None:
            self._watched.pop(one.lease.address, None)  # its meter has stopped
        else:
            moment = challenge_moment(self._session, one.lease, interval)
            one.timer = loop.call_later(max(moment - now, after, 0), self._due, one, interval)

    def _due(self, one: _Watched, interval: int) -> None:
        one.timer = None
        one.sending = asyncio.create_task(self._send(one, interval))

    async def _send(self, one: _Watched, interval: int) -> None:
        lease, after = one.lease, 0.0
        try:
            signature = sign_challenge(self._session, lease.address, interval).hex()
            challenge = Challenge(str(lease.address), interval, signature)
            within = min(max(lease.interval_secs / 3, _LEAST_SECS), _MOST_SECS)

            async def hand_over(agent: AgentClient) -> None:
                self._memory.called(lease.address, interval)
                try:
                    async with asyncio.timeout(within):
                        await agent.challenge(challenge)
                except TimeoutError:
                    raise AgentUnreachable(f"no answer within {within:g} s") from None

            await self._calls.answer(lease.node, "challenge", hand_over, (lease.address, interval))
        except AgentError as error:
            after = max(lease.interval_secs * _AGAIN_PART, _AGAIN_SECS)
            text = "challenge %d of %s: %s"
            _log.info(text, interval, lease.address, error, extra={"action": "challenge_lost"})
        else:
            self._memory.answered(lease.address, interval)
        finally:
            one.sending = None
        if self._watched.get(lease.address) is one:
            self._arm(one, after)


class _Watched:
    """A lease whose meter runs. ahead: seconds by which the chain's time is ahead of the loop's clock."""

    def __init__(self, lease: LeaseView, ahead: float) -> None:
        self.lease, self.ahead = lease, ahead
        self.timer: asyncio.TimerHandle | None = None
        self.sending: asyncio.Task[None] | None = None

    def stop(self) -> asyncio.Task[None] | None:
        """Returns what is being sent, told to end."""
        if self.timer is not None:
            self.timer.cancel()
        if self.sending is not None:
            self.sending.cancel()
        return self.sending


def challenge_moment(session: Keypair, lease: LeaseView, interval: int) -> float:
    """When an interval is challenged, unix seconds: in its first seven tenths, drawn by the session key.

    Only the session key knows it: a node that serves at some times only cannot choose them. The same in every process
    that holds the key, so a launcher that starts again draws no other moment.
    """
    drawn = hashlib.sha256(session.secret() + bytes(lease.address) + interval.to_bytes(8, "little")).digest()
    part = int.from_bytes(drawn[:8], "little") / 2**64
    start = interval_start(lease, interval)
    return start + _LATEST_PART * part * (interval_end(lease, interval) - start)
