"""The forms that values of the API have: a form says what a field may hold, in which unit, with an example."""

from __future__ import annotations

from typing import Any, NamedTuple

from ionet.generated.enums import (
    CaseReason,
    ClusterKind,
    Currency,
    DeviceKind,
    DevicePool,
    EndReason,
    LeaseRole,
    LeaseStatus,
    NetworkRole,
    NodeFlag,
    Profile,
    SlashReason,
)
from ionet.program import PROGRAM
from ionet.words import words

from ionet_indexer.api.leaders import BY, OF, PERIODS
from ionet_indexer.api.series import FIELDS, STEPS
from ionet_indexer.api.stream import names
from ionet_indexer.core.parameters import A_HASH, A_SIGNATURE, ADDRESS, AN_ADDRESS, HASH, SIGNATURE
from ionet_indexer.topics.offers import STATES

MOST = (1 << 53) - 1  # what every reader of JSON holds exactly
DECIMAL = r"^[0-9]{1,39}$"
UNKNOWN = r"^unknown-[0-9]+$"


class Form(NamedTuple):
    """schema: beside the type, which the code tells. unit: a sentence, may be empty."""

    schema: dict[str, Any]
    unit: str
    example: Any


def _amount(unit: str, example: str) -> Form:
    return Form({"pattern": DECIMAL}, unit, example)


def _integer(unit: str, example: int, least: int = 0, most: int = MOST) -> Form:
    return Form({"minimum": least, "maximum": most}, unit, example)


FORMS = {
    "address": Form({"pattern": ADDRESS}, "An address, base58.", AN_ADDRESS),
    "signature": Form({"pattern": SIGNATURE}, "Signature of a transaction, base58.", A_SIGNATURE),
    "hash": Form({"pattern": HASH}, "64 hex digits.", A_HASH),
    "text": Form({}, "", None),
    "name": Form({}, "", "H100"),
    "letters": Form({}, "Two letters of ISO 3166-1.", "DE"),
    "path": Form({}, "A path of this API.", "/v1/nodes"),
    "cursor": Form({}, "The `cursor` of the next page; null at the end.", "WyJwcm9vZnMiLCIzOTcyODQ0NzQ4ODAwMDAxMjgiXQ"),
    "id": Form({"pattern": r"^[0-9]{1,19}$"}, "An event's place in the chain, a decimal string.", "397284474880000128"),
    "u64": Form({"pattern": r"^[0-9]{1,20}$"}, "A decimal string.", "7"),
    "time": _integer("Unix seconds.", 1_790_000_000),
    "anytime": Form({"pattern": r"^-?[0-9]{1,19}$"}, "Unix seconds, a decimal string.", "1790086400"),
    "secs": _integer("Seconds.", 3_600),
    "seconds": _amount("Seconds, a decimal string.", "3600"),
    "work": _amount("Processor-seconds.", "7200"),
    "count": _integer("", 3),
    "slot": _integer("", 370_000_000, least=-1),
    "interval": _integer("Number of an interval, from 0.", 4, most=(1 << 32) - 1),
    "day": _integer("Days since 1970.", 20_717),
    "bps": _integer("Basis points, of 10,000.", 500, most=10_000),
    "percent": _integer("Per cent.", 128),
    "share": _integer("Of `one`.", 840_000_000),
    "model": _integer("Code of a device model.", 3, most=(1 << 16) - 1),
    "country": _integer("ISO 3166-1 number.", 276, most=(1 << 16) - 1),
    "tier": _integer("Tier, 0 to 4.", 0, most=255),
    "flag": Form({}, "", True),
    "io": _amount("Base units of IO, 8 decimals.", "2500000000"),
    "iosd": _amount("Base units of IOSD, 6 decimals: micro-dollars.", "1250000"),
    "usdc": _amount("Base units of USDC, 6 decimals: micro-dollars.", "1250000"),
    "money": _amount("Base units of `currency`: IO 8 decimals, IOSD and USDC 6.", "1250000"),
    "token": _amount("Base units of the mint's token.", "1250000"),
    "dollars": _amount("Micro-dollars.", "1250000"),
    "price": _amount("Micro-dollars per processor-hour.", "500000"),
    "locked": _amount("Units of `currency` per processor-hour; of dollars micro-dollars.", "500000"),
    "ioprice": _amount("Micro-dollars per IO.", "3150000"),
    "shares": _amount("Shares.", "2500000000"),
    "decimal": _amount("A decimal string.", "1048576"),
    "object": Form({}, "", None),
    "list": Form({}, "", None),
}


class Words(NamedTuple):
    """Words of a field. extended: a later version of the program may have others, which are shown as `unknown-<n>`."""

    known: tuple[str, ...]
    text: str
    extended: bool = False


def _of(kind: Any, text: str, *more: str, extended: bool = True) -> Words:
    return Words((*words(kind), *more), text, extended)


WORDS = {
    "Currency": _of(Currency, "What is paid with.", extended=False),
    "LeaseStatus": _of(LeaseStatus, "Phase of a lease.", "closed", extended=False),
    "EndReason": _of(EndReason, "Why a lease ended or was cancelled."),
    "LeaseRole": _of(LeaseRole, "What a lease's node does in its cluster."),
    "ClusterKind": _of(ClusterKind, "What runs on a cluster's nodes."),
    "NodeFlag": _of(NodeFlag, "What keeps a node from being booked.", extended=False),
    "SlashReason": _of(SlashReason, "Why stake was slashed."),
    "CaseReason": _of(CaseReason, "What an arbiter accuses a node of."),
    "NetworkRole": _of(NetworkRole, "A role that can be handed over."),
    "Profile": _of(Profile, "Which parameters the network started with."),
    "DeviceKind": _of(DeviceKind, "Kind of a processor."),
    "DevicePool": _of(DevicePool, "Pool of a device model."),
    "ClusterStatus": Words(("open", "closed"), "Whether a cluster is open."),
    "CaseStatus": Words(("open", "appealed", "decided", "dismissed"), "What came of a case."),
    "DisputeOutcome": Words(("open", "defended", "undefended"), "What came of a dispute."),
    "Challenge": Words(
        ("approved", "disputed", "defended", "undefended", "unchallenged"), "What came of an interval's challenge."
    ),
    "TraceDispute": Words(("open", "defended", "undefended", "unchallenged"), "What came of a dispute."),
    "IncomeKind": Words(("shared", "claimed"), "What happened to income."),
    "VaultKind": Words(("opened", "closed"), "What happened to a vault."),
    "LockKind": Words(("locked", "released"), "What happened to a payout."),
    "PriceKind": Words(("mint", "redeem", "refresh", "buyback"), "What used a price."),
    "OwedKind": Words(("owed", "claimed"), "Whether it came in or was claimed."),
    "OwedReason": Words(("payment", "refund", "stake", "rewards", "income", "fees"), "What was owed."),
    "RewardKind": Words(("added", "claimed"), "What happened to rewards."),
    "StakeMoveKind": Words(("stake", "refill", "unbond", "withdraw"), "What happened to stake."),
    "TermsKind": Words(("registered", "updated", "key-rotated"), "What changed a node's terms."),
    "NetworkChangeKind": Words(
        (
            *("params-proposed", "params-changed", "role-proposed", "role-changed"),
            *("model-switched", "model-proposed", "model-changed", "paused"),
        ),
        "What happened to the network.",
    ),
    "AccountRole": Words(
        (
            *("owner", "renter", "staker", "payout", "device-key", "session-key"),
            *("authority", "pauser", "arbiter"),
        ),
        "What a wallet is to the network.",
    ),
    "FoundKind": Words(
        (
            *("node", "lease", "cluster", "case", "model", "position", "wallet", "device-key", "session-key", "mint"),
            *("income-vault", "network", "program", "transaction", "proof", "result", "task", "evidence", "appeal"),
            *("report", "slot", "iosd", "reporter", "config", "feed"),
        ),
        "What was found.",
    ),
    "RecordWhy": Words(("interval", "rejected", "promise", "left"), "What a record of a reputation counts."),
    "HealthStatus": Words(("ok", "degraded", "starting"), "Whether the tables follow the chain."),
    "WhyNot": Words(STATES, "What keeps a node from being hired."),
    "EventName": Words(names(PROGRAM.codec), "Name of an event of the program."),
    "SeriesField": Words(tuple(FIELDS), "What a series tells."),
    "SeriesStep": Words(tuple(STEPS), "Length of a bucket."),
    "LeadersBy": Words(tuple(BY), "What is ranked."),
    "LeadersOf": Words(OF, "Who is ranked."),
    "LeadersSince": Words(PERIODS, "The period of a ranking."),
}
