"""A machine whose owner's wallet is elsewhere: the wallet asks by a link, the machine builds what it asked for.

A new node needs two signatures: of the device's key, which never leaves the machine, and of the owner's wallet. The
machine dials out and asks here who wants to own it; the wallet asks by `/actions/enrol`, as for every other action, and
gets what the machine has made for it. Nothing is kept but in memory, for a minute.

Whoever has the link's secret may become the owner. Nobody is handed anything else to sign than a registration under
their own ownership, its stake, and SOL for the device: what a machine answers is read first.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from typing import Annotated

from ionet.buckets import whose
from ionet.cli.parsing import pubkey
from ionet.codec import DecodeError
from ionet.errors import InvalidInput, IonetError
from ionet.program import Program
from msgspec import Meta, Struct
from solders.instruction import CompiledInstruction
from solders.message import Message as LegacyMessage
from solders.message import VersionedMessage
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.transaction import VersionedTransaction

from ionet_actions.submitted import BUDGET, Foreign, account_of

Secret = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
MOST_MACHINES, MOST_OF_AN_ADDRESS, MOST_ASKING = 1_024, 8, 4
"""At once; and wallets that ask one machine."""
KEPT_SECS, ANSWER_SECS = 60.0, 12.0
"""How long a machine is known that asks no more; how long a wallet waits for its answer."""
MOST_LAMPORTS = 10**9
_TRANSFER = (2).to_bytes(4, "little")
_SIGNATURES = 2


class NoMachine(IonetError):
    """no machine waits behind this link; `ionet node up` prints another"""


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """What a machine has made for a wallet, signed by its device; or why it made nothing."""

    account: Annotated[str, Meta(max_length=44)]
    transaction: Annotated[str, Meta(max_length=6_000)] = ""
    refused: Annotated[str, Meta(max_length=300)] = ""


class Waiting(Struct, frozen=True, forbid_unknown_fields=True):
    """A machine asks who wants to own it, and tells what it has made for the last one."""

    machine: Secret
    answer: Answer | None = None


class Owner(Struct, frozen=True):
    """The wallet that asks next; None while none does."""

    account: str | None


class _Machine:
    def __init__(self, host: str) -> None:
        self.host, self.seen_at = host, time.monotonic()
        self.asking: dict[str, asyncio.Future[Answer]] = {}


class Machines:
    """Those that wait for their owners now."""

    def __init__(self) -> None:
        self._known: dict[str, _Machine] = {}

    def wait(self, asked: Waiting, host: str) -> Owner:
        """Take a machine's answer, and name the wallet that asks next. Raises InvalidInput where there are too many."""
        now = time.monotonic()
        self._known = {name: one for name, one in self._known.items() if now - one.seen_at < KEPT_SECS}
        machine = self._known.get(asked.machine)
        if machine is None:
            near = sum(one.host == whose(host) for one in self._known.values())
            if near >= MOST_OF_AN_ADDRESS or len(self._known) >= MOST_MACHINES:
                raise InvalidInput("too many machines wait for their owners: try again in a minute")
            machine = self._known[asked.machine] = _Machine(whose(host))
        machine.seen_at = now
        if asked.answer is not None:
            asking = machine.asking.pop(asked.answer.account, None)
            if asking is not None and not asking.done():
                asking.set_result(asked.answer)
        return Owner(next(iter(machine.asking), None))

    async def ask(self, secret: str, account: str) -> str:
        """What the machine has made for this wallet, in base64. Raises NoMachine, InvalidInput with its reason."""
        machine = self._known.get(secret)
        if machine is None or time.monotonic() - machine.seen_at > KEPT_SECS:
            raise NoMachine
        if account not in machine.asking and len(machine.asking) >= MOST_ASKING:
            raise InvalidInput("others ask this machine: try again in a moment")
        asking = machine.asking.setdefault(account, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(ANSWER_SECS):
                answer = await asyncio.shield(asking)
        except TimeoutError:
            raise NoMachine from None
        finally:
            machine.asking.pop(account, None)
        if answer.refused:
            raise InvalidInput(answer.refused)
        return answer.transaction


def read(program: Program, text: str, account: str) -> VersionedMessage:
    """The message that a machine made for this wallet. Raises Foreign for anything else than what it may hand out."""
    owner = pubkey(account)
    try:
        transaction = VersionedTransaction.from_bytes(b64decode(text, validate=True))
    except ValueError:
        raise Foreign("the machine made no transaction") from None
    message = transaction.message
    if isinstance(message, LegacyMessage) or getattr(message, "address_table_lookups", None):
        raise Foreign("it names accounts by lookup tables, or has no version")
    signers = message.account_keys[: message.header.num_required_signatures]
    if len(signers) != _SIGNATURES or signers[0] != owner or not transaction.verify_with_results()[1]:
        raise Foreign("it is not for this wallet, or its machine has not signed it")
    nodes = [_node(program, message, item, signers) for item in message.instructions]
    if len({node for node in nodes if node is not None}) != 1:
        raise Foreign("it is not about one node")
    return message


def _node(
    program: Program, message: VersionedMessage, item: CompiledInstruction, signers: list[Pubkey]
) -> Pubkey | None:
    """Which node an instruction is about, None for fees and SOL. Raises Foreign where the owner would not want it."""
    called, data = account_of(message, item.program_id_index), bytes(item.data)
    if called == BUDGET:
        return None
    if called == SYSTEM:
        accounts = [account_of(message, at) for at in item.accounts]
        small = len(data) == 12 and data[:4] == _TRANSFER and int.from_bytes(data[4:], "little") <= MOST_LAMPORTS
        if not small or accounts != signers:
            raise Foreign("it sends SOL elsewhere than to the device, or too much")
        return None
    if called != program.id:
        raise Foreign(f"it calls {called}")
    try:
        call = program.codec.decode_args(data)
    except DecodeError as error:
        raise Foreign(str(error)) from None
    if call.name == "register_node" and call.args["terms"].payout != signers[0]:
        raise Foreign("somebody else than its owner would be paid")
    if call.name not in ("register_node", "stake"):
        raise Foreign(f"it calls {call.name}")
    places = [slot.name for slot in program.codec.instruction(call.name).accounts]
    return account_of(message, bytes(item.accounts)[places.index("node")])
