"""What every service does with its own process."""

from __future__ import annotations

import logging
import os
import resource

_WANTED_FILES = 65_536


def log_to_stderr() -> None:
    """From the level that `IONET_LOG` names on, by default INFO."""
    logging.basicConfig(level=os.environ.get("IONET_LOG", "INFO"), format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)


def raise_file_limit() -> int:
    """Let this process open as many files as it may: one for each connection. Returns how many those are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
