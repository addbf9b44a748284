"""Suppliers' nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet.api.base import RoleApi, unheard
from ionet.api.network import NetworkApi
from ionet.errors import InvalidInput
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel, Node
from ionet.generated.enums import NodeFlag
from ionet.generated.types import NodeTerms
from ionet.plan import Plan
from ionet.rules import pool
from ionet.wallet import Signer


def terms_of(node: Node) -> NodeTerms:
    """What the owner of a node offers now."""
    return NodeTerms(**{name: getattr(node, name) for name in NodeTerms.__struct_fields__})


def state_of(node: Node, needed: int, co_max_percent: int) -> str:
    """What keeps a node from being booked now, the gravest first, else `free`.

    retired, blocked, frozen, paused, absent, unstaked (its stake counts for less than `needed`), busy.
    """
    flags = NodeFlag(node.flags)
    for flag in (NodeFlag.RETIRED, NodeFlag.BLOCKED, NodeFlag.FROZEN, NodeFlag.PAUSED, NodeFlag.ABSENT):
        if flag in flags:
            return str(flag.name).lower()
    bonded = pool.Pool(node.bonded.amount, node.bonded.shares)
    if pool.counted_stake(bonded, node.owner_bonded_shares, co_max_percent) < needed:
        return "unstaked"
    return "free" if node.current_lease == Pubkey.default() else "busy"


class NodeApi(RoleApi):
    def address(self, first_device_key: Pubkey) -> Pubkey:
        return pdas.node(self._id, first_device_key)

    async def get(self, node: Pubkey) -> Node:
        return await self._chain.fetch(Node, node)

    async def all(self, **fields: Any) -> list[tuple[Pubkey, Node]]:
        """Nodes whose fields have the given values, e.g. owner=…, model=…"""
        return await self._chain.fetch_all(Node, **fields)

    async def states(self, nodes: Sequence[Node]) -> list[str]:
        """What keeps each node from being booked now, see `state_of`; a model that is switched off is `disabled`."""
        params = (await NetworkApi(self._chain).get()).params
        codes = sorted({node.model for node in nodes})
        found = await self._chain.fetch_many(DeviceModel, [pdas.model(self._id, code) for code in codes])
        models = dict(zip(codes, found, strict=True))
        states = []
        for node in nodes:
            model = models[node.model]
            if model is None or not model.enabled:
                states.append("disabled")
                continue
            needed = pool.required_stake(params.stake_per_processor, model.multiplier, node.processors)
            states.append(state_of(node, needed, params.co_stake_max_percent))
        return states

    async def required_stake(self, model_code: int, processors: int) -> int:
        """IO base units that a node must have bonded to be hired."""
        network = await NetworkApi(self._chain).get()
        model = await self._chain.fetch(DeviceModel, pdas.model(self._id, model_code))
        return pool.required_stake(network.params.stake_per_processor, model.multiplier, processors)

    def register(self, device: Signer, *, model_code: int, processors: int, terms: NodeTerms) -> Plan:
        """Register a machine: the wallet owns it, `device` is the machine's own key and signs too."""
        return self._single(
            lambda: self._ix.register_node(
                owner=self._chain.address,
                device_key=device.pubkey,
                model_code=model_code,
                processors=processors,
                terms=terms,
            ),
            [device],
        )

    def update(self, node: Pubkey, terms: NodeTerms) -> Plan:
        """Replace the terms; running leases keep what they locked. `change` keeps what is not named."""
        return self._single(lambda: self._ix.update_node(owner=self._chain.address, node=node, terms=terms))

    def change(self, node: Pubkey, **changes: Any) -> Plan:
        """Change some of the terms, by the names of `NodeTerms`; the rest stays as it is when the plan is sent.

        Raises InvalidInput for a name that is none of them.
        """
        unknown = changes.keys() - set(NodeTerms.__struct_fields__)
        if unknown or not changes:
            raise InvalidInput(f"no term of a node is called {unheard(unknown, NodeTerms)}")

        async def build() -> list[Instruction]:
            terms = msgspec.structs.replace(terms_of(await self.get(node)), **changes)
            return [self._ix.update_node(owner=self._chain.address, node=node, terms=terms)]

        return self._plan(build)

    def rotate_device_key(self, node: Pubkey, new_device: Signer) -> Plan:
        return self._single(
            lambda: self._ix.rotate_device_key(owner=self._chain.address, new_device_key=new_device.pubkey, node=node),
            [new_device],
        )

    def pause(self, node: Pubkey, *, paused: bool = True) -> Plan:
        """Take no new leases, or take them again."""
        return self._single(lambda: self._ix.pause_node(owner=self._chain.address, node=node, paused=paused))

    def come_back(self, node: Pubkey) -> Plan:
        """Say that a node which was not ready in time is there again; node owner or, as the wallet, its device key."""
        return self._single(lambda: self._ix.return_node(supplier=self._chain.address, node=node))

    def lock_payout(self, node: Pubkey, beneficiary: Pubkey, until: int) -> Plan:
        """Pay the node's income to `beneficiary` until `until` (unix seconds), or make such a lock longer; node owner.

        So long the price cannot fall. Only the beneficiary can end it, with `release_payout`.
        """

        async def build() -> list[Instruction]:
            found = await self.get(node)
            lease = None if found.current_lease == Pubkey.default() else found.current_lease
            return [
                self._ix.lock_payout(
                    owner=self._chain.address, node=node, lease=lease, beneficiary=beneficiary, until=until
                )
            ]

        return self._plan(build)

    def release_payout(self, node: Pubkey) -> Plan:
        """End the lock of a node's payout; the wallet that it is locked to."""
        return self._single(lambda: self._ix.release_payout(beneficiary=self._chain.address, node=node))

    def retire(self, node: Pubkey) -> Plan:
        """Leave the market for good; the owner's stake starts to unbond."""

        async def build() -> list[Instruction]:
            owner = self._chain.address
            position = pdas.position(self._id, node, owner)
            exists = await self._chain.rpc.account(position) is not None
            return [self._ix.retire_node(owner=owner, node=node, position=position if exists else None)]

        return self._plan(build)
