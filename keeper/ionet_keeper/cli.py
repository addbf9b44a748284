"""`ionet keeper`: does what anyone may do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ionet.cli import human
from ionet.cli.parsing import pubkey
from ionet.cli.printing import AsJson, print_fields, print_rows, waiting
from ionet.cli.session import settings
from ionet.errors import InvalidInput
from ionet.resolve import duration, near

if TYPE_CHECKING:
    from ionet_keeper.config import Config

app = typer.Typer(help="Settles, reports, closes and sweeps: whatever anyone may do.", no_args_is_help=True)

AlsoUrl = Annotated[list[str] | None, typer.Option(help="Another RPC node, asked when the first one fails.")]
SettleEvery = Annotated[
    str, typer.Option(help="Proven time after which a running lease is settled: 1d, 90m or seconds.")
]


@app.command()
def run(
    ctx: typer.Context,
    keypair: Annotated[
        Path | None, typer.Option(help="Keypair file of the keeper, which pays; by default the wallet's.")
    ] = None,
    also_url: AlsoUrl = None,
    policy: Annotated[
        str, typer.Option(help="all: everything; pays: what pays more than it costs; own: only for --owner, --renter.")
    ] = "all",
    owner: Annotated[list[str] | None, typer.Option(help="Owner of nodes, or staker, who is always served.")] = None,
    renter: Annotated[list[str] | None, typer.Option(help="Renter who is always served.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Do all that is due now, say what, and end.")] = False,
    port: Annotated[int, typer.Option(help="Port of /metrics and /health on loopback; 0 takes a free one.")] = 8082,
    hourly: Annotated[float, typer.Option(help="Most SOL to spend in an hour, rents included.")] = 0.05,
    keep_sol: Annotated[float, typer.Option(help="Balance in SOL below which it only watches.")] = 0.01,
    max_priority_fee: Annotated[int, typer.Option(help="Most micro-lamports per compute unit to offer.")] = 20_000,
    sol_price: Annotated[float, typer.Option(help="Dollars per SOL, to compare rewards with fees.")] = 200.0,
    window: Annotated[float, typer.Option(help="Seconds over which keepers spread what is due.")] = 10.0,
    poll_secs: Annotated[float, typer.Option(help="Seconds between looks while nothing is due soon.")] = 10.0,
    settle_every: SettleEvery = "1d",
    burn_every: Annotated[str, typer.Option(help="After how long a burn vault is emptied again: 1h, 90m.")] = "1h",
    as_json: AsJson = False,
) -> None:
    """Work until interrupted, or once. Any number of keepers may work side by side."""
    from ionet.daemon import log_to_stderr
    from ionet.duties import Habits
    from ionet.ready import KeeperReady
    from ionet.tending.manner import LAMPORTS, Limits
    from ionet.wallet import KeypairSigner, read_keypair

    from ionet_keeper import service
    from ionet_keeper.config import Config, Policy

    log_to_stderr()
    if policy not in list(Policy):
        raise InvalidInput(f"--policy is {policy}, not {', '.join(Policy)}{near(policy, Policy)}")
    if min(hourly, keep_sol, sol_price, window, poll_secs, max_priority_fee) < 0:
        raise InvalidInput("no option can be negative")
    own = frozenset(pubkey(text) for text in [*(owner or []), *(renter or [])])
    if policy == Policy.OWN and not own:
        raise InvalidInput("--policy own needs --owner or --renter")
    config = Config(
        urls=(settings(ctx).url, *(also_url or [])),
        policy=Policy(policy),
        own=own,
        habits=Habits(duration(settle_every), duration(burn_every)),
        limits=Limits(hourly=int(hourly * LAMPORTS), floor=int(keep_sol * LAMPORTS)),
        window=window,
        busy_secs=min(1.0, max(0.1, poll_secs)),
        idle_secs=max(0.1, poll_secs),
        sol_price=int(sol_price * 10**6),
        max_priority_fee=max_priority_fee,
    )
    wallet = KeypairSigner(read_keypair(keypair or settings(ctx).keypair))
    if once:
        deeds = asyncio.run(service.once(config, wallet))
        rows = [
            {"action": deed.name, "address": str(deed.account), "outcome": deed.outcome, "detail": deed.detail}
            for deed in deeds
        ]
        print_rows(rows, ["action", "address", "outcome", "detail"], as_json=as_json)
        return

    def announce(api: str) -> None:
        ready = KeeperReady(str(wallet.pubkey), api)
        print_fields({"keeper": ready.keeper, "api": ready.api}, as_json=as_json)

    asyncio.run(service.run(config, wallet, port, announce))


@app.command()
def due(
    ctx: typer.Context,
    within: Annotated[str, typer.Option(help="How far to look ahead: 1h, 90m or seconds.")] = "1h",
    settle_every: SettleEvery = "1d",
    also_url: AlsoUrl = None,
    as_json: AsJson = False,
) -> None:
    """List what is due now and soon, and what it pays. Sends nothing."""
    from ionet_keeper import service

    reading, secs = _reading(settings(ctx).url, also_url, settle_every), duration(within)
    with waiting("asking the chain"):
        rows = asyncio.run(service.due(reading, secs))
    columns = ["action", "address", "due", "pays"]
    print_rows(rows if as_json else [_shown(row) for row in rows], columns, as_json=as_json)


def _shown(row: dict[str, Any]) -> dict[str, str]:
    """An action for people."""
    secs, io, worth = (int(row[name]) for name in ("due_in_secs", "pays_io_units", "pays_lamports"))
    both = [human.money(io, "IO")] * (io > 0) + [human.money(worth, "SOL")] * (worth > 0)
    return {
        "action": row["action"].replace("_", " "),
        "address": row["address"],
        "due": f"in {human.span(secs)}" if secs > 0 else "now",
        "pays": ", worth ".join(both) or "nothing",
    }


def _reading(url: str, also: list[str] | None, settle_every: str) -> Config:
    from ionet.duties import Habits

    from ionet_keeper.config import Config

    return Config(urls=(url, *(also or [])), habits=Habits(duration(settle_every)))
