"""Packets go between two addresses that have proved a node's key and name each other, and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import market
import pytest
from ionet.relay_wire import (
    COOKIE,
    COOKIE_LEN,
    HEADER_LEN,
    KNOCK_LEN,
    MAX_PACKET,
    PACKET,
    PING,
    PONG,
    REFUSAL,
    SESSION,
    UNKNOWN_KEY,
    Pass,
    Proof,
    knock,
)
from ionet_agent.overlay.leg import Leg, LegConfig, LegPeer
from relay.conftest import Place
from relay.place import Relay, free_port, killed_at_end
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from waiting import until

TAG = b"cluster".ljust(16, b"\0")
HOUR = 3600


@dataclass
class Member:
    """A socket with a key of its own that a node's device key has admitted."""

    machine: market.Machine
    relay: Relay
    key: Keypair = field(default_factory=Keypair)

    def __post_init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", self.relay.udp_port))

    async def receive(self, within: float = 20) -> bytes:
        async with asyncio.timeout(within):
            return await asyncio.get_running_loop().sock_recv(self.socket, 2048)

    async def hears_nothing(self) -> bool:
        try:
            await self.receive(0.5)
        except TimeoutError:
            return True
        return False

    async def ask(self, packet: bytes) -> bytes:
        self.socket.send(packet)
        return await self.receive()

    async def cookie(self) -> bytes:
        answer = await self.ask(knock())
        assert answer[0] == COOKIE
        return answer[1:]

    def proof(self, cookie: bytes, peer: Pubkey, *, device: Keypair | None = None, until: int = HOUR) -> Proof:
        device = device or self.machine.device
        admission = Pass.issue(device, self.machine.address, self.key.pubkey(), int(time.time()) + until)
        return Proof.sign(self.relay.udp, cookie, admission, peer, TAG, self.key)

    async def enter(self, peer: market.Machine) -> bytes:
        """The session's id."""
        answer = await self.ask(self.proof(await self.cookie(), peer.address).encode())
        assert answer[0] == SESSION
        return answer[1:HEADER_LEN]


@contextlib.contextmanager
def members(*machines: market.Machine, relay: Relay) -> Iterator[list[Member]]:
    made = [Member(machine, relay) for machine in machines]
    try:
        yield made
    finally:
        for each in made:
            each.socket.close()


async def test_two_that_name_each_other_exchange_packets(place: Place) -> None:
    with members(place.one, place.two, relay=place.relay) as (one, two):
        mine = await one.enter(place.two)
        assert (await one.ask(bytes([PING]) + mine + b"\0")) == bytes([PONG]) + mine + b"\0"
        theirs = await two.enter(place.one)
        assert (await one.ask(bytes([PING]) + mine + b"\0")) == bytes([PONG]) + mine + b"\1"
        for sender, own, receiver, other in ((one, mine, two, theirs), (two, theirs, one, mine)):
            text = os.urandom(1400)
            sender.socket.send(bytes([PACKET]) + own + text)
            assert await receiver.receive() == bytes([PACKET]) + other + text


async def test_nothing_that_an_address_gets_before_its_proof_is_longer_than_what_it_sent(place: Place) -> None:
    with members(place.one, relay=place.relay) as (one,):
        proof = one.proof(await one.cookie(), place.two.address).encode()
        for packet in (knock(), proof, one.proof(await one.cookie(), place.two.address, device=Keypair()).encode()):
            assert len(await one.ask(packet)) < len(packet)
        session = (await one.ask(one.proof(await one.cookie(), place.two.address).encode()))[1:HEADER_LEN]
        ping = bytes([PING]) + session + b"\0"
        assert len(await one.ask(ping)) == len(ping)
        cookie = await one.cookie()
        for silent in (
            *(bytes([kind]) for kind in range(256)),
            *(bytes([kind]) + os.urandom(KNOCK_LEN - 1) for kind in range(256)),
            *(knock()[:-1], knock() + b"\0", knock()[:-1] + b"\1", b""),
            *(proof[:-1], proof + b"\0", bytes([PACKET]) + session, bytes([PING]) + session),
            one.proof(cookie[:-1] + b"\xff", place.two.address).encode(),
        ):
            one.socket.send(silent)
        assert await one.hears_nothing()


async def test_a_proof_that_was_overheard_is_worth_nothing_elsewhere(place: Place) -> None:
    with members(place.one, place.one, place.two, relay=place.relay) as (one, thief, two):
        proof = one.proof(await one.cookie(), place.two.address).encode()
        mine = (await one.ask(proof))[1:HEADER_LEN]
        thief.socket.send(proof)
        assert await thief.hears_nothing()
        theirs = await two.enter(place.one)
        two.socket.send(bytes([PACKET]) + theirs + b"for one")
        assert await one.receive() == bytes([PACKET]) + mine + b"for one"
        # A session is an address's: its number alone lets nobody send.
        thief.socket.send(bytes([PACKET]) + mine + b"from a thief")
        assert await two.hears_nothing()


@pytest.mark.parametrize("wrong", ["key", "device", "relay", "expired", "endless", "node"])
async def test_a_proof_that_is_not_the_nodes_is_refused(place: Place, wrong: str) -> None:
    with members(place.one, relay=place.relay) as (one,):
        cookie = await one.cookie()
        if wrong == "device":
            proof = one.proof(cookie, place.two.address, device=place.two.device)
        elif wrong == "expired":
            proof = one.proof(cookie, place.two.address, until=-1)
        elif wrong == "endless":
            proof = one.proof(cookie, place.two.address, until=365 * 24 * HOUR)
        elif wrong == "node":
            one.machine = market.Machine(Keypair(), Keypair().pubkey())
            proof = one.proof(cookie, place.two.address)
        else:
            good = one.proof(cookie, place.two.address)
            signer, relay = (Keypair(), one.relay.udp) if wrong == "key" else (one.key, "relay.example:1")
            proof = Proof.sign(relay, cookie, good.admission, place.two.address, TAG, signer)
        answer = await one.ask(proof.encode())
        assert answer[0] == REFUSAL
        assert (answer[1] == UNKNOWN_KEY) == (wrong not in ("expired", "endless"))


async def test_packets_go_only_to_a_peer_that_wished_it(place: Place) -> None:
    """A third node that names one of two gets nothing of theirs, and sends them nothing."""
    third = await place.market.add_machine("three")
    with members(place.one, place.two, third, relay=place.relay) as (one, two, other):
        mine = await one.enter(place.two)
        uninvited = await other.enter(place.one)
        other.socket.send(bytes([PACKET]) + uninvited + b"let me in")
        one.socket.send(bytes([PACKET]) + mine + b"nobody is there yet")
        theirs = await two.enter(place.one)
        assert await one.hears_nothing()
        assert await two.hears_nothing()
        one.socket.send(bytes([PACKET]) + mine + b"now")
        assert await two.receive() == bytes([PACKET]) + theirs + b"now"
        assert await other.hears_nothing()


async def test_who_moves_to_another_address_proves_again_and_is_found_there(place: Place) -> None:
    with members(place.one, place.one, place.two, relay=place.relay) as (one, moved, two):
        mine, theirs = await one.enter(place.two), await two.enter(place.one)
        moved.key = one.key
        assert await moved.enter(place.two) == mine
        two.socket.send(bytes([PACKET]) + theirs + b"where are you")
        assert await moved.receive() == bytes([PACKET]) + mine + b"where are you"
        assert await one.hears_nothing()


async def test_a_session_count_has_a_limit_for_each_node(place: Place) -> None:
    relay = place.another("--sessions-of-node", "3")
    with killed_at_end(relay):
        await relay.start()
        with members(place.one, place.two, relay=relay) as (one, two):
            for peer in range(3):
                answer = await one.ask(one.proof(await one.cookie(), Pubkey(bytes([peer]) * 32)).encode())
                assert answer[0] == SESSION
            answer = await one.ask(one.proof(await one.cookie(), place.two.address).encode())
            assert answer[0] == REFUSAL
            assert await two.enter(place.one)


async def test_a_node_that_floods_leaves_the_others_their_share(place: Place) -> None:
    relay = place.another("--mbit", "8")
    with killed_at_end(relay):
        await relay.start()
        more = [await place.market.add_machine(name) for name in ("three", "four")]
        with members(place.one, place.two, *more, relay=relay) as (one, two, three, four):
            flooding, quiet = await one.enter(place.two), await three.enter(more[1])
            await two.enter(place.one)
            await four.enter(more[0])
            stop = asyncio.Event()

            async def flood() -> None:
                packet = bytes([PACKET]) + flooding + b"x" * 1400
                while not stop.is_set():
                    for _ in range(20):  # some 4 times what the relay may carry
                        with contextlib.suppress(OSError):
                            one.socket.send(packet)
                    await asyncio.sleep(0.005)

            task = asyncio.create_task(flood())
            await asyncio.sleep(0.5)
            came = 0
            for _ in range(100):  # a quarter of what the relay carries
                three.socket.send(bytes([PACKET]) + quiet + b"y" * 1200)
                await asyncio.sleep(0.005)
            with contextlib.suppress(TimeoutError):
                while await four.receive(1):
                    came += 1
            stop.set()
            await task
            assert came >= 90
            assert await relay.metric('ionet_relay_udp_dropped_total{reason="over_share"}') > 500


@contextlib.asynccontextmanager
async def legs(one: market.Machine, two: market.Machine, *relays: Relay) -> AsyncIterator[tuple[Wire, Wire]]:
    """Both ends as agents have them; a socket on each side stands where WireGuard listens."""
    async with asyncio.TaskGroup() as group:
        ends = [Wire(), Wire()]
        for end, me, peer in ((ends[0], one, two), (ends[1], two, one)):
            key, until = Keypair(), int(time.time()) + HOUR
            admission = Pass.issue(me.device, me.address, key.pubkey(), until)
            config = LegConfig(
                *(str(me.address), bytes(key).hex(), until, bytes(admission.signature).hex(), TAG.hex(), end.port),
                [relay.udp for relay in relays],
                [LegPeer(str(peer.address), end.peer_port)],
            )
            end.task = group.create_task(Leg(config).run())
        try:
            yield ends[0], ends[1]
        finally:
            for end in ends:
                end.task.cancel()
                end.socket.close()


class Wire:
    """Where WireGuard would be."""

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.peer_port = free_port(socket.SOCK_DGRAM)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])

    async def says(self, text: bytes, other: Wire) -> bool:
        """Whether it arrives within a fifth of a second."""
        self.socket.sendto(text, ("127.0.0.1", self.peer_port))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                while await asyncio.get_running_loop().sock_recv(other.socket, 2048) != text:
                    pass
                return True
        return False


async def test_an_agents_ends_find_each_other_and_the_second_relay_and_a_relay_that_is_back(place: Place) -> None:
    second = place.another()
    with killed_at_end(second):
        await second.start()
        async with legs(place.one, place.two, place.relay, second) as (one, two):
            await until(lambda: one.says(b"hello", two), "there is a way", within=15)
            await until(lambda: two.says(os.urandom(1400), one), "both ways", within=15)
            place.relay.kill()
            await until(lambda: one.says(b"by the second", two), "the second relay", within=25)
            await until(lambda: two.says(b"by the second", one), "both ways", within=25)
            await place.relay.start()
            second.kill()
            await until(lambda: one.says(b"by the first", two), "the first again", within=40)
            await until(lambda: two.says(b"by the first", one), "both ways", within=40)


def test_lengths_are_as_documented() -> None:
    assert 1 + COOKIE_LEN < KNOCK_LEN
    assert MAX_PACKET - HEADER_LEN >= 1452  # an overlay's packet, encrypted, on a line of 1,500 bytes
