"""Files: small ones that must survive a crash whole and be read by nobody else, and those a renter's code can write.

Whoever can write into a folder can put anything in the place of a file there: a pipe that blocks who opens it, a link
to somebody else's file, a terabyte without contents. Such files are opened here only, and read in bounded pieces.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step, mode 0600; after a crash the old or the new content is there."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def create_foreign(path: Path, content: bytes) -> None:
    """A new file, mode 0600, in a folder that a renter's code can write. Raises OSError, also for what is there."""
    with opened_folder(path.parent) as folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)


@contextlib.contextmanager
def append_foreign(path: Path) -> Iterator[int]:
    """A descriptor that adds to a file, which is made where there is none; whatever it is, opening it does not block.

    Raises OSError.
    """
    with opened_folder(path.parent) as folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove_foreign(path: Path) -> None:
    """Remove what `create_foreign` made, if it is still there."""
    with contextlib.suppress(OSError), opened_folder(path.parent) as folder:
        os.unlink(path.name, dir_fd=folder)


def read_foreign(path: Path, offset: int, most: int) -> bytes:
    """At most `most` bytes from `offset` on; from the end back when it is negative. Empty unless it is a regular file.

    Neither the file nor its folder may be a link, and nothing blocks.
    """
    with contextlib.suppress(OSError), opened_folder(path.parent) as folder:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path.name, flags, dir_fd=folder)
        try:
            about = os.fstat(descriptor)
            if stat.S_ISREG(about.st_mode):
                return os.pread(descriptor, most, max(0, about.st_size + offset) if offset < 0 else offset)
        finally:
            os.close(descriptor)
    return b""


def trim_foreign(path: Path, most: int, kept: int) -> None:
    """Cut a file that has grown beyond `most` bytes down to its first `kept`; whoever adds to it goes on at its end."""
    with contextlib.suppress(OSError), opened_folder(path.parent) as folder:
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path.name, flags, dir_fd=folder)
        try:
            about = os.fstat(descriptor)
            if stat.S_ISREG(about.st_mode) and about.st_size > most:
                os.ftruncate(descriptor, kept)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """A descriptor of a folder that is not a link. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
