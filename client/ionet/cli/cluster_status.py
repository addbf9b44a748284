"""`ionet cluster status`: what a launcher says of a cluster, beside what the chain has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet.cli.parsing import DECIMALS, pubkey, tokens
from ionet.cli.printing import AsJson, print_json, print_rows, printable, say
from ionet.cli.session import run
from ionet.errors import InvalidInput, IonetError, NotFound, RpcUnreachable

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.generated.accounts import Cluster, Lease
    from ionet.launcher_api import ClusterStatus, LauncherClient, Member

# Seconds between two looks, and for how long a launcher or a chain that does not answer, or a launcher that has not
# seen the cluster yet, is asked again.
_LOOK_SECS, _PATIENCE_SECS = 1.0, 60.0
_MOVE = ("at", "phase", "reason", "detail")
# Of what became of a cluster that is over, this many moves are printed.
_PRINTED = 12


class ClusterOver(IonetError):
    """no meter of the cluster runs, nor will one"""

    exit_code = 6


def status(
    ctx: typer.Context,
    cluster: Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the cluster.")],
    launcher: Annotated[str, typer.Option(envvar="IONET_LAUNCHER", help="URL of the launcher's API.")],
    watch: Annotated[bool, typer.Option(help="Follow it until every meter runs, or it is over.")] = False,
    as_json: AsJson = False,
) -> None:
    """A cluster's phase, members and money; exit code 6 when it is over.

    The money and each lease's state are the chain's, the rest is what the launcher says.
    """
    if not launcher.startswith(("http://", "https://")):
        raise InvalidInput(f"{launcher} is not an http or https URL")

    async def work(client: Client) -> dict[str, Any]:
        from ionet.launcher_api import LauncherClient

        async with LauncherClient(launcher) as asked:
            look = _follow(client, asked, cluster, quiet=as_json) if watch else _look(client, asked, cluster)
            found = await look
            moves = [] if found["phase"] is None else await asked.events(cluster)
        return {**found, "events": [{name: getattr(move, name) for name in _MOVE} for move in moves]}

    found = run(ctx, work, wallet=False)
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["over"]:
        raise typer.Exit(ClusterOver.exit_code)


async def _follow(client: Client, launcher: LauncherClient, key: Pubkey, *, quiet: bool) -> dict[str, Any]:
    """Look again and again, and say what has changed, until every meter runs or the cluster is over."""
    from ionet.launcher_api import RUNNING, LauncherError

    begun, said, silent_since = time.monotonic(), "", None
    while True:
        now = time.monotonic()
        try:
            found = await _look(client, launcher, key)
        except (LauncherError, RpcUnreachable) as error:
            silent_since = silent_since or now
            if now - silent_since > _PATIENCE_SECS:
                raise
            line = str(error)
        else:
            silent_since = None
            if found["over"] or found["phase"] == RUNNING:
                return found
            if found["phase"] is None and now - begun > _PATIENCE_SECS:
                return found
            line = _line(found)
        if line != said and not quiet:
            say(f"{now - begun:6.1f} s  {line}")
        said = line
        await asyncio.sleep(_LOOK_SECS)


async def _look(client: Client, launcher: LauncherClient, key: Pubkey) -> dict[str, Any]:
    from ionet.generated.accounts import Cluster
    from ionet.launcher_api import UnknownCluster

    cluster = await client.find(Cluster, key)
    leases = [] if cluster is None else await client.lease.all(cluster=key)
    told: ClusterStatus | None = None
    try:
        told = await launcher.cluster(key)
    except UnknownCluster:
        named = (await launcher.launcher()).session_key
        if cluster is None:
            raise NotFound(f"Cluster {key}") from None
        if str(cluster.session_key) != named:
            raise InvalidInput(
                f"{key} names the session key {cluster.session_key}; the launcher's is {named}"
            ) from None
    return _joined(key, cluster, dict(leases), told, await client.rpc.unix_time())


def _joined(
    key: Pubkey, cluster: Cluster | None, leases: Mapping[Pubkey, Lease], told: ClusterStatus | None, now: int
) -> dict[str, Any]:
    """As JSON; amounts in base units. phase: None while the launcher has not seen the cluster."""
    from ionet.launcher_api import ENDED

    members = {member.lease: member for member in told.members} if told is not None else {}
    chain = {str(address): lease for address, lease in leases.items()}
    rows = [_row(address, chain.get(address), members.get(address)) for address in sorted({*chain, *members})]
    return {
        "cluster": str(key),
        "phase": None if told is None else told.phase,
        "over": cluster is None or (told is not None and told.phase in ENDED),
        "reason": "" if told is None else told.reason,
        "detail": "" if told is None else told.detail,
        "since": None if told is None else told.since,
        "trouble_since": None if told is None else told.trouble_since,
        "until": None if told is None else told.until,
        "chain_time": now,
        "money": None if cluster is None else _money(cluster, leases, now),
        "leases": rows,
    }


def _money(cluster: Cluster, leases: Mapping[Pubkey, Lease], now: int) -> dict[str, str]:
    """spent: paid, fees, and what has been served and not been settled yet, without its fees."""
    from ionet.generated.enums import Currency
    from ionet.rules.pricing import earned
    from ionet.words import word

    running_up = 0
    for lease in leases.values():
        served = max(min(now, lease.ends_at) - lease.started_at, 0) if lease.started_at else 0
        running_up += max(earned(lease.price, lease.processors, served) - lease.paid - lease.burned, 0)
    free = cluster.deposit - cluster.paid - cluster.fees - cluster.refunded - cluster.locked
    amounts = {
        "deposit": cluster.deposit,
        "spent": cluster.paid + cluster.fees + running_up,
        "locked": cluster.locked,
        "free": free,
        "refunded": cluster.refunded,
    }
    return {"currency": word(Currency, cluster.currency), **{name: str(units) for name, units in amounts.items()}}


def _row(address: str, lease: Lease | None, member: Member | None) -> dict[str, Any]:
    """A lease: its state on the chain, or as the indexer had it last where the chain has it no longer."""
    import msgspec

    from ionet.generated.enums import LeaseStatus
    from ionet.words import word

    seen = None if member is None else member.status
    told = {} if member is None else msgspec.to_builtins(member)
    return {
        "lease": address,
        "node": str(lease.node) if lease is not None else told["node"],
        "status": word(LeaseStatus, lease.status) if lease is not None else seen,
        **{name: told.get(name) for name in ("role", "phase", "until", "trouble", "check", "replaced_by")},
    }


def _line(found: Mapping[str, Any]) -> str:
    """What is said while it is waited for."""
    if found["phase"] is None:
        return "the launcher has not seen it yet"
    metered = sum(row["status"] == "active" for row in found["leases"])
    parts = [found["phase"], f"{metered} of {len(found['leases'])} metered", found["reason"], found["detail"]]
    return printable("  ".join(part for part in parts if part))


def _print(found: Mapping[str, Any]) -> None:
    say(f"{found['cluster']}  {_line(found)}")
    if found["until"] is not None:
        say(f"ends within {max(found['until'] - found['chain_time'], 0)} s of the chain's time")
    money = found["money"]
    if money is None:
        say("closed on the chain")
    else:
        unit = money["currency"]
        shown = {
            name: tokens(int(units), unit) if unit in DECIMALS else units for name, units in list(money.items())[1:]
        }
        say("  ".join(f"{name} {units}" for name, units in shown.items()) + f"  {unit}")
    rows = [{name: printable(value) for name, value in {**row, **_words(row)}.items()} for row in found["leases"]]
    print_rows(rows, ["lease", "node", "status", "phase", "check", "trouble", "replaced_by"], as_json=False)
    if found["over"]:
        for move in reversed(found["events"][:_PRINTED]):
            at = datetime.fromtimestamp(move["at"], UTC)
            say(printable(f"{at:%Y-%m-%d %H:%M:%S} UTC  {move['phase']}  {move['reason']}  {move['detail']}").rstrip())


def _words(row: Mapping[str, Any]) -> dict[str, str]:
    check, trouble, successor = row["check"], row["trouble"], row["replaced_by"]
    passed = "" if check is None else check["problem"] or f"{len(check['devices'])} x {', '.join(check['devices'][:1])}"
    return {
        "phase": row["phase"] or "",
        "check": passed,
        "trouble": "" if trouble is None else f"{trouble['reason']}: {trouble['detail']}",
        "replaced_by": "" if successor is None else successor["node"],
    }
