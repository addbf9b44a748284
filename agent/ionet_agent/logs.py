"""How an agent's processes log."""

from __future__ import annotations

import logging
import os


def log_to_stderr() -> None:
    """From the level that `IONET_LOG` names on, by default INFO."""
    logging.basicConfig(level=os.environ.get("IONET_LOG", "INFO"), format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
