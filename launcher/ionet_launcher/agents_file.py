"""Where the agents are: a JSON object in a file, node address → URL, read again whenever it changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from ionet.agent_api import agent_url
from ionet.errors import ConfigError, InvalidInput
from solders.pubkey import Pubkey

_log = logging.getLogger(__name__)


class AgentsFile(Mapping[Pubkey, str]):
    """Node → URL. Raises ConfigError when the file is wrong at the start; later the last good content is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._urls = read_agents(path)

    def __getitem__(self, node: Pubkey) -> str:
        return self._now()[node]

    def __iter__(self) -> Iterator[Pubkey]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def _now(self) -> dict[Pubkey, str]:
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._urls = read_agents(self._path)
            except ConfigError as error:
                _log.warning("kept the agents known before: %s", error, extra={"action": "agents_kept"})
        return self._urls


def read_agents(path: Path) -> dict[Pubkey, str]:
    """The content of the file. Raises ConfigError."""
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        agents = {Pubkey.from_string(node): url for node, url in entries.items()}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigError(f"{path} is not a JSON object of node addresses and URLs: {error}") from None
    try:
        return {node: agent_url(url) for node, url in agents.items()}
    except InvalidInput as error:
        raise ConfigError(f"{path}: {error.detail}") from None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
