"""Who may ask the agent for what: a valid signature, made for this node and request, by a key of the current lease."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from ionet.agent_api import (
    BODY_HEADER,
    EXPIRES_HEADER,
    KEY_HEADER,
    MAX_LIFETIME_SECS,
    NONCE_HEADER,
    NONCE_LEN,
    SIGNATURE_HEADER,
    signing_message,
)
from ionet.agent_errors import ChainSilent, ClockSkewed, NotEntitled, NotIdentified
from ionet.errors import IonetError
from ionet.lease_view import LeaseView, NodeView
from ionet.rules.merkle import HASH_LEN
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet_agent.journal import Journal


class Gate:
    """Checks requests to one node. `view` gives the node as the chain has it, read again when asked to.

    Time is the chain's, so that a machine whose clock is wrong serves like any other.
    """

    def __init__(self, node: Pubkey, journal: Journal, view: Callable[[bool], Awaitable[NodeView]]) -> None:
        self._node, self._journal, self._view = node, journal, view
        self.now: int | None = None
        """The chain's unix seconds as last read. It never goes back: what has expired stays so."""

    async def admit(self, headers: Mapping[str, str], method: str, path: str) -> tuple[LeaseView, bytes]:
        """The current lease, and the sha256 of the body that is signed for: only such a body is worth reading.

        Raises NotIdentified unless the request is signed, in time and seen for the first time; NotEntitled unless its
        key may act for the lease's renter; TooManyRequests, ChainSilent.
        """
        key = _pubkey(headers.get(KEY_HEADER, ""))
        lease, now = await self._lease_for(key)
        nonce = _hex(headers.get(NONCE_HEADER, ""), NONCE_LEN, "nonce")
        body_hash = _hex(headers.get(BODY_HEADER, ""), HASH_LEN, "hash of the body")
        signature = Signature.from_bytes(_hex(headers.get(SIGNATURE_HEADER, ""), 64, "signature"))
        expires = _seconds(headers.get(EXPIRES_HEADER, ""))
        _require_in_time(expires, now)
        if not signature.verify(key, signing_message(self._node, method, path, body_hash, nonce, expires)):
            raise NotIdentified("the signature does not fit the request")
        # Last: an unsigned request must not be able to use up nonces.
        if not self._journal.use_nonce(bytes(key), nonce, expires, now):
            raise NotIdentified("the request was made before")
        return lease, body_hash

    async def _lease_for(self, key: Pubkey) -> tuple[LeaseView, int]:
        for fresh in (False, True):
            try:
                view = await self._view(fresh)
            except IonetError as error:
                raise ChainSilent(str(error)) from error
            self.now = max(self.now or 0, view.now)
            if view.lease is not None and view.lease.may_act(key, self.now):
                return view.lease, self.now
        raise NotEntitled


def _require_in_time(expires: int, now: int) -> None:
    if expires <= now:
        raise ClockSkewed(f"it has expired: by the chain's clock, {now}, {now - expires} s ago")
    if expires > now + MAX_LIFETIME_SECS:
        lives = expires - now
        raise ClockSkewed(f"by the chain's clock, {now}, it lives too long: {lives} s, at most {MAX_LIFETIME_SECS}")


def _pubkey(text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise NotIdentified(f"a {KEY_HEADER} header with a key is missing") from None


def _hex(text: str, length: int, name: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != length:
        raise NotIdentified(f"the {name} must be {length} bytes in hex")
    return value


def _seconds(text: str) -> int:
    # A fixed width keeps the number inside the eight bytes that are signed.
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise NotIdentified(f"an {EXPIRES_HEADER} header with unix seconds is missing")
    return int(text)
