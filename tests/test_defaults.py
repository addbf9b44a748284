"""docs/defaults.md says what the commands do: every port, folder and profile, and none besides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from ionet.cli import COMMANDS, _load, named, own_launcher
from ionet.cli.profiles import BUILT_IN, config_file
from ionet_agent.isolation import new_runtime
from ionet_agent.up import command as node_up
from ionet_indexer import postgres
from ionet_mcp import cli as mcp
from ionet_stack import up

PAGE = (Path(__file__).parents[1] / "docs" / "defaults.md").read_text()
# Options by which a service is told where to listen, whatever they are by default.
LISTENING = {"port", "ws_port", "listen", "udp", "metrics", "api_port", "launcher_port", "web_port", "actions_port"}
# `ionet node run` is `ionet agent run`.
ALIASES = {"node run"}
ENVIRONMENT = {"IONET_API", "IONET_LAUNCHER", "IONET_AGENT", "IONET_ACTIONS"}


def table(title: str, number: int = 0) -> list[list[str]]:
    """The cells of a table below a title, without their backquotes."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    lines = tables[number].splitlines()[2:]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def bare(cell: str) -> str:
    return cell.replace("`", "")


def parameters() -> Iterator[tuple[str, Any]]:
    """Every option of every command, by the command's name."""

    def below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
        for name, child in getattr(command, "commands", {}).items():
            yield from below(f"{path} {name}", child)
        yield from ((path, param) for param in command.params)

    for name in COMMANDS:
        yield from below(name, _load(name))


def option(param: Any) -> str:
    return str(max(param.opts, key=len))


def test_every_port_is_in_the_table_with_its_default() -> None:
    found = {
        (path, option(param)): param.default
        for path, param in parameters()
        if param.name in LISTENING and path not in ALIASES
    }
    listed = {(bare(command), bare(name)): bare(default) for _, default, command, name in table("Ports")}
    assert listed.pop(("localnet run", "--ws-port")) == "the one after --port"
    assert found.pop(("localnet run", "--ws-port")) is None
    assert {place: "none" if value is None else str(value) for place, value in found.items()} == listed


def test_services_of_one_machine_have_different_ports() -> None:
    ports = [re.findall(r"\d+\Z", bare(default)) for what, default, *_ in table("Ports") if "same" not in what]
    taken = [int(found[0]) for found in ports if found]
    own = taken[: -len(["--port", "--api-port", "--launcher-port", "--web-port", "--actions-port"])]
    assert len(set(own)) == len(own)
    assert 8900 not in own  # the chain's websocket


def test_every_address_that_is_asked_is_in_the_table() -> None:
    listed = {}
    for _, default, environment, commands in table("Ports", 1):
        for words in re.findall(r"`([^`]+ --[\w-]+)`", commands):
            command, _, name = words.rpartition(" ")
            listed[command, name] = (bare(default), bare(environment))
    found = {
        (path, option(param)): (param.default, param.envvar)
        for path, param in parameters()
        if param.envvar in ENVIRONMENT
    }
    assert found.keys() == listed.keys()
    for place, (default, variable) in found.items():
        said, environment = listed[place]
        assert variable == environment, place
        assert said == default if default is not None else said in ("none", "the node's advert"), place


def test_no_other_option_names_this_machine() -> None:
    strays = {
        (path, option(param))
        for path, param in parameters()
        if isinstance(param.default, str)
        and re.search(r"127\.0\.0\.1|0\.0\.0\.0|localhost", param.default)
        and param.envvar not in ENVIRONMENT
        and param.name not in LISTENING | {"host"}
    }
    assert strays == set()


@pytest.mark.parametrize("root", [False, True])
def test_folders(root: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    ray = f"ray-{version('ray')}"
    found = {
        "`ionet up`": up._default_folder(),
        "indexer's embedded PostgreSQL": postgres.default_base(),
        "environment with Ray": new_runtime.default_folder(),
        "`ionet node up`": node_up.default_folder(),
        "`ionet mcp`": mcp.default_folder(),
        "settings": config_file(),
        "names of clusters": named.default_file(),
        "a renter's own launcher": own_launcher.default_folder(BUILT_IN["local"].url, BUILT_IN["local"].keypair),
        "keypair": Path(BUILT_IN["local"].keypair).expanduser(),
    }
    rows = table("Folders")
    assert len(rows) == len(found)
    for what, default, as_root, _ in rows:
        [path] = [path for name, path in found.items() if what.startswith(name)]
        said = bare(default if not root or as_root == "the same" else as_root).split(",")[0].replace("~", "/h")
        start, several, _ = said.partition("…")
        assert str(path).startswith(start), what
        assert str(path) == start or (several and path.name.startswith((ray, "launcher-"))), what


def test_profiles() -> None:
    listed = [[bare(cell) for cell in row] for row in table("Profiles")]
    assert listed == [[name, profile.url, profile.keypair] for name, profile in BUILT_IN.items()]
