"""Finds or installs uv with nothing but Python's standard library, for scripts/lib/bootstrap.

In this order: uv on PATH; `python -m venv` and pip; the wheel itself, fetched and unpacked here. The two that install
take version and hashes from uv.lock, and honour the index and certificate settings of the environment.

Prints shell assignments: UV (the program), and pip's settings under the names that uv and Node read.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import html
import io
import json
import os
import platform
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import tempfile
import tomllib
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (0, 8)  # the first uv that reads the lock file's revision
TIMEOUT = 60.0  # seconds without a byte


class BootstrapError(Exception):
    """uv can be neither found nor installed."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One release of uv as uv.lock records it; `wheels` maps a file name to its sha256 in hex."""

    version: str
    index: str
    wheels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where packages come from: an index (None: the lock file's) and a certificate bundle (None: the system's)."""

    index: str | None
    certificates: str | None


def read_pin(lock: Path) -> Pin:
    """The pinned uv. Raises BootstrapError when the lock file does not hold it."""
    for package in tomllib.loads(lock.read_text())["package"]:
        if package["name"] == "uv":
            wheels = {each["url"].rsplit("/", 1)[1]: each["hash"].removeprefix("sha256:") for each in package["wheels"]}
            return Pin(package["version"], package["source"]["registry"], wheels)
    raise BootstrapError(f"{lock} does not pin uv")


def read_settings(environment: Mapping[str, str], home: Path) -> Settings:
    """Settings of uv and pip: the environment's variables first, then pip's files, the user's before the machine's."""
    config = home / ".config" if not environment.get("XDG_CONFIG_HOME") else Path(environment["XDG_CONFIG_HOME"])
    named = environment.get("PIP_CONFIG_FILE")
    pip = configparser.RawConfigParser()
    pip.read(["/etc/pip.conf", home / ".pip/pip.conf", config / "pip/pip.conf", *([named] if named else [])])

    def first(variables: tuple[str, ...], option: str) -> str | None:
        values = [environment.get(name) for name in variables]
        values += [pip.get(section, option, fallback=None) for section in ("install", "global")]
        return next((value for value in values if value), None)

    return Settings(
        index=first(("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"), "index-url"),
        certificates=first(("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"), "cert"),
    )


def choose_wheel(names: list[str], system: str, machine: str, libc: tuple[str, str]) -> str:
    """The wheel for this machine; `libc` as platform.libc_ver() gives it (no name on musl)."""
    machine = {"AMD64": "x86_64", "arm64": "aarch64" if system == "Linux" else "arm64"}.get(machine, machine)
    for name in sorted(names):
        for tag in name.removesuffix(".whl").split("-")[-1].split("."):
            if system == "Darwin" and re.fullmatch(rf"macosx_\d+_\d+_{machine}", tag):
                return name
            linux = re.fullmatch(rf"(many|musl)linux_(\d+)_(\d+)_{machine}", tag)
            if system != "Linux" or not linux:
                continue
            glibc = tuple(int(part) for part in libc[1].split(".")[:2]) if libc[0] == "glibc" else ()
            if (linux[1] == "musl" and not glibc) or (linux[1] == "many" and glibc >= (int(linux[2]), int(linux[3]))):
                return name
    raise BootstrapError(f"no wheel of uv for {system} on {machine}: install uv by hand")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address gave: `url` is the final one, after redirects."""

    body: bytes
    content_type: str
    url: str


def fetch(url: str, settings: Settings, accept: str = "*/*") -> Answer:
    """The answer of `url`; a user and password in it become basic authentication."""
    parts = urllib.parse.urlsplit(url)
    headers = {"Accept": accept, "User-Agent": "ionet-bootstrap"}
    if parts.username is not None:
        secret = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(secret.encode()).decode()
    bare = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]))
    context = ssl.create_default_context(cafile=settings.certificates)
    request = urllib.request.Request(bare, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as answer:
        return Answer(answer.read(), answer.headers.get_content_type(), answer.url)


def find_link(index: str, name: str, settings: Settings) -> str:
    """The address of the file `name` on the index's page for uv: JSON or HTML, both of the simple API."""
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
    page = fetch(index.rstrip("/") + "/uv/", settings, accept)
    if page.content_type.endswith("json"):
        links: list[str] = [entry["url"] for entry in json.loads(page.body)["files"] if entry["filename"] == name]
    else:
        hrefs = re.findall(r"""href\s*=\s*["']([^"']+)["']""", page.body.decode())
        links = [link for link in map(html.unescape, hrefs) if urllib.parse.urlsplit(link).path.endswith("/" + name)]
    if not links:
        raise BootstrapError(f"the index has no {name}")
    link = urllib.parse.urlsplit(urllib.parse.urljoin(page.url, links[0]))
    home = urllib.parse.urlsplit(index)
    if home.username is not None and link.netloc == home.netloc.rsplit("@", 1)[-1]:
        link = link._replace(netloc=home.netloc)  # the same server wants the same password again
    return urllib.parse.urlunsplit(link)


def unpack_wheel(pin: Pin, settings: Settings) -> bytes:
    """The uv program out of its wheel, refused when the wheel's hash is not the pinned one."""
    name = choose_wheel(list(pin.wheels), platform.system(), platform.machine(), platform.libc_ver())
    wheel = fetch(find_link(settings.index or pin.index, name, settings), settings).body
    if (digest := hashlib.sha256(wheel).hexdigest()) != pin.wheels[name]:
        raise BootstrapError(f"{name} has sha256 {digest}, not the pinned {pin.wheels[name]}")
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        return archive.read(f"uv-{pin.version}.data/scripts/uv")


def install_with_pip(pin: Pin) -> bytes | None:
    """The uv program as pip installs it into a virtual environment; None where venv or pip is missing or fails."""
    with tempfile.TemporaryDirectory() as folder:
        hashes = " ".join(f"--hash=sha256:{digest}" for digest in pin.wheels.values())
        Path(folder, "requirements.txt").write_text(f"uv=={pin.version} {hashes}\n")
        pip = "venv/bin/python -m pip install --quiet --require-hashes --only-binary=:all: -r requirements.txt"
        for command in ([sys.executable, "-m", "venv", "venv"], pip.split()):
            if subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True).returncode != 0:
                return None
        return Path(folder, "venv/bin/uv").read_bytes()


def usable(uv: str | None) -> bool:
    """Whether `uv` runs and is new enough. (A shim of a version manager may be there and still not run.)"""
    if uv is None:
        return False
    answer = subprocess.run([uv, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    version = re.match(r"uv (\d+)\.(\d+)", answer.stdout)
    return answer.returncode == 0 and version is not None and (int(version[1]), int(version[2])) >= OLDEST


def find_uv(environment: Mapping[str, str], settings: Settings, home: Path) -> str:
    """A uv that runs: the one on PATH, or the pinned one, which is installed into the user's cache once."""
    on_path = shutil.which("uv", path=environment.get("PATH"))
    if on_path is not None and usable(on_path):
        return on_path
    pin = read_pin(ROOT / "uv.lock")
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    target = cache / "ionet" / f"uv-{pin.version}" / "uv"
    if not usable(str(target) if target.exists() else None):
        print(f"uv is missing: installing {pin.version} into {target.parent}", file=sys.stderr)
        program = install_with_pip(pin) or unpack_wheel(pin, settings)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            file.write(program)
        os.chmod(file.name, 0o755)
        os.replace(file.name, target)
    return str(target)


def main() -> None:
    home = Path.home()
    settings = read_settings(os.environ, home)
    try:
        found = {"UV": find_uv(os.environ, settings, home)}
    except (BootstrapError, OSError) as error:
        raise SystemExit(f"error: cannot install uv: {error}") from None
    if settings.index:
        found["UV_DEFAULT_INDEX"] = settings.index
    if settings.certificates:
        found["SSL_CERT_FILE"] = found["NODE_EXTRA_CA_CERTS"] = settings.certificates  # npm runs in some tests
    for name, value in found.items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
