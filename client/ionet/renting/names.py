"""Names of a renter's clusters, in a file beside the profiles: `~/.config/ionet/clusters.json`.

Those that are over are in `past-clusters.json`, so that what they cost can be looked up.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ionet.errors import ConfigError, InvalidInput
from ionet.resolve import near

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_MOST_PAST = 256
OWN = "own"
"""In the place of a launcher's URL: the one that this machine runs for its renter."""


class Named(msgspec.Struct, frozen=True):
    """url: of the chain. renter: whose cluster it is. api, launcher: where it was asked for, the second OWN
    where this machine runs it. at: when, unix seconds.

    idle: seconds after which it ends when nobody uses it; 0 for never. alert_at: percentages of its budget at which is
    told, alert_url: whom, besides the log; alerted: the last that was.
    """

    cluster: str
    url: str
    renter: str
    api: str
    launcher: str
    at: int
    idle: int = 0
    alert_at: tuple[int, ...] = ()
    alert_url: str = ""
    alerted: int = 0

    @property
    def is_watched(self) -> bool:
        """Whether something is to be done about it while nobody looks."""
        return self.idle > 0 or any(level > self.alerted for level in self.alert_at)


class Names:
    """The file at `path`, which several commands may change at once."""

    def __init__(self, path: Path) -> None:
        self._path, self._past = path, path.with_name(f"past-{path.name}")

    def all(self) -> dict[str, Named]:
        """Raises ConfigError."""
        return _read(self._path)

    def past(self) -> dict[str, Named]:
        """Of each name the last cluster that is over. Raises ConfigError."""
        return _read(self._past)

    def get(self, name: str) -> Named:
        """Raises InvalidInput, which names one that is spelled like it."""
        known = self.all()
        if name not in known:
            raise InvalidInput(f"no cluster is called {name!r} here{near(name, known)}")
        return known[name]

    def add(self, name: str, named: Named) -> None:
        """Raises InvalidInput where it is taken, or no name."""
        require_name(name)
        with self._changing() as known:
            if name in known:
                raise InvalidInput(f"a cluster is called {name} already: {known[name].cluster}")
            # Two commands of one wallet foresaw the same address: the second one's would be the first one's cluster.
            same = next((other for other, each in known.items() if each.cluster == named.cluster), None)
            if same is not None:
                raise InvalidInput(f"{same} is being opened at this moment: try again")
            known[name] = named

    def keep_idle(self, name: str, secs: int) -> None:
        """From now on it ends when nobody uses it for as long; nothing happens where it is not known."""
        with self._changing() as known:
            if name in known:
                known[name] = msgspec.structs.replace(known[name], idle=secs)

    def alerted(self, name: str, level: int) -> None:
        """It was told that this much of the budget is used; nothing happens where it is not known."""
        with self._changing() as known:
            if name in known:
                known[name] = msgspec.structs.replace(known[name], alerted=level)

    def forget(self, name: str) -> None:
        """It was never there."""
        with self._changing() as known:
            known.pop(name, None)

    def close(self, name: str) -> None:
        """It is over; its name is free again."""
        with self._changing() as known:
            named = known.pop(name, None)
            if named is not None:
                past = {key: each for key, each in self.past().items() if key != name}
                kept = dict([*past.items(), (name, named)][-_MOST_PAST:])
                _write(self._past, kept)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Named]]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                known = self.all()
                yield known
                _write(self._path, known)
        except OSError as error:
            raise ConfigError(f"cannot write {self._path}: {error.strerror}") from None


def _read(path: Path) -> dict[str, Named]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Named])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None


def _write(path: Path, known: dict[str, Named]) -> None:
    """Replaced at once: a reader never sees half of it."""
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(msgspec.json.encode(known))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def require_name(name: str) -> None:
    """Raises InvalidInput."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no name: lower-case letters, digits and hyphens, 40 at most")
