"""Who may ask the agent for what: a valid signature, made for this node and request, by a key of the current lease."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from ionet.agent_api import (
    EXPIRES_HEADER,
    KEY_HEADER,
    MAX_LIFETIME_SECS,
    NONCE_HEADER,
    NONCE_LEN,
    SIGNATURE_HEADER,
    signing_message,
)
from ionet.agent_errors import ChainSilent, NotEntitled, NotIdentified
from ionet.errors import IonetError
from ionet.lease_view import LeaseView, NodeView
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet_agent.journal import Journal


class Gate:
    """Checks requests to one node. `view` gives the node as the chain has it, read again when asked to."""

    def __init__(self, node: Pubkey, journal: Journal, view: Callable[[bool], Awaitable[NodeView]]) -> None:
        self._node, self._journal, self._view = node, journal, view

    async def lease_for(self, headers: Mapping[str, str]) -> tuple[LeaseView, int]:
        """The current lease and the chain's time, if the key named in the headers may act for the lease's renter.

        Asked before any body is read, so that strangers cannot make the agent read one. Raises NotIdentified,
        NotEntitled, ChainSilent.
        """
        key = _pubkey(headers.get(KEY_HEADER, ""))
        for fresh in (False, True):
            try:
                view = await self._view(fresh)
            except IonetError as error:
                raise ChainSilent(str(error)) from error
            if view.lease is not None and view.lease.may_act(key, view.now):
                return view.lease, view.now
        raise NotEntitled

    def check(self, headers: Mapping[str, str], method: str, path: str, body: bytes) -> None:
        """Raise NotIdentified unless the request is signed, in time, and seen for the first time."""
        key = _pubkey(headers.get(KEY_HEADER, ""))
        nonce = _hex(headers.get(NONCE_HEADER, ""), NONCE_LEN, "nonce")
        signature = Signature.from_bytes(_hex(headers.get(SIGNATURE_HEADER, ""), 64, "signature"))
        expires, now = _seconds(headers.get(EXPIRES_HEADER, "")), int(time.time())
        if not now < expires <= now + MAX_LIFETIME_SECS:
            raise NotIdentified("the request has expired or lives too long")
        if not signature.verify(key, signing_message(self._node, method, path, body, nonce, expires)):
            raise NotIdentified("the signature does not fit the request")
        # Last: an unsigned request must not be able to use up nonces.
        if not self._journal.use_nonce(nonce, expires, now):
            raise NotIdentified("the request was made before")


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
