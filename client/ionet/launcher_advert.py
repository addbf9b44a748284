"""What a launcher says of itself: its session key, where it answers, and what it takes. Signed by the session key.

The signature proves that whoever answers there holds the key that clusters are to name, so that nobody gets somebody
else's key named, or changes the fee on the way. It covers the bytes of the advert as they are.
"""

from __future__ import annotations

import time
from typing import Annotated, NamedTuple, Protocol

import msgspec
from msgspec import Meta
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet.errors import IonetError
from ionet.launcher_api import Launcher
from ionet.patient_http import check_url, is_loopback
from ionet.rpc import Rpc

LIFETIME_SECS, MAX_LIFETIME_SECS = 600, 3_600
"""How long an advert is good for, as launchers make it, and at most."""
SIGN_SECS = 60.0
"""How often a launcher makes a new one."""
MAX_FEE = 10**9
"""Lamports of a node: one SOL. A fee is for a launcher's work, never of the size of a cluster's price."""
_DOMAIN = b"ionet:launcher-advert:v1\0"


class LauncherAdvert(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """session_key: what clusters name, base58. chain: genesis hash of the one it works on. url: of its API. fee:
    lamports for each node of a cluster, paid once when that is opened. expires: unix seconds."""

    session_key: Annotated[str, Meta(max_length=44)]
    chain: Annotated[str, Meta(max_length=44)]
    url: Annotated[str, Meta(max_length=200)]
    fee: Annotated[int, Meta(ge=0, le=MAX_FEE)]
    expires: Annotated[int, Meta(ge=0, lt=2**40)]


class Signed(NamedTuple):
    """An advert as JSON, and the session key's signature over it in hex."""

    text: str
    signature: str


class BadLauncher(IonetError):
    """the launcher cannot be hired"""

    exit_code = 4


class Asked(Protocol):
    """A launcher's API, and where it is; `ionet.launcher_api.LauncherClient` is one."""

    @property
    def url(self) -> str: ...

    async def launcher(self) -> Launcher: ...


def sign(session: Keypair, advert: LauncherAdvert) -> Signed:
    body = msgspec.json.encode(advert)
    return Signed(body.decode(), bytes(session.sign_message(_DOMAIN + body)).hex())


def verified(signed: Signed, now: float) -> LauncherAdvert:
    """The advert, which its own session key has signed and which is good now (unix seconds). Raises BadLauncher."""
    try:
        body = signed.text.encode()
        advert = msgspec.json.decode(body, type=LauncherAdvert)
        key = Pubkey.from_string(advert.session_key)
        right = Signature.from_bytes(bytes.fromhex(signed.signature)).verify(key, _DOMAIN + body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadLauncher(f"its advert is none: {str(error)[:200]}") from None
    if not right:
        raise BadLauncher("its advert is not signed by the session key that it names")
    if not now < advert.expires <= now + MAX_LIFETIME_SECS:
        raise BadLauncher("its advert is not good at this time: its clock, or this machine's, is wrong")
    return advert


async def advert_of(launcher: Asked, rpc: Rpc, key: str | None = None) -> LauncherAdvert:
    """The advert of a launcher that may be hired for a cluster on the chain behind `rpc`.

    key: the session key that it must have, None for any. Raises BadLauncher, and what either answers.
    """
    advert = _advert(launcher.url, await launcher.launcher())
    if advert is None:
        raise BadLauncher(f"{launcher.url} shows no signed advert")
    if key is not None and advert.session_key != key:
        raise BadLauncher(f"{launcher.url} has the session key {advert.session_key}, and {key} is wanted")
    if advert.chain != (await rpc.health())["genesis"]:
        raise BadLauncher(f"{launcher.url} works on another chain")
    # Through a tunnel of this machine's it is asked under another address than its own.
    if advert.url.rstrip("/") != launcher.url.rstrip("/") and not is_loopback(launcher.url):
        raise BadLauncher(f"{launcher.url} shows the advert of the launcher at {advert.url}")
    return advert


async def free_key(launcher: Asked) -> Pubkey:
    """The session key of a launcher for those who pay no fee. Raises BadLauncher where it takes one, LauncherError."""
    told = await launcher.launcher()
    advert = _advert(launcher.url, told)
    if advert is not None and advert.fee:
        raise BadLauncher(f"{launcher.url} takes a fee, which only `ionet run` and the SDK pay")
    try:
        return Pubkey.from_string(told.session_key)
    except ValueError:
        raise BadLauncher(f"{launcher.url} names a session key that cannot be one") from None


def _advert(url: str, told: Launcher) -> LauncherAdvert | None:
    """What a launcher says of itself, None where it has not said so yet. Raises BadLauncher."""
    if told.advert is None or told.signature is None:
        return None
    advert = verified(Signed(told.advert, told.signature), time.time())
    if advert.session_key != told.session_key:
        raise BadLauncher(f"{url} shows the advert of another launcher")
    return advert


def public_url(text: str) -> str:
    """A URL under which a launcher can be asked. Raises InvalidInput."""
    check_url(text)
    return text.rstrip("/")
