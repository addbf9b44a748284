"""What strangers, callers and agents that mean harm can do to a relay and to those who use it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import sys
import time

import market
import pytest
from ionet.errors import InvalidInput
from ionet.relay_name import sni_of
from ionet.relay_wire import (
    CONTROL,
    DATA,
    Hello,
    Login,
    Open,
    Ping,
    Refused,
    Welcome,
    decode,
    encode,
    login_message,
)
from ionet.wallet import KeypairSigner
from ionet_relay import server_name
from relay.conftest import Place
from relay.place import agent, api, ask, call
from relay.spoken import UNKNOWN_NAME, connect, control, hello, last_words
from solders.keypair import Keypair
from waiting import until

pytestmark = pytest.mark.matrix

WELCOME = Welcome(measures=True)

# -- strangers


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 100,
        b"\x16\x03\x01\x00\x05hello",
        CONTROL[:-1] + b"x",
        DATA + b"0" * 33,
        DATA + b"0" * 32 + b"\n",
        DATA + b"\xff" * 32 + b"\n",
        CONTROL + b"{}\n",
        CONTROL + b"x" * 2000,
        CONTROL + b"[" * 1000 + b"\n",
        CONTROL + b'{"type":"login","node":"\xff","key":"","signature":""}\n',
        CONTROL + encode(Ping()),
        CONTROL + encode(Open("0" * 32, "")),
        CONTROL + encode(Login("", "", "")),
        CONTROL + encode(Login("1" * 32, "1" * 32, "00" * 64)),
    ],
)
async def test_what_makes_no_sense_is_hung_up_on(place: Place, first: bytes) -> None:
    began = time.monotonic()
    said = await last_words(await connect(place, first))
    assert time.monotonic() - began < 4  # before the deadline for those who say nothing
    assert not said or said.startswith(b'{"type":"hello"')


async def test_half_a_hello_has_five_seconds(place: Place) -> None:
    began = time.monotonic()
    whole = hello(sni_of(place.one.address))
    streams = [await connect(place, whole[:cut]) for cut in (0, 1, 5, 50, len(whole) - 1)]
    assert await asyncio.gather(*map(last_words, streams)) == [b""] * 5
    assert 4 < time.monotonic() - began < 25


async def test_a_hello_without_end_is_cut_off(place: Place) -> None:
    """A handshake message may be 16 MiB long, in records of 16 KiB: only so much of it is taken."""
    record = b"\x16\x03\x01\x40\x00"
    first = record + b"\x01\xff\xff\xff" + b"\x03\x03" + os.urandom(0x4000 - 6)
    stream, sent = await connect(place, first), len(first)
    with contextlib.suppress(ConnectionError):
        for _ in range(4096):
            stream[1].write(record + b"\0" * 0x4000)
            await stream[1].drain()
            sent += 0x4005
            if stream[0].at_eof():
                break
    assert await last_words(stream) == b""
    assert sent < 16 * 2**20


@pytest.mark.parametrize("name", ["example.org", "ionet", f"{'a' * 51}.ionet", f"{'b' * 52}.ionet", "x" * 60])
async def test_a_name_that_is_not_a_nodes_is_told_so(place: Place, name: str) -> None:
    assert await last_words(await connect(place, hello(name))) == UNKNOWN_NAME


async def test_a_caller_of_a_node_that_is_not_here_is_told_so(place: Place) -> None:
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        await call(place.relay, place.one.address)


@pytest.mark.parametrize("line", [b'{"type":"hello","nonce":"\xff"}', b"\xff", b"[" * 1000, b"null", b'"hello"'])
def test_a_line_that_is_no_message_is_one_kind_of_error(line: bytes) -> None:
    """Another one would be a page in the log for each stranger who sends it."""
    with pytest.raises(InvalidInput):
        decode(line)


@pytest.mark.parametrize("other", [b"\xff", b"\0", "ü".encode()])
def test_a_name_that_is_no_text_is_hung_up_on_without_a_word(other: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    said = hello("x" * 40)
    with pytest.raises(server_name.BadHello):
        server_name.Hello().feed(said.replace(b"x" * 40, other.ljust(40, b"x")))
    assert complaints == []
    assert server_name.Hello().feed(said) == "x" * 40


async def test_tls_without_a_name_is_hung_up_on(place: Place) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", place.relay.port, ssl=context)


async def test_a_thousand_half_open_connections_keep_nobody_out(place: Place) -> None:
    async with api() as port, agent(place.one, port, place.relay):
        before = place.relay.memory()
        cut = hello(sni_of(place.one.address))[:100]
        streams = [await connect(place, cut) for _ in range(1000)]
        try:
            began = time.monotonic()
            for _ in range(5):
                assert await ask(place.relay, place.one.address) == b"hello"
            assert time.monotonic() - began < 10
            assert await place.relay.metric("ionet_relay_evicted_total") >= 1000 - 128 - 5
            assert place.relay.memory() - before < 64 * 2**20
        finally:
            for stream in streams:
                stream[1].transport.abort()


# -- who claims to be an agent


async def test_a_key_that_is_not_the_nodes_on_the_chain_is_refused(place: Place) -> None:
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, Keypair()) == Refused("unknown_key")
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.two.device) == Refused("unknown_key")


async def test_a_node_that_the_chain_does_not_know_is_refused(place: Place) -> None:
    async with control(place) as spoken:
        assert await spoken.log_in(place, Keypair().pubkey(), Keypair()) == Refused("unknown_key")
    async with control(place) as spoken:  # an account of the program that is of another kind
        network = place.market.admin.network.address
        assert await spoken.log_in(place, network, Keypair()) == Refused("unknown_key")


async def test_a_key_is_not_believed_without_its_signature(place: Place) -> None:
    async with control(place) as spoken:
        names = place.one.device.pubkey()
        assert await spoken.log_in(place, place.one.address, Keypair(), names=names) == Refused("bad_login")


async def test_a_login_for_another_relay_is_refused(place: Place) -> None:
    """A hostile relay may hand the challenge of another one on to an agent; what the agent signs names the first."""
    async with control(place) as spoken:
        answer = await spoken.log_in(place, place.one.address, place.one.device, at="relay.example:7443")
        assert answer == Refused("bad_login")


async def test_a_login_counts_once(place: Place) -> None:
    async with control(place) as spoken, control(place) as another:
        challenge = await spoken.read()
        assert isinstance(challenge, Hello)
        message = login_message(place.relay.at, bytes.fromhex(challenge.nonce), place.one.address)
        signature = bytes(place.one.device.sign_message(message)).hex()
        login = encode(Login(str(place.one.address), str(place.one.device.pubkey()), signature))
        spoken.writer.write(login)
        assert await spoken.read() == WELCOME
        await another.read()
        another.writer.write(login)  # overheard
        assert await another.read() == Refused("bad_login")


async def test_an_agent_that_says_it_is_another_after_login_is_hung_up_on(place: Place) -> None:
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.one.device) == WELCOME
        spoken.writer.write(encode(Login(str(place.two.address), str(place.two.device.pubkey()), "00" * 64)))
        assert await spoken.reader.read() == b""


async def test_a_rotated_key_is_refused_and_its_successor_welcome(place: Place) -> None:
    fresh = market.key("another device")
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.one.device) == WELCOME
    await place.market.admin.node.rotate_device_key(place.one.address, KeypairSigner(fresh))

    async def welcome() -> bool:  # what the relay read within the last second it does not read again
        async with control(place) as spoken:
            return await spoken.log_in(place, place.one.address, fresh) == WELCOME

    await until(welcome, "the relay knows the new key", within=10)
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.one.device) == Refused("unknown_key")


async def test_without_the_chain_known_agents_are_welcome_and_others_wait(place: Place) -> None:
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.one.device) == WELCOME
    await place.market.net.__aexit__(None, None, None)
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.one.device) == WELCOME
    async with control(place) as spoken:
        answer = asyncio.create_task(spoken.log_in(place, place.two.address, place.two.device))
        async with asyncio.timeout(60):
            assert await answer == Refused("chain_silent")
