"""A process of root as an ordinary user's: without rights, and nothing of root's home but the interpreter and this
checkout, which may lie there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NOBODY = 65534
# In a mount namespace of its own.
_SHOW = """
kept=$(mktemp -d) && mount --bind "$HOME" "$kept" && mount -t tmpfs -o mode=755 none "$HOME"
for path in $1; do mkdir -p "$path" && mount --bind "$kept${path#$HOME}" "$path"; done
umount "$kept" && rmdir "$kept"; shift; exec "$@"
"""
_HOME = Path("~root").expanduser()
_CHECKOUT = Path(__file__).parents[1]
_SHOWN = [path for path in (sys.base_prefix, sys.prefix, str(_CHECKOUT)) if Path(path).is_relative_to(_HOME)]
AS_USER = (
    *("env", f"HOME={_HOME}", "unshare", "--mount", "sh", "-c", _SHOW, "sh", " ".join(_SHOWN)),
    *("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--bounding-set", "-all"),
    *("--inh-caps", "-all"),
)
"""What stands before its command."""


def why_no_network() -> str:
    """Why an ordinary user can make none here; empty when one can."""
    can_open = os.stat("/dev/net/tun").st_mode & 0o006 == 0o006
    return "" if can_open else "ordinary users may not open /dev/net/tun here"


def give(*paths: Path) -> None:
    """These are the user's."""
    for path in paths:
        os.chown(path, NOBODY, NOBODY)
