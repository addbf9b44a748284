"""The runtime's features: mainnet's set everywhere, and once more whole lives with every feature on that there is, so
that no activation changes what the program does or costs. All: `IONET_FEATURES=all scripts/test tests/program`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from program.chain import runtime
from solders.pubkey import Pubkey

HERE = Path(__file__).parent
FEATURES = Pubkey.from_string("Feature111111111111111111111111111111111111")
WHOLE_LIVES = ["framework", "costs", "liveness", "pause_everything", "defend_lease", "stateful_found"]


def on(features: str) -> int:
    return len(runtime(features).get_program_accounts(FEATURES))


def test_every_feature_is_more_than_mainnets() -> None:
    assert on("all") > on("mainnet") > 200


def test_another_set_is_refused() -> None:
    with pytest.raises(ValueError, match="IONET_FEATURES is mainnet or all, not 'testnet'"):
        runtime("testnet")


@pytest.mark.skipif(os.environ.get("IONET_FEATURES") == "all", reason="the whole run has every feature on")
def test_whole_lives_with_every_feature_on() -> None:
    files = [str(HERE / f"test_{name}.py") for name in WHOLE_LIVES]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files],
        cwd=HERE.parents[1],
        env={**os.environ, "IONET_FEATURES": "all"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4_000:]
    assert " passed" in run.stdout
