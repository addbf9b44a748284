"""The network, its roles and parameters, and its device models."""

from __future__ import annotations

from typing import Any, ClassVar

from ionet.generated import events
from ionet.generated.enums import DeviceKind, DevicePool, NetworkRole, Profile
from ionet.words import word, words
from solders.pubkey import Pubkey

from ionet_indexer.core.answers import Amount, answer_of
from ionet_indexer.core.decode import Event
from ionet_indexer.core.keys import readable, role_value
from ionet_indexer.core.lists import Listing, Order, choice, facts
from ionet_indexer.core.rows import Fact, State
from ionet_indexer.core.view import View

# -- rows


class Network(State, kw_only=True):
    """The network's roles and rules. `params` are null until they were first changed."""

    table: ClassVar[str] = "networks"
    key: ClassVar[str] = "network"
    entity: ClassVar[str] = "network"

    network: str
    position: int
    seq: int
    authority: str
    pauser: str
    arbiter: str
    io_mint: str
    iosd_mint: str
    usdc_mint: str
    feed_id: str
    io_genesis: int
    profile: str
    pause_bits: int = 0
    params: dict[str, Any] | None = None
    pending_params: dict[str, Any] | None = None
    pending_params_at: int | None = None
    pending_role: str | None = None
    pending_role_value: str | None = None
    pending_role_at: int | None = None
    genesis_owner: str | None = None


class Model(State, kw_only=True):
    """A kind of processor. `multiplier` is × 100, `reference_price` micro-dollars per processor-hour (0: not set). What
    is pending may be applied at `pending_at`; a new authority starts with nothing pending.
    """

    table: ClassVar[str] = "models"
    key: ClassVar[str] = "model"
    entity: ClassVar[str] = "model"

    model: str
    position: int
    seq: int
    code: int
    name: str
    kind: str
    pool: str
    multiplier: int
    throughput: Amount
    reference_price: Amount
    enabled: bool = True
    pending_at: int | None = None
    pending_position: int | None = None
    pending_pool: str | None = None
    pending_multiplier: int | None = None
    pending_throughput: Amount | None = None
    pending_reference_price: Amount | None = None


class NetworkChange(Fact, kw_only=True):
    """A proposal or change of parameters, a role or a device model, a device model switched, a pause.

    `subject` is the role, the device model or the network; a proposal may be applied at `effective_at`. `params` are
    the network's, or the terms of a device model.
    """

    table: ClassVar[str] = "network_changes"

    position: int
    kind: str
    at: int
    subject: str
    before: str | None = None
    after: str | None = None
    effective_at: int | None = None
    params: dict[str, Any] | None = None


# -- folds

AUTHORITY = word(NetworkRole, NetworkRole.AUTHORITY)
_HOLDERS = {AUTHORITY: "authority", "pauser": "pauser", "arbiter": "arbiter", "feed": "feed_id"}
_NOBODY = str(Pubkey.default())
_ENABLED = {True: "enabled", False: "disabled"}


def _initialized(view: View, event: Event, e: events.NetworkInitialized) -> None:
    view.put(
        Network(
            network=str(e.network),
            position=event.position,
            seq=e.seq,
            authority=str(e.authority),
            pauser=str(e.pauser),
            arbiter=str(e.arbiter),
            io_mint=str(e.io_mint),
            iosd_mint=str(e.iosd_mint),
            usdc_mint=str(e.usdc_mint),
            feed_id=e.feed_id.hex(),
            io_genesis=e.genesis_amount,
            profile=word(Profile, e.profile),
            genesis_owner=str(e.genesis_owner),
        )
    )


def _network_at(view: View, event: Event, key: str, seq: int) -> Network:
    row = view.get(Network, key)
    row.position, row.seq = event.position, seq
    return row


def _note(view: View, event: Event, kind: str, at: int, subject: str, **columns: Any) -> None:
    view.facts.append(NetworkChange(position=event.position, kind=kind, at=at, subject=subject, **columns))


def _pause_changed(view: View, event: Event, e: events.PauseChanged) -> None:
    row = _network_at(view, event, str(e.network), e.seq)
    row.pause_bits = e.after
    _note(view, event, "paused", e.at, row.network, before=str(e.before), after=str(e.after))


def _params_proposed(view: View, event: Event, e: events.ParamsProposed) -> None:
    row = _network_at(view, event, str(e.network), e.seq)
    row.pending_params, row.pending_params_at = view.params(e.params), e.effective_at
    proposed = row.pending_params
    _note(view, event, "params-proposed", e.at, row.network, effective_at=e.effective_at, params=proposed)


def _params_changed(view: View, event: Event, e: events.ParamsChanged) -> None:
    row = _network_at(view, event, str(e.network), e.seq)
    row.params = view.params(e.params)
    row.pending_params = row.pending_params_at = None
    _note(view, event, "params-changed", e.at, row.network, params=row.params)


def _role_proposed(view: View, event: Event, e: events.RoleProposed) -> None:
    row = _network_at(view, event, str(e.network), e.seq)
    role, value = word(NetworkRole, e.role), role_value(e.role, e.value)
    row.pending_role, row.pending_role_value, row.pending_role_at = role, value, e.effective_at
    _note(view, event, "role-proposed", e.at, role, after=value, effective_at=e.effective_at)


def _role_changed(view: View, event: Event, e: events.RoleChanged) -> None:
    row = _network_at(view, event, str(e.network), e.seq)
    role, value = word(NetworkRole, e.role), role_value(e.role, e.after)
    setattr(row, _HOLDERS[role], value or _NOBODY)
    row.pending_role = row.pending_role_value = row.pending_role_at = None
    if role == AUTHORITY:  # a new one starts with nothing pending
        row.pending_params = row.pending_params_at = None
    _note(view, event, "role-changed", e.at, role, before=role_value(e.role, e.before), after=value)


def _model_registered(view: View, event: Event, e: events.ModelRegistered) -> None:
    view.put(
        Model(
            model=str(e.model),
            position=event.position,
            seq=e.seq,
            code=e.code,
            name=readable(e.name),
            kind=word(DeviceKind, e.kind),
            pool=word(DevicePool, e.pool),
            multiplier=e.multiplier,
            throughput=e.throughput,
            reference_price=e.reference_price,
        )
    )


def _model_at(view: View, event: Event, e: events.ModelEnabled | events.ModelProposed | events.ModelChanged) -> Model:
    row = view.get(Model, str(e.model))
    row.position, row.seq = event.position, e.seq
    return row


def _model_enabled(view: View, event: Event, e: events.ModelEnabled) -> None:
    row = _model_at(view, event, e)
    before, after = (_ENABLED[value] for value in (row.enabled, e.enabled))
    row.enabled = e.enabled
    _note(view, event, "model-switched", e.at, row.model, before=before, after=after)


def _model_proposed(view: View, event: Event, e: events.ModelProposed) -> None:
    row = _model_at(view, event, e)
    row.pending_at, row.pending_position = e.effective_at, event.position
    row.pending_pool, row.pending_multiplier = word(DevicePool, e.pool), e.multiplier
    row.pending_throughput, row.pending_reference_price = e.throughput, e.reference_price
    _note(view, event, "model-proposed", e.at, row.model, effective_at=e.effective_at, params=_terms(e))


def _model_changed(view: View, event: Event, e: events.ModelChanged) -> None:
    row = _model_at(view, event, e)
    row.pool, row.multiplier = word(DevicePool, e.pool), e.multiplier
    row.throughput, row.reference_price = e.throughput, e.reference_price
    row.pending_at = row.pending_position = row.pending_pool = row.pending_multiplier = None
    row.pending_throughput = row.pending_reference_price = None
    _note(view, event, "model-changed", e.at, row.model, params=_terms(e))


def _terms(e: events.ModelProposed | events.ModelChanged) -> dict[str, Any]:
    """Terms of a device model as JSON: like parameters, with u64 as decimal strings."""
    return {
        "pool": word(DevicePool, e.pool),
        "multiplier": e.multiplier,
        "throughput": str(e.throughput),
        "reference_price": str(e.reference_price),
    }


HANDLERS: dict[str, Any] = {
    "NetworkInitialized": _initialized,
    "PauseChanged": _pause_changed,
    "ParamsProposed": _params_proposed,
    "ParamsChanged": _params_changed,
    "RoleProposed": _role_proposed,
    "RoleChanged": _role_changed,
    "ModelRegistered": _model_registered,
    "ModelEnabled": _model_enabled,
    "ModelProposed": _model_proposed,
    "ModelChanged": _model_changed,
}


# -- lists

_STILL_PENDING = f"""(NOT EXISTS (SELECT FROM network_changes c WHERE c.kind = 'role-changed'
    AND c.subject = '{AUTHORITY}' AND c.position > t.pending_position))"""
_PENDING = ("pending_at", "pending_pool", "pending_multiplier", "pending_throughput", "pending_reference_price")
MODELS = Listing(
    name="models",
    docs="Kinds of processors, by code.",
    item="One kind of processor, by its code or name or by the address of its account.",
    named="t.model = $1 OR t.code::text = $1 OR lower(t.name) = lower($1) ORDER BY t.code LIMIT 1",
    out=answer_of(Model, without=("seq", "pending_position"), more={"nodes": int}),
    source="models t",
    order=(Order("code", "t.code", "bigint"),),
    key="t.model",
    narrowed={"kind": choice("t.kind", *words(DeviceKind)), "pool": choice("t.pool", *words(DevicePool))},
    computed={
        "nodes": """coalesce((SELECT n.value FROM totals n
            WHERE n.name = 'nodes_of_model' AND n.key = t.code::text), 0)::bigint""",
        **{name: f"CASE WHEN {_STILL_PENDING} THEN t.{name} END" for name in _PENDING},
    },
)
_KINDS = (
    *("params-proposed", "params-changed", "role-proposed", "role-changed"),
    *("model-switched", "model-proposed", "model-changed", "paused"),
)
NETWORK_CHANGES = facts(
    NetworkChange,
    "Proposals and changes of parameters, roles and device models, and pauses, newest first.",
    {"kind": choice("t.kind", *_KINDS, description="What happened.")},
)
