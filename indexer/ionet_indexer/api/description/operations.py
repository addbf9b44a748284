"""What the operations have in common: topics, problems, headers; and what two of them have alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ionet import advert
from ionet.leaves import LEAF_LEN, MAX_LEAVES, MEDIA_TYPE

from ionet_indexer.api import problems
from ionet_indexer.api.description.forms import FORMS
from ionet_indexer.api.files import CsvFile, ParquetFile
from ionet_indexer.api.limits import BURST, RATE
from ionet_indexer.api.stream import STREAM_ID
from ionet_indexer.core.parameters import A_SIGNATURE, AN_ADDRESS

Json = dict[str, Any]

INTRODUCTION = f"""History and state of the ionet network, as its program recorded them.

Every answer is one state of the database: `slot` is the newest confirmed slot in it, `finalized_slot` the newest that
can no longer be undone. Amounts are decimal strings in base units (IO 8 decimals, IOSD and USDC 6), times unix seconds,
keys base58, hashes lower-case hex. A word that a later version of the program added is `unknown-` with a number.

`HEAD` is `GET` without the body. Unknown and repeated parameters are refused. Answers have an `ETag`: with
`If-None-Match` an unchanged one is a 304. All but the stream come as zstd or gzip where `Accept-Encoding` says so.
An address may ask {RATE:.0f} times a second and {BURST} times at once."""
LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
TAGS = {
    "network": "The network, its books, parameters and the price of IO.",
    "nodes": "Machines, what they offer, earn and lose; device models; what can be rented.",
    "leases": "Clusters, leases, proofs, settlements and disputes.",
    "stakes": "Stake, rewards and income of stakers.",
    "money": "IOSD, burned tokens, buybacks and payments that wait for their owners.",
    "statistics": "Series, rankings and the index of each device model.",
    "history": "Search, events, transactions, and whole tables.",
    "results": "From a result to its proof, and back.",
    "operation": "Where to start, and whether the tables follow the chain.",
}
_TOPICS = {
    "network": "network network-changes prices",
    "nodes": "models nodes offers node-terms payout-locks slashes cases adverts",
    "leases": "clusters leases proofs payments approvals disputes defences",
    "stakes": "stakes stake-moves co-stake-terms rewards income income-vaults",
    "money": "mints burns redemptions buybacks owed owed-balances accounts",
    "statistics": "series leaders index",
    "history": "search events stream transactions slots export",
    "results": "trace leaves",
}
_TAG = {path: tag for tag, paths in _TOPICS.items() for path in paths.split()}
_NAMELESS = {"/", "/health", "/v1/stream"}  # no ETag
_MISSING = {"/v1/network", "/v1/series"}  # 404 without a key in the path

IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "`ETag` of the answer that is there already, or several with commas; `*` for any.",
    "schema": {"type": "string"},
    "example": 'W/"0.1.0-397284474880000128-0-12-370000000"',
}
ADVERT: Json = {
    "required": True,
    "description": "What `ionet.advert` makes: the fields of NodeAdvert from `endpoints` to `limits`, `node`,"
    " `seq` and `expires`. The length must be announced.",
    "content": {advert.MEDIA_TYPE: {"schema": {"type": "object"}}},
}
BODY: Json = {
    "required": True,
    "description": f"Task id and sha256 of the result of each leaf, in order: {LEAF_LEN} bytes each. The length must be"
    " announced.",
    "content": {
        MEDIA_TYPE: {"schema": {"type": "string", "format": "binary", "maxLength": MAX_LEAVES * LEAF_LEN}},
    },
}
HEADERS: Json = {
    "ETag": {
        "description": "Names what the answer was read from; `slot` alone does not change it.",
        "schema": {"type": "string"},
    },
    "Cache-Control": {"description": "`public, no-cache`: ask again each time.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer", "minimum": 1}},
    "Allow": {"description": "The methods of the path.", "required": True, "schema": {"type": "string"}},
    "Finalized-Slot": {
        "description": "The file holds what is final up to this slot.",
        "required": True,
        "schema": {"type": "integer", "minimum": -1},
    },
}


def _header(name: str, shared: str = "") -> Json:
    return {name: {"$ref": f"#/components/headers/{shared or name}"}}


_NAMED = _header("ETag") | _header("Cache-Control")
_UNCHANGED: Json = {"description": "What `If-None-Match` names is still the answer; no body.", "headers": _NAMED}
_OF = {429: _header("Retry-After"), 405: _header("Allow")}
RESPONSES: Json = {
    problems.name_of(status): {
        "description": text,
        **({"headers": _OF[status]} if status in _OF else {}),
        "content": {
            problems.MEDIA_TYPE: {
                "schema": {"$ref": f"#/components/schemas/{problems.name_of(status)}"},
                "example": problems.example_of(status),
            }
        },
    }
    for status, (text, *_) in problems.KINDS.items()
} | {"Unchanged": _UNCHANGED}
EXTRA: Json = {
    "Undo": {
        "type": "object",
        "description": "What a message `undo` or `mended` of the stream says.",
        "properties": {
            "slot": {**FORMS["slot"].schema, "type": "integer", "description": "The last slot that still holds."}
        },
        "required": ["slot"],
    }
}
_STREAM: Json = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "description": "One message. A comment comes every 15 seconds without any.",
            "properties": {
                "id": {"type": "string", "pattern": STREAM_ID, "description": "For `Last-Event-ID` or `after`."},
                "event": {
                    "anyOf": [{"$ref": "#/components/schemas/EventName"}, {"enum": ["undo", "mended"]}],
                    "description": "`undo`: forget what came after its slot; it is sent again as it is now. `mended`: "
                    "final events lacked one after its slot; the stream ends, and this message's id reads what came "
                    "after the slot again.",
                },
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {
                        "anyOf": [{"$ref": "#/components/schemas/Event"}, {"$ref": "#/components/schemas/Undo"}]
                    },
                    "description": "An Event or, of `undo` and `mended`, an Undo, as JSON.",
                },
            },
            "required": ["id", "event", "data"],
        },
        "example": f'id: 397284474880000128-0\r\nevent: NodePaused\r\ndata: {{"id":"397284474880000128",'
        f'"slot":370000000,"signature":"{A_SIGNATURE}","outer_ix":0,"inner_ix":0,"block_time":1790000000,'
        f'"name":"NodePaused","data":{{"node":"{AN_ADDRESS}"}}}}\r\n\r\n'
        'id: 397284474880000000-1\r\nevent: undo\r\ndata: {"slot":369999999}\r\n\r\n',
    }
}
_EXPORT: Json = {
    CsvFile.media_type: {
        "schema": {"type": "string", "description": "RFC 4180, with the fields of the list in the first line."},
        "example": "id,slot,signature\r\n",
    },
    ParquetFile.media_type: {
        "schema": {
            "type": "string",
            "contentEncoding": "binary",
            "description": "Apache Parquet, with the same fields.",
        },
    },
}


def tag_of(path: str) -> str:
    """The topic of a path."""
    return _TAG[path.split("/")[2]] if path.startswith("/v1/") else "operation"


def has_name(path: str, method: str) -> bool:
    """Whether its answers have an ETag."""
    return method == "get" and path not in _NAMELESS


def responses(path: str, method: str, raw: Json, example: Callable[[Json], Any]) -> Json:
    """Every status that may come, by number."""
    good = "201" if method == "post" else "200"
    content: Json = raw[good]["content"]
    if path == "/v1/stream":
        content = _STREAM
    elif path.startswith("/v1/export/"):
        content = _EXPORT
    else:
        content = {kind: {**each, "example": example(each["schema"])} for kind, each in content.items()}
    headers = dict(_NAMED) if has_name(path, method) else {}
    if content is _EXPORT:
        headers |= _header("ionet-finalized-slot", "Finalized-Slot")
    answer: Json = {"description": "Stored." if method == "post" else "The answer.", "content": content}
    found: Json = {good: answer | ({"headers": headers} if headers else {})}
    if has_name(path, method):
        found["304"] = {"$ref": "#/components/responses/Unchanged"}
    statuses = {400, 405, 429, 500, 503}
    if re.search(r"\{", path) or path in _MISSING:
        statuses.add(404)
    if method == "post":
        statuses |= {401, 404, 411, 413, 415, 422}
    for status in sorted(statuses):
        found[str(status)] = {"$ref": f"#/components/responses/{problems.name_of(status)}"}
    if path == "/health":
        found["503"] = _ill(content)
    return found


def _ill(content: Json) -> Json:
    """/health answers 503 itself, with the reason."""
    text = "The tables do not follow the chain, or the database is away."
    return {"description": text, "content": {**content, **RESPONSES[problems.name_of(503)]["content"]}}
