"""`landlock_exec.py RULES [--keep] -- COMMAND…`: runs a command that may only touch the paths of the rules (Landlock).

RULES is JSON: {"read": [path…], "write": [path…], "device": [path…]}. With --keep it stays: whatever the command leaves
behind becomes its child and is killed when the command ends. Standard library only, so that it starts at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Sequence

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture
_ABI_FLAG, _PATH_BENEATH = 1, 1
_SET_NO_NEW_PRIVS, _SET_CHILD_SUBREAPER, _SET_SECCOMP, _BY_FILTER = 38, 36, 22, 2
SIGNALS_ABI = 6
"""From this version on it also keeps signals and abstract sockets inside."""
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER, _IOCTL = 1, 2, 4, 8, 1 << 15
_TRUNCATE = 1 << 14
_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
# Rights by version: 1, 2 (between folders), 3 (truncate), 5 (ioctl of devices).
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_RIGHTS_NOW = (1 << 16) - 1
_SCOPES = 1 | 2  # abstract sockets, signals

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """The kernel's version of Landlock; 0 without it."""
    return max(0, int(_libc.syscall(_CREATE, None, 0, _ABI_FLAG)))


def restrict(rules: dict[str, list[str]]) -> None:
    """Bind this process, and all it ever starts, to the rules. Raises OSError."""
    version = abi()
    every = _RIGHTS.get(version, _RIGHTS_NOW)
    attributes = struct.pack("QQQ", every, 0, _SCOPES) if version >= SIGNALS_ABI else struct.pack("Q", every)
    ruleset = _call(_CREATE, ctypes.c_char_p(attributes), len(attributes), 0)
    wanted = {
        "read": _EXECUTE | _READ_FILE | _READ_FOLDER,
        "write": every,
        "device": _WRITE_FILE | _READ_FILE | _READ_FOLDER | _IOCTL,
    }
    for kind, rights in wanted.items():
        for path in rules.get(kind, []):
            with contextlib.suppress(FileNotFoundError):
                _allow(ruleset, path, rights & every)
    if _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    _leave_others_limits()
    _call(_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _leave_others_limits() -> None:
    """Refuse prlimit of another process (seccomp): it can end one of the same user, and Landlock lets it pass."""
    arch, number = {"x86_64": (0xC000003E, 302), "aarch64": (0xC00000B7, 261)}[os.uname().machine]
    program = (
        *((0x20, 0, 0, 4), (0x15, 1, 0, arch), (0x06, 0, 0, 0x80000000)),  # another architecture: end it
        *((0x20, 0, 0, 0), (0x54, 0, 0, 0xBFFFFFFF), (0x15, 0, 3, number)),  # another call: let it
        *((0x20, 0, 0, 16), (0x15, 1, 0, 0), (0x06, 0, 0, 0x50001)),  # not of process 0, itself: EPERM
        (0x06, 0, 0, 0x7FFF0000),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    filters = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    if _libc.prctl(_SET_SECCOMP, _BY_FILTER, ctypes.c_char_p(filters), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(path):
            rights &= _FILE
        _call(_ADD, ruleset, _PATH_BENEATH, ctypes.c_char_p(struct.pack("=Qi", rights, descriptor)), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def keep(run: Callable[[], None]) -> int:
    """Run it in a child, and end with its exit code once nothing of what it started is left."""
    if _libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "subreaper")
    child = os.fork()
    if not child:
        try:
            run()
        finally:
            os._exit(126)
    code: int | None = None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: os.kill(child, got))
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return 1 if code is None else abs(code)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
        if code is not None:
            _kill_children()


def _kill_children() -> None:
    """Orphans become children of this process as their parents end, so that in the end it has reached all."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        for word in file.read().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(word), signal.SIGKILL)


def main(arguments: Sequence[str]) -> int:
    cut = arguments.index("--")
    rules, command = json.loads(arguments[0]), list(arguments[cut + 1 :])

    def run() -> None:
        restrict(rules)
        os.execv(command[0], command)

    if "--keep" in arguments[1:cut]:
        return keep(run)
    run()
    return 126


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
