"""Who paid and got what, to the unit."""

from __future__ import annotations

from dataclasses import dataclass

from ionet.cli.parsing import tokens
from ionet.client import Client
from ionet.errors import NotFound
from ionet.generated import pdas
from ionet.generated.accounts import Iosd
from ionet.generated.events import ClusterClosed, DisputeDefended, IosdRedeemed, NodeSlashed
from ionet.program import PROGRAM
from rich.table import Table
from solders.pubkey import Pubkey

from ionet_stack.demo.cast import IO, IOSD, Cast, Holdings
from ionet_stack.demo.story import DemoFailed


@dataclass(frozen=True)
class Books:
    """Everything money did between two moments. before, after: holdings by party."""

    before: dict[str, Holdings]
    after: dict[str, Holdings]
    iosd: Iosd
    genesis: int
    closed: ClusterClosed
    slashed: NodeSlashed
    redeemed: IosdRedeemed
    defended: DisputeDefended
    bonds: int

    @property
    def io_burned(self) -> int:
        return self.iosd.io_burned + self.iosd.io_other_burned

    def check(self) -> None:
        """Every unit that exists is somebody's, every unit that is gone was burned. Raises DemoFailed."""
        held_io = sum(holdings.io for holdings in self.after.values())
        held_iosd = sum(holdings.iosd for holdings in self.after.values())
        closed, slashed = self.closed, self.slashed
        sums = {
            "IO: genesis + redeemed = held + burned": (
                self.genesis + self.iosd.io_redeemed,
                held_io + self.io_burned,
            ),
            "IOSD: minted = held + fees burned + redeemed": (
                self.iosd.minted,
                held_iosd + self.iosd.fee_burned + self.iosd.redeemed,
            ),
            "redeemed in IO": (self.iosd.io_redeemed, self.redeemed.io_minted),
            "bond of the dispute = paid to the supplier": (self.defended.bond_part, self.bonds),
            "cluster: deposit = paid + fees + refunded": (
                closed.deposit,
                closed.paid + closed.fees + closed.refunded,
            ),
            "slash = renter + reporter + burned": (
                slashed.amount,
                slashed.to_renter + slashed.to_reporter + slashed.burned,
            ),
        }
        for name, (left, right) in sums.items():
            if left != right:
                raise DemoFailed(f"{name}: {left} is not {right}")

    def table(self) -> Table:
        """What each party gained and lost, and that it adds up."""
        table = Table(title="Who paid and got what", title_justify="left")
        for column in ("", "IO before", "IO after", "IO ±", "IOSD after"):
            table.add_column(column, justify="left" if column == "" else "right")
        for name, before in self.before.items():
            after = self.after[name]
            change = after.io - before.io
            table.add_row(
                name, _io(before.io), _io(after.io), f"{'+' if change > 0 else ''}{_io(change)}", _usd(after.iosd)
            )
        table.add_section()
        burned_io = self.iosd.io_other_burned
        table.add_row("burned for IOSD", "", _io(self.iosd.io_burned), f"+{_io(self.iosd.io_burned)}", "")
        table.add_row(
            "redeemed", "", _io(-self.iosd.io_redeemed), _io(-self.iosd.io_redeemed), _usd(self.iosd.redeemed)
        )
        table.add_row("burned slashes and fees", "", _io(burned_io), f"+{_io(burned_io)}", _usd(self.iosd.fee_burned))
        table.add_section()
        total = sum(holdings.io for holdings in self.after.values()) + self.io_burned - self.iosd.io_redeemed
        iosd = sum(holdings.iosd for holdings in self.after.values()) + self.iosd.fee_burned + self.iosd.redeemed
        before_total = sum(holdings.io for holdings in self.before.values())
        table.add_row("sum", _io(before_total), _io(total), _io(total - before_total), _usd(iosd))
        table.add_row("minted", "", _io(self.genesis), "", _usd(self.iosd.minted))
        return table


async def nothing_left(cast: Cast, cluster: Pubkey, nodes: list[Pubkey]) -> None:
    """Vaults and accounts of the whole story are empty or gone. Raises DemoFailed."""
    client = cast.authority.client
    for node in nodes:
        vault = pdas.stake_vault(PROGRAM.id, node)
        await _expect_empty(client, f"stake vault of {node}", vault)
    for name, mint in (("IO", IO), ("IOSD", IOSD)):
        await _expect_empty(client, f"burn vault of {name}", pdas.burn_vault(PROGRAM.id, mint))
        await _expect_empty(client, f"fee vault of {name}", pdas.fee_vault(PROGRAM.id, mint))
    if await client.rpc.account(cluster) is not None:
        raise DemoFailed(f"cluster {cluster} still exists")


async def _expect_empty(client: Client, name: str, vault: Pubkey) -> None:
    try:
        amount = await client.rpc.token_balance(vault)
    except NotFound:
        amount = 0
    if amount != 0:
        raise DemoFailed(f"{amount} units are left in the {name}")


def _io(units: int) -> str:
    return tokens(units, "IO")


def _usd(units: int) -> str:
    return tokens(units, "IOSD")
