"""Arbiter's cases against nodes: the stake is frozen until they are decided."""

from __future__ import annotations

from typing import Any

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import addresses
from ionet.api.base import RoleApi
from ionet.generated.accounts import Case, Node
from ionet.generated.enums import CaseReason, NodeFlag
from ionet.plan import Plan
from ionet.words import parse


class CaseApi(RoleApi):
    def address(self, node: Pubkey, number: int) -> Pubkey:
        return addresses.case(self._id, node, number)

    async def get(self, case: Pubkey) -> Case:
        return await self._chain.fetch(Case, case)

    async def all(self, **fields: Any) -> list[tuple[Pubkey, Case]]:
        """Open cases whose fields have the given values, e.g. node=…"""
        return await self._chain.fetch_all(Case, **fields)

    def open(self, node: Pubkey, reason: str, evidence_hash: bytes) -> Plan:
        """Accuse a node and freeze its stake; arbiter. evidence_hash: sha256 of what is published about it.

        The case's address is in the receipt's CaseOpened event.
        """
        accusation = parse(CaseReason, reason, "reason")

        async def build() -> list[Instruction]:
            found = await self._chain.fetch(Node, node)
            return [
                self._ix.open_case(
                    arbiter=self._chain.address,
                    node=node,
                    case=self.address(node, found.next_case),
                    reason=accusation,
                    evidence_hash=evidence_hash,
                )
            ]

        return self._plan(build)

    def appeal(self, case: Pubkey, appeal_hash: bytes) -> Plan:
        """Answer a case, once; node owner. appeal_hash: sha256 of the answer."""

        async def build() -> list[Instruction]:
            found = await self.get(case)
            return [
                self._ix.appeal_case(
                    owner=self._chain.address,
                    node=found.node,
                    case=case,
                    appeal_hash=appeal_hash,
                )
            ]

        return self._plan(build)

    def decide(self, case: Pubkey, *, bps: int, blocked: bool | None = None) -> Plan:
        """Burn a part of the node's stake, within the caps, and block it or not (None: as it is); arbiter."""

        async def build() -> list[Instruction]:
            found = await self.get(case)
            block = await self._is_blocked(found) if blocked is None else blocked
            return [self._decision(case, found, bps, block)]

        return self._plan(build)

    def dismiss(self, case: Pubkey) -> Plan:
        """End a case that was not decided in time: nothing is taken, a block stays as it was; anyone."""

        async def build() -> list[Instruction]:
            found = await self.get(case)
            return [self._decision(case, found, 0, await self._is_blocked(found))]

        return self._plan(build)

    async def _is_blocked(self, case: Case) -> bool:
        return bool((await self._chain.fetch(Node, case.node)).flags & NodeFlag.BLOCKED)

    def _decision(self, key: Pubkey, case: Case, bps: int, blocked: bool) -> Instruction:
        return self._ix.decide_case(
            authority=self._chain.address,
            node=case.node,
            case=key,
            arbiter=case.arbiter,
            bps=bps,
            blocked=blocked,
        )
