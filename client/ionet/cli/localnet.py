"""`ionet localnet`: run a local chain, ask one how it is."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet.localnet import (
    FaultConfig,
    Genesis,
    GenesisError,
    Localnet,
    LocalnetConfig,
    LocalnetError,
    read_account,
    read_program,
)

app = typer.Typer(help="A Solana chain on this machine, for development and tests.", no_args_is_help=True)

_STATUS_TIMEOUT_S = 5


def _fail(message: str) -> typer.Exit:
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(1)


def _pubkey(text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError as failure:
        raise GenesisError(f"{text!r} is not a public key") from failure


def _assignment(text: str) -> tuple[Pubkey, Path]:
    address, equals, path = text.partition("=")
    if not equals:
        raise GenesisError(f"{text!r} is not of the form ADDRESS=FILE")
    return _pubkey(address), Path(path)


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
    reset: Annotated[bool, typer.Option(help="Begin the ledger anew.")] = False,
    slot_ms: Annotated[int, typer.Option(help="Milliseconds between blocks.")] = 400,
    clock_factor: Annotated[float, typer.Option(help="Seconds of chain time in one second.")] = 1.0,
    program: Annotated[list[str] | None, typer.Option(help="ID=FILE.so to deploy at genesis; repeatable.")] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="[ADDRESS=]FILE.json, an account at genesis; repeatable.")
    ] = None,
    upgrade_authority: Annotated[
        str | None, typer.Option(help="May upgrade the programs; else nobody.")
    ] = None,
    cheats: Annotated[bool, typer.Option(help="Offer the localnet_ methods.")] = False,
    drop: Annotated[float, typer.Option(help="Fault: share of transactions lost.")] = 0.0,
    delay: Annotated[float, typer.Option(help="Fault: share of transactions that come late.")] = 0.0,
    duplicate: Annotated[float, typer.Option(help="Fault: share of transactions delivered twice.")] = 0.0,
    drop_notification: Annotated[float, typer.Option(help="Fault: share of notifications lost.")] = 0.0,
    fault_seed: Annotated[int, typer.Option(help="Seed of the faults.")] = 0,
    fsync: Annotated[bool, typer.Option(help="Force every record of the ledger to the disk.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the addresses as one JSON object.")] = False,
) -> None:
    """Run a local chain until it is interrupted."""
    try:
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
    except (LocalnetError, ValueError, OSError) as failure:
        raise _fail(str(failure)) from failure


async def _serve(config: LocalnetConfig, as_json: bool) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Localnet(config) as net:
        if as_json:
            about = {"rpc_url": net.rpc_url, "ws_url": net.ws_url, "slot": net.chain.slot}
            typer.echo(json.dumps(about | {"genesis_hash": str(net.chain.genesis_hash)}))
        else:
            typer.echo(f"JSON-RPC   {net.rpc_url}\nwebsocket  {net.ws_url}")
        failed, asked = asyncio.create_task(net.wait()), asyncio.create_task(stopped.wait())
        done, _ = await asyncio.wait([failed, asked], return_when=asyncio.FIRST_COMPLETED)
        for task in (failed, asked):
            task.cancel()
        if failed in done:
            failed.result()


@app.command()
def status(
    url: Annotated[str, typer.Option(help="JSON-RPC address of the chain.")] = "http://127.0.0.1:8899",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say whether a chain answers at the address, and where it stands."""
    try:
        version, slot, height, count = _ask(url, ["getVersion", "getSlot", "getBlockHeight", "getTransactionCount"])
    except (OSError, ValueError, KeyError, TypeError) as failure:
        raise _fail(f"no chain answers at {url}: {failure}") from failure
    about = {"version": version["solana-core"], "slot": slot, "block_height": height, "transactions": count}
    if as_json:
        typer.echo(json.dumps({"url": url, **about}))
    else:
        for name, value in about.items():
            typer.echo(f"{name.replace('_', ' '):13} {value}")


def _ask(url: str, methods: list[str]) -> list[Any]:
    """Results of parameterless calls at commitment processed, asked for in one batch."""
    config = [{"commitment": "processed"}]
    calls = [{"jsonrpc": "2.0", "id": i, "method": method, "params": config} for i, method in enumerate(methods)]
    request = urllib.request.Request(url, json.dumps(calls).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=_STATUS_TIMEOUT_S) as answer:
        return [entry["result"] for entry in json.load(answer)]
