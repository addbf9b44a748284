"""What an agent and a relay say to each other. docs/relay.md draws it.

TCP. A connection that begins with `CONTROL` is the agent's control connection: lines of JSON, the relay's `Hello`
first. One that begins with `DATA` and a token is what the agent opens for a caller. A caller's begins with TLS, whose
first byte neither has.

UDP. Packets of one type each, the first byte. Before an address has proved a key it is answered with fewer bytes than
it sent.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

import msgspec
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet.errors import InvalidInput

CONTROL, DATA = b"ionet-relay:control:1\n", b"ionet-relay:data:1 "
TOKEN_LEN = 32  # characters
MAX_LINE = 1024
MEASURE_SECS, MEASURE_BYTES = 2.0, 32 * 1024 * 1024
"""For how long, and how much, either side sends to find out how fast it arrives."""
PING_SECS = 10.0
"""How often each side of a control connection says that it lives; three times this in silence ends it."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The relay, first: sign this. nonce: 32 bytes in hex."""

    nonce: str


class Login(msgspec.Struct, frozen=True, tag="login"):
    """The agent: its node's address, device key and signature over `login_message`, in hex."""

    node: str
    key: str
    signature: str


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The relay: callers of the node are passed on from now on. measures: whether it answers `Measure`."""

    measures: bool = False


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The relay, and it hangs up. code: `bad_login`, `unknown_key`, `chain_silent`, `replaced` or `busy`."""

    code: str


class Open(msgspec.Struct, frozen=True, tag="open"):
    """The relay: a caller is here. token: what a data connection begins with, once, soon. caller: its address."""

    token: str
    caller: str


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Either side: I live."""


class Measure(msgspec.Struct, frozen=True, tag="measure"):
    """The agent: how fast is the way to you? Not answered when it was asked a moment ago."""


class Measuring(msgspec.Struct, frozen=True, tag="measuring"):
    """The relay. token: of a data connection on which the agent sends what it likes until it closes its side, within
    `MEASURE_SECS` and `MEASURE_BYTES`; there comes a line with `Measured`, and then as much from the relay.
    """

    token: str


class Measured(msgspec.Struct, frozen=True, tag="measured"):
    """The relay, on that connection: how many bytes have arrived."""

    size: int


Message = Hello | Login | Welcome | Refused | Open | Ping | Measure | Measuring | Measured
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    """One line."""
    return msgspec.json.encode(message) + b"\n"


def decode(line: bytes) -> Message:
    """Raises InvalidInput."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"not a message of a relay: {error}") from None


def login_message(relay: str, nonce: bytes, node: Pubkey) -> bytes:
    """What a device key signs. relay: HOST:PORT as the agent dialled it, so that no relay can log in at another."""
    return b"ionet:relay-login:v1\0" + sha256(relay.encode()).digest() + nonce + bytes(node)


# -- UDP

KNOCK, COOKIE, PROOF, SESSION, REFUSAL, PACKET, PING, PONG = range(1, 9)
MAX_PACKET = 1500
KNOCK_LEN = 64
"""Longer than the answer to it."""
COOKIE_LEN, SESSION_LEN, TAG_LEN = 24, 8, 16
HEADER_LEN = 1 + SESSION_LEN
"""Before what is forwarded: the type and the session of who sends or receives it."""
SESSION_SECS = 60.0
"""A session ends after this long without a packet from its address."""
_PROOF = struct.Struct(f"<B{COOKIE_LEN}s32s32s{TAG_LEN}s32sq64s64s")
_MAGIC = b"ionet-relay:udp:1"
# Reasons in a REFUSAL.
UNKNOWN_KEY, CHAIN_SILENT, BUSY, EXPIRED = range(1, 5)


def knock() -> bytes:
    return (bytes([KNOCK]) + _MAGIC).ljust(KNOCK_LEN, b"\0")


def is_knock(packet: bytes) -> bool:
    return len(packet) == KNOCK_LEN and packet == knock()


@dataclass(frozen=True, slots=True)
class Pass:
    """A device key's word that another key may use relays for its node, until a time (unix seconds).

    What runs beside a renter's code has such a key, never the device key.
    """

    node: Pubkey
    key: Pubkey
    until: int
    signature: Signature

    @classmethod
    def issue(cls, device: Keypair, node: Pubkey, key: Pubkey, until: int) -> Self:
        return cls(node, key, until, device.sign_message(_pass_message(node, key, until)))

    def is_of(self, device: Pubkey) -> bool:
        return self.signature.verify(device, _pass_message(self.node, self.key, self.until))


def _pass_message(node: Pubkey, key: Pubkey, until: int) -> bytes:
    return b"ionet:relay-pass:v1\0" + bytes(node) + bytes(key) + struct.pack("<q", until)


@dataclass(frozen=True, slots=True)
class Proof:
    """The wish to exchange packets with `peer`, who must wish the same. tag: of the cluster, 16 bytes."""

    cookie: bytes
    admission: Pass
    peer: Pubkey
    tag: bytes
    signature: Signature

    @classmethod
    def sign(cls, relay: str, cookie: bytes, admission: Pass, peer: Pubkey, tag: bytes, key: Keypair) -> Self:
        """relay: HOST:PORT as it is dialled."""
        message = _proof_message(relay, cookie, admission.node, peer, tag)
        return cls(cookie, admission, peer, tag, key.sign_message(message))

    def is_signed_for(self, relay: str) -> bool:
        message = _proof_message(relay, self.cookie, self.admission.node, self.peer, self.tag)
        return self.signature.verify(self.admission.key, message)

    @property
    def digest(self) -> bytes:
        """Names it in the answer, 8 bytes: whoever proves for many peers gets the answers in any order."""
        return sha256(bytes(self.signature)).digest()[:8]

    def encode(self) -> bytes:
        seen = self.admission
        return _PROOF.pack(
            *(PROOF, self.cookie, bytes(seen.node), bytes(self.peer), self.tag, bytes(seen.key), seen.until),
            *(bytes(seen.signature), bytes(self.signature)),
        )

    @classmethod
    def decode(cls, packet: bytes) -> Self | None:
        """None for what is not one."""
        if len(packet) != _PROOF.size:
            return None
        _, cookie, node, peer, tag, key, until, issued, signature = _PROOF.unpack(packet)
        admission = Pass(Pubkey(node), Pubkey(key), until, Signature.from_bytes(issued))
        return cls(cookie, admission, Pubkey(peer), tag, Signature.from_bytes(signature))


def _proof_message(relay: str, cookie: bytes, node: Pubkey, peer: Pubkey, tag: bytes) -> bytes:
    return b"ionet:relay-udp:v1\0" + sha256(relay.encode()).digest() + cookie + bytes(node) + bytes(peer) + tag
