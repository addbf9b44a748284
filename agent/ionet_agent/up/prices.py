"""What a processor-hour of a model costs elsewhere, to propose a price: the index, else offers, else the chain's."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from ionet.chain import Chain
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel
from ionet.offers import Missing, asking, get
from ionet.trace import ApiError
from msgspec import Meta

Amount = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Price(NamedTuple):
    """Micro-dollars per processor-hour, and where the number is from."""

    micro: int
    source: str


class _Index(msgspec.Struct):
    value: Amount


class _IndexPage(msgspec.Struct):
    index: _Index


class _Offer(msgspec.Struct):
    median_price: Amount | None
    processors_rentable: Annotated[int, Meta(ge=0, lt=2**53)]


class _Offers(msgspec.Struct):
    items: list[_Offer]


async def proposed(chain: Chain, indexer: str, code: int) -> Price | None:
    """None where nobody knows one. An indexer is asked, not trusted: its number is shown before it is used."""
    try:
        found = await _asked(indexer, code)
    except ApiError:
        found = None
    if found is not None:
        return found
    model = await chain.find(DeviceModel, pdas.model(chain.program.id, code))
    if model is not None and model.reference_price:
        return Price(model.reference_price, "the chain's reference price")
    return None


async def _asked(indexer: str, code: int) -> Price | None:
    async with asking(indexer) as http:
        try:
            page = await get(http, f"/v1/index/{code}", _IndexPage, {})
            if page.index.value:
                return Price(page.index.value, "the index of the last seven days")
        except Missing:
            pass  # fewer than ten owners make no index
        offers = (await get(http, "/v1/offers", _Offers, {"model": str(code), "limit": "200"})).items
    priced = sorted((each.median_price, each.processors_rentable) for each in offers if each.median_price)
    half, upto = sum(count for _, count in priced), 0
    for price, count in priced:
        upto += count
        if 2 * upto >= half:
            return Price(price, "the median of what others ask now")
    return None
