"""An agent's provider with a member in a room, and a renter's code in it that tries what it must not be able to do.

`trial.py FOLDER LEVEL IP FIRST_PORT`, as the user that the agent is to be: prints one line of JSON. Run by
`test_isolation`; not a test by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from ionet.agent_api import Phase, Role, Spec
from ionet.isolation import Limits
from ionet_agent import processes
from ionet_agent.isolation.base import Level
from ionet_agent.isolation.place import Place
from ionet_agent.isolation.runtime import Runtime
from ionet_agent.providers.local import LocalProvider
from ionet_launcher.certs import ClusterSecrets

MIB = 1024 * 1024
LIMITS = Limits(1, 3072 * MIB, 512 * MIB, 80 * MIB, 1200)
DRIVER_SECS = 300
SECRET = "the owner's secret"
# What a hostile renter's code does; in a driver, and in a task of Ray.
HOSTILE = '''
import json, os, signal, socket, subprocess, sys, time
def what(do):
    try:
        return do()
    except Exception as error:
        return type(error).__name__

def read(path):
    return open(path, "rb").read().decode(errors="replace")

WORDS = ("CapPrm", "CapBnd", "NoNewP")

def shown(path):
    """Whether anything of a file or folder can be seen."""
    found = what(lambda: os.listdir(path) if os.path.isdir(path) else read(path))
    return found not in ("PermissionError", "FileNotFoundError", [])

def fill(folder, most):
    """Bytes that go into a folder; at most `most`."""
    written = 0
    try:
        for number in range(64):
            with open(f"{folder}/fill-{number}", "wb") as file:
                while file.tell() < 64 << 20 and written < most:
                    written += file.write(bytes(1 << 20))
                    file.flush()
    except OSError:
        pass
    finally:
        for number in range(64):
            what(lambda: os.unlink(f"{folder}/fill-{number}"))
    return written

def eat(most):
    """Whether a process may hold this much memory."""
    code = f"import time; x = b'x' * {most}; time.sleep(10); print('held', flush=True)"
    return "held" in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout

def breed(most):
    """How many processes can live at once."""
    children = []
    try:
        for _ in range(most):
            child = os.fork()
            if not child:
                signal.pause()
            children.append(child)
    except OSError:
        pass
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    return len(children)

def escape(secs):
    """A process that nothing connects with its member."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            null = os.open("/dev/null", os.O_RDWR)
            for number in range(3):
                os.dup2(null, number)
            os.closerange(3, 256)
            os.execve("/bin/sleep", ["sleep", secs], {})
        os._exit(0)
    os.wait()

def attack(key, agent, other_file, other_pid, escaped, limits):
    seen = [name for name in os.listdir("/proc") if name.isdecimal()]
    found = {
        "key": what(lambda: read(key)),
        "environment": what(lambda: read(f"/proc/{agent}/environ")),
        "memory": what(lambda: open(f"/proc/{agent}/mem", "rb").close()),
        "signal": what(lambda: os.kill(agent, 0)),
        "other_file": what(lambda: read(other_file)),
        "other_signal": what(lambda: os.kill(other_pid, 0)),
        "log": what(lambda: open(os.environ["RAY_TLS_CA_CERT"], "a").close()),
        "tmp": what(lambda: open("/tmp/left-behind", "w").close()),
        "home": what(lambda: open(os.path.expanduser("~/mine"), "w").close()),
        "outside": [path for path in ("/home", "/var/lib", "/opt", "/etc/shadow") if shown(path)],
        "processes": len(seen),
        "user": os.getuid(),
        "privileges": [line.split()[1] for line in read("/proc/self/status").splitlines() if line[:6] in WORDS],
    }
    escape(escaped)
    if "memory_bytes" in limits:
        found["eaten"] = eat(2 * limits["memory_bytes"])
    if "disk_bytes" in limits:
        found["disk"] = fill(os.path.expanduser("~"), 2 * limits["disk_bytes"])
        found["bred"] = breed(2 * limits["processes"])
    return found

print(json.dumps(attack(*json.loads(sys.argv[1]))))
'''
DRIVER = """
import json, subprocess, sys
import ray
HOSTILE, ARGUMENTS, LIMITS = {source!r}, {arguments!r}, {limits!r}
def attack(limits):
    # Not in this process, which has threads: it forks a lot.
    command = [sys.executable, "-c", HOSTILE, json.dumps([*ARGUMENTS, limits])]
    done = subprocess.run(command, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr[-2000:]
ray.init(logging_level="warning")
@ray.remote(num_cpus=1, max_retries=0)
def task(limits):
    return attack(limits)
memory = {{"memory_bytes": LIMITS.pop("memory_bytes")}}
found = ray.get(task.remote(LIMITS))
try:
    found["eaten"] = ray.get(task.remote(memory))["eaten"]
except ray.exceptions.OutOfMemoryError:
    found["eaten"] = False  # in a container Ray sees the limit, and ends the task before the kernel does
print("answer:" + json.dumps([attack(memory | LIMITS), found]))
"""


async def main(base: Path, level: Level, ip: str, first: int) -> dict[str, Any]:
    key = base / "device.json"
    key.write_text(SECRET)
    key.chmod(0o600)
    place = Place(level, Runtime.own(), LIMITS, base)
    provider = LocalProvider(base, node="n", ip=ip, ports=range(first, first + 24), spool=base / "spool", place=place)
    secrets = ClusterSecrets(b"s" * 32, b"c" * 32)
    certificate, private = secrets.issue("n", ip)
    spec = Spec(
        "lease", "cluster", Role.HEAD, provider.address, 1, secrets.token, secrets.ca_pem(), certificate, private
    )
    # Another lease of the same machine.
    other = place.room("another-lease", Path(f"/tmp/ionet-another-lease-{os.getpid()}.own"), 1)
    other.folder.mkdir(mode=0o700)
    place.furnish(other)
    command = place.isolation(other).wrap(["/bin/sleep", "600"], other)
    sleeper = await asyncio.create_subprocess_exec(*command, cwd=other.folder)
    file = other.home / "results"
    if other.home.exists():
        file.write_text(SECRET)
    began = time.monotonic()
    try:
        status = await provider.start(spec)
        spawned = time.monotonic() - began
        while status.phase is Phase.STARTING:
            assert time.monotonic() - began < 90, "still starting"
            await asyncio.sleep(0.1)
            status = await provider.tend()
        assert status.phase is Phase.UP, status.reason
        up = time.monotonic() - began
        record = json.loads((base / "ray.json").read_text())
        escaped = f"6{os.getpid()}1"
        limits = {"disk_bytes": LIMITS.disk_bytes, "memory_bytes": LIMITS.memory_bytes, "processes": LIMITS.processes}
        arguments = [str(key), os.getpid(), str(file), sleeper.pid, escaped]
        source = DRIVER.format(source=HOSTILE, arguments=arguments, limits=limits)
        driver = await provider.run_driver(source.encode())
        output = b""
        code = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRIVER_SECS):
                while part := await driver.read():
                    output += part
                code = await driver.ended()
        assert code == 0, f"{code}: {output.decode()[-3000:]}"
        lines = output.decode().splitlines()
        [answer] = [json.loads(line.removeprefix("answer:")) for line in lines if line.startswith("answer:")]
        alive = _named(escaped)
        inside = processes.module_of(record["tag"], "ionet.check.member") is not None
        stopping = time.monotonic()
        await provider.stop(spec.lease)
        stop = time.monotonic() - stopping
    finally:
        if (spec_now := provider.spec) is not None:
            await provider.stop(spec_now.lease)
        await provider.close()
        with contextlib.suppress(ProcessLookupError):
            sleeper.kill()
        await processes.stop("another-lease", None, 0, lambda: place.isolation(other).sweep(other))
        await sleeper.wait()
        place.clear(other)
    return {
        "attacks": answer,
        "alive": alive,
        "after": _named(escaped),
        "check": inside,
        "tag": record["tag"],
        "room": record["room"],
        "held": place.about().held,
        "secs": [round(spawned, 2), round(up, 2), round(stop, 2)],
    }


def _named(word: str) -> int:
    """How many processes of this machine have this argument."""
    return sum(processes.runs(int(name), word) for name in os.listdir("/proc") if name.isdecimal())


if __name__ == "__main__":
    told = asyncio.run(main(Path(sys.argv[1]), Level(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
    print(json.dumps(told))
