"""`landlock_exec.py RULES [--keep] -- COMMAND…`: runs a command that may only touch the paths of the rules (Landlock).

RULES is JSON: {"read": [path…], "write": [path…], "device": [path…]}. With --keep it stays, and all that the command
has started is killed when the command ends, or this process does. Standard library only, so that it starts at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import struct
import sys
from collections.abc import Sequence
from typing import NoReturn

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
TAG, GUARDS, _ENVIRONMENT = "IONET_PROCESS_TAG", "IONET_GUARDS_TAG", "IONET_ENVIRONMENT"
"""What a process says in its environment: its tag; of a guard, whose processes it guards, and their environment."""

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


def nest() -> None:
    """Bind this process, and all it ever starts, to signals among themselves. Raises OSError."""
    attributes = struct.pack("QQQ", 0, 0, _SCOPES)
    ruleset = _call(_CREATE, ctypes.c_char_p(attributes), len(attributes), 0)
    _call(_RESTRICT, ruleset, 0)
    os.close(ruleset)


def keep(rules: str, command: Sequence[str]) -> int:
    """Run it under a guard, and end with its exit code once nothing of what it started is left.

    The guard sees when this process ends, however it does, and then kills all: it is no descendant of this process and
    carries no tag, so that whoever kills this one and its like does not kill the guard first.
    """
    alive, mine = os.pipe()
    told, tells = os.pipe()
    pid = os.getpid()
    first = os.fork()
    if not first:
        try:
            if os.fork():
                os._exit(0)
            os.setsid()
            for descriptor in (alive, tells):
                os.set_inheritable(descriptor, True)
            words = [rules, "--guard", str(alive), str(tells), str(pid), os.getcwd(), "--", *command]
            environment = {GUARDS: os.environ.get(TAG, ""), _ENVIRONMENT: json.dumps(dict(os.environ))}
            os.chdir("/")
            os.execve(sys.executable, [sys.executable, "-I", "-S", __file__, *words], environment)
        finally:
            os._exit(126)
    os.waitpid(first, 0)
    for descriptor in (alive, tells):
        os.close(descriptor)
    with os.fdopen(told) as lines:
        child = lines.readline()
        if child:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, lambda got, _frame: _pass_on(int(child), got))
        code = lines.readline()
    os.close(mine)
    return abs(int(code)) if code else 126


def _pass_on(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def guard(rules: dict[str, list[str]], alive: int, tells: int, outside: int, place: str, command: list[str]) -> None:
    """Run the command until it or the process `outside` ends, then kill all that it has started.

    Within the rules' scope, and the command in a scope below: this process reaches all of it, and nothing of it this
    process. A signal to everybody is one step for the kernel, in which no process can fork.
    """
    environment = json.loads(os.environ[_ENVIRONMENT])
    for descriptor in (alive, tells):
        os.set_inheritable(descriptor, False)
    if _libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "subreaper")
    restrict(rules)
    if _reaches(outside):
        raise OSError("signals are not kept inside")  # or the last step would kill everything of this user
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    child = os.fork()
    if not child:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            nest()
            os.chdir(place)
            os.execve(command[0], command, environment)
        finally:
            os._exit(126)
    # Not to keep a pipe of the agent's open after the command.
    for descriptor in (0, 1, 2):
        os.dup2(woken, descriptor)
    _tell(tells, child)
    code = None
    while code is None and alive not in select.select([alive, woken], [], [])[0]:
        os.read(woken, 4096)
        code = _reap(child)
    os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.wait()
            code = os.waitstatus_to_exitcode(status) if pid == child else code
    _tell(tells, 1 if code is None else code)


def _reaches(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        os._exit(126)  # it has ended already
    return True


def _tell(tells: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(tells, f"{number}\n".encode())


def _reap(child: int) -> int | None:
    """Take the exit codes of all that has ended; that of the child, if it has."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == child:
                code = os.waitstatus_to_exitcode(found[1])
    return code


def _become(rules: dict[str, list[str]], command: list[str]) -> NoReturn:
    restrict(rules)
    os.execv(command[0], command)


def main(arguments: Sequence[str]) -> int:
    cut = arguments.index("--")
    rules, command = json.loads(arguments[0]), list(arguments[cut + 1 :])
    options = arguments[1:cut]
    if "--keep" in options:
        return keep(arguments[0], command)
    if "--guard" in options:
        alive, tells, outside, place = options[1:]
        guard(rules, int(alive), int(tells), int(outside), place, command)
        return 0
    _become(rules, command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
