"""Instructions from names and values: accounts resolved from the IDL, arguments encoded. Pure; used by `instructions`.

An account slot is filled, in this order, from what the caller gives, the IDL's fixed address, the IDL's PDA seeds, and
the rules for what the IDL cannot say (associated token accounts, PDAs whose seeds are fields of an account).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from ionet.codec import ProgramCodec
from ionet.errors import InvalidInput
from ionet.idl.model import Account, AccountSeed, ArgSeed, ConstSeed, Pda, Seed
from ionet.idl.model import Instruction as IdlInstruction

# What a rule sees: the program, the accounts found so far, the arguments. It returns None while something is missing.
Known: TypeAlias = Mapping[str, Pubkey]
Rule: TypeAlias = Callable[[Pubkey, Known, Mapping[str, Any]], Pubkey | None]


class BuildError(InvalidInput):
    """the instruction cannot be built"""


class Builder:
    """Builds instructions of one program. rules: account name, or `instruction.account`, to a rule."""

    def __init__(self, codec: ProgramCodec, rules: Mapping[str, Rule] | None = None) -> None:
        self.codec = codec
        self._rules = dict(rules or {})

    def build(
        self,
        name: str,
        accounts: Mapping[str, Pubkey | None],
        args: Mapping[str, Any],
        remaining: Sequence[AccountMeta] = (),
    ) -> Instruction:
        """One instruction. Raises BuildError for accounts that are unknown or missing, EncodeError for bad arguments.

        An optional account that is None or left out is passed as the program's own address, as Anchor wants it.
        """
        item = self.codec.instruction(name)
        slots = item.slots()
        data = self.codec.encode_args(name, args)
        known = self._resolve(item, slots, accounts, args)
        metas = [self._meta(slot, known[slot.name]) for slot in slots]
        return Instruction(self.codec.id, data, [*metas, *remaining])

    def accounts(self, name: str, instruction: Instruction) -> dict[str, Pubkey]:
        """The accounts of a built instruction by slot name."""
        slots = self.codec.instruction(name).slots()
        return {slot.name: meta.pubkey for slot, meta in zip(slots, instruction.accounts, strict=False)}

    def replace(self, name: str, instruction: Instruction, **accounts: Pubkey) -> Instruction:
        """The same instruction with other accounts in named slots; flags stay. For tests of wrong accounts."""
        positions = {slot.name: at for at, slot in enumerate(self.codec.instruction(name).slots())}
        metas = list(instruction.accounts)
        for slot, key in accounts.items():
            if slot not in positions:
                raise BuildError(f"{name} has no account {slot!r}")
            old = metas[positions[slot]]
            metas[positions[slot]] = AccountMeta(key, old.is_signer, old.is_writable)
        return Instruction(instruction.program_id, instruction.data, metas)

    def also_signs(self, name: str, instruction: Instruction, slot: str) -> Instruction:
        """The same instruction with a signature asked for a slot where the IDL leaves it open."""
        at = [item.name for item in self.codec.instruction(name).slots()].index(slot)
        metas = list(instruction.accounts)
        metas[at] = AccountMeta(metas[at].pubkey, is_signer=True, is_writable=metas[at].is_writable)
        return Instruction(instruction.program_id, instruction.data, metas)

    def _resolve(
        self,
        item: IdlInstruction,
        slots: Sequence[Account],
        given: Mapping[str, Pubkey | None],
        args: Mapping[str, Any],
    ) -> dict[str, Pubkey | None]:
        names = {slot.name for slot in slots}
        unknown = given.keys() - names
        if unknown:
            raise BuildError(f"{item.name} has no account {', '.join(sorted(unknown))}")
        known = {name: key for name, key in given.items() if key is not None}
        # A slot may depend on a later one, so go round until nothing new is found.
        pending = [slot for slot in slots if slot.name not in known]
        while pending:
            left = []
            for slot in pending:
                key = self._derive(item, slot, known, args)
                if key is None:
                    left.append(slot)
                else:
                    known[slot.name] = key
            if len(left) == len(pending):
                break
            pending = left
        missing = [slot.name for slot in pending if not slot.optional]
        if missing:
            raise BuildError(f"{item.name} needs {', '.join(missing)}")
        return {slot.name: known.get(slot.name) for slot in slots}

    def _derive(self, item: IdlInstruction, slot: Account, known: Known, args: Mapping[str, Any]) -> Pubkey | None:
        if slot.fixed_address is not None:
            return Pubkey.from_string(slot.fixed_address)
        if slot.name == "program":  # the slot `#[event_cpi]` adds
            return self.codec.id
        if slot.pda is not None:
            return self._pda(item, slot.pda, known, args)
        rule = self._rules.get(f"{item.name}.{slot.name}") or self._rules.get(slot.name)
        return rule(self.codec.id, known, args) if rule else None

    def _pda(self, item: IdlInstruction, pda: Pda, known: Known, args: Mapping[str, Any]) -> Pubkey | None:
        seeds = [self._seed(item, seed, known, args) for seed in pda.seeds]
        program = None if pda.program is None else self._seed(item, pda.program, known, args)
        if any(seed is None for seed in seeds) or (pda.program is not None and program is None):
            return None
        owner = self.codec.id if program is None else Pubkey(program)
        return Pubkey.find_program_address([seed for seed in seeds if seed is not None], owner)[0]

    def _seed(self, item: IdlInstruction, seed: Seed, known: Known, args: Mapping[str, Any]) -> bytes | None:
        if isinstance(seed, ConstSeed):
            return bytes(seed.value)
        if isinstance(seed, AccountSeed):
            key = known.get(seed.path)
            return None if key is None else bytes(key)
        return self._arg_seed(item, seed, args)

    def _arg_seed(self, item: IdlInstruction, seed: ArgSeed, args: Mapping[str, Any]) -> bytes:
        for field in item.args:
            if field.name == seed.path:
                return self.codec.encode_value(field, args[field.name])
        raise BuildError(f"the IDL's seeds for {item.name} name an argument {seed.path!r} that it does not have")

    def _meta(self, slot: Account, key: Pubkey | None) -> AccountMeta:
        if key is None:
            return AccountMeta(self.codec.id, is_signer=False, is_writable=False)
        return AccountMeta(key, slot.signer, slot.writable)
