"""The API does what its description says: whatever is asked of it, and with all that three recorded markets left in it.

`scripts/fuzz-api` runs the first test for as long as one likes.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import own_environment
import pytest
from indexer.api_server import prepared, served
from indexer.recording import Played, Recording
from indexer.story import RESULTS
from ionet.leaves import PATH, sign_upload
from ionet.rules import merkle
from ionet_indexer.postgres import EmbeddedPostgres
from market import leaf_hashes, leaves

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
# Of each operation, besides some 80 cases at the edges of its parameters.
EXAMPLES = int(os.environ.get("IONET_API_EXAMPLES", "10"))
SEED = int(os.environ.get("IONET_API_SEED", "1"))
# What the three markets leave empty: an index needs ten owners and a day that is over, and no agent runs there.
EMPTY = {"/v1/index", "/v1/index/{model}", "/v1/nodes/{key}/advert"}


@pytest.fixture(scope="session")
def python() -> Path:
    return own_environment.python("schemathesis", HERE / "requirements.txt")


def schemathesis(
    python: Path, address: str, *options: str, document: str | None = None
) -> subprocess.CompletedProcess[str]:
    """A run; its exit code is 1 where it found something that schemathesis.toml does not allow.

    document: the description to go by, by default the API's own.
    """
    command = [
        *(str(python), "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
        *("run", document or f"{address}/openapi.json", "--url", address, "--checks", "all", "--no-color"),
        *("--seed", str(SEED), "--max-examples", str(EXAMPLES), *options),
    ]
    environment = os.environ | {"IONET_API": address, "PYTHONPATH": str(TESTS)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def upload(address: str, recording: Recording) -> str:
    """Hand over the leaves of an interval; the hash of the first result."""
    lease, results = recording.story.served, RESULTS[0]
    root = merkle.root(leaf_hashes(lease, 0, results))
    signed = sign_upload(recording.story.machines[0].device, lease, 0, root, leaves(results))
    assert httpx2.post(f"{address}{PATH}", content=signed.leaves, headers=signed.headers).status_code == 201
    return signed.leaves[32:64].hex()


@pytest.mark.drill
def test_whatever_is_asked_the_api_answers_as_described(
    python: Path, server: EmbeddedPostgres, conflicts: Played
) -> None:
    with served(prepared(server, "fuzzed", conflicts)) as address:
        done = schemathesis(python, address)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failures" not in done.stdout


def test_what_differs_from_its_description_is_found(python: Path, api: httpx2.Client, tmp_path: Path) -> None:
    described = api.get("/openapi.json").json()
    described["components"]["schemas"]["Model"]["properties"]["name"] = {"type": "integer"}
    tier = next(each for each in described["paths"]["/v1/nodes"]["get"]["parameters"] if each["name"] == "tier")
    tier["schema"]["maximum"] = 5
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(described))
    address = str(api.base_url).rstrip("/")
    for operation, finding in (("list_models", "Response violates schema"), ("list_nodes", "Schema-valid request")):
        done = schemathesis(python, address, "--include-operation-id", operation, document=str(wrong))
        assert (done.returncode, finding in done.stdout) == (1, True), done.stdout + done.stderr


def test_all_that_is_there_is_as_described(
    python: Path, server: EmbeddedPostgres, recording: Recording, conflicts: Played, endings: Played
) -> None:
    """Every answer to its last field, and every example of the document."""
    seen: set[str] = set()
    for name, each in (("ordinary", recording), ("disputed", conflicts), ("ended", endings)):
        with served(prepared(server, f"described_{name}", each)) as address:
            results = [upload(address, recording)] if each is recording else []
            command = [str(python), "-I", str(HERE / "conforms.py"), address, *results]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["faults"] == [], name
        seen |= set(found["seen"])
    document = json.loads((TESTS.parent / "docs" / "openapi.json").read_text())
    asked = {path for path, methods in document["paths"].items() if "get" in methods}
    without = {"/health", "/v1/stream", "/v1/export/{file}"}
    assert asked - without - seen == EMPTY
