"""Roles, mints, parameters, device models."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from ionet import resolve
from ionet.api.base import RoleApi, unheard
from ionet.errors import InvalidInput, RpcError, RpcUnreachable
from ionet.executor import send_all
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel, Network
from ionet.generated.enums import Currency, NetworkRole, Profile
from ionet.generated.types import ModelTerms, Params
from ionet.plan import Plan, Receipt
from ionet.wallet import KeypairSigner
from ionet.words import parse

USDC_DECIMALS = 6
# Feed that local chains post IO prices under; a real network names Pyth's.
LOCAL_FEED_ID = hashlib.sha256(b"IO/USD on a local chain").digest()


class Model(msgspec.Struct, frozen=True):
    """A device model. multiplier is × 100; kind: a `DeviceKind`; pool: a `DevicePool`.

    reference_price: micro-dollars per processor-hour that prices and rewards are measured by, 0 if not set.
    """

    code: int
    name: str
    kind: int
    pool: int
    multiplier: int
    throughput: int = 0
    reference_price: int = 0


@cache
def known_models() -> tuple[Model, ...]:
    """The models and multipliers that ship with the client."""
    data = (files("ionet") / "device_models.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Model, ...])


def model_name(model: DeviceModel) -> str:
    return model.name.rstrip(b"\0").decode(errors="replace")


class NetworkApi(RoleApi):
    @property
    def address(self) -> Pubkey:
        return pdas.network(self._id)

    async def get(self) -> Network:
        """The network account; NotFound before `init`."""
        return await self._chain.fetch(Network, self.address)

    async def mint(self, currency: str) -> Pubkey:
        """The mint of IO, IOSD or USDC. Raises InvalidInput for another name."""
        own = {Currency.IO: pdas.io_mint, Currency.IOSD: pdas.iosd_mint}
        wanted = parse(Currency, currency, "currency")
        return own[wanted](self._id) if wanted in own else (await self.get()).usdc_mint

    async def models(self) -> list[tuple[Pubkey, DeviceModel]]:
        """Every device model with its address, by code."""
        found = await self._chain.fetch_all(DeviceModel)
        return sorted(found, key=lambda item: item[1].code)

    async def model_names(self) -> dict[int, str]:
        """Names of the device models by code: the chain's, or those that ship where the node does not list accounts."""
        try:
            return {model.code: model_name(model) for _, model in await self.models()}
        except RpcUnreachable:
            raise
        except RpcError:
            return {model.code: model.name for model in known_models()}

    async def model_code(self, text: str) -> int:
        """The code of a device model by what people call it: `7`, `4090`, `RTX 4090`. Raises InvalidInput."""
        return resolve.model(text, await self.model_names())

    def init(
        self,
        *,
        profile: str,
        usdc_mint: Pubkey,
        genesis_owner: Pubkey,
        feed_id: bytes = LOCAL_FEED_ID,
        pauser: Pubkey | None = None,
        arbiter: Pubkey | None = None,
    ) -> Plan:
        """Create the network; the wallet must be the program's upgrade authority. profile: `mainnet` or `local`.

        genesis_owner: wallet that gets the first IO. pauser, arbiter: by default the wallet.
        """
        chosen = parse(Profile, profile, "profile")

        def build() -> Instruction:
            wallet = self._chain.address
            return self._ix.init_network(
                authority=wallet,
                usdc_mint=usdc_mint,
                genesis_owner=genesis_owner,
                profile=chosen,
                pauser=pauser or wallet,
                arbiter=arbiter or wallet,
                feed_id=feed_id,
            )

        return self._single(build)

    def init_vaults(self, mint: Pubkey) -> Plan:
        """Create the fee and burn vaults of an admitted mint."""
        return self._single(lambda: self._ix.init_vaults(payer=self._chain.address, mint=mint))

    def register_model(self, model: Model) -> Plan:
        """Add a device model; network authority. Raises InvalidInput when the name is longer than 32 bytes."""
        name = model.name.encode()
        if len(name) > 32:
            raise InvalidInput(f"model name {model.name!r} is longer than 32 bytes")
        return self._single(
            lambda: self._ix.register_model(
                authority=self._chain.address,
                code=model.code,
                name=name.ljust(32, b"\0"),
                kind=model.kind,
                pool=model.pool,
                multiplier=model.multiplier,
                throughput=model.throughput,
                reference_price=model.reference_price,
            )
        )

    def set_model(self, code: int, *, enabled: bool) -> Plan:
        """Allow new leases and extensions of a device model or stop them, at once; network authority."""
        return self._single(
            lambda: self._ix.set_model(
                authority=self._chain.address,
                model=pdas.model(self._id, code),
                enabled=enabled,
            )
        )

    def propose_model(self, code: int, **changes: int) -> Plan:
        """Change a device model's pool, multiplier, throughput or reference_price; network authority.

        It waits as long as stake takes to leave; `apply_model` puts it into effect. What was proposed before and is not
        named stays proposed. Raises InvalidInput for another name.
        """
        unknown = changes.keys() - set(ModelTerms.__struct_fields__)
        if unknown or not changes:
            raise InvalidInput(f"no term of a model is called {unheard(unknown, ModelTerms)}")

        async def build() -> list[Instruction]:
            key = pdas.model(self._id, code)
            found = await self._chain.fetch(DeviceModel, key)
            # A proposal of a former authority is void, so it is not carried on.
            pending = found.pending_at and found.pending_by == (await self.get()).authority_number
            prefix = "pending_" if pending else ""
            terms = {name: getattr(found, prefix + name) for name in ModelTerms.__struct_fields__} | changes
            return [self._ix.propose_model(authority=self._chain.address, model=key, **terms)]

        return self._plan(build)

    def apply_model(self, code: int) -> Plan:
        """Put a device model's new terms into effect once their wait is over; anyone."""
        return self._single(lambda: self._ix.apply_model(model=pdas.model(self._id, code)))

    def propose_params(self, **changes: Any) -> Plan:
        """Change some parameters after their wait; network authority. Booked leases keep theirs.

        What touches stake or redemption waits as long as stake takes to leave, the rest the timelock.

        What was proposed before and is not named stays proposed, and waits again. Raises InvalidInput for a name that
        is not a parameter.
        """
        unknown = changes.keys() - set(Params.__struct_fields__)
        if unknown or not changes:
            raise InvalidInput(f"no parameter is called {unheard(unknown, Params)}")

        async def build() -> list[Instruction]:
            found = await self.get()
            base = found.pending if found.pending_effective_at else found.params
            params = msgspec.structs.replace(base, **changes)
            return [self._ix.propose_params(authority=self._chain.address, params=params)]

        return self._plan(build)

    def propose_role(self, role: str, value: bytes) -> Plan:
        """Name a new `authority`, `pauser`, `arbiter` (address) or oracle `feed` (id), 32 bytes; network authority."""
        number = parse(NetworkRole, role, "role")
        return self._single(lambda: self._ix.propose_role(authority=self._chain.address, role=number, value=value))

    def apply_pending(self) -> Plan:
        """Put what is due into effect; anyone, a new authority only by itself."""
        return self._single(lambda: self._ix.apply_pending(caller=self._chain.address))

    def set_pause(self, bits: int) -> Plan:
        """Set which entries are paused and which are not: a set of `Pause`."""
        return self._single(lambda: self._ix.set_pause(pauser=self._chain.address, bits=bits))

    def change_pause(self, *, pause: int = 0, resume: int = 0) -> Plan:
        """Pause some entries and resume some, each a set of `Pause`; the rest stays as it is."""

        async def build() -> list[Instruction]:
            bits = ((await self.get()).pause_bits | pause) & ~resume
            return [self._ix.set_pause(pauser=self._chain.address, bits=bits)]

        return self._plan(build)

    def burn(self, mint: Pubkey) -> Plan:
        """Burn what waits in the burn vault of IO or IOSD; anyone."""
        return self._single(lambda: self._ix.burn(mint=mint))

    def create_mint(self, mint: Keypair, decimals: int) -> Plan:
        """A plain SPL mint whose authority is the wallet: stands in for USDC on local chains."""

        async def build() -> list[Instruction]:
            from spl.token.constants import MINT_LEN, TOKEN_PROGRAM_ID
            from spl.token.instructions import initialize_mint2
            from spl.token.models import InitializeMint2Params

            wallet = self._chain.address
            rent = await self._chain.rpc.rent(MINT_LEN)
            space = CreateAccountParams(
                from_pubkey=wallet, to_pubkey=mint.pubkey(), lamports=rent, space=MINT_LEN, owner=TOKEN_PROGRAM_ID
            )
            setup = InitializeMint2Params(
                decimals=decimals, mint=mint.pubkey(), mint_authority=wallet, program_id=TOKEN_PROGRAM_ID
            )
            return [create_account(space), initialize_mint2(setup)]

        return self._plan(build, [KeypairSigner(mint)])

    async def bootstrap(
        self,
        *,
        genesis_owner: Pubkey,
        profile: str = "local",
        feed_id: bytes = LOCAL_FEED_ID,
        usdc_mint: Pubkey | None = None,
        models: Sequence[Model] | None = None,
    ) -> list[Receipt]:
        """What a new network needs, in order: a USDC mint if none is given, the network, vaults, device models."""
        receipts = []
        if usdc_mint is None:
            usdc = Keypair()
            usdc_mint = usdc.pubkey()
            receipts.append(await self.create_mint(usdc, USDC_DECIMALS))
        create = self.init(profile=profile, usdc_mint=usdc_mint, genesis_owner=genesis_owner, feed_id=feed_id)
        receipts.append(await create)
        mints = [pdas.io_mint(self._id), pdas.iosd_mint(self._id), usdc_mint]
        receipts.append(await self._chain.batch(*[self.init_vaults(mint) for mint in mints]))
        chosen = known_models() if models is None else models
        plans = [self.register_model(model) for model in chosen]
        receipts += await send_all(self._chain, await self._chain.batch(*plans).instructions())
        return receipts
