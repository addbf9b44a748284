"""A chain that begins under version 1 of the program and is upgraded in place, by the loader's own instructions; and
clients that know nothing but version 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ionet.generated.events import NetworkMigrated
from ionet.idl import load_file
from ionet.idl.compat import longer_lists
from ionet.program import PROGRAM, load_program
from ionet_localnet.genesis import UPGRADEABLE_LOADER, deployed_program, program_data_address, rent_exempt
from program.calls import ID, MAINNET
from program.chain import Call, Landed, elf, who
from program.world import World
from solders.instruction import AccountMeta, Instruction
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.sysvar import CLOCK, RENT

FIXTURES = Path(__file__).parent / "fixtures"
VERSION_1 = load_program(load_file(FIXTURES / "ionet-1.json"))
KNOWN = {item.name for item in VERSION_1.codec.idl.instructions}
# Instructions that take more accounts than under version 1, and which.
LONGER = longer_lists(VERSION_1.codec.idl, PROGRAM.codec.idl)
# What stands before the program in its data account, the least it can be extended by, the loader's instructions.
HEADER, LEAST = 45, 10_240
UPGRADE, EXTEND = 3, 6


def as_before(call: Call) -> Call:
    """The same call as a client of version 1 sends it: arguments by its IDL, and only the accounts that this knows."""
    args = PROGRAM.codec.decode_args(call.instruction.data).args
    known = {slot.name for slot in VERSION_1.codec.instruction(call.name).slots()}
    slots = PROGRAM.codec.instruction(call.name).slots()
    pairs = zip(slots, call.instruction.accounts, strict=True)
    metas = [meta for slot, meta in pairs if slot.name in known]
    data = VERSION_1.codec.encode_args(call.name, args)
    return Call(call.name, Instruction(ID, data, metas), call.signers, call.before)


class Recorded(World):
    """A world that keeps all events. `upgrade` and `migrate` are there for lives that run in both kinds of world: this
    one has had the new program from the beginning, so that they only let the same slots pass."""

    def __init__(self, profile: int = MAINNET) -> None:
        super().__init__(profile)
        self.events: list[Any] = []
        self.old_clients = False

    def do(self, *calls: Call, also: Sequence[Instruction] = ()) -> Landed:
        landed = super().do(*(as_before(call) if self._is_old(call) else call for call in calls), also=also)
        self.events += [event for event in landed.events if not isinstance(event, NetworkMigrated)]
        return landed

    def _is_old(self, call: Call) -> bool:
        return self.old_clients and call.name in KNOWN and call.name not in LONGER

    def upgrade(self) -> None:
        self.warp(0, slots=2)


class FirstVersion(Recorded):
    """A world under version 1, whose clients are of version 1, until it is upgraded."""

    def __init__(self, profile: int = MAINNET) -> None:
        super().__init__(profile)
        self.upgraded = False
        released = (FIXTURES / "ionet-1.so").read_bytes()
        for key, account in deployed_program(ID, released, self.authority.pubkey()):
            self.svm.set_account(key, account)

    def _is_old(self, call: Call) -> bool:
        return not self.upgraded or super()._is_old(call)

    def upgrade(self) -> None:
        """Makes room for the new program where it is larger, and puts it in the place of the old one."""
        program, data, buffer = elf("ionet"), program_data_address(ID), who("buffer").pubkey()
        room = len(self.raw(data).data) - HEADER
        if len(program) > room:
            self._extend(max(len(program) - room, LEAST))
        self.warp(0, slots=1)
        authority = self.authority.pubkey()
        state = (1).to_bytes(4, "little") + b"\x01" + bytes(authority)
        self.svm.set_account(buffer, rent_exempt(state + program, UPGRADEABLE_LOADER))
        accounts = [
            *(AccountMeta(key, False, True) for key in (data, ID, buffer, self.payer.pubkey())),
            *(AccountMeta(key, False, False) for key in (RENT, CLOCK)),
            AccountMeta(authority, True, False),
        ]
        self.send([_loader(UPGRADE, b"", accounts)], [self.payer, self.authority])
        self.warp(0, slots=1)
        installed = self.raw(data).data[HEADER:]
        assert installed == program.ljust(len(installed), b"\0")
        self.upgraded = True

    def _extend(self, size: int) -> None:
        accounts = [
            *(AccountMeta(key, False, True) for key in (program_data_address(ID), ID)),
            AccountMeta(SYSTEM_PROGRAM, False, False),
            AccountMeta(self.payer.pubkey(), True, True),
        ]
        self.send([_loader(EXTEND, size.to_bytes(4, "little"), accounts)], [self.payer])


def _loader(number: int, data: bytes, accounts: list[AccountMeta]) -> Instruction:
    return Instruction(UPGRADEABLE_LOADER, number.to_bytes(4, "little") + data, accounts)
