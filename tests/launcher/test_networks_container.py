"""A cluster behind two NATs whose members are containers of an image made here, each in its cluster's network. Docker
cannot do this, so it is tried with Podman."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent.overlay_lab import why_no_lab
from ionet_agent.isolation import container, ladder
from ionet_agent.isolation.base import Disk, Level
from ionet_agent.isolation.runtime import Runtime
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.joined import LONG, booked
from launcher.stack import until

from launcher import joined

if WHY := why_no_lab():
    pytest.skip(WHY, allow_module_level=True)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Podman, with runc where it is, and no Docker; skips a test where that does not hold its limits."""
    podman, runc = shutil.which("podman"), shutil.which("runc")
    if podman is None:
        pytest.skip("podman is not installed")
    runtime = f"--runtime {runc}" if runc else ""
    for name, script in (("podman", f'exec {podman} {runtime} "$@"'), ("docker", "exit 1")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    container.runner.cache_clear()
    isolation = ladder.of(Level.CONTAINER, tmp_path, Disk.NONE)
    if (reason := ladder.why_not(isolation, Runtime.own(), own_network=True)) is not None:
        pytest.skip(f"podman: {reason}")
    yield tmp_path
    container.runner.cache_clear()


@pytest.mark.drill
async def test_members_that_are_containers_run_a_job_in_their_clusters_network(
    server: EmbeddedPostgres, tools: Path
) -> None:
    async with joined.lab(server, 0.03, tools=tools) as lab:
        assert [node.agent.about["isolation"] for node in lab.nodes] == [Level.CONTAINER, Level.CONTAINER]
        cluster = await booked(lab)
        await cluster.runs()
        await until(cluster.works, LONG, "it works on both")
        assert await cluster.ends() > 0
