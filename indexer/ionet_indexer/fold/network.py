"""Folds of the network, its device models and the IOSD books."""

from __future__ import annotations

from typing import Any

from ionet import types as t

from ionet_indexer.decode import Event
from ionet_indexer.fold.names import DEVICE_KINDS, POOLS, PROFILES, word
from ionet_indexer.fold.view import View
from ionet_indexer.tables import Burn, Iosd, Mint, Model, Network


def _initialized(view: View, event: Event, e: t.NetworkInitialized) -> None:
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
            profile=word(PROFILES, e.profile),
        )
    )


def _pause_changed(view: View, event: Event, e: t.PauseChanged) -> None:
    row = view.get(Network, str(e.network))
    row.position, row.seq, row.pause_bits = event.position, e.seq, e.after


def _model_registered(view: View, event: Event, e: t.ModelRegistered) -> None:
    view.put(
        Model(
            model=str(e.model),
            position=event.position,
            seq=e.seq,
            code=e.code,
            name=e.name.rstrip(b"\0").decode(errors="replace"),
            kind=word(DEVICE_KINDS, e.kind),
            pool=word(POOLS, e.pool),
            multiplier=e.multiplier,
            throughput=e.throughput,
        )
    )


def _books(view: View, event: Event, key: str, seq: int) -> Iosd:
    row = view.find(Iosd, key)
    if row is None:
        row = Iosd(iosd=key, position=event.position, seq=seq)
        view.put(row)
    row.position, row.seq = event.position, seq
    return row


def _minted(view: View, event: Event, e: t.IosdMinted) -> None:
    row = _books(view, event, str(e.iosd), e.seq)
    row.minted, row.io_burned = e.minted_after, e.io_burned_after
    row.last_price, row.last_publish_time = e.price, e.publish_time
    view.facts.append(
        Mint(
            position=event.position,
            at=e.at,
            wallet=str(e.wallet),
            io_burned=e.io_burned,
            iosd_minted=e.iosd_minted,
            price=e.price,
            publish_time=e.publish_time,
        )
    )


def _burned(view: View, event: Event, e: t.TokensBurned) -> None:
    row = _books(view, event, str(e.iosd), e.seq)
    row.burned = {**row.burned, str(e.mint): e.burned_after}
    view.facts.append(
        Burn(position=event.position, at=e.at, mint=str(e.mint), amount=e.amount, burned_after=e.burned_after)
    )


HANDLERS: dict[str, Any] = {
    "NetworkInitialized": _initialized,
    "PauseChanged": _pause_changed,
    "ModelRegistered": _model_registered,
    "IosdMinted": _minted,
    "TokensBurned": _burned,
}
