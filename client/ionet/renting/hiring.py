"""A launcher hired for one cluster: whose key it names, what it takes, and the SOL for what it will send."""

from __future__ import annotations

from typing import NamedTuple

from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.errors import InvalidInput
from ionet.fees import serving
from ionet.fuel import sol
from ionet.launcher_advert import Asked, advert_of
from ionet.plan import Plan


class Hired(NamedTuple):
    """fee: lamports, which are the launcher's. fuel: lamports that it may lack for its transactions; what it does not
    need of them stays in the session key, for the next cluster."""

    session_key: Pubkey
    fee: int
    fuel: int


async def hire(
    client: Client, launcher: Asked, nodes: int, *, key: str | None = None, most_fee: int | None = None
) -> Hired:
    """The terms of a launcher for a cluster of that size. Nothing is sent.

    key: the session key that it must have. most_fee: lamports that it may take in all, None for any. The fuel is
    counted here, from the chain: a launcher cannot ask for more. Raises BadLauncher, and InvalidInput for a fee above
    `most_fee`.
    """
    advert = await advert_of(launcher, client.rpc, key)
    session, fee = Pubkey.from_string(advert.session_key), nodes * advert.fee
    if most_fee is not None and fee > most_fee:
        raise InvalidInput(f"the launcher takes {sol(fee)} SOL for {nodes} nodes; --max-launcher-fee {sol(fee)} agrees")
    return Hired(session, fee, serving(nodes, await client.rpc.balance(session)))


def paid(client: Client, opening: Plan, hired: Hired) -> Plan:
    """The opening of a cluster and all that its launcher gets, in one transaction: neither without the other."""
    return client.batch(opening, client.tokens.send_sol(hired.session_key, hired.fee + hired.fuel))
