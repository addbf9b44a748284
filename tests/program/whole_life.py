"""A lease with everybody's wealth before it, and what must be true when all of it is over."""

from __future__ import annotations

from ionet.generated import pdas
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import NodeSlashed
from program import calls
from program.calls import ID, IO, USD, ata
from program.chain import who
from program.refs import LeaseRef
from program.world import H100, HOUR, IO_UNIT, USD_UNIT, World, required_stake

INTERVAL, DAY = 600, 86_400
STAKE = required_stake(H100, 8)
DEPOSIT = 20_000 * USD_UNIT
HOURLY = 16_000_000


class Life:
    """A lease with everybody's wealth before it, and what must be true when all of it is over."""

    def __init__(self, world: World, duration: int = 2 * HOUR) -> None:
        self.world = world
        world.supplier("supplier a")
        world.renter("renter a")
        self.owner, self.renter, self.reporter = who("supplier a"), who("renter a"), world.stranger
        world.open_ata(self.reporter, IO)
        self.before = self.wealth()
        self.lamports = self.rent()
        node = world.staked_node("a")
        self.lease = LeaseRef(node, world.cluster("a", DEPOSIT), 0)
        world.booked(node, self.lease.cluster, duration)

    def wealth(self) -> dict[str, tuple[int, int]]:
        """IO and IOSD of everybody, base units."""
        names = {"owner": self.owner, "renter": self.renter, "reporter": self.reporter}
        tokens = self.world.tokens
        return {name: (tokens(ata(wallet, IO)), tokens(ata(wallet, USD))) for name, wallet in names.items()}

    def rent(self) -> list[int]:
        return [self.world.lamports(wallet.pubkey()) for wallet in (self.owner, self.renter)]

    def start(self) -> None:
        self.world.do(calls.mark_ready(self.lease))
        self.world.do(calls.accept_ready(self.lease))

    def report(self) -> NodeSlashed:
        return self.world.do(calls.report_missed(self.lease, self.reporter)).event(NodeSlashed)

    def finish(self) -> dict[str, tuple[int, int]]:
        """Strangers close everything and the owner's stake comes back; returns what everybody gained, IO and IOSD."""
        world, lease = self.world, self.lease
        if world.exists(lease.key):
            if world.of(lease).status in (LeaseStatus.ACTIVE, LeaseStatus.ENDED):
                world.final(lease)
            world.do(calls.settle_lease(lease))
            world.do(calls.close_lease(lease))
        world.warp(7 * DAY)
        world.do(calls.close_cluster(lease.cluster, signed=False))
        world.do(calls.retire_node(lease.node))
        world.warp(14 * DAY)
        world.do(calls.withdraw(lease.node))
        burned = [world.tokens(pdas.burn_vault(ID, mint)) for mint in (IO, USD)]
        self.nothing_is_left()
        after = self.wealth()
        gained = {name: (after[name][0] - io, after[name][1] - usd) for name, (io, usd) in self.before.items()}
        gained["burned"] = (burned[0], burned[1])
        assert [sum(part) for part in zip(*gained.values(), strict=True)] == [0, 0]
        return gained

    def nothing_is_left(self) -> None:
        world, lease = self.world, self.lease
        gone = (lease.key, lease.cluster.key, lease.cluster.escrow, lease.node.position)
        assert not any(world.exists(key) for key in gone)
        assert world.tokens(lease.node.vault) == 0
        kept = [[lease.node.key, lease.node.vault], [pdas.renter_account(ID, self.renter.pubkey())]]
        spent = [before - after for before, after in zip(self.lamports, self.rent(), strict=True)]
        assert spent == [sum(world.lamports(key) for key in keys) for keys in kept]


def fees(gross: int) -> int:
    return -(-gross * 25 // 10_000)


def outcome(gross: int, burned: int = 0) -> dict[str, tuple[int, int]]:
    """IOSD side of a life: gross pay, both fees burned, and what the renter owes and nobody gets; IO untouched."""
    fee = fees(gross)
    return {
        "owner": (0, gross - fee),
        "renter": (0, -gross - fee - burned),
        "reporter": (0, 0),
        "burned": (0, 2 * fee + burned),
    }


def slashed(gross: int, bps: int, missed_secs: int) -> dict[str, tuple[int, int]]:
    """The IOSD side and one slash, divided: a quarter of the missed price in IO at $3, five percent, the rest."""
    taken = STAKE * bps // 10_000
    to_renter = HOURLY * missed_secs // HOUR * 2_500 // 10_000 * IO_UNIT // 3_000_000
    to_reporter = min(taken * 500 // 10_000, 500 * IO_UNIT)
    usd = outcome(gross)
    return {
        "owner": (-taken, usd["owner"][1]),
        "renter": (to_renter, usd["renter"][1]),
        "reporter": (to_reporter, 0),
        "burned": (taken - to_renter - to_reporter, usd["burned"][1]),
    }
