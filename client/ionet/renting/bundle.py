"""A job on its way to a cluster, and its results on their way back."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from ionet.errors import InvalidInput, IonetError
from ionet.renting import driver

MOST_BYTES = 1024 * 1024
"""Of all that is sent, as agents take it."""
_IGNORED = (".git", ".venv", "__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache", "node_modules")
_IGNORE_FILE = ".ionetignore"
_MOST_UNPACKED, _MOST_FILES = 1024**3, 10_000


class BadResults(IonetError):
    """the results that came back cannot be unpacked

    Whoever runs the head's node may have sent anything.
    """


class Job(NamedTuple):
    """name: under which it is found again, later ones behind earlier ones. script: begins it; twice is once."""

    name: str
    script: bytes


def job(
    commands: Sequence[str],
    workdir: Path | None,
    mounts: Mapping[str, str],
    envs: Mapping[str, str],
    results: Sequence[str],
    *,
    wait: bool = True,
) -> Job:
    """A job for a driver that begins it and, with `wait`, follows it to its end.

    Raises InvalidInput where files cannot be read, or are too many.
    """
    name = f"{time.time_ns() // 10**6:013d}-{secrets.token_hex(3)}"
    content = _script(
        do="start",
        job=name,
        files=base64.b64encode(_packed(workdir, mounts)).decode(),
        commands=list(commands),
        envs=dict(envs),
        results=list(results),
        wait=wait,
        source=_source(),
    )
    if len(content) > MOST_BYTES:
        ignore = f"name what is not needed in {_IGNORE_FILE}"
        raise InvalidInput(f"the job has {len(content):,} bytes packed, {MOST_BYTES:,} can be sent: {ignore}")
    return Job(name, content)


def following(name: str | None, offset: int, *, wait: bool) -> bytes:
    """A driver that prints what a job has printed, from `offset` bytes on. name: None for the newest job."""
    return _script(do="follow", job=name, offset=offset, wait=wait)


def execution(commands: Sequence[str]) -> bytes:
    """A driver that runs commands where the newest job runs."""
    return _script(do="execute", commands=list(commands))


def _script(**wanted: Any) -> bytes:
    return f"{_source()}\n\nmain({json.dumps(wanted)!r})\n".encode()


def _source() -> str:
    return (files("ionet.renting") / "driver.py").read_text()


def _packed(workdir: Path | None, mounts: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        try:
            if workdir is not None:
                if not workdir.is_dir():
                    raise InvalidInput(f"{workdir} is no folder")
                _add(packed, workdir, "", _ignored(workdir), made)
            for name, source in mounts.items():
                _require_below(name)
                _add(packed, Path(source).expanduser(), name, (), made)
        except OSError as error:
            raise InvalidInput(f"cannot read {error.filename}: {error.strerror}") from None
    return made.getvalue()


def _add(packed: zipfile.ZipFile, source: Path, name: str, ignored: Sequence[str], made: io.BytesIO) -> None:
    if not source.is_dir():
        packed.write(source, name or source.name)
        return
    for path in _files(source, ignored):
        packed.write(path, str(Path(name, path.relative_to(source))))
        if made.tell() > MOST_BYTES:
            break  # too much already; the whole is refused with its size


def _files(folder: Path, ignored: Sequence[str]) -> Iterator[Path]:
    """Links to files are followed, links to folders are not."""
    for above, folders, names in os.walk(folder):
        at = Path(above).relative_to(folder)
        folders[:] = sorted(name for name in folders if not _is_ignored(at / name, ignored))
        yield from (Path(above, name) for name in sorted(names) if not _is_ignored(at / name, ignored))


def _is_ignored(path: Path, patterns: Sequence[str]) -> bool:
    return path.name in _IGNORED or any(fnmatch(str(path), each) or fnmatch(path.name, each) for each in patterns)


def _ignored(workdir: Path) -> list[str]:
    path = workdir / _IGNORE_FILE
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    return [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]


def _require_below(name: str) -> None:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise InvalidInput(f"file_mounts: {name!r} is not below the working directory")


class Output:
    """What a job prints, in pieces as they come, without the results that are in it."""

    def __init__(self) -> None:
        self._rest = ""
        self._begins, self._packed = True, bytearray()

    def feed(self, text: str) -> str:
        """What of it is for people. Raises BadResults."""
        *whole, last = (self._rest + text).split("\n")
        self._rest = ""
        shown = "".join([self._line(line + "\n") for line in whole])
        if not last:
            return shown
        if self._begins and (last.startswith(driver.MARK) or driver.MARK.startswith(last)):
            if len(last) > 2 * driver.LINE:
                raise BadResults("a line of them is too long")
            self._rest = last
            return shown
        self._begins = False
        return shown + last

    def _line(self, line: str) -> str:
        begins, self._begins = self._begins, True
        if not begins or not line.startswith(driver.MARK):
            return line
        self._packed += line[len(driver.MARK) :].strip().encode()
        if len(self._packed) > 2 * driver.MOST:
            raise BadResults("they are too long")
        return ""

    def end(self) -> str:
        """What is left of it, once it is over."""
        rest, self._rest = self._rest, ""
        return "" if rest.startswith(driver.MARK) else rest

    def unpack(self, folder: Path) -> list[Path]:
        """Write the results below `folder`; returns the files. Raises BadResults."""
        if not self._packed:
            return []
        written = []
        try:
            with zipfile.ZipFile(io.BytesIO(base64.b64decode(bytes(self._packed), validate=True))) as packed:
                entries = packed.infolist()
                if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _MOST_UNPACKED:
                    raise BadResults("they are too large")
                for entry in entries:
                    # Names that lead elsewhere are made into names below the folder; no links are written.
                    written.append(Path(packed.extract(entry, folder)))
        except (ValueError, zipfile.BadZipFile, OSError, RuntimeError) as error:
            raise BadResults(str(error)[:200]) from None
        return written
