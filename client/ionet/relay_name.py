"""The name by which a TLS caller asks for a node: lower-case base32 of its address, then `.ionet`.

A caller says it as the server's name (SNI) wherever it connects, to the agent itself or to a relay; a relay reads
nothing else. Base58 is no use here: names in TLS are compared without case, and a label has at most 63 characters,
one too few for hex.
"""

from __future__ import annotations

import base64
import contextlib

from solders.pubkey import Pubkey

from ionet.errors import InvalidInput

SUFFIX = ".ionet"
_LABEL_LEN = 52  # of 32 bytes in base32, without the padding


def sni_of(node: Pubkey) -> str:
    """The server name of a node, 58 characters."""
    return base64.b32encode(bytes(node)).decode().rstrip("=").lower() + SUFFIX


def node_of(name: str) -> Pubkey:
    """The node that a server name asks for, in either case. Raises InvalidInput for any other name."""
    label = name.lower().removesuffix(SUFFIX)
    if len(label) == _LABEL_LEN:
        with contextlib.suppress(ValueError):  # not base32
            node = Pubkey.from_bytes(base64.b32decode(f"{label.upper()}===="))
            # One spelling each: the last character has four bits to spare.
            if sni_of(node) == name.lower():
                return node
    raise InvalidInput(f"{name!r} is not the name of a node")
