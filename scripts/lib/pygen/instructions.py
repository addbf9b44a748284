"""One builder method for each instruction."""

from __future__ import annotations

import keyword
from collections.abc import Collection

from ionet.idl.model import Account, Field, Idl, Instruction, StructBody, named_fields
from lib.pygen.text import annotation, docstring, head, identifier, scalar_import


def instructions_module(idl: Idl, rules: Collection[str], shared: str) -> str:
    """rules: the account slots whose address the client knows by itself (see `ionet.addresses`)."""
    imports = "from collections.abc import Sequence\nfrom solders.instruction import AccountMeta, Instruction\n"
    imports += "from solders.pubkey import Pubkey\nfrom ionet.build import Builder\n"
    methods = "\n".join(_method(idl, item, rules) for item in idl.instructions)
    return head("One pure builder per instruction.", imports + shared + scalar_import()) + (
        "class Instructions:\n"
        '    """The instructions of one program; `builder` knows its address and how its arguments are laid out."""\n\n'
        "    def __init__(self, builder: Builder) -> None:\n"
        "        self._build = builder.build\n\n" + methods
    )


def flattened(idl: Idl, field: Field) -> tuple[str, tuple[Field, ...]] | None:
    """Name and fields of an argument struct called `args`, whose fields callers pass one by one."""
    if field.name != "args" or isinstance(field.type, str) or "defined" not in field.type:
        return None
    name = str(field.type["defined"]["name"])
    body = idl.type_def(name).type
    return (name, named_fields(body.fields)) if isinstance(body, StructBody) else None


def _method(idl: Idl, item: Instruction, rules: Collection[str]) -> str:
    slots = item.slots()
    arguments, values = _arguments(idl, item)
    clash = {slot.name for slot in slots} & {field.name for field in arguments}
    required: list[str] = []
    optional: list[str] = []
    accounts: list[str] = []
    for slot in slots:
        kind = _account_parameter(item, slot, rules)
        if kind is None:
            continue
        taken = slot.name in clash or keyword.iskeyword(slot.name)
        name = f"{slot.name}_account" if taken else identifier(slot.name)
        (optional if kind.endswith("None") else required).append(f"{name}: {kind}")
        accounts.append(f'"{slot.name}": {name}')
    required += [f"{identifier(field.name)}: {annotation(field.type)}" for field in arguments]
    signature = ", ".join(["self", "*", *required, *optional, "remaining: Sequence[AccountMeta] = ()"])
    docs = docstring(item.docs or [item.name.replace("_", " ").capitalize() + "."], 8).removesuffix("\n")
    return (
        f"    def {identifier(item.name)}({signature}) -> Instruction:\n{docs}"
        f"        accounts: dict[str, Pubkey | None] = {{{', '.join(accounts)}}}\n"
        f"        args: dict[str, object] = {{{', '.join(values)}}}\n"
        f'        return self._build("{item.name}", accounts, args, remaining)\n'
    )


def _arguments(idl: Idl, item: Instruction) -> tuple[list[Field], list[str]]:
    """What callers pass, and the entries of the dict that the builder gets."""
    passed: list[Field] = []
    entries: list[str] = []
    for field in item.args:
        whole = flattened(idl, field)
        if whole is None:
            passed.append(field)
            entries.append(f'"{field.name}": {identifier(field.name)}')
        else:
            name, fields = whole
            passed += fields
            entries.append(
                f'"{field.name}": {name}({", ".join(f"{one.name}={identifier(one.name)}" for one in fields)})'
            )
    return passed, entries


def _account_parameter(item: Instruction, slot: Account, rules: Collection[str]) -> str | None:
    """Annotation of an account's parameter; None when the builder always finds it by itself."""
    if slot.fixed_address is not None or slot.pda is not None or slot.name == "program":
        return None
    derived = slot.name in rules or f"{item.name}.{slot.name}" in rules
    return "Pubkey | None = None" if slot.optional or derived else "Pubkey"
