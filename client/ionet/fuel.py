"""SOL for fees: what a key has, said before it is too little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from solders.pubkey import Pubkey

from ionet.errors import RpcError
from ionet.fees import BASE_FEE, LEAST_RENT
from ionet.patient_http import is_loopback
from ionet.rpc import Rpc

LOW = 20_000_000
"""Lamports below which a key that has to go on sending is worth a warning: about four thousand transactions."""
_LOOK_SECS = 60.0


def sol(lamports: int) -> str:
    return f"{Decimal(lamports).scaleb(-9):f}".rstrip("0").rstrip(".") if lamports else "0"


def remedy(url: str) -> str:
    """What helps, on the chain behind this RPC node."""
    return "`ionet keys airdrop`" if is_loopback(url) else "send it some"


def warning(what: str, key: Pubkey, lamports: int, url: str) -> str | None:
    """A line where a key has little SOL; None where it has enough. what: whose key it is."""
    if lamports >= LOW:
        return None
    left = max(0, lamports - LEAST_RENT) // BASE_FEE
    lasts = (
        f"{sol(lamports)} SOL, enough for about {left:,} transactions" if left else f"{sol(lamports)} SOL, too little"
    )
    return f"{what} {key} has {lasts}: {remedy(url)}"


async def watch(
    rpcs: Sequence[Rpc], what: str, key: Pubkey, tell: Callable[[int, str | None], object], every: float = _LOOK_SECS
) -> None:
    """Look at a key's balance until cancelled. tell: called with lamports and `warning`; not while nobody answers."""
    while True:
        for rpc in rpcs:
            try:
                lamports = await rpc.balance(key)
            except RpcError:
                continue
            tell(lamports, warning(what, key, lamports, rpc.url))
            break
        await asyncio.sleep(every)
