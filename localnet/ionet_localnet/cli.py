"""`ionet localnet`: run a local chain, ask one for its status."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from solana.exceptions import SolanaRpcException
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Processed
from solana.rpc.core import RPCException
from solders.pubkey import Pubkey

from ionet_localnet import (
    FaultConfig,
    Genesis,
    InvalidSetting,
    Localnet,
    LocalnetConfig,
    NoChain,
    read_account,
    read_program,
)

app = typer.Typer(help="A Solana chain on this machine, for development and tests.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_STATUS_TIMEOUT_S = 5
_DEFAULT_URL = "http://127.0.0.1:8899"


def _assignment(text: str) -> tuple[Pubkey, Path]:
    address, equals, path = text.partition("=")
    if not equals:
        raise InvalidSetting(f"{text!r} is not of the form ADDRESS=FILE")
    return _pubkey(address), Path(path)


def _pubkey(text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise InvalidSetting(f"{text!r} is not a valid address") from None


def _print_fields(fields: dict[str, Any], *, as_json: bool) -> None:
    """JSON, or a line per field."""
    if as_json:
        typer.echo(json.dumps(fields, ensure_ascii=False), file=sys.stdout)
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        typer.echo(f"{name.replace('_', ' '):{width}}  {value}", file=sys.stdout)


def _genesis(programs: list[str], accounts: list[str], authority: str | None) -> Genesis | None:
    """What the options ask for; None when they ask for nothing, so that an existing ledger is taken as it is."""
    if not programs and not accounts:
        return None
    elfs = {program_id: read_program(path) for program_id, path in map(_assignment, programs)}
    found = {}
    for text in accounts:
        address, path = _assignment(text) if "=" in text else (None, Path(text))
        named, account = read_account(path)
        found[address or named] = account
    return Genesis(elfs, found, _pubkey(authority) if authority else None)


@app.command()
def run(
    port: Annotated[int, typer.Option(help="HTTP port; 0 picks a free pair.")] = 8899,
    ws_port: Annotated[int | None, typer.Option(help="Websocket port; the one after --port if not given.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    ledger: Annotated[Path | None, typer.Option(help="Folder of the ledger; in memory if not given.")] = None,
    reset: Annotated[bool, typer.Option(help="Start again with an empty ledger.")] = False,
    slot_ms: Annotated[int, typer.Option(help="Milliseconds between blocks.")] = 400,
    clock_factor: Annotated[float, typer.Option(help="Seconds of chain time in one second.")] = 1.0,
    program: Annotated[list[str] | None, typer.Option(help="ID=FILE.so to deploy at genesis; repeatable.")] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="[ADDRESS=]FILE.json, an account at genesis; repeatable.")
    ] = None,
    upgrade_authority: Annotated[
        str | None, typer.Option(help="May upgrade the programs; nobody may if not given.")
    ] = None,
    cheats: Annotated[bool, typer.Option(help="Offer the localnet_ methods.")] = False,
    drop: Annotated[float, typer.Option(help="Fault: share of transactions lost.")] = 0.0,
    delay: Annotated[float, typer.Option(help="Fault: share of transactions that arrive late.")] = 0.0,
    duplicate: Annotated[float, typer.Option(help="Fault: share of transactions delivered twice.")] = 0.0,
    drop_notification: Annotated[float, typer.Option(help="Fault: share of notifications lost.")] = 0.0,
    fault_seed: Annotated[int, typer.Option(help="Seed of the faults.")] = 0,
    fsync: Annotated[bool, typer.Option(help="Force every record of the ledger to the disk.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a local chain until it is interrupted."""
    config = LocalnetConfig(
        host=host,
        port=port,
        ws_port=ws_port,
        ledger=ledger,
        reset=reset,
        genesis=_genesis(program or [], account or [], upgrade_authority),
        slot_ms=slot_ms,
        clock_factor=clock_factor,
        cheats=cheats,
        faults=FaultConfig(drop, delay, duplicate, drop_notification, seed=fault_seed),
        fsync=fsync,
    )
    asyncio.run(_serve(config, as_json))


async def _serve(config: LocalnetConfig, as_json: bool) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Localnet(config) as net:
        about = {"rpc_url": net.rpc_url, "ws_url": net.ws_url, "genesis_hash": str(net.chain.genesis_hash)}
        _print_fields(about | {"slot": net.chain.slot}, as_json=as_json)
        # The process that started this waits for the first line on a pipe.
        sys.stdout.flush()
        failed, asked = asyncio.create_task(net.wait()), asyncio.create_task(stopped.wait())
        done, _ = await asyncio.wait([failed, asked], return_when=asyncio.FIRST_COMPLETED)
        for task in (failed, asked):
            task.cancel()
        if failed in done:
            failed.result()


@app.command()
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show version, slot and counts of the chain at the global --url."""
    # The options of `ionet`, whose type is not known here.
    url = str(getattr(ctx.obj, "url", _DEFAULT_URL))

    async def ask() -> dict[str, Any]:
        async with AsyncClient(url, Processed, timeout=_STATUS_TIMEOUT_S) as client:
            return {
                "url": url,
                "version": (await client.get_version()).value.solana_core,
                "genesis_hash": str((await client.get_genesis_hash()).value),
                "slot": (await client.get_slot()).value,
                "block_height": (await client.get_block_height()).value,
                "transactions": (await client.get_transaction_count()).value,
            }

    try:
        about = asyncio.run(ask())
    except (SolanaRpcException, RPCException) as failure:
        raise NoChain(url) from failure
    _print_fields(about, as_json=as_json)
