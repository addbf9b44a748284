"""The steps of `ionet node up`, each of which may be interrupted and done again."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path

from ionet import resolve
from ionet.cli.printing import waiting
from ionet.client import Client
from ionet.errors import ConfigError, IonetError
from ionet.generated.accounts import Node
from ionet.generated.enums import Profile
from ionet.wallet import read_keypair
from solders.keypair import Keypair

from ionet_agent.config import AgentConfig
from ionet_agent.files import write_private
from ionet_agent.up import checks, trial
from ionet_agent.up.checks import Check, State
from ionet_agent.up.enrol import Standing
from ionet_agent.up.machine import Kind, Machine, kind_of
from ionet_agent.up.plan import Wishes

TRIAL_IP = "127.0.1.1"
"""The self-test's, where the node's own follows from its lease."""


def device_of(file: Path) -> Keypair:
    """The machine's own key, made where there is none: whole on disk before it is used.

    Raises WalletError, ConfigError.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            draft = file.with_name(f"device.{os.getpid()}.draft")
            write_private(draft, json.dumps(list(bytes(Keypair()))).encode())
            with contextlib.suppress(FileExistsError):  # somebody else's, who was first
                os.link(draft, file)
            draft.unlink()
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}") from None
    return read_keypair(file)


async def kind(client: Client, machine: Machine, standing: Standing, wishes: Wishes) -> Kind:
    """What the node is or is to be. Raises ConfigError where the machine is not that."""
    if wishes.pretend and standing.network.profile != Profile.LOCAL:
        raise ConfigError("--pretend is for local networks, where nothing is earned")
    names = await client.network.model_names()
    node = standing.node
    if node is None:
        return kind_of(machine, names, wishes.model, wishes.processors, pretend=wishes.pretend)
    found = _registered(node, wishes, names)
    return kind_of(machine, names, found.name, found.processors, pretend=wishes.pretend)


def _registered(node: Node, wishes: Wishes, names: Mapping[int, str]) -> Kind:
    """What the chain has, which cannot be changed. Raises ConfigError where the owner says something else."""
    found = Kind(node.model, names[node.model], node.processors)
    said = found.code if wishes.model is None else resolve.model(wishes.model, names)
    if said != found.code or wishes.processors not in (None, found.processors):
        raise ConfigError(
            f"the node is registered as {found.processors} x {found.name}: another needs another --folder"
        )
    return found


async def tried(
    config: AgentConfig, client: Client, indexer: str, kind: Kind, machine: Machine, *, test: bool
) -> list[Check]:
    """Every check of the machine, the self-test last and only where nothing failed before it."""
    config.base.mkdir(mode=0o700, parents=True, exist_ok=True)
    with waiting("checking this machine"):
        found = [await checks.clock(client), await checks.indexer(indexer), *await checks.relays(config.relays)]
        found.append(await asyncio.to_thread(checks.runtime, config))
        level, config = await asyncio.to_thread(checks.isolation, config)
        found.append(level)
        # An agent runs already, or has left a member that the next one takes over: ports and Ray are in use.
        serves = is_held(config.base) or (config.base / "ray.json").exists()
        if not serves and level.state is not State.FAILED:
            await trial.sweep(config, TRIAL_IP)
            found += checks.ports(config)
    if test and not serves and all(check.state is not State.FAILED for check in found):
        with waiting("serving myself, as a renter is served"):
            found.append(await _test(config, kind, machine))
    return found


async def _test(config: AgentConfig, kind: Kind, machine: Machine) -> Check:
    try:
        secs = await trial.run(config, kind.processors, machine.gpus.devices, config.ip or TRIAL_IP)
    except IonetError as error:
        return Check("self-test", State.FAILED, str(error))
    return Check("self-test", State.OK, f"Ray was up after {secs:.1f} s and worked on {kind.processors} processors")


def is_held(base: Path) -> bool:
    """Whether an agent runs there now."""
    with (base / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
