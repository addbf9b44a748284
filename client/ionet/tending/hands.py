"""Does what is due: looks again just before, builds, packs, sends, and says what came of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from spl.token.constants import ASSOCIATED_TOKEN_PROGRAM_ID
from spl.token.instructions import create_idempotent_associated_token_account

from ionet import addresses, budget
from ionet.duties import DUTIES, Duty, Reward, Seen
from ionet.duties.network import TOKEN_ACCOUNT_RENT
from ionet.duties.reading import Look
from ionet.errors import ChainRefused, IonetError, RpcUnreachable, TransactionExpired
from ionet.fees import BASE_FEE
from ionet.generated import pdas
from ionet.generated.events import NodeSlashed
from ionet.plan import Receipt
from ionet.planner import Packer
from ionet.rules.restarts import Moment
from ionet.tending.agenda import BAD, LONGEST_WAIT, Agenda, Task
from ionet.tending.manner import Interest, Manner, Tally
from ionet.tending.nodes import Nodes
from ionet.tending.purse import Purse

_DAY = 86_400.0
_AT_ONCE = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A task that is due. instructions: what does it. receipt: of what landed."""

    task: Task
    seen: Seen
    reward: Reward
    instructions: tuple[Instruction, ...] = ()
    receipt: Receipt | None = None
    error: IonetError | None = None

    @property
    def duty(self) -> Duty:
        return DUTIES[self.task[1]]


@dataclass(frozen=True)
class Deed:
    """What came of a task; see `Tally` for the outcomes."""

    name: str
    account: Pubkey
    outcome: str
    detail: str = ""


class Hands:
    """One wallet at work."""

    def __init__(
        self, nodes: Nodes, agenda: Agenda, purse: Purse, manner: Manner, interest: Interest, tally: Tally
    ) -> None:
        self._nodes, self._agenda, self._purse = nodes, agenda, purse
        self._manner, self._interest, self._tally = manner, interest, tally
        self._rented: dict[Pubkey, float] = {}
        self._has_io = False

    async def act(self, look: Look, tasks: Sequence[Task]) -> list[Deed]:
        """Do these tasks as far as they are still due, wanted and affordable. Raises RpcError without an answer."""
        sight = await look.read([key for key, _ in tasks])
        self._agenda.drop(sight.gone)
        deeds: list[Deed] = []
        jobs: list[Job] = []
        unwanted: list[Task] = []
        for key, place in _one_each(tasks):
            if (seen := sight.seen.get(key)) is None:
                continue
            job = Job((key, place), seen, Reward())
            try:
                found = await self._wanted(job, sight.at)
            except RpcUnreachable:
                raise
            except BAD as error:
                deeds.append(self._failed(job, sight.at.now, error))
                continue
            if found is None:
                unwanted.append(job.task)
            elif found:
                jobs += found
            else:
                self._agenda.settled(job.task)
        if any(job.reward.io for job in jobs) and not self._has_io:
            await self._open_io_account()
        gate = asyncio.Semaphore(_AT_ONCE)
        built = await asyncio.gather(*(self._build(job, sight.at, gate) for job in jobs))
        ready: list[Job] = []
        for job in built:
            if job.error is not None:
                deeds.append(self._failed(job, sight.at.now, job.error))
            elif self._is_affordable(job, ready):
                ready.append(job)
            else:
                deeds.append(self._failed(job, sight.at.now, None, "too_dear"))
        sent = [job for some in self._packed(ready) for job in await self._send(some)]
        deeds += await self._judged(look, tasks, sent)
        for task in unwanted:
            # Until it changes, or is worth more.
            self._agenda.again(task, sight.at.now + LONGEST_WAIT)
        return deeds

    # -- which

    async def _wanted(self, job: Job, at: Moment) -> list[Job] | None:
        """The job with its reward; nothing when it is not due any more, None when nobody wants it done."""
        when = job.duty.due(job.seen, at)
        if when is None or when > at.now:
            return []
        job = replace(job, reward=job.duty.pays(job.seen, at))
        client, fee = self._nodes.client, self._fee(job.duty.name)
        return [job] if await self._interest.wants(client, job.duty, job.seen, at, job.reward, fee) else None

    def _fee(self, name: str) -> int:
        """Lamports that a transaction of this costs at most."""
        units = budget.measured().get(name, budget.MAX_UNITS) * budget.MARGIN_PERCENT // 100 + budget.MARGIN_UNITS
        return BASE_FEE + units * self._manner.max_priority_fee // 1_000_000

    def _is_affordable(self, job: Job, beside: Sequence[Job]) -> bool:
        """Also once the others of this round are paid. Nobody gets the rent of one account twice a day, and all rents
        together leave half of an hour's money for fees: whoever gets one may close the account and keep it."""
        opened = [key for item in job.instructions if (key := self._opened(item)) is not None]
        now = time.monotonic()
        if any(now - self._rented.get(key, -_DAY) < _DAY for key in opened):
            return False
        cost, together = self._cost(job), sum(map(self._cost, beside))
        spare = self._manner.limits.hourly // 2 if opened else 0
        return cost <= self._manner.limits.each and cost + together + spare <= self._purse.left

    def _cost(self, job: Job) -> int:
        opened = sum(self._opened(item) is not None for item in job.instructions)
        return self._fee(job.duty.name) + opened * TOKEN_ACCOUNT_RENT

    def _opened(self, item: Instruction) -> Pubkey | None:
        """The token account whose rent this instruction pays."""
        program = self._nodes.client.program
        if item.program_id == ASSOCIATED_TOKEN_PROGRAM_ID:
            return item.accounts[1].pubkey
        if budget.instruction_name(program, item) == "open_owed":
            return program.builder.accounts("open_owed", item)["owed"]
        return None

    # -- how

    async def _build(self, job: Job, at: Moment, gate: asyncio.Semaphore) -> Job:
        try:
            async with gate:
                made = await job.duty.plan(self._nodes.client, job.seen, at).instructions()
        except RpcUnreachable:
            raise
        except BAD as error:
            return replace(job, error=error if isinstance(error, IonetError) else IonetError(repr(error)))
        return replace(job, instructions=tuple(made))

    async def _open_io_account(self) -> None:
        """Rewards go to the wallet's own IO account, which must exist."""
        client = self._nodes.client
        mint = pdas.io_mint(client.program.id)
        self._has_io = await client.rpc.account(addresses.token_account(client.address, mint)) is not None
        if not self._has_io and self._purse.left > TOKEN_ACCOUNT_RENT + BASE_FEE:
            try:
                await client.send([create_idempotent_associated_token_account(client.address, client.address, mint)])
                self._has_io = True
            except ChainRefused as error:
                _log.warning("no account for rewards: %s", error, extra={"action": "no_reward"})

    def _packed(self, jobs: Sequence[Job]) -> list[list[Job]]:
        """Neighbours of one kind in one transaction, as many as fit."""
        client = self._nodes.client
        packer = Packer(client.program, client.address, self._manner.max_priority_fee)
        packed: list[list[Job]] = []
        for job in jobs:
            last = packed[-1] if packed else []
            together = [item for each in (*last, job) for item in each.instructions]
            if last and last[0].duty.name == job.duty.name and packer.fits(together):
                last.append(job)
            else:
                packed.append([job])
        return packed

    async def _send(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs with what came of them. What is refused together is sent one by one: a refusal costs nothing."""
        client = self._nodes.client
        try:
            receipt = await client.send([item for job in jobs for item in job.instructions])
        except (ChainRefused, TransactionExpired) as error:
            if len(jobs) == 1 or isinstance(error, TransactionExpired):
                return [replace(job, error=error) for job in jobs]
            return [done for job in jobs for done in await self._send([job])]
        self._tally.count("transactions")
        now = time.monotonic()
        self._rented |= {key: now for job in jobs for item in job.instructions if (key := self._opened(item))}
        return [replace(job, receipt=receipt) for job in jobs]

    # -- what came of it

    async def _judged(self, look: Look, tasks: Sequence[Task], sent: Sequence[Job]) -> list[Deed]:
        """Look at the accounts again: a task is done when its account says so."""
        after = await look.read([key for key, _ in tasks])
        self._agenda.drop(after.gone)
        deeds = []
        for job in sent:
            seen = after.seen.get(job.task[0])
            deeds.append(self._outcome(job, after.at.now, still_due=seen is not None and _is_due(job, seen, after.at)))
        for seen in after.seen.values():
            self._agenda.put(seen, look.noun(seen), after.at)
        return deeds

    def _outcome(self, job: Job, now: int, *, still_due: bool) -> Deed:
        if job.receipt is None:
            if not still_due:
                self._agenda.settled(job.task)
                return self._say(job, "raced", str(job.error))
            outcome = "expired" if isinstance(job.error, TransactionExpired) else "refused"
            return self._failed(job, now, job.error, outcome)
        if still_due and not job.duty.every(self._manner.habits):
            return self._failed(job, now, None, "wasted")
        self._agenda.done(job.task, now)
        if not _is_named(job):
            return self._say(job, "wasted", str(job.receipt.signature))
        self._earn(job.receipt)
        return self._say(job, "done", str(job.receipt.signature))

    def _earn(self, receipt: Receipt) -> None:
        own = self._nodes.client.address
        slashes = [record.event for record in receipt.events if isinstance(record.event, NodeSlashed)]
        self._tally.count("earned", sum(event.to_reporter for event in slashes if event.reporter == own))

    def _failed(self, job: Job, now: int, error: Exception | None, outcome: str = "failed") -> Deed:
        wait = self._agenda.failed(job.task, now)
        return self._say(job, outcome, f"{error or 'no more than before'}; again in {wait} s")

    def _say(self, job: Job, outcome: str, detail: str) -> Deed:
        deed = Deed(job.duty.name, job.task[0], outcome, detail)
        self._tally.acted(deed.name, outcome)
        level = logging.INFO if outcome in ("done", "raced") else logging.WARNING
        _log.log(level, "%s %s: %s, %s", deed.name, deed.account, outcome, detail, extra={"action": deed.name})
        return deed


def _is_due(job: Job, seen: Seen, at: Moment) -> bool:
    try:
        when = job.duty.due(seen, at)
    except BAD:
        return False
    return when is not None and when <= at.now


def _one_each(tasks: Sequence[Task]) -> list[Task]:
    """The first task of each account: the others are looked at again when it is done."""
    found: dict[Pubkey, Task] = {}
    for task in tasks:
        found.setdefault(task[0], task)
    return list(found.values())


def _is_named(job: Job) -> bool:
    """Whether an event of the transaction names the job's account: a settlement with nothing to do records none."""
    assert job.receipt is not None
    events = [record.event for record in job.receipt.events]
    if job.duty.name != "settle_lease":
        return bool(events)
    return any(getattr(event, "lease", None) == job.task[0] for event in events)
