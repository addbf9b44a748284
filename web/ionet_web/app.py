"""The pages as one ASGI application. It holds no key and writes nothing; all it knows it asks of an indexer."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ionet.buckets import Buckets, whose
from litestar import Litestar, Request, Response, get
from litestar.config.compression import CompressionConfig
from litestar.datastructures import MutableScopeHeaders
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException, TooManyRequestsException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, ServerSentEvent, Template
from litestar.static_files import create_static_files_router
from litestar.template.config import TemplateConfig
from litestar.types import Message, Scope
from markupsafe import Markup

from ionet_web.acting import Acting, action, action_rules, address_of, machine, plan, transaction
from ionet_web.answers import AsksTooMuch
from ionet_web.blocks import Note, Page
from ionet_web.csv_of import as_csv, csv_of
from ionet_web.indexer import Indexer, Refused, Unavailable
from ionet_web.lists import LISTS, Listed
from ionet_web.live import Live
from ionet_web.pages.chain import slot_page, transaction_page
from ionet_web.pages.cluster import cluster_page
from ionet_web.pages.finding import search_page, trace_page
from ionet_web.pages.lease import lease_page
from ionet_web.pages.listing import list_page, tables_page
from ionet_web.pages.money import iosd_page
from ionet_web.pages.network import network_page
from ionet_web.pages.node import node_page
from ionet_web.pages.people import account_page, case_page, model_page
from ionet_web.pages.people import stake_page as position_page
from ionet_web.pages.rent import rent_page, rent_rows
from ionet_web.pages.rules import rules_page
from ionet_web.pages.signing import act_page, acts_page
from ionet_web.pages.stake import stake_page
from ionet_web.pages.supply import supply_page

log = logging.getLogger(__name__)
_HERE = Path(__file__).parent
RATE, BURST = 10.0, 80
"""Requests a second and address, and at once: a page that waits for the indexer asks 2.5 times a second, and several
may be open. What they ask of the indexer has a limit of its own (`indexer.RATE`)."""
MENU = (
    ("/", "Network"),
    ("/rent", "Rent"),
    ("/nodes", "Nodes"),
    ("/supply", "Supply"),
    ("/clusters", "Clusters"),
    ("/leases", "Leases"),
    ("/stake", "Stake"),
    ("/iosd", "IOSD and IO"),
    ("/trace", "Trace"),
    ("/tables", "Tables"),
    ("/rules", "Rules"),
    ("/act", "Wallet"),
)
HEADERS = {
    # Nothing from another host, no script and no style but our own files, no frame around the page.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_ENTITIES = {
    "/nodes/{key:str}": node_page,
    "/clusters/{key:str}": cluster_page,
    "/cases/{key:str}": case_page,
    "/stakes/{key:str}": position_page,
    "/models/{key:str}": model_page,
    "/accounts/{key:str}": account_page,
    "/transactions/{key:str}": transaction_page,
}


def create_app(indexer: Indexer, api: str, actions: Acting, *, rate: float = RATE, burst: int = BURST) -> Litestar:
    """The application. api: where readers reach the indexer's API, for links to the numbers. actions: what
    builds transactions for wallets.

    rate, burst: requests per second and address, and at once.
    """
    live, buckets = Live(indexer), Buckets(rate, burst)

    def asked(request: Request[Any, Any, Any]) -> Indexer:
        return indexer.of(address_of(request))

    def limit(request: Request[Any, Any, Any]) -> None:
        wait = buckets.take(whose(address_of(request)))
        if wait:
            raise TooManyRequestsException("too many requests from this address", headers=_later(wait))

    @asynccontextmanager
    async def follow(_: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(live.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    engine = JinjaTemplateEngine(_HERE / "templates")
    engine.engine.globals.update(menu=MENU, api=api.rstrip("/"))
    engine.engine.trim_blocks = engine.engine.lstrip_blocks = True
    return Litestar(
        route_handlers=[
            *map(_list_handler, LISTS.values()),
            *(_entity_handler(path, page) for path, page in _ENTITIES.items()),
            *(
                home,
                rent,
                lease,
                slot,
                supply,
                stake,
                iosd,
                rules,
                tables,
                search,
                trace,
                trace_of,
                csv,
                rent_csv,
                events_live,
            ),
            *(acts, one_act, seen, plan, transaction, machine, action, action_rules),
            create_static_files_router(path="/static", directories=[_HERE / "static"]),
        ],
        dependencies={
            "indexer": Provide(asked, sync_to_thread=False),
            "live": Provide(lambda: live, sync_to_thread=False),
            "acting": Provide(lambda: actions, sync_to_thread=False),
        },
        lifespan=[follow],
        template_config=TemplateConfig(instance=engine),
        compression_config=CompressionConfig(backend="gzip", exclude="/live"),
        exception_handlers={
            Refused: lambda _, error: _failed(error.detail or str(error), error.status),
            Unavailable: lambda _, error: _failed(str(error), 503),
            AsksTooMuch: lambda _, error: _failed(str(error), 429, _later(error.secs)),
            HTTPException: lambda _, error: _failed(error.detail, error.status_code, error.headers),
            Exception: _unforeseen,
        },
        before_request=limit,
        before_send=[_guard],
        openapi_config=None,
        logging_config=None,
    )


async def _guard(message: Message, _: Scope) -> None:
    """Every answer, also of what went wrong, tells the browser what the page may do."""
    if message["type"] == "http.response.start":
        MutableScopeHeaders(message).update(HEADERS)


def shown(page: Page, status: int = 200, headers: dict[str, str] | None = None) -> Template:
    """A page as HTML."""
    context = {"page": page}
    return Template("page.html", context=context, status_code=status, media_type="text/html", headers=headers)


def _unforeseen(_: Request[Any, Any, Any], error: Exception) -> Template:
    """A page says nothing of what went wrong within it: an indexer that answers nonsense is what there mostly is."""
    log.error("a page could not be made", exc_info=error)
    return _failed("the indexer's answer could not be shown", 502)


def _later(secs: float) -> dict[str, str]:
    return {"retry-after": str(math.ceil(secs))}


def _failed(words: str, status: int, headers: dict[str, str] | None = None) -> Template:
    title = "Not found" if status == 404 else HTTPStatus(status).phrase
    return shown(Page(title, [Note(Markup("{}").format(words))]), status, headers)


def _list_handler(listed: Listed) -> HTTPRouteHandler:
    @get(f"/{listed.name}", name=listed.name)
    async def handler(indexer: NamedDependency[Indexer], request: Request[Any, Any, Any]) -> Template:
        return shown(await list_page(indexer, listed, dict(request.query_params)))

    return handler


def _entity_handler(path: str, page: Any) -> HTTPRouteHandler:
    @get(path, name=path)
    async def handler(indexer: NamedDependency[Indexer], key: FromPath[str]) -> Template:
        return shown(await page(indexer, key))

    return handler


@get("/")
async def home(indexer: NamedDependency[Indexer]) -> Template:
    return shown(await network_page(indexer))


@get("/leases/{key:str}")
async def lease(indexer: NamedDependency[Indexer], key: FromPath[str], cursor: FromQuery[str] = "") -> Template:
    return shown(await lease_page(indexer, key, cursor))


@get("/slots/{key:str}")
async def slot(indexer: NamedDependency[Indexer], key: FromPath[str], cursor: FromQuery[str] = "") -> Template:
    return shown(await slot_page(indexer, key, cursor))


@get("/rent")
async def rent(indexer: NamedDependency[Indexer], request: Request[Any, Any, Any]) -> Template:
    return shown(await rent_page(indexer, dict(request.query_params)))


@get("/supply")
async def supply(indexer: NamedDependency[Indexer], owner: FromQuery[str] = "") -> Template:
    return shown(await supply_page(indexer, owner.strip()))


@get("/stake")
async def stake(indexer: NamedDependency[Indexer], wallet: FromQuery[str] = "") -> Template:
    return shown(await stake_page(indexer, wallet.strip()))


@get("/iosd")
async def iosd(indexer: NamedDependency[Indexer]) -> Template:
    return shown(await iosd_page(indexer))


@get("/rules")
async def rules(indexer: NamedDependency[Indexer]) -> Template:
    return shown(await rules_page(indexer))


@get("/tables")
async def tables() -> Template:
    return shown(tables_page())


@get("/search")
async def search(indexer: NamedDependency[Indexer], q: FromQuery[str] = "") -> Template:
    return shown(await search_page(indexer, q))


@get("/trace")
async def trace(indexer: NamedDependency[Indexer], hash: FromQuery[str] = "") -> Template | Redirect:
    """A form, whose answer has an address of its own."""
    text = hash.strip().lower()
    return Redirect(f"/trace/{text}") if text.isalnum() else shown(await trace_page(indexer, ""))


@get("/trace/{key:str}")
async def trace_of(indexer: NamedDependency[Indexer], key: FromPath[str], cursor: FromQuery[str] = "") -> Template:
    page = await trace_page(indexer, key, cursor)
    return shown(page, 200 if page.slot is not None else 404)


@get("/act")
async def acts(acting: NamedDependency[Acting]) -> Template:
    return shown(acts_page(is_there=acting.is_there))


@get("/act/{kind:str}")
async def one_act(acting: NamedDependency[Acting], request: Request[Any, Any, Any], kind: FromPath[str]) -> Template:
    origin = str(request.base_url).rstrip("/")
    return shown(act_page(kind, dict(request.query_params), origin, is_there=acting.is_there))


@get("/act/seen/{slot:int}")
async def seen(indexer: NamedDependency[Indexer], slot: FromPath[int]) -> dict[str, int | None]:
    """How many slots the pages are behind one: 0 where they show what happened in it, null where nobody knows, for
    their indexer does not answer."""
    try:
        return {"behind": max(0, slot - int((await indexer.get("network"))["slot"]))}
    except Unavailable:
        return {"behind": None}


@get("/csv/{path:path}", media_type="text/csv")
async def csv(indexer: NamedDependency[Indexer], path: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
    """Rows of a list as a file."""
    text = await csv_of(indexer, path, dict(request.query_params))
    return _file(text, "-".join(path.strip("/").split("/")))


@get("/rent.csv", media_type="text/csv")
async def rent_csv(indexer: NamedDependency[Indexer], request: Request[Any, Any, Any]) -> Response[str]:
    """All nodes that a wish leaves, as a file."""
    return _file(as_csv(await rent_rows(indexer, dict(request.query_params))), "rent")


def _file(text: str, name: str) -> Response[str]:
    return Response(text, headers={"content-disposition": f'attachment; filename="{quote(name, safe="")}.csv"'})


@get("/live")
async def events_live(live: NamedDependency[Live], request: Request[Any, Any, Any]) -> ServerSentEvent | Response[str]:
    """Rows of events as they come."""
    address = address_of(request)
    if live.is_full(address):
        return Response("too many readers", status_code=503, headers={"retry-after": "30"})
    return ServerSentEvent(live.rows(address))
