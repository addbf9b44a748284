"""The launcher that runs what is rented on the pages."""

from __future__ import annotations

from ionet.errors import IonetError
from ionet.launcher_advert import free_key
from ionet.launcher_api import LauncherClient
from solders.pubkey import Pubkey


class NoLauncher(IonetError):
    """no launcher runs clusters for these pages"""


class LauncherDesk:
    """Asks a launcher's API, each time: it may be another one after a restart. url: empty for none."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def session_key(self) -> Pubkey:
        """Raises NoLauncher, BadLauncher, LauncherError."""
        if not self._url:
            raise NoLauncher
        async with LauncherClient(self._url) as launcher:
            return await free_key(launcher)
