"""The owner's signature by a link: a wallet opens it, this machine makes what that signs, the chain says when it has.

The pages that the link leads to only carry: they hold neither key, and what the device signs is made here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import httpx2
import msgspec
from ionet.cli.parsing import pubkey
from ionet.client import Client
from ionet.errors import InvalidInput, IonetError, reason_of
from ionet.patient_http import check_url, is_loopback, status_line, whole_body
from ionet.wallet import Unsigned, Watch

_LOOK_SECS, _ANSWER_SECS, _ANSWER_BYTES = 1.0, 15.0, 64 << 10
_MOST_TEXT = 300


class NoPages(IonetError):
    """the pages that carry the link do not answer as they should"""

    exit_code = 4


class _Owner(msgspec.Struct, frozen=True):
    account: str | None


class Link:
    """One machine's, by the pages at `page`. Raises InvalidInput for what is no URL."""

    def __init__(self, page: str) -> None:
        check_url(page)
        self._page, self._secret = page.rstrip("/"), secrets.token_hex(16)
        self._said = ""

    @property
    def url(self) -> str:
        """For a wallet. Whoever has it may become the owner."""
        return f"{self._page}/actions/enrol?machine={self._secret}"

    @property
    def for_phone(self) -> str:
        """The same as Solana Pay's transaction request."""
        return f"solana:{quote(self.url, safe='')}"

    async def until(
        self,
        done: Callable[[], Awaitable[bool]],
        made: Callable[[Client], Awaitable[Unsigned]],
        client: Client,
        opens: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        """Answer whichever wallet asks, until the chain has it. made: what this wallet is to sign. opens: called once
        the link leads here. Raises InvalidInput where the pages carry none; what else they do, and the chain, is tried
        again, and told once."""
        answer: dict[str, str] | None = None
        is_open = False
        async with httpx2.AsyncClient(timeout=_ANSWER_SECS, trust_env=not is_loopback(self._page)) as http:
            while True:
                try:
                    if await done():
                        return
                    owner = await self._asked(http, answer)
                    if not is_open:
                        opens()
                        is_open = True
                    answer = None if owner is None else await _answer(client, owner, made)
                except InvalidInput:
                    raise
                except IonetError as error:
                    if str(error) != self._said:
                        tell(str(error))
                    self._said = str(error)
                if answer is None:
                    await asyncio.sleep(_LOOK_SECS)

    async def _asked(self, http: httpx2.AsyncClient, answer: dict[str, str] | None) -> str | None:
        """Give the last answer; which wallet asks next."""
        content = msgspec.json.encode({"machine": self._secret, "answer": answer})
        headers = {"content-type": "application/json"}
        try:
            async with (
                asyncio.timeout(_ANSWER_SECS),
                http.stream("POST", f"{self._page}/act/machines", content=content, headers=headers) as response,
            ):
                body = await whole_body(response, _ANSWER_BYTES, NoPages("an answer that has no end"))
        except (httpx2.HTTPError, httpx2.StreamError, OSError, TimeoutError) as error:
            raise NoPages(reason_of(error)) from None
        if response.status_code == 404:
            raise InvalidInput(f"nothing is signed on the pages at {self._page}")
        if not response.is_success:
            raise NoPages(status_line(response.status_code))
        try:
            return msgspec.json.decode(body, type=_Owner).account
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NoPages(str(error)) from None


async def _answer(client: Client, owner: str, made: Callable[[Client], Awaitable[Unsigned]]) -> dict[str, str]:
    """What this wallet is to sign, or why there is nothing for it. The pages may have said anything."""
    try:
        wallet = pubkey(owner)
        unsigned = await made(Client(client.rpc, Watch(wallet)))
    except IonetError as error:
        return {"account": owner, "refused": str(error)[:_MOST_TEXT]}
    return {"account": owner, "transaction": unsigned.transaction}
