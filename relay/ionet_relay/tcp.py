"""TCP by server name: brings a caller and the agent of the node it names together. TLS ends in the agent."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Collection, Hashable
from dataclasses import dataclass

from ionet import relay_wire as messages
from ionet.errors import InvalidInput
from ionet.relay_name import node_of
from ionet.relay_wire import (
    PING_SECS,
    TOKEN_LEN,
    Hello,
    Login,
    Measure,
    Message,
    Open,
    Ping,
    Refused,
    Welcome,
    decode,
    encode,
    login_message,
)
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet_relay import metrics
from ionet_relay.crowd import Crowd
from ionet_relay.keys import ChainSilent, NodeKeys
from ionet_relay.limits import Limits
from ionet_relay.link import INTERNAL_ERROR, UNKNOWN_NAME, Link
from ionet_relay.measuring import Measuring
from ionet_relay.shares import Shares

_LOGIN_SECS = 20.0
_SWEEP_SECS = 1.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Control:
    """An agent's control connection. node: None until it is logged in. heard: when it last said something."""

    link: Link
    nonce: bytes
    node: Pubkey | None = None
    key: Pubkey | None = None
    heard: float = 0.0
    pinged: float = 0.0
    checked: float = 0.0
    login: asyncio.Task[None] | None = None

    def send(self, message: Message) -> None:
        if not self.link.transport.is_closing():
            self.link.transport.write(encode(message))


@dataclass(slots=True)
class Caller:
    """Who asked for a node. It counts until it has left and its agent has been answered, whichever is later: or else
    one that comes and goes could have an agent dial for ever."""

    link: Link
    node: Pubkey
    awaited: bool = True
    here: bool = True

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """What it counts towards."""
        return self.node, self.link.host, (self.node, self.link.host)


class TcpRelay:
    """Owner of all links. names: what agents call this relay, HOST:PORT."""

    def __init__(self, keys: NodeKeys, shares: Shares, limits: Limits, names: Collection[str]) -> None:
        self._keys, self._shares, self._limits, self._names = keys, shares, limits, frozenset(names)
        self._strangers = Crowd(limits.strangers, limits.strangers_of_address)
        self._speaking: dict[Link, Control] = {}
        self._agents: dict[Pubkey, Control] = {}
        self._callers: dict[Link, Caller] = {}  # waiting or in a pair
        self._counts: Counter[Hashable] = Counter()
        self._waiting: dict[str, Caller] = {}
        self._measures: dict[str, Pubkey] = {}
        self._measured: dict[Pubkey, float] = {}
        self._pairs: dict[Link, float] = {}  # a caller's link → when something was last carried
        self._checking: set[asyncio.Task[None]] = set()

    # -- what links say

    def arrived(self, link: Link) -> bool:
        evicted = self._strangers.enter(link)
        if evicted is not None:
            metrics.EVICTED.inc()
            evicted.drop()
        link.within(self._limits.hello_secs)
        return True

    def called(self, link: Link, name: str) -> None:
        self._strangers.leave(link)
        try:
            node = node_of(name)
        except InvalidInput:
            self._refuse(link, "no_name", UNKNOWN_NAME)
            return
        agent, caller = self._agents.get(node), Caller(link, node)
        if agent is None:
            self._refuse(link, "unknown_node", UNKNOWN_NAME)
        elif not self._has_room(caller):
            self._refuse(link, "too_many", INTERNAL_ERROR)
        else:
            token = secrets.token_hex(TOKEN_LEN // 2)
            self._callers[link] = self._waiting[token] = caller
            self._counts.update(caller.groups)
            link.within(None)
            asyncio.get_running_loop().call_later(self._limits.dial_secs, self._give_up, token)
            agent.send(Open(token, link.host))

    def _has_room(self, new: Caller) -> bool:
        """Whether there is room for it, if need be in the place of one of an address that holds more."""
        limits, (node, host, pair) = self._limits, new.groups
        if self._counts[host] >= limits.callers_of_address or self._counts[pair] >= limits.callers_of_address_and_node:
            return False
        if self._counts[node] >= limits.callers_of_node and not self._evict(new, of_node=True):
            return False
        return len(self._callers) < limits.callers or self._evict(new, of_node=False)

    def _evict(self, new: Caller, *, of_node: bool) -> bool:
        """End the oldest pair of the address that holds most, of this node or in all; False when the newcomer's would
        then hold more. Those whose agent still dials would count on."""

        def held(caller: Caller) -> int:
            _, host, pair = caller.groups
            return self._counts[pair if of_node else host]

        ended = (one for one in self._callers.values() if not one.awaited and (one.node == new.node or not of_node))
        most = max(ended, key=held, default=None)
        if most is None or held(most) <= held(new) + 1:
            return False
        metrics.CALLS.labels("evicted").inc()
        self.left(most.link)
        most.link.drop()
        return True

    def _taken(self, token: str) -> Caller | None:
        """The caller that a token is for, once."""
        caller = self._waiting.pop(token, None)
        if caller is not None:
            caller.awaited = False
            self._release(caller)
        return caller

    def _release(self, caller: Caller) -> None:
        if not caller.awaited and not caller.here:
            self._counts.subtract(caller.groups)
            for group in caller.groups:
                if self._counts[group] <= 0:
                    del self._counts[group]

    def _give_up(self, token: str) -> None:
        caller = self._taken(token)
        if caller is not None and caller.here:
            self._refuse(caller.link, "not_dialled", INTERNAL_ERROR)

    def _refuse(self, link: Link, outcome: str, alert: int) -> None:
        metrics.CALLS.labels(outcome).inc()
        link.refuse(alert)

    def dialled(self, link: Link, token: str) -> None:
        self._strangers.leave(link)
        measured = self._measures.pop(token, None)
        if measured is not None:
            Measuring(link, measured, self._shares)
            return
        caller = self._taken(token)
        if caller is None or not caller.here or caller.link.transport.is_closing():
            link.drop()
            return
        metrics.CALLS.labels("joined").inc()
        self._pairs[caller.link] = time.monotonic()
        metrics.PAIRS.set(len(self._pairs))
        link.join(caller.link, caller.node)

    def carried(self, link: Link, size: int) -> bool:
        metrics.BYTES.labels("tcp").inc(size)
        caller = link if link in self._pairs else link.other
        if caller in self._pairs:
            self._pairs[caller] = time.monotonic()
        node = link.node
        assert node is not None
        if self._shares.spend(node, size):
            return True
        self._shares.wait(node, lambda: link.resume("share"))
        return False

    def left(self, link: Link) -> None:
        self._strangers.leave(link)
        control = self._speaking.pop(link, None)
        if control is not None:
            if control.login is not None:
                control.login.cancel()
            if control.node is not None and self._agents.get(control.node) is control:
                del self._agents[control.node]
                metrics.NODES.set(len(self._agents))
        caller = self._callers.pop(link, None)
        if caller is not None:
            self._pairs.pop(link, None)
            metrics.PAIRS.set(len(self._pairs))
            caller.here = False
            self._release(caller)

    # -- agents

    def controls(self, link: Link) -> None:
        control = self._speaking[link] = Control(link, secrets.token_bytes(32))
        control.send(Hello(control.nonce.hex()))

    def said(self, link: Link, line: bytes) -> None:
        control = self._speaking[link]
        control.heard = time.monotonic()
        try:
            message = decode(line)
        except InvalidInput:
            link.drop()
            return
        if isinstance(message, Login) and control.login is None:
            # It stays one of the strangers until the chain has told who it is.
            link.within(_LOGIN_SECS)
            control.login = asyncio.get_running_loop().create_task(self._log_in(control, message))
        elif isinstance(message, Measure) and control.node is not None:
            self._measure(control, control.node)
        elif not isinstance(message, Ping) or control.node is None:
            link.drop()

    def _measure(self, control: Control, node: Pubkey) -> None:
        if control.heard - self._measured.get(node, -self._limits.measure_secs) < self._limits.measure_secs:
            return
        self._measured[node] = control.heard
        token = secrets.token_hex(TOKEN_LEN // 2)
        self._measures[token] = node
        asyncio.get_running_loop().call_later(self._limits.dial_secs, self._measures.pop, token, None)
        control.send(messages.Measuring(token))

    async def _log_in(self, control: Control, login: Login) -> None:
        refusal = await self._refusal(control, login)
        if refusal is None and len(self._agents) >= self._limits.nodes and control.node not in self._agents:
            refusal = "busy"
        metrics.LOGINS.labels(refusal or "welcome").inc()
        if refusal is not None:
            control.node = None
            control.send(Refused(refusal))
            control.link.close()
            return
        assert control.node is not None
        self._strangers.leave(control.link)
        control.link.within(None)
        control.heard = control.pinged = control.checked = time.monotonic()
        earlier = self._agents.get(control.node)
        self._agents[control.node] = control
        metrics.NODES.set(len(self._agents))
        if earlier is not None:  # its network has changed, and the old connection may be dead without a word
            earlier.send(Refused("replaced"))
            earlier.link.close()
        control.send(Welcome(measures=True))

    async def _refusal(self, control: Control, login: Login) -> str | None:
        try:
            node, key = Pubkey.from_string(login.node), Pubkey.from_string(login.key)
            signature = Signature.from_bytes(bytes.fromhex(login.signature))
        except ValueError:
            return "bad_login"
        if not any(signature.verify(key, login_message(name, control.nonce, node)) for name in self._names):
            return "bad_login"
        try:
            found = await self._keys.device_key(node)
            if found != key:  # it may have been rotated a moment ago
                found = await self._keys.device_key(node, fresh_secs=1.0)
        except ChainSilent:
            return "chain_silent"
        if found != key:
            return "unknown_key"
        control.node, control.key = node, key
        return None

    async def run(self) -> None:
        """Keep connections alive and close what is over, for as long as the relay runs."""
        while True:
            await asyncio.sleep(_SWEEP_SECS)
            now = time.monotonic()
            for control in list(self._agents.values()):
                self._watch(control, now)
            for node, measured in list(self._measured.items()):
                if now - measured > self._limits.measure_secs:
                    del self._measured[node]
            for link, carried in list(self._pairs.items()):
                if now - carried > self._limits.idle_secs:
                    link.close()

    def _watch(self, control: Control, now: float) -> None:
        if now - control.heard > 3 * PING_SECS:
            control.link.drop()
        elif now - control.pinged >= PING_SECS:
            control.pinged = now
            control.send(Ping())
        if now - control.checked >= self._limits.recheck_secs:
            control.checked = now
            task = asyncio.get_running_loop().create_task(self._check(control))
            self._checking.add(task)
            task.add_done_callback(self._checking.discard)

    async def _check(self, control: Control) -> None:
        """Whether the chain still names the key that logged in."""
        assert control.node is not None
        try:
            key = await self._keys.device_key(control.node)
        except ChainSilent:
            return
        if key != control.key:
            control.send(Refused("unknown_key"))
            control.link.close()
