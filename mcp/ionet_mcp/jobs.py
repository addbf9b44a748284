"""Commands on what was booked. A job goes on between two calls; what it printed can be asked for again."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ionet.errors import InvalidInput
from ionet.renting import rental
from ionet.renting.bundle import Job, Output, job
from solders.pubkey import Pubkey

from ionet_mcp import answers
from ionet_mcp.desk import Desk
from ionet_mcp.watch import NotOurs

MOST_LETTERS = 32 * 1024
_NAME = re.compile(r"\d{13}-[0-9a-f]{6}")


async def run(desk: Desk, key: Pubkey, command: str, files: Mapping[str, str], secs: float) -> answers.Ran:
    """Begin a shell's command beside the head of a cluster, and wait for it a while. files: texts by path.

    Costs nothing beyond the booking. Raises NotOurs, NoHead while it does not run, and InvalidInput for files.
    """
    _require_ours(desk, key)
    sent = await asyncio.to_thread(_packed, command, files)
    async with rental.head_of(desk.client, desk.keypair, key, desk.api) as agent:
        await rental.run_job(agent, sent, lambda _: None)
    return await output(desk, key, sent.name, secs)


async def output(desk: Desk, key: Pubkey, name: str, secs: float) -> answers.Ran:
    """What a job has printed, the end of it where it is long, after waiting a while for its end."""
    _require_ours(desk, key)
    if not _NAME.fullmatch(name):
        raise InvalidInput("this is no job's name; `run` answers with one")
    shown, printed, code = Output(), _End(), None
    try:
        async with rental.head_of(desk.client, desk.keypair, key, desk.api) as agent, asyncio.timeout(secs):
            code = await rental.follow_job(agent, name, lambda text: printed.add(shown.feed(text)), wait=True)
    except TimeoutError:
        pass
    printed.add(shown.end())
    return answers.Ran(str(key), name, code, printed.text, printed.left_out)


def _packed(command: str, files: Mapping[str, str]) -> Job:
    with tempfile.TemporaryDirectory(prefix="ionet-mcp-") as folder:
        mounts = {}
        for number, (name, text) in enumerate(files.items()):
            path = Path(folder, str(number))
            path.write_text(text)
            mounts[name] = str(path)
        return job([command], None, mounts, {}, [], wait=False)


class _End:
    """The last letters of a text, and how many there were before them."""

    def __init__(self) -> None:
        self.text, self.left_out = "", 0

    def add(self, text: str) -> None:
        whole = self.text + text
        self.text = whole[-MOST_LETTERS:]
        self.left_out += len(whole) - len(self.text)


def _require_ours(desk: Desk, key: Pubkey) -> None:
    if desk.ledger.find(str(key)) is None:
        raise NotOurs
