"""Addresses that follow from the IDL's seeds."""

from __future__ import annotations

from ionet.idl.model import Account, AccountSeed, ArgSeed, ConstSeed, Idl, IdlError, Instruction, Seed
from lib.pygen.text import head, identifier

SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


def pdas_module(idl: Idl) -> str:
    """One function for each distinct list of seeds, named after the account slot where it first occurs."""
    imports = "from solders.pubkey import Pubkey\n"
    text = head(
        "Addresses that the program derives, one function each.\n\n"
        "`program` is the ionet program's address; numbers in seeds are little endian.",
        imports,
    )
    text += (
        "def _find(program: Pubkey, *seeds: bytes) -> Pubkey:\n"
        "    return Pubkey.find_program_address(seeds, program)[0]\n\n\n"
    )
    seen: dict[bytes, str] = {}
    for item in sorted(idl.instructions, key=lambda one: one.name):
        for slot in item.slots():
            if slot.pda is None or slot.pda.program is not None:
                continue
            prefix, *rest = slot.pda.seeds
            if not isinstance(prefix, ConstSeed):
                raise IdlError(f"the address of {item.name}.{slot.name} does not begin with a constant")
            if bytes(prefix.value) not in seen:
                seen[bytes(prefix.value)] = _function(item, slot, rest)
    return text + "\n\n".join(seen[key] for key in sorted(seen))


def _function(item: Instruction, slot: Account, seeds: list[Seed]) -> str:
    assert slot.pda is not None
    prefix = bytes(slot.pda.seeds[0].value)  # type: ignore[union-attr]
    parameters, values = ["program: Pubkey"], [repr(prefix)]
    for seed in seeds:
        name, kind, value = _parameter(item, seed)
        parameters.append(f"{name}: {kind}")
        values.append(value)
    docs = f"Seeds: `{prefix.decode()}`" + "".join(f", {name.split(':')[0]}" for name in parameters[1:]) + "."
    return (
        f'def {identifier(slot.name)}({", ".join(parameters)}) -> Pubkey:\n    """{docs}"""\n'
        f"    return _find(program, {', '.join(values)})\n"
    )


def _parameter(item: Instruction, seed: Seed) -> tuple[str, str, str]:
    """Name, annotation and bytes of what a seed depends on."""
    if isinstance(seed, AccountSeed):
        name = identifier(seed.path)
        return name, "Pubkey", f"bytes({name})"
    if isinstance(seed, ArgSeed):
        name = identifier(seed.path)
        kind = next((field.type for field in item.args if field.name == seed.path), None)
        if not isinstance(kind, str) or kind not in SIZES:
            raise IdlError(f"the seed {seed.path} of {item.name} is not an integer argument")
        return name, "int", f'{name}.to_bytes({SIZES[kind]}, "little")'
    raise IdlError(f"two constants in the seeds of {item.name}")
