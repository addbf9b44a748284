"""From a request to bytes that a wallet signs, and what they will move: simulated on the chain as it is now."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Sequence

from ionet import addresses
from ionet.cli import human
from ionet.cli.parsing import pubkey
from ionet.client import Client
from ionet.errors import InvalidInput
from ionet.generated import pdas
from ionet.rpc import Rpc
from ionet.wallet import Watch
from msgspec import Struct
from solders.account import Account
from solders.message import VersionedMessage
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from ionet_actions.kinds import Desk, Kind
from ionet_actions.pace import Pace


class Move(Struct, frozen=True):
    """What a wallet gains or loses. units: base units with their sign. amount: the same for people."""

    token: str
    units: str
    amount: str


class Prepared(Struct, frozen=True):
    """Bytes to sign. transaction: base64 of the wire format, unsigned. signers: who must sign, the wallet first.

    moves: of the wallet's own SOL and tokens, fee and rent of new accounts included. secs_left: about how long it can
    still land, at the pace of the last minute's blocks. chain: as the Wallet Standard names it. slot: of the chain, by
    which a page sees how far behind it is.
    """

    kind: str
    title: str
    transaction: str
    signers: list[str]
    moves: list[Move]
    last_valid_block_height: int
    secs_left: float
    chain: str
    slot: int


async def prepare(rpc: Rpc, asked: Kind, pace: Pace, desk: Desk) -> Prepared:
    """Raises InvalidInput for what makes no sense, ChainRefused for what the chain would refuse, RpcError."""
    account = pubkey(asked.account)
    if not account.is_on_curve():
        raise InvalidInput(f"{account} is no wallet: nobody can sign for it")
    client = Client(rpc, Watch(account), version=asked.version)
    plan = await asked.plan(client, desk)
    # Nobody signs here: whose keys it names besides, sign where they are, after the wallet.
    unsigned = await client.unsigned(await plan.instructions())
    message = VersionedTransaction.from_bytes(b64decode(unsigned.transaction)).message
    moves, slot = await asyncio.gather(moves_of(client, message), rpc.slot())
    return Prepared(
        kind=str(asked.__struct_config__.tag),
        title=asked.title(),
        transaction=unsigned.transaction,
        signers=unsigned.signers,
        moves=moves,
        last_valid_block_height=unsigned.last_valid_block_height,
        secs_left=pace.secs_left(unsigned.last_valid_block_height),
        chain=await pace.chain(rpc),
        slot=slot,
    )


async def moves_of(client: Client, message: VersionedMessage) -> list[Move]:
    """What a message does to the tokens of the client's wallet. Raises ChainRefused, RpcError."""
    purse = await _purse(client)
    before, rehearsed = await asyncio.gather(
        client.rpc.accounts(list(purse.values())), client.rehearse(message, list(purse.values()))
    )
    return _moves(list(purse), before, rehearsed.after)


async def _purse(client: Client) -> dict[str, Pubkey]:
    """Where a wallet keeps each token."""
    network, program, owner = await client.network.get(), client.program.id, client.address
    mints = {"IO": pdas.io_mint(program), "IOSD": pdas.iosd_mint(program), "USDC": network.usdc_mint}
    tokens = {token: addresses.token_account(owner, mint) for token, mint in mints.items()}
    return {**tokens, "SOL": owner}


def _moves(tokens: Sequence[str], before: Sequence[Account | None], after: Sequence[Account | None]) -> list[Move]:
    found = []
    for token, old, new in zip(tokens, before, after, strict=True):
        units = _held(token, new) - _held(token, old)
        if units:
            sign = "+" if units > 0 else "−"
            found.append(Move(token, str(units), sign + human.money(abs(units), token)))
    return found


def _held(token: str, account: Account | None) -> int:
    if account is None:
        return 0
    return account.lamports if token == "SOL" else addresses.token_amount(account.data)
