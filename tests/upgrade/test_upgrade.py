"""A release is upgraded in the middle of a lease by the runtime's own loader; both versions of everything go on.

The program that follows is a test build (scripts/toolchain/next.py): a field in a lease's padding, a field at the end
of ProofAppended, and ProofCounted, a new event with a number in the lease's count. Ray and agents take no part: of the
launcher, what it reads from the tables and the chain and does with its session key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import loader
import postgres
import pytest
from indexer.tables_of import tables_of
from ionet import addresses
from ionet.generated import pdas
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import ClusterOpened
from ionet.idl import load_file
from ionet.program import PROGRAM
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_localnet.chain import LocalChain
from market import USD, Market, key, market
from program.compat import breaks
from program.releases import Release, freeze
from solders.pubkey import Pubkey
from upgrade.versions import FOLD, Version, make_tree, next_build, running

INTERVAL = 3  # seconds, of the local profile
DEPOSIT = 1_000 * USD
# Two processors at $2 an hour.
HOURLY = 4 * USD
GRACE, DISPUTE_WINDOW = 3, 6
YEARS = 10**9


@pytest.fixture(scope="module", params=[release.name for release in Release.all()] or ["now"])
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A frozen release; before the first, the committed program as if it were one."""
    frozen = {release.name: release for release in Release.all()}
    return frozen.get(request.param) or freeze("ionet-0", tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def following() -> Path:
    """The folder with the program that follows, and its IDL."""
    return next_build()


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with postgres.server() as found:
        yield found


@dataclass
class Stage:
    """The market under the release, and two versions of who takes part in it."""

    market: Market
    old: Version
    new: Version
    release: bytes
    following: bytes

    @property
    def chain(self) -> LocalChain:
        return self.market.net.chain

    def upgrade(self) -> None:
        """As docs/upgrade.md has it: the buffer, room where it is too small, and the upgrade in a later slot."""
        chain, authority = self.chain, key("admin")
        buffer = loader.write_buffer(chain, self.following, authority)
        if len(self.following) > len(self.release):
            with pytest.raises(loader.Refused, match="ProgramData account not large enough"):
                loader.upgrade(chain, PROGRAM.id, buffer, authority)
            loader.extend(chain, PROGRAM.id, max(len(self.following) - len(self.release), 10_240), authority)
        loader.upgrade(chain, PROGRAM.id, buffer, authority)
        found = loader.deployed(chain, PROGRAM.id)
        assert found[: len(self.following)] == self.following
        assert not any(found[len(self.following) :])

    async def open(self) -> Pubkey:
        """A cluster whose session key the launchers have."""
        self.chain.airdrop(key("session").pubkey(), 10**9)
        expires = self.chain.unix_time + YEARS
        plan = self.market.renter.cluster.open(DEPOSIT, session_key=key("session").pubkey(), session_expires_at=expires)
        return (await plan).event(ClusterOpened).cluster

    def usd(self, owner: Pubkey) -> int:
        account = self.chain.get_account(addresses.token_account(owner, pdas.iosd_mint(PROGRAM.id)))
        return int.from_bytes(account.data[64:72], "little") if account else 0


@pytest.fixture
async def stage(release: Release, following: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    elf = release.elf

    def deploy(chain: LocalChain) -> None:
        loader.deploy(chain, PROGRAM.id, elf, key("admin"))

    async with AsyncExitStack() as stack:
        # The chain's time moves only when a test says so.
        found = await stack.enter_async_context(market(clock_factor=1e-9, deploy=deploy))
        trees = (
            make_tree(tmp_path / "old", release.path("json")),
            make_tree(tmp_path / "new", following / "ionet.json", FOLD),
        )
        old, new = [await stack.enter_async_context(running(tree, found.net.rpc_url)) for tree in trees]
        for version, tree in zip((old, new), trees, strict=True):
            assert (await version.do("where"))["folders"] == [str(tree)]
        yield Stage(found, old, new, elf, (following / "ionet.so").read_bytes())


def test_the_test_build_breaks_nothing_and_appends_what_it_says(release: Release, following: Path) -> None:
    idl = load_file(following / "ionet.json")
    assert breaks(release.idl, idl) == []
    before, after = ({item.name for item in each.events} for each in (release.idl, idl))
    assert "ProofCounted" in after - before


async def test_nobody_but_the_authority_upgrades(stage: Stage) -> None:
    chain, stranger = stage.chain, key("stranger")
    theirs = loader.write_buffer(chain, stage.release, stranger)
    for authority in (stranger, key("admin")):  # a buffer of another authority is refused too
        with pytest.raises(loader.Refused, match="IncorrectAuthority"):
            loader.upgrade(chain, PROGRAM.id, theirs, authority)
    assert loader.deployed(chain, PROGRAM.id) == stage.release


async def test_a_lease_goes_on_through_an_upgrade(stage: Stage, server: EmbeddedPostgres) -> None:
    async with postgres.database(server) as old_dsn, postgres.database(server) as new_dsn:
        await live(stage, old_dsn, new_dsn)


async def live(stage: Stage, old_dsn: str, new_dsn: str) -> None:
    old, new, seen = stage.old, stage.new, stage.market
    first, second = await seen.add_machine("a"), await seen.add_machine("b")
    wallets = seen.admin.address, seen.renter.address
    before = [stage.usd(wallet) for wallet in wallets]
    cluster = await stage.open()
    lease, later = [str(each) for each in await seen.book(cluster, first, second)]

    # Under the release: one interval, proven.
    await old.do("ready", lease=lease, device="device a")
    assert await old.do("accept", cluster=str(cluster), lease=lease) == {"head": lease}
    seen.pass_time(INTERVAL)
    assert (await old.do("prove", lease=lease, device="device a", interval=0, served=INTERVAL)).keys() == {
        "ProofAppended"
    }
    under_release = await old.do("lease", lease=lease)
    seen.finalize()
    assert await old.do("index", dsn=old_dsn) | {"fresh": 0} == {"rebuilt": 0, "fresh": 0, "unread": 0, "drift": []}

    stage.upgrade()

    # Nothing moved by itself, for either version; what is new is zero.
    assert await old.do("lease", lease=lease) == under_release
    assert await new.do("lease", lease=lease) == {**under_release, "later_proofs": 0}

    # A lease that was booked before starts after: made ready by the new client, accepted by the old launcher.
    await new.do("ready", lease=later, device="device b")
    assert await old.do("accept", cluster=str(cluster), lease=later) == {"head": lease}

    # Two more intervals of one lease and two of the other, by turns.
    for interval, (one, other) in enumerate([(old, new), (new, old)]):
        seen.pass_time(INTERVAL)
        for version, address, device, number in (
            (one, lease, "device a", interval + 1),
            (other, later, "device b", interval),
        ):
            found = await version.do("prove", lease=address, device=device, interval=number, served=INTERVAL)
            if version is old:
                assert found.keys() == {"ProofAppended"}
                assert "later_proofs" not in found["ProofAppended"]
            else:
                assert found["ProofAppended"]["later_proofs"] == found["ProofCounted"]["later_proofs"] == interval + 1
    assert (await new.do("lease", lease=lease))["later_proofs"] == 2
    assert await old.do("proofs", lease=lease) == await new.do("proofs", lease=lease) == {"intervals": [0, 1, 2]}
    assert (await old.do("leases", cluster=str(cluster))).keys() == {lease, later}

    # Both launchers see both running, from the tables of their own indexer.
    seen.finalize()
    for version, dsn in ((old, old_dsn), (new, new_dsn)):
        found = await version.do("index", dsn=dsn)
        assert (found["drift"], found["unread"]) == ([], 4 if version is old else 0)
        assert await version.do("plan", dsn=dsn) == {
            "planned": 1,
            "cluster": str(cluster),
            "live": dict.fromkeys((lease, later), LeaseStatus.ACTIVE),
        }
    await new.do("approve", cluster=str(cluster), lease=lease, through=2)
    await old.do("approve", cluster=str(cluster), lease=later, through=1)

    await end(stage, cluster, lease, later)
    ran, also = HOURLY * 9 // 3_600, HOURLY * 6 // 3_600
    assert [stage.usd(wallet) - was for wallet, was in zip(wallets, before, strict=True)] == [
        ran - fee(ran) + also - fee(also),
        -(ran + fee(ran) + also + fee(also)),
    ]
    await compare(stage, old_dsn, new_dsn)


async def end(stage: Stage, cluster: Pubkey, lease: str, later: str) -> None:
    """One lease is ended, settled and closed by one version, one by the other."""
    seen = stage.market
    assert (await stage.old.do("end", lease=lease)).keys() >= {"LeaseEnded"}
    assert (await stage.new.do("end", lease=later)).keys() >= {"LeaseEnded"}
    seen.pass_time(GRACE + DISPUTE_WINDOW)
    for version, address in ((stage.new, lease), (stage.old, later)):
        assert (await version.do("settle", lease=address)).keys() >= {"LeaseSettled"}
        assert (await version.do("close", lease=address)).keys() >= {"LeaseClosed"}
    assert (await stage.old.do("close_cluster", cluster=str(cluster))).keys() >= {"ClusterClosed"}


async def compare(stage: Stage, old_dsn: str, new_dsn: str) -> None:
    """Both indexers fold the whole history; the new one makes the old one's database the same as its own."""
    stage.market.finalize()
    found = await stage.old.do("index", dsn=old_dsn)
    assert (found["rebuilt"], found["unread"], found["drift"]) == (0, 4, [])
    found = await stage.new.do("index", dsn=new_dsn)
    assert (found["rebuilt"], found["unread"], found["drift"]) == (0, 0, [])
    old_tables, new_tables = await tables_of(old_dsn), await tables_of(new_dsn)
    assert {name for name in new_tables if old_tables[name] != new_tables[name]} == {"events", "event_entities"}
    assert len(old_tables["event_entities"]) + 4 == len(new_tables["event_entities"])

    found = await stage.new.do("index", dsn=old_dsn)
    assert (found["rebuilt"], found["fresh"], found["unread"]) == (len(new_tables["events"]), 0, 0)
    assert await tables_of(old_dsn) == new_tables


def fee(gross: int) -> int:
    return -(-gross * 25 // 10_000)
