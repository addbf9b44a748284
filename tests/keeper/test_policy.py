"""Whom a keeper serves, and what it spends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from client.cli.conftest import Shell
from ionet import addresses
from ionet.duties import Reward, reading
from ionet.generated import pdas
from ionet.generated.accounts import Lease
from ionet.generated.enums import IO_UNIT, LeaseStatus
from ionet.lease_view import clock
from ionet.program import PROGRAM
from ionet.tending.manner import Limits, worth
from ionet.tending.purse import Purse
from ionet.wallet import write_keypair
from ionet_keeper.config import Policy
from keeper.stage import SOL, WALLETS, count, keeper, settled
from market import IO, Market, key, market
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import close_account
from spl.token.models import CloseAccountParams


@asynccontextmanager
async def troubled() -> AsyncIterator[Market]:
    """A node that was never ready, and one that is silent; both are overdue."""
    async with market(clock_factor=0.0001) as built:
        cluster = await built.open_cluster()
        for name in ("unready", "silent"):
            machine = await built.add_machine(name)
            (lease,) = await built.book(cluster, machine, duration=3_000)
            if name == "silent":
                await built.start(lease, machine)
        built.pass_time((await built.admin.network.get()).params.ready_deadline_secs)
        yield built


async def test_what_pays_is_done_and_nothing_else() -> None:
    async with troubled() as built, keeper(built, policy=Policy.PAYS) as one:
        assert count(await settled([one])) == {"report_missed": 1}
        earned = await built.stranger.tokens.balance(pdas.io_mint(PROGRAM.id), key(WALLETS[0]).pubkey())
        assert earned > 0


async def test_what_costs_more_than_it_pays_is_left() -> None:
    async with troubled() as built, keeper(built, policy=Policy.PAYS, sol_price=10**18) as one:
        assert not await settled([one])


async def test_only_what_concerns_the_named_keys() -> None:
    async with troubled() as built:
        async with keeper(built, policy=Policy.OWN, own=frozenset({Keypair().pubkey()})) as nobodys:
            assert not await settled([nobodys])
        async with keeper(built, policy=Policy.OWN, own=frozenset({built.renter.address})) as renters:
            done = count(await settled([renters]))
            assert done["cancel_lease"] == done["report_missed"] == done["end_lease"] == 1
            assert not done["burn"]


async def test_worth() -> None:
    assert worth(Reward(io=3 * IO_UNIT), 2_000_000, 200_000_000) == 3 * SOL // 100
    assert worth(Reward(lamports=5), 0, 1) == 5


def test_an_hour_costs_no_more_than_was_said() -> None:
    now = [0.0]
    purse = Purse(Limits(hourly=100, floor=10), clock=lambda: now[0])
    assert purse.left == 100
    purse.note(1_000)
    purse.note(940)
    assert purse.left == 40
    purse.note(2_000)
    assert purse.left == 40
    now[0] = 3_600.0
    assert purse.left == 100
    purse.note(50)
    assert purse.left == 0
    now[0] = 7_200.0
    assert (purse.left, purse.is_low) == (40, False)
    purse.note(9)
    assert (purse.left, purse.is_low) == (0, True)


async def test_nobody_gets_the_rent_of_one_account_twice_a_day() -> None:
    """A supplier closes the account that the keeper opened for them, and is paid again."""
    async with market(clock_factor=0.0001) as built, keeper(built) as one:
        machine, cluster = await built.add_machine("a"), await built.open_cluster()
        iosd = pdas.iosd_mint(PROGRAM.id)
        outcomes = []
        for _ in range(2):
            (lease,) = await built.book(cluster, machine, duration=9)
            await built.start(lease, machine)
            for interval in range(3):
                built.pass_time(3)
                await built.prove(lease, machine, interval, 3, [b"result"])
            built.pass_time(3 + 6)
            deeds = await settled([one])
            outcomes.append({deed.name: deed.outcome for deed in deeds if deed.account == lease})
            await _leave_account(built, iosd)
        assert outcomes[0]["close_lease"] == "done"
        assert outcomes[1]["close_lease"] == "too_dear"


async def _leave_account(built: Market, mint: Pubkey) -> None:
    """The supplier moves what they have and closes the account."""
    owner = built.admin.address
    amount = await built.admin.tokens.balance(mint)
    if amount:
        await built.admin.tokens.transfer(mint, built.renter.address, amount)
        account = addresses.token_account(owner, mint)
        closing = CloseAccountParams(program_id=TOKEN_PROGRAM_ID, account=account, dest=owner, owner=owner)
        await built.admin.send([close_account(closing)])


async def test_an_account_that_cannot_be_read_stops_nothing() -> None:
    async with troubled() as built, keeper(built) as one:
        codec = PROGRAM.codec
        short, senseless = Keypair().pubkey(), Keypair().pubkey()
        lease = (await built.stranger.lease.all())[0][1]
        forged = {
            short: codec.account_discriminator(Lease) + b"short",
            senseless: codec.encode_account(
                _changed(lease, status=LeaseStatus.ACTIVE, interval_secs=0, started_at=5, ring_next=2**32 - 1)
            ),
        }
        for address, data in forged.items():
            built.net.chain.set_account(address, Account(SOL, data, PROGRAM.id))
        done = count(await settled([one]))
        assert done["cancel_lease"] == done["report_missed"] == done["end_lease"] == 1
        assert set(one.agenda.unread) >= {short}
        assert one.trouble() is None


async def test_a_clock_that_was_wrong_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that answers with a time to come makes everything due: refused at no cost, and forgotten afterwards."""
    async with market(clock_factor=0.0001) as built, keeper(built) as one:
        (lease,) = await built.book(await built.open_cluster(), await built.add_machine("a"))
        monkeypatch.setattr(reading, "clock", lambda account: (clock(account)[0] + 10**9, clock(account)[1] + 10**9))
        assert count(await settled([one]), "refused")["cancel_lease"] == 1
        monkeypatch.undo()
        assert not await settled([one])
        built.pass_time((await built.admin.network.get()).params.ready_deadline_secs)
        deeds = [(deed.name, deed.outcome) for deed in await settled([one]) if deed.account == lease]
        assert deeds == [("cancel_lease", "done"), ("close_lease", "done")]


def _changed(lease: Lease, **changes: int) -> Lease:
    return msgspec.structs.replace(lease, **changes)


async def test_commands(tmp_path: Path) -> None:
    wallet = tmp_path / "keeper.json"
    owner = Keypair()
    write_keypair(wallet, owner)
    async with troubled() as built:
        await built.stranger.rpc.airdrop(owner.pubkey(), SOL)
        shell = Shell(built.net.rpc_url, wallet)
        rows = await asyncio.to_thread(shell.json, "keeper", "due", "--within", "0")
        by_name = {row["action"]: row for row in rows}
        assert {"cancel_lease", "report_missed", "end_lease"} <= set(by_name)
        assert int(by_name["report_missed"]["pays_io_units"]) > IO // 100
        done = await asyncio.to_thread(shell.json, "keeper", "run", "--once", "--policy", "pays")
        assert [(row["action"], row["outcome"]) for row in done] == [("report_missed", "done")]
        code, message = await asyncio.to_thread(shell.refused, "keeper", "run", "--policy", "some")
        assert (code, "--policy" in message) == (1, True)
        code, message = await asyncio.to_thread(shell.refused, "keeper", "run", "--policy", "own")
        assert (code, "--owner" in message) == (1, True)
