"""`ionet trace`: from a result's hash to node, time, price and proof, checked against the chain."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionet.cli.context import AsJson, hash32, print_fields, print_json, run, tokens, waiting
from ionet.errors import InvalidInput, IonetError

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="From a result's hash to node, time, price and proof.")


class ApiError(IonetError):
    """the indexer's API did not answer as it should"""

    exit_code = 4


class NotTraced(IonetError):
    """the indexer cannot trace this result"""


class TraceRefused(IonetError):
    """the trace does not hold against the chain"""

    exit_code = 3


@app.command()
def trace(
    ctx: typer.Context,
    result: Annotated[str, typer.Argument(help="sha256 of the result in hex; with --file, a file with the result.")],
    api: Annotated[
        str, typer.Option(envvar="IONET_API", help="Address of an indexer's API.")
    ] = "http://127.0.0.1:8080",
    file: Annotated[bool, typer.Option("--file", help="RESULT is a file; its hash is traced.")] = False,
    as_json: AsJson = False,
) -> None:
    """Where a result was computed, what it cost, and whether the chain holds the proof. Nothing is taken on trust."""
    wanted = _file_hash(result) if file else hash32(result)

    async def work(client: Client) -> list[dict[str, Any]]:
        with waiting("tracing"):
            items = await fetch_occurrences(api, wanted)
            try:
                for item in items:
                    await verify(client, item, wanted)
            except (KeyError, TypeError, ValueError) as error:
                raise ApiError(f"{api}: malformed answer ({type(error).__name__})") from None
        return items

    items = run(ctx, work, wallet=False)
    if as_json:
        print_json({"result_hash": wanted.hex(), "verified": True, "items": items})
        return
    for item in items:
        print_fields(_summary(item), as_json=False)
        typer.echo("")
    typer.echo(f"{len(items)} occurrence{'' if len(items) == 1 else 's'}, each verified against the chain")


async def fetch_occurrences(api: str, result_hash: bytes) -> list[dict[str, Any]]:
    """Every occurrence the indexer knows, page by page. Raises ApiError with the API's own words."""
    import httpx2

    items: list[dict[str, Any]] = []
    cursor: str | None = None
    try:
        async with httpx2.AsyncClient(base_url=api, timeout=30) as http:
            while True:
                params = {} if cursor is None else {"cursor": cursor}
                answer = await http.get(f"/v1/trace/{result_hash.hex()}", params=params)
                body = answer.json()
                if answer.status_code == 404:
                    raise NotTraced(str(body["detail"]))
                if answer.status_code != 200:
                    raise ApiError(str(body.get("detail") or body.get("title") or answer.status_code))
                items += body["items"]
                cursor = body["next"]
                if cursor is None:
                    return items
    except httpx2.HTTPError as error:
        raise ApiError(f"{api}: {type(error).__name__}") from None
    except (ValueError, KeyError, AttributeError):
        raise ApiError(f"{api} is no ionet indexer") from None


async def verify(client: Client, item: dict[str, Any], result_hash: bytes) -> None:
    """Check one occurrence: the leaf leads to the root, and the chain recorded that root for this lease and interval.

    Raises TraceRefused when it does not.
    """
    from solders.pubkey import Pubkey
    from solders.signature import Signature

    from ionet.events import events_in_transaction
    from ionet.generated.events import ProofAppended
    from ionet.rules import merkle

    lease, leaf, proof = Pubkey.from_string(item["lease"]), item["leaf"], item["proof"]
    hashed = merkle.leaf(bytes(lease), item["interval"], leaf["index"], bytes.fromhex(leaf["task_id"]), result_hash)
    root = bytes.fromhex(leaf["root"])
    siblings = [bytes.fromhex(text) for text in leaf["path"]]
    if not merkle.verify(hashed, leaf["index"], leaf["count"], siblings, root):
        raise TraceRefused(f"the Merkle path of lease {lease}, interval {item['interval']} does not lead to its root")
    answer = await client.rpc.transaction(Signature.from_string(proof["signature"]))
    if answer is None:
        raise TraceRefused(f"the chain has no transaction {proof['signature']}")
    place = (proof["outer_ix"], proof["inner_ix"])
    expected = (lease, item["interval"], root, item["node"])
    for record in events_in_transaction(client.program.codec, answer):
        event = record.event
        if (record.outer_index, record.inner_index) != place or not isinstance(event, ProofAppended):
            continue
        if (event.lease, event.interval, event.root, str(event.node)) == expected:
            return
    raise TraceRefused(f"transaction {proof['signature']} does not record this root")


def _summary(item: dict[str, Any]) -> dict[str, Any]:
    paid = item["settlement"]
    return {
        "node": item["node"],
        "owner": item["owner"],
        "lease": item["lease"],
        "interval": f"{item['interval']} ({item['interval_start']} to {item['interval_end']}, unix seconds)",
        "served": f"{item['proof']['served_secs']} s",
        "cost": f"{tokens(int(item['amount']), item['currency'])} {item['currency']}"
        if item["currency"] in ("IO", "IOSD", "USDC")
        else item["amount"],
        **({"dispute": item["dispute"]} if item.get("dispute") else {}),
        "proof": item["proof"]["signature"],
        "paid by": paid["signature"] if paid else "not paid yet",
        "leaf": f"{item['leaf']['index']} of {item['leaf']['count']} under {item['leaf']['root']}",
    }


def _file_hash(name: str) -> bytes:
    try:
        return hashlib.sha256(Path(name).read_bytes()).digest()
    except OSError as error:
        raise InvalidInput(f"cannot read {name}: {error.strerror}") from None
