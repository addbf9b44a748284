"""Whether a new IDL keeps the promises of an old one: what clients send, what accounts hold, what was recorded.

The rules are those of docs/upgrade.md. Every break is one line that begins with what it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ionet.codec.types import TypeTable, fixed_size
from ionet.idl.model import (
    Account,
    AliasBody,
    ConstSeed,
    Discriminated,
    EnumBody,
    Field,
    Idl,
    IdlError,
    Instruction,
    StructBody,
    TypeRef,
    named_fields,
)
from solders.pubkey import Pubkey

# What `#[event_cpi]` puts at the end of an instruction's accounts.
EVENT_ACCOUNTS = ("event_authority", "program")

N = TypeVar("N", Instruction, Discriminated)


def breaks(old: Idl, new: Idl) -> list[str]:
    """What a client, an account or a record of the old program would trip over under the new one; empty if nothing.

    Raises IdlError where one of the two cannot be laid out: a missing type, a struct whose size varies.
    """
    if old.address != new.address:
        return [f"program: its address changed from {old.address} to {new.address}"]
    found = [*_instructions(old, new), *_errors(old, new)]
    layouts = _Layouts(old), _Layouts(new)
    found += _accounts(old, new, *layouts)
    found += _events(old, new, *layouts)
    found += _types(old, new, *layouts)
    return found


def longer_lists(old: Idl, new: Idl) -> dict[str, tuple[str, ...]]:
    """Instructions of the old program that take more accounts now, and which: a call with the old list is refused."""
    longer = {}
    for item, now in _pairs(old.instructions, new.instructions):
        before = {slot.name for slot in item.slots()}
        added = tuple(slot.name for slot in now.slots() if slot.name not in before)
        if added:
            longer[item.name] = added
    return longer


# -- names and discriminators


def _pairs(old: Sequence[N], new: Sequence[N]) -> Iterator[tuple[N, N]]:
    by_name = {item.name: item for item in new}
    return ((item, by_name[item.name]) for item in old if item.name in by_name)


def _named(kind: str, old: Sequence[N], new: Sequence[N]) -> Iterator[str]:
    names = {item.name for item in new}
    yield from (f"{kind} {item.name}: removed" for item in old if item.name not in names)
    for item, now in _pairs(old, new):
        if item.discriminator != now.discriminator:
            yield f"{kind} {item.name}: its discriminator changed"
    known = {item.discriminator: item.name for item in old}
    for item in new:
        if known.get(item.discriminator, item.name) != item.name:
            yield f"{kind} {item.name}: takes the discriminator of {known[item.discriminator]}"


def _errors(old: Idl, new: Idl) -> Iterator[str]:
    codes = {error.name: error.code for error in new.errors}
    for error in old.errors:
        if error.name not in codes:
            yield f"error {error.name}: removed, its code was {error.code}"
        elif codes[error.name] != error.code:
            yield f"error {error.name}: moved from code {error.code} to {codes[error.name]}"


# -- instructions


def _instructions(old: Idl, new: Idl) -> Iterator[str]:
    yield from _named("instruction", old.instructions, new.instructions)
    for item, now in _pairs(old.instructions, new.instructions):
        what = f"instruction {item.name}"
        before, after = _signature(item.args), _signature(now.args)
        if before != after:
            yield f"{what}: its arguments changed from ({before}) to ({after}); make it a new instruction"
        if item.returns != now.returns:
            yield f"{what}: returns another type"
        yield from _slots(what, old, new, _own(item), _own(now))
        if _ends(item) != _ends(now):
            yield f"{what}: does not end with the same accounts of its events"


def _signature(args: Sequence[Field]) -> str:
    return ", ".join(f"{arg.name}: {_shown(arg.type)}" for arg in args)


def _own(item: Instruction) -> tuple[Account, ...]:
    return tuple(slot for slot in item.slots() if slot.name not in EVENT_ACCOUNTS)


def _ends(item: Instruction) -> tuple[str, ...]:
    return tuple(slot.name for slot in item.slots()[-2:] if slot.name in EVENT_ACCOUNTS)


def _slots(what: str, old: Idl, new: Idl, before: Sequence[Account], after: Sequence[Account]) -> Iterator[str]:
    for at, slot in enumerate(before):
        if at >= len(after) or after[at].name != slot.name:
            there = after[at].name if at < len(after) else "nothing"
            yield f"{what}: account {at} was {slot.name}, now {there}"
            return
        if _flags(slot) != _flags(after[at]):
            yield f"{what}: account {slot.name} was {_flags(slot)}, now {_flags(after[at])}"
        was, now = _address(slot, old), _address(after[at], new)
        if was is not None and now is not None and was != now:
            yield f"{what}: account {slot.name} is at another address"
    for slot in after[len(before) :]:
        if not slot.optional:
            yield f"{what}: new account {slot.name} is not optional"


def _flags(slot: Account) -> str:
    flags = {"writable": slot.writable, "signer": slot.signer, "optional": slot.optional}
    return ", ".join(flag for flag, is_set in flags.items() if is_set) or "read-only"


def _address(slot: Account, idl: Idl) -> object:
    """Where an account is: an address, or the seeds that lead to it; None where the IDL does not say."""
    if slot.fixed_address is not None:
        return slot.fixed_address
    if slot.pda is None:
        return None
    seeds = [bytes(seed.value) for seed in slot.pda.seeds if isinstance(seed, ConstSeed)]
    if slot.pda.program is not None or len(seeds) < len(slot.pda.seeds):
        return slot.pda
    return str(Pubkey.find_program_address(seeds, Pubkey.from_string(idl.address))[0])


# -- layouts


@dataclass(frozen=True)
class _Piece:
    """A field of a struct: its first byte (discriminator not counted), its size and its type."""

    name: str
    type: TypeRef
    start: int
    size: int

    @property
    def spare(self) -> bool:
        """Whether it only fills the layout, so that later versions may carve fields out of it."""
        bytes_only = isinstance(self.type, dict) and self.type.get("array", [None])[0] == "u8"
        return bytes_only and self.name.startswith("_")

    def __str__(self) -> str:
        return f"{self.name}: {_shown(self.type)}"


class _Layouts:
    """The structs of an IDL as pieces."""

    def __init__(self, idl: Idl) -> None:
        self._idl = idl
        self._table = TypeTable(idl, {})

    def varies(self, name: str) -> bool:
        """Whether a struct has a list in it, as only arguments do."""
        body = self._idl.type_def(name).type
        assert isinstance(body, StructBody)
        return any(self._table.layout(field.type).fixed is None for field in named_fields(body.fields))

    def pieces(self, name: str) -> list[_Piece]:
        body = self._idl.type_def(name).type
        assert isinstance(body, StructBody)
        found: list[_Piece] = []
        for field in named_fields(body.fields):
            layout = self._table.layout(field.type)
            if layout.fixed is None:
                raise IdlError(f"{name}.{field.name} has no fixed size: nothing after it could ever be read by offset")
            found.append(_Piece(field.name, field.type, _size(found), fixed_size(layout)))
        return found


def _size(pieces: Sequence[_Piece]) -> int:
    return pieces[-1].start + pieces[-1].size if pieces else 0


def _shown(kind: TypeRef) -> str:
    if isinstance(kind, str):
        return kind
    ((how, body),) = kind.items()
    if how == "array":
        return f"[{_shown(body[0])}; {body[1]}]"
    if how == "defined":
        return str(body["name"]).rsplit("::", 1)[-1]
    return f"{how}<{_shown(body)}>" if isinstance(body, str | dict) else str(kind)


def _accounts(old: Idl, new: Idl, was: _Layouts, now: _Layouts) -> Iterator[str]:
    yield from _named("account", old.accounts, new.accounts)
    for item, _ in _pairs(old.accounts, new.accounts):
        what = f"account {item.name}"
        before, after = was.pieces(item.name), now.pieces(item.name)
        yield from _kept(what, before, after)
        if old.type_def(item.name).serialization != new.type_def(item.name).serialization:
            yield f"{what}: serialized in another way"
        if _size(after) < _size(before):
            yield f"{what}: shrinks from {_size(before)} to {_size(after)} bytes"
        if _size(after) > _size(before):
            yield f"{what}: grows from {_size(before)} to {_size(after)} bytes, which needs a migration"


def _kept(what: str, before: Sequence[_Piece], after: Sequence[_Piece]) -> Iterator[str]:
    """Every field of before is where and what it was; bytes that nobody used may have become anything."""
    by_start = {piece.start: piece for piece in after}
    by_name = {piece.name: piece for piece in after}
    for piece in before:
        if piece.spare:
            continue
        there, same = by_start.get(piece.start), by_name.get(piece.name)
        if there is not None and (there.name, there.type) == (piece.name, piece.type):
            continue
        if same is None and there is not None and there.type == piece.type and not there.spare:
            yield f"{what}: {piece.name} was renamed to {there.name}, under which old readers do not find it"
        elif same is None:
            yield f"{what}: {piece.name} removed"
        elif same.type != piece.type:
            yield f"{what}: {piece.name} changed from {_shown(piece.type)} to {_shown(same.type)}"
        else:
            yield f"{what}: {piece.name} moved from byte {piece.start} to byte {same.start}"


def _events(old: Idl, new: Idl, was: _Layouts, now: _Layouts) -> Iterator[str]:
    yield from _named("event", old.events, new.events)
    for item, _ in _pairs(old.events, new.events):
        before, after = [str(piece) for piece in was.pieces(item.name)], [str(piece) for piece in now.pieces(item.name)]
        for at, field in enumerate(before):
            there = after[at] if at < len(after) else "nothing"
            if there != field:
                yield f"event {item.name}: field {at} was {field}, now {there}; append new fields at the end"
                break


def _types(old: Idl, new: Idl, was: _Layouts, now: _Layouts) -> Iterator[str]:
    """Types inside arguments, accounts and events. Their size is part of what contains them, so it cannot change."""
    alone = {item.name for idl in (old, new) for item in (*idl.accounts, *idl.events)}
    bodies = {definition.name: definition.type for definition in new.types}
    for definition in old.types:
        what, before, after = f"type {definition.name}", definition.type, bodies.get(definition.name)
        if definition.name in alone:
            continue
        if after is None:
            yield f"{what}: removed"
        elif type(before) is not type(after):
            yield f"{what}: is another kind of type"
        elif isinstance(before, AliasBody) and before != after:
            yield f"{what}: is an alias of another type"
        elif isinstance(before, EnumBody) and isinstance(after, EnumBody):
            if after.variants[: len(before.variants)] != before.variants:
                yield f"{what}: its variants changed; append new ones at the end"
        elif isinstance(before, StructBody) and was.varies(definition.name):
            if before != after:
                yield f"{what}: its fields changed; make it a new instruction"
        elif isinstance(before, StructBody):
            pieces, changed = was.pieces(definition.name), now.pieces(definition.name)
            yield from _kept(what, pieces, changed)
            if _size(pieces) != _size(changed):
                yield f"{what}: its size changed from {_size(pieces)} to {_size(changed)} bytes"
