"""What the role APIs share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import NoReturn

from msgspec import Struct
from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import addresses
from ionet.arguments import check_arguments
from ionet.chain import Chain
from ionet.errors import Closed, NotFound
from ionet.generated import pdas
from ionet.generated.events import ClusterClosed, LeaseClosed
from ionet.generated.instructions import Instructions
from ionet.plan import Plan
from ionet.program import Program
from ionet.resolve import near
from ionet.wallet import Signer

# Of a token account: whose it is, and whether it is usable.
_OWNER_FIELD, _STATE_OFFSET, _INITIALIZED = slice(32, 64), 108, 1


def unheard(names: Iterable[str], kind: type[Struct]) -> str:
    """Names that a struct does not have, with the one that was probably meant."""
    given = sorted(names)
    return (", ".join(given) or "nothing") + (near(given[0], kind.__struct_fields__) if given else "")


class RoleApi:
    """Part of a Client; every method that changes the chain returns a Plan.

    A method that is given a value of a wrong type raises InvalidInput.
    """

    def __init_subclass__(cls, **more: object) -> None:
        super().__init_subclass__(**more)
        check_arguments(cls)

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    @property
    def _program(self) -> Program:
        return self._chain.program

    @property
    def _ix(self) -> Instructions:
        return self._chain.program.ix

    @property
    def _id(self) -> Pubkey:
        return self._chain.program.id

    def _plan(self, build: Callable[[], Awaitable[Sequence[Instruction]]], signers: Sequence[Signer] = ()) -> Plan:
        return Plan(self._chain, build, signers=signers)

    def _single(self, build: Callable[[], Instruction], signers: Sequence[Signer] = ()) -> Plan:
        """A plan of one instruction that needs nothing read from the chain."""

        async def instructions() -> list[Instruction]:
            return [build()]

        return self._plan(instructions, signers)

    async def _gone(self, noun: str, key: Pubkey, closing: type[LeaseClosed | ClusterClosed]) -> NoReturn:
        """Raise what an account that does not exist is: closed, as the chain's history says, or never there."""
        for event in await self._chain.recent_events(key):
            if isinstance(event, closing):
                when = datetime.fromtimestamp(event.at, UTC)
                receipt = f"; see `ionet lease receipt {key}`" if noun == "lease" else ""
                raise Closed(f"{noun} {key} was closed at {when:%Y-%m-%d %H:%M:%S} UTC{receipt}")
        raise NotFound(f"{noun} {key}")

    async def _token_account(self, owner: Pubkey, mint: Pubkey) -> list[Instruction]:
        """What creates the owner's associated token account, if it does not exist yet."""
        if await self._chain.rpc.account(addresses.token_account(owner, mint)) is not None:
            return []
        return [self._own_account(owner, mint)]

    def _own_account(self, owner: Pubkey, mint: Pubkey) -> Instruction:
        """What creates the owner's associated token account, or sees that it is still theirs: it fails if not."""
        # Imported late: this package doubles the import time of the client.
        from spl.token.instructions import create_idempotent_associated_token_account

        return create_idempotent_associated_token_account(self._chain.address, owner, mint)

    async def _payee(self, owner: Pubkey, mint: Pubkey) -> tuple[list[Instruction], Pubkey | None]:
        """What must come first so that `owner` can be paid in `mint`, and their owed account if they are paid there.

        Where their associated account is missing it is created; where it is frozen or given away, what they get is
        kept in their owed account until they claim it (`client.owed`).
        """
        owed = pdas.owed(self._id, mint, owner)
        account, kept = await self._chain.rpc.accounts([addresses.token_account(owner, mint), owed])
        if account is None:
            return await self._token_account(owner, mint), None
        if _can_receive(account, owner):
            return [], None
        opening = self._ix.open_owed(payer=self._chain.address, mint=mint, owner=owner)
        return [opening] if kept is None else [], owed

    async def _keeper(self, vault: Pubkey, owner: Pubkey, mint: Pubkey) -> tuple[list[Instruction], Pubkey | None]:
        """The owed account that takes a vault's place while its issuer has it frozen, opened where it is missing.

        owner: the network's or the node's address, which signs for the vault.
        """
        owed = pdas.owed(self._id, mint, owner)
        account, kept = await self._chain.rpc.accounts([vault, owed])
        if account is None or account.data[_STATE_OFFSET] == _INITIALIZED:
            return [], None
        opening = self._ix.open_owed(payer=self._chain.address, mint=mint, owner=owner)
        return ([] if kept is not None else [opening]), owed


def _can_receive(account: Account, owner: Pubkey) -> bool:
    """Whether a token account is the owner's and not frozen."""
    data = account.data
    return data[_OWNER_FIELD] == bytes(owner) and data[_STATE_OFFSET] == _INITIALIZED
