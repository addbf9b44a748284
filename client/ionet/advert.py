"""What a node says of itself to indexers every minute: where its agent is, and what it has. Signed by its device key.

POST /v1/adverts is the second write of the indexer's API. The signature covers the bytes of the body as they are, so an
indexer can refuse before it reads them, and hands them on for others to verify. A lying indexer can only hide a node:
whoever goes to an endpoint talks to the holder of the device key or to nobody (`ionet.agent_tls`).
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
from typing import Annotated

import httpx2
import msgspec
from msgspec import Meta
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet.agent_tls import certificate_of, key_of
from ionet.errors import IonetError, reason_of

PATH = "/v1/adverts"
MEDIA_TYPE = "application/json"
NODE_HEADER, SIGNATURE_HEADER = "ionet-node", "ionet-signature"
MAX_BYTES = 8 * 1024
LIFETIME_SECS, MAX_LIFETIME_SECS = 180, 300
"""How long an advert is good for, as agents make it, and at most."""
_DOMAIN = b"ionet:advert:v1\0"
_MAX_ANSWER = 256 * 1024
_FIND_SECS = 15.0
_MOST_ENDPOINTS, _MOST_RELAYS = 4, 2
MOST_PLACES = _MOST_ENDPOINTS + _MOST_RELAYS

Line = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[ -~]+\Z")]
Sentence = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[ -~]+\Z")]
Place = Annotated[str, Meta(max_length=64)]


class Gpu(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """memory_mib: None where it is not known."""

    name: Line
    memory_mib: Annotated[int, Meta(ge=0, lt=2**31)] | None


class Bandwidth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Megabits a second, as the agent measured them with a relay (HOST:PORT as it names it) at a time, unix seconds."""

    up_mbits: Annotated[int, Meta(ge=0, lt=2**31)]
    down_mbits: Annotated[int, Meta(ge=0, lt=2**31)]
    at: Annotated[int, Meta(ge=0, lt=2**40)]
    relay: Line


class LeaseLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a lease gets of the machine, as far as its level of isolation holds it."""

    cpus: Annotated[int, Meta(ge=1, lt=2**31)]
    memory_mib: Annotated[int, Meta(ge=0, lt=2**31)]
    disk_mib: Annotated[int, Meta(ge=0, lt=2**31)]
    processes: Annotated[int, Meta(ge=1, lt=2**31)]
    """Threads count."""


class Advert(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a node says of itself. Whoever relies on it checks it: the launcher measures the hardware."""

    node: str
    seq: Annotated[int, Meta(ge=0, lt=2**53)]
    """Grows with every advert of a node: unix milliseconds, not beyond `expires`."""
    expires: Annotated[int, Meta(ge=0, lt=2**40)]
    """Unix seconds, at most five minutes ahead."""
    endpoints: Annotated[list[Place], Meta(max_length=_MOST_ENDPOINTS)]
    """host:port of the agent's API, the best first: addresses that are public or this machine's own."""
    relays: Annotated[list[Place], Meta(max_length=_MOST_RELAYS)]
    """host:port of relays through which the agent is reached now, the best first."""
    certificate: Annotated[str, Meta(max_length=1024)]
    """The agent's, DER in base64: for tools that pin certificates. It adds nothing to the device key on the chain."""
    ray: Line
    cuda: Line | None
    """Version of CUDA that the driver supports, None where it is not known."""
    isolation: Line
    """What is between renters' code and the machine: a level of `ionet.isolation`."""
    gpus: Annotated[list[Gpu], Meta(max_length=64)]
    isolation_reason: Sentence | None = None
    """Why it is no stronger level; None where the machine has the strongest, or its owner has chosen."""
    bandwidth: Bandwidth | None = None
    """None where it was not measured: an agent without relays has nobody to measure with."""
    limits: LeaseLimits | None = None


class BadAdvert(IonetError):
    """the advert says what cannot be so"""


class NotAdvertised(IonetError):
    """the indexer does not say where the node's agent is"""

    exit_code = 4


class AdvertNotTaken(IonetError):
    """the indexer did not take the advert"""

    exit_code = 4


def sign(device: Keypair, body: bytes) -> str:
    """In hex."""
    return bytes(device.sign_message(_DOMAIN + body)).hex()


def is_signed(device: Pubkey, body: bytes, signature: str) -> bool:
    try:
        return Signature.from_bytes(bytes.fromhex(signature)).verify(device, _DOMAIN + body)
    except ValueError:
        return False


def certificate_text(device: Keypair) -> str:
    return base64.b64encode(certificate_of(device)).decode()


def encode(advert: Advert) -> bytes:
    return msgspec.json.encode(advert)


def decode(body: bytes, node: str, device: Pubkey) -> Advert:
    """An advert of this node, whose signature was checked. Raises BadAdvert."""
    try:
        advert = msgspec.json.decode(body, type=Advert)
        for place in (*advert.endpoints, *advert.relays):
            parse_endpoint(place)
        certificate = base64.b64decode(advert.certificate, validate=True)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadAdvert(str(error)[:200]) from None
    if advert.node != node:
        raise BadAdvert("it names another node")
    if advert.seq > advert.expires * 1000:
        raise BadAdvert("its number is beyond its end")
    if key_of(certificate) != device:
        raise BadAdvert("its certificate is not the device key's")
    return advert


def content(advert: Advert) -> bytes:
    """What it says, whenever it says it."""
    return encode(msgspec.structs.replace(advert, seq=0, expires=0))


def parse_endpoint(text: str) -> str:
    """host:port as it was, where it is an address that everybody may be sent to. Raises BadAdvert.

    Only addresses that are public or loopback: a name, or an address of somebody's own network, could mean anything
    where it is read.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and port == str(int(port[:6])) and 0 < int(port) < 2**16):
        raise BadAdvert(f"{text!r} is not HOST:PORT")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]") if host.startswith("[") else host)
    except ValueError as error:
        raise BadAdvert(str(error)) from None
    if text != endpoint(address, int(port)):
        raise BadAdvert(f"{text!r} is not HOST:PORT as it is written")
    if getattr(address, "ipv4_mapped", None) is not None or getattr(address, "scope_id", None) is not None:
        raise BadAdvert(f"{host} is not an address of its kind")
    if not (address.is_loopback or (address.is_global and not address.is_multicast)):
        raise BadAdvert(f"{host} is neither public nor loopback")
    return text


def endpoint(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


async def find_agent(indexer: str, node: Pubkey) -> tuple[str, ...]:
    """URLs of a node's agent, and of relays that lead there, as an indexer tells. Raises NotAdvertised."""
    endpoints, relays = await find_places(indexer, node)
    if not endpoints and not relays:
        raise NotAdvertised(f"{indexer}: the node names no address")
    return tuple(f"https://{place}" for place in (*endpoints, *relays)[:MOST_PLACES])


async def find_places(indexer: str, node: Pubkey) -> tuple[list[str], list[str]]:
    """HOST:PORT of a node's agent, and of relays that lead there, as an indexer tells. Raises NotAdvertised."""
    url = f"{indexer.rstrip('/')}/v1/nodes/{node}/advert"
    try:
        async with (
            asyncio.timeout(_FIND_SECS),
            httpx2.AsyncClient(trust_env=False) as http,
            http.stream("GET", url, headers={"accept-encoding": "identity"}) as response,
        ):
            status, said = response.status_code, await _read(response)
        if status != 200:
            raise NotAdvertised(f"{indexer}: {_detail(said) or 'the node names no address'}")
        found = msgspec.json.decode(said, type=_Found).item
        endpoints, relays = ([parse_endpoint(place) for place in each[:MOST_PLACES]] for each in found.both)
    except (*_TRANSPORT, TimeoutError, msgspec.DecodeError, ValueError, BadAdvert) as error:
        raise NotAdvertised(f"{indexer}: {reason_of(error)}") from None
    return endpoints, relays


class _Places(msgspec.Struct):
    endpoints: list[str]
    relays: list[str] = []

    @property
    def both(self) -> tuple[list[str], list[str]]:
        return self.endpoints, self.relays


class _Found(msgspec.Struct):
    item: _Places


async def send(http: httpx2.AsyncClient, base_url: str, device: Keypair, advert: Advert) -> None:
    """Hand an advert to the indexer at `base_url`. Raises AdvertNotTaken."""
    body = encode(advert)
    headers = {NODE_HEADER: advert.node, SIGNATURE_HEADER: sign(device, body), "content-type": MEDIA_TYPE}
    try:
        request = http.build_request("POST", base_url.rstrip("/") + PATH, content=body, headers=headers)
        response = await http.send(request, stream=True)
        try:
            said = await _read(response)
        finally:
            await response.aclose()
    except (*_TRANSPORT, ValueError, BadAdvert) as error:
        raise AdvertNotTaken(f"{base_url}: {reason_of(error)}") from None
    if not response.is_success:
        raise AdvertNotTaken(f"{base_url}: HTTP {response.status_code}: {_detail(said)}")


_TRANSPORT = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError)


async def _read(response: httpx2.Response) -> bytes:
    """The whole answer. Raises BadAdvert when it is too large."""
    said = bytearray()
    async for part in response.aiter_raw():
        said += part
        if len(said) > _MAX_ANSWER:
            raise BadAdvert(f"an answer of more than {_MAX_ANSWER} bytes")
    return bytes(said)


def _detail(said: bytes) -> str:
    try:
        detail = msgspec.json.decode(said, type=dict[str, object]).get("detail", "")
    except (msgspec.DecodeError, UnicodeDecodeError):
        detail = ""
    return "".join(letter if letter.isprintable() else "?" for letter in str(detail)[:200])
