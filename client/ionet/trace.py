"""From the hash of a result to node, time, price and proof: asked of an indexer, checked against the chain.

The structs are what `/v1/trace/{result_hash}` of the indexer answers with. Amounts are decimal strings in base units,
keys base58, hashes hex, times unix seconds.
"""

from __future__ import annotations

import asyncio

import httpx2
import msgspec
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet.chain import Chain
from ionet.errors import IonetError
from ionet.events import events_in_transaction
from ionet.generated.events import ProofAppended
from ionet.patient_http import PatientClient, status_line, whole_body
from ionet.rules import merkle

# An interval has at most 100,000 leaves, so a path has 17 hashes and a page of 20 occurrences some 60 kB.
_MOST_BYTES = 1 << 20
_MOST_PAGES = 1_000
_REQUEST_SECS, _TRACE_SECS = 30.0, 300.0


class ApiError(IonetError):
    """the indexer's API did not answer as it should"""

    exit_code = 4


class NotTraced(IonetError):
    """the indexer cannot trace this result"""


class TraceRefused(IonetError):
    """the trace does not hold against the chain"""

    exit_code = 3


def dispute_of(challenge: str | None) -> str | None:
    """What a trace calls what came of an interval's challenge, as the log of the lease has it."""
    return {"disputed": "open", "approved": None}.get(challenge or "", challenge)


class Leaf(msgspec.Struct):
    """The leaf and its path: siblings from the bottom up, hex. `verified` says that they lead to `root`."""

    index: int
    count: int
    task_id: str
    hash: str
    path: list[str]
    root: str
    verified: bool


class TracedProof(msgspec.Struct):
    """The event that put the root on the chain."""

    signature: str
    slot: int
    outer_ix: int
    inner_ix: int
    at: int
    served_secs: int
    gpu_ms: str
    proof_head: str


class Settlement(msgspec.Struct):
    """The settlement that paid for the interval."""

    signature: str
    at: int


class Occurrence(msgspec.Struct):
    """One place where a result was proven. `amount` is what the interval's time costs at the locked price, in base
    units of `currency`, before fees: the served time, less what nobody defended in a dispute. `dispute` is null, `open`
    (the amount is held), `defended`, `undefended` or `unchallenged` (named by a supplier who left; neither is paid).
    `settlement` is null while it is not paid; `paid` is the part of the amount that was.
    """

    lease: str
    lease_number: str
    interval: int
    interval_start: int | None
    interval_end: int | None
    node: str
    owner: str
    device_key: str
    model: int
    country: int
    cluster: str
    renter: str
    processors: int
    price: str
    currency: str
    amount: str
    paid: str
    dispute: str | None
    settlement: Settlement | None
    proof: TracedProof
    leaf: Leaf


class Trace(msgspec.Struct):
    """Every occurrence of a result among the uploaded leaves whose root the chain holds."""

    slot: int
    finalized_slot: int
    result_hash: str
    items: list[Occurrence]
    next: str | None


class _Problem(msgspec.Struct):
    """What the API says when it refuses."""

    detail: str = ""
    title: str = ""


async def fetch(api: str, result_hash: bytes) -> list[Occurrence]:
    """Every occurrence that the indexer at `api` knows of a result's sha256. Nothing of it is checked yet.

    Raises NotTraced, or ApiError with the API's own words when it does not answer in time, in size or in form.
    """
    found: list[Occurrence] = []
    cursor: str | None = None
    try:
        async with asyncio.timeout(_TRACE_SECS), PatientClient(api, base_url=api, timeout=_REQUEST_SECS) as http:
            for _ in range(_MOST_PAGES):
                page = await _page(http, f"/v1/trace/{result_hash.hex()}", cursor)
                found += page.items
                cursor = page.next
                if cursor is None:
                    return found
    except httpx2.HTTPError as error:
        raise ApiError(f"{api}: {type(error).__name__}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ApiError(f"{api} is not an ionet indexer") from None
    except TimeoutError:
        raise ApiError(f"{api} did not answer within {_TRACE_SECS:.0f} s") from None
    raise ApiError(f"{api}: the list does not end after {_MOST_PAGES} pages")


async def _page(http: httpx2.AsyncClient, path: str, cursor: str | None) -> Trace:
    params = {} if cursor is None else {"cursor": cursor}
    async with http.stream("GET", path, params=params) as answer:
        body = await whole_body(answer, _MOST_BYTES, ApiError(f"an answer of more than {_MOST_BYTES} bytes"))
    if answer.status_code == 200:
        return msgspec.json.decode(body, type=Trace)
    problem = msgspec.json.decode(body, type=_Problem)
    if answer.status_code == 404:
        raise NotTraced(problem.detail)
    raise ApiError(problem.detail or problem.title or status_line(answer.status_code))


async def verify(chain: Chain, item: Occurrence, result_hash: bytes) -> None:
    """Check one occurrence: the leaf leads to the root, and the chain recorded that root for this lease and interval.

    Raises TraceRefused when it does not, ApiError when a key, hash or number of it cannot be one.
    """
    try:
        lease, signature = Pubkey.from_string(item.lease), Signature.from_string(item.proof.signature)
        task, root = bytes.fromhex(item.leaf.task_id), bytes.fromhex(item.leaf.root)
        siblings = [bytes.fromhex(text) for text in item.leaf.path]
        hashed = merkle.leaf(bytes(lease), item.interval, item.leaf.index, task, result_hash)
        leads_to_root = merkle.verify(hashed, item.leaf.index, item.leaf.count, siblings, root)
    except (ValueError, merkle.MerkleError) as error:
        raise ApiError(f"malformed answer ({error})") from None
    if not leads_to_root:
        raise TraceRefused(f"the Merkle path of lease {lease}, interval {item.interval} does not lead to its root")
    answer = await chain.rpc.transaction(signature)
    if answer is None:
        raise TraceRefused(f"the chain has no transaction {signature}")
    place = (item.proof.outer_ix, item.proof.inner_ix)
    expected = (lease, item.interval, root, item.node)
    for record in events_in_transaction(chain.program.codec, answer):
        event = record.event
        if (record.outer_index, record.inner_index) != place or not isinstance(event, ProofAppended):
            continue
        if (event.lease, event.interval, event.root, str(event.node)) == expected:
            return
    raise TraceRefused(f"transaction {signature} does not record this root")
